//! A Bluetooth LE host in userspace.
#![forbid(unsafe_code)]

mod address;
pub mod att;
pub mod codec;
pub mod gap;
pub mod hci;
pub mod l2cap;
pub mod smp;
mod time;

pub use address::{Address, AddressKind, BdAddr, ParseAddressError};
pub use baretooth_transports as transports;
pub use time::Instant;
