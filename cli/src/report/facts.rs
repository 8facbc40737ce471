//! What a capture tells, gathered record by record. Every part is bounded: what found no room is counted.

mod att;
mod flow;
mod link;

use self::flow::Flow;
use super::activity::Activity;
use super::devices::Devices;
use super::latency::{Latency, Slowest};
use super::links::{Key, Links, Row};
use super::problems::{Problems, Sort, command_hint};
use super::series::{Cell, Series};
use super::spans::Span;
use super::values::{Moment, Values};
use baretooth::capture::dissect::{Acl, Asked, Content, Dissector, MonitorOpcode, Packet, Pdu, What};
use baretooth::capture::{Direction, Kind, Timestamp};
use baretooth::hci::command::{
    HciCommand, HostNumberOfCompletedPackets, ReadBdAddr, ReadLocalVersionInformation, Reset,
};
use baretooth::hci::{Command, ConnectionHandle, ErrorCode, Event, Opcode};
use baretooth::l2cap::Dropped;
use baretooth::{Address, BdAddr};
use std::collections::BTreeMap;

/// Everything that the page shows.
#[derive(Debug)]
pub struct Facts {
    pub records: u64,
    pub packets: u64,
    /// The first record's time; all others count from there.
    pub start: Option<Timestamp>,
    /// The latest, in nanoseconds from the first.
    pub end: u64,
    pub adapters: BTreeMap<Option<u16>, Adapter>,
    pub rate: Series<Rate>,
    pub activity: Activity,
    pub links: Links,
    pub devices: Devices,
    pub values: Values,
    pub problems: Problems,
    pub command_answers: Latency,
    pub att_answers: Latency,
    pub slowest: Slowest,
    flow: Flow,
    /// Records of which octets are missing.
    pub cut: u64,
    /// Records that are older than one before them.
    pub backwards: u64,
    /// ATT requests.
    pub requests: u64,
    /// Those that were refused; the end of a search is no refusal.
    pub att_errors: u64,
    /// Requests and commands whose answer is not in the capture, for want of it or because the capture ends.
    pub unanswered: u64,
    pub open_at_end: u64,
    commands: BTreeMap<(Option<u16>, Opcode), Open>,
    asked: BTreeMap<Asking, Open>,
}

/// What an adapter said of itself.
#[derive(Clone, Debug, Default)]
pub struct Adapter {
    pub address: Option<BdAddr>,
    pub version: Option<u8>,
    pub company: Option<u16>,
    pub packets: u64,
}

/// Packets of each kind in a span of time.
#[derive(Clone, Debug, Default)]
pub struct Rate(pub [u32; KINDS.len()]);

/// The kinds that packets are counted by.
pub const KINDS: [&str; 6] =
    ["commands", "events", "advertising reports", "data sent", "data received", "other"];

impl Cell for Rate {
    fn merge(&mut self, next: &Self) {
        self.0.iter_mut().zip(next.0).for_each(|(sum, n)| *sum = sum.saturating_add(n));
    }
}

/// The link, the way, and whether it is an indication rather than a request: of each, one may be open.
type Asking = (Key, Option<Direction>, bool);

/// A request or command without an answer yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    number: u64,
    at: u64,
    what: What,
    /// Where in a long value a read begins.
    offset: u16,
}

/// After that a request is not answered any more ([Vol 3] Part F, 3.3.3).
const TRANSACTION_TIMEOUT: u64 = 30_000_000_000;
const MOST_OPEN: usize = 512;
const MOST_ADAPTERS: usize = 16;

