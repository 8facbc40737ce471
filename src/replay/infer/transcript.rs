//! What was said on each link of a script, in whole PDUs of one fixed channel, and which ATT procedure says it.

use crate::Uuid;
use crate::att::pdu::PduKind;
use crate::att::{AttOpcode, AttPdu};
use crate::capture::Direction;
use crate::gatt::SECONDARY_SERVICE;
use crate::gatt::procedure::{
    Discover, DiscoverCharacteristics, DiscoverDescriptors, DiscoverIncluded, DiscoverServices, ExchangeMtu,
    Read, ReadBlob, ReadByUuid, ReadMultiple, ReadMultipleVariable, Response, Running, Step, Write,
    WriteLong,
};
use crate::hci::acl::PacketBoundary;
use crate::hci::{AclData, ConnectionHandle};
use crate::l2cap::{ChannelId, Reassembly};
use crate::replay::Script;
use crate::replay::infer::disconnected;
use crate::transports::PacketIndicator;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The PDUs of each link in order, and the ends of links.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    links: BTreeMap<ConnectionHandle, Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// Places of its first and of its last packet in the script.
    first: usize,
    last: usize,
    said: Said,
}

#[derive(Debug)]
enum Said {
    ByHost(Bytes),
    ByPeer(Bytes),
    /// The link is down.
    End,
}

impl Transcript {
    pub(super) fn new(script: &Script, channel: ChannelId) -> Self {
        let mut transcript = Self::default();
        let mut arriving: BTreeMap<(ConnectionHandle, bool), (usize, Reassembly)> = BTreeMap::new();
        for (place, packet) in script.packets().iter().enumerate() {
            if let Some(handle) = disconnected(packet) {
                arriving.retain(|(of, _), _| *of != handle);
                let end = Entry { first: place, last: place, said: Said::End };
                transcript.links.entry(handle).or_default().push(end);
            }
            if packet.packet.indicator() != PacketIndicator::AclData {
                continue;
            }
            let Ok(acl) = AclData::parse(packet.packet.as_slice()) else { continue };
            let sent = packet.direction == Direction::Sent;
            let (first, frames) = arriving.entry((acl.handle, sent)).or_default();
            if acl.boundary != PacketBoundary::Continuing {
                *first = place;
            }
            // A frame that was cut off by the next is the host's to drop as well.
            let frame = frames.on_packet(&acl, packet.packet.bytes()).or_else(|_| frames.take());
            if let Ok(Some(frame)) = frame
                && frame.channel == channel
            {
                let said = if sent { Said::ByHost(frame.payload) } else { Said::ByPeer(frame.payload) };
                let entry = Entry { first: *first, last: place, said };
                transcript.links.entry(acl.handle).or_default().push(entry);
            }
        }
        transcript
    }

    /// What the host says with the packet at this place and those that follow it.
    pub(super) fn pdu_at(&self, link: ConnectionHandle, place: usize) -> Option<&Bytes> {
        self.from(link, place).find_map(|entry| match &entry.said {
            Said::ByHost(pdu) if entry.first == place => Some(pdu),
            _ => None,
        })
    }

    /// The first that the host says on a link, from a place on.
    pub(super) fn first_of_host(&self, link: ConnectionHandle, place: usize) -> Option<&Bytes> {
        Some(self.of_host(link, place).next()?.1)
    }

    /// What the host says on a link from a place on, and where each begins.
    pub(super) fn of_host(
        &self,
        link: ConnectionHandle,
        place: usize,
    ) -> impl Iterator<Item = (usize, &Bytes)> {
        self.until_end(link, place).filter_map(|entry| Some((entry.first, entry.by_host()?)))
    }

    /// What the peer says on a link from a place on.
    pub(super) fn of_peer(&self, link: ConnectionHandle, place: usize) -> impl Iterator<Item = &Bytes> {
        self.until_end(link, place).filter_map(|entry| match &entry.said {
            Said::ByPeer(pdu) => Some(pdu),
            _ => None,
        })
    }

    /// What the peer has said when the packet at this place is there.
    pub(super) fn peers_pdu_at(&self, link: ConnectionHandle, place: usize) -> Option<&Bytes> {
        let entry = self.from(link, place).next()?;
        match &entry.said {
            Said::ByPeer(pdu) if entry.last == place => Some(pdu),
            _ => None,
        }
    }

    fn until_end(&self, link: ConnectionHandle, place: usize) -> impl Iterator<Item = &Entry> {
        self.from(link, place).take_while(|entry| !matches!(entry.said, Said::End))
    }

