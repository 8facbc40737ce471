//! What the records of a capture mean, read by the same tables that the host reads by.
//!
//! [`Dissector`] takes records in order and gives each back as a [`Packet`]: parsed, its fragments joined, its answer
//! tied to what was asked. Everything that shows or counts packets is made from that; nothing is read out of text.
//!
//! Keys are never shown. Nothing received makes it fail, and what it remembers is bounded.

mod att;
mod attributes;
mod channels;
mod fields;
mod line;
mod links;
mod note;
mod packet;
mod report;
mod secrets;
mod text;

pub use attributes::{Attribute, AttributeRole, Attributes};
pub use note::MonitorOpcode;
pub use packet::{Acl, Asked, Content, Frame, Isochronous, Packet, Pdu, Signals, What};

use self::links::Links;
use super::{Direction, Kind, Record};
use crate::Address;
use crate::hci::acl::AclData;
use crate::hci::command::{HciCommand, Reset};
use crate::hci::{AddressType, Command, ConnectionHandle, ErrorCode, Event, LeEvent, Opcode};
use crate::transports::{HciPacket, PacketError, PacketIndicator};
use std::collections::BTreeMap;

/// Reads the records of a capture in order. Remembers what is arriving in parts, what was asked and not answered, and
/// what was discovered of each peer's attributes.
///
/// ```
/// use baretooth::capture::{Reader, dissect::{Content, Dissector}};
/// # let file = &include_bytes!("../../captures/heart_rate.btsnoop")[..];
/// let mut dissector = Dissector::default();
/// let mut commands = 0;
/// for record in Reader::new(file)? {
///     let record = record?;
///     commands += usize::from(matches!(dissector.read(&record).content, Content::Command { .. }));
/// }
/// assert!(commands > 10);
/// # Ok::<(), baretooth::capture::ReadError>(())
/// ```
#[derive(Debug, Default)]
pub struct Dissector {
    number: u64,
    links: Links,
    /// Commands that have no answer yet, per adapter.
    commands: BTreeMap<(Option<u16>, Opcode), Asked>,
    /// Advertising data that go on in a later event.
    open: report::Open,
}

/// Most commands without an answer that are remembered.
const MOST_COMMANDS: usize = 1_024;

impl Dissector {
    /// What the next record means.
    pub fn read<'d>(&'d mut self, record: &'d Record) -> Packet<'d> {
        self.number += 1;
        let flaw = match record.kind {
            Kind::Packet(_) if !record.is_cut() => HciPacket::check(&record.data).err(),
            _ => None,
        };
        Packet { number: self.number, record, flaw, content: self.content(record) }
    }

