//! A Bluetooth LE host in userspace.
#![forbid(unsafe_code)]

mod address;
#[cfg(feature = "tokio")]
mod api;
pub mod assigned;
pub mod att;
pub mod capture;
pub mod codec;
#[cfg(feature = "tokio")]
mod driver;
pub mod gap;
pub mod gatt;
pub mod hci;
pub mod host;
pub mod l2cap;
pub mod sim;
pub mod smp;
mod time;
mod uuid;

pub use self::uuid::{ParseUuidError, Uuid, UuidWire, uuid16};
pub use address::{Address, AddressKind, BdAddr, ParseAddressError};
#[cfg(feature = "tokio")]
pub use api::*;
pub use baretooth_transports as transports;
pub use time::Instant;
