//! Indications of the peer: each is confirmed when it has reached its reader, on the bearer that it came on.

use super::bearers::BearerId;
use super::link::{Link, Out};
use crate::Instant;
use crate::att::AttPdu;
use crate::att::pdu::HandleValueCfm;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// How long an indication may wait for its reader before it is confirmed all the same: well inside the 30 s that
/// the server waits.
const CONFIRM_WITHIN: Duration = Duration::from_secs(10);

/// Indications that a peer may send on a bearer without waiting for our confirmation, against the specification.
const MOST_UNCONFIRMED: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Indications {
    /// Where indications came that have not reached their readers, the oldest first.
    unconfirmed: VecDeque<BearerId>,
    confirm_by: Option<Instant>,
}

impl Indications {
    /// When the oldest is confirmed all the same.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.confirm_by
    }

    /// A bearer is over, and what came on it is confirmed no more.
    pub(super) fn forget(&mut self, at: BearerId) {
        self.unconfirmed.retain(|unconfirmed| *unconfirmed != at);
        self.confirm_by.take_if(|_| self.unconfirmed.is_empty());
    }

    /// One that has come; `false` when the peer has sent too many on this bearer.
    fn push(&mut self, now: Instant, at: BearerId) -> bool {
        if self.unconfirmed.iter().filter(|unconfirmed| **unconfirmed == at).count() >= MOST_UNCONFIRMED {
            return false;
        }
        self.unconfirmed.push_back(at);
        self.confirm_by.get_or_insert(now + CONFIRM_WITHIN);
        true
    }

    /// Where the oldest came; the next one has its time from now on.
    fn pop(&mut self, now: Instant) -> Option<BearerId> {
        let at = self.unconfirmed.pop_front()?;
        self.confirm_by = (!self.unconfirmed.is_empty()).then(|| now + CONFIRM_WITHIN);
        Some(at)
    }
}

impl Link {
    /// Confirms one indication, where it came.
    pub(super) fn confirm(&mut self, now: Instant, out: &mut Out<'_>) {
        let Some(at) = self.indications.pop(now) else { return };
        self.send_on(now, at, &AttPdu::from(HandleValueCfm {}).to_bytes(), out);
    }

    /// A value that waits for one confirmation.
    pub(super) fn on_indication(
        &mut self,
        now: Instant,
        at: BearerId,
        handle: u16,
        value: Bytes,
        out: &mut Out<'_>,
    ) {
        if !self.indications.push(now, at) {
            tracing::warn!(
                connection = self.id.0,
                handle,
                "indication dropped: the peer does not wait for confirmations"
            );
            return;
        }
        if !self.is_ready() || !self.guard.is_sufficient() {
            // It has no reader, and the server waits.
            return self.confirm(now, out);
        }
        out.value(self.id, handle, value, true);
    }
}
