//! Do the programs work on the machines that people have?
//!
//! Lives here: networks with a fault in them (namespaces, so as root), names that nobody answers, portals, users of
//! a directory service. Each test has a machine of its own and nothing of this one is changed.
//! Must not: wait for a time where it can wait for an event.

#[path = "machines/place.rs"]
mod place;
#[path = "machines/portal.rs"]
mod portal;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ahoy_tests::lab::{Desk, Net, Place, Relay, Running, binary, introduce, put_through, text};
use place::{Authority, Etc, not_root};
use portal::portal;

/// A machine that builds something beside takes its time.
const SOON: Duration = Duration::from_secs(60);

type Outcome = anyhow::Result<()>;

/// An interface behind which everything is swallowed, and nothing ever comes back: no error either.
const HOLE: &str = "ip link add hole type veth peer name hole0 && ip addr add 10.8.8.1/24 dev hole && \
    ip -6 addr add 2001:db8:1::2/64 dev hole nodad && ip link set hole up && ip link set hole0 up && \
    ip -6 route add default dev hole && ip neigh add 10.8.8.53 lladdr 02:00:00:00:00:08 dev hole nud permanent && \
    ip -6 neigh add 2001:db8:2::1 lladdr 02:00:00:00:00:08 dev hole nud permanent";

/// Nine bridges of containers without anything on them.
const BRIDGES: &str = "(for n in 17 18 19 20 21 22 23 24 25; do ip link add br$n type bridge && \
    ip addr add 172.$n.0.1/16 dev br$n && ip link set br$n up || exit 1; done)";
/// The network of a home, by which the default route goes.
const LAN: &str = "ip link add lan type veth peer name lan0 && ip addr add 192.168.178.5/24 dev lan && \
    ip link set lan up && ip link set lan0 up && ip route add default via 192.168.178.1 dev lan";

/// A network of one's own in which interfaces can be made; none without the right to.
fn own_net() -> std::io::Result<Option<Net>> {
    if not_root() { Ok(None) } else { Net::new().map(Some) }
}

/// The daemon of a desk whose machine finds `relay.test` at these addresses comes online.
async fn comes_online(net: &mut Net, listen: &str, hosts: &str) -> Outcome {
    let authority = Authority::new()?;
    let (_relay, url) = authority.relay(net, listen, "relay.test", "")?;
    let mut desk = Desk::prepare("Ana", &url)?;
    desk.configure(&format!(
        "[account]\nname = \"Ana\"\n[relay]\nurls = [\"{url}\"]\nca-file = \"{}\"\n[log]\nlevel = \"debug\"\n",
        authority.file()
    ))?;
    let etc = Etc { hosts: Some(hosts), ..Etc::default() };
    let program = etc.around(desk.folder(), desk.program())?;
    desk.set_program(program);
    desk.begin("bus")?;
    desk.start_daemon(net)?;
    desk.until_online(SOON).await
}

#[tokio::test]
async fn a_relay_is_reached_where_ipv6_swallows_everything() -> Outcome {
    let Some(mut net) = own_net()? else { return Ok(()) };
    net.change(HOLE)?;
    comes_online(&mut net, "127.0.0.1", "2001:db8:2::1 relay.test\n127.0.0.1 relay.test\n").await
}

#[tokio::test]
async fn a_relay_is_reached_although_the_first_of_its_two_addresses_is_dead() -> Outcome {
    let Some(mut net) = own_net()? else { return Ok(()) };
    // Nearer to our own address than the other one, so that it is tried first (RFC 6724, rule 9).
    net.change("nft add rule inet cut way ip daddr 127.0.0.2 drop")?;
    comes_online(&mut net, "127.128.0.1", "127.0.0.2 relay.test\n127.128.0.1 relay.test\n").await
}

/// Ana calls Ben, and sound could flow.
async fn they_talk(ana: &Desk, ben: &Desk) -> anyhow::Result<String> {
    let (path, _) = put_through(ana, ben).await?;
    ben.until_state("active", SOON).await?;
    Ok(path)
}

#[tokio::test]
async fn beside_nine_bridges_a_call_goes_by_the_network_that_works() -> Outcome {
    let Some(mut net) = own_net()? else { return Ok(()) };
    net.change("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")?;
    net.change(BRIDGES)?;
    net.change(LAN)?;
    // Two real machines would not reach each other by these addresses either.
    net.change("nft add rule inet cut way ip daddr 172.16.0.0/12 meta l4proto udp drop")?;
    let place = Place { relay: Relay::start(&net, 0)?, net };
    let (ana, ben) = place.two_without_sound().await?;
    they_talk(&ana, &ben).await.map(drop)
}

