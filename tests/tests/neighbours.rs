//! Do people at home reach each other with no server, and does a stranger on their network learn nothing of it?
//!
//! Lives here: real daemons on machines of their own behind one router; captures of what passes between them.
//! Must not: need a sound server.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]

#[path = "neighbours/capture.rs"]
mod capture;
#[path = "neighbours/hours.rs"]
mod hours;
#[path = "neighbours/rig.rs"]
mod rig;

use ahoy_tests::lab::{Family, Floor, House, dial, introduce};

use capture::Secrets;
use rig::{Home, Outcome, SOON, neighbours, rows, skipped, until_neighbours, until_seen};

/// Names that stand in no capture by chance.
const ANA: &str = "Anastasija";
const BEN: &str = "Benedictus";

/// What two newcomers do: say that this is home, pair, call, answer.
#[tokio::test]
async fn two_newcomers_at_home_pair_and_call_with_no_server() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    home.with_responder = true;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("packets");
    let capture = home.house.capture(&file)?;
    let (ana, ben) = (home.newcomer(ANA).await?, home.newcomer(BEN).await?);
    let code = rig::pair(&ana, &ben)?;
    anyhow::ensure!(!code.contains('@'), "there is no relay: {code}");
    until_seen(&ana, &ben).await?;
    rig::talk(&ana, &ben).await?;
    rig::talk(&ben, &ana).await?;
    for desk in [&ana, &ben] {
        let said = desk.ctl_says(&["status"])?;
        anyhow::ensure!(said.contains("192.168.77.0/24 on eth0, trusted"), "{said}");
        anyhow::ensure!(said.contains("at home, without a relay") && !said.contains("relay.urls"), "{said}");
    }
    let heard = home.responders_heard()?;
    anyhow::ensure!(heard.iter().all(|offers| *offers >= 2), "a responder beside ahoyd is deaf: {heard:?}");
    capture.end()?;
    let bytes = std::fs::read(&file)?;
    let secrets = Secrets::of(&[(&ana, BEN), (&ben, ANA)], &code)?;
    secrets.are_not_in(&bytes)?;
    let number = code.split('-').next().unwrap_or_default();
    anyhow::ensure!(capture::holds(&bytes, format!("p={number}").as_bytes()), "another capture");
    Ok(())
}

/// Two at home who use a relay as well do not notice that it dies.
#[tokio::test]
async fn a_relay_that_dies_while_both_are_at_home_is_not_missed_and_none_is_rung_twice() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    home.begin_relay()?;
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    introduce(&ana, &ben)?;
    rig::trust(&[&ana, &ben])?;
    for desk in [&ana, &ben] {
        desk.until_online(SOON).await?;
        until_neighbours(desk, 1).await?;
    }
    rig::talk(&ana, &ben).await?;
    anyhow::ensure!(rows(&ben).await? == 1, "rung by two ways, and once");
    home.relay = None;
    rig::talk(&ben, &ana).await?;
    rig::talk(&ana, &ben).await?;
    anyhow::ensure!((rows(&ana).await?, rows(&ben).await?) == (3, 3));
    Ok(())
}

/// Whoever did not say that a network is theirs is not there for anybody on it.
#[tokio::test]
async fn on_a_network_that_is_not_trusted_nothing_is_sent() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    introduce(&ana, &ben)?;
    rig::trust(&[&ana])?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("packets");
    let capture = home.house.capture(&file)?;
    let refused = ben.ctl(&["call", "Ana"], "")?;
    anyhow::ensure!(refused.status.code() == Some(4), "{refused:?}");
    anyhow::ensure!(ben.ctl(&["pair"], "")?.status.code() == Some(4));
    // Ana is there, asks and tells; Ben hears it and is silent.
    rig::trust(&[&ana])?;
    home.ask_for_neighbours()?;
    capture.end()?;
    let talkers = capture::sources(&std::fs::read(&file)?);
    anyhow::ensure!(talkers.contains(&home.wire_of("Ana")?), "another capture: {talkers:?}");
    anyhow::ensure!(!talkers.contains(&home.wire_of("Ben")?), "Ben has sent something");
    // And the other way round: once he trusts it, he is there.
    rig::trust(&[&ben])?;
    until_neighbours(&ana, 1).await?;
    ben.ctl_says(&["config", "network", "--distrust"])?;
    until_neighbours(&ana, 0).await
}

