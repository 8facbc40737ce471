//! Any octets from a three-wire line between true frames: no panic, no growth, and whatever came, an end sends only
//! frames that the other end can read.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::transports::HciPacket;
use baretooth::transports::h5::{H5, LinkState, Options, Role};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Input {
    is_host: bool,
    crc: bool,
    window: u8,
    /// The link is up before anything else comes.
    is_up: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    /// Octets as they are, perhaps garbage.
    Octets(Vec<u8>),
    /// A frame whose header is right: flags, type, payload.
    Frame(u8, u8, Vec<u8>),
    /// Milliseconds pass.
    Time(u8),
    /// The user sends a packet with this much in it.
    Submit(u8),
    /// The user takes what has come.
    Take,
}

fuzz_target!(|input: Input| {
    let role = if input.is_host { Role::Host } else { Role::Controller };
    let mut h5 = H5::new(Options { crc: input.crc, window: input.window, ..Options::new(role) });
    let mut now = Duration::ZERO;
    if input.is_up {
        for payload in [&[0x02, 0x7D][..], &[0x03, 0xFC, 0x17], &[0x04, 0x7B, 0x17]] {
            h5.handle_octets(now, &line(0, 15, payload));
        }
        assert_eq!(h5.state(), LinkState::Active);
    }
    for step in input.steps {
        match step {
            Step::Octets(octets) => h5.handle_octets(now, &octets),
            Step::Frame(flags, packet_type, payload) => {
                // Without the flag of a CRC: the fuzzer finds no right one.
                h5.handle_octets(now, &line(flags & !0x40, packet_type, &payload));
            }
            Step::Time(milliseconds) => {
                now += Duration::from_millis(milliseconds.into());
                h5.handle_time(now);
            }
            Step::Submit(length) => {
                let packet = HciPacket::event(0xFF, &vec![0xC0; length.into()]).expect("it is short");
                assert_eq!(h5.has_room(), h5.submit(packet).is_ok());
            }
            Step::Take => while h5.poll_packet().is_some() {},
        }
        // One answer of each kind, a window of packets, an acknowledgement: it comes to an end.
        let sent = std::iter::from_fn(|| h5.poll_transmit(now)).take(100);
        let count =
            sent.inspect(|line| assert!(line.first() == Some(&0xC0) && line.last() == Some(&0xC0))).count();
        assert!(count <= 16, "{count} frames at once");
    }
    assert!(std::iter::from_fn(|| h5.poll_packet()).take(100).count() <= 64, "packets that nobody takes");
});

/// A frame with a right header, between delimiters.
fn line(flags: u8, packet_type: u8, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(0xFFF)];
    let [low, high, ..] = payload.len().to_le_bytes();
    let (second, third) = (packet_type & 0x0F | low << 4, high << 4 | low >> 4);
    let checksum = !flags.wrapping_add(second).wrapping_add(third);
    let mut line = vec![0xC0];
    for octet in [flags, second, third, checksum].iter().chain(payload) {
        match octet {
            0xC0 => line.extend([0xDB, 0xDC]),
            0xDB => line.extend([0xDB, 0xDD]),
            octet => line.push(*octet),
        }
    }
    line.push(0xC0);
    line
}
