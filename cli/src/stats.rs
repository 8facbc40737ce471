//! `stats`: what a capture holds, in numbers.

use crate::failure::Failure;
use crate::global::Global;
use crate::input::Input;
use crate::output::Output;
use baretooth::att::AttError;
use baretooth::capture::dissect::Dissector;
use baretooth::capture::stats::{LinkSummary, MOST_LINKS};
use baretooth::capture::{Format, Statistics, Timestamp};
use baretooth::hci::{Event, LeEvent};
use baretooth::l2cap::signaling::SignalingCommand;
use baretooth::smp::SmpPdu;
use baretooth::transports::PacketIndicator;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::LowerHex;
use std::io;
use std::path::PathBuf;

/// Prints what a capture holds, in numbers: packets, commands, events, links, advertisers, ATT, errors.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The capture; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let mut output = global.output();
    let mut input = Input::open(&args.file, "counting")?;
    let statistics = count(&mut input)?;
    if output.is_json() {
        output.object(&Counts::of(&statistics))?;
    } else {
        print(&mut output, input.format(), &statistics)?;
    }
    output.flush()?;
    input.remark();
    Ok(())
}

fn count(input: &mut Input) -> Result<Statistics, Failure> {
    let (mut dissector, mut statistics) = (Dissector::default(), Statistics::default());
    while let Some(record) = input.read()? {
        statistics.count(&dissector.read(&record));
    }
    Ok(statistics)
}

/// The counts in JSON. Keys of tallies are numbers as tshark prints them.
#[derive(Serialize)]
struct Counts {
    r#type: &'static str,
    packets: u64,
    hci_packet_types: BTreeMap<&'static str, u64>,
    event_codes: BTreeMap<String, u64>,
    le_meta_subevents: BTreeMap<String, u64>,
    command_opcodes: BTreeMap<String, u64>,
    command_complete_opcodes: BTreeMap<String, u64>,
    command_status_opcodes: BTreeMap<String, u64>,
    disconnect_reasons: BTreeMap<String, u64>,
    acl_pb_flags: BTreeMap<String, u64>,
    l2cap_cids: BTreeMap<String, u64>,
    l2cap_signalling_codes: BTreeMap<String, u64>,
    att_opcodes: BTreeMap<String, u64>,
    att_error_codes: BTreeMap<String, u64>,
    smp_opcodes: BTreeMap<String, u64>,
    adv_reports_with_address: u64,
    distinct_advertisers: usize,
    le_connections: u64,
    le_connections_failed: u64,
}

impl Counts {
    fn of(s: &Statistics) -> Self {
        Self {
            r#type: "statistics",
            packets: s.records,
            hci_packet_types: s.kinds.iter().map(|(kind, n)| (short(*kind), *n)).collect(),
            event_codes: numbers(&s.events, |code| hex(*code)),
            le_meta_subevents: numbers(&s.le_events, |code| hex(*code)),
            command_opcodes: numbers(&s.commands, |opcode| hex(opcode.0)),
            command_complete_opcodes: numbers(&s.completed, |opcode| hex(opcode.0)),
            command_status_opcodes: numbers(&s.statuses, |opcode| hex(opcode.0)),
            disconnect_reasons: numbers(&s.disconnections, |reason| hex(reason.0)),
            acl_pb_flags: numbers(&s.boundaries, u8::to_string),
            l2cap_cids: numbers(&s.channels, |channel| hex(channel.0)),
            l2cap_signalling_codes: numbers(&s.signals, |code| hex(*code)),
            att_opcodes: numbers(&s.att, |opcode| hex(opcode.0)),
            att_error_codes: numbers(&s.att_errors, |code| hex(code.0)),
            smp_opcodes: numbers(&s.smp, |code| hex(*code)),
            adv_reports_with_address: s.reports(),
            distinct_advertisers: s.advertisers.len(),
            le_connections: s.le_connections,
            le_connections_failed: s.le_connections_failed,
        }
    }
}

fn short(kind: Option<PacketIndicator>) -> &'static str {
    match kind {
        Some(PacketIndicator::Command) => "command",
        Some(PacketIndicator::Event) => "event",
        Some(PacketIndicator::AclData) => "acl",
        Some(PacketIndicator::SynchronousData) => "sco",
        Some(PacketIndicator::IsoData) => "iso",
        None => "other",
    }
}

fn numbers<K>(tally: &BTreeMap<K, u64>, key: impl Fn(&K) -> String) -> BTreeMap<String, u64> {
    tally.iter().map(|(of, n)| (key(of), *n)).collect()
}

/// With as many digits as the type has.
fn hex<N: LowerHex>(number: N) -> String {
    format!("0x{number:0width$x}", width = 2 * size_of::<N>())
}

