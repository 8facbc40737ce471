//! The Security Manager Protocol ([Vol 3] Part H).

pub mod pdu;

pub use pdu::SmpPdu;
