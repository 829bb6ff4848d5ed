//! Are plain notices, which ask nothing, told to a person once and as plain text?
//!
//! Lives here: a real daemon whose history cannot be used, on a bus with a notification server or without one.
//! Must not: start a real desktop: `desktop_lab.rs` does.

use std::fs;
use std::time::Duration;

use ahoy_dbus::proxy;
use ahoy_tests::lab::{Desk, Net};
use ahoy_tests::notifications::{Server, Told};

const SOON: Duration = Duration::from_secs(15);

type Outcome = anyhow::Result<()>;

/// A desk whose daemon will find a file in the place of its history that is none.
fn desk() -> anyhow::Result<Desk> {
    let desk = Desk::prepare("Ana", "ws://127.0.0.1:9")?;
    desk.begin("bus")?;
    // A folder of that name: it cannot be opened, and it is nothing that could be kept aside as damaged.
    fs::create_dir_all(desk.state_folder().join("history.db"))?;
    Ok(desk)
}

#[tokio::test]
async fn a_problem_that_stands_is_told_once_by_a_plain_notice() -> Outcome {
    let net = Net::new()?;
    let mut ana = desk()?;
    let mut server = Server::on(ana.bus().await?, 0, vec!["body", "body-markup"]).await?;
    ana.start_daemon(&net)?;
    let told = server.told().await;
    let Told::Notify { replaces, app, icon, summary, body, buttons, urgency, category, entry, .. } = told
    else {
        anyhow::bail!("{told:?}");
    };
    anyhow::ensure!((app.as_str(), icon.as_str(), summary.as_str()) == ("ahoy", "dialog-warning", "Calls"));
    anyhow::ensure!(buttons.is_empty() && replaces == 0, "it asks nothing: {buttons:?}");
    anyhow::ensure!(
        (urgency, category.as_str(), entry.as_str()) == (1, "call", ""),
        "{urgency} {category} {entry}"
    );
    let problems = proxy::ManagerProxy::new(&ana.bus().await?).await?.problems().await?;
    let plain: Vec<String> = problems.iter().map(|it| it.replace(['<', '>', '&'], "")).collect();
    anyhow::ensure!(plain.contains(&body), "it says what stands in Problems: {body:?}, {plain:?}");
    // The end of a daemon takes longer than it would to say it again.
    ana.stop_daemon()?;
    anyhow::ensure!(server.told_nothing(), "it is told once as long as it stands");
    Ok(())
}

#[tokio::test]
async fn without_a_notification_server_the_daemon_serves_and_the_problem_stands_on_the_bus() -> Outcome {
    let net = Net::new()?;
    let mut ana = desk()?;
    ana.start_daemon(&net)?;
    // What is logged when the notice found nobody.
    let lost = async {
        while !ana.logged().contains("a notice was not shown") {
            ana.until_problem(Some("istory"), SOON).await?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, lost).await??;
    ana.ctl_says(&["status"])?;
    // One that comes later is not told: the sentence is old, and stands in `status`.
    let mut server = Server::on(ana.bus().await?, 0, vec!["body"]).await?;
    ana.stop_daemon()?;
    anyhow::ensure!(server.told_nothing());
    Ok(())
}
