//! The Attribute Protocol ([Vol 3] Part F): its PDUs and the bearer that carries one request at a time.

pub(crate) mod bearer;
mod entries;
mod error;
pub mod pdu;

pub use error::AttError;
pub use pdu::{AttOpcode, AttPdu};

/// ATT_MTU before an exchange, and the least one an exchange may agree on ([Vol 3] Part G, 5.2.1).
pub const DEFAULT_MTU: u16 = 23;

/// Longest attribute value ([Vol 3] Part F, 3.2.9).
pub const MAX_VALUE_LENGTH: usize = 512;
