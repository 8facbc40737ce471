//! ATT PDUs as lines. A response does not repeat what was asked for; whoever knows the request passes it in.

use crate::assigned;
use crate::att::{AttOpcode, AttPdu};
use crate::codec::Hex;
use crate::gatt::Properties;
use crate::{Uuid, uuid16};
use std::fmt::{self, Display};

/// «Include» and «Characteristic» declarations ([Vol 3] Part G, 3.2 and 3.3).
const INCLUDE: Uuid = uuid16(0x2802);
const CHARACTERISTIC: Uuid = uuid16(0x2803);

/// What a request was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The value of this handle.
    Handle(u16),
    /// Attributes of this type.
    Type(Uuid),
}

/// What the response to this PDU will leave out.
pub(super) fn asked(pdu: &AttPdu<'_>) -> Option<Asked> {
    match pdu {
        AttPdu::ReadReq(p) => Some(Asked::Handle(p.attribute_handle.0)),
        AttPdu::ReadBlobReq(p) => Some(Asked::Handle(p.attribute_handle.0)),
        AttPdu::WriteReq(p) => Some(Asked::Handle(p.attribute_handle.0)),
        AttPdu::ReadByTypeReq(p) => Uuid::from_wire(p.attribute_type.0).map(Asked::Type),
        _ => None,
    }
}

/// The line, when there is a better one than that of the table.
pub(super) fn line(pdu: &AttPdu<'_>, asked: Option<Asked>) -> String {
    let name = AttOpcode(pdu.code());
    let of = match asked {
        Some(Asked::Handle(handle)) => format!(" of 0x{handle:04X}"),
        _ => String::new(),
    };
    match pdu {
        AttPdu::ErrorRsp(p) => {
            let (request, handle, error) = (p.req_opcode, p.attribute_handle, p.error_code);
            format!("{name} to {request} of {handle}: {error} (0x{:02X})", error.0)
        }
        AttPdu::FindInformationReq(p) => format!("{name} {}-{}", p.starting_handle, p.ending_handle),
        AttPdu::FindInformationRsp(p) => {
            let length = if p.format == 1 { 4 } else { 18 };
            format!("{name} {}", Entries { data: p.information_data.0, length, print: information })
        }
        AttPdu::FindByTypeValueReq(p) => {
            let kind = Uuid::from_u16(p.attribute_type.0);
            let value = NamedOctets(p.attribute_value.0);
            format!("{name} {}-{} {} {value}", p.starting_handle, p.ending_handle, Named(kind))
        }
        AttPdu::ReadByTypeReq(p) => {
            let kind = NamedOctets(p.attribute_type.0);
            format!("{name} {}-{} {kind}", p.starting_handle, p.ending_handle)
        }
        AttPdu::ReadByGroupTypeReq(p) => {
            let kind = NamedOctets(p.attribute_group_type.0);
            format!("{name} {}-{} {kind}", p.starting_handle, p.ending_handle)
        }
        AttPdu::ReadByTypeRsp(p) => {
            let print = match asked {
                Some(Asked::Type(CHARACTERISTIC)) => characteristic,
                Some(Asked::Type(INCLUDE)) => include,
                _ => value,
            };
            format!("{name} {}", Entries { data: p.attribute_data.0, length: p.length, print })
        }
        AttPdu::ReadByGroupTypeRsp(p) => {
            format!("{name} {}", Entries { data: p.attribute_data.0, length: p.length, print: group })
        }
        AttPdu::ReadReq(p) => format!("{name} {}", p.attribute_handle),
        AttPdu::ReadBlobReq(p) => format!("{name} {} from {}", p.attribute_handle, p.value_offset),
        AttPdu::ReadRsp(p) => format!("{name}{of} {}", Value(p.attribute_value.0)),
        AttPdu::ReadBlobRsp(p) => format!("{name}{of} {}", Value(p.part_attribute_value.0)),
        AttPdu::WriteReq(p) => format!("{name} {} {}", p.attribute_handle, Value(p.attribute_value.0)),
        AttPdu::WriteCmd(p) => format!("{name} {} {}", p.attribute_handle, Value(p.attribute_value.0)),
        AttPdu::WriteRsp(_) => format!("{name}{of}"),
        AttPdu::PrepareWriteReq(p) => {
            format!(
                "{name} {} from {} {}",
                p.attribute_handle,
                p.value_offset,
                Value(p.part_attribute_value.0)
            )
        }
        AttPdu::PrepareWriteRsp(p) => {
            format!(
                "{name} {} from {} {}",
                p.attribute_handle,
                p.value_offset,
                Value(p.part_attribute_value.0)
            )
        }
        AttPdu::HandleValueNtf(p) => format!("{name} {} {}", p.attribute_handle, Value(p.attribute_value.0)),
        AttPdu::HandleValueInd(p) => format!("{name} {} {}", p.attribute_handle, Value(p.attribute_value.0)),
        _ => pdu.to_string(),
    }
}

