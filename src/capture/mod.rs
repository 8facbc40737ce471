//! Captures: what passed between host and controller, when and which way.

pub mod btsnoop;
pub mod dissect;

use crate::transports::HciPacket;
use std::time::Duration;

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host to the controller.
    Sent,
    /// From the controller to the host.
    Received,
}

/// One packet of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, since 1970-01-01 UTC.
    pub time: Duration,
    /// Which way.
    pub direction: Direction,
    /// What.
    pub packet: HciPacket,
}
