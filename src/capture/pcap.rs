//! The classic format of libpcap: a header of 24 octets, then records of 16 octets and their payload, in the byte order
//! of whoever wrote it, with micro- or nanoseconds. Also what its link types are, which pcapng shares.

use super::integers::Integers;
use super::payload::{LONGEST, Raw, cut, direction, length, seconds, without_direction};
use super::reader::{ReadError, Tally, Trouble};
use super::source::Source;
use super::{Container, Direction, Format, Kind, LeftOut, Link, Record, Timestamp, identify, monitor};
use pcap_file::pcap::PcapHeader;
use pcap_file::{DataLink, Endianness, TsResolution};
use std::io::Read;

pub(super) const MAGICS: [[u8; 4]; 4] =
    [[0xA1, 0xB2, 0xC3, 0xD4], [0xD4, 0xC3, 0xB2, 0xA1], [0xA1, 0xB2, 0x3C, 0x4D], [0x4D, 0x3C, 0xB2, 0xA1]];

const FILE_HEADER: usize = 24;
const HEADER: usize = 16;

/// The longest payload: four octets of direction, or of adapter and opcode, before a packet.
pub(super) const LONGEST_PAYLOAD: usize = 4 + LONGEST;

const LINKS: &[(u32, Link)] = &[(187, Link::H4), (201, Link::H4WithDirection), (254, Link::Monitor)];

/// Of pcap's 32 bits of link type, those that are its number.
const LINK_TYPE: u32 = 0xFFFF;

pub(super) fn link(number: u32) -> Option<Link> {
    LINKS.iter().find(|(known, _)| *known == number).map(|(_, link)| *link)
}

pub(super) fn data_link(link: Link) -> DataLink {
    LINKS.iter().find(|(_, known)| *known == link).map_or(0, |(number, _)| *number).into()
}

/// The record that a payload is; none when it is cut within its own header.
pub(super) fn record(link: Link, mut raw: Raw, direction: Option<Direction>) -> Option<Record> {
    if link == Link::H4 {
        return Some(raw.h4(direction));
    }
    let [a, b, c, d] = raw.header()?;
    Some(if link == Link::Monitor {
        monitor::read(raw, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
    } else {
        raw.h4(Some(if d & 1 == 0 { Direction::Sent } else { Direction::Received }))
    })
}

/// The payload that a record is.
pub(super) fn payload(
    link: Link,
    record: &Record,
    left_out: &mut Vec<LeftOut>,
    out: &mut Vec<u8>,
) -> Option<()> {
    out.clear();
    if link == Link::Monitor {
        let (adapter, opcode, octets) = monitor::write(record, left_out)?;
        out.extend(adapter.to_be_bytes());
        out.extend(opcode.to_be_bytes());
        out.extend_from_slice(&octets);
        return Some(());
    }
    let Kind::Packet(_) = record.kind else { return None };
    if link == Link::H4WithDirection {
        let received = direction(record, left_out) == Direction::Received;
        out.extend(u32::from(received).to_be_bytes());
    }
    out.extend_from_slice(&record.data);
    Some(())
}

#[derive(Debug)]
pub(super) struct Decoder {
    format: Format,
}

impl Decoder {
    /// Of a file that begins with one of [`MAGICS`].
    pub(super) fn new(source: &mut Source<impl Read>) -> Result<Self, ReadError> {
        let refused = |why: String| Err(ReadError::NotHci(why));
        let Ok((_, header)) = PcapHeader::from_slice(source.peek(FILE_HEADER)?) else {
            return refused(identify::sentence(source.peek(4)?));
        };
        source.take(FILE_HEADER)?;
        if header.version_major != 2 {
            return refused(format!("this is pcap version {}; version 2 is read", header.version_major));
        }
        let number = u32::from(header.datalink) & LINK_TYPE;
        let Some(link) = link(number) else {
            return refused(format!("this is a pcap file of {}", identify::link_type(number)));
        };
        Ok(Self {
            format: Format {
                container: Container::Pcap,
                link,
                big_endian: header.endianness == Endianness::Big,
                nanoseconds: header.ts_resolution == TsResolution::NanoSecond,
            },
        })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    // The parser of pcap-file takes a record's length at its word and wants all of it at once.
    pub(super) fn next(
        &mut self,
        source: &mut Source<impl Read>,
        tally: &mut Tally,
    ) -> Result<Option<Record>, Trouble> {
        loop {
            let mut fields = Integers::new(source.peek(HEADER)?, self.format.big_endian);
            let (Some(seconds), Some(fraction), Some(included), Some(original_length)) =
                (fields.u32(), fields.u32(), fields.u32(), fields.u32())
            else {
                return Ok(None);
            };
            let included = usize::try_from(included).unwrap_or(usize::MAX);
            if included > LONGEST_PAYLOAD {
                return Err(Trouble::Record("it is longer than any HCI packet"));
            }
            let Some(octets) = source.take(HEADER + included)? else { return Ok(None) };
            let time = if self.format.nanoseconds {
                Timestamp::new(i64::from(seconds), fraction)
            } else {
                Timestamp::with_micros(seconds, fraction)
            };
            let raw = Raw { octets, start: HEADER, time, original_length };
            match record(self.format.link, raw, None) {
                Some(record) => return Ok(Some(record)),
                None => tally.skipped += 1,
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Encoder {
    format: Format,
    payload: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(format: Format, out: &mut Vec<u8>) -> Self {
        let header = PcapHeader {
            // As tcpdump has it; no record is that long.
            snaplen: 262_144,
            datalink: data_link(format.link),
            ts_resolution: if format.nanoseconds {
                TsResolution::NanoSecond
            } else {
                TsResolution::MicroSecond
            },
            endianness: if format.big_endian { Endianness::Big } else { Endianness::Little },
            ..PcapHeader::default()
        };
        header.write_to(out).expect("a vector takes everything");
        Self { format, payload: Vec::new() }
    }

    pub(super) fn record(
        &mut self,
        record: &Record,
        left_out: &mut Vec<LeftOut>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        payload(self.format.link, record, left_out, &mut self.payload)?;
        if self.format.link == Link::H4 {
            without_direction(record, left_out);
        }
        let (seconds, nanos) = seconds(record.time, left_out);
        let fraction = if self.format.nanoseconds { nanos } else { nanos / 1_000 };
        let original = length(self.payload.len().saturating_add(cut(record)));
        for field in [seconds, fraction, length(self.payload.len()), original] {
            out.extend(if self.format.big_endian { field.to_be_bytes() } else { field.to_le_bytes() });
        }
        out.extend_from_slice(&self.payload);
        Some(())
    }
}
