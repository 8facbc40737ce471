//! The H4 de-framer ([Vol 4] Part A): octets in, whole HCI packets out. No I/O, no clock.
//!
//! It owns the octets that are not yet a whole packet. It must never wait for more than one packet's worth of
//! octets, and never skip without end.
//!
//! # When the stream is out of step
//!
//! H4 marks no packet boundaries: the first octet of a packet says its kind, a length follows, and the next packet
//! starts where this one ends. An octet there that starts no packet means that octets were lost or made up, and
//! nothing that follows can be trusted. What happens depends on whether the stream was ever in step:
//!
//! * **Before the first packet**, garbage is usual: the tail of a packet sent before the port was opened, the boot
//!   message of a controller, noise of a line that has just been powered. The host's first command is HCI_Reset, so
//!   one answer surely follows: Command Complete of HCI_Reset with status 0, `04 0E 04 xx 03 0C 00`. Octets are
//!   dropped until that answer, which is then the first packet. It must start within the first
//!   [`H4::MAX_SKIPPED`] octets, else the stream is given up with [`Desync`].
//! * **After the first packet** there is no search: the stream is given up at once, with [`Desync`]. Packets may
//!   have been lost with their flow-control credits, so a fresh start (reopen, HCI_Reset) is the only sound way on.
//!
//! [`Desync`] is final: every later call returns it again. Garbage whose first octet happens to be a packet indicator
//! cannot be told from a packet; it is framed as one, and the step is lost, and noticed, behind it.
//!
//! # Memory
//!
//! A packet is at most 5 + 65,535 octets (ACL data), so the de-framer never needs more octets than that before it
//! yields one. The buffer holds what the reader appended, at most: a reader that calls [`H4::next`] until `None`
//! between reads of at most n octets keeps it within 65,540 + n.

use crate::packet::{HciPacket, packet_length};
use bytes::BytesMut;

/// De-framer of one direction of an H4 stream; the module's head states its policy on garbage.
///
/// ```
/// use baretooth_transports::H4;
/// let mut h4 = H4::default();
/// h4.buffer().extend_from_slice(&[0x04, 0x0E, 0x04, 0x01, 0x03]);
/// assert_eq!(h4.next()?, None);
/// h4.buffer().extend_from_slice(&[0x0C, 0x00]);
/// assert_eq!(h4.next()?.map(|packet| packet.len()), Some(7));
/// # Ok::<(), baretooth_transports::Desync>(())
/// ```
#[derive(Debug, Default)]
pub struct H4 {
    buffer: BytesMut,
    step: Step,
}

/// An H4 stream is out of step: an octet that starts no packet stands where a packet should start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the H4 stream is out of step: 0x{octet:02X} starts no packet ({skipped} octets were searched for the answer \
     to HCI_Reset); check baud rate and flow control, then reopen the adapter"
)]
pub struct Desync {
    /// The octet that starts no packet.
    pub octet: u8,
    /// Octets dropped in search of the answer to HCI_Reset: 0 when the stream had been in step before.
    pub skipped: usize,
}

/// Whether the start of the buffer is the start of a packet.
#[derive(Clone, Copy, Debug, Default)]
enum Step {
    /// Presumably; no packet has come yet.
    #[default]
    Unproven,
    /// No, and none has come yet; `octet` was the first wrong one, `skipped` have been dropped.
    Searching { octet: u8, skipped: usize },
    /// Yes: it is where the packet before ended.
    In,
    /// No, for good.
    Lost(Desync),
}

impl H4 {
    /// The answer to HCI_Reset is searched for from the stream's first octet to the one with this number.
    pub const MAX_SKIPPED: usize = 4096;

