//! The two ways of one channel ([Vol 3] Part A, 3.4.3 and 10): SDUs cut into K-frames as the peer gives credits, and
//! K-frames joined to SDUs as our reader takes them.
//!
//! Neither way knows of signalling; what breaks a rule is told as a [`Violation`].

use super::{ChannelOptions, SendError, Violation};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// SDUs of a channel that may wait to be sent.
pub(super) const SEND_QUEUE: usize = 4;

/// The length of the SDU, in its first K-frame.
const SDU_LENGTH: usize = 2;

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) serial: u64,
    pub(super) spsm: u16,
    /// The peer's name for the channel, once it has one.
    pub(super) remote: Option<u16>,
    pub(super) enhanced: bool,
    pub(super) by_peer: bool,
    pub(super) state: State,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The peer was asked for it.
    Opening,
    /// The peer was asked for it, and nobody wants it any more.
    Abandoned,
    Open,
    /// The peer was asked to end it; what it still sends is dropped. Then this is said, if it was not before.
    Disconnecting(Option<super::CloseReason>),
    /// Over, and only here for the SDUs that nobody has taken yet.
    Ended,
}

impl Channel {
    /// Whether the peer's name for it is taken.
    pub(super) fn is_at_peer(&self, cid: u16) -> bool {
        self.remote == Some(cid) && self.state != State::Ended
    }

    /// Nothing more is sent, nor joined to what has begun to come.
    pub(super) fn stop(&mut self) {
        self.sender.queue.clear();
        self.receiver.partial = None;
    }
}

/// Towards the peer.
#[derive(Debug, Default)]
pub(super) struct Sender {
    pub(super) mtu: u16,
    pub(super) mps: u16,
    credits: u16,
    /// Of the first one, what is not sent yet.
    queue: VecDeque<Bytes>,
    /// The first of the queue has begun.
    begun: bool,
}

impl Sender {
    pub(super) fn new(mtu: u16, mps: u16, credits: u16) -> Self {
        Self { mtu, mps, credits, ..Self::default() }
    }

    pub(super) fn push(&mut self, sdu: Bytes) -> Result<(), SendError> {
        if sdu.len() > usize::from(self.mtu) {
            return Err(SendError::TooLong { length: sdu.len(), mtu: self.mtu });
        }
        if self.queue.len() >= SEND_QUEUE {
            return Err(SendError::Full(sdu));
        }
        self.queue.push_back(sdu);
        Ok(())
    }

    /// Forgets an SDU of the queue, unless it has begun.
    pub(super) fn withdraw(&mut self, nth: usize) -> bool {
        (nth > 0 || !self.begun) && self.queue.remove(nth).is_some()
    }

    /// Takes credits of the peer. None at all is against the rules, and does nothing.
    pub(super) fn on_credits(&mut self, credits: u16) -> Result<(), Violation> {
        self.credits = self.credits.checked_add(credits).ok_or(Violation::CreditOverflow)?;
        Ok(())
    }

    pub(super) fn is_ready(&self) -> bool {
        self.credits > 0 && !self.queue.is_empty()
    }

    /// The next K-frame's payload, and whether it is the last of its SDU.
    pub(super) fn next(&mut self) -> Option<(Bytes, bool)> {
        let rest = self.queue.front_mut().filter(|_| self.credits > 0)?;
        let mps = usize::from(self.mps);
        let payload = if self.begun {
            rest.split_to(mps.min(rest.len()))
        } else {
            // No SDU is longer than the peer's MTU, which has 16 bits.
            let length = u16::try_from(rest.len()).unwrap_or(u16::MAX);
            let first = rest.split_to(mps.saturating_sub(SDU_LENGTH).min(rest.len()));
            let mut payload = BytesMut::with_capacity(SDU_LENGTH + first.len());
            payload.put_u16_le(length);
            payload.put_slice(&first);
            payload.freeze()
        };
        let last = rest.is_empty();
        self.begun = !last;
        self.credits -= 1;
        if last {
            self.queue.pop_front();
        }
        Some((payload, last))
    }
}

