//! Kinds of members that JSON files of bonds have. Where one is wrong is told, what stands there is not: it may be a key.

use super::ImportError;
use crate::smp::{Key, Method};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt::{self, Display};
use std::str::FromStr;

/// Where the error is, without what stands there.
pub(super) fn position(error: &serde_json::Error) -> ImportError {
    let reason = match error.classify() {
        serde_json::error::Category::Data => "not what belongs here",
        _ => "no JSON, or its end is missing",
    };
    ImportError::new(format!("line {}, column {}", error.line(), error.column()), reason)
}

/// A key in hexadecimal digits, least significant octet first.
pub(super) struct KeyText(pub(super) Key);

impl Serialize for KeyText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_hex())
    }
}

impl<'de> Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, |text| Key::from_hex(text).ok().map(Self))
    }
}

/// Octets that are no secret, in hexadecimal digits.
#[derive(Clone, Copy)]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<const N: usize> Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, |text| {
            let mut octets = [0; N];
            let pairs = text.as_bytes().chunks(2);
            if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            for (octet, pair) in octets.iter_mut().zip(pairs) {
                *octet = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
            }
            Some(Self(octets))
        })
    }
}

/// What people write, as an address.
#[derive(Clone, Copy)]
pub(super) struct Text<T>(pub(super) T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, |text| text.parse().ok().map(Self))
    }
}

/// A method by its name.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct MethodName(#[serde(with = "Methods")] pub(super) Method);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Method", rename_all = "snake_case")]
enum Methods {
    JustWorks,
    PasskeyEntry,
    NumericComparison,
    #[serde(rename = "oob")]
    OutOfBand,
}

/// Reads a text in place: no copy of it is left behind.
pub(super) fn parse<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(InPlace(read))
}

struct InPlace<T>(fn(&str) -> Option<T>);

impl<T> Visitor<'_> for InPlace<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text of another form")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).ok_or_else(|| E::custom("a text of another form"))
    }
}
