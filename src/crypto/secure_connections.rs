//! LE Secure Connections pairing ([Vol 3] Part H, 2.2.6 to 2.2.9) and the functions that convert link keys (2.2.10 and
//! 2.2.11). Each is AES-CMAC of a row of numbers, the most significant octet of each first.

use super::legacy::type_octet;
use super::{DhKey, Key, MacKey, aes_cmac, turned};
use crate::Address;
use zeroize::Zeroizing;

/// The confirm value of both generations of nonces ([Vol 3] Part H, 2.2.6).
pub(crate) fn f4(u: &[u8; 32], v: &[u8; 32], x: &[u8; 16], z: u8) -> [u8; 16] {
    turned(aes_cmac(&turned(*x), &Message::default().number(u).number(v).number(&[z]).0))
}

/// The key of the checks and the long-term key ([Vol 3] Part H, 2.2.7). 1 is the initiator, 2 the responder.
pub(crate) fn f5(w: &DhKey, n1: &[u8; 16], n2: &[u8; 16], a1: Address, a2: Address) -> (MacKey, Key) {
    const SALT: [u8; 16] = 0x6C88_8391_AAF5_A538_6037_0BDB_5A60_83BE_u128.to_be_bytes();
    let secret = Zeroizing::new(turned(*w.octets()));
    let t = Zeroizing::new(aes_cmac(&SALT, &*secret));
    let key = |counter: u8| {
        let message = Message::default().octets(&[counter]).octets(b"btle").number(n1).number(n2);
        let message = message.address(a1).address(a2).octets(&256_u16.to_be_bytes());
        Key::new(turned(aes_cmac(&t, &message.0)))
    };
    (MacKey(key(0)), key(1))
}

/// The DHKey check of the side that is 1 ([Vol 3] Part H, 2.2.8). `io_cap` is as in the Pairing Request or Response:
/// IO capability, OOB data flag, AuthReq.
pub(crate) fn f6(
    w: &MacKey,
    n1: &[u8; 16],
    n2: &[u8; 16],
    r: &[u8; 16],
    io_cap: [u8; 3],
    a1: Address,
    a2: Address,
) -> [u8; 16] {
    let message = Message::default().number(n1).number(n2).number(r).number(&io_cap).address(a1).address(a2);
    mac(&w.0, &message.0)
}

/// The number that both users compare, below 1,000,000 ([Vol 3] Part H, 2.2.9).
pub(crate) fn g2(u: &[u8; 32], v: &[u8; 32], x: &[u8; 16], y: &[u8; 16]) -> u32 {
    let mac = aes_cmac(&turned(*x), &Message::default().number(u).number(v).number(y).0);
    u32::from_be_bytes([mac[12], mac[13], mac[14], mac[15]]) % 1_000_000
}

/// Converts a key; `key_id` is as the specification writes it, `lebr` for one ([Vol 3] Part H, 2.2.10).
pub(crate) fn h6(w: &Key, key_id: &[u8; 4]) -> Key {
    Key::new(mac(w, key_id))
}

/// Converts a key; `salt` are the last four octets, `tmp1` for one, behind twelve of zero ([Vol 3] Part H, 2.2.11).
pub(crate) fn h7(salt: &[u8; 4], w: &Key) -> Key {
    let key = u128::from(u32::from_be_bytes(*salt)).to_be_bytes();
    let message = Zeroizing::new(turned(*w.octets()));
    Key::new(turned(aes_cmac(&key, &*message)))
}

/// AES-CMAC by a key that is held in the order of the air.
pub(super) fn mac(key: &Key, message: &[u8]) -> [u8; 16] {
    turned(aes_cmac(&Zeroizing::new(turned(*key.octets())), message))
}

