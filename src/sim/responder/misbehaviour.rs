//! Responders that do not keep to the specification, to see that a central minds. An honest one says its PDUs to its
//! [`Voice`], which changes, repeats, adds or keeps back what a rule is about; the responder does not know.

use crate::Address;
use crate::crypto::Key;
use crate::smp::SmpPdu;
use crate::smp::pdu::PairingFailedReason;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// One thing that a [`Responder`](super::Responder) does wrong. Where a code is asked for it is that of an SMP PDU, as
/// 0x0C of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// Refuses every Pairing Request for this reason.
    Refuses(PairingFailedReason),
    /// Says Pairing Failed in the place of the first PDU of this code, and nothing more.
    FailsAt(u8, PairingFailedReason),
    /// Says nothing from the first PDU of this code on.
    SilentFrom(u8),
    /// Says every PDU of this code twice.
    Twice(u8),
    /// Says everything twice.
    AllTwice,
    /// Leaves the last octet of PDUs of this code away.
    Short(u8),
    /// Adds an octet to PDUs of this code.
    Long(u8),
    /// Says a PDU of this code, which should be one that there is not, behind the Pairing Response.
    Unknown(u8),
    /// Says a Pairing Request of its own behind the Pairing Response.
    RequestOutOfPlace,
    /// Says the Pairing Response once more before its first Confirm.
    ResponseOutOfPlace,
    /// Says a Security Request behind the Pairing Response.
    SecurityRequestWhilePairing,
    /// Says so many Security Requests as soon as the link is there.
    SecurityRequests(u16),
    /// Claims this longest key in the Pairing Response.
    KeySize(u8),
    /// Clears the bit of Secure Connections in the Pairing Response.
    ClearsSecureConnections,
    /// Clears the bit of protection from a man in the middle in the Pairing Response.
    ClearsMitm,
    /// Claims in the Pairing Response to have no input and no output.
    ClaimsNoInputNoOutput,
    /// Claims in the Pairing Response to have out-of-band data, which it has not.
    OobFlagWithoutData,
    /// Gives the central's public key back as its own.
    ReflectsKey,
    /// Gives the central's public key back with the other Y that belongs to its X.
    ReflectsKeyNegated,
    /// Gives a public key that is not on the curve.
    InvalidPoint,
    /// Gives a public key of zeros.
    ZeroPoint,
    /// Gives a public key whose coordinates are no elements of the field.
    LargePoint,
    /// Says a Random before its first Confirm.
    RandomBeforeConfirm,
    /// Changes the Confirm of this round, counted from 0; models without rounds have the first alone.
    WrongConfirm(u8),
    /// Changes the Random of this round.
    WrongRandom(u8),
    /// Changes the DHKey Check.
    WrongDhKeyCheck,
    /// Says a DHKey Check of zeros.
    ZeroDhKeyCheck,
    /// Leaves the DHKey Check away and waits for encryption.
    NoDhKeyCheck,
    /// Hands out its keys when the keys are agreed on, before the link is encrypted.
    KeysBeforeEncryption,
    /// Hands out every key that there is, whether asked to or not.
    UnrequestedKeys,
    /// Hands out none of the keys that it promised.
    WithholdsKeys,
    /// Says the identity address before the identity resolving key.
    KeysOutOfOrder,
    /// Hands out a long-term key of zeros.
    ZeroLongTermKey,
    /// Hands out an identity resolving key of zeros.
    ZeroIrk,
    /// Hands out an identity address that is random and not static.
    InvalidIdentity,
    /// Hands out the identity of another device, with a resolving key when there is one.
    ClaimsIdentity(Address, Option<Key>),
    /// Has no key when a link is to be encrypted with a bond.
    ForgetsKeys,
    /// Has another key when a link is to be encrypted with a bond.
    OtherKey,
}

/// Where a responder says its PDUs.
#[derive(Default)]
pub(super) struct Voice {
    rules: Vec<Misbehaviour>,
    out: VecDeque<Bytes>,
    /// PDUs by their code.
    said: BTreeMap<u8, u32>,
    silent: bool,
    central_key: Option<[u8; 64]>,
    response: Option<Vec<u8>>,
    kept_back: Option<Vec<u8>>,
}

impl Voice {
    pub(super) fn new(rules: &[Misbehaviour]) -> Self {
        Self { rules: rules.to_vec(), ..Self::default() }
    }

