//! Records for tests, and what is shown of them.

use super::*;
use crate::capture::Timestamp;

pub(in crate::capture::dissect) fn record(direction: Direction, octets: Vec<u8>) -> Record {
    Record::packet(Timestamp::UNIX_EPOCH, direction, &HciPacket::new(octets).expect("whole"))
}

/// One ATT PDU in one ACL packet on link 0x0040.
pub(in crate::capture::dissect) fn att(direction: Direction, pdu: &[u8]) -> Record {
    let length = u8::try_from(pdu.len()).expect("short");
    let header = [0x02, 0x40, 0x20, length + 4, 0, length, 0, 4, 0];
    record(direction, [&header[..], pdu].concat())
}

pub(in crate::capture::dissect) fn lines(records: &[Record]) -> Vec<String> {
    let mut dissector = Dissector::default();
    records.iter().map(|record| dissector.line(record)).collect()
}

/// LE Connection Complete of link 0x0040.
pub(in crate::capture::dissect) fn connected(address: [u8; 6]) -> Record {
    let head = [0x04, 0x3E, 19, 0x01, 0, 0x40, 0, 0, 1];
    record(Direction::Received, [&head[..], &address, &[24, 0, 0, 0, 0x2A, 0, 0]].concat())
}

/// One ACL packet of a link; `first` begins a frame.
pub(in crate::capture::dissect) fn fragment(
    direction: Direction,
    link: u8,
    first: bool,
    data: &[u8],
) -> Record {
    let flags = if first { 0x20 } else { 0x10 };
    record(direction, [&[0x02, link, flags, u8::try_from(data.len()).expect("short"), 0][..], data].concat())
}

pub(in crate::capture::dissect) fn fields(records: &[Record]) -> String {
    let (mut dissector, mut out) = (Dissector::default(), Vec::new());
    for record in records {
        out.clear();
        dissector.read(record).write_fields(&mut out);
    }
    String::from_utf8(out).expect("UTF-8")
}

pub(in crate::capture::dissect) fn json(records: &[Record]) -> serde_json::Value {
    let (mut dissector, mut out) = (Dissector::default(), Vec::new());
    for record in records {
        out.clear();
        dissector.read(record).write_json(Timestamp::UNIX_EPOCH, &mut out);
    }
    serde_json::from_slice(&out).expect("JSON")
}

/// One frame in one ACL packet on link 0x0040.
pub(in crate::capture::dissect) fn frame(direction: Direction, cid: u16, payload: &[u8]) -> Record {
    let length = u8::try_from(payload.len()).expect("short");
    let [low, high] = cid.to_le_bytes();
    fragment(direction, 0x40, true, &[&[length, 0, low, high][..], payload].concat())
}
