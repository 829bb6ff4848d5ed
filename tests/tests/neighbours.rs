//! Do people at home reach each other with no server, and does a stranger on their network learn nothing of it?
//!
//! Lives here: real daemons on machines of their own behind one router; captures of what passes between them.
//! Must not: need a sound server.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]

#[path = "neighbours/capture.rs"]
mod capture;
#[path = "neighbours/rig.rs"]
mod rig;

use ahoy_tests::lab::{Family, Floor, House, dial, introduce};

use capture::{Secrets, marks};
use rig::{Home, Outcome, SOON, neighbours, rows, skipped, until_neighbours};

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
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    let code = rig::pair(&ana, &ben)?;
    anyhow::ensure!(!code.contains('@'), "there is no relay: {code}");
    until_neighbours(&ana, 1).await?;
    until_neighbours(&ben, 1).await?;
    rig::talk(&ana, &ben).await?;
    rig::talk(&ben, &ana).await?;
    for desk in [&ana, &ben] {
        let said = desk.ctl_says(&["status"])?;
        anyhow::ensure!(said.contains("192.168.77.0/24 on eth0, trusted"), "{said}");
        anyhow::ensure!(said.contains("at home, without a relay") && !said.contains("relay.urls"), "{said}");
    }
    let heard = home.responders_heard()?;
    anyhow::ensure!(heard == ["other own", "other own"], "a responder beside ahoyd is deaf: {heard:?}");
    capture.end()?;
    let bytes = std::fs::read(&file)?;
    let secrets = Secrets::of(&[(&ana, "Ben"), (&ben, "Ana")], &code)?;
    secrets.are_not_in(&bytes)?;
    let number = code.split('-').next().unwrap_or_default();
    anyhow::ensure!(capture::holds(&bytes, format!("p={number}").as_bytes()), "another capture");
    Ok(())
}

/// Nothing that passes in one hour is seen in another, though the same two call again.
#[tokio::test]
async fn what_passes_in_one_hour_has_nothing_in_common_with_the_next() -> Outcome {
    let Some(library) = rig::faketime().filter(|_| House::can_be()) else { return skipped() };
    let mut home = Home::new()?;
    let folder = tempfile::tempdir()?;
    let calendar = folder.path().join("calendar");
    std::fs::write(&calendar, "+0")?;
    home.calendar = Some((library, calendar.clone()));
    let (ana, ben) = (home.newcomer("Ana").await?, home.newcomer("Ben").await?);
    introduce(&ana, &ben)?;
    rig::trust(&[&ana, &ben])?;
    let mut hours = Vec::new();
    for hour in ["+0", "+1h", "+2h"] {
        let file = folder.path().join(hour);
        std::fs::write(&calendar, hour)?;
        // The daemons look at their calendar when they are spoken to, and take back what they said before.
        rig::trust(&[&ana, &ben])?;
        until_neighbours(&ana, 1).await?;
        until_neighbours(&ben, 1).await?;
        let capture = home.house.capture(&file)?;
        home.ask_for_neighbours()?;
        rig::talk(&ana, &ben).await?;
        capture.end()?;
        hours.push(std::fs::read(&file)?);
    }
    let secrets = Secrets::of(&[(&ana, "Ben"), (&ben, "Ana")], "")?;
    for (n, one) in hours.iter().enumerate() {
        secrets.are_not_in(one)?;
        let here = marks(one)?;
        anyhow::ensure!(here.len() >= 8, "too little was heard in hour {n}: {here:?}");
        for other in &hours[n + 1..] {
            let both: Vec<_> = marks(other)?.intersection(&here).cloned().collect();
            anyhow::ensure!(both.is_empty(), "hour {n} and a later one share {both:?}");
        }
    }
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
    until_neighbours(&ana, 1).await?;
    until_neighbours(&ben, 1).await?;
    liar.has_lied()?;
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
