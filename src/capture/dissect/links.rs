//! The links of a capture: what is arriving on each, what was asked on it, and what is known of its peer.
//!
//! Bounded: a capture may name any number of handles and never end a link.

use super::attributes::Attributes;
use super::channels::Channels;
use super::packet::{Asked, Frame, Pdu, What};
use crate::Address;
use crate::Uuid;
use crate::att::pdu::PduKind;
use crate::att::{AttOpcode, AttPdu};
use crate::capture::{Direction, Record};
use crate::hci::ConnectionHandle;
use crate::hci::acl::{AclData, PacketBoundary};
use crate::l2cap::{ChannelId, Dropped, Reassembly, frame};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A link of one adapter.
pub(super) type LinkKey = (Option<u16>, ConnectionHandle);

/// Whose attributes: those of a peer, of whoever is at the end of a link whose beginning is not in the capture; and on
/// which side of the link, told by the way that its answers take.
type Server = (Option<Address>, Option<LinkKey>, Side);

/// The way of packets; where it is unknown both ways are one.
pub(super) type Side = Option<Direction>;

#[derive(Debug, Default)]
pub(super) struct Links {
    links: BTreeMap<LinkKey, Link>,
    servers: BTreeMap<Server, Attributes>,
}

#[derive(Debug, Default)]
struct Link {
    peer: Option<Address>,
    /// When it was last used, as the number of a record.
    used: u64,
    ways: [Way; 3],
    /// The way of the last packet that began a frame.
    last: Side,
    channels: Channels,
}

/// One way of a link.
#[derive(Debug, Default)]
struct Way {
    frame: Reassembly,
    /// Packets of the frame that is arriving.
    packets: u32,
    /// The request that has no answer yet, and the indication.
    asked: Option<Asked>,
    indicated: Option<Asked>,
}

/// Most links, and most servers, that are remembered.
const MOST: usize = 256;

/// What a packet made of its link.
pub(super) struct Outcome {
    pub(super) peer: Option<Address>,
    pub(super) direction: Side,
    pub(super) frame: Option<Frame>,
    pub(super) dropped: Option<Dropped>,
    server: Option<Server>,
}

impl Links {
    pub(super) fn connected(&mut self, key: LinkKey, peer: Option<Address>, number: u64) {
        self.make_room(key);
        self.links.insert(key, Link { peer, used: number, ..Link::default() });
    }

    pub(super) fn disconnected(&mut self, key: LinkKey) {
        self.links.remove(&key);
    }

    /// After a reset there are none.
    pub(super) fn reset(&mut self, adapter: Option<u16>) {
        self.links.retain(|(of, _), _| *of != adapter);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn is_connected(&self, key: LinkKey) -> bool {
        self.links.contains_key(&key)
    }

    pub(super) fn peer(&self, key: LinkKey) -> Option<Address> {
        self.links.get(&key)?.peer
    }

    pub(super) fn attributes(&self, outcome: &Outcome) -> Option<&Attributes> {
        self.servers.get(&outcome.server?)
    }

    /// Every server of which something was discovered, with the peer where it is known.
    pub(super) fn servers(&self) -> impl Iterator<Item = (Option<Address>, Side, &Attributes)> {
        self.servers.iter().map(|((peer, _, side), attributes)| (*peer, *side, attributes))
    }

    /// What is known of one server; `link` is looked at only where the peer is not known.
    pub(super) fn attributes_of(
        &self,
        peer: Option<Address>,
        link: Option<LinkKey>,
        side: Side,
    ) -> Option<&Attributes> {
        let link = if peer.is_none() { link } else { None };
        self.servers.get(&(peer, link, side))
    }

    /// Takes a packet in whose header announces `length` octets of data. `now` says which record it is and when.
    pub(super) fn on_acl(
        &mut self,
        acl: &AclData<'_>,
        length: usize,
        direction: Side,
        record: &Record,
        now: Asked,
    ) -> Outcome {
        let key = (record.adapter, acl.handle);
        if !self.links.contains_key(&key) {
            self.make_room(key);
        }
        let link = self.links.entry(key).or_default();
        link.used = now.number;
        let direction = direction.or(match acl.boundary {
            // Only hosts send these on LE, and only controllers those.
            PacketBoundary::FirstNonFlushable => Some(Direction::Sent),
            PacketBoundary::FirstFlushable => Some(Direction::Received),
            _ => link.last,
        });
        link.last = direction;
        let (peer, way) = (link.peer, &mut link.ways[index(direction)]);
        way.packets =
            if acl.boundary == PacketBoundary::Continuing { way.packets.saturating_add(1) } else { 1 };
        let missing = length.saturating_sub(acl.data.len());
        let (dropped, whole) = match missing {
            0 => way.take(acl, &record.data),
            _ => {
                way.frame = Reassembly::default();
                (None, front_of_frame(acl, length, &record.data))
            }
        };
        let packets = way.packets;
        let mut outcome = Outcome { peer, direction, frame: None, dropped, server: None };
        if let Some((channel, payload)) = whole {
            let psm = link.channels.psm(direction, channel.0);
            let mut frame = Frame { channel, psm, payload, packets, missing, answers: None };
            if frame.channel == ChannelId::Attribute {
                self.on_att(key, &mut frame, &mut outcome, now);
            } else if let Pdu::Signals(signals) = frame.pdu() {
                signals.flatten().for_each(|signal| link.channels.on_signal(direction, &signal));
            }
            outcome.frame = Some(frame);
        }
        outcome
    }

    /// Ties answers to what was asked, and learns from those to discovery.
    fn on_att(&mut self, key: LinkKey, frame: &mut Frame, outcome: &mut Outcome, now: Asked) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let Some(&opcode) = frame.payload.first() else { return };
        let (opcode, direction) = (AttOpcode(opcode), outcome.direction);
        let other = direction.map(Direction::reversed);
        let from_server = match opcode.kind() {
            PduKind::Request => {
                let what = about(opcode, &frame.payload);
                link.ways[index(direction)].asked = Some(Asked { what, ..now });
                false
            }
            PduKind::Response => {
                frame.answers = link.ways[index(other)].asked.take();
                true
            }
            PduKind::Indication => {
                let what = about(opcode, &frame.payload);
                link.ways[index(direction)].indicated = Some(Asked { what, ..now });
                true
            }
            PduKind::Confirmation => {
                frame.answers = link.ways[index(other)].indicated.take();
                false
            }
            PduKind::Notification => true,
            _ => false,
        };
        let side = if from_server { direction } else { other };
        let server = (link.peer, link.peer.is_none().then_some(key), side);
        outcome.server = Some(server);
        // Those that list attributes.
        if matches!(opcode.0, 0x05 | 0x07 | 0x09 | 0x11)
            && let (Some(asked), Ok(pdu)) = (frame.answers, AttPdu::from_octets(&frame.payload))
            && (self.servers.len() < MOST || self.servers.contains_key(&server))
        {
            self.servers.entry(server).or_default().learn(asked.what, &pdu);
        }
    }

