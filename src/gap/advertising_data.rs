//! Advertising and scan response data ([Vol 3] Part C, 11; Core Specification Supplement, Part A).
//!
//! The data is a row of *AD structures*: a length octet, a type octet, the rest. [`AdvertisingData`] reads
//! them where they lie; [`AdvertisingDataBuf`] is the same over octets of its own; [`AdvertisingDataBuilder`]
//! makes new ones. What each type means is one row of the table in [`AdField`].
//!
//! Anyone in range writes this data, so nothing in it is an error: reading stops where the row of structures
//! breaks and keeps those before, and a structure whose content is not what its type asks for stays raw,
//! beside the others.

mod builder;
mod field;
mod value;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::codec::show::{ListHead, Show};
use crate::uuid::Uuid;

pub use builder::{AdvertisingDataBuilder, AdvertisingDataTooLong};
pub use field::{AdField, AdType};
pub use value::{
    AddressList, AdvertisingInterval, Appearance, ChannelMapUpdate, ClassOfDevice, ConnectionIntervalRange,
    DeviceId, DeviceIdOrTk, EncryptedData, Flags, Key, LeRole, ManufacturerData, Octets, OobFlags,
    ResponseTiming, ServiceData, Text, TxPower, Uri, UuidList,
};

/// The most octets that advertising data has, in a chain of extended advertising reports ([Vol 4] Part E,
/// 7.8.54).
pub const MAX_LENGTH: usize = 1650;

/// One AD structure: a type and its octets, not interpreted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdStructure<'a> {
    /// What the octets mean.
    pub ad_type: AdType,
    /// What follows the type; at most 254 octets on the air.
    pub data: &'a [u8],
}

impl<'a> AdStructure<'a> {
    /// The octets as their type says, or [`AdField::Raw`] where they are not so.
    pub fn field(&self) -> AdField<'a> {
        AdField::parse(*self)
    }
}

/// Advertising data, borrowed from a packet.
///
/// ```
/// use baretooth::gap::advertising_data::{AdvertisingData, Flags};
/// use baretooth::uuid16;
/// let data = AdvertisingData::new(b"\x02\x01\x06\x03\x03\x0D\x18\x09\x09HR strap");
/// assert_eq!(data.flags(), Some(Flags(0x06)));
/// assert_eq!(data.local_name().expect("a name").to_str(), "HR strap");
/// assert_eq!(data.services(), [uuid16(0x180D)]);
/// assert_eq!(data.to_string(), "Flags 0x06, services [Heart Rate], Complete Local Name \"HR strap\"");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AdvertisingData<'a>(&'a [u8]);

impl<'a> AdvertisingData<'a> {
    /// Takes the octets as received, whatever they are.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// All octets as received.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The AD structures in order, up to the first malformed one: a slice walk.
    pub fn structures(self) -> AdStructures<'a> {
        AdStructures { rest: self.0 }
    }

    /// The AD structures in order, each interpreted by its type.
    pub fn fields(self) -> impl Iterator<Item = AdField<'a>> {
        self.structures().map(|structure| structure.field())
    }

    /// Says what it is made of: a list of its AD structures, and behind them the octets that are none.
    pub fn show(self, to: &mut dyn Show) {
        if to.in_words(&self) {
            return;
        }
        to.begin_list(ListHead::default());
        let mut structures = self.structures();
        let mut there = 0;
        for structure in structures.by_ref() {
            to.item(there);
            structure.field().show(to);
            there += 1;
        }
        // Zeros at the end are padding.
        if structures.rest.iter().any(|&octet| octet != 0) {
            to.item(there);
            to.begin();
            to.field("rest");
            to.octets(structures.rest);
            to.end();
            there += 1;
        }
        to.end_list(ListHead::default(), there);
    }

    /// Whether octets remain that are no AD structure: a length past the end, or a length of 0 with more than
    /// zeros behind it. Zeros up to the end are padding ([Vol 3] Part C, 11).
    pub fn is_malformed(self) -> bool {
        let mut structures = self.structures();
        structures.by_ref().for_each(drop);
        structures.rest.iter().any(|&octet| octet != 0)
    }

    /// Discoverability and BR/EDR support.
    pub fn flags(self) -> Option<Flags> {
        self.first(AdType::Flags, Flags::parse)
    }

    /// The complete name, or else the shortened one.
    pub fn local_name(self) -> Option<LocalName<'a>> {
        let name = |ad_type| self.first(ad_type, Text::parse);
        let complete = name(AdType::CompleteLocalName).map(|text| LocalName { text, complete: true });
        complete.or_else(|| name(AdType::ShortenedLocalName).map(|text| LocalName { text, complete: false }))
    }

    /// The services that the lists name, complete and incomplete, of all widths: each once, in the order
    /// received.
    ///
    /// Service data and solicited services are not among them.
    pub fn services(self) -> Vec<Uuid> {
        let mut services = Vec::new();
        for uuid in self.advertised_services() {
            // Quadratic, but 1650 octets hold no more than some 800.
            if !services.contains(&uuid) {
                services.push(uuid);
            }
        }
        services
    }

    /// Whether one of the service lists names `service`; without allocation, for filters.
    pub fn has_service(self, service: Uuid) -> bool {
        self.advertised_services().any(|uuid| uuid == service)
    }

    /// Each service's data, of all widths, in the order received.
    pub fn service_data(self) -> impl Iterator<Item = ServiceData<'a>> {
        self.fields().filter_map(|field| match field {
            AdField::ServiceData16(data) | AdField::ServiceData32(data) | AdField::ServiceData128(data) => {
                Some(data)
            }
            _ => None,
        })
    }

    /// Each manufacturer's data, in the order received; one company may stand twice.
    pub fn manufacturer_data(self) -> impl Iterator<Item = ManufacturerData<'a>> {
        self.of(AdType::ManufacturerSpecificData).filter_map(ManufacturerData::parse)
    }

    /// The power sent with, in dBm.
    pub fn tx_power(self) -> Option<i8> {
        self.first(AdType::TxPowerLevel, TxPower::parse).map(|power| power.0)
    }

    /// What the device looks like; [`crate::assigned::appearance_name`] names it.
    pub fn appearance(self) -> Option<u16> {
        self.first(AdType::Appearance, Appearance::parse).map(|appearance| appearance.0)
    }

    /// Whether an AD structure of `ad_type` has `octets` at `start`, counted from the octet after the type.
    pub fn matches_pattern(self, start: usize, ad_type: AdType, octets: &[u8]) -> bool {
        self.of(ad_type).any(|data| data.get(start..).is_some_and(|tail| tail.starts_with(octets)))
    }

    fn of(self, ad_type: AdType) -> impl Iterator<Item = &'a [u8]> {
        self.structures()
            .filter(move |structure| structure.ad_type == ad_type)
            .map(|structure| structure.data)
    }

    /// The first structure of the type that is well formed; the others of the type do not count.
    fn first<T>(self, ad_type: AdType, parse: impl Fn(&'a [u8]) -> Option<T>) -> Option<T> {
        self.of(ad_type).find_map(parse)
    }

    fn advertised_services(self) -> impl Iterator<Item = Uuid> {
        self.fields().filter_map(AdField::services).flat_map(|list| list.iter())
    }
}

