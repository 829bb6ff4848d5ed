//! A connection to PulseAudio while a stream is made: one question, one answer.
//!
//! Lives here: which server, and what an answer that is none means. Who we are to it is `device/pulse.rs`.
//! Must not: wait longer than it was given.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use ahoy_call::Moment;
use pulseaudio::protocol::{
    Command, CommandTag, DESCRIPTOR_SIZE, ProtocolError, PulseError, TagStructRead, TagStructReader,
    encode_command_message,
};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::OpenError;
use crate::media::device::{presence, pulse};
use crate::system::clock;

/// No answer that is read here is longer.
const LONGEST: usize = 1 << 20;

pub(super) struct Connection {
    /// Until it is handed over; what fails before closes it.
    socket: UnixStream,
    version: u16,
    sequence: u32,
    until: Moment,
}

impl Connection {
    /// Connected and known, if all answers come until then.
    pub(super) fn begin(until: Moment) -> Result<Self, OpenError> {
        let mut this = Self { socket: connect()?, version: pulse::VERSION, sequence: 0, until };
        let reply = this.answer(&pulse::authenticate())?.map_err(refusal)?;
        this.version = pulse::agreed(&reply)?;
        this.agrees(&pulse::introduce())?;
        Ok(this)
    }

    /// The socket, which from now on waits as long as it must to read; and the version that is spoken.
    pub(super) fn end(self) -> (UnixStream, u16) {
        (self.socket, self.version)
    }

    /// A message for later.
    pub(super) fn encode(&mut self, command: &Command) -> Result<Vec<u8>, OpenError> {
        self.sequence += 1;
        let mut bytes = Vec::new();
        encode_command_message(&mut bytes, self.sequence, command, self.version)?;
        Ok(bytes)
    }

    /// The answer.
    pub(super) fn ask<R: TagStructRead>(&mut self, command: &Command) -> Result<R, OpenError> {
        let payload = self.answer(command)?.map_err(refusal)?;
        Ok(R::read(&mut TagStructReader::new(&mut payload.as_slice(), self.version), self.version)?)
    }

    /// Whether it is not refused.
    pub(super) fn agrees(&mut self, command: &Command) -> Result<bool, OpenError> {
        Ok(self.answer(command)?.is_ok())
    }

    fn answer(&mut self, command: &Command) -> Result<Result<Vec<u8>, PulseError>, OpenError> {
        let bytes = self.encode(command)?;
        let asked = self.sequence;
        self.patience()?;
        self.socket.write_all(&bytes).map_err(failed)?;
        loop {
            let mut head = [0; DESCRIPTOR_SIZE];
            self.read(&mut head)?;
            let mut body = vec![0; pulse::length(&head, LONGEST)?];
            self.read(&mut body)?;
            let (tag, sequence, mut rest) = pulse::open(&body, self.version)?;
            if sequence == asked && tag == CommandTag::Error {
                return Ok(Err(TagStructReader::new(&mut rest, self.version).read_enum()?));
            }
            if sequence == asked && tag == CommandTag::Reply {
                return Ok(Ok(rest.to_vec()));
            }
            // Nothing that was asked for.
        }
    }

    fn read(&mut self, all: &mut [u8]) -> Result<(), OpenError> {
        let mut at = 0;
        while at < all.len() {
            self.patience()?;
            match self.socket.read(&mut all[at..]) {
                Ok(0) => return Err(failed(ErrorKind::UnexpectedEof.into())),
                Ok(count) => at += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    /// The kernel waits no longer than is left.
    fn patience(&self) -> Result<(), OpenError> {
        let left = self.until.since(clock::now());
        if left.is_zero() {
            return Err(OpenError::Silent);
        }
        self.socket.set_read_timeout(Some(left)).map_err(failed)?;
        self.socket.set_write_timeout(Some(left)).map_err(failed)
    }
}

/// The first socket that takes a connection at once; a server whose queue is full does not answer.
fn connect() -> Result<UnixStream, OpenError> {
    let mut last = OpenError::NoDevice;
    for path in presence::pulse_sockets() {
        let tried = || -> Result<UnixStream, Errno> {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            rustix::net::connect(&socket, &SocketAddrUnix::new(&path)?)?;
            Ok(UnixStream::from(socket))
        };
        match tried() {
            Ok(socket) => {
                socket.set_nonblocking(false).map_err(failed)?;
                return Ok(socket);
            }
            Err(Errno::AGAIN) => last = OpenError::Silent,
            Err(error) => last = OpenError::Server(error.to_string()),
        }
    }
    Err(last)
}

pub(super) fn failed(error: io::Error) -> OpenError {
    if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) {
        return OpenError::Silent;
    }
    OpenError::Server(error.to_string())
}

fn refusal(error: PulseError) -> OpenError {
    let known = [
        (PulseError::AccessDenied, OpenError::Forbidden),
        (PulseError::AuthKey, OpenError::Forbidden),
        (PulseError::Busy, OpenError::Busy),
        (PulseError::NoEntity, OpenError::NoDevice),
    ];
    let known = known.into_iter().find(|(known, _)| *known == error);
    known.map_or_else(|| OpenError::Server(error.to_string()), |(_, known)| known)
}

impl From<ProtocolError> for OpenError {
    fn from(error: ProtocolError) -> Self {
        Self::Server(error.to_string())
    }
}
