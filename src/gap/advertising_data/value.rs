//! What the AD structures hold. `parse` takes the octets after the type and refuses what the type does not
//! allow; `Display` is what stands after the field's name in a line for people.

mod link;
mod show;

use std::borrow::Cow;
use std::fmt;

use crate::assigned;
use crate::uuid::Uuid;

pub(super) use link::le_device_address;
pub use link::{
    AddressList, AdvertisingInterval, ChannelMapUpdate, ConnectionIntervalRange, LeRole, ResponseTiming,
};
pub(super) use show::Content;

/// Discoverability and BR/EDR support, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// Discoverable for a limited time.
    pub const LE_LIMITED_DISCOVERABLE: Self = Self(0x01);
    /// Discoverable.
    pub const LE_GENERAL_DISCOVERABLE: Self = Self(0x02);
    /// The device speaks LE only.
    pub const BR_EDR_NOT_SUPPORTED: Self = Self(0x04);
    /// The controller can do LE and BR/EDR with one device at once.
    pub const SIMULTANEOUS_LE_BR_EDR: Self = Self(0x08);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// One octet or more; those after the first are reserved.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        data.first().copied().map(Self)
    }
}

impl std::ops::BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X}", self.0)
    }
}

/// UUIDs of one width.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UuidList<'a> {
    octets: &'a [u8],
    width: usize,
}

impl<'a> UuidList<'a> {
    /// The UUIDs in order; the list may be empty.
    pub fn iter(self) -> impl Iterator<Item = Uuid> + use<'a> {
        self.octets.chunks_exact(self.width).filter_map(Uuid::from_wire)
    }

    pub(super) fn parse<const WIDTH: usize>(octets: &'a [u8]) -> Option<Self> {
        octets.len().is_multiple_of(WIDTH).then_some(Self { octets, width: WIDTH })
    }
}

impl fmt::Display for UuidList<'_> {
    /// Names where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.iter().map(Service))
    }
}

impl fmt::Debug for UuidList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Text as it was sent, which should be UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text<'a>(pub &'a [u8]);

impl<'a> Text<'a> {
    /// The text, with U+FFFD for what is no UTF-8.
    pub fn to_str(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }

    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        Some(Self(data))
    }
}

impl fmt::Display for Text<'_> {
    /// In quotes, with control characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str(), f)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A power in dBm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TxPower(pub i8);

impl TxPower {
    /// 127 says "not available" wherever HCI has a power, and is none that a radio sends with.
    const NOT_AVAILABLE: i8 = 127;

    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let &[octet] = data else { return None };
        let dbm = i8::from_le_bytes([octet]);
        (dbm != Self::NOT_AVAILABLE).then_some(Self(dbm))
    }
}

impl fmt::Display for TxPower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dBm", self.0)
    }
}

/// 24 bits that say what a BR/EDR device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClassOfDevice(pub u32);

impl ClassOfDevice {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let &[a, b, c] = data else { return None };
        Some(Self(u32::from_le_bytes([a, b, c, 0])))
    }
}

impl fmt::Display for ClassOfDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:06X}", self.0)
    }
}

/// Octets that are kept as they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Octets<'a>(pub &'a [u8]);

impl<'a> Octets<'a> {
    pub(super) fn any(data: &'a [u8]) -> Option<Self> {
        Some(Self(data))
    }

    /// At least `MIN` and at most `MAX` octets.
    pub(super) fn parse<const MIN: usize, const MAX: usize>(data: &'a [u8]) -> Option<Self> {
        (MIN..=MAX).contains(&data.len()).then_some(Self(data))
    }
}

impl fmt::Display for Octets<'_> {
    /// Hexadecimal, or `(empty)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(empty)");
        }
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

impl fmt::Debug for Octets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Key material: never printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key<'a>(pub &'a [u8]);

impl<'a> Key<'a> {
    /// At least `MIN` and at most `MAX` octets.
    pub(super) fn parse<const MIN: usize, const MAX: usize>(data: &'a [u8]) -> Option<Self> {
        (MIN..=MAX).contains(&data.len()).then_some(Self(data))
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What AD type 0x10 holds: its number is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceIdOrTk<'a> {
    /// 8 octets: which product it is.
    DeviceId(DeviceId),
    /// 16 octets, in out-of-band data: the temporary key of a legacy pairing.
    Tk(Key<'a>),
}

impl<'a> DeviceIdOrTk<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        if data.len() == 16 {
            return Some(Self::Tk(Key(data)));
        }
        let [vendor_id_source, vendor_id, product_id, version] = le16s(data)?;
        Some(Self::DeviceId(DeviceId { vendor_id_source, vendor_id, product_id, version }))
    }
}

impl fmt::Display for DeviceIdOrTk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeviceId(id) => fmt::Display::fmt(id, f),
            Self::Tk(tk) => write!(f, "TK {tk}"),
        }
    }
}

