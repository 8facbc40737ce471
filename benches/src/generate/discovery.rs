//! One session after the other: connect, learn the whole table, subscribe, disconnect.

use super::capture::{Capture, Direction, Group};
use super::packets::{acl, att, command, command_status, completed_packets, event};
use super::random::Random;

/// Fills the capture with sessions.
pub fn fill(capture: &mut Capture, random: &mut Random, advertisers: &[[u8; 6]]) {
    let mut session = 0;
    while !capture.is_full() {
        let peer = random.pick(advertisers);
        let mut link = Link { capture, handle: 0x40 + (session & 0x3F) };
        link.connect(&peer);
        link.discover(random);
        link.disconnect();
        session += 1;
    }
}

/// One connection of one session.
struct Link<'a> {
    capture: &'a mut Capture,
    handle: u16,
}

impl Link<'_> {
    fn connect(&mut self, peer: &[u8; 6]) {
        let [h0, h1] = self.handle.to_le_bytes();
        let create =
            [&[0x60, 0, 0x30, 0, 0, 1], &peer[..], &[0, 24, 0, 40, 0, 0, 0, 0xF4, 1, 0, 0, 0, 0]].concat();
        self.command(0x200D, &create, 1000);
        let complete = [&[0x01, 0, h0, h1, 0, 1], &peer[..], &[24, 0, 0, 0, 0xF4, 1, 0]].concat();
        self.event(&event(0x3E, &complete), 30_000);
        self.command(0x2016, &[h0, h1], 100);
        self.event(&event(0x3E, &[0x04, 0, h0, h1, 0xFF, 0x59, 1, 0, 0, 0, 0, 0]), 30_000);
        self.event(&event(0x3E, &[0x07, h0, h1, 251, 0, 0x48, 8, 251, 0, 0x48, 8]), 100);
    }

    fn discover(&mut self, random: &mut Random) {
        self.transaction(&[0x02, 5, 2], &[0x03, 247, 0]);
        let mut from = 1;
        for (start, uuid) in SERVICES {
            let end = start + SERVICE_SPAN - 1;
            let found = pdu(&[0x11, 6], &[start, end, uuid]);
            self.transaction(&pdu(&[0x10], &[from, 0xFFFF, 0x2800]), &found);
            from = end + 1;
        }
        let none = [&pdu(&[0x01, 0x10], &[from])[..], &[0x0A]].concat();
        self.transaction(&pdu(&[0x10], &[from, 0xFFFF, 0x2800]), &none);
        for (index, (start, _)) in (0..).zip(SERVICES) {
            self.characteristics(index, start, random);
        }
    }

    /// Three characteristics of one service: declaration, descriptors, value; then one subscription.
    fn characteristics(&mut self, service: u16, start: u16, random: &mut Random) {
        let mut from = start;
        for characteristic in 0..3 {
            let declaration = start + 1 + characteristic * 3;
            let (value, configuration) = (declaration + 1, declaration + 2);
            let uuid = 0xFF00 + service * 16 + characteristic;
            let found = [&pdu(&[0x09, 7], &[declaration])[..], &pdu(&[0x12], &[value, uuid])].concat();
            self.transaction(&pdu(&[0x08], &[from, start + SERVICE_SPAN - 1, 0x2803]), &found);
            from = value;
            let found = pdu(&[0x05, 1], &[configuration, 0x2902]);
            self.transaction(&pdu(&[0x04], &[configuration, configuration]), &found);
            let mut read = vec![0x0B];
            let length = 1 + random.length(20);
            random.fill(&mut read, length);
            self.transaction(&pdu(&[0x0A], &[value]), &read);
        }
        self.transaction(&pdu(&[0x12], &[start + 3, 1]), &[0x13]);
    }

    fn disconnect(&mut self) {
        let [h0, h1] = self.handle.to_le_bytes();
        self.command(0x0406, &[h0, h1, 0x13], 1000);
        self.event(&event(0x05, &[0, h0, h1, 0x16]), 30_000);
    }

    /// A command and its status.
    fn command(&mut self, opcode: u16, parameters: &[u8], after: u32) {
        self.capture.push(Direction::ToController, &command(opcode, parameters), after, Group::Other);
        self.event(&command_status(opcode), 300);
    }

    fn event(&mut self, packet: &[u8], after: u32) {
        self.capture.push(Direction::ToHost, packet, after, Group::Other);
    }

    /// An ATT request, the credit that comes back, and the response.
    fn transaction(&mut self, request: &[u8], response: &[u8]) {
        let (handle, capture) = (self.handle, &mut *self.capture);
        capture.push(Direction::ToController, &acl(handle, 0, &att(request)), 200, Group::Acl);
        capture.push(Direction::ToHost, &completed_packets(handle, 1), 30_000, Group::Credits);
        capture.push(Direction::ToHost, &acl(handle, 2, &att(response)), 100, Group::Acl);
    }
}

/// A PDU of some octets and then 16-bit numbers.
fn pdu(head: &[u8], numbers: &[u16]) -> Vec<u8> {
    head.iter().copied().chain(numbers.iter().flat_map(|number| number.to_le_bytes())).collect()
}

/// First handle and UUID of each service.
const SERVICES: [(u16, u16); 5] = [(1, 0x1800), (13, 0x1801), (25, 0x180A), (37, 0x180F), (49, 0x180D)];
/// Handles per service.
const SERVICE_SPAN: u16 = 12;
