//! Any octets as a capture, bare or behind a good beginning of each format: reading ends, gives out no more octets than
//! the file has, says how it ended, and does not depend on the pieces that the file comes in.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::capture::{Ending, Format, Reader, Record, Writer};
use baretooth_fuzz::capture::formats;
use libfuzzer_sys::fuzz_target;
use std::io::Read;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Which format the file begins as; none of them when there are not so many.
    format: u8,
    /// BCSP or three-wire, which nothing writes.
    serial: Option<bool>,
    piece: u8,
    octets: &'a [u8],
}

fuzz_target!(|input: Input| {
    let mut file = match formats().get(usize::from(input.format)) {
        Some(format) => Writer::new(Vec::new(), *format).and_then(Writer::into_inner).expect("memory"),
        None => Vec::new(),
    };
    if let (Some(three_wire), Some(datalink)) = (input.serial, file.get_mut(15)) {
        *datalink = 0xEB + u8::from(three_wire);
    }
    file.extend_from_slice(input.octets);

    let whole = read(&file, usize::MAX);
    assert_eq!(whole, read(&file, 1 + usize::from(input.piece)), "in pieces");
    let Ok((_, records, end)) = whole else { return };
    let given: usize = records.iter().map(|record| record.data.len()).sum();
    assert!(given <= file.len(), "{given} octets of {}", file.len());
    for record in &records {
        assert!(record.original_length >= record.data.len());
        assert!(record.hci().is_err() || record.direction().is_some() || !matches!(record.data[0], 1 | 4));
    }
    if let Ok(Ending::CutOff(octets)) = end {
        assert!(0 < octets && octets <= file.len());
    }
    // Whatever was read, any format takes it or says what it leaves out.
    for format in formats() {
        let mut writer = Writer::new(Vec::new(), format).expect("possible");
        for record in &records {
            writer.write(record).expect("memory");
        }
        let file = writer.into_inner().expect("memory");
        if let Ok((_, _, end)) = read(&file, usize::MAX) {
            assert_eq!(end, Ok(Ending::Whole), "{format}");
        } else {
            assert!(file.is_empty(), "{format}");
        }
    }
});

/// The format, all records, and how it ended; or why it is refused.
type Outcome = Result<(Format, Vec<Record>, Result<Ending, String>), String>;

fn read(file: &[u8], piece: usize) -> Outcome {
    let mut reader = Reader::new(Pieces(file, piece)).map_err(|refused| refused.to_string())?;
    let mut records = Vec::new();
    let end = loop {
        match reader.read() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => break Ok(reader.ending().expect("it has ended")),
            Err(error) => break Err(error.to_string()),
        }
    };
    assert!(matches!(reader.read(), Ok(None)), "nothing comes behind the end");
    assert!(records.len() <= file.len());
    Ok((reader.format(), records, end))
}

struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}
