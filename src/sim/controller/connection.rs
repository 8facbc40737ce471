//! Making, using and ending connections ([Vol 4] Part E, 7.1.6, 7.8.12, 7.8.13 and 7.8.66).

use super::privacy::{Who, is_private};
use super::{Controller, Held};
use crate::hci::acl::PacketBoundary;
use crate::hci::command::{Disconnect, LeCreateConnection, LeExtendedCreateConnection};
use crate::hci::event::{
    DataBufferOverflow, LeChannelSelectionAlgorithm, LeConnectionComplete, LeEnhancedConnectionComplete,
};
use crate::hci::{AddressType, ConnectionHandle, ErrorCode, LeEvent, OwnAddressType, Phy, Role};
use crate::sim::air::{Advertiser, Owner};
use crate::sim::device::ConnectFailure;
use crate::sim::link::{End, LEAST_PDU, LONGEST_PDU, Link, Node, Parameters, Procedure, Side};
use crate::sim::options::feature;
use crate::sim::{AdvertiserId, ControllerId, LinkId, Radio};
use crate::{Address, BdAddr};
use bytes::Bytes;

/// A connection that a host has asked for and that nobody has answered yet.
#[derive(Debug)]
pub(in crate::sim) struct Initiating {
    extended: bool,
    /// `None`: whoever is in the filter accept list.
    peer: Option<Address>,
    own: OwnAddressType,
    one_m: Option<InitiatePhy>,
    coded: Option<InitiatePhy>,
}

impl Initiating {
    pub(super) fn uses_accept_list(&self) -> bool {
        self.peer.is_none()
    }
}

#[derive(Clone, Copy, Debug)]
struct InitiatePhy {
    interval: u16,
    window: u16,
    parameters: Parameters,
}

impl InitiatePhy {
    fn new(
        (interval, window): (u16, u16),
        (interval_min, interval_max): (u16, u16),
        latency: u16,
        supervision_timeout: u16,
    ) -> Result<Self, ErrorCode> {
        if interval < 4 || window < 4 || window > interval {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        let parameters = Parameters::checked(interval_min, interval_max, latency, supervision_timeout)?;
        Ok(Self { interval, window, parameters })
    }
}

impl Parameters {
    /// The fastest of the asked, when they are in range and the time-out is long enough
    /// ([Vol 4] Part E, 7.8.12).
    pub(super) fn checked(
        interval_min: u16,
        interval_max: u16,
        latency: u16,
        supervision_timeout: u16,
    ) -> Result<Self, ErrorCode> {
        let in_range = (6..=3200).contains(&interval_min)
            && (interval_min..=3200).contains(&interval_max)
            && latency <= 499
            && (10..=3200).contains(&supervision_timeout);
        // In units of 1.25 ms: the time-out must be longer than two effective intervals.
        let effective = (1 + u32::from(latency)) * u32::from(interval_max) * 2;
        if !in_range || u32::from(supervision_timeout) * 8 <= effective {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        Ok(Self { interval: interval_min, latency, supervision_timeout })
    }
}

impl Controller {
    pub(super) fn create_connection(&mut self, c: LeCreateConnection) -> Result<(), ErrorCode> {
        let phy = InitiatePhy::new(
            (c.le_scan_interval, c.le_scan_window),
            (c.connection_interval_min, c.connection_interval_max),
            c.max_latency,
            c.supervision_timeout,
        )?;
        let peer =
            if c.initiator_filter_policy == 0 { c.peer_address_type.with(c.peer_address) } else { None };
        self.initiate(Initiating {
            extended: false,
            peer,
            own: c.own_address_type,
            one_m: Some(phy),
            coded: None,
        })
    }