    /// What the peer's request that ends with the packet at this place reads: the handle, and as much of the value as it
    /// gets here and by the rest of a long read.
    pub(super) fn value_read(&self, link: ConnectionHandle, place: usize) -> Option<(u16, Bytes)> {
        let mut asked = None;
        let mut value = Vec::new();
        let entries =
            self.from(link, place).skip_while(|entry| entry.last == place && entry.by_host().is_some());
        for (n, entry) in entries.enumerate() {
            match &entry.said {
                Said::ByPeer(pdu) if kind(pdu) == PduKind::Request => {
                    match (AttPdu::from_octets(pdu).ok(), asked) {
                        (Some(AttPdu::ReadReq(read)), None) if entry.last == place && n == 0 => {
                            asked = Some(read.attribute_handle.0);
                        }
                        (Some(AttPdu::ReadBlobReq(rest)), Some(handle))
                            if rest.attribute_handle.0 == handle
                                && usize::from(rest.value_offset) == value.len() => {}
                        _ => break,
                    }
                }
                Said::ByHost(pdu) if kind(pdu) == PduKind::Response => match AttPdu::from_octets(pdu).ok()? {
                    AttPdu::ReadRsp(read) => value.extend_from_slice(read.attribute_value.0),
                    AttPdu::ReadBlobRsp(rest) => value.extend_from_slice(rest.part_attribute_value.0),
                    _ if value.is_empty() => return None,
                    _ => break,
                },
                Said::End => break,
                _ if asked.is_none() => return None,
                _ => {}
            }
        }
        Some((asked?, value.into()))
    }

    /// Requests and commands of the host on other links that begin between the packets of the PDU at this place.
    pub(super) fn between(&self, link: ConnectionHandle, place: usize) -> Vec<(ConnectionHandle, usize)> {
        let Some(whole) = self.from(link, place).find(|entry| entry.first == place) else {
            return Vec::new();
        };
        let asks = |pdu: &Bytes| {
            use PduKind::{Command, Indication, Notification, Request};
            matches!(kind(pdu), Request | Command | Notification | Indication)
        };
        let within = |entry: &&Entry| entry.first > place && entry.by_host().is_some_and(asks);
        let others = self.links.keys().filter(|other| **other != link);
        let mut found: Vec<_> = others
            .flat_map(|other| {
                let entries = self.from(*other, place).take_while(|entry| entry.first < whole.last);
                entries.filter(within).map(|entry| (*other, entry.first))
            })
            .collect();
        found.sort_by_key(|(_, first)| *first);
        found
    }

    /// The procedure whose requests are those that follow on a link, as far as it can be told, and where the last of
    /// these requests begins. Of the procedures that fit it is the first that explains most of them.
    pub(super) fn procedure(
        &self,
        link: ConnectionHandle,
        place: usize,
        mtu: u16,
    ) -> Option<(Running, usize)> {
        let mut best = None;
        for (number, mut procedure) in self.candidates(link, place).into_iter().enumerate() {
            let explained = self.explained(link, place, mtu, &mut procedure);
            if explained > best.map_or(0, |(most, _)| most) {
                best = Some((explained, number));
            }
        }
        let (explained, number) = best?;
        let is_request = |entry: &&Entry| entry.by_host().is_some_and(|pdu| kind(pdu) == PduKind::Request);
        let last = self.from(link, place).filter(is_request).nth(explained.checked_sub(1)?)?.first;
        // The one above has run; this one has not.
        Some((self.candidates(link, place).into_iter().nth(number)?, last))
    }

    /// How many of the requests that follow are those of a procedure; none when it would go on with another.
    fn explained(&self, link: ConnectionHandle, place: usize, mtu: u16, procedure: &mut Running) -> usize {
        let mut request = procedure.start(mtu);
        let mut explained = 0;
        let mut answered = false;
        for entry in self.from(link, place) {
            match &entry.said {
                Said::ByHost(pdu) if kind(pdu) == PduKind::Request => {
                    if *pdu != request {
                        return 0;
                    }
                    explained += 1;
                    answered = false;
                }
                Said::ByPeer(pdu) if kind(pdu) == PduKind::Response && explained > 0 && !answered => {
                    answered = true;
                    match Response::new(pdu).ok().map(|response| procedure.on_response(response)) {
                        Some(Ok(Step::Send(next))) => request = next,
                        _ => return explained,
                    }
                }
                Said::End => break,
                _ => {}
            }
        }
        explained
    }

