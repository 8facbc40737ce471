//! Making advertising data that fits.

use bytes::{BufMut, BytesMut};

use super::{AdType, AdvertisingDataBuf, Flags};
use crate::uuid::Uuid;

/// Puts AD structures in a row, in the order of the calls, and refuses what does not fit.
///
/// ```
/// use baretooth::gap::advertising_data::{AdvertisingDataBuilder, Flags};
/// use baretooth::uuid16;
/// let data = AdvertisingDataBuilder::new()
///     .flags(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED)
///     .services([uuid16(0x180D)])
///     .name("HR strap")
///     .build()?;
/// assert_eq!(data.as_bytes(), b"\x02\x01\x06\x03\x03\x0D\x18\x09\x09HR strap");
///
/// let too_long = AdvertisingDataBuilder::new().name("a name that a legacy advertisement cannot hold");
/// assert_eq!(too_long.build().unwrap_err().over(), 17);
/// # Ok::<(), baretooth::gap::advertising_data::AdvertisingDataTooLong>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AdvertisingDataBuilder {
    octets: BytesMut,
    limit: usize,
    /// The first structure that no length octet can describe.
    too_long: Option<AdvertisingDataTooLong>,
}

impl AdvertisingDataBuilder {
    /// What a legacy advertisement holds ([Vol 6] Part B, 2.3.1).
    pub const LEGACY_LIMIT: usize = 31;

    /// For a legacy advertisement or scan response: 31 octets.
    pub fn new() -> Self {
        Self::with_limit(Self::LEGACY_LIMIT)
    }

    /// For `limit` octets, as the controller says it holds for extended advertising.
    pub fn with_limit(limit: usize) -> Self {
        Self { octets: BytesMut::new(), limit, too_long: None }
    }

    /// Discoverability and BR/EDR support.
    pub fn flags(self, flags: Flags) -> Self {
        self.raw(AdType::Flags, &[flags.0])
    }

    /// The whole name.
    pub fn name(self, name: &str) -> Self {
        self.raw(AdType::CompleteLocalName, name.as_bytes())
    }

    /// The beginning of the name, where the whole does not fit.
    pub fn shortened_name(self, name: &str) -> Self {
        self.raw(AdType::ShortenedLocalName, name.as_bytes())
    }

    /// A complete list for each width that is among the services.
    pub fn services(self, services: impl IntoIterator<Item = Uuid>) -> Self {
        let lists = [AdType::CompleteServices16, AdType::CompleteServices32, AdType::CompleteServices128];
        self.uuids(lists, services)
    }

    /// Services that we look for in whoever hears this, a list for each width.
    pub fn solicited_services(self, services: impl IntoIterator<Item = Uuid>) -> Self {
        let lists = [AdType::SolicitedServices16, AdType::SolicitedServices32, AdType::SolicitedServices128];
        self.uuids(lists, services)
    }

    /// A list for each width, the shortest first.
    fn uuids(mut self, lists: [AdType; 3], services: impl IntoIterator<Item = Uuid>) -> Self {
        let mut lists = lists.map(|ad_type| (ad_type, Vec::new()));
        for service in services {
            let wire = service.to_advertising_wire();
            let [(_, short), (_, middle), (_, long)] = &mut lists;
            match wire.len() {
                2 => short.extend_from_slice(&wire),
                4 => middle.extend_from_slice(&wire),
                _ => long.extend_from_slice(&wire),
            }
        }
        for (ad_type, octets) in lists.iter().filter(|(_, octets)| !octets.is_empty()) {
            self = self.raw(*ad_type, octets);
        }
        self
    }

    /// Data of a service, which need not be in the list of services.
    pub fn service_data(self, service: Uuid, data: &[u8]) -> Self {
        let wire = service.to_advertising_wire();
        let ad_type = match wire.len() {
            2 => AdType::ServiceData16,
            4 => AdType::ServiceData32,
            _ => AdType::ServiceData128,
        };
        self.raw(ad_type, &[&wire, data].concat())
    }

    /// Data under a company identifier.
    pub fn manufacturer_data(self, company: u16, data: &[u8]) -> Self {
        self.raw(AdType::ManufacturerSpecificData, &[&company.to_le_bytes(), data].concat())
    }

    /// What the device looks like.
    pub fn appearance(self, appearance: u16) -> Self {
        self.raw(AdType::Appearance, &appearance.to_le_bytes())
    }

    /// The power sent with, in dBm.
    pub fn tx_power(self, dbm: i8) -> Self {
        self.raw(AdType::TxPowerLevel, &dbm.to_le_bytes())
    }

    /// An AD structure of any type.
    pub fn raw(mut self, ad_type: AdType, data: &[u8]) -> Self {
        match u8::try_from(data.len() + 1) {
            Ok(length) => {
                self.octets.put_slice(&[length, ad_type.0]);
                self.octets.put_slice(data);
            }
            Err(_) => {
                let error = AdvertisingDataTooLong::Structure { ad_type, length: data.len() };
                self.too_long.get_or_insert(error);
            }
        }
        self
    }

