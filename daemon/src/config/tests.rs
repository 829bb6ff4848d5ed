//! What the configuration takes, and what it says about the rest.
//!
//! Lives here: tests of the configuration as the engine sees it.
//! Must not: mock a file or a disk: they are real, in a directory of their own.

use super::file::is_relay_url;
use super::*;

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
        "[account]\nname = \"Ana\"\n[relay]\nurls = [\"ws://127.0.0.1:1234\", \"wss://relay.example/x\"]\nca-file = \"/ca.pem\"\n\
         [call]\nlifetime = 180\nreconnect-window = 5\npreconnect = \"never\"\n\
         [media]\ninput = \"mic\"\noutput = \"out\"\ninterfaces = [\"lo\"]\nbitrate = 64000\n[log]\nlevel = \"debug\"\n",
    )
    .unwrap();
    assert_eq!(config.name.as_deref(), Some("Ana"));
    assert_eq!(config.relay.urls, ["ws://127.0.0.1:1234", "wss://relay.example/x"]);
    assert_eq!(config.relay.ca_file.as_deref(), Some(Path::new("/ca.pem")));
    assert_eq!(config.call.lifetime, Duration::from_secs(180));
    assert_eq!(config.call.reconnect_window, Duration::from_secs(5));
    assert_eq!(config.call.preconnect, Preconnect::Never);
    assert_eq!(config.media.interfaces, Interfaces::Only(vec!["lo".into()]));
    assert_eq!((config.media.bitrate, config.log), (64_000, Level::DEBUG));
}

#[test]
fn a_wrong_key_or_value_is_named_with_line_and_column_and_what_would_be_right() {
    for (text, place, words) in [
        ("[call]\nlifetme = 60\n", "config.toml:2:1: ", ["`lifetme`", "`lifetime`"]),
        ("[calls]\n", "config.toml:1:2: ", ["`calls`", "`call`"]),
        ("[call]\n\n  lifetime = 9\n", "config.toml:3:14: ", ["`lifetime`", "10 to 180"]),
        ("[call]\nlifetime = 181\n", "config.toml:2:12: ", ["`lifetime`", "10 to 180"]),
        ("[call]\nlifetime = \"long\"\n", "config.toml:2:12: ", ["`lifetime`", "seconds"]),
        ("[call]\nreconnect-window = 61\n", "config.toml:2:20: ", ["`reconnect-window`", "5 to 60"]),
        ("[call]\npreconnect = true\n", "config.toml:2:14: ", ["`preconnect`", "\"trusted\""]),
        ("[media]\nbitrate = 6000\n", "config.toml:2:11: ", ["`bitrate`", "12000"]),
        ("[media]\ninterfaces = \"eth0\"\n", "config.toml:2:14: ", ["`interfaces`", "\"auto\""]),
        ("[log]\nlevel = \"loud\"\n", "config.toml:2:9: ", ["`level`", "\"debug\""]),
        ("[account]\nname = \"\"\n", "config.toml:2:8: ", ["`name`", "64"]),
        ("[relay]\nca-file = \"ca.pem\"\n", "config.toml:2:11: ", ["`ca-file`", "absolute"]),
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
        assert!(is_relay_url(good), "{good}");
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
        assert!(!is_relay_url(bad), "{bad}");
        assert!(parse(&format!("[relay]\nurls = [\"{bad}\"]")).unwrap_err().starts_with("config.toml:2:8: "));
    }
    assert!(parse("[relay]\nurls = [\"wss://a\", \"wss://a\"]").is_err(), "the same relay twice");
}
