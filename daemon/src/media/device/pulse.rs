//! What every connection to a PulseAudio server begins with, whoever waits for it.
//!
//! Lives here: who we are to the server, which version is spoken, how a message is taken apart.
//! Must not: hold a socket, or choose one: `presence.rs` does.

use std::ffi::CString;

use pulseaudio::protocol::{
    AuthParams, AuthReply, Command, CommandTag, MAX_VERSION, Prop, Props, ProtocolError, TagStructRead,
    TagStructReader, read_descriptor,
};

/// The version that is spoken until the server has named its own.
pub(super) const VERSION: u16 = MAX_VERSION;

/// The first question.
pub(super) fn authenticate() -> Command {
    let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok());
    Command::Auth(AuthParams {
        version: VERSION,
        supports_shm: false,
        supports_memfd: false,
        cookie: cookie.unwrap_or_default(),
    })
}

/// The version that is spoken after this answer to it.
pub(super) fn agreed(mut reply: &[u8]) -> Result<u16, ProtocolError> {
    let reply = AuthReply::read(&mut TagStructReader::new(&mut reply, VERSION), VERSION)?;
    Ok(VERSION.min(reply.version))
}

/// What a mixer shows of us.
pub(super) fn introduce() -> Command {
    let mut who = Props::new();
    who.set(Prop::ApplicationName, c"ahoy");
    who.set(Prop::ApplicationProcessId, CString::new(std::process::id().to_string()).unwrap_or_default());
    Command::SetClientName(who)
}

/// How many bytes follow this head of a message. More than `longest` are refused.
pub(super) fn length(mut head: &[u8], longest: usize) -> Result<usize, ProtocolError> {
    let length = usize::try_from(read_descriptor(&mut head)?.length).unwrap_or(usize::MAX);
    match length <= longest {
        true => Ok(length),
        false => Err(ProtocolError::Invalid("too long".into())),
    }
}

/// What follows it: the message's tag, its number, the rest.
pub(super) fn open(mut body: &[u8], version: u16) -> Result<(CommandTag, u32, &[u8]), ProtocolError> {
    let mut reader = TagStructReader::new(&mut body, version);
    let (tag, sequence) = (reader.read_enum()?, reader.read_u32()?);
    Ok((tag, sequence, body))
}
