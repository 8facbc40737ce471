//! Apple's PacketLogger (`.pklg`): records without a header before them, in the byte order of the Mac that wrote them.
//!
//! A record is its length (of what follows that), seconds, microseconds, one octet of type, and data. The file has no
//! mark of its own: it is known by a length, a time and a type that make sense, five times over.

use super::integers::Integers;
use super::monitor;
use super::payload::{ACL, COMMAND, EVENT, ISO, LONGEST, Raw, SCO, length, numbered, seconds};
use super::reader::{Tally, Trouble};
use super::source::Source;
use super::{Direction, Format, Kind, LeftOut, Record, Timestamp};
use std::borrow::Cow;
use std::io::{self, Read};

/// Types that are packets: their indicator and direction.
const PACKETS: &[(u8, u8, Direction)] = &[
    (0x00, COMMAND, Direction::Sent),
    (0x01, EVENT, Direction::Received),
    (0x02, ACL, Direction::Sent),
    (0x03, ACL, Direction::Received),
    (0x08, SCO, Direction::Sent),
    (0x09, SCO, Direction::Received),
    // BTstack's, not Apple's.
    (0x0C, ISO, Direction::Sent),
    (0x0D, ISO, Direction::Received),
];
const LMP_SENT: u8 = 0x0A;
const LMP_RECEIVED: u8 = 0x0B;
/// From here on it is about the Mac. A line of the system's log is a structure; the others are text.
const SYSLOG: u8 = 0xF7;
const KERNEL: u8 = 0xF8;
const NOTE: u8 = 0xFC;
const NEW_CONTROLLER: u8 = 0xFE;

/// Length, seconds and microseconds.
const HEADER: usize = 12;
/// What of that the length counts.
const COUNTED: usize = 8;

/// So many records have to make sense.
const EVIDENCE: usize = 5;

/// Which byte order the records are in, when the first ones of the file make sense in one. Where they do in both, as a
/// length of 256 does that is one of 65,536 in the other, it is the one in which no record is cut off.
pub(super) fn big_endian(source: &mut Source<impl Read>) -> io::Result<Option<bool>> {
    let (big, little) = (sense(source, true)?, sense(source, false)?);
    Ok(match (big, little) {
        (Sense::None, Sense::None) => None,
        (Sense::Cut, Sense::Whole) | (Sense::None, _) => Some(false),
        _ => Some(true),
    })
}

/// What the first records of a file make in one byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    None,
    /// Sense, but the file ends in the middle of one.
    Cut,
    Whole,
}

fn sense(source: &mut Source<impl Read>, big_endian: bool) -> io::Result<Sense> {
    let mut start = 0;
    for number in 0..EVIDENCE {
        let Some(rest) = source.peek(start + HEADER + 1)?.get(start..) else { return Ok(Sense::Cut) };
        let mut fields = Integers::new(rest, big_endian);
        let (Some(length), Some(_), Some(micros)) = (fields.u32(), fields.u32(), fields.u32()) else {
            return Ok(match (number, rest) {
                (0, _) => Sense::None,
                (_, []) => Sense::Whole,
                _ => Sense::Cut,
            });
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let is_type = length == COUNTED || fields.rest().first().is_none_or(|number| is_type(*number));
        if !(COUNTED..=COUNTED + 1 + LONGEST).contains(&length) || micros >= 1_000_000 || !is_type {
            return Ok(Sense::None);
        }
        start += HEADER - COUNTED + length;
    }
    Ok(Sense::Whole)
}

fn is_type(number: u8) -> bool {
    let packet = PACKETS.iter().any(|(known, ..)| *known == number);
    packet || matches!(number, LMP_SENT | LMP_RECEIVED | SYSLOG..=NEW_CONTROLLER)
}

#[derive(Debug)]
pub(super) struct Decoder {
    big_endian: bool,
}

impl Decoder {
    pub(super) fn new(big_endian: bool) -> Self {
        Self { big_endian }
    }

    pub(super) fn format(&self) -> Format {
        Format { big_endian: self.big_endian, ..Format::PACKET_LOGGER }
    }

    pub(super) fn next(
        &mut self,
        source: &mut Source<impl Read>,
        tally: &mut Tally,
    ) -> Result<Option<Record>, Trouble> {
        loop {
            let mut fields = Integers::new(source.peek(HEADER)?, self.big_endian);
            let (Some(length), Some(seconds), Some(micros)) = (fields.u32(), fields.u32(), fields.u32())
            else {
                return Ok(None);
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length < COUNTED {
                return Err(Trouble::Record("its length leaves no room for its time"));
            }
            if length > COUNTED + 1 + LONGEST {
                return Err(Trouble::Record("it is longer than any HCI packet"));
            }
            let Some(octets) = source.take(HEADER - COUNTED + length)? else { return Ok(None) };
            let Some(number) = octets.get(HEADER).copied() else {
                tally.skipped += 1;
                continue;
            };
            let start = HEADER + 1;
            let time = Timestamp::with_micros(seconds, micros);
            let raw = Raw { original_length: 0, octets, start, time };
            let packet = PACKETS.iter().find(|(known, ..)| *known == number);
            return Ok(Some(match packet {
                Some((_, indicator, direction)) => raw.packet(*indicator, *direction),
                None if number == NOTE => raw.record(Kind::Note),
                None => raw.record(Kind::PacketLogger(number)),
            }));
        }
    }
}

#[derive(Debug)]
pub(super) struct Encoder {
    big_endian: bool,
}

impl Encoder {
    pub(super) fn new(format: Format) -> Self {
        Self { big_endian: format.big_endian }
    }

    pub(super) fn record(
        &mut self,
        record: &Record,
        left_out: &mut Vec<LeftOut>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let (number, octets) = payload(record, left_out)?;
        let (seconds, nanos) = seconds(record.time, left_out);
        for field in [length(octets.len() + COUNTED + 1), seconds, nanos / 1_000] {
            out.extend(if self.big_endian { field.to_be_bytes() } else { field.to_le_bytes() });
        }
        out.push(number);
        out.extend_from_slice(&octets);
        Some(())
    }
}

fn payload<'a>(record: &'a Record, left_out: &mut Vec<LeftOut>) -> Option<(u8, Cow<'a, [u8]>)> {
    let data = &record.data[..];
    match record.kind {
        Kind::Packet(_) => {
            let (number, octets) = numbered(PACKETS, record, left_out)?;
            Some((number, Cow::Borrowed(octets)))
        }
        Kind::Note => Some((NOTE, Cow::Borrowed(data))),
        Kind::PacketLogger(number) => Some((number, Cow::Borrowed(data))),
        Kind::Monitor(opcode) => {
            let line = monitor::log_line(opcode, data)?;
            left_out.push(LeftOut::Kind);
            Some((NOTE, Cow::Owned(line)))
        }
        Kind::Serial(_) => None,
    }
}

/// What a record of another type than a packet says, when it is text.
pub(super) fn text(number: u8, data: &[u8]) -> Option<&[u8]> {
    (KERNEL..=NEW_CONTROLLER).contains(&number).then_some(data)
}