    pub(super) fn does(&self, rule: &Misbehaviour) -> bool {
        self.rules.contains(rule)
    }

    pub(super) fn poll(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    /// A new pairing begins: rounds are counted again.
    pub(super) fn begin(&mut self) {
        self.said.clear();
        self.kept_back = None;
    }

    pub(super) fn refuses(&self) -> Option<PairingFailedReason> {
        self.rules.iter().find_map(|rule| match rule {
            Misbehaviour::Refuses(reason) => Some(*reason),
            _ => None,
        })
    }

    /// Security Requests at the beginning of a link, beyond the one that may be in order.
    pub(super) fn security_requests(&self) -> u16 {
        let numbers = self.rules.iter().filter_map(|rule| match rule {
            Misbehaviour::SecurityRequests(number) => Some(*number),
            _ => None,
        });
        numbers.sum()
    }

    /// What the central says, of which some may be said back.
    pub(super) fn hear(&mut self, pdu: &SmpPdu<'_>) {
        if let SmpPdu::PairingPublicKey(pdu) = pdu {
            let mut key = [0; 64];
            key[..32].copy_from_slice(pdu.public_key_x);
            key[32..].copy_from_slice(pdu.public_key_y);
            self.central_key = Some(key);
        }
    }

    pub(super) fn say<'a>(&mut self, pdu: impl Into<SmpPdu<'a>>) {
        self.say_bytes(&pdu.into().to_bytes());
    }

    /// Says a PDU by the rules; gives what went out in its place, the first of its code.
    pub(super) fn say_bytes(&mut self, pdu: &[u8]) -> Option<Bytes> {
        let code = *pdu.first()?;
        if self.silent {
            return None;
        }
        let count = self.said.entry(code).or_default();
        let round = *count;
        *count = count.saturating_add(1);
        let mut pdus = vec![pdu.to_vec()];
        for rule in self.rules.clone() {
            let (changed, others): (Vec<_>, Vec<_>) =
                pdus.into_iter().partition(|pdu| pdu.first() == Some(&code));
            pdus = others;
            pdus.extend(changed.into_iter().flat_map(|pdu| self.changed(&rule, round, pdu)));
        }
        let first = pdus.iter().find(|pdu| pdu.first() == Some(&code)).cloned().map(Bytes::from);
        if code == 0x02 {
            self.response = first.as_deref().map(<[u8]>::to_vec);
        }
        self.out.extend(pdus.into_iter().map(Bytes::from));
        first
    }

