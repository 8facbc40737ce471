//! The body of every transport that is a stream of octets in H4 form: TCP, unix sockets, serial ports, pipes.
//!
//! Many packets per read and per write; no packet is copied.

use crate::{H4, HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx};
use bytes::Buf;
use std::{io, sync::Arc};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

/// H4 over a reader and a writer.
///
/// The writer must not hold octets back: nothing here flushes it.
///
/// ```
/// use baretooth_transports::{HciPacket, SendQueue, Stream, Transport, TransportRx, TransportTx};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (near, far) = tokio::io::duplex(64);
/// let (_, mut tx) = Stream::new(near, "near").split();
/// let (mut rx, _) = Stream::new(far, "far").split();
/// let reset = HciPacket::command(0x0C03, &[])?;
/// tx.send(&mut SendQueue::from(reset.clone())).await?;
/// assert_eq!(rx.recv().await?, reset);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Stream<R, W> {
    pub(crate) reader: R,
    writer: W,
    name: Arc<str>,
    /// What the end of the stream means.
    end: TransportError,
}

impl<S: AsyncRead + AsyncWrite> Stream<ReadHalf<S>, WriteHalf<S>> {
    /// Both directions of `io`; `name` is what messages call it.
    pub fn new(io: S, name: impl Into<Arc<str>>) -> Self {
        let (reader, writer) = tokio::io::split(io);
        Self::from_halves(reader, writer, name)
    }
}

impl<R, W> Stream<R, W> {
    /// Two directions that are apart already, as pipes and sockets can be; `name` is what messages call them.
    pub fn from_halves(reader: R, writer: W, name: impl Into<Arc<str>>) -> Self {
        Self { reader, writer, name: name.into(), end: TransportError::Closed }
    }

    /// Ends with `end` rather than [`TransportError::Closed`].
    #[cfg(feature = "uart")]
    pub(crate) fn ending_with(self, end: TransportError) -> Self {
        Self { end, ..self }
    }
}

impl<R, W> Transport for Stream<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Rx = StreamRx<R>;
    type Tx = StreamTx<W>;

    fn split(self) -> (Self::Rx, Self::Tx) {
        let Self { reader, writer, name, end } = self;
        let rx = StreamRx { reader, h4: H4::default(), name: name.clone(), end: end.clone(), failure: None };
        (rx, StreamTx { writer, name, end, failure: None })
    }

    fn description(&self) -> String {
        self.name.to_string()
    }
}

/// The receiving half of a [`Stream`].
#[derive(Debug)]
pub struct StreamRx<R> {
    reader: R,
    h4: H4,
    name: Arc<str>,
    end: TransportError,
    failure: Option<TransportError>,
}

impl<R: AsyncRead + Send + Unpin + 'static> TransportRx for StreamRx<R> {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        loop {
            if let Some(packet) = self.h4.next()? {
                return Ok(packet);
            }
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            let buffer = self.h4.buffer();
            // A slow stream fills one allocation with many reads; a fast one gets a whole one for each.
            if buffer.capacity() - buffer.len() < SMALLEST_READ {
                buffer.reserve(LARGEST_READ);
            }
            // `read_buf` is cancel safe: what it has read is in the buffer.
            match self.reader.read_buf(buffer).await {
                Ok(0) => self.failure = Some(self.end.clone()),
                Ok(_) => {}
                Err(error) => self.failure = Some(failure("reading from", &self.name, &self.end, error)),
            }
        }
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        // A desync is final: `recv` reports it.
        self.h4.next().ok().flatten()
    }
}

/// The sending half of a [`Stream`].
#[derive(Debug)]
pub struct StreamTx<W> {
    writer: W,
    name: Arc<str>,
    end: TransportError,
    failure: Option<TransportError>,
}

impl<W: AsyncWrite + Send + Unpin + 'static> TransportTx for StreamTx<W> {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        while queue.has_remaining() {
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            // `write_buf` is cancel safe: it writes once, then takes what was written out of the queue.
            match self.writer.write_buf(queue).await {
                Ok(0) => self.failure = Some(self.end.clone()),
                Ok(_) => {}
                Err(error) => self.failure = Some(failure("writing to", &self.name, &self.end, error)),
            }
        }
        Ok(())
    }
}

/// An error of the reader or writer; `end` where it says that the stream has ended.
fn failure(operation: &'static str, name: &str, end: &TransportError, error: io::Error) -> TransportError {
    match TransportError::using(operation, name, error) {
        TransportError::Closed => end.clone(),
        failure => failure,
    }
}

/// Octets that one read can bring, at most.
const LARGEST_READ: usize = 64 * 1024;
/// With less room than this a new buffer is taken.
const SMALLEST_READ: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader or writer whose every call fails with an error of its own.
    struct Failing(u32);

    impl AsyncRead for Failing {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.0 += 1;
            std::task::Poll::Ready(Err(std::io::Error::other(format!("failure {}", self.0))))
        }
    }

    #[tokio::test]
    async fn an_error_of_the_reader_is_named_and_final() {
        let (mut rx, _tx) = Stream::from_halves(Failing(0), tokio::io::sink(), "uart:/dev/ttyX").split();
        for _ in 0..2 {
            let error = rx.recv().await.unwrap_err();
            assert_eq!(error.to_string(), "reading from uart:/dev/ttyX failed: failure 1");
        }
    }

    #[tokio::test]
    async fn h1_a_stream_out_of_step_hands_out_what_came_before_and_then_fails_for_good() {
        let octets: &[u8] = &[4, 0x10, 0, 4, 0x11, 0, 6, 4, 0x10, 0];
        let (mut rx, _tx) = Stream::from_halves(octets, tokio::io::sink(), "test").split();
        assert_eq!(rx.recv().await.unwrap().as_slice(), [4, 0x10, 0]);
        assert_eq!(rx.recv_ready().unwrap().as_slice(), [4, 0x11, 0]);
        assert_eq!(rx.recv_ready(), None);
        for _ in 0..2 {
            let error = rx.recv().await.unwrap_err();
            assert!(matches!(error, TransportError::Desync(d) if d.octet == 6), "{error:?}");
        }
    }

    #[tokio::test]
    async fn h2_the_end_of_the_stream_inside_a_packet_is_closed() {
        let (mut rx, _tx) = Stream::from_halves(&[4, 0x0E, 4, 1][..], tokio::io::sink(), "test").split();
        assert!(matches!(rx.recv().await, Err(TransportError::Closed)));
    }

    #[tokio::test]
    async fn many_slow_packets_that_are_kept_share_few_buffers() {
        let (near, far) = tokio::io::duplex(16);
        let (mut rx, _) = Stream::new(far, "far").split();
        let (_, mut tx) = Stream::new(near, "near").split();
        let mut kept = vec![];
        for _ in 0..1000 {
            let packet = HciPacket::event(0xFF, &[1; 8]).unwrap();
            tx.send(&mut SendQueue::from(packet)).await.unwrap();
            kept.push(rx.recv().await.unwrap());
        }
        let gaps = kept
            .windows(2)
            .filter(|w| w[0].as_slice().as_ptr() as usize + w[0].len() != w[1].as_slice().as_ptr() as usize);
        assert!(gaps.count() <= 1, "11,000 octets need one buffer");
    }
}
