//! A packet as one line for people, from the same tables that the host reads by.
//!
//! Keys are not printed. A packet that follows no layout is printed with its octets and said to be malformed. Long
//! runs of octets are cut, so that a line stays a line.

mod att;
mod report;

use self::att::Asked;
use super::{Direction, Record};
use crate::att::pdu::PduKind;
use crate::att::{AttOpcode, AttPdu};
use crate::codec::Hex;
use crate::hci::acl::{AclData, PacketBoundary};
use crate::hci::{Command, ConnectionHandle, Event, Opcode};
use crate::l2cap::signaling::Signal;
use crate::l2cap::{ChannelId, Dropped, Reassembly};
use crate::smp::SmpPdu;
use crate::transports::{HciPacket, PacketIndicator};
use std::collections::BTreeMap;
use std::fmt::{self, Display};

/// Reads the packets of a session in order. Remembers what is arriving in parts, and what was asked last on each link.
#[derive(Debug, Default)]
pub struct Dissector {
    /// Frames that are arriving, per link and direction; `true` for those received.
    frames: BTreeMap<(ConnectionHandle, bool), Reassembly>,
    /// The ATT request last made, per link and direction.
    asked: BTreeMap<(ConnectionHandle, bool), Asked>,
    /// Advertising data that go on in a later event.
    open: report::Open,
}

impl Dissector {
    /// The packet's line, without time and direction.
    ///
    /// ```
    /// use baretooth::capture::{Direction, Record, Timestamp, dissect::Dissector};
    /// use baretooth::transports::HciPacket;
    /// let packet = HciPacket::new(vec![1, 0x0C, 0x20, 2, 1, 0])?;
    /// let record = Record::packet(Timestamp::UNIX_EPOCH, Direction::Sent, &packet);
    /// let line = Dissector::default().line(&record);
    /// assert_eq!(line, "LE Set Scan Enable le_scan_enable=1 filter_duplicates=0");
    /// # Ok::<(), baretooth::transports::PacketError>(())
    /// ```
    pub fn line(&mut self, record: &Record) -> String {
        let mut line = shortened(&self.whole_line(record));
        line.truncate(line.trim_end().len());
        line
    }

    fn whole_line(&mut self, record: &Record) -> String {
        let packet = match record.hci() {
            Ok(packet) => packet,
            Err(error) => return malformed(error, &record.data),
        };
        let octets = packet.as_slice();
        match packet.indicator() {
            PacketIndicator::Command => command_line(&packet),
            PacketIndicator::Event => self.event_line(&packet),
            PacketIndicator::AclData => match AclData::parse(octets) {
                Ok(acl) => format!("ACL {} {}", acl.handle, self.acl_line(&acl, record)),
                Err(error) => malformed(error, octets),
            },
            PacketIndicator::SynchronousData => format!("SCO {}", Hex(packet.payload())),
            PacketIndicator::IsoData => format!("ISO {}", Hex(packet.payload())),
        }
    }

    fn event_line(&mut self, packet: &HciPacket) -> String {
        let code = packet.as_slice().get(1).copied().unwrap_or(0);
        match Event::parse(code, packet.payload()) {
            Ok(Event::CommandComplete(e)) => {
                let returned = Returned(e.command_opcode, e.return_parameters.0);
                format!("Command Complete {} ncmd={} {returned}", e.command_opcode, e.num_hci_command_packets)
            }
            Ok(Event::LeMeta(meta)) => {
                let report = report::line(&mut self.open, &meta.subevent);
                report.unwrap_or_else(|| meta.subevent.to_string())
            }
            Ok(event) => {
                if let Event::DisconnectionComplete(e) = event {
                    self.frames.retain(|(handle, _), _| *handle != e.connection_handle);
                    self.asked.retain(|(handle, _), _| *handle != e.connection_handle);
                }
                event.to_string()
            }
            Err(error) => malformed(error, packet.payload()),
        }
    }

