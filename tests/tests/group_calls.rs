//! Do real daemons and a relay carry a call of more than two, with nobody's server holding it?
//!
//! Lives here: whole group calls by ahoyctl, judged by what each daemon shows and keeps.
//! Must not: need a sound server; how a group sounds is `make demo-group`'s.

use std::time::Duration;

use ahoy_dbus::proxy;
use ahoy_tests::lab::{Desk, Place, introduce, number, text};
use futures_util::StreamExt as _;
use serde_json::Value;

/// Long enough for a machine that has much to do.
const SOON: Duration = Duration::from_secs(60);

type Outcome = anyhow::Result<()>;

/// People who all have each other's cards.
async fn people(place: &Place, names: &[&str]) -> anyhow::Result<Vec<Desk>> {
    let mut desks = Vec::new();
    for name in names {
        desks.push(place.start_without_sound(name).await?);
    }
    for (n, one) in desks.iter().enumerate() {
        for other in &desks[n + 1..] {
            introduce(one, other)?;
        }
    }
    Ok(desks)
}

/// The calls that a daemon shows, with their members.
fn calls(desk: &Desk) -> anyhow::Result<Vec<Value>> {
    let said: Value = serde_json::from_str(&desk.ctl_says(&["list", "--json"])?)?;
    Ok(said["calls"].as_array().cloned().unwrap_or_default())
}