    pub(super) fn extended_create_connection(
        &mut self,
        c: LeExtendedCreateConnection<'_>,
    ) -> Result<(), ErrorCode> {
        let mask = c.initiating_phys.lead();
        if mask & 0b101 == 0 || !c.initiating_phys.is_complete() {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        if mask & !0b111 != 0 || mask & 0b100 != 0 && !self.has_feature(feature::LE_CODED_PHY) {
            return Err(ErrorCode::UnsupportedFeatureOrParameterValue);
        }
        let (mut one_m, mut coded) = (None, None);
        let bits = [0b001, 0b010, 0b100].into_iter().filter(|bit| mask & bit != 0);
        for (bit, phy) in bits.zip(c.initiating_phys.iter()) {
            let phy = InitiatePhy::new(
                (phy.scan_interval, phy.scan_window),
                (phy.connection_interval_min, phy.connection_interval_max),
                phy.max_latency,
                phy.supervision_timeout,
            );
            match bit {
                0b001 => one_m = Some(phy?),
                0b100 => coded = Some(phy?),
                // 2M is never a primary PHY; its values are for the connection only.
                _ => {}
            }
        }
        let peer =
            if c.initiator_filter_policy == 0 { c.peer_address_type.with(c.peer_address) } else { None };
        self.initiate(Initiating { extended: true, peer, own: c.own_address_type, one_m, coded })
    }

    fn initiate(&mut self, initiating: Initiating) -> Result<(), ErrorCode> {
        self.own_address(initiating.own)?;
        if self.initiating.is_some() {
            return Err(ErrorCode::CommandDisallowed);
        }
        if self.links.len() >= self.options.max_links {
            return Err(ErrorCode::ConnectionLimitExceeded);
        }
        if self.links.values().any(|held| Some(held.peer) == initiating.peer) {
            return Err(ErrorCode::ConnectionAlreadyExists);
        }
        self.initiating = Some(initiating);
        Ok(())
    }

    /// One connection complete event, in the form that the host's mask asks for.
    fn connection_complete(&mut self, event: LeConnectionComplete, private: PrivateAddresses) {
        let event = self.in_asked_form(event, private);
        self.send_le(event);
    }

    fn in_asked_form(&self, event: LeConnectionComplete, private: PrivateAddresses) -> LeEvent<'static> {
        if !self.wants_le(0x0A) {
            let peer_address_type = match event.peer_address_type {
                AddressType::PublicIdentity => AddressType::Public,
                AddressType::RandomIdentity => AddressType::Random,
                other => other,
            };
            return LeConnectionComplete { peer_address_type, ..event }.into();
        }
        LeEvent::from(LeEnhancedConnectionComplete {
            status: event.status,
            connection_handle: event.connection_handle,
            role: event.role,
            peer_address_type: event.peer_address_type,
            peer_address: event.peer_address,
            local_resolvable_private_address: private.local,
            peer_resolvable_private_address: private.peer,
            connection_interval: event.connection_interval,
            peripheral_latency: event.peripheral_latency,
            supervision_timeout: event.supervision_timeout,
            central_clock_accuracy: event.central_clock_accuracy,
        })
    }
}

/// The addresses of both sides on the air, each where it is a private one that the host does not know.
#[derive(Clone, Copy, Debug, Default)]
struct PrivateAddresses {
    local: BdAddr,
    peer: BdAddr,
}

fn failed(status: ErrorCode, role: Role) -> LeConnectionComplete {
    LeConnectionComplete {
        status,
        connection_handle: ConnectionHandle(0),
        role,
        peer_address_type: AddressType::Public,
        peer_address: BdAddr::ANY,
        connection_interval: 0,
        peripheral_latency: 0,
        supervision_timeout: 0,
        central_clock_accuracy: 0,
    }
}

impl Radio {
    /// Gives up the pending connection; the host hears of it twice: now, and by a connection complete event.
    pub(super) fn create_connection_cancel(&mut self, id: ControllerId) -> Result<(), ErrorCode> {
        let controller = self.controller(id);
        controller.initiating.take().ok_or(ErrorCode::CommandDisallowed)?;
        let event = failed(ErrorCode::UnknownConnectionIdentifier, Role::Central);
        let event = controller.in_asked_form(event, PrivateAddresses::default());
        self.send_later(id, event);
        Ok(())
    }

