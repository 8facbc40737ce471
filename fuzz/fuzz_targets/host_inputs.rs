//! The whole host against any sequence of packets, times and requests, from its first command on or from a controller
//! that is ready. Whatever comes: no panic; each request ends at most once; nothing is heard of a link before it is up
//! or after it is down; commands are sent one at a time; no deadline stays in the past; and what controller and peers
//! make the host hold is bounded.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::Instant;
use baretooth::att::AttError;
use baretooth::gap::advertise::{AdvertiseMode, AdvertiseOptions, ExtendedPdus};
use baretooth::gap::advertising_data::{AdType, AdvertisingDataBuf, AdvertisingDataBuilder};
use baretooth::gap::connect::{ConnectOptions, ConnectionParameters};
use baretooth::gap::scan::{Duplicates, ScanOptions, ScanPhys};
use baretooth::gatt::server::{Access, Characteristic, Service, Table};
use baretooth::hci::{ConnectionHandle, ErrorCode, LeEvent, Opcode};
use baretooth::host::{
    ChannelEvent, ChannelRequest, ConnectionId, Event, Host, HostConfig, OpId, Output, Request, ServerEvent,
    ServerRequest,
};
use baretooth::l2cap::credit::{ChannelKey, ChannelOptions, Server};
use baretooth::l2cap::{ChannelId, fragment};
use baretooth::transports::{HciPacket, PacketIndicator};
use baretooth::uuid16;
use baretooth_fuzz::controller::{self, Abilities, Controller};
use baretooth_fuzz::procedure::AnyProcedure;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What one packet may make the host say: values or reports in it, for each scan, and the end of every request.
const EVENTS_PER_INPUT: usize = 1024;
/// What controller and peers may have left in the host's queues at the end: commands and packets of data.
const LEFT_COMMANDS: usize = 256;
const LEFT_DATA: usize = 2048;

#[derive(Arbitrary, Debug)]
struct Input {
    abilities: Abilities,
    legacy_only: bool,
    /// Whether the controller obeys from the start.
    obedient: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    /// From here on the controller does what it is told, or says only what the steps say.
    Obey(bool),
    Request(AnyRequest),
    Cancel(u8),
    /// Takes the next SDU of one of the channels.
    Take(u8),
    /// In units of 10 ms.
    Wait(u16),
    WaitForDeadline,
    WindDown,
    Say(Packet),
    /// The packet said last, again and again.
    SayAgain(u8),
}

/// A packet from the controller.
#[derive(Arbitrary, Debug)]
enum Packet {
    Octets(Vec<u8>),
    Event {
        code: u8,
        parameters: Vec<u8>,
    },
    LeEvent {
        index: u8,
        parameters: Vec<u8>,
    },
    /// To the command sent last.
    Complete {
        credits: u8,
        parameters: Vec<u8>,
    },
    /// To the command sent last.
    Status {
        credits: u8,
        status: u8,
    },
    Connected {
        handle: u8,
        status: u8,
        role: u8,
        peer: u8,
    },
    Disconnected {
        handle: u8,
        reason: u8,
    },
    Completed {
        handle: u8,
        count: u16,
    },
    /// An L2CAP frame of one of the channels, cut to packets of this length when it is not 0.
    Frame {
        handle: u8,
        channel: u8,
        packet_length: u8,
        payload: Vec<u8>,
    },
    /// To the ATT request sent last.
    Response {
        parameters: Vec<u8>,
    },
    ErrorResponse {
        code: u8,
    },
}

#[derive(Arbitrary, Debug)]
enum AnyRequest {
    Scan { active: bool, phys: u8, duplicates: u8 },
    Connect { peer: u8, timeout: u16, mtu: Option<u16>, coded: bool },
    Disconnect { connection: u8, reason: u8 },
    Gatt { connection: u8, procedure: AnyProcedure },
    WriteCommand { connection: u8, length: u16 },
    Confirm { connection: u8 },
    ReadRssi { connection: u8 },
    ReadPhy { connection: u8 },
    SetPhy { connection: u8, tx: u8, rx: u8 },
    UpdateParameters { connection: u8, interval: u16, latency: u16, timeout: u16 },
    ReadRemoteVersion { connection: u8 },
    ReadRemoteFeatures { connection: u8 },
    Advertise { mode: u8, length: u8, extended: bool, timeout: u8 },
    SetAdvertisingData { of: u8, length: u8 },
    Server { connection: u8, request: AnyServerRequest },
    Channel { connection: u8, request: AnyChannelRequest },
    Command { opcode: u16, parameters: Vec<u8> },
}