/// Whoever has turned neighbours off is not there for anybody, on a network of their own, too, and hears nobody.
#[tokio::test]
async fn who_has_turned_it_off_sends_nothing_and_is_seen_by_nobody() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    introduce(&ana, &ben)?;
    rig::trust(&[&ana, &ben])?;
    until_seen(&ana, &ben).await?;
    ben.ctl_says(&["config", "set", "lan.enabled", "false"])?;
    until_neighbours(&ana, 0).await?;
    until_neighbours(&ben, 0).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("packets");
    let capture = home.house.capture(&file)?;
    anyhow::ensure!(ben.ctl(&["call", "Ana"], "")?.status.code() == Some(4));
    anyhow::ensure!(ben.ctl(&["pair"], "")?.status.code() == Some(4));
    home.ask_for_neighbours()?;
    capture.end()?;
    let talkers = capture::sources(&std::fs::read(&file)?);
    anyhow::ensure!(talkers.contains(&home.wire_of("Ana")?), "another capture: {talkers:?}");
    anyhow::ensure!(!talkers.contains(&home.wire_of("Ben")?), "Ben has sent something");
    ben.ctl_says(&["config", "set", "lan.enabled", "true"])?;
    until_neighbours(&ana, 1).await?;
    rig::talk(&ana, &ben).await
}

/// Who pairs on a terminal is asked whether this is home, once, whatever the answer.
#[tokio::test]
async fn whether_a_network_is_home_is_asked_once_and_no_is_an_answer() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    for (name, answer, trusted) in [("Ana", "y\n", "trusted"), ("Ben", "n\n", "not trusted")] {
        let desk = home.newcomer(name).await?;
        let asked = || anyhow::Ok(rig::typed(&desk, "pair 4711-abandon-ability", answer)?.contains("[y/N]"));
        anyhow::ensure!(asked()?, "{name} is not asked");
        let shown = desk.ctl_says(&["config", "network"])?;
        let shown = shown.lines().find_map(|line| line.strip_prefix("eth0\t192.168.77.0/24 "));
        anyhow::ensure!(shown == Some(trusted), "{name}: {shown:?}");
        anyhow::ensure!(!asked()?, "{name} is asked again");
    }
    Ok(())
}

/// A network that lets nobody hear the others, as those for guests do: relays carry everything, and without one it is said.
#[tokio::test]
async fn a_network_that_carries_no_multicast_has_no_neighbours_and_relays_serve() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    home.house.router().change("nft add table bridge guest")?;
    home.house
        .router()
        .change("nft add chain bridge guest way '{ type filter hook forward priority 0; }'")?;
    home.house.router().change("nft add rule bridge guest way ether daddr '&' 01:00:00:00:00:00 == 01:00:00:00:00:00 udp dport 5353 counter drop")?;
    home.begin_relay()?;
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    introduce(&ana, &ben)?;
    rig::trust(&[&ana, &ben])?;
    for desk in [&ana, &ben] {
        desk.until_online(SOON).await?;
    }
    rig::talk(&ana, &ben).await?;
    anyhow::ensure!(neighbours(&ana).await? == 0 && neighbours(&ben).await? == 0);
    Ok(())
}

/// Where only the newer addresses are.
#[tokio::test]
async fn two_newcomers_pair_and_call_by_ipv6_alone() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    home.family = Family::Six;
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    rig::until_network(&ana, "eth0").await?;
    rig::until_network(&ben, "eth0").await?;
    rig::pair(&ana, &ben)?;
    for desk in [&ana, &ben] {
        until_neighbours(desk, 1).await?;
        let said = desk.ctl_says(&["status"])?;
        anyhow::ensure!(said.contains("fd77::/64 on eth0, trusted"), "{said}");
    }
    rig::talk(&ana, &ben).await?;
    rig::talk(&ben, &ana).await
}

/// Ana's machine is in two networks, and in each is somebody whom she knows.
#[tokio::test]
async fn who_is_in_two_networks_is_found_in_each_that_is_trusted() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    home.is_also_on("Ana", Floor::Upper)?;
    home.floor = Floor::Upper;
    let cleo = home.newcomer("Cleo").await?;
    for (one, other) in [(&ana, &ben), (&ana, &cleo), (&ben, &cleo)] {
        introduce(one, other)?;
    }
    rig::trust(&[&ben, &cleo])?;
    rig::until_network(&ana, "eth1").await?;
    ana.ctl_says(&["config", "network", "--trust", "eth0"])?;
    until_neighbours(&ana, 1).await?;
    anyhow::ensure!(neighbours(&cleo).await? == 0, "nobody said that it is hers");
    ana.ctl_says(&["config", "network", "--trust", "eth1"])?;
    until_neighbours(&ana, 2).await?;
    for other in [&ben, &cleo] {
        until_neighbours(other, 1).await?;
        rig::talk(&ana, other).await?;
        rig::talk(other, &ana).await?;
    }
    Ok(())
}