/// Which product a device is (Device ID Profile).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId {
    /// Who gave the vendor its number: 1 the Bluetooth SIG, 2 the USB Implementer's Forum.
    pub vendor_id_source: u16,
    /// The vendor's number.
    pub vendor_id: u16,
    /// The vendor's number for the product.
    pub product_id: u16,
    /// The product's version, in binary-coded decimal.
    pub version: u16,
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vendor_id_source, vendor_id, product_id, version } = self;
        write!(f, "{vendor_id:04X}:{product_id:04X} version {version:04X} (source {vendor_id_source})")
    }
}

/// What out-of-band data says of a device, as bits: 0 data present, 1 LE supported, 3 random address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OobFlags(pub u8);

impl OobFlags {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let &[flags] = data else { return None };
        Some(Self(flags))
    }
}

impl fmt::Display for OobFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X}", self.0)
    }
}

/// Data of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceData<'a> {
    /// Which service.
    pub service: Uuid,
    /// What it says; may be empty.
    pub data: &'a [u8],
}

impl<'a> ServiceData<'a> {
    pub(super) fn parse<const WIDTH: usize>(data: &'a [u8]) -> Option<Self> {
        let (uuid, data) = data.split_at_checked(WIDTH)?;
        Some(Self { service: Uuid::from_wire(uuid)?, data })
    }
}

impl fmt::Display for ServiceData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Service(self.service), Octets(self.data))
    }
}

/// What a device looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Appearance(pub u16);

impl Appearance {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        data.try_into().ok().map(|octets| Self(u16::from_le_bytes(octets)))
    }
}

impl fmt::Display for Appearance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04X}", self.0)?;
        assigned::appearance_name(self.0).map_or(Ok(()), |name| write!(f, " ({name})"))
    }
}

/// A URI whose first code point stands for its scheme. `Display` is the URI in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uri<'a> {
    /// The code point that stands for the scheme; [`Uri::scheme`] expands it.
    pub scheme_code: char,
    /// What comes after the scheme.
    pub rest: &'a str,
}

impl<'a> Uri<'a> {
    /// The scheme with its colon, empty where `rest` has its own; `None` where the code is not assigned.
    pub fn scheme(&self) -> Option<&'static str> {
        assigned::uri_scheme(self.scheme_code)
    }

    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        let mut chars = std::str::from_utf8(data).ok()?.chars();
        Some(Self { scheme_code: chars.next()?, rest: chars.as_str() })
    }
}

impl fmt::Display for Uri<'_> {
    /// With control characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme() {
            Some(scheme) => f.write_str(scheme)?,
            None => write!(f, "(scheme U+{:04X})", u32::from(self.scheme_code))?,
        }
        write!(f, "{}", self.rest.escape_debug())
    }
}

/// Encrypted AD structures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EncryptedData<'a> {
    /// Part of the nonce.
    pub randomizer: &'a [u8; 5],
    /// The structures, encrypted.
    pub payload: &'a [u8],
    /// The message integrity check.
    pub mic: &'a [u8; 4],
}

impl<'a> EncryptedData<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        let (randomizer, data) = data.split_first_chunk()?;
        let (payload, mic) = data.split_last_chunk()?;
        Some(Self { randomizer, payload, mic })
    }
}

impl fmt::Display for EncryptedData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { randomizer, payload, mic } = self;
        write!(f, "{} randomizer {} MIC {}", Octets(payload), Octets(&randomizer[..]), Octets(&mic[..]))
    }
}

/// Data that a company defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ManufacturerData<'a> {
    /// The company identifier; [`crate::assigned::company_name`] names it.
    pub company: u16,
    /// What it says; may be empty.
    pub data: &'a [u8],
}

impl<'a> ManufacturerData<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        let (&company, data) = data.split_first_chunk()?;
        Some(Self { company: u16::from_le_bytes(company), data })
    }
}

impl fmt::Display for ManufacturerData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { company, data } = self;
        match assigned::company_name(*company) {
            Some(name) => write!(f, "{name} (0x{company:04X}) {}", Octets(data)),
            None => write!(f, "0x{company:04X} {}", Octets(data)),
        }
    }
}

/// A service by name, or else by number.
struct Service(Uuid);

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match assigned::service_name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// `[a, b]`
fn list(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = impl fmt::Display>) -> fmt::Result {
    f.write_str("[")?;
    for (index, item) in items.enumerate() {
        write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
    }
    f.write_str("]")
}

/// Exactly `N` little-endian numbers.
fn le16s<const N: usize>(data: &[u8]) -> Option<[u16; N]> {
    let (pairs, rest) = data.as_chunks();
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok().filter(|_| rest.is_empty())?;
    Some(pairs.map(u16::from_le_bytes))
}
