//! USB adapters through libusb ([Vol 4] Part B): commands to the control endpoint, events from the interrupt endpoint,
//! data over the two bulk endpoints.
//!
//! The adapter is taken from the system's own driver (`btusb` on Linux) and given back when the transport is dropped,
//! also when the process is killed: see `guardian`. It is reset only when [`OpenOptions::reset_port`] asks for it,
//! because chips that were given firmware may lose it.
//!
//! Packets of one endpoint keep their order. Between endpoints there is none: an event and data that the adapter has
//! sent at the same time may be received in either order, as with every USB adapter.

mod adapter;
mod assemble;
mod connection;
mod error;
mod find;
mod guardian;
mod list;
mod sys;
mod watch;

pub(crate) use list::candidates;
pub use watch::{Change, UsbWatch};

use crate::{
    HciPacket, OpenOptions, SendQueue, Transport, TransportError, TransportRx, TransportTx, UsbSpec,
};
use connection::Connection;
use std::{collections::VecDeque, fmt, future::poll_fn, sync::Arc, task::Poll};

/// A USB adapter that was taken from the system's driver.
///
/// Dropping it, or both halves, gives it back; that takes some milliseconds, during which the thread waits.
///
/// ```no_run
/// use baretooth_transports::{AdapterSpec, OpenOptions, TransportError, Usb};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), TransportError> {
/// let Ok(AdapterSpec::Usb(spec)) = "usb:0a12:0001".parse() else { unreachable!() };
/// let adapter = Usb::open(&spec, &OpenOptions::new()).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Usb {
    rx: UsbRx,
    tx: UsbTx,
    name: String,
}

impl Usb {
    /// Finds the adapter, takes it from whatever driver has it, and drops what an earlier owner left in it.
    ///
    /// # Errors
    /// [`TransportError::Unsupported`] without USB, as in most containers; [`TransportError::NotFound`] with what there
    /// is; [`TransportError::Permission`]; [`TransportError::Busy`] when another program has it, a driver of the system
    /// is none; [`TransportError::Disconnected`]; [`TransportError::Io`] for whatever else libusb reports.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up; an adapter that was taken meanwhile is given back.
    pub async fn open(spec: &UsbSpec, options: &OpenOptions) -> Result<Self, TransportError> {
        let connection = Arc::new(Connection::open(spec, *options).await?);
        let rx = UsbRx { connection: connection.clone(), ready: VecDeque::new() };
        Ok(Self { rx, tx: UsbTx { connection }, name: format!("usb:{spec}") })
    }
}

impl Transport for Usb {
    type Rx = UsbRx;
    type Tx = UsbTx;

    fn split(self) -> (UsbRx, UsbTx) {
        (self.rx, self.tx)
    }

    fn description(&self) -> String {
        self.name.clone()
    }
}

/// The receiving half of a [`Usb`] adapter.
pub struct UsbRx {
    connection: Arc<Connection>,
    /// Taken in one go, so that packets that come together cost one lock.
    ready: VecDeque<HciPacket>,
}

impl TransportRx for UsbRx {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        poll_fn(|context| {
            loop {
                if let Some(packet) = self.ready.pop_front() {
                    return Poll::Ready(Ok(packet));
                }
                match self.connection.take(&mut self.ready, Some(context.waker())) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        if self.ready.is_empty() {
            // A failure is for `recv` to report.
            let _ = self.connection.take(&mut self.ready, None);
        }
        self.ready.pop_front()
    }
}

/// The sending half of a [`Usb`] adapter.
pub struct UsbTx {
    connection: Arc<Connection>,
}

impl TransportTx for UsbTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        poll_fn(|context| self.connection.send(queue, context.waker())).await
    }
}

impl fmt::Debug for UsbRx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsbRx").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for UsbTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsbTx").finish_non_exhaustive()
    }
}
