//! Pairings: who may begin one and how, what their users are asked, and what they leave.
//!
//! The protocol is the [`SecurityManager`](crate::smp::SecurityManager)'s, one for each link. Here are the rules that need
//! to know more than one link: bonds, the agent, and how long a peer that failed has to wait.

use super::guard::{Told, Whose};
use super::security::{LinkSecurity, OnSecurityRequest, Pairable, PairingSummary, SecurityEvent};
use super::{Host, OpError, OpId, Output};
use crate::hci::ConnectionHandle;
use crate::l2cap::ChannelId;
use crate::smp::{
    self, Answer, Bond, By, Encrypted, IoCapability, Key, LocalIdentity, Paired, PairedInfo, PairingError,
    PairingFailedReason, PairingOptions, Prompt, PromptId, SecureConnections,
};
use crate::{Address, Instant};
use std::time::Duration;

/// How long the last packets of a pairing may take. A link with much to send may always have some under way.
const LAST_PACKETS: Duration = Duration::from_secs(1);

/// A pairing in progress on a link.
#[derive(Debug)]
pub(super) struct Pairing {
    begun: Begun,
    /// What waits for an answer.
    prompts: Vec<PromptId>,
    /// The link is encrypted with its key: there is no way back to how it was.
    encrypted: bool,
    /// Whoever asked for it does not want it any more.
    cancelled: bool,
}

/// Who began a pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// A request, whose user answers prompts.
    Request(OpId),
    /// An operation of ours that needs it.
    Operation,
    /// The peer.
    Peer,
}

impl Pairing {
    fn new(begun: Begun) -> Self {
        Self { begun, prompts: Vec::new(), encrypted: false, cancelled: false }
    }

    pub(super) fn op(&self) -> Option<OpId> {
        match self.begun {
            Begun::Request(op) => Some(op),
            Begun::Operation | Begun::Peer => None,
        }
    }
}

/// Beginning.
impl Host {
    /// Begins a pairing from our side.
    pub(super) fn begin_pairing(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        begun: Begun,
        options: &PairingOptions,
    ) -> Result<(), OpError> {
        let link = self.links.get(&handle).ok_or(OpError::NotConnected)?;
        if link.guard.is_busy() {
            return Err(OpError::Pairing(refusal("another one is in progress on this link")));
        }
        if let Some(left) = self.attempts.wait(now, link.peer) {
            return Err(OpError::PairingTooSoon { left });
        }
        let options = self.not_weaker(handle, options.clone());
        let identity = self.local_identity(handle);
        let link = self.links.get_mut(&handle).ok_or(OpError::NotConnected)?;
        link.guard.manager.pair(now, &options, identity, &mut self.rng).map_err(OpError::Pairing)?;
        link.guard.pairing = Some(Pairing::new(begun));
        Ok(())
    }

    /// A peripheral asks for security, or a central to pair.
    fn on_peer_asks(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(link) = self.links.get(&handle) else { return };
        let bonded = link.guard.security().bonded;
        let refused = match self.security.pairable {
            _ if self.attempts.wait(now, link.peer).is_some() => Some(PairingFailedReason::RepeatedAttempts),
            Pairable::Never => Some(PairingFailedReason::PairingNotSupported),
            Pairable::WhenAsked if !self.agent => Some(PairingFailedReason::PairingNotSupported),
            // Who is known does not become somebody else unseen.
            _ if bonded && !self.agent => Some(PairingFailedReason::PairingNotSupported),
            _ => None,
        };
        let options = self.not_weaker(handle, self.options_by_ourselves());
        let identity = self.local_identity(handle);
        let Some(link) = self.links.get_mut(&handle) else { return };
        if let Some(reason) = refused {
            tracing::debug!(connection = link.id.0, %reason, "the peer may not pair");
            return link.guard.manager.refuse(now, reason);
        }
        match link.guard.manager.accept(now, &options, identity, &mut self.rng) {
            Ok(()) => link.guard.pairing = Some(Pairing::new(Begun::Peer)),
            Err(error) => {
                let connection = link.id;
                self.events.push_back(SecurityEvent::Failed { connection, op: None, error }.into());
            }
        }
    }

