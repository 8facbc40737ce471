//! One pairing as the responder lives through it ([Vol 3] Part H, 2.3.5 and appendix C), from the request to the last key.
//! A PDU that is not the next one ends it.

use super::association::{self, Features, Part, SECURE_CONNECTIONS};
use super::keys::Exchange;
use super::misbehaviour::{Misbehaviour, Voice};
use super::paired::LongTermKey;
use super::{Answer, Association, Paired, Settings};
use crate::crypto::{DhKey, Key, KeyPair, MacKey, PublicKey, c1, f4, f5, f6, g2, s1};
use crate::sim::agenda::Dice;
use crate::smp::SmpPdu;
use crate::smp::pdu::*;
use crate::{Address, Instant};

/// Digits are told bit by bit ([Vol 3] Part H, 2.3.5.6.3).
const ROUNDS: u8 = 20;

type Refused = PairingFailedReason;

/// What a pairing needs from around it.
pub(super) struct Around<'a> {
    pub(super) settings: &'a Settings,
    pub(super) voice: &'a mut Voice,
    pub(super) dice: &'a mut Dice,
    pub(super) now: Instant,
}

/// Which PDU comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    PublicKey,
    Confirm,
    Random,
    Check,
    /// None: the central encrypts the link.
    Encryption,
    Keys,
}

pub(super) struct Pairing {
    request: Features,
    response: Features,
    central: Address,
    own: Address,
    pub(super) association: Association,
    part: Part,
    secure: bool,
    key_size: u8,
    step: Step,
    /// Of the passkey's bits.
    round: u8,
    passkey: Option<u32>,
    pub(super) number: Option<u32>,
    agreed: bool,
    /// When the user says whether the numbers are the same.
    pub(super) answers_at: Option<Instant>,
    /// A Confirm or a DHKey Check that came before the user has done their part.
    held: Option<[u8; 16]>,
    own_random: [u8; 16],
    peer_random: [u8; 16],
    peer_confirm: [u8; 16],
    keys: Option<Exchanged>,
    /// The key that the link is to be encrypted with.
    pub(super) link_key: Option<Key>,
    exchange: Exchange,
}

fn octets(pdu: &SmpPdu<'_>) -> Result<Features, Refused> {
    pdu.to_bytes()[..].try_into().map_err(|_| Refused::InvalidParameters)
}

/// Public keys went both ways.
struct Exchanged {
    own: PublicKey,
    peer: PublicKey,
    dh_key: DhKey,
    mac_key: Option<MacKey>,
}

impl Pairing {
    /// Answers a Pairing Request.
    pub(super) fn answer(
        request: &PairingRequest,
        (central, own): (Address, Address),
        around: &mut Around<'_>,
    ) -> Result<Self, Refused> {
        let settings = around.settings;
        let request_octets = octets(&(*request).into())?;
        if let Some(reason) = around.voice.refuses() {
            return Err(reason);
        }
        let size = request.max_encryption_key_size;
        if size < settings.min_key_size || !(7..=16).contains(&size) {
            return Err(Refused::EncryptionKeySize);
        }
        let response = octets(&settings.response(request).into())?;
        let secure = request_octets[3] & response[3] & SECURE_CONNECTIONS != 0;
        if !secure && settings.secure_connections == super::SecureConnections::Only {
            return Err(Refused::AuthenticationRequirements);
        }
        let (association, _) =
            association::choose(&request_octets, &response, secure).ok_or(Refused::InvalidParameters)?;
        if settings.authenticated_only && !association.authenticates() {
            return Err(Refused::AuthenticationRequirements);
        }
        // What was sent counts from here on, for it is what the central has.
        let sent = around.voice.say_bytes(&response);
        let response = sent.and_then(|sent| Features::try_from(&sent[..]).ok()).unwrap_or(response);
        let secure = request_octets[3] & response[3] & SECURE_CONNECTIONS != 0;
        let (association, part) =
            association::choose(&request_octets, &response, secure).ok_or(Refused::InvalidParameters)?;
        let mut pairing = Self {
            request: request_octets,
            response,
            central,
            own,
            association,
            part,
            secure,
            key_size: size.min(response[4]).clamp(7, 16),
            step: if secure { Step::PublicKey } else { Step::Confirm },
            round: 0,
            passkey: None,
            number: None,
            agreed: false,
            answers_at: None,
            held: None,
            own_random: [0; 16],
            peer_random: [0; 16],
            peer_confirm: [0; 16],
            keys: None,
            link_key: None,
            exchange: Exchange::default(),
        };
        pairing.ask_for_passkey(around);
        Ok(pairing)
    }

