//! The table of AD types: one row gives number, name, content, parsing and printing.

use std::fmt;

use super::AdStructure;
use super::value::*;
use crate::address::{Address, AddressKind};
use crate::codec::show::Show;

/// The type octet of an AD structure; numbers without a name are as good as the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdType(pub u8);

/// `Type(content) = number, "assigned name" ["how it prints, if not by its name"], parser;`
macro_rules! ad_types {
    ($($(#[$doc:meta])* $variant:ident($content:ty) =
        $number:literal, $name:literal $([$label:literal])?, $parse:expr;)*) => {
        #[allow(non_upper_case_globals)] // as the fields are named
        impl AdType {
            $($(#[$doc])* pub const $variant: Self = Self($number);)*

            /// Every type that has a name.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The assigned name.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }

        /// The content of an AD structure as its type says ([`AdStructure::field`]).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AdField<'a> {
            $($(#[$doc])* $variant($content),)*
            /// A type without a row here, or octets that are not what their type asks for.
            Raw(AdStructure<'a>),
        }

        impl<'a> AdField<'a> {
            /// Never fails: what does not parse is [`AdField::Raw`].
            pub(super) fn parse(structure: AdStructure<'a>) -> Self {
                let field = match structure.ad_type.0 {
                    $($number => $parse(structure.data).map(Self::$variant),)*
                    _ => None,
                };
                field.unwrap_or(Self::Raw(structure))
            }

            /// The type whose content this is.
            pub const fn ad_type(&self) -> AdType {
                match self {
                    $(Self::$variant(_) => AdType::$variant,)*
                    Self::Raw(structure) => structure.ad_type,
                }
            }
        }

        impl AdField<'_> {
            /// Says what it is made of: the type's number and name, and the content.
            pub fn show(&self, to: &mut dyn Show) {
                if to.in_words(self) {
                    return;
                }
                match self {
                    $(Self::$variant(content) => {
                        to.begin_named("AD type", $number, 1, Some($name));
                        to.body("value");
                        Content::show(content, to);
                    })*
                    Self::Raw(AdStructure { ad_type, data }) => {
                        to.begin_named("AD type", ad_type.0.into(), 1, ad_type.name());
                        to.body("raw");
                        to.octets(data);
                    }
                }
                to.end();
            }
        }

        impl fmt::Display for AdField<'_> {
            /// Name and content, in one line.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(content) => {
                        let label = [$($label,)? $name][0]; // the label if the row has one
                        write!(f, "{label} {content}")
                    })*
                    Self::Raw(structure) => write!(f, "{structure:?}"),
                }
            }
        }
    };
}

