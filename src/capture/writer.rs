//! Any format, written record by record.

use super::{Direction, Format, Record, Timestamp, btsnoop};
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
    /// What was written about it.
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
    container: btsnoop::Encoder,
    /// Octets of the record in the making.
    scratch: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(mut to: W, format: Format) -> io::Result<Self> {
        let mut scratch = Vec::new();
        let container = btsnoop::Encoder::new(format, &mut scratch);
        to.write_all(&scratch)?;
        Ok(Self { to, container, scratch })
    }

    /// Appends one record, as far as the format can hold it; what it cannot is returned.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, record: &Record) -> io::Result<Vec<LeftOut>> {
        self.scratch.clear();
        let left_out = self.container.record(record, &mut self.scratch);
        self.to.write_all(&self.scratch)?;
        Ok(left_out)
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
