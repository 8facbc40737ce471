//! Why a replay ends before the capture does.

use super::diff::{Difference, decoded};
use super::script::ScriptError;
use crate::Instant;
use crate::host::{OpError, OpId};
use crate::transports::HciPacket;
use std::fmt;

/// Why a replay ends before the capture does. Its `Debug` form is its message, so that a test that fails with it says
/// what a person wants to know.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The capture cannot be replayed.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The host sent another packet than the capture's host.
    #[error("{0}")]
    Differs(Box<Difference>),
    /// The capture's host sent a packet, and this one does not.
    #[error("the host does not send packet {number}: {}{}", decoded(expected), if *guessed { GUESSED } else { "" })]
    NotSent {
        /// Number of the packet in the capture.
        number: u64,
        /// The packet.
        expected: HciPacket,
        /// Whether the requests were guessed from the capture, so that one may have been missed.
        guessed: bool,
    },
    /// A packet follows from something that no packet shows, and that was not given.
    #[error("packet {number} follows from {what}, which no capture holds: {}", decoded(expected))]
    Unseen {
        /// Number of the packet in the capture.
        number: u64,
        /// The packet.
        expected: HciPacket,
        /// What [`Unseen`](super::Unseen) lacks.
        what: &'static str,
    },
    /// The capture is over, and the host sends more.
    #[error("after the end of the capture the host sends: {}", decoded(sent))]
    AfterEnd {
        /// What it sends.
        sent: HciPacket,
    },
    /// The capture is over, and what the program waits for has not happened.
    #[error("the capture ends before {0}")]
    Early(String),
    /// A request of the program failed as it did in the session that was captured, and the program did not expect it.
    #[error("{0:?} failed: {1}")]
    Failed(OpId, OpError),
    /// Deadlines of the host come one after the other and nothing comes of them.
    #[error("at {at} the host has one deadline after the other, and nothing comes of them")]
    Stuck {
        /// Time in the session.
        at: Instant,
    },
}

const GUESSED: &str = "; nothing in the capture says which request made it";

impl fmt::Debug for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