ad_types! {
    /// Discoverability and BR/EDR support. CSS Part A, 1.3.
    Flags(Flags) = 0x01, "Flags", Flags::parse;
    /// Some of the 16-bit service UUIDs. CSS Part A, 1.1.
    IncompleteServices16(UuidList<'a>) =
        0x02, "Incomplete List of 16-bit Service or Service Class UUIDs" ["some services"], UuidList::parse::<2>;
    /// All 16-bit service UUIDs. CSS Part A, 1.1.
    CompleteServices16(UuidList<'a>) =
        0x03, "Complete List of 16-bit Service or Service Class UUIDs" ["services"], UuidList::parse::<2>;
    /// Some of the 32-bit service UUIDs. CSS Part A, 1.1.
    IncompleteServices32(UuidList<'a>) =
        0x04, "Incomplete List of 32-bit Service or Service Class UUIDs" ["some services"], UuidList::parse::<4>;
    /// All 32-bit service UUIDs. CSS Part A, 1.1.
    CompleteServices32(UuidList<'a>) =
        0x05, "Complete List of 32-bit Service or Service Class UUIDs" ["services"], UuidList::parse::<4>;
    /// Some of the 128-bit service UUIDs. CSS Part A, 1.1.
    IncompleteServices128(UuidList<'a>) =
        0x06, "Incomplete List of 128-bit Service or Service Class UUIDs" ["some services"], UuidList::parse::<16>;
    /// All 128-bit service UUIDs. CSS Part A, 1.1.
    CompleteServices128(UuidList<'a>) =
        0x07, "Complete List of 128-bit Service or Service Class UUIDs" ["services"], UuidList::parse::<16>;
    /// The beginning of the name. CSS Part A, 1.2.
    ShortenedLocalName(Text<'a>) = 0x08, "Shortened Local Name", Text::parse;
    /// The whole name. CSS Part A, 1.2.
    CompleteLocalName(Text<'a>) = 0x09, "Complete Local Name", Text::parse;
    /// The power sent with. CSS Part A, 1.5.
    TxPowerLevel(TxPower) = 0x0A, "Tx Power Level", TxPower::parse;
    /// What a BR/EDR device is. CSS Part A, 1.6.
    ClassOfDevice(ClassOfDevice) = 0x0D, "Class of Device", ClassOfDevice::parse;
    /// Out-of-band pairing data. CSS Part A, 1.6.
    SimplePairingHashC192(Octets<'a>) = 0x0E, "Simple Pairing Hash C-192", Octets::parse::<16, 16>;
    /// Out-of-band pairing data. CSS Part A, 1.6.
    SimplePairingRandomizerR192(Octets<'a>) =
        0x0F, "Simple Pairing Randomizer R-192", Octets::parse::<16, 16>;
    /// Two meanings, told apart by length: Device ID Profile, or CSS Part A, 1.8 in out-of-band data.
    DeviceIdOrTk(DeviceIdOrTk<'a>) =
        0x10, "Device ID / Security Manager TK Value" ["Device ID or TK"], DeviceIdOrTk::parse;
    /// What out-of-band data says of the device. CSS Part A, 1.7.
    SecurityManagerOobFlags(OobFlags) = 0x11, "Security Manager Out of Band Flags", OobFlags::parse;
    /// The connection intervals that the peripheral prefers. CSS Part A, 1.9.
    PeripheralConnectionIntervalRange(ConnectionIntervalRange) =
        0x12, "Peripheral Connection Interval Range", ConnectionIntervalRange::parse;
    /// 16-bit services that the device looks for. CSS Part A, 1.10.
    SolicitedServices16(UuidList<'a>) =
        0x14, "List of 16-bit Service Solicitation UUIDs" ["looks for services"], UuidList::parse::<2>;
    /// 128-bit services that the device looks for. CSS Part A, 1.10.
    SolicitedServices128(UuidList<'a>) =
        0x15, "List of 128-bit Service Solicitation UUIDs" ["looks for services"], UuidList::parse::<16>;
    /// Data of a 16-bit service. CSS Part A, 1.11.
    ServiceData16(ServiceData<'a>) =
        0x16, "Service Data - 16-bit UUID" ["Service Data"], ServiceData::parse::<2>;
    /// Public addresses that this is meant for. CSS Part A, 1.13.
    PublicTargetAddress(AddressList<'a>) =
        0x17, "Public Target Address", |data| AddressList::parse(AddressKind::Public, data);
    /// Random addresses that this is meant for. CSS Part A, 1.14.
    RandomTargetAddress(AddressList<'a>) =
        0x18, "Random Target Address", |data| AddressList::parse(AddressKind::Random, data);
    /// What the device looks like. CSS Part A, 1.12.
    Appearance(Appearance) = 0x19, "Appearance", Appearance::parse;
    /// The advertising interval, in 2 octets. CSS Part A, 1.15.
    AdvertisingInterval(AdvertisingInterval) = 0x1A, "Advertising Interval", AdvertisingInterval::parse;
    /// The device's own address. CSS Part A, 1.16.
    LeDeviceAddress(Address) = 0x1B, "LE Bluetooth Device Address", le_device_address;
    /// Peripheral, central or both. CSS Part A, 1.17.
    LeRole(LeRole) = 0x1C, "LE Role", LeRole::parse;
    /// Out-of-band pairing data. CSS Part A, 1.6.
    SimplePairingHashC256(Octets<'a>) = 0x1D, "Simple Pairing Hash C-256", Octets::parse::<16, 16>;
    /// Out-of-band pairing data. CSS Part A, 1.6.
    SimplePairingRandomizerR256(Octets<'a>) =
        0x1E, "Simple Pairing Randomizer R-256", Octets::parse::<16, 16>;
    /// 32-bit services that the device looks for. CSS Part A, 1.10.
    SolicitedServices32(UuidList<'a>) =
        0x1F, "List of 32-bit Service Solicitation UUIDs" ["looks for services"], UuidList::parse::<4>;
    /// Data of a 32-bit service. CSS Part A, 1.11.
    ServiceData32(ServiceData<'a>) =
        0x20, "Service Data - 32-bit UUID" ["Service Data"], ServiceData::parse::<4>;
    /// Data of a 128-bit service. CSS Part A, 1.11.
    ServiceData128(ServiceData<'a>) =
        0x21, "Service Data - 128-bit UUID" ["Service Data"], ServiceData::parse::<16>;
    /// Out-of-band pairing data. CSS Part A, 1.6.
    LeScConfirmationValue(Octets<'a>) =
        0x22, "LE Secure Connections Confirmation Value", Octets::parse::<16, 16>;
    /// Out-of-band pairing data. CSS Part A, 1.6.
    LeScRandomValue(Octets<'a>) = 0x23, "LE Secure Connections Random Value", Octets::parse::<16, 16>;
    /// A URI whose scheme is one code point. CSS Part A, 1.18.
    Uri(Uri<'a>) = 0x24, "URI", Uri::parse;
    /// Indoor Positioning Service.
    IndoorPositioning(Octets<'a>) = 0x25, "Indoor Positioning", Octets::any;
    /// Transport Discovery Service.
    TransportDiscoveryData(Octets<'a>) = 0x26, "Transport Discovery Data", Octets::any;
    /// Bits of the LE features, least significant octet first, without zeros at the end. CSS Part A, 1.19.
    LeSupportedFeatures(Octets<'a>) = 0x27, "LE Supported Features", Octets::any;
    /// A new channel map of periodic advertising. CSS Part A, 1.20.
    ChannelMapUpdateIndication(ChannelMapUpdate) =
        0x28, "Channel Map Update Indication", ChannelMapUpdate::parse;
    /// Mesh provisioning. Mesh Profile, 5.2.1.
    PbAdv(Octets<'a>) = 0x29, "PB-ADV", Octets::any;
    /// Mesh Profile, 3.3.1.
    MeshMessage(Octets<'a>) = 0x2A, "Mesh Message", Octets::any;
    /// Mesh Profile, 3.9.
    MeshBeacon(Octets<'a>) = 0x2B, "Mesh Beacon", Octets::any;
    /// A broadcast isochronous group, 33 octets or 57 when encrypted; packed bit fields, kept raw. CSS Part
    /// A, 1.21.
    BigInfo(Octets<'a>) = 0x2C, "BIGInfo", Octets::any;
    /// The key of an encrypted broadcast, in out-of-band data. CSS Part A, 1.22.
    BroadcastCode(Key<'a>) = 0x2D, "Broadcast_Code", Key::parse::<1, 16>;
    /// Marks the members of a coordinated set. Coordinated Set Identification Profile.
    ResolvableSetIdentifier(Octets<'a>) = 0x2E, "Resolvable Set Identifier", Octets::parse::<6, 6>;
    /// The advertising interval, in 3 or 4 octets. CSS Part A, 1.15.
    AdvertisingIntervalLong(AdvertisingInterval) =
        0x2F, "Advertising Interval - long", AdvertisingInterval::parse_long;
    /// The name of a broadcast. Public Broadcast Profile.
    BroadcastName(Text<'a>) = 0x30, "Broadcast_Name", Text::parse;
    /// AD structures that only holders of a key can read. CSS Part A, 1.23.
    EncryptedAdvertisingData(EncryptedData<'a>) = 0x31, "Encrypted Advertising Data", EncryptedData::parse;
    /// When to answer in periodic advertising with responses. CSS Part A, 1.24.
    PeriodicAdvertisingResponseTiming(ResponseTiming) =
        0x32, "Periodic Advertising Response Timing Information", ResponseTiming::parse;
    /// ESL Profile.
    ElectronicShelfLabel(Octets<'a>) = 0x34, "Electronic Shelf Label", Octets::any;
    /// 3D Synchronization Profile.
    Information3d(Octets<'a>) = 0x3D, "3D Information Data", Octets::any;
    /// Data that a company defines. CSS Part A, 1.4.
    ManufacturerSpecificData(ManufacturerData<'a>) =
        0xFF, "Manufacturer Specific Data" ["Manufacturer Data"], ManufacturerData::parse;
}

impl<'a> AdField<'a> {
    /// The list, if this is one of the six of services that the device has.
    pub(super) fn services(self) -> Option<UuidList<'a>> {
        match self {
            Self::IncompleteServices16(list)
            | Self::CompleteServices16(list)
            | Self::IncompleteServices32(list)
            | Self::CompleteServices32(list)
            | Self::IncompleteServices128(list)
            | Self::CompleteServices128(list) => Some(list),
            _ => None,
        }
    }
}

impl fmt::Display for AdType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "AD type 0x{:02X}", self.0),
        }
    }
}

impl fmt::Debug for AdType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X}", self.0)?;
        self.name().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

impl fmt::Debug for AdStructure<'_> {
    /// As a raw field prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} raw {}", self.ad_type, Octets(self.data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assigned;

    /// The names here were typed; those of `assigned` were generated from the published table.
    #[test]
    fn every_assigned_ad_type_has_a_row_of_that_name() {
        for number in 0..=u8::MAX {
            assert_eq!(AdType(number).name(), assigned::ad_type_name(number), "0x{number:02X}");
        }
        assert_eq!(AdType::ALL.len(), 50, "51 in the published table, of which 0x10 stands twice");
    }

    #[test]
    fn a_parsed_field_knows_its_type() {
        for &ad_type in AdType::ALL {
            for length in 0..=20 {
                let field = AdStructure { ad_type, data: &[0x21; 20][..length] }.field();
                assert_eq!(field.ad_type(), ad_type);
            }
        }
    }

    #[test]
    fn every_type_can_be_parsed_and_its_raw_form_prints_its_name() {
        for &ad_type in AdType::ALL {
            let data = [0x21; 20];
            let parsed = (0..=20).any(|length| {
                let field = AdStructure { ad_type, data: &data[..length] }.field();
                !matches!(field, AdField::Raw(_))
            });
            assert!(parsed, "no length of {ad_type} is taken");
            let raw = AdField::Raw(AdStructure { ad_type, data: &[0xAB] }).to_string();
            assert_eq!(raw, format!("{} raw AB", ad_type.name().expect("named")));
        }
        let unknown = AdStructure { ad_type: AdType(0x7E), data: &[1, 2, 3] };
        assert_eq!(unknown.field(), AdField::Raw(unknown));
        assert_eq!(unknown.field().to_string(), "AD type 0x7E raw 010203");
    }
}
