//! Does a daemon that is killed in the middle of a call lose anything that it had announced?
//!
//! Lives here: a few kills of each kind; `make crash` does two hundred. And that no such point is in the program that people run.
//! Must not: repeat how a kill is judged.

use ahoy_tests::crash::{self, Plan};
use ahoy_tests::lab;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_has_lost_nothing_that_it_had_announced() -> anyhow::Result<()> {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        println!("SKIPPED: no python3 to read the database with");
        return Ok(());
    }
    // One of each phase, both roles, all kinds of points.
    let plans = Plan::spread(96);
    let some = [0, 15, 28, 42, 67, 83].map(|n| plans[n]);
    let report = crash::run(some.to_vec(), 3, |line| println!("{line}")).await?;
    anyhow::ensure!(report.killed == 6 && report.ok == 6, "{}\n{}", report.line(), report.wrong.join("\n"));
    Ok(())
}

#[test]
fn no_point_at_which_a_daemon_ends_is_in_the_one_that_people_run() {
    let holds = |program: std::path::PathBuf| {
        let bytes = std::fs::read(&program).expect("a program that was built");
        bytes.windows(14).any(|part| part == b"ahoy-failpoint")
    };
    assert!(holds(lab::daemon_with_failpoints()), "it would be found");
    assert!(!holds(lab::binary("ahoyd")));
}
