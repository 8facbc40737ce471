//! ATT PDUs as lines. A response does not repeat what was asked for: its request says that, and discovery what the
//! handles are.

use super::attributes::Attributes;
use super::packet::{Asked, Frame, What};
use super::text::{self, Text};
use crate::Uuid;
use crate::att::{AttOpcode, AttPdu};
use crate::capture::Timestamp;
use crate::codec::show;
use crate::gatt::{CHARACTERISTIC, INCLUDE, Properties};
use std::io::Write;

/// The line of a PDU that is whole at `time`.
pub(super) fn line(
    out: &mut Vec<u8>,
    pdu: &AttPdu<'_>,
    frame: &Frame,
    attributes: Option<&Attributes>,
    time: Timestamp,
) {
    let opcode = AttOpcode(pdu.code());
    match opcode.name() {
        Some(name) => out.text(name),
        None => {
            let _ = write!(out, "{opcode}");
        }
    }
    let mut line = Line { out, attributes, asked: frame.answers.map(|asked| asked.what) };
    line.pdu(pdu);
    if let Some(asked) = frame.answers {
        after(line.out, asked, time);
    }
}

/// How long the answer took.
fn after(out: &mut Vec<u8>, asked: Asked, time: Timestamp) {
    let micros = time.since(asked.time).as_micros();
    let _ = match micros {
        0..10_000 => write!(out, ", {}.{} ms", micros / 1_000, micros / 100 % 10),
        10_000..10_000_000 => write!(out, ", {} ms", micros / 1_000),
        _ => write!(out, ", {} s", micros / 1_000_000),
    };
}

struct Line<'a> {
    out: &'a mut Vec<u8>,
    attributes: Option<&'a Attributes>,
    asked: Option<What>,
}

impl Line<'_> {
    fn pdu(&mut self, pdu: &AttPdu<'_>) {
        match pdu {
            AttPdu::ErrorRsp(p) => {
                let _ = write!(self.out, " to {}", p.req_opcode);
                // Of a search it is only where that began.
                if matches!(p.req_opcode.0, 0x04 | 0x06 | 0x08 | 0x10) {
                    self.text(" of ");
                    text::hex16(self.out, p.attribute_handle.0);
                } else {
                    self.of(p.attribute_handle.0);
                }
                let _ = write!(self.out, ": {} (0x{:02X})", p.error_code, p.error_code.0);
            }
            AttPdu::FindInformationReq(p) => self.range(p.starting_handle.0, p.ending_handle.0),
            AttPdu::FindInformationRsp(p) => {
                let length = if p.format == 1 { 4 } else { 18 };
                self.entries(p.information_data.0, length, information);
            }
            AttPdu::FindByTypeValueReq(p) => {
                self.range(p.starting_handle.0, p.ending_handle.0);
                self.text(" ");
                text::uuid(self.out, &p.attribute_type.0.to_le_bytes());
                self.text(" ");
                text::uuid(self.out, p.attribute_value.0);
            }
            AttPdu::FindByTypeValueRsp(p) => {
                for (n, group) in p.handles.iter().enumerate() {
                    self.text(if n == 0 { "" } else { "," });
                    self.range(group.found_attribute_handle.0, group.group_end_handle.0);
                }
            }
            AttPdu::ReadByTypeReq(p) => {
                self.range(p.starting_handle.0, p.ending_handle.0);
                self.text(" ");
                text::uuid(self.out, p.attribute_type.0);
            }
            AttPdu::ReadByGroupTypeReq(p) => {
                self.range(p.starting_handle.0, p.ending_handle.0);
                self.text(" ");
                text::uuid(self.out, p.attribute_group_type.0);
            }
            AttPdu::ReadByTypeRsp(p) => {
                let print = match self.asked {
                    Some(What::Type(_, CHARACTERISTIC)) => characteristic,
                    Some(What::Type(_, INCLUDE)) => include,
                    _ => value,
                };
                self.entries(p.attribute_data.0, p.length, print);
            }
            AttPdu::ReadByGroupTypeRsp(p) => self.entries(p.attribute_data.0, p.length, group),
            AttPdu::ReadReq(p) => self.handle(p.attribute_handle.0),
            AttPdu::ReadBlobReq(p) => {
                self.handle(p.attribute_handle.0);
                self.from(p.value_offset);
            }
            AttPdu::ReadRsp(p) => self.answer(p.attribute_value.0),
            AttPdu::ReadBlobRsp(p) => self.answer(p.part_attribute_value.0),
            AttPdu::WriteReq(p) => self.value_of(p.attribute_handle.0, p.attribute_value.0),
            AttPdu::WriteCmd(p) => self.value_of(p.attribute_handle.0, p.attribute_value.0),
            AttPdu::HandleValueNtf(p) => self.value_of(p.attribute_handle.0, p.attribute_value.0),
            AttPdu::HandleValueInd(p) => self.value_of(p.attribute_handle.0, p.attribute_value.0),
            AttPdu::WriteRsp(_) | AttPdu::HandleValueCfm(_) => {
                if let Some(What::Attribute(_, handle)) = self.asked {
                    self.of(handle);
                }
            }
            AttPdu::PrepareWriteReq(p) => {
                self.handle(p.attribute_handle.0);
                self.from(p.value_offset);
                self.value(p.part_attribute_value.0);
            }
            AttPdu::PrepareWriteRsp(p) => {
                self.handle(p.attribute_handle.0);
                self.from(p.value_offset);
                self.value(p.part_attribute_value.0);
            }
            AttPdu::Unknown { parameters, .. } => self.value(parameters),
            other => {
                // Its own line, behind the name that stands there already.
                let name = self.out.len();
                other.show(&mut show::Line::new(self.out));
                let fields = self.out[name..]
                    .iter()
                    .position(|octet| *octet == b' ')
                    .map_or(self.out.len(), |n| name + n);
                self.out.drain(name..fields);
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.out.text(text);
    }

    /// A handle, and what it is if that is known.
    fn handle(&mut self, handle: u16) {
        self.text(" ");
        text::hex16(self.out, handle);
        let Some(attributes) = self.attributes else { return };
        let before = self.out.len();
        self.text(" (");
        if attributes.write_name(handle, self.out) {
            self.text(")");
        } else {
            self.out.truncate(before);
        }
    }

    fn of(&mut self, handle: u16) {
        self.text(" of");
        self.handle(handle);
    }

    fn from(&mut self, offset: u16) {
        self.text(" from ");
        text::decimal(self.out, usize::from(offset));
    }

    fn range(&mut self, start: u16, end: u16) {
        self.text(" ");
        text::hex16(self.out, start);
        self.text("-");
        text::hex16(self.out, end);
    }

    fn value_of(&mut self, handle: u16, value: &[u8]) {
        self.handle(handle);
        self.value(value);
    }

    fn answer(&mut self, value: &[u8]) {
        if let Some(What::Attribute(_, handle)) = self.asked {
            self.of(handle);
            self.text(" →");
        }
        self.value(value);
    }

    fn value(&mut self, value: &[u8]) {
        self.text(" ");
        write_value(self.out, value);
    }

    /// Entries of equal length; those that are too many or not whole are octets.
    fn entries(&mut self, data: &[u8], length: u8, print: fn(&mut Vec<u8>, &[u8]) -> Option<()>) {
        let entries = data.chunks(usize::from(length).max(1));
        let count = entries.len();
        for (n, entry) in entries.take(SHOWN).enumerate() {
            self.text(if n == 0 { " " } else { ", " });
            let before = self.out.len();
            if print(self.out, entry).is_none() {
                self.out.truncate(before);
                text::octets(self.out, entry);
            }
        }
        if count > SHOWN {
            let _ = write!(self.out, ", … ({count} in all)");
        }
    }
}

/// Most entries that a line shows.
const SHOWN: usize = 6;

/// Octets, and the text that they are if they are one.
fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    if value.is_empty() {
        out.text("(empty)");
        return;
    }
    text::octets(out, value);
    // Two letters are more likely a number.
    if let 3..=32 = value.len()
        && let Ok(text) = std::str::from_utf8(value)
        && !text.contains(char::is_control)
    {
        let _ = write!(out, " {text:?}");
    }
}

