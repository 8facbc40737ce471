//! Any format, written record by record.

use super::payload::LONGEST;
use super::{Container, Direction, Format, Link, Record, Timestamp, btsnoop, packet_logger, pcap, pcapng};
use crate::transports::HciPacket;
use std::io::{self, Write};

/// What a format could not hold. The record itself was written unless that is [`Record`](Self::Record).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LeftOut {
    /// All of it: a note, a monitor's or PacketLogger's own record.
    Record,
    /// Which adapter it was.
    Adapter,
    /// Which way it went.
    Direction,
    /// How long it had been.
    OriginalLength,
    /// What is less than a microsecond of its time.
    Nanoseconds,
    /// Its time, which is before or after all that can be written: the nearest that can is.
    Time,
    /// What kind of record it was: of a log line, the text became a note.
    Kind,
    /// What was written about it, or the end of that.
    Comments,
}

/// Writes records as they come; each is handed to the writer whole, so put a buffer around a file.
///
/// ```
/// use baretooth::capture::{Direction, Format, Reader, Timestamp, Writer};
/// use baretooth::transports::HciPacket;
/// let reset = HciPacket::new(vec![1, 3, 12, 0])?;
/// let mut file = Vec::new();
/// let mut writer = Writer::new(&mut file, Format::BTSNOOP)?;
/// writer.packet(Timestamp::UNIX_EPOCH, Direction::Sent, &reset)?;
/// let record = Reader::new(&file[..])?.read()?.expect("what was written");
/// assert_eq!(record.hci()?, reset);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    format: Format,
    container: Encoder,
    /// Octets of the record in the making.
    scratch: Vec<u8>,
}

#[derive(Debug)]
enum Encoder {
    Btsnoop(btsnoop::Encoder),
    Pcap(pcap::Encoder),
    PcapNg(pcapng::Encoder),
    PacketLogger(packet_logger::Encoder),
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of the writer, and [`InvalidInput`](io::ErrorKind::InvalidInput) for a format that no file has: see
    /// [`Format::with_link`].
    pub fn new(mut to: W, format: Format) -> io::Result<Self> {
        let format = format
            .with_link(format.link)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut scratch = Vec::new();
        let container = match format.container {
            Container::Btsnoop => Encoder::Btsnoop(btsnoop::Encoder::new(format, &mut scratch)),
            Container::Pcap => Encoder::Pcap(pcap::Encoder::new(format, &mut scratch)),
            Container::PcapNg => Encoder::PcapNg(pcapng::Encoder::new(format, &mut scratch)),
            Container::PacketLogger => Encoder::PacketLogger(packet_logger::Encoder::new(format)),
        };
        to.write_all(&scratch)?;
        Ok(Self { to, format, container, scratch })
    }

    /// Appends one record, as far as the format can hold it; what it cannot is returned.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, record: &Record) -> io::Result<Vec<LeftOut>> {
        let mut left_out = Vec::new();
        self.scratch.clear();
        let (out, lost) = (&mut self.scratch, &mut left_out);
        let written = match &mut self.container {
            _ if record.data.len() > LONGEST => None,
            Encoder::Btsnoop(encoder) => encoder.record(record, lost, out),
            Encoder::Pcap(encoder) => encoder.record(record, lost, out),
            Encoder::PcapNg(encoder) => encoder.record(record, lost, out),
            Encoder::PacketLogger(encoder) => encoder.record(record, lost, out),
        };
        if written.is_none() {
            return Ok(vec![LeftOut::Record]);
        }
        self.to.write_all(&self.scratch)?;
        self.left_out_of_all(record, &mut left_out);
        Ok(left_out)
    }

    /// What the container has no place for, whatever the record is.
    fn left_out_of_all(&self, record: &Record, left_out: &mut Vec<LeftOut>) {
        let container = self.format.container;
        let mut lost = |what, is_lost| {
            if is_lost {
                left_out.push(what);
            }
        };
        let tells_adapters = container == Container::PcapNg || self.format.link == Link::Monitor;
        lost(LeftOut::Adapter, record.adapter.is_some() && !tells_adapters);
        lost(LeftOut::OriginalLength, record.is_cut() && container == Container::PacketLogger);
        let nanoseconds = match container {
            Container::Pcap => self.format.nanoseconds,
            Container::PcapNg => true,
            Container::Btsnoop | Container::PacketLogger => false,
        };
        lost(LeftOut::Nanoseconds, !nanoseconds && !record.time.subsec_nanos().is_multiple_of(1_000));
        lost(LeftOut::Comments, !record.comments.is_empty() && container != Container::PcapNg);
    }

    /// Appends one packet, which every format can hold.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn packet(&mut self, time: Timestamp, direction: Direction, packet: &HciPacket) -> io::Result<()> {
        self.write(&Record::packet(time, direction, packet)).map(drop)
    }

    /// Hands what is buffered to the file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// Gives the writer back, flushed.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn into_inner(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.to)
    }
}
