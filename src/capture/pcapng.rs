//! pcapng: blocks, of which the first of each section tells the byte order, and others describe the interfaces that the
//! packets of the section came from.
//!
//! pcap-file writes the blocks ([`Encoder`]). It does not read them: version 2.0.0 takes times for nanoseconds whatever the interface
//! says, refuses files for options nobody needs here (`if_tzone`, text that is not UTF-8), and wants a block to be in
//! memory before it looks at its length.

mod encoder;

pub(super) use encoder::Encoder;

use super::integers::Integers;
use super::payload::{Raw, length};
use super::pcap::{self, LONGEST_PAYLOAD};
use super::reader::{ReadError, Tally, Trouble};
use super::source::Source;
use super::{Container, Direction, Format, Link, Record, Timestamp, identify};
use std::io::Read;

pub(super) const MAGIC: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type and length before a block's body, and the length once more behind it.
const BEFORE: usize = 8;
const BEHIND: usize = 4;

/// The longest block that is looked into: a packet with many comments.
const LONGEST_BLOCK: u32 = 1 << 20;
/// So many interfaces no section has; more would be a file that wants memory.
const MOST_INTERFACES: usize = 4096;

/// An interface of the section that is being read.
#[derive(Debug)]
struct Interface {
    link_type: u32,
    /// None for one of something else than HCI.
    link: Option<Link>,
    snap_length: u32,
    resolution: Resolution,
    /// Seconds to be added to its times.
    offset: i64,
    adapter: Option<u16>,
}

#[derive(Debug)]
pub(super) struct Decoder {
    format: Format,
    /// Of the section that is being read.
    big_endian: bool,
    interfaces: Vec<Interface>,
}

/// A block that matters, without the lengths around it.
enum Block {
    Section,
    Interface,
    Record(Record),
    /// A packet of an interface that has no HCI.
    Other,
}

