//! A packet as one line for people.

use super::packet::{Acl, Content, Frame, Isochronous, Packet, Pdu, Signals};
use super::secrets;
use super::text::{self, Text};
use super::{att, note, report};
use crate::assigned;
use crate::capture::{Direction, Timestamp};
use crate::codec::ParseError;
use crate::codec::show::{Line, digits};
use crate::hci::acl::PacketBoundary;
use crate::hci::event::NumberOfCompletedPackets;
use crate::hci::{Event, LeEvent};
use std::fmt::Display;
use std::io::Write;

impl Packet<'_> {
    /// Appends what stands before the line: number, seconds since `first` (when the capture begins), and which way:
    /// → sent, ← received, · neither or unknown.
    pub fn write_head(&self, first: Timestamp, out: &mut Vec<u8>) {
        let from = out.len();
        digits::unsigned(out, self.number);
        align(out, from, 6);
        out.push(b' ');
        let from = out.len();
        digits::seconds(out, self.record.time.nanos_since(first));
        align(out, from, 12);
        out.text(match self.record.direction() {
            Some(Direction::Sent) => " → ",
            Some(Direction::Received) => " ← ",
            None => " · ",
        });
    }

    /// Appends the packet's line, without number, time, direction and line break. No character in it is a control
    /// character, whatever was received; long runs of octets are cut.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        let from = out.len();
        self.content_line(out);
        if let Some(flaw) = self.flaw
            && !matches!(self.content, Content::Broken(_))
        {
            let _ = write!(out, " (malformed: {flaw})");
        }
        if self.record.is_cut() {
            let _ = write!(
                out,
                " (only {} of {} octets captured)",
                self.record.data.len(),
                self.record.original_length
            );
        }
        while out.len() > from && out.last() == Some(&b' ') {
            out.pop();
        }
    }

    fn content_line(&self, out: &mut Vec<u8>) {
        match &self.content {
            Content::Command { opcode, parameters, command } => match command {
                Ok(command) => command.show(&mut Line::new(out)),
                Err(error) => self.unreadable(out, error, parameters, opcode.holds_keys()),
            },
            // A list that ends early is not malformed here: the rest of it was not captured.
            Content::Event { parameters, event: Ok(event), .. } if self.is_cut_in_list(event) => {
                out.text(match event {
                    Event::LeMeta(meta) => LeEvent::name_of(meta.subevent.code()).unwrap_or("LE Meta"),
                    event => Event::name_of(event.code()).unwrap_or_default(),
                });
                out.text(" ");
                text::octets(out, parameters);
            }
            Content::Event { code, parameters, event, continued, .. } => match event {
                Ok(Event::CommandComplete(e)) => {
                    let _ = write!(
                        out,
                        "Command Complete {} ncmd={} ",
                        e.command_opcode, e.num_hci_command_packets
                    );
                    e.command_opcode.show_return(e.return_parameters.0, &mut Line::new(out));
                }
                Ok(Event::CommandStatus(e)) => {
                    let _ = write!(
                        out,
                        "Command Status {} ncmd={} status={}",
                        e.command_opcode, e.num_hci_command_packets, e.status
                    );
                }
                Ok(Event::NumberOfCompletedPackets(e)) if e.handles.is_complete() => completed(out, e),
                Ok(Event::LeMeta(meta)) if report::line(out, &meta.subevent, *continued) => {}
                Ok(Event::LeMeta(meta)) => meta.subevent.show(&mut Line::new(out)),
                Ok(event) => event.show(&mut Line::new(out)),
                Err(error) => self.unreadable(out, error, parameters, secrets::in_event(*code, parameters)),
            },
            Content::Acl(acl) => self.acl_line(out, acl),
            Content::Synchronous { handle, data, .. } => {
                out.text("SCO ");
                text::hex16(out, handle.0);
                out.text(" ");
                text::octets(out, data);
            }
            Content::Isochronous(iso) => isochronous(out, iso),
            Content::Diagnostics { handle, data } => {
                out.text("Vendor diagnostics ");
                text::hex16(out, handle.0);
                out.text(" ");
                text::octets(out, data);
            }
            Content::Note => note::line(out, self.record),
            Content::Broken(error) => {
                if !self.record.is_cut() {
                    let _ = write!(out, "{error} ");
                }
                text::octets(out, &self.record.data);
            }
        }
    }

    fn is_cut_in_list(&self, event: &Event<'_>) -> bool {
        self.record.is_cut()
            && match event {
                Event::NumberOfCompletedPackets(e) => !e.handles.is_complete(),
                Event::LeMeta(meta) => match &meta.subevent {
                    LeEvent::LeAdvertisingReport(e) => !e.reports.is_complete(),
                    LeEvent::LeExtendedAdvertisingReport(e) => !e.reports.is_complete(),
                    LeEvent::LeDirectedAdvertisingReport(e) => !e.reports.is_complete(),
                    _ => false,
                },
                _ => false,
            }
    }

    /// What a command or event has instead of its fields.
    fn unreadable(&self, out: &mut Vec<u8>, error: &ParseError, parameters: &[u8], keys: bool) {
        if keys {
            let _ = if self.record.is_cut() {
                write!(out, "{} <secret>", error.what)
            } else {
                write!(out, "{error} <secret>")
            };
        } else if self.record.is_cut() {
            // Nothing is wrong with it: the rest is not there.
            out.text(error.what);
            out.text(" ");
            text::octets(out, parameters);
        } else {
            malformed(out, error, parameters);
        }
    }

    fn acl_line(&self, out: &mut Vec<u8>, acl: &Acl<'_>) {
        out.text("ACL ");
        text::hex16(out, acl.header.handle.0);
        out.text(" ");
        match &acl.frame {
            Some(frame) => self.frame_line(out, acl, frame),
            None => {
                let continued = acl.header.boundary == PacketBoundary::Continuing;
                out.text(if continued { "L2CAP frame continued, " } else { "L2CAP frame starts, " });
                text::decimal(out, acl.header.data.len());
                out.text(" octets");
            }
        }
        if let Some(dropped) = acl.dropped {
            let _ = write!(out, " (malformed: {dropped})");
        }
    }

    fn frame_line(&self, out: &mut Vec<u8>, acl: &Acl<'_>, frame: &Frame) {
        match frame.pdu() {
            Pdu::Att(Ok(pdu)) => att::line(out, &pdu, frame, acl.attributes, self.record.time),
            Pdu::Att(Err(error)) => malformed(out, &error, &frame.payload),
            Pdu::Smp(Ok(pdu)) => {
                out.text("SMP ");
                pdu.show(&mut Line::new(out));
            }
            Pdu::Smp(Err(error)) if secrets::in_smp(&frame.payload) => {
                let _ = write!(out, "{error} <secret>");
            }
            Pdu::Smp(Err(error)) => malformed(out, &error, &frame.payload),
            Pdu::Signals(signals) => signal_line(out, signals),
            Pdu::Other(payload) => {
                let _ = write!(out, "L2CAP {} ", frame.channel);
                if let Some(psm) = frame.psm {
                    let _ = match assigned::psm_name(psm) {
                        Some(name) => write!(out, "({name}) "),
                        None => write!(out, "(PSM 0x{psm:04X}) "),
                    };
                }
                text::octets(out, payload);
            }
        }
    }
}

