//! What this machine knows of its user.
//!
//! Lives here: the person's name and the machine's name, made fit to be shown to others.
//! Must not: be asked again once a name is chosen.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ahoy_proto::words::{NAME, Words};
use nix::unistd::{Uid, User};

/// So long a directory of users is waited for: one that hangs must not hold up the start.
const PATIENCE: Duration = Duration::from_secs(2);

/// The person's full name by the user database, else the login name, else the user's number.
pub(super) fn name() -> String {
    let uid = Uid::current();
    // Where the directory gives no answer, the session still knows its login name.
    let login = || std::env::var("LOGNAME").or_else(|_| std::env::var("USER")).ok();
    known(uid)
        .and_then(|user| full(&user.name, &user.gecos.to_string_lossy()))
        .or_else(|| fit(&login()?))
        .unwrap_or_else(|| format!("user {uid}"))
}

/// What whatever directory this machine asks (NSS) has of a user.
fn known(uid: Uid) -> Option<User> {
    let (tell, told) = mpsc::sync_channel(1);
    let ask = move || drop(tell.send(User::from_uid(uid)));
    thread::Builder::new().name("user".to_owned()).spawn(ask).ok()?;
    told.recv_timeout(PATIENCE).ok()?.ok()?
}

/// What we call this device on our card.
pub(super) fn device() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    fit(&name).unwrap_or_else(|| "computer".to_owned())
}

/// The first of the comma-separated parts is the name; `&` stands for the login name with a capital.
fn full(login: &str, gecos: &str) -> Option<String> {
    let mut letters = login.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let name = gecos.split(',').next().unwrap_or("").replace('&', &capital);
    fit(&name).or_else(|| fit(login))
}

fn fit(name: &str) -> Option<String> {
    Some(Words::of(name, NAME)).filter(|name| !name.is_empty()).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_full_one_then_the_login() {
        assert_eq!(full("ana", "Ana Müller,,,").as_deref(), Some("Ana Müller"));
        assert_eq!(full("ben", "& Smith").as_deref(), Some("Ben Smith"));
        assert_eq!(full("cleo", "").as_deref(), Some("cleo"));
        assert_eq!(known(Uid::from_raw(0)).unwrap().name, "root");
        assert!(known(Uid::from_raw(4_294_000_000)).is_none());
        assert!(Words::own(&name(), NAME).is_ok());
        assert!(Words::own(&device(), NAME).is_ok());
    }
}
