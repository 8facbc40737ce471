//! Packets on their way to a transport. The queue belongs to the caller of [`TransportTx::send`], which takes from it
//! only what the transport has accepted: dropping the `send` future therefore loses and repeats nothing.
//!
//! [`TransportTx::send`]: crate::TransportTx::send

use crate::HciPacket;
use bytes::Buf;
use std::{collections::VecDeque, io::IoSlice};

/// At most [`SendQueue::CAPACITY`] packets waiting to be sent, the first of them perhaps in part.
///
/// A byte stream sends by the [`Buf`] side (one vectored write for many packets), a transport that keeps packets
/// apart by [`front`](Self::front) and [`pop`](Self::pop). One transport uses one of the two.
///
/// ```
/// use baretooth_transports::{HciPacket, SendQueue};
/// let mut waiting = vec![HciPacket::command(0x0C03, &[])?];
/// let mut queue = SendQueue::default();
/// queue.fill(|| waiting.pop());
/// assert_eq!(queue.len(), 1);
/// # Ok::<(), baretooth_transports::PacketError>(())
/// ```
#[derive(Debug, Default)]
pub struct SendQueue {
    packets: VecDeque<HciPacket>,
    /// Octets of the first packet that were sent.
    sent: usize,
}

impl SendQueue {
    /// The bound, in packets: as many as one vectored write takes.
    pub const CAPACITY: usize = 64;

    /// Takes packets from `next` until it has none or the queue is full.
    pub fn fill(&mut self, mut next: impl FnMut() -> Option<HciPacket>) {
        while self.packets.len() < Self::CAPACITY
            && let Some(packet) = next()
        {
            self.packets.push_back(packet);
        }
    }

    /// Packets that are not sent, or not wholly.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether all was sent.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The packet to send next.
    pub fn front(&self) -> Option<&HciPacket> {
        self.packets.front()
    }

    /// Takes the packet to send next out of the queue.
    pub fn pop(&mut self) -> Option<HciPacket> {
        self.sent = 0;
        self.packets.pop_front()
    }
}

impl From<HciPacket> for SendQueue {
    fn from(packet: HciPacket) -> Self {
        Self { packets: VecDeque::from([packet]), sent: 0 }
    }
}

/// The octets that are still to be sent.
impl Buf for SendQueue {
    fn remaining(&self) -> usize {
        self.packets.iter().map(HciPacket::len).sum::<usize>() - self.sent
    }

    fn has_remaining(&self) -> bool {
        !self.is_empty() // no packet is empty
    }

    fn chunk(&self) -> &[u8] {
        self.packets.front().and_then(|packet| packet.as_slice().get(self.sent..)).unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let rest = self.packets.iter().skip(1).map(HciPacket::as_slice);
        let chunks = self.packets.front().map(|_| self.chunk()).into_iter().chain(rest);
        slices.iter_mut().zip(chunks).map(|(slice, chunk)| *slice = IoSlice::new(chunk)).count()
    }

    /// # Panics
    /// When `count` is more than [`remaining`](Buf::remaining).
    fn advance(&mut self, count: usize) {
        self.sent += count;
        while let Some(packet) = self.packets.front()
            && packet.len() <= self.sent
        {
            self.sent -= packet.len();
            self.packets.pop_front();
        }
        assert!(self.sent == 0 || !self.packets.is_empty(), "advanced beyond the end of the queue");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &[u8]) -> HciPacket {
        HciPacket::event(0xFF, payload).unwrap()
    }

    #[test]
    fn filling_stops_at_the_bound_and_takes_no_packet_that_it_cannot_hold() {
        let mut given = 0;
        let mut queue = SendQueue::default();
        let mut next = || {
            given += 1;
            Some(packet(&[]))
        };
        queue.fill(&mut next);
        queue.fill(&mut next);
        assert_eq!((queue.len(), given), (SendQueue::CAPACITY, SendQueue::CAPACITY));
    }

    #[test]
    fn octets_leave_in_order_wherever_the_writes_end() {
        let packets = [packet(&[1]), packet(&[]), packet(&[2, 3])];
        let all: Vec<u8> = packets.iter().flat_map(|p| p.as_slice().to_vec()).collect();
        for size in 1..=all.len() {
            let mut source = packets.iter().cloned();
            let mut queue = SendQueue::default();
            queue.fill(|| source.next());
            let mut written = vec![];
            while queue.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let count = queue.chunks_vectored(&mut slices);
                let offered: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
                let taken = offered.len().min(size);
                written.extend_from_slice(&offered[..taken]);
                queue.advance(taken);
                assert_eq!(queue.remaining(), all.len() - written.len());
            }
            assert_eq!(written, all, "writes of {size}");
            assert!(queue.is_empty());
        }
    }

    #[test]
    fn a_packet_transport_takes_whole_packets() {
        let mut queue = SendQueue::from(packet(&[1]));
        assert_eq!(queue.front(), Some(&packet(&[1])));
        assert_eq!(queue.pop(), Some(packet(&[1])));
        assert_eq!((queue.pop(), queue.remaining()), (None, 0));
    }
}
