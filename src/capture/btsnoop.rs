//! btsnoop version 1, as BlueZ, Android and Wireshark write and read it.
//!
//! The file is a 16-octet header and records of 24 octets and their packet, all integers big-endian.

use super::source::Source;
use super::{Direction, Format, Kind, LeftOut, ReadError, Record, Timestamp};
use bytes::Buf;
use std::io::Read;

const MAGIC: &[u8; 8] = b"btsnoop\0";
const VERSION: u32 = 1;
const DATALINK_H4: u32 = 1002;

/// Microseconds from the year 0, which the format counts from, to 1970.
const EPOCH_MICROS: i64 = 0x00DC_DDB3_0F2F_8000;

/// No HCI packet is longer: five octets of header and a 16-bit length.
const LONGEST_PACKET: usize = 5 + 65_535;

/// Takes records off a source.
#[derive(Debug)]
pub(super) struct Decoder {
    format: Format,
}

impl Decoder {
    pub(super) fn new(source: &mut Source<impl Read>) -> Result<Self, ReadError> {
        let refused = |why: &str| Err(ReadError::NotHci(why.to_owned()));
        let Some(mut header) = source.take(16)? else {
            return refused("the file is too short for a capture");
        };
        if !header.starts_with(MAGIC) {
            return refused("this is no btsnoop file: it does not begin with \"btsnoop\"");
        }
        header.advance(MAGIC.len());
        match (header.get_u32(), header.get_u32()) {
            (VERSION, DATALINK_H4) => Ok(Self { format: Format::BTSNOOP }),
            (VERSION, datalink) => refused(&format!("btsnoop datalink {datalink} is not read; H4 (1002) is")),
            (version, _) => refused(&format!("btsnoop version {version} is unknown; version 1 is read")),
        }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn next(
        &mut self,
        source: &mut Source<impl Read>,
        number: u64,
    ) -> Result<Option<Record>, ReadError> {
        let Some(mut header) = source.take(24)? else { return Ok(None) };
        let (original, included, flags) = (header.get_u32(), header.get_u32(), header.get_u32());
        let _drops = header.get_u32();
        let time = Timestamp::from_micros(header.get_i64().saturating_sub(EPOCH_MICROS));
        let length = usize::try_from(included).unwrap_or(usize::MAX);
        if length > LONGEST_PACKET {
            return Err(ReadError::Record { number, cause: "it is longer than any HCI packet" });
        }
        let Some(data) = source.take(length)? else { return Ok(None) };
        let direction = if flags & 1 == 1 { Direction::Received } else { Direction::Sent };
        let mut record = Record::new(time, Kind::Packet(Some(direction)), data);
        record.original_length = usize::try_from(original).unwrap_or(usize::MAX).max(length);
        Ok(Some(record))
    }
}

/// Puts records into octets.
#[derive(Debug)]
pub(super) struct Encoder;

impl Encoder {
    pub(super) fn new(_format: Format, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&DATALINK_H4.to_be_bytes());
        Self
    }

    pub(super) fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> Vec<LeftOut> {
        let Kind::Packet(direction) = record.kind else { return vec![LeftOut::Record] };
        let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        let command_or_event = matches!(record.data.first(), Some(1 | 4));
        let flags = u32::from(direction == Some(Direction::Received)) | u32::from(command_or_event) << 1;
        out.extend_from_slice(&length(record.original_length));
        out.extend_from_slice(&length(record.data.len()));
        out.extend_from_slice(&flags.to_be_bytes());
        out.extend_from_slice(&0_u32.to_be_bytes());
        out.extend_from_slice(&record.time.micros().saturating_add(EPOCH_MICROS).to_be_bytes());
        out.extend_from_slice(&record.data);
        Vec::new()
    }
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

    #[test]
    fn other_files_are_refused_with_what_they_are() {
        let refused = |file: &[u8]| Reader::new(file).expect_err("no H4").to_string();
        assert!(refused(b"").contains("too short"));
        assert!(refused(b"btsnoop\0\0\0\0\x02\0\0\x03\xEA").contains("version 2"));
        assert!(refused(b"btsnoop\0\0\0\0\x01\0\0\x09\xD1").contains("2513"));
    }

    #[test]
    fn a_length_that_no_packet_has_allocates_nothing() {
        let mut file = written(&[]);
        file.extend([0xFF; 8]);
        file.extend([0; 16]);
        let error = Reader::new(&file[..]).expect("ours").read().expect_err("too long");
        assert!(error.to_string().contains("record 1"), "{error}");
    }
}
