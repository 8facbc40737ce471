//! What a user of credit-based channels asks for and learns.

use super::MAX_MPS;
use crate::l2cap::signaling::{
    CreditConnectionResult, CreditConnectionsResult, ReconfigureResult, RejectReason,
};
use bytes::Bytes;
use std::fmt;

/// One channel of one link. Never names another one, even when the CID is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelKey {
    pub(super) cid: u16,
    pub(super) serial: u64,
}

/// `0x0040`: our CID.
impl fmt::Display for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.cid)
    }
}

/// What our end of a channel takes. What is not read yet is at most `credits` K-frames of `mps` octets and one SDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelOptions {
    /// The longest SDU, in octets: 23 to 65,535; 64 or more for an enhanced channel.
    pub mtu: u16,
    /// The longest K-frame, in octets with the SDU's length: 23 to 65,533; 64 or more for an enhanced channel.
    pub mps: u16,
    /// K-frames that the peer may send before our reader takes them, at least one.
    pub credits: u16,
}

/// SDUs of 2048 octets, K-frames that fit the longest LE packets (251 octets with their header), 32 of them.
impl Default for ChannelOptions {
    fn default() -> Self {
        Self { mtu: 2048, mps: 247, credits: 32 }
    }
}

impl ChannelOptions {
    pub(super) fn check(&self, least: u16) -> Result<(), InvalidOptions> {
        let good = self.mtu >= least && (least..=MAX_MPS).contains(&self.mps) && self.credits > 0;
        if good { Ok(()) } else { Err(InvalidOptions { options: *self, least }) }
    }

    pub(super) fn at_least(self, least: u16) -> Self {
        Self { mtu: self.mtu.max(least), mps: self.mps.max(least), ..self }
    }
}

/// No channel has such options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a channel needs an MTU of {least} to 65535, an MPS of {least} to {MAX_MPS} and credits; got MTU {}, MPS {}, \
     {} credits", .options.mtu, .options.mps, .options.credits
)]
pub struct InvalidOptions {
    /// What was asked for.
    pub options: ChannelOptions,
    /// The least MTU and MPS of this kind of channel.
    pub least: u16,
}

/// What happened on the channels of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A channel can be used.
    Opened {
        /// The channel.
        channel: ChannelKey,
        /// The protocol it is for.
        spsm: u16,
        /// Whether the peer opened it.
        by_peer: bool,
        /// The longest SDU that the peer takes.
        mtu: u16,
    },
    /// A channel that was asked for does not come to be.
    Refused {
        /// The channel.
        channel: ChannelKey,
        /// Why.
        reason: OpenFailure,
    },
    /// An SDU can be taken; said once for each.
    Received {
        /// The channel.
        channel: ChannelKey,
    },
    /// The last K-frame of an SDU was handed out; said once for each, in order.
    Sent {
        /// The channel.
        channel: ChannelKey,
    },
    /// The peer takes other SDUs from now on.
    PeerReconfigured {
        /// The channel.
        channel: ChannelKey,
        /// The longest one.
        mtu: u16,
    },
    /// The peer has answered our reconfiguration.
    Reconfigured {
        /// The channels.
        channels: Vec<ChannelKey>,
        /// Whether they have the new sizes.
        result: Result<(), ReconfigureFailure>,
    },
    /// A channel is over. What had been received whole can still be taken, unless we closed it.
    Closed {
        /// The channel.
        channel: ChannelKey,
        /// Why.
        reason: CloseReason,
    },
}

/// Why a channel could not be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No SPSM of LE.
    #[error("SPSM {0:#06x} is none of LE, which has 0x0001 to 0x00ff")]
    InvalidSpsm(u16),
    /// No channel has such options.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// One request is for 1 to 5 channels.
    #[error("one request is for 1 to 5 channels, not {0}")]
    Count(usize),
    /// All CIDs are in use.
    #[error("the link has no more channels; it has 64")]
    NoChannels,
}

/// Why the peer's answer is no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenFailure {
    /// It does not want to.
    #[error("the peer refused: {0}")]
    Refused(CreditConnectionResult),
    /// It does not want some or all of the enhanced channels.
    #[error("the peer refused: {0}")]
    EnhancedRefused(CreditConnectionsResult),
    /// It does not understand, maybe because it is older than such channels.
    #[error("the peer rejected the request: {0}")]
    Rejected(RejectReason),
    /// It says yes to what cannot be.
    #[error("the peer accepted with values that the specification does not allow")]
    InvalidResponse,
    /// It does not answer.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// The link is gone.
    #[error("the link was lost")]
    LinkLost,
}

/// Why an SDU was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Longer than the peer takes.
    #[error("an SDU of {length} octets; the peer takes {mtu}")]
    TooLong {
        /// Its octets.
        length: usize,
        /// The most.
        mtu: u16,
    },
    /// Enough wait already: here it is again, for after the next [`Event::Sent`].
    #[error("enough SDUs wait for credits of the peer")]
    Full(Bytes),
    /// The channel is not open.
    #[error("the channel is not open")]
    NotOpen,
}

/// Why channels could not be asked to have other sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReconfigureError {
    /// One request is for 1 to 5 channels.
    #[error("one request is for 1 to 5 channels, not {0}")]
    Count(usize),
    /// One of them is not open, or not an enhanced one.
    #[error("channel {0} is not an open enhanced channel")]
    NotEnhanced(ChannelKey),
    /// No channel has such sizes.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The peer would refuse.
    #[error("{0}")]
    Reduction(ReconfigureResult),
    /// The one before is not answered yet.
    #[error("another reconfiguration is under way")]
    Busy,
}

/// Why channels do not have other sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReconfigureFailure {
    /// It does not want to.
    #[error("the peer refused: {0}")]
    Refused(ReconfigureResult),
    /// It does not understand.
    #[error("the peer rejected the request: {0}")]
    Rejected(RejectReason),
    /// It does not answer.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// The link is gone.
    #[error("the link was lost")]
    LinkLost,
}

/// Why a channel is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// We closed it; the peer knows, or did not answer in time.
    #[error("closed by us")]
    Local,
    /// The peer closed it.
    #[error("closed by the peer")]
    Peer,
    /// The peer broke a rule.
    #[error("closed because of the peer: {0}")]
    Violation(Violation),
    /// The link is gone.
    #[error("the link was lost")]
    LinkLost,
}

/// A rule of the specification that the peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A K-frame that it had no credit for.
    #[error("a K-frame without credits")]
    NoCredits,
    /// More than 65,535 credits.
    #[error("more than 65535 credits")]
    CreditOverflow,
    /// A K-frame longer than our MPS.
    #[error("a K-frame longer than our MPS")]
    FrameTooLong,
    /// A first K-frame without the length of the SDU.
    #[error("a first K-frame of less than 2 octets")]
    NoSduLength,
    /// An SDU longer than our MTU.
    #[error("an SDU longer than our MTU")]
    SduTooLong,
    /// K-frames with more octets than their SDU announces.
    #[error("more octets than the SDU announces")]
    MoreThanSdu,
    /// One of its CIDs for two channels.
    #[error("one CID for two channels")]
    CidTwice,
}
