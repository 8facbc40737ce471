//! A packet as one line for people.

use super::packet::{Acl, Content, Frame, Isochronous, Packet, Pdu, Signals};
use super::{att, note, report, text};
use crate::hci::acl::PacketBoundary;
use crate::hci::{Event, Opcode};
use std::fmt::{self, Display, Write};

impl Packet<'_> {
    /// Appends the packet's line, without number, time, direction and line break. No character in it is a control
    /// character, whatever was received; long runs of octets are cut.
    pub fn write_line(&self, out: &mut String) {
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
        if out.ends_with(' ') {
            out.truncate(out.trim_end_matches(' ').len().max(from));
        }
    }

    fn content_line(&self, out: &mut String) {
        match &self.content {
            Content::Command { parameters, command, .. } => shown(out, command, parameters),
            Content::Event { parameters, event, continued, .. } => match event {
                Ok(Event::CommandComplete(e)) => {
                    let (opcode, returned) =
                        (e.command_opcode, Returned(e.command_opcode, e.return_parameters.0));
                    let from = out.len();
                    let _ = write!(
                        out,
                        "Command Complete {opcode} ncmd={} {returned}",
                        e.num_hci_command_packets
                    );
                    text::shorten(out, from);
                }
                Ok(Event::LeMeta(meta)) if report::line(out, &meta.subevent, *continued) => {}
                Ok(Event::LeMeta(meta)) => {
                    let from = out.len();
                    let _ = write!(out, "{}", meta.subevent);
                    text::shorten(out, from);
                }
                event => shown(out, event, parameters),
            },
            Content::Acl(acl) => self.acl_line(out, acl),
            Content::Synchronous { handle, data, .. } => {
                out.push_str("SCO ");
                text::hex16(out, handle.0);
                out.push(' ');
                text::octets(out, data);
            }
            Content::Isochronous(iso) => isochronous(out, iso),
            Content::Diagnostics { handle, data } => {
                out.push_str("Vendor diagnostics ");
                text::hex16(out, handle.0);
                out.push(' ');
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

    fn acl_line(&self, out: &mut String, acl: &Acl<'_>) {
        out.push_str("ACL ");
        text::hex16(out, acl.header.handle.0);
        out.push(' ');
        match &acl.frame {
            Some(frame) => self.frame_line(out, acl, frame),
            None => {
                let continued = acl.header.boundary == PacketBoundary::Continuing;
                out.push_str(if continued { "L2CAP frame continued, " } else { "L2CAP frame starts, " });
                text::decimal(out, acl.header.data.len());
                out.push_str(" octets");
            }
        }
        if let Some(dropped) = acl.dropped {
            let _ = write!(out, " (malformed: {dropped})");
        }
    }

    fn frame_line(&self, out: &mut String, acl: &Acl<'_>, frame: &Frame) {
        match frame.pdu() {
            Pdu::Att(Ok(pdu)) => att::line(out, &pdu, frame, acl.attributes, self.record.time),
            Pdu::Att(Err(error)) => malformed(out, &error, &frame.payload),
            Pdu::Smp(Ok(pdu)) => {
                let from = out.len();
                let _ = write!(out, "SMP {pdu}");
                text::shorten(out, from);
            }
            Pdu::Smp(Err(error)) => malformed(out, &error, &frame.payload),
            Pdu::Signals(signals) => signal_line(out, signals),
            Pdu::Other(payload) => {
                let _ = write!(out, "L2CAP {} ", frame.channel);
                text::octets(out, payload);
            }
        }
    }
}

fn signal_line(out: &mut String, signals: Signals<'_>) {
    for (n, signal) in signals.enumerate() {
        out.push_str(if n == 0 { "" } else { " | " });
        match signal.as_ref().map(|signal| (signal.command(), signal)) {
            Ok((Ok(command), signal)) => {
                let _ = write!(out, "{command} id={}", signal.identifier);
            }
            Ok((Err(error), signal)) => malformed(out, &error, signal.data),
            Err(error) => malformed(out, error, signals.0),
        }
    }
}

fn isochronous(out: &mut String, iso: &Isochronous<'_>) {
    out.push_str("ISO ");
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
    out.push(' ');
    text::octets(out, iso.data);
}

/// What parsed by its own line, what did not as octets.
fn shown(out: &mut String, parsed: &Result<impl Display, impl Display>, octets: &[u8]) {
    match parsed {
        Ok(parsed) => {
            let from = out.len();
            let _ = write!(out, "{parsed}");
            text::shorten(out, from);
        }
        Err(error) => malformed(out, error, octets),
    }
}

fn malformed(out: &mut String, error: &impl Display, octets: &[u8]) {
    let _ = write!(out, "{error} ");
    text::octets(out, octets);
}

/// Return parameters by their command's layout.
struct Returned<'a>(Opcode, &'a [u8]);

impl Display for Returned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::codec::show::display(f, |to| self.0.show_return(self.1, to))
    }
}
