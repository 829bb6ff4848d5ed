//! Does an account move in a sealed file, and end for good, in real daemons?
//!
//! Lives here: a second machine with its own folders, the ways in which a file is refused, a removal and what contacts see.
//! Must not: need sound; look into the sealed file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use ahoy_tests::lab::{Desk, dial, dial_in_vain, text, two_without_sound};
use serde_json::Value;

/// Long enough for a machine that has much to do.
const SOON: Duration = Duration::from_secs(30);
const PASSPHRASE: &str = "correct horse battery\n";

type Outcome = anyhow::Result<()>;

fn account(desk: &Desk) -> anyhow::Result<Value> {
    Ok(serde_json::from_str::<Value>(&desk.ctl_says(&["account", "show", "--json"])?)?["account"].take())
}

fn contact(desk: &Desk, name: &str) -> anyhow::Result<Value> {
    let row: Value = serde_json::from_str(&desk.ctl_says(&["contact", "show", name, "--json"])?)?;
    Ok(row["contact"].clone())
}

/// Runs ahoyctl with that passphrase; what it says when it is refused.
fn refused(desk: &Desk, words: &[&str], passphrase: &str) -> anyhow::Result<String> {
    let words: Vec<&str> = words.iter().copied().chain(["--passphrase-fd", "0"]).collect();
    let output = desk.ctl(&words, passphrase)?;
    anyhow::ensure!(!output.status.success(), "{words:?} was taken");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn an_exported_account_is_the_same_on_a_second_machine_and_rings_there() -> Outcome {
    let (place, mut ana, ben) = two_without_sound().await?;
    dial(&ben, "Ana").await?;
    ana.until_state("incoming", SOON).await?;
    ana.ctl_says(&["decline"])?;
    ana.ctl_says(&["contact", "set", "Ben", "--favorite", "yes"])?;
    let file = ana.folder().join("ana.age");
    let name = file.display().to_string();
    fs::write(&file, "what was there")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let short = refused(&ana, &["account", "export", &name, "--history"], "short\n")?;
    anyhow::ensure!(!ana.state_folder().join("history.copy").exists(), "no copy of the calls is left");
    anyhow::ensure!(short.contains("fewer than 8"), "{short}");
    anyhow::ensure!(fs::read_to_string(&file)? == "what was there", "the file is as it was");
    ana.ctl_reads(&["account", "export", &name, "--history", "--passphrase-fd", "0"], PASSPHRASE)?;
    anyhow::ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600, "only its owner reads it");
    let (was, number) = (account(&ana)?, contact(&ana, "Ben")?["safety_number"].clone());
    anyhow::ensure!(!ana.state_folder().join("history.copy").exists(), "the copy of the calls is gone");
    ana.stop_daemon()?;

    let second = place.start_without_sound("Somebody").await?;
    let fresh = account(&second)?;
    anyhow::ensure!(fresh["address"] != was["address"]);
    let wrong = refused(&second, &["account", "import", &name], "correct horse\n")?;
    anyhow::ensure!(wrong.contains("The passphrase is wrong"), "{wrong}");
    let cut = second.folder().join("cut.age");
    fs::write(&cut, &fs::read(&file)?[..1_500])?;
    let said = refused(&second, &["account", "import", &cut.display().to_string()], PASSPHRASE)?;
    anyhow::ensure!(said.contains("cut or damaged"), "{said}");
    anyhow::ensure!(account(&second)?["address"] == fresh["address"], "nothing was changed");

    second.ctl_reads(&["account", "import", &name, "--passphrase-fd", "0"], PASSPHRASE)?;
    let now = account(&second)?;
    anyhow::ensure!(now["address"] == was["address"] && now["display_name"] == "Ana", "{now}");
    let row = contact(&second, "Ben")?;
    anyhow::ensure!(row["safety_number"] == number && row["favorite"] == true, "{row}");
    anyhow::ensure!(second.history().await?.len() == 1, "past calls came, too");
    let old = fs::read_dir(second.state_folder())?.filter_map(Result::ok);
    let aside = old.map(|it| it.path()).find(|it| it.display().to_string().contains("aside-"));
    let aside = aside.ok_or_else(|| anyhow::anyhow!("what was here is kept"))?;
    anyhow::ensure!(aside.join("identity/own.json").exists());

    second.until_online(SOON).await?;
    dial(&ben, "Ana").await?;
    second.until_state("incoming", SOON).await?;
    second.ctl_says(&["decline"])?;
    dial(&second, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["decline"])?;

    // The first machine lets it go, and nobody hears of that.
    ana.start_daemon(&place.net)?;
    ana.until_so(SOON, async || Ok(account(&ana).is_ok())).await?;
    let left = ana.ctl_says(&["account", "remove", "--moved", "--yes"])?;
    anyhow::ensure!(left.contains("nobody was told"), "{left}");
    anyhow::ensure!(account(&ana)?["address"] != was["address"]);
    anyhow::ensure!(contact(&ben, "Ana")?["ended"] == false);
    ana.stop_daemon()?;

    let there = refused(&second, &["account", "import", &name], PASSPHRASE)?;
    anyhow::ensure!(there.contains("--replace") && there.contains("1 contacts"), "{there}");
    second.ctl_reads(&["account", "import", &name, "--replace", "--passphrase-fd", "0"], PASSPHRASE)?;
    anyhow::ensure!(account(&second)?["address"] == was["address"]);
    Ok(())
}

