//! The entries of the responses to discovery, shown as what they are. A row of the table holds them as octets: their
//! length stands in the PDU, and what they mean in the request.

use super::AttPdu;
use super::pdu::{FindInformationRsp, ReadByGroupTypeRsp, ReadByTypeRsp};
use crate::codec::show::{ListHead, Show};
use crate::{Uuid, assigned, uuid16};

/// «Include» and «Characteristic» declarations ([Vol 3] Part G, 3.2 and 3.3).
const INCLUDE: Uuid = uuid16(0x2802);
const CHARACTERISTIC: Uuid = uuid16(0x2803);

/// Bits of the properties of a characteristic ([Vol 3] Part G, 3.3.1.1).
const PROPERTIES: [&str; 8] = [
    "broadcast",
    "read",
    "write without response",
    "write",
    "notify",
    "indicate",
    "authenticated signed writes",
    "extended properties",
];

impl AttPdu<'_> {
    /// Says what it is made of, as [`AttPdu::show`], and tells the entries of responses apart; `asked` is the type
    /// that the request of a [`ReadByTypeRsp`] named, when that is known.
    pub fn show_entries(&self, asked: Option<Uuid>, to: &mut dyn Show) {
        let title = |to: &mut dyn Show| to.begin_named("AttPdu", self.code().into(), 1, self.opcode().name());
        match self {
            Self::FindInformationRsp(FindInformationRsp { format, information_data }) => {
                title(to);
                to.field("format");
                to.number((*format).into());
                let length = if *format == 1 { 4 } else { 18 };
                list("information_data", length, information_data.0, to, &information);
            }
            Self::ReadByTypeRsp(ReadByTypeRsp { length, attribute_data }) => {
                title(to);
                to.field("length");
                to.number((*length).into());
                let show: &Entry = match asked {
                    Some(INCLUDE) => &include,
                    Some(CHARACTERISTIC) => &characteristic,
                    _ => &value,
                };
                list("attribute_data", *length, attribute_data.0, to, show);
            }
            Self::ReadByGroupTypeRsp(ReadByGroupTypeRsp { length, attribute_data }) => {
                title(to);
                to.field("length");
                to.number((*length).into());
                list("attribute_data", *length, attribute_data.0, to, &group);
            }
            _ => return self.show(to),
        }
        to.end();
    }
}

/// Says the fields of an entry; `None`, and nothing said, when it is none of its kind.
type Entry = dyn Fn(&[u8], &mut dyn Show) -> Option<()>;

/// Entries of equal length; one that is not whole, or is not what it should be, is octets.
fn list(name: &'static str, length: u8, data: &[u8], to: &mut dyn Show, show: &Entry) {
    to.field(name);
    to.begin_list(ListHead::default());
    let mut there = 0;
    for entry in data.chunks(usize::from(length).max(1)) {
        to.item(there);
        to.begin();
        if show(entry, to).is_none() {
            to.field("malformed");
            to.octets(entry);
        }
        to.end();
        there += 1;
    }
    to.end_list(ListHead::default(), there);
}

fn information(entry: &[u8], to: &mut dyn Show) -> Option<()> {
    let (at, uuid) = handle(entry)?;
    let uuid = Uuid::from_wire(uuid)?;
    show_handle("handle", at, to);
    show_uuid("uuid", uuid, to);
    Some(())
}

fn group(entry: &[u8], to: &mut dyn Show) -> Option<()> {
    let (start, rest) = handle(entry)?;
    let (end, value) = handle(rest)?;
    show_handle("attribute_handle", start, to);
    show_handle("end_group_handle", end, to);
    match Uuid::from_wire(value) {
        Some(uuid) => show_uuid("attribute_value", uuid, to),
        None => show_octets("attribute_value", value, to),
    }
    Some(())
}

