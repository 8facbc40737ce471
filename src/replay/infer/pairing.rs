//! Pairings: who began each and how, and what its user said.
//!
//! How to pair stands in the features that both sides exchange. A user with whose host it went on has said yes, and one
//! with whose host it ended no. Shown passkeys follow from the seed, and typed ones are given.

use super::Guide;
use super::transcript::Transcript;
use crate::att::{AttError, AttPdu};
use crate::crypto::PublicKey;
use crate::hci::{AclData, ConnectionHandle};
use crate::host::{ConnectionId, OpId, Output, Pairable, SecurityEvent, SecurityOptions, SecurityRequest};
use crate::l2cap::ChannelId;
use crate::replay::{ReplayError, Script, Turn, Unseen};
use crate::smp::pdu::{AuthReq, KeyDistribution, KeypressType, PairingFailedReason};
use crate::smp::{
    Answer, IoCapability, LocalOob, OobData, PairingOptions, Prompt, PromptId, SecureConnections, SmpPdu,
};
use std::collections::BTreeMap;

/// What the guide knows of pairings.
pub(super) struct Pairings {
    /// PDUs of the Security Manager.
    pub(super) transcript: Transcript,
    /// Why it cannot go on.
    pub(super) missing: Option<ReplayError>,
    unseen: Unseen,
    /// What the user of a link is asked.
    prompts: BTreeMap<ConnectionId, (PromptId, Prompt)>,
    /// Requests for pairings.
    requests: BTreeMap<ConnectionId, OpId>,
    /// The packet that was looked behind last.
    foreseen: Option<usize>,
}

impl Pairings {
    pub(super) fn new(script: &Script, unseen: Unseen) -> Self {
        Self {
            transcript: Transcript::new(script, ChannelId::SecurityManager),
            missing: None,
            unseen,
            prompts: BTreeMap::new(),
            requests: BTreeMap::new(),
            foreseen: None,
        }
    }

    pub(super) fn learn(&mut self, event: &SecurityEvent) {
        match event {
            // That the peer's user types asks nothing.
            SecurityEvent::Prompt { prompt: Prompt::Keypress(_), .. } => {}
            SecurityEvent::Prompt { connection, id, prompt } => {
                self.prompts.insert(*connection, (*id, prompt.clone()));
            }
            SecurityEvent::Withdrawn { connection, .. } => {
                self.prompts.remove(connection);
            }
            SecurityEvent::Paired { connection, .. } | SecurityEvent::Failed { connection, .. } => {
                self.prompts.remove(connection);
                self.requests.remove(connection);
            }
            _ => {}
        }
    }
}

/// What comes by itself: the host has to be ready for it.
impl Guide {
    /// Looks behind the next packet for the host, for what it does about it.
    pub(super) fn foresee_security(&mut self) {
        let Some((place, packet)) = self.replay.course.due_with_place() else { return };
        if self.pairings.foreseen.replace(place) == Some(place) {
            return;
        }
        if let Ok(acl) = AclData::parse(packet.packet.as_slice()) {
            self.foresee_pairing(acl.handle, place);
        } else {
            self.foresee_bond(place);
        }
    }

    /// A peer that asks for security, or to pair, and a server that refuses for want of it: what is done follows from the
    /// policy.
    fn foresee_pairing(&mut self, link: ConnectionHandle, place: usize) -> Option<()> {
        let refused = self.transcript.peers_pdu_at(link, place).is_some_and(|pdu| wants_security(pdu));
        let asked = self.pairings.transcript.peers_pdu_at(link, place);
        if !refused && !asked.is_some_and(|pdu| matches!(pdu[..], [0x01 | 0x0B, ..])) {
            return None;
        }
        let (at, pdu) = self.pairings.transcript.of_host(link, place).next()?;
        let goes_on = self.transcript.of_host(link, place).next().is_some_and(|(next, _)| next < at);
        let raises = refused && !goes_on;
        let policy = SecurityOptions::new().raise(raises);
        let (policy, agent) = match SmpPdu::from_octets(&pdu.clone()).ok()? {
            SmpPdu::PairingFailed(pdu) if pdu.reason == PairingFailedReason::PairingNotSupported => {
                (policy.pairable(Pairable::Never), false)
            }
            SmpPdu::PairingRequest(_) | SmpPdu::SecurityRequest(_) if raises || !refused => {
                (policy.pairing(self.options(link, place, at)?), true)
            }
            SmpPdu::PairingResponse(_) if !refused => (policy.pairing(self.options(link, place, at)?), true),
            _ if refused => (policy, false),
            _ => return None,
        };
        self.submit(SecurityRequest::Configure(policy).into());
        self.submit(SecurityRequest::Agent(agent).into());
        Some(())
    }
}