#[tokio::test]
async fn a_removed_account_is_gone_here_and_its_contacts_see_that_it_ended() -> Outcome {
    let (_place, ana, ben) = two_without_sound().await?;
    let name = ana.folder().join("ana.age").display().to_string();
    ana.ctl_reads(&["account", "export", &name, "--passphrase-fd", "0"], PASSPHRASE)?;
    let was = account(&ana)?;
    let keys: Value = serde_json::from_slice(&fs::read(ana.state_folder().join("identity/own.json"))?)?;
    let asked = ana.ctl(&["account", "remove"], "")?;
    anyhow::ensure!(asked.status.code() == Some(2), "without a terminal it wants --yes");
    anyhow::ensure!(account(&ana)?["address"] == was["address"]);

    let said = ana.ctl_says(&["account", "remove", "--yes", "--history"])?;
    anyhow::ensure!(said.contains("1 of 1 contacts were told"), "{said}");
    ben.until_so(SOON, async || Ok(contact(&ben, "Ana")?["ended"] == true)).await?;
    anyhow::ensure!(ben.ctl_says(&["contact", "list"])?.contains("ended"), "it stands in the list");
    let now = account(&ana)?;
    anyhow::ensure!(now["address"] != was["address"], "as after a first start");
    anyhow::ensure!(ana.ctl_says(&["contact", "list"])?.trim().is_empty());
    let key = keys["account"].as_str().unwrap_or_default();
    let found = ana.local("grep").args(["-rl", key]).arg(ana.state_folder()).output()?;
    anyhow::ensure!(
        found.stdout.is_empty(),
        "the key lies nowhere: {}",
        String::from_utf8_lossy(&found.stdout)
    );

    // What comes for the inbox of an account that ended is not kept for anybody: not for who had a copy either.
    ana.until_online(SOON).await?;
    let call = dial_in_vain(&ben, "Ana").await?;
    ben.until_call(&call, SOON, |row| text(row, "State") == "disconnected").await?;
    ana.ctl_reads(&["account", "import", &name, "--passphrase-fd", "0"], PASSPHRASE)?;
    ana.until_online(SOON).await?;
    dial(&ben, "Ana").await?;
    ana.until_state("incoming", SOON).await?;
    anyhow::ensure!(ana.history().await?.len() == 1, "no note of the call in vain had waited");
    ana.ctl_says(&["decline"])?;
    anyhow::ensure!(contact(&ben, "Ana")?["ended"] == false, "who speaks has an account");
    Ok(())
}
