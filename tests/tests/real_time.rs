//! Do the threads of sound get real-time priority as an ordinary user's desktop gives it, and what follows where it does not?
//!
//! Lives here: Debian's RealtimeKit and polkit on a system bus of the test's own, the daemon of an ordinary user, its threads in /proc.
//! Must not: change this machine's rules; believe a daemon about its threads.
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ahoy_tests::lab::{
    ANA, BEN, Desk, Ears, Mouth, Place, Running, daemon_with_failpoints, introduce, put_through,
};
use futures_util::StreamExt as _;
use tempfile::TempDir;
use zbus::Connection;
use zbus::fdo::DBusProxy;

/// A machine that builds and tests many things at once starves a sound server for seconds.
const SOON: Duration = Duration::from_secs(60);
/// `nobody`: a user whom the buses can look up, and who is not root.
const USER: u32 = 65_534;
const RTKIT: &str = "/usr/libexec/rtkit-daemon";
const POLKIT: &str = "/usr/lib/polkit-1/polkitd";

type Outcome = anyhow::Result<()>;

/// What the system bus has to offer.
#[derive(Clone, Copy)]
enum Kit {
    /// As a desktop: a session of its own may.
    Grants,
    /// Real-time is above what it allows, high priority is not.
    GrantsHigh,
    /// Nobody logged in, as far as polkit knows.
    Refuses,
    Absent,
}

/// A system bus of the test's own.
struct SystemBus {
    address: String,
    _parts: Vec<Running>,
    _folder: TempDir,
}

impl SystemBus {
    async fn start(kit: Kit) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("ahoy-bus-").tempdir()?;
        let (conf, at) = (folder.path().join("conf"), folder.path().join("bus"));
        fs::write(
            &conf,
            format!(
                "<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
                 <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\
                 <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/></policy></busconfig>",
                at.display()
            ),
        )?;
        open_to_all(folder.path())?;
        let mut bus = Command::new("dbus-daemon");
        bus.arg(format!("--config-file={}", conf.display())).args(["--nofork", "--print-address=1"]);
        let mut bus = Running::start(bus.stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let said = bus.child().stdout.take().ok_or_else(|| anyhow::anyhow!("the bus says nothing"))?;
        // It says so when it listens.
        BufReader::new(said).read_line(&mut String::new())?;
        let address = format!("unix:path={}", at.display());
        let mut parts = vec![bus];
        if !matches!(kit, Kit::Absent) {
            let watch = zbus::conn::Builder::address(address.as_str()).build().await?;
            if !matches!(kit, Kit::Refuses) {
                // Rules of its own: polkit reads them where the distribution has put the folder.
                let rule = format!(
                    "mount -t tmpfs tmpfs /etc/polkit-1/rules.d && echo 'polkit.addRule(function(action, subject) {{ \
                     if (action.id.indexOf(\"org.freedesktop.RealtimeKit1.\") == 0) return polkit.Result.YES; }});' \
                     >/etc/polkit-1/rules.d/50-lab.rules && chmod -R a+rX /etc/polkit-1/rules.d && exec {POLKIT} --no-debug"
                );
                let mut polkit = Command::new("unshare");
                polkit.args(["--mount", "--propagation", "private", "sh", "-c", &rule]);
                parts.push(begin(polkit, &address, &watch, "org.freedesktop.PolicyKit1").await?);
            } else {
                parts
                    .push(begin(Command::new(POLKIT), &address, &watch, "org.freedesktop.PolicyKit1").await?);
            }
            let mut rtkit = Command::new(RTKIT);
            // Its own guard takes a starved test machine for a runaway program.
            rtkit.args(["--no-limit-resources", "--no-canary"]);
            if matches!(kit, Kit::GrantsHigh) {
                rtkit.arg("--max-realtime-priority=1");
            }
            parts.push(begin(rtkit, &address, &watch, "org.freedesktop.RealtimeKit1").await?);
        }
        Ok(Self { address, _parts: parts, _folder: folder })
    }
}

/// Starts a service; returns when it has its name.
async fn begin(
    mut command: Command,
    address: &str,
    watch: &Connection,
    name: &str,
) -> anyhow::Result<Running> {
    let bus = DBusProxy::new(watch).await?;
    let mut owners = bus.receive_name_owner_changed().await?;
    command.env("DBUS_SYSTEM_BUS_ADDRESS", address).stdin(Stdio::null()).stdout(Stdio::null());
    let running = Running::start(command.stderr(Stdio::null()))?;
    let has_come = async {
        while let Some(change) = owners.next().await {
            let args = change.args()?;
            if args.name() == name && args.new_owner().is_some() {
                return Ok(());
            }
        }
        anyhow::bail!("{name} does not come")
    };
    tokio::time::timeout(SOON, has_come).await.map_err(|_| anyhow::anyhow!("no {name} in time"))??;
    Ok(running)
}

