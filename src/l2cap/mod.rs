//! Logical Link Control and Adaptation ([Vol 3] Part A): frames, their fragments, and the signalling channel.

pub mod credit;
pub mod fragment;
pub mod frame;
mod reassembly;
pub mod signaling;

pub use frame::Frame;
pub use reassembly::{Dropped, Reassembly};

use crate::open_enum;

open_enum! {
    /// Channel identifier ([Vol 3] Part A, 2.1).
    pub struct ChannelId(u16) {
        ClassicSignaling = 0x0001 "L2CAP signalling (BR/EDR)",
        Connectionless = 0x0002 "connectionless",
        AmpManager = 0x0003 "AMP manager",
        Attribute = 0x0004 "ATT",
        Signaling = 0x0005 "L2CAP signalling",
        SecurityManager = 0x0006 "SMP",
        ClassicSecurityManager = 0x0007 "SMP (BR/EDR)",
    }
}
