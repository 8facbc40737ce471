//! Advertising all around and four connections at work. The weights are in [`fill`].

use super::Workload;
use super::capture::{Capture, Direction, Group};
use super::packets::{acl, att, command, command_complete, completed_packets, event};
use super::random::Random;
use std::collections::VecDeque;

/// Fills the capture with one of the workloads that are not sessions.
pub fn fill(workload: Workload, capture: &mut Capture, random: &mut Random, advertisers: &[[u8; 6]]) {
    for (link, address) in (0..LINKS).zip(advertisers) {
        let connected =
            [&[0x01, 0, FIRST_HANDLE + link, 0, 0, 1], &address[..], &CONNECTION_PARAMETERS].concat();
        capture.push(Direction::ToHost, &event(0x3E, &connected), 100, Group::Other);
    }
    let mut links: [Link; LINKS as usize] = Default::default();
    while !capture.is_full() {
        let choice = match workload {
            Workload::Advertising => random.below(700),
            Workload::Notifications => 800 + random.below(120),
            Workload::Mixed | Workload::Discovery => random.below(1000),
        };
        let after = 20 + random.below(900);
        match choice {
            0..700 => {
                let packet = legacy_reports(random, advertisers);
                capture.push(Direction::ToHost, &packet, after, Group::LegacyAdvertising);
            }
            700..800 => {
                let packet = extended_report(random, advertisers);
                capture.push(Direction::ToHost, &packet, after, Group::ExtendedAdvertising);
            }
            800..920 => {
                let link = random.small(LINKS);
                let packet = links[usize::from(link)].next_fragment(link, random);
                capture.push(Direction::ToHost, &packet, after, Group::Acl);
            }
            920..950 => {
                let link = random.small(LINKS);
                let length = 4 + random.length(17);
                let mut pdu = vec![0x52, 0x20, 0];
                random.fill(&mut pdu, length);
                capture.push(Direction::ToController, &acl(handle(link), 0, &att(&pdu)), after, Group::Acl);
                links[usize::from(link)].credits_owed += 1;
            }
            950..980 => {
                let link = random.small(LINKS);
                let owed = std::mem::take(&mut links[usize::from(link)].credits_owed).max(1);
                capture.push(
                    Direction::ToHost,
                    &completed_packets(handle(link), owed),
                    after,
                    Group::Credits,
                );
            }
            _ => exchange(capture, random, after),
        }
    }
}

/// What one connection has not yet sent.
#[derive(Default)]
struct Link {
    fragments: VecDeque<Vec<u8>>,
    credits_owed: u16,
}

impl Link {
    /// The next fragment of the notification on its way, or the first of a new one.
    fn next_fragment(&mut self, link: u8, random: &mut Random) -> Vec<u8> {
        if let Some(fragment) = self.fragments.pop_front() {
            return fragment;
        }
        let length = match random.below(20) {
            0..10 => 4 + random.length(17),
            10..16 => 20 + random.length(80),
            16..19 => 244,
            _ => 495,
        };
        let mut pdu = vec![0x1B, 0x12 + random.small(4) * 3, 0];
        random.fill(&mut pdu, length);
        let frame = att(&pdu);
        let (first, rest) = frame.split_at(frame.len().min(if link == 2 { 27 } else { 251 }));
        self.fragments.extend(rest.chunks(first.len()).map(|part| acl(handle(link), 1, part)));
        acl(handle(link), 2, first)
    }
}

/// One LE Advertising Report event; six of a hundred carry two reports.
fn legacy_reports(random: &mut Random, advertisers: &[[u8; 6]]) -> Vec<u8> {
    let count = if random.below(100) < 6 { 2 } else { 1 };
    let mut parameters = vec![0x02, count];
    for _ in 0..count {
        // The smaller of two draws: some advertisers are heard far more often than others.
        let address = advertisers[random.length(500).min(random.length(500))];
        parameters.extend([random.pick(&[0, 0, 0, 3, 3, 4]), 1]);
        parameters.extend(address);
        let structures = 1 + random.below(3);
        push_data(&mut parameters, &advertising_data(random, structures, 31));
        parameters.push(rssi(random));
    }
    event(0x3E, &parameters)
}