    /// What a rule makes of a PDU.
    fn changed(&mut self, rule: &Misbehaviour, round: u32, mut pdu: Vec<u8>) -> Vec<Vec<u8>> {
        use Misbehaviour as M;
        let code = pdu.first().copied().unwrap_or_default();
        let first = round == 0;
        let mut set = |place: usize, change: &dyn Fn(u8) -> u8| {
            if let Some(octet) = pdu.get_mut(place) {
                *octet = change(*octet);
            }
        };
        match (rule, code) {
            (M::FailsAt(at, reason), _) if *at == code => {
                self.silent = true;
                return vec![vec![0x05, reason.0]];
            }
            (M::SilentFrom(at), _) if *at == code => {
                self.silent = true;
                return Vec::new();
            }
            (M::Twice(at), _) if *at == code => return vec![pdu.clone(), pdu],
            (M::AllTwice, _) => return vec![pdu.clone(), pdu],
            (M::Short(at), _) if *at == code => drop(pdu.pop()),
            (M::Long(at), _) if *at == code => pdu.push(0),
            (M::Unknown(other), 0x02) => return vec![pdu, vec![*other, 0]],
            (M::RequestOutOfPlace, 0x02) => {
                let request = [&[0x01], &pdu[1..]].concat();
                return vec![pdu, request];
            }
            (M::ResponseOutOfPlace, 0x03) if first => {
                return self.response.clone().into_iter().chain([pdu]).collect();
            }
            (M::SecurityRequestWhilePairing, 0x02) => return vec![pdu, vec![0x0B, 0x01]],
            (M::KeySize(size), 0x02) => set(4, &|_| *size),
            (M::ClearsSecureConnections, 0x02) => set(3, &|auth| auth & !0x08),
            (M::ClearsMitm, 0x02) => set(3, &|auth| auth & !0x04),
            (M::ClaimsNoInputNoOutput, 0x02) => set(1, &|_| 3),
            (M::OobFlagWithoutData, 0x02) => set(2, &|_| 1),
            (M::ReflectsKey, 0x0C) => pdu = self.reflected(pdu, false),
            (M::ReflectsKeyNegated, 0x0C) => pdu = self.reflected(pdu, true),
            (M::InvalidPoint, 0x0C) => set(33, &|octet| octet ^ 1),
            (M::ZeroPoint, 0x0C) => pdu.iter_mut().skip(1).for_each(|octet| *octet = 0),
            (M::LargePoint, 0x0C) => pdu.iter_mut().skip(1).for_each(|octet| *octet = 0xFF),
            (M::RandomBeforeConfirm, 0x03) if first => {
                let random = [&[0x04], &pdu[1..]].concat();
                return vec![random, pdu];
            }
            (M::WrongConfirm(at), 0x03) | (M::WrongRandom(at), 0x04) if u32::from(*at) == round => {
                set(1, &|octet| octet ^ 1);
            }
            (M::WrongDhKeyCheck, 0x0D) => set(1, &|octet| octet ^ 1),
            (M::NoDhKeyCheck, 0x0D) => return Vec::new(),
            (M::ZeroDhKeyCheck, 0x0D) | (M::ZeroLongTermKey, 0x06) | (M::ZeroIrk, 0x08) => {
                pdu.iter_mut().skip(1).for_each(|octet| *octet = 0);
            }
            (M::KeysOutOfOrder, 0x08) => {
                self.kept_back = Some(pdu);
                return Vec::new();
            }
            (M::KeysOutOfOrder, 0x09) => return [pdu].into_iter().chain(self.kept_back.take()).collect(),
            // Random, and the two most significant bits are those of a resolvable address.
            (M::InvalidIdentity, 0x09) => pdu = vec![0x09, 1, 1, 2, 3, 4, 5, 0x46],
            (M::ClaimsIdentity(_, Some(irk)), 0x08) => pdu = [&[0x08], &irk.octets()[..]].concat(),
            (M::ClaimsIdentity(address, _), 0x09) => {
                let kind = crate::hci::AddressType::from(address.kind).0;
                pdu = [&[0x09, kind][..], &address.bd_addr.0].concat();
            }
            _ => {}
        }
        vec![pdu]
    }

    /// The public key of the central, when it has said one already.
    fn reflected(&self, pdu: Vec<u8>, negated: bool) -> Vec<u8> {
        let Some(mut key) = self.central_key else { return pdu };
        if negated {
            let (_, y) = key.split_at_mut(32);
            negate(y);
        }
        [&[0x0C], &key[..]].concat()
    }
}

/// The other Y of a point: the prime of the field less this one, least significant octet first.
fn negate(y: &mut [u8]) {
    const PRIME: [u8; 32] = {
        let mut prime = [0; 32];
        let mut n = 0;
        while n < 32 {
            // FFFFFFFF 00000001 00000000 00000000 00000000 FFFFFFFF FFFFFFFF FFFFFFFF
            prime[n] = if n < 12 || n >= 28 {
                0xFF
            } else if n == 24 {
                0x01
            } else {
                0
            };
            n += 1;
        }
        prime
    };
    let mut borrow = false;
    for (octet, prime) in y.iter_mut().zip(PRIME) {
        let (less, one) = prime.overflowing_sub(*octet);
        let (less, other) = less.overflowing_sub(u8::from(borrow));
        *octet = less;
        borrow = one || other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyPair, PublicKey};

    #[test]
    fn the_negated_y_belongs_to_a_point_with_the_same_secret() {
        let (ours, theirs) = (KeyPair::generate(&mut rng(1)), KeyPair::generate(&mut rng(2)));
        let PublicKey { x, mut y } = *theirs.public();
        negate(&mut y);
        assert_ne!(y, theirs.public().y);
        let other = ours.agree(&PublicKey { x, y }).expect("on the curve");
        assert_eq!(other.octets(), ours.agree(theirs.public()).expect("on the curve").octets());
    }

    fn rng(seed: u64) -> rand_chacha::ChaCha8Rng {
        rand_chacha::rand_core::SeedableRng::seed_from_u64(seed)
    }
}