/// The members of its call that are in that state, by name.
fn members(desk: &Desk, state: &str) -> anyhow::Result<Vec<String>> {
    let calls = calls(desk)?;
    let Some(all) = calls.first().and_then(|call| call["members"].as_array()) else { return Ok(Vec::new()) };
    let mut names: Vec<String> = all
        .iter()
        .filter(|member| member["state"] == state)
        .filter_map(|member| member["name"].as_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

/// Waits until exactly these others are in the call with this one.
async fn until_with(desk: &Desk, others: &[&str]) -> Outcome {
    desk.until_so(SOON, async || Ok(members(desk, "joined")? == others)).await
}

/// Each has one row of the call, and all name the same people; its reasons, in the order of the desks.
async fn reasons(desks: &[Desk]) -> anyhow::Result<Vec<String>> {
    let mut reasons = Vec::new();
    let mut calls = Vec::new();
    for desk in desks {
        let over =
            async || Ok(desk.history().await?.first().is_some_and(|row| !text(row, "outcome").is_empty()));
        desk.until_so(SOON, over).await?;
        let rows = desk.history().await?;
        anyhow::ensure!(rows.len() == 1, "{}: {rows:?}", desk.name);
        anyhow::ensure!(text(&rows[0], "kind") == "group", "{}: {rows:?}", desk.name);
        calls.push(text(&rows[0], "call").to_owned());
        reasons.push(text(&rows[0], "reason").to_owned());
    }
    calls.dedup();
    anyhow::ensure!(calls.len() == 1, "{calls:?}");
    Ok(reasons)
}

#[tokio::test]
async fn three_are_called_at_once_talk_leave_and_come_back_and_the_starter_ends_it() -> Outcome {
    let place = Place::new()?;
    let desks = people(&place, &["Ana", "Ben", "Cleo"]).await?;
    let [ana, ben, cleo] = &desks[..] else { anyhow::bail!("three") };
    ana.ctl_says(&["call", "ben", "cleo", "--note", "the plan"])?;
    for desk in [ben, cleo] {
        desk.until_state("incoming", SOON).await?;
        let said = desk.ctl_says(&["list"])?;
        anyhow::ensure!(said.contains("Ana and 1 more") && said.contains("the plan"), "{said}");
    }
    ben.ctl_says(&["answer"])?;
    until_with(ana, &["Ben"]).await?;
    cleo.ctl_says(&["answer"])?;
    until_with(ana, &["Ben", "Cleo"]).await?;
    until_with(ben, &["Ana", "Cleo"]).await?;
    until_with(cleo, &["Ana", "Ben"]).await?;
    // One leaves: the others stay with each other, and the call that runs can be entered again.
    cleo.ctl_says(&["hangup"])?;
    until_with(ana, &["Ben"]).await?;
    until_with(ben, &["Ana"]).await?;
    anyhow::ensure!(members(ana, "left")? == ["Cleo"], "{:?}", calls(ana)?);
    cleo.until_so(SOON, async || Ok(cleo.ctl_says(&["list"])?.contains("ahoyctl join"))).await?;
    cleo.ctl_says(&["join"])?;
    until_with(cleo, &["Ana", "Ben"]).await?;
    until_with(ben, &["Ana", "Cleo"]).await?;
    // Who did not begin it may not end it for all.
    let refused = ben.ctl(&["hangup", "--everyone"], "")?;
    anyhow::ensure!(!refused.status.success(), "{refused:?}");
    ana.ctl_says(&["hangup", "--everyone"])?;
    for desk in &desks {
        desk.until_state("disconnected", SOON).await?;
    }
    let reasons = reasons(&desks).await?;
    anyhow::ensure!(reasons == ["ended-by-host"; 3], "{reasons:?}");
    Ok(())
}

#[tokio::test]
async fn a_call_of_two_takes_in_a_third_and_goes_on_when_its_starter_leaves() -> Outcome {
    let place = Place::new()?;
    let desks = people(&place, &["Ana", "Ben", "Cleo"]).await?;
    let [ana, ben, cleo] = &desks[..] else { anyhow::bail!("three") };
    ana.ctl_says(&["call", "ben"])?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["answer"])?;
    until_with(ana, &["Ben"]).await?;
    let before = calls(ana)?[0]["id"].clone();
    ana.ctl_says(&["invite", "cleo"])?;
    cleo.until_state("incoming", SOON).await?;
    cleo.ctl_says(&["answer"])?;
    for (desk, others) in [(ana, ["Ben", "Cleo"]), (ben, ["Ana", "Cleo"]), (cleo, ["Ana", "Ben"])] {
        until_with(desk, &others).await?;
        let call = &calls(desk)?[0];
        anyhow::ensure!(call["id"] == before && call["kind"] == "group", "{call}");
    }
    // Who is in it is not called again, and each try counts as a dial all the same.
    let refused = (0..30).find_map(|_| {
        let tried = ana.ctl(&["invite", "cleo"], "").ok()?;
        String::from_utf8_lossy(&tried.stderr).contains("twenty times in a minute").then_some(())
    });
    anyhow::ensure!(refused.is_some(), "invitations are not counted");
    ana.ctl_says(&["hangup"])?;
    until_with(ben, &["Cleo"]).await?;
    until_with(cleo, &["Ben"]).await?;
    // Ben came first of those who are left: he may put others out.
    ben.ctl_says(&["remove", "cleo"])?;
    cleo.until_state("disconnected", SOON).await?;
    let put_out = &calls(cleo)?[0];
    anyhow::ensure!(put_out["state_reason"] == "removed" && put_out["ended_by_name"] == "Ben", "{put_out}");
    let story = cleo.ctl_says(&["history", "show", "1"])?;
    anyhow::ensure!(story.contains("Ana left.") && story.contains("Ben put you out of it."), "{story}");
    ben.ctl_says(&["hangup"])?;
    let reasons = reasons(&desks).await?;
    anyhow::ensure!(
        reasons[1..] == ["last-left", "removed"] || reasons[1..] == ["completed", "removed"],
        "{reasons:?}"
    );
    Ok(())
}

#[tokio::test]
async fn who_says_no_is_told_of_and_when_all_have_it_is_over() -> Outcome {
    let place = Place::new()?;
    let desks = people(&place, &["Ana", "Ben", "Cleo"]).await?;
    let [ana, ben, cleo] = &desks[..] else { anyhow::bail!("three") };
    ana.ctl_says(&["call", "ben", "cleo"])?;
    for desk in [ben, cleo] {
        desk.until_state("incoming", SOON).await?;
    }
    ben.ctl_says(&["decline"])?;
    ana.until_so(SOON, async || Ok(members(ana, "declined")? == ["Ben"])).await?;
    cleo.ctl_says(&["decline"])?;
    ana.until_state("disconnected", SOON).await?;
    anyhow::ensure!(calls(ana)?[0]["state_reason"] == "all-declined", "{:?}", calls(ana)?);
    Ok(())
}

/// Ana makes a group and calls it; by that the others have it, too, and call it by the same name.
#[tokio::test]
async fn a_named_group_rings_all_who_are_in_it_and_is_theirs_from_then_on() -> Outcome {
    let place = Place::new()?;
    let desks = people(&place, &["Ana", "Ben", "Cleo"]).await?;
    let [ana, ben, cleo] = &desks[..] else { anyhow::bail!("three") };
    ana.ctl_says(&["group", "new", "Book club", "ben", "cleo"])?;
    let taken = ana.ctl(&["group", "new", "ben", "cleo"], "")?;
    anyhow::ensure!(taken.status.code() == Some(2), "a contact's name: {taken:?}");
    ana.ctl_says(&["call", "book"])?;
    for desk in [ben, cleo] {
        desk.until_state("incoming", SOON).await?;
        desk.until_so(SOON, async || Ok(desk.ctl_says(&["list"])?.contains("Book club"))).await?;
    }
    ben.ctl_says(&["answer"])?;
    until_with(ben, &["Ana"]).await?;
    ana.ctl_says(&["hangup", "--everyone"])?;
    for desk in &desks {
        desk.until_state("disconnected", SOON).await?;
    }
    let groups = |desk: &Desk| -> anyhow::Result<Vec<String>> {
        let said: Value = serde_json::from_str(&desk.ctl_says(&["group", "--json"])?)?;
        let all = said["groups"].as_array().cloned().unwrap_or_default();
        Ok(all.iter().map(|group| format!("{} {}", group["id"], group["name"])).collect())
    };
    let shared = groups(ana)?;
    for desk in [ben, cleo] {
        desk.until_so(SOON, async || Ok(groups(desk)? == shared)).await?;
    }
    // Cleo calls it: the same two, by the same name, which the history keeps.
    cleo.ctl_says(&["call", "book club"])?;
    for desk in [ana, ben] {
        desk.until_state("incoming", SOON).await?;
        desk.until_so(SOON, async || Ok(desk.ctl_says(&["list"])?.contains("Book club"))).await?;
        desk.ctl_says(&["decline"])?;
    }
    cleo.until_state("disconnected", SOON).await?;
    for desk in &desks {
        desk.until_so(SOON, async || {
            let rows = desk.history().await?;
            Ok(rows.len() == 2 && rows.iter().all(|row| text(row, "name") == "Book club"))
        })
        .await?;
    }
    ben.ctl_says(&["group", "forget", "book"])?;
    anyhow::ensure!(groups(ben)?.is_empty() && groups(ana)?.len() == 1);
    Ok(())
}

/// Ben and Cleo have never heard of each other: Ana brings both. They meet by what each signed for this call, and without a TURN server
/// no packet goes from one to the other.
#[tokio::test]
async fn members_who_are_no_contacts_meet_in_the_call_and_nowhere_else() -> Outcome {
    let place = Place::new()?;
    let mut desks = Vec::new();
    for name in ["Ana", "Ben", "Cleo"] {
        desks.push(place.start_without_sound(name).await?);
    }
    let [ana, ben, cleo] = &desks[..] else { anyhow::bail!("three") };
    introduce(ana, ben)?;
    introduce(ana, cleo)?;
    ana.ctl_says(&["call", "ben", "cleo"])?;
    for desk in [ben, cleo] {
        desk.until_state("incoming", SOON).await?;
        desk.ctl_says(&["answer"])?;
    }
    until_with(ana, &["Ben", "Cleo"]).await?;
    for (desk, other) in [(ben, "Cleo (no contact)"), (cleo, "Ben (no contact)")] {
        until_with(desk, &["Ana"]).await?;
        desk.until_so(SOON, async || Ok(members(desk, "connecting")? == [other])).await?;
        anyhow::ensure!(desk.ctl_says(&["contact", "list"])?.lines().count() == 1, "nobody became a contact");
    }
    ana.ctl_says(&["hangup", "--everyone"])?;
    for desk in &desks {
        desk.until_state("disconnected", SOON).await?;
    }
    Ok(())
}

/// What a daemon says happened, from now on: the type, and whom it is about.
async fn happenings(desk: &Desk) -> anyhow::Result<proxy::EventStream> {
    let manager = proxy::ManagerProxy::new(&desk.bus().await?).await?;
    Ok(manager.receive_event().await?)
}

/// Of what was said, in its order, as far as this one.
async fn said_until(events: &mut proxy::EventStream, last: &str) -> anyhow::Result<Vec<String>> {
    let mut said = Vec::new();
    let listening = async {
        while let Some(event) = events.next().await {
            let told = event.args()?;
            said.push(format!("{} {}", told.r#type(), text(told.data(), "name")));
            if said.last().is_some_and(|line| line == last) {
                return Ok(());
            }
        }
        anyhow::bail!("no more is said")
    };
    let heard = tokio::time::timeout(SOON, listening).await;
    heard.map_err(|_| anyhow::anyhow!("{last} was not said"))??;
    Ok(said)
}

#[tokio::test]
async fn a_group_is_entered_by_its_row_while_it_runs_and_called_anew_by_it_afterwards() -> Outcome {
    let place = Place::new()?;
    let mut desks = people(&place, &["Ana", "Ben", "Dora"]).await?;
    // Ben is no contact of hers: a new call of those whom she can ring is not the one that runs.
    desks.push(place.start_without_sound("Cleo").await?);
    let [ana, ben, dora, cleo] = &desks[..] else { anyhow::bail!("four") };
    introduce(ana, cleo)?;
    introduce(dora, cleo)?;
    let (mut at_ana, mut at_cleo) = (happenings(ana).await?, happenings(cleo).await?);
    ana.ctl_says(&["call", "ben", "cleo", "dora"])?;
    for desk in [ben, cleo, dora] {
        desk.until_state("incoming", SOON).await?;
    }
    cleo.ctl_says(&["decline"])?;
    ben.ctl_says(&["answer"])?;
    dora.ctl_says(&["answer"])?;
    until_with(ana, &["Ben", "Dora"]).await?;
    let said = said_until(&mut at_cleo, "call.joinable Ana and 2 more").await?;
    anyhow::ensure!(said.iter().any(|line| line == "call.incoming Ana and 2 more"), "{said:?}");
    let row = cleo.until_row(SOON, |row| text(row, "outcome") == "declined").await?;
    let row = format!("history:{}", number(&row, "id"));
    cleo.ctl_says(&["call", &row])?;
    until_with(cleo, &["Ana", "Dora"]).await?;
    until_with(ana, &["Ben", "Cleo", "Dora"]).await?;
    ben.ctl_says(&["hangup"])?;
    let said = said_until(&mut at_ana, "peer.left Ben").await?;
    for event in ["peer.declined Cleo", "peer.joined Ben", "peer.joined Cleo"] {
        anyhow::ensure!(said.iter().any(|line| line == event), "{event}: {said:?}");
    }
    ana.ctl_says(&["hangup", "--everyone"])?;
    for desk in &desks {
        desk.until_so(SOON, async || Ok(!desk.ctl_says(&["list"])?.contains("ahoyctl join"))).await?;
    }
    cleo.until_row(SOON, |row| text(row, "reason") == "ended-by-host").await?;
    cleo.ctl_says(&["call", &row])?;
    for desk in [ana, dora] {
        desk.until_state("incoming", SOON).await?;
        desk.ctl_says(&["decline"])?;
    }
    cleo.until_row(SOON, |row| text(row, "reason") == "all-declined").await?;
    Ok(())
}

#[tokio::test]
async fn two_calls_become_one_and_each_voice_has_its_own_loudness_which_is_kept() -> Outcome {
    let place = Place::new()?;
    let desks = people(&place, &["Ana", "Ben", "Cleo"]).await?;
    let [ana, ben, cleo] = &desks[..] else { anyhow::bail!("three") };
    for (desk, name) in [(ben, "ben"), (cleo, "cleo")] {
        ana.ctl_says(&["call", name])?;
        desk.until_state("incoming", SOON).await?;
        desk.ctl_says(&["answer"])?;
        ana.until_state("active", SOON).await?;
    }
    let one = ana.ctl(&["merge", "ben"], "")?;
    anyhow::ensure!(!one.status.success(), "it takes two: {one:?}");
    ana.ctl_says(&["merge"])?;
    for (desk, others) in [(ana, ["Ben", "Cleo"]), (ben, ["Ana", "Cleo"]), (cleo, ["Ana", "Ben"])] {
        until_with(desk, &others).await?;
    }
    ana.ctl_says(&["volume", "ben", "150"])?;
    let loud = async || -> anyhow::Result<bool> {
        let all = calls(ana)?;
        let members = all.first().and_then(|call| call["members"].as_array()).cloned().unwrap_or_default();
        let volumes = members.iter().map(|member| (member["name"].as_str(), member["volume"].as_f64()));
        Ok(volumes.collect::<Vec<_>>() == [(Some("Cleo"), Some(1.0)), (Some("Ben"), Some(1.5))])
    };
    ana.until_so(SOON, async || loud().await).await?;
    let kept: Value = serde_json::from_str(&ana.ctl_says(&["contact", "show", "ben", "--json"])?)?;
    anyhow::ensure!(kept.to_string().contains("\"volume\":1.5"), "{kept}");
    // Who is blocked stays in it, and is shown as what he is.
    cleo.ctl_says(&["contact", "block", "ben"])?;
    let blocked = async || {
        Ok(cleo.ctl_says(&["show"])?.lines().any(|line| line.contains("Ben") && line.ends_with(", blocked")))
    };
    cleo.until_so(SOON, blocked).await?;
    let refused = cleo.ctl(&["volume", "dan", "50"], "")?;
    anyhow::ensure!(!refused.status.success(), "there is no Dan: {refused:?}");
    Ok(())
}