    /// The next record as one line, without number, time and direction.
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
        let mut line = Vec::new();
        self.read(record).write_line(&mut line);
        String::from_utf8_lossy(&line).into_owned()
    }

    /// The attributes that were discovered, with the peer that they are of where it is known, and the way that their
    /// server's answers took: `Received` for those of peers.
    pub fn attributes(&self) -> impl Iterator<Item = (Option<Address>, Option<Direction>, &Attributes)> {
        self.links.servers()
    }

    /// Those of one server: of a peer, or of whoever is at the end of a link whose beginning is not in the capture, by
    /// adapter and handle; and by the way that its answers took.
    pub fn attributes_of(
        &self,
        peer: Option<Address>,
        link: Option<(Option<u16>, ConnectionHandle)>,
        side: Option<Direction>,
    ) -> Option<&Attributes> {
        self.links.attributes_of(peer, link, side)
    }

    /// Who is at the other end of a link that is up.
    pub fn peer(&self, adapter: Option<u16>, handle: ConnectionHandle) -> Option<Address> {
        self.links.peer((adapter, handle))
    }

    fn content<'d>(&'d mut self, record: &'d Record) -> Content<'d> {
        let Kind::Packet(direction) = record.kind else { return Content::Note };
        let octets = &record.data[..];
        let Some(&first) = octets.first() else { return Content::Broken(PacketError::Header(0)) };
        let ends_in_header = Content::Broken(PacketError::Header(octets.len()));
        match (PacketIndicator::from_octet(first), octets) {
            (None, _) => Content::Broken(PacketError::Indicator(first)),
            (Some(PacketIndicator::Command), [_, a, b, _, parameters @ ..]) => {
                self.command(record, Opcode(u16::from_le_bytes([*a, *b])), parameters)
            }
            (Some(PacketIndicator::Event), [_, code, _, parameters @ ..]) => {
                self.event(record, *code, parameters)
            }
            (Some(PacketIndicator::AclData), _) => match AclData::parse_header(octets) {
                Ok((acl, length)) => self.acl(record, acl, length, direction),
                Err(_) => ends_in_header,
            },
            (Some(PacketIndicator::SynchronousData), [_, a, b, _, data @ ..]) => {
                let word = u16::from_le_bytes([*a, *b]);
                let status = u8::try_from(word >> 12 & 0b11).unwrap_or(0);
                Content::Synchronous { handle: ConnectionHandle(word & 0x0FFF), status, data }
            }
            (Some(PacketIndicator::IsoData), _) => {
                Isochronous::parse(octets).map_or(ends_in_header, Content::Isochronous)
            }
            _ => ends_in_header,
        }
    }

    fn command<'d>(&mut self, record: &'d Record, opcode: Opcode, parameters: &'d [u8]) -> Content<'d> {
        if self.commands.len() >= MOST_COMMANDS {
            self.commands.clear();
        }
        let asked = self.asks(record, What::Command(opcode));
        self.commands.insert((record.adapter, opcode), asked);
        Content::Command { opcode, parameters, command: Command::parse(opcode, parameters) }
    }

    fn event<'d>(&mut self, record: &'d Record, code: u8, parameters: &'d [u8]) -> Content<'d> {
        let event = Event::parse(code, parameters);
        let adapter = record.adapter;
        let (mut answers, mut continued) = (None, 0);
        match &event {
            Ok(Event::CommandComplete(e)) => {
                answers = self.commands.remove(&(adapter, e.command_opcode));
                if e.command_opcode == Reset::OPCODE && e.return_parameters.0.first() == Some(&0) {
                    self.links.reset(adapter);
                }
            }
            Ok(Event::CommandStatus(e)) => answers = self.commands.remove(&(adapter, e.command_opcode)),
            Ok(Event::ConnectionComplete(e)) if e.status == ErrorCode::Success => {
                let peer = AddressType::Public.with(e.bd_addr);
                self.links.connected((adapter, e.connection_handle), peer, self.number);
            }
            Ok(Event::DisconnectionComplete(e)) if e.status == ErrorCode::Success => {
                self.links.disconnected((adapter, e.connection_handle));
            }
            Ok(Event::LeMeta(meta)) => match &meta.subevent {
                LeEvent::LeExtendedAdvertisingReport(e) => {
                    for (n, part) in e.reports.iter().enumerate().take(64) {
                        continued |= u64::from(report::goes_on(&mut self.open, &part)) << n;
                    }
                }
                subevent => {
                    if let Some(e) = subevent.connection_complete()
                        && e.status == ErrorCode::Success
                    {
                        let peer = e.peer_address_type.with(e.peer_address);
                        self.links.connected((adapter, e.connection_handle), peer, self.number);
                    }
                }
            },
            _ => {}
        }
        Content::Event { code, parameters, event, answers, continued }
    }

    fn acl<'d>(
        &'d mut self,
        record: &'d Record,
        header: AclData<'d>,
        length: usize,
        direction: Option<Direction>,
    ) -> Content<'d> {
        let handle = header.handle;
        if VENDOR_HANDLES.contains(&handle) && !self.links.is_connected((record.adapter, handle)) {
            return Content::Diagnostics { handle, data: header.data };
        }
        let now = self.asks(record, What::Command(Opcode(0)));
        let outcome = self.links.on_acl(&header, length, direction, record, now);
        let attributes = self.links.attributes(&outcome);
        let links::Outcome { peer, direction, frame, dropped, .. } = outcome;
        Content::Acl(Acl { header, direction, peer, frame, dropped, attributes })
    }

    fn asks(&self, record: &Record, what: What) -> Asked {
        Asked { number: self.number, time: record.time, what }
    }
}

/// Handles on which controllers of some makers send traces; no link has them unless the capture says so.
const VENDOR_HANDLES: [ConnectionHandle; 2] = [ConnectionHandle(0xEDC), ConnectionHandle(0xFF1)];

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
