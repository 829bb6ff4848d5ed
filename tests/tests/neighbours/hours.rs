//! What a stranger on the network can follow from one hour into the next.
//!
//! Lives here: two at home over three hours, of a calendar that is told and of the clock on the wall.
//! Must not: know what a mark is (`capture.rs` does).

use ahoy_tests::lab::House;

use super::capture::{Secrets, nothing_in_common};
use super::rig::{self, Home, Outcome, skipped, until_seen};
use super::{ANA, BEN};

/// Nothing that passes in one hour is seen in another, though the same two call again.
#[tokio::test]
async fn what_passes_in_one_hour_has_nothing_in_common_with_the_next() -> Outcome {
    let Some(library) = rig::faketime().filter(|_| House::can_be()) else { return skipped() };
    let mut home = Home::new()?;
    let folder = tempfile::tempdir()?;
    let calendar = folder.path().join("calendar");
    std::fs::write(&calendar, "+0")?;
    home.calendar = Some((library, calendar.clone()));
    let (ana, ben) = (home.newcomer(ANA).await?, home.newcomer(BEN).await?);
    let (mut code, mut hours) = (None, Vec::new());
    for hour in ["+0", "+1h", "+2h"] {
        let file = folder.path().join(hour);
        std::fs::write(&calendar, hour)?;
        // The daemons look at their calendar when they are spoken to, and take back what they said before.
        let until_seen = async || {
            rig::trust(&[&ana, &ben])?;
            until_seen(&ana, &ben).await
        };
        let capture = if code.is_none() {
            // In the first they meet.
            let capture = home.house.capture(&file)?;
            code = Some(rig::pair(&ana, &ben)?);
            until_seen().await?;
            capture
        } else {
            until_seen().await?;
            home.house.capture(&file)?
        };
        home.ask_for_neighbours()?;
        rig::talk(&ana, &ben).await?;
        capture.end()?;
        hours.push(std::fs::read(&file)?);
    }
    let secrets = Secrets::of(&[(&ana, BEN), (&ben, ANA)], &code.unwrap_or_default())?;
    hours.iter().try_for_each(|one| secrets.are_not_in(one))?;
    nothing_in_common(&hours).map(drop)
}

/// The same by the clock on the wall: a capture that holds a pairing, calls and two changes of the tag.
#[tokio::test]
#[ignore = "one to two hours by the clock: make capture-hour"]
async fn an_hour_by_the_clock_holds_nothing_that_tells_who_they_are() -> Outcome {
    if !House::can_be() {
        return skipped();
    }
    let mut home = Home::new()?;
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let whole = home.house.capture(&file("whole"))?;
    let (ana, ben) = (home.newcomer(ANA).await?, home.newcomer(BEN).await?);
    let code = rig::pair(&ana, &ben)?;
    for hour in ["0", "1", "2"] {
        if hour != "0" {
            rig::next_hour().await?;
        }
        until_seen(&ana, &ben).await?;
        let capture = home.house.capture(&file(hour))?;
        home.ask_for_neighbours()?;
        rig::talk(&ana, &ben).await?;
        capture.end()?;
    }
    whole.end()?;
    let read = |name: &str| std::fs::read(file(name));
    let whole = read("whole")?;
    Secrets::of(&[(&ana, BEN), (&ben, ANA)], &code)?.are_not_in(&whole)?;
    let hours = ["0", "1", "2"].map(read).into_iter().collect::<Result<Vec<_>, _>>()?;
    let heard = nothing_in_common(&hours)?;
    println!("{} bytes, marks an hour {heard:?}: nothing of them", whole.len());
    Ok(())
}