impl fmt::Display for AdvertisingData<'_> {
    /// One line for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for field in self.fields() {
            write!(f, "{separator}{field}")?;
            separator = ", ";
        }
        if self.is_malformed() { write!(f, "{separator}malformed from here") } else { Ok(()) }
    }
}

impl fmt::Debug for AdvertisingData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdvertisingData({self})")
    }
}

/// The walk over AD structures; see [`AdvertisingData::structures`].
#[derive(Clone, Debug)]
pub struct AdStructures<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for AdStructures<'a> {
    type Item = AdStructure<'a>;

    /// Leaves `rest` where it is when it is no structure, so the end stays the end.
    fn next(&mut self) -> Option<Self::Item> {
        let (&length, rest) = self.rest.split_first()?;
        let (structure, rest) = rest.split_at_checked(usize::from(length))?;
        let (&ad_type, data) = structure.split_first()?;
        self.rest = rest;
        Some(AdStructure { ad_type: AdType(ad_type), data })
    }
}

impl std::iter::FusedIterator for AdStructures<'_> {}

/// A device's name as it advertises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalName<'a> {
    /// The octets of the name.
    pub text: Text<'a>,
    /// `false` when the name was shortened to fit.
    pub complete: bool,
}

impl<'a> LocalName<'a> {
    /// The name, with U+FFFD for what is no UTF-8.
    pub fn to_str(&self) -> Cow<'a, str> {
        self.text.to_str()
    }
}

impl fmt::Display for LocalName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_str())
    }
}

/// Advertising data that owns its octets, or shares them with the packet they came in.
///
/// The methods are those of [`AdvertisingData`], which [`AdvertisingDataBuf::view`] gives.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct AdvertisingDataBuf(Bytes);

macro_rules! forward {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl AdvertisingDataBuf {$(
            #[doc = concat!("See [`AdvertisingData::", stringify!($name), "`].")]
            pub fn $name(&self, $($argument: $type),*) -> $result {
                self.view().$name($($argument),*)
            }
        )*}
    };
}

forward! {
    as_bytes() -> &[u8];
    structures() -> AdStructures<'_>;
    fields() -> impl Iterator<Item = AdField<'_>>;
    is_malformed() -> bool;
    flags() -> Option<Flags>;
    local_name() -> Option<LocalName<'_>>;
    services() -> Vec<Uuid>;
    has_service(service: Uuid) -> bool;
    service_data() -> impl Iterator<Item = ServiceData<'_>>;
    manufacturer_data() -> impl Iterator<Item = ManufacturerData<'_>>;
    tx_power() -> Option<i8>;
    appearance() -> Option<u16>;
    matches_pattern(start: usize, ad_type: AdType, octets: &[u8]) -> bool;
}

impl AdvertisingDataBuf {
    /// The same data, borrowed.
    pub fn view(&self) -> AdvertisingData<'_> {
        AdvertisingData::new(&self.0)
    }

    /// The octets, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<Bytes> for AdvertisingDataBuf {
    fn from(octets: Bytes) -> Self {
        Self(octets)
    }
}

impl From<AdvertisingData<'_>> for AdvertisingDataBuf {
    /// Copies.
    fn from(data: AdvertisingData<'_>) -> Self {
        Self(Bytes::copy_from_slice(data.as_bytes()))
    }
}

impl AsRef<[u8]> for AdvertisingDataBuf {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for AdvertisingDataBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.view(), f)
    }
}

impl fmt::Debug for AdvertisingDataBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.view(), f)
    }
}

#[cfg(test)]
mod tests;
