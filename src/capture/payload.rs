//! From a container's payload to a record and back, for each [`Link`](super::Link) but the two with opcodes of their
//! own, which are in `monitor.rs` and `packet_logger.rs`.

use super::{Direction, Kind, LeftOut, Record, Timestamp};
use bytes::{Buf, BytesMut};

pub(super) const COMMAND: u8 = 1;
pub(super) const ACL: u8 = 2;
pub(super) const SCO: u8 = 3;
pub(super) const EVENT: u8 = 4;
pub(super) const ISO: u8 = 5;

/// No record holds more: an H4 indicator, a header of four octets and a 16-bit length of data.
pub(super) const LONGEST: usize = 5 + 65_535;

/// A record as it stands in a file.
pub(super) struct Raw {
    /// Its container's header, of at least one octet, and its payload.
    pub octets: BytesMut,
    /// Where the payload begins.
    pub start: usize,
    pub time: Timestamp,
    /// How long the payload was before it was cut, if the file is to be believed.
    pub original_length: u32,
}

impl Raw {
    pub(super) fn payload(&self) -> &[u8] {
        self.octets.get(self.start..).unwrap_or_default()
    }

    /// The payload is the data.
    pub(super) fn record(mut self, kind: Kind) -> Record {
        let length = self.payload().len();
        self.octets.advance(self.start.min(self.octets.len()));
        let data = self.octets.freeze();
        let original = usize::try_from(self.original_length).unwrap_or(usize::MAX);
        let cut = original.saturating_sub(length);
        Record { original_length: data.len().saturating_add(cut), ..Record::new(self.time, kind, data) }
    }

    /// The payload is a packet without its indicator, which takes the place of the octet before it: no copy is made.
    pub(super) fn packet(mut self, indicator: u8, direction: Direction) -> Record {
        self.start = self.start.saturating_sub(1);
        self.original_length = self.original_length.saturating_add(1);
        if let Some(before) = self.octets.get_mut(self.start) {
            *before = indicator;
        }
        self.record(Kind::Packet(Some(direction)))
    }

    /// The payload is a packet in H4 form. Where the file does not say which way it went, its type may.
    pub(super) fn h4(self, direction: Option<Direction>) -> Record {
        let direction = direction.or_else(|| implied(self.payload()));
        self.record(Kind::Packet(direction))
    }

    /// The payload begins with a header of four octets; none when it is too short for that.
    pub(super) fn header(&mut self) -> Option<[u8; 4]> {
        let header = *self.payload().first_chunk()?;
        self.start += 4;
        self.original_length = self.original_length.saturating_sub(4);
        Some(header)
    }
}

/// Which way a packet goes by its type alone: commands and events only ever go one way.
pub(super) fn implied(h4: &[u8]) -> Option<Direction> {
    match h4.first() {
        Some(&COMMAND) => Some(Direction::Sent),
        Some(&EVENT) => Some(Direction::Received),
        _ => None,
    }
}

/// The direction to be written where none can be left open.
pub(super) fn direction(record: &Record, left_out: &mut Vec<LeftOut>) -> Direction {
    record.direction().or_else(|| implied(&record.data)).unwrap_or_else(|| {
        left_out.push(LeftOut::Direction);
        Direction::Sent
    })
}

/// A packet for a format that has a number for each type and direction: that number, and the octets behind the
/// indicator. None when it has no number for such packets.
pub(super) fn numbered<'a, N: Copy>(
    numbers: &[(N, u8, Direction)],
    record: &'a Record,
    left_out: &mut Vec<LeftOut>,
) -> Option<(N, &'a [u8])> {
    let (indicator, octets) = record.data.split_first()?;
    let mut of_type = numbers.iter().filter(|(_, known, _)| known == indicator);
    let (any, _, _) = of_type.clone().next()?;
    let way = direction(record, left_out);
    let number = of_type.find(|(.., to)| *to == way).map_or_else(
        || {
            // It says that it went a way that packets of its type cannot go.
            left_out.push(LeftOut::Direction);
            *any
        },
        |(number, ..)| *number,
    );
    Some((number, octets))
}

/// Notes what a format without a place for directions loses.
pub(super) fn without_direction(record: &Record, left_out: &mut Vec<LeftOut>) {
    if record.direction() != implied(&record.data) {
        left_out.push(LeftOut::Direction);
    }
}

/// Seconds and nanoseconds for a format that counts from 1970 in 32 bits.
pub(super) fn seconds(time: Timestamp, left_out: &mut Vec<LeftOut>) -> (u32, u32) {
    if let Ok(seconds) = u32::try_from(time.seconds()) {
        return (seconds, time.subsec_nanos());
    }
    left_out.push(LeftOut::Time);
    if time < Timestamp::UNIX_EPOCH { (0, 0) } else { (u32::MAX, 999_999_999) }
}

/// A length as files have it.
pub(super) fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

/// How many octets of a record had been cut.
pub(super) fn cut(record: &Record) -> usize {
    record.original_length.saturating_sub(record.data.len())
}
