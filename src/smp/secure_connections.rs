//! LE Secure Connections ([Vol 3] Part H, 2.3.5.6): public keys are exchanged and authenticated, then each side proves
//! that it has computed the same key, from the same features and addresses.

use super::Method;
use super::authentication::{Authentication, Coordinates, Nonces};
use super::error::Refusal;
use super::exchange::Exchange;
use super::method::Side;
use super::options::OobData;
use super::outbox::Outbox;
use super::passkey::Passkey;
use super::pdu::{PairingDhKeyCheck, PairingFailedReason, PairingPublicKey, SmpPdu};
use crate::crypto::{DhKey, Key, KeyPair, PublicKey, equal, f5, f6, g2};
use rand_chacha::rand_core::Rng;

pub(super) struct SecureConnectionsPairing {
    keys: KeyPair,
    stage: Stage,
}

enum Stage {
    /// The peer's public key is awaited.
    PublicKeys,
    Authentication {
        shared: DhKey,
        authentication: Authentication,
    },
    Checks(Checks),
    Over,
}

/// The second authentication stage.
struct Checks {
    side: Side,
    /// The user still compares the numbers.
    comparing: bool,
    ours: [u8; 16],
    /// What the peer has to send.
    peers: [u8; 16],
    /// The peer has sent it.
    verified: bool,
    long_term_key: Key,
}

impl SecureConnectionsPairing {
    pub fn begin(exchange: &Exchange, out: &mut Outbox, rng: &mut impl Rng) -> Self {
        let keys = match &exchange.options.oob {
            _ if exchange.options.debug_keys => KeyPair::debug(),
            Some(OobData::SecureConnections { local: Some(local), .. }) => local.keys().clone(),
            _ => KeyPair::generate(rng),
        };
        let pairing = Self { keys, stage: Stage::PublicKeys };
        if exchange.side == Side::Initiator {
            pairing.send_public_key(out);
        }
        pairing
    }

    /// The long-term key, when both have proved to have it.
    pub fn on_pdu(
        &mut self,
        exchange: &Exchange,
        pdu: &SmpPdu<'_>,
        out: &mut Outbox,
        rng: &mut impl Rng,
    ) -> Result<Option<Key>, Refusal> {
        match (std::mem::replace(&mut self.stage, Stage::Over), pdu) {
            (Stage::PublicKeys, SmpPdu::PairingPublicKey(pdu)) => {
                let peer = PublicKey { x: *pdu.public_key_x, y: *pdu.public_key_y };
                self.stage = self.on_public_key(exchange, &peer, out, rng)?;
                Ok(None)
            }
            (Stage::Authentication { shared, mut authentication }, pdu) => {
                self.stage = match authentication.on_pdu(pdu, out, rng)? {
                    None => Stage::Authentication { shared, authentication },
                    Some(nonces) => {
                        let coordinates = authentication.coordinates();
                        Stage::Checks(Checks::begin(exchange, &shared, coordinates, &nonces, out))
                    }
                };
                Ok(None)
            }
            (Stage::Checks(mut checks), SmpPdu::PairingDhKeyCheck(pdu)) => {
                checks.on_check(pdu.dhkey_check)?;
                Ok(self.go_on(checks, out))
            }
            _ => Err(Refusal::out_of_order()),
        }
    }

    /// The user typed the passkey.
    pub fn on_passkey(&mut self, passkey: &Passkey, out: &mut Outbox) {
        if let Stage::Authentication { authentication, .. } = &mut self.stage {
            authentication.on_passkey(passkey, out);
        }
    }

