//! A Bluetooth LE host in userspace.
#![forbid(unsafe_code)]

mod address;
pub mod codec;
pub mod hci;

pub use address::{Address, AddressKind, BdAddr, ParseAddressError};
pub use baretooth_transports as transports;
