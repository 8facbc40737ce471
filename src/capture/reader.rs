//! Any capture, told by its content.

use super::source::Source;
use super::{Format, Record, btsnoop};
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

/// Reads records one by one, in constant memory.
///
/// ```
/// use baretooth::capture::Reader;
/// let mut reader = Reader::new(&b"btsnoop\0\0\0\0\x01\0\0\x03\xEA"[..])?;
/// assert_eq!(reader.format().to_string(), "btsnoop (H4)");
/// assert_eq!(reader.read()?, None);
/// # Ok::<(), baretooth::capture::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    container: btsnoop::Decoder,
    number: u64,
}

impl<R: Read> Reader<R> {
    /// Finds out what kind of file it is, and reads its header. No buffer is needed around `from`.
    ///
    /// # Errors
    /// When it is no capture of HCI packets.
    pub fn new(from: R) -> Result<Self, ReadError> {
        let mut source = Source::new(from);
        let container = btsnoop::Decoder::new(&mut source)?;
        Ok(Self { source, container, number: 0 })
    }

    /// What kind of file it is.
    pub fn format(&self) -> Format {
        self.container.format()
    }

    /// The next record; `None` at the end, and at a last record that was cut off.
    ///
    /// # Errors
    /// When a record makes no sense, or the file cannot be read.
    pub fn read(&mut self) -> Result<Option<Record>, ReadError> {
        self.number += 1;
        self.container.next(&mut self.source, self.number)
    }
}

/// Every record to the end, or to the first error.
impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record, ReadError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
