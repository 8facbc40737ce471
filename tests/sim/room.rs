//! A radio, its clock, and what each controller has said.

use baretooth::hci::command::*;
use baretooth::hci::event::*;
use baretooth::hci::*;
use baretooth::sim::*;
use baretooth::transports::{HciPacket, PacketIndicator};
use baretooth::{Address, BdAddr, Instant};
use std::time::Duration;

pub struct Room {
    pub radio: Radio,
    pub now: Instant,
    /// Everything from the controllers: when, which, what.
    pub log: Vec<(Instant, ControllerId, HciPacket)>,
    /// What the test has looked at already.
    seen: usize,
}

pub const fn bd_addr(n: u8) -> BdAddr {
    BdAddr([n, 0, 0, 0x5A, 0, 0])
}

pub const fn random(n: u8) -> Address {
    Address::random(BdAddr([n, 0, 0, 0, 0, 0xC0]))
}

pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl Room {
    pub fn new(options: RadioOptions) -> Self {
        Self { radio: Radio::new(options), now: Instant::START, log: Vec::new(), seen: 0 }
    }

    /// A controller whose host has reset it and wants every event.
    pub fn controller(&mut self, options: ControllerOptions) -> ControllerId {
        let id = self.radio.add_controller(options);
        self.ok(id, &Reset {});
        self.ok(id, &SetEventMask { event_mask: u64::MAX.into() });
        self.ok(id, &LeSetEventMask { le_event_mask: 0x1F_FFFF.into() });
        id
    }

    pub fn send(&mut self, to: ControllerId, packet: HciPacket) {
        self.radio.handle_packet(self.now, to, packet);
        self.collect();
    }

    fn collect(&mut self) {
        for id in self.radio.controllers() {
            while let Some(packet) = self.radio.poll_transmit(id) {
                self.log.push((self.now, id, packet));
            }
        }
    }

    /// Return parameters of Command Complete, or the status of Command Status.
    pub fn answer<'a, C: HciCommand<'a>>(&mut self, to: ControllerId, command: &C) -> Vec<u8> {
        let before = self.log.len();
        self.send(to, command.to_packet().expect("a short command"));
        let answers: Vec<Vec<u8>> = self.log[before..]
            .iter()
            .filter(|(_, id, _)| *id == to)
            .filter_map(|(_, _, packet)| match event(packet)? {
                Event::CommandComplete(e) if e.command_opcode == C::OPCODE => {
                    assert!(e.num_hci_command_packets > 0);
                    Some(e.return_parameters.0.to_vec())
                }
                Event::CommandStatus(e) if e.command_opcode == C::OPCODE => Some(vec![e.status.0]),
                _ => None,
            })
            .collect();
        assert_eq!(answers.len(), 1, "{} answered {} times", C::OPCODE, answers.len());
        answers[0].clone()
    }

    pub fn status<'a, C: HciCommand<'a>>(&mut self, to: ControllerId, command: &C) -> ErrorCode {
        ErrorCode(self.answer(to, command)[0])
    }

    pub fn ok<'a, C: HciCommand<'a>>(&mut self, to: ControllerId, command: &C) -> Vec<u8> {
        let answer = self.answer(to, command);
        assert_eq!(ErrorCode(answer[0]), ErrorCode::Success, "{}", C::OPCODE);
        answer
    }

    /// Lets this much time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.radio.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.radio.handle_timeout(self.now);
            self.collect();
        }
        self.now = end;
        self.radio.handle_timeout(end);
    }

    /// The packets of one controller since the last call.
    pub fn news(&mut self, from: ControllerId) -> Vec<HciPacket> {
        let news = &self.log[self.seen..];
        self.seen = self.log.len();
        news.iter().filter(|(_, id, _)| *id == from).map(|(_, _, packet)| packet.clone()).collect()
    }

    /// Everything one controller ever said that `pick` takes.
    pub fn all<T>(&self, from: ControllerId, pick: impl Fn(Event<'_>) -> Option<T>) -> Vec<T> {
        let packets = self.log.iter().filter(|(_, id, _)| *id == from);
        packets.filter_map(|(_, _, packet)| event(packet).and_then(&pick)).collect()
    }

    pub fn le<T>(&self, from: ControllerId, pick: impl Fn(LeEvent<'_>) -> Option<T>) -> Vec<T> {
        self.all(from, |event| match event {
            Event::LeMeta(meta) => pick(meta.subevent),
            _ => None,
        })
    }

    /// Waits for a connection complete event; its status and handle.
    pub fn connected(&mut self, id: ControllerId) -> LeEnhancedConnectionComplete {
        self.run(ms(500));
        *self.connections(id).last().expect("a connection complete event")
    }

    pub fn connections(&self, id: ControllerId) -> Vec<LeEnhancedConnectionComplete> {
        self.le(id, |event| match event {
            LeEvent::LeEnhancedConnectionComplete(e) => Some(e),
            _ => None,
        })
    }

    pub fn disconnections(&self, id: ControllerId) -> Vec<(ConnectionHandle, ErrorCode)> {
        self.all(id, |event| match event {
            Event::DisconnectionComplete(e) => Some((e.connection_handle, e.reason)),
            _ => None,
        })
    }

    /// Connects to a peer by the legacy command.
    pub fn connect(&mut self, id: ControllerId, peer: Address) -> ConnectionHandle {
        self.ok(id, &create_connection(peer));
        let complete = self.connected(id);
        assert_eq!(complete.status, ErrorCode::Success);
        assert_eq!(complete.peer_address, peer.bd_addr);
        complete.connection_handle
    }

    /// Two controllers with a link: central, its handle, peripheral, its handle.
    pub fn pair(&mut self) -> (ControllerId, ConnectionHandle, ControllerId, ConnectionHandle) {
        let central = self.controller(ControllerOptions::default().address(bd_addr(1)));
        let peripheral = self.controller(ControllerOptions::default().address(bd_addr(2)));
        self.advertise(peripheral, b"\x02\x01\x06");
        let handle = self.connect(central, Address::public(bd_addr(2)));
        let other = self.connections(peripheral)[0];
        assert_eq!((other.role, other.peer_address), (Role::Peripheral, bd_addr(1)));
        (central, handle, peripheral, other.connection_handle)
    }

    /// Connectable legacy advertising with the public address.
    pub fn advertise(&mut self, id: ControllerId, data: &[u8]) {
        self.ok(id, &advertising_parameters(0));
        let mut padded = [0; 31];
        padded[..data.len()].copy_from_slice(data);
        let advertising_data_length = u8::try_from(data.len()).expect("at most 31");
        self.ok(id, &LeSetAdvertisingData { advertising_data_length, advertising_data: &padded });
        self.ok(id, &LeSetAdvertisingEnable { advertising_enable: 1 });
    }

    /// Sends one L2CAP frame in packets of 27 octets.
    pub fn send_frame(&mut self, id: ControllerId, handle: ConnectionHandle, channel: u16, payload: &[u8]) {
        let length = u16::try_from(payload.len()).expect("a short payload");
        let frame = [&length.to_le_bytes(), &channel.to_le_bytes(), payload].concat();
        for (n, part) in frame.chunks(27).enumerate() {
            self.send(id, acl(handle, n > 0, part));
        }
    }

    /// The whole frames that one controller has received since the last look, in order.
    pub fn frames(&mut self, from: ControllerId) -> Vec<(u16, Vec<u8>)> {
        let mut frames = Vec::new();
        let mut partial = Vec::new();
        for packet in self.news(from) {
            if packet.indicator() != PacketIndicator::AclData {
                continue;
            }
            let acl = AclData::parse(packet.as_slice()).expect("a whole packet");
            if acl.boundary == acl::PacketBoundary::FirstFlushable {
                assert!(partial.is_empty(), "the frame before was not whole");
            }
            partial.extend_from_slice(acl.data);
            let length = usize::from(u16::from_le_bytes([partial[0], partial[1]]));
            if partial.len() == length + 4 {
                frames.push((u16::from_le_bytes([partial[2], partial[3]]), partial.split_off(4)));
                partial.clear();
            }
        }
        frames
    }
}

pub fn event(packet: &HciPacket) -> Option<Event<'_>> {
    let [4, code, _, ..] = packet.as_slice() else { return None };
    Some(Event::parse(*code, packet.payload()).expect("a well-formed event"))
}

