//! Device addresses ([Vol 6] Part B, 1.3) and how people write them.

use std::fmt;
use std::str::FromStr;

/// 48-bit device address, least significant octet first, as on the air and in HCI.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BdAddr(pub [u8; 6]);

impl BdAddr {
    /// All zero: no address.
    pub const ANY: Self = Self([0; 6]);

    /// As a random address: whether it is a static one, by its two upper bits ([Vol 6] Part B, 1.3.2.1).
    pub(crate) const fn is_static(self) -> bool {
        self.0[5] & 0xC0 == 0xC0
    }
}

impl fmt::Display for BdAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{g:02X}:{e:02X}:{d:02X}:{c:02X}:{b:02X}:{a:02X}")
    }
}

impl fmt::Debug for BdAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no device address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no device address; write AA:BB:CC:DD:EE:FF, with /public or /random where the type is known"
)]
pub struct ParseAddressError(pub String);

impl FromStr for BdAddr {
    type Err = ParseAddressError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseAddressError(text.to_owned());
        let mut octets = [0; 6];
        let mut parts = text.split([':', '-']);
        for octet in octets.iter_mut().rev() {
            let part = parts.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
            *octet = u8::from_str_radix(part.ok_or_else(refuse)?, 16).map_err(|_| refuse())?;
        }
        if parts.next().is_some() { Err(refuse()) } else { Ok(Self(octets)) }
    }
}

/// Whether an address is public or random: what a connection needs beside the 48 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressKind {
    /// Registered with the IEEE ([Vol 6] Part B, 1.3.1).
    Public,
    /// Static, resolvable or non-resolvable random ([Vol 6] Part B, 1.3.2).
    Random,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Random => "random",
        })
    }
}

/// A device address with its kind; the same 48 bits of the other kind are another device.
///
/// ```
/// use baretooth::{Address, AddressKind};
/// let address: Address = "C0:11:22:33:44:55/random".parse()?;
/// assert_eq!(address.kind, AddressKind::Random);
/// assert_eq!(address.to_string(), "C0:11:22:33:44:55/random");
/// # Ok::<(), baretooth::ParseAddressError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Public or random.
    pub kind: AddressKind,
    /// The 48 bits.
    pub bd_addr: BdAddr,
}

impl Address {
    /// A public address.
    pub const fn public(bd_addr: BdAddr) -> Self {
        Self { kind: AddressKind::Public, bd_addr }
    }

    /// A random address of any of the three sorts.
    pub const fn random(bd_addr: BdAddr) -> Self {
        Self { kind: AddressKind::Random, bd_addr }
    }

    /// Random static: the two most significant bits are 11 ([Vol 6] Part B, 1.3.2.1).
    pub fn is_random_static(&self) -> bool {
        self.kind == AddressKind::Random && self.bd_addr.0[5] >> 6 == 0b11
    }

    /// Resolvable private: the two most significant bits are 01 ([Vol 6] Part B, 1.3.2.2).
    pub fn is_resolvable(&self) -> bool {
        self.kind == AddressKind::Random && self.bd_addr.0[5] >> 6 == 0b01
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bd_addr, self.kind)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (bits, kind) = match text.split_once('/') {
            Some((bits, "public")) => (bits, AddressKind::Public),
            Some((bits, "random")) => (bits, AddressKind::Random),
            _ => return Err(ParseAddressError(text.to_owned())),
        };
        let bd_addr = bits.parse().map_err(|_| ParseAddressError(text.to_owned()))?;
        Ok(Self { kind, bd_addr })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_most_significant_octet_first() {
        let a: BdAddr = "C0:11:22:33:44:55".parse().expect("valid");
        assert_eq!(a.0, [0x55, 0x44, 0x33, 0x22, 0x11, 0xC0]);
        assert_eq!(a.to_string(), "C0:11:22:33:44:55");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_form() {
        for text in
            ["", "C0:11:22:33:44", "C0:11:22:33:44:55:66", "C0:11:22:33:44:5", "+0:11:22:33:44:55", "x"]
        {
            let error = text.parse::<BdAddr>().expect_err(text);
            assert!(error.to_string().contains("AA:BB:CC:DD:EE:FF"));
        }
        assert!("C0:11:22:33:44:55".parse::<Address>().is_err(), "no kind");
        assert!("C0:11:22:33:44:55/other".parse::<Address>().is_err());
    }

    #[test]
    fn sorts_of_random_address() {
        let of = |top: &str| Address::random(format!("{top}:00:00:00:00:01").parse().expect("valid"));
        assert!(of("C0").is_random_static() && !of("C0").is_resolvable());
        assert!(of("40").is_resolvable() && !of("40").is_random_static());
        assert!(!of("00").is_resolvable() && !of("00").is_random_static());
        assert!(!Address::public(of("C0").bd_addr).is_random_static());
    }
}