/// Numbers in a row, as they are hashed.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// What is most significant octet first by itself.
    fn octets(mut self, octets: &[u8]) -> Self {
        self.0.extend_from_slice(octets);
        self
    }

    /// A number in the order of the air.
    fn number(mut self, number: &[u8]) -> Self {
        self.0.extend(number.iter().rev());
        self
    }

    fn address(self, address: Address) -> Self {
        self.octets(&[type_octet(address)]).number(&address.bd_addr.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BdAddr;
    use crate::crypto::testing::air;

    const U: &str = "20b003d2f297be2c5e2c83a7e9f9a5b9eff49111acf4fddbcc0301480e359de6";
    const V: &str = "55188b3d32f6bb9a900afcfbeed4e72a59cb9ac2f19d7cfb6b4fdd49f47fc5fd";
    const N1: &str = "d5cb8454d177733effffb2ec712baeab";
    const N2: &str = "a6e8e7cc25a75f6e216583f7ff3dc4cf";
    const A1: &str = "56123737bfce";
    const A2: &str = "a713702dcfc1";

    fn public(printed: &str) -> Address {
        Address::public(BdAddr(air(printed)))
    }

    #[test]
    fn f4_gives_the_specifications_example() {
        assert_eq!(f4(&air(U), &air(V), &air(N1), 0), air("f2c916f107a9bd1cf1eda1bea974872d"));
    }

    #[test]
    fn f5_gives_the_specifications_example() {
        let w = DhKey::new(air("ec0234a357c8ad05341010a60a397d9b99796b13b4f866f1868d34f373bfa698"));
        let (mac_key, ltk) = f5(&w, &air(N1), &air(N2), public(A1), public(A2));
        assert_eq!(mac_key.0.octets(), &air("2965f176a1084a02fd3f6a20ce636e20"));
        assert_eq!(ltk.octets(), &air("6986791169d7cd23980522b594750a38"));
    }

    #[test]
    fn f6_gives_the_specifications_example() {
        let w = MacKey(Key::new(air("2965f176a1084a02fd3f6a20ce636e20")));
        let r = air("12a3343bb453bb5408da42d20c2d0fc8");
        let check = f6(&w, &air(N1), &air(N2), &r, air("010102"), public(A1), public(A2));
        assert_eq!(check, air("e3c473989cd0e8c5d26c0b09da958f61"));
    }

    #[test]
    fn what_derives_keys_tells_a_random_address_from_a_public_one() {
        let w = DhKey::new([7; 32]);
        let random = Address::random(public(A1).bd_addr);
        let keys = |a1| f5(&w, &air(N1), &air(N2), a1, public(A2));
        assert_ne!(keys(public(A1)).1, keys(random).1);
        let check = |a1| f6(&MacKey(Key::new([7; 16])), &[1; 16], &[2; 16], &[0; 16], [3, 0, 9], a1, random);
        assert_ne!(check(public(A1)), check(random));
    }

    #[test]
    fn g2_gives_the_last_six_digits_of_the_specifications_example() {
        assert_eq!(g2(&air(U), &air(V), &air(N1), &air(N2)), 938_554);
    }

    #[test]
    fn h6_and_h7_give_the_specifications_examples() {
        let key = Key::new(air("ec0234a357c8ad05341010a60a397d9b"));
        assert_eq!(h6(&key, b"lebr").octets(), &air("2d9ae102e76dc91ce8d3a9e280b16399"));
        assert_eq!(h7(b"tmp1", &key).octets(), &air("fb173597c6a3c0ecd2998c2a75a57011"));
    }

    #[test]
    fn the_conversions_of_link_keys_give_the_specifications_examples() {
        let key = |printed| Key::new(air(printed));
        let ltk = key("368df9bce3264b58bd066c33334fbf64");
        assert_eq!(h6(&h7(b"tmp1", &ltk), b"lebr"), key("287ad379dca402530a39f1f43047b835"));
        assert_eq!(h6(&h6(&ltk, b"tmp1"), b"lebr"), key("bc1ca4ef633fc1bd0d8230afee388fb0"));
        let link_key = key("05040302010009080706050403020100");
        assert_eq!(h6(&h7(b"tmp2", &link_key), b"brle"), key("e85e09eb5eccb3e269418a133211bc79"));
        assert_eq!(h6(&h6(&link_key, b"tmp2"), b"brle"), key("a813fb72f1a3dfa18a2c9a43f10d0a30"));
    }
}