    /// Where received octets are to be appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Takes the next whole packet out of the buffer, without copying it; `None` when more octets are needed.
    ///
    /// All packets of one read share its allocation, so one that is kept keeps them all: copy a part that is to live
    /// for long.
    ///
    /// # Errors
    /// [`Desync`] when the stream is out of step, from then on at every call.
    #[allow(clippy::should_implement_trait)] // An iterator's end is final, `None` here is not.
    pub fn next(&mut self) -> Result<Option<HciPacket>, Desync> {
        loop {
            match self.step {
                Step::Unproven | Step::In => match packet_length(&self.buffer) {
                    Ok(Some(length)) if length <= self.buffer.len() => {
                        self.step = Step::In;
                        return Ok(Some(HciPacket::from_framed(self.buffer.split_to(length).freeze())));
                    }
                    Ok(_) => return Ok(None),
                    Err(_) => self.fall_out_of_step(),
                },
                Step::Searching { octet, skipped } => match find_reset_complete(&self.buffer) {
                    Ok(start) if skipped + start <= Self::MAX_SKIPPED => {
                        let _ = self.buffer.split_to(start);
                        self.step = Step::In;
                    }
                    Err(garbage) if skipped + garbage <= Self::MAX_SKIPPED => {
                        let _ = self.buffer.split_to(garbage);
                        self.step = Step::Searching { octet, skipped: skipped + garbage };
                        return Ok(None);
                    }
                    _ => self.step = Step::Lost(Desync { octet, skipped: Self::MAX_SKIPPED }),
                },
                Step::Lost(desync) => {
                    self.buffer = BytesMut::new();
                    return Err(desync);
                }
            }
        }
    }

    /// The first octet of the buffer starts no packet.
    fn fall_out_of_step(&mut self) {
        let octet = self.buffer.first().copied().unwrap_or_default();
        self.step = match self.step {
            Step::In => Step::Lost(Desync { octet, skipped: 0 }),
            _ => Step::Searching { octet, skipped: 0 },
        };
    }
}

/// Where Command Complete of HCI_Reset with status 0 starts; else how many octets surely are not part of one.
fn find_reset_complete(octets: &[u8]) -> Result<usize, usize> {
    let whole = |w: &[u8]| matches!(w, [0x04, 0x0E, 0x04, _, 0x03, 0x0C, 0x00]);
    octets.windows(RESET_COMPLETE).position(whole).ok_or((octets.len() + 1).saturating_sub(RESET_COMPLETE))
}

