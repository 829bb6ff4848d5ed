//! Who hears from us, packet by packet: README's "What others can learn".
//!
//! Lives here: two people on two relays, each on a machine with a network of its own, and what leaves it as tcpdump sees it.
//! Must not: look into a daemon, or believe what one says of itself.

#[path = "machines/place.rs"]
mod place;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ahoy_dbus::Dict;
use ahoy_tests::lab::{Capture, Desk, Net, Packet, Running, dial, dial_in_vain, introduce, text};
use place::{Authority, Etc, not_root};
use tempfile::NamedTempFile;

const SOON: Duration = Duration::from_secs(60);
const ANA: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 11);
const BEN: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 12);
const ANA6: Ipv6Addr = Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 0x11);
const BEN6: Ipv6Addr = Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 0x12);
const ANAS_RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const BENS_RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
/// Of both relays, where they have one.
const TURN: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 3);
/// Fewer bytes than a sealed answer takes on the way, and more than the relay's own words, two of them in one packet too.
const ENVELOPE: usize = 512;

type Outcome = anyhow::Result<()>;

#[expect(clippy::disallowed_methods, reason = "packets carry the calendar's time")]
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs_f64()
}

/// With whom that machine spoke before that moment, either way.
fn spoke_with(packets: &[Packet], own: Ipv4Addr, before: f64) -> BTreeSet<Ipv4Addr> {
    let early = packets.iter().filter(|packet| packet.at < before);
    early.flat_map(|packet| [packet.from, packet.to]).filter(|ip| *ip != own).collect()
}

/// A place between the machines, with the relays.
struct Town {
    ana: (Net, Desk),
    ben: (Net, Desk),
    _relays: [Running; 2],
    turn: Option<(Running, Receiver<()>)>,
    _secret: NamedTempFile,
    _authority: Authority,
    _hub: Net,
}

/// A machine at the town's switch. No IPv6, so that the kernel has nothing to say by itself.
fn machine(hub: &mut Net, name: &str, own: Ipv4Addr) -> anyhow::Result<Net> {
    let mut net = Net::new()?;
    net.change("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")?;
    net.change(&format!("ip link add lan type veth peer name {name} netns {}", hub.holder()))?;
    net.change(&format!("ip addr add {own}/24 dev lan && ip link set lan up"))?;
    hub.change(&format!("ip link set {name} master hub && ip link set {name} up"))?;
    Ok(net)
}

/// coturn, in the town's middle; and a word for each allocation of its.
fn turn(hub: &mut Net) -> anyhow::Result<(Running, Receiver<()>)> {
    hub.change(&format!("ip addr add {TURN}/24 dev hub"))?;
    let mut command = hub.command(Path::new("turnserver"));
    command.args([
        "-n",
        "--no-cli",
        "--no-tls",
        "--no-dtls",
        "--realm=town",
        "--log-file=stdout",
        "--simple-log",
        "--verbose",
    ]);
    command.args([format!("--listening-ip={TURN}"), format!("--relay-ip={TURN}")]);
    command.args(["--use-auth-secret", "--static-auth-secret=the secret of the town", "--pidfile=/dev/null"]);
    let mut turn = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
    let says = turn.child().stdout.take().ok_or_else(|| anyhow::anyhow!("coturn's words"))?;
    let mut says = BufReader::new(says).lines();
    let listens = says.by_ref().map_while(Result::ok).any(|line| line.contains("UDP listener opened on"));
    anyhow::ensure!(listens, "coturn does not listen");
    // It goes on talking.
    let (served_in, served) = sync_channel(16);
    let hear = move || {
        let served = says.map_while(Result::ok).filter(|line| line.contains("ALLOCATE processed, success"));
        for _ in served {
            // Who does not ask misses nothing.
            let _full = served_in.try_send(());
        }
    };
    std::thread::Builder::new().name("coturn".to_owned()).spawn(hear)?;
    Ok((turn, served))
}

impl Town {
    async fn new() -> anyhow::Result<Self> {
        Self::with(&[], "never").await
    }