#[derive(Arbitrary, Debug)]
enum AnyServerRequest {
    Serve {
        characteristics: u8,
    },
    SetValue {
        handle: u8,
        length: u16,
    },
    Notify {
        handle: u8,
        length: u16,
    },
    NotifyMultiple {
        handles: [u8; 3],
        length: u16,
    },
    Indicate {
        handle: u8,
        length: u16,
    },
    /// One of the last questions.
    Answer {
        index: u8,
        length: u16,
        refusal: Option<u8>,
    },
}

#[derive(Arbitrary, Debug)]
enum AnyChannelRequest {
    Listen { spsm: u8, sizes: Sizes, most: u8 },
    StopListening { spsm: u8 },
    Open { spsm: u8, sizes: Sizes },
    OpenEnhanced { spsm: u8, sizes: Sizes, count: u8 },
    Send { channel: u8, length: u16 },
    Close { channel: u8 },
    Reconfigure { channel: u8, mtu: u16, mps: u16 },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Sizes {
    mtu: u16,
    mps: u8,
    credits: u8,
}

fuzz_target!(|input: Input| {
    let mut session = Session::new(input.abilities, input.legacy_only, input.obedient);
    for step in input.steps {
        session.step(step);
    }
    session.end();
});

struct Session {
    host: Host,
    now: Instant,
    controller: Controller,
    obedient: bool,
    /// Requests that are not over.
    open: BTreeSet<OpId>,
    ops: Vec<OpId>,
    /// Links that are up, and all there were.
    up: BTreeSet<u32>,
    connections: Vec<ConnectionId>,
    questions: Vec<(ConnectionId, u64)>,
    /// Channels that were open, each once, and those that are.
    channels: Vec<(ConnectionId, ChannelKey)>,
    open_channels: BTreeSet<(ConnectionId, ChannelKey)>,
    /// Whose requests for channels are for which link.
    opening: BTreeMap<OpId, ConnectionId>,
    /// SDUs that were told of and not taken.
    untaken: usize,
    command: Opcode,
    att: BTreeMap<ConnectionHandle, u8>,
    att_last: ConnectionHandle,
    said: Vec<HciPacket>,
    commands: usize,
    data: usize,
}

impl Session {
    fn new(abilities: Abilities, legacy_only: bool, obedient: bool) -> Self {
        let config = HostConfig::new([7; 32]).legacy_only(legacy_only);
        let mut session = Self {
            host: Host::new(config, Instant::START),
            now: Instant::START,
            controller: Controller::new(abilities),
            obedient,
            open: BTreeSet::new(),
            ops: Vec::new(),
            up: BTreeSet::new(),
            connections: Vec::new(),
            questions: Vec::new(),
            channels: Vec::new(),
            open_channels: BTreeSet::new(),
            opening: BTreeMap::new(),
            untaken: 0,
            command: Opcode::NONE,
            att: BTreeMap::new(),
            att_last: ConnectionHandle(1),
            said: Vec::new(),
            commands: 0,
            data: 0,
        };
        session.settle();
        session
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Obey(obedient) => self.obedient = obedient,
            Step::Request(request) => {
                let Some(request) = self.request(request) else { return };
                let of = match &request {
                    Request::Channel(
                        ChannelRequest::Open { connection, .. }
                        | ChannelRequest::OpenEnhanced { connection, .. },
                    ) => Some(*connection),
                    _ => None,
                };
                let op = self.host.submit(self.now, request);
                self.opening.extend(of.map(|connection| (op, connection)));
                assert!(self.open.insert(op), "{op:?} is given twice");
                self.ops.push(op);
                self.settle();
            }
            Step::Cancel(index) => {
                let Some(op) = pick(&self.ops, index) else { return };
                self.host.cancel(self.now, op);
                self.settle();
            }
            Step::Take(index) => {
                let Some((connection, channel)) = pick(recent(&self.channels), index) else { return };
                if self.host.take_sdu(self.now, connection, channel).is_some() {
                    assert!(self.untaken > 0, "an SDU that was not told of");
                    self.untaken -= 1;
                }
                self.settle();
            }
            Step::Wait(time) => self.wait_until(self.now + Duration::from_millis(10) * u32::from(time)),
            Step::WaitForDeadline => {
                if let Some((deadline, _)) = self.host.poll_timeout() {
                    self.wait_until(deadline);
                }
            }
            Step::WindDown => {
                self.host.wind_down(self.now);
                self.settle();
            }
            Step::Say(packet) => {
                self.said = self.packets(packet);
                self.say();
            }
            Step::SayAgain(times) => (0..times).for_each(|_| self.say()),
        }
    }

