//! HCI packets and the ways they reach a controller.
#![deny(unsafe_code)]

mod h4;
mod packet;

pub use h4::{Desync, H4};
pub use packet::{HciPacket, PacketError, PacketIndicator};
