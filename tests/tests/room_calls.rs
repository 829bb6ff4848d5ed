//! Do real daemons, a relay and a LiveKit server carry a call of more than a mesh can?
//!
//! Lives here: whole calls in rooms by ahoyctl, judged by what each daemon shows. `make test-rooms` runs them: they need a server
//! (`tests/lab/livekit.sh`).
//! Must not: need a sound server; how a room sounds is `daemon/tests/rooms.rs`'.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ahoy_tests::lab::{Desk, Net, Place, Relay, Running, introduce, root};
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for a machine that has much to do.
const SOON: Duration = Duration::from_secs(60);
/// In a network of its own.
const PORT: u16 = 7880;
const SECRET: &str = "a secret of the tests that is long enough";

type Outcome = anyhow::Result<()>;

/// A place whose relay has rooms.
struct Rooms {
    place: Place,
    server: Running,
    folder: TempDir,
    /// What seals the way to the server, where that is sealed.
    front: Option<Running>,
}

/// Where the server is reached by TLS.
const SEALED: u16 = 7443;

impl Rooms {
    /// The way to the server is plain.
    fn new() -> anyhow::Result<Self> {
        Self::begin(false)
    }

    /// The way to the server is sealed, by a certificate that the system does not know: `ca-file` names who signed it.
    fn sealed() -> anyhow::Result<Self> {
        Self::begin(true)
    }

    fn begin(sealed: bool) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str| folder.path().join(name);
        let net = Net::new()?;
        fs::write(
            file("livekit.yaml"),
            format!(
                "port: {PORT}\nbind_addresses: [127.0.0.1]\nkeys: {{testkey: {SECRET}}}\n\
                 rtc:\n  tcp_port: 0\n  udp_port: 7882\n  use_external_ip: false\n  node_ip: 127.0.0.1\n  \
                 enable_loopback_candidate: true\n  interfaces: {{includes: [lo]}}\n  stun_servers: ['127.0.0.1:9']\n  \
                 allow_tcp_fallback: false\nturn: {{enabled: false}}\n"
            ),
        )?;
        let built = Command::new(root().join("tests/lab/livekit.sh")).stderr(Stdio::inherit()).output()?;
        anyhow::ensure!(built.status.success(), "there is no LiveKit server");
        let program = String::from_utf8(built.stdout)?;
        let mut command = net.command(Path::new(program.trim()));
        command.arg("--config").arg(file("livekit.yaml"));
        let log = fs::File::create(file("livekit"))?;
        let server = Running::start(command.stdout(log.try_clone()?).stderr(log))?;
        let listens = |port: u16| {
            let listens = format!("until (: </dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.02; done");
            net.command(Path::new("timeout")).args(["20", "bash", "-c", &listens]).status()
        };
        anyhow::ensure!(listens(PORT)?.success(), "{}", fs::read_to_string(file("livekit"))?);
        let front = if sealed {
            let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
            fs::write(file("ca.pem"), made.cert.pem())?;
            fs::write(file("key.pem"), made.signing_key.serialize_pem())?;
            let mut command = net.command(Path::new("/usr/bin/python3"));
            command.arg(root().join("tests/lab/tls_front.py")).args([SEALED.to_string(), PORT.to_string()]);
            let front = Running::start(command.args([file("ca.pem"), file("key.pem")]))?;
            anyhow::ensure!(listens(SEALED)?.success(), "nothing seals the way to the server");
            Some(front)
        } else {
            None
        };
        let url = if sealed { format!("wss://127.0.0.1:{SEALED}") } else { format!("ws://127.0.0.1:{PORT}") };
        fs::write(file("key"), "testkey")?;
        fs::write(file("secret"), SECRET)?;
        fs::write(
            file("relay.toml"),
            format!(
                "[rooms]\nurl = \"{url}\"\nkey-file = {:?}\nsecret-file = {:?}\n",
                file("key"),
                file("secret")
            ),
        )?;
        let relay = match sealed {
            true => Relay::start_trusting(&net, &file("relay.toml"), &file("ca.pem"))?,
            false => Relay::start_with(&net, &file("relay.toml"))?,
        };
        Ok(Self { place: Place { relay, net }, server, folder, front })
    }

    /// How often the server says that somebody came in, or went.
    fn seen(&self, what: &str) -> usize {
        let log = fs::read_to_string(self.folder.path().join("livekit")).unwrap_or_default();
        log.lines().filter(|line| line.contains(what)).count()
    }

    async fn people(&self, names: &[&str]) -> anyhow::Result<Vec<Desk>> {
        let mut desks = Vec::new();
        for name in names {
            let mut desk = self.place.desk(name)?;
            if self.front.is_some() {
                let (url, ca) = (&self.place.relay.url, self.folder.path().join("ca.pem"));
                desk.configure(&format!(
                    "[account]\nname = \"{name}\"\n[relay]\nurls = [\"{url}\"]\nca-file = {ca:?}\n[log]\nlevel = \"debug\"\n\
                     [ring]\nmuted = true\ntones = false\n"
                ))?;
            }
            self.place.run(&mut desk, &["bus"]).await?;
            desks.push(desk);
        }
        Ok(desks)
    }
}