/// From the peer. Memory: `window` K-frames and one SDU at most, whatever comes.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) mtu: u16,
    pub(super) mps: u16,
    /// K-frames that may be under way or untaken.
    window: u16,
    /// Those the peer may send now.
    credits: u16,
    /// Whole SDUs with the K-frames they came in.
    queue: VecDeque<(Bytes, usize)>,
    /// K-frames of the queue.
    untaken: usize,
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    length: usize,
    octets: BytesMut,
    frames: usize,
}

impl Receiver {
    pub(super) fn new(options: &ChannelOptions) -> Self {
        Self {
            mtu: options.mtu,
            mps: options.mps,
            window: options.credits,
            credits: options.credits,
            queue: VecDeque::new(),
            untaken: 0,
            partial: None,
        }
    }

    /// Takes a K-frame; whether an SDU is whole with it.
    pub(super) fn on_frame(&mut self, mut payload: Bytes) -> Result<bool, Violation> {
        self.credits = self.credits.checked_sub(1).ok_or(Violation::NoCredits)?;
        if payload.len() > usize::from(self.mps) {
            return Err(Violation::FrameTooLong);
        }
        let Some(partial) = &mut self.partial else {
            let &[a, b] = payload.first_chunk().ok_or(Violation::NoSduLength)?;
            let length = usize::from(u16::from_le_bytes([a, b]));
            if length > usize::from(self.mtu) {
                return Err(Violation::SduTooLong);
            }
            let first = payload.split_off(SDU_LENGTH);
            if first.len() < length {
                let mut octets = BytesMut::with_capacity(length);
                octets.put_slice(&first);
                self.partial = Some(Partial { length, octets, frames: 1 });
                return Ok(false);
            }
            return if first.len() == length { self.whole(first, 1) } else { Err(Violation::MoreThanSdu) };
        };
        if partial.octets.len() + payload.len() > partial.length {
            return Err(Violation::MoreThanSdu);
        }
        partial.octets.put_slice(&payload);
        partial.frames = partial.frames.saturating_add(1);
        if partial.octets.len() < partial.length {
            return Ok(false);
        }
        match self.partial.take() {
            Some(partial) => self.whole(partial.octets.freeze(), partial.frames),
            None => Ok(false),
        }
    }

    fn whole(&mut self, sdu: Bytes, frames: usize) -> Result<bool, Violation> {
        self.untaken = self.untaken.saturating_add(frames);
        self.queue.push_back((sdu, frames));
        Ok(true)
    }

    /// The next SDU; its credits are the peer's again.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let (sdu, frames) = self.queue.pop_front()?;
        self.untaken = self.untaken.saturating_sub(frames);
        Some(sdu)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What is held, for tests of its bound.
    #[cfg(test)]
    pub(super) fn octets(&self) -> usize {
        let partial = self.partial.as_ref().map_or(0, |partial| partial.octets.len());
        self.queue.iter().map(|(sdu, _)| sdu.len()).sum::<usize>() + partial
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.untaken = 0;
    }

    /// Credits that the peer is to get now, which it then has. They go in halves of the window, so that not every
    /// SDU costs a signal; at once when the peer has none left.
    pub(super) fn grant(&mut self) -> Option<u16> {
        let frames = self.partial.as_ref().map_or(0, |partial| partial.frames);
        let held = usize::from(self.credits).saturating_add(self.untaken).saturating_add(frames);
        // Not more than the window.
        let free = u16::try_from(usize::from(self.window).saturating_sub(held)).unwrap_or(0);
        let granted = match &self.partial {
            _ if free > 0 && (self.credits == 0 || free >= self.window.div_ceil(2)) => free,
            // The whole window is in an SDU that is longer: what it still lacks, or nothing would ever come.
            Some(partial) if free == 0 && self.credits == 0 && self.queue.is_empty() => {
                let lacks = (partial.length - partial.octets.len()).div_ceil(usize::from(self.mps.max(1)));
                u16::try_from(lacks).unwrap_or(u16::MAX)
            }
            _ => return None,
        };
        self.credits = self.credits.saturating_add(granted);
        Some(granted)
    }
}
