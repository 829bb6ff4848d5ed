//! What the configuration takes, and what it says about the rest.
//!
//! Lives here: tests of the configuration as the engine sees it.
//! Must not: mock a file or a disk: they are real, in a directory of their own.

use super::*;
use crate::values::media::{Switch, Volume};
use crate::values::setting::Setting;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("config.toml")).map_err(|error| error.to_string())
}

#[test]
fn an_empty_and_a_missing_file_are_all_defaults() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(parse("").unwrap(), Config::default());
    assert_eq!(Config::load(&dir.path().join("none.toml")).unwrap(), Config::default());
}

#[test]
fn every_key_is_taken() {
    let config = parse(
        "[account]\nname = \"Ana\"\n[relay]\nurls = [\"ws://127.0.0.1:1234\", \"wss://relay.example/x\"]\nca-file = \"/ca.pem\"\nfind = false\nlist = \"https://relays.example/list\"\nlist-keys = [\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"]\ndomain = \"example.org\"\nresolver = \"https://[2001:db8::1]/dns-query\"\n[lan]\nenabled = false\n\
         [call]\nlifetime = 180\nreconnect-window = 5\nring-at-most = \"short\"\ncall-waiting = false\npreconnect = \"never\"\n\
         [media]\ninput = \"mic\"\noutput = \"out\"\nring = [\"a\", \"b\"]\ninterfaces = [\"lo\"]\nrelay-only = true\nbitrate = 64000\n[voice]\necho = \"off\"\nnoise = \"on\"\ngain = \"auto\"\n[ring]\ntone = \"/a.oga\"\ntheme = \"ocean\"\nvolume = 0.5\nmuted = true\ntones = false\n[log]\nlevel = \"debug\"\n",
    )
    .unwrap();
    assert_eq!(config.account.name.as_deref(), Some("Ana"));
    assert_eq!(config.relay.urls, ["ws://127.0.0.1:1234", "wss://relay.example/x"]);
    assert_eq!(config.relay.ca_file.as_deref(), Some(Path::new("/ca.pem")));
    assert!(!config.relay.find && Config::default().relay.find);
    assert_eq!(config.relay.list.as_deref(), Some("https://relays.example/list"));
    assert_eq!((config.relay.list_keys.len(), config.relay.domain.as_deref()), (1, Some("example.org")));
    assert_eq!(config.relay.resolver.as_deref(), Some("https://[2001:db8::1]/dns-query"));
    assert!(!config.lan.enabled && Config::default().lan.enabled);
    assert_eq!(config.call.lifetime, Duration::from_secs(180));
    assert_eq!(config.call.reconnect_window, Duration::from_secs(5));
    assert_eq!((config.call.ring_at_most, config.call.call_waiting), (Duration::from_secs(30), false));
    assert_eq!(config.call.preconnect, Preconnect::Never);
    assert_eq!(config.media.interfaces, ["lo"]);
    assert!(config.media.relay_only && config.media_settings().relay_only);
    assert_eq!(config.media.ring, ["a", "b"]);
    let wishes = Wishes { echo: Switch::Off, noise: Switch::On, gain: Switch::Auto };
    assert_eq!(config.voice, wishes);
    let (tone, theme) = (Some("/a.oga".into()), Some("ocean".into()));
    let volume = Volume::of(0.5).unwrap();
    assert_eq!(config.ring, Ringing { tone, theme, volume, muted: true, tones: false });
    assert_eq!((config.media.bitrate, config.log.level), (64_000, Level::DEBUG));
}

