//! Every field of a packet, as a tree or as JSON: from the same declarations as its line.

use super::packet::{Acl, Asked, Content, Frame, Isochronous, Packet, Pdu, Signals, What};
use super::secrets;
use crate::capture::{Direction, Kind, Timestamp};
use crate::codec::Field;
use crate::codec::HexInt;
use crate::codec::show::{Json, Show, Tree, View};
use crate::gap::advertising_data::AdvertisingData;
use crate::hci::acl::PacketBoundary;
use crate::hci::{Command, Event};
use crate::l2cap::signaling::Psm;
use std::fmt::Display;

impl Packet<'_> {
    /// Appends every field, to stand below the packet's line: each begins a new line, and the last one ends without a
    /// line break.
    pub fn write_fields(&self, out: &mut Vec<u8>) {
        let mut tree = Tree::new(out, 5).advertising(show_advertising);
        tree.begin();
        self.show(&mut tree);
        tree.end();
    }

    /// Appends the packet as one JSON object, without a line break. `first` is when the capture begins.
    ///
    /// `type` is `"packet"`, `time` is in seconds since `first`, `timestamp` in seconds since 1970, `text` is the packet's
    /// line; the fields follow, in the words of the specification.
    ///
    /// ```
    /// use baretooth::capture::{Direction, Record, Timestamp, dissect::Dissector};
    /// use baretooth::transports::HciPacket;
    /// let record = Record::packet(Timestamp::UNIX_EPOCH, Direction::Sent, &HciPacket::new(vec![1, 3, 12, 0])?);
    /// let mut json = Vec::new();
    /// Dissector::default().read(&record).write_json(Timestamp::UNIX_EPOCH, &mut json);
    /// assert_eq!(
    ///     String::from_utf8_lossy(&json),
    ///     r#"{"type":"packet","number":1,"time":0.000000,"timestamp":0.000000,"direction":"sent","kind":"command","#
    ///         .to_owned() + r#""text":"Reset","command":{"code":3075,"name":"Reset"}}"#
    /// );
    /// # Ok::<(), baretooth::transports::PacketError>(())
    /// ```
    pub fn write_json(&self, first: Timestamp, out: &mut Vec<u8>) {
        let start = out.len();
        self.write_line(out);
        let line = String::from_utf8_lossy(&out[start..]).into_owned();
        out.truncate(start);
        let mut json = Json::new(out).advertising(show_advertising);
        json.begin();
        json.field("type");
        json.text("packet");
        json.field("number");
        json.number(i64::try_from(self.number).unwrap_or(i64::MAX));
        json.field("time");
        json.seconds(self.record.time.nanos_since(first));
        json.field("timestamp");
        json.seconds(self.record.time.nanos_since(Timestamp::UNIX_EPOCH));
        if let Kind::Packet(direction) = self.record.kind {
            json.field("direction");
            json.text(match direction {
                Some(Direction::Sent) => "sent",
                Some(Direction::Received) => "received",
                None => "unknown",
            });
        }
        json.field("kind");
        json.text(self.kind());
        json.field("text");
        json.text(&line);
        self.show(&mut json);
        json.end();
    }

    /// What kind of packet it is, in a word: `command`, `event`, `acl`, `sco`, `iso`, `diagnostics`, `note` or `broken`.
    pub fn kind(&self) -> &'static str {
        match self.content {
            Content::Command { .. } => "command",
            Content::Event { .. } => "event",
            Content::Acl(_) => "acl",
            Content::Synchronous { .. } => "sco",
            Content::Isochronous(_) => "iso",
            Content::Diagnostics { .. } => "diagnostics",
            Content::Note => "note",
            Content::Broken(_) => "broken",
        }
    }

    /// Says what the packet is made of, without the beginning and end of a structure.
    pub fn show(&self, to: &mut dyn Show) {
        if let Some(adapter) = self.record.adapter {
            to.field("adapter");
            to.number(adapter.into());
        }
        if self.record.is_cut() {
            number(to, "original_length", self.record.original_length);
        }
        match &self.content {
            Content::Command { opcode, command, parameters } => {
                or_octets(to, "command", command, (parameters, opcode.holds_keys()), Command::show);
            }
            Content::Event { code, event, parameters, answers, .. } => {
                let keys = secrets::in_event(*code, parameters);
                or_octets(to, "event", event, (parameters, keys), show_event);
                self.answers(to, *answers);
            }
            Content::Acl(acl) => self.acl(to, acl),
            Content::Synchronous { handle, status, data } => {
                to.field("connection_handle");
                handle.show(to);
                number(to, "packet_status", usize::from(*status));
                octets(to, "data", data);
            }
            Content::Isochronous(iso) => isochronous(to, iso),
            Content::Diagnostics { handle, data } => {
                to.field("handle");
                handle.show(to);
                octets(to, "data", data);
            }
            Content::Note => {
                let (data, keys) = secrets::of_note(self.record);
                octets(to, "data", data);
                if keys {
                    to.field("keys");
                    to.secret();
                }
            }
            Content::Broken(_) => octets(to, "data", &self.record.data),
        }
        if let Some(flaw) = self.flaw {
            text(to, "malformed_length", &flaw);
        }
        for comment in &self.record.comments {
            text(to, "comment", comment);
        }
    }

    fn acl(&self, to: &mut dyn Show, acl: &Acl<'_>) {
        to.field("acl");
        to.begin();
        to.field("connection_handle");
        acl.header.handle.show(to);
        if let Some(peer) = acl.peer {
            text(to, "peer", &peer);
        }
        to.field("packet_boundary");
        let (value, name) = match acl.header.boundary {
            PacketBoundary::FirstNonFlushable => (0, "first, not flushable"),
            PacketBoundary::Continuing => (1, "continuing"),
            PacketBoundary::FirstFlushable => (2, "first, flushable"),
            PacketBoundary::Complete => (3, "complete"),
        };
        to.named(value, 1, Some(name));
        number(to, "broadcast", acl.header.broadcast.into());
        number(to, "length", acl.header.data.len());
        if acl.frame.is_none() {
            if secrets::in_part_of_frame(&acl.header) {
                to.field("data");
                to.secret();
            } else {
                octets(to, "data", acl.header.data);
            }
        }
        if let Some(dropped) = acl.dropped {
            text(to, "malformed", &dropped);
        }
        to.end();
        if let Some(frame) = &acl.frame {
            self.frame(to, acl, frame);
        }
    }

    fn frame(&self, to: &mut dyn Show, acl: &Acl<'_>, frame: &Frame) {
        to.field("l2cap");
        to.begin();
        to.field("channel");
        frame.channel.show(to);
        if let Some(psm) = frame.psm {
            to.field("psm");
            Psm::show(HexInt(psm), to);
        }
        number(to, "length", frame.payload.len() + frame.missing);
        if frame.packets > 1 {
            to.field("packets");
            to.number(frame.packets.into());
        }
        to.end();
        match frame.pdu() {
            Pdu::Att(pdu) => {
                let of = match frame.answers.map(|asked| asked.what) {
                    Some(What::Type(_, of)) => Some(of),
                    _ => None,
                };
                or_octets(to, "att", &pdu, (&frame.payload, false), |pdu, to| pdu.show_entries(of, to));
                let asked = match frame.answers.map(|asked| asked.what) {
                    Some(What::Attribute(_, handle)) => Some(handle),
                    _ => pdu.ok().and_then(|pdu| pdu.attribute_handle()),
                };
                let mut name = Vec::new();
                if let (Some(handle), Some(attributes)) = (asked, acl.attributes)
                    && attributes.write_name(handle, &mut name)
                {
                    to.field("attribute");
                    to.text(&String::from_utf8_lossy(&name));
                }
                self.answers(to, frame.answers);
            }
            Pdu::Smp(pdu) => {
                let raw = (&frame.payload[..], secrets::in_smp(&frame.payload));
                or_octets(to, "smp", &pdu, raw, |pdu, to| pdu.show(to));
            }
            Pdu::Signals(signals) => show_signals(to, signals),
            Pdu::Other(payload) => octets(to, "payload", payload),
        }
    }

    fn answers(&self, to: &mut dyn Show, asked: Option<Asked>) {
        let Some(asked) = asked else { return };
        to.field("answers");
        to.begin();
        to.field("packet");
        to.number(i64::try_from(asked.number).unwrap_or(i64::MAX));
        to.field("after_us");
        to.number(self.record.time.nanos_since(asked.time) / 1_000);
        if let What::Attribute(_, handle) = asked.what {
            to.field("attribute_handle");
            to.hex(handle.into(), 2);
        }
        to.end();
    }
}

