//! The air and everything on it: who is there, what is due, and what tests may do to it.

use super::agenda::{Agenda, Dice, Ticket, Wake};
use super::air::{Advertiser, Owner};
use super::controller::Controller;
use super::link::{Link, Side};
use super::{
    AdvertiserId, ControllerId, ControllerOptions, Device, DeviceId, FaultPlan, LinkId, RadioOptions,
};
use crate::hci::event::HardwareError;
use crate::hci::{AclData, ConnectionHandle, ErrorCode, Event, Opcode};
use crate::transports::{HciPacket, PacketIndicator};
use crate::{Address, Instant};
use std::collections::BTreeMap;
use std::time::Duration;

/// Controllers and devices on one air. See the [module](super) for an example.
///
/// After every `handle_*` ask [`poll_transmit`](Self::poll_transmit) of each controller until it is empty and
/// [`poll_timeout`](Self::poll_timeout) for the time of the next [`handle_timeout`](Self::handle_timeout).
/// What a test does to the room (adding, removing, cutting) happens at the time of the last `handle_*`.
#[derive(Debug)]
pub struct Radio {
    pub(super) now: Instant,
    pub(super) options: RadioOptions,
    pub(super) dice: Dice,
    pub(super) agenda: Agenda,
    pub(super) controllers: Vec<Controller>,
    pub(super) devices: BTreeMap<DeviceId, Device>,
    pub(super) advertisers: BTreeMap<AdvertiserId, Advertiser>,
    pub(super) links: BTreeMap<LinkId, Link>,
    ids: u32,
}

impl Radio {
    /// An empty room.
    pub fn new(options: RadioOptions) -> Self {
        Self {
            now: Instant::START,
            dice: Dice::new(options.seed),
            options,
            agenda: Agenda::default(),
            controllers: Vec::new(),
            devices: BTreeMap::new(),
            advertisers: BTreeMap::new(),
            links: BTreeMap::new(),
            ids: 0,
        }
    }

    /// Puts a controller on the air, for one host to use.
    pub fn add_controller(&mut self, options: ControllerOptions) -> ControllerId {
        let id = ControllerId(self.controllers.len());
        self.controllers.push(Controller::new(options));
        id
    }

    /// Every controller, in the order in which they were added.
    pub fn controllers(&self) -> impl Iterator<Item = ControllerId> + use<> {
        (0..self.controllers.len()).map(ControllerId)
    }

    /// Puts a device on the air; it begins to advertise.
    pub fn add_device(&mut self, device: Device) -> DeviceId {
        let id = DeviceId(self.new_id());
        self.devices.insert(id, device);
        self.start_device(id);
        id
    }