    /// The procedures that may begin with the request at a place.
    fn candidates(&self, link: ConnectionHandle, place: usize) -> Vec<Running> {
        let Some(Ok(pdu)) = self.pdu_at(link, place).map(|pdu| AttPdu::from_octets(pdu)) else {
            return Vec::new();
        };
        match pdu {
            AttPdu::ExchangeMtuReq(request) => vec![ExchangeMtu::offering(request.client_rx_mtu).into()],
            AttPdu::ReadByGroupTypeReq(request) => match Uuid::from_wire(request.attribute_group_type.0) {
                Some(SECONDARY_SERVICE) => vec![DiscoverServices::secondary().into()],
                _ => vec![
                    Discover::all().into(),
                    Discover::all().with_user_descriptions().into(),
                    DiscoverServices::primary().into(),
                ],
            },
            AttPdu::FindByTypeValueReq(request) => {
                let only = Discover::only(self.services_looked_for(link, place));
                let described =
                    Discover::only(self.services_looked_for(link, place)).with_user_descriptions();
                let one = Uuid::from_wire(request.attribute_value.0).map(DiscoverServices::primary_of);
                [only.into(), described.into()].into_iter().chain(one.map(Running::from)).collect()
            }
            AttPdu::ReadByTypeReq(request) => {
                let (start, end) = (request.starting_handle.0, request.ending_handle.0);
                let by_uuid = Uuid::from_wire(request.attribute_type.0)
                    .map(|uuid| Running::from(ReadByUuid::within(uuid, start, end)));
                let included = DiscoverIncluded::within(start, end).into();
                let characteristics = DiscoverCharacteristics::within(start, end).into();
                [included, characteristics].into_iter().chain(by_uuid).collect()
            }
            AttPdu::FindInformationReq(request) => {
                vec![DiscoverDescriptors::within(request.starting_handle.0, request.ending_handle.0).into()]
            }
            AttPdu::ReadReq(request) => vec![Read::new(request.attribute_handle.0).into()],
            AttPdu::ReadBlobReq(request) => {
                vec![ReadBlob::new(request.attribute_handle.0, request.value_offset).into()]
            }
            AttPdu::ReadMultipleReq(request) => {
                let handles: Vec<_> = request.handles.iter().map(|handle| handle.0).collect();
                ReadMultiple::new(&handles).ok().map(Running::from).into_iter().collect()
            }
            AttPdu::ReadMultipleVariableReq(request) => {
                let handles: Vec<_> = request.handles.iter().map(|handle| handle.0).collect();
                ReadMultipleVariable::new(&handles).ok().map(Running::from).into_iter().collect()
            }
            AttPdu::WriteReq(request) => {
                let value = Bytes::copy_from_slice(request.attribute_value.0);
                Write::new(request.attribute_handle.0, value).ok().map(Running::from).into_iter().collect()
            }
            AttPdu::PrepareWriteReq(_) => {
                let values = self.values_prepared(link, place);
                let single = match &values[..] {
                    // A short value may be written in parts too, where somebody asks for it.
                    [(handle, value)] => {
                        let (write, long) =
                            (Write::new(*handle, value.clone()), WriteLong::new(*handle, value.clone()));
                        [write.ok().map(Running::from), long.ok().map(Running::from)]
                    }
                    _ => [None, None],
                };
                let several = WriteLong::reliable(values).ok().map(Running::from);
                single.into_iter().flatten().chain(several).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The services whose declarations the host looks for one after the other.
    fn services_looked_for(&self, link: ConnectionHandle, place: usize) -> Vec<Uuid> {
        let requests = self.from(link, place).filter_map(Entry::by_host);
        let uuids = requests.map_while(|pdu| match AttPdu::from_octets(pdu) {
            Ok(AttPdu::FindByTypeValueReq(request)) => Uuid::from_wire(request.attribute_value.0),
            _ => None,
        });
        let mut uuids: Vec<_> = uuids.collect();
        uuids.dedup();
        uuids
    }

    /// The values whose parts the host prepares one after the other.
    fn values_prepared(&self, link: ConnectionHandle, place: usize) -> Vec<(u16, Bytes)> {
        let mut values: Vec<(u16, Vec<u8>)> = Vec::new();
        for pdu in self.from(link, place).filter_map(Entry::by_host) {
            let Ok(AttPdu::PrepareWriteReq(part)) = AttPdu::from_octets(pdu) else { break };
            let (handle, octets) = (part.attribute_handle.0, part.part_attribute_value.0);
            match values.last_mut() {
                Some((of, value)) if *of == handle && usize::from(part.value_offset) == value.len() => {
                    value.extend_from_slice(octets);
                }
                _ => values.push((handle, octets.to_vec())),
            }
        }
        values.into_iter().map(|(handle, value)| (handle, value.into())).collect()
    }

    fn from(&self, link: ConnectionHandle, place: usize) -> impl Iterator<Item = &Entry> {
        let entries = self.links.get(&link).map_or(&[][..], Vec::as_slice);
        let before = entries.partition_point(|entry| entry.last < place);
        entries.iter().skip(before)
    }
}

impl Entry {
    fn by_host(&self) -> Option<&Bytes> {
        match &self.said {
            Said::ByHost(pdu) => Some(pdu),
            _ => None,
        }
    }
}

fn kind(pdu: &Bytes) -> PduKind {
    AttOpcode(pdu.first().copied().unwrap_or(0)).kind()
}
