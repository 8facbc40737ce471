//! Indications of the peer: each is confirmed when it has reached its reader, on the bearer that it came on.

use super::IndicationId;
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
    /// Those that have not reached their readers, the oldest first.
    unconfirmed: VecDeque<Unconfirmed>,
    next: u64,
}

#[derive(Debug)]
struct Unconfirmed {
    id: IndicationId,
    /// Where it came, and is confirmed.
    at: BearerId,
    /// It is confirmed by then, read or not.
    by: Instant,
}

impl Indications {
    /// When the oldest is confirmed all the same.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.unconfirmed.front().map(|oldest| oldest.by)
    }

    /// A bearer is over, and what came on it is confirmed no more.
    pub(super) fn forget(&mut self, at: BearerId) {
        self.unconfirmed.retain(|unconfirmed| unconfirmed.at != at);
    }

    /// One that has come; `None` when the peer has sent too many on this bearer.
    fn push(&mut self, now: Instant, at: BearerId) -> Option<IndicationId> {
        if self.unconfirmed.iter().filter(|unconfirmed| unconfirmed.at == at).count() >= MOST_UNCONFIRMED {
            return None;
        }
        let id = IndicationId(self.next);
        self.next += 1;
        self.unconfirmed.push_back(Unconfirmed { id, at, by: now + CONFIRM_WITHIN });
        Some(id)
    }

    /// Where this one came, or else the oldest.
    fn take(&mut self, id: Option<IndicationId>) -> Option<BearerId> {
        let position = match id {
            Some(id) => self.unconfirmed.iter().position(|unconfirmed| unconfirmed.id == id)?,
            None => 0,
        };
        self.unconfirmed.remove(position).map(|unconfirmed| unconfirmed.at)
    }
}

impl Link {
    /// Confirms this indication, or else the oldest, where it came.
    pub(super) fn confirm(&mut self, now: Instant, id: Option<IndicationId>, out: &mut Out<'_>) {
        let Some(at) = self.indications.take(id) else { return };
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
        let Some(id) = self.indications.push(now, at) else {
            tracing::warn!(
                connection = self.id.0,
                handle,
                "indication dropped: the peer does not wait for confirmations"
            );
            return;
        };
        if !self.is_ready() || !self.guard.is_sufficient() {
            // It has no reader, and the server waits.
            return self.confirm(now, Some(id), out);
        }
        out.value(self.id, handle, value, Some(id));
    }
}