#[test]
fn a_wrong_key_or_value_is_named_with_line_and_column_and_what_would_be_right() {
    for (text, place, words) in [
        ("[call]\nlifetme = 60\n", "config.toml:2:1: ", ["`lifetme`", "`lifetime`"]),
        ("[calls]\n", "config.toml:1:2: ", ["`calls`", "`call`"]),
        ("[call]\n\n  lifetime = 9\n", "config.toml:3:14: ", ["`lifetime`", "10 to 180"]),
        ("[call]\nlifetime = 181\n", "config.toml:2:12: ", ["`lifetime`", "10 to 180"]),
        ("[call]\nlifetime = \"ages\"\n", "config.toml:2:12: ", ["`lifetime`", "seconds"]),
        ("[call]\ncall-waiting = \"no\"\n", "config.toml:2:16: ", ["`call-waiting`", "true or false"]),
        ("[call]\nreconnect-window = 61\n", "config.toml:2:20: ", ["`reconnect-window`", "5 to 60"]),
        ("[call]\npreconnect = true\n", "config.toml:2:14: ", ["`preconnect`", "\"trusted\""]),
        ("[media]\nbitrate = 6000\n", "config.toml:2:11: ", ["`bitrate`", "12000"]),
        ("[media]\ninterfaces = \"eth0\"\n", "config.toml:2:14: ", ["`interfaces`", "\"auto\""]),
        ("[media]\nrelay-only = \"yes\"\n", "config.toml:2:14: ", ["`relay-only`", "true or false"]),
        ("[voice]\necho = true\n", "config.toml:2:8: ", ["`echo`", "\"auto\""]),
        ("[ring]\nvolume = 1.5\n", "config.toml:2:10: ", ["`volume`", "0 to 1"]),
        ("[ring]\nmuted = 1\n", "config.toml:2:9: ", ["`muted`", "false"]),
        ("[log]\nlevel = \"loud\"\n", "config.toml:2:9: ", ["`level`", "\"debug\""]),
        ("[lan]\nenabled = 1\n", "config.toml:2:11: ", ["`enabled`", "true or false"]),
        ("[account]\nname = \"\"\n", "config.toml:2:8: ", ["`name`", "64"]),
        ("[relay]\nca-file = \"ca.pem\"\n", "config.toml:2:11: ", ["`ca-file`", "absolute"]),
        ("[relay]\nlist = \"http://a.example\"\n", "config.toml:2:8: ", ["`list`", "https://"]),
        ("[relay]\nlist = \"https://u:p@a.example\"\n", "config.toml:2:8: ", ["`list`", "user"]),
        ("[relay]\nresolver = \"https://\"\n", "config.toml:2:12: ", ["`resolver`", "https://"]),
        ("[relay]\nlist-keys = [\"x\"]\n", "config.toml:2:13: ", ["`list-keys`", "sign-list"]),
        ("[relay]\ndomain = \"192.0.2.1\"\n", "config.toml:2:10: ", ["`domain`", "example.org"]),
        ("[relay]\ndomain = \"a..example\"\n", "config.toml:2:10: ", ["`domain`", "example.org"]),
        ("[call]\n\"lifetime\" = 9\n", "config.toml:2:14: ", ["`lifetime`", "10 to 180"]),
        ("call = { lifetime = 9 }\n", "config.toml:1:21: ", ["`lifetime`", "10 to 180"]),
        ("call.lifetime=9\n", "config.toml:1:15: ", ["`lifetime`", "10 to 180"]),
        ("[call]\nlifetime = = 3\n", "config.toml:2:12: ", ["", ""]),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(place), "{text:?} gave {error:?}, not {place:?}");
        assert!(words.iter().all(|word| error.contains(word)), "{text:?} gave {error:?}");
    }
}

#[test]
fn plain_websockets_are_taken_on_this_machine_only() {
    for good in [
        "ws://127.0.0.1:1",
        "ws://localhost/x",
        "ws://[::1]:80",
        "wss://relay.example",
        "wss://10.0.0.1:443/a",
    ] {
        assert!(parse(&format!("[relay]\nurls = [\"{good}\"]")).is_ok(), "{good}");
    }
    for bad in [
        "ws://relay.example",
        "ws://127.0.0.1.example",
        "ws://10.0.0.1",
        "http://127.0.0.1",
        "wss://",
        "wss://a:0",
        "wss://a:x",
        "wss://user@a",
        "wss://a b",
        "relay.example",
    ] {
        assert!(parse(&format!("[relay]\nurls = [\"{bad}\"]")).unwrap_err().starts_with("config.toml:2:8: "));
    }
    assert!(parse("[relay]\nurls = [\"wss://a\", \"wss://a\"]").is_err(), "the same relay twice");
    assert!(parse("[relay]\nurls = [\"wss://a\", \"wss://A:443/\"]").is_err(), "in two spellings");
}

const COMMENTED: &str = "# mine\n[call] # calls\nlifetime = 60   # a minute\n# the last word\n";

fn set(text: &str, key: &str, value: Setting) -> Result<String, String> {
    edit::changed(text, Path::new("config.toml"), key, Some(&value)).map_err(|error| error.to_string())
}

fn words(text: &str) -> Setting {
    Setting::Text(text.to_owned())
}

#[test]
fn one_key_is_changed_and_every_comment_stays() {
    let changed = set(COMMENTED, "call.lifetime", Setting::Whole(90)).unwrap();
    assert_eq!(changed, COMMENTED.replace("60 ", "90 "));
    let more = set(&changed, "media.bitrate", Setting::Whole(24_000)).unwrap();
    assert!(more.starts_with("# mine\n[call] # calls\nlifetime = 90   # a minute\n"), "{more}");
    assert!(more.contains("\n[media]\nbitrate = 24000\n") && more.contains("# the last word"), "{more}");
    let back = edit::changed(&more, Path::new("config.toml"), "call.lifetime", None).unwrap();
    assert_eq!(parse(&back).unwrap().call, Config::default().call);
    assert!(back.contains("# mine") && back.contains("bitrate = 24000"), "{back}");
}

