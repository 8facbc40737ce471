//! UUIDs ([Vol 3] Part B, 2.5.1): one type for the 16-, 32- and 128-bit forms.
//!
//! A short UUID stands for a number put into the Bluetooth base UUID, so [`Uuid`] always holds 128 bits and
//! two forms of the same UUID are equal. What goes over the air is least significant octet first, the reverse
//! of the printed text.

use std::fmt;
use std::str::FromStr;

use crate::assigned;

/// `00000000-0000-1000-8000-00805f9b34fb`
const BASE: u128 = 0x0000_0000_0000_1000_8000_0080_5F9B_34FB;
/// Where the 16 or 32 bits of a short UUID stand in the 128.
const SHORT_SHIFT: u32 = 96;

/// A UUID of a service, characteristic, descriptor or declaration.
///
/// `Display` always writes 128 bits, lower case, so that equal UUIDs are equal text; [`Uuid::short`] writes
/// what people read more easily. `FromStr` takes 16, 32 or 128 bits in hexadecimal, or an assigned name.
///
/// ```
/// use baretooth::Uuid;
/// let battery_level: Uuid = "2a19".parse()?;
/// assert_eq!(battery_level, Uuid::from_u16(0x2A19));
/// assert_eq!(battery_level, "Battery Level".parse()?);
/// assert_eq!(battery_level.to_string(), "00002a19-0000-1000-8000-00805f9b34fb");
/// assert_eq!(battery_level.short().to_string(), "0x2A19");
/// assert_eq!(battery_level.to_wire().as_ref(), [0x19, 0x2A]);
/// # Ok::<(), baretooth::ParseUuidError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(::uuid::Uuid);

/// The UUID of a 16-bit number: [`Uuid::from_u16`], short enough for calls that name several.
pub const fn uuid16(short: u16) -> Uuid {
    Uuid::from_u16(short)
}

impl Uuid {
    /// A 16-bit UUID, assigned by the Bluetooth SIG.
    pub const fn from_u16(short: u16) -> Self {
        Self::from_u32(short as u32)
    }

    /// A 32-bit UUID.
    pub const fn from_u32(short: u32) -> Self {
        Self::from_u128(BASE | (short as u128) << SHORT_SHIFT)
    }

    /// All 128 bits, in the order of the printed text.
    pub const fn from_u128(long: u128) -> Self {
        Self(::uuid::Uuid::from_u128(long))
    }

    /// From 2, 4 or 16 octets as received, least significant first; `None` for any other count.
    pub fn from_wire(octets: &[u8]) -> Option<Self> {
        if let Ok(short) = octets.try_into() {
            Some(Self::from_u16(u16::from_le_bytes(short)))
        } else if let Ok(short) = octets.try_into() {
            Some(Self::from_u32(u32::from_le_bytes(short)))
        } else {
            octets.try_into().ok().map(|long| Self::from_u128(u128::from_le_bytes(long)))
        }
    }

    /// The 16-bit number, where the UUID has one.
    pub fn as_u16(self) -> Option<u16> {
        self.as_u32().and_then(|short| u16::try_from(short).ok())
    }

    /// The 32-bit number, where the UUID has one; every 16-bit UUID has.
    pub fn as_u32(self) -> Option<u32> {
        let rest = self.as_u128() ^ BASE;
        u32::try_from(rest >> SHORT_SHIFT).ok().filter(|&short| rest == u128::from(short) << SHORT_SHIFT)
    }

    /// All 128 bits, in the order of the printed text.
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// The shortest form that ATT allows, least significant octet first: 2 or 16 octets ([Vol 3] Part F,
    /// 3.2.1).
    pub fn to_wire(self) -> UuidWire {
        match self.as_u16() {
            Some(short) => UuidWire::new(&short.to_le_bytes()),
            None => UuidWire::new(&self.as_u128().to_le_bytes()),
        }
    }

    /// The shortest form in advertising data, least significant octet first: 2, 4 or 16 octets.
    pub fn to_advertising_wire(self) -> UuidWire {
        match self.as_u32() {
            Some(short) if short > 0xFFFF => UuidWire::new(&short.to_le_bytes()),
            _ => self.to_wire(),
        }
    }

