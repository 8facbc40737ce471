//! The keys that links are encrypted with: a bond's or a pairing's, brought to the controller, and what its events say.
//!
//! A link whose bond does not encrypt it is ended: to a peer that cannot prove who it is nothing is said in the clear.

use super::guard::{PendingKey, Whose};
use super::link::PROCEDURE_LIMIT;
use super::phase::Phase;
use super::security::{LinkSecurity, SecurityEvent};
use super::{Host, OpError, Owner};
use crate::Instant;
use crate::codec::Secret;
use crate::hci::command::{
    HciCommand, LeEnableEncryption, LeLongTermKeyRequestNegativeReply, LeLongTermKeyRequestReply,
};
use crate::hci::event::LeLongTermKeyRequest;
use crate::hci::{ConnectionHandle, ErrorCode, Role};
use crate::smp::{Bond, Encrypted, Key, LongTermKey, SecureConnections};

impl Host {
    /// A link that we made is up. Whether it is encrypted, or ended, before anything else is said on it.
    pub(super) fn encrypt_first(&mut self, now: Instant, handle: ConnectionHandle) -> bool {
        let bonded = self.links.get(&handle).is_some_and(|link| link.guard.security().bonded);
        bonded && self.encrypt_with_bond(now, handle)
    }

    /// As the central: encrypts a link with its bond, anew if it is encrypted, or ends it; `false` when there is no key.
    pub(super) fn encrypt_with_bond(&mut self, now: Instant, handle: ConnectionHandle) -> bool {
        let Some(link) = self.links.get(&handle) else { return false };
        if link.guard.key.is_some() {
            // One is on its way already, and controllers take one at a time.
            return true;
        }
        let Some(bond) = link.guard.bond.and_then(|peer| self.bonds.get(peer)) else { return false };
        let Some(LongTermKey { key, ediv, rand }) = bond.keys.peer_ltk.clone() else { return false };
        if !self.is_strong_enough(bond) {
            let error = OpError::WeakBond { key_size: bond.paired.key_size };
            self.refuse_link(now, handle, error);
            return true;
        }
        let whose = Whose::Bond(bond.peer, LinkSecurity::of(&bond.paired, true));
        self.enable_encryption(now, handle, whose, &key, ediv, rand);
        true
    }

    /// As the central: has the controllers use a key.
    pub(super) fn enable_encryption(
        &mut self,
        now: Instant,
        connection_handle: ConnectionHandle,
        whose: Whose,
        key: &Key,
        encrypted_diversifier: u16,
        random_number: [u8; 8],
    ) {
        let Some(link) = self.links.get_mut(&connection_handle) else { return };
        link.guard.key = Some(PendingKey { whose, until: now + PROCEDURE_LIMIT });
        let long_term_key = Secret(key.octets());
        let command =
            LeEnableEncryption { connection_handle, random_number, encrypted_diversifier, long_term_key };
        if let Ok(packet) = command.to_packet() {
            self.commands.push(Owner::Encrypt(connection_handle), packet);
        }
    }

    /// The answer to LE Enable Encryption: what follows from it comes as an event.
    pub(super) fn on_encrypt_answer(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        status: Option<ErrorCode>,
    ) {
        match status {
            Some(ErrorCode::Success) => {}
            status => self.on_encryption_failed(now, handle, status.unwrap_or(ErrorCode::UnspecifiedError)),
        }
    }

    /// As the peripheral: the central encrypts, and names the key.
    pub(super) fn on_key_request(&mut self, now: Instant, e: &LeLongTermKeyRequest) {
        let connection_handle = e.connection_handle;
        let Some((whose, key)) = self.key_for(connection_handle, e.encrypted_diversifier, e.random_number)
        else {
            tracing::debug!(handle = %connection_handle, "a key is asked for that is not there");
            return self.housekeeping(LeLongTermKeyRequestNegativeReply { connection_handle });
        };
        if let Some(link) = self.links.get_mut(&connection_handle) {
            link.guard.key = Some(PendingKey { whose, until: now + PROCEDURE_LIMIT });
        }
        let long_term_key = Secret(key.octets());
        self.housekeeping(LeLongTermKeyRequestReply { connection_handle, long_term_key });
    }

    /// The key that EDIV and Rand name: of the pairing in progress, else of the bond.
    fn key_for(&mut self, handle: ConnectionHandle, ediv: u16, rand: [u8; 8]) -> Option<(Whose, Key)> {
        let link = self.links.get_mut(&handle).filter(|link| link.role == Role::Peripheral)?;
        if let Some(key) = link.guard.manager.long_term_key(ediv, rand) {
            return Some((Whose::Pairing, key));
        }
        let known = link.guard.bond;
        let bond = self.bonds.naming(known, ediv, rand).filter(|bond| self.is_strong_enough(bond))?;
        let key = bond.keys.local_ltk.as_ref()?.key.clone();
        Some((Whose::Bond(bond.peer, LinkSecurity::of(&bond.paired, true)), key))
    }

