//! `decode`: a capture as one line per packet, with every field, or as JSON.

mod live;

use crate::failure::Failure;
use crate::global::Global;
use crate::input::Input;
use crate::output::Output;
use baretooth::capture::dissect::{Dissector, Packet};
use baretooth::capture::{Filter, Record, Timestamp};
use std::io;
use std::path::PathBuf;

/// Prints a capture, one line per packet; with -v every field of it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The capture: btsnoop, pcap, pcapng or PacketLogger; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "live")]
    file: Option<PathBuf>,
    /// Prints what passes on the adapters of this machine while it passes, whoever uses them (Linux; needs CAP_NET_RAW);
    /// --capture FILE keeps it
    #[arg(long, conflicts_with = "file")]
    pub live: bool,
    /// Prints only packets like this
    #[arg(long, value_name = "EXPR", long_help = FILTER)]
    filter: Option<Filter>,
}

/// What `--filter` takes, here and in other verbs.
pub const FILTER: &str = "\
Prints only packets like this: conditions joined by and, or, not and parentheses. Of several values \
with commas between, one is enough.

  handle=0x0040              data of this link, and commands and events that name it
  address=C0:BA:E7:70:00:01  data of links to this device, and what names it or such a link
  layer=att,smp              att, smp, l2cap, adv, command, event, hci, acl, sco, iso, note
  time=1.5..2.75             seconds since the first record; 1.5.. and ..2.75 too
  attribute=0x0012           ATT PDUs that name this attribute, and answers to those
  name=LE_Set*               commands and what answers them, events and PDUs; * is any text
  direction=sent             sent by the host, or received
  adapter=0                  one of several adapters in the capture

Examples:
  --filter layer=att
  --filter 'address=C0:BA:E7:70:00:01 and not layer=adv'
  --filter '(layer=smp or name=*Encrypt*) and time=10..20'";

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let mut printer = Printer::new(global, args.filter);
    let Some(file) = &args.file else { return live::run(global, printer).await };
    let mut input = Input::open(file, "decoding")?;
    let result = decode(&mut input, &mut printer);
    // What was read before an error is worth seeing.
    printer.output.flush()?;
    input.remark();
    result
}

/// Prints packets as they are read: the memory does not grow with the capture.
fn decode(input: &mut Input, printer: &mut Printer) -> Result<(), Failure> {
    while let Some(record) = input.read()? {
        printer.print(&record)?;
        // Of a pipe the next record may be long in coming.
        if input.is_drained() {
            printer.output.flush()?;
        }
    }
    Ok(())
}

/// Prints records one after the other.
struct Printer {
    dissector: Dissector,
    filter: Option<Filter>,
    detail: Detail,
    /// Time of the first record, from which the others are counted.
    first: Option<Timestamp>,
    text: Vec<u8>,
    output: Output,
}

/// How much of a packet is shown.
#[derive(Clone, Copy)]
enum Detail {
    Line,
    Fields,
    Json,
}

impl Printer {
    fn new(global: &Global, filter: Option<Filter>) -> Self {
        let detail = match (global.json, global.verbose) {
            (true, _) => Detail::Json,
            (false, 0) => Detail::Line,
            (false, _) => Detail::Fields,
        };
        let (dissector, first, text) = (Dissector::default(), None, Vec::new());
        Self { dissector, filter, detail, first, text, output: global.output() }
    }

    /// Prints a record if the filter lets it pass.
    fn print(&mut self, record: &Record) -> io::Result<()> {
        let first = *self.first.get_or_insert(record.time);
        let packet = self.dissector.read(record);
        if self.filter.as_mut().is_none_or(|filter| filter.matches(&packet)) {
            self.text.clear();
            write(&packet, first, self.detail, &mut self.text);
            self.output.octets(&self.text)?;
        }
        Ok(())
    }
}

fn write(packet: &Packet<'_>, first: Timestamp, detail: Detail, text: &mut Vec<u8>) {
    match detail {
        Detail::Json => packet.write_json(first, text),
        Detail::Line | Detail::Fields => {
            packet.write_head(first, text);
            packet.write_line(text);
        }
    }
    if let Detail::Fields = detail {
        packet.write_fields(text);
    }
    text.push(b'\n');
}
