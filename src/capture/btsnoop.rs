//! btsnoop version 1 with H4 packets (datalink 1002), as BlueZ, Android and Wireshark write and read it.
//!
//! The file is a 16-octet header and records of 24 octets and their packet, all integers big-endian.

use super::{Direction, Record};
use crate::transports::{HciPacket, PacketIndicator};
use bytes::Bytes;
use std::io::{self, Read, Write};
use std::time::Duration;

const MAGIC: &[u8; 8] = b"btsnoop\0";
const VERSION: u32 = 1;
const DATALINK_H4: u32 = 1002;

/// Microseconds from the year 0, which the format counts from, to 1970.
const EPOCH_MICROS: u64 = 0x00DC_DDB3_0F2F_8000;

/// No HCI packet is longer: five octets of header and a 16-bit length.
const LONGEST_PACKET: usize = 5 + 65_535;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be read at all.
    #[error("reading the capture failed: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is no btsnoop file: it does not begin with \"btsnoop\"")]
    Magic,
    /// It is of a version that nobody has specified.
    #[error("btsnoop version {0} is unknown; version 1 is read")]
    Version(u32),
    /// Its packets are in another form.
    #[error("btsnoop datalink {0} is not read; H4 (1002) is")]
    Datalink(u32),
    /// A record holds no HCI packet.
    #[error("packet {number} of the capture cannot be used: {cause}")]
    Record {
        /// Which, counted from 1.
        number: u64,
        /// What is wrong with it.
        cause: &'static str,
    },
}

/// Writes records as they come; each is handed to the writer whole.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(mut to: W) -> io::Result<Self> {
        to.write_all(&[&MAGIC[..], &VERSION.to_be_bytes(), &DATALINK_H4.to_be_bytes()].concat())?;
        Ok(Self { to })
    }

    /// Appends one packet.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, time: Duration, direction: Direction, packet: &HciPacket) -> io::Result<()> {
        let length = u32::try_from(packet.len()).map_err(io::Error::other)?.to_be_bytes();
        let command_or_event =
            matches!(packet.indicator(), PacketIndicator::Command | PacketIndicator::Event);
        let flags = u32::from(direction == Direction::Received) | u32::from(command_or_event) << 1;
        let micros = EPOCH_MICROS.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let mut header = [0; 24];
        header[0..4].copy_from_slice(&length);
        header[4..8].copy_from_slice(&length);
        header[8..12].copy_from_slice(&flags.to_be_bytes());
        header[16..24].copy_from_slice(&micros.to_be_bytes());
        self.to.write_all(&header)?;
        self.to.write_all(packet.as_slice())
    }

    /// Hands what is buffered to the file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Reads records one by one, in constant memory.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    number: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When this is no btsnoop file of H4 packets.
    pub fn new(mut from: R) -> Result<Self, ReadError> {
        let mut header = [0; 16];
        read_up_to(&mut from, &mut header)?;
        let [magic @ .., v0, v1, v2, v3, d0, d1, d2, d3] = header;
        if magic != *MAGIC {
            return Err(ReadError::Magic);
        }
        match (u32::from_be_bytes([v0, v1, v2, v3]), u32::from_be_bytes([d0, d1, d2, d3])) {
            (VERSION, DATALINK_H4) => Ok(Self { from, number: 0 }),
            (VERSION, datalink) => Err(ReadError::Datalink(datalink)),
            (version, _) => Err(ReadError::Version(version)),
        }
    }

    /// The next record; `None` at the end, and at a last record that was cut off.
    ///
    /// # Errors
    /// When a record holds no HCI packet, or the file cannot be read.
    pub fn read(&mut self) -> Result<Option<Record>, ReadError> {
        let mut header = [0; 24];
        if read_up_to(&mut self.from, &mut header)? < header.len() {
            return Ok(None);
        }
        self.number += 1;
        let unusable = |cause| ReadError::Record { number: self.number, cause };
        let word =
            |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
        let included = usize::try_from(word(4)).unwrap_or(usize::MAX);
        if included > LONGEST_PACKET {
            return Err(unusable("it is longer than any HCI packet"));
        }
        if word(0) != word(4) {
            return Err(unusable("it was cut when it was captured"));
        }
        let mut octets = vec![0; included];
        if read_up_to(&mut self.from, &mut octets)? < included {
            return Ok(None);
        }
        let micros = u64::from(word(16)) << 32 | u64::from(word(20));
        Ok(Some(Record {
            time: Duration::from_micros(micros.saturating_sub(EPOCH_MICROS)),
            direction: if word(8) & 1 == 1 { Direction::Received } else { Direction::Sent },
            packet: HciPacket::new(Bytes::from(octets)).map_err(|_| unusable("it is no HCI packet"))?,
        }))
    }
}

/// Reads until the buffer is full or the file ends; how much came.
fn read_up_to(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match from.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(packets: &[(u64, Direction, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).expect("memory");
        for (micros, direction, octets) in packets {
            let packet = HciPacket::new(octets.to_vec()).expect("whole");
            writer.write(Duration::from_micros(*micros), *direction, &packet).expect("memory");
        }
        writer.to
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
            assert_eq!(record.time, Duration::from_micros(micros));
            assert_eq!((record.direction, record.packet.as_slice()), (direction, octets));
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
        assert!(matches!(
            Reader::new(&b"\xd4\xc3\xb2\xa1\0\0\0\0\0\0\0\0\0\0\0\0"[..]),
            Err(ReadError::Magic)
        ));
        assert!(matches!(Reader::new(&b""[..]), Err(ReadError::Magic)));
        assert!(matches!(Reader::new(&b"btsnoop\0\0\0\0\x02\0\0\x03\xEA"[..]), Err(ReadError::Version(2))));
        assert!(matches!(
            Reader::new(&b"btsnoop\0\0\0\0\x01\0\0\x07\xD1"[..]),
            Err(ReadError::Datalink(2001))
        ));
    }

    #[test]
    fn a_length_that_no_packet_has_allocates_nothing() {
        let mut file = written(&[]);
        file.extend([0xFF; 8]);
        file.extend([0; 16]);
        let error = Reader::new(&file[..]).expect("ours").read().expect_err("too long");
        assert!(error.to_string().contains("packet 1"), "{error}");
    }
}
