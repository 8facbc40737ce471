//! A simulated peripheral: its advertisement, its attributes, its application, and the L2CAP below them.

mod privacy;
mod security;

use super::agenda::{Ticket, Wake};
use super::air::{Advertisement, Advertiser, Owner};
use super::link::{End, LONGEST_PDU, Node, Side};
use super::options::feature;
use super::{AdvertiserId, DeviceId, LinkId, Radio, Responder, Server};
use crate::codec::Rest;
use crate::l2cap::signaling::{CommandRejectRsp, ConnectionParameterUpdateReq, RejectReason, Signal};
use crate::l2cap::signaling::{ParameterUpdateResult, SignalingCommand};
use crate::l2cap::{ChannelId, frame};
use crate::{Address, Instant};
use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;
use std::time::Duration;

/// The least time between two calls of an application, so that none can stop the clock.
const SOON: Duration = Duration::from_micros(1);

/// What a device does with its attributes. All functions do nothing by default.
pub trait Application: Send {
    /// A central has connected. Returns when to call [`timeout`](Self::timeout) first.
    fn connected(&mut self, now: Instant, server: &mut Server) -> Option<Instant> {
        let _ = (now, server);
        None
    }

    /// The time has come. Returns when to call it again; it ends with the link.
    fn timeout(&mut self, now: Instant, server: &mut Server) -> Option<Instant> {
        let _ = (now, server);
        None
    }

    /// The client has written a value, which is in the table already. Configuration descriptors are not told.
    fn written(&mut self, now: Instant, server: &mut Server, handle: u16, value: &[u8]) {
        let _ = (now, server, handle, value);
    }
}

/// How a connection to a device fails, with status 0x3E.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The connection complete event says so.
    InConnectionComplete,
    /// The connection is complete, nobody is heard on it, and it ends after six intervals.
    AfterConnectionComplete,
}

/// A simulated peripheral. It holds one link at a time and advertises when it has none.
///
/// ```
/// use baretooth::sim::{Device, Radio, RadioOptions};
/// let mut radio = Radio::new(RadioOptions::default());
/// // Flags, and the name "lamp".
/// let lamp = Device::new("C0:00:00:00:00:01/random".parse()?).data(b"\x02\x01\x06\x05\x09lamp".as_slice());
/// radio.add_device(lamp);
/// # Ok::<(), baretooth::ParseAddressError>(())
/// ```
pub struct Device {
    /// Its address.
    pub address: Address,
    /// What it advertises; a change counts from the next time it begins to.
    pub advertisement: Advertisement,
    /// Its attributes.
    pub server: Server,
    /// The key it has for every link, as if bonded by a method that authenticates.
    pub long_term_key: Option<[u8; 16]>,
    /// Octets of data it takes and sends in one PDU, 27 to 251.
    pub data_length: u16,
    /// Connection parameters it asks for once connected.
    pub parameter_request: Option<ConnectionParameterUpdateReq>,
    /// What the central answered to that.
    pub parameter_answer: Option<ParameterUpdateResult>,
    private: Option<privacy::Private>,
    failures: (u32, Option<ConnectFailure>),
    application: Option<Box<dyn Application>>,
    pub(super) advertiser: Option<AdvertiserId>,
    pub(super) link: Option<LinkId>,
    responder: Option<Responder>,
    pub(super) responder_timer: Option<Ticket>,
    timer: Option<Ticket>,
    partial: BytesMut,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("address", &self.address).field("link", &self.link).finish()
    }
}

impl Device {
    /// A device that advertises nothing but its address and has no attributes.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            advertisement: Advertisement::default(),
            server: Server::default(),
            long_term_key: None,
            data_length: LONGEST_PDU,
            parameter_request: None,
            parameter_answer: None,
            private: None,
            failures: (0, None),
            application: None,
            advertiser: None,
            link: None,
            responder: None,
            responder_timer: None,
            timer: None,
            partial: BytesMut::new(),
        }
    }

    /// Sets the advertising data.
    #[must_use]
    pub fn data(mut self, data: impl Into<Bytes>) -> Self {
        self.advertisement.data = data.into();
        self
    }

    /// Sets the scan response data.
    #[must_use]
    pub fn scan_response(mut self, data: impl Into<Bytes>) -> Self {
        self.advertisement.scan_response = data.into();
        self
    }

    /// Sets how strong the others hear it, in dBm.
    #[must_use]
    pub fn rssi(mut self, rssi: i8) -> Self {
        self.advertisement.rssi = rssi;
        self
    }

    /// Sets all that it advertises.
    #[must_use]
    pub fn advertisement(self, advertisement: Advertisement) -> Self {
        Self { advertisement, ..self }
    }

    /// Sets its attributes.
    #[must_use]
    pub fn server(self, server: Server) -> Self {
        Self { server, ..self }
    }

    /// Sets what it does.
    #[must_use]
    pub fn application(mut self, application: impl Application + 'static) -> Self {
        self.application = Some(Box::new(application));
        self
    }

    /// Makes the next `times` connections fail.
    #[must_use]
    pub fn fails_to_connect(mut self, times: u32, how: ConnectFailure) -> Self {
        self.failures = (times, Some(how));
        self
    }

    /// Whether a central is connected to it.
    pub fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    pub(super) fn next_failure(&mut self) -> Option<ConnectFailure> {
        self.failures.0 = self.failures.0.checked_sub(1)?;
        self.failures.1
    }
}