    fn acl_line(&mut self, acl: &AclData<'_>, record: &Record) -> String {
        let received = record.direction() == Some(Direction::Received);
        let frames = self.frames.entry((acl.handle, received)).or_default();
        let part = if acl.boundary == PacketBoundary::Continuing { "continued" } else { "starts" };
        let (note, frame) = match frames.on_packet(acl, &record.data) {
            Ok(frame) => (None, frame),
            Err(dropped @ Dropped::CutOff(_)) => (Some(dropped), frames.take().ok().flatten()),
            Err(dropped) => (Some(dropped), None),
        };
        let line = match frame {
            Some(frame) if frame.channel == ChannelId::Attribute => {
                self.att_line(acl.handle, received, &frame.payload)
            }
            Some(frame) => frame_line(frame.channel, &frame.payload),
            None => format!("L2CAP frame {part}, {} octets", acl.data.len()),
        };
        match note {
            Some(note) => format!("{line} (malformed: {note})"),
            None => line,
        }
    }

    fn att_line(&mut self, link: ConnectionHandle, received: bool, payload: &[u8]) -> String {
        let pdu = match AttPdu::from_octets(payload) {
            Ok(pdu) => pdu,
            Err(error) => return malformed(error, payload),
        };
        let asked = match AttOpcode(pdu.code()).kind() {
            PduKind::Request => {
                match att::asked(&pdu) {
                    Some(asked) => self.asked.insert((link, received), asked),
                    None => self.asked.remove(&(link, received)),
                };
                None
            }
            PduKind::Response => self.asked.remove(&(link, !received)),
            _ => None,
        };
        att::line(&pdu, asked)
    }
}

fn command_line(packet: &HciPacket) -> String {
    let [_, a, b, ..] = packet.as_slice() else { return String::new() };
    match Command::parse(Opcode(u16::from_le_bytes([*a, *b])), packet.payload()) {
        Ok(command) => command.to_string(),
        Err(error) => malformed(error, packet.payload()),
    }
}

fn frame_line(channel: ChannelId, payload: &[u8]) -> String {
    match channel {
        ChannelId::Signaling => match Signal::parse(payload) {
            Ok(signal) => match signal.command() {
                Ok(command) => format!("{command} id={}", signal.identifier),
                Err(error) => malformed(error, payload),
            },
            Err(error) => malformed(error, payload),
        },
        ChannelId::SecurityManager => match SmpPdu::from_octets(payload) {
            Ok(pdu) => format!("SMP {pdu}"),
            Err(error) => malformed(error, payload),
        },
        channel => format!("L2CAP {channel} {}", Hex(payload)),
    }
}

fn malformed(error: impl Display, octets: &[u8]) -> String {
    format!("{error} {}", Hex(octets))
}

/// Return parameters by their command's layout.
struct Returned<'a>(Opcode, &'a [u8]);

impl Display for Returned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.print_return(f, self.1)
    }
}

/// Octets of a run that a line shows when it is longer than `LONG`.
const SHOWN: usize = 16;
/// Longest run of octets that is shown whole.
const LONG: usize = 24;

/// The line with its long runs of hexadecimal digits cut.
fn shortened(line: &str) -> String {
    let mut out = String::with_capacity(line.len().min(256));
    let mut rest = line;
    while let Some(start) = rest.find(is_digit) {
        let (before, run) = rest.split_at(start);
        let (run, behind) = run.split_at(run.find(|c| !is_digit(c)).unwrap_or(run.len()));
        out += before;
        match run.get(..2 * SHOWN) {
            Some(front) if run.len() > 2 * LONG => {
                out += &format!("{front}… ({} octets)", run.len() / 2);
            }
            _ => out += run,
        }
        rest = behind;
    }
    out + rest
}

/// As [`Hex`] and advertising data print them.
fn is_digit(c: char) -> bool {
    c.is_ascii_hexdigit()
}

#[cfg(test)]
mod tests;
