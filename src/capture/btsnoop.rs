//! btsnoop version 1, as BlueZ, Android, Symbian and Wireshark write and read it.
//!
//! The file is a header of 16 octets, then records of 24 octets and their payload; all integers are big-endian.

use super::integers::Integers;
use super::payload::{ACL, COMMAND, EVENT, LONGEST, Raw, cut, direction, implied, length};
use super::reader::{ReadError, Tally, Trouble};
use super::source::Source;
use super::{Direction, Format, Kind, LeftOut, Link, Record, Timestamp, monitor};
use std::io::Read;

pub(super) const MAGIC: &[u8; 8] = b"btsnoop\0";
const VERSION: u32 = 1;
const DATALINKS: &[(u32, Link)] =
    &[(1001, Link::H1), (1002, Link::H4), (1003, Link::Bcsp), (1004, Link::ThreeWire), (2001, Link::Monitor)];

const FILE_HEADER: usize = 16;
const HEADER: usize = 24;

/// Flags of a record: from the controller; a command or an event.
const RECEIVED: u32 = 1;
const COMMAND_OR_EVENT: u32 = 2;

/// Microseconds from the year 0, which the format counts from, to 1970.
const EPOCH_MICROS: i64 = 0x00DC_DDB3_0F2F_8000;

#[derive(Debug)]
pub(super) struct Decoder {
    link: Link,
}

impl Decoder {
    /// Of a file that begins with [`MAGIC`].
    pub(super) fn new(source: &mut Source<impl Read>) -> Result<Self, ReadError> {
        let refused = |why: String| Err(ReadError::NotHci(why));
        let header = source.take(FILE_HEADER)?.unwrap_or_default();
        let mut fields = Integers::new(header.get(MAGIC.len()..).unwrap_or_default(), true);
        let (Some(version), Some(datalink)) = (fields.u32(), fields.u32()) else {
            return refused(super::identify::sentence(MAGIC));
        };
        if version != VERSION {
            return refused(format!("this is btsnoop version {version}; version {VERSION} is read"));
        }
        match DATALINKS.iter().find(|(number, _)| *number == datalink) {
            Some((_, link)) => Ok(Self { link: *link }),
            None => refused(format!(
                "this is a btsnoop file of datalink {datalink}, whose records are unknown; \
                 1001 to 1004 and 2001 are read"
            )),
        }
    }

    pub(super) fn format(&self) -> Format {
        Format { link: self.link, ..Format::BTSNOOP }
    }

    pub(super) fn next(
        &mut self,
        source: &mut Source<impl Read>,
        tally: &mut Tally,
    ) -> Result<Option<Record>, Trouble> {
        let Some(header) = source.peek(HEADER)?.first_chunk::<HEADER>() else { return Ok(None) };
        let mut fields = Integers::new(header, true);
        let mut next = || fields.u32().unwrap_or_default();
        let (original_length, included, flags, drops) = (next(), next(), next(), next());
        let micros = fields.u64().unwrap_or_default().cast_signed();
        let included = usize::try_from(included).unwrap_or(usize::MAX);
        if included > LONGEST {
            return Err(Trouble::Record("it is longer than any HCI packet"));
        }
        let Some(octets) = source.take(HEADER + included)? else { return Ok(None) };
        tally.dropped = u64::from(drops);
        let time = Timestamp::from_micros(micros.saturating_sub(EPOCH_MICROS));
        let raw = Raw { octets, start: HEADER, time, original_length };
        let direction = if flags & RECEIVED == 0 { Direction::Sent } else { Direction::Received };
        Ok(Some(match self.link {
            Link::H1 => raw.packet(indicator(flags, direction), direction),
            Link::Bcsp | Link::ThreeWire => raw.record(Kind::Serial(direction)),
            // Adapter and opcode stand where other datalinks have flags.
            Link::Monitor => {
                let [a, b, c, d] = flags.to_be_bytes();
                monitor::read(raw, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
            }
            _ => raw.h4(Some(direction)),
        }))
    }
}

/// The type of a packet of H1. Its flags tell synchronous data from ACL data no more than they tell isochronous.
fn indicator(flags: u32, direction: Direction) -> u8 {
    match direction {
        _ if flags & COMMAND_OR_EVENT == 0 => ACL,
        Direction::Sent => COMMAND,
        Direction::Received => EVENT,
    }
}

#[derive(Debug)]
pub(super) struct Encoder {
    link: Link,
}

impl Encoder {
    pub(super) fn new(format: Format, out: &mut Vec<u8>) -> Self {
        let datalink =
            DATALINKS.iter().find(|(_, link)| *link == format.link).map_or(0, |(number, _)| *number);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&datalink.to_be_bytes());
        Self { link: format.link }
    }