/// An ACL packet of the host.
pub fn acl(handle: ConnectionHandle, continuing: bool, data: &[u8]) -> HciPacket {
    let word = handle.0 | u16::from(continuing) << 12;
    let length = u16::try_from(data.len()).expect("a short packet");
    let octets = [&[2][..], &word.to_le_bytes(), &length.to_le_bytes(), data].concat();
    HciPacket::new(octets).expect("one packet")
}

pub fn create_connection(peer: Address) -> LeCreateConnection {
    LeCreateConnection {
        le_scan_interval: 0x10,
        le_scan_window: 0x10,
        initiator_filter_policy: 0,
        peer_address_type: peer.kind.into(),
        peer_address: peer.bd_addr,
        own_address_type: OwnAddressType::Public,
        connection_interval_min: 6,
        connection_interval_max: 12,
        max_latency: 0,
        supervision_timeout: 100,
        min_ce_length: 0,
        max_ce_length: 0,
    }
}

pub fn advertising_parameters(advertising_type: u8) -> LeSetAdvertisingParameters {
    LeSetAdvertisingParameters {
        advertising_interval_min: 0x40,
        advertising_interval_max: 0x40,
        advertising_type,
        own_address_type: OwnAddressType::Public,
        peer_address_type: AddressType::Public,
        peer_address: bd_addr(1),
        advertising_channel_map: 7,
        advertising_filter_policy: 0,
    }
}
