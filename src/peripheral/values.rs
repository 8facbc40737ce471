//! The kinds of values that a file has, each with what would be right when it is not.

use crate::gap::advertise::{AdvertiseMode, ExtendedPdus};
use crate::gatt::server::Access;
use crate::hci::Phy;
use crate::{BdAddr, Uuid};
use serde::Deserialize;
use std::time::Duration;
use toml::Value;

/// A UUID in digits, or an assigned name of what it is for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct AnyUuid(pub(super) Uuid);

impl TryFrom<Value> for AnyUuid {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("a UUID is text, as \"180f\" or \"battery_service\"")?;
        text.parse().map(Self).map_err(|error: crate::ParseUuidError| error.to_string())
    }
}

/// A value of an attribute or of advertising data.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Octets(pub(super) Vec<u8>);

impl TryFrom<Value> for Octets {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        const FORMS: &str = "a value is text, a list of octets as [0x0a, 11], or one of { hex = \"0a0b\" }, \
            { u8 = 1 }, u16, u32, u64, i8, i16, i32, i64";
        match value {
            Value::String(text) => Ok(Self(text.into_bytes())),
            Value::Array(octets) => {
                let octet = |value: Value| value.as_integer().and_then(|number| u8::try_from(number).ok());
                let octets: Option<_> = octets.into_iter().map(octet).collect();
                octets.map(Self).ok_or("an octet is a number from 0 to 255".to_owned())
            }
            Value::Table(table) => match table.into_iter().collect::<Vec<_>>().as_slice() {
                [(form, value)] => typed(form, value).map(Self),
                _ => Err(FORMS.to_owned()),
            },
            _ => Err(FORMS.to_owned()),
        }
    }
}

/// A value as what it is, numbers least significant octet first.
fn typed(form: &str, value: &Value) -> Result<Vec<u8>, String> {
    macro_rules! number {
        ($number:ty) => {{
            let number = value.as_integer().and_then(|number| <$number>::try_from(number).ok());
            let number = number.ok_or_else(|| {
                format!("a {form} is a number from {} to {}", <$number>::MIN, <$number>::MAX)
            })?;
            Ok(number.to_le_bytes().to_vec())
        }};
    }
    match form {
        "hex" => {
            value.as_str().and_then(hex).ok_or("hex is pairs of digits, as \"0a0b\" or \"0a 0b\"".to_owned())
        }
        "text" => {
            value.as_str().map(|text| text.as_bytes().to_vec()).ok_or("text is \"in quotes\"".to_owned())
        }
        "u8" => number!(u8),
        "u16" => number!(u16),
        "u32" => number!(u32),
        "u64" => number!(u64),
        "i8" => number!(i8),
        "i16" => number!(i16),
        "i32" => number!(i32),
        "i64" => number!(i64),
        _ => Err(format!(
            "{form} is no form of a value: it is hex, text, u8, u16, u32, u64, i8, i16, i32 or i64"
        )),
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !matches!(c, ' ' | ':'))
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Who may: `true` is everybody.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Who(pub(super) Option<Access>);

impl TryFrom<Value> for Who {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let words = match value {
            Value::Boolean(open) => return Ok(Self(open.then_some(Access::OPEN))),
            Value::Array(words) => words,
            word => vec![word],
        };
        let mut access = Access::OPEN;
        let mut authorized = false;
        for word in &words {
            access = match word.as_str() {
                Some("encrypted") if access == Access::OPEN => Access::ENCRYPTED,
                Some("encrypted") => access,
                Some("authenticated") => Access::AUTHENTICATED,
                Some("authorized") => {
                    authorized = true;
                    access
                }
                _ => {
                    let forms =
                        "true, false, \"encrypted\", \"authenticated\", \"authorized\", or a list of those";
                    return Err(format!("who may is said by {forms}"));
                }
            };
        }
        Ok(Self(Some(if authorized { access.authorized() } else { access })))
    }
}

/// A time in seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Seconds(pub(super) Duration);

impl TryFrom<Value> for Seconds {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        seconds(&value).map(Self)
    }
}

fn seconds(value: &Value) -> Result<Duration, String> {
    let number = match value {
        Value::Integer(number) => u32::try_from(*number).ok().map(f64::from),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    let duration = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    duration.ok_or("a time is a number of seconds, as 0.1".to_owned())
}

/// A time in seconds, or the least and the most.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Interval(pub(super) (Duration, Duration));

impl TryFrom<Value> for Interval {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value.as_array().map(Vec::as_slice) {
            Some([min, max]) => Ok(Self((seconds(min)?, seconds(max)?))),
            Some(_) => Err("an interval is seconds, or the least and the most, as [0.1, 0.15]".to_owned()),
            None => seconds(&value).map(|both| Self((both, both))),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Mode(pub(super) AdvertiseMode);

impl TryFrom<Value> for Mode {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value.as_str() {
            Some("connectable") => Ok(Self(AdvertiseMode::Connectable)),
            Some("scannable") => Ok(Self(AdvertiseMode::Scannable)),
            Some("non-connectable") => Ok(Self(AdvertiseMode::NonConnectable)),
            _ => Err("a mode is \"connectable\", \"scannable\" or \"non-connectable\"".to_owned()),
        }
    }
}

/// Extended PDUs, on LE 1M or as said.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Extended(pub(super) Option<ExtendedPdus>);

impl TryFrom<Value> for Extended {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let on = |primary_phy, secondary_phy| {
            let extended = ExtendedPdus { primary_phy, secondary_phy, ..ExtendedPdus::default() };
            Ok(Self(Some(extended)))
        };
        match (&value, value.as_str()) {
            (Value::Boolean(false), _) => Ok(Self(None)),
            (Value::Boolean(true), _) | (_, Some("1M")) => on(Phy::Le1M, Phy::Le1M),
            (_, Some("2M")) => on(Phy::Le1M, Phy::Le2M),
            (_, Some("coded")) => on(Phy::LeCoded, Phy::LeCoded),
            _ => Err("extended is true, false, or the PHY: \"1M\", \"2M\" or \"coded\"".to_owned()),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct RandomAddress(pub(super) BdAddr);

impl TryFrom<Value> for RandomAddress {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let address = value.as_str().and_then(|text| text.parse().ok());
        address.map(Self).ok_or("an address is text, as \"C0:01:02:03:04:05\"".to_owned())
    }
}

/// One, or a list of them.
#[derive(Clone, Debug)]
pub(super) struct Several<T>(pub(super) Vec<T>);

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for Several<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = match Value::deserialize(deserializer)? {
            Value::Array(values) => values,
            one => vec![one],
        };
        let several = values.into_iter().map(|value| value.try_into().map_err(message));
        several.collect::<Result<_, _>>().map(Self)
    }
}

/// An error of a part, whose place is that of the whole.
fn message<E: serde::de::Error>(error: toml::de::Error) -> E {
    E::custom(error.message())
}
