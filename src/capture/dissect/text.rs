//! Words, numbers and octets onto a line. Written out by hand: a capture has millions of them.

use crate::assigned;
use crate::codec::show::digits;
use crate::codec::show::{Line, Show};
use crate::{BdAddr, Uuid};

/// What a line of UTF-8 takes.
pub(super) trait Text {
    fn text(&mut self, text: &str);
}

impl Text for Vec<u8> {
    fn text(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

/// Octets, two digits each; of a long run only the beginning.
pub(super) fn octets(out: &mut Vec<u8>, octets: &[u8]) {
    Line::new(out).octets(octets);
}

/// A 16-bit number as `0x0040`.
pub(super) fn hex16(out: &mut Vec<u8>, number: u16) {
    digits::hex(out, number.into(), 2);
}

/// An address as `C0:BA:E7:70:00:01`.
pub(super) fn address(out: &mut Vec<u8>, address: BdAddr) {
    digits::address(out, address);
}

/// A number.
pub(super) fn decimal(out: &mut Vec<u8>, number: usize) {
    digits::unsigned(out, u64::try_from(number).unwrap_or(u64::MAX));
}

/// A number with its sign.
pub(super) fn signed(out: &mut Vec<u8>, number: i8) {
    digits::decimal(out, number.into());
}

/// A UUID as it stands on the wire, by its name where it has one, or with that of its owner; whatever else stands there as octets.
pub(super) fn uuid(out: &mut Vec<u8>, wire: &[u8]) {
    match Uuid::from_wire(wire) {
        Some(uuid) => {
            super::attributes::write_uuid(uuid, out);
            if let Some(owner) = assigned::owner_name(uuid) {
                out.text(" (");
                out.text(owner);
                out.text(")");
            }
        }
        None => octets(out, wire),
    }
}
