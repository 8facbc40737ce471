//! What a capture holds, in numbers.
//!
//! Owns the counting, and decides nothing by text. A number is counted where its octet is there, even in a packet that
//! was cut off or follows no layout: what has come has come. What is remembered is bounded, except that every advertiser
//! is, once.

use super::dissect::{Acl, Content, Frame, Packet, Pdu, Signals};
use super::{Kind, Timestamp};
use crate::att::{AttError, AttOpcode};
use crate::hci::{AddressType, ConnectionHandle, ErrorCode, Event, Opcode};
use crate::l2cap::ChannelId;
use crate::transports::PacketIndicator;
use crate::{Address, BdAddr};
use std::collections::BTreeMap;

/// Counts of a capture. Hand it every packet that a [`Dissector`](super::dissect::Dissector) reads. The maps say how
/// often something was seen.
///
/// ```
/// use baretooth::att::AttOpcode;
/// use baretooth::capture::{Reader, Statistics, dissect::Dissector};
/// # let file = &include_bytes!("../../captures/heart_rate.btsnoop")[..];
/// let (mut dissector, mut statistics) = (Dissector::default(), Statistics::default());
/// for record in Reader::new(file)? {
///     statistics.count(&dissector.read(&record?));
/// }
/// assert_eq!(statistics.links.len(), 1);
/// assert!(statistics.att[&AttOpcode(0x1B)] >= 3, "notifications");
/// # Ok::<(), baretooth::capture::ReadError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// All records, notes too.
    pub records: u64,
    /// The earliest and the latest time of a record.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Records by what they hold; `None` for what is no HCI packet.
    pub kinds: BTreeMap<Option<PacketIndicator>, u64>,
    /// Records of which the capture kept only the front.
    pub cut: u64,
    /// Packets that follow no layout, or do not fit what came before.
    pub malformed: u64,
    /// Commands.
    pub commands: BTreeMap<Opcode, u64>,
    /// Command Complete, by the command.
    pub completed: BTreeMap<Opcode, u64>,
    /// Command Status, by the command.
    pub statuses: BTreeMap<Opcode, u64>,
    /// Commands that were refused, with the status.
    pub refused: BTreeMap<(Opcode, ErrorCode), u64>,
    /// Events by code.
    pub events: BTreeMap<u8, u64>,
    /// LE Meta events by subevent code.
    pub le_events: BTreeMap<u8, u64>,
    /// Reasons of disconnections.
    pub disconnections: BTreeMap<ErrorCode, u64>,
    /// LE connections that came about.
    pub le_connections: u64,
    /// LE connections that did not.
    pub le_connections_failed: u64,
    /// Links in the order they began or were first seen; at most [`MOST_LINKS`].
    pub links: Vec<LinkSummary>,
    /// ACL packets by packet boundary flag, vendor diagnostics too.
    pub boundaries: BTreeMap<u8, u64>,
    /// ACL packets that are a vendor's diagnostics.
    pub diagnostics: u64,
    /// L2CAP frames that are whole, by channel.
    pub channels: BTreeMap<ChannelId, u64>,
    /// L2CAP signalling commands by code.
    pub signals: BTreeMap<u8, u64>,
    /// ATT PDUs.
    pub att: BTreeMap<AttOpcode, u64>,
    /// ATT error responses.
    pub att_errors: BTreeMap<AttError, u64>,
    /// SMP PDUs by code.
    pub smp: BTreeMap<u8, u64>,
    /// Advertising reports, by the advertiser's address.
    pub advertisers: BTreeMap<BdAddr, u64>,
    /// Where links that are up stand in `links`.
    up: BTreeMap<(Option<u16>, ConnectionHandle), usize>,
}

/// Most links that are told apart.
pub const MOST_LINKS: usize = 1_000;

/// One link of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkSummary {
    /// Its handle.
    pub handle: ConnectionHandle,
    /// Who is at the other end, when its beginning is in the capture.
    pub peer: Option<Address>,
    /// When it began, when that is in the capture.
    pub began: Option<Timestamp>,
    /// When it ended and why, when that is.
    pub ended: Option<(Timestamp, ErrorCode)>,
    /// ACL packets on it, both ways.
    pub packets: u64,
}

