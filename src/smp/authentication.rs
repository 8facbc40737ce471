//! The first authentication stage of Secure Connections ([Vol 3] Part H, 2.3.5.6.2 to 2.3.5.6.4): each side shows a
//! nonce, and by the method makes sure that the public key it was given is the other's.

use super::error::Refusal;
use super::exchange::Exchange;
use super::method::Side;
use super::options::OobData;
use super::outbox::Outbox;
use super::pdu::{PairingConfirm, PairingFailedReason, PairingRandom, SmpPdu};
use super::{Method, Passkey};
use crate::crypto::{Key, equal, f4};
use rand_chacha::rand_core::Rng;

/// Bits of a passkey, each of which has a round of its own.
const ROUNDS: u8 = 20;

/// The X coordinates that both sides' confirm values are made of.
#[derive(Clone, Copy)]
pub(super) struct Coordinates {
    pub ours: [u8; 32],
    pub peers: [u8; 32],
}

impl Coordinates {
    fn our_confirm(&self, nonce: &[u8; 16], z: u8) -> [u8; 16] {
        f4(&self.ours, &self.peers, nonce, z)
    }

    fn is_peers_confirm(&self, confirm: &[u8; 16], nonce: &[u8; 16], z: u8) -> Result<(), Refusal> {
        if equal(&f4(&self.peers, &self.ours, nonce, z), confirm) {
            Ok(())
        } else {
            Err(Refusal::new(PairingFailedReason::ConfirmValueFailed, "the peer's confirm value is wrong"))
        }
    }
}

/// What the second stage goes on with.
pub(super) struct Nonces {
    pub ours: [u8; 16],
    pub peers: [u8; 16],
    /// What we prove to know in the peer's check and the peer in ours: the passkey, or what was given out of band.
    pub our_secret: Key,
    pub peers_secret: Key,
}

pub(super) struct Authentication {
    side: Side,
    coordinates: Coordinates,
    nonce: [u8; 16],
    protocol: Protocol,
}

enum Protocol {
    /// Just Works and numeric comparison: the responder commits to its nonce, then both show theirs.
    Comparison {
        peer_confirm: Option<[u8; 16]>,
    },
    Passkey(Rounds),
    /// What was given out of band has been checked; both show a nonce.
    OutOfBand {
        our_secret: Key,
        peers_secret: Key,
    },
}

/// Passkey entry: in each round both commit to one bit, then show a nonce.
struct Rounds {
    /// Once the user has typed it.
    passkey: Option<Key>,
    /// Rounds that are over.
    over: u8,
    committed: bool,
    peer_confirm: Option<[u8; 16]>,
}

impl Authentication {
    /// Both have the other's public key.
    pub fn begin(
        exchange: &Exchange,
        coordinates: Coordinates,
        out: &mut Outbox,
        rng: &mut impl Rng,
    ) -> Result<Self, Refusal> {
        let protocol = match exchange.terms.association.method {
            Method::JustWorks | Method::NumericComparison => Protocol::Comparison { peer_confirm: None },
            Method::PasskeyEntry => {
                let passkey = exchange.passkey(out, rng).as_ref().map(Passkey::key);
                Protocol::Passkey(Rounds { passkey, over: 0, committed: false, peer_confirm: None })
            }
            Method::OutOfBand => out_of_band(exchange, &coordinates)?,
        };
        let mut stage = Self { side: exchange.side, coordinates, nonce: nonce(rng), protocol };
        match (&mut stage.protocol, stage.side) {
            (Protocol::Comparison { .. }, Side::Responder) => {
                out.send(PairingConfirm { confirm_value: &coordinates.our_confirm(&stage.nonce, 0) });
            }
            (Protocol::Passkey(rounds), Side::Initiator) => rounds.commit(&coordinates, &stage.nonce, out),
            (Protocol::OutOfBand { .. }, Side::Initiator) => {
                out.send(PairingRandom { random_value: &stage.nonce });
            }
            _ => {}
        }
        Ok(stage)
    }

    pub fn coordinates(&self) -> Coordinates {
        self.coordinates
    }

    /// The user typed it.
    pub fn on_passkey(&mut self, passkey: &Passkey, out: &mut Outbox) {
        if let Protocol::Passkey(rounds) = &mut self.protocol {
            rounds.passkey = Some(passkey.key());
            if self.side == Side::Initiator || rounds.peer_confirm.is_some() {
                rounds.commit(&self.coordinates, &self.nonce, out);
            }
        }
    }

    /// A PDU of the peer's; gives what the stage ends with.
    pub fn on_pdu(
        &mut self,
        pdu: &SmpPdu<'_>,
        out: &mut Outbox,
        rng: &mut impl Rng,
    ) -> Result<Option<Nonces>, Refusal> {
        match pdu {
            SmpPdu::PairingConfirm(pdu) => self.on_confirm(pdu.confirm_value, out).map(|()| None),
            SmpPdu::PairingRandom(pdu) => self.on_random(pdu.random_value, out, rng),
            _ => Err(Refusal::out_of_order()),
        }
    }