    /// Advertising for a connection ended without one.
    pub(super) fn connection_failed(&mut self, id: ControllerId, status: ErrorCode) {
        let event = failed(status, Role::Peripheral);
        self.controller(id).connection_complete(event, PrivateAddresses::default());
    }

    /// Whether a controller that waits for a connection answers this advertisement with a request.
    pub(in crate::sim) fn initiates(&mut self, id: ControllerId, advertiser: &Advertiser) -> bool {
        let controller = &self.controllers[id.0];
        let Some(wanted) = &controller.initiating else { return false };
        let advertisement = &advertiser.advertisement;
        let phy = if advertisement.primary_phy == Phy::LeCoded { wanted.coded } else { wanted.one_m };
        let Some(who) = controller.privacy.who(advertiser.address) else { return false };
        let meant = match wanted.peer {
            Some(peer) => peer == who.address || peer == advertiser.address,
            None => controller.accept_list.contains(&who.address),
        };
        let Ok(own) = controller.own_address_to(wanted.own, Some(who.address)) else { return false };
        let ours = |target| target == own || controller.privacy.is_ours(target);
        let Some(phy) = phy else { return false };
        meant
            && advertisement.connectable
            && (advertisement.legacy || wanted.extended)
            && advertisement.directed.is_none_or(ours)
            && self.admits(advertiser.owner, 2, own)
            && self.has_room(advertiser.owner)
            && self.in_window(phy.interval, phy.window)
    }

    fn has_room(&self, owner: Owner) -> bool {
        owner.controller().is_none_or(|id| {
            let controller = &self.controllers[id.0];
            controller.links.len() < controller.options.max_links
        })
    }

    /// The connection request went over the air: the advertiser leaves it and both sides have a link.
    pub(in crate::sim) fn connect(
        &mut self,
        id: ControllerId,
        advertiser_id: AdvertiserId,
        advertiser: &Advertiser,
    ) {
        let Some(wanted) = self.controller(id).initiating.take() else { return };
        let phy =
            if advertiser.advertisement.primary_phy == Phy::LeCoded { wanted.coded } else { wanted.one_m };
        let Some(InitiatePhy { parameters, .. }) = phy else { return };
        let failure = match advertiser.owner {
            Owner::Device(device) => self.with_device(device, |device| device.next_failure()).flatten(),
            _ => None,
        };
        if failure == Some(ConnectFailure::InConnectionComplete) {
            let event = failed(ErrorCode::ConnectionFailedToBeEstablished, Role::Central);
            return self.controller(id).connection_complete(event, PrivateAddresses::default());
        }
        let controller = self.controller(id);
        controller.privacy.heard(advertiser.address);
        let whom = controller.privacy.who(advertiser.address).map(|who| who.address);
        let Ok(own) = controller.own_address_to(wanted.own, whom) else { return };
        self.stop_advertiser(advertiser_id);
        let link_id = LinkId(self.new_id());
        let central = self.join(id, link_id, advertiser.address);
        let peripheral = match advertiser.owner {
            Owner::Device(device) => self.join_device(device, link_id, own, advertiser.address),
            Owner::Legacy(owner) | Owner::Set(owner, _) => self.join(owner, link_id, own),
        };
        let handles = [central.node, peripheral.node];
        self.links.insert(link_id, Link::new([central, peripheral], parameters, self.now));
        for (node, side) in handles.into_iter().zip(Side::BOTH) {
            let Node::Controller(to, connection_handle) = node else { continue };
            let (own, peer, made_by_us) = match side {
                Side::Central => (own, advertiser.address, is_private(wanted.own)),
                Side::Peripheral => (advertiser.address, own, advertiser.private_to.is_some()),
            };
            let made_by_us = made_by_us && own.is_resolvable();
            let controller = self.controller(to);
            let unknown = Who { address: peer, resolved: false };
            let who = controller.privacy.who(peer).unwrap_or(unknown);
            let private = PrivateAddresses {
                local: if made_by_us { own.bd_addr } else { BdAddr::ANY },
                peer: if who.resolved { peer.bd_addr } else { BdAddr::ANY },
            };
            let event = LeConnectionComplete {
                status: ErrorCode::Success,
                connection_handle,
                role: side.role(),
                peer_address_type: who.address_type(),
                peer_address: who.address.bd_addr,
                connection_interval: parameters.interval,
                peripheral_latency: parameters.latency,
                supervision_timeout: parameters.supervision_timeout,
                // 50 ppm; a central is told 0 ([Vol 4] Part E, 7.7.65.1).
                central_clock_accuracy: if side == Side::Central { 0 } else { 5 },
            };
            controller.connection_complete(event, private);
            let channel_selection_algorithm = u8::from(controller.options.version >= 0x09);
            controller
                .send_le(LeChannelSelectionAlgorithm { connection_handle, channel_selection_algorithm });
        }
        if let [_, Node::Controller(_, handle)] = handles {
            self.advertiser_connected(advertiser, handle);
        }
        if failure == Some(ConnectFailure::AfterConnectionComplete) {
            let six = parameters.interval() * 6;
            return self.silence(link_id, ErrorCode::ConnectionFailedToBeEstablished, Some(six));
        }
        self.connected(link_id);
    }

