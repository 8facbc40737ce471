//! What a device can do and wants when it pairs, and what its user does: the options of a [`Responder`].

use super::association::{MITM, SECURE_CONNECTIONS};
use super::paired::OwnOutOfBand;
use super::{Answer, Misbehaviour, OutOfBand, Responder, SecureConnections, keys};
use crate::crypto::Key;
use crate::smp::pdu::{IoCapability, PairingRequest, PairingResponse};
use crate::{Address, BdAddr};

/// What a device can do and wants, and what its user does.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) io: IoCapability,
    pub(super) mitm: bool,
    pub(super) authenticated_only: bool,
    pub(super) secure_connections: SecureConnections,
    pub(super) bonding: bool,
    pub(super) min_key_size: u8,
    pub(super) max_key_size: u8,
    pub(super) initiator_keys: u8,
    pub(super) responder_keys: u8,
    pub(super) keypress: bool,
    pub(super) temporary_key: Option<Key>,
    pub(super) own_oob: Option<OwnOutOfBand>,
    pub(super) peer_oob: Option<OutOfBand>,
    pub(super) shows: Option<u32>,
    pub(super) types: Option<u32>,
    pub(super) answer: Answer,
    pub(super) security_request: bool,
    pub(super) debug_key: bool,
    pub(super) irk: Option<Key>,
    pub(super) identity: Address,
    pub(super) misbehaviours: Vec<Misbehaviour>,
}

impl Settings {
    pub(super) fn auth_req(&self) -> u8 {
        u8::from(self.bonding)
            | if self.mitm { MITM } else { 0 }
            | if self.secure_connections == SecureConnections::Off { 0 } else { SECURE_CONNECTIONS }
            | if self.keypress { 0x10 } else { 0 }
    }

    pub(super) fn response(&self, request: &PairingRequest) -> PairingResponse {
        let secure = self.auth_req() & request.auth_req.0 & SECURE_CONNECTIONS != 0;
        let has_data = if secure { self.peer_oob.is_some() } else { self.temporary_key.is_some() };
        PairingResponse {
            io_capability: self.io.0,
            oob_data_flag: u8::from(has_data),
            auth_req: self.auth_req().into(),
            max_encryption_key_size: self.max_key_size,
            initiator_key_distribution: (self.initiator_keys & request.initiator_key_distribution.0).into(),
            responder_key_distribution: (self.responder_keys & request.responder_key_distribution.0).into(),
        }
    }
}

impl Default for Responder {
    fn default() -> Self {
        Self::new()
    }
}

impl Responder {
    /// A device without display or keys that bonds by either way, hands out and takes all keys, and takes none that is
    /// shorter than 16 octets.
    pub fn new() -> Self {
        let settings = Settings {
            io: IoCapability::NoInputNoOutput,
            mitm: false,
            authenticated_only: false,
            secure_connections: SecureConnections::Allowed,
            bonding: true,
            min_key_size: 16,
            max_key_size: 16,
            initiator_keys: keys::ALL,
            responder_keys: keys::ALL,
            keypress: false,
            temporary_key: None,
            own_oob: None,
            peer_oob: None,
            shows: None,
            types: None,
            answer: Answer::Yes,
            security_request: false,
            debug_key: false,
            irk: None,
            identity: Address::public(BdAddr::ANY),
            misbehaviours: Vec::new(),
        };
        Self { settings, bonds: Vec::new(), link: None, paired: None, failure: None }
    }

    /// What it can show and ask for.
    #[must_use]
    pub fn io(mut self, io: IoCapability) -> Self {
        self.settings.io = io;
        self
    }

    /// Whether it wishes protection from a man in the middle. It takes less; see
    /// [`authenticated_only`](Self::authenticated_only).
    #[must_use]
    pub fn mitm(mut self, mitm: bool) -> Self {
        self.settings.mitm = mitm;
        self
    }

    /// Whether it refuses a model that does not authenticate, with Authentication Requirements.
    #[must_use]
    pub fn authenticated_only(mut self, only: bool) -> Self {
        self.settings.authenticated_only = only;
        self
    }

    /// Which way to pair.
    #[must_use]
    pub fn secure_connections(mut self, which: SecureConnections) -> Self {
        self.settings.secure_connections = which;
        self
    }

    /// Whether it remembers keys.
    #[must_use]
    pub fn bonding(mut self, bonding: bool) -> Self {
        self.settings.bonding = bonding;
        self
    }

    /// Octets of the shortest and of the longest key that it takes, 7 to 16.
    #[must_use]
    pub fn key_size(mut self, min: u8, max: u8) -> Self {
        (self.settings.min_key_size, self.settings.max_key_size) = (min, max);
        self
    }

    /// Which keys the initiator and which the responder hands out, at most: bits as in the Pairing Request.
    #[must_use]
    pub fn keys(mut self, initiator: u8, responder: u8) -> Self {
        (self.settings.initiator_keys, self.settings.responder_keys) = (initiator, responder);
        self
    }

    /// Whether it tells of digits that its user types.
    #[must_use]
    pub fn keypress(mut self, keypress: bool) -> Self {
        self.settings.keypress = keypress;
        self
    }

    /// The temporary key that came out of band, for legacy pairing.
    #[must_use]
    pub fn temporary_key(mut self, key: [u8; 16]) -> Self {
        self.settings.temporary_key = Some(Key::new(key));
        self
    }

    /// Makes out-of-band data for Secure Connections, which the central may be given.
    pub fn makes_out_of_band(mut self, seed: u64) -> (Self, OutOfBand) {
        let (own, data) = OwnOutOfBand::new(seed);
        self.settings.own_oob = Some(own);
        (self, data)
    }

    /// What came from the central out of band.
    #[must_use]
    pub fn knows_out_of_band(mut self, data: OutOfBand) -> Self {
        self.settings.peer_oob = Some(data);
        self
    }

    /// The passkey that it shows each time, instead of one that is drawn.
    #[must_use]
    pub fn shows(mut self, passkey: u32) -> Self {
        self.settings.shows = Some(passkey);
        self
    }

    /// What its user types as soon as a passkey is asked for. Without it the user waits for
    /// [`Radio::enter_passkey`](crate::sim::Radio::enter_passkey).
    #[must_use]
    pub fn types(mut self, passkey: u32) -> Self {
        self.settings.types = Some(passkey);
        self
    }

    /// What its user says to two numbers.
    #[must_use]
    pub fn answers(mut self, answer: Answer) -> Self {
        self.settings.answer = answer;
        self
    }

    /// Whether it says a Security Request as soon as a central is connected.
    #[must_use]
    pub fn security_request(mut self, asks: bool) -> Self {
        self.settings.security_request = asks;
        self
    }

    /// Whether it uses the key pair that everybody knows.
    #[must_use]
    pub fn debug_key(mut self, debug: bool) -> Self {
        self.settings.debug_key = debug;
        self
    }

    /// The identity resolving key that it hands out. A [private](crate::sim::Device::private) device hands out its own;
    /// without either each pairing draws one.
    #[must_use]
    pub fn irk(mut self, irk: [u8; 16]) -> Self {
        self.settings.irk = Some(Key::new(irk));
        self
    }

    /// Does this wrong from now on, beside what it does wrong already.
    #[must_use]
    pub fn misbehaves(mut self, rule: Misbehaviour) -> Self {
        self.settings.misbehaviours.push(rule);
        self
    }

    /// Does nothing wrong any more.
    #[must_use]
    pub fn behaves(mut self) -> Self {
        self.settings.misbehaviours.clear();
        self
    }
}
