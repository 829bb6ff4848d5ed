//! People at home.
//!
//! Lives here: a house with machines, desks at them, a relay in it that has a certificate, somebody who lies.
//! Must not: judge what passes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

use ahoy_dbus::proxy::ManagerProxy;
use ahoy_tests::lab::{Desk, Family, Floor, House, Net, Running, binary, dial, root};
use tempfile::TempDir;

/// Long enough for a machine that has much to do.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) type Outcome = anyhow::Result<()>;

pub(crate) fn skipped() -> Outcome {
    println!("SKIPPED: a house of several networks needs root (and an hour that passes libfaketime)");
    Ok(())
}

/// Where the library lies, on Debian and what derives from it.
pub(crate) fn faketime() -> Option<PathBuf> {
    let triple = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    Some(PathBuf::from(triple)).filter(|path| path.exists())
}

/// A house in which people live.
pub(crate) struct Home {
    pub(crate) house: House,
    machines: Vec<(String, Net)>,
    /// A library and the file that says the time, for all who come.
    pub(crate) calendar: Option<(PathBuf, PathBuf)>,
    pub(crate) relay: Option<Running>,
    /// On which floor who comes lives, and by which addresses.
    pub(crate) floor: Floor,
    pub(crate) family: Family,
    /// Who comes has a responder on the machine already.
    pub(crate) with_responder: bool,
    responders: Vec<Stranger>,
    relay_url: Option<String>,
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (house, folder) = (House::new()?, tempfile::tempdir()?);
        Ok(Self {
            house,
            machines: Vec::new(),
            calendar: None,
            relay: None,
            floor: Floor::Ground,
            family: Family::Four,
            with_responder: false,
            responders: Vec::new(),
            relay_url: None,
            folder,
        })
    }

    /// A relay at the router, with a certificate that those who come later believe.
    pub(crate) fn begin_relay(&mut self) -> Outcome {
        let made = rcgen::generate_simple_self_signed(["192.168.77.1".to_owned()])?;
        let (certificate, key) = (self.folder.path().join("relay.pem"), self.folder.path().join("relay.key"));
        std::fs::write(&certificate, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        Command::new("chmod").arg("600").arg(&key).status()?;
        let mut command = self.house.router().command(&binary("ahoy-relay"));
        command
            .args(["--listen", "192.168.77.1:0", "--tls-cert"])
            .arg(&certificate)
            .arg("--tls-key")
            .arg(&key);
        let mut running = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let printed = running.child().stdout.take().ok_or_else(|| anyhow::anyhow!("the relay's output"))?;
        let mut line = String::new();
        BufReader::new(printed).read_line(&mut line)?;
        let url =
            line.trim().strip_prefix("listening ").ok_or_else(|| anyhow::anyhow!("no address: {line}"))?;
        self.relay_url = Some(url.to_owned());
        self.relay = Some(running);
        Ok(())
    }

    /// Somebody at a machine of their own, whose daemon is there.
    pub(crate) async fn newcomer(&mut self, name: &str) -> anyhow::Result<Desk> {
        let net = self.house.machine(self.floor, self.family)?;
        if self.with_responder {
            self.responders.push(Stranger::responder(&net)?);
        }
        let desk = self.desk(name, &net).await?;
        self.machines.push((name.to_owned(), net));
        Ok(desk)
    }

    /// Somebody with a session of their own on the machine of another, whose daemon is there.
    pub(crate) async fn housemate(&mut self, name: &str, of: &str) -> anyhow::Result<Desk> {
        let machine = self.machines.iter().find(|(owner, _)| owner == of);
        let (_, net) = machine.ok_or_else(|| anyhow::anyhow!("nobody"))?;
        self.desk(name, net).await
    }

    async fn desk(&self, name: &str, net: &Net) -> anyhow::Result<Desk> {
        let mut desk = Desk::prepare(name, "")?;
        let relay = self.relay_url.as_ref().map_or_else(String::new, |url| {
            let ca = self.folder.path().join("relay.pem");
            format!("[relay]\nurls = [\"{url}\"]\nca-file = \"{}\"\n", ca.display())
        });
        let more = "[log]\nlevel = \"debug\"\n[ring]\nmuted = true\ntones = false\n";
        desk.configure(&format!("[account]\nname = \"{name}\"\n{relay}{more}"))?;
        if let Some((library, file)) = &self.calendar {
            desk.daemon_variable("LD_PRELOAD", Some(&library.to_string_lossy()));
            desk.daemon_variable("FAKETIME_TIMESTAMP_FILE", Some(&file.to_string_lossy()));
            desk.daemon_variable("FAKETIME_NO_CACHE", Some("1"));
            desk.daemon_variable("FAKETIME_DONT_FAKE_MONOTONIC", Some("1"));
        }
        desk.begin("bus")?;
        desk.start_daemon(net)?;
        desk.until_so(SOON, async || Ok(manager(&desk).await?.ready().await.unwrap_or(false))).await?;
        Ok(desk)
    }

    /// Somebody's machine is on that floor, too, by `eth1`.
    pub(crate) fn is_also_on(&mut self, name: &str, floor: Floor) -> Outcome {
        let machine = self.machines.iter_mut().find(|(of, _)| of == name);
        let (_, net) = machine.ok_or_else(|| anyhow::anyhow!("nobody"))?;
        Ok(self.house.join(net, "eth1", floor, self.family)?)
    }

    /// What somebody announces does not reach the other, as if a liar's answer were always there first.
    pub(crate) fn stays_unheard(&mut self, of: &str, to: &str) -> Outcome {
        let text = |wire: [u8; 6]| wire.map(|byte| format!("{byte:02x}")).join(":");
        let (of, to) = (text(self.wire_of(of)?), text(self.wire_of(to)?));
        let router = self.house.router();
        let learnt =
            format!("bridge fdb show br br0 | sed -n 's/^{to} dev \\([a-z0-9]*\\) .*/\\1/p' | head -1");
        router.change("nft add table bridge unheard")?;
        router.change("nft add chain bridge unheard way '{ type filter hook forward priority 0; }'")?;
        router.change(&format!(
            "nft add rule bridge unheard way ether saddr {of} oifname $({learnt}) udp dport 5353 drop"
        ))?;
        Ok(())
    }

    /// The hardware address of somebody's machine.
    pub(crate) fn wire_of(&self, name: &str) -> anyhow::Result<[u8; 6]> {
        let (_, net) =
            self.machines.iter().find(|(of, _)| of == name).ok_or_else(|| anyhow::anyhow!("nobody"))?;
        let said = net.command(Path::new("ip")).args(["-o", "link", "show", "eth0"]).output()?;
        let said = String::from_utf8(said.stdout)?;
        let wire =
            said.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap_or_default();
        let bytes: Vec<u8> =
            wire.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>()?;
        bytes.try_into().map_err(|_| anyhow::anyhow!("no hardware address"))
    }

    /// Somebody at the router asks who is there, and waits until one answers.
    pub(crate) fn ask_for_neighbours(&mut self) -> Outcome {
        let mut ask = self.house.router().command(Path::new("python3"));
        let done = ask.arg(root().join("tests/lab/neighbour.py")).arg("ask").output()?;
        anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// How many offers of ahoys each machine's own responder shows.
    pub(crate) fn responders_heard(&mut self) -> anyhow::Result<Vec<usize>> {
        let heard = |responder: Stranger| {
            let said = responder.end("heard ")?;
            Ok(said.first().ok_or_else(|| anyhow::anyhow!("nothing"))?.parse()?)
        };
        self.responders.drain(..).map(heard).collect()
    }

    /// Somebody who stands between two who pair, and alters what passes: that frame, counted from 0.
    pub(crate) fn between(&mut self, spoilt: usize) -> anyhow::Result<(Stranger, Net)> {
        let net = self.house.machine(Floor::Ground, Family::Four)?;
        Ok((Stranger::begin(&net, &["between", &spoilt.to_string()])?, net))
    }

    /// Somebody who says again what was overheard.
    pub(crate) fn liar(&mut self) -> anyhow::Result<(Stranger, Net)> {
        let net = self.house.machine(Floor::Ground, Family::Four)?;
        Ok((Stranger::begin(&net, &["lie"])?, net))
    }
}

/// A process on some machine that is no ahoy.
pub(crate) struct Stranger {
    running: Running,
    said: BufReader<ChildStdout>,
}

impl Stranger {
    fn begin(net: &Net, does: &[&str]) -> anyhow::Result<Self> {
        let mut command = net.command(Path::new("python3"));
        command.arg(root().join("tests/lab/neighbour.py")).args(does);
        Self::run(command)
    }

    /// The responder that most desktops run.
    fn responder(net: &Net) -> anyhow::Result<Self> {
        let (script, folder) = (root().join("tests/lab/responder.sh"), root().join("target/lab-responder"));
        let fetched = Command::new(&script).arg("fetch").arg(&folder).status()?;
        anyhow::ensure!(fetched.success(), "avahi-daemon cannot be fetched");
        let mut command = net.command(&script);
        command.arg("run").arg(folder);
        Self::run(command)
    }

    fn run(mut command: Command) -> anyhow::Result<Self> {
        let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let said = running.child().stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
        let mut stranger = Self { running, said: BufReader::new(said) };
        anyhow::ensure!(stranger.line()? == "ready");
        Ok(stranger)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Waits until it has said that.
    pub(crate) fn has(&mut self, done: &str) -> Outcome {
        let said = self.line()?;
        anyhow::ensure!(said == done, "{said}");
        Ok(())
    }

    /// Ends it; what it says then behind that word.
    pub(crate) fn end(mut self, word: &str) -> anyhow::Result<Vec<String>> {
        if let Some(mut input) = self.running.child().stdin.take() {
            input.write_all(b"end\n")?;
        }
        let mut said = String::new();
        self.said.read_to_string(&mut said)?;
        Ok(said.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect())
    }
}

/// One shows a code, saying that this is home, and the other types it; the code.
pub(crate) fn pair(shows: &Desk, types: &Desk) -> anyhow::Result<String> {
    let mut running = Running::start(ctl(shows).args(["pair", "--here"]).stdout(Stdio::piped()))?;
    let out = running.child().stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
    let mut out = BufReader::new(out);
    let mut code = String::new();
    out.read_line(&mut code)?;
    let code = code.trim().to_owned();
    anyhow::ensure!(!code.is_empty(), "no code: {}", shows.tail());
    let typed = types.ctl_says(&["pair", "--here", &code])?;
    let mut rest = String::new();
    out.read_to_string(&mut rest)?;
    anyhow::ensure!(running.child().wait()?.success(), "{rest}");
    let number =
        |said: &str| said.lines().find_map(|line| line.strip_prefix("safety number\t").map(str::to_owned));
    anyhow::ensure!(number(&typed).is_some() && number(&typed) == number(&rest), "{typed}{rest}");
    Ok(code)
}

/// One shows a code, and the other types it, while somebody spoils it; what each is told if it failed there.
pub(crate) fn pair_spoilt(
    shows: &Desk,
    types: &Desk,
    between: &mut Stranger,
) -> anyhow::Result<[Option<String>; 2]> {
    let mut running = ctl(shows);
    running.args(["pair", "--here"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(&mut running)?;
    let out = running.child().stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
    let mut code = String::new();
    BufReader::new(out).read_line(&mut code)?;
    between.has("heard")?;
    let typed = types.ctl(&["pair", "--here", code.trim()], "")?;
    let mut told = String::new();
    running.child().stderr.take().ok_or_else(|| anyhow::anyhow!("no errors"))?.read_to_string(&mut told)?;
    let shown = (!running.child().wait()?.success()).then_some(told);
    Ok([shown, (!typed.status.success()).then(|| String::from_utf8_lossy(&typed.stderr).into_owned())])
}

/// What a terminal shows of a command of ahoyctl, in which that was typed.
pub(crate) fn typed(desk: &Desk, command: &str, keys: &str) -> anyhow::Result<String> {
    let command = format!("{} {command}", binary("ahoyctl").display());
    let mut running = desk.local("script");
    running.args(["-qec", &command, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start(&mut running)?;
    let no_pipe = || anyhow::anyhow!("no pipe");
    let mut keyboard = running.child().stdin.take().ok_or_else(no_pipe)?;
    let mut screen = running.child().stdout.take().ok_or_else(no_pipe)?;
    keyboard.write_all(keys.as_bytes())?;
    let mut shown = String::new();
    screen.read_to_string(&mut shown)?;
    Ok(shown)
}

/// Waits for the next full hour, and for what a daemon may take to see it.
#[expect(clippy::disallowed_methods, reason = "an hour by the clock has no event")]
pub(crate) async fn next_hour() -> Outcome {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    tokio::time::sleep(Duration::from_secs(3_600 - now % 3_600 + 30)).await;
    Ok(())
}

/// How many contacts somebody has.
pub(crate) fn contacts(desk: &Desk) -> anyhow::Result<usize> {
    Ok(desk.ctl_says(&["contact", "list"])?.lines().count())
}

fn ctl(desk: &Desk) -> Command {
    let mut command = desk.local(&binary("ahoyctl").to_string_lossy());
    command.stdin(Stdio::null());
    command
}

/// Waits until a machine has that interface with an address: one of IPv6 is tried out first.
pub(crate) async fn until_network(desk: &Desk, interface: &str) -> Outcome {
    desk.until_so(SOON, async || Ok(desk.ctl_says(&["config", "network"])?.contains(interface))).await
}

/// Each says that this is home.
pub(crate) fn trust(desks: &[&Desk]) -> Outcome {
    desks.iter().try_for_each(|desk| desk.ctl_says(&["config", "network", "--trust"]).map(drop))
}

/// One calls, the other answers, and it ends.
pub(crate) async fn talk(from: &Desk, to: &Desk) -> Outcome {
    dial(from, &to.name).await?;
    to.until_state("incoming", SOON).await?;
    to.ctl_says(&["answer"])?;
    from.until_state("active", SOON).await?;
    to.until_state("active", SOON).await?;
    from.ctl_says(&["hangup"])?;
    for desk in [from, to] {
        desk.until_so(SOON, async || Ok(desk.ctl_says(&["status"])?.contains("call\tidle"))).await?;
    }
    Ok(())
}

/// The daemon as a whole, its properties as they are when they are read.
async fn manager(desk: &Desk) -> anyhow::Result<ManagerProxy<'static>> {
    let bus = desk.bus().await?;
    Ok(ManagerProxy::builder(&bus).cache_properties(zbus::proxy::CacheProperties::No).build().await?)
}

/// How many contacts a desk sees.
pub(crate) async fn neighbours(desk: &Desk) -> anyhow::Result<u32> {
    Ok(manager(desk).await?.neighbours().await?)
}

/// Waits until it sees so many.
pub(crate) async fn until_neighbours(desk: &Desk, count: u32) -> Outcome {
    desk.until_so(SOON, async || Ok(neighbours(desk).await? == count)).await
}

/// Waits until each sees the other, and nobody else.
pub(crate) async fn until_seen(one: &Desk, other: &Desk) -> Outcome {
    until_neighbours(one, 1).await?;
    until_neighbours(other, 1).await
}

/// Rows of history.
pub(crate) async fn rows(desk: &Desk) -> anyhow::Result<usize> {
    Ok(desk.history().await?.len())
}
