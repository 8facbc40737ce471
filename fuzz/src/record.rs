//! Records of captures, made from any octets: mostly packets, of a few links, so that they have to do with each other.

use arbitrary::Arbitrary;
use baretooth::capture::{Direction, Kind, Record, Timestamp};
use bytes::Bytes;

/// What a record is made from.
#[derive(Arbitrary, Debug)]
pub struct AnyRecord {
    adapter: bool,
    way: Option<bool>,
    micros: i64,
    /// Octets that the capture left out.
    cut: u8,
    what: What,
}

#[derive(Arbitrary, Debug)]
enum What {
    Octets(Vec<u8>),
    Command { opcode: u16, parameters: Vec<u8> },
    Event { code: u8, parameters: Vec<u8> },
    LeEvent { subevent: u8, parameters: Vec<u8> },
    Frame { link: u8, channel: u8, payload: Vec<u8> },
    Fragment { link: u8, flags: u8, data: Vec<u8> },
    Note(Vec<u8>),
    Monitor(u16, Vec<u8>),
    PacketLogger(u8, Vec<u8>),
}

impl AnyRecord {
    /// The record.
    pub fn record(self) -> Record {
        let way = self.way.map(|sent| if sent { Direction::Sent } else { Direction::Received });
        let (kind, octets) = match self.what {
            What::Octets(octets) => (Kind::Packet(way), octets),
            What::Command { opcode, parameters } => {
                let [a, b] = opcode.to_le_bytes();
                (Kind::Packet(way), [&[1, a, b, low(&parameters)][..], &parameters].concat())
            }
            What::Event { code, parameters } => {
                (Kind::Packet(way), [&[4, code, low(&parameters)][..], &parameters].concat())
            }
            What::LeEvent { subevent, parameters } => {
                let length = low(&parameters).wrapping_add(1);
                (Kind::Packet(way), [&[4, 0x3E, length, subevent][..], &parameters].concat())
            }
            What::Frame { link, channel, payload } => {
                let frame = [&length(payload.len())[..], &[channel % 8, 0], &payload].concat();
                (Kind::Packet(way), [&[2, link % 4, 0x20][..], &length(frame.len()), &frame].concat())
            }
            What::Fragment { link, flags, data } => {
                (Kind::Packet(way), [&[2, link % 4, flags & 0xF0][..], &length(data.len()), &data].concat())
            }
            What::Note(octets) => (Kind::Note, octets),
            What::Monitor(opcode, octets) => (Kind::Monitor(opcode), octets),
            What::PacketLogger(kind, octets) => (Kind::PacketLogger(kind), octets),
        };
        let mut record = Record::new(Timestamp::from_micros(self.micros), kind, Bytes::from(octets));
        record.adapter = self.adapter.then_some(1);
        record.data.truncate(record.data.len().saturating_sub(self.cut.into()));
        record
    }
}

fn low(octets: &[u8]) -> u8 {
    octets.len().to_le_bytes()[0]
}

fn length(length: usize) -> [u8; 2] {
    let [a, b, ..] = length.to_le_bytes();
    [a, b]
}
