//! Sealing by a passphrase, in the format of age (C2SP), which other programs open too.
//!
//! Lives here: the passphrase from its descriptor, the bounds of what is opened, what each failure means to a person.
//! Must not: know what is inside; print a passphrase.
//!
//! A file from anybody is tried here, so its work is bounded before it is done: the size, the header (one passphrase, a work
//! factor no larger than ours), and then the time of one look at it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use age::secrecy::{ExposeSecret as _, SecretString};
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use ahoy_call::Moment;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use zeroize::{Zeroize as _, Zeroizing};

use super::bundle::MOST_BYTES;
use super::failed;
use crate::system::clock;
use crate::values::request::{Denied, DeniedKind, Lease};

/// The work of one try at a passphrase, as a power of two: 256 MiB and about a second of one core.
const WORK: u8 = 18;
/// A header with one passphrase has 200 bytes.
const HEADER: usize = 1_024;
/// Bytes of a passphrase.
const MOST_OF_SECRET: usize = 4_096;
/// Letters of a new one.
const LEAST_OF_SECRET: usize = 8;
/// How long whoever hands us a passphrase may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What reads as the header's last line.
const END_OF_HEADER: &[u8] = b"\n--- ";

/// Only what lies on a disk: whatever hangs would hold up its job for ever.
pub(super) fn regular(lease: Lease) -> Result<File, Denied> {
    let file = File::from(lease.0);
    let kind = rustix::fs::fstat(&file).map(|stat| FileType::from_raw_mode(stat.st_mode));
    if kind != Ok(FileType::RegularFile) {
        let sentence =
            "An account is exported into a file, and imported from one: a pipe or a device is none.";
        return Err(Denied::new(DeniedKind::InvalidOption, sentence));
    }
    Ok(file)
}

/// The passphrase: all that comes until the end, without the end of its line.
pub(super) fn passphrase(from: &Lease) -> Result<SecretString, Denied> {
    passphrase_by(clock::now, from)
}

/// The same by that clock, which is looked at before each part that comes.
pub(super) fn passphrase_by(mut now: impl FnMut() -> Moment, from: &Lease) -> Result<SecretString, Denied> {
    let unreadable = |error: io::Error| failed(format!("The passphrase cannot be read: {error}."));
    let copy = from.0.try_clone().map_err(unreadable)?;
    let mut file = File::from(copy);
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_OF_SECRET + 1));
    let mut piece = Zeroizing::new([0; 512]);
    let until = now() + PATIENCE;
    loop {
        let left = until.since(now());
        let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        let patience = Timespec { tv_sec: seconds, tv_nsec: left.subsec_nanos().into() };
        let ready = poll(&mut [PollFd::new(&file.as_fd(), PollFlags::IN)], Some(&patience));
        // Who is late is refused even if more lies there already: more could lie there each time.
        if ready.map_err(|error| unreadable(error.into()))? == 0 || left.is_zero() {
            return Err(failed("No passphrase came: whoever hands it over must close its end."));
        }
        match file.read(&mut piece[..]).map_err(unreadable)? {
            0 => break,
            count if bytes.len() + count > MOST_OF_SECRET => {
                return Err(Denied::new(
                    DeniedKind::InvalidOption,
                    "The passphrase is longer than 4096 bytes.",
                ));
            }
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Denied::new(DeniedKind::InvalidOption, "The passphrase is no text (UTF-8)."))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Denied::new(DeniedKind::InvalidOption, "The passphrase is empty."));
    }
    Ok(SecretString::from(text.to_owned()))
}

/// A new passphrase is no shorter than that.
pub(super) fn is_long_enough(secret: &SecretString) -> Result<(), Denied> {
    if secret.expose_secret().chars().count() < LEAST_OF_SECRET {
        let sentence = format!(
            "The passphrase has fewer than {LEAST_OF_SECRET} letters: whoever finds the file could guess it."
        );
        return Err(Denied::new(DeniedKind::InvalidOption, sentence));
    }
    Ok(())
}

/// Writes it and waits until the disk has it.
pub(super) fn seal(plain: &[u8], secret: SecretString, mut into: File) -> Result<(), Denied> {
    let mut recipient = scrypt::Recipient::new(secret);
    recipient.set_work_factor(WORK);
    let written = Encryptor::with_recipients(std::iter::once::<&dyn age::Recipient>(&recipient))
        .map_err(io::Error::other)
        .and_then(|sealing| {
            let mut sealed = sealing.wrap_output(&mut into)?;
            sealed.write_all(plain)?;
            sealed.finish().map(drop)
        })
        .and_then(|()| into.sync_all());
    written.map_err(|error| failed(format!("The file cannot be written: {error}.")))
}

/// The sealed bytes, if they are no more than an account can have.
pub(super) fn read(from: &Lease) -> Result<Vec<u8>, Denied> {
    let unreadable = |error: io::Error| failed(format!("The file cannot be read: {error}."));
    let copy = from.0.try_clone().map_err(unreadable)?;
    let file = regular(Lease(copy))?;
    let mut bytes = Vec::new();
    // What sealing adds is less than that.
    let most = u64::try_from(MOST_BYTES + MOST_BYTES / 64).unwrap_or(u64::MAX);
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(failed("The file is larger than an account can be: it is another one."));
    }
    Ok(bytes)
}

/// What was sealed.
pub(super) fn open(bytes: Vec<u8>, secret: SecretString) -> Result<Zeroizing<Vec<u8>>, Denied> {
    let head = &bytes[..bytes.len().min(HEADER)];
    let other = || failed("This is no exported account of ahoy, or its beginning is damaged.");
    if !head.windows(END_OF_HEADER.len()).any(|part| part == END_OF_HEADER) {
        return Err(other());
    }
    let sealed = Decryptor::new_buffered(&bytes[..]).map_err(|_| other())?;
    if !sealed.is_scrypt() {
        return Err(failed("The file is not sealed by a passphrase: it is another one."));
    }
    let mut identity = scrypt::Identity::new(secret);
    identity.set_max_work_factor(WORK);
    let mut plain = Zeroizing::new(Vec::new());
    let mut opened =
        sealed.decrypt(std::iter::once::<&dyn age::Identity>(&identity)).map_err(|error| match error {
            DecryptError::ExcessiveWork { .. } => {
                failed("The file asks for more work than this program does for one: it is none of ours.")
            }
            DecryptError::DecryptionFailed
            | DecryptError::KeyDecryptionFailed
            | DecryptError::NoMatchingKeys => failed("The passphrase is wrong: nothing was changed."),
            DecryptError::InvalidHeader
            | DecryptError::InvalidMac
            | DecryptError::Io(_)
            | DecryptError::UnknownFormat
            | _ => other(),
        })?;
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    let read = opened.by_ref().take(most + 1).read_to_end(&mut plain);
    if read.is_err() {
        plain.zeroize();
        return Err(failed("The file is cut or damaged: copy it again. Nothing was changed."));
    }
    if plain.len() > MOST_BYTES {
        return Err(failed("There is more in the file than an account can have."));
    }
    Ok(plain)
}
