//! Any octets from a serial line, in any pieces: the same packets come out as in one piece, the de-framer holds no
//! more than a packet, and once out of step it stays so.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::transports::{Desync, H4, HciPacket};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// The stream begins with the answer to HCI_Reset, as a controller's does.
    in_step: bool,
    /// Lengths of the pieces; the last holds the rest.
    pieces: Vec<u8>,
    octets: &'a [u8],
}

fuzz_target!(|input: Input| {
    let reset_complete: &[u8] = if input.in_step { &[0x04, 0x0E, 0x04, 0x01, 0x03, 0x0C, 0x00] } else { &[] };
    let stream = [reset_complete, input.octets].concat();

    let whole = deframe([&stream[..]].into_iter());
    let mut rest = &stream[..];
    let mut pieces = Vec::new();
    for length in input.pieces {
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(length)));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    assert_eq!(deframe(pieces.into_iter()), whole);
});

fn deframe<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<HciPacket>, Option<Desync>) {
    let (mut h4, mut packets) = (H4::default(), Vec::new());
    for piece in pieces {
        h4.buffer().extend_from_slice(piece);
        loop {
            match h4.next() {
                Ok(Some(packet)) => {
                    assert!(HciPacket::new(packet.bytes().clone()).is_ok());
                    packets.push(packet);
                }
                Ok(None) => break,
                Err(desync) => {
                    h4.buffer().extend_from_slice(&[0x04, 0x0E, 0x04, 0x01, 0x03, 0x0C, 0x00]);
                    assert_eq!(h4.next(), Err(desync), "for good");
                    return (packets, Some(desync));
                }
            }
        }
        assert!(h4.buffer().len() < 5 + 65_535, "a whole packet is not held back");
    }
    (packets, None)
}
