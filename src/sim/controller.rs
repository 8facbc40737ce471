//! One controller: what it remembers between commands, and how it talks to its host ([Vol 4] Part E).
//!
//! The state is here; what commands do to it and to the air stands in the files below, by subject.

mod advertising;
mod commands;
mod connection;
mod privacy;
mod procedures;
mod scanning;

pub(super) use advertising::{AdvertisingSet, LegacyAdvertising};
pub(super) use connection::Initiating;
pub(super) use scanning::Scanning;

use super::air::Owner;
use super::faults::Outbox;
use super::options::ControllerOptions;
use super::{LinkId, Radio};
use crate::codec::{List, Rest};
use crate::hci::event::{CommandComplete, CommandStatus, DisconnectionComplete, NumberOfCompletedPackets};
use crate::hci::{
    CompletedPackets, ConnectionHandle, ErrorCode, Event, LeEvent, Opcode, OwnAddressType, acl,
};
use crate::transports::HciPacket;
use crate::{Address, BdAddr};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug)]
pub(super) struct Controller {
    pub(super) options: ControllerOptions,
    pub(super) outbox: Outbox,
    event_mask: u64,
    le_event_mask: u64,
    random_address: Option<BdAddr>,
    family: Option<Family>,
    pub(super) accept_list: BTreeSet<Address>,
    advertising: LegacyAdvertising,
    sets: BTreeMap<u8, AdvertisingSet>,
    pub(super) privacy: privacy::Privacy,
    scanning: Scanning,
    initiating: Option<Initiating>,
    links: BTreeMap<ConnectionHandle, Held>,
    last_handle: u16,
    /// Commands waiting for their time.
    commands: VecDeque<(Opcode, Bytes)>,
    pub(super) lost_commands: u32,
    suggested_octets: u16,
}

/// Legacy and extended commands do not mix between two resets ([Vol 4] Part E, 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Legacy,
    Extended,
}

#[derive(Debug)]
struct Held {
    link: LinkId,
    /// By its identity, where that is known.
    peer: Address,
    /// Buffers that hold data of the host for this link.
    buffers: u16,
}

impl Controller {
    pub(super) fn new(options: ControllerOptions) -> Self {
        Self {
            outbox: Outbox::new(options.faults.clone()),
            options,
            // The defaults of [Vol 4] Part E, 7.3.1 and 7.8.1.
            event_mask: 0x0000_1FFF_FFFF_FFFF,
            le_event_mask: 0x1F,
            random_address: None,
            family: None,
            accept_list: BTreeSet::new(),
            advertising: LegacyAdvertising::default(),
            sets: BTreeMap::new(),
            privacy: privacy::Privacy::default(),
            scanning: Scanning::default(),
            initiating: None,
            links: BTreeMap::new(),
            last_handle: 0x003F,
            commands: VecDeque::new(),
            lost_commands: 0,
            suggested_octets: super::link::LEAST_PDU,
        }
    }

    pub(super) fn has_feature(&self, bit: u64) -> bool {
        self.options.le_features & bit != 0
    }

    pub(super) fn link(&self, handle: ConnectionHandle) -> Option<LinkId> {
        self.links.get(&handle).map(|held| held.link)
    }

    pub(super) fn is_listening(&self) -> bool {
        self.scanning.is_running() || self.initiating.is_some()
    }

    pub(super) fn filter_policy(&self, owner: Owner) -> u8 {
        match owner {
            Owner::Set(_, handle) => self.sets.get(&handle).map_or(0, |set| set.filter_policy),
            _ => self.advertising.filter_policy,
        }
    }

    fn own_address(&self, kind: OwnAddressType) -> Result<Address, ErrorCode> {
        match kind {
            OwnAddressType::Public | OwnAddressType::ResolvableOrPublic => {
                Ok(Address::public(self.options.address))
            }
            _ => self.random_address.map(Address::random).ok_or(ErrorCode::InvalidHciCommandParameters),
        }
    }

    fn new_handle(&mut self) -> ConnectionHandle {
        loop {
            self.last_handle = if self.last_handle >= 0x0EFF { 0 } else { self.last_handle + 1 };
            let handle = ConnectionHandle(self.last_handle);
            if !self.links.contains_key(&handle) {
                return handle;
            }
        }
    }