impl Default for Facts {
    fn default() -> Self {
        Self {
            records: 0,
            packets: 0,
            start: None,
            end: 0,
            adapters: BTreeMap::new(),
            rate: Series::new(384),
            activity: Activity::default(),
            links: Links::default(),
            devices: Devices::default(),
            values: Values::default(),
            problems: Problems::default(),
            command_answers: Latency::default(),
            att_answers: Latency::default(),
            slowest: Slowest::default(),
            flow: Flow::default(),
            cut: 0,
            backwards: 0,
            requests: 0,
            att_errors: 0,
            unanswered: 0,
            open_at_end: 0,
            commands: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }
}

impl Facts {
    /// Takes in the next record.
    pub fn take(&mut self, packet: &Packet<'_>) {
        let record = packet.record;
        let at = self.since_start(record.time);
        let now = Moment { at, number: packet.number };
        self.records += 1;
        self.backwards += u64::from(at < self.end);
        self.end = self.end.max(at);
        self.cut += u64::from(record.is_cut());
        let is_packet = matches!(record.kind, Kind::Packet(_));
        if is_packet && (self.adapters.len() < MOST_ADAPTERS || self.adapters.contains_key(&record.adapter)) {
            self.adapters.entry(record.adapter).or_default().packets += 1;
        }
        if let Some(flaw) = packet.flaw
            && !matches!(packet.content, Content::Broken(_))
        {
            self.problem(Sort::Malformed, format!("malformed packet: {flaw}"), None, now);
        }
        let kind = match &packet.content {
            Content::Command { opcode, command, .. } => {
                self.command(*opcode, command.as_ref().ok(), record.adapter, now);
                self.unless_cut(packet, command.as_ref().err(), now);
                0
            }
            Content::Event { event, answers, continued, .. } => {
                self.unless_cut(packet, event.as_ref().err(), now);
                match event {
                    Ok(event) => self.event(event, *answers, *continued, record.adapter, now),
                    Err(_) => 1,
                }
            }
            Content::Acl(acl) => self.acl(packet, acl, now),
            Content::Synchronous { handle, .. } => {
                self.stream(record.adapter, *handle, record.direction(), now)
            }
            Content::Isochronous(iso) => self.stream(record.adapter, iso.handle, record.direction(), now),
            Content::Note => {
                self.note(record.kind, record.adapter, &record.data);
                5
            }
            Content::Broken(error) => {
                if !record.is_cut() {
                    self.problem(Sort::Malformed, format!("no HCI packet: {error}"), None, now);
                }
                5
            }
            _ => 5,
        };
        self.packets += u64::from(is_packet);
        let cell = &mut self.rate.at(at).0[kind];
        *cell = cell.saturating_add(1);
    }

    /// Nothing comes any more.
    pub fn finish(&mut self, dissector: &Dissector) {
        let end = Moment { at: self.end, number: self.records };
        for (_, open) in std::mem::take(&mut self.commands) {
            self.left_open(open, end, "the capture ended");
        }
        for (_, open) in std::mem::take(&mut self.asked) {
            self.left_open(open, end, "the capture ended");
        }
        self.rate.reach(self.end);
        self.activity.finish(self.end);
        self.values
            .complete(|server| dissector.attributes_of(server.peer, server.link, server.side).cloned());
    }

    fn since_start(&mut self, time: Timestamp) -> u64 {
        let start = *self.start.get_or_insert(time);
        u64::try_from(time.nanos_since(start)).unwrap_or(0)
    }

    fn problem(&mut self, sort: Sort, what: String, hint: Option<&'static str>, now: Moment) {
        self.problems.add(sort, what, hint, now.number, now.at);
    }

    fn unless_cut(&mut self, packet: &Packet<'_>, error: Option<&baretooth::codec::ParseError>, now: Moment) {
        if let Some(error) = error
            && !packet.record.is_cut()
            && packet.flaw.is_none()
        {
            self.problem(Sort::Malformed, format!("malformed packet: {error}"), None, now);
        }
    }

    fn command(&mut self, opcode: Opcode, command: Option<&Command<'_>>, adapter: Option<u16>, now: Moment) {
        if let Some(command) = command {
            self.activity.command(adapter, command, now);
        }
        // Never answered when it worked.
        if opcode != HostNumberOfCompletedPackets::OPCODE && self.commands.len() < MOST_OPEN {
            let open = Open { number: now.number, at: now.at, what: What::Command(opcode), offset: 0 };
            self.commands.insert((adapter, opcode), open);
        }
    }