/// Every user may enter.
fn open_to_all(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// Ana's daemon is an ordinary user's; the rest is as everywhere.
struct Call {
    ana: Desk,
    ana_hears: Ears,
    _mouths: (Mouth, Mouth),
    _ben: Desk,
    _place: Place,
    _bus: SystemBus,
}

impl Call {
    async fn begin(server: &str, kit: Kit, program: Option<&Path>) -> anyhow::Result<Self> {
        let bus = SystemBus::start(kit).await?;
        let place = Place::new()?;
        let mut ana = Desk::prepare_with("Ana", &place.relay.url, server)?;
        let conf = ana.folder().join("bus.conf");
        let rules =
            fs::read_to_string(&conf)?.replace("<allow own=\"*\"/>", "<allow own=\"*\"/><allow user=\"*\"/>");
        fs::write(&conf, rules)?;
        ana.begin("bus")?;
        ana.begin("sound")?;
        let daemon = ana.folder().join("ahoyd");
        fs::copy(program.unwrap_or(ana.program()), &daemon)?;
        let starter = ana.folder().join("ahoyd-of-a-user");
        fs::write(
            &starter,
            format!(
                "#!/bin/sh\nexec setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps=-all {} \"$@\"\n",
                daemon.display()
            ),
        )?;
        open_to_all(&starter)?;
        let owned =
            Command::new("chown").args(["-R", &format!("{USER}:{USER}")]).arg(ana.folder()).status()?;
        anyhow::ensure!(owned.success(), "a folder cannot be given away");
        ana.set_program(starter);
        ana.daemon_variable("DBUS_SYSTEM_BUS_ADDRESS", Some(&bus.address));
        place.run(&mut ana, &[]).await?;
        let ben = place.start("Ben").await?;
        introduce(&ana, &ben)?;
        let mouths = (ana.hum(ANA)?, ben.hum(BEN)?);
        let mut ana_hears = ana.listen()?;
        put_through(&ana, &ben).await?;
        let heard = ana_hears.until_tone(BEN, SOON);
        heard.map_err(|error| anyhow::anyhow!("{error}\n{}", ana.tail_of_sound()))?;
        Ok(Self { ana, ana_hears, _mouths: mouths, _ben: ben, _place: place, _bus: bus })
    }

    /// Until the threads of Ana's daemon are as wished. What is heard is the clock.
    fn until(&mut self, what: &str, is: impl Fn(&[Thread]) -> bool) -> Outcome {
        let mut last = Vec::new();
        for _ in 0..SOON.as_secs() * 4 {
            last = threads(self.ana.pid().unwrap_or(0));
            if is(&last) {
                return Ok(());
            }
            self.ana_hears.levels(Duration::from_millis(250))?;
        }
        let log = self.ana.logged();
        let of_it: Vec<&str> = log.lines().filter(|line| line.contains("priority")).collect();
        anyhow::bail!("{what}: {last:#?}\n{}", of_it.join("\n"))
    }

    /// The daemon stands still for a moment, so that its loudspeaker runs dry.
    fn starve(&mut self) -> Outcome {
        use rustix::process::{Pid, Signal, kill_process};
        let pid = self.ana.pid().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        let pid = pid.ok_or_else(|| anyhow::anyhow!("no daemon"))?;
        for _ in 0..4 {
            kill_process(pid, Signal::STOP)?;
            self.ana_hears.until_silence(SOON)?;
            kill_process(pid, Signal::CONT)?;
            self.ana_hears.until_tone(BEN, SOON)?;
        }
        Ok(())
    }

    /// Until `ahoyctl status` says so, or says nothing of the kind any more.
    fn until_status(&mut self, word: &str) -> Outcome {
        let mut last = String::new();
        for _ in 0..SOON.as_secs() * 2 {
            last = self.ana.ctl_says(&["status"])?;
            if last.contains(word) {
                return Ok(());
            }
            self.ana_hears.levels(Duration::from_millis(500))?;
        }
        anyhow::bail!("no {word} in {last}")
    }
}

/// What `ahoyctl doctor` finds of it.
fn doctor_says(desk: &Desk, verdict: &str) -> Outcome {
    let said = String::from_utf8(desk.ctl(&["doctor"], "")?.stdout)?;
    let line = said.lines().find(|line| line.contains("\treal-time\t")).unwrap_or_default();
    anyhow::ensure!(line.starts_with(verdict), "not {verdict}: {said}");
    Ok(())
}

#[derive(Debug)]
struct Thread {
    name: String,
    /// SCHED_RR is 2, with SCHED_RESET_ON_FORK not shown here.
    policy: u32,
    priority: u32,
    nice: i32,
}

impl Thread {
    fn is_real_time(&self) -> bool {
        self.policy == 2 && self.priority > 0
    }

    /// Its work is sound: the media thread, and those in which a sound server's blocks are served.
    fn serves_sound(&self) -> bool {
        ["media", "pipewire", "data-loop.0", "pulse"].contains(&self.name.as_str())
    }
}

/// The threads of a process, as the kernel says (proc(5), `stat`).
fn threads(pid: u32) -> Vec<Thread> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let stat = |task: fs::DirEntry| fs::read_to_string(task.path().join("stat")).ok();
    let thread = |stat: String| {
        let (head, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let name = head.split_once('(')?.1.to_owned();
        let number = |n: usize| fields.get(n).and_then(|field| field.parse::<i64>().ok());
        // After the name the fields begin with the third.
        Some(Thread {
            name,
            nice: number(19 - 3)?.try_into().ok()?,
            priority: number(40 - 3)?.try_into().ok()?,
            policy: number(41 - 3)?.try_into().ok()?,
        })
    };
    tasks.flatten().filter_map(stat).filter_map(thread).collect()
}

/// Whether this machine can play the system.
fn playable() -> bool {
    for needed in [RTKIT, POLKIT] {
        if !Path::new(needed).exists() {
            println!("SKIPPED: {needed} is not installed");
            return false;
        }
    }
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: a system bus of one's own needs root");
        return false;
    }
    true
}

