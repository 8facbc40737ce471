//! The security manager of a simulated peripheral ([Vol 3] Part H), by code of its own: it shares the codec of PDUs and
//! the functions of cryptography with the host, which sample data prove, and no table, order or rule.
//!
//! Owns what the device can do, its user's part, its bonds, and the pairing in progress. All that it draws comes from the
//! radio's seed. It is told of packets and time by [`device`](super::device), and never reaches for the air itself.

mod association;
mod keys;
mod misbehaviour;
mod paired;
mod pairing;
mod settings;

pub use association::Association;
pub use misbehaviour::Misbehaviour;
pub use paired::{LongTermKey, OutOfBand, Paired};

use super::Security;
use super::agenda::Dice;
use crate::crypto::{Key, ResolvingKey};
use crate::smp::SmpPdu;
use crate::smp::pdu::{PairingFailed, PairingFailedReason, SecurityRequest};
use crate::{Address, Instant};
use bytes::Bytes;
use misbehaviour::Voice;
use pairing::{Around, Pairing};
use settings::Settings;
use std::fmt;
use std::time::Duration;

/// No PDU for so long ends a pairing, and all pairing on the link ([Vol 3] Part H, 3.4).
const TIMEOUT: Duration = Duration::from_secs(30);

/// Which of the two ways to pair a device takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecureConnections {
    /// Legacy pairing alone.
    Off,
    /// Secure Connections with those that can.
    #[default]
    Allowed,
    /// Nothing else.
    Only,
}

/// What the user of a device says when it asks whether two numbers are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// That they are, at once.
    #[default]
    Yes,
    /// That they are not, at once.
    No,
    /// Nothing, unless the test calls [`Radio::compare`](super::Radio::compare).
    Never,
    /// That they are, after so long.
    Late(Duration),
}

/// How a [`Device`](super::Device) pairs: [`Device::pairing`](super::Device::pairing) gives it one.
///
/// ```
/// use baretooth::sim::{Device, Radio, RadioOptions, Responder};
/// use baretooth::smp::pdu::IoCapability;
/// let mut radio = Radio::new(RadioOptions::default());
/// let responder = Responder::new().io(IoCapability::DisplayOnly).mitm(true).shows(123_456);
/// radio.add_device(Device::new("C0:00:00:00:00:01/random".parse()?).pairing(responder));
/// # Ok::<(), baretooth::ParseAddressError>(())
/// ```
pub struct Responder {
    settings: Settings,
    bonds: Vec<Paired>,
    link: Option<OnLink>,
    paired: Option<Paired>,
    failure: Option<PairingFailure>,
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("bonds", &self.bonds).field("failure", &self.failure).finish()
    }
}

/// How the last pairing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairingFailure {
    /// The device has said so, for this reason.
    Device(PairingFailedReason),
    /// The central has.
    Central(PairingFailedReason),
    /// Nobody has said anything for 30 s.
    Timeout,
    /// The link ended.
    Link,
}

/// What lasts as long as a link.
struct OnLink {
    central: Address,
    own: Address,
    voice: Voice,
    pairing: Option<Pairing>,
    deadline: Option<Instant>,
    /// A pairing took too long: there is none any more on this link.
    dead: bool,
    /// The key that was given last, and what it is worth.
    given: Option<Given>,
}

#[derive(Clone, Copy)]
struct Given {
    of_pairing: bool,
    authenticated: bool,
    key_size: u8,
}

impl Responder {
    /// Changes how it pairs from the next link on; its bonds stay.
    pub fn change(&mut self, change: impl FnOnce(Self) -> Self) {
        let mut changed = change(Self { settings: self.settings.clone(), ..Self::new() });
        std::mem::swap(&mut self.settings, &mut changed.settings);
    }

    /// Centrals that it remembers keys of, the last one last.
    pub fn bonds(&self) -> &[Paired] {
        &self.bonds
    }

    /// Forgets all of them.
    pub fn forget(&mut self) {
        self.bonds.clear();
    }

    /// What came of the last pairing that came to its end.
    pub fn paired(&self) -> Option<&Paired> {
        self.paired.as_ref()
    }

