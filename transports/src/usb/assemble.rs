//! HCI packets out of USB packets ([Vol 4] Part B, 2.2). No I/O.
//!
//! An endpoint carries one kind of packet without H4's indicator, in pieces of at most wMaxPacketSize octets. Where
//! one ends is told by its own header alone: a zero-length USB packet behind one that fills its last piece is sent by
//! some adapters and left out by others, and means nothing here.

use crate::{HciPacket, PacketIndicator, packet::packet_length};
use bytes::{BufMut, BytesMut};

/// Joins the pieces of one endpoint. It holds one packet at most, so 65,540 octets.
#[derive(Debug)]
pub(super) struct Assembler {
    indicator: PacketIndicator,
    /// The packet that has begun, in H4 form; empty between packets.
    buffer: BytesMut,
}

impl Assembler {
    /// For an endpoint that carries packets of this kind.
    pub(super) fn new(indicator: PacketIndicator) -> Self {
        Self { indicator, buffer: BytesMut::new() }
    }

    /// Takes one piece and hands out each packet that it ends.
    pub(super) fn push(&mut self, mut piece: &[u8], mut deliver: impl FnMut(HciPacket)) {
        while !piece.is_empty() {
            if self.buffer.is_empty() {
                if self.buffer.capacity() < LARGEST_COMMON_PACKET {
                    self.buffer.reserve(ALLOCATION);
                }
                self.buffer.put_u8(self.indicator.octet());
            }
            let wanted = self.wanted().saturating_sub(self.buffer.len());
            let (taken, rest) = piece.split_at(wanted.min(piece.len()));
            self.buffer.put_slice(taken);
            piece = rest;
            if self.buffer.len() == self.wanted() {
                deliver(HciPacket::from_framed(self.buffer.split().freeze()));
            }
        }
    }

    /// Forgets the packet that has begun.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
    }

    /// Octets that the packet has, as far as they can be told; at least one more than there are, or all of them.
    fn wanted(&self) -> usize {
        // The indicator is a known one; the header is not complete otherwise.
        let known = packet_length(&self.buffer).ok().flatten();
        known.unwrap_or(self.indicator.header_length())
    }
}

/// Packets share allocations of this size as long as they fit.
const ALLOCATION: usize = 4096;
/// An event, or ACL data of the largest link layer PDU.
const LARGEST_COMMON_PACKET: usize = 260;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assemble(indicator: PacketIndicator, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut assembler, mut packets) = (Assembler::new(indicator), vec![]);
        for piece in pieces {
            assembler.push(piece, |packet| packets.push(packet.as_slice().to_vec()));
        }
        packets
    }

    fn event(length: u8) -> Vec<u8> {
        let mut octets = vec![0xFF, length];
        octets.extend(0..length);
        octets
    }

    fn h4(indicator: u8, octets: &[u8]) -> Vec<u8> {
        [&[indicator], octets].concat()
    }

    #[test]
    fn h2_events_of_exact_multiples_of_16_come_out_with_and_without_zero_length_packets() {
        for length in [14, 30, 46, 254] {
            let (long, short) = (event(length), event(3));
            let mut without: Vec<&[u8]> = long.chunks(16).collect();
            let mut with = without.clone();
            with.push(&[]);
            with.push(&short);
            without.push(&short);
            let expected = vec![h4(4, &long), h4(4, &short)];
            assert_eq!(assemble(PacketIndicator::Event, &with), expected, "{length}");
            assert_eq!(assemble(PacketIndicator::Event, &without), expected, "{length}");
        }
    }

    #[test]
    fn an_exact_multiple_is_handed_out_before_anything_follows() {
        let event = event(14);
        assert_eq!(assemble(PacketIndicator::Event, &[&event]), vec![h4(4, &event)]);
        let acl = [&[1, 0, 60, 0][..], &[7; 60]].concat();
        assert_eq!(assemble(PacketIndicator::AclData, &[&acl]), vec![h4(2, &acl)]);
    }

    #[test]
    fn h2_zero_length_and_short_pieces_in_the_middle_change_nothing() {
        let event = event(5);
        for at in 0..=event.len() {
            let (head, tail) = event.split_at(at);
            let pieces = [&[], head, &[], tail, &[]];
            assert_eq!(assemble(PacketIndicator::Event, &pieces), vec![h4(4, &event)], "split at {at}");
        }
    }

    #[test]
    fn packets_without_parameters_and_several_in_one_piece_come_out() {
        let pieces: &[&[u8]] = &[&[0x10, 0, 0x11, 0, 0x0E, 1, 9, 0x12]];
        let expected = vec![vec![4, 0x10, 0], vec![4, 0x11, 0], vec![4, 0x0E, 1, 9]];
        assert_eq!(assemble(PacketIndicator::Event, pieces), expected);
    }

    #[test]
    fn what_was_cleared_does_not_spoil_what_follows() {
        let mut assembler = Assembler::new(PacketIndicator::Event);
        assembler.push(&[0x3E, 200, 1, 2, 3], |_| panic!("not whole"));
        assembler.clear();
        let mut packets = vec![];
        assembler.push(&[0x10, 0], |packet| packets.push(packet));
        assert_eq!(packets.len(), 1);
    }

    proptest! {
        #[test]
        fn whatever_is_received_comes_out_in_order_or_is_one_bounded_rest(
            octets in proptest::collection::vec(any::<u8>(), 0..5000),
            size in 1_usize..70,
            acl: bool,
        ) {
            let indicator = if acl { PacketIndicator::AclData } else { PacketIndicator::Event };
            let mut assembler = Assembler::new(indicator);
            let mut out = vec![];
            for piece in octets.chunks(size) {
                assembler.push(piece, |packet| out.extend_from_slice(&packet.as_slice()[1..]));
                prop_assert!(assembler.buffer.len() <= 65_540);
            }
            out.extend_from_slice(assembler.buffer.get(1..).unwrap_or_default());
            prop_assert_eq!(out, octets);
        }
    }
}
