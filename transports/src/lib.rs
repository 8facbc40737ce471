//! HCI packets and the ways they reach a controller.
#![deny(unsafe_code)]

mod h4;
mod packet;
mod spec;

pub use h4::{Desync, H4};
pub use packet::{HciPacket, PacketError, PacketIndicator};
pub use spec::{AdapterSpec, SpecError, UartSpec, UsbSelector, UsbSpec};
