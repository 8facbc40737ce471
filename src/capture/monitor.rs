//! Records of the Linux monitor channel, of btsnoop's datalink 2001 and pcap's link type 254: an adapter's index, an
//! opcode, and packets without their indicator.

use super::payload::{ACL, COMMAND, EVENT, ISO, Raw, SCO, numbered};
use super::{Direction, Kind, LeftOut, Record, Timestamp};
use bytes::BytesMut;
use std::borrow::Cow;

/// Text for people.
const SYSTEM_NOTE: u16 = 12;
/// A line of a program's log.
const USER_LOGGING: u16 = 13;
/// The index of a record that is about no adapter.
const NO_ADAPTER: u16 = 0xFFFF;

/// Opcodes that are packets: their indicator and direction.
const PACKETS: &[(u16, u8, Direction)] = &[
    (2, COMMAND, Direction::Sent),
    (3, EVENT, Direction::Received),
    (4, ACL, Direction::Sent),
    (5, ACL, Direction::Received),
    (6, SCO, Direction::Sent),
    (7, SCO, Direction::Received),
    (18, ISO, Direction::Sent),
    (19, ISO, Direction::Received),
];

pub(super) fn read(raw: Raw, adapter: u16, opcode: u16) -> Record {
    let packet = PACKETS.iter().find(|(number, ..)| *number == opcode);
    let mut record = match packet {
        Some((_, indicator, direction)) => raw.packet(*indicator, *direction),
        None if opcode == SYSTEM_NOTE => note(raw),
        None => raw.record(Kind::Monitor(opcode)),
    };
    record.adapter = (adapter != NO_ADAPTER).then_some(adapter);
    record
}

impl Record {
    /// A record of the Linux monitor channel as the kernel hands it out, `Monitor` of the transports has it so: opcode,
    /// index and length, 16 bits each, least significant octet first, and the data. `None` when that is cut off.
    ///
    /// ```
    /// use baretooth::capture::{Direction, Kind, Record, Timestamp};
    /// let octets = [2, 0, 1, 0, 3, 0, 3, 12, 0]; // Reset, to hci1
    /// let record = Record::from_monitor(Timestamp::UNIX_EPOCH, octets[..].into()).expect("it is whole");
    /// assert_eq!((record.kind, record.adapter), (Kind::Packet(Some(Direction::Sent)), Some(1)));
    /// assert_eq!(record.data[..], [1, 3, 12, 0]);
    /// ```
    pub fn from_monitor(time: Timestamp, octets: BytesMut) -> Option<Self> {
        let [o, p, a, b, l, m] = *octets.first_chunk()?;
        let original_length = u32::from(u16::from_le_bytes([l, m]));
        let raw = Raw { octets, start: HEADER, time, original_length };
        let is_whole = raw.payload().len() == usize::try_from(original_length).ok()?;
        is_whole.then(|| read(raw, u16::from_le_bytes([a, b]), u16::from_le_bytes([o, p])))
    }
}

/// Octets before the data.
const HEADER: usize = 6;

/// The text without the zero that ends it.
fn note(raw: Raw) -> Record {
    let mut record = raw.record(Kind::Note);
    if !record.is_cut() && record.data.last() == Some(&0) {
        record.data.truncate(record.data.len() - 1);
        record.original_length = record.data.len();
    }
    record
}

/// What of a record is written: the adapter's index, the opcode, the octets. None when there is no opcode for it.
pub(super) fn write<'a>(
    record: &'a Record,
    left_out: &mut Vec<LeftOut>,
) -> Option<(u16, u16, Cow<'a, [u8]>)> {
    let data = &record.data[..];
    let none = record.adapter.unwrap_or(NO_ADAPTER);
    match record.kind {
        Kind::Packet(_) => {
            let (opcode, octets) = numbered(PACKETS, record, left_out)?;
            Some((record.adapter.unwrap_or(0), opcode, Cow::Borrowed(octets)))
        }
        Kind::Note => Some((none, SYSTEM_NOTE, terminated(data))),
        Kind::Monitor(opcode) => Some((none, opcode, Cow::Borrowed(data))),
        Kind::PacketLogger(number) => {
            let text = super::packet_logger::text(number, data)?;
            left_out.push(LeftOut::Kind);
            Some((none, SYSTEM_NOTE, terminated(text)))
        }
        Kind::Serial(_) => None,
    }
}

/// Text as the channel has it: with a zero at its end.
fn terminated(text: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned([text, &[0]].concat())
}

/// The text of a log line, behind its priority and the name of the program, each without the zero that ends it.
pub(super) fn log_line(opcode: u16, data: &[u8]) -> Option<Vec<u8>> {
    let [_priority, length, rest @ ..] = data else { return None };
    let (program, message) = rest.split_at_checked(usize::from(*length))?;
    let text = |octets: &[u8]| octets.strip_suffix(&[0]).unwrap_or(octets).to_vec();
    (opcode == USER_LOGGING).then(|| [text(program), b": ".to_vec(), text(message)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_the_channel_is_as_long_as_it_says() {
        let octets = [3, 0, 0xFF, 0xFF, 2, 0, 0x10, 0];
        let read = |octets: &[u8]| Record::from_monitor(Timestamp::UNIX_EPOCH, octets.into());
        let record = read(&octets).expect("it is whole");
        assert_eq!((record.kind, record.adapter), (Kind::Packet(Some(Direction::Received)), None));
        assert_eq!(record.data[..], [EVENT, 0x10, 0]);
        assert!(!record.is_cut());
        for cut in 0..octets.len() {
            assert_eq!(read(&octets[..cut]), None, "{cut} octets");
        }
        assert_eq!(read(&[&octets[..], &[0]].concat()), None);
        assert_eq!(read(&[1, 0, 0, 0, 0, 0]).map(|record| record.kind), Some(Kind::Monitor(1)));
    }
}
