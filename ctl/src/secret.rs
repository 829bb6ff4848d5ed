//! Passphrases: from a descriptor that a script opened, or from the terminal, where nobody sees them.
//!
//! Lives here: asking without an echo, and handing what was said to the daemon by a descriptor.
//! Must not: take one from arguments or the environment, where others read it; keep or print one.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::fault::{Exit, Fault};

/// A new one has at least so many letters; the daemon holds to it, too.
const LEAST: usize = 8;

/// From where the daemon is to read it: descriptor `fd`, or what is typed now. A new one is asked for twice.
pub(crate) async fn secret(fd: Option<u32>, new: bool) -> Result<OwnedFd, Fault> {
    if let Some(fd) = fd {
        let opened = File::open(format!("/dev/fd/{fd}"));
        return opened.map(OwnedFd::from).map_err(|error| {
            Fault::new(Exit::Usage, format!("No passphrase can be read from descriptor {fd}: {error}."))
        });
    }
    let said = typed("Passphrase: ").await?;
    if new {
        if said.chars().count() < LEAST {
            let sentence = format!(
                "The passphrase needs at least {LEAST} letters: whoever finds the file could guess it."
            );
            return Err(Fault::new(Exit::Usage, sentence));
        }
        if typed("Once more:  ").await? != said {
            return Err(Fault::new(Exit::Usage, "The two are not the same: nothing was done."));
        }
    }
    hand_over(&said)
        .map_err(|error| Fault::new(Exit::Error, format!("The passphrase cannot be handed over: {error}.")))
}

/// One word of the person at the terminal, by which they confirm something; none without a terminal.
pub(crate) fn confirmed(question: &str, word: &str) -> bool {
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else { return false };
    let mut said = String::new();
    let asked = (&terminal).write_all(question.as_bytes());
    asked.is_ok() && BufReader::new(&terminal).read_line(&mut said).is_ok() && said.trim() == word
}

/// What is typed in answer, unseen.
async fn typed(question: &'static str) -> Result<String, Fault> {
    let none = |error: io::Error| {
        Fault::new(
            Exit::Usage,
            format!("There is no terminal to ask for the passphrase ({error}): --passphrase-fd N."),
        )
    };
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(none)?;
    let (mut shown, read) = (terminal.try_clone().map_err(none)?, terminal.try_clone().map_err(none)?);
    let quiet = Quiet::new(terminal).map_err(none)?;
    shown.write_all(question.as_bytes()).map_err(none)?;
    let (tell, told) = tokio::sync::oneshot::channel();
    // It ends with a line, or with the program.
    let read = move || {
        let mut said = String::new();
        let line = BufReader::new(read).read_line(&mut said);
        drop(tell.send(line.map(|_| said)));
    };
    std::thread::Builder::new().name("terminal".to_owned()).spawn(read).map_err(none)?;
    let said = tokio::select! {
        said = told => said.unwrap_or_else(|_gone| Err(io::ErrorKind::UnexpectedEof.into())),
        _ = tokio::signal::ctrl_c() => Err(io::ErrorKind::Interrupted.into()),
    };
    drop(quiet);
    // The person's own end of the line was not shown.
    let _shown = shown.write_all(b"\n");
    match said {
        Ok(said) if said.is_empty() => {
            Err(Fault::new(Exit::Usage, "No passphrase was typed: nothing was done."))
        }
        Ok(said) => Ok(said.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            Err(Fault::new(Exit::Error, "Canceled: nothing was done."))
        }
        Err(error) => Err(none(error)),
    }
}

/// A passphrase fits into a socket's buffer, so that nobody waits for its reader.
fn hand_over(said: &str) -> io::Result<OwnedFd> {
    let (mut ours, theirs) = UnixStream::pair()?;
    ours.write_all(said.as_bytes())?;
    Ok(theirs.into())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet(File, Termios);

impl Quiet {
    fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &unseen)?;
        Ok(Self(terminal, before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _gone = tcsetattr(&self.0, OptionalActions::Flush, &self.1);
    }
}