    /// With a controller that obeys again, what is queued drains, and it is not much.
    fn end(&mut self) {
        self.obedient = true;
        (self.commands, self.data) = (0, 0);
        for _ in 0..LEFT_COMMANDS + 2 * self.open.len() {
            let Some((deadline, _)) = self.host.poll_timeout() else { break };
            self.wait_until(deadline);
        }
        assert!(self.host.poll_timeout().is_none(), "it never comes to rest: {:?}", self.host.poll_timeout());
        let asked = self.ops.len();
        assert!(self.commands <= LEFT_COMMANDS + 4 * asked, "{} commands were left", self.commands);
        assert!(self.data <= LEFT_DATA + 1024 * asked, "{} packets of data were left", self.data);
    }

    fn wait_until(&mut self, then: Instant) {
        while let Some((deadline, _)) = self.host.poll_timeout().filter(|(deadline, _)| *deadline <= then) {
            self.now = self.now.max(deadline);
            self.host.handle_timeout(self.now);
            if let Some((next, reason)) = self.host.poll_timeout() {
                assert!(next > self.now, "at {} the deadline for {reason:?} is still {next}", self.now);
            }
            self.settle();
        }
        self.now = self.now.max(then);
        self.host.handle_timeout(self.now);
        self.settle();
    }

    fn say(&mut self) {
        for packet in self.said.clone() {
            self.host.handle_packet(self.now, packet);
            self.settle();
        }
    }

    /// Takes what the host has to say, and lets an obedient controller act on it.
    fn settle(&mut self) {
        let mut answers = self.drain();
        // Each answer leads to few packets, and each chain of them ends.
        for _ in 0..100_000 {
            let Some(answer) = answers.pop() else { return };
            self.host.handle_packet(self.now, answer);
            let more = self.drain();
            answers.splice(0..0, more);
        }
        panic!("host and controller keep each other busy");
    }