    /// How the last pairing failed; `None` when it has not, or is not over.
    pub fn failure(&self) -> Option<PairingFailure> {
        self.failure
    }

    /// The passkey on the display.
    pub fn shown_passkey(&self) -> Option<u32> {
        self.pairing().and_then(Pairing::shown)
    }

    /// The number on the display that its user compares.
    pub fn shown_number(&self) -> Option<u32> {
        self.pairing().and_then(|pairing| pairing.number)
    }

    fn pairing(&self) -> Option<&Pairing> {
        self.link.as_ref()?.pairing.as_ref()
    }
}

/// What the radio tells it.
impl Responder {
    pub(super) fn connected(&mut self, identity: Address, irk: Option<&Key>, central: Address, own: Address) {
        let settings = &mut self.settings;
        settings.identity = identity;
        settings.irk = irk.cloned().or(settings.irk.take());
        let mut voice = Voice::new(&settings.misbehaviours);
        let asks = u16::from(settings.security_request).saturating_add(voice.security_requests());
        for _ in 0..asks {
            voice.say(SecurityRequest { auth_req: settings.auth_req().into() });
        }
        self.link =
            Some(OnLink { central, own, voice, pairing: None, deadline: None, dead: false, given: None });
    }

    pub(super) fn disconnected(&mut self) {
        if let Some(OnLink { pairing: Some(_), .. }) = self.link.take() {
            self.failure = Some(PairingFailure::Link);
        }
    }

    pub(super) fn poll_pdu(&mut self) -> Option<Bytes> {
        self.link.as_mut()?.voice.poll()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let link = self.link.as_ref()?;
        let answer = link.pairing.as_ref().and_then(|pairing| pairing.answers_at);
        link.deadline.into_iter().chain(answer).min()
    }

    pub(super) fn on_timeout(&mut self, now: Instant, dice: &mut Dice) {
        let Some(link) = &mut self.link else { return };
        if link.deadline.is_some_and(|deadline| now >= deadline) {
            (link.pairing, link.deadline, link.dead) = (None, None, true);
            self.failure = Some(PairingFailure::Timeout);
        } else if link.pairing.as_ref().and_then(|p| p.answers_at).is_some_and(|when| now >= when) {
            let same = self.settings.answer != Answer::No;
            self.on_answer(now, same, dice);
        }
    }

    pub(super) fn on_pdu(&mut self, now: Instant, octets: &[u8], dice: &mut Dice) {
        let Some(link) = self.link.as_mut().filter(|link| !link.dead) else { return };
        let pdu = match SmpPdu::from_octets(octets) {
            Ok(SmpPdu::Unknown { .. }) => return self.fail(PairingFailedReason::CommandNotSupported),
            Ok(pdu) => pdu,
            Err(_) => return self.fail(PairingFailedReason::InvalidParameters),
        };
        link.voice.hear(&pdu);
        match pdu {
            SmpPdu::PairingFailed(pdu) => {
                let ended = link.pairing.take().map(|_| PairingFailure::Central(pdu.reason));
                link.deadline = None;
                self.failure = ended.or(self.failure);
            }
            SmpPdu::PairingRequest(request) if link.pairing.is_none() => {
                self.failure = None;
                link.voice.begin();
                let addresses = (link.central, link.own);
                let around = &mut Around { settings: &self.settings, voice: &mut link.voice, dice, now };
                match Pairing::answer(&request, addresses, around) {
                    Ok(pairing) => {
                        link.pairing = Some(pairing);
                        link.deadline = Some(now + TIMEOUT);
                    }
                    Err(reason) => self.fail(reason),
                }
            }
            _ if link.pairing.is_some() => {
                self.go_on(now, dice, |pairing, around| pairing.on_pdu(&pdu, around));
            }
            _ => {}
        }
    }

    pub(super) fn on_passkey(&mut self, now: Instant, passkey: u32, dice: &mut Dice) {
        self.go_on(now, dice, |pairing, around| pairing.on_passkey(passkey, around).map(|()| None));
    }

    pub(super) fn on_answer(&mut self, now: Instant, same: bool, dice: &mut Dice) {
        self.go_on(now, dice, |pairing, around| pairing.on_answer(same, around).map(|()| None));
    }