/// Ben gave his card to Ana; she adds it at home, where no relay is: he is asked, and each hears of it when the other's account ends.
#[tokio::test]
async fn who_is_added_at_home_is_asked_and_told_with_no_relay() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    rig::trust(&[&ana, &ben])?;
    let card = ben.ctl_says(&["account", "card", "--for", "Ana"])?;
    ana.ctl_reads(&["contact", "add", "-"], &card)?;
    ben.until_so(SOON, async || Ok(ben.ctl_says(&["contact", "requests"])?.contains("Ana"))).await?;
    ben.ctl_says(&["contact", "accept", "Ana"])?;
    until_neighbours(&ben, 1).await?;
    rig::talk(&ben, &ana).await?;
    let told = ana.ctl_reads(&["account", "remove", "--yes"], "")?;
    anyhow::ensure!(told.contains('1'), "{told}");
    ben.until_so(SOON, async || {
        Ok(ben.ctl_says(&["contact", "show", "Ana", "--json"])?.contains("\"ended\":true"))
    })
    .await
}

/// Two people share a machine, each with a session of their own: they pair and call each other, and who calls one of them from another
/// machine rings that one alone.
#[tokio::test]
async fn two_people_at_one_machine_are_found_apart() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    let (ana, cleo) = (home.newcomer("Ana").await?, home.newcomer("Cleo").await?);
    let ben = home.housemate("Ben", "Ana").await?;
    rig::pair(&ana, &ben)?;
    introduce(&cleo, &ana)?;
    introduce(&cleo, &ben)?;
    rig::trust(&[&cleo])?;
    for desk in [&ana, &ben, &cleo] {
        until_neighbours(desk, 2).await?;
    }
    for (from, to, other) in
        [(&ana, &ben, &cleo), (&cleo, &ben, &ana), (&ben, &cleo, &ana), (&cleo, &ana, &ben)]
    {
        let before = rows(other).await?;
        rig::talk(from, to).await?;
        anyhow::ensure!(rows(other).await? == before, "{} was rung, too", other.name);
    }
    Ok(())
}

/// Somebody says what was overheard, from a machine of their own: it is knocked at that door and nothing more, and the call comes.
#[tokio::test]
async fn a_neighbour_that_says_overheard_tags_gets_a_knock_and_no_envelope() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    let (mut liar, _machine) = home.liar()?;
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    introduce(&ana, &ben)?;
    rig::trust(&[&ana, &ben])?;
    until_seen(&ana, &ben).await?;
    liar.has("lied")?;
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["decline"])?;
    ana.until_state("disconnected", SOON).await?;
    let got: Vec<usize> = liar.end("got ")?.iter().map(|bytes| bytes.parse()).collect::<Result<_, _>>()?;
    // A knock has 57 bytes. The liar answers with noise, and hears no more.
    anyhow::ensure!(got.iter().all(|bytes| *bytes <= 57), "{got:?}");
    anyhow::ensure!(!got.is_empty(), "nobody has believed the liar for a moment: another test");
    Ok(())
}

/// A machine of the house answers in the place of the one that was asked for, and carries on what the two say, a byte of it changed: each message in turn.
#[tokio::test]
async fn a_neighbour_between_two_who_pair_ends_it_with_a_sentence_and_no_contact() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    // Six messages. A third failure would make them wait for ten minutes.
    for two in [[0, 1], [2, 3], [4, 5]] {
        let mut home = Home::new()?;
        let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
        home.stays_unheard("Ana", "Ben")?;
        for spoilt in two {
            let (mut between, _machine) = home.between(spoilt)?;
            let told = rig::pair_spoilt(&ana, &ben, &mut between)?;
            let carried: usize = between.end("carried ")?.first().map_or(Ok(0), |count| count.parse())?;
            anyhow::ensure!(carried > spoilt, "{spoilt}: it was passed by, {carried}, {told:?}");
            // The last message tells Ben that Ana has him: whether it arrives she cannot know.
            let kept = [usize::from(spoilt == 5), 0];
            for ((desk, told), kept) in [&ana, &ben].into_iter().zip(&told).zip(kept) {
                anyhow::ensure!(rig::contacts(desk)? == kept, "{spoilt}: {told:?}");
                let is_sentence =
                    told.as_ref().map(|it| it.starts_with("ahoyctl: ") && it.trim_end().ends_with('.'));
                anyhow::ensure!(is_sentence == (kept == 0).then_some(true), "{spoilt}: {told:?}");
            }
        }
    }
    Ok(())
}