    /// With a TURN server that both relays name, over these transports, if any.
    async fn with(transports: &[&str], preconnect: &str) -> anyhow::Result<Self> {
        let mut hub = Net::new()?;
        hub.change("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip link add hub type bridge")?;
        hub.change(&format!("ip addr add {ANAS_RELAY}/24 dev hub && ip addr add {BENS_RELAY}/24 dev hub"))?;
        hub.change("ip link set hub up")?;
        let nets = [machine(&mut hub, "ana", ANA)?, machine(&mut hub, "ben", BEN)?];
        let authority = Authority::new()?;
        let secret = NamedTempFile::new()?;
        fs::write(secret.path(), "the secret of the town")?;
        let turn = if transports.is_empty() { None } else { Some(turn(&mut hub)?) };
        let urls =
            transports.iter().map(|by| format!("\"turn:{TURN}:3478?transport={by}\"")).collect::<Vec<_>>();
        let secret_file = secret.path().display();
        let ice = format!("[ice]\nturn = [{}]\nturn-secret-file = \"{secret_file}\"\n", urls.join(", "));
        let relay = |at: Ipv4Addr, name| authority.relay(&hub, &at.to_string(), name, &ice);
        let (first, url_of_anas) = relay(ANAS_RELAY, "anas.test")?;
        let (second, url_of_bens) = relay(BENS_RELAY, "bens.test")?;
        let hosts = format!("{ANAS_RELAY} anas.test\n{BENS_RELAY} bens.test\n");
        let mut people = Vec::new();
        for (net, (name, url)) in nets.into_iter().zip([("Ana", url_of_anas), ("Ben", url_of_bens)]) {
            let mut desk = Desk::prepare(name, &url)?;
            let etc = Etc { hosts: Some(&hosts), resolver: Some(""), ..Etc::default() };
            desk.set_program(etc.around(desk.folder(), desk.program())?);
            desk.configure(&format!(
                "[account]\nname = \"{name}\"\n[relay]\nurls = [\"{url}\"]\nca-file = \"{}\"\n\
                 [call]\npreconnect = \"{preconnect}\"\n[log]\nlevel = \"debug\"\n",
                authority.file()
            ))?;
            desk.begin("bus")?;
            desk.start_daemon(&net)?;
            desk.until_online(SOON).await?;
            people.push((net, desk));
        }
        let [ana, ben] = <[_; 2]>::try_from(people).map_err(|_more| anyhow::anyhow!("two people"))?;
        introduce(&ana.1, &ben.1)?;
        let _relays = [first, second];
        Ok(Self { ana, ben, _relays, turn, _secret: secret, _authority: authority, _hub: hub })
    }

    /// Ana calls until Ben's phone rings.
    async fn ring(&self) -> Outcome {
        dial(&self.ana.1, "Ben").await?;
        self.ben.1.until_state("incoming", SOON).await?;
        self.ana.1.until_state("alerting", SOON).await.map(drop)
    }

    /// From now on the two reach each other by IPv6 alone.
    fn over_ipv6(&mut self) -> Outcome {
        let away = [(ANA6, BEN), (BEN6, ANA)];
        for ((net, _), (own, other)) in [&mut self.ana, &mut self.ben].into_iter().zip(away) {
            net.change("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lan.disable_ipv6=0")?;
            net.change(&format!("ip addr add {own}/64 dev lan nodad && ip route add blackhole {other}"))?;
        }
        Ok(())
    }

    /// Ana's call ends, on both sides.
    fn over(&self) -> Outcome {
        for (_, desk) in [&self.ana, &self.ben] {
            desk.ctl_says(&["wait"])?;
        }
        Ok(())
    }

    /// The largest of what comes to Ana from Ben's relay.
    fn heard(capture: Capture) -> anyhow::Result<usize> {
        let packets = capture.end()?;
        Ok(packets
            .iter()
            .filter(|packet| packet.from == BENS_RELAY)
            .map(|packet| packet.bytes)
            .max()
            .unwrap_or(0))
    }

    /// The same while she rings and he declines, and then while she calls in vain, because Ben is so.
    async fn in_vain(ben_is: Away) -> anyhow::Result<(usize, usize)> {
        let mut town = Self::new().await?;
        // Her first connection to that relay, which costs a certificate.
        town.ring().await?;
        town.ben.1.ctl_says(&["decline"])?;
        town.over()?;
        let capture = Capture::start(&town.ana.0)?;
        town.ring().await?;
        town.ben.1.ctl_says(&["decline"])?;
        town.over()?;
        let declined = Self::heard(capture)?;
        match ben_is {
            Away::Offline => town.ben.1.stop_daemon()?,
            Away::Blocking => drop(town.ben.1.ctl_says(&["contact", "block", "ana"])?),
            Away::Stranger => drop(town.ben.1.ctl_says(&["contact", "rm", "ana"])?),
        }
        let capture = Capture::start(&town.ana.0)?;
        let call = dial_in_vain(&town.ana.1, "Ben").await?;
        let over = |row: &Dict| text(row, "State") == "disconnected";
        town.ana.1.until_call(&call, SOON, over).await?;
        Ok((declined, Self::heard(capture)?))
    }
}