fn show_event(event: &Event<'_>, to: &mut dyn Show) {
    let Event::CommandComplete(e) = event else { return event.show(to) };
    to.begin_named("event", event.code().into(), 1, Event::name_of(event.code()));
    number(to, "num_hci_command_packets", e.num_hci_command_packets.into());
    to.field("command_opcode");
    e.command_opcode.show(to);
    to.field("return_parameters");
    e.command_opcode.show_return(e.return_parameters.0, to);
    to.end();
}

fn show_signals(to: &mut dyn Show, signals: Signals<'_>) {
    for signal in signals {
        let signal = match signal {
            Ok(signal) => signal,
            Err(error) => return text(to, "malformed", &error),
        };
        number(to, "identifier", signal.identifier.into());
        or_octets(to, "signal", &signal.command(), (signal.data, false), |command, to| command.show(to));
    }
}

fn isochronous(to: &mut dyn Show, iso: &Isochronous<'_>) {
    to.field("connection_handle");
    iso.handle.show(to);
    number(to, "packet_boundary", iso.boundary.into());
    let optional = [
        ("time_stamp", iso.time_stamp),
        ("packet_sequence_number", iso.sequence_number.map(u32::from)),
        ("iso_sdu_length", iso.sdu_length.map(u32::from)),
        ("packet_status", iso.status.map(u32::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            to.field(name);
            to.number(value.into());
        }
    }
    octets(to, "data", iso.data);
}

/// What parsed by `show`, what did not with the reason: as octets, unless keys may be among them.
fn or_octets<T>(
    to: &mut dyn Show,
    name: &'static str,
    parsed: &Result<T, impl Display>,
    (raw, keys): (&[u8], bool),
    show: impl FnOnce(&T, &mut dyn Show),
) {
    match parsed {
        Ok(value) => {
            to.field(name);
            show(value, to);
        }
        Err(error) => {
            if keys {
                to.field(name);
                to.secret();
            } else {
                octets(to, name, raw);
            }
            text(to, "malformed", error);
        }
    }
}

fn show_advertising(octets: &[u8], to: &mut dyn Show) {
    AdvertisingData::new(octets).show(to);
}

fn number(to: &mut dyn Show, name: &'static str, value: usize) {
    to.field(name);
    to.number(i64::try_from(value).unwrap_or(i64::MAX));
}

fn octets(to: &mut dyn Show, name: &'static str, octets: &[u8]) {
    to.field(name);
    to.octets(octets);
}

fn text(to: &mut dyn Show, name: &'static str, value: &impl Display) {
    to.field(name);
    to.text(&value.to_string());
}

#[cfg(test)]
mod tests;
