//! The dongle as the USB sees it: descriptors, standard requests, and three endpoints. No I/O.

use super::{
    Endpoint, Options,
    usbip::{self, STALL, Urb},
};
use baretooth_transports::{HciPacket, PacketIndicator};
use std::collections::{BTreeMap, VecDeque};

/// The state of the device.
pub(super) struct Function {
    options: Options,
    configuration: u8,
    alternates: BTreeMap<u16, u16>,
    events: In,
    data: In,
    /// ACL data of which not all has come.
    partial: Vec<u8>,
    /// Requests that wait until the controller takes more.
    waiting_out: VecDeque<Urb>,
    /// Requests that are never answered.
    held: Vec<Urb>,
    hold: Vec<Endpoint>,
    stall: Vec<Endpoint>,
    /// For the controller.
    pub(super) to_controller: VecDeque<HciPacket>,
    /// For the kernel.
    pub(super) out: Vec<u8>,
}

/// One endpoint to the host.
struct In {
    packet: usize,
    messages: VecDeque<VecDeque<u8>>,
    urbs: VecDeque<Urb>,
    /// What the first of `urbs` has so far.
    filled: Vec<u8>,
}

/// Packets that wait for the host or the controller, from which on no more are taken.
const BACKLOG: usize = 64;

impl Function {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            configuration: 0,
            alternates: BTreeMap::new(),
            events: In::new(EVENT_PACKET),
            data: In::new(DATA_PACKET),
            partial: vec![],
            waiting_out: VecDeque::new(),
            held: vec![],
            hold: vec![],
            stall: vec![],
            to_controller: VecDeque::new(),
            out: vec![],
        }
    }

    /// Refuses the next transfer of an endpoint.
    pub(super) fn stall_next(&mut self, endpoint: Endpoint) {
        self.stall.push(endpoint);
        if let Some(urb) = self.incoming(endpoint).and_then(|endpoint| endpoint.urbs.pop_front()) {
            self.stall.pop();
            self.answer(urb.number, STALL);
        }
    }

    /// Answers nothing on an endpoint any more.
    pub(super) fn hold(&mut self, endpoint: Endpoint) {
        self.hold.push(endpoint);
    }

    /// Whether the controller may send more.
    pub(super) fn has_room(&self) -> bool {
        self.events.messages.len() < BACKLOG && self.data.messages.len() < BACKLOG
    }

    /// Whether the host has taken all that the controller has sent.
    pub(super) fn is_drained(&self) -> bool {
        self.events.messages.is_empty() && self.data.messages.is_empty()
    }

    /// A packet from the controller.
    pub(super) fn controller_sent(&mut self, packet: &HciPacket) {
        let endpoint = match packet.indicator() {
            PacketIndicator::Event => &mut self.events,
            _ => &mut self.data,
        };
        endpoint.messages.push_back(packet.as_slice()[1..].to_vec().into());
        endpoint.pump(self.options.zero_length_packets, &mut self.out);
    }

    /// The controller has taken packets.
    pub(super) fn controller_took(&mut self) {
        while self.to_controller.len() < BACKLOG
            && let Some(urb) = self.waiting_out.pop_front()
        {
            self.data_out(urb);
        }
    }

    pub(super) fn unlink(&mut self, number: u32, victim: u32) {
        let is = |urb: &Urb| urb.number == victim;
        let mut found = false;
        for endpoint in [&mut self.events, &mut self.data] {
            if endpoint.urbs.front().is_some_and(is) && !endpoint.filled.is_empty() {
                // What the withdrawn request had is lost, as on the wire.
                endpoint.filled.clear();
            }
            let before = endpoint.urbs.len();
            endpoint.urbs.retain(|urb| !is(urb));
            found |= endpoint.urbs.len() != before;
        }
        let before = self.waiting_out.len() + self.held.len();
        self.waiting_out.retain(|urb| !is(urb));
        self.held.retain(|urb| !is(urb));
        found |= self.waiting_out.len() + self.held.len() != before;
        usbip::unlinked(&mut self.out, number, found);
    }

    pub(super) fn submit(&mut self, urb: Urb) {
        let endpoint = match (urb.endpoint, urb.incoming) {
            (0, _) if is_command(&urb) => Endpoint::Commands,
            (0, _) => return self.control(&urb),
            (1, true) => Endpoint::Events,
            (2, true) => Endpoint::DataIn,
            (2, false) => Endpoint::DataOut,
            _ => return self.answer(urb.number, STALL),
        };
        if let Some(at) = self.stall.iter().position(|stalled| *stalled == endpoint) {
            self.stall.remove(at);
            return self.answer(urb.number, STALL);
        }
        if self.hold.contains(&endpoint) {
            return self.held.push(urb);
        }
        match endpoint {
            Endpoint::Commands => self.command(&urb),
            Endpoint::DataOut if self.to_controller.len() >= BACKLOG => self.waiting_out.push_back(urb),
            Endpoint::DataOut => self.data_out(urb),
            Endpoint::Events | Endpoint::DataIn => {
                let zero_length_packets = self.options.zero_length_packets;
                let endpoint = if endpoint == Endpoint::Events { &mut self.events } else { &mut self.data };
                endpoint.urbs.push_back(urb);
                endpoint.pump(zero_length_packets, &mut self.out);
            }
        }
    }

    fn incoming(&mut self, endpoint: Endpoint) -> Option<&mut In> {
        match endpoint {
            Endpoint::Events => Some(&mut self.events),
            Endpoint::DataIn => Some(&mut self.data),
            Endpoint::Commands | Endpoint::DataOut => None,
        }
    }

    fn answer(&mut self, number: u32, status: i32) {
        usbip::submitted(&mut self.out, number, status, 0, &[]);
    }

    fn command(&mut self, urb: &Urb) {
        let [request_type, _, _, _, interface, ..] = urb.setup;
        let accepted = match request_type {
            0x20 => !self.options.commands_to_interface_only,
            _ => interface == self.options.first_interface(),
        };
        match HciPacket::new([&[1], &urb.data[..]].concat()) {
            Ok(command) if accepted => {
                self.to_controller.push_back(command);
                usbip::submitted(&mut self.out, urb.number, 0, urb.data.len(), &[]);
            }
            _ => self.answer(urb.number, STALL),
        }
    }

    fn data_out(&mut self, urb: Urb) {
        self.partial.extend_from_slice(&urb.data);
        while let [_, _, low, high, ..] = self.partial[..] {
            let length = 4 + usize::from(u16::from_le_bytes([low, high]));
            if self.partial.len() < length {
                break;
            }
            let rest = self.partial.split_off(length);
            let octets = [&[2], &self.partial[..]].concat();
            self.partial = rest;
            self.to_controller.extend(HciPacket::new(octets));
        }
        usbip::submitted(&mut self.out, urb.number, 0, urb.data.len(), &[]);
    }

    /// Standard requests ([USB 2.0] 9.4).
    fn control(&mut self, urb: &Urb) {
        let [request_type, request, value_low, value_high, index_low, index_high, ..] = urb.setup;
        let (value, index) =
            (u16::from_le_bytes([value_low, value_high]), u16::from_le_bytes([index_low, index_high]));
        let data = match (request_type, request) {
            (0x80, 6) => match (value_high, value_low) {
                (1, _) => Some(self.device_descriptor()),
                (2, 0) => Some(self.configuration_descriptor()),
                (3, index) => self.string_descriptor(index),
                _ => None,
            },
            (0x80, 8) => Some(vec![self.configuration]),
            (0x80..=0x82, 0) => Some(vec![0, 0]),
            (0x81, 10) => {
                let alternate = self.alternates.get(&index).copied().unwrap_or_default();
                Some(vec![alternate.to_le_bytes()[0]])
            }
            (0x00, 9) => {
                self.configuration = value_low;
                Some(vec![])
            }
            (0x01, 11) => {
                self.alternates.insert(index, value);
                Some(vec![])
            }
            (0..=2, 1 | 3) => Some(vec![]),
            _ => None,
        };
        match data {
            Some(mut data) => {
                data.truncate(urb.length);
                usbip::submitted(&mut self.out, urb.number, 0, data.len(), &data);
            }
            None => self.answer(urb.number, STALL),
        }
    }

    fn device_descriptor(&self) -> Vec<u8> {
        let Options { vendor, product, composite, .. } = &self.options;
        let class = if *composite { [0xEF, 2, 1] } else { [0xE0, 1, 1] };
        let ids = [vendor.to_le_bytes(), product.to_le_bytes(), [0, 1]].concat();
        let serial = if self.options.serial.is_some() { 3 } else { 0 };
        [&[18, 1, 0, 2][..], &class, &[64], &ids, &[1, 2, serial, 1]].concat()
    }

    fn configuration_descriptor(&self) -> Vec<u8> {
        let first = self.options.first_interface();
        let mut body = vec![];
        if self.options.composite {
            body.extend([9, 4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0]);
        }
        let [class, subclass, protocol] = self.options.class;
        body.extend([9, 4, first, 0, 3, class, subclass, protocol, 0]);
        for (address, attributes, packet, interval) in
            [(0x81, 3, EVENT_PACKET, 1), (0x82, 2, DATA_PACKET, 0), (0x02, 2, DATA_PACKET, 0)]
        {
            body.extend(endpoint(address, attributes, packet, interval));
        }
        if self.options.voice {
            for (alternate, packet) in (0..).zip([0, 9, 17, 25, 33, 49]) {
                body.extend([9, 4, first + 1, alternate, 2, class, subclass, protocol, 0]);
                body.extend(endpoint(0x83, 1, packet, 1));
                body.extend(endpoint(0x03, 1, packet, 1));
            }
        }
        let interfaces = 1 + u8::from(self.options.composite) + u8::from(self.options.voice);
        let [low, high] = u16::try_from(9 + body.len()).unwrap_or(u16::MAX).to_le_bytes();
        [&[9, 2, low, high, interfaces, 1, 0, 0xC0, 50][..], &body].concat()
    }

    fn string_descriptor(&self, index: u8) -> Option<Vec<u8>> {
        let text = match index {
            0 => return Some(vec![4, 3, 9, 4]),
            1 => "baretooth tests",
            2 => "dongle in software",
            3 => self.options.serial.as_deref()?,
            _ => return None,
        };
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        Some([&[u8::try_from(2 + units.len()).ok()?, 3], &units[..]].concat())
    }
}

