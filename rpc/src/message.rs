//! What is said: parameters, results and notifications, one file a section of the protocol, and the texts that all of
//! them are made of.
//!
//! Parameters that are unknown are refused; one that is absent or null is its default. Results may grow members.

/// Gives types their methods.
macro_rules! notifications {
    ($($type:ty => $method:literal;)*) => {$(
        impl crate::message::Notification for $type {
            const METHOD: &'static str = $method;
        }
    )*};
}

pub mod advertise;
pub mod error;
pub mod gatt;
pub mod link;
pub mod scan;
pub mod security;
pub mod server;
pub mod session;

/// All of them, for the table of methods.
pub(crate) mod all {
    pub(crate) use super::Nothing;
    pub(crate) use super::{advertise::*, gatt::*, link::*, scan::*, security::*, server::*, session::*};
}

use baretooth::{Address, AddressKind, BdAddr, OwnAddress, Phy, Uuid};
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// A notification of ours, by its method.
pub trait Notification: Serialize + JsonSchema {
    /// The name of the method.
    const METHOD: &'static str;
}

/// No parameters, or a result that says no more than that it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Octets as hexadecimal digits, written in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex(pub Bytes);

/// A UUID of 128 bits with dashes, written in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UuidText(pub Uuid);

/// A device address, `AA:BB:CC:DD:EE:FF`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressText(pub BdAddr);

/// A time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Seconds(pub Duration);

/// Whether an address is public or random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressType {
    /// Registered with the IEEE.
    Public,
    /// Static, resolvable or non-resolvable random.
    Random,
}

/// Who a device is, whatever address it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The address.
    pub address: AddressText,
    /// Its type.
    pub address_type: AddressType,
}

/// Which sort of address of ours to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnAddressType {
    /// The controller's public address.
    Public,
    /// Our random static address.
    #[default]
    Random,
    /// A resolvable private address, that of one who is public.
    ResolvableOrPublic,
    /// A resolvable private address, that of one who is random.
    ResolvableOrRandom,
}

/// A PHY by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PhyName {
    /// LE 1M.
    #[serde(rename = "1M")]
    Le1M,
    /// LE 2M.
    #[serde(rename = "2M")]
    Le2M,
    /// LE Coded.
    #[serde(rename = "Coded")]
    LeCoded,
}

impl Identity {
    /// As the library has it.
    pub fn address(self) -> Address {
        match self.address_type {
            AddressType::Public => Address::public(self.address.0),
            AddressType::Random => Address::random(self.address.0),
        }
    }
}

impl From<Address> for Identity {
    fn from(address: Address) -> Self {
        Self { address: AddressText(address.bd_addr), address_type: address.kind.into() }
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

impl From<OwnAddressType> for OwnAddress {
    fn from(own: OwnAddressType) -> Self {
        match own {
            OwnAddressType::Public => Self::Public,
            OwnAddressType::Random => Self::RandomStatic,
            OwnAddressType::ResolvableOrPublic | OwnAddressType::ResolvableOrRandom => Self::Resolvable,
        }
    }
}

impl PhyName {
    /// The name of what the controller says; `None` for one that has none.
    pub fn of(phy: Phy) -> Option<Self> {
        match phy {
            Phy::Le1M => Some(Self::Le1M),
            Phy::Le2M => Some(Self::Le2M),
            Phy::LeCoded => Some(Self::LeCoded),
            _ => None,
        }
    }
}

/// A time that is not one.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0} is no time in seconds")]
pub struct InvalidSeconds(f64);

impl TryFrom<f64> for Seconds {
    type Error = InvalidSeconds;
    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        // A hundred years are for ever, and can be added to any time.
        const LONGEST: f64 = 3.2e9;
        let duration = Duration::try_from_secs_f64(seconds.min(LONGEST));
        duration.map(Self).map_err(|_| InvalidSeconds(seconds))
    }
}

impl From<Seconds> for f64 {
    fn from(Seconds(duration): Seconds) -> Self {
        duration.as_secs_f64()
    }
}

impl TryFrom<String> for Hex {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let octet = |pair: &[u8]| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        };
        let octets = text.as_bytes().chunks(2).map(octet).collect::<Option<Vec<u8>>>();
        octets
            .map(|octets| Self(octets.into()))
            .ok_or_else(|| "octets are pairs of hexadecimal digits".to_owned())
    }
}

impl From<Hex> for String {
    fn from(Hex(octets): Hex) -> Self {
        hex(&octets)
    }
}

/// Octets as hexadecimal digits in lower case.
pub fn hex(octets: &[u8]) -> String {
    let digit = |digit: u8| char::from_digit(digit.into(), 16).unwrap_or('?');
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 0xF)]).collect()
}

impl TryFrom<String> for UuidText {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let uuid = text.parse().ok().filter(|_| text.len() == 36);
        uuid.map(Self).ok_or_else(|| format!("{text:?} is no UUID of 128 bits with dashes"))
    }
}

impl From<UuidText> for String {
    fn from(UuidText(uuid): UuidText) -> Self {
        uuid.to_string()
    }
}

impl TryFrom<String> for AddressText {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let address = text.parse().ok().filter(|_| !text.contains('-'));
        address.map(Self).ok_or_else(|| format!("{text:?} is no device address, as AA:BB:CC:DD:EE:FF is"))
    }
}

impl From<AddressText> for String {
    fn from(AddressText(address): AddressText) -> Self {
        address.to_string()
    }
}

/// The schema of a text: a pattern and what it means.
macro_rules! text_schema {
    ($($type:ident $pattern:literal $meaning:literal;)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $meaning })
            }
        }
    )*};
}

text_schema! {
    Hex "^([0-9A-Fa-f]{2})*$" "Octets as hexadecimal digits, written in lower case.";
    UuidText "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$" "A UUID of 128 bits, written in lower case.";
    AddressText "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$" "A device address, written in upper case.";
}

impl JsonSchema for Seconds {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "description": "A time in seconds." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_in_either_case_and_written_in_one() {
        let hex: Hex = serde_json::from_str("\"0aFf\"").expect("octets");
        assert_eq!(
            (&hex.0[..], serde_json::to_string(&hex).ok()),
            (&[0x0A, 0xFF][..], Some("\"0aff\"".into()))
        );
        let uuid = "\"0000180D-0000-1000-8000-00805f9b34fb\"";
        let uuid: UuidText = serde_json::from_str(uuid).expect("a UUID");
        assert_eq!(String::from(uuid), "0000180d-0000-1000-8000-00805f9b34fb");
        let address: AddressText = serde_json::from_str("\"c0:11:22:33:44:55\"").expect("an address");
        assert_eq!(String::from(address), "C0:11:22:33:44:55");
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        for text in ["\"0\"", "\"0g\"", "\"+1\"", "1", "null", "\"é\""] {
            assert!(serde_json::from_str::<Hex>(text).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<UuidText>("\"180d\"").is_err());
        assert!(serde_json::from_str::<AddressText>("\"C0-11-22-33-44-55\"").is_err());
        for seconds in ["-1", "\"1\"", "null"] {
            assert!(serde_json::from_str::<Seconds>(seconds).is_err(), "{seconds}");
        }
        assert!(serde_json::from_str::<Seconds>("1e300").is_ok(), "for ever");
    }
}
