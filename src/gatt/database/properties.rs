//! What a characteristic declares may be done with it.

use std::fmt;
use std::ops::BitOr;

/// The properties of a characteristic declaration, one bit each ([Vol 3] Part G, 3.3.1.1).
///
/// A server may declare what it then refuses, and the other way round.
///
/// ```
/// use baretooth::gatt::Properties;
/// let properties = Properties(0x12);
/// assert!(properties.contains(Properties::NOTIFY));
/// assert_eq!(properties.to_string(), "read notify");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties(pub u8);

impl Properties {
    /// The value may be put into advertising data.
    pub const BROADCAST: Self = Self(0x01);
    /// It may be read.
    pub const READ: Self = Self(0x02);
    /// It may be written without an answer.
    pub const WRITE_WITHOUT_RESPONSE: Self = Self(0x04);
    /// It may be written with an answer.
    pub const WRITE: Self = Self(0x08);
    /// The server sends it without confirmation.
    pub const NOTIFY: Self = Self(0x10);
    /// The server sends it and waits for confirmation.
    pub const INDICATE: Self = Self(0x20);
    /// It may be written with a signature.
    pub const AUTHENTICATED_SIGNED_WRITES: Self = Self(0x40);
    /// More properties stand in a descriptor.
    pub const EXTENDED_PROPERTIES: Self = Self(0x80);

    const NAMES: [&'static str; 8] = [
        "broadcast",
        "read",
        "write-without-response",
        "write",
        "notify",
        "indicate",
        "authenticated-signed-writes",
        "extended-properties",
    ];

    /// Whether all of `other` are declared.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of those declared, lowest bit first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, name)| name)
    }
}

impl BitOr for Properties {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.names()
            .enumerate()
            .try_for_each(|(n, name)| write!(f, "{}{name}", if n == 0 { "" } else { " " }))
    }
}

/// The bits of the Characteristic Extended Properties descriptor ([Vol 3] Part G, 3.3.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedProperties(pub u16);

impl ExtendedProperties {
    /// The value takes part in reliable writes.
    pub const fn reliable_write(self) -> bool {
        self.0 & 0x0001 != 0
    }

    /// The user description may be written.
    pub const fn writable_auxiliaries(self) -> bool {
        self.0 & 0x0002 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_has_its_name() {
        assert_eq!(
            Properties(0xFF).to_string(),
            "broadcast read write-without-response write notify indicate authenticated-signed-writes \
             extended-properties"
        );
        assert_eq!(Properties(0).to_string(), "");
        let both = Properties::READ | Properties::NOTIFY;
        assert_eq!(both.names().collect::<Vec<_>>(), ["read", "notify"]);
        assert!(both.contains(Properties::READ) && !both.contains(Properties::READ | Properties::WRITE));
    }

    #[test]
    fn extended_properties_are_two_bits() {
        assert!(ExtendedProperties(1).reliable_write() && !ExtendedProperties(1).writable_auxiliaries());
        assert!(ExtendedProperties(2).writable_auxiliaries() && !ExtendedProperties(2).reliable_write());
    }
}