/// The members of its call that are in that state, by name.
fn members(desk: &Desk, state: &str) -> anyhow::Result<Vec<String>> {
    let said: Value = serde_json::from_str(&desk.ctl_says(&["list", "--json"])?)?;
    let all = said["calls"][0]["members"].as_array().cloned().unwrap_or_default();
    let of = all.iter().filter(|member| member["state"] == state);
    // Some of them are no contacts of each other.
    let name = |it: &Value| Some(it["name"].as_str()?.trim_end_matches(" (no contact)").to_owned());
    let mut names: Vec<String> = of.filter_map(name).collect();
    names.sort();
    Ok(names)
}

/// Waits until each of them has exactly the others in the call.
async fn until_all_joined(desks: &[&Desk]) -> Outcome {
    for desk in desks {
        let mut others: Vec<&str> =
            desks.iter().map(|other| &other.name[..]).filter(|name| *name != desk.name).collect();
        others.sort_unstable();
        let joined = desk.until_so(SOON, async || Ok(members(desk, "joined")? == others)).await;
        if let Err(error) = joined {
            let mut seen = String::new();
            for one in desks {
                let (joined, connecting) = (members(one, "joined")?, members(one, "connecting")?);
                seen += &format!("{}: joined {joined:?}, connecting {connecting:?}\n", one.name);
            }
            anyhow::bail!("{seen}{error}");
        }
    }
    Ok(())
}

async fn answers(desks: &[&Desk]) -> Outcome {
    for desk in desks {
        desk.until_state("incoming", SOON).await?;
        desk.ctl_says(&["answer"])?;
    }
    Ok(())
}

/// The way to the server is sealed. Emil is Ana's contact alone: without a TURN server no packet goes from him to Ben, Cleo or Dora but by the room.
#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn a_fifth_joins_and_all_meet_in_a_room_which_goes_on_without_who_opened_it() -> Outcome {
    let rooms = Rooms::sealed()?;
    let desks = rooms.people(&["Ana", "Ben", "Cleo", "Dora", "Emil"]).await?;
    let [ana, ben, cleo, dora, emil] = &desks[..] else { anyhow::bail!("five") };
    for (n, one) in desks[..4].iter().enumerate() {
        for other in &desks[n + 1..4] {
            introduce(one, other)?;
        }
    }
    introduce(ana, emil)?;
    ana.ctl_says(&["call", "ben", "cleo", "dora"])?;
    answers(&[ben, cleo, dora]).await?;
    until_all_joined(&[ana, ben, cleo, dora]).await?;
    ana.ctl_says(&["invite", "emil"])?;
    answers(&[emil]).await?;
    until_all_joined(&[ana, ben, cleo, dora, emil]).await?;
    ana.ctl_says(&["hangup"])?;
    until_all_joined(&[ben, cleo, dora, emil]).await?;
    cleo.ctl_says(&["hangup"])?;
    until_all_joined(&[ben, dora, emil]).await?;
    for desk in [ben, dora, emil] {
        desk.ctl_says(&["hangup"])?;
        desk.until_state("disconnected", SOON).await?;
    }
    for desk in &desks {
        let log = desk.logged();
        anyhow::ensure!(!log.contains("panicked") && !log.contains("ey\":"), "{}", desk.tail());
    }
    Ok(())
}

