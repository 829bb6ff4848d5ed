//! Earlier frames of a voice beside the present one, in one packet (RED, RFC 2198).
//!
//! Lives here: its bytes, to and from; what came was written by the other side.
//! Must not: decide how many copies are sent, or keep any.

use crate::media::codec::{PACKET_MAX, RATE};
use crate::media::transport::Copy;

/// Blocks of one packet, the present frame among them. We send four at most.
const MOST_BLOCKS: usize = 8;
/// What a header before a copy takes: the payload type, how long before, how many bytes.
const HEADER: usize = 4;
/// Says that another header follows.
const MORE: u8 = 0x80;
/// The furthest that 14 bits reach back, and the longest copy that 10 bits measure.
const REACH: u32 = (1 << 14) - 1;
const LONGEST: u32 = (1 << 10) - 1;
const FRAME_SAMPLES: u32 = RATE / 50;

/// One packet of all that fits of these copies (any order) and the present frame; none if no copy does: then it goes alone.
pub fn pack(payload_type: u8, copies: &[Copy], present: &[u8]) -> Option<Vec<u8>> {
    let fits = |copy: &&Copy| {
        let reach = u32::from(copy.distance) * FRAME_SAMPLES;
        copy.distance > 0 && reach <= REACH && (1..=LONGEST as usize).contains(&copy.payload.len())
    };
    let mut places: [Option<&Copy>; MOST_BLOCKS - 1] = [None; MOST_BLOCKS - 1];
    places.iter_mut().zip(copies.iter().filter(fits)).for_each(|(place, copy)| *place = Some(copy));
    places.sort_by_key(|copy| copy.map(|copy| std::cmp::Reverse(copy.distance)));
    let fitting = || places.iter().copied().flatten();
    fitting().next()?;
    let bytes: usize = fitting().map(|copy| HEADER + copy.payload.len()).sum();
    let mut packet = Vec::with_capacity(bytes + 1 + present.len());
    for copy in fitting() {
        let (kind, reach) = (u32::from(MORE | payload_type), u32::from(copy.distance) * FRAME_SAMPLES);
        let length = u32::try_from(copy.payload.len()).unwrap_or_default();
        let header = (kind << 24) | (reach << 10) | length;
        packet.extend(header.to_be_bytes());
    }
    packet.push(payload_type);
    fitting().for_each(|copy| packet.extend(&copy.payload));
    packet.extend(present);
    Some(packet)
}

