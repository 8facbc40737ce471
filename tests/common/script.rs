//! A host whose controller does what the test says: it initialises, answers commands, and sends any octets at all.

use super::{Told, address, config};
use baretooth::gap::connect::ConnectOptions;
use baretooth::host::{ConnectionId, Event, Host, HostConfig, OpError, OpId, Output, Request};
use baretooth::transports::{HciPacket, PacketIndicator};
use baretooth::{Address, Instant};
use std::time::Duration;

/// The peer of [`Script::link`].
pub const PEER: Address = address(0x50);

/// Commands that Command Status answers, as far as these tests meet them.
const ANSWERED_BY_STATUS: [u16; 7] = [0x0406, 0x041D, 0x200D, 0x2013, 0x2016, 0x2019, 0x2032];

pub struct Script {
    pub host: Host,
    pub now: Instant,
    pub told: Told,
    /// Commands and data of the host, in order; tests empty it at will.
    pub sent: Vec<HciPacket>,
    /// Whether commands are answered at all.
    pub answers: bool,
    /// Whether the controller gives the host's data packets back at once.
    pub completes: bool,
    /// Num_HCI_Command_Packets of its answers.
    pub credits: u8,
    /// Answers other than success.
    pub refuses: Vec<(u16, u8)>,
    /// ACL packets that the controller says it holds.
    pub buffers: u8,
    /// Its LE features, for [`unready`](Self::unready).
    pub features: u64,
}

impl Script {
    /// An initialised legacy controller.
    pub fn new() -> Self {
        Self::with(config(1))
    }

    pub fn with(config: HostConfig) -> Self {
        let mut script = Self::unready(config);
        script.exchange();
        assert!(script.host.controller().is_some(), "{:?}", script.told.events);
        script.sent.clear();
        script
    }

    /// A controller that has said nothing yet.
    pub fn unready(config: HostConfig) -> Self {
        Self {
            host: Host::new(config, Instant::START),
            now: Instant::START,
            told: Told::default(),
            sent: Vec::new(),
            answers: true,
            completes: true,
            credits: 1,
            refuses: Vec::new(),
            buffers: 8,
            features: 0,
        }
    }

    pub fn submit(&mut self, request: Request) -> OpId {
        let op = self.host.submit(self.now, request);
        self.exchange();
        op
    }

    pub fn cancel(&mut self, op: OpId) {
        self.host.cancel(self.now, op);
        self.exchange();
    }

    /// Any packet at all.
    pub fn inject(&mut self, octets: &[u8]) {
        let packet = HciPacket::new(octets.to_vec()).expect("one packet, whatever it says");
        self.host.handle_packet(self.now, packet);
        self.exchange();
    }

    pub fn event(&mut self, code: u8, parameters: &[u8]) {
        let length = u8::try_from(parameters.len()).expect("an event");
        self.inject(&[&[0x04, code, length], parameters].concat());
    }

    /// LE Connection Complete as central, 30 ms and 5 s.
    pub fn connection_complete(&mut self, status: u8, handle: u16, peer: Address) {
        let [low, high] = handle.to_le_bytes();
        let parameters =
            [&[0x01, status, low, high, 0x00, 0x01][..], &peer.bd_addr.0, &[24, 0, 0, 0, 0xF4, 0x01, 0x00]]
                .concat();
        self.event(0x3E, &parameters);
    }

    pub fn disconnection_complete(&mut self, handle: u16, reason: u8) {
        let [low, high] = handle.to_le_bytes();
        self.event(0x05, &[0x00, low, high, reason]);
    }

    /// One data packet with the flags of a first one.
    pub fn acl(&mut self, handle: u16, data: &[u8]) {
        self.acl_flagged(handle, 0b10, data);
    }

    /// `flags`: packet boundary in the two lower bits, broadcast in the upper ones.
    pub fn acl_flagged(&mut self, handle: u16, flags: u16, data: &[u8]) {
        let word = (handle | flags << 12).to_le_bytes();
        let length = u16::try_from(data.len()).expect("a packet").to_le_bytes();
        self.inject(&[&[0x02], &word[..], &length, data].concat());
    }

    /// One whole L2CAP frame.
    pub fn frame(&mut self, handle: u16, channel: u16, payload: &[u8]) {
        let length = u16::try_from(payload.len()).expect("a frame").to_le_bytes();
        self.acl(handle, &[&length, &channel.to_le_bytes(), payload].concat());
    }

    pub fn att(&mut self, handle: u16, pdu: &[u8]) {
        self.frame(handle, 4, pdu);
    }

    /// A link in use, with ATT_MTU 23 and nothing said on it.
    pub fn link(&mut self, handle: u16) -> ConnectionId {
        self.link_to(handle, PEER)
    }

