//! More security for a link: who wants it, which step is next, and what becomes of those who waited.
//!
//! Wanted by a request, by an answer of the peer's server that asks for it, or because GATT may not go out without. The
//! steps are those of [Vol 3] Part C, 10.3.2: the bond that there is, else a pairing as configured. Each is taken once.

use super::pairing::Begun;
use super::security::LinkSecurity;
use super::{Host, OpError, OpId, Output};
use crate::Instant;
use crate::att::AttError;
use crate::hci::{ConnectionHandle, Role};
use crate::l2cap::ChannelId;
use crate::smp::pdu::{self, PairingFailedReason};
use crate::smp::{AuthReq, By, IoCapability, PairingOptions, SecureConnections, SecurityLevel, SmpPdu};
use std::time::Duration;

/// How long a central has to do something about our Security Request.
const CENTRAL_LIMIT: Duration = Duration::from_secs(30);

/// What a link is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Goal {
    level: SecurityLevel,
    key_size: u8,
}

impl Goal {
    pub(super) fn level(level: SecurityLevel) -> Self {
        Self { level, key_size: 0 }
    }

    /// Both.
    pub(super) fn and(self, other: Self) -> Self {
        Self { level: self.level.max(other.level), key_size: self.key_size.max(other.key_size) }
    }

    pub(super) fn is_met(self, by: LinkSecurity) -> bool {
        by.level() >= self.level && (self.key_size == 0 || by.encrypted && by.key_size >= self.key_size)
    }

    /// What a server wants that answers this on such a link ([Vol 3] Part C, 10.3.1); nothing if the link has all that
    /// there is.
    pub(super) fn behind(code: AttError, have: LinkSecurity) -> Option<Self> {
        let level = match code {
            AttError::InsufficientAuthentication
            | AttError::InsufficientAuthorization
            | AttError::InsufficientEncryption
            | AttError::EncryptionKeySizeTooShort
                if !have.encrypted =>
            {
                SecurityLevel::Encrypted
            }
            AttError::InsufficientAuthentication if !have.authenticated => SecurityLevel::Authenticated,
            AttError::InsufficientAuthentication if !have.secure_connections => {
                SecurityLevel::SecureConnections
            }
            AttError::EncryptionKeySizeTooShort if have.key_size < 16 => {
                return Some(Self { level: SecurityLevel::Encrypted, key_size: 16 });
            }
            _ => return None,
        };
        Some(Self::level(level))
    }

    /// How to pair to reach it.
    fn demand(self, mut options: PairingOptions) -> PairingOptions {
        if self.level >= SecurityLevel::Authenticated {
            options = options.mitm(true);
        }
        if self.level >= SecurityLevel::SecureConnections {
            options = options.secure_connections(SecureConnections::Only).min_key_size(16);
        }
        let least = options.min_key_size.max(self.key_size);
        options.min_key_size(least)
    }
}

/// Of one link: what is wanted, and how far it has come.
#[derive(Debug, Default)]
pub(super) struct Raising {
    goal: Option<Goal>,
    /// Requests that wait, each for its own goal.
    ops: Vec<(OpId, Goal)>,
    /// Steps that were taken.
    bond_tried: bool,
    pairing_tried: bool,
    /// As a peripheral: when the central has had long enough.
    pub(super) until: Option<Instant>,
}

impl Raising {
    fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Everybody who waits, for the end of the link.
    pub(super) fn close(&mut self) -> impl Iterator<Item = OpId> {
        self.take().ops.into_iter().map(|(op, _)| op)
    }

    /// A request that waits no more; `false` when it did not.
    pub(super) fn cancel(&mut self, op: OpId) -> bool {
        let before = self.ops.len();
        self.ops.retain(|(waiting, _)| *waiting != op);
        self.ops.len() < before
    }
}

/// What to do next.
enum Next {
    Wait,
    Reached,
    Bond,
    Pair,
    Impossible,
}

impl Host {
    /// A request wants this of a link.
    pub(super) fn raise_for(&mut self, now: Instant, handle: ConnectionHandle, op: OpId, goal: Goal) {
        if let Some(link) = self.links.get_mut(&handle) {
            let raising = &mut link.guard.raising;
            raising.goal = Some(raising.goal.map_or(goal, |before| before.and(goal)));
            raising.ops.push((op, goal));
        }
        self.raise(now, handle);
    }

    /// A request wants a link encrypted with its bond; one that is encrypted gets a new session key.
    pub(super) fn encrypt_for(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        op: OpId,
    ) -> Result<(), OpError> {
        let link = self.links.get(&handle).ok_or(OpError::NotConnected)?;
        let have = link.guard.security();
        if !have.bonded {
            return Err(OpError::NotBonded { peer: link.guard.bond.unwrap_or(link.peer) });
        }
        if have.encrypted && link.role == Role::Central && !link.guard.is_busy() {
            self.encrypt_with_bond(now, handle);
        }
        self.raise_for(now, handle, op, Goal::level(SecurityLevel::Encrypted));
        Ok(())
    }

