//! HCI packets and the ways they reach a controller.
#![deny(unsafe_code)]

mod packet;

pub use packet::{HciPacket, PacketError, PacketIndicator};