    /// What follows a connection by itself: longer PDUs, and the first words of a device.
    fn connected(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        if link.end(Side::Central).wanted_octets > LEAST_PDU {
            self.begin(id, Side::Central, Procedure::DataLength);
        }
        if let Some(Node::Device(device)) = self.links.get(&id).map(|link| link.node(Side::Peripheral)) {
            self.device_connected(device, id);
        }
    }

    /// One end of a new link at a controller.
    fn join(&mut self, id: ControllerId, link: LinkId, peer: Address) -> End {
        let controller = self.controller(id);
        let handle = controller.new_handle();
        let peer = controller.privacy.who(peer).map_or(peer, |who| who.address);
        controller.links.insert(handle, Held { link, peer, buffers: 0 });
        let options = &controller.options;
        let node = Node::Controller(id, handle);
        let mut end = End::new(node, options.le_features, options.version);
        if controller.has_feature(feature::DATA_PACKET_LENGTH_EXTENSION) {
            end.max_rx_octets = LONGEST_PDU;
            end.wanted_octets = controller.suggested_octets;
        }
        end
    }

    pub(super) fn disconnect(&mut self, id: ControllerId, c: Disconnect) -> Result<(), ErrorCode> {
        let (link, side) = self.link_of(id, c.connection_handle)?;
        match c.reason.0 {
            0x05 | 0x13..=0x15 | 0x1A | 0x29 | 0x3B => {
                self.terminate(link, side, c.reason);
                Ok(())
            }
            _ => Err(ErrorCode::InvalidHciCommandParameters),
        }
    }

    pub(super) fn link_of(
        &mut self,
        id: ControllerId,
        handle: ConnectionHandle,
    ) -> Result<(LinkId, Side), ErrorCode> {
        let link_id = self.controller(id).link(handle).ok_or(ErrorCode::UnknownConnectionIdentifier)?;
        let node = Node::Controller(id, handle);
        let side = self.links.get(&link_id).and_then(|link| link.side_of(node));
        side.map(|side| (link_id, side)).ok_or(ErrorCode::UnknownConnectionIdentifier)
    }

    /// Data from the host, for the air. More than there are buffers for is lost, and said to be.
    pub(in crate::sim) fn handle_acl(
        &mut self,
        id: ControllerId,
        handle: ConnectionHandle,
        boundary: PacketBoundary,
        data: Bytes,
    ) {
        let controller = self.controller(id);
        let used: u16 = controller.links.values().map(|held| held.buffers).sum();
        let full = used >= u16::from(controller.options.acl_buffers);
        let long = data.len() > usize::from(controller.options.acl_data_length);
        if full || long {
            // Link_Type 1: ACL.
            return controller.send(DataBufferOverflow { link_type: 1 });
        }
        let Some(held) = controller.links.get_mut(&handle) else { return };
        held.buffers += 1;
        if let Ok((link, side)) = self.link_of(id, handle) {
            self.transmit(link, side, boundary != PacketBoundary::Continuing, data);
        }
    }
}