/// Why nothing rings.
#[derive(Clone, Copy, Debug)]
enum Away {
    Offline,
    Blocking,
    Stranger,
}

#[tokio::test]
async fn before_the_answer_the_called_one_speaks_to_its_own_relay_alone() -> Outcome {
    if not_root() {
        return Ok(());
    }
    let town = Town::new().await?;
    let both = || anyhow::Ok([Capture::start(&town.ana.0)?, Capture::start(&town.ben.0)?]);
    let relays = BTreeSet::from([ANAS_RELAY, BENS_RELAY]);

    // Declined: the caller's relay and the caller never hear from the called one.
    let [at_ana, at_ben] = both()?;
    town.ring().await?;
    town.ben.1.ctl_says(&["decline"])?;
    town.over()?;
    assert_eq!(spoke_with(&at_ben.end()?, BEN, f64::MAX), BTreeSet::from([BENS_RELAY]));
    let spoke = spoke_with(&at_ana.end()?, ANA, f64::MAX);
    assert!(spoke.contains(&BENS_RELAY), "to call is to speak to their relay");
    assert!(spoke.is_subset(&relays), "and to nobody else: {spoke:?}");

    // Answered: not before that, and then directly.
    let [at_ana, at_ben] = both()?;
    town.ring().await?;
    let answer = now();
    town.ben.1.ctl_says(&["answer"])?;
    town.ana.1.until_state("active", SOON).await?;
    town.ben.1.until_state("active", SOON).await?;
    town.ana.1.ctl_says(&["hangup"])?;
    town.over()?;
    let (at_ana, at_ben) = (at_ana.end()?, at_ben.end()?);
    assert_eq!(spoke_with(&at_ben, BEN, answer), BTreeSet::from([BENS_RELAY]));
    assert!(spoke_with(&at_ana, ANA, answer).is_subset(&relays));
    assert!(spoke_with(&at_ben, BEN, f64::MAX).contains(&ANA), "the capture sees who talks");

    // Allowed: the way to the caller is looked for while it rings.
    town.ben.1.ctl_says(&["contact", "set", "ana", "--preconnect", "always"])?;
    let [_at_ana, at_ben] = both()?;
    town.ring().await?;
    let rings = now();
    town.ben.1.ctl_says(&["decline"])?;
    town.over()?;
    assert!(spoke_with(&at_ben.end()?, BEN, rings).contains(&ANA), "and so says the page");
    Ok(())
}

#[tokio::test]
async fn a_blocked_caller_and_a_stranger_get_what_an_offline_phone_gives() -> Outcome {
    if not_root() {
        return Ok(());
    }
    let [offline, blocked, stranger] = [Away::Offline, Away::Blocking, Away::Stranger].map(Town::in_vain);
    let (offline, blocked, stranger) = tokio::try_join!(offline, blocked, stranger)?;
    for (declined, in_vain) in [offline, blocked, stranger] {
        assert!(declined > ENVELOPE, "that Ben is there can be seen: {declined} bytes in one");
        assert!((1..ENVELOPE).contains(&in_vain), "{in_vain} bytes in one");
    }
    Ok(())
}

#[tokio::test]
async fn while_it_rings_candidates_are_gathered_at_ones_own_turn_server_and_nobody_else_hears_of_it()
-> Outcome {
    if not_root() {
        return Ok(());
    }
    let town = Town::with(&["udp"], "never").await?;
    let at_ben = Capture::start(&town.ben.0)?;
    town.ring().await?;
    // Ana's, who calls, and Ben's.
    for _ in 0..2 {
        town.turn.as_ref().map(|(_, served)| served.recv_timeout(SOON)).transpose()?;
    }
    let rings = now();
    town.ben.1.ctl_says(&["decline"])?;
    town.over()?;
    let at_ben = at_ben.end()?;
    assert_eq!(spoke_with(&at_ben, BEN, rings), BTreeSet::from([BENS_RELAY, TURN]));
    assert_eq!(spoke_with(&at_ben, BEN, f64::MAX), BTreeSet::from([BENS_RELAY, TURN]));
    Ok(())
}

