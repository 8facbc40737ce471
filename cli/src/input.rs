//! The capture that a verb reads: a file or standard input, of any format.

use crate::failure::{Failure, Report};
use baretooth::capture::{Ending, Format, Reader, Record};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A capture that is being read, and what for.
pub struct Input {
    reader: Reader<Box<dyn Read>>,
    /// `decoding run.pcapng`
    doing: String,
}

impl Input {
    /// Opens a file; `-` is standard input. `doing` says in an error what could not be done.
    pub fn open(file: &Path, doing: &str) -> Result<Self, Failure> {
        let doing = format!("{doing} {}", file.display());
        let reader = if file.as_os_str() == "-" {
            Reader::new(Box::new(io::stdin().lock()) as Box<dyn Read>)
        } else {
            let file = File::open(file).map_err(|error| failed(&doing, &error))?;
            Reader::new(Box::new(file) as Box<dyn Read>)
        };
        Ok(Self { reader: reader.map_err(|error| failed(&doing, &error))?, doing })
    }

    /// What kind of file it is.
    pub fn format(&self) -> Format {
        self.reader.format()
    }

    /// The next record.
    pub fn read(&mut self) -> Result<Option<Record>, Failure> {
        self.reader.read().map_err(|error| failed(&self.doing, &error))
    }

    /// Whether the next record may have to be waited for.
    pub fn is_drained(&self) -> bool {
        self.reader.is_drained()
    }

    /// Records that were passed over, packets of another protocol.
    pub fn skipped(&self) -> u64 {
        self.reader.skipped()
    }

    /// Packets that the one who wrote the file says to have lost.
    pub fn lost(&self) -> u64 {
        self.reader.dropped()
    }

    /// Octets at the end that are no whole record.
    pub fn cut_off(&self) -> usize {
        match self.reader.ending() {
            Some(Ending::CutOff(octets)) => octets,
            _ => 0,
        }
    }

    /// Says on standard error what a reader of the results should know of the file: results are complete without it.
    pub fn remark(&self) {
        let mut remarks = Vec::new();
        if self.cut_off() > 0 {
            remarks.push(format!("ends in the middle of a record: {} octets left out", self.cut_off()));
        }
        if self.skipped() > 0 {
            remarks.push(format!("has {} records without HCI: left out", self.skipped()));
        }
        if self.lost() > 0 {
            remarks.push(format!("says that {} more packets were lost when it was written", self.lost()));
        }
        for remark in remarks {
            eprintln!("{}: the file {remark}", self.doing);
        }
    }
}

fn failed(doing: &str, cause: &dyn Display) -> Failure {
    let message = format!("{doing} failed: {cause}");
    Failure::Failed(Report { kind: "capture", message, ..Report::default() })
}
