//! The three-wire UART transport, H5 ([Vol 4] Part D): packets over a serial line that may lose, add or change octets.
//!
//! [`H5`] is one end of such a line, sans-IO: octets and the time in, octets, packets and a deadline out. It owns what
//! is not acknowledged and what was not taken yet; it has no clock and no I/O, and its memory is bounded whatever is
//! received. `ThreeWire`, of the feature `uart`, drives it on a serial port.
//!
//! * `slip`: where frames begin and end; `frame`: header, payload and CRC;
//! * `window`: sequence numbers, acknowledgement, retransmission; `link`: establishment, and everything joined.

mod frame;
mod link;
mod slip;
#[cfg(feature = "uart")]
mod transport;
mod window;

pub use link::{H5, LinkState, Lost, Options, Role};
#[cfg(feature = "uart")]
pub use transport::{ThreeWire, ThreeWireRx, ThreeWireTx};
