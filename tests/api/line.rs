//! A virtual radio behind a line that the test listens to, holds up and cuts.

use baretooth::capture::Direction;
use baretooth::hci::Opcode;
use baretooth::sim::demo::{LOG, THERMOMETER_ADDRESS};
use baretooth::sim::{
    Application, ControllerOptions, Device, DeviceId, Radio, RadioHandle, RadioOptions, Server, SimTransport,
    Table, demo, property::*,
};
use baretooth::transports::{HciPacket, PacketIndicator, SendQueue, Transport, TransportError};
use baretooth::transports::{TransportRx, TransportTx};
use baretooth::{
    Adapter, AdapterBuilder, Address, BdAddr, Characteristic, ConnectOptions, Instant, Peer, Services, Uuid,
};
use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Virtual time that a future takes.
pub async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let start = tokio::time::Instant::now();
    (future.await, start.elapsed())
}

/// Runs a future for a while and drops it unfinished.
pub async fn drop_after<T>(time: Duration, future: impl Future<Output = T>) {
    assert!(tokio::time::timeout(time, future).await.is_err(), "it finished within {time:?}");
}

/// One adapter, its line, and the devices around it.
pub struct Room {
    pub adapter: Adapter,
    pub line: Line,
    pub radio: RadioHandle,
    pub devices: Vec<DeviceId>,
}

/// The demo devices: strap, thermometer, echo.
pub fn demo_devices() -> Vec<Device> {
    vec![demo::heart_rate_strap(), demo::thermometer(), demo::echo()]
}

impl Room {
    pub async fn demo() -> Self {
        Self::with(ControllerOptions::default(), demo_devices()).await
    }

    pub async fn with(options: ControllerOptions, devices: Vec<Device>) -> Self {
        Self::built(Adapter::builder().seed(1), options, devices).await
    }

    pub async fn built(builder: AdapterBuilder, options: ControllerOptions, devices: Vec<Device>) -> Self {
        let (wire, line, radio, devices) = wired(options, devices);
        let adapter = builder.open_with(wire).await.expect("the virtual controller opens");
        Self { adapter, line, radio, devices }
    }

    /// The thermometer at MTU 23, and its log: 512 octets, longer than any PDU there.
    pub async fn long_value(&self) -> (Peer, Characteristic) {
        let options = ConnectOptions::new().mtu(23);
        let peer = self.adapter.connect_with(THERMOMETER_ADDRESS, options).await.expect("connects");
        let log = peer.discover().await.expect("answers").find(LOG).expect("one");
        (peer, log)
    }

    pub async fn is_connected(&self, device: usize) -> bool {
        self.device(device, Device::is_connected).await
    }

    /// Looks at a device.
    pub async fn device<T: Send + 'static>(
        &self,
        device: usize,
        look: impl FnOnce(&Device) -> T + Send + 'static,
    ) -> T {
        let id = self.devices[device];
        let looked = self.radio.with(move |radio| radio.device(id).map(look)).await;
        looked.expect("the radio runs").expect("the device is there")
    }

    /// The value of an attribute at the device.
    pub async fn value(&self, device: usize, handle: u16) -> Vec<u8> {
        self.device(device, move |device| device.server.attribute(handle).expect("that handle").value.clone())
            .await
    }

    pub async fn act(&self, act: impl FnOnce(&mut Radio) + Send + 'static) {
        self.radio.with(act).await.expect("the radio runs");
    }

    pub async fn connect(&self, address: Address) -> (Peer, Services) {
        let peer = self.adapter.connect(address).await.expect("it advertises");
        let services = peer.discover().await.expect("it answers");
        (peer, services)
    }
}

/// A radio with one controller and these devices; the controller is behind the line.
pub fn wired(options: ControllerOptions, devices: Vec<Device>) -> (Wire, Line, RadioHandle, Vec<DeviceId>) {
    // Many PDUs an event: what is sent comes in bursts.
    let mut radio = Radio::new(RadioOptions { seed: 1, pdus_per_event: 200, ..RadioOptions::default() });
    radio.add_controller(options);
    let devices = devices.into_iter().map(|device| radio.add_device(device)).collect();
    let (handle, mut transports) = baretooth::sim::spawn(radio);
    let line = Line::default();
    let inner = transports.pop().expect("one controller");
    (Wire { inner, line: line.clone() }, line, handle, devices)
}