    /// The user saw the same number on both sides; as [`Self::on_pdu`].
    pub fn on_number_confirmed(&mut self, out: &mut Outbox) -> Option<Key> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Checks(mut checks) => {
                if std::mem::take(&mut checks.comparing) && checks.side == Side::Initiator {
                    checks.send(out);
                }
                self.go_on(checks, out)
            }
            other => {
                self.stage = other;
                None
            }
        }
    }

    fn send_public_key(&self, out: &mut Outbox) {
        let PublicKey { x, y } = self.keys.public();
        out.send(PairingPublicKey { public_key_x: x, public_key_y: y });
    }

    fn on_public_key(
        &self,
        exchange: &Exchange,
        peer: &PublicKey,
        out: &mut Outbox,
        rng: &mut impl Rng,
    ) -> Result<Stage, Refusal> {
        let refuse = |cause| Err(Refusal::new(PairingFailedReason::InvalidParameters, cause));
        let ours = self.keys.public().x;
        if peer.is_debug() && !exchange.options.debug_keys {
            return refuse("the peer uses the debug key, whose private key everybody knows");
        }
        // The mirror image of our key has the same X and is a point of the curve too.
        if peer.x == ours && !peer.is_debug() {
            return refuse("the peer sent our public key back");
        }
        let Ok(shared) = self.keys.agree(peer) else {
            return refuse("the peer's public key is no point of the curve");
        };
        if exchange.side == Side::Responder {
            self.send_public_key(out);
        }
        let coordinates = Coordinates { ours, peers: peer.x };
        let authentication = Authentication::begin(exchange, coordinates, out, rng)?;
        Ok(Stage::Authentication { shared, authentication })
    }

    /// The long-term key, if nothing is missing any more.
    fn go_on(&mut self, checks: Checks, out: &mut Outbox) -> Option<Key> {
        if !checks.verified || checks.comparing {
            self.stage = Stage::Checks(checks);
            return None;
        }
        if checks.side == Side::Responder {
            checks.send(out);
        }
        Some(checks.long_term_key)
    }
}

impl Checks {
    fn begin(
        exchange: &Exchange,
        shared: &DhKey,
        coordinates: Coordinates,
        nonces: &Nonces,
        out: &mut Outbox,
    ) -> Self {
        let Coordinates { ours: x, peers: peers_x } = coordinates;
        let Nonces { ours: n, peers: peers_n, our_secret, peers_secret } = nonces;
        let (a, b) = (exchange.initiator, exchange.responder);
        let (cap_a, cap_b) = (exchange.request.io_cap(), exchange.response.io_cap());
        let ((mac, long_term_key), number, ours, peers);
        match exchange.side {
            Side::Initiator => {
                (mac, long_term_key) = f5(shared, n, peers_n, a, b);
                number = g2(&x, &peers_x, n, peers_n);
                ours = f6(&mac, n, peers_n, peers_secret.octets(), cap_a, a, b);
                peers = f6(&mac, peers_n, n, our_secret.octets(), cap_b, b, a);
            }
            Side::Responder => {
                (mac, long_term_key) = f5(shared, peers_n, n, a, b);
                number = g2(&peers_x, &x, peers_n, n);
                ours = f6(&mac, n, peers_n, peers_secret.octets(), cap_b, b, a);
                peers = f6(&mac, peers_n, n, our_secret.octets(), cap_a, a, b);
            }
        }
        let long_term_key = long_term_key.truncated(exchange.terms.key_size);
        let comparing = exchange.terms.association.method == Method::NumericComparison;
        let checks = Self { side: exchange.side, comparing, ours, peers, verified: false, long_term_key };
        if comparing {
            out.ask_number(number);
        } else if exchange.side == Side::Initiator {
            checks.send(out);
        }
        checks
    }

    /// The initiator's comes first, and may come while our user still compares.
    fn on_check(&mut self, value: &[u8; 16]) -> Result<(), Refusal> {
        if self.verified || self.side == Side::Initiator && self.comparing {
            return Err(Refusal::out_of_order());
        }
        if !equal(&self.peers, value) {
            return Err(Refusal::new(PairingFailedReason::DhKeyCheckFailed, "the peer's check is wrong"));
        }
        self.verified = true;
        Ok(())
    }

    fn send(&self, out: &mut Outbox) {
        out.send(PairingDhKeyCheck { dhkey_check: &self.ours });
    }
}