/// What its user did.
impl Guide {
    /// Does what a PDU of the Security Manager comes of.
    pub(super) fn go_on_pairing(
        &mut self,
        link: ConnectionHandle,
        connection: ConnectionId,
        place: usize,
    ) -> Option<()> {
        let pdu = self.pairings.transcript.pdu_at(link, place)?.clone();
        let pdu = SmpPdu::from_octets(&pdu).ok()?;
        let open = self.pairings.prompts.get(&connection).cloned();
        let (id, answer) = match (pdu, open) {
            (SmpPdu::PairingRequest(_) | SmpPdu::SecurityRequest(_), _) => {
                return self.begin_pairing(link, connection, place);
            }
            (SmpPdu::PairingFailed(_), Some((id, _))) => (id, Answer::No),
            (SmpPdu::PairingFailed(_), None) => {
                let request = self.pairings.requests.remove(&connection)?;
                self.replay.cancel_now(request);
                return Some(());
            }
            (SmpPdu::PairingKeypressNotification(pdu), Some((id, Prompt::EnterPasskey))) => {
                (id, Answer::Keypress(KeypressType(pdu.notification_type)))
            }
            (_, Some((id, Prompt::EnterPasskey))) => {
                let typed = self.pairings.unseen.typed.pop_front();
                (id, Answer::Passkey(self.given(typed, place, "a passkey that was typed")?))
            }
            (_, Some((id, Prompt::ConfirmNumber(_) | Prompt::Consent))) => (id, Answer::Yes),
            _ => return None,
        };
        if !matches!(answer, Answer::Keypress(_)) {
            self.pairings.prompts.remove(&connection);
        }
        self.submit(SecurityRequest::Answer { connection, prompt: id, answer }.into());
        Some(())
    }

    fn begin_pairing(
        &mut self,
        link: ConnectionHandle,
        connection: ConnectionId,
        place: usize,
    ) -> Option<()> {
        let pairs = self.pairings.transcript.of_host(link, place).any(|(_, pdu)| Features::of(pdu).is_some());
        if pairs {
            let options = Box::new(self.options(link, place, place)?);
            let op = self.submit(SecurityRequest::Pair { connection, options }.into());
            self.pairings.requests.insert(connection, op);
        } else {
            self.submit(SecurityRequest::Encrypt { connection }.into());
        }
        Some(())
    }

    /// A link is encrypted with its bond by somebody who asked for it.
    pub(super) fn encrypt(&mut self, link: ConnectionHandle) -> bool {
        let Some(connection) = self.replay.host.connection(link) else { return false };
        self.submit(SecurityRequest::Encrypt { connection }.into());
        true
    }

    /// How the host pairs whose first PDU is at a place; what the peer says of it is behind another.
    fn options(&mut self, link: ConnectionHandle, asked: usize, at: usize) -> Option<PairingOptions> {
        let said = || self.pairings.transcript.of_host(link, at);
        let ours = said().find_map(|(_, pdu)| Features::of(pdu))?;
        let peers = self.pairings.transcript.of_peer(link, asked).find_map(|pdu| Features::of(pdu));
        // Features that are refused at once are not good enough.
        let strict = matches!(said().nth(1).map(|(_, pdu)| &pdu[..]), Some([0x05, 0x02 | 0x03 | 0x06]));
        let debug = said().any(|(_, pdu)| is_debug_key(pdu));
        let size = peers.as_ref().map_or(ours.size, |peers| peers.size.min(ours.size));
        let has = |flag| ours.auth.contains(flag);
        let mut options = PairingOptions::new()
            .io(ours.io)
            .mitm(has(AuthReq::MITM))
            .bonding(has(AuthReq::BONDING))
            .secure_connections(match has(AuthReq::SECURE_CONNECTIONS) {
                true if strict => SecureConnections::Only,
                true => SecureConnections::Allowed,
                false => SecureConnections::Off,
            })
            .min_key_size(if strict { ours.size } else { size.clamp(7, 16) })
            .max_key_size(ours.size)
            .initiator_keys(ours.initiator_keys)
            .responder_keys(ours.responder_keys)
            .keypress(has(AuthReq::KEYPRESS))
            .cross_transport(has(AuthReq::CT2))
            .debug_keys(debug);
        if let Some(passkey) = &self.pairings.unseen.shown {
            options = options.passkey(passkey.clone());
        }
        match self.out_of_band(&ours, peers.as_ref(), at)? {
            Some(data) => Some(options.oob(data)),
            None => Some(options),
        }
    }

