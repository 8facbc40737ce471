//! What becomes of an advertising set, as whoever asked for it is told.

use super::check::InvalidAdvertising;
use crate::BdAddr;
use crate::hci::{ConnectionHandle, ErrorCode, Opcode};

/// What the caller or the host must know of advertising.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The controller advertises this set; said once, also when a reset makes it begin anew.
    Started {
        /// The set.
        key: u64,
        /// The power it is sent with, in dBm, where the controller says it.
        tx_power: Option<i8>,
        /// The random address that it shows for now, `None` for the public one.
        random_address: Option<BdAddr>,
    },
    /// It does not, and the set is gone.
    Failed {
        /// The set.
        key: u64,
        /// Why.
        reason: AdvertiseFailure,
    },
    /// It did, or was to, and is over; the set is gone, from the controller too.
    Ended {
        /// The set.
        key: u64,
        /// How.
        how: Ended,
    },
    /// The controller lacks the extended commands that it claimed to have; sets that can do without go on.
    ExtendedLost,
}

/// How advertising came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// As asked.
    Stopped,
    /// The time is over.
    TimedOut,
    /// So many advertising events as asked for, or as the controller counted, were sent.
    Sent(u8),
    /// A peer connected.
    Connected(ConnectionHandle),
    /// The controller ended it for a reason of its own.
    Controller(ErrorCode),
}

/// Why a set is not advertised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvertiseFailure {
    /// The controller refused.
    #[error("{opcode} was refused: {status}")]
    Refused {
        /// What was asked.
        opcode: Opcode,
        /// What it answered.
        status: ErrorCode,
    },
    /// The controller did not answer.
    #[error("{opcode} was not answered")]
    Silent {
        /// What was asked.
        opcode: Opcode,
    },
    /// What was asked for turned out to be more than the controller has.
    #[error(transparent)]
    Invalid(#[from] InvalidAdvertising),
    /// Its sets are all in use.
    #[error("the controller advertises {sets} sets at once, and no more")]
    NoSetLeft {
        /// How many it has.
        sets: usize,
    },
}