    /// The key for a link, by the numbers that the central gives: of the pairing in progress, or of a bond.
    pub(super) fn long_term_key(&mut self, ediv: u16, rand: [u8; 8]) -> Option<[u8; 16]> {
        let link = self.link.as_mut()?;
        link.given = None;
        if (ediv, rand) == (0, [0; 8])
            && let Some(pairing) = &link.pairing
            && let Some(key) = pairing.encryption_key()
        {
            let authenticated = pairing.association.authenticates();
            link.given = Some(Given { of_pairing: true, authenticated, key_size: pairing.key_size() });
            return Some(*key.octets());
        }
        if link.voice.does(&Misbehaviour::ForgetsKeys) {
            return None;
        }
        let (central, other) = (link.central, link.voice.does(&Misbehaviour::OtherKey));
        let bond = self.bonds.iter().find(|bond| bond.opens(central, ediv, rand))?;
        let authenticated = bond.association.authenticates();
        link.given = Some(Given { of_pairing: false, authenticated, key_size: bond.key_size });
        let mut key = *bond.long_term_key.as_ref()?.key.octets();
        if other {
            key[0] ^= 1;
        }
        Some(key)
    }

    /// The link is encrypted with the key that was given last: what it is worth.
    pub(super) fn on_encrypted(&mut self, now: Instant, dice: &mut Dice) -> Option<Security> {
        let given = self.link.as_ref()?.given?;
        if given.of_pairing {
            self.go_on(now, dice, |pairing, around| Ok(pairing.on_encrypted(around)));
        }
        let Given { authenticated, key_size, .. } = given;
        Some(Security { encrypted: true, authenticated, key_size, bonded: self.bond().is_some() })
    }

    /// The bond with the central of the link.
    pub(super) fn bond(&self) -> Option<&Paired> {
        let central = self.link.as_ref()?.central;
        self.bonds.iter().find(|bond| bond.is_of(central))
    }

    pub(super) fn bond_mut(&mut self) -> Option<&mut Paired> {
        let central = self.link.as_ref()?.central;
        self.bonds.iter_mut().find(|bond| bond.is_of(central))
    }

    fn go_on(
        &mut self,
        now: Instant,
        dice: &mut Dice,
        step: impl FnOnce(&mut Pairing, &mut Around<'_>) -> Result<Option<Paired>, PairingFailedReason>,
    ) {
        let Some(link) = &mut self.link else { return };
        let Some(pairing) = &mut link.pairing else { return };
        let around = &mut Around { settings: &self.settings, voice: &mut link.voice, dice, now };
        match step(pairing, around) {
            Ok(None) => link.deadline = Some(now + TIMEOUT),
            Ok(Some(paired)) => {
                (link.pairing, link.deadline) = (None, None);
                self.remember(paired);
            }
            Err(reason) => self.fail(reason),
        }
    }

    fn remember(&mut self, paired: Paired) {
        if paired.bonded {
            self.bonds.retain(|bond| bond.peer != paired.peer);
            self.bonds.push(paired.clone());
        }
        self.paired = Some(paired);
    }

    fn fail(&mut self, reason: PairingFailedReason) {
        let Some(link) = &mut self.link else { return };
        link.voice.say(PairingFailed { reason });
        (link.pairing, link.deadline) = (None, None);
        self.failure = Some(PairingFailure::Device(reason));
    }
}

impl Paired {
    /// Whether these are the keys of a central with this address on the air.
    fn is_of(&self, central: Address) -> bool {
        let resolves =
            || self.peer_irk.as_ref().is_some_and(|irk| ResolvingKey::new(irk).resolves(central.bd_addr));
        self.peer == central || central.is_resolvable() && resolves()
    }

    /// Whether the numbers are those of the key; those of Secure Connections say nothing, so the central decides.
    fn opens(&self, central: Address, ediv: u16, rand: [u8; 8]) -> bool {
        self.long_term_key.as_ref().is_some_and(|key| (key.ediv, key.rand) == (ediv, rand))
            && (!self.secure_connections || self.is_of(central))
    }
}
