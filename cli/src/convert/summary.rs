//! What a conversion did, and what could not come along.

use baretooth::capture::{Format, LeftOut, Record};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Counts of one conversion.
#[derive(Debug)]
pub struct Summary {
    from: Format,
    to: Format,
    read: u64,
    written: u64,
    cut: u64,
    left_out: BTreeMap<LeftOut, u64>,
}

/// The same in JSON.
#[derive(Serialize)]
pub struct Json {
    r#type: &'static str,
    input: String,
    output: String,
    from: String,
    to: String,
    read: u64,
    written: u64,
    cut_records: u64,
    left_out: BTreeMap<&'static str, u64>,
}

impl Summary {
    pub fn new(from: Format, to: Format) -> Self {
        Self { from, to, read: 0, written: 0, cut: 0, left_out: BTreeMap::new() }
    }

    /// A record was read.
    pub fn came(&mut self, record: &Record) {
        self.read += 1;
        self.cut += u64::from(record.is_cut());
    }

    /// A record was written, without this.
    pub fn went(&mut self, left_out: &[LeftOut]) {
        self.written += u64::from(!left_out.contains(&LeftOut::Record));
        for what in left_out {
            *self.left_out.entry(*what).or_default() += 1;
        }
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let Self { from, to, read, written, cut, left_out } = self;
        let mut lines = vec![format!("{written} of {} from {from} to {to}", records(*read))];
        if *cut > 0 {
            lines.push(format!("{} cut short already in the input", records_were(*cut)));
        }
        for (what, count) in left_out {
            lines.push(format!("{to} cannot hold {} {}", words(*what).1, records(*count)));
        }
        lines
    }

    /// For programs.
    pub fn json(&self, input: &Path, output: &Path) -> Json {
        Json {
            r#type: "converted",
            input: input.display().to_string(),
            output: output.display().to_string(),
            from: self.from.to_string(),
            to: self.to.to_string(),
            read: self.read,
            written: self.written,
            cut_records: self.cut,
            left_out: self.left_out.iter().map(|(what, count)| (words(*what).0, *count)).collect(),
        }
    }
}

/// What is left out, for programs and, before how many records, for people.
fn words(what: LeftOut) -> (&'static str, &'static str) {
    match what {
        LeftOut::Record => ("record", "what is no packet: left out"),
        LeftOut::Adapter => ("adapter", "the adapter of"),
        LeftOut::Direction => ("direction", "the direction of"),
        LeftOut::OriginalLength => ("original_length", "the length before the cut of"),
        LeftOut::Nanoseconds => ("nanoseconds", "the nanoseconds in the time of"),
        LeftOut::Comments => ("comments", "the comments of"),
        _ => ("other", "something of"),
    }
}

fn records(count: u64) -> String {
    format!("{count} {}", if count == 1 { "record" } else { "records" })
}

fn records_were(count: u64) -> String {
    format!("{} {}", records(count), if count == 1 { "was" } else { "were" })
}