    /// How to pair when no user asked for it: without an agent there is nobody to see or type anything.
    pub(super) fn options_by_ourselves(&self) -> PairingOptions {
        let options = self.security.pairing.clone();
        if self.agent || options.oob.is_some() {
            return options;
        }
        options.io(IoCapability::NoInputNoOutput)
    }

    /// The same, so that what comes of it is not weaker than the bond that it takes the place of.
    fn not_weaker(&self, handle: ConnectionHandle, mut options: PairingOptions) -> PairingOptions {
        let bond = self.links.get(&handle).and_then(|link| self.bonds.get(link.guard.bond?));
        let Some(Bond { paired, .. }) = bond else { return options };
        if paired.secure_connections {
            options = options.secure_connections(SecureConnections::Only);
        }
        if paired.authenticated {
            options = options.mitm(true);
        }
        let least = options.min_key_size.max(paired.key_size);
        options.min_key_size(least)
    }

    fn local_identity(&mut self, handle: ConnectionHandle) -> LocalIdentity {
        let local = self.links.get(&handle).map(|link| link.local);
        let address = self.own_identity(local.unwrap_or(Address::random(self.random_address)));
        LocalIdentity { irk: self.irk.clone(), address, csrk: Key::generate(&mut self.rng) }
    }
}

/// What happens.
impl Host {
    /// The peer has sent a PDU of the Security Manager.
    pub(super) fn on_smp(&mut self, now: Instant, handle: ConnectionHandle, pdu: &[u8]) {
        if let Some(link) = self.links.get_mut(&handle) {
            link.guard.manager.on_pdu(now, pdu, &mut self.rng);
        }
    }

    /// The user's answer; `false` when nobody waits for it.
    pub(super) fn answer_prompt(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        id: PromptId,
        answer: Answer,
    ) -> bool {
        let Some(link) = self.links.get_mut(&handle) else { return false };
        let goes_on = matches!(answer, Answer::Keypress(_));
        let taken = link.guard.manager.answer(now, id, answer, &mut self.rng);
        if let (true, false, Some(pairing)) = (taken, goes_on, &mut link.guard.pairing) {
            pairing.prompts.retain(|open| *open != id);
        }
        taken
    }

    /// Gives a request for a pairing up, and the pairing with it; `false` when there is none.
    pub(super) fn cancel_pairing(&mut self, now: Instant, op: OpId) -> bool {
        let of = |link: &&mut super::link::Link| {
            link.guard.pairing.as_ref().is_some_and(|pairing| pairing.op() == Some(op))
        };
        let Some(link) = self.links.values_mut().find(of) else { return false };
        if let Some(pairing) = &mut link.guard.pairing {
            pairing.cancelled = true;
        }
        link.guard.manager.cancel(now);
        true
    }

    /// The link is encrypted with the key of the pairing. Peers use it from now on, while keys are still distributed.
    pub(super) fn on_pairing_encrypted(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        if let Some(pairing) = &mut link.guard.pairing {
            pairing.encrypted = true;
        }
        let worth = link.guard.manager.key_worth();
        let bonded = link.guard.security().bonded;
        link.guard.manager.on_encrypted(now, Encrypted::WithPairing, &mut self.rng);
        if let Some(worth) = worth {
            self.on_secured(now, handle, LinkSecurity::of(&worth, bonded));
        }
    }

    /// Does what the security managers want done. What needs a user waits until the link has one.
    pub(super) fn poll_security(&mut self, now: Instant) {
        self.raise_wanted(now);
        while let Some((handle, output)) = self.next_security_output() {
            self.on_security_output(now, handle, output);
            self.raise_wanted(now);
        }
        self.begin_joining(now);
    }