fn print(output: &mut Output, format: Format, s: &Statistics) -> io::Result<()> {
    let (first, last) = s.span.unwrap_or_default();
    output.line(format_args!(
        "{format}: {} in {:.3} s",
        plural(s.records, "record"),
        seconds(first, last)
    ))?;
    let kinds: Vec<_> = s.kinds.iter().map(|(kind, n)| format!("{n} {}", long(*kind))).collect();
    output.line(format_args!("  {}", kinds.join(", ")))?;
    let remarks = [
        (s.cut, "cut off by the capture"),
        (s.malformed, "malformed"),
        (s.diagnostics, "vendor diagnostics in ACL packets"),
    ];
    for (n, what) in remarks.into_iter().filter(|(n, _)| *n > 0) {
        output.line(format_args!("  {n} {what}"))?;
    }
    advertisers(output, s)?;
    links(output, s, first)?;
    section(output, "Commands", &s.commands, |opcode| opcode.to_string())?;
    section(output, "Commands refused", &s.refused, |(opcode, status)| {
        format!("{opcode}: {status} (0x{:02X})", status.0)
    })?;
    section(output, "Events", &s.events, |code| named(Event::name_of(*code), "event", *code))?;
    section(output, "LE events", &s.le_events, |code| named(LeEvent::name_of(*code), "LE event", *code))?;
    section(output, "L2CAP frames", &s.channels, |channel| match channel.name() {
        Some(name) => format!("{name} (0x{:04X})", channel.0),
        None => channel.to_string(),
    })?;
    section(output, "L2CAP signalling", &s.signals, |code| {
        named(SignalingCommand::name_of(*code), "command", *code)
    })?;
    section(output, "ATT", &s.att, |opcode| opcode.to_string())?;
    section(output, "ATT errors", &s.att_errors, |code: &AttError| format!("{code} (0x{:02X})", code.0))?;
    section(output, "SMP", &s.smp, |code| named(SmpPdu::name_of(*code), "PDU", *code))
}

fn advertisers(output: &mut Output, s: &Statistics) -> io::Result<()> {
    if s.advertisers.is_empty() {
        return Ok(());
    }
    let (reports, devices) = (plural(s.reports(), "report"), plural(s.advertisers.len(), "address"));
    output.line(format_args!("Advertising: {reports} of {devices}"))?;
    for (address, n) in most(&s.advertisers).into_iter().take(MOST_ADVERTISERS) {
        output.line(format_args!("{n:>10}  {address}"))?;
    }
    if s.advertisers.len() > MOST_ADVERTISERS {
        output.line("         …")?;
    }
    Ok(())
}

/// Advertisers that are named, those with most reports.
const MOST_ADVERTISERS: usize = 10;

fn links(output: &mut Output, s: &Statistics, start: Timestamp) -> io::Result<()> {
    if s.links.is_empty() && s.le_connections_failed == 0 {
        return Ok(());
    }
    let full = if s.links.len() >= MOST_LINKS { " (and perhaps more)" } else { "" };
    let failed = match s.le_connections_failed {
        0 => String::new(),
        n => format!(", {} that did not come about", n),
    };
    output.line(format_args!("Links: {}{full}{failed}", s.links.len()))?;
    for LinkSummary { handle, peer, began, ended, packets, .. } in &s.links {
        let peer = peer.map_or("peer not seen".to_owned(), |peer| peer.to_string());
        let began = began.map_or("before".to_owned(), |time| format!("{:.3} s", seconds(start, time)));
        let ended = ended.map_or("still up".to_owned(), |(time, reason)| {
            format!("{:.3} s: {reason} (0x{:02X})", seconds(start, time), reason.0)
        });
        let packets = plural(*packets, "packet");
        output.line(format_args!("    {handle}  {peer}, {packets}, from {began} to {ended}"))?;
    }
    Ok(())
}

/// A tally under a heading, the most frequent first; nothing when it is empty.
fn section<K: Ord>(
    output: &mut Output,
    heading: &str,
    tally: &BTreeMap<K, u64>,
    name: impl Fn(&K) -> String,
) -> io::Result<()> {
    if tally.is_empty() {
        return Ok(());
    }
    output.line(format_args!("{heading}: {}", tally.values().sum::<u64>()))?;
    most(tally).into_iter().try_for_each(|(key, n)| output.line(format_args!("{n:>10}  {}", name(key))))
}

/// The most frequent first, those as frequent by their number.
fn most<K: Ord>(tally: &BTreeMap<K, u64>) -> Vec<(&K, u64)> {
    let mut sorted: Vec<_> = tally.iter().map(|(key, n)| (key, *n)).collect();
    sorted.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    sorted
}

fn named(name: Option<&str>, what: &str, code: u8) -> String {
    name.map_or_else(|| format!("{what} 0x{code:02X}"), str::to_owned)
}

fn long(kind: Option<PacketIndicator>) -> &'static str {
    match kind {
        Some(PacketIndicator::Command) => "commands",
        Some(PacketIndicator::Event) => "events",
        Some(PacketIndicator::AclData) => "ACL",
        Some(PacketIndicator::SynchronousData) => "synchronous",
        Some(PacketIndicator::IsoData) => "isochronous",
        None => "other",
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.nanos_since(from) as f64 / 1e9
}

fn plural(n: impl TryInto<u64>, what: &str) -> String {
    match n.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {what}"),
        n if what.ends_with('s') => format!("{n} {what}es"),
        n => format!("{n} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_their_type() {
        assert_eq!((hex(5_u8), hex(5_u16)), ("0x05".to_owned(), "0x0005".to_owned()));
    }

    #[test]
    fn the_most_frequent_comes_first_and_ties_keep_the_order_of_numbers() {
        let tally = BTreeMap::from([(1, 5), (2, 9), (3, 5)]);
        assert_eq!(most(&tally), [(&2, 9), (&1, 5), (&3, 5)]);
    }
}