/// Octets, and the text that they are if they are one.
struct Value<'a>(&'a [u8]);

impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.0) {
            _ if self.0.is_empty() => f.write_str("(empty)"),
            // Two letters are more likely a number.
            Ok(text) if (3..=32).contains(&text.len()) && !text.contains(char::is_control) => {
                write!(f, "{} {text:?}", Hex(self.0))
            }
            _ => write!(f, "{}", Hex(self.0)),
        }
    }
}

/// A UUID by its name where it has one.
struct Named(Uuid);

impl Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match assigned::attribute_name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0.short()),
        }
    }
}

/// A UUID as it stands on the wire, or whatever stands there instead.
struct NamedOctets<'a>(&'a [u8]);

impl Display for NamedOctets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Uuid::from_wire(self.0) {
            Some(uuid) => Named(uuid).fmt(f),
            None => write!(f, "{}", Hex(self.0)),
        }
    }
}

/// Entries of equal length; those that are too many or not whole are octets.
struct Entries<'a> {
    data: &'a [u8],
    length: u8,
    print: fn(&mut fmt::Formatter<'_>, &[u8]) -> Option<fmt::Result>,
}

/// Most entries that a line shows.
const SHOWN: usize = 6;

impl Display for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.data.chunks(usize::from(self.length).max(1));
        let count = entries.len();
        for (n, entry) in entries.take(SHOWN).enumerate() {
            f.write_str(if n == 0 { "" } else { ", " })?;
            (self.print)(f, entry).unwrap_or_else(|| write!(f, "{}", Hex(entry)))?;
        }
        if count > SHOWN { write!(f, ", … ({count} in all)") } else { Ok(()) }
    }
}

fn information(f: &mut fmt::Formatter<'_>, entry: &[u8]) -> Option<fmt::Result> {
    let (handle, uuid) = handle(entry)?;
    Some(write!(f, "0x{handle:04X} {}", Named(Uuid::from_wire(uuid)?)))
}

fn group(f: &mut fmt::Formatter<'_>, entry: &[u8]) -> Option<fmt::Result> {
    let (start, rest) = handle(entry)?;
    let (end, uuid) = handle(rest)?;
    Some(write!(f, "0x{start:04X}-0x{end:04X} {}", NamedOctets(uuid)))
}

fn include(f: &mut fmt::Formatter<'_>, entry: &[u8]) -> Option<fmt::Result> {
    let (at, rest) = handle(entry)?;
    let (start, rest) = handle(rest)?;
    let (end, uuid) = handle(rest)?;
    // A 128-bit UUID is left out ([Vol 3] Part G, 3.2).
    let uuid = if uuid.is_empty() { String::new() } else { format!(" {}", NamedOctets(uuid)) };
    Some(write!(f, "0x{at:04X} 0x{start:04X}-0x{end:04X}{uuid}"))
}

fn characteristic(f: &mut fmt::Formatter<'_>, entry: &[u8]) -> Option<fmt::Result> {
    let (at, rest) = handle(entry)?;
    let (&properties, rest) = rest.split_first()?;
    let (value, uuid) = handle(rest)?;
    let (uuid, properties) = (Named(Uuid::from_wire(uuid)?), Properties(properties));
    Some(write!(f, "0x{at:04X} {uuid} at 0x{value:04X} ({properties})"))
}

fn value(f: &mut fmt::Formatter<'_>, entry: &[u8]) -> Option<fmt::Result> {
    let (handle, value) = handle(entry)?;
    Some(write!(f, "0x{handle:04X} {}", Value(value)))
}

fn handle(octets: &[u8]) -> Option<(u16, &[u8])> {
    let (handle, rest) = octets.split_first_chunk()?;
    Some((u16::from_le_bytes(*handle), rest))
}
