//! Any file as a capture, and any packets through the dissector: an error or lines, each without a control character,
//! since what is printed here was written by whoever is in range.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::capture::dissect::Dissector;
use baretooth::capture::{Direction, Format, Reader, Record, Timestamp, Writer};
use baretooth::transports::HciPacket;
use baretooth_fuzz::assert_line;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    File(&'a [u8]),
    /// The header of btsnoop with H4, then this.
    Records(&'a [u8]),
    Packets(Vec<Packet>),
}

#[derive(Arbitrary, Debug)]
struct Packet {
    received: bool,
    micros: u32,
    kind: Kind,
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Octets(Vec<u8>),
    Command { opcode: u16, parameters: Vec<u8> },
    Event { code: u8, parameters: Vec<u8> },
    LeEvent { subevent: u8, parameters: Vec<u8> },
    Frame { channel: u8, payload: Vec<u8> },
}

fuzz_target!(|input: Input| match input {
    Input::File(octets) => read(octets),
    Input::Records(octets) => read(&[&b"btsnoop\0\0\0\0\x01\0\0\x03\xEA"[..], octets].concat()),
    Input::Packets(packets) => {
        let mut writer = Writer::new(Vec::new(), Format::BTSNOOP).expect("memory takes everything");
        let mut dissector = Dissector::default();
        for packet in packets {
            let Some(record) = packet.record() else { continue };
            assert_line(&dissector.line(&record));
            writer.write(&record).expect("memory takes everything");
        }
    }
});

fn read(file: &[u8]) {
    let mut dissector = Dissector::default();
    match Reader::new(file) {
        Ok(mut reader) => loop {
            match reader.read() {
                Ok(Some(record)) => assert_line(&dissector.line(&record)),
                Ok(None) => return,
                Err(error) => return assert_line(&error.to_string()),
            }
        },
        Err(error) => assert_line(&error.to_string()),
    }
}

impl Packet {
    fn record(self) -> Option<Record> {
        let packet = match self.kind {
            Kind::Octets(octets) => HciPacket::new(octets).ok()?,
            Kind::Command { opcode, parameters } => HciPacket::command(opcode, &parameters).ok()?,
            Kind::Event { code, parameters } => HciPacket::event(code, &parameters).ok()?,
            Kind::LeEvent { subevent, parameters } => {
                HciPacket::event(0x3E, &[&[subevent][..], &parameters].concat()).ok()?
            }
            Kind::Frame { channel, payload } => {
                let length = u16::try_from(payload.len()).ok()?;
                let (frame, data) = (length.to_le_bytes(), length.checked_add(4)?.to_le_bytes());
                let header = [2, 0x40, 0x20, data[0], data[1], frame[0], frame[1], channel % 8, 0];
                HciPacket::new([&header[..], &payload].concat()).ok()?
            }
        };
        let direction = if self.received { Direction::Received } else { Direction::Sent };
        Some(Record::packet(Timestamp::from_micros(self.micros.into()), direction, &packet))
    }
}