impl Statistics {
    /// Takes one more packet in.
    pub fn count(&mut self, packet: &Packet<'_>) {
        let record = packet.record;
        self.records += 1;
        let (first, last) = self.span.unwrap_or((record.time, record.time));
        self.span = Some((first.min(record.time), last.max(record.time)));
        let indicator = match record.kind {
            Kind::Packet(_) => record.data.first().copied().and_then(PacketIndicator::from_octet),
            _ => None,
        };
        add(&mut self.kinds, indicator);
        self.cut += u64::from(record.is_cut());
        let whole = match &packet.content {
            Content::Command { opcode, command, .. } => {
                add(&mut self.commands, *opcode);
                command.is_ok()
            }
            Content::Event { code, parameters, event, .. } => {
                self.count_event(*code, parameters);
                if let Ok(event) = event {
                    self.follow(packet, event);
                }
                event.is_ok()
            }
            Content::Acl(acl) => {
                self.count_boundary(&record.data);
                self.count_acl(packet, acl)
            }
            Content::Diagnostics { .. } => {
                self.count_boundary(&record.data);
                self.diagnostics += 1;
                true
            }
            Content::Broken(_) => false,
            _ => true,
        };
        self.malformed += u64::from(!record.is_cut() && (!whole || packet.flaw.is_some()));
    }

    /// Advertising reports of all advertisers.
    pub fn reports(&self) -> u64 {
        self.advertisers.values().sum()
    }

    /// What stands in an event's octets, as far as they go.
    fn count_event(&mut self, code: u8, parameters: &[u8]) {
        add(&mut self.events, code);
        match (code, parameters) {
            (COMMAND_COMPLETE, [_, a, b, returned @ ..]) => {
                let opcode = Opcode(u16::from_le_bytes([*a, *b]));
                add(&mut self.completed, opcode);
                if !opcode.is_vendor_specific() && opcode != Opcode::NONE {
                    self.count_refusal(opcode, returned.first());
                }
            }
            (COMMAND_STATUS, [status, _, a, b, ..]) => {
                let opcode = Opcode(u16::from_le_bytes([*a, *b]));
                add(&mut self.statuses, opcode);
                self.count_refusal(opcode, Some(status));
            }
            (DISCONNECTION_COMPLETE, [_, _, _, reason, ..]) => {
                add(&mut self.disconnections, ErrorCode(*reason));
            }
            (LE_META, [subevent, parameters @ ..]) => {
                add(&mut self.le_events, *subevent);
                match (*subevent, parameters.first()) {
                    (
                        CONNECTION_COMPLETE | ENHANCED_CONNECTION_COMPLETE | ENHANCED_CONNECTION_COMPLETE_V2,
                        Some(0),
                    ) => {
                        self.le_connections += 1;
                    }
                    (
                        CONNECTION_COMPLETE | ENHANCED_CONNECTION_COMPLETE | ENHANCED_CONNECTION_COMPLETE_V2,
                        _,
                    ) => {
                        self.le_connections_failed += 1;
                    }
                    _ => reported(*subevent, parameters, |address| add(&mut self.advertisers, address)),
                }
            }
            _ => {}
        }
    }

    fn count_refusal(&mut self, opcode: Opcode, status: Option<&u8>) {
        if let Some(&status) = status
            && status != 0
        {
            add(&mut self.refused, (opcode, ErrorCode(status)));
        }
    }

    /// Links that come and go.
    fn follow(&mut self, packet: &Packet<'_>, event: &Event<'_>) {
        let (adapter, time) = (packet.record.adapter, packet.record.time);
        match event {
            Event::ConnectionComplete(e) if e.status == ErrorCode::Success => {
                let peer = AddressType::Public.with(e.bd_addr);
                self.begin((adapter, e.connection_handle), peer, Some(time));
            }
            Event::DisconnectionComplete(e) if e.status == ErrorCode::Success => {
                let link = self.up.remove(&(adapter, e.connection_handle));
                if let Some(link) = link.and_then(|index| self.links.get_mut(index)) {
                    link.ended = Some((time, e.reason));
                }
            }
            Event::LeMeta(meta) => {
                if let Some(e) = meta.subevent.connection_complete()
                    && e.status == ErrorCode::Success
                {
                    let peer = e.peer_address_type.with(e.peer_address);
                    self.begin((adapter, e.connection_handle), peer, Some(time));
                }
            }
            _ => {}
        }
    }

