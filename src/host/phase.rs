//! Where a link is in its life, what its requests wait for, and what its deadlines lead to.

use super::{OpError, OpId};
use crate::gap::connect::Attempt;
use crate::hci::Opcode;
use crate::hci::command::{self, HciCommand};

/// Where a link is in its life.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its MTU exchange is under way; its user knows nothing yet.
    Settling(Attempt<OpId>),
    /// In use.
    Ready,
    /// Nobody wants it; it is being ended. The attempt's user is told this then, unless he was told already.
    Unwanted(Option<(OpId, OpError)>),
}

impl Phase {
    /// The attempt whose user knows nothing yet: the link's first procedure goes by its number.
    pub(super) fn attempt(&self) -> Option<OpId> {
        match self {
            Self::Settling(attempt) => Some(attempt.key),
            Self::Unwanted(attempt) => attempt.as_ref().map(|(op, _)| *op),
            Self::Ready => None,
        }
    }
}

/// What a request on a link waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Disconnection,
    Version,
    Features,
    Timing,
    Phy,
}

impl Wait {
    /// The command that begins it.
    pub(super) const fn opcode(self) -> Opcode {
        match self {
            Self::Disconnection => command::Disconnect::OPCODE,
            Self::Version => command::ReadRemoteVersionInformation::OPCODE,
            Self::Features => command::LeReadRemoteFeaturesPage0::OPCODE,
            Self::Timing => command::LeConnectionUpdate::OPCODE,
            Self::Phy => command::LeSetPhy::OPCODE,
        }
    }
}

/// What a link's deadline leads to at the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// The link is to be ended.
    GiveUp,
    /// It was ended, and the controller never said that it is down.
    Gone,
}
