//! The functions that pairing, privacy and signatures are made of ([Vol 3] Part H, 2.2 to 2.4), proved by the sample
//! data of the specification.
//!
//! What comes in and goes out is in the order of the air, least significant octet first: keys, nonces, coordinates,
//! confirm values. Here alone it is turned round, for the specification and the ciphers beneath think of numbers that
//! are most significant octet first; [`aes_cmac`] is the one function that is theirs.
//!
//! It owns the type of every secret, which wipes what it held and is never printed. It makes nothing random by itself,
//! knows no protocol, and never branches on a secret.

mod key;
mod key_pair;
mod legacy;
mod resolving;
mod secure_connections;
mod signature;

pub(crate) use key::{DhKey, MacKey};
pub use key::{Key, ParseKeyError};
pub(crate) use key_pair::{KeyPair, PublicKey};
pub(crate) use legacy::{c1, e, s1};
pub(crate) use resolving::{ResolvingKey, Unresolved};
pub(crate) use secure_connections::{f4, f5, f6, g2, h6, h7};
pub(crate) use signature::att_signature;

use aes::Aes128;
use cmac::{Cmac, KeyInit, Mac};
use subtle::ConstantTimeEq;

/// AES-CMAC (RFC 4493; [Vol 3] Part H, 2.2.5), most significant octet first.
pub(crate) fn aes_cmac(key: &[u8; 16], message: &[u8]) -> [u8; 16] {
    let mut mac = Cmac::<Aes128>::new(key.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Whether two values are equal, in a time that depends on their lengths alone.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// The same number in the other order of octets.
fn turned<const N: usize>(mut octets: [u8; N]) -> [u8; N] {
    octets.reverse();
    octets
}

#[cfg(test)]
mod testing {
    /// Octets as the specification prints them, most significant first.
    pub(super) fn printed(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.chars().map(|c| c.to_digit(16).expect("a hexadecimal digit")).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]).try_into().expect("an octet")).collect()
    }

    /// A number as the specification prints it, in the order of the air.
    pub(super) fn air<const N: usize>(hex: &str) -> [u8; N] {
        super::turned(printed(hex).try_into().expect("as many octets as asked for"))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::printed;
    use super::*;

    #[test]
    fn aes_cmac_gives_the_examples_of_rfc_4493() {
        let key = printed("2b7e151628aed2a6abf7158809cf4f3c").try_into().expect("16 octets");
        let message = printed(concat!(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ));
        for (length, mac) in [
            (0, "bb1d6929e95937287fa37d129b756746"),
            (16, "070a16b46b4d4144f79bdd9dd04a287c"),
            (40, "dfa66747de9ae63030ca32611497c827"),
            (64, "51f0bebf7e3b9d92fc49741779363cfe"),
        ] {
            assert_eq!(aes_cmac(&key, &message[..length]).to_vec(), printed(mac), "{length} octets");
        }
    }

    #[test]
    fn equal_is_of_octets_and_of_lengths() {
        assert!(equal(&[1, 2], &[1, 2]) && equal(&[], &[]));
        assert!(!equal(&[1, 2], &[1, 3]) && !equal(&[1, 2], &[1, 2, 0]) && !equal(&[1], &[]));
    }
}
