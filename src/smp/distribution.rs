//! The third phase ([Vol 3] Part H, 2.4.3 and 3.6): over the encrypted link each side gives the other its keys, the
//! responder first, each in the one order there is.

use super::error::Refusal;
use super::exchange::Exchange;
use super::method::Side;
use super::outbox::Outbox;
use super::pdu::{
    CentralIdentification, EncryptionInformation, IdentityAddressInformation, IdentityInformation,
    KeyDistribution, PairingFailedReason, SigningInformation, SmpPdu,
};
use super::{Keys, LongTermKey, Paired, PairedInfo};
use crate::codec::{HexInt, Secret};
use crate::crypto::{Key, h6, h7};
use crate::hci::AddressType;
use crate::{Address, BdAddr};
use rand_chacha::rand_core::Rng;
use std::collections::VecDeque;

/// What carries a key, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    EncryptionInformation,
    CentralIdentification,
    IdentityInformation,
    IdentityAddress,
    SigningInformation,
}

impl Item {
    fn of(pdu: &SmpPdu<'_>) -> Option<Self> {
        Some(match pdu {
            SmpPdu::EncryptionInformation(_) => Self::EncryptionInformation,
            SmpPdu::CentralIdentification(_) => Self::CentralIdentification,
            SmpPdu::IdentityInformation(_) => Self::IdentityInformation,
            SmpPdu::IdentityAddressInformation(_) => Self::IdentityAddress,
            SmpPdu::SigningInformation(_) => Self::SigningInformation,
            _ => return None,
        })
    }
}

/// Whether it carries a key.
pub(super) fn is_key(pdu: &SmpPdu<'_>) -> bool {
    Item::of(pdu).is_some()
}

/// Keys on their way in both directions.
pub(super) struct Distribution {
    /// What the peer has still to send.
    expected: VecDeque<Item>,
    /// What it has sent of that.
    received: Vec<Item>,
    /// We wait for the responder before we send ours.
    ours_wait: bool,
    keys: Keys,
    /// The peer's long-term key without what names it, which comes next.
    unnamed: Option<Key>,
}

impl Distribution {
    /// The link is encrypted with the key of the pairing.
    pub fn begin(exchange: &Exchange, key: &Key, out: &mut Outbox, rng: &mut impl Rng) -> Self {
        let terms = &exchange.terms;
        let mut keys = Keys::default();
        if terms.secure_connections {
            let shared = LongTermKey { key: key.clone(), ediv: 0, rand: [0; 8] };
            (keys.peer_ltk, keys.local_ltk) = (Some(shared.clone()), Some(shared));
            if (terms.initiator_keys & terms.responder_keys).contains(KeyDistribution::LINK_KEY) {
                let intermediate = if terms.ct2 { h7(b"tmp1", key) } else { h6(key, b"tmp1") };
                keys.link_key = Some(h6(&intermediate, b"lebr"));
            }
        }
        let theirs = match exchange.side {
            Side::Initiator => terms.responder_keys,
            Side::Responder => terms.initiator_keys,
        };
        let expected = items(theirs, terms.secure_connections);
        let ours_wait = exchange.side == Side::Initiator && !expected.is_empty();
        let mut distribution = Self { expected, received: Vec::new(), ours_wait, keys, unnamed: None };
        if !ours_wait {
            distribution.send_ours(exchange, out, rng);
        }
        distribution
    }

    /// What the pairing leaves, when nothing is missing any more.
    pub fn finish(&mut self, exchange: &Exchange) -> Option<Paired> {
        if self.ours_wait || !self.expected.is_empty() {
            return None;
        }
        let terms = &exchange.terms;
        let keys = std::mem::take(&mut self.keys);
        let PairedInfo { secure_connections, authenticated, key_size, .. } = exchange.worth();
        Some(Paired {
            method: terms.association.method,
            secure_connections,
            authenticated,
            key_size,
            bonded: terms.bonding && (keys.peer_ltk.is_some() || keys.local_ltk.is_some()),
            keys,
        })
    }

    /// A key of the peer's. What was not asked for is ignored; what was comes in its order, once.
    pub fn on_pdu(
        &mut self,
        exchange: &Exchange,
        pdu: &SmpPdu<'_>,
        out: &mut Outbox,
        rng: &mut impl Rng,
    ) -> Result<(), Refusal> {
        let item = Item::of(pdu).ok_or(Refusal::out_of_order())?;
        if !self.expected.contains(&item) && !self.received.contains(&item) {
            return Ok(());
        }
        if self.expected.pop_front() != Some(item) {
            return Err(Refusal::out_of_order());
        }
        self.received.push(item);
        self.take(exchange, pdu)?;
        if self.expected.is_empty() && std::mem::take(&mut self.ours_wait) {
            self.send_ours(exchange, out, rng);
        }
        Ok(())
    }

