//! LE legacy pairing ([Vol 3] Part H, 2.2.1 to 2.2.4).

use super::{Key, turned};
use crate::{Address, AddressKind};
use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

/// The security function: AES-128 of one block ([Vol 3] Part H, 2.2.1).
pub(crate) fn e(key: &Key, plaintext: &[u8; 16]) -> [u8; 16] {
    encrypt(&schedule(key), plaintext)
}

/// The key schedule of [`e`], for who uses it again.
pub(super) fn schedule(key: &Key) -> Aes128Enc {
    let printed = zeroize::Zeroizing::new(turned(*key.octets()));
    Aes128Enc::new((&*printed).into())
}

/// [`e`] with its key schedule.
pub(super) fn encrypt(schedule: &Aes128Enc, plaintext: &[u8; 16]) -> [u8; 16] {
    let mut block = turned(*plaintext).into();
    schedule.encrypt_block(&mut block);
    turned(block.into())
}

/// The confirm value ([Vol 3] Part H, 2.2.3), of the whole Pairing Request and Response, code first.
pub(crate) fn c1(
    k: &Key,
    r: &[u8; 16],
    request: &[u8; 7],
    response: &[u8; 7],
    initiator: Address,
    responder: Address,
) -> [u8; 16] {
    let mut p1 = [0; 16];
    p1[0] = type_octet(initiator);
    p1[1] = type_octet(responder);
    p1[2..9].copy_from_slice(request);
    p1[9..].copy_from_slice(response);
    let mut p2 = [0; 16];
    p2[..6].copy_from_slice(&responder.bd_addr.0);
    p2[6..12].copy_from_slice(&initiator.bd_addr.0);
    e(k, &xor(&e(k, &xor(r, &p1)), &p2))
}

/// The short-term key ([Vol 3] Part H, 2.2.4), of the temporary key and of what each side sent as its random value.
pub(crate) fn s1(k: &Key, responder_rand: &[u8; 16], initiator_rand: &[u8; 16]) -> Key {
    let mut r = [0; 16];
    r[..8].copy_from_slice(&initiator_rand[..8]);
    r[8..].copy_from_slice(&responder_rand[..8]);
    Key::new(e(k, &r))
}

/// The address type as the functions of pairing have it: 1 is random.
pub(super) fn type_octet(address: Address) -> u8 {
    match address.kind {
        AddressKind::Public => 0,
        AddressKind::Random => 1,
    }
}

fn xor(a: &[u8; 16], b: &[u8; 16]) -> [u8; 16] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BdAddr;
    use crate::crypto::testing::air;

    #[test]
    fn e_gives_the_session_key_of_the_link_layers_sample() {
        let key = Key::new(air("4c68384139f574d836bcf34e9dfb01bf"));
        assert_eq!(
            e(&key, &air("0213243546576879acbdcedfe0f10213")),
            air("99ad1b5226a37e3e058e3b8e27c2c666")
        );
    }

    #[test]
    fn c1_gives_the_specifications_example() {
        let confirm = c1(
            &Key::new([0; 16]),
            &air("5783d52156ad6f0e6388274ec6702ee0"),
            &air("07071000000101"),
            &air("05000800000302"),
            Address::random(BdAddr(air("a1a2a3a4a5a6"))),
            Address::public(BdAddr(air("b1b2b3b4b5b6"))),
        );
        assert_eq!(confirm, air("1e1e3fef878988ead2a74dc5bef13b86"));
    }

    #[test]
    fn s1_gives_the_specifications_example() {
        let key = s1(
            &Key::new([0; 16]),
            &air("000f0e0d0c0b0a091122334455667788"),
            &air("010203040506070899aabbccddeeff00"),
        );
        assert_eq!(key.octets(), &air("9a1fe1f0e8b0f49b5b4216ae796da062"));
    }
}
