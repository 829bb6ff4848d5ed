//! The line to the other program: a page over HTTP, then one WebSocket with words of JSON.
//!
//! Lives here: the server, for one program at a time on this machine, and what is said and heard.
//! Must not: know what a word means.

use std::time::Duration;

use ahoyd::system::clock;
use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const PAGE: &str = include_str!("page.html");
/// A browser that has never run on this machine takes a while.
const BEGINS_WITHIN: Duration = Duration::from_secs(90);

/// Where the other program finds us.
pub(crate) struct Server {
    listener: TcpListener,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) async fn begin() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listening")?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Gives out the page until somebody opens a WebSocket.
    pub(crate) async fn wait(&self) -> anyhow::Result<Wire> {
        clock::timeout(BEGINS_WITHIN, async {
            loop {
                let (mut stream, _) = self.listener.accept().await?;
                let mut begin = vec![0; 2048];
                let read = stream.peek(&mut begin).await?;
                let begin = String::from_utf8_lossy(&begin[..read]).to_lowercase();
                if begin.contains("upgrade: websocket") {
                    return Ok(Wire(tokio_tungstenite::accept_async(stream).await?));
                }
                let found = begin.starts_with("get / ");
                let (status, body) = if found { ("200 OK", PAGE) } else { ("404 Not Found", "") };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                // One that goes away early comes again.
                let _gone = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        })
        .await
        .context("the other program did not begin")?
    }
}

/// The line itself.
pub(crate) struct Wire(WebSocketStream<TcpStream>);

impl Wire {
    pub(crate) async fn say(&mut self, word: &Value) -> anyhow::Result<()> {
        self.0.send(Message::text(word.to_string())).await.context("the other program is gone")
    }

    /// The next word. May be given up at any time.
    pub(crate) async fn hear(&mut self) -> anyhow::Result<Value> {
        loop {
            match self.0.next().await.context("the other program is gone")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(_) => bail!("the other program closed the line"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}
