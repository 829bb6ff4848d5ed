//! What this machine knows of its user.
//!
//! Lives here: the person's name and the machine's name, made fit to be shown to others.
//! Must not: be asked again once a name is chosen.

use std::process::Command;

use ahoy_proto::words::{NAME, Words};

/// The person's full name by the user database, else the login name, else the user's number.
pub(super) fn name() -> String {
    let uid = rustix::process::getuid().as_raw();
    let database = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    // Where the directory gives no answer, the session still knows its login name.
    let login = || std::env::var("LOGNAME").or_else(|_| std::env::var("USER")).ok();
    from_database(&database, uid)
        .or_else(|| from_database(&of_directory(uid)?, uid))
        .or_else(|| login().and_then(|login| fit(&login)))
        .unwrap_or_else(|| format!("user {uid}"))
}

/// The line of a user in whatever directory this machine asks (NSS): the file does not know everybody. Asked by the system's own
/// program and for two seconds at most, for a directory that hangs must not hold up the start.
fn of_directory(uid: u32) -> Option<String> {
    let asked = Command::new("timeout").args(["2", "getent", "passwd", &uid.to_string()]).output().ok()?;
    String::from_utf8(asked.stdout).ok()
}

/// What we call this device on our card.
pub(super) fn device() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    fit(&name).unwrap_or_else(|| "computer".to_owned())
}

fn from_database(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (login, number, gecos) = (fields.next()?, fields.nth(1)?, fields.nth(1)?);
        if number.parse() != Ok(uid) {
            return None;
        }
        // The first of the comma-separated parts is the name; `&` stands for the login name with a capital.
        let capital: String =
            login.chars().take(1).flat_map(char::to_uppercase).chain(login.chars().skip(1)).collect();
        let full = gecos.split(',').next().unwrap_or("").replace('&', &capital);
        fit(&full).or_else(|| fit(login))
    })
}

fn fit(name: &str) -> Option<String> {
    Some(Words::of(name, NAME)).filter(|name| !name.is_empty()).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000:Ana Müller,,,:/srv:/bin/sh\n\
                          ben:x:1001:1001:& Smith:/srv:/bin/sh\ncleo:x:1002:1002::/srv:/bin/sh\nbroken\n";

    #[test]
    fn the_name_is_the_full_one_then_the_login() {
        assert_eq!(from_database(PASSWD, 1000).as_deref(), Some("Ana Müller"));
        assert_eq!(from_database(PASSWD, 1001).as_deref(), Some("Ben Smith"));
        assert_eq!(from_database(PASSWD, 1002).as_deref(), Some("cleo"));
        assert_eq!(from_database(PASSWD, 7), None);
        assert!(Words::own(&name(), NAME).is_ok());
        assert!(Words::own(&device(), NAME).is_ok());
    }
}