/// The test's hand on a [`Wire`].
#[derive(Clone, Default, Debug)]
pub struct Line {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default, Debug)]
struct State {
    log: Vec<(Direction, HciPacket)>,
    cut: bool,
    /// Packets that may still be sent before sending fails.
    sends_left: Option<usize>,
    hold: Option<fn(&HciPacket) -> bool>,
    held: VecDeque<HciPacket>,
    ready: VecDeque<HciPacket>,
    closed: bool,
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the line")
    }

    /// The other side is gone.
    pub fn cut(&self) {
        self.state().cut = true;
        self.changed.notify_one();
    }

    /// Sending fails after this many packets more; receiving goes on.
    pub fn refuse_sends_after(&self, packets: usize) {
        self.state().sends_left = Some(packets);
    }

    /// Keeps back what the controller sends and `which` picks.
    pub fn hold(&self, which: fn(&HciPacket) -> bool) {
        self.state().hold = Some(which);
    }

    /// Lets pass what was kept back.
    pub fn release(&self) {
        let mut state = self.state();
        state.hold = None;
        let held = std::mem::take(&mut state.held);
        state.ready.extend(held);
        self.changed.notify_one();
    }

    /// Puts a packet of the controller on the line.
    pub fn inject(&self, packet: HciPacket) {
        self.state().ready.push_back(packet);
        self.changed.notify_one();
    }

    /// Puts an ATT PDU of the peer on the line, whole in one packet.
    pub fn inject_att(&self, handle: u16, pdu: &[u8]) {
        let length = u16::try_from(pdu.len()).expect("short");
        let mut octets = vec![0x02];
        octets.extend((handle | 0x2000).to_le_bytes());
        octets.extend((length + 4).to_le_bytes());
        octets.extend(length.to_le_bytes());
        octets.extend([0x04, 0x00]);
        octets.extend(pdu);
        self.inject(HciPacket::new(octets).expect("a whole packet"));
    }

    /// Both halves of the transport were dropped.
    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Everything that passed so far, and nothing of it next time.
    pub fn take_log(&self) -> Vec<(Direction, HciPacket)> {
        std::mem::take(&mut self.state().log)
    }

    pub fn log(&self) -> Vec<(Direction, HciPacket)> {
        self.state().log.clone()
    }

    /// Parameters of the commands sent so far with this opcode.
    pub fn commands(&self, opcode: Opcode) -> Vec<Vec<u8>> {
        let is = |packet: &&HciPacket| opcode_of(packet) == Some(opcode);
        let state = self.state();
        let sent =
            state.log.iter().filter(|(direction, _)| *direction == Direction::Sent).map(|(_, packet)| packet);
        sent.filter(is).map(|packet| packet.payload().to_vec()).collect()
    }

    /// ATT PDUs of one packet that went this way so far.
    pub fn att(&self, way: Direction) -> Vec<Vec<u8>> {
        let state = self.state();
        let went = state.log.iter().filter(|(direction, _)| *direction == way);
        went.filter_map(|(_, packet)| att_of(packet)).collect()
    }

    /// The controller's handle of the last link.
    pub fn handle(&self) -> u16 {
        let state = self.state();
        let handle = state.log.iter().rev().find_map(|(_, packet)| match packet.as_slice() {
            [0x04, 0x3E, _, 0x01 | 0x0A, 0, low, high, ..] => Some(u16::from_le_bytes([*low, *high])),
            _ => None,
        });
        handle.expect("there was a link")
    }
}

pub fn opcode_of(packet: &HciPacket) -> Option<Opcode> {
    match packet.as_slice() {
        [0x01, low, high, ..] => Some(Opcode(u16::from_le_bytes([*low, *high]))),
        _ => None,
    }
}

pub fn att_of(packet: &HciPacket) -> Option<Vec<u8>> {
    match packet.as_slice() {
        [0x02, _, _, _, _, _, _, 0x04, 0x00, pdu @ ..] => Some(pdu.to_vec()),
        _ => None,
    }
}