#[tokio::test]
async fn a_contact_that_is_called_by_turn_alone_never_gets_a_packet_from_our_address() -> Outcome {
    if not_root() {
        return Ok(());
    }
    for by in ["udp", "tcp"] {
        let town = Town::with(&[by], "always").await?;
        let servers = BTreeSet::from([ANAS_RELAY, BENS_RELAY, TURN]);
        // Ana's rule alone: Ben would show himself, and nothing of Ana's answers him.
        town.ana.1.ctl_says(&["contact", "set", "Ben", "--relay-only", "yes"])?;
        let captures = [Capture::start(&town.ana.0)?, Capture::start(&town.ben.0)?];
        town.ring().await?;
        town.ben.1.ctl_says(&["answer"])?;
        town.ana.1.until_state("active", SOON).await?;
        town.ben.1.until_state("active", SOON).await?;
        let sound = |from: Ipv4Addr, packets: &[Packet]| packets.iter().filter(|it| it.from == from).count();
        town.ana.1.ctl_says(&["hangup"])?;
        town.over()?;
        let [at_ana, at_ben] = captures;
        let (at_ana, at_ben) = (at_ana.end()?, at_ben.end()?);
        let spoke = spoke_with(&at_ana, ANA, f64::MAX);
        assert!(spoke.is_subset(&servers) && spoke.contains(&TURN), "by {by}: {spoke:?}");
        assert!(!spoke_with(&at_ben, BEN, f64::MAX).contains(&ANA), "by {by}");
        assert!(sound(TURN, &at_ben) > 10, "the call went by the server");
        // Answered or called, it is the same.
        let capture = Capture::start(&town.ana.0)?;
        dial(&town.ben.1, "Ana").await?;
        town.ana.1.until_state("incoming", SOON).await?;
        town.ana.1.ctl_says(&["answer"])?;
        town.ben.1.until_state("active", SOON).await?;
        town.ben.1.ctl_says(&["hangup"])?;
        town.over()?;
        assert!(spoke_with(&capture.end()?, ANA, f64::MAX).is_subset(&servers), "by {by}");
    }
    // Without such a server there is no other way.
    let town = Town::with(&[], "always").await?;
    town.ana.1.ctl_says(&["contact", "set", "Ben", "--relay-only", "yes"])?;
    let capture = Capture::start(&town.ana.0)?;
    let call = dial(&town.ana.1, "Ben").await?;
    let over = |row: &Dict| text(row, "State") == "disconnected";
    let row = town.ana.1.until_call(&call, SOON, over).await?;
    assert_eq!(text(&row, "StateReason"), "no-turn");
    assert!(!spoke_with(&capture.end()?, ANA, f64::MAX).contains(&BEN));
    Ok(())
}

#[tokio::test]
async fn what_goes_from_one_to_the_other_is_marked_as_voice_in_the_header_of_each_packet() -> Outcome {
    /// RFC 3246: 46, before the two bits of congestion; as tcpdump calls that byte.
    const MARKS: [&str; 2] = ["(tos 0xb8,", "(class 0xb8,"];
    /// Two seconds of a voice, behind what a path begins with.
    const PACKETS: &str = "120";
    if not_root() {
        return Ok(());
    }
    let mut town = Town::new().await?;
    let families = [(IpAddr::V4(ANA), IpAddr::V4(BEN)), (IpAddr::V6(ANA6), IpAddr::V6(BEN6))];
    for ((ana, ben), mark) in families.into_iter().zip(MARKS) {
        if ana.is_ipv6() {
            town.over_ipv6()?;
        }
        let way = |from, to| format!("udp and src host {from} and dst host {to}");
        let captures = [(ana, ben), (ben, ana)]
            .map(|(from, to)| Capture::of(&town.ana.0, &["-v", "-c", PACKETS, &way(from, to)]));
        town.ring().await?;
        town.ben.1.ctl_says(&["answer"])?;
        town.ana.1.until_state("active", SOON).await?;
        for capture in captures {
            let all = capture?.full()?;
            let heads: Vec<&str> = all.lines().filter(|line| !line.starts_with(' ')).collect();
            assert_eq!(heads.len().to_string(), PACKETS, "{all}");
            assert!(heads.iter().all(|head| head.contains(mark)), "{all}");
        }
        town.ana.1.ctl_says(&["hangup"])?;
        town.over()?;
    }
    Ok(())
}