    fn ask_for_passkey(&mut self, around: &mut Around<'_>) {
        let settings = around.settings;
        match self.part {
            Part::Nothing => {}
            Part::Shows => {
                let drawn = || u32::try_from(around.dice.below(1_000_000)).unwrap_or_default();
                self.passkey = Some(settings.shows.unwrap_or_else(drawn));
            }
            Part::Types => {
                self.keypress(around, KeypressType::EntryStarted);
                if let Some(passkey) = settings.types {
                    self.type_passkey(passkey, around);
                }
            }
        }
    }

    fn type_passkey(&mut self, passkey: u32, around: &mut Around<'_>) {
        for _ in 0..6 {
            self.keypress(around, KeypressType::DigitEntered);
        }
        self.keypress(around, KeypressType::EntryCompleted);
        self.passkey = Some(passkey);
    }

    fn keypress(&self, around: &mut Around<'_>, notification_type: KeypressType) {
        const KEYPRESS: u8 = 0x10;
        if self.request[3] & self.response[3] & KEYPRESS != 0 {
            around.voice.say(PairingKeypressNotification { notification_type: notification_type.0 });
        }
    }

    /// The digits on the display of the device.
    pub(super) fn shown(&self) -> Option<u32> {
        self.passkey.filter(|_| self.part == Part::Shows)
    }

    /// The user has typed a passkey. It is not looked at when none is asked for.
    pub(super) fn on_passkey(&mut self, passkey: u32, around: &mut Around<'_>) -> Result<(), Refused> {
        if self.part != Part::Types || self.passkey.is_some() {
            return Ok(());
        }
        self.type_passkey(passkey, around);
        match self.held.take() {
            Some(confirm) => self.on_confirm(confirm, around),
            None => Ok(()),
        }
    }

    /// The user has looked at both numbers.
    pub(super) fn on_answer(&mut self, same: bool, around: &mut Around<'_>) -> Result<(), Refused> {
        self.answers_at = None;
        if self.number.is_none() {
            return Ok(());
        }
        if !same {
            return Err(Refused::NumericComparisonFailed);
        }
        self.agreed = true;
        match self.held.take() {
            Some(check) => self.on_check(check, around),
            None => Ok(()),
        }
    }

    /// What a PDU of the central leads to; the outcome once the last key is here.
    pub(super) fn on_pdu(
        &mut self,
        pdu: &SmpPdu<'_>,
        around: &mut Around<'_>,
    ) -> Result<Option<Paired>, Refused> {
        match (self.step, pdu) {
            (_, SmpPdu::PairingKeypressNotification(_)) => {}
            (Step::PublicKey, SmpPdu::PairingPublicKey(pdu)) => {
                let peer = PublicKey { x: *pdu.public_key_x, y: *pdu.public_key_y };
                self.on_public_key(peer, around)?;
            }
            (Step::Confirm, SmpPdu::PairingConfirm(pdu)) if self.held.is_none() => {
                self.on_confirm(*pdu.confirm_value, around)?;
            }
            (Step::Random, SmpPdu::PairingRandom(pdu)) => self.on_random(*pdu.random_value, around)?,
            (Step::Check, SmpPdu::PairingDhKeyCheck(pdu)) if self.held.is_none() => {
                self.on_check(*pdu.dhkey_check, around)?;
            }
            (Step::Keys, pdu) => {
                self.exchange.on_pdu(pdu)?;
                return Ok(self.outcome(around.settings));
            }
            _ => return Err(Refused::UnspecifiedReason),
        }
        Ok(None)
    }

