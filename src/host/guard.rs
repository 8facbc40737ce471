//! What guards a link: the security that it has, the least that it must have before GATT goes out on it, and what is
//! under way to give it more.
//!
//! Plain state of one link. What is done with it, `encryption`, `pairing` and `raising` say.

use super::OpId;
use super::joining::Joining;
use super::pairing::Pairing;
use super::raising::{Goal, Raising};
use super::security::{LinkSecurity, PairingSummary};
use crate::att::AttPdu;
use crate::gatt::server;
use crate::hci::Role;
use crate::l2cap::credit;
use crate::smp::{SecurityLevel, SecurityManager};
use crate::{Address, Instant};

#[derive(Debug)]
pub(super) struct Guard {
    security: LinkSecurity,
    /// With whom there is a bond, as far as is known.
    pub(super) bond: Option<Address>,
    pub(super) manager: SecurityManager,
    /// A key that the controllers are putting into use.
    pub(super) key: Option<PendingKey>,
    pub(super) pairing: Option<Pairing>,
    /// Another that is asked for meanwhile.
    pub(super) joining: Option<Joining>,
    /// A pairing that is done but for the last packets of it.
    pub(super) paired: Option<Told>,
    pub(super) raising: Raising,
    /// What the link has to have before GATT goes out on it, bond or not.
    pub(super) least: SecurityLevel,
    /// The link is being ended for want of security: nothing of GATT goes out any more, and nothing gives it more.
    pub(super) refused: bool,
    /// What GATT lacks now.
    wanted: Option<Goal>,
    /// When what the bond keeps of the peer's client is saved.
    pub(super) save_by: Option<Instant>,
}

/// A key between the host that has given it and the event that says how it went.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingKey {
    pub(super) whose: Whose,
    /// When the controllers have had long enough.
    pub(super) until: Instant,
}

/// What the user of a pairing is told when the peer has the last of our keys.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) op: OpId,
    pub(super) summary: PairingSummary,
    /// When the controllers have had long enough.
    pub(super) until: Instant,
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The pairing in progress.
    Pairing,
    /// A bond; what the link then has.
    Bond(Address, LinkSecurity),
}

impl Guard {
    /// `local` and `peer` are the addresses on the air.
    pub(super) fn new(role: Role, local: Address, peer: Address) -> Self {
        Self {
            security: LinkSecurity::default(),
            bond: None,
            manager: SecurityManager::new(role, local, peer),
            key: None,
            pairing: None,
            joining: None,
            paired: None,
            raising: Raising::default(),
            least: SecurityLevel::None,
            refused: false,
            wanted: None,
            save_by: None,
        }
    }

    pub(super) fn security(&self) -> LinkSecurity {
        self.security
    }

    /// What the link has from now on; whether that is something else.
    pub(super) fn set_security(&mut self, security: LinkSecurity) -> bool {
        let before = std::mem::replace(&mut self.security, security);
        before != security
    }

    /// What the server on our side is told of it.
    pub(super) fn for_server(&self, authorized: bool) -> server::Security {
        let LinkSecurity { encrypted, authenticated, key_size, bonded, .. } = self.security;
        server::Security { encrypted, authenticated, key_size, bonded, authorized }
    }

    /// What channels are told of it.
    pub(super) fn for_channels(&self) -> credit::LinkSecurity {
        let LinkSecurity { encrypted, authenticated, key_size, bonded, .. } = self.security;
        let encryption = encrypted.then_some(credit::LinkEncryption { key_size, authenticated });
        credit::LinkSecurity { has_key: bonded || encrypted, encryption }
    }

    /// What GATT must have: never plaintext with a peer that has a key.
    fn required(&self) -> SecurityLevel {
        let bonded = if self.security.bonded { SecurityLevel::Encrypted } else { SecurityLevel::None };
        bonded.max(self.least)
    }

    /// Whether the link has what GATT must have.
    pub(super) fn is_sufficient(&self) -> bool {
        !self.refused && self.security.level() >= self.required()
    }

    /// Whether GATT may go out. If not, what it lacks is wanted from now on.
    pub(super) fn lets_out(&mut self) -> bool {
        let sufficient = self.is_sufficient();
        if !sufficient {
            self.want(Goal::level(self.required()));
        }
        sufficient
    }

    /// Somebody lacks something.
    pub(super) fn want(&mut self, goal: Goal) {
        self.wanted = Some(self.wanted.map_or(goal, |wanted| wanted.and(goal)));
    }

    /// What is lacking, once.
    pub(super) fn take_wanted(&mut self) -> Option<Goal> {
        self.wanted.take()
    }

    /// What would let an answer of the peer be another, if anything that a link can have.
    pub(super) fn goal_of(&self, answer: &[u8]) -> Option<Goal> {
        match AttPdu::from_octets(answer) {
            Ok(AttPdu::ErrorRsp(error)) => Goal::behind(error.error_code, self.security),
            _ => None,
        }
    }

    /// Whether anything is under way that ends by itself.
    pub(super) fn is_busy(&self) -> bool {
        self.key.is_some() || self.pairing.is_some()
    }

    /// A request that waits no more; `false` when it did not.
    pub(super) fn cancel(&mut self, op: OpId) -> bool {
        self.raising.cancel(op) || self.joining.take_if(|joining| joining.op == op).is_some()
    }

    /// Everybody who waits for security, for the end of the link.
    pub(super) fn close(&mut self) -> impl Iterator<Item = OpId> {
        let pairing = self.pairing.take().and_then(|pairing| pairing.op());
        let paired = self.paired.take().map(|told| told.op);
        let joining = self.joining.take().map(|joining| joining.op);
        self.raising.close().chain(pairing).chain(paired).chain(joining)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let key = self.key.map(|key| key.until);
        let paired = self.paired.as_ref().map(|told| told.until);
        let deadlines = [key, paired, self.raising.until, self.manager.deadline(), self.save_by];
        deadlines.into_iter().flatten().min()
    }
}
