//! `decode`: a capture as one line per packet.

use crate::failure::{Failure, Report};
use crate::global::Global;
use crate::output::Output;
use baretooth::capture::dissect::Dissector;
use baretooth::capture::{Direction, Reader, Record, Timestamp};
use serde::Serialize;
use std::fmt::{self, Display};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Prints a capture, one line per packet.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The capture, in btsnoop format; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// One packet in JSON.
#[derive(Serialize)]
struct Packet<'a> {
    r#type: &'static str,
    number: u64,
    time: f64,
    direction: &'static str,
    kind: &'static str,
    text: &'a str,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let mut output = global.output();
    let name = args.file.display();
    let result = if args.file.as_os_str() == "-" {
        decode(std::io::stdin().lock(), &name, &mut output)
    } else {
        let file = File::open(&args.file).map_err(|error| unreadable(&name, &error))?;
        decode(file, &name, &mut output)
    };
    // What was read before an error is worth seeing.
    output.flush()?;
    result
}

/// Prints packets as they are read: the memory does not grow with the capture.
fn decode(from: impl Read, name: &impl Display, output: &mut Output) -> Result<(), Failure> {
    let mut reader = Reader::new(from).map_err(|error| unreadable(name, &error))?;
    let mut dissector = Dissector::default();
    let (mut number, mut first, mut text) = (0, None, String::new());
    while let Some(record) = reader.read().map_err(|error| unreadable(name, &error))? {
        number += 1;
        let time = Elapsed { from: *first.get_or_insert(record.time), to: record.time };
        text.clear();
        dissector.read(&record).write_line(&mut text);
        if output.is_json() {
            let (kind, direction) = (kind(&record), direction(&record));
            output.object(&Packet {
                r#type: "packet",
                number,
                time: time.seconds(),
                direction,
                kind,
                text: &text,
            })?;
        } else {
            let arrow = if record.direction() == Some(Direction::Sent) { '→' } else { '←' };
            output.line(format_args!("{number:>6} {time:>12} {arrow} {text}"))?;
        }
    }
    Ok(())
}

fn unreadable(name: &impl Display, cause: &dyn Display) -> Failure {
    let message = format!("decoding {name} failed: {cause}");
    Failure::Failed(Report { kind: "capture", message, ..Report::default() })
}

fn direction(record: &Record) -> &'static str {
    match record.direction() {
        Some(Direction::Sent) => "sent",
        _ => "received",
    }
}

fn kind(record: &Record) -> &'static str {
    match record.data.first() {
        Some(1) => "command",
        Some(2) => "acl",
        Some(3) => "sco",
        Some(4) => "event",
        _ => "iso",
    }
}

/// Time since the first packet; a clock that was set back makes it negative.
struct Elapsed {
    from: Timestamp,
    to: Timestamp,
}

impl Elapsed {
    fn seconds(&self) -> f64 {
        self.to.nanos_since(self.from) as f64 / 1e9
    }
}

impl Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&Timestamp::from_nanos(self.to.nanos_since(self.from)).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_and_a_sign_when_the_clock_was_set_back() {
        let at = |from, to| Elapsed { from: Timestamp::from_micros(from), to: Timestamp::from_micros(to) };
        assert_eq!(format!("{:>10}", at(5, 1_000_012)), "  1.000007");
        assert_eq!(at(1_500_000, 0).to_string(), "-1.500000");
        assert_eq!(at(1_500_000, 0).seconds(), -1.5);
    }
}