    /// The data, if it fits.
    ///
    /// # Errors
    /// [`AdvertisingDataTooLong`] says by how much it does not.
    pub fn build(self) -> Result<AdvertisingDataBuf, AdvertisingDataTooLong> {
        let (length, limit) = (self.octets.len(), self.limit);
        match self.too_long {
            Some(error) => Err(error),
            None if length > limit => Err(AdvertisingDataTooLong::Data { length, limit }),
            None => Ok(AdvertisingDataBuf::from(self.octets.freeze())),
        }
    }
}

impl Default for AdvertisingDataBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// More than the advertisement, or one AD structure of it, can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvertisingDataTooLong {
    /// All AD structures together.
    #[error(
        "building advertising data: {length} octets are {over} more than the {limit} that fit; shorten the name, \
         move a part to the scan response, or use extended advertising",
        over = self.over()
    )]
    Data {
        /// Octets in all.
        length: usize,
        /// Octets that fit.
        limit: usize,
    },
    /// One AD structure; its length octet allows 254.
    #[error(
        "building advertising data: {ad_type} of {length} octets is {over} longer than an AD structure can be",
        over = self.over()
    )]
    Structure {
        /// Which.
        ad_type: AdType,
        /// Octets after the type.
        length: usize,
    },
}

impl AdvertisingDataTooLong {
    /// How many octets have to go.
    pub fn over(&self) -> usize {
        match self {
            Self::Data { length, limit } => length.saturating_sub(*limit),
            Self::Structure { length, .. } => length.saturating_sub(MAX_STRUCTURE),
        }
    }
}

/// What follows the type octet: the length octet counts both.
const MAX_STRUCTURE: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uuid::uuid16;

    const NUS: Uuid = Uuid::from_u128(0x6E400001_B5A3_F393_E0A9_E50E24DCCA9E);

    #[test]
    fn each_part_reads_back() {
        let data = AdvertisingDataBuilder::with_limit(1650)
            .flags(Flags(0x06))
            .services([NUS, uuid16(0x180D), Uuid::from_u32(0x1234_5678), uuid16(0x180F)])
            .service_data(uuid16(0x180F), &[99])
            .service_data(NUS, &[])
            .manufacturer_data(0x004C, &[2, 0x15])
            .appearance(0x0341)
            .tx_power(-21)
            .shortened_name("HR")
            .raw(AdType(0x7E), &[1])
            .build()
            .expect("fits");
        assert_eq!(data.flags(), Some(Flags(0x06)));
        assert_eq!(
            data.services(),
            [uuid16(0x180D), uuid16(0x180F), Uuid::from_u32(0x1234_5678), NUS],
            "by width"
        );
        let service_data: Vec<_> = data.service_data().map(|s| (s.service, s.data)).collect();
        assert_eq!(service_data, [(uuid16(0x180F), &[99][..]), (NUS, &[])]);
        let manufacturer_data: Vec<_> = data.manufacturer_data().map(|m| (m.company, m.data)).collect();
        assert_eq!(manufacturer_data, [(0x004C, &[2, 0x15][..])]);
        assert_eq!((data.appearance(), data.tx_power()), (Some(0x0341), Some(-21)));
        let name = data.local_name().expect("a name");
        assert_eq!((name.to_str().as_ref(), name.complete), ("HR", false));
        assert!(data.as_bytes().ends_with(&[2, 0x7E, 1]) && !data.is_malformed());
    }

    #[test]
    fn services_that_are_looked_for_are_not_those_offered() {
        let data = AdvertisingDataBuilder::with_limit(1650)
            .solicited_services([NUS, uuid16(0x1805), Uuid::from_u32(0x1234_5678)])
            .build()
            .expect("fits");
        let types: Vec<_> = data.structures().map(|structure| structure.ad_type.0).collect();
        assert_eq!((types, data.services()), (vec![0x14, 0x1F, 0x15], vec![]));
        assert!(data.as_bytes().starts_with(&[3, 0x14, 0x05, 0x18]));
    }

    #[test]
    fn nothing_is_no_structure() {
        let data = AdvertisingDataBuilder::new().services([]).build().expect("fits");
        assert!(data.as_bytes().is_empty());
    }

    #[test]
    fn the_limit_is_exact_and_the_error_says_by_how_much() {
        let of = |length: usize| AdvertisingDataBuilder::new().name(&"x".repeat(length)).build();
        assert_eq!(of(29).expect("31 octets").as_bytes().len(), 31);
        let error = of(34).expect_err("36 octets");
        assert_eq!(error, AdvertisingDataTooLong::Data { length: 36, limit: 31 });
        assert_eq!(error.over(), 5);
        assert!(error.to_string().contains("36 octets are 5 more than the 31 that fit"), "{error}");
    }

    #[test]
    fn a_structure_too_long_for_its_length_octet_is_refused() {
        let of =
            |length| AdvertisingDataBuilder::with_limit(1650).raw(AdType(0xFF), &vec![7; length]).build();
        assert_eq!(of(254).expect("fits").structures().count(), 1);
        let error = of(255).expect_err("256 in all");
        assert_eq!((error.over(), error.to_string().contains("Manufacturer Specific Data")), (1, true));
    }
}
