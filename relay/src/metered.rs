//! A socket that is read at the pace of its address.
//!
//! Lives here: `Metered`. It counts bytes below TLS and WebSocket, so that nothing that comes is free: no ping, no piece
//! of a message, no handshake.
//! Must not: know what the bytes are.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::budgets;
use crate::clock;
use crate::load::Load;
use crate::pace::Pace;

/// One client's socket.
pub(crate) struct Metered {
    tcp: TcpStream,
    pace: Pace,
    load: Arc<Load>,
    wait: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Metered {
    pub(crate) fn new(tcp: TcpStream, pace: Pace, load: Arc<Load>) -> Self {
        Self { tcp, pace, load, wait: None }
    }

    /// Waits until the client has said something. False: it has said nothing, and is gone.
    pub(crate) async fn first_bytes(&mut self) -> bool {
        matches!(self.tcp.peek(&mut [0; 1]).await, Ok(1..))
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            match self.pace.wait(clock::now()) {
                Some(until) => self.wait = Some(Box::pin(clock::sleep_until(until))),
                None => break,
            }
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buf))?;
        let bytes = buf.filled().len() - before;
        self.load.read(bytes);
        self.pace.took(clock::now(), budgets::READ + u64::try_from(bytes).unwrap_or(u64::MAX));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}
