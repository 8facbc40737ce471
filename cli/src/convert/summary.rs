//! What a conversion did, and what could not come along.

use crate::input::Input;
use baretooth::capture::{Format, LeftOut, Record, Redacted};
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
    /// Records that the input has only the front of.
    cut: u64,
    /// Octets of a last record that is not whole.
    rest: usize,
    /// Records of the input that hold no HCI.
    skipped: u64,
    /// Packets that the input says it lost.
    lost: u64,
    left_out: BTreeMap<LeftOut, u64>,
    redacted: Option<Redacted>,
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
    cut_off_octets: usize,
    skipped_records: u64,
    lost_packets: u64,
    left_out: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted: Option<BTreeMap<&'static str, u64>>,
}

impl Summary {
    pub fn new(from: Format, to: Format) -> Self {
        let (left_out, redacted) = (BTreeMap::new(), None);
        Self { from, to, read: 0, written: 0, cut: 0, rest: 0, skipped: 0, lost: 0, left_out, redacted }
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

    /// The input ended.
    pub fn ended(&mut self, input: &Input) {
        (self.skipped, self.lost, self.rest) = (input.skipped(), input.lost(), input.cut_off());
    }

    /// What was replaced, when something was to be.
    pub fn redacted(&mut self, redacted: Option<Redacted>) {
        self.redacted = redacted;
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let Self { from, to, read, written, cut, rest, skipped, lost, left_out, redacted } = self;
        let mut lines = vec![format!("{written} of {} from {from} to {to}", records(*read))];
        if *cut > 0 {
            lines.push(format!("the input has only the front of {}", records(*cut)));
        }
        if *rest > 0 {
            lines.push(format!("the input ends in the middle of a record: left out, {rest} octets"));
        }
        if *skipped > 0 {
            lines.push(format!("the input has {} without HCI: left out", records(*skipped)));
        }
        if *lost > 0 {
            lines.push(format!("the input says that {lost} more packets were lost when it was written"));
        }
        for (what, count) in left_out {
            lines.push(format!("{to} cannot hold {}{}", words(*what).1, records(*count)));
        }
        if let Some(redacted) = redacted {
            let parts = places(redacted).map(|(_, words, count)| format!("{count} {words}"));
            lines.push(format!("redacted: {}", parts.join(", ")));
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
            cut_off_octets: self.rest,
            skipped_records: self.skipped,
            lost_packets: self.lost,
            redacted: self
                .redacted
                .map(|redacted| places(&redacted).map(|(key, _, count)| (key, count)).into()),
            left_out: self.left_out.iter().map(|(what, count)| (words(*what).0, *count)).collect(),
        }
    }
}

/// What is left out, for programs and, before how many records, for people.
fn words(what: LeftOut) -> (&'static str, &'static str) {
    match what {
        LeftOut::Record => ("record", ""),
        LeftOut::Adapter => ("adapter", "the adapter of "),
        LeftOut::Direction => ("direction", "the direction of "),
        LeftOut::OriginalLength => ("original_length", "the length before it was cut of "),
        LeftOut::Nanoseconds => ("nanoseconds", "the nanoseconds in the time of "),
        LeftOut::Time => ("time", "the time of "),
        LeftOut::Kind => ("kind", "the kind of "),
        LeftOut::Comments => ("comments", "all comments of "),
        _ => ("other", "something of "),
    }
}

/// What was redacted, for programs and for people.
fn places(redacted: &Redacted) -> [(&'static str, &'static str, u64); 7] {
    [
        ("addresses", "addresses", redacted.addresses),
        ("secrets", "keys and random numbers", redacted.secrets),
        ("names", "names", redacted.names),
        ("values", "attribute values", redacted.values),
        ("advertising", "pieces of advertising data", redacted.advertising),
        ("zeroed", "payloads that nobody knows", redacted.zeroed),
        ("comments", "comments", redacted.comments),
    ]
}

fn records(count: u64) -> String {
    format!("{count} {}", if count == 1 { "record" } else { "records" })
}