    fn take(&mut self, exchange: &Exchange, pdu: &SmpPdu<'_>) -> Result<(), Refusal> {
        let key = |octets: &[u8; 16]| Some(Key::new(*octets)).filter(|key| !key.is_zero());
        match pdu {
            SmpPdu::EncryptionInformation(pdu) => {
                // What a key has beyond the size agreed on never encrypts.
                let key = Key::new(*pdu.long_term_key.0).truncated(exchange.terms.key_size);
                if key.is_zero() {
                    return Err(Refusal::new(
                        PairingFailedReason::KeyRejected,
                        "the peer's long-term key is zero",
                    ));
                }
                self.unnamed = Some(key);
            }
            SmpPdu::CentralIdentification(pdu) => {
                let name = |key| LongTermKey { key, ediv: pdu.ediv.0, rand: pdu.rand };
                self.keys.peer_ltk = self.unnamed.take().map(name);
            }
            // One of zeros says that the peer has no resolvable addresses.
            SmpPdu::IdentityInformation(pdu) => self.keys.irk = key(pdu.identity_resolving_key.0),
            SmpPdu::IdentityAddressInformation(pdu) => {
                self.keys.identity = identity(pdu)?;
                if self.keys.identity.is_none() {
                    self.keys.irk = None;
                }
            }
            SmpPdu::SigningInformation(pdu) => self.keys.csrk = key(pdu.signature_key.0),
            _ => {}
        }
        Ok(())
    }

    fn send_ours(&mut self, exchange: &Exchange, out: &mut Outbox, rng: &mut impl Rng) {
        let terms = &exchange.terms;
        let ours = match exchange.side {
            Side::Initiator => terms.initiator_keys,
            Side::Responder => terms.responder_keys,
        };
        let identity = &exchange.identity;
        if ours.contains(KeyDistribution::ENC_KEY) && !terms.secure_connections {
            let long_term = new_long_term_key(terms.key_size, rng);
            out.send(EncryptionInformation { long_term_key: Secret(long_term.key.octets()) });
            out.send(CentralIdentification { ediv: HexInt(long_term.ediv), rand: long_term.rand });
            self.keys.local_ltk = Some(long_term);
        }
        if ours.contains(KeyDistribution::ID_KEY) {
            out.send(IdentityInformation { identity_resolving_key: Secret(identity.irk.octets()) });
            let Address { kind, bd_addr } = identity.address;
            out.send(IdentityAddressInformation { addr_type: AddressType::from(kind), bd_addr });
        }
        if ours.contains(KeyDistribution::SIGN_KEY) {
            out.send(SigningInformation { signature_key: Secret(identity.csrk.octets()) });
            self.keys.local_csrk = Some(identity.csrk.clone());
        }
    }
}

/// What one side sends of these keys.
fn items(keys: KeyDistribution, secure_connections: bool) -> VecDeque<Item> {
    let mut items = VecDeque::new();
    if keys.contains(KeyDistribution::ENC_KEY) && !secure_connections {
        items.extend([Item::EncryptionInformation, Item::CentralIdentification]);
    }
    if keys.contains(KeyDistribution::ID_KEY) {
        items.extend([Item::IdentityInformation, Item::IdentityAddress]);
    }
    if keys.contains(KeyDistribution::SIGN_KEY) {
        items.push_back(Item::SigningInformation);
    }
    items
}

fn new_long_term_key(size: u8, rng: &mut impl Rng) -> LongTermKey {
    let key = Key::generate(rng).truncated(size);
    let (mut ediv, mut rand) = ([0; 2], [0; 8]);
    rng.fill_bytes(&mut ediv);
    rng.fill_bytes(&mut rand);
    LongTermKey { key, ediv: u16::from_le_bytes(ediv), rand }
}

/// The peer's identity address; zero is none.
fn identity(pdu: &IdentityAddressInformation) -> Result<Option<Address>, Refusal> {
    let address = match pdu.addr_type {
        AddressType::Public => Some(Address::public(pdu.bd_addr)),
        AddressType::Random => Some(Address::random(pdu.bd_addr)).filter(Address::is_random_static),
        _ => None,
    };
    match address {
        Some(address) if address.bd_addr == BdAddr::ANY => Ok(None),
        Some(address) => Ok(Some(address)),
        None => Err(Refusal::new(
            PairingFailedReason::InvalidParameters,
            "the peer's identity address is neither public nor random static",
        )),
    }
}
