//! Resolvable private addresses ([Vol 3] Part H, 2.2.2; [Vol 6] Part B, 1.3.2.2).

use super::Key;
use super::legacy::{encrypt, schedule};
use crate::BdAddr;
use aes::cipher::BlockCipherEncrypt;
use aes::{Aes128Enc, Block};
use std::fmt;

/// An identity resolving key whose key schedule was made once, to be tried on many addresses.
#[derive(Clone)]
pub(crate) struct ResolvingKey(Aes128Enc);

impl ResolvingKey {
    pub(crate) fn new(irk: &Key) -> Self {
        Self(schedule(irk))
    }

    /// Whether the address was made with this key. That it is a resolvable one at all is the caller's to know.
    pub(crate) fn resolves(&self, address: BdAddr) -> bool {
        self.has_made(&Unresolved::new(address))
    }

    /// The same of an address that many keys are tried on.
    // Inlined, the block is built in registers and stored in pieces for each key, and the cipher waits four times as long
    // for them as it works.
    #[inline(never)]
    pub(crate) fn has_made(&self, address: &Unresolved) -> bool {
        let mut block = address.block;
        self.0.encrypt_block(&mut block);
        u128::from_be_bytes(block.into()) & HASH == address.hash
    }

    /// The address of a random part, whose two most significant bits are made those of a resolvable address.
    pub(crate) fn address(&self, mut prand: [u8; 3]) -> BdAddr {
        prand[2] = prand[2] & 0x3F | 0x40;
        let ([h0, h1, h2], [p0, p1, p2]) = (ah(&self.0, prand), prand);
        BdAddr([h0, h1, h2, p0, p1, p2])
    }
}

/// A resolvable private address, ready to be tried with keys.
pub(crate) struct Unresolved {
    /// Its random part, most significant octet first, as the cipher takes it.
    block: Block,
    hash: u128,
}

/// The bits of what the cipher gives that stand in the address.
const HASH: u128 = 0xFF_FFFF;

impl Unresolved {
    pub(crate) fn new(address: BdAddr) -> Self {
        let [h0, h1, h2, p0, p1, p2] = address.0;
        let number = |[a, b, c]: [u8; 3]| u128::from(u32::from_le_bytes([a, b, c, 0]));
        Self { block: number([p0, p1, p2]).to_be_bytes().into(), hash: number([h0, h1, h2]) }
    }
}

impl fmt::Debug for ResolvingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResolvingKey(..)")
    }
}

/// The hash of a random part ([Vol 3] Part H, 2.2.2).
fn ah(schedule: &Aes128Enc, [p0, p1, p2]: [u8; 3]) -> [u8; 3] {
    let mut block = [0; 16];
    block[..3].copy_from_slice(&[p0, p1, p2]);
    let [h0, h1, h2, ..] = encrypt(schedule, &block);
    [h0, h1, h2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::air;

    fn irk() -> Key {
        Key::new(air("ec0234a357c8ad05341010a60a397d9b"))
    }

    #[test]
    fn ah_gives_the_specifications_example() {
        assert_eq!(ah(&schedule(&irk()), air("708194")), air("0dfbaa"));
    }

    #[test]
    fn an_address_is_resolved_by_its_own_key_alone() {
        let key = ResolvingKey::new(&irk());
        let address: BdAddr = "70:81:94:0D:FB:AA".parse().expect("an address");
        assert_eq!(key.address(air("708194")), address);
        assert!(key.resolves(address));
        assert!(!ResolvingKey::new(&Key::new([1; 16])).resolves(address));
        for octet in 0..6 {
            let mut other = address;
            other.0[octet] ^= 1;
            assert!(!key.resolves(other), "{other}");
        }
    }

    #[test]
    fn an_address_is_marked_as_resolvable_whatever_the_random_part() {
        let key = ResolvingKey::new(&irk());
        for prand in [[0; 3], [0xFF; 3], [1, 2, 0x80]] {
            let address = key.address(prand);
            assert!(crate::Address::random(address).is_resolvable() && key.resolves(address), "{address}");
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", ResolvingKey::new(&irk())), "ResolvingKey(..)");
    }
}
