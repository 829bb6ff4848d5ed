//! The same work done by baresip, where it is installed: encrypted Opus calls of 32 kbit/s between two of it.
//!
//! Lives here: its configuration, and its memory and processor time, idle and in a call.
//! Must not: be taken for a measure of baresip beyond that: it has no bus and no history here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ahoy_tests::lab::{Desk, Net, Running};
use anyhow::Context as _;

use crate::figure::{Figure, Sheet, tell};
use crate::process::{pss_mib, watch};
use crate::sound::{Ears, Mouth};
use crate::time::{PATIENCE, now, pause};

const PROGRAM: &str = "/usr/bin/baresip";
const MODULES: &str = "/usr/lib/baresip/modules";
const HOST: &str = "10.99.0.1";
/// Each takes the next port too, for TLS.
const PORTS: [u16; 2] = [5060, 5070];
const TONES: [f64; 2] = [2000.0, 3000.0];
const WATCHED: Duration = Duration::from_secs(20);

pub(crate) async fn measure(sheet: &mut Sheet) -> anyhow::Result<()> {
    if !Path::new(PROGRAM).exists() || !Path::new(MODULES).exists() {
        tell("SKIPPED: baresip is not installed (Debian: baresip-core libasound2-plugins)");
        return Ok(());
    }
    let net = Net::new()?;
    // It does not use a loopback interface.
    for words in [
        &["link", "add", "bench0", "type", "veth", "peer", "name", "bench1"][..],
        &["addr", "add", "10.99.0.1/24", "dev", "bench0"],
        &["link", "set", "bench1", "up"],
        &["link", "set", "bench0", "up"],
    ] {
        let done = net.command(Path::new("ip")).args(words).status()?;
        anyhow::ensure!(done.success(), "ip {words:?}");
    }
    let desks = [Desk::prepare("Ana", "ws://127.0.0.1:1")?, Desk::prepare("Ben", "ws://127.0.0.1:1")?];
    let mut phones = Vec::new();
    for (n, desk) in desks.iter().enumerate() {
        desk.begin("sound")?;
        phones.push(Phone::start(desk, &net, n, None)?);
    }
    pause(Duration::from_secs(4)).await;
    let [ana, ben] = [phones[0].pid(), phones[1].pid()];
    let spent = watch(ana, WATCHED).await?;
    sheet.put(&Figure::one("idle_pss_mib", "baresip", "MiB", pss_mib(ana)?))?;
    sheet.put(&Figure::one("idle_switches_per_s", "baresip", "1/s", spent.switches_per_s))?;
    sheet.put(&Figure::one("idle_cpu_s_per_min", "baresip", "s/min", spent.cpu_s_per_min))?;

    // The first is begun anew, with the order to call the second.
    phones.remove(0);
    let ana = Phone::start(&desks[0], &net, 0, Some(&format!("/dial sip:someone@{HOST}:{}", PORTS[1])))?;
    let _mouths = [Mouth::open(&desks[0], TONES[0])?, Mouth::open(&desks[1], TONES[1])?];
    let mut ears = [Ears::open(&desks[0], "speaker.monitor")?, Ears::open(&desks[1], "speaker.monitor")?];
    let began = now();
    let heard = loop {
        pause(Duration::from_millis(500)).await;
        let both = [(0, TONES[1]), (1, TONES[0])];
        if both.into_iter().all(|(ear, tone)| ears[ear].recording().onset(tone, began, now()).is_some()) {
            break true;
        }
        if began.elapsed() > PATIENCE {
            break false;
        }
    };
    anyhow::ensure!(heard, "two of baresip do not hear each other:\n{}", ana.log());
    drop(ears);
    pause(Duration::from_secs(5)).await;
    let spent = watch(ben, WATCHED).await?;
    sheet.put(&Figure::one("call_pss_mib", "baresip", "MiB", pss_mib(ben)?))?;
    sheet.put(&Figure::one("call_cpu_s_per_min", "baresip", "s/min", spent.cpu_s_per_min))?;
    sheet.put(&Figure::one("call_switches_per_s", "baresip", "1/s", spent.switches_per_s))
}

struct Phone {
    running: Running,
    log: PathBuf,
}

impl Phone {
    /// Runs a copy of the program, as our own second daemon does.
    fn start(desk: &Desk, net: &Net, n: usize, order: Option<&str>) -> anyhow::Result<Self> {
        let folder = desk.folder().join("baresip");
        fs::create_dir_all(&folder)?;
        let program = folder.join("baresip");
        if !program.exists() {
            fs::copy(PROGRAM, &program).context("copying baresip")?;
        }
        let port = PORTS[n];
        fs::write(folder.join("config"), config(port))?;
        fs::write(
            folder.join("accounts"),
            format!(
                "<sip:someone@{HOST}:{port}>;regint=0;audio_codecs=opus/48000/1;mediaenc=dtls_srtp;medianat=ice;answermode=auto\n"
            ),
        )?;
        fs::write(folder.join("contacts"), "")?;
        let log = folder.join("log");
        let out = fs::File::create(&log)?;
        let mut command = desk.command(net, &program);
        command.arg("-f").arg(&folder).args(order.map(|order| ["-e", order]).into_iter().flatten());
        let running = Running::start(command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out))?;
        Ok(Self { running, log })
    }

    fn pid(&mut self) -> u32 {
        self.running.child().id()
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.chars().rev().take(2000).collect::<Vec<_>>().into_iter().rev().collect()
    }
}

fn config(port: u16) -> String {
    let media = port * 2;
    format!(
        "poll_method epoll\nsip_listen {HOST}:{port}\nnet_interface bench0\nrtp_ports {media}-{}\n\
         audio_player alsa,pulse\naudio_source alsa,pulse\naudio_alert alsa,pulse\n\
         module_path {MODULES}\nmodule opus.so\nmodule alsa.so\nmodule dtls_srtp.so\nmodule ice.so\n\
         module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\n\
         opus_bitrate 32000\nopus_stereo no\nopus_sprop_stereo no\nopus_inbandfec yes\nopus_packet_loss 10\n",
        media + 18
    )
}
