//! The protocol of one link.

use super::pdu::PairingFailedReason;
use super::{Answer, Encrypted, LocalIdentity, Output, PairingError, PairingOptions, PromptId};
use crate::crypto::Key;
use crate::hci::{ErrorCode, Role};
use crate::{Address, Instant};
use rand_chacha::rand_core::Rng;

/// The Security Manager of one link, from its beginning to its end.
#[derive(Debug)]
pub struct SecurityManager {
    role: Role,
    local: Address,
    peer: Address,
}

#[allow(unused_variables)] // the bodies follow
impl SecurityManager {
    /// The addresses are those on the air of this link.
    pub fn new(role: Role, local: Address, peer: Address) -> Self {
        Self { role, local, peer }
    }

    /// The addresses turn out to be others. A pairing in progress goes on with those it began with.
    pub fn set_addresses(&mut self, local: Address, peer: Address) {
        (self.local, self.peer) = (local, peer);
    }

    /// Begins to pair: as the central by a Pairing Request, as the peripheral by a Security Request, or by accepting what
    /// the peer has asked for.
    ///
    /// # Errors
    /// When a pairing is in progress, the link has no pairing any more, or the options contradict each other.
    pub fn pair(
        &mut self,
        now: Instant,
        options: &PairingOptions,
        identity: LocalIdentity,
        rng: &mut impl Rng,
    ) -> Result<(), PairingError> {
        Ok(())
    }

    /// Answers [`Output::Asked`], or [`Output::SecurityRequested`] by a pairing: the user is asked for consent where no
    /// method asks them anything.
    ///
    /// # Errors
    /// When nobody asked (any more), or the options contradict each other.
    pub fn accept(
        &mut self,
        now: Instant,
        options: &PairingOptions,
        identity: LocalIdentity,
        rng: &mut impl Rng,
    ) -> Result<(), PairingError> {
        Ok(())
    }

    /// Answers the same two by a Pairing Failed. Nothing else is told: there was no pairing.
    pub fn refuse(&mut self, now: Instant, reason: PairingFailedReason) {}

    /// A PDU of the peer's.
    pub fn on_pdu(&mut self, now: Instant, pdu: &[u8], rng: &mut impl Rng) {}

    /// What the user says; `false` when nobody asks that any more.
    pub fn answer(&mut self, now: Instant, id: PromptId, answer: Answer, rng: &mut impl Rng) -> bool {
        false
    }

    /// The link is encrypted, or encrypted anew.
    pub fn on_encrypted(&mut self, now: Instant, with: Encrypted, rng: &mut impl Rng) {}

    /// The link could not be encrypted with the key of the pairing.
    pub fn on_encryption_failed(&mut self, now: Instant, status: ErrorCode) {}

    /// We are the peripheral: the key of the pairing in progress, if the central asks for it. It is named by zeros.
    pub fn long_term_key(&mut self, ediv: u16, rand: [u8; 8]) -> Option<Key> {
        None
    }

    /// Our user does not want to pair any more.
    pub fn cancel(&mut self, now: Instant) {}

    /// When [`on_timeout`](Self::on_timeout) is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The time has come, or not yet.
    pub fn on_timeout(&mut self, now: Instant) {}

    /// Whether a pairing is in progress or asked for, by either side.
    pub fn is_pairing(&self) -> bool {
        false
    }

    /// A pairing ran out of time: there is none on this link any more.
    pub fn is_dead(&self) -> bool {
        false
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }
}
