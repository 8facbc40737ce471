//! The Security Manager Protocol ([Vol 3] Part H).

pub mod pdu;

pub use crate::crypto::{Key, ParseKeyError};
pub use pdu::SmpPdu;
