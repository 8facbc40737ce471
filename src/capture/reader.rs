//! Any capture, told by its content.

use super::source::Source;
use super::{Format, Record, btsnoop, identify, packet_logger, pcap, pcapng};
use std::io::{self, Read};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be read at all.
    #[error("reading the capture failed: {0}")]
    Io(#[from] io::Error),
    /// It is no capture, or one of something else than HCI. The sentence says what it is.
    #[error("{0}")]
    NotHci(String),
    /// A record cannot be used, and with it what stands behind it.
    #[error("record {number} of the capture cannot be read: {cause}")]
    Record {
        /// Which, counted from 1.
        number: u64,
        /// What is wrong with it.
        cause: &'static str,
    },
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a whole record.
    Whole,
    /// In the middle of a record, of which so many octets are there: whoever wrote it was stopped.
    CutOff(usize),
}

/// Reads records one by one, in constant memory.
///
/// ```
/// use baretooth::capture::{Ending, Reader};
/// let mut reader = Reader::new(&b"btsnoop\0\0\0\0\x01\0\0\x03\xEA\0"[..])?;
/// assert_eq!(reader.format().to_string(), "btsnoop (H4)");
/// assert_eq!(reader.read()?, None);
/// assert_eq!(reader.ending(), Some(Ending::CutOff(1)));
/// # Ok::<(), baretooth::capture::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    container: Decoder,
    tally: Tally,
    /// Records that were given out.
    given: u64,
    ended: bool,
    ending: Option<Ending>,
}

#[derive(Debug)]
enum Decoder {
    Btsnoop(btsnoop::Decoder),
    Pcap(pcap::Decoder),
    PcapNg(pcapng::Decoder),
    PacketLogger(packet_logger::Decoder),
}

/// What was counted beside the records that were given out.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Records passed over.
    pub skipped: u64,
    /// Packets that are not in the file because its writer lost them.
    pub dropped: u64,
}

/// Why the next record cannot be read.
pub(super) enum Trouble {
    Io(io::Error),
    Record(&'static str),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<R: Read> Reader<R> {
    /// Finds out what kind of file it is, and reads its header. No buffer is needed around `from`.
    ///
    /// # Errors
    /// When it is no capture of HCI packets.
    pub fn new(from: R) -> Result<Self, ReadError> {
        let mut source = Source::new(from);
        let mut tally = Tally::default();
        let head = source.peek(btsnoop::MAGIC.len())?;
        let container = if head.starts_with(btsnoop::MAGIC) {
            Decoder::Btsnoop(btsnoop::Decoder::new(&mut source)?)
        } else if pcap::MAGICS.iter().any(|magic| head.starts_with(magic)) {
            Decoder::Pcap(pcap::Decoder::new(&mut source)?)
        } else if head.starts_with(&pcapng::MAGIC) {
            Decoder::PcapNg(pcapng::Decoder::new(&mut source, &mut tally)?)
        } else if let Some(big_endian) = packet_logger::big_endian(&mut source)? {
            Decoder::PacketLogger(packet_logger::Decoder::new(big_endian))
        } else {
            return Err(ReadError::NotHci(identify::sentence(source.peek(512)?)));
        };
        Ok(Self { source, container, tally, given: 0, ended: false, ending: None })
    }

    /// What kind of file it is. Of a pcapng file with several interfaces, what the first of HCI is.
    pub fn format(&self) -> Format {
        match &self.container {
            Decoder::Btsnoop(decoder) => decoder.format(),
            Decoder::Pcap(decoder) => decoder.format(),
            Decoder::PcapNg(decoder) => decoder.format(),
            Decoder::PacketLogger(decoder) => decoder.format(),
        }
    }

    /// The next record; `None` at the end, at a last record that was cut off, and after an error.
    ///
    /// # Errors
    /// When a record makes no sense, or the file cannot be read.
    pub fn read(&mut self) -> Result<Option<Record>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let (source, tally) = (&mut self.source, &mut self.tally);
        let next = match &mut self.container {
            Decoder::Btsnoop(decoder) => decoder.next(source, tally),
            Decoder::Pcap(decoder) => decoder.next(source, tally),
            Decoder::PcapNg(decoder) => decoder.next(source, tally),
            Decoder::PacketLogger(decoder) => decoder.next(source, tally),
        };
        match next {
            Ok(Some(record)) => {
                self.given += 1;
                Ok(Some(record))
            }
            Ok(None) => {
                self.ended = true;
                self.ending = Some(match self.source.left() {
                    0 => Ending::Whole,
                    octets => Ending::CutOff(octets),
                });
                Ok(None)
            }
            Err(trouble) => {
                self.ended = true;
                Err(match trouble {
                    Trouble::Io(error) => ReadError::Io(error),
                    Trouble::Record(cause) => {
                        ReadError::Record { number: self.given + self.tally.skipped + 1, cause }
                    }
                })
            }
        }
    }

    /// Whether the next record has to be read from the file: of a pipe it may have to be waited for, so this is the time
    /// to show what there is.
    pub fn is_drained(&self) -> bool {
        self.source.is_drained()
    }

    /// How the file ended, once it has.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// How many records were passed over so far, for they hold no HCI: packets of other interfaces of a pcapng file, and
    /// records that are too short to be anything.
    pub fn skipped(&self) -> u64 {
        self.tally.skipped
    }

    /// How many packets whoever wrote the file says that it lost until now (btsnoop, pcapng).
    pub fn dropped(&self) -> u64 {
        self.tally.dropped
    }
}

/// Every record to the end, or to the first error.
impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record, ReadError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