#[tokio::test]
async fn where_no_name_is_ever_answered_a_call_between_neighbours_stands() -> Outcome {
    let Some(mut net) = own_net()? else { return Ok(()) };
    net.change(HOLE)?;
    net.change(LAN)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("relay.toml");
    let servers: Vec<String> = (1..=8).map(|n| format!("\"stun:server{n}.test:3478\"")).collect();
    fs::write(&file, format!("[ice]\nstun = [{}]\n", servers.join(", ")))?;
    let mut relay = net.command(&binary("ahoy-relay"));
    relay.args(["--listen", "127.0.0.1:8790", "--config"]).arg(&file).stdout(Stdio::null());
    let _relay = Running::start(&mut relay)?;
    let url = "ws://127.0.0.1:8790";
    let mut desks = [Desk::prepare("Ana", url)?, Desk::prepare("Ben", url)?];
    // A name server in the hole: nothing ever comes back.
    let etc = Etc { resolver: Some("nameserver 10.8.8.53\n"), ..Etc::default() };
    for desk in &mut desks {
        let program = etc.around(desk.folder(), desk.program())?;
        desk.set_program(program);
        desk.begin("bus")?;
        desk.start_daemon(&net)?;
        desk.until_online(SOON).await?;
    }
    let [ana, ben] = desks;
    introduce(&ana, &ben)?;
    they_talk(&ana, &ben).await?;
    let lost = [&ana, &ben].map(|desk| desk.logged().matches("PathLost").count());
    anyhow::ensure!(lost == [0, 0], "and no path was given up meanwhile: {lost:?}");
    Ok(())
}

#[tokio::test]
async fn behind_a_portal_that_answers_everything_one_is_told_and_online_once_it_opens() -> Outcome {
    let net = Net::new()?;
    let relay = Relay::start(&net, 0)?;
    let (port, url) = (relay.port(), relay.url.clone());
    relay.kill();
    let portal = portal(&net, port)?;
    let mut desk = Desk::prepare("Ana", &url)?;
    desk.begin("bus")?;
    desk.start_daemon(&net)?;
    desk.until_problem(Some("relay"), SOON).await?;
    drop(portal);
    let _relay = Relay::start(&net, port)?;
    desk.until_online(SOON).await
}

#[tokio::test]
async fn an_interface_that_flaps_leaves_a_call_alone_and_a_real_break_is_mended_after_it() -> Outcome {
    let Some(mut net) = own_net()? else { return Ok(()) };
    net.change(LAN)?;
    let mut place = Place { relay: Relay::start(&net, 0)?, net };
    let (ana, ben) = place.two_without_sound().await?;
    let net = &mut place.net;
    let path = they_talk(&ana, &ben).await?;
    // Each comes and goes slowly enough to be taken for news.
    for _ in 0..8 {
        net.change("ip link add flap type veth peer name flap0 && ip link set flap0 up && ip link set flap up && ip addr add 10.77.0.1/24 dev flap && sleep 1.2")?;
        net.change("ip link del flap && sleep 1.2")?;
    }
    anyhow::ensure!(text(&ana.call(&path).await?, "State") == "active", "the call is as it was");
    net.cut_udp()?;
    ana.until_state("reconnecting", SOON).await?;
    // Longer than the old path would come back by itself.
    net.change("sleep 10")?;
    net.mend_udp()?;
    ana.until_state("active", SOON).await?;
    ben.until_state("active", SOON).await.map(drop)
}

/// What that user does: a bus, a daemon, and the question who one is.
const SESSION: &str = "cd /; mkdir -p \"$HOME\" \"$XDG_RUNTIME_DIR\"; chmod 700 \"$XDG_RUNTIME_DIR\"; \
    exec dbus-run-session -- sh -c '\"$0\"/ahoyd 2>\"$HOME\"/log & for n in $(seq 300); do \"$0\"/ahoyctl account --json 2>/dev/null && break; sleep 0.1; done; kill $!' \"$0\"";

#[test]
fn a_user_whom_only_a_directory_knows_has_the_name_that_the_directory_gives() {
    if not_root() {
        return;
    }
    // Debian has put it straight into the folder of libraries; others have it beside the rest.
    let beside = format!("/usr/lib/{}-linux-gnu/libnss_extrausers.so.2", std::env::consts::ARCH);
    if ![beside.as_str(), "/usr/lib/libnss_extrausers.so.2"].iter().any(|file| Path::new(file).exists()) {
        println!("SKIPPED: no libnss-extrausers to have another directory of users with");
        return;
    }
    let folder = tempfile::Builder::new().prefix("ahoy-").tempdir().unwrap();
    let home = folder.path().join("home");
    for name in ["ahoyd", "ahoyctl"] {
        fs::copy(binary(name), folder.path().join(name)).unwrap();
    }
    fs::create_dir(&home).unwrap();
    let line = "lena:x:54321:54321:Lena Directory,,,:/nowhere:/bin/sh\n";
    let etc = Etc { users: Some(line), ..Etc::default() };
    let shell = etc.around(folder.path(), Path::new("setpriv")).unwrap();
    let open = "chmod 755 \"$0\" && chown 54321:54321 \"$1\"";
    let open = Command::new("sh").args(["-c", open]).args([folder.path(), &home]).status().unwrap();
    assert!(open.success());
    let said = Command::new(shell)
        .args(["--reuid", "54321", "--regid", "54321", "--clear-groups", "sh", "-c", SESSION])
        .arg(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &home)
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&said.stdout).into_owned();
    let log = fs::read_to_string(home.join("log")).unwrap_or_default();
    assert!(told.contains("Lena Directory"), "{told}\n{}\n{log}", String::from_utf8_lossy(&said.stderr));
}
