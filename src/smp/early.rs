//! Keys that overtake the event behind which they were sent.

use super::error::Refusal;
use crate::Instant;
use bytes::Bytes;
use std::time::Duration;

/// By how much data may come before the event that says that its link is encrypted: USB and others hand over both by
/// ways of their own, and either may be read first. To start encryption takes the peer's host and some turns of the link,
/// so whatever was sent in the clear comes sooner than that.
const OVERTAKING: Duration = Duration::from_millis(5);
/// All the keys that there are.
const PDUS: usize = 5;

/// Keys that came while the link is being encrypted. They are for the short time that an event may be late; if it does
/// not come, they came in the clear.
#[derive(Default)]
pub(super) struct EarlyKeys {
    pdus: Vec<Bytes>,
    /// Until when the event may come.
    until: Option<Instant>,
}

impl EarlyKeys {
    pub fn hold(&mut self, now: Instant, pdu: &[u8]) -> Result<(), Refusal> {
        if self.pdus.len() >= PDUS {
            return Err(Refusal::out_of_order());
        }
        self.until.get_or_insert(now + OVERTAKING);
        self.pdus.push(Bytes::copy_from_slice(pdu));
        Ok(())
    }

    /// When it has turned out that they came in the clear.
    pub fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// The link is encrypted: what came, if it may have been sent over the encrypted link.
    pub fn release(self, now: Instant) -> Result<Vec<Bytes>, Refusal> {
        match self.until {
            Some(until) if until <= now => Err(Refusal::out_of_order()),
            _ => Ok(self.pdus),
        }
    }
}