/// One LE Extended Advertising Report event: half of them legacy PDUs, the others up to 229 octets long.
fn extended_report(random: &mut Random, advertisers: &[[u8; 6]]) -> Vec<u8> {
    let address = random.pick(advertisers);
    let (event_type, secondary_phy, room): (u16, u8, usize) = match random.below(10) {
        0..5 => (0x0013, 0, 31),
        5..8 => (0x0000, 2, 120),
        _ => (0x0001, 1, 229),
    };
    let mut parameters = vec![0x0D, 1];
    parameters.extend(event_type.to_le_bytes());
    parameters.push(1);
    parameters.extend(address);
    let set = if secondary_phy == 0 { 0xFF } else { random.small(16) };
    parameters.extend([1, secondary_phy, set, 0x7F, rssi(random)]);
    parameters.extend([0; 9]); // no periodic advertising, no direct address
    let structures = if room > 31 { 3 + random.below(8) } else { 1 + random.below(3) };
    push_data(&mut parameters, &advertising_data(random, structures, room));
    event(0x3E, &parameters)
}

/// At most `count` AD structures in at most `room` octets, the flags first.
fn advertising_data(random: &mut Random, count: u32, room: usize) -> Vec<u8> {
    let mut data = Vec::new();
    for index in 0..count {
        let structure = if index == 0 { vec![0x01, 0x06] } else { structure(random) };
        let left = room - data.len();
        if left < 3 {
            break;
        }
        if structure.len() < left {
            push_data(&mut data, &structure);
        }
    }
    data
}

/// One AD structure without its length octet.
fn structure(random: &mut Random) -> Vec<u8> {
    match random.below(5) {
        0 => {
            let company = random.pick(&[[0x4C_u8, 0], [0x31, 0x02], [0x75, 0], [0x59, 0]]);
            let mut out = [&[0xFF], &company[..]].concat();
            let length = 6 + random.small(14);
            if company[0] == 0x4C {
                out.extend([0x10, length]);
            }
            random.fill(&mut out, usize::from(length));
            out
        }
        1 => {
            let [low, high] = random.pick(&[0x180D_u16, 0x180F, 0xFEAA, 0xFD6F, 0xFCF1]).to_le_bytes();
            let mut out = vec![0x03, low, high];
            if random.below(3) == 0 {
                out.extend([0x0F, 0x18]);
            }
            out
        }
        2 => [&[0x09], format!("Dev-{:04X}-sensor", random.below(65536)).as_bytes()].concat(),
        3 => {
            let (mut out, length) = if random.below(2) == 0 {
                (vec![0x16, 0x6F, 0xFD], 20)
            } else {
                (vec![0x16, 0xCB, 0xFC], random.length(14) + 4)
            };
            random.fill(&mut out, length);
            out
        }
        _ => vec![0x0A, 0xF8_u8.wrapping_add(random.small(12))],
    }
}

/// A command and its completion: Read RSSI, or scanning switched on by the legacy or the extended command.
fn exchange(capture: &mut Capture, random: &mut Random, after: u32) {
    let (opcode, parameters, answer): (u16, &[u8], &[u8]) = match random.below(3) {
        0 => (0x1405, &[FIRST_HANDLE, 0], &[0, FIRST_HANDLE, 0, 0xC4]),
        1 => (0x200C, &[1, 0], &[0]),
        _ => (0x2042, &[1, 0, 0, 0, 0, 0], &[0]),
    };
    capture.push(Direction::ToController, &command(opcode, parameters), after, Group::Other);
    capture.push(Direction::ToHost, &command_complete(opcode, answer), 300, Group::Other);
}

fn push_data(out: &mut Vec<u8>, data: &[u8]) {
    out.push(u8::try_from(data.len()).expect("advertising data here is at most 229 octets"));
    out.extend_from_slice(data);
}

/// -90 to -31 dBm.
fn rssi(random: &mut Random) -> u8 {
    0xA6_u8.wrapping_add(random.small(60))
}

fn handle(link: u8) -> u16 {
    u16::from(FIRST_HANDLE + link)
}

const LINKS: u8 = 4;
const FIRST_HANDLE: u8 = 0x40;
/// Interval 30 ms, latency 0, supervision time-out 5 s, clock accuracy.
const CONNECTION_PARAMETERS: [u8; 7] = [24, 0, 0, 0, 0xF4, 1, 0];