    fn on_public_key(&mut self, peer: PublicKey, around: &mut Around<'_>) -> Result<(), Refused> {
        let settings = around.settings;
        let pair = match &settings.own_oob {
            Some(oob) => oob.keys.clone(),
            None if settings.debug_key => KeyPair::debug(),
            None => KeyPair::generate(around.dice.rng()),
        };
        let own = *pair.public();
        // Only X is compared: either Y belongs to the same secret.
        if peer.x == own.x && !peer.is_debug() {
            return Err(Refused::InvalidParameters);
        }
        let dh_key = pair.agree(&peer).map_err(|_| Refused::InvalidParameters)?;
        around.voice.say(PairingPublicKey { public_key_x: &own.x, public_key_y: &own.y });
        self.keys = Some(Exchanged { own, peer, dh_key, mac_key: None });
        match self.association {
            Association::PasskeyEntry => self.step = Step::Confirm,
            Association::OutOfBand => {
                if let Some(data) = settings.peer_oob
                    && f4(&peer.x, &peer.x, &data.random, 0) != data.confirm
                {
                    return Err(Refused::ConfirmValueFailed);
                }
                self.own_random = around.dice.octets();
                self.step = Step::Random;
            }
            _ => {
                self.own_random = around.dice.octets();
                let confirm_value = &f4(&own.x, &peer.x, &self.own_random, 0);
                around.voice.say(PairingConfirm { confirm_value });
                self.step = Step::Random;
            }
        }
        Ok(())
    }

    fn on_confirm(&mut self, confirm: [u8; 16], around: &mut Around<'_>) -> Result<(), Refused> {
        if self.part == Part::Types && self.passkey.is_none() {
            self.held = Some(confirm);
            return Ok(());
        }
        self.peer_confirm = confirm;
        self.own_random = around.dice.octets();
        let confirm_value = &match &self.keys {
            Some(keys) => f4(&keys.own.x, &keys.peer.x, &self.own_random, self.passkey_bit()),
            None => self.legacy_confirm(&self.own_random, around.settings)?,
        };
        around.voice.say(PairingConfirm { confirm_value });
        self.step = Step::Random;
        Ok(())
    }

    fn on_random(&mut self, random: [u8; 16], around: &mut Around<'_>) -> Result<(), Refused> {
        self.peer_random = random;
        let Some(keys) = &self.keys else { return self.on_legacy_random(around) };
        if self.association == Association::PasskeyEntry {
            if f4(&keys.peer.x, &keys.own.x, &random, self.passkey_bit()) != self.peer_confirm {
                return Err(Refused::ConfirmValueFailed);
            }
            around.voice.say(PairingRandom { random_value: &self.own_random });
            self.round += 1;
            if self.round < ROUNDS {
                self.step = Step::Confirm;
                return Ok(());
            }
        } else {
            around.voice.say(PairingRandom { random_value: &self.own_random });
        }
        let (mac_key, long_term_key) =
            f5(&keys.dh_key, &self.peer_random, &self.own_random, self.central, self.own);
        if self.association == Association::NumericComparison {
            self.number = Some(g2(&keys.peer.x, &keys.own.x, &self.peer_random, &self.own_random));
            self.answers_at = match around.settings.answer {
                Answer::Never => None,
                Answer::Yes | Answer::No => Some(around.now),
                Answer::Late(delay) => Some(around.now + delay),
            };
        }
        self.link_key = Some(long_term_key.truncated(self.key_size));
        if let Some(keys) = &mut self.keys {
            keys.mac_key = Some(mac_key);
        }
        self.step = Step::Check;
        Ok(())
    }

    fn on_check(&mut self, check: [u8; 16], around: &mut Around<'_>) -> Result<(), Refused> {
        if self.association == Association::NumericComparison && !self.agreed {
            self.held = Some(check);
            return Ok(());
        }
        let Some(mac_key) = self.keys.as_ref().and_then(|keys| keys.mac_key.as_ref()) else {
            return Err(Refused::UnspecifiedReason);
        };
        // r of each side as the other knows it: the passkey, what came out of band, or nothing.
        let (mut initiator_r, mut responder_r) = ([0; 16], [0; 16]);
        match self.association {
            Association::PasskeyEntry => {
                initiator_r[..4].copy_from_slice(&self.passkey.unwrap_or_default().to_le_bytes());
                responder_r = initiator_r;
            }
            Association::OutOfBand => {
                let has_ours = self.request[2] & 1 == 1;
                let own = around.settings.own_oob.as_ref().filter(|_| has_ours);
                responder_r = own.map_or([0; 16], |oob| oob.random);
                initiator_r = around.settings.peer_oob.map_or([0; 16], |oob| oob.random);
            }
            _ => {}
        }
        let io = |features: &Features| [features[1], features[2], features[3]];
        let (central, own) = (self.central, self.own);
        let (theirs, ours) = (&self.peer_random, &self.own_random);
        if f6(mac_key, theirs, ours, &responder_r, io(&self.request), central, own) != check {
            return Err(Refused::DhKeyCheckFailed);
        }
        let dhkey_check = &f6(mac_key, ours, theirs, &initiator_r, io(&self.response), own, central);
        around.voice.say(PairingDhKeyCheck { dhkey_check });
        self.await_encryption(around);
        Ok(())
    }