    /// Whether the masks of the host let an event through. Those of the command flow and of completed packets
    /// have no bit ([Vol 4] Part E, 7.3.1).
    pub(super) fn wants(&self, event: &Event<'_>) -> bool {
        let bit = match event {
            Event::LeMeta(meta) => {
                let bit = u32::from(meta.subevent.code()).wrapping_sub(1);
                return self.event_mask >> 61 & 1 == 1
                    && self.le_event_mask.checked_shr(bit).is_some_and(|mask| mask & 1 == 1);
            }
            Event::DisconnectionComplete(_) => 4,
            Event::EncryptionChange(_) => 7,
            Event::ReadRemoteVersionInformationComplete(_) => 11,
            Event::HardwareError(_) => 15,
            Event::DataBufferOverflow(_) => 25,
            Event::EncryptionKeyRefreshComplete(_) => 47,
            _ => return true,
        };
        self.event_mask >> bit & 1 == 1
    }

    /// Whether the LE mask lets an LE Meta subevent of this code through.
    fn wants_le(&self, code: u8) -> bool {
        self.wants(&LeEvent::Unknown { code, parameters: &[] }.into())
    }

    pub(super) fn send<'a>(&mut self, event: impl Into<Event<'a>>) {
        let event = event.into();
        if self.wants(&event)
            && let Ok(packet) = event.to_packet()
        {
            self.outbox.push(packet);
        }
    }

    pub(super) fn send_le<'a>(&mut self, event: impl Into<LeEvent<'a>>) {
        self.send(event.into());
    }

    /// How many commands the controller has room for now.
    fn command_room(&self) -> u8 {
        let waiting = u8::try_from(self.commands.len()).unwrap_or(u8::MAX);
        self.options.command_packets.max(1).saturating_sub(waiting)
    }

    fn command_complete(&mut self, command_opcode: Opcode, return_parameters: &[u8]) {
        let num_hci_command_packets = self.command_room();
        let return_parameters = Rest(return_parameters);
        self.send(CommandComplete { num_hci_command_packets, command_opcode, return_parameters });
    }

    fn command_status(&mut self, command_opcode: Opcode, status: ErrorCode) {
        let num_hci_command_packets = self.command_room();
        self.send(CommandStatus { status, num_hci_command_packets, command_opcode });
    }

    /// Data from the air: each PDU becomes one ACL packet.
    pub(super) fn receive(&mut self, handle: ConnectionHandle, start: bool, data: &[u8]) {
        let Ok(length) = u16::try_from(data.len()) else { return };
        if length == 0 {
            return;
        }
        let boundary =
            if start { acl::PacketBoundary::FirstFlushable } else { acl::PacketBoundary::Continuing };
        let mut out = BytesMut::with_capacity(5 + data.len());
        acl::put_header(&mut out, handle, boundary, length);
        out.put_slice(data);
        if let Ok(packet) = HciPacket::new(out.freeze()) {
            self.outbox.push(packet);
        }
    }

    /// Packets of the host that went over the air: their buffers are free again.
    pub(super) fn completed(&mut self, connection_handle: ConnectionHandle, num_completed_packets: u16) {
        let Some(held) = self.links.get_mut(&connection_handle) else { return };
        held.buffers = held.buffers.saturating_sub(num_completed_packets);
        let completed = [CompletedPackets { connection_handle, num_completed_packets }];
        if num_completed_packets > 0
            && let Some(handles) = List::new(&completed)
        {
            self.send(NumberOfCompletedPackets { handles });
        }
    }

    pub(super) fn disconnected(&mut self, connection_handle: ConnectionHandle, reason: ErrorCode) {
        if self.links.remove(&connection_handle).is_some() {
            self.send(DisconnectionComplete { status: ErrorCode::Success, connection_handle, reason });
        }
    }
}

impl Radio {
    /// Forgets everything a host has told a controller. Peers hear nothing more of it.
    pub(super) fn reset(&mut self, id: super::ControllerId) {
        let controller = self.controller(id);
        let fresh = Controller::new(controller.options.clone());
        let old = std::mem::replace(controller, fresh);
        let sets = old.sets.values().filter_map(|set| set.on_air);
        for advertiser in sets.chain(old.advertising.on_air) {
            self.stop_advertiser(advertiser);
        }
        for ticket in [old.scanning.timeout(), old.privacy.timer()].into_iter().flatten() {
            self.agenda.cancel(ticket);
        }
        for (handle, held) in &old.links {
            if let Some(link) = self.links.get_mut(&held.link) {
                let node = super::link::Node::Controller(id, *handle);
                if let Some(side) = link.side_of(node) {
                    link.end_mut(side).node = super::link::Node::Gone;
                }
            }
            self.silence(held.link, ErrorCode::ConnectionTimeout, None);
        }
        let controller = self.controller(id);
        controller.outbox = old.outbox;
        controller.lost_commands = old.lost_commands;
    }
}