fn completed(out: &mut Vec<u8>, event: &NumberOfCompletedPackets<'_>) {
    out.text("Number Of Completed Packets");
    for (n, link) in event.handles.iter().enumerate() {
        out.text(if n == 0 { " " } else { ", " });
        text::hex16(out, link.connection_handle.0);
        out.text(": ");
        text::decimal(out, link.num_completed_packets.into());
    }
}

fn signal_line(out: &mut Vec<u8>, signals: Signals<'_>) {
    for (n, signal) in signals.enumerate() {
        out.text(if n == 0 { "" } else { " | " });
        match signal.as_ref().map(|signal| (signal.command(), signal)) {
            Ok((Ok(command), signal)) => {
                command.show(&mut Line::new(out));
                out.text(" id=");
                text::decimal(out, signal.identifier.into());
            }
            Ok((Err(error), signal)) => malformed(out, &error, signal.data),
            Err(error) => malformed(out, error, signals.0),
        }
    }
}

fn isochronous(out: &mut Vec<u8>, iso: &Isochronous<'_>) {
    out.text("ISO ");
    text::hex16(out, iso.handle.0);
    if let Some(number) = iso.sequence_number {
        let _ = write!(out, " sequence={number}");
    }
    if let Some(length) = iso.sdu_length {
        let _ = write!(out, " sdu_length={length}");
    }
    if let Some(stamp) = iso.time_stamp {
        let _ = write!(out, " time_stamp={stamp}");
    }
    out.text(" ");
    text::octets(out, iso.data);
}

/// Moves what stands behind `from` to the right end of so many columns.
fn align(out: &mut Vec<u8>, from: usize, columns: usize) {
    let length = out.len() - from;
    if let Some(more) = columns.checked_sub(length) {
        out.resize(from + columns, b' ');
        out[from..].rotate_right(more);
    }
}

fn malformed(out: &mut Vec<u8>, error: &impl Display, octets: &[u8]) {
    let _ = write!(out, "{error} ");
    text::octets(out, octets);
}