/// Length of Command Complete of HCI_Reset: indicator, event code, length, credits, opcode, status.
const RESET_COMPLETE: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RESET_DONE: [u8; 7] = [4, 0x0E, 4, 1, 3, 0x0C, 0];

    /// All packets of `pieces`, each appended by itself, and how the stream ended.
    fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Option<Desync>) {
        let (mut h4, mut packets) = (H4::default(), vec![]);
        for piece in pieces {
            h4.buffer().extend_from_slice(piece);
            loop {
                match h4.next() {
                    Ok(Some(packet)) => packets.push(packet.as_slice().to_vec()),
                    Ok(None) => break,
                    Err(desync) => return (packets, Some(desync)),
                }
            }
        }
        (packets, None)
    }

    /// One packet of every kind, with empty and long payloads.
    fn one_of_each() -> Vec<Vec<u8>> {
        let mut acl = vec![2, 0x40, 0x20, 0x2C, 0x01];
        acl.resize(5 + 300, 7);
        vec![
            RESET_DONE.to_vec(),
            vec![1, 3, 0x0C, 0],
            acl,
            vec![3, 1, 0, 2, 9, 9],
            vec![4, 0x10, 0],
            vec![5, 1, 0, 1, 0xC0, 7],
            vec![4, 0x3E, 2, 4, 4],
        ]
    }

    #[test]
    fn h1_types_0_6_and_ff_after_a_packet_end_the_stream_at_once_and_for_good() {
        for octet in [0x00, 0x06, 0xFF] {
            let mut h4 = H4::default();
            h4.buffer().extend_from_slice(&RESET_DONE);
            h4.buffer().extend_from_slice(&[octet]);
            h4.buffer().extend_from_slice(&RESET_DONE);
            assert!(matches!(h4.next(), Ok(Some(_))));
            let expected = Err(Desync { octet, skipped: 0 });
            assert_eq!(h4.next(), expected);
            h4.buffer().extend_from_slice(&RESET_DONE);
            assert_eq!(h4.next(), expected, "a packet behind the garbage does not bring the stream back");
            assert!(h4.buffer().is_empty(), "what comes after the loss is not kept");
        }
    }

    #[test]
    fn h1_garbage_before_command_complete_of_reset_is_skipped() {
        for first in [0x00, 0x06, 0xFF] {
            // Also a packet, an answer to something else and a torn answer: none of them is the one that is awaited.
            let garbage = [&[first, 4, 0x10, 0][..], &[4, 0x0E, 4, 1, 5, 0x0C, 0], &RESET_DONE[..5]].concat();
            let stream = [&garbage[..], &RESET_DONE, &[4, 0x10, 0]].concat();
            let expected = (vec![RESET_DONE.to_vec(), vec![4, 0x10, 0]], None);
            assert_eq!(feed([&stream[..]]), expected);
            assert_eq!(feed(stream.chunks(1)), expected);
        }
    }

    #[test]
    fn h1_a_reset_that_failed_does_not_prove_the_step() {
        let stream = [&[0xFF][..], &[4, 0x0E, 4, 1, 3, 0x0C, 3], &[4, 0x10, 0]].concat();
        assert_eq!(feed([&stream[..]]), (vec![], None));
    }

    #[test]
    fn h1_the_search_ends_after_4096_octets_wherever_the_reads_were_cut() {
        for (garbage, found) in [(4096, true), (4097, false)] {
            let stream = [&vec![0xFF; garbage][..], &RESET_DONE].concat();
            let expected = if found {
                (vec![RESET_DONE.to_vec()], None)
            } else {
                (vec![], Some(Desync { octet: 0xFF, skipped: H4::MAX_SKIPPED }))
            };
            for size in [1, 6, 7, 4096, 9000] {
                assert_eq!(
                    feed(stream.chunks(size)),
                    expected,
                    "{garbage} octets of garbage in reads of {size}"
                );
            }
        }
    }

    #[test]
    fn h1_endless_garbage_is_given_up_and_not_stored() {
        let mut h4 = H4::default();
        for turn in 0.. {
            h4.buffer().extend_from_slice(&[0; 512]);
            let result = h4.next();
            assert!(h4.buffer().len() < RESET_COMPLETE);
            if result.is_err() {
                break;
            }
            assert!(turn < 9, "still searching after {turn} reads of 512 octets");
        }
    }

    #[test]
    fn h2_a_packet_split_at_every_octet_comes_out_whole() {
        let packets = one_of_each();
        let stream = packets.concat();
        for at in 0..=stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(feed([head, tail]), (packets.clone(), None), "split at {at}");
        }
        assert_eq!(feed(stream.chunks(1)), (packets, None));
    }

    #[test]
    fn h2_a_length_beyond_the_octets_waits_for_them() {
        assert_eq!(feed([&[4, 0x0E, 4, 1, 3][..]]), (vec![], None));
        let mut largest = vec![2, 0, 0, 0xFF, 0xFF];
        largest.resize(5 + 65_534, 0);
        assert_eq!(feed([&largest[..]]), (vec![], None));
        largest.push(0);
        assert_eq!(feed([&largest[..]]), (vec![largest.clone()], None));
    }

    #[test]
    fn h2_several_packets_in_one_read_come_out_one_by_one_from_one_allocation() {
        let packets = one_of_each();
        let mut h4 = H4::default();
        h4.buffer().extend_from_slice(&packets.concat());
        let start = h4.buffer().as_ptr() as usize;
        let mut offset = 0;
        for expected in packets {
            let packet = h4.next().unwrap().unwrap();
            assert_eq!(packet.as_slice(), expected);
            assert_eq!(packet.as_slice().as_ptr() as usize, start + offset, "the packet was copied");
            offset += packet.len();
        }
        assert_eq!(h4.next(), Ok(None));
    }

    proptest! {
        #[test]
        fn h2_any_chopping_of_any_stream_gives_the_same_packets(
            start in prop::collection::vec(any::<u8>(), 0..40),
            order in prop::collection::vec(0..7_usize, 0..40),
            cuts in prop::collection::vec(1..400_usize, 1..60),
        ) {
            let packets: Vec<_> = order.iter().map(|&n| one_of_each()[n].clone()).collect();
            prop_assert_eq!(feed([&packets.concat()[..]]), (packets.clone(), None));
            for stream in [packets.concat(), [start, packets.concat()].concat()] {
                let (mut rest, mut pieces, mut cut) = (&stream[..], vec![], cuts.iter().cycle());
                while !rest.is_empty() {
                    let (piece, behind) = rest.split_at(rest.len().min(*cut.next().unwrap()));
                    pieces.push(piece);
                    rest = behind;
                }
                prop_assert_eq!(feed(pieces), feed([&stream[..]]));
            }
        }
    }

    #[test]
    fn the_message_of_a_desync_names_octet_cause_and_hint() {
        assert_eq!(
            Desync { octet: 6, skipped: 0 }.to_string(),
            "the H4 stream is out of step: 0x06 starts no packet (0 octets were searched for the answer to \
             HCI_Reset); check baud rate and flow control, then reopen the adapter"
        );
    }
}
