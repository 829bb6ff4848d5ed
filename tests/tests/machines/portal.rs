//! A network that wants one to log in first.
//!
//! Lives here: who answers everything with a page.
//! Must not: know what is asked.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use ahoy_tests::lab::{Net, Running};

const PORTAL: &str = "
import socketserver, sys
class Portal(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip(): pass
        self.wfile.write(b'HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nContent-Length: 26\\r\\n\\r\\n<html>Please log in</html>')
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.daemon_threads = True
with socketserver.ThreadingTCPServer(('127.0.0.1', int(sys.argv[1])), Portal) as portal:
    print('open', flush=True)
    portal.serve_forever()";

/// Who answers everything that comes to that port with a page to log in.
pub(crate) fn portal(net: &Net, port: u16) -> io::Result<Running> {
    let mut command = net.command(Path::new("python3"));
    command.args(["-c", PORTAL, &port.to_string()]).stdout(Stdio::piped());
    let mut portal = Running::start(&mut command)?;
    let mut line = String::new();
    let printed = portal.child().stdout.take().ok_or_else(|| io::Error::other("the portal's output"))?;
    BufReader::new(printed).read_line(&mut line)?;
    if line.trim() == "open" { Ok(portal) } else { Err(io::Error::other("the portal does not open")) }
}
