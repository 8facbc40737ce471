//! Any records through the dissector, of several adapters and links, whole and cut: a line, a tree and JSON of each,
//! none with a control character that could reach a terminal, since what is printed was sent by whoever is in range.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::capture::dissect::Dissector;
use baretooth::capture::{Direction, Kind, Record, Timestamp};
use baretooth_fuzz::assert_line;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
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

fuzz_target!(|inputs: Vec<Input>| {
    let mut dissector = Dissector::default();
    let mut out = Vec::new();
    for record in inputs.into_iter().map(Input::record) {
        let packet = dissector.read(&record);
        out.clear();
        packet.write_line(&mut out);
        assert_line(text(&out));
        out.clear();
        packet.write_fields(&mut out);
        text(&out).lines().for_each(assert_line);
        out.clear();
        packet.write_json(Timestamp::UNIX_EPOCH, &mut out);
        assert_line(text(&out));
    }
});

fn text(out: &[u8]) -> &str {
    std::str::from_utf8(out).expect("UTF-8")
}

impl Input {
    fn record(self) -> Record {
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