    fn next_security_output(&mut self) -> Option<(ConnectionHandle, smp::Output)> {
        let mut ready = self.links.iter_mut().filter(|(_, link)| link.is_ready());
        ready.find_map(|(handle, link)| Some((*handle, link.guard.manager.poll_output()?)))
    }

    fn on_security_output(&mut self, now: Instant, handle: ConnectionHandle, output: smp::Output) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        let connection = link.id;
        tracing::debug!(connection = connection.0, ?output, "security manager");
        match output {
            smp::Output::Send(pdu) => {
                self.on_link(handle, |link, out| link.answer(ChannelId::SecurityManager, &pdu, out));
            }
            smp::Output::Asked(_) => self.on_peer_asks(now, handle),
            smp::Output::SecurityRequested { bonding, mitm, secure_connections, .. } => {
                let requested = SecurityEvent::Requested { connection, bonding, mitm, secure_connections };
                self.events.push_back(requested.into());
                let have = link.guard.security();
                if self.security.on_request == OnSecurityRequest::Tell {
                    link.guard.manager.ignore();
                } else if have.encrypted && (have.authenticated || !mitm) {
                    link.guard.manager.on_encrypted(now, Encrypted::WithBond, &mut self.rng);
                } else if have.encrypted || !self.encrypt_with_bond(now, handle) {
                    // Only a pairing gives what the bond does not ([Vol 3] Part H, 2.4.6).
                    self.on_peer_asks(now, handle);
                }
            }
            smp::Output::Prompt { id, prompt } => self.on_prompt(now, handle, id, prompt),
            smp::Output::Encrypt { key } => {
                self.enable_encryption(now, handle, Whose::Pairing, &key, 0, [0; 8]);
            }
            smp::Output::Paired(paired) => self.on_paired(now, handle, *paired),
            smp::Output::Failed(error) => self.on_pairing_failed(now, handle, error),
        }
    }

    fn on_prompt(&mut self, now: Instant, handle: ConnectionHandle, id: PromptId, prompt: Prompt) {
        let agent = self.agent;
        let Some(link) = self.links.get_mut(&handle) else { return };
        let Some(pairing) = &mut link.guard.pairing else { return };
        if pairing.op().is_none() && !agent {
            // Only what needs no user was agreed on; a thing that is always pairable says yes.
            let answer = if prompt == Prompt::Consent { Answer::Yes } else { Answer::No };
            link.guard.manager.answer(now, id, answer, &mut self.rng);
            return;
        }
        if !matches!(prompt, Prompt::Keypress(_)) {
            pairing.prompts.push(id);
        }
        let connection = link.id;
        self.events.push_back(SecurityEvent::Prompt { connection, id, prompt }.into());
    }
}

