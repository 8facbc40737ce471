//! A pairing from the moment both sides know each other's features: what every phase of it needs.

use super::error::Refusal;
use super::features::{Features, Terms};
use super::legacy::Legacy;
use super::method::Side;
use super::outbox::Outbox;
use super::pdu::SmpPdu;
use super::secure_connections::SecureConnectionsPairing;
use super::{LocalIdentity, PairedInfo, PairingOptions, Passkey};
use crate::Address;
use crate::crypto::Key;
use rand_chacha::rand_core::Rng;

/// Who pairs with whom, and on what terms.
pub(super) struct Exchange {
    /// Ours.
    pub side: Side,
    pub initiator: Address,
    pub responder: Address,
    pub request: Features,
    pub response: Features,
    pub terms: Terms,
    pub options: PairingOptions,
    pub identity: LocalIdentity,
}

impl Exchange {
    /// What its key is worth. Whoever uses the debug key shares its secret with everybody.
    pub fn worth(&self) -> PairedInfo {
        let method = self.terms.association.method;
        PairedInfo {
            method: Some(method),
            secure_connections: self.terms.secure_connections,
            authenticated: method.is_authenticated() && !self.options.debug_keys,
            key_size: self.terms.key_size,
        }
    }

    /// Whether we show the passkey; of no other method.
    pub fn we_show(&self) -> bool {
        self.terms.association.shows == Some(self.side)
    }

    /// Asks the user for the passkey, or makes one and shows it: then it is known at once.
    pub fn passkey(&self, out: &mut Outbox, rng: &mut impl Rng) -> Option<Passkey> {
        if !self.we_show() {
            out.ask_passkey();
            return None;
        }
        let passkey = self.options.passkey.clone().unwrap_or_else(|| Passkey::generate(rng));
        out.show(passkey.clone());
        Some(passkey)
    }
}

/// The second phase, in which both sides come to share a key ([Vol 3] Part H, 2.3.5).
pub(super) enum KeyGeneration {
    Legacy(Legacy),
    SecureConnections(Box<SecureConnectionsPairing>),
}

impl KeyGeneration {
    pub fn begin(exchange: &Exchange, out: &mut Outbox, rng: &mut impl Rng) -> Self {
        if exchange.terms.secure_connections {
            Self::SecureConnections(Box::new(SecureConnectionsPairing::begin(exchange, out, rng)))
        } else {
            Self::Legacy(Legacy::begin(exchange, out, rng))
        }
    }

    /// A PDU of the peer's; gives the key to encrypt with when both have it.
    pub fn on_pdu(
        &mut self,
        exchange: &Exchange,
        pdu: &SmpPdu<'_>,
        out: &mut Outbox,
        rng: &mut impl Rng,
    ) -> Result<Option<Key>, Refusal> {
        match self {
            Self::Legacy(pairing) => pairing.on_pdu(exchange, pdu, out),
            Self::SecureConnections(pairing) => pairing.on_pdu(exchange, pdu, out, rng),
        }
    }

    /// The user typed the passkey.
    pub fn on_passkey(&mut self, exchange: &Exchange, passkey: &Passkey, out: &mut Outbox) {
        match self {
            Self::Legacy(pairing) => pairing.on_key(exchange, passkey.key(), out),
            Self::SecureConnections(pairing) => pairing.on_passkey(passkey, out),
        }
    }

    /// The user saw the same number on both sides; as [`Self::on_pdu`].
    pub fn on_number_confirmed(&mut self, out: &mut Outbox) -> Option<Key> {
        match self {
            Self::Legacy(_) => None,
            Self::SecureConnections(pairing) => pairing.on_number_confirmed(out),
        }
    }
}