fn include(entry: &[u8], to: &mut dyn Show) -> Option<()> {
    let (at, rest) = handle(entry)?;
    let (start, rest) = handle(rest)?;
    let (end, uuid) = handle(rest)?;
    show_handle("attribute_handle", at, to);
    show_handle("included_service_handle", start, to);
    show_handle("end_group_handle", end, to);
    // One of 128 bits is left out ([Vol 3] Part G, 3.2).
    if let Some(uuid) = Uuid::from_wire(uuid) {
        show_uuid("service_uuid", uuid, to);
    }
    Some(())
}

fn characteristic(entry: &[u8], to: &mut dyn Show) -> Option<()> {
    let (at, rest) = handle(entry)?;
    let (&properties, rest) = rest.split_first()?;
    let (value, uuid) = handle(rest)?;
    let uuid = Uuid::from_wire(uuid)?;
    show_handle("attribute_handle", at, to);
    to.field("properties");
    to.bits(properties.into(), 1, &PROPERTIES);
    show_handle("value_handle", value, to);
    show_uuid("uuid", uuid, to);
    Some(())
}

fn value(entry: &[u8], to: &mut dyn Show) -> Option<()> {
    let (at, value) = handle(entry)?;
    show_handle("attribute_handle", at, to);
    show_octets("attribute_value", value, to);
    Some(())
}

fn handle(octets: &[u8]) -> Option<(u16, &[u8])> {
    let (handle, rest) = octets.split_first_chunk()?;
    Some((u16::from_le_bytes(*handle), rest))
}

fn show_handle(name: &'static str, handle: u16, to: &mut dyn Show) {
    to.field(name);
    to.hex(handle.into(), 2);
}

fn show_uuid(name: &'static str, uuid: Uuid, to: &mut dyn Show) {
    to.field(name);
    to.uuid(uuid, assigned::attribute_name(uuid));
}

fn show_octets(name: &'static str, octets: &[u8], to: &mut dyn Show) {
    to.field(name);
    to.octets(octets);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::show::{Json, Tree};

    fn tree(octets: &[u8], asked: Option<Uuid>) -> String {
        let pdu = AttPdu::from_octets(octets).expect("whole");
        let mut out = Vec::new();
        pdu.show_entries(asked, &mut Tree::new(&mut out, 1));
        let mut json = Vec::new();
        pdu.show_entries(asked, &mut Json::new(&mut json));
        serde_json::from_slice::<serde_json::Value>(&json).expect("JSON");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn services_and_characteristics_have_names() {
        assert_eq!(
            tree(b"\x11\x06\x01\x00\x05\x00\x00\x18\x06\x00\xFF\xFF\x0D\x18", None),
            "ATT_READ_BY_GROUP_TYPE_RSP (0x11)
  length: 6
  attribute_data:
    #0  attribute_handle: 0x0001
        end_group_handle: 0x0005
        attribute_value: 0x1800 (GAP)
    #1  attribute_handle: 0x0006
        end_group_handle: 0xFFFF
        attribute_value: 0x180D (Heart Rate)"
        );
        let characteristic = b"\x09\x07\x02\x00\x12\x03\x00\x19\x2A";
        assert_eq!(
            tree(characteristic, Some(CHARACTERISTIC)),
            "ATT_READ_BY_TYPE_RSP (0x09)
  length: 7
  attribute_data:
    #0  attribute_handle: 0x0002
        properties: 0x12 (read, notify)
        value_handle: 0x0003
        uuid: 0x2A19 (Battery Level)"
        );
        assert!(
            tree(characteristic, None).ends_with("        attribute_value: 120300192a"),
            "asked is not known"
        );
        assert!(
            tree(b"\x05\x01\x04\x00\x02\x29", None)
                .ends_with("handle: 0x0004\n        uuid: 0x2902 (Client Characteristic Configuration)")
        );
    }

    #[test]
    fn an_entry_that_is_not_whole_is_octets() {
        for pdu in [&b"\x05\x07\x01"[..], b"\x09\x00\x01", b"\x11\x03\x01\x02\x03"] {
            assert!(tree(pdu, Some(CHARACTERISTIC)).contains("malformed: 01"), "{pdu:x?}");
        }
    }
}
