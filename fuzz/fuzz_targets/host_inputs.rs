//! The whole host against any sequence of packets, times and requests, from its first command on or from a controller
//! that is ready. Whatever comes: no panic; each request ends at most once; nothing is heard of a link before it is up
//! or after it is down; commands are sent one at a time; no deadline stays in the past; and what controller and peers
//! make the host hold is bounded.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::Instant;
use baretooth::hci::{ConnectionHandle, LeEvent, Opcode};
use baretooth::host::{
    ChannelEvent, ChannelRequest, ConnectionId, Event, Host, HostConfig, OpId, Output, Request,
    SecurityEvent, ServerEvent,
};
use baretooth::l2cap::credit::ChannelKey;
use baretooth::l2cap::{ChannelId, fragment};
use baretooth::transports::{HciPacket, PacketIndicator};
use baretooth_fuzz::controller::{self, Abilities, Controller};
use baretooth_fuzz::request::{AnyRequest, Known, pick, recent};
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
    /// Links that are up.
    up: BTreeSet<u32>,
    known: Known,
    /// Channels that are open.
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
            up: BTreeSet::new(),
            known: Known::default(),
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
                let Some(request) = request.make(&self.known) else { return };
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
                self.known.ops.push(op);
                self.settle();
            }
            Step::Cancel(index) => {
                let Some(op) = pick(&self.known.ops, index) else { return };
                self.host.cancel(self.now, op);
                self.settle();
            }
            Step::Take(index) => {
                let Some((connection, channel)) = pick(recent(&self.known.channels), index) else { return };
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
        let asked = self.known.ops.len();
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
        assert!(events <= EVENTS_PER_INPUT + self.known.ops.len() * 32, "{events} events at once");

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
            Event::Security(event) => self.on_security_event(event),
            Event::Connected(info) => {
                assert!(self.up.insert(info.connection.0), "{} is up again", info.connection);
                self.known.connections.push(info.connection);
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
        self.known.channels.push((connection, channel));
    }

    fn on_server_event(&mut self, event: ServerEvent) {
        let connection = match event {
            ServerEvent::Asked { connection, ask } => {
                let asked = self.known.questions.contains(&(connection, ask.id));
                assert!(!asked, "{connection} asks {} again", ask.id);
                self.known.questions.push((connection, ask.id));
                connection
            }
            ServerEvent::Written { connection, .. } | ServerEvent::Configured { connection, .. } => {
                connection
            }
            _ => return,
        };
        assert!(self.up.contains(&connection.0), "a client of {connection}, which is not up");
    }

    fn on_security_event(&mut self, event: SecurityEvent) {
        let connection = match event {
            SecurityEvent::Prompt { connection, id, .. } => {
                let asked = self.known.prompts.contains(&(connection, id));
                self.known.prompts.extend((!asked).then_some((connection, id)));
                connection
            }
            SecurityEvent::Withdrawn { connection, id } => {
                let asked = self.known.prompts.contains(&(connection, id));
                assert!(asked, "{id:?} of {connection} is withdrawn and was not asked");
                connection
            }
            SecurityEvent::Changed { connection, .. }
            | SecurityEvent::Requested { connection, .. }
            | SecurityEvent::Paired { connection, .. }
            | SecurityEvent::Failed { connection, .. } => connection,
            _ => return,
        };
        assert!(self.up.contains(&connection.0), "security of {connection}, which is not up");
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