    /// Encryption Change or Encryption Key Refresh Complete.
    pub(super) fn on_encryption_change(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        status: ErrorCode,
        enabled: bool,
    ) {
        let Some(link) = self.links.get_mut(&handle) else {
            return tracing::debug!(%handle, "encryption of no link");
        };
        if !status.is_success() {
            return self.on_encryption_failed(now, handle, status);
        }
        if !enabled {
            tracing::warn!(%handle, "encryption went off; ending the link");
            return self.on_encryption_failed(now, handle, ErrorCode::AuthenticationFailure);
        }
        match link.guard.key.take().map(|key| key.whose) {
            // Whatever it is encrypted with, it is nobody's key that we know.
            None => tracing::warn!(%handle, "the controller says that a link is encrypted, and has no key"),
            Some(Whose::Pairing) => self.on_pairing_encrypted(now, handle),
            Some(Whose::Bond(peer, security)) => {
                link.guard.manager.on_encrypted(now, Encrypted::WithBond, &mut self.rng);
                link.guard.bond = Some(peer);
                let refreshed = link.guard.security().encrypted;
                self.on_secured(now, handle, security);
                // Whoever has a new session key has not been away.
                if !refreshed {
                    self.restore_client(now, handle);
                }
                if self.links.get(&handle).is_some_and(|link| matches!(link.phase, Phase::Settling(_))) {
                    self.settle(now, handle);
                }
                self.poll_security(now);
                self.end_pairing_by_bond(handle);
                self.raise(now, handle);
            }
        }
    }

    /// A link has other security: its server, its channels and its user know.
    pub(super) fn on_secured(&mut self, now: Instant, handle: ConnectionHandle, security: LinkSecurity) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        link.guard.raising.until = None;
        let authorized = link.serving.client.security.authorized;
        let changed = link.guard.set_security(security);
        link.serving.client.security = link.guard.for_server(authorized);
        if changed && link.is_ready() {
            let connection = link.id;
            self.events.push_back(SecurityEvent::Changed { connection, security }.into());
        }
        self.on_link(handle, |link, out| {
            link.start_next(now, out);
            link.send_queued(now, out);
        });
    }

    /// The key that was being put into use is not, or the link has lost it.
    pub(super) fn on_encryption_failed(&mut self, now: Instant, handle: ConnectionHandle, status: ErrorCode) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        tracing::warn!(connection = link.id.0, %status, "not encrypted");
        let of_pairing = link.guard.key.take().is_some_and(|key| key.whose == Whose::Pairing);
        if of_pairing {
            link.guard.manager.on_encryption_failed(now, status);
        }
        let LinkSecurity { encrypted, bonded, .. } = link.guard.security();
        // A pairing that fails leaves a link as it was, if it was in the clear and nobody had a key.
        if !of_pairing || encrypted || bonded {
            self.refuse_link(now, handle, OpError::Encryption { status });
        }
        self.poll_security(now);
    }

    /// Ends a link that has not the security it must have, and tells whoever waits for it why.
    pub(super) fn refuse_link(&mut self, now: Instant, handle: ConnectionHandle, error: OpError) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        let bonded = link.guard.security().bonded;
        link.guard.key = None;
        link.guard.refused = true;
        match std::mem::replace(&mut link.phase, Phase::Ready) {
            Phase::Settling(attempt) => link.phase = Phase::Unwanted(Some((attempt.key, error))),
            Phase::Ready => {
                self.on_secured(now, handle, LinkSecurity { bonded, ..LinkSecurity::default() });
                self.end_raising(now, handle, Some(error));
            }
            unwanted @ Phase::Unwanted(_) => link.phase = unwanted,
        }
        self.disconnect(now, handle, ErrorCode::AuthenticationFailure);
    }

    /// What the configuration allows to encrypt with: pairing may have been less strict once.
    fn is_strong_enough(&self, bond: &Bond) -> bool {
        let options = &self.security.pairing;
        let modern = bond.paired.secure_connections || options.secure_connections != SecureConnections::Only;
        modern && bond.paired.key_size >= options.min_key_size
    }

    /// Deadlines of the security of a link that have passed.
    pub(super) fn on_security_timeout(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        let key = is_due(link.guard.key.map(|key| key.until));
        let central = is_due(link.guard.raising.until);
        let save = is_due(link.guard.save_by);
        if is_due(link.guard.manager.deadline()) {
            link.guard.manager.on_timeout(now);
        }
        if save {
            self.save_client(handle);
        }
        if key {
            self.on_encryption_failed(now, handle, ErrorCode::LmpResponseTimeout);
        }
        if central {
            self.on_central_silent(now, handle);
        }
    }
}
