//! Digits and quotes, by hand: `core::fmt` would take longer than the rest of a packet.

use crate::{BdAddr, Uuid};
use std::fmt::{self, Write};

/// Decimal.
#[inline]
pub(crate) fn decimal(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(out, value.unsigned_abs());
}

/// Decimal.
#[inline]
pub(crate) fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut free = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + low_digit(value % 10);
        free -= 1;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[free..]);
}

/// `625 us`, `7.5 ms`, `12.8 s`.
pub(crate) fn time(out: &mut Vec<u8>, microseconds: u64) {
    let (thousands, unit) = match microseconds {
        0..1_000 => (microseconds * 1_000, " us"),
        1_000..1_000_000 => (microseconds, " ms"),
        _ => (microseconds / 1_000, " s"),
    };
    unsigned(out, thousands / 1_000);
    let mut rest = thousands % 1_000;
    if rest > 0 {
        out.push(b'.');
    }
    for place in [100, 10, 1] {
        if rest > 0 {
            out.push(b'0' + low_digit(rest / place));
            rest %= place;
        }
    }
    out.extend_from_slice(unit.as_bytes());
}

/// Seconds with six digits of so many nanoseconds, rounded down.
pub(crate) fn seconds(out: &mut Vec<u8>, nanos: i64) {
    let micros = nanos.div_euclid(1_000);
    if micros < 0 {
        out.push(b'-');
    }
    let micros = micros.unsigned_abs();
    unsigned(out, micros / 1_000_000);
    let (mut digits, mut rest) = (*b".000000", micros % 1_000_000);
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + low_digit(rest % 10);
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

/// `0x` and two upper-case digits for each of at most 8 octets.
#[inline]
pub(crate) fn hex(out: &mut Vec<u8>, value: u64, octets: usize) {
    out.extend_from_slice(b"0x");
    for at in (0..octets.min(8)).rev() {
        let octet = low_digit(value >> (8 * at) & 0xFF);
        out.extend_from_slice(&[upper(octet >> 4), upper(octet)]);
    }
}

/// Two lower-case digits for each octet.
#[inline]
pub(crate) fn octets(out: &mut Vec<u8>, octets: &[u8]) {
    let start = out.len();
    out.resize(start + 2 * octets.len(), 0);
    for (digits, octet) in out[start..].chunks_exact_mut(2).zip(octets) {
        digits.copy_from_slice(&[lower(octet >> 4), lower(*octet)]);
    }
}

/// `C0:11:22:33:44:55`
#[inline]
pub(crate) fn address(out: &mut Vec<u8>, address: BdAddr) {
    for (n, octet) in address.0.iter().rev().enumerate() {
        if n > 0 {
            out.push(b':');
        }
        out.extend_from_slice(&[upper(octet >> 4), upper(*octet)]);
    }
}

/// The shortest form: `0x2A19`, or 128 bits.
pub(crate) fn uuid(out: &mut Vec<u8>, uuid: Uuid) {
    match (uuid.as_u16(), uuid.as_u32()) {
        (Some(short), _) => hex(out, short.into(), 2),
        (None, Some(short)) => hex(out, short.into(), 4),
        (None, None) => long_uuid(out, uuid),
    }
}

/// 128 bits, lower case.
pub(crate) fn long_uuid(out: &mut Vec<u8>, uuid: Uuid) {
    let mut text = [0; ::uuid::fmt::Hyphenated::LENGTH];
    ::uuid::Uuid::from(uuid).hyphenated().encode_lower(&mut text);
    out.extend_from_slice(&text);
}

/// In quotes, with everything escaped that is not printable.
pub(crate) fn quoted(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        formatted(out, format_args!("{text:?}"));
    }
}

/// What has to go through `core::fmt` after all.
pub(crate) fn formatted(out: &mut Vec<u8>, arguments: fmt::Arguments<'_>) {
    struct Octets<'a>(&'a mut Vec<u8>);
    impl Write for Octets<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    let _ = Octets(out).write_fmt(arguments); // a failing `Display` ends its own text, and nothing else
}

#[inline]
fn low_digit(value: u64) -> u8 {
    u8::try_from(value).unwrap_or_default() // below 256 at every call
}

/// The upper-case digit of the low four bits.
#[inline]
fn upper(value: u8) -> u8 {
    let value = value & 0x0F;
    if value < 10 { b'0' + value } else { b'A' - 10 + value }
}

/// The lower-case digit of the low four bits.
#[inline]
pub(crate) fn lower(value: u8) -> u8 {
    let value = value & 0x0F;
    if value < 10 { b'0' + value } else { b'a' - 10 + value }
}
