//! The number of six digits that one side shows and the other types.

use crate::crypto::Key;
use rand_chacha::rand_core::Rng;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroize;

/// A passkey: 0 to 999,999, always six digits ([Vol 3] Part H, 2.3.5.3). `Display` writes it, `Debug` does not; it is
/// wiped when it is dropped.
///
/// ```
/// use baretooth::smp::Passkey;
/// let passkey: Passkey = "001234".parse()?;
/// assert_eq!(passkey.to_string(), "001234");
/// assert_eq!(format!("{passkey:?}"), "Passkey(..)");
/// # Ok::<(), baretooth::smp::InvalidPasskey>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Passkey(u32);

impl Passkey {
    const END: u32 = 1_000_000;

    /// `None` for more than 999,999.
    pub const fn new(number: u32) -> Option<Self> {
        if number < Self::END { Some(Self(number)) } else { None }
    }

    /// A passkey that each other is as likely as.
    pub(crate) fn generate(rng: &mut impl Rng) -> Self {
        // Numbers from the last, incomplete million on would favour the low ones.
        let fair = u32::MAX - u32::MAX % Self::END;
        loop {
            let number = rng.next_u32();
            if number < fair {
                return Self(number % Self::END);
            }
        }
    }

    /// The number.
    pub const fn number(&self) -> u32 {
        self.0
    }

    /// As the temporary key of legacy pairing and the secret of both DHKey checks.
    pub(super) fn key(&self) -> Key {
        let mut octets = [0; 16];
        let mut number = self.0.to_le_bytes();
        octets[..4].copy_from_slice(&number);
        number.zeroize();
        let key = Key::new(octets);
        octets.zeroize();
        key
    }
}

impl fmt::Display for Passkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl fmt::Debug for Passkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passkey(..)")
    }
}

impl Drop for Passkey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A text that is no passkey; it is not told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a passkey is a number of at most six digits")]
pub struct InvalidPasskey;

/// One to six digits, as a person types them.
impl FromStr for Passkey {
    type Err = InvalidPasskey;
    fn from_str(text: &str) -> Result<Self, InvalidPasskey> {
        let digits = (1..=6).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.and_then(Self::new).ok_or(InvalidPasskey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn leading_zeros_are_digits() {
        let passkey = Passkey::new(42).expect("below a million");
        assert_eq!(passkey.to_string(), "000042");
        assert_eq!("000042".parse(), Ok(passkey.clone()));
        assert_eq!("42".parse(), Ok(passkey));
        assert!(Passkey::new(999_999).is_some() && Passkey::new(1_000_000).is_none());
        for text in ["", "0000042", "-1", "+42", "12 34", "a"] {
            assert_eq!(text.parse::<Passkey>(), Err(InvalidPasskey), "{text:?}");
        }
    }

    #[test]
    fn passkeys_come_from_the_whole_range() {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut tenths = [0; 10];
        for _ in 0..2000 {
            let tenth = usize::try_from(Passkey::generate(&mut rng).number() / 100_000).expect("a digit");
            tenths[tenth] += 1;
        }
        assert!(tenths.iter().all(|n| (140..260).contains(n)), "{tenths:?}");
    }

    #[test]
    fn the_key_is_the_number_and_zeros() {
        let key = Passkey::new(0x0F_1234).expect("below a million").key();
        assert_eq!(key.octets()[..4], [0x34, 0x12, 0x0F, 0]);
        assert_eq!(key.octets()[4..], [0; 12]);
    }
}
