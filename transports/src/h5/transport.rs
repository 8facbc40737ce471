//! The three-wire transport on a serial port or any other stream: a task drives the line, because it acknowledges and
//! sends again while nobody sends or receives.

use super::{H5, LinkState, Options, Role};
use crate::uart::{self, port::Port};
use crate::{
    AdapterSpec, HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx, UartSpec,
};
use bytes::{Buf, Bytes, BytesMut};
use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// Packets that wait on either side of the task, beside those of the link itself.
const QUEUE: usize = 16;
/// A controller that is there answers SYNC within milliseconds; it is said every 250 ms.
const ESTABLISHMENT_TIME: Duration = Duration::from_secs(3);
/// How long what was sent before the end is still brought over.
const LINGER_TIME: Duration = Duration::from_millis(200);

/// An established three-wire link.
///
/// When the line hangs up, or the other end restarts or falls silent, both halves fail. A packet has at most
/// [`H5::MAX_PACKET`] octets.
#[derive(Debug)]
pub struct ThreeWire {
    rx: ThreeWireRx,
    tx: ThreeWireTx,
    name: String,
}

/// The receiving half of a [`ThreeWire`].
#[derive(Debug)]
pub struct ThreeWireRx {
    packets: mpsc::Receiver<HciPacket>,
    failure: Arc<OnceLock<TransportError>>,
}

/// The sending half of a [`ThreeWire`].
#[derive(Debug)]
pub struct ThreeWireTx {
    packets: mpsc::Sender<HciPacket>,
    failure: Arc<OnceLock<TransportError>>,
    name: String,
}

impl ThreeWire {
    /// Opens the serial port and establishes the link with the controller behind it.
    ///
    /// # Errors
    /// As [`Uart::open`](crate::Uart::open).
    ///
    /// # Cancel safety
    /// Dropping the future closes the port again.
    pub async fn open(port: &UartSpec) -> Result<Self, TransportError> {
        let spec = AdapterSpec::H5(port.clone());
        let opened = uart::open_port(&spec, port).await?;
        let (options, baud) = (options(Role::Host, opened.baud), opened.baud);
        let link = Self::over_port(&spec, opened, options);
        timeout(ESTABLISHMENT_TIME, link).await.unwrap_or_else(|_elapsed| Err(no_answer(&spec, baud)))
    }

    /// Opens the serial port as the controller's end, and waits for a host to establish the link.
    ///
    /// # Errors
    /// As [`open`](Self::open), but that a host may take its time.
    ///
    /// # Cancel safety
    /// Dropping the future closes the port again.
    pub async fn serve(port: &UartSpec) -> Result<Self, TransportError> {
        let spec = AdapterSpec::H5(port.clone());
        let opened = uart::open_port(&spec, port).await?;
        let options = options(Role::Controller, opened.baud);
        Self::over_port(&spec, opened, options).await
    }

    async fn over_port(spec: &AdapterSpec, port: Port, options: Options) -> Result<Self, TransportError> {
        let name = uart::description(spec, port.baud);
        Self::establish(port.reader, port.writer, name, options).await
    }

    /// Establishes the link over any two directions of octets; `name` is what messages call it.
    ///
    /// # Errors
    /// [`TransportError::Disconnected`] or [`TransportError::Io`] when the stream ends first.
    ///
    /// # Cancel safety
    /// Dropping the future drops both directions.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn establish(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        name: impl Into<String>,
        options: Options,
    ) -> Result<Self, TransportError> {
        let name = name.into();
        let (to_user, received) = mpsc::channel(QUEUE);
        let (to_line, from_user) = mpsc::channel(QUEUE);
        let (active, is_active) = oneshot::channel();
        let failure = Arc::new(OnceLock::new());
        let line =
            Line { reader, writer, link: H5::new(options), name: name.clone(), started: Instant::now() };
        let task = line.run(to_user, from_user, active, failure.clone());
        // It ends when the halves, or the future that waits for it, are dropped.
        #[allow(clippy::disallowed_methods)] // The link must go on while its user does something else.
        tokio::spawn(task);
        if is_active.await.is_err() {
            return Err(why_ended(&failure));
        }
        let rx = ThreeWireRx { packets: received, failure: failure.clone() };
        let tx = ThreeWireTx { packets: to_line, failure, name: name.clone() };
        Ok(Self { rx, tx, name })
    }
}

/// A line needs its time for the longest frame, whose every octet may be escaped, each way.
fn options(role: Role, baud: u32) -> Options {
    let longest = Duration::from_secs(2 * 10 * 4_200) / baud.max(1);
    let options = Options::new(role);
    Options { patience: options.patience + 2 * longest, ..options }
}

fn no_answer(spec: &AdapterSpec, baud: u32) -> TransportError {
    let hint = "check that a controller is there and powered, the baud rate, and that TX and RX are crossed; it may use \
                H4 (uart:) rather than the three-wire protocol";
    let cause = format!("nobody answered SYNC at {baud} baud");
    let source = Arc::new(io::Error::new(io::ErrorKind::TimedOut, cause));
    TransportError::Io {
        operation: "establishing the three-wire link at",
        object: spec.to_string(),
        hint,
        source,
    }
}

fn why_ended(failure: &OnceLock<TransportError>) -> TransportError {
    failure.get().cloned().unwrap_or(TransportError::Closed)
}

impl Transport for ThreeWire {
    type Rx = ThreeWireRx;
    type Tx = ThreeWireTx;

