//! The icon beside a note's text, drawn here so that it is there whatever icons are installed.
//!
//! Lives here: a handset on a disc, as pixels in the form of the hint `image-data`.
//! Must not: read a file, or know who calls.

use zbus::Variant;

use super::note::Sign;

/// Pixels a side.
const SIDE: u8 = 64;
/// Samples a pixel and direction: smooth edges.
const FINE: u8 = 4;

/// The hint: width, height, bytes a row, alpha, bits a sample, channels, pixels.
pub(super) fn image(icon: Sign) -> Variant<'static> {
    let side = i32::from(SIDE);
    Variant::from((side, side, side * 4, true, 8_i32, 4_i32, pixels(icon)))
}

fn pixels(icon: Sign) -> Vec<u8> {
    let disc = match icon {
        Sign::Ringing => [0x1f, 0x9d, 0x55],
        Sign::Missed => [0xc8, 0x3a, 0x2e],
        Sign::Asks => [0x2b, 0x6c, 0xb0],
    };
    let mut pixels = Vec::with_capacity(usize::from(SIDE) * usize::from(SIDE) * 4);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (mut inside, mut white) = (0_u16, 0_u16);
            for fine in 0..FINE * FINE {
                let part = |pixel: u8, step: u8| {
                    (f32::from(pixel) + (f32::from(step) + 0.5) / f32::from(FINE)) / f32::from(SIDE) * 2.0
                        - 1.0
                };
                let (px, py) = (part(x, fine % FINE), part(y, fine / FINE));
                inside += u16::from(px.hypot(py) <= 0.98);
                white += u16::from(handset(px, py, icon));
            }
            let all = u16::from(FINE) * u16::from(FINE);
            let blend = |colour: u8| mixed(colour, white, all);
            pixels.extend(disc.map(blend));
            pixels.push(mixed(0, inside, all));
        }
    }
    pixels
}

/// A colour with `white` of `all` parts white in it.
fn mixed(colour: u8, white: u16, all: u16) -> u8 {
    let parts = (u16::from(colour) * (all - white) + 255 * white) / all;
    u8::try_from(parts).unwrap_or(u8::MAX)
}

/// Whether a point of the disc, −1 to 1 each way, belongs to the handset: lifted for a ring, lying for a missed call.
fn handset(x: f32, y: f32, icon: Sign) -> bool {
    let turn: f32 = match icon {
        Sign::Ringing => -2.356,
        Sign::Missed | Sign::Asks => 0.0,
    };
    let (sin, cos) = turn.sin_cos();
    receiver(x * cos - y * sin, x * sin + y * cos)
}

/// The handset lying down, its ends below.
fn receiver(x: f32, y: f32) -> bool {
    let radius = x.hypot(y - 0.55);
    let bow = (0.62..=0.86).contains(&radius) && y < 0.05 && x.abs() <= 0.62;
    let end = (x.abs() - 0.5).abs() <= 0.17 && (-0.12..=0.26).contains(&y);
    bow || end
}
