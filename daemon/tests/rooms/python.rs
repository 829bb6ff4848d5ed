//! LiveKit's own client in a room (`tests/lab/room_client.py`).
//!
//! Lives here: what it is told and what it says.
//! Must not: judge what it heard.

use std::process::Stdio;
use std::time::Duration;

use ahoyd::system::clock;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::server::{Server, root};
use crate::token;

/// Its own library takes a second to be loaded, on a busy machine some.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct Python {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Python {
    /// Comes into the room with a tone, if one is given, and keys by who they are of.
    pub(crate) async fn join(
        server: &Server,
        room: &str,
        name: &str,
        tone: Option<u32>,
        keys: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(root().join("target/room-python/bin/python"));
        command.arg(root().join("tests/lab/room_client.py"));
        command.args(["--url", &server.url(), "--identity", name]).arg("--token").arg(token(room, name));
        for (who, word) in keys {
            command.arg("--key").arg(format!("{who}={word}"));
        }
        if let Some(hz) = tone {
            command.arg("--tone").arg(hz.to_string());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().expect("make test-rooms prepares a Python with LiveKit's client");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut python = Self { process, lines };
        python.until("joined", |said| said["what"] == "joined").await;
        python
    }

    pub(crate) async fn order(&mut self, order: &Value) {
        let stdin = self.process.stdin.as_mut().unwrap();
        stdin.write_all(format!("{order}\n").as_bytes()).await.unwrap();
    }

    /// Waits for a word.
    pub(crate) async fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                if fits(&said) {
                    return said;
                }
            }
            panic!("it ended before it said {what}");
        };
        clock::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("it never said {what}"))
    }

    /// Waits until it hears this tone of somebody, as loud as it was said.
    pub(crate) async fn hears(&mut self, who: &str, hz: i64) {
        let fits = |said: &Value| {
            let near = |name: &str, wanted: i64, by: i64| {
                said[name].as_i64().is_some_and(|it| (it - wanted).abs() <= by)
            };
            said["what"] == "heard" && said["who"] == who && near("hz", hz, 5) && near("rms", 5_657, 600)
        };
        self.until(&format!("that it hears {hz} Hz of {who}"), fits).await;
    }
}