    fn begin(
        &mut self,
        key: (Option<u16>, ConnectionHandle),
        peer: Option<Address>,
        began: Option<Timestamp>,
    ) -> Option<&mut LinkSummary> {
        if self.links.len() >= MOST_LINKS {
            self.up.remove(&key);
            return None;
        }
        self.up.insert(key, self.links.len());
        self.links.push(LinkSummary { handle: key.1, peer, began, ended: None, packets: 0 });
        self.links.last_mut()
    }

    fn count_boundary(&mut self, h4: &[u8]) {
        if let Some(high) = h4.get(2) {
            add(&mut self.boundaries, high >> 4 & 0b11);
        }
    }

    /// Whether all of it follows its layout.
    fn count_acl(&mut self, packet: &Packet<'_>, acl: &Acl<'_>) -> bool {
        let key = (packet.record.adapter, acl.header.handle);
        let link = match self.up.get(&key) {
            Some(&index) => self.links.get_mut(index),
            None => self.begin(key, acl.peer, None),
        };
        if let Some(link) = link {
            link.packets += 1;
        }
        let whole = acl.frame.as_ref().is_none_or(|frame| self.count_frame(frame));
        whole && acl.dropped.is_none()
    }

    fn count_frame(&mut self, frame: &Frame) -> bool {
        add(&mut self.channels, frame.channel);
        match (frame.channel, &frame.payload[..]) {
            (ChannelId::Attribute, [opcode, parameters @ ..]) => {
                add(&mut self.att, AttOpcode(*opcode));
                if let (ERROR_RESPONSE, [_, _, _, code, ..]) = (*opcode, parameters) {
                    add(&mut self.att_errors, AttError(*code));
                }
            }
            (ChannelId::SecurityManager, [code, ..]) => add(&mut self.smp, *code),
            _ => {}
        }
        match frame.pdu() {
            Pdu::Att(pdu) => pdu.is_ok(),
            Pdu::Smp(pdu) => pdu.is_ok(),
            Pdu::Signals(signals) => self.count_signals(signals),
            Pdu::Other(_) => true,
        }
    }

    fn count_signals(&mut self, mut signals: Signals<'_>) -> bool {
        let mut whole = true;
        while let Some(&code) = signals.0.first() {
            add(&mut self.signals, code);
            whole &= signals.next().is_none_or(|signal| signal.is_ok());
        }
        whole
    }
}

fn add<K: Ord>(tally: &mut BTreeMap<K, u64>, key: K) {
    *tally.entry(key).or_default() += 1;
}

/// The advertiser's address of every report, of one that is cut off behind it too.
fn reported(subevent: u8, parameters: &[u8], mut each: impl FnMut(BdAddr)) {
    let [count, reports @ ..] = parameters else { return };
    // Octets of a report before the length of its data, and behind the data.
    let (front, behind) = match subevent {
        ADVERTISING_REPORT => (8, 1),
        DIRECTED_ADVERTISING_REPORT => (16, 0),
        EXTENDED_ADVERTISING_REPORT => (23, 0),
        _ => return,
    };
    let at = if subevent == EXTENDED_ADVERTISING_REPORT { 3 } else { 2 };
    let mut rest = reports;
    for _ in 0..*count {
        let Some(address) = rest.get(at..).and_then(|address| address.first_chunk()) else { return };
        each(BdAddr(*address));
        let data = match rest.get(front) {
            Some(length) if subevent != DIRECTED_ADVERTISING_REPORT => 1 + usize::from(*length),
            _ => 0,
        };
        rest = rest.get(front + data + behind..).unwrap_or_default();
    }
}