    fn split(self) -> (Self::Rx, Self::Tx) {
        (self.rx, self.tx)
    }

    fn description(&self) -> String {
        self.name.clone()
    }
}

impl TransportRx for ThreeWireRx {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        self.packets.recv().await.ok_or_else(|| why_ended(&self.failure))
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        self.packets.try_recv().ok()
    }
}

impl TransportTx for ThreeWireTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        while let Some(packet) = queue.front() {
            if packet.len() > 1 + H5::MAX_PACKET {
                let source =
                    io::Error::new(io::ErrorKind::InvalidInput, "the packet is longer than a frame can be");
                let hint = "a controller behind such a line has smaller buffers than that";
                let (operation, object) = ("writing to", self.name.clone());
                return Err(TransportError::Io { operation, object, hint, source: Arc::new(source) });
            }
            // The packet leaves the queue when its place is sure, so a dropped future loses nothing.
            let place = self.packets.reserve().await.map_err(|_| why_ended(&self.failure))?;
            if let Some(packet) = queue.pop() {
                place.send(packet);
            }
        }
        Ok(())
    }
}

/// What the task owns.
struct Line<R, W> {
    reader: R,
    writer: W,
    link: H5,
    name: String,
    started: Instant,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Line<R, W> {
    /// Drives the line until it ends or nobody wants it any more, hands out what came before, and says why.
    async fn run(
        mut self,
        to_user: mpsc::Sender<HciPacket>,
        mut from_user: mpsc::Receiver<HciPacket>,
        active: oneshot::Sender<()>,
        failure: Arc<OnceLock<TransportError>>,
    ) {
        // They stay until the reason is there: whoever sees them closed asks for it.
        let mut active = Some(active);
        let why = self.drive(&to_user, &mut from_user, &mut active).await;
        // The port is free before anybody learns of the end.
        let Self { mut link, reader, writer, .. } = self;
        drop((reader, writer));
        let _ = failure.set(why);
        drop((from_user, active));
        while let Some(packet) = link.poll_packet() {
            if to_user.send(packet).await.is_err() {
                break;
            }
        }
    }

    async fn drive(
        &mut self,
        to_user: &mpsc::Sender<HciPacket>,
        from_user: &mut mpsc::Receiver<HciPacket>,
        active: &mut Option<oneshot::Sender<()>>,
    ) -> TransportError {
        let mut until = None;
        let (mut user_sends, mut user_receives) = (true, true);
        let (mut frame, mut octets) = (Bytes::new(), BytesMut::new());
        loop {
            let now = self.started.elapsed();
            self.link.handle_time(now);
            if let Some(lost) = self.link.lost() {
                let source = Arc::new(io::Error::new(io::ErrorKind::ConnectionReset, lost));
                let (operation, hint) = ("keeping the three-wire link of", "open it again");
                return TransportError::Io { operation, object: self.name.clone(), hint, source };
            }
            if frame.is_empty() {
                frame = self.link.poll_transmit(now).map(Bytes::from).unwrap_or_default();
            }
            if self.link.state() == LinkState::Active
                && let Some(active) = active.take()
                && active.send(()).is_err()
            {
                return TransportError::Closed;
            }
            // Both halves are gone: what they sent is still brought over, for a while.
            if to_user.is_closed() && from_user.is_closed() {
                let until = *until.get_or_insert_with(|| Instant::now() + LINGER_TIME);
                let is_done = from_user.is_empty() && self.link.is_idle() && frame.is_empty();
                if is_done || Instant::now() >= until {
                    return TransportError::Closed;
                }
            }
            let deadline = self.link.poll_deadline().map(|deadline| self.started + deadline);
            let deadline = deadline.into_iter().chain(until).min();
            let abandoned = async {
                match active.as_mut() {
                    Some(active) => active.closed().await,
                    None => std::future::pending().await,
                }
            };
            octets.reserve(LARGEST_READ);
            // Each branch is cancel safe.
            tokio::select! {
                read = self.reader.read_buf(&mut octets) => {
                    match read {
                        Ok(0) => return self.gone(),
                        Ok(_) => self.link.handle_octets(self.started.elapsed(), &octets),
                        Err(error) => return self.failed("reading from", error),
                    }
                    octets.clear();
                }
                written = self.writer.write_buf(&mut frame), if frame.has_remaining() => match written {
                    Ok(0) => return self.gone(),
                    Ok(_) => {}
                    Err(error) => return self.failed("writing to", error),
                },
                place = to_user.reserve(), if self.link.has_packet() => {
                    // Without a place nobody receives any more.
                    if let (Some(packet), Ok(place)) = (self.link.poll_packet(), place) {
                        place.send(packet);
                    }
                }
                packet = from_user.recv(), if user_sends && self.link.has_room() => match packet {
                    // It was measured when it was handed over, and there is room.
                    Some(packet) => drop(self.link.submit(packet)),
                    None => user_sends = false,
                },
                () = to_user.closed(), if user_receives => user_receives = false,
                () = abandoned => return TransportError::Closed,
                () = wait_until(deadline) => {}
            }
        }
    }

    fn gone(&self) -> TransportError {
        TransportError::Disconnected { what: self.name.clone() }
    }

    fn failed(&self, operation: &'static str, error: io::Error) -> TransportError {
        match TransportError::using(operation, &self.name, error) {
            TransportError::Closed => self.gone(),
            failure => failure,
        }
    }
}

const LARGEST_READ: usize = 4096;

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