    /// Begins what links want by themselves.
    pub(super) fn raise_wanted(&mut self, now: Instant) {
        let wanting = self.links.iter_mut().filter_map(|(handle, link)| {
            let goal = link.guard.take_wanted()?;
            let raising = &mut link.guard.raising;
            raising.goal = Some(raising.goal.map_or(goal, |before| before.and(goal)));
            Some(*handle)
        });
        for handle in wanting.collect::<Vec<_>>() {
            self.raise(now, handle);
        }
    }

    /// Takes the next step to what is wanted of a link, if anything is.
    pub(super) fn raise(&mut self, now: Instant, handle: ConnectionHandle) {
        match self.next_step(handle) {
            Next::Wait => {}
            Next::Reached => self.end_raising(now, handle, None),
            Next::Impossible => self.end_raising(now, handle, Some(OpError::InsufficientSecurity)),
            Next::Bond => self.raise_by_bond(now, handle),
            Next::Pair => self.raise_by_pairing(now, handle),
        }
    }

    fn next_step(&self, handle: ConnectionHandle) -> Next {
        let Some(link) = self.links.get(&handle).filter(|link| link.is_ready()) else { return Next::Wait };
        let (guard, raising) = (&link.guard, &link.guard.raising);
        let Some(goal) = raising.goal else { return Next::Wait };
        let refreshing = guard.key.is_some() && guard.security().encrypted;
        if goal.is_met(guard.security()) && !refreshing && !guard.refused {
            return Next::Reached;
        }
        if guard.refused {
            return Next::Impossible;
        }
        if guard.is_busy() || raising.until.is_some() {
            return Next::Wait;
        }
        let asked_for = !raising.ops.is_empty() || !guard.is_sufficient();
        if self.security.forbid_raising && !asked_for {
            return Next::Impossible;
        }
        match guard.security() {
            have if have.bonded && !have.encrypted && !raising.bond_tried => Next::Bond,
            // A bond that does not encrypt is no reason to pair anew: somebody else may be there.
            have if have.bonded && !have.encrypted => Next::Impossible,
            _ if !raising.pairing_tried => Next::Pair,
            _ => Next::Impossible,
        }
    }

    fn raise_by_bond(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        link.guard.raising.bond_tried = true;
        if link.role == Role::Central {
            if !self.encrypt_with_bond(now, handle) {
                self.end_raising(now, handle, Some(OpError::InsufficientSecurity));
            }
            return;
        }
        link.guard.raising.until = Some(now + CENTRAL_LIMIT);
        let auth_req = AuthReq::BONDING | AuthReq::SECURE_CONNECTIONS;
        let request = SmpPdu::from(pdu::SecurityRequest { auth_req: auth_req.0.into() }).to_bytes();
        self.on_link(handle, |link, out| link.send(ChannelId::SecurityManager, &request, out));
    }

    fn raise_by_pairing(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        link.guard.raising.pairing_tried = true;
        let Some(goal) = link.guard.raising.goal else { return };
        let options = goal.demand(self.options_by_ourselves());
        if options.mitm && options.io == IoCapability::NoInputNoOutput && options.oob.is_none() {
            // Nobody could see or type anything.
            return self.end_raising(now, handle, Some(OpError::InsufficientSecurity));
        }
        if let Err(error) = self.begin_pairing(now, handle, Begun::Operation, &options) {
            self.end_raising(now, handle, Some(error));
        }
    }

    /// As a peripheral: the central has not done what it was asked for.
    pub(super) fn on_central_silent(&mut self, now: Instant, handle: ConnectionHandle) {
        self.end_raising(now, handle, Some(OpError::CentralSilent { after: CENTRAL_LIMIT }));
    }

    /// The link has what was wanted, or will not have it: everybody who waits goes on or is told.
    pub(super) fn end_raising(&mut self, now: Instant, handle: ConnectionHandle, error: Option<OpError>) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        let raising = link.guard.raising.take();
        let have = link.guard.security();
        for (op, goal) in raising.ops {
            let result = match &error {
                // What was too much for one may be enough for another.
                Some(error) if !goal.is_met(have) => Err(error.clone()),
                _ => Ok(Output::Security(have)),
            };
            self.done(op, result);
        }
        self.on_link(handle, |link, out| match error {
            None => link.ask_again(now, out),
            // A peer that cannot be satisfied has said itself what it wants.
            Some(error) => {
                let told = (!error.leaves_refusal()).then_some(&error);
                link.hand_on_refusals(now, told, out);
                if !link.guard.is_sufficient() {
                    link.fail_waiting(&error, out);
                }
            }
        });
        self.on_link(handle, |link, out| {
            link.start_next(now, out);
            link.send_queued(now, out);
        });
    }

    /// A pairing that an operation needed came to nothing, or one that it could have used.
    pub(super) fn tell_raising_failed(&mut self, now: Instant, handle: ConnectionHandle, error: &OpError) {
        let raising = self.links.get(&handle).is_some_and(|link| link.guard.raising.goal.is_some());
        if raising {
            self.end_raising(now, handle, Some(error.clone()));
        }
    }
}

impl OpError {
    /// Whether there was no way to more security, so that what the peer's server said is all that there is to say.
    fn leaves_refusal(&self) -> bool {
        match self {
            Self::InsufficientSecurity | Self::PairingTooSoon { .. } => true,
            Self::Pairing(error) => {
                error.reason == PairingFailedReason::PairingNotSupported && error.by == By::Peer
            }
            _ => false,
        }
    }
}