    /// What went another way, if anything did; the outer `None` when it is not known.
    fn out_of_band(
        &mut self,
        ours: &Features,
        peers: Option<&Features>,
        at: usize,
    ) -> Option<Option<OobData>> {
        let secure = |features: &Features| features.auth.contains(AuthReq::SECURE_CONNECTIONS);
        if !(secure(ours) && peers.is_none_or(secure)) {
            if !ours.oob {
                return Some(None);
            }
            let key = self.pairings.unseen.temporary_keys.pop_front();
            return Some(Some(OobData::Legacy(self.given(
                key,
                at,
                "a temporary key that came out of band",
            )?)));
        }
        let local = if peers.is_some_and(|peers| peers.oob) { Some(self.create_oob()?) } else { None };
        let mut peer = None;
        if ours.oob {
            let data = self.pairings.unseen.out_of_band.pop_front();
            peer = Some(self.given(data, at, "data of the peer that came out of band")?);
        }
        let any = local.is_some() || peer.is_some();
        Some(any.then_some(OobData::SecureConnections { local, peer }))
    }

    /// What the peer was given: drawn at any time behind the last pairing, for nothing else draws in between.
    fn create_oob(&mut self) -> Option<LocalOob> {
        let op = self.submit(SecurityRequest::CreateOob.into());
        loop {
            match self.replay.step() {
                Ok(Some(Turn::Told(event))) => self.learn(&event),
                Ok(_) => return None,
                Err(error) => {
                    self.pairings.missing = Some(error);
                    return None;
                }
            }
            if let Some(Ok(Output::Oob(local))) = self.replay.result(op) {
                return Some(local.clone());
            }
        }
    }

    fn given<T>(&mut self, value: Option<T>, place: usize, what: &'static str) -> Option<T> {
        if value.is_none() {
            let packet = self.replay.course.script().packets().get(place)?;
            let (number, expected) = (packet.number, packet.packet.clone());
            self.pairings.missing = Some(ReplayError::Unseen { number, expected, what });
        }
        value
    }
}

/// What one side says of itself at the beginning ([Vol 3] Part H, 3.5.1 and 3.5.2).
pub(super) struct Features {
    io: IoCapability,
    oob: bool,
    auth: AuthReq,
    size: u8,
    initiator_keys: KeyDistribution,
    responder_keys: KeyDistribution,
}

impl Features {
    pub(super) fn of(pdu: &[u8]) -> Option<Self> {
        let &[0x01 | 0x02, io, oob, auth, size, initiator, responder] = pdu else { return None };
        Some(Self {
            io: IoCapability(io),
            oob: oob == 1,
            auth: AuthReq(auth),
            size,
            initiator_keys: KeyDistribution(initiator),
            responder_keys: KeyDistribution(responder),
        })
    }
}

fn is_debug_key(pdu: &[u8]) -> bool {
    match SmpPdu::from_octets(pdu) {
        Ok(SmpPdu::PairingPublicKey(pdu)) => {
            PublicKey { x: *pdu.public_key_x, y: *pdu.public_key_y }.is_debug()
        }
        _ => false,
    }
}

/// Whether a server says here that the link has too little security ([Vol 3] Part C, 10.3.1).
fn wants_security(pdu: &[u8]) -> bool {
    let Ok(AttPdu::ErrorRsp(refusal)) = AttPdu::from_octets(pdu) else { return false };
    matches!(
        refusal.error_code,
        AttError::InsufficientAuthentication
            | AttError::InsufficientAuthorization
            | AttError::InsufficientEncryption
            | AttError::EncryptionKeySizeTooShort
    )
}
