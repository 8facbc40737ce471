//! Files put together octet by octet, not by the writers under test.

use baretooth::capture::{ReadError, Reader, Record};
use std::io::{self, Read};

pub const RESET: [u8; 4] = [1, 3, 12, 0];
pub const COMPLETE: [u8; 7] = [4, 0x0E, 4, 1, 3, 12, 0];
pub const ACL: [u8; 6] = [2, 0x40, 0x20, 1, 0, 9];

/// Integers in the byte order of a file.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    Big,
    Little,
}

pub const ORDERS: [Order; 2] = [Order::Big, Order::Little];

impl Order {
    pub fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Big => value.to_be_bytes(),
            Self::Little => value.to_le_bytes(),
        }
    }

    pub fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Big => value.to_be_bytes(),
            Self::Little => value.to_le_bytes(),
        }
    }

    pub fn is_big(self) -> bool {
        matches!(self, Self::Big)
    }
}

pub fn length(octets: &[u8]) -> u32 {
    u32::try_from(octets.len()).expect("short")
}

pub fn reader(file: &[u8]) -> Reader<&[u8]> {
    Reader::new(file).unwrap_or_else(|error| panic!("{error}"))
}

/// All records of a file that has no error.
pub fn records(file: &[u8]) -> Vec<Record> {
    reader(file).map(|record| record.unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// The octets of each record.
pub fn data(file: &[u8]) -> Vec<Vec<u8>> {
    records(file).iter().map(|record| record.data.to_vec()).collect()
}

/// What is said of a file that is refused at once.
pub fn refusal(file: &[u8]) -> String {
    match Reader::new(file) {
        Err(ReadError::NotHci(sentence)) => sentence,
        other => panic!("not refused: {other:?}"),
    }
}

/// How many records are read before an error, and the error, after which nothing more is read.
pub fn failure(file: impl Read) -> (usize, String) {
    let mut reader = Reader::new(file).expect("its header is good");
    let mut before = 0;
    loop {
        match reader.read() {
            Ok(Some(_)) => before += 1,
            Ok(None) => panic!("no error after {before} records"),
            Err(error) => {
                assert!(matches!(reader.read(), Ok(None)), "nothing behind an error is read");
                assert_eq!(reader.ending(), None);
                return (before, error.to_string());
            }
        }
    }
}

/// Something that begins with these octets and never ends: it counts how much is taken.
#[derive(Debug)]
pub struct Endless<'a> {
    beginning: &'a [u8],
    pub taken: usize,
}

impl<'a> Endless<'a> {
    pub fn new(beginning: &'a [u8]) -> Self {
        Self { beginning, taken: 0 }
    }
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let from_beginning = self.beginning.read(buffer)?;
        buffer[from_beginning..].fill(0);
        self.taken += buffer.len();
        Ok(buffer.len())
    }
}

/// A length that no packet has is refused without reading, let alone holding, what it announces.
pub fn assert_refused_unread(beginning: &[u8]) {
    let mut endless = Endless::new(beginning);
    let (before, error) = failure(&mut endless);
    assert_eq!(before, 0);
    assert!(error.contains("record 1") && error.contains("longer than any HCI packet"), "{error}");
    assert!(endless.taken <= 1 << 18, "{} octets were read", endless.taken);
}
