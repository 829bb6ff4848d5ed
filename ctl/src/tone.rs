//! A file that a person names for the daemon to open: a ring tone, a picture.
//!
//! Lives here: paths from where one stands and `file:` URIs as the daemon can use them; whether the file is there.
//! Must not: know what is in a file, or what names a theme has.

use std::path::{Path, PathBuf};

use crate::fault::{Exit, Fault};

/// The file as an absolute path, or the name of something that has none. What is not there is refused.
pub(crate) fn named(said: &str) -> Result<String, Fault> {
    let here = std::env::current_dir().unwrap_or_default();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    from(said, &here, home.as_deref())
}

fn from(said: &str, here: &Path, home: Option<&Path>) -> Result<String, Fault> {
    let path = if let Some(uri) = said.strip_prefix("file:") {
        decoded(uri)
            .ok_or_else(|| Fault::new(Exit::Usage, format!("'{said}' is no file of this machine.")))?
    } else if let Some(rest) = said.strip_prefix("~/") {
        home.map_or_else(|| PathBuf::from(said), |home| home.join(rest))
    } else if said.contains('/') || here.join(said).is_file() && !said.is_empty() {
        here.join(said)
    } else {
        return Ok(said.to_owned());
    };
    let wrong = |what: String| Err(Fault::new(Exit::Usage, what));
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => wrong(format!("{} is a folder.", path.display())),
        Ok(_) => {
            // Without the dots of `./Music`: what is shown later is read by people.
            let plain: PathBuf = path.components().collect();
            plain.into_os_string().into_string().or_else(|odd| {
                wrong(format!("{} is not named in UTF-8: give it another name.", odd.display()))
            })
        }
        Err(error) => wrong(format!("{} cannot be used: {error}.", path.display())),
    }
}

/// The path of a `file:` URI (RFC 8089), as file managers give it; of this machine alone.
fn decoded(uri: &str) -> Option<PathBuf> {
    let path = match uri.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
        None => uri,
    };
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let plain = path.starts_with('/') && !bytes.contains(&0);
    plain.then(|| PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_absolute_and_there_and_a_name_stays_one() {
        let home = tempfile::tempdir().unwrap();
        let music = home.path().join("Music");
        std::fs::create_dir(&music).unwrap();
        let file = music.join("my ring ä.wav");
        std::fs::write(&file, "").unwrap();
        let file = file.to_str().unwrap();
        let uri = format!("file://{}", file.replace(' ', "%20").replace('ä', "%C3%A4"));
        let said = |said: &str| from(said, home.path(), Some(home.path())).map_err(|fault| fault.sentence);
        let all =
            [file, &uri, &uri.replace("//", "//localhost"), "~/Music/my ring ä.wav", "Music/my ring ä.wav"];
        for one in all.into_iter().chain(["./Music/my ring ä.wav"]) {
            assert_eq!(said(one).as_deref(), Ok(file), "{one}");
        }
        assert_eq!(from("my ring ä.wav", &music, None).unwrap(), file, "one that lies here");
        for name in ["bell", "", "phone-incoming-call"] {
            assert_eq!(said(name).as_deref(), Ok(name), "a name of a theme");
        }
        for gone in [
            "/nowhere/ring.wav",
            "$HOME/Music/ring.wav",
            "file:///nowhere",
            "file://elsewhere/a.wav",
            "file:a%zz",
        ] {
            assert!(said(gone).is_err(), "{gone}");
        }
        assert_eq!(said("Music").as_deref(), Ok("Music"), "a name, though a folder is called so");
        assert!(said("./Music").unwrap_err().ends_with("is a folder."));
    }
}
