//! HCI packets and the ways they reach a Bluetooth controller.
//!
//! This is the bottom of baretooth. It knows where one HCI packet ends and the next begins, and nothing of what
//! packets mean. What it owns:
//!
//! * [`HciPacket`], the one form of a packet everywhere; [`H4`], which cuts packets out of a stream of octets;
//! * [`AdapterSpec`], the notation by which users name adapters (`tcp:localhost:9001`);
//! * [`Transport`], the contract between a driver and whatever carries packets;
//! * with the feature `tokio` (on by default) the transports themselves: `Tcp`, `Unix`, `memory::pair`, `Stream` for
//!   any other stream of octets, and `open`, which takes an [`AdapterSpec`];
//! * with the feature `hci-socket`, on Linux: `HciSocket`, for adapters of the kernel, and `Monitor`, which listens to
//!   what others do with them.
//!
//! # The contract
//!
//! `tests/contract.rs` asks this of every transport:
//!
//! 1. Packets arrive whole, in order, each once.
//! 2. [`TransportRx::recv`] and [`TransportTx::send`] are cancel safe: a future that is dropped has lost nothing.
//! 3. The two halves do not wait for each other. When the other side does not read, `send` waits, and `recv` goes on.
//! 4. What was received before the other side closed is handed out first. Then comes an error, and errors are final:
//!    a half that has failed fails in the same way ever after.
//! 5. Memory is bounded, whatever the other side does.
//!
//! # Driving a transport
//!
//! Two rules make a driver right; the same tests show how drivers that break them fail. Keep one [`SendQueue`] for
//! as long as the transport lives, so that a dropped `send` goes on where it stopped; and never stop receiving while
//! sending, because a peer whose own buffer is full reads nothing before it has written.
//!
//! ```no_run
//! # use baretooth_transports::*;
//! # struct Host;
//! # impl Host { fn handle_packet(&mut self, _: HciPacket) {} fn poll_transmit(&mut self) -> Option<HciPacket> { None } }
//! # #[cfg(feature = "tokio")]
//! async fn drive(transport: impl Transport, mut host: Host) -> Result<(), TransportError> {
//!     let (mut rx, mut tx) = transport.split();
//!     let mut queue = SendQueue::default();
//!     loop {
//!         queue.fill(|| host.poll_transmit());
//!         tokio::select! {
//!             biased;
//!             sent = tx.send(&mut queue), if !queue.is_empty() => sent?,
//!             packet = rx.recv() => {
//!                 host.handle_packet(packet?);
//!                 // The rest of what the same read brought, in a bounded batch.
//!                 for packet in std::iter::from_fn(|| rx.recv_ready()).take(31) {
//!                     host.handle_packet(packet);
//!                 }
//!             }
//!         }
//!     }
//! }
//! ```
#![deny(unsafe_code)]

#[cfg(feature = "tokio")]
mod candidates;
mod error;
mod h4;
pub mod h5;
#[cfg(all(feature = "hci-socket", any(target_os = "linux", target_os = "android")))]
mod hci_socket;
#[cfg(feature = "tokio")]
pub mod memory;
#[cfg(feature = "tokio")]
mod open;
mod packet;
#[cfg(all(feature = "uart", unix))]
mod pty;
mod queue;
mod spec;
#[cfg(feature = "tokio")]
mod stream;
#[cfg(feature = "tokio")]
mod tcp;
#[cfg(feature = "uart")]
mod uart;
#[cfg(all(feature = "tokio", unix))]
mod unix;
#[cfg(feature = "usb")]
mod usb;

#[cfg(feature = "tokio")]
pub use candidates::{Candidate, Problem, candidates};
pub use error::TransportError;
pub use h4::{Desync, H4};
#[cfg(feature = "uart")]
pub use h5::ThreeWire;
#[cfg(all(feature = "hci-socket", any(target_os = "linux", target_os = "android")))]
pub use hci_socket::{HciSocket, HciSocketRx, HciSocketTx, Monitor, MonitorRecord};
#[cfg(feature = "tokio")]
pub use open::{AnyRx, AnyTransport, AnyTx, OpenOptions, open};
pub use packet::{HciPacket, PacketError, PacketIndicator};
#[cfg(all(feature = "uart", unix))]
pub use pty::{Pty, PtyServer};
pub use queue::SendQueue;
pub use spec::{AdapterSpec, SpecError, UartSpec, UsbSelector, UsbSpec};
#[cfg(feature = "tokio")]
pub use stream::{Stream, StreamRx, StreamTx};
#[cfg(feature = "tokio")]
pub use tcp::{Tcp, TcpServer};
#[cfg(feature = "uart")]
pub use uart::Uart;
#[cfg(all(feature = "tokio", unix))]
pub use unix::{Unix, UnixServer};
#[cfg(feature = "usb")]
pub use usb::{Change, Usb, UsbRx, UsbTx, UsbWatch};

use std::future::Future;

/// An open connection to a controller, or to a host when we are the controller.
///
/// Dropping it, or both halves, closes it.
pub trait Transport: Send + 'static {
    /// The half that receives.
    type Rx: TransportRx;
    /// The half that sends.
    type Tx: TransportTx;

    /// Parts the two directions, which then live and fail by themselves.
    fn split(self) -> (Self::Rx, Self::Tx);

    /// The adapter in the notation of [`AdapterSpec`] where there is one, for logs and messages.
    fn description(&self) -> String;
}

/// The receiving half of a [`Transport`].
pub trait TransportRx: Send + 'static {
    /// The next packet, awaited if need be.
    ///
    /// # Errors
    /// [`TransportError::Closed`] when the other side has ended the connection, also in the middle of a packet;
    /// [`TransportError::Desync`] when a stream is out of step; [`TransportError::Io`]. Errors are final.
    ///
    /// # Cancel safety
    /// Cancel safe: a packet that was not returned is returned by the next call.
    fn recv(&mut self) -> impl Future<Output = Result<HciPacket, TransportError>> + Send;

    /// The next packet if it is here already. `None` says that there is none, or an error for [`recv`](Self::recv)
    /// to return.
    ///
    /// With it a driver handles all that one read has brought before it looks at anything else. It never yields to
    /// the executor, so take a bounded number.
    fn recv_ready(&mut self) -> Option<HciPacket>;
}

/// The sending half of a [`Transport`].
pub trait TransportTx: Send + 'static {
    /// Sends all packets of `queue`, with as few system calls as the transport can.
    ///
    /// "Sent" means accepted by the system or the next buffer, not received.
    ///
    /// # Errors
    /// [`TransportError::Closed`] when the other side has ended the connection; [`TransportError::Io`].
    /// Errors are final; `queue` keeps what was not sent.
    ///
    /// # Cancel safety
    /// Cancel safe: what was sent has left `queue`. Call again with the same queue, even if the first packet was sent
    /// in part only: a new queue would start in the middle of it. More packets may be added in between.
    fn send(&mut self, queue: &mut SendQueue) -> impl Future<Output = Result<(), TransportError>> + Send;
}