fn information(out: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let (handle, uuid) = handle(entry)?;
    let uuid = Uuid::from_wire(uuid)?;
    text::hex16(out, handle);
    out.text(" ");
    super::attributes::write_uuid(uuid, out);
    Some(())
}

fn group(out: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let (start, rest) = handle(entry)?;
    let (end, uuid) = handle(rest)?;
    span(out, start, end);
    out.text(" ");
    text::uuid(out, uuid);
    Some(())
}

fn include(out: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let (at, rest) = handle(entry)?;
    let (start, rest) = handle(rest)?;
    let (end, uuid) = handle(rest)?;
    text::hex16(out, at);
    out.text(" ");
    span(out, start, end);
    // A 128-bit UUID is left out ([Vol 3] Part G, 3.2).
    if !uuid.is_empty() {
        out.text(" ");
        text::uuid(out, uuid);
    }
    Some(())
}

fn characteristic(out: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let (at, rest) = handle(entry)?;
    let (&properties, rest) = rest.split_first()?;
    let (value, uuid) = handle(rest)?;
    let uuid = Uuid::from_wire(uuid)?;
    text::hex16(out, at);
    out.text(" ");
    super::attributes::write_uuid(uuid, out);
    out.text(" at ");
    text::hex16(out, value);
    let _ = write!(out, " ({})", Properties(properties));
    Some(())
}

fn value(out: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let (handle, value) = handle(entry)?;
    text::hex16(out, handle);
    out.text(" ");
    write_value(out, value);
    Some(())
}

fn span(out: &mut Vec<u8>, start: u16, end: u16) {
    text::hex16(out, start);
    out.text("-");
    text::hex16(out, end);
}

fn handle(octets: &[u8]) -> Option<(u16, &[u8])> {
    let (handle, rest) = octets.split_first_chunk()?;
    Some((u16::from_le_bytes(*handle), rest))
}