/// The copies of a packet, oldest first, and its present frame; none of what no honest side sends: blocks of another kind than the
/// voice (a packet in a packet too), times between frames or of the future, lengths that are not there.
pub fn unpack(payload_type: u8, packet: &[u8]) -> Option<(Vec<Copy>, Vec<u8>)> {
    let mut headers = [(0, 0); MOST_BLOCKS - 1];
    let (mut count, mut rest) = (0, packet);
    while let [first, ..] = rest
        && first & MORE != 0
    {
        let (header, behind) = rest.split_first_chunk::<HEADER>()?;
        let header = u32::from_be_bytes(*header);
        let (offset, length) = ((header >> 10) & REACH, (header & LONGEST) as usize);
        let distance = u8::try_from(offset / FRAME_SAMPLES).ok()?;
        let honest =
            first & !MORE == payload_type && distance > 0 && offset % FRAME_SAMPLES == 0 && length > 0;
        *headers.get_mut(count).filter(|_| honest)? = (distance, length);
        count += 1;
        rest = behind;
    }
    let (last, mut rest) = rest.split_first()?;
    if *last != payload_type {
        return None;
    }
    let mut copies = Vec::with_capacity(count);
    for &(distance, length) in &headers[..count] {
        let (payload, behind) = rest.split_at_checked(length)?;
        copies.push(Copy { distance, payload: payload.to_vec() });
        rest = behind;
    }
    (1..=PACKET_MAX).contains(&rest.len()).then(|| (copies, rest.to_vec()))
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;

    const OPUS: u8 = 111;

    fn copy(distance: u8, payload: &[u8]) -> Copy {
        Copy { distance, payload: payload.to_vec() }
    }

    #[test]
    fn what_is_packed_is_unpacked_oldest_first_and_as_the_rfc_draws_it() {
        let packet = pack(OPUS, &[copy(1, b"bb"), copy(2, b"a")], b"present").unwrap();
        // F, payload type, 14 bits of samples before, 10 bits of length (RFC 2198 §3).
        let header = |samples: u32, length: u32| ((0x80 | 111) << 24) | (samples << 10) | length;
        let drawn =
            [&header(1_920, 1).to_be_bytes()[..], &header(960, 2).to_be_bytes(), &[111], b"abbpresent"];
        assert_eq!(packet, drawn.concat());
        let (copies, present) = unpack(OPUS, &packet).unwrap();
        assert_eq!((copies, present), (vec![copy(2, b"a"), copy(1, b"bb")], b"present".to_vec()));
    }

    #[test]
    fn memory_is_taken_for_what_comes_out_and_nothing_else() {
        let copies = [copy(1, b"bb"), copy(2, b"a")];
        let packet = pack(OPUS, &copies, b"present").unwrap();
        assert_eq!(measure(|| drop(pack(OPUS, &copies, b"present"))).count_total, 1);
        // The list of copies, each of them, the present.
        assert_eq!(measure(|| drop(unpack(OPUS, &packet))).count_total, 4);
    }

    #[test]
    fn a_copy_that_the_header_cannot_say_is_left_out() {
        assert_eq!(pack(OPUS, &[copy(0, b"now"), copy(18, b"long ago"), copy(1, &[])], b"x"), None);
        assert_eq!(pack(OPUS, &[copy(1, &[7; 1_024])], b"x"), None);
        let packet = pack(OPUS, &[copy(17, &[7; 1_023]), copy(18, b"y")], b"x").unwrap();
        assert_eq!(unpack(OPUS, &packet).unwrap().0, [copy(17, &[7; 1_023])]);
    }

    #[test]
    fn lies_are_refused() {
        let header = |kind: u32, samples: u32, length: u32| ((0x80 | kind) << 24) | (samples << 10) | length;
        let packet = |headers: &[u32], rest: &[u8]| {
            [headers.iter().flat_map(|header| header.to_be_bytes()).collect(), rest.to_vec()].concat()
        };
        let honest = packet(&[header(111, 960, 2)], &[111, 1, 2, 3]);
        assert!(unpack(OPUS, &honest).is_some());
        for (lie, what) in [
            (packet(&[header(111, 960, 4)], &[111, 1, 2, 3]), "longer than the packet"),
            (packet(&[header(111, 960, 3)], &[111, 1, 2, 3]), "nothing left for the present"),
            (packet(&[header(111, 960, 0)], &[111, 1, 2, 3]), "an empty copy"),
            (packet(&[header(111, 961, 2)], &[111, 1, 2, 3]), "between two frames"),
            (packet(&[header(111, 0, 2)], &[111, 1, 2, 3]), "a copy of now"),
            (packet(&[header(63, 960, 2)], &[111, 1, 2, 3]), "a packet in a packet"),
            (packet(&[header(111, 960, 2)], &[63, 1, 2, 3]), "the present of another kind"),
            (packet(&[header(111, 960, 2); 8], &[&[111][..], &[0; 40]].concat()), "more blocks than we take"),
            (packet(&[header(111, 960, 2)], &[]), "headers alone"),
            (vec![], "nothing"),
            (vec![0x80 | 111, 0, 0], "half a header"),
            (packet(&[], &[&[111][..], &[0; PACKET_MAX + 1]].concat()), "longer than a frame can be"),
        ] {
            assert_eq!(unpack(OPUS, &lie), None, "{what}");
        }
    }

    #[test]
    fn any_bytes_are_refused_or_give_what_was_there() {
        let mut state = 1_u32;
        for round in 0..20_000_usize {
            let mut bytes: Vec<u8> = (0..round % 60)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    state.to_be_bytes()[0]
                })
                .collect();
            if let Some(first) = bytes.first_mut() {
                *first = [MORE | OPUS, OPUS][round % 2];
            }
            if let Some((copies, present)) = unpack(OPUS, &bytes) {
                let all: usize = copies.iter().map(|copy| HEADER + copy.payload.len()).sum();
                assert_eq!(all + 1 + present.len(), bytes.len());
            }
        }
    }
}