    pub(super) fn record(
        &mut self,
        record: &Record,
        left_out: &mut Vec<LeftOut>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        if self.link == Link::Monitor {
            let (adapter, opcode, octets) = monitor::write(record, left_out)?;
            append(record, u32::from(adapter) << 16 | u32::from(opcode), &octets, left_out, out);
            return Some(());
        }
        let Kind::Packet(_) = record.kind else { return None };
        let octets = if self.link == Link::H1 { record.data.get(1..)? } else { &record.data };
        let mut way = direction(record, left_out);
        if self.link == Link::H1 {
            // The direction is what tells a command from an event.
            let implied = implied(&record.data).unwrap_or(way);
            if implied != way {
                left_out.push(LeftOut::Direction);
            }
            way = implied;
        }
        let received = if way == Direction::Received { RECEIVED } else { 0 };
        let flags = match record.data.first() {
            Some(&(COMMAND | EVENT)) => received | COMMAND_OR_EVENT,
            _ => received,
        };
        if self.link == Link::H1 && record.data.first() != Some(&indicator(flags, way)) {
            return None;
        }
        append(record, flags, octets, left_out, out);
        Some(())
    }
}

fn append(record: &Record, flags: u32, payload: &[u8], left_out: &mut Vec<LeftOut>, out: &mut Vec<u8>) {
    let original = length(payload.len().saturating_add(cut(record)));
    for field in [original, length(payload.len()), flags, 0] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    let micros = record.time.micros().saturating_add(EPOCH_MICROS);
    let kept = Timestamp::from_micros(micros.saturating_sub(EPOCH_MICROS));
    if kept.seconds() != record.time.seconds() || kept.micros() != record.time.micros() {
        left_out.push(LeftOut::Time);
    }
    out.extend_from_slice(&micros.to_be_bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::super::{Reader, Writer};
    use super::*;
    use crate::transports::HciPacket;

    fn written(packets: &[(i64, Direction, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), Format::BTSNOOP).expect("memory");
        for (micros, direction, octets) in packets {
            let packet = HciPacket::new(octets.to_vec()).expect("whole");
            writer.packet(Timestamp::from_micros(*micros), *direction, &packet).expect("memory");
        }
        writer.into_inner().expect("memory")
    }

    #[test]
    fn what_is_written_is_read() {
        let packets = [
            (5, Direction::Sent, &[1u8, 3, 12, 0][..]),
            (1_700_000_000_123_456, Direction::Received, &[4, 0x0E, 1, 0]),
        ];
        let file = written(&packets);
        let mut reader = Reader::new(&file[..]).expect("ours");
        for (micros, direction, octets) in packets {
            let record = reader.read().expect("ours").expect("there");
            assert_eq!(record.time, Timestamp::from_micros(micros));
            assert_eq!((record.direction(), &record.data[..]), (Some(direction), octets));
        }
        assert_eq!(reader.read().expect("the end"), None);
    }

    #[test]
    fn the_octets_are_those_of_the_format() {
        let file = written(&[(0, Direction::Received, &[4, 0x0E, 0])]);
        assert_eq!(file[..16], *b"btsnoop\0\0\0\0\x01\0\0\x03\xEA");
        assert_eq!(file[16..28], [0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 3]);
        assert_eq!(file[32..40], 0x00DC_DDB3_0F2F_8000_u64.to_be_bytes());
    }

    #[test]
    fn a_last_record_cut_off_is_the_end_and_no_error() {
        let file = written(&[(0, Direction::Sent, &[1, 3, 12, 0]), (1, Direction::Sent, &[1, 3, 12, 0])]);
        for cut in 1..28 {
            let mut reader = Reader::new(&file[..file.len() - cut]).expect("ours");
            assert!(reader.read().expect("ours").is_some());
            assert_eq!(reader.read().expect("cut"), None);
        }
    }
}