/// The end.
impl Host {
    fn on_paired(&mut self, now: Instant, handle: ConnectionHandle, paired: Paired) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        let (connection, on_air, was_bonded) = (link.id, link.peer, link.guard.security().bonded);
        let op = self.end_prompts(handle).and_then(|pairing| pairing.op());
        self.attempts.on_paired(on_air);
        let kept = match paired.bonded {
            true => self.keep(handle, &paired).map(Some),
            false => Ok(None),
        };
        let kept = match kept {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(connection = connection.0, %error, "the pairing is not kept; ending the link");
                if let Some(op) = op {
                    self.done(op, Err(error.clone()));
                }
                return self.refuse_link(now, handle, error);
            }
        };
        let summary = PairingSummary {
            peer: kept.map(|kept| kept.peer).or(paired.keys.identity).unwrap_or(on_air),
            method: paired.method,
            secure_connections: paired.secure_connections,
            authenticated: paired.authenticated,
            key_size: paired.key_size,
            bonded: paired.bonded,
        };
        let PairingSummary { secure_connections, authenticated, key_size, .. } = summary;
        let worth = PairedInfo { method: None, secure_connections, authenticated, key_size };
        let bonded = kept.map_or(was_bonded, |kept| kept.encrypts);
        self.on_secured(now, handle, LinkSecurity::of(&worth, bonded));
        self.events.push_back(SecurityEvent::Paired { connection, op, summary: summary.clone() }.into());
        let Some(link) = self.links.get_mut(&handle) else { return };
        if let Some(op) = op.or_else(|| link.guard.take_content(&summary)) {
            link.guard.paired = Some(Told { op, summary, until: now + LAST_PACKETS });
        }
        self.raise(now, handle);
    }

    /// Tells who asked for a pairing that it is done, once the peer has the last of our keys: a user who ends the link
    /// then leaves no bond that is one on this side alone.
    pub(super) fn tell_paired(&mut self, now: Instant) {
        let acl = &self.acl;
        let told = self.links.iter_mut().filter_map(|(handle, link)| {
            link.guard.paired.take_if(|told| told.until <= now || acl.is_drained(*handle))
        });
        for Told { op, summary, .. } in told.collect::<Vec<_>>() {
            self.done(op, Ok(Output::Paired(summary)));
        }
    }

    fn on_pairing_failed(&mut self, now: Instant, handle: ConnectionHandle, error: PairingError) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        let (connection, on_air) = (link.id, link.peer);
        if error.is_attempt() {
            self.attempts.on_failed(now, on_air);
        }
        let pairing = self.end_prompts(handle);
        let op = pairing.as_ref().and_then(Pairing::op);
        self.events.push_back(SecurityEvent::Failed { connection, op, error }.into());
        if let Some((op, cancelled)) = pairing.as_ref().and_then(|p| Some((p.op()?, p.cancelled))) {
            let error = if cancelled { OpError::Cancelled } else { OpError::Pairing(error) };
            self.done(op, Err(error));
        }
        if pairing.is_some_and(|pairing| pairing.encrypted) {
            // Its key encrypts the link, and stands for nothing.
            return self.refuse_link(now, handle, OpError::Pairing(error));
        }
        self.tell_raising_failed(now, handle, &OpError::Pairing(error));
    }

    /// The peer was asked to pair, and has encrypted the link with the bond instead: that is what there is.
    pub(super) fn end_pairing_by_bond(&mut self, handle: ConnectionHandle) {
        let Some(link) = self.links.get(&handle) else { return };
        if link.guard.manager.is_pairing() || link.guard.pairing.is_none() {
            return;
        }
        let bond = link.guard.bond.and_then(|peer| self.bonds.get(peer));
        let summary = bond.and_then(summary_of);
        let Some(op) = self.end_prompts(handle).and_then(|pairing| pairing.op()) else { return };
        self.done(op, summary.map(Output::Paired).ok_or(OpError::Cancelled));
    }

    /// A pairing is over, and with it what its user was asked.
    fn end_prompts(&mut self, handle: ConnectionHandle) -> Option<Pairing> {
        let link = self.links.get_mut(&handle)?;
        let mut pairing = link.guard.pairing.take()?;
        let connection = link.id;
        let withdrawn = pairing.prompts.drain(..);
        self.events.extend(withdrawn.map(|id| SecurityEvent::Withdrawn { connection, id }.into()));
        Some(pairing)
    }
}

pub(super) fn summary_of(bond: &Bond) -> Option<PairingSummary> {
    Some(PairingSummary {
        peer: bond.peer,
        method: bond.paired.method?,
        secure_connections: bond.paired.secure_connections,
        authenticated: bond.paired.authenticated,
        key_size: bond.paired.key_size,
        bonded: true,
    })
}

/// A pairing that does not even begin.
fn refusal(cause: &'static str) -> PairingError {
    PairingError { reason: PairingFailedReason::UnspecifiedReason, by: By::Us, cause }
}