#[test]
fn a_text_is_read_as_the_file_would_spell_it() {
    let of = |key, text| set("", key, words(text)).and_then(|text| parse(&text));
    assert_eq!(of("call.lifetime", "90").unwrap().call.lifetime, Duration::from_secs(90));
    let name = |text| of("account.name", text).unwrap().account.name;
    assert_eq!(name("007").as_deref(), Some("007"), "a name of digits stays a text");
    assert_eq!(of("relay.urls", "wss://a").unwrap().relay.urls, ["wss://a"]);
    assert_eq!(of("relay.urls", "[\"wss://a\", \"wss://b\"]").unwrap().relay.urls, ["wss://a", "wss://b"]);
    assert_eq!(of("media.interfaces", "eth0").unwrap().media.interfaces, ["eth0"]);
    assert!(of("media.interfaces", "auto").unwrap().media.interfaces.is_empty());
    assert_eq!(name("{ a = 1 }").as_deref(), Some("{ a = 1 }"));
}

#[test]
fn a_wrong_key_value_or_file_is_refused_with_a_sentence_and_nothing_is_written() {
    assert!(set("", "call.lifetime", Setting::Whole(5)).unwrap_err().contains("10 to 180"));
    assert!(set("", "call.lifetime", words("ages")).unwrap_err().contains("10 to 180"));
    for key in ["call.lifetme", "lifetime", "", "call", "call.lifetime.x", "a\nb.c"] {
        assert!(set("", key, words("1")).unwrap_err().contains("there is no setting"), "{key}");
    }
    let wrong = set("[call]\nlifetime = 3\n", "media.bitrate", Setting::Whole(24_000)).unwrap_err();
    assert!(wrong.contains("config.toml:2:12"), "{wrong}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, COMMENTED).unwrap();
    assert!(write(&path, "call.lifetime", Some(&words("ages"))).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), COMMENTED);
}

#[test]
fn a_missing_file_is_made_and_a_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ahoy/config.toml");
    write(&path, "log.level", Some(&words("debug"))).unwrap();
    assert_eq!(Config::load(&path).unwrap().log.level, Level::DEBUG);
    let link = dir.path().join("link.toml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    write(&link, "log.level", Some(&words("warn"))).unwrap();
    assert!(link.is_symlink(), "the person's own arrangement of files stays");
    assert_eq!(Config::load(&path).unwrap().log.level, Level::WARN);
}

#[test]
fn a_file_keeps_its_mode_its_line_ends_its_mark_and_the_link_that_led_to_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, "\u{feff}# mine\r\n[log]\r\nlevel = \"warn\" # loud\r\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    write(&path, "log.level", Some(&words("debug"))).unwrap();
    write(&path, "call.lifetime", Some(&Setting::Whole(30))).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let expected = "\u{feff}# mine\r\n[log]\r\nlevel = \"debug\" # loud\r\n\r\n[call]\r\nlifetime = 30\r\n";
    assert_eq!(text, expected);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(Config::load(&path).unwrap().log.level, Level::DEBUG);
    // As dotfile managers leave it: a link to a place in another folder that has nothing yet.
    let (first, second) = (dir.path().join("first.toml"), dir.path().join("second.toml"));
    std::os::unix::fs::symlink("second.toml", &first).unwrap();
    std::os::unix::fs::symlink("dots/config.toml", &second).unwrap();
    write(&first, "log.level", Some(&words("warn"))).unwrap();
    assert!(first.is_symlink() && second.is_symlink());
    assert_eq!(Config::load(&dir.path().join("dots/config.toml")).unwrap().log.level, Level::WARN);
    // A circle leads nowhere: refused or replaced, but it ends.
    let ring = dir.path().join("ring.toml");
    std::os::unix::fs::symlink("ring.toml", &ring).unwrap();
    assert!(write(&ring, "log.level", Some(&words("warn"))).is_err());
}

fn write(path: &Path, key: &str, value: Option<&Setting>) -> Result<(), EditError> {
    write_past(path, key, value, || Ok(()))
}

#[test]
fn every_key_of_the_file_is_listed_and_takes_what_is_listed() {
    let listed = Config::default().listed();
    let mut known: Vec<String> = listed.iter().map(|(key, _)| key.clone()).collect();
    // What the file itself knows, by its own words about a key that it does not know.
    let expected = |text: &str| -> Vec<String> {
        let error = parse(text).unwrap_err();
        error.split("expected").nth(1).unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut spelled: Vec<String> = expected("zzz = 1")
        .iter()
        .flat_map(|table| {
            expected(&format!("[{table}]\nzzz = 1")).into_iter().map(move |key| format!("{table}.{key}"))
        })
        .collect();
    known.sort();
    spelled.sort();
    assert_eq!(known, spelled);
    for (key, value) in listed.into_iter().filter(|(_, value)| *value != words("")) {
        let text = set("", &key, value.clone()).unwrap_or_else(|why| panic!("{key}: {why}"));
        assert!(parse(&text).unwrap().listed().contains(&(key.clone(), value)), "{key}");
    }
}

#[test]
fn how_long_it_rings_has_three_names() {
    for (name, seconds) in [("short", 30), ("normal", 60), ("long", 90)] {
        let config = parse(&format!("[call]\nlifetime = \"{name}\"\n")).unwrap();
        assert_eq!(config.call.lifetime, Duration::from_secs(seconds));
    }
}
