//! ACL packets of several links with any flags, lengths and cuts: each link's frames come out as a plain model of
//! the specification puts them together, whatever the other links send.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::hci::{AclData, ConnectionHandle};
use baretooth::l2cap::{ChannelId, Dropped, Frame, Reassembly, fragment};
use baretooth::transports::HciPacket;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

#[derive(Arbitrary, Debug)]
enum Step {
    /// A packet as it comes: `flags` are the upper four bits of the handle.
    Packet { handle: u8, flags: u8, data: Vec<u8> },
    /// The first part of a frame that announces this length.
    Start { handle: u8, length: u16, data: Vec<u8> },
    /// A whole frame, cut to packets of this length.
    Frame { handle: u8, packet_length: u8, channel: u16, payload: Vec<u8> },
}

type Outcome = Result<Option<(u16, Vec<u8>)>, Dropped>;

fuzz_target!(|steps: Vec<Step>| {
    let mut links = BTreeMap::<_, (Reassembly, Model)>::new();
    let mut feed = |packet: &HciPacket| -> Outcome {
        let Ok(acl) = AclData::parse(packet.as_slice()) else { panic!("{packet:?} is whole") };
        let (reassembly, model) = links.entry(acl.handle).or_default();
        let outcome = match reassembly.on_packet(&acl, packet.bytes()) {
            Err(dropped @ Dropped::CutOff(_)) => {
                assert_eq!(model.cut_off(), Some(dropped));
                reassembly.take()
            }
            other => other,
        };
        let outcome =
            outcome.map(|frame| frame.map(|Frame { channel, payload }| (channel.0, payload.to_vec())));
        assert_eq!(outcome, model.on_packet(packet.as_slice()));
        outcome
    };
    for step in steps {
        match step {
            Step::Packet { handle, flags, data } => drop(feed(&packet(handle, flags, &data))),
            Step::Start { handle, length, data } => {
                let data = [&length.to_le_bytes()[..], &[4, 0], &data].concat();
                drop(feed(&packet(handle, 0b0010, &data)));
            }
            Step::Frame { handle, packet_length, channel, payload } => {
                let handle = ConnectionHandle(u16::from(handle % 4));
                let packets =
                    fragment::fragments(handle, u16::from(packet_length), ChannelId(channel), &payload);
                let outcomes: Vec<_> = packets.iter().map(&mut feed).collect();
                let (last, before) = outcomes.split_last().expect("a frame has a header");
                assert!(before.iter().all(|outcome| *outcome == Ok(None)));
                assert_eq!(*last, Ok(Some((channel, payload))));
            }
        }
    }
});

fn packet(handle: u8, flags: u8, data: &[u8]) -> HciPacket {
    let word = u16::from(handle % 4) | u16::from(flags) << 12;
    let length = u16::try_from(data.len()).expect("the input is shorter");
    HciPacket::new([&[2][..], &word.to_le_bytes(), &length.to_le_bytes(), data].concat()).expect("whole")
}

/// [Vol 3] Part A, 7.2.2, over copies: the octets of the frame that is arriving.
#[derive(Default)]
struct Model(Option<Vec<u8>>);

impl Model {
    /// What a first part drops.
    fn cut_off(&self) -> Option<Dropped> {
        self.0.as_ref().map(|octets| Dropped::CutOff(octets.len()))
    }

    fn on_packet(&mut self, h4: &[u8]) -> Outcome {
        let flags = h4[2] >> 4;
        let octets = match flags {
            0b0000 | 0b0010 => self.0.insert(Vec::new()),
            0b0001 => self.0.as_mut().ok_or(Dropped::NoStart)?,
            _ => return Err(Dropped::Flags),
        };
        octets.extend_from_slice(&h4[5..]);
        let [a, b, ..] = octets[..] else { return Ok(None) };
        let whole = 4 + usize::from(u16::from_le_bytes([a, b]));
        if octets.len() < whole {
            return Ok(None);
        }
        let octets = self.0.take().unwrap_or_default();
        if octets.len() > whole {
            return Err(Dropped::TooLong(octets.len() - whole));
        }
        Ok(Some((u16::from_le_bytes([octets[2], octets[3]]), octets[4..].to_vec())))
    }
}