const DISCONNECTION_COMPLETE: u8 = 0x05;
const COMMAND_COMPLETE: u8 = 0x0E;
const COMMAND_STATUS: u8 = 0x0F;
const LE_META: u8 = 0x3E;
const CONNECTION_COMPLETE: u8 = 0x01;
const ADVERTISING_REPORT: u8 = 0x02;
const ENHANCED_CONNECTION_COMPLETE: u8 = 0x0A;
const DIRECTED_ADVERTISING_REPORT: u8 = 0x0B;
const EXTENDED_ADVERTISING_REPORT: u8 = 0x0D;
const ENHANCED_CONNECTION_COMPLETE_V2: u8 = 0x29;
/// ATT_ERROR_RSP.
const ERROR_RESPONSE: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::dissect::Dissector;
    use crate::capture::{Direction, Record};
    use bytes::Bytes;

    /// Counts of packets, one a second; those of a controller but for commands.
    fn counted<const N: usize>(packets: [&[u8]; N]) -> Statistics {
        let (mut dissector, mut statistics) = (Dissector::default(), Statistics::default());
        for (n, octets) in packets.into_iter().enumerate() {
            let way = if octets.first() == Some(&1) { Direction::Sent } else { Direction::Received };
            let time = Timestamp::new(i64::try_from(n).expect("few"), 0);
            let record = Record::new(time, Kind::Packet(Some(way)), Bytes::copy_from_slice(octets));
            statistics.count(&dissector.read(&record));
        }
        statistics
    }

    fn connection_complete(status: u8) -> Vec<u8> {
        let mut event = vec![4, 0x3E, 19, 1, status, 0x40, 0, 0, 1, 1, 2, 3, 4, 5, 0xC6];
        event.extend([24, 0, 0, 0, 200, 0, 0]);
        event
    }

    const DISCONNECTION: &[u8] = &[4, 5, 4, 0, 0x40, 0, 0x13];
    const NOTIFICATION: &[u8] = &[2, 0x40, 0x20, 8, 0, 4, 0, 4, 0, 0x1B, 3, 0, 9];

    #[test]
    fn a_link_has_its_beginning_its_packets_and_its_end() {
        let s = counted([
            &connection_complete(0),
            NOTIFICATION,
            NOTIFICATION,
            DISCONNECTION,
            &connection_complete(0x3E),
        ]);
        assert_eq!((s.le_connections, s.le_connections_failed), (1, 1));
        let at = |second| Timestamp::new(second, 0);
        let link = LinkSummary {
            handle: ConnectionHandle(0x40),
            peer: Some(Address::random(BdAddr([1, 2, 3, 4, 5, 0xC6]))),
            began: Some(at(0)),
            ended: Some((at(3), ErrorCode(0x13))),
            packets: 2,
        };
        assert_eq!(s.links, [link]);
        assert_eq!(s.span, Some((at(0), at(4))));
        assert_eq!(s.att, BTreeMap::from([(AttOpcode(0x1B), 2)]));
        assert_eq!(s.malformed, 0);
    }

    #[test]
    fn a_link_whose_beginning_is_not_in_the_capture_is_one_too() {
        let s = counted([NOTIFICATION, DISCONNECTION, NOTIFICATION]);
        assert_eq!(s.links.len(), 2, "a handle is used again");
        assert!(s.links.iter().all(|link| link.began.is_none() && link.packets == 1));
    }

    #[test]
    fn links_without_end_are_remembered_up_to_a_bound() {
        let (mut dissector, mut statistics) = (Dissector::default(), Statistics::default());
        for handle in 0..0x0E00_u16 {
            let [low, high] = handle.to_le_bytes();
            let packet = Bytes::copy_from_slice(&[2, low, 0x20 | high, 5, 0, 1, 0, 4, 0, 0x1E]);
            let record = Record::new(Timestamp::default(), Kind::Packet(None), packet);
            statistics.count(&dissector.read(&record));
        }
        assert_eq!(statistics.links.len(), MOST_LINKS);
        assert_eq!(statistics.att[&AttOpcode(0x1E)], 0x0E00);
    }

    #[test]
    fn what_has_come_of_a_packet_is_counted_though_the_rest_has_not() {
        let address: &[u8] = &[4, 0x3E, 255, 2, 1, 0, 1, 1, 2, 3, 4, 5, 0xC6];
        let s =
            counted([address, &address[..12], &[4, 0x0E, 4, 1, 3, 0x0C], &[4, 0x0F, 4, 0, 1, 5], &[1, 3]]);
        assert_eq!((s.reports(), s.advertisers.len()), (1, 1));
        assert_eq!(s.le_events, BTreeMap::from([(2, 2)]));
        assert_eq!(s.completed, BTreeMap::from([(Opcode(0x0C03), 1)]));
        assert_eq!(s.statuses, BTreeMap::new(), "its opcode has not come");
        assert_eq!(s.kinds[&Some(PacketIndicator::Command)], 1);
        assert_eq!((s.records, s.malformed), (5, 5));
    }

    #[test]
    fn every_report_of_an_event_is_one() {
        let mut legacy = vec![4, 0x3E, 25, 2, 2];
        legacy.extend([0, 1, 1, 2, 3, 4, 5, 0xC6, 3, 2, 1, 6, 0xC0]);
        legacy.extend([4, 1, 1, 2, 3, 4, 5, 0xC6, 0, 0xC0]);
        let mut directed = vec![4, 0x3E, 18, 0x0B, 1];
        directed.extend([1, 1, 9, 2, 3, 4, 5, 0xC6, 1, 7, 7, 7, 7, 7, 0x47, 0xC0]);
        let mut extended = vec![4, 0x3E, 54, 0x0D, 2];
        for _ in 0..2 {
            extended.extend([0x13, 0, 1, 9, 2, 3, 4, 5, 0xC6, 1, 0, 0xFF, 0x7F, 0xC0]);
            extended.extend([0, 0, 0, 7, 7, 7, 7, 7, 0x47, 2, 1, 0xFF]);
        }
        let s = counted([&legacy, &directed, &extended]);
        let seen: Vec<_> = s.advertisers.iter().map(|(address, n)| (address.0[0], *n)).collect();
        assert_eq!(seen, [(1, 2), (9, 3)]);
        assert_eq!(s.malformed, 0);
    }

    #[test]
    fn a_refusal_is_told_by_the_status_of_commands_whose_answer_has_one() {
        let s = counted([
            &[4, 0x0F, 4, 0x0C, 1, 5, 0x20],
            &[4, 0x0E, 4, 1, 3, 0x0C, 0x12],
            &[4, 0x0E, 4, 1, 3, 0x0C, 0],
            &[4, 0x0E, 4, 1, 0x57, 0xFD, 7],
            &[4, 0x0E, 3, 1, 0, 0],
        ]);
        let refused = [((Opcode(0x0C03), ErrorCode(0x12)), 1), ((Opcode(0x2005), ErrorCode(0x0C)), 1)];
        assert_eq!(s.refused, BTreeMap::from(refused));
        assert_eq!(s.completed.values().sum::<u64>(), 4);
    }

    #[test]
    fn diagnostics_of_a_vendor_are_acl_packets_but_no_frames() {
        let s = counted([&[2, 0xDC, 0x2E, 5, 0, 1, 0, 4, 0, 0x0A]]);
        assert_eq!((s.diagnostics, s.boundaries), (1, BTreeMap::from([(2, 1)])));
        assert!(s.channels.is_empty() && s.att.is_empty() && s.links.is_empty());
    }

    #[test]
    fn every_signalling_command_of_a_frame_is_counted_and_octets_behind_them_end_it() {
        let two: &[u8] = &[2, 0x40, 0x20, 16, 0, 12, 0, 1, 0, 8, 1, 0, 0, 9, 2, 2, 0, 5, 5, 0x0A, 9];
        let s = counted([two]);
        assert_eq!(s.signals, BTreeMap::from([(8, 1), (9, 1), (0x0A, 1)]));
        assert_eq!(s.malformed, 1, "the last one has no length");
    }

    #[test]
    fn errors_are_counted_by_what_they_say() {
        let error: &[u8] = &[2, 0x40, 0x20, 9, 0, 5, 0, 4, 0, 1, 0x0A, 3, 0, 0x05];
        let failed: &[u8] = &[2, 0x40, 0x20, 6, 0, 2, 0, 6, 0, 5, 4];
        let s = counted([error, failed]);
        assert_eq!(s.att_errors, BTreeMap::from([(AttError(5), 1)]));
        assert_eq!(s.smp, BTreeMap::from([(5, 1)]));
    }
}