async fn granted(server: &str, streams: usize) -> Outcome {
    if !playable() {
        return Ok(());
    }
    let mut call = Call::begin(server, Kit::Grants, None).await?;
    call.until("the media thread and the threads of both streams, and no other, are real-time", |threads| {
        let real_time = |thread: &&Thread| thread.is_real_time();
        threads.iter().filter(real_time).count() == 1 + streams
            && threads.iter().filter(real_time).all(Thread::serves_sound)
    })?;
    let pid = call.ana.pid().unwrap_or(0);
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let limit = limits.lines().find(|line| line.starts_with("Max realtime timeout")).unwrap_or_default();
    anyhow::ensure!(
        limit.contains("100000") && limit.contains("200000"),
        "a thread that runs away has no limit: {limit}"
    );
    call.starve()?;
    let status = call.ana.ctl_says(&["status"])?;
    anyhow::ensure!(!status.contains("problem"), "{status}");
    doctor_says(&call.ana, "ok\t")
}

#[tokio::test]
async fn on_pipewire_the_threads_of_sound_are_real_time_where_the_system_grants_it() -> Outcome {
    granted("pipewire", 2).await
}

#[tokio::test]
async fn on_pulseaudio_the_threads_of_sound_are_real_time_where_the_system_grants_it() -> Outcome {
    granted("pulse", 2).await
}

#[tokio::test]
async fn where_real_time_is_refused_a_high_priority_is_taken_and_a_person_who_hears_it_is_told() -> Outcome {
    if !playable() {
        return Ok(());
    }
    let mut call = Call::begin("pipewire", Kit::GrantsHigh, None).await?;
    call.until("the threads of sound have high priority", |threads| {
        let high: Vec<&Thread> = threads.iter().filter(|thread| thread.nice == -11).collect();
        high.len() == 3 && high.iter().all(|thread| thread.serves_sound() && !thread.is_real_time())
    })?;
    call.starve()?;
    call.until_status("gave it high priority")?;
    doctor_says(&call.ana, "warn\t")
}

#[tokio::test]
async fn where_all_is_refused_the_call_goes_on_as_it_is_and_the_next_one_asks_again() -> Outcome {
    if !playable() {
        return Ok(());
    }
    let mut call = Call::begin("pipewire", Kit::Refuses, None).await?;
    call.starve()?;
    call.until_status("refused it real-time priority")?;
    let plain = |thread: &Thread| thread.nice == 0 && !thread.is_real_time();
    anyhow::ensure!(threads(call.ana.pid().unwrap_or(0)).iter().all(plain), "nobody has what was refused");
    doctor_says(&call.ana, "warn\t")
}

#[tokio::test]
async fn where_nobody_gives_priority_the_call_goes_on_as_it_is() -> Outcome {
    if !playable() {
        return Ok(());
    }
    let mut call = Call::begin("pipewire", Kit::Absent, None).await?;
    call.starve()?;
    call.until_status("rtkit would")?;
    doctor_says(&call.ana, "warn\t")
}

#[tokio::test]
async fn a_thread_that_runs_away_is_made_ordinary_and_the_daemon_lives() -> Outcome {
    if !playable() {
        return Ok(());
    }
    let mut call = Call::begin("pipewire", Kit::Grants, Some(&daemon_with_failpoints())).await?;
    call.until("the media thread is real-time", |threads| {
        threads.iter().any(|thread| thread.name == "media" && thread.is_real_time())
    })?;
    let pid = call.ana.pid();
    fs::write(call.ana.runtime_folder().join("ahoy-failpoint"), "run-away")?;
    call.until("every thread is ordinary again", |threads| !threads.iter().any(Thread::is_real_time))?;
    call.until_status("computed without a pause")?;
    let ended = call.ana.daemon()?.1;
    anyhow::ensure!(ended.is_none() && call.ana.pid() == pid, "the daemon lives: {ended:?}");
    Ok(call.ana_hears.until_tone(BEN, SOON).map(drop)?)
}
