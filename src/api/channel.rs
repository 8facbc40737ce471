//! Credit-based channels: streams of octets, or of SDUs, beside the attributes of a link.

mod halves;
mod listener;

pub use halves::{ChannelReader, ChannelWriter};
pub use listener::ChannelListener;

use super::{Error, Peer};
use crate::driver::{ChannelEnd, ChannelMessage, ChannelState, Failure, Message, Pending};
use crate::host::{ChannelError, ChannelRequest, OpError, Output, Request};
use crate::l2cap::credit::{ChannelOptions, CloseReason, OpenFailure, SendError};
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// A credit-based channel of a link ([Vol 3] Part A, 10), opened by [`Peer::open_channel`] or by the peer
/// ([`Adapter::listen`](super::Adapter::listen)).
///
/// It carries SDUs: messages with a length of their own, up to [`mtu`](Self::mtu), whole and in order.
/// [`send`](Self::send) and [`receive`](Self::receive) keep them apart; as [`AsyncRead`] and [`AsyncWrite`] the channel
/// is a stream of octets, in which a write is one SDU or several and a read does not tell where one ends.
///
/// Nothing is lost and nothing grows: a reader that does not read leaves the peer without credits, and a peer that gives
/// none keeps the writer waiting.
///
/// A channel has one end, not one for each direction: whoever closes it ends both. Dropping it closes it at once, and
/// what was not sent yet never is; [`shutdown`](tokio::io::AsyncWriteExt::shutdown) sends everything first. As long as
/// there is a channel, its link stays up.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), baretooth::Error> {
/// use baretooth::{Adapter, ChannelOptions, sim::demo};
/// let adapter = Adapter::open("sim").await?;
/// let peer = adapter.connect(demo::ECHO_ADDRESS).await?;
/// // This device has no channels, and says so.
/// let refused = peer.open_channel(0x0080, ChannelOptions::default()).await.expect_err("no channel");
/// assert_eq!(refused.kind(), baretooth::ErrorKind::Channel);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Channel {
    reader: ChannelReader,
    writer: ChannelWriter,
}

/// What both halves share; the channel is closed with the last of them.
#[derive(Debug)]
struct End {
    peer: Peer,
    spsm: u16,
    state: Arc<ChannelState>,
}

impl Peer {
    /// Opens a channel for an SPSM, 0x0001 to 0x00FF: those below 0x0080 are assigned, the others are found out by
    /// other means, GATT for example ([Vol 3] Part A, 4.22).
    ///
    /// # Errors
    /// [`Error::Channel`] when the peer refuses or does not answer in 20 s, [`Error::Invalid`] for an SPSM or options
    /// that the specification does not allow.
    ///
    /// # Cancel safety
    /// Dropping the future closes a channel that comes of it all the same.
    pub async fn open_channel(&self, spsm: u16, options: ChannelOptions) -> Result<Channel, Error> {
        let connection = self.state().connection;
        let request = ChannelRequest::Open { connection, spsm, options };
        let operation = || format!("opening a channel for SPSM 0x{spsm:04x} of {}", self.address());
        let opened = self.open(request).await.map_err(|failure| self.error(operation(), failure))?;
        match opened.into_iter().next() {
            Some(Ok(end)) => Ok(Channel::new(self.clone(), spsm, end)),
            _ => Err(Error::of(operation(), Failure::Closed)),
        }
    }

    /// Opens 1 to 5 enhanced channels in one request, and returns what became of each. Their MTU and MPS are 64 or more.
    ///
    /// # Errors
    /// As [`open_channel`](Self::open_channel); a channel that the peer refuses is an error in the list.
    ///
    /// # Cancel safety
    /// As [`open_channel`](Self::open_channel).
    pub async fn open_channels(
        &self,
        spsm: u16,
        options: ChannelOptions,
        count: usize,
    ) -> Result<Vec<Result<Channel, Error>>, Error> {
        let connection = self.state().connection;
        let request = ChannelRequest::OpenEnhanced { connection, spsm, options, count };
        let operation = || format!("opening channels for SPSM 0x{spsm:04x} of {}", self.address());
        let opened = self.open(request).await.map_err(|failure| self.error(operation(), failure))?;
        let channel = |end: Result<ChannelEnd, OpenFailure>| match end {
            Ok(end) => Ok(Channel::new(self.clone(), spsm, end)),
            Err(failure) => Err(Error::Channel { operation: operation(), source: failure.into() }),
        };
        Ok(opened.into_iter().map(channel).collect())
    }

    async fn open(&self, request: ChannelRequest) -> Result<Vec<Result<ChannelEnd, OpenFailure>>, Failure> {
        self.reach_level().await?;
        let (reply, opened) = oneshot::channel();
        let (shared, connection) = (self.shared(), self.state().connection);
        let ticket = shared.ticket();
        shared.tell(Message::Channel(ChannelMessage::Open { ticket, connection, request, reply }));
        Pending::new(shared, ticket, opened).until(self.cancel.as_ref()).await
    }
}

impl Channel {
    fn new(peer: Peer, spsm: u16, ChannelEnd { state, sdus }: ChannelEnd) -> Self {
        let end = Arc::new(End { peer: peer.lasting(), spsm, state });
        Self { reader: ChannelReader::new(end.clone(), sdus), writer: ChannelWriter::new(end) }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.reader.end.peer
    }

    /// What it is for.
    pub fn spsm(&self) -> u16 {
        self.reader.end.spsm
    }

