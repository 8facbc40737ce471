//! `report`: a capture as one page that a person can look at, without anything that is loaded from elsewhere.

mod activity;
mod chart;
mod devices;
mod facts;
mod html;
mod latency;
mod links;
mod page;
mod pairing;
mod problems;
mod series;
mod spans;
mod values;

use crate::failure::{Failure, Report};
use crate::global::Global;
use baretooth::capture::dissect::Dissector;
use baretooth::capture::{Ending, ReadError, Reader};
use facts::Facts;
use page::Page;
use serde::Serialize;
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Makes a page of a capture: what happened on each link, who advertised, what was read, and what went wrong.
///
/// The page is one file and loads nothing, so that it can be attached to a bug report. Key material is never in it;
/// addresses, names and values are.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The capture; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the page goes; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
}

/// In JSON: what was made of it.
#[derive(Serialize)]
struct Made<'a> {
    r#type: &'static str,
    page: &'a str,
    packets: u64,
    links: u64,
    devices: usize,
    errors: u64,
    verdict: &'a str,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let name = args.file.display().to_string();
    if let (Ok(from), Ok(to)) = (args.file.canonicalize(), args.output.canonicalize())
        && from == to
    {
        return Err(Failure::Usage(format!(
            "the page would replace the capture {name}; give another --output"
        )));
    }
    let title =
        args.file.file_name().map_or_else(|| name.clone(), |name| name.to_string_lossy().into_owned());
    let (page, ended) = if args.file.as_os_str() == "-" {
        gather("standard input", std::io::stdin().lock())
    } else {
        gather(&title, File::open(&args.file).map_err(|error| failed(&name, &error))?)
    }
    .map_err(|error| failed(&name, &error))?;
    let mut output = global.output();
    if args.output.as_os_str() == "-" {
        output.raw(&page.to_html())?;
    } else {
        let to = args.output.display().to_string();
        std::fs::write(&args.output, page.to_html())
            .map_err(|error| failed(&name, &format_args!("writing {to}: {error}")))?;
        let (facts, verdict) = (&page.facts, page.verdict());
        if output.is_json() {
            output.object(&Made {
                r#type: "page",
                page: &to,
                packets: facts.packets,
                links: facts.links.count(),
                devices: facts.devices.len(),
                errors: facts.problems.errors(),
                verdict: &verdict,
            })?;
        } else {
            output.line(format_args!("{to}: {} packets; {verdict}", facts.packets))?;
        }
    }
    output.flush()?;
    // The page has what stands before the record that cannot be read, and says so.
    ended.map_or(Ok(()), |error| Err(failed(&name, &error)))
}

fn failed(name: &str, cause: &dyn Display) -> Failure {
    let message = format!("reporting on {name} failed: {cause}");
    Failure::Failed(Report { kind: "capture", message, ..Report::default() })
}

/// Reads a capture to its end, or to a record that cannot be read.
fn gather(title: &str, from: impl Read) -> Result<(Page, Option<ReadError>), ReadError> {
    let mut reader = Reader::new(from)?;
    let (mut dissector, mut facts) = (Dissector::default(), Facts::default());
    let ended = loop {
        match reader.read() {
            Ok(Some(record)) => facts.take(&dissector.read(&record)),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    facts.finish(&dissector);
    let stopped = ended.as_ref().map(ToString::to_string);
    let page = Page {
        title: title.to_owned(),
        format: reader.format().to_string(),
        stopped,
        lacking: lacking(&reader),
        facts,
    };
    Ok((page, ended))
}

/// What the file itself says is not in it.
fn lacking<R: Read>(reader: &Reader<R>) -> Vec<String> {
    let mut lacking = Vec::new();
    if let Some(Ending::CutOff(octets)) = reader.ending() {
        lacking.push(format!("The file ends in the middle of a record, of which {octets} octets are there."));
    }
    if reader.dropped() > 0 {
        lacking.push(format!("Packets that whoever recorded it says were lost: {}.", reader.dropped()));
    }
    if reader.skipped() > 0 {
        lacking.push(format!("Records that hold no HCI and were passed over: {}.", reader.skipped()));
    }
    lacking
}

#[cfg(test)]
mod tests;
