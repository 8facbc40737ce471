//! A request for a pairing while another is in progress on the link, which the peer began or an operation of ours: it waits
//! for that one, is content with what comes of it, or pairs anew.

use super::guard::Guard;
use super::pairing::Begun;
use super::security::PairingSummary;
use super::{Host, OpError, OpId};
use crate::Instant;
use crate::hci::ConnectionHandle;
use crate::smp::{PairingOptions, SecureConnections};

/// A request that waits.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) op: OpId,
    options: Box<PairingOptions>,
}

impl Joining {
    /// Whether another pairing gave what was asked of this one.
    fn is_content_with(&self, summary: &PairingSummary) -> bool {
        let PairingOptions { mitm, bonding, secure_connections, min_key_size, .. } = &*self.options;
        let modern = summary.secure_connections || *secure_connections != SecureConnections::Only;
        let protected = summary.authenticated || !mitm;
        modern && protected && (summary.bonded || !bonding) && summary.key_size >= *min_key_size
    }
}

impl Guard {
    /// Whether something is in progress that no request began and that ends by itself, and nobody waits for it yet.
    fn can_be_joined(&self) -> bool {
        let of_request = self.pairing.as_ref().is_some_and(|pairing| pairing.op().is_some());
        self.is_busy() && !of_request && self.joining.is_none()
    }

    /// Who waits, and is content with this.
    pub(super) fn take_content(&mut self, summary: &PairingSummary) -> Option<OpId> {
        self.joining.take_if(|joining| joining.is_content_with(summary)).map(|joining| joining.op)
    }
}

impl Host {
    /// A user asks for a pairing.
    pub(super) fn pair(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        op: OpId,
        options: Box<PairingOptions>,
    ) -> Result<(), OpError> {
        let link = self.links.get_mut(&handle).ok_or(OpError::NotConnected)?;
        if link.guard.can_be_joined() {
            link.guard.joining = Some(Joining { op, options });
            return Ok(());
        }
        self.begin_pairing(now, handle, Begun::Request(op), &options)
    }

    /// Begins what waited for something that is over.
    pub(super) fn begin_joining(&mut self, now: Instant) {
        let waiting = self.links.iter_mut().filter_map(|(handle, link)| {
            let over = link.is_ready() && !link.guard.refused && !link.guard.is_busy();
            over.then(|| link.guard.joining.take()).flatten().map(|joining| (*handle, joining))
        });
        for (handle, Joining { op, options }) in waiting.collect::<Vec<_>>() {
            if let Err(error) = self.begin_pairing(now, handle, Begun::Request(op), &options) {
                self.done(op, Err(error));
            }
        }
    }
}
