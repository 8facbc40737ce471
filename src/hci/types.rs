//! The small types that commands and events share.

use crate::{Address, AddressKind, BdAddr, open_enum};
use std::fmt;

/// Handle of a connection at the controller: 12 bits, chosen by it and used again after a disconnection
/// ([Vol 4] Part E, 5.3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionHandle(pub u16);

impl fmt::Display for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04X}", self.0)
    }
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

crate::number_field!(ConnectionHandle(u16) is Link, |it, to| to.hex(it.0.into(), 2));

open_enum! {
    /// Our role on a link.
    pub struct Role(u8) {
        Central = 0 "Central",
        Peripheral = 1 "Peripheral",
    }
}

open_enum! {
    /// A physical layer, as events number it.
    pub struct Phy(u8) {
        None = 0 "none",
        Le1M = 1 "1M",
        Le2M = 2 "2M",
        LeCoded = 3 "Coded",
    }
}

open_enum! {
    /// Type of a peer's address in commands and events.
    pub struct AddressType(u8) {
        Public = 0 "public",
        Random = 1 "random",
        PublicIdentity = 2 "public identity",
        RandomIdentity = 3 "random identity",
        UnresolvedRandom = 0xFE "unresolved random",
        Anonymous = 0xFF "anonymous",
    }
}

impl AddressType {
    /// The address this type and these bits stand for; `None` for an anonymous or unknown one.
    pub fn with(self, bd_addr: BdAddr) -> Option<Address> {
        match self {
            Self::Public | Self::PublicIdentity => Some(Address::public(bd_addr)),
            Self::Random | Self::RandomIdentity | Self::UnresolvedRandom => Some(Address::random(bd_addr)),
            _ => None,
        }
    }

    /// The address that these bits stand for if the controller has resolved what was on the air to it.
    pub fn identity(self, bd_addr: BdAddr) -> Option<Address> {
        match self {
            Self::PublicIdentity | Self::RandomIdentity => self.with(bd_addr),
            _ => None,
        }
    }

    /// Of an address that stands for the resolvable private ones which it is the identity of.
    pub(crate) const fn of_identity(kind: AddressKind) -> Self {
        match kind {
            AddressKind::Public => Self::PublicIdentity,
            AddressKind::Random => Self::RandomIdentity,
        }
    }
}

impl From<AddressKind> for AddressType {
    fn from(kind: AddressKind) -> Self {
        match kind {
            AddressKind::Public => Self::Public,
            AddressKind::Random => Self::Random,
        }
    }
}

open_enum! {
    /// Which of our own addresses a procedure uses.
    pub struct OwnAddressType(u8) {
        Public = 0 "public",
        Random = 1 "random",
        ResolvableOrPublic = 2 "resolvable or public",
        ResolvableOrRandom = 3 "resolvable or random",
    }
}

/// The timing of a link in the units of HCI and L2CAP: 1.25 ms for the intervals, 10 ms for the time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParameterUnits {
    pub(crate) interval_min: u16,
    pub(crate) interval_max: u16,
    pub(crate) latency: u16,
    pub(crate) timeout: u16,
}

impl ParameterUnits {
    /// Whether the specification allows them ([Vol 4] Part E, 7.8.12; [Vol 3] Part A, 4.20).
    pub(crate) fn are_valid(&self) -> bool {
        // The time-out is longer than (1 + latency) * interval_max * 2: in units of 10 ms against 1.25 ms.
        let shortest = (1 + u64::from(self.latency)) * u64::from(self.interval_max) * 2;
        (6..=3200).contains(&self.interval_min)
            && (self.interval_min..=3200).contains(&self.interval_max)
            && self.latency <= 499
            && (10..=3200).contains(&self.timeout)
            && u64::from(self.timeout) * 8 > shortest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_timing_of_any_numbers_is_judged() {
        let good = ParameterUnits { interval_min: 6, interval_max: 3200, latency: 2, timeout: 3200 };
        assert!(good.are_valid());
        assert!(!ParameterUnits { latency: u16::MAX, interval_max: u16::MAX, ..good }.are_valid());
        assert!(
            !ParameterUnits { latency: 3, ..good }.are_valid(),
            "32 s are not longer than twice 4 intervals of 4 s"
        );
    }
}