    /// Every device that is there, in the order in which they were added.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices.iter().map(|(id, device)| (*id, device))
    }

    /// The device with its attributes as they are now; `None` when it was removed.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(&id)
    }

    /// A packet from the host of a controller. Packets that only controllers send are ignored.
    ///
    /// # Panics
    /// When `from` belongs to another radio.
    pub fn handle_packet(&mut self, now: Instant, from: ControllerId, packet: HciPacket) {
        self.handle_timeout(now);
        if self.is_deaf_to(from, &packet) {
            return;
        }
        match packet.indicator() {
            PacketIndicator::Command => {
                if let [_, low, high, _, parameters @ ..] = packet.as_slice() {
                    let opcode = Opcode(u16::from_le_bytes([*low, *high]));
                    self.take_command(from, opcode, parameters);
                }
            }
            PacketIndicator::AclData => {
                if let Ok(acl) = AclData::parse(packet.as_slice()) {
                    let data = packet.bytes().slice_ref(acl.data);
                    self.handle_acl(from, acl.handle, acl.boundary, data);
                }
            }
            _ => {}
        }
    }

    /// Lets everything happen that is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((when, wake)) = self.agenda.pop_due(now) {
            self.now = self.now.max(when);
            match wake {
                Wake::Advertise(id) => self.advertising_event(id),
                Wake::ConnectionEvent(id) => self.connection_event(id),
                Wake::Supervision(id) => self.supervision_timeout(id),
                Wake::KeyTimeout(id) => self.key_timeout(id),
                Wake::Device(id) => self.device_timeout(id),
                Wake::Responder(id) => self.responder_timeout(id),
                Wake::Command(id) => self.next_command(id),
                Wake::ScanTimeout(id) => self.scan_timeout(id),
                Wake::Addresses(id) => self.rotate_addresses(id),
                Wake::Send(id, packet) => self.controller(id).outbox.push(packet),
            }
        }
        self.now = self.now.max(now);
    }

    /// The next packet from a controller to its host.
    ///
    /// # Panics
    /// When `to` belongs to another radio.
    pub fn poll_transmit(&mut self, to: ControllerId) -> Option<HciPacket> {
        self.controller(to).outbox.pop()
    }

    /// When something happens next; `None` when nothing will unless a host asks for it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.agenda.next()
    }

    /// The controller stops with Hardware Error and is as after a reset; its peers hear nothing more of it.
    pub fn hardware_error(&mut self, id: ControllerId, hardware_code: u8) {
        self.reset(id);
        self.controller(id).send(Event::HardwareError(HardwareError { hardware_code }));
    }

    /// From now on nobody is heard on this link: it ends at both sides by supervision time-out.
    pub fn drop_link(&mut self, id: ControllerId, handle: ConnectionHandle) {
        if let Some(link) = self.controller(id).link(handle) {
            self.silence(link, ErrorCode::ConnectionTimeout, None);
        }
    }

    /// Commands that a host has sent although the controller had no room for them; they were lost.
    pub fn lost_commands(&self, id: ControllerId) -> u32 {
        self.controllers[id.0].lost_commands
    }

    /// Changes how many of 1000 advertising PDUs and connection events are lost from now on. When all are,
    /// links that have something to say end by supervision time-out.
    pub fn set_loss(&mut self, per_mille: u16) {
        self.options.loss = per_mille;
    }

    /// Changes what goes wrong between a controller and its host from now on.
    pub fn set_faults(&mut self, id: ControllerId, plan: FaultPlan) {
        self.controller(id).outbox.set_plan(plan);
    }

    /// Takes a device off the air, without a word: who is connected to it will see the supervision time-out.
    pub fn remove_device(&mut self, id: DeviceId) -> Option<Device> {
        let mut device = self.devices.remove(&id)?;
        if let Some(advertiser) = device.advertiser.take() {
            self.stop_advertiser(advertiser);
        }
        if let Some(link) = device.link.take() {
            self.silence(link, ErrorCode::ConnectionTimeout, None);
        }
        device.forget_client();
        if let Some(ticket) = device.responder_timer.take() {
            self.agenda.cancel(ticket);
        }
        Some(device)
    }

    /// The device ends its link with this reason. Nothing happens when it has none.
    pub fn disconnect_device(&mut self, id: DeviceId, reason: ErrorCode) {
        if let Some(link) = self.devices.get(&id).and_then(|device| device.link) {
            self.terminate(link, Side::Peripheral, reason);
        }
    }

    /// Changes a device while it runs, for example the answer of an attribute or the next failure to connect.
    pub fn with_device<T>(&mut self, id: DeviceId, change: impl FnOnce(&mut Device) -> T) -> Option<T> {
        self.devices.get_mut(&id).map(change)
    }

    pub(super) fn controller(&mut self, id: ControllerId) -> &mut Controller {
        &mut self.controllers[id.0]
    }

    pub(super) fn new_id(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn after(&mut self, delay: Duration, wake: Wake) -> Ticket {
        self.agenda.at(self.now + delay, wake)
    }

    /// Sends an event behind the answer of the command that is being carried out.
    pub(super) fn send_later<'a>(&mut self, id: ControllerId, event: impl Into<Event<'a>>) {
        let event = event.into();
        if self.controller(id).wants(&event)
            && let Ok(packet) = event.to_packet()
        {
            self.after(Duration::ZERO, Wake::Send(id, packet));
        }
    }

    /// Whether the owner of an advertisement listens to this peer; the bit is that of the filter policy.
    pub(super) fn admits(&self, owner: Owner, policy_bit: u8, peer: Address) -> bool {
        let Some(advertiser) = owner.controller() else { return true };
        let controller = &self.controllers[advertiser.0];
        let Some(peer) = controller.privacy.who(peer) else { return false };
        controller.filter_policy(owner) & policy_bit == 0 || controller.accept_list.contains(&peer.address)
    }
}