    /// For people: `0x2A19`, `0x12345678`, or all 128 bits where there is no short form.
    pub fn short(self) -> impl fmt::Display + fmt::Debug {
        Short(self)
    }
}

impl From<::uuid::Uuid> for Uuid {
    fn from(uuid: ::uuid::Uuid) -> Self {
        Self(uuid)
    }
}

impl From<Uuid> for ::uuid::Uuid {
    fn from(uuid: Uuid) -> Self {
        uuid.0
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Short(*self), f)
    }
}

struct Short(Uuid);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_u16(), self.0.as_u32()) {
            (Some(short), _) => write!(f, "0x{short:04X}"),
            (None, Some(short)) => write!(f, "0x{short:08X}"),
            (None, None) => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The octets of a UUID on the air, without allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UuidWire {
    octets: [u8; 16],
    length: usize,
}

impl UuidWire {
    fn new<const N: usize>(octets: &[u8; N]) -> Self {
        let mut all = [0; 16];
        all.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        Self { octets: all, length: N.min(16) }
    }
}

impl AsRef<[u8]> for UuidWire {
    fn as_ref(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

impl std::ops::Deref for UuidWire {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

/// A text that names no UUID, or more than one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseUuidError {
    /// Neither hexadecimal of a known width nor an assigned name.
    #[error(
        "{0:?} is no UUID; write 16, 32 or 128 bits (2a19, 0x2A19, 0000180d-…) or an assigned name (battery_level)"
    )]
    Unknown(String),
    /// A service and a characteristic share the name.
    #[error(
        "{text:?} is both the service {service:?} and the characteristic {characteristic:?}; write the one meant"
    )]
    Ambiguous {
        /// What was written.
        text: String,
        /// The service of that name.
        service: Uuid,
        /// The characteristic of that name.
        characteristic: Uuid,
    },
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(uuid) = from_hexadecimal(text) {
            return Ok(uuid);
        }
        match (assigned::service(text), assigned::characteristic(text)) {
            (Some(service), Some(characteristic)) => {
                Err(ParseUuidError::Ambiguous { text: text.to_owned(), service, characteristic })
            }
            (Some(uuid), None) | (None, Some(uuid)) => Ok(uuid),
            (None, None) => {
                assigned::descriptor(text).ok_or_else(|| ParseUuidError::Unknown(text.to_owned()))
            }
        }
    }
}

