//! Where does the relay of a real daemon come from, and does a call outlive its change?
//!
//! Lives here: each source once, with real relays behind TLS and a web server of another language.
//! Must not: repeat what the tests of `daemon/src/discovery/` show of hostile servers.

#[path = "relay_sources/rig.rs"]
mod rig;

use ahoy_dbus::Dict;
use ahoy_tests::lab::{Desk, binary, dial, introduce, text};
use rig::{Outcome, SOON, Site, manager, serving, until_serving};

#[tokio::test]
async fn a_configured_relay_wins_and_nobody_else_is_asked() -> Outcome {
    let site = Site::new()?;
    let ((_a, ours), (_b, theirs)) = (site.relay()?, site.relay()?);
    let list = site.publish("list", 1, &[&theirs])?;
    let more = format!("domain = \"a.example\"\nresolver = \"{}/dns-query\"\n", site.url);
    let lines = format!("urls = [\"{ours}\"]\n{}\n{more}", site.of_list(&list));
    let ana = site.desk("Ana", &lines).await?;
    until_serving(&ana, &[&ours], "configuration").await?;
    anyhow::ensure!(site.asked().is_empty(), "somebody was asked");
    let told = ana.ctl_says(&["account", "show"])?;
    let rows = format!("relay\t{ours}\nserves\tyes\nfrom\tthe configuration\n");
    anyhow::ensure!(told.contains(&rows), "{told}");
    // At a terminal a person also reads what others see of it.
    let show = format!("{} account show", binary("ahoyctl").display());
    let shown = ana.local("script").args(["-qec", &show, "/dev/null"]).output()?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    anyhow::ensure!(shown.contains("sees your network address"), "{shown}");
    // Without it the list is asked, at once.
    ana.ctl_says(&["config", "reset", "relay.urls"])?;
    until_serving(&ana, &[&theirs], "list").await?;
    anyhow::ensure!(site.asked().contains(&"GET /list".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_signed_list_gives_the_relay_which_serves_on_when_the_list_is_gone() -> Outcome {
    let mut site = Site::new()?;
    let (_relay, url) = site.relay()?;
    let list = site.publish("list", 7, &[&url])?;
    let mut ana = site.desk("Ana", &site.of_list(&list)).await?;
    until_serving(&ana, &[&url], "list").await?;
    // A lower serial is refused, and told.
    let lower = site.publish("lower", 6, &["wss://127.0.0.1:1"])?;
    ana.ctl_says(&["config", "set", "relay.list", &lower])?;
    ana.until_problem(Some("older than one that was seen"), SOON).await?;
    until_serving(&ana, &[&url], "list").await?;

    ana.stop_daemon()?;
    site.end_web();
    site.begin(&mut ana).await?;
    until_serving(&ana, &[&url], "list").await?;
    // Who wants no list any more still has the relay that worked.
    ana.stop_daemon()?;
    ana.configure(&site.configuration("Ana", ""))?;
    site.begin(&mut ana).await?;
    until_serving(&ana, &[&url], "worked-before").await
}

/// A resolver's answer, byte by byte (RFC 1035 §4.1): one text record of `_ahoy.a.example`.
fn answer(text: &str) -> Vec<u8> {
    let name = b"\x05_ahoy\x01a\x07example\x00";
    let mut bytes = vec![0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&[0, 16, 0, 1]);
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&[0, 16, 0, 1, 0, 0, 0, 60]);
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    bytes.extend_from_slice(&[0, length + 1, length]);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[tokio::test]
async fn a_domain_gives_the_relay() -> Outcome {
    let site = Site::new()?;
    let (_relay, url) = site.relay()?;
    site.put("dns-query", &answer(&format!("relay={url}")))?;
    let lines = format!("domain = \"a.example\"\nresolver = \"{}/dns-query\"", site.url);
    let ana = site.desk("Ana", &lines).await?;
    until_serving(&ana, &[&url], "dns").await?;
    anyhow::ensure!(site.asked() == ["POST /dns-query"]);
    Ok(())
}

#[tokio::test]
async fn a_contacts_card_and_the_code_of_a_pairing_give_the_relay() -> Outcome {
    let site = Site::new()?;
    let (_relay, url) = site.relay()?;
    let ana = site.desk("Ana", &format!("urls = [\"{url}\"]")).await?;
    ana.until_online(SOON).await?;

    let ben = site.desk("Ben", "").await?;
    anyhow::ensure!(serving(&ben)?.is_empty());
    let card = ana.ctl_says(&["account", "card", "--for", "Ben"])?;
    ben.ctl_reads(&["contact", "add", "-"], &card)?;
    until_serving(&ben, &[&url], "contact").await?;

    let carl = site.desk("Carl", "").await?;
    let code = manager(&ana).await?.start_pairing(&Dict::new()).await?;
    anyhow::ensure!(code.contains("@127.0.0.1:"), "the code names its relay");
    manager(&carl).await?.join_pairing(&code, &Dict::new()).await?;
    carl.until_so(SOON, async || Ok(carl.ctl_says(&["contact", "list"])?.contains("Ana"))).await?;
    let shown = serving(&carl)?;
    anyhow::ensure!(shown.len() == 1 && shown[0].0 == url, "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn two_with_a_relay_each_pair_by_a_code_and_call_each_other() -> Outcome {
    let site = Site::new()?;
    let ((_first, hers), (_second, his)) = (site.relay()?, site.relay()?);
    let ana = site.desk("Ana", &format!("urls = [\"{hers}\"]")).await?;
    let ben = site.desk("Ben", &format!("urls = [\"{his}\"]")).await?;
    for desk in [&ana, &ben] {
        desk.until_online(SOON).await?;
    }
    let code = manager(&ana).await?.start_pairing(&Dict::new()).await?;
    let typed = ben.ctl_says(&["pair", &code])?;
    anyhow::ensure!(typed.contains("contact\tAna"), "{typed}");
    ana.until_so(SOON, async || Ok(ana.ctl_says(&["contact", "list"])?.contains("Ben"))).await?;
    // Each keeps the relay that it has, and they call each other by both.
    for (desk, own) in [(&ana, &hers), (&ben, &his)] {
        let shown = serving(desk)?;
        anyhow::ensure!(shown.len() == 1 && shown[0].0 == *own, "{}: {shown:?}", desk.name);
    }
    for (from, to) in [(&ana, &ben), (&ben, &ana)] {
        from.ctl_says(&["call", &to.name])?;
        to.until_state("incoming", SOON).await?;
        from.ctl_says(&["hangup"])?;
        to.until_row(SOON, |row| !text(row, "reason").is_empty()).await?;
    }

    // Who has a contact at a relay knows it: its name may be left out.
    let carl = site.desk("Carl", &format!("urls = [\"{his}\"]")).await?;
    let card = ana.ctl_says(&["account", "card", "--for", "Carl"])?;
    carl.until_online(SOON).await?;
    carl.ctl_reads(&["contact", "add", "-"], &card)?;
    let dora = site.desk("Dora", &format!("urls = [\"{hers}\"]")).await?;
    dora.until_online(SOON).await?;
    let code = manager(&dora).await?.start_pairing(&Dict::new()).await?;
    let bare = code.split('@').next().unwrap_or_default();
    // Who wants no relay but those of the configuration asks no other.
    carl.ctl_says(&["config", "set", "relay.find", "false"])?;
    anyhow::ensure!(carl.ctl(&["pair", bare], "")?.status.code() == Some(10), "nobody waits at his relay");
    carl.ctl_says(&["config", "set", "relay.find", "true"])?;
    let typed = carl.ctl_says(&["pair", bare])?;
    anyhow::ensure!(typed.contains("contact\tDora"), "{typed}");
    Ok(())
}

#[tokio::test]
async fn a_relay_that_goes_while_it_rings_is_replaced_and_the_call_is_answered() -> Outcome {
    let site = Site::new()?;
    let ((first, one), (second, two), (_third, three)) = (site.relay()?, site.relay()?, site.relay()?);
    let lines = site.of_list(&site.publish("list", 1, &[&one, &two])?);
    let (ana, ben) = (site.desk("Ana", &lines).await?, site.desk("Ben", &lines).await?);
    for desk in [&ana, &ben] {
        until_serving(desk, &[&one, &two], "list").await?;
    }
    introduce(&ana, &ben)?;
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    drop(first);
    for desk in [&ana, &ben] {
        until_serving(desk, &[&two], "list").await?;
    }
    // The next list has another in its place, and each tells the other.
    let told = |desk: &Desk| desk.logged().matches("a contact has a newer card").count();
    let before = [told(&ana), told(&ben)];
    let next = site.publish("next", 2, &[&three, &two])?;
    for desk in [&ana, &ben] {
        desk.ctl_says(&["config", "set", "relay.list", &next])?;
        until_serving(desk, &[&three, &two], "list").await?;
    }
    for (desk, before) in [&ana, &ben].into_iter().zip(before) {
        desk.until_so(SOON, async || Ok(told(desk) > before)).await?;
    }
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["answer"])?;
    ana.until_state("active", SOON).await?;
    // And the next call goes by the new one alone.
    drop(second);
    ana.ctl_says(&["hangup"])?;
    ben.until_row(SOON, |_| true).await?;
    for desk in [&ana, &ben] {
        until_serving(desk, &[&three], "list").await?;
    }
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await.map(drop)
}