    fn on_confirm(&mut self, value: &[u8; 16], out: &mut Outbox) -> Result<(), Refusal> {
        match (&mut self.protocol, self.side) {
            (Protocol::Comparison { peer_confirm: confirm @ None }, Side::Initiator) => {
                *confirm = Some(*value);
                out.send(PairingRandom { random_value: &self.nonce });
                Ok(())
            }
            (Protocol::Passkey(rounds), Side::Initiator) if rounds.awaits_confirm(true) => {
                rounds.peer_confirm = Some(*value);
                out.send(PairingRandom { random_value: &self.nonce });
                Ok(())
            }
            (Protocol::Passkey(rounds), Side::Responder) if rounds.awaits_confirm(false) => {
                rounds.peer_confirm = Some(*value);
                rounds.commit(&self.coordinates, &self.nonce, out);
                Ok(())
            }
            _ => Err(Refusal::out_of_order()),
        }
    }

    fn on_random(
        &mut self,
        value: &[u8; 16],
        out: &mut Outbox,
        rng: &mut impl Rng,
    ) -> Result<Option<Nonces>, Refusal> {
        let ours = self.nonce;
        match &mut self.protocol {
            Protocol::Comparison { peer_confirm } => {
                match (self.side, &peer_confirm) {
                    (Side::Initiator, Some(confirm)) => {
                        self.coordinates.is_peers_confirm(confirm, value, 0)?;
                    }
                    (Side::Responder, _) => out.send(PairingRandom { random_value: &ours }),
                    (Side::Initiator, None) => return Err(Refusal::out_of_order()),
                }
                let none = || Key::new([0; 16]);
                Ok(Some(Nonces { ours, peers: *value, our_secret: none(), peers_secret: none() }))
            }
            Protocol::Passkey(rounds) => {
                let last = rounds.on_random(&self.coordinates, value)?;
                if self.side == Side::Responder {
                    out.send(PairingRandom { random_value: &ours });
                }
                if let Some(secret) = last {
                    let our_secret = secret.clone();
                    return Ok(Some(Nonces { ours, peers: *value, our_secret, peers_secret: secret }));
                }
                self.nonce = nonce(rng);
                if self.side == Side::Initiator {
                    rounds.commit(&self.coordinates, &self.nonce, out);
                }
                Ok(None)
            }
            Protocol::OutOfBand { our_secret, peers_secret } => {
                if self.side == Side::Responder {
                    out.send(PairingRandom { random_value: &ours });
                }
                let (our_secret, peers_secret) = (our_secret.clone(), peers_secret.clone());
                Ok(Some(Nonces { ours, peers: *value, our_secret, peers_secret }))
            }
        }
    }
}

impl Rounds {
    /// The bit of this round, as confirm values have it.
    fn z(&self, passkey: &Key) -> u8 {
        let [octet, bit] = [self.over / 8, self.over % 8];
        let octet = passkey.octets().get(usize::from(octet)).copied().unwrap_or_default();
        0x80 | octet >> bit & 1
    }

    /// Whether the peer's confirm value may come now: once a round, the initiator's first.
    fn awaits_confirm(&self, committed: bool) -> bool {
        self.peer_confirm.is_none() && self.committed == committed
    }

    /// Sends our confirm value, if the passkey is known.
    fn commit(&mut self, coordinates: &Coordinates, nonce: &[u8; 16], out: &mut Outbox) {
        if let Some(passkey) = &self.passkey {
            let value = coordinates.our_confirm(nonce, self.z(passkey));
            self.committed = true;
            out.send(PairingConfirm { confirm_value: &value });
        }
    }

    /// Ends a round; the passkey, if it was the last.
    fn on_random(&mut self, coordinates: &Coordinates, nonce: &[u8; 16]) -> Result<Option<Key>, Refusal> {
        let (Some(passkey), true, Some(confirm)) = (&self.passkey, self.committed, self.peer_confirm) else {
            return Err(Refusal::out_of_order());
        };
        coordinates.is_peers_confirm(&confirm, nonce, self.z(passkey))?;
        (self.over, self.committed, self.peer_confirm) = (self.over + 1, false, None);
        Ok(if self.over == ROUNDS { self.passkey.take() } else { None })
    }
}

/// What each side proves to have been given; who was given nothing proves zero.
fn out_of_band(exchange: &Exchange, coordinates: &Coordinates) -> Result<Protocol, Refusal> {
    let Some(OobData::SecureConnections { local, peer }) = &exchange.options.oob else {
        return Err(Refusal::new(PairingFailedReason::OobNotAvailable, "there is no out-of-band data"));
    };
    let peer_has_ours = match exchange.side {
        Side::Initiator => exchange.response.oob(),
        Side::Responder => exchange.request.oob(),
    };
    let mut peers_secret = Key::new([0; 16]);
    if let Some(peer) = peer {
        let x = &coordinates.peers;
        if !equal(&f4(x, x, &peer.random, 0), &peer.confirm) {
            return Err(Refusal::new(
                PairingFailedReason::ConfirmValueFailed,
                "the peer's public key is not the one that its out-of-band data stands for",
            ));
        }
        peers_secret = Key::new(*peer.random);
    }
    let ours = local.as_ref().filter(|_| peer_has_ours);
    let our_secret = Key::new(ours.map_or([0; 16], |local| local.random()));
    Ok(Protocol::OutOfBand { our_secret, peers_secret })
}

fn nonce(rng: &mut impl Rng) -> [u8; 16] {
    let mut nonce = [0; 16];
    rng.fill_bytes(&mut nonce);
    nonce
}