pub fn is_acl(packet: &HciPacket) -> bool {
    packet.indicator() == PacketIndicator::AclData
}

/// Number Of Completed Packets.
pub fn is_credit(packet: &HciPacket) -> bool {
    packet.as_slice().starts_with(&[0x04, 0x13])
}

pub struct Wire {
    inner: SimTransport,
    line: Line,
}

pub struct WireRx {
    inner: <SimTransport as Transport>::Rx,
    line: Line,
}

pub struct WireTx {
    inner: <SimTransport as Transport>::Tx,
    line: Line,
}

impl Transport for Wire {
    type Rx = WireRx;
    type Tx = WireTx;

    fn split(self) -> (WireRx, WireTx) {
        let (rx, tx) = self.inner.split();
        (WireRx { inner: rx, line: self.line.clone() }, WireTx { inner: tx, line: self.line })
    }

    fn description(&self) -> String {
        "the line".into()
    }
}

impl WireRx {
    fn ready(&self) -> Option<Result<HciPacket, TransportError>> {
        let mut state = self.line.state();
        if state.cut {
            return Some(Err(TransportError::Closed));
        }
        let packet = state.ready.pop_front()?;
        state.log.push((Direction::Received, packet.clone()));
        Some(Ok(packet))
    }

    fn pass(&self, packet: HciPacket) -> Option<HciPacket> {
        let mut state = self.line.state();
        if state.hold.is_some_and(|hold| hold(&packet)) {
            state.held.push_back(packet);
            return None;
        }
        state.log.push((Direction::Received, packet.clone()));
        Some(packet)
    }
}

impl TransportRx for WireRx {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        loop {
            if let Some(ready) = self.ready() {
                return ready;
            }
            tokio::select! {
                biased;
                () = self.line.changed.notified() => {}
                packet = self.inner.recv() => if let Some(packet) = self.pass(packet?) {
                    return Ok(packet);
                },
            }
        }
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        if self.line.state().cut {
            return None;
        }
        if let Some(Ok(packet)) = self.ready() {
            return Some(packet);
        }
        let packet = self.inner.recv_ready()?;
        self.pass(packet)
    }
}

impl Drop for WireRx {
    fn drop(&mut self) {
        self.line.state().closed = true;
    }
}

impl TransportTx for WireTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        while let Some(packet) = queue.front().cloned() {
            {
                let mut state = self.line.state();
                if state.cut || state.sends_left == Some(0) {
                    return Err(TransportError::Closed);
                }
                state.sends_left = state.sends_left.map(|left| left - 1);
            }
            self.inner.send(&mut SendQueue::from(packet.clone())).await?;
            queue.pop();
            self.line.state().log.push((Direction::Sent, packet));
        }
        Ok(())
    }
}

/// Sends as many values as it is told: a write of N (4 octets) to [`COUNT`] brings the numbers 0 to N - 1 as
/// notifications, or indications, of [`NUMBER`].
pub fn talker() -> Device {
    let server = Table::default()
        .service(TALKER)
        .characteristic(COUNT, WRITE | WRITE_WITHOUT_RESPONSE, [])
        .characteristic(NUMBER, NOTIFY | INDICATE, [])
        .build();
    Device::new(TALKER_ADDRESS)
        .data(b"\x02\x01\x06\x07\x09talker".as_slice())
        .server(server)
        .application(Talker)
}

pub const TALKER: Uuid = Uuid::from_u16(0xFF00);
pub const COUNT: Uuid = Uuid::from_u16(0xFF01);
pub const NUMBER: Uuid = Uuid::from_u16(0xFF02);
pub const TALKER_ADDRESS: Address = Address::random(BdAddr([0x10, 0, 0, 0, 0, 0xC0]));

struct Talker;

impl Application for Talker {
    fn written(&mut self, _: Instant, server: &mut Server, _: u16, value: &[u8]) {
        let number = server.find(NUMBER).expect("the talker's table");
        let count = value.try_into().map_or(0, u32::from_le_bytes);
        for n in 0..count {
            server.notify(number, &n.to_le_bytes());
            server.indicate(number, &n.to_le_bytes());
        }
    }
}
