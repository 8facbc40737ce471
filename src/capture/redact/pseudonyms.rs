//! What stands in for what must not be seen: the same for the same, and without the key no way back.
//!
//! A keyed hash, so that nobody finds a short value by hashing all: ChaCha20 in a cascade. Each step keys the cipher with
//! the last one's output and takes eight octets of the input as its nonce; length and purpose come first, so that no
//! input is the beginning of another.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Replaces by a key. Lengths stay as they are.
pub(super) struct Pseudonyms {
    key: [u8; 32],
}

/// What a replacement is for: the same octets in another place are something else.
#[derive(Clone, Copy)]
enum Purpose {
    Address = 1,
    Text = 2,
    Octets = 3,
}

impl Pseudonyms {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// An address of the same sort: the two upper bits, which tell the sorts of random addresses apart, stay
    /// ([Vol 6] Part B, 1.3). No address stays none.
    pub(super) fn address(&self, address: [u8; 6]) -> [u8; 6] {
        if address == [0; 6] || address == [0xFF; 6] {
            return address;
        }
        let mut out = [0; 6];
        self.stream(Purpose::Address, &address).fill_bytes(&mut out);
        out[5] = address[5] & 0b1100_0000 | out[5] & 0b0011_1111;
        out
    }

    /// Appends as many octets.
    pub(super) fn octets(&self, octets: &[u8], out: &mut Vec<u8>) {
        let from = out.len();
        out.resize(from + octets.len(), 0);
        let (_, new) = out.split_at_mut(from);
        self.stream(Purpose::Octets, octets).fill_bytes(new);
    }

    /// The same for key material, of which zeros mean that there is none.
    pub(super) fn secret(&self, octets: &[u8], out: &mut Vec<u8>) {
        match octets.iter().all(|&octet| octet == 0) {
            true => out.extend_from_slice(octets),
            false => self.octets(octets, out),
        }
    }

    /// Appends as many letters. What stands behind a zero is padding: zeros.
    pub(super) fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        let length = text.iter().position(|&octet| octet == 0).unwrap_or(text.len());
        let (text, padding) = text.split_at(length);
        let mut stream = self.stream(Purpose::Text, text);
        out.extend(text.iter().map(|_| b'a' + next(&mut stream) % 26));
        out.resize(out.len() + padding.len(), 0);
    }

    /// Text for text and octets for octets.
    pub(super) fn value(&self, value: &[u8], out: &mut Vec<u8>) {
        match is_text(value) {
            true => self.text(value, out),
            false => self.octets(value, out),
        }
    }

    fn stream(&self, purpose: Purpose, input: &[u8]) -> ChaCha20Rng {
        let mut head = (input.len() as u64).to_le_bytes();
        head[7] = purpose as u8;
        let mut seed = step(self.key, head);
        for block in input.chunks(8) {
            let mut nonce = [0; 8];
            nonce.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
            seed = step(seed, nonce);
        }
        ChaCha20Rng::from_seed(seed)
    }
}

fn step(seed: [u8; 32], nonce: [u8; 8]) -> [u8; 32] {
    let mut cipher = ChaCha20Rng::from_seed(seed);
    cipher.set_stream(u64::from_le_bytes(nonce));
    let mut out = [0; 32];
    cipher.fill_bytes(&mut out);
    out
}

fn next(stream: &mut ChaCha20Rng) -> u8 {
    let mut octet = [0];
    stream.fill_bytes(&mut octet);
    octet[0]
}

/// Two letters are more likely a number.
fn is_text(value: &[u8]) -> bool {
    value.len() > 2 && std::str::from_utf8(value).is_ok_and(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Pseudonyms = Pseudonyms::new([7; 32]);

    fn octets(of: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        KEY.octets(of, &mut out);
        out
    }

    fn value(of: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        KEY.value(of, &mut out);
        out
    }

    #[test]
    fn the_same_becomes_the_same_and_another_key_or_length_something_else() {
        assert_eq!(octets(b"12345678"), octets(b"12345678"));
        assert_ne!(octets(b"12345678"), octets(b"12345679"));
        assert_ne!(octets(b"12345678")[..7], octets(b"1234567")[..]);
        // Zeros that only fill the last block up are not input.
        assert_ne!(octets(&[1, 2, 3])[..], octets(&[1, 2, 3, 0])[..3]);
        let mut other = Vec::new();
        Pseudonyms::new([8; 32]).octets(b"12345678", &mut other);
        assert_ne!(octets(b"12345678"), other);
    }

    #[test]
    fn addresses_keep_their_sort_and_no_address_is_none() {
        for top in [0x00, 0x40, 0x80, 0xC0] {
            let address = [1, 2, 3, 4, 5, top | 0x11];
            let replaced = KEY.address(address);
            assert_eq!(replaced[5] & 0xC0, top);
            assert!(replaced != address && replaced == KEY.address(address));
        }
        assert_eq!(KEY.address([0; 6]), [0; 6]);
    }

    #[test]
    fn text_becomes_letters_and_padding_stays() {
        let name = value("Anna's Füße".as_bytes());
        assert_eq!(name.len(), 13);
        assert!(name.iter().all(u8::is_ascii_lowercase));
        let mut padded = Vec::new();
        KEY.text(b"Anna\0\0\x07", &mut padded);
        assert!(padded[..4].iter().all(u8::is_ascii_lowercase) && padded[4..] == [0, 0, 0]);
        assert_eq!(value(&[0x64]).len(), 1);
        let mut none = Vec::new();
        KEY.secret(&[0; 16], &mut none);
        assert_eq!(none, [0; 16]);
    }
}