fn from_hexadecimal(text: &str) -> Option<Uuid> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        // The only other spelling taken: groups of 8-4-4-4-12 digits.
        let dashed = text.len() == 36;
        return dashed.then(|| ::uuid::Uuid::try_parse(text).ok().map(Uuid)).flatten();
    }
    match digits.len() {
        4 => u16::from_str_radix(digits, 16).ok().map(Uuid::from_u16),
        8 => u32::from_str_radix(digits, 16).ok().map(Uuid::from_u32),
        32 => u128::from_str_radix(digits, 16).ok().map(Uuid::from_u128),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NUS: Uuid = Uuid::from_u128(0x6E400001_B5A3_F393_E0A9_E50E24DCCA9E);

    #[test]
    fn forms_of_one_uuid_are_equal() {
        let short = Uuid::from_u16(0x180D);
        assert_eq!(short, Uuid::from_u32(0x180D));
        assert_eq!(short, Uuid::from_u128(0x0000180D_0000_1000_8000_00805F9B34FB));
        assert_eq!((short.as_u16(), short.as_u32()), (Some(0x180D), Some(0x180D)));
        let middle = Uuid::from_u32(0x1234_5678);
        assert_eq!((middle.as_u16(), middle.as_u32()), (None, Some(0x1234_5678)));
        assert_eq!((NUS.as_u16(), NUS.as_u32()), (None, None));
    }

    #[test]
    fn the_wire_is_least_significant_octet_first() {
        let wire =
            [0x9E, 0xCA, 0xDC, 0x24, 0x0E, 0xE5, 0xA9, 0xE0, 0x93, 0xF3, 0xA3, 0xB5, 0x01, 0x00, 0x40, 0x6E];
        assert_eq!(Uuid::from_wire(&wire), Some(NUS));
        assert_eq!(NUS.to_wire().as_ref(), wire);
        assert_eq!(Uuid::from_wire(&[0x0D, 0x18]), Some(uuid16(0x180D)));
        assert_eq!(Uuid::from_wire(&[0x78, 0x56, 0x34, 0x12]), Some(Uuid::from_u32(0x1234_5678)));
        for count in [0, 1, 3, 5, 15, 17] {
            assert_eq!(Uuid::from_wire(&vec![0; count]), None, "{count} octets");
        }
    }

    #[test]
    fn att_takes_no_four_octet_form_and_advertising_does() {
        let middle = Uuid::from_u32(0x1234_5678);
        assert_eq!(middle.to_wire().len(), 16);
        assert_eq!(middle.to_advertising_wire().as_ref(), [0x78, 0x56, 0x34, 0x12]);
        assert_eq!(uuid16(0x180D).to_advertising_wire().as_ref(), [0x0D, 0x18]);
        assert_eq!(NUS.to_advertising_wire(), NUS.to_wire());
    }

    /// What bleak's normalize_uuid_16, _32 and _str give.
    #[test]
    fn text_is_the_normal_form_of_128_bits() {
        assert_eq!(uuid16(0x180D).to_string(), "0000180d-0000-1000-8000-00805f9b34fb");
        assert_eq!(Uuid::from_u32(0x1234_5678).to_string(), "12345678-0000-1000-8000-00805f9b34fb");
        for text in ["180D", "180d", "0x180D", "0X180d", "0000180D", "0000180D-0000-1000-8000-00805F9B34FB"] {
            assert_eq!(text.parse::<Uuid>().expect(text), uuid16(0x180D), "{text}");
        }
        assert_eq!("6E400001b5a3f393e0a9e50e24dcca9e".parse(), Ok(NUS));
    }

    #[test]
    fn short_form_is_for_people() {
        assert_eq!(format!("{:?}", uuid16(0xFE)), "0x00FE");
        assert_eq!(Uuid::from_u32(0x1234_5678).short().to_string(), "0x12345678");
        assert_eq!(NUS.short().to_string(), "6e400001-b5a3-f393-e0a9-e50e24dcca9e");
    }

    #[test]
    fn an_assigned_name_is_read_whatever_its_case_and_separators() {
        for text in
            ["battery_level", "Battery Level", "BATTERY-LEVEL", "org.bluetooth.characteristic.battery_level"]
        {
            assert_eq!(text.parse::<Uuid>().expect(text), uuid16(0x2A19), "{text}");
        }
        assert_eq!("heart_rate".parse(), Ok(uuid16(0x180D)), "a service");
        assert_eq!("client characteristic configuration".parse(), Ok(uuid16(0x2902)), "a descriptor");
    }

    #[test]
    fn a_name_of_a_service_and_a_characteristic_is_refused_with_both() {
        let error = "current_time".parse::<Uuid>().expect_err("ambiguous");
        let (service, characteristic) = (uuid16(0x1805), uuid16(0x2A2B));
        assert_eq!(
            error,
            ParseUuidError::Ambiguous { text: "current_time".to_owned(), service, characteristic }
        );
        assert!(error.to_string().contains("0x1805") && error.to_string().contains("0x2A2B"), "{error}");
    }

    #[test]
    fn what_is_no_uuid_is_refused_with_the_forms() {
        for text in [
            "",
            "2a1",
            "2a19f",
            "0x",
            "+a19",
            "no such name",
            "{0000180d-0000-1000-8000-00805f9b34fb}",
            "0000180d-0000-1000-8000-00805f9b34f",
            "urn:uuid:0000180d-0000-1000-8000-00805f9b34fb",
        ] {
            let error = text.parse::<Uuid>().expect_err(text);
            assert!(error.to_string().contains("0x2A19"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn wire_and_text_give_the_uuid_back(long: u128, short: u32) {
            for uuid in [Uuid::from_u128(long), Uuid::from_u32(short), Uuid::from_u32(short & 0xFFFF)] {
                prop_assert_eq!(Uuid::from_wire(&uuid.to_wire()), Some(uuid));
                prop_assert_eq!(Uuid::from_wire(&uuid.to_advertising_wire()), Some(uuid));
                prop_assert_eq!(uuid.to_string().parse(), Ok(uuid));
                prop_assert_eq!(uuid.short().to_string().parse(), Ok(uuid));
            }
        }
    }
}