    /// The controller's answers, last first.
    fn drain(&mut self) -> Vec<HciPacket> {
        let mut events = 0;
        while let Some(event) = self.host.poll_event() {
            events += 1;
            self.on_event(event);
        }
        assert!(events <= EVENTS_PER_INPUT + self.ops.len() * 32, "{events} events at once");

        let mut answers = Vec::new();
        let mut commands = 0;
        while let Some(packet) = self.host.poll_transmit() {
            assert!(HciPacket::new(packet.bytes().clone()).is_ok());
            if packet.indicator() == PacketIndicator::Command {
                commands += 1;
                self.commands += 1;
                self.command = controller::opcode(&packet);
            } else {
                self.data += 1;
            }
            if let Some((handle, request)) = controller::att_request(&packet) {
                self.att.insert(handle, request.0);
                self.att_last = handle;
            }
            if self.obedient {
                answers.extend(self.controller.on_packet(&packet));
            }
        }
        assert!(commands <= 1, "{commands} commands at once");
        answers.reverse();
        answers
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::OpDone { op, result } => {
                assert!(self.open.remove(&op), "{op:?} ends again, with {result:?}");
                self.on_opened(op, result.ok());
            }
            Event::ScanStarted { op }
            | Event::Heard { op, .. }
            | Event::AdvertisingStarted { op, .. }
            | Event::ScanRequested { op, .. } => {
                assert!(self.open.contains(&op), "{op:?} is over and goes on");
            }
            Event::Server(event) => self.on_server_event(event),
            Event::Channel(event) => self.on_channel_event(event),
            Event::Connected(info) => {
                assert!(self.up.insert(info.connection.0), "{} is up again", info.connection);
                self.connections.push(info.connection);
            }
            Event::Disconnected { connection, .. } => {
                assert!(self.up.remove(&connection.0), "{connection} is down and was not up");
                let left = self.open_channels.iter().find(|(of, _)| *of == connection);
                assert!(left.is_none(), "{left:?} is open on a link that is down");
            }
            Event::Value { connection, .. }
            | Event::Mtu { connection, .. }
            | Event::Timing { connection, .. }
            | Event::Phy { connection, .. } => {
                assert!(self.up.contains(&connection.0), "news of {connection}, which is not up");
            }
            _ => {}
        }
    }

    /// The channels of a request of ours.
    fn on_opened(&mut self, op: OpId, output: Option<Output>) {
        let Some(&connection) = self.opening.get(&op) else { return };
        match output {
            Some(Output::Channel(channel)) => self.on_channel(connection, channel.key),
            Some(Output::Channels(channels)) => {
                for channel in channels.into_iter().flatten() {
                    self.on_channel(connection, channel.key);
                }
            }
            _ => {}
        }
    }

    fn on_channel(&mut self, connection: ConnectionId, channel: ChannelKey) {
        assert!(self.up.contains(&connection.0), "a channel of {connection}, which is not up");
        assert!(self.open_channels.insert((connection, channel)), "{channel} of {connection} is open again");
        let of_link = self.open_channels.iter().filter(|(of, _)| *of == connection);
        assert!(of_link.count() <= 64, "more channels than CIDs");
        self.channels.push((connection, channel));
    }

    fn on_server_event(&mut self, event: ServerEvent) {
        let connection = match event {
            ServerEvent::Asked { connection, ask } => {
                let asked = self.questions.contains(&(connection, ask.id));
                assert!(!asked, "{connection} asks {} again", ask.id);
                self.questions.push((connection, ask.id));
                connection
            }
            ServerEvent::Written { connection, .. } | ServerEvent::Configured { connection, .. } => {
                connection
            }
            _ => return,
        };
        assert!(self.up.contains(&connection.0), "a client of {connection}, which is not up");
    }

    fn on_channel_event(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::Opened { connection, channel, .. } => self.on_channel(connection, channel.key),
            ChannelEvent::Received { connection, channel } => {
                let open = self.open_channels.contains(&(connection, channel));
                assert!(open, "an SDU of {channel} of {connection}, which is not open");
                self.untaken += 1;
            }
            ChannelEvent::Closed { connection, channel, unread, .. } => {
                let open = self.open_channels.remove(&(connection, channel));
                assert!(open, "{channel} of {connection} is closed and was not open");
                self.untaken = self.untaken.saturating_sub(unread.len());
            }
            _ => {}
        }
    }

    fn packets(&self, packet: Packet) -> Vec<HciPacket> {
        let event = |code, parameters: &[u8]| HciPacket::event(code, parameters).into_iter().collect();
        let [low, high] = self.command.0.to_le_bytes();
        match packet {
            Packet::Octets(octets) => HciPacket::new(octets).into_iter().collect(),
            Packet::Event { code, parameters } => event(code, &parameters),
            Packet::LeEvent { index, parameters } => {
                let subevent = pick(LeEvent::CODES, index).unwrap_or(0);
                event(0x3E, &[&[subevent][..], &parameters].concat())
            }
            Packet::Complete { credits, parameters } => {
                event(0x0E, &[&[credits, low, high][..], &parameters].concat())
            }
            Packet::Status { credits, status } => event(0x0F, &[status, credits, low, high]),
            Packet::Connected { handle, status, role, peer } => {
                let head = [0x01, status, handle % 8, 0, role % 2, 1];
                let peer = controller::peer(peer).bd_addr.0;
                event(0x3E, &[&head[..], &peer, &[24, 0, 0, 0, 0xF4, 1, 0]].concat())
            }
            Packet::Disconnected { handle, reason } => event(0x05, &[0, handle % 8, 0, reason]),
            Packet::Completed { handle, count } => {
                let [low, high] = count.to_le_bytes();
                event(0x13, &[1, handle % 8, 0, low, high])
            }
            Packet::Frame { handle, channel, packet_length, payload } => {
                let handle = ConnectionHandle(u16::from(handle % 8));
                frame(handle, channel_id(channel), packet_length, &payload)
            }
            Packet::Response { parameters } => {
                let request = self.att.get(&self.att_last).copied().unwrap_or(0x0A);
                let pdu = [&[request.wrapping_add(1)][..], &parameters].concat();
                frame(self.att_last, ChannelId::Attribute, 0, &pdu)
            }
            Packet::ErrorResponse { code } => {
                let request = self.att.get(&self.att_last).copied().unwrap_or(0x0A);
                frame(self.att_last, ChannelId::Attribute, 0, &[0x01, request, 1, 0, code])
            }
        }
    }

    fn server_request(&self, connection: ConnectionId, request: AnyServerRequest) -> Option<ServerRequest> {
        Some(match request {
            AnyServerRequest::Serve { characteristics } => ServerRequest::Serve(table(characteristics)?),
            AnyServerRequest::SetValue { handle, length } => {
                ServerRequest::SetValue { handle: handle.into(), value: zeros(length) }
            }
            AnyServerRequest::Notify { handle, length } => {
                ServerRequest::Notify { connection, handle: handle.into(), value: zeros(length) }
            }
            AnyServerRequest::NotifyMultiple { handles, length } => {
                let values = handles.into_iter().map(|handle| (handle.into(), zeros(length)));
                ServerRequest::NotifyMultiple { connection, values: values.collect() }
            }
            AnyServerRequest::Indicate { handle, length } => {
                ServerRequest::Indicate { connection, handle: handle.into(), value: zeros(length) }
            }
            AnyServerRequest::Answer { index, length, refusal } => {
                let (connection, id) = pick(recent(&self.questions), index)?;
                let answer = refusal.map_or(Ok(zeros(length)), |code| Err(AttError(code)));
                ServerRequest::Answer { connection, id, answer }
            }
        })
    }

    fn channel_request(
        &self,
        connection: ConnectionId,
        request: AnyChannelRequest,
    ) -> Option<ChannelRequest> {
        let options = |sizes: Sizes| ChannelOptions {
            mtu: sizes.mtu,
            mps: u16::from(sizes.mps),
            credits: u16::from(sizes.credits),
        };
        let spsm = |number: u8| 0x80 + u16::from(number % 4);
        Some(match request {
            AnyChannelRequest::Listen { spsm: number, sizes, most } => {
                let server = Server { options: options(sizes), most: usize::from(most), ..Server::default() };
                ChannelRequest::Listen { spsm: spsm(number), server }
            }
            AnyChannelRequest::StopListening { spsm: number } => {
                ChannelRequest::StopListening { spsm: spsm(number) }
            }
            AnyChannelRequest::Open { spsm: number, sizes } => {
                ChannelRequest::Open { connection, spsm: spsm(number), options: options(sizes) }
            }
            AnyChannelRequest::OpenEnhanced { spsm: number, sizes, count } => {
                let (spsm, options, count) = (spsm(number), options(sizes), usize::from(count % 8));
                ChannelRequest::OpenEnhanced { connection, spsm, options, count }
            }
            AnyChannelRequest::Send { channel, length } => {
                let (connection, channel) = pick(recent(&self.channels), channel)?;
                ChannelRequest::Send { connection, channel, sdu: zeros(length) }
            }
            AnyChannelRequest::Close { channel } => {
                let (connection, channel) = pick(recent(&self.channels), channel)?;
                ChannelRequest::Close { connection, channel }
            }
            AnyChannelRequest::Reconfigure { channel, mtu, mps } => {
                let (connection, channel) = pick(recent(&self.channels), channel)?;
                ChannelRequest::Reconfigure { connection, channels: vec![channel], mtu, mps }
            }
        })
    }

    fn request(&self, request: AnyRequest) -> Option<Request> {
        let link =
            |index: u8| pick(recent(&self.connections), index).unwrap_or(ConnectionId(u32::from(index)));
        Some(match request {
            AnyRequest::Scan { active, phys, duplicates } => {
                let phys = match phys % 3 {
                    0 => ScanPhys::LE_1M,
                    1 => ScanPhys::LE_CODED,
                    _ => ScanPhys::LE_1M | ScanPhys::LE_CODED,
                };
                let duplicates = match duplicates % 3 {
                    0 => Duplicates::All,
                    1 => Duplicates::Changed,
                    _ => Duplicates::ControllerFiltered,
                };
                Request::Scan(ScanOptions::new().active(active).phys(phys).duplicates(duplicates))
            }
            AnyRequest::Connect { peer, timeout, mtu, coded } => {
                let timeout = Duration::from_millis(10) * u32::from(timeout);
                let options = ConnectOptions::new().timeout(timeout).coded(coded);
                let options = match mtu {
                    Some(mtu) => options.mtu(mtu),
                    None => options,
                };
                Request::Connect { address: controller::peer(peer), options }
            }
            AnyRequest::Disconnect { connection, reason } => {
                Request::Disconnect { connection: link(connection), reason: ErrorCode(reason) }
            }
            AnyRequest::Gatt { connection, procedure } => {
                Request::Gatt { connection: link(connection), procedure: procedure.make().ok()? }
            }
            AnyRequest::WriteCommand { connection, length } => Request::WriteCommand {
                connection: link(connection),
                handle: 3,
                value: Bytes::from(vec![0xA5; usize::from(length % 600)]),
            },
            AnyRequest::Confirm { connection } => Request::Confirm { connection: link(connection) },
            AnyRequest::ReadRssi { connection } => Request::ReadRssi { connection: link(connection) },
            AnyRequest::ReadPhy { connection } => Request::ReadPhy { connection: link(connection) },
            AnyRequest::SetPhy { connection, tx, rx } => {
                Request::SetPhy { connection: link(connection), tx, rx }
            }
            AnyRequest::UpdateParameters { connection, interval, latency, timeout } => {
                let interval = Duration::from_micros(1250) * u32::from(interval);
                let parameters = ConnectionParameters {
                    interval_min: interval,
                    interval_max: interval,
                    latency,
                    supervision_timeout: Duration::from_millis(10) * u32::from(timeout),
                };
                Request::UpdateParameters { connection: link(connection), parameters }
            }
            AnyRequest::ReadRemoteVersion { connection } => {
                Request::ReadRemoteVersion { connection: link(connection) }
            }
            AnyRequest::ReadRemoteFeatures { connection } => {
                Request::ReadRemoteFeatures { connection: link(connection) }
            }
            AnyRequest::Advertise { mode, length, extended, timeout } => {
                let mode = match mode % 5 {
                    0 | 1 => AdvertiseMode::Connectable,
                    2 => AdvertiseMode::Scannable,
                    3 => AdvertiseMode::NonConnectable,
                    _ => AdvertiseMode::Directed(controller::peer(mode)),
                };
                let options = AdvertiseOptions::new().mode(mode).data(advertising_data(length)?);
                let options = if extended { options.extended(ExtendedPdus::default()) } else { options };
                match timeout {
                    0 => Request::Advertise(options),
                    _ => Request::Advertise(options.timeout(Duration::from_millis(100) * u32::from(timeout))),
                }
            }
            AnyRequest::SetAdvertisingData { of, length } => {
                let of = pick(recent(&self.ops), of)?;
                let (data, scan_response) = (advertising_data(length)?, AdvertisingDataBuf::default());
                Request::SetAdvertisingData { of, data, scan_response }
            }
            AnyRequest::Server { connection, request } => {
                Request::Server(self.server_request(link(connection), request)?)
            }
            AnyRequest::Channel { connection, request } => {
                Request::Channel(self.channel_request(link(connection), request)?)
            }
            AnyRequest::Command { opcode, parameters } => {
                Request::Command { opcode: Opcode(opcode), parameters: parameters.into() }
            }
        })
    }
}

