//! A Bluetooth LE host in userspace: one crate, no daemon, straight to the adapter.
//!
//! A program opens an [`Adapter`], finds a device, connects to it and talks to its attributes. Everything between the
//! program and the controller's HCI is in this crate. There is nothing to install and nothing to configure, and no
//! hardware is needed to begin with: the adapter called `sim` is a [virtual radio](sim) with a few devices around it.
//!
//! ```
//! use baretooth::{Adapter, Error, uuid16};
//! use std::time::Duration;
//!
//! # // The virtual radio takes no time of its own: under the paused clock this is over in a moment.
//! # fn main() -> Result<(), Error> {
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
//! #     .block_on(program())
//! # }
//! # async fn program() -> Result<(), Error> {
//! let adapter = Adapter::open("sim").await?;
//! let device = adapter.find_by_name("HR strap", Duration::from_secs(5)).await?;
//! let address = device.address.expect("a device with a name has an address");
//! let peer = adapter.connect(address).await?;
//!
//! let services = peer.discover().await?;
//! let battery = services.find(uuid16(0x2A19))?;
//! println!("battery: {} %", peer.read(&battery).await?[0]);
//!
//! let heart_rate = services.characteristic(uuid16(0x180D), uuid16(0x2A37))?;
//! let mut measurements = peer.subscribe(&heart_rate).await?;
//! for _ in 0..3 {
//!     if let Some(measurement) = measurements.next().await {
//!         println!("{:?}, {} missed", measurement.value, measurement.missed);
//!     }
//! }
//! adapter.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! With `tcp:HOST:PORT` or another name of an [adapter](transports::AdapterSpec) in the place of `sim` the same
//! program works with that controller. `examples/` has more of them; `examples/sim_test.rs` shows how to test a
//! program of your own against devices of your own, in virtual time.
//!
//! # Where to find what
//!
//! What most programs need is here at the root. The layers below are public too, each usable by itself:
//!
//! | Module | What it is |
//! |---|---|
//! | [`Adapter`], [`Scan`], [`Peer`], [`Notifications`], [`Channel`] | the asynchronous API, for tokio: to find, connect and use |
//! | [`Advertisement`], [`Accepted`], [`GattServer`], [`ChannelListener`] | the same, to be found and used; [`Error`] is of all |
//! | [`host`] | the same stack as one value without I/O, tasks or clock: [`host::Host`] |
//! | [`gap`] | advertising data, reports, filters, scanning, advertising and connecting |
//! | [`gatt`] | the client's procedures, the table of a peer, and in [`gatt::server`] our own |
//! | `peripheral` | a whole device in a TOML file, with the feature `toml` |
//! | [`att`], [`smp`] | PDUs of the attribute protocol and of pairing |
//! | [`bonds`] | where bonds are kept, and those of other stacks |
//! | [`l2cap`] | frames, their fragments, the signalling channel, credit-based channels |
//! | [`hci`] | commands, events and data packets, flow control, initialisation |
//! | [`capture`] | btsnoop files, and packets as text |
//! | [`replay`] | captures in place of a controller: regression tests without a radio |
//! | [`transports`] | how HCI packets reach a controller, and the [`Transport`](transports::Transport) to write your own |
//! | [`sim`] | the virtual radio |
//! | [`codec`], [`assigned`] | how PDUs are declared, and the names of the assigned numbers |
//!
//! # Features
//!
//! `tokio`, on by default, is the asynchronous API, the transports that do I/O and the virtual radio's transport.
//! Without it the crate is the layers from [`host`] downwards, which neither wait nor read a clock: packets, times and
//! requests go in, packets, events and deadlines come out.
//!
//! `json`, on by default, keeps bonds in files and reads those of Bumble. `toml`, off by default, is the module `peripheral`.
//!
//! # Dropped futures
//!
//! Every `async fn` says under "Cancel safety" what dropping its future does. The rules behind it: waiting can always
//! be given up, as with `tokio::time::timeout` or `select!`. An attempt to connect is cancelled at the controller, a
//! scan ends. A request that was not sent is never sent. A request that was sent finishes at the peer, and its answer is
//! never taken for that of the next one. `next` of a stream loses nothing.
//!
//! Handles work the same way: a dropped [`Scan`] or [`Advertisement`] stops, the last dropped stream of a characteristic
//! ends the subscription, a dropped [`Channel`] is closed, the last dropped [`Peer`] ends the link that we made, the last
//! handle of all closes the adapter.
//!
//! # Errors
//!
//! There is one [`Error`], whose variants say who has to act: the transport, the controller, the link, the peer, or
//! the caller. Its message names the operation and its object, the cause, and a hint where there is one. When a link
//! or the adapter is lost, everything that waits for it fails at once with the reason.
//!
//! Nothing that a controller or a peer sends makes the crate panic, wait for ever or take memory without bound.
//! Numbers that it does not know are data. Streams are bounded: they count what a reader that does not read has
//! missed.
#![forbid(unsafe_code)]

mod address;
#[cfg(feature = "tokio")]
mod api;
pub mod assigned;
pub mod att;
pub mod bonds;
pub mod capture;
pub mod codec;
mod crypto;
#[cfg(feature = "tokio")]
mod driver;
pub mod gap;
pub mod gatt;
pub mod hci;
pub mod host;
pub mod l2cap;
#[cfg(feature = "toml")]
pub mod peripheral;
pub mod replay;
pub mod sim;
pub mod smp;
mod time;
mod uuid;

pub use self::uuid::{ParseUuidError, Uuid, UuidWire, uuid16};
pub use address::{Address, AddressKind, BdAddr, ParseAddressError};
#[cfg(feature = "tokio")]
pub use api::*;
pub use baretooth_transports as transports;
pub use gap::advertise::{AdvertiseMode, AdvertiseOptions, ExtendedPdus};
pub use gap::advertising_data::{AdvertisingDataBuf, AdvertisingDataBuilder, Flags};
pub use gap::connect::{ConnectOptions, ConnectionParameters};
pub use gap::device_table::Device;
pub use gap::filter::{Filter, Pattern};
pub use gap::privacy::OwnAddress;
pub use gap::report::Report;
pub use gap::scan::{Duplicates, ScanOptions, ScanPhys};
pub use gatt::{Characteristic, Descriptor, Service, Services};
pub use hci::{ErrorCode, Phy, Role};
pub use host::{
    AdvertisingEnd, ConnectionId, ConnectionInfo, Eatt, Fault, LinkSecurity, LinkTiming, OnSecurityRequest,
    Pairable, PairingSummary, ParameterPolicy, Recovery, Rung, SecurityOptions, Sighting,
};
pub use l2cap::credit::{ChannelOptions, CloseReason, RequiredSecurity, Server as ChannelServer};
pub use time::Instant;

/// The program in the README is one that compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