/// Five are called, and come into the room while it rings: one may not, by its own setting, and one says no.
#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn who_is_called_is_in_the_room_while_it_rings_and_heard_at_once_after_the_answer() -> Outcome {
    let rooms = Rooms::new()?;
    let desks = rooms.people(&["Ana", "Ben", "Cleo", "Dora", "Emil"]).await?;
    for (n, one) in desks.iter().enumerate() {
        for other in &desks[n + 1..] {
            introduce(one, other)?;
        }
    }
    let [ana, ben, cleo, dora, emil] = &desks[..] else { anyhow::bail!("five") };
    dora.ctl_says(&["contact", "set", "ana", "--preconnect", "never"])?;
    ana.ctl_says(&["call", "ben", "cleo", "dora", "emil"])?;
    for desk in [ben, cleo, dora, emil] {
        desk.until_state("incoming", SOON).await?;
    }
    let came = async || Ok(rooms.seen("participant active") == 4);
    ana.until_so(SOON, came)
        .await
        .map_err(|error| anyhow::anyhow!("{} are in the room: {error}", rooms.seen("participant active")))?;
    for desk in &desks {
        anyhow::ensure!(members(desk, "joined")?.is_empty(), "nobody takes part but who called");
    }
    ben.ctl_says(&["answer"])?;
    until_all_joined(&[ana, ben]).await?;
    anyhow::ensure!(rooms.seen("participant active") == 4, "he was inside already");
    cleo.ctl_says(&["decline"])?;
    cleo.until_state("disconnected", SOON).await?;
    dora.ctl_says(&["answer"])?;
    until_all_joined(&[ana, ben, dora]).await?;
    emil.ctl_says(&["answer"])?;
    until_all_joined(&[ana, ben, dora, emil]).await?;
    anyhow::ensure!(rooms.seen("participant active") == 5, "Dora came in once she had answered");
    ana.ctl_says(&["hangup", "--everyone"])?;
    for desk in [ana, ben, dora, emil] {
        desk.until_state("disconnected", SOON).await?;
    }
    Ok(())
}

/// Five who all know each other are one more than a mesh takes: without its server the call has to end or shrink, and never hangs.
#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn a_server_that_dies_leaves_four_of_them_to_the_mesh() -> Outcome {
    let mut rooms = Rooms::new()?;
    let desks = rooms.people(&["Ana", "Ben", "Cleo", "Dora", "Emil"]).await?;
    for (n, one) in desks.iter().enumerate() {
        for other in &desks[n + 1..] {
            introduce(one, other)?;
        }
    }
    let [ana, ben, cleo, dora, emil] = &desks[..] else { anyhow::bail!("five") };
    ana.ctl_says(&["call", "ben", "cleo", "dora", "emil"])?;
    answers(&[ben, cleo, dora, emil]).await?;
    until_all_joined(&[ana, ben, cleo, dora, emil]).await?;
    emil.ctl_says(&["hangup"])?;
    until_all_joined(&[ana, ben, cleo, dora]).await?;
    rooms.server.child().kill()?;
    // Nobody is heard any more, and then everybody is, by paths of their own.
    for desk in [ana, ben, cleo, dora] {
        let again = async || Ok(desk.logged().contains("fact=PathRestored"));
        desk.until_so(Duration::from_secs(120), again).await?;
    }
    until_all_joined(&[ana, ben, cleo, dora]).await?;
    ana.ctl_says(&["hangup", "--everyone"])?;
    for desk in [ana, ben, cleo, dora] {
        desk.until_state("disconnected", SOON).await?;
    }
    Ok(())
}

/// Its signaling lives, says that all are there, and its connections stand; nobody's voice comes by it.
#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn a_server_that_passes_nothing_on_leaves_four_of_them_to_the_mesh() -> Outcome {
    let rooms = Rooms::new()?;
    let desks = rooms.people(&["Ana", "Ben", "Cleo", "Dora", "Emil"]).await?;
    for (n, one) in desks.iter().enumerate() {
        for other in &desks[n + 1..] {
            introduce(one, other)?;
        }
    }
    let [ana, ben, cleo, dora, emil] = &desks[..] else { anyhow::bail!("five") };
    ana.ctl_says(&["call", "ben", "cleo", "dora", "emil"])?;
    answers(&[ben, cleo, dora, emil]).await?;
    until_all_joined(&[ana, ben, cleo, dora, emil]).await?;
    emil.ctl_says(&["hangup"])?;
    until_all_joined(&[ana, ben, cleo, dora]).await?;
    // RTP and RTCP (RFC 7983), and nothing else of the server's.
    let drop = "table ip mute { chain come { type filter hook input priority 0; udp sport 7882 @th,64,2 2 drop; }; }";
    let dropped = rooms.place.net.command(Path::new("nft")).arg(drop).status()?;
    anyhow::ensure!(dropped.success(), "nothing is dropped");
    for desk in [ana, ben, cleo, dora] {
        desk.until_so(SOON, async || Ok(!members(desk, "connecting")?.is_empty())).await?;
    }
    until_all_joined(&[ana, ben, cleo, dora]).await?;
    ana.ctl_says(&["hangup", "--everyone"])?;
    for desk in [ana, ben, cleo, dora] {
        desk.until_state("disconnected", SOON).await?;
    }
    Ok(())
}
