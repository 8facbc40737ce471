//! LE legacy pairing ([Vol 3] Part H, 2.3.5.2 to 2.3.5.5): both commit to a random number with the temporary key, then
//! show it, and the short-term key is made of both. Whoever listened can find a passkey by trying all.

use super::error::Refusal;
use super::exchange::Exchange;
use super::method::Side;
use super::options::OobData;
use super::outbox::Outbox;
use super::pdu::{PairingConfirm, PairingFailedReason, PairingRandom, SmpPdu};
use super::{Method, Passkey};
use crate::crypto::{Key, c1, equal, s1};
use rand_chacha::rand_core::Rng;

pub(super) struct Legacy {
    /// The temporary key, once it is known.
    key: Option<Key>,
    random: [u8; 16],
    /// What we committed to, once it is sent.
    confirm: Option<[u8; 16]>,
    /// What the peer did.
    peer_confirm: Option<[u8; 16]>,
}

impl Legacy {
    pub fn begin(exchange: &Exchange, out: &mut Outbox, rng: &mut impl Rng) -> Self {
        let mut random = [0; 16];
        rng.fill_bytes(&mut random);
        let mut pairing = Self { key: None, random, confirm: None, peer_confirm: None };
        let key = match (exchange.terms.association.method, &exchange.options.oob) {
            (Method::PasskeyEntry, _) => exchange.passkey(out, rng).as_ref().map(Passkey::key),
            (Method::OutOfBand, Some(OobData::Legacy(key))) => Some(key.clone()),
            _ => Some(Key::new([0; 16])),
        };
        if let Some(key) = key {
            pairing.on_key(exchange, key, out);
        }
        pairing
    }

    /// The temporary key is known.
    pub fn on_key(&mut self, exchange: &Exchange, key: Key, out: &mut Outbox) {
        self.key = Some(key);
        // The initiator commits first.
        if exchange.side == Side::Initiator || self.peer_confirm.is_some() {
            self.commit(exchange, out);
        }
    }

    /// The short-term key, when both numbers are shown and the peer's is the one that it committed to.
    pub fn on_pdu(
        &mut self,
        exchange: &Exchange,
        pdu: &SmpPdu<'_>,
        out: &mut Outbox,
    ) -> Result<Option<Key>, Refusal> {
        match pdu {
            SmpPdu::PairingConfirm(pdu) => self.on_confirm(exchange, pdu.confirm_value, out).map(|()| None),
            SmpPdu::PairingRandom(pdu) => self.on_random(exchange, pdu.random_value, out).map(Some),
            _ => Err(Refusal::out_of_order()),
        }
    }

    fn on_confirm(&mut self, exchange: &Exchange, value: &[u8; 16], out: &mut Outbox) -> Result<(), Refusal> {
        let expected = exchange.side == Side::Responder || self.confirm.is_some();
        if !expected || self.peer_confirm.is_some() {
            return Err(Refusal::out_of_order());
        }
        // Who sends ours back could send our number back too, and know no key.
        if self.confirm.is_some_and(|ours| equal(&ours, value)) {
            return Err(Refusal::new(PairingFailedReason::ConfirmValueFailed, "the peer sent ours back"));
        }
        self.peer_confirm = Some(*value);
        match exchange.side {
            Side::Initiator => out.send(PairingRandom { random_value: &self.random }),
            Side::Responder => self.commit(exchange, out),
        }
        Ok(())
    }

    /// Never before both have committed: a number that is shown can be guessed from.
    fn on_random(&mut self, exchange: &Exchange, value: &[u8; 16], out: &mut Outbox) -> Result<Key, Refusal> {
        let (Some(key), Some(_), Some(peer_confirm)) = (&self.key, self.confirm, self.peer_confirm) else {
            return Err(Refusal::out_of_order());
        };
        if !equal(&confirm_value(exchange, key, value), &peer_confirm) {
            return Err(Refusal::new(PairingFailedReason::ConfirmValueFailed, "the peer knows another key"));
        }
        let short_term = match exchange.side {
            Side::Initiator => s1(key, value, &self.random),
            Side::Responder => {
                out.send(PairingRandom { random_value: &self.random });
                s1(key, &self.random, value)
            }
        };
        Ok(short_term.truncated(exchange.terms.key_size))
    }

    /// Sends our confirm value, if the key is known.
    fn commit(&mut self, exchange: &Exchange, out: &mut Outbox) {
        if let Some(key) = &self.key {
            let value = confirm_value(exchange, key, &self.random);
            self.confirm = Some(value);
            out.send(PairingConfirm { confirm_value: &value });
        }
    }
}

fn confirm_value(exchange: &Exchange, key: &Key, random: &[u8; 16]) -> [u8; 16] {
    let (request, response) = (exchange.request.octets(), exchange.response.octets());
    c1(key, random, request, response, exchange.initiator, exchange.responder)
}