    /// The bit of this round, least significant first, as the functions take it.
    fn passkey_bit(&self) -> u8 {
        let bit = self.passkey.unwrap_or_default() >> self.round & 1;
        0x80 | u8::from(bit == 1)
    }

    fn temporary_key(&self, settings: &Settings) -> Result<Key, Refused> {
        match self.association {
            Association::OutOfBand => settings.temporary_key.clone().ok_or(Refused::OobNotAvailable),
            _ => {
                let mut key = [0; 16];
                key[..4].copy_from_slice(&self.passkey.unwrap_or_default().to_le_bytes());
                Ok(Key::new(key))
            }
        }
    }

    fn legacy_confirm(&self, random: &[u8; 16], settings: &Settings) -> Result<[u8; 16], Refused> {
        let key = self.temporary_key(settings)?;
        Ok(c1(&key, random, &self.request, &self.response, self.central, self.own))
    }

    fn on_legacy_random(&mut self, around: &mut Around<'_>) -> Result<(), Refused> {
        if self.legacy_confirm(&self.peer_random, around.settings)? != self.peer_confirm {
            return Err(Refused::ConfirmValueFailed);
        }
        around.voice.say(PairingRandom { random_value: &self.own_random });
        let key = s1(&self.temporary_key(around.settings)?, &self.own_random, &self.peer_random);
        self.link_key = Some(key.truncated(self.key_size));
        self.await_encryption(around);
        Ok(())
    }

    fn await_encryption(&mut self, around: &mut Around<'_>) {
        self.step = Step::Encryption;
        if around.voice.does(&Misbehaviour::KeysBeforeEncryption) {
            self.hand_out_keys(around);
        }
    }

    /// The key of this pairing, when the central may encrypt the link by now.
    pub(super) fn encryption_key(&self) -> Option<Key> {
        self.link_key.clone().filter(|_| self.step == Step::Encryption)
    }

    pub(super) fn key_size(&self) -> u8 {
        self.key_size
    }

    /// The link is encrypted with the key of this pairing.
    pub(super) fn on_encrypted(&mut self, around: &mut Around<'_>) -> Option<Paired> {
        if self.step != Step::Encryption {
            return None;
        }
        self.step = Step::Keys;
        if !around.voice.does(&Misbehaviour::KeysBeforeEncryption) {
            self.hand_out_keys(around);
        }
        self.outcome(around.settings)
    }

    fn hand_out_keys(&mut self, around: &mut Around<'_>) {
        let [.., initiator, responder] = self.response;
        self.exchange = Exchange::begin(initiator, responder, self.secure, self.key_size, around);
    }

    fn outcome(&self, settings: &Settings) -> Option<Paired> {
        if !self.exchange.is_complete() {
            return None;
        }
        let exchange = &self.exchange;
        let ours = self.link_key.clone().map(|key| LongTermKey { key, ediv: 0, rand: [0; 8] });
        let bonding = |features: &Features| features[3] & 1 == 1;
        Some(Paired {
            peer: exchange.peer_identity.unwrap_or(self.central),
            association: self.association,
            secure_connections: self.secure,
            key_size: self.key_size,
            bonded: bonding(&self.request) && bonding(&self.response) && settings.bonding,
            long_term_key: if self.secure { ours } else { exchange.own_long_term_key.clone() },
            peer_long_term_key: exchange.peer_long_term_key.clone(),
            peer_irk: exchange.peer_irk.clone(),
            peer_csrk: exchange.peer_csrk.clone(),
            own_irk: exchange.own_irk.clone(),
            own_csrk: exchange.own_csrk.clone(),
            configurations: Vec::new(),
        })
    }
}
