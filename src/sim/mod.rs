//! A virtual radio: controllers and devices on one air, to run and test a host without hardware.
//!
//! Sans-IO and deterministic, in the shape of the host itself: packets and the time come in by `handle_*`,
//! packets and the next deadline go out by `poll_*`. The same seed and the same inputs give the same packets.
//!
//! It shares the codecs with the host and nothing above them: it must never use the host, the GATT client or the
//! ATT bearer, because a mistake made by both sides would not be seen. The peers' own ATT server is in
//! [`Server`].
//!
//! ```
//! use baretooth::Instant;
//! use baretooth::hci::command::{HciCommand, Reset};
//! use baretooth::sim::{ControllerOptions, Radio, RadioOptions};
//!
//! let mut radio = Radio::new(RadioOptions::default());
//! let controller = radio.add_controller(ControllerOptions::default());
//! radio.handle_packet(Instant::START, controller, Reset {}.to_packet()?);
//! let answer = radio.poll_transmit(controller).expect("Command Complete");
//! assert_eq!(answer.as_slice(), [0x04, 0x0E, 4, 1, 0x03, 0x0C, 0]);
//! # Ok::<(), baretooth::transports::PacketError>(())
//! ```

mod agenda;
mod air;
mod att_server;
mod controller;
pub mod demo;
mod device;
mod faults;
mod link;
mod options;
mod radio;
mod responder;
mod table;
#[cfg(feature = "tokio")]
mod transport;

pub use air::Advertisement;
pub use att_server::{Attribute, Permissions, Security, Server};
pub use demo::demo_radio;
pub use device::{Application, ConnectFailure, Device};
pub use faults::FaultPlan;
pub use options::{ControllerOptions, RadioOptions};
pub use radio::Radio;
pub use responder::{
    Answer, Association, LongTermKey, Misbehaviour, OutOfBand, Paired, PairingFailure, Responder,
    SecureConnections,
};
pub use table::{Table, property};
#[cfg(feature = "tokio")]
pub use transport::{RadioHandle, SimTransport, demo, spawn};

/// A controller of a [`Radio`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ControllerId(usize);

/// A device of a [`Radio`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AdvertiserId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LinkId(u32);
