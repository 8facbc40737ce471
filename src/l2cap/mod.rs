//! Logical Link Control and Adaptation ([Vol 3] Part A): frames, their fragments, and the signalling channel.

pub mod frame;
pub mod signaling;

use crate::open_enum;

open_enum! {
    /// Channel identifier ([Vol 3] Part A, 2.1).
    pub struct ChannelId(u16) {
        Attribute = 0x0004 "ATT",
        Signaling = 0x0005 "L2CAP signalling",
        SecurityManager = 0x0006 "SMP",
    }
}