    pub fn link_to(&mut self, handle: u16, peer: Address) -> ConnectionId {
        let op = self.connect(peer, 23);
        self.connection_complete(0, handle, peer);
        let connection = match self.told.result(op) {
            Some(Ok(Output::Connected(info))) => info.connection,
            other => panic!("{other:?}"),
        };
        self.sent.clear();
        connection
    }

    pub fn connect(&mut self, address: Address, mtu: u16) -> OpId {
        self.submit(Request::Connect { address, options: ConnectOptions::new().mtu(mtu) })
    }

    /// Lets time pass, deadline by deadline.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, reason)) = self.host.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.host.handle_timeout(self.now);
            self.exchange();
            let left = self.host.poll_timeout();
            assert!(left.is_none_or(|(next, _)| next > self.now), "{reason:?} stays due at {at}");
        }
        self.now = end;
    }

    /// The result of a request, which has ended.
    pub fn result(&self, op: OpId) -> Result<Output, OpError> {
        self.told.result(op).unwrap_or_else(|| panic!("{op:?} goes on")).clone()
    }

    pub fn is_done(&self, op: OpId) -> bool {
        self.told.result(op).is_some()
    }

    /// Payloads of the frames that the host has sent on this link since `sent` was emptied, with their channels.
    pub fn frames(&self, handle: u16) -> Vec<(u16, Vec<u8>)> {
        let frame = |packet: &HciPacket| match packet.as_slice() {
            [0x02, low, high, _, _, _, _, c0, c1, payload @ ..]
                if u16::from_le_bytes([*low, *high]) & 0x0FFF == handle =>
            {
                Some((u16::from_le_bytes([*c0, *c1]), payload.to_vec()))
            }
            _ => None,
        };
        self.sent.iter().filter_map(frame).collect()
    }

    /// Opcodes of the commands that the host has sent since `sent` was emptied.
    pub fn commands(&self) -> Vec<u16> {
        let opcode = |packet: &HciPacket| match packet.as_slice() {
            [0x01, low, high, ..] => Some(u16::from_le_bytes([*low, *high])),
            _ => None,
        };
        self.sent.iter().filter_map(opcode).collect()
    }

    /// The values that came, with whether they were indications.
    pub fn values(&self) -> Vec<(u16, Vec<u8>, bool)> {
        let value = |event: &Event| match event {
            Event::Value { handle, value, indication, .. } => {
                Some((*handle, value.to_vec(), indication.is_some()))
            }
            _ => None,
        };
        self.told.events.iter().filter_map(value).collect()
    }

    /// Passes packets on until nobody has anything to say.
    pub fn exchange(&mut self) {
        loop {
            while let Some(event) = self.host.poll_event() {
                self.told.push(event);
            }
            let Some(packet) = self.host.poll_transmit() else { return };
            self.sent.push(packet.clone());
            let reply = match packet.indicator() {
                PacketIndicator::Command if self.answers => self.answer(packet.as_slice()),
                PacketIndicator::AclData if self.completes => {
                    let [_, low, high, ..] = packet.as_slice() else { continue };
                    Some(vec![0x04, 0x13, 5, 1, *low, *high & 0x0F, 1, 0])
                }
                _ => None,
            };
            if let Some(reply) = reply {
                let reply = HciPacket::new(reply).expect("an event");
                self.host.handle_packet(self.now, reply);
            }
        }
    }

    fn answer(&self, command: &[u8]) -> Option<Vec<u8>> {
        let [_, low, high, ..] = command else { return None };
        let opcode = u16::from_le_bytes([*low, *high]);
        let refusal = self.refuses.iter().find(|(refused, _)| *refused == opcode);
        let status = refusal.map_or(0, |(_, status)| *status);
        if ANSWERED_BY_STATUS.contains(&opcode) {
            return Some(vec![0x04, 0x0F, 4, status, self.credits, *low, *high]);
        }
        let mut parameters = vec![self.credits, *low, *high, status];
        parameters.extend(match opcode {
            0x1001 => vec![0x08, 0, 0, 0x08, 0xFF, 0xFF, 0, 0],
            0x1002 => vec![0; 64],
            0x1003 => vec![0; 8],
            0x2003 => self.features.to_le_bytes().to_vec(),
            0x1009 => vec![9, 0, 0, 0x5A, 0, 0],
            0x2002 => vec![27, 0, self.buffers],
            // A resolving list of two.
            0x202A => vec![2],
            // The link's handle first, where there is one.
            _ => command.get(4..6).unwrap_or_default().to_vec(),
        });
        let length = u8::try_from(parameters.len()).ok()?;
        Some([&[0x04, 0x0E, length], &parameters[..]].concat())
    }
}
