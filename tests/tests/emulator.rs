//! Does the network emulator do to real packets what it says?
//!
//! Lives here: two hosts in networks of their own, and what they count themselves.
//! Must not: look into the emulator: its model is tested beside it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};

/// Prints how late each datagram came that `SEND` has sent, in microseconds, one clock for both.
const RECEIVE: &str = "
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('10.78.0.2', 9000))
print('bound', flush=True)
while (data := s.recv(2000))[0] != 0x45:
    print(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000 - int.from_bytes(data[1:9], 'big'), flush=True)
";
const SEND: &str = "
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(int(sys.argv[1])):
    at = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    s.sendto(b'D' + at.to_bytes(8, 'big') + bytes(91), ('10.78.0.2', 9000))
    time.sleep(float(sys.argv[2]))
";
/// Ten by one socket, five before it is told to go on and five after, and then five by another one.
const TWICE: &str = "
import socket, sys, time
def send(s):
    for n in range(5):
        s.sendto(b'D' + (time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000).to_bytes(8, 'big'), ('10.78.0.2', 9000))
one, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
send(one)
print('sent', flush=True)
sys.stdin.readline()
send(one)
send(other)
";
const END: &str = "
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'E', ('10.78.0.2', 9000))
";

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A shell in a network of its own makes two more, for the hosts, and starts the emulator.
struct Lab {
    _shell: Running,
    asks: ChildStdin,
    says: BufReader<ChildStdout>,
    hosts: [u32; 2],
    _place: tempfile::TempDir,
    log: std::path::PathBuf,
}

impl Lab {
    fn new() -> anyhow::Result<Self> {
        let place = tempfile::tempdir()?;
        let log = place.path().join("packets");
        let script = "
            unshare --net sh -c 'ip link set lo up; echo up; exec tail -f /dev/null' & a=$!
            unshare --net sh -c 'ip link set lo up; echo up; exec tail -f /dev/null' & b=$!
            trap 'kill $a $b' EXIT
            echo $a; echo $b
            read go
            \"$0\" --seed 5 --log \"$1\" a=$a:10.78.0.1 b=$b:10.78.0.2";
        let own: &[&str] = if root() { &[] } else { &["--map-root-user"] };
        let mut command = Command::new("unshare");
        command.args(own).args(["--net", "sh", "-c", script, env!("CARGO_BIN_EXE_emulator")]).arg(&log);
        let mut shell = Running(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let mut asks = shell.0.stdin.take().context("input")?;
        let mut says = BufReader::new(shell.0.stdout.take().context("output")?);
        let (mut up, mut hosts) = (0, Vec::new());
        while up < 2 || hosts.len() < 2 {
            match line(&mut says)?.as_str() {
                "up" => up += 1,
                pid => hosts.push(pid.parse()?),
            }
        }
        writeln!(asks, "go")?;
        ensure!(line(&mut says)? == "ready", "the emulator starts");
        let hosts = [hosts[0], hosts[1]];
        Ok(Self { _shell: shell, asks, says, hosts, _place: place, log })
    }

    fn command(&mut self, words: &str) -> anyhow::Result<()> {
        writeln!(self.asks, "{words}")?;
        let said = line(&mut self.says)?;
        ensure!(said == "ok", "{words}: {said}");
        Ok(())
    }

    fn python(&self, host: usize, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.hosts[host].to_string()]);
        command.args(if root() { &[][..] } else { &["--user", "--preserve-credentials"] });
        command.args(["--net", "--", "python3", "-c", script]);
        command
    }

    /// Sends datagrams of 128 bytes at IP from the first host to the second: how late those were that came, in milliseconds.
    fn send(&mut self, condition: &str, count: u32, gap: f64) -> anyhow::Result<Vec<f64>> {
        let (_receiver, heard) = self.receive()?;
        self.command("seed 5")?;
        self.command(&format!("set * {condition}"))?;
        let sent = self.python(0, SEND).args([count.to_string(), gap.to_string()]).status()?;
        ensure!(sent.success(), "all is sent");
        self.command("set * clean")?;
        self.end(heard)
    }

    fn receive(&self) -> anyhow::Result<(Running, BufReader<ChildStdout>)> {
        let mut receiver = Running(self.python(1, RECEIVE).stdout(Stdio::piped()).spawn()?);
        let mut heard = BufReader::new(receiver.0.stdout.take().context("output")?);
        ensure!(line(&mut heard)? == "bound", "the receiver starts");
        Ok((receiver, heard))
    }

    /// How late those were that came.
    fn end(&self, heard: BufReader<ChildStdout>) -> anyhow::Result<Vec<f64>> {
        // It keeps the order, so this comes last.
        ensure!(self.python(0, END).status()?.success(), "the end is sent");
        heard.lines().map(|line| Ok(line?.parse::<f64>()? / 1000.0)).collect()
    }

    /// How many of `TWICE` come when the link is cut in the middle.
    fn cut(&mut self) -> anyhow::Result<usize> {
        let (_receiver, heard) = self.receive()?;
        let mut command = self.python(0, TWICE);
        let mut sender = Running(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let mut said = BufReader::new(sender.0.stdout.take().context("output")?);
        ensure!(line(&mut said)? == "sent", "the first five are sent");
        self.command("cut a>b")?;
        drop(sender.0.stdin.take());
        ensure!(sender.0.wait()?.success(), "all is sent");
        Ok(self.end(heard)?.len())
    }

    /// What the log says of the datagrams of `SEND`: how many were sent, and how many arrived.
    fn logged(&mut self) -> anyhow::Result<(usize, usize)> {
        self.command("flush")?;
        let rows: Vec<String> = BufReader::new(File::open(&self.log)?).lines().collect::<Result<_, _>>()?;
        let ours = rows.iter().filter(|row| row.contains(" a>b 128 100 44"));
        Ok((ours.clone().count(), ours.filter(|row| row.contains(" delivered ")).count()))
    }
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

fn line(from: &mut BufReader<ChildStdout>) -> anyhow::Result<String> {
    let mut text = String::new();
    from.read_line(&mut text)?;
    Ok(text.trim().to_owned())
}

#[test]
fn real_packets_meet_what_the_emulator_says() -> anyhow::Result<()> {
    if OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_err() {
        println!("SKIPPED: /dev/net/tun cannot be opened here");
        return Ok(());
    }
    let mut lab = Lab::new()?;
    let late = lab.send("clean", 200, 0.001)?;
    assert_eq!(late.len(), 200, "a clean line loses nothing");

    let late = lab.send("delay=30ms jitter=20ms loss=10", 1000, 0.001)?;
    assert!(late.iter().all(|ms| *ms >= 30.0), "none comes before its time");
    assert!(late.iter().any(|ms| *ms >= 45.0), "some come much later");
    let lost = 1000 - late.len();
    assert!((60..140).contains(&lost), "{lost} of 1000 were lost at 10 %");
    assert_eq!(lab.logged()?, (1200, 200 + late.len()), "the log tells what came");

    // 1000 x 128 bytes would take 16 s at this rate; sent within 1 s or so, most find the queue full.
    let late = lab.send("rate=64kbit queue=200ms", 1000, 0.0005)?;
    let most = late.iter().fold(0.0_f64, |most, ms| most.max(*ms));
    assert!(most >= 200.0, "the last one that was let in waited for its turn: {most} ms");
    assert!((12..200).contains(&late.len()), "{} came", late.len());

    assert_eq!(lab.send("down", 50, 0.001)?.len(), 0, "nothing passes a link that is down");
    assert_eq!(lab.cut()?, 10, "after a cut only what begins anew passes");
    Ok(())
}
