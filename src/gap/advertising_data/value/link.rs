//! What the AD structures say about links: who is addressed, when, and in which role.

use std::fmt;
use std::time::Duration;

use super::{Octets, le16s, list};
use crate::address::{Address, AddressKind, BdAddr};

/// Connection intervals in units of 1.25 ms; 0xFFFF where the peripheral does not mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionIntervalRange {
    /// The shortest, in 1.25 ms.
    pub min: u16,
    /// The longest, in 1.25 ms.
    pub max: u16,
}

impl ConnectionIntervalRange {
    pub(in super::super) fn parse(data: &[u8]) -> Option<Self> {
        let [min, max] = le16s(data)?;
        Some(Self { min, max })
    }
}

impl fmt::Display for ConnectionIntervalRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |units| match units {
            0xFFFF => "any".to_owned(),
            units => format!("{:?}", Duration::from_micros(1250) * u32::from(units)),
        };
        write!(f, "{}..{}", bound(self.min), bound(self.max))
    }
}

/// Addresses of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressList<'a> {
    kind: AddressKind,
    octets: &'a [[u8; 6]],
}

impl<'a> AddressList<'a> {
    /// The addresses in order.
    pub fn iter(self) -> impl Iterator<Item = Address> + use<'a> {
        self.octets.iter().map(move |&octets| Address { kind: self.kind, bd_addr: BdAddr(octets) })
    }

    pub(in super::super) fn parse(kind: AddressKind, data: &'a [u8]) -> Option<Self> {
        let (octets, rest) = data.as_chunks();
        rest.is_empty().then_some(Self { kind, octets })
    }
}

impl fmt::Display for AddressList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.iter())
    }
}

/// An advertising interval in units of 0.625 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AdvertisingInterval(pub u32);

impl AdvertisingInterval {
    /// The interval as time.
    pub fn duration(self) -> Duration {
        Duration::from_micros(u64::from(self.0) * 625)
    }

    pub(in super::super) fn parse(data: &[u8]) -> Option<Self> {
        data.try_into().ok().map(|octets| Self(u32::from(u16::from_le_bytes(octets))))
    }

    pub(in super::super) fn parse_long(data: &[u8]) -> Option<Self> {
        match *data {
            [a, b, c] => Some(Self(u32::from_le_bytes([a, b, c, 0]))),
            [a, b, c, d] => Some(Self(u32::from_le_bytes([a, b, c, d]))),
            _ => None,
        }
    }
}

impl fmt::Display for AdvertisingInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.duration())
    }
}

/// Six octets of address, then one whose lowest bit is 1 for a random address. Some stacks send the type
/// first; nothing in the data shows which, so this follows the supplement.
pub(in super::super) fn le_device_address(data: &[u8]) -> Option<Address> {
    const RANDOM: u8 = 0x01;
    let &[a, b, c, d, e, f, kind] = data else { return None };
    let bd_addr = BdAddr([a, b, c, d, e, f]);
    Some(if kind & RANDOM == 0 { Address::public(bd_addr) } else { Address::random(bd_addr) })
}

crate::open_enum! {
    /// Which roles a device takes on LE.
    pub struct LeRole(u8) {
        PeripheralOnly = 0x00 "peripheral only",
        CentralOnly = 0x01 "central only",
        PeripheralPreferred = 0x02 "both, peripheral preferred",
        CentralPreferred = 0x03 "both, central preferred",
    }
}

impl LeRole {
    pub(in super::super) fn parse(data: &[u8]) -> Option<Self> {
        let &[role] = data else { return None };
        Some(Self(role))
    }
}

/// A channel map that comes into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelMapUpdate {
    /// A bit for each of 37 channels, least significant octet first.
    pub channel_map: [u8; 5],
    /// From which periodic advertising event on.
    pub instant: u16,
}

impl ChannelMapUpdate {
    pub(in super::super) fn parse(data: &[u8]) -> Option<Self> {
        let &[a, b, c, d, e, low, high] = data else { return None };
        Some(Self { channel_map: [a, b, c, d, e], instant: u16::from_le_bytes([low, high]) })
    }
}

impl fmt::Display for ChannelMapUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", Octets(&self.channel_map), self.instant)
    }
}

/// When to answer in periodic advertising with responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResponseTiming {
    /// The access address of responses.
    pub rsp_aa: u32,
    /// Subevents in a periodic advertising event.
    pub num_subevents: u8,
    /// From one subevent to the next, in 1.25 ms.
    pub subevent_interval: u8,
    /// From a subevent to its first response slot, in 1.25 ms.
    pub response_slot_delay: u8,
    /// From one response slot to the next, in 0.125 ms.
    pub response_slot_spacing: u8,
}

impl ResponseTiming {
    pub(in super::super) fn parse(data: &[u8]) -> Option<Self> {
        let (&rsp_aa, rest) = data.split_first_chunk()?;
        let &[num_subevents, subevent_interval, response_slot_delay, response_slot_spacing] = rest else {
            return None;
        };
        let rsp_aa = u32::from_le_bytes(rsp_aa);
        Some(Self { rsp_aa, num_subevents, subevent_interval, response_slot_delay, response_slot_spacing })
    }
}

impl fmt::Display for ResponseTiming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "0x{:08X}, {} subevents each {:?}, slots after {:?} each {:?}",
            self.rsp_aa,
            self.num_subevents,
            Duration::from_micros(1250) * u32::from(self.subevent_interval),
            Duration::from_micros(1250) * u32::from(self.response_slot_delay),
            Duration::from_micros(125) * u32::from(self.response_slot_spacing),
        )
    }
}