impl Decoder {
    /// Of a file that begins with [`MAGIC`]: reads to the first interface of HCI. Interfaces may be described as late as
    /// before their first packet.
    pub(super) fn new(source: &mut Source<impl Read>, tally: &mut Tally) -> Result<Self, ReadError> {
        let format = Format { nanoseconds: false, ..Format::PCAPNG };
        let mut decoder = Self { format, big_endian: false, interfaces: Vec::new() };
        let mut other = None;
        loop {
            let block = decoder.block(source, tally).map_err(|trouble| match trouble {
                Trouble::Io(error) => ReadError::Io(error),
                Trouble::Record(cause) => ReadError::NotHci(format!("this is a pcapng file, but {cause}")),
            })?;
            match block {
                Some(Block::Interface) => {
                    let Some(interface) = decoder.interfaces.last() else { continue };
                    if let Some(link) = interface.link {
                        let nanoseconds = interface.resolution.is_finer_than_micros();
                        let big_endian = decoder.big_endian;
                        decoder.format =
                            Format { container: Container::PcapNg, link, big_endian, nanoseconds };
                        return Ok(decoder);
                    }
                    other = other.or(Some(interface.link_type));
                }
                Some(Block::Section) => {}
                Some(Block::Other | Block::Record(_)) => tally.skipped += 1,
                None => {
                    return Err(ReadError::NotHci(match other {
                        Some(number) => format!("this is a pcapng file of {}", identify::link_type(number)),
                        None => {
                            "this is a pcapng file without any interface, and so without a packet".to_owned()
                        }
                    }));
                }
            }
        }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn next(
        &mut self,
        source: &mut Source<impl Read>,
        tally: &mut Tally,
    ) -> Result<Option<Record>, Trouble> {
        loop {
            match self.block(source, tally)? {
                Some(Block::Record(record)) => return Ok(Some(record)),
                Some(Block::Other) => tally.skipped += 1,
                Some(Block::Section | Block::Interface) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next block that matters; none at the end of the file.
    fn block(&mut self, source: &mut Source<impl Read>, tally: &mut Tally) -> Result<Option<Block>, Trouble> {
        loop {
            let head = source.peek(BEFORE + 4)?;
            let is_section = head.starts_with(&MAGIC);
            let big_endian = match head.get(BEFORE..BEFORE + 4) {
                None => return Ok(None),
                Some([0x1A, 0x2B, 0x3C, 0x4D]) if is_section => true,
                Some([0x4D, 0x3C, 0x2B, 0x1A]) if is_section => false,
                Some(_) if is_section => return Err(Trouble::Record("a section tells no byte order")),
                Some(_) => self.big_endian,
            };
            let mut fields = Integers::new(head, big_endian);
            let (kind, total) = (fields.u32().unwrap_or_default(), fields.u32().unwrap_or_default());
            if total < 12 || !total.is_multiple_of(4) {
                return Err(Trouble::Record("the length of a block is no multiple of 4, or less than 12"));
            }
            let known = matches!(
                kind,
                SECTION_HEADER | INTERFACE_DESCRIPTION | PACKET | SIMPLE_PACKET | ENHANCED_PACKET
            );
            if !known {
                if !source.pass(u64::from(total) - BEHIND as u64)? {
                    return Ok(None);
                }
                let Some(behind) = source.take(BEHIND)? else { return Ok(None) };
                same_length(total, &behind, big_endian)?;
                continue;
            }
            if total > LONGEST_BLOCK {
                return Err(Trouble::Record("it is longer than any HCI packet"));
            }
            let whole = usize::try_from(total).unwrap_or(usize::MAX);
            let Some(mut octets) = source.take(whole)? else { return Ok(None) };
            same_length(total, &octets[whole - BEHIND..], big_endian)?;
            octets.truncate(whole - BEHIND);
            let body = Integers::new(&octets[BEFORE..], big_endian);
            return match kind {
                SECTION_HEADER => self.section(body, big_endian).map(Some),
                INTERFACE_DESCRIPTION => self.interface(body).map(Some),
                _ => self.packet(kind, octets, tally).map(Some),
            };
        }
    }

    fn section(&mut self, mut body: Integers, big_endian: bool) -> Result<Block, Trouble> {
        body.u32();
        match body.u16() {
            Some(1) => {}
            Some(_) => return Err(Trouble::Record("a section is of another version than 1")),
            None => return Err(Trouble::Record("a section's header is too short")),
        }
        self.big_endian = big_endian;
        self.interfaces.clear();
        Ok(Block::Section)
    }

    fn interface(&mut self, mut body: Integers) -> Result<Block, Trouble> {
        let (Some(link_type), Some(_reserved), Some(snap_length)) = (body.u16(), body.u16(), body.u32())
        else {
            return Err(Trouble::Record("the description of an interface is too short"));
        };
        let link_type = u32::from(link_type);
        let mut interface = Interface {
            link_type,
            link: pcap::link(link_type),
            snap_length,
            resolution: Resolution::MICROS,
            offset: 0,
            adapter: None,
        };
        let mut name = None;
        for option in options(body) {
            let (code, value) = option?;
            match (code, value.rest()) {
                (IF_NAME, text) => name = Some(text),
                (IF_TSRESOL, [resolution, ..]) => interface.resolution = Resolution::new(*resolution),
                (IF_TSOFFSET, _) => {
                    let mut value = value;
                    interface.offset = value.u64().unwrap_or_default().cast_signed();
                }
                _ => {}
            }
        }
        interface.adapter = match name {
            Some(name) => adapter_of(name),
            // Several without a name are several adapters.
            None => u16::try_from(self.interfaces.len()).ok().filter(|number| *number > 0),
        };
        if self.interfaces.len() == MOST_INTERFACES {
            return Err(Trouble::Record("its section has more than 4096 interfaces"));
        }
        self.interfaces.push(interface);
        Ok(Block::Interface)
    }

    fn packet(&self, kind: u32, octets: bytes::BytesMut, tally: &mut Tally) -> Result<Block, Trouble> {
        let mut body = Integers::new(&octets[BEFORE..], self.big_endian);
        let Some(head) = Head::read(kind, &mut body) else {
            return Err(Trouble::Record("a packet's block is too short"));
        };
        let interface = usize::try_from(head.interface).ok().and_then(|number| self.interfaces.get(number));
        let Some(interface) = interface else {
            return Err(Trouble::Record("it is of an interface that its section does not describe"));
        };
        let start = octets.len() - body.rest().len();
        let included = head.included.unwrap_or_else(|| {
            // A simple block has no length of its own, and padding behind its data.
            let limit = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
            head.original_length.min(limit).min(length(octets.len() - start))
        });
        let included = usize::try_from(included).unwrap_or(usize::MAX);
        if included > octets.len() - start {
            return Err(Trouble::Record("its data reach past its block"));
        }
        if included > LONGEST_PAYLOAD {
            return Err(Trouble::Record("it is longer than any HCI packet"));
        }
        let Some(link) = interface.link else { return Ok(Block::Other) };
        let (mut direction, mut comments) = (None, Vec::new());
        body.take(included.next_multiple_of(4));
        for option in options(body) {
            let (code, mut value) = option?;
            match code {
                COMMENT => comments.push(String::from_utf8_lossy(value.rest()).into_owned()),
                EPB_FLAGS => direction = value.u32().and_then(flagged),
                EPB_DROPCOUNT => {
                    tally.dropped = tally.dropped.saturating_add(value.u64().unwrap_or_default())
                }
                _ => {}
            }
        }
        let time = interface.resolution.time(head.ticks, interface.offset);
        let (adapter, original_length) = (interface.adapter, head.original_length);
        let mut octets = octets;
        octets.truncate(start + included);
        let record = pcap::record(link, Raw { octets, start, time, original_length }, direction);
        Ok(record.map_or(Block::Other, |mut record| {
            if link != Link::Monitor {
                record.adapter = adapter;
            }
            record.comments = comments;
            Block::Record(record)
        }))
    }
}

fn same_length(total: u32, behind: &[u8], big_endian: bool) -> Result<(), Trouble> {
    let same = Integers::new(behind, big_endian).u32() == Some(total);
    same.then_some(()).ok_or(Trouble::Record("the lengths before and behind a block differ"))
}

/// What stands before the data of a packet's block.
struct Head {
    interface: u32,
    ticks: u64,
    included: Option<u32>,
    original_length: u32,
}

impl Head {
    fn read(kind: u32, body: &mut Integers) -> Option<Self> {
        if kind == SIMPLE_PACKET {
            return Some(Self { interface: 0, ticks: 0, included: None, original_length: body.u32()? });
        }
        let interface = if kind == PACKET {
            let interface = body.u16()?;
            let _drops = body.u16()?;
            u32::from(interface)
        } else {
            body.u32()?
        };
        // Two integers, the upper half first in either byte order.
        let ticks = u64::from(body.u32()?) << 32 | u64::from(body.u32()?);
        Some(Self { interface, ticks, included: Some(body.u32()?), original_length: body.u32()? })
    }
}

const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;
const EPB_FLAGS: u16 = 2;
const EPB_DROPCOUNT: u16 = 4;

/// Options to the end of a block, or to the one that says that it is the last.
fn options(mut body: Integers) -> impl Iterator<Item = Result<(u16, Integers), Trouble>> {
    let mut next = move || {
        let code = body.u16()?;
        if code == END_OF_OPTIONS {
            return None;
        }
        let length = usize::from(body.u16()?);
        let value = body.within(length);
        // The padding of the last may be missing.
        body.take(length.next_multiple_of(4) - length);
        Some(value.map(|value| (code, value)).ok_or(Trouble::Record("its options reach past its block")))
    };
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let option = next()?;
        failed = option.is_err();
        Some(option)
    })
}

/// Inbound and outbound are seen from the host.
fn flagged(flags: u32) -> Option<Direction> {
    match flags & 3 {
        1 => Some(Direction::Received),
        2 => Some(Direction::Sent),
        _ => None,
    }
}

/// The number in `hci0` and `bluetooth0`, as Linux and libpcap name adapters.
fn adapter_of(name: &[u8]) -> Option<u16> {
    let name = std::str::from_utf8(name).ok()?.trim_end_matches('\0');
    let number = name.strip_prefix("hci").or_else(|| name.strip_prefix("bluetooth"))?;
    number.parse().ok()
}

/// How long a tick of an interface's clock is.
#[derive(Clone, Copy, Debug)]
struct Resolution {
    per_second: u128,
}

impl Resolution {
    const MICROS: Self = Self { per_second: 1_000_000 };

    /// From the option: a power of ten, or of two when the uppermost bit is set.
    fn new(option: u8) -> Self {
        let exponent = u32::from(option & 0x7F);
        let base: u128 = if option & 0x80 == 0 { 10 } else { 2 };
        Self { per_second: base.checked_pow(exponent).unwrap_or(u128::MAX) }
    }

    fn is_finer_than_micros(self) -> bool {
        self.per_second > 1_000_000
    }

    fn time(self, ticks: u64, offset: i64) -> Timestamp {
        const NANOS: u64 = 1_000_000_000;
        let (seconds, nanos) = match u64::try_from(self.per_second) {
            Ok(per_second) if per_second <= NANOS => {
                (ticks / per_second, ticks % per_second * NANOS / per_second)
            }
            _ => {
                let ticks = u128::from(ticks);
                let part = ticks % self.per_second;
                let nanos = part * u128::from(NANOS) / self.per_second;
                (
                    u64::try_from(ticks / self.per_second).unwrap_or(u64::MAX),
                    u64::try_from(nanos).unwrap_or(0),
                )
            }
        };
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_add(offset);
        Timestamp::new(seconds, u32::try_from(nanos).unwrap_or(0))
    }
}