impl Radio {
    pub(super) fn start_device(&mut self, id: DeviceId) {
        let Some(device) = self.devices.get(&id) else { return };
        let mut advertiser = Advertiser::new(Owner::Device(id), device.address, device.advertisement.clone());
        self.make_private(&mut advertiser);
        let advertiser = self.start_advertiser(advertiser);
        self.with_device(id, |device| device.advertiser = Some(advertiser));
    }

    /// The device's end of a new link.
    pub(super) fn join_device(&mut self, id: DeviceId, link: LinkId, central: Address, own: Address) -> End {
        let mut end = End::new(Node::Device(id), feature::OF_5_3, 0x0C);
        if let Some(device) = self.devices.get_mut(&id) {
            device.advertiser = None;
            device.link = Some(link);
            device.meet(central, own);
            end.rssi = device.advertisement.rssi;
            end.max_rx_octets = device.data_length;
            end.wanted_octets = device.data_length;
        }
        end
    }

    pub(super) fn device_connected(&mut self, id: DeviceId, link: LinkId) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.parameter_answer = None;
        let next = device.application.as_mut().and_then(|app| app.connected(now, &mut device.server));
        device.timer = next.map(|when| self.agenda.at(when.max(now + SOON), Wake::Device(id)));
        if let Some(request) = device.parameter_request {
            let command = SignalingCommand::from(request).to_bytes(1);
            self.send_frame(link, ChannelId::Signaling, &command);
        }
        self.flush_device(id);
        self.flush_responder(id);
    }

    pub(super) fn device_timeout(&mut self, id: DeviceId) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(&id) else { return };
        let next = device.application.as_mut().and_then(|app| app.timeout(now, &mut device.server));
        device.timer = next.map(|when| self.agenda.at(when.max(now + SOON), Wake::Device(id)));
        self.flush_device(id);
    }

    pub(super) fn device_disconnected(&mut self, id: DeviceId) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.link = None;
        device.partial.clear();
        device.forget_client();
        for ticket in [device.timer.take(), device.responder_timer.take()].into_iter().flatten() {
            self.agenda.cancel(ticket);
        }
        self.start_device(id);
    }

    /// One data PDU: puts frames together and hands whole ones up.
    pub(super) fn device_receives(&mut self, id: DeviceId, start: bool, data: &[u8]) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        if start {
            device.partial.clear();
        }
        device.partial.extend_from_slice(data);
        let whole = match device.partial.first_chunk() {
            Some(length) => frame::HEADER_LENGTH + usize::from(u16::from_le_bytes(*length)),
            None => return,
        };
        if device.partial.len() < whole {
            return;
        }
        // A frame longer than it says is no frame, and is forgotten like a whole one.
        let frame = device.partial.split().freeze();
        if let Ok((channel, payload)) = frame::parse(&frame) {
            self.device_frame(id, channel, payload);
        }
        self.flush_device(id);
    }

    fn device_frame(&mut self, id: DeviceId, channel: ChannelId, payload: &[u8]) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(&id) else { return };
        let Some(link) = device.link else { return };
        match channel {
            ChannelId::Attribute => {
                device.server.handle_pdu(payload);
                while let Some((handle, value)) = device.server.poll_written() {
                    if let Some(application) = &mut device.application {
                        application.written(now, &mut device.server, handle, &value);
                    }
                }
            }
            ChannelId::Signaling => {
                if let Some(answer) = device.signal(payload) {
                    self.send_frame(link, channel, &answer);
                }
            }
            ChannelId::SecurityManager => self.device_smp(id, payload),
            _ => {}
        }
    }

    /// Sends what the server has to say.
    pub(super) fn flush_device(&mut self, id: DeviceId) {
        while let Some(device) = self.devices.get_mut(&id)
            && let Some(link) = device.link
            && let Some(pdu) = device.server.poll_pdu()
        {
            self.send_frame(link, ChannelId::Attribute, &pdu);
        }
    }

    fn send_frame(&mut self, link: LinkId, channel: ChannelId, payload: &[u8]) {
        let Ok(length) = u16::try_from(payload.len()) else { return };
        let mut out = BytesMut::with_capacity(frame::HEADER_LENGTH + payload.len());
        out.put_u16_le(length);
        out.put_u16_le(channel.0);
        out.put_slice(payload);
        self.transmit(link, Side::Peripheral, true, out.freeze());
    }
}

impl Device {
    /// Answers a command of the signalling channel.
    fn signal(&mut self, payload: &[u8]) -> Option<Bytes> {
        let signal = Signal::parse(payload).ok()?;
        match signal.command() {
            Ok(SignalingCommand::ConnectionParameterUpdateRsp(response)) => {
                self.parameter_answer = Some(response.result);
                None
            }
            // Responses and credits are never answered.
            _ if matches!(signal.code, 0x01 | 0x07 | 0x13 | 0x15 | 0x16 | 0x18 | 0x1A) => None,
            _ => {
                let reason = RejectReason::CommandNotUnderstood;
                let reject = SignalingCommand::from(CommandRejectRsp { reason, reason_data: Rest(&[]) });
                Some(reject.to_bytes(signal.identifier))
            }
        }
    }
}