/// Octets in one USB packet.
const EVENT_PACKET: usize = 16;
const DATA_PACKET: usize = 64;

/// A class request to the device or to an interface, towards the device ([Vol 4] Part B, 2.2.1).
fn is_command(urb: &Urb) -> bool {
    !urb.incoming && matches!(urb.setup[0], 0x20 | 0x21)
}

fn endpoint(address: u8, attributes: u8, packet: usize, interval: u8) -> [u8; 7] {
    let [low, high] = u16::try_from(packet).unwrap_or_default().to_le_bytes();
    [7, 5, address, attributes, low, high, interval]
}

impl In {
    fn new(packet: usize) -> Self {
        Self { packet, messages: VecDeque::new(), urbs: VecDeque::new(), filled: vec![] }
    }

    /// Sends USB packets as long as there are some and the host asks for them. A short one ends the request, a full
    /// buffer too.
    fn pump(&mut self, zero_length_packets: bool, out: &mut Vec<u8>) {
        while let (Some(message), Some(urb)) = (self.messages.front_mut(), self.urbs.front()) {
            let room = urb.length.saturating_sub(self.filled.len());
            let count = self.packet.min(message.len()).min(room);
            self.filled.extend(message.drain(..count));
            let short = count < self.packet;
            if message.is_empty() && (short || !zero_length_packets) {
                self.messages.pop_front();
            }
            if short || self.filled.len() == urb.length {
                usbip::submitted(out, urb.number, 0, self.filled.len(), &self.filled);
                self.filled.clear();
                self.urbs.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(function: &mut Function, number: u32, endpoint: u32, length: usize) {
        function.submit(Urb { number, endpoint, incoming: true, length, setup: [0; 8], data: vec![] });
    }

    /// Number, status and length of each answer.
    fn answers(function: &mut Function) -> Vec<(u32, i32, usize)> {
        let mut octets = &std::mem::take(&mut function.out)[..];
        let mut answers = vec![];
        while octets.len() >= 48 {
            let word = |at: usize| u32::from_be_bytes(octets[at..at + 4].try_into().unwrap());
            answers.push((word(4), word(20).cast_signed(), word(24) as usize));
            octets = &octets[48 + word(24) as usize..];
        }
        answers
    }

    fn event(length: u8) -> HciPacket {
        HciPacket::event(0xFF, &vec![7; length.into()]).unwrap()
    }

    #[test]
    fn a_full_last_packet_is_followed_by_an_empty_one_or_by_nothing() {
        for zero_length_packets in [true, false] {
            let mut function = Function::new(Options { zero_length_packets, ..Options::default() });
            (1..=4).for_each(|number| ask(&mut function, number, 1, 16));
            function.controller_sent(&event(30));
            function.controller_sent(&event(1));
            let expected: &[_] = match zero_length_packets {
                true => &[(1, 0, 16), (2, 0, 16), (3, 0, 0), (4, 0, 3)],
                false => &[(1, 0, 16), (2, 0, 16), (3, 0, 3)],
            };
            assert_eq!(answers(&mut function), expected);
        }
    }

    #[test]
    fn without_the_empty_one_a_larger_request_stays_open() {
        let mut function = Function::new(Options { zero_length_packets: false, ..Options::default() });
        ask(&mut function, 1, 1, 64);
        function.controller_sent(&event(30));
        assert_eq!(answers(&mut function), []);
        function.controller_sent(&event(1));
        assert_eq!(answers(&mut function), [(1, 0, 35)]);
    }

    #[test]
    fn a_stall_takes_the_next_transfer_only() {
        let mut function = Function::new(Options::default());
        ask(&mut function, 1, 1, 16);
        function.stall_next(Endpoint::Events);
        ask(&mut function, 2, 1, 16);
        function.controller_sent(&event(1));
        assert_eq!(answers(&mut function), [(1, STALL, 0), (2, 0, 3)]);
    }
}