    /// The kind that it counts as.
    fn event(
        &mut self,
        event: &Event<'_>,
        answers: Option<Asked>,
        continued: u64,
        adapter: Option<u16>,
        now: Moment,
    ) -> usize {
        match event {
            Event::CommandComplete(e) => {
                let returned = e.return_parameters.0;
                self.returned(e.command_opcode, returned, adapter, now);
                let status = returned.first().map_or(ErrorCode::Success, |status| ErrorCode(*status));
                self.command_answered(e.command_opcode, status, answers, adapter, now);
            }
            Event::CommandStatus(e) => {
                self.command_answered(e.command_opcode, e.status, answers, adapter, now);
            }
            Event::ConnectionComplete(e) => {
                self.connected(
                    (adapter, e.connection_handle),
                    Some(Address::public(e.bd_addr)),
                    e.status,
                    now,
                );
                if let Some(link) = self.links.known((adapter, e.connection_handle)) {
                    link.classic = true;
                }
            }
            Event::DisconnectionComplete(e) => {
                self.disconnected((adapter, e.connection_handle), e.status, e.reason, now)
            }
            Event::EncryptionChange(e) => {
                self.encryption((adapter, e.connection_handle), e.status, e.encryption_enabled != 0, now);
            }
            Event::EncryptionChangeV2(e) => {
                self.encryption((adapter, e.connection_handle), e.status, e.encryption_enabled != 0, now);
            }
            Event::EncryptionKeyRefreshComplete(e) => {
                self.encryption((adapter, e.connection_handle), e.status, true, now);
            }
            Event::HardwareError(e) => {
                let hint = Some("the controller failed and has to be reset");
                self.problem(
                    Sort::Controller,
                    format!("Hardware Error, code 0x{:02X}", e.hardware_code),
                    hint,
                    now,
                );
            }
            Event::DataBufferOverflow(_) => {
                let hint = Some("the host sent more packets than the controller had room for");
                self.problem(Sort::Controller, "Data Buffer Overflow".to_owned(), hint, now);
            }
            Event::NumberOfCompletedPackets(e) => {
                for link in e.handles.iter() {
                    let key = (adapter, link.connection_handle);
                    let stalled = self.flow.completed(key, link.num_completed_packets, now.at);
                    self.stall(stalled, now);
                }
            }
            Event::LeMeta(meta) => {
                let reports = self.devices.take(event, continued, now.at);
                if reports > 0 {
                    self.activity.reports(adapter, reports, now.at);
                    return 2;
                }
                self.le_event(&meta.subevent, adapter, now);
            }
            _ => {}
        }
        1
    }

    /// What a monitor says of an adapter that comes.
    fn note(&mut self, kind: Kind, adapter: Option<u16>, data: &[u8]) {
        let Kind::Monitor(opcode) = kind else { return };
        let (address, company) = match (MonitorOpcode(opcode), data) {
            (MonitorOpcode::NewIndex, [_, _, a, b, c, d, e, f, ..]) => ([*a, *b, *c, *d, *e, *f], None),
            (MonitorOpcode::IndexInfo, [a, b, c, d, e, f, low, high, ..]) => {
                ([*a, *b, *c, *d, *e, *f], Some(u16::from_le_bytes([*low, *high])))
            }
            _ => return,
        };
        if self.adapters.len() < MOST_ADAPTERS || self.adapters.contains_key(&adapter) {
            let adapter = self.adapters.entry(adapter).or_default();
            adapter.address =
                Some(BdAddr(address)).filter(|address| *address != BdAddr::ANY).or(adapter.address);
            adapter.company = company.or(adapter.company);
        }
    }

    /// What an adapter says of itself.
    fn returned(&mut self, opcode: Opcode, returned: &[u8], adapter: Option<u16>, now: Moment) {
        self.flow.returned(adapter, opcode, returned);
        match (opcode, returned) {
            (Reset::OPCODE, [0, ..]) => {
                self.links.reset(adapter, now.at);
                self.activity.reset(adapter, now.at);
                // What was asked before is not answered any more.
                self.commands.retain(|(of, _), _| *of != adapter);
                self.asked.retain(|((of, _), ..), _| *of != adapter);
            }
            (ReadBdAddr::OPCODE, [0, a, b, c, d, e, f, ..]) => {
                if let Some(adapter) = self.adapters.get_mut(&adapter) {
                    adapter.address = Some(BdAddr([*a, *b, *c, *d, *e, *f]));
                }
            }
            (ReadLocalVersionInformation::OPCODE, [0, version, _, _, _, low, high, ..]) => {
                if let Some(adapter) = self.adapters.get_mut(&adapter) {
                    adapter.version = Some(*version);
                    adapter.company = Some(u16::from_le_bytes([*low, *high]));
                }
            }
            _ => {}
        }
    }