fn table(characteristics: u8) -> Option<Table> {
    let mut service = Service::primary(uuid16(0x1815));
    for n in 0..u16::from(characteristics % 8) {
        let it = Characteristic::new(uuid16(0x2A00 + n)).read(Access::OPEN).write(Access::OPEN);
        let it = if n % 3 == 0 { it.asked() } else { it.value(vec![1; 30]).max_length(512) };
        service = service.characteristic(it.write_without_response(Access::OPEN).notify().indicate());
    }
    Table::builder("fuzzed").service(service).build().ok()
}

fn advertising_data(length: u8) -> Option<AdvertisingDataBuf> {
    let data = vec![0x5A; usize::from(length)];
    AdvertisingDataBuilder::with_limit(1650).raw(AdType(0xFF), &data).build().ok()
}

fn zeros(length: u16) -> Bytes {
    Bytes::from(vec![0; usize::from(length % 600)])
}

/// Of what is over there is more than of what is not: the last few matter.
fn recent<T>(all: &[T]) -> &[T] {
    &all[all.len().saturating_sub(4)..]
}

/// A frame from the peer; its first packet has the flags a controller gives it.
fn frame(handle: ConnectionHandle, channel: ChannelId, packet_length: u8, payload: &[u8]) -> Vec<HciPacket> {
    let packet_length = if packet_length == 0 { u16::MAX } else { u16::from(packet_length) };
    fragment::fragments(handle, packet_length, channel, payload)
}

/// ATT, signalling, pairing, or the first of the dynamic channels.
fn channel_id(number: u8) -> ChannelId {
    match number % 8 {
        fixed @ 0..3 => ChannelId(u16::from(fixed) + 4),
        dynamic => ChannelId(u16::from(dynamic) - 3 + 0x40),
    }
}

fn pick<T: Copy>(table: &[T], index: u8) -> Option<T> {
    table.get(usize::from(index).checked_rem(table.len())?).copied()
}
