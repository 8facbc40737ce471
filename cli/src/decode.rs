//! `decode`: a capture as one line per packet, with every field, or as JSON.

use crate::failure::{Failure, Report};
use crate::global::Global;
use crate::output::Output;
use baretooth::capture::Reader;
use baretooth::capture::dissect::Dissector;
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Prints a capture, one line per packet; with -v every field of it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The capture, in btsnoop format; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let mut output = global.output();
    let detail = match (global.json, global.verbose) {
        (true, _) => Detail::Json,
        (false, 0) => Detail::Line,
        (false, _) => Detail::Fields,
    };
    let name = args.file.display();
    let result = if args.file.as_os_str() == "-" {
        decode(std::io::stdin().lock(), &name, detail, &mut output)
    } else {
        let file = File::open(&args.file).map_err(|error| unreadable(&name, &error))?;
        decode(file, &name, detail, &mut output)
    };
    // What was read before an error is worth seeing.
    output.flush()?;
    result
}

/// How much of a packet is shown.
#[derive(Clone, Copy)]
enum Detail {
    Line,
    Fields,
    Json,
}

/// Prints packets as they are read: the memory does not grow with the capture.
fn decode(from: impl Read, name: &impl Display, detail: Detail, output: &mut Output) -> Result<(), Failure> {
    let mut reader = Reader::new(from).map_err(|error| unreadable(name, &error))?;
    let mut dissector = Dissector::default();
    let (mut first, mut text) = (None, Vec::new());
    while let Some(record) = reader.read().map_err(|error| unreadable(name, &error))? {
        let first = *first.get_or_insert(record.time);
        let packet = dissector.read(&record);
        text.clear();
        match detail {
            Detail::Json => packet.write_json(first, &mut text),
            Detail::Line | Detail::Fields => {
                packet.write_head(first, &mut text);
                packet.write_line(&mut text);
            }
        }
        if let Detail::Fields = detail {
            packet.write_fields(&mut text);
        }
        text.push(b'\n');
        output.octets(&text)?;
    }
    Ok(())
}

fn unreadable(name: &impl Display, cause: &dyn Display) -> Failure {
    let message = format!("decoding {name} failed: {cause}");
    Failure::Failed(Report { kind: "capture", message, ..Report::default() })
}
