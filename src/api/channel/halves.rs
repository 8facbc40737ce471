//! The two directions of a channel.

use super::End;
use crate::api::{Error, Peer};
use crate::driver::{ChannelMessage, Failure, Message};
use crate::host::Output;
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};

/// SDUs that a writer has handed on and that are not on their way yet.
const WRITES: usize = 4;

type Sent = oneshot::Receiver<Result<Output, Failure>>;

/// What a peer sends on a [`Channel`](super::Channel).
#[derive(Debug)]
pub struct ChannelReader {
    pub(super) end: Arc<End>,
    sdus: mpsc::Receiver<Bytes>,
    /// Of the SDU that a read has begun.
    rest: Bytes,
}

/// What goes to the peer on a [`Channel`](super::Channel).
#[derive(Debug)]
pub struct ChannelWriter {
    end: Arc<End>,
    writing: VecDeque<Sent>,
    closing: Option<Sent>,
}

impl ChannelReader {
    pub(super) fn new(end: Arc<End>, sdus: mpsc::Receiver<Bytes>) -> Self {
        Self { end, sdus, rest: Bytes::new() }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.end.peer
    }

    /// As [`Channel::receive`](super::Channel::receive).
    ///
    /// # Cancel safety
    /// Cancel safe: no SDU is lost.
    pub async fn receive(&mut self) -> Option<Bytes> {
        if !self.rest.is_empty() {
            return Some(std::mem::take(&mut self.rest));
        }
        poll_fn(|context| self.poll_sdu(context)).await
    }

    fn poll_sdu(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let sdu = ready!(self.sdus.poll_recv(context));
        let state = &self.end.state;
        if sdu.is_some() && state.waiting.swap(false, Ordering::SeqCst) {
            let (connection, key) = (state.connection, state.key);
            self.end.peer.shared().tell(Message::Channel(ChannelMessage::Room { connection, key }));
        }
        Poll::Ready(sdu)
    }
}

/// The end of the stream is the end of the channel by either side; any other end is an error.
impl AsyncRead for ChannelReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // An empty SDU is no end of the stream.
        while self.rest.is_empty() {
            match ready!(self.poll_sdu(context)) {
                Some(sdu) => self.rest = sdu,
                None => return Poll::Ready(self.end.end_of_stream()),
            }
        }
        let length = buffer.remaining().min(self.rest.len());
        buffer.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl ChannelWriter {
    pub(super) fn new(end: Arc<End>) -> Self {
        Self { end, writing: VecDeque::new(), closing: None }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.end.peer
    }

    /// As [`Channel::mtu`](super::Channel::mtu).
    pub fn mtu(&self) -> u16 {
        self.end.mtu()
    }

    /// As [`Channel::send`](super::Channel::send).
    ///
    /// # Errors
    /// As [`Channel::send`](super::Channel::send).
    ///
    /// # Cancel safety
    /// The SDU is sent whole or not at all.
    pub async fn send(&self, sdu: impl Into<Bytes>) -> Result<(), Error> {
        let sent = self.end.peer.shared().submit(self.end.send(sdu.into())).await;
        sent.map(drop).map_err(|failure| self.end.error("sending", failure))
    }

    /// Waits until no more than so many writes are not on their way.
    fn poll_writes(&mut self, context: &mut Context<'_>, left: usize) -> Poll<io::Result<()>> {
        while let Some(first) = self.writing.front_mut() {
            let sent = match Pin::new(first).poll(context) {
                Poll::Ready(sent) => sent,
                Poll::Pending if self.writing.len() <= left => break,
                Poll::Pending => return Poll::Pending,
            };
            self.writing.pop_front();
            if let Err(failure) = sent.unwrap_or_else(|_| Err(self.end.peer.shared().failure())) {
                // Those behind it fail for the same reason.
                self.writing.clear();
                return Poll::Ready(Err(self.end.io_error("writing", failure)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A write takes at most one SDU; a few may be under way, and [`flush`](tokio::io::AsyncWriteExt::flush) waits for them.
impl AsyncWrite for ChannelWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_writes(context, WRITES - 1))?;
        let sdu = &octets[..octets.len().min(usize::from(self.end.mtu()))];
        if !sdu.is_empty() {
            let sent = self.end.submit(self.end.send(Bytes::copy_from_slice(sdu)));
            self.writing.push_back(sent);
        }
        Poll::Ready(Ok(sdu.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_writes(context, 0)
    }

    /// Sends what was written, then closes the channel, both ways, and waits until the peer has confirmed.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_writes(context, 0))?;
        let this = &mut *self;
        let closing = this.closing.get_or_insert_with(|| this.end.submit(this.end.close_request()));
        // Whatever came of it, it is over.
        let _ = ready!(Pin::new(closing).poll(context));
        this.closing = None;
        Poll::Ready(Ok(()))
    }
}