    /// The longest SDU that the peer takes. A peer may raise that of an enhanced channel.
    pub fn mtu(&self) -> u16 {
        self.reader.end.mtu()
    }

    /// Sends an SDU: resolves when all of it is on its way, which waits for credits of the peer. Those of several calls
    /// go in the order in which the calls were made first polled.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one longer than [`mtu`](Self::mtu), [`Error::Channel`] when the channel is over,
    /// [`Error::Disconnected`] when the link is.
    ///
    /// # Cancel safety
    /// The SDU is sent whole or not at all.
    pub async fn send(&self, sdu: impl Into<Bytes>) -> Result<(), Error> {
        self.writer.send(sdu).await
    }

    /// The next SDU; `None` when the channel is over and everything was read. After a read as a stream that has taken
    /// a part of an SDU, what is left of it.
    ///
    /// # Cancel safety
    /// Cancel safe: no SDU is lost.
    pub async fn receive(&mut self) -> Option<Bytes> {
        self.reader.receive().await
    }

    /// Lets the peer send longer SDUs, not less than before, and other K-frames: for enhanced channels
    /// ([Vol 3] Part A, 4.27).
    ///
    /// # Errors
    /// [`Error::Invalid`] for another channel or other sizes, [`Error::Channel`] when the peer refuses.
    ///
    /// # Cancel safety
    /// Dropping the future loses the result.
    pub async fn reconfigure(&self, mtu: u16, mps: u16) -> Result<(), Error> {
        let end = &self.reader.end;
        let (connection, channels) = (end.state.connection, vec![end.state.key]);
        let request = ChannelRequest::Reconfigure { connection, channels, mtu, mps };
        let done = end.peer.shared().submit(Request::Channel(request)).await;
        done.map(drop).map_err(|failure| end.error("reconfiguring", failure))
    }

    /// Closes it at once: what waits to be sent or read is dropped. Waits until the peer has confirmed. A channel that
    /// is over is no error.
    ///
    /// # Cancel safety
    /// It is closed all the same.
    pub async fn close(&self) {
        self.reader.end.close().await;
    }

    /// Waits until the channel is over, and says why. There may still be something to read.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> CloseReason {
        self.reader.end.closed().await
    }

    /// Why the channel is over, if it is.
    pub fn close_reason(&self) -> Option<CloseReason> {
        *self.reader.end.state.closed.borrow()
    }

    /// Two halves, for two tasks. The channel is closed when both are dropped.
    pub fn into_split(self) -> (ChannelReader, ChannelWriter) {
        (self.reader, self.writer)
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(context)
    }
}

impl End {
    fn mtu(&self) -> u16 {
        self.state.mtu.load(Ordering::Relaxed)
    }

    /// Hands an SDU to the host; the answer comes when it is on its way.
    fn send(&self, sdu: Bytes) -> Request {
        let ChannelState { connection, key, .. } = *self.state;
        Request::Channel(ChannelRequest::Send { connection, channel: key, sdu })
    }

    fn close_request(&self) -> Request {
        let ChannelState { connection, key, .. } = *self.state;
        Request::Channel(ChannelRequest::Close { connection, channel: key })
    }

    /// Submits a request that goes on when nobody waits for it.
    fn submit(&self, request: Request) -> oneshot::Receiver<Result<Output, Failure>> {
        let (reply, result) = oneshot::channel();
        let shared = self.peer.shared();
        shared.tell(Message::Submit { ticket: shared.ticket(), request, reply });
        result
    }

    async fn close(&self) {
        // Whatever comes of it, it is over.
        let _ = self.submit(self.close_request()).await;
    }

    async fn closed(&self) -> CloseReason {
        let mut closed = self.state.closed.subscribe();
        let reason = closed.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
        reason.unwrap_or(CloseReason::LinkLost)
    }

    /// A request that came too late fails with the reason for which the channel is over.
    fn error(&self, doing: &str, failure: Failure) -> Error {
        let operation =
            format!("{doing} on the channel for SPSM 0x{:04x} of {}", self.spsm, self.peer.address());
        let late = matches!(
            failure,
            Failure::Op(OpError::NotConnected | OpError::Channel(ChannelError::Send(SendError::NotOpen)))
        );
        match *self.state.closed.borrow() {
            Some(CloseReason::LinkLost) if late => self.peer.end(operation),
            Some(reason) if late => Error::Channel { operation, source: ChannelError::Closed(reason) },
            _ => self.peer.error(operation, failure),
        }
    }

    /// Why there is nothing more to read, unless it was meant so.
    fn end_of_stream(&self) -> io::Result<()> {
        match *self.state.closed.borrow() {
            Some(CloseReason::Local | CloseReason::Peer) => Ok(()),
            _ => Err(self.io_error("reading", Failure::Op(OpError::NotConnected))),
        }
    }

    fn io_error(&self, doing: &str, failure: Failure) -> io::Error {
        let error = self.error(doing, failure);
        let kind = match &error {
            Error::Channel {
                source: ChannelError::Closed(CloseReason::Local | CloseReason::Peer), ..
            } => io::ErrorKind::BrokenPipe,
            Error::Channel { .. } => io::ErrorKind::InvalidData,
            Error::Disconnected { .. } | Error::Transport { .. } => io::ErrorKind::ConnectionReset,
            Error::Closed { .. } => io::ErrorKind::NotConnected,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let ChannelState { connection, key, .. } = *self.state;
        self.peer.shared().tell(Message::Channel(ChannelMessage::Release { connection, key }));
    }
}