    fn command_answered(
        &mut self,
        opcode: Opcode,
        status: ErrorCode,
        answers: Option<Asked>,
        adapter: Option<u16>,
        now: Moment,
    ) {
        self.commands.remove(&(adapter, opcode));
        if opcode == Opcode::NONE {
            return;
        }
        self.activity.answered(adapter, opcode, status, now);
        if let Some(asked) = answers {
            let nanos = now.at.saturating_sub(self.since_start(asked.time));
            self.command_answers.add(nanos);
            self.slowest.add(nanos, asked.number, now.number, || opcode.to_string());
        }
        // What a vendor's command returns first need not be a status.
        if status != ErrorCode::Success && !opcode.is_vendor_specific() {
            self.problem(
                Sort::Command,
                format!("{}: {}", command_name(opcode), coded(status)),
                command_hint(status),
                now,
            );
        }
    }

    fn stream(
        &mut self,
        adapter: Option<u16>,
        handle: ConnectionHandle,
        way: Option<Direction>,
        now: Moment,
    ) -> usize {
        if let Some(link) = self.links.known((adapter, handle)) {
            link.count(way, now.at);
            link.push(Row::Other, Span::at(now.at, now.number, false));
        }
        5
    }

    fn acl(&mut self, packet: &Packet<'_>, acl: &Acl<'_>, now: Moment) -> usize {
        let adapter = packet.record.adapter;
        let key = (adapter, acl.header.handle);
        let kind = if acl.direction == Some(Direction::Sent) { 3 } else { 4 };
        if let Some(dropped) = acl.dropped {
            self.problem(Sort::Malformed, format!("dropped fragment: {}", dropped_as(dropped)), None, now);
        }
        if self.links.has_ended(key) {
            self.problem(
                Sort::Note,
                "data on a link that had ended".to_owned(),
                Some("it was under way when the link ended"),
                now,
            );
            return kind;
        }
        let Some(link) = self.links.get(key, now.at) else { return kind };
        link.count(acl.direction, now.at);
        link.peer = link.peer.or(acl.peer);
        if acl.direction == Some(Direction::Sent) {
            self.flow.sent(key, now.at);
        }
        let Some(frame) = &acl.frame else { return kind };
        match frame.pdu() {
            Pdu::Att(Ok(pdu)) => self.att(key, acl, frame, &pdu, now),
            Pdu::Smp(Ok(pdu)) => self.smp(key, acl.direction, &pdu, now),
            Pdu::Signals(signals) => {
                link.push(Row::Setup, Span::at(now.at, now.number, false));
                for error in signals.filter_map(Result::err).take(1) {
                    self.unless_cut(packet, Some(&error), now);
                }
            }
            Pdu::Other(_) => link.push(Row::Other, Span::at(now.at, now.number, false)),
            Pdu::Att(Err(error)) | Pdu::Smp(Err(error)) => {
                if frame.missing == 0 {
                    self.unless_cut(packet, Some(&error), now);
                }
            }
        }
        kind
    }
}

/// A code by name and number.
fn coded(code: ErrorCode) -> String {
    format!("{} (0x{:02X})", code.name().unwrap_or("unknown error"), code.0)
}

/// A command by its name, or said to be one.
fn command_name(opcode: Opcode) -> String {
    opcode.name().map_or_else(|| opcode.to_string(), |name| format!("command {name}"))
}

/// The sort, without what differs from one to the next.
fn dropped_as(dropped: Dropped) -> &'static str {
    match dropped {
        Dropped::NoStart => "a continuation without a start",
        Dropped::CutOff(_) => "a frame was cut off by the next",
        Dropped::TooLong(_) => "more octets than the frame announces",
        _ => "flags that are not used on LE",
    }
}