    fn make_room(&mut self, new: LinkKey) {
        if self.links.len() >= MOST && !self.links.contains_key(&new) {
            let oldest = self.links.iter().min_by_key(|(_, link)| link.used).map(|(key, _)| *key);
            oldest.map(|key| self.links.remove(&key));
        }
    }
}

impl Way {
    fn take(&mut self, acl: &AclData<'_>, octets: &Bytes) -> (Option<Dropped>, Option<(ChannelId, Bytes)>) {
        let (dropped, frame) = match self.frame.on_packet(acl, octets) {
            Ok(frame) => (None, frame),
            Err(dropped @ Dropped::CutOff(_)) => (Some(dropped), self.frame.take().ok().flatten()),
            Err(dropped) => (Some(dropped), None),
        };
        (dropped, frame.map(|frame| (frame.channel, frame.payload)))
    }
}

/// What is there of a frame that was sent in one packet, when the capture did not keep all of that.
fn front_of_frame(acl: &AclData<'_>, length: usize, octets: &Bytes) -> Option<(ChannelId, Bytes)> {
    let ([a, b, c, d], payload) = acl.data.split_first_chunk()?;
    let whole = acl.boundary != PacketBoundary::Continuing
        && frame::HEADER_LENGTH + usize::from(u16::from_le_bytes([*a, *b])) == length;
    whole.then(|| (ChannelId(u16::from_le_bytes([*c, *d])), octets.slice_ref(payload)))
}

fn index(side: Side) -> usize {
    match side {
        Some(Direction::Sent) => 0,
        Some(Direction::Received) => 1,
        None => 2,
    }
}

/// What a request asks for, as far as its answer leaves it out.
fn about(opcode: AttOpcode, payload: &[u8]) -> What {
    match AttPdu::from_octets(payload) {
        Ok(AttPdu::ReadByTypeReq(p)) => of_type(opcode, p.attribute_type.0),
        Ok(AttPdu::ReadByGroupTypeReq(p)) => of_type(opcode, p.attribute_group_type.0),
        Ok(AttPdu::FindByTypeValueReq(p)) => of_type(opcode, p.attribute_value.0),
        Ok(pdu) => pdu.attribute_handle().map_or(What::Att(opcode), |handle| What::Attribute(opcode, handle)),
        Err(_) => What::Att(opcode),
    }
}

fn of_type(opcode: AttOpcode, uuid: &[u8]) -> What {
    Uuid::from_wire(uuid).map_or(What::Att(opcode), |uuid| What::Type(opcode, uuid))
}
