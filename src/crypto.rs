//! The ciphers that the protocols are made with. Numbers here are most significant octet first, as the specification
//! prints them; whoever uses them turns them round for the wire. It never holds a key longer than a call.

use aes::Aes128;
use cmac::{Cmac, KeyInit, Mac};

/// AES-CMAC (RFC 4493; [Vol 3] Part H, 2.2.5).
pub(crate) fn aes_cmac(key: &[u8; 16], message: &[u8]) -> [u8; 16] {
    let mut mac = Cmac::<Aes128>::new(key.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.chars().map(|c| c.to_digit(16).expect("a hexadecimal digit")).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]).try_into().expect("an octet")).collect()
    }

    #[test]
    fn aes_cmac_gives_the_examples_of_rfc_4493() {
        let key = octets("2b7e151628aed2a6abf7158809cf4f3c").try_into().expect("16 octets");
        let message = octets(concat!(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ));
        for (length, mac) in [
            (0, "bb1d6929e95937287fa37d129b756746"),
            (16, "070a16b46b4d4144f79bdd9dd04a287c"),
            (40, "dfa66747de9ae63030ca32611497c827"),
            (64, "51f0bebf7e3b9d92fc49741779363cfe"),
        ] {
            assert_eq!(aes_cmac(&key, &message[..length]).to_vec(), octets(mac), "{length} octets");
        }
    }
}
