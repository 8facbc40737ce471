//! Secrets: 16 octets of a key, and what Secure Connections derives keys from. None can be printed or compared in a
//! time that tells of it, and each is wiped when it goes.

use super::equal;
use rand_chacha::rand_core::Rng;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A 128-bit key: long-term, identity resolving, signature resolving or temporary ([Vol 3] Part H, 2.4.1).
///
/// Its octets are in the order of the air, least significant first, as in PDUs, in HCI and in the files of BlueZ and
/// Bumble; the specification prints them the other way round. It is wiped when it is dropped, it is compared in constant
/// time, and what would print it prints `Key(..)`.
///
/// ```
/// use baretooth::smp::Key;
/// let key = Key::from_hex("000102030405060708090a0b0c0d0e0f")?;
/// assert_eq!(key.octets()[15], 0x0F);
/// assert_eq!(format!("{key:?}"), "Key(..)");
/// # Ok::<(), baretooth::smp::ParseKeyError>(())
/// ```
#[derive(Clone)]
pub struct Key([u8; 16]);

impl Key {
    /// A key of these octets, least significant first.
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// A key of 32 hexadecimal digits, the two of the least significant octet first.
    ///
    /// # Errors
    /// When the text is anything else; the error does not hold it.
    pub fn from_hex(text: &str) -> Result<Self, ParseKeyError> {
        let digits: &[u8; 32] = text.as_bytes().try_into().map_err(|_| ParseKeyError)?;
        let mut key = Self([0; 16]);
        for (octet, pair) in key.0.iter_mut().zip(digits.as_chunks::<2>().0) {
            *octet = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(key)
    }

    /// The 32 hexadecimal digits that [`Self::from_hex`] reads, in a text that is wiped when it is dropped.
    pub fn to_hex(&self) -> Zeroizing<String> {
        // With its whole room at once: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(32));
        for octet in self.0 {
            for nibble in [octet >> 4, octet & 0xF] {
                text.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
            }
        }
        text
    }

    /// A key that nobody can guess, if the generator is one that nobody can.
    pub(crate) fn generate(rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut key = Self([0; 16]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// The octets, least significant first.
    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// All zero: no key that anybody may rely on.
    pub fn is_zero(&self) -> bool {
        equal(&self.0, &[0; 16])
    }

    /// The key with only this many octets left, the most significant ones being zero ([Vol 3] Part H, 2.3.4). From 16
    /// on it is the whole key.
    #[must_use]
    pub fn truncated(&self, size: u8) -> Self {
        let mut key = self.clone();
        key.0.iter_mut().skip(size.into()).for_each(|octet| *octet = 0);
        key
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        equal(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A text that is no key. It is not told which text: it may be nearly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 32 hexadecimal digits, the least significant octet first")]
pub struct ParseKeyError;

fn digit(ascii: u8) -> Result<u8, ParseKeyError> {
    match ascii {
        b'0'..=b'9' => Ok(ascii - b'0'),
        b'a'..=b'f' => Ok(ascii - b'a' + 10),
        b'A'..=b'F' => Ok(ascii - b'A' + 10),
        _ => Err(ParseKeyError),
    }
}

/// The shared secret of a Diffie-Hellman key exchange, least significant octet first.
pub(crate) struct DhKey(Zeroizing<[u8; 32]>);

impl DhKey {
    pub(crate) fn new(octets: [u8; 32]) -> Self {
        Self(Zeroizing::new(octets))
    }

    pub(crate) fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DhKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DhKey(..)")
    }
}

/// The key of the DHKey checks ([Vol 3] Part H, 2.2.7).
#[derive(Clone)]
pub(crate) struct MacKey(pub(super) Key);

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCTETS: [u8; 16] = [0xA0, 0xA1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xAF];

    #[test]
    fn nothing_that_prints_a_secret_shows_an_octet_of_it() {
        let key = Key::new(OCTETS);
        assert_eq!(format!("{key:?} {key:#?}"), "Key(..) Key(..)");
        assert_eq!(format!("{:?}", MacKey(key)), "MacKey(..)");
        assert_eq!(format!("{:?}", DhKey::new([0xA0; 32])), "DhKey(..)");
    }

    #[test]
    fn hex_is_in_the_order_of_the_air_and_reads_back() {
        let text = Key::new(OCTETS).to_hex();
        assert_eq!(text.as_str(), "a0a102030405060708090a0b0c0d0eaf");
        assert_eq!(Key::from_hex(&text), Ok(Key::new(OCTETS)));
        assert_eq!(Key::from_hex(&text.to_uppercase()), Ok(Key::new(OCTETS)));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let (short, long) = ("a".repeat(31), "a".repeat(33));
        let (sign, wide) = (format!("+{}", "a".repeat(31)), "é".repeat(16));
        for text in ["", &short, &long, &sign, &wide, "0x0102030405060708090a0b0c0d0e0f"] {
            let error = Key::from_hex(text).expect_err(text);
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }

    #[test]
    fn a_shorter_key_loses_its_most_significant_octets() {
        let key = Key::new(OCTETS);
        assert_eq!(key.truncated(7).octets()[..8], [0xA0, 0xA1, 2, 3, 4, 5, 6, 0]);
        assert_eq!(key.truncated(7).octets()[7..], [0; 9]);
        assert_eq!((key.truncated(16), key.truncated(255)), (key.clone(), key));
    }

    #[test]
    fn a_key_is_zero_only_when_every_octet_is() {
        assert!(Key::new([0; 16]).is_zero());
        for i in 0..16 {
            let mut octets = [0; 16];
            octets[i] = 1;
            assert!(!Key::new(octets).is_zero() && Key::new(octets) != Key::new([0; 16]), "octet {i}");
        }
    }
}
