//! The sliding window of one direction ([Vol 4] Part D, 6): what was sent and is not acknowledged, in order.
//!
//! When the acknowledgement is late, everything from the first packet that lacks one is sent again: a receiver takes
//! packets in order only.

use super::frame::SEQUENCE_MASK;
use crate::HciPacket;
use std::{collections::VecDeque, time::Duration};

#[derive(Debug, Default)]
pub(super) struct Window {
    packets: VecDeque<HciPacket>,
    /// Sequence number of the first packet.
    first: u8,
    /// The packet to send next.
    next: usize,
    /// Packets that were sent once at least, whose acknowledgement may come.
    sent: usize,
    /// When the acknowledgement of the first packet is late.
    deadline: Option<Duration>,
}

impl Window {
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) fn push(&mut self, packet: HciPacket) {
        self.packets.push_back(packet);
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.next < self.packets.len()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The packet to send now, with its sequence number.
    pub(super) fn send(&mut self, now: Duration, patience: Duration) -> Option<(u8, &HciPacket)> {
        let packet = self.packets.get(self.next)?;
        let sequence = advanced(self.first, self.next);
        self.next += 1;
        self.sent = self.sent.max(self.next);
        self.deadline = self.deadline.or(Some(now + patience));
        Some((sequence, packet))
    }

    /// The other side expects this number next: all before it have arrived. A number that was not sent yet says
    /// nothing.
    pub(super) fn on_acknowledgement(&mut self, number: u8, now: Duration, patience: Duration) {
        let arrived = usize::from(number.wrapping_sub(self.first) & SEQUENCE_MASK);
        if arrived == 0 || arrived > self.sent {
            return;
        }
        self.packets.drain(..arrived);
        self.first = advanced(self.first, arrived);
        self.next = self.next.saturating_sub(arrived);
        self.sent -= arrived;
        self.deadline = (self.sent > 0).then_some(now + patience);
    }

    /// Starts over with the first packet; `true` when its acknowledgement was late.
    pub(super) fn on_time(&mut self, now: Duration) -> bool {
        let late = self.deadline.is_some_and(|deadline| deadline <= now);
        if late {
            self.next = 0;
            self.deadline = None;
        }
        late
    }
}

/// `number` and `count` more; a window is shorter than the numbers are.
fn advanced(number: u8, count: usize) -> u8 {
    let [count, ..] = count.to_le_bytes();
    number.wrapping_add(count) & SEQUENCE_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(250);

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn window(count: u8) -> Window {
        let mut window = Window::default();
        (0..count).for_each(|n| window.push(HciPacket::event(n, &[]).unwrap()));
        window
    }

    /// Numbers and event codes of what is sent now.
    fn send_all(window: &mut Window, now: Duration) -> Vec<(u8, u8)> {
        std::iter::from_fn(|| window.send(now, PATIENCE).map(|(n, packet)| (n, packet.as_slice()[1])))
            .collect()
    }

    #[test]
    fn acknowledged_packets_leave_and_the_rest_is_sent_again_when_late() {
        let mut window = window(4);
        assert_eq!(send_all(&mut window, at(0)), [(0, 0), (1, 1), (2, 2), (3, 3)]);
        window.on_acknowledgement(2, at(100), PATIENCE);
        assert_eq!((window.len(), window.deadline()), (2, Some(at(350))));
        assert!(!window.on_time(at(349)));
        assert!(window.on_time(at(350)));
        assert_eq!(send_all(&mut window, at(350)), [(2, 2), (3, 3)]);
        window.on_acknowledgement(4, at(360), PATIENCE);
        assert_eq!((window.len(), window.deadline()), (0, None));
    }

    #[test]
    fn an_acknowledgement_of_the_first_round_counts_in_the_second() {
        let mut window = window(3);
        send_all(&mut window, at(0));
        assert!(window.on_time(at(250)));
        window.send(at(250), PATIENCE);
        window.on_acknowledgement(3, at(251), PATIENCE);
        assert_eq!(window.len(), 0);
    }

    #[test]
    fn numbers_that_were_not_sent_acknowledge_nothing() {
        let mut window = window(3);
        window.send(at(0), PATIENCE);
        for number in [0, 2, 3, 4, 5, 6, 7] {
            window.on_acknowledgement(number, at(1), PATIENCE);
            assert_eq!(window.len(), 3, "{number}");
        }
    }

    #[test]
    fn numbers_go_round() {
        let mut window = Window::default();
        for n in 0..100_u8 {
            window.push(HciPacket::event(n, &[]).unwrap());
            assert_eq!(window.send(at(0), PATIENCE).map(|(number, _)| number), Some(n % 8));
            window.on_acknowledgement((n + 1) % 8, at(0), PATIENCE);
            assert_eq!(window.len(), 0);
        }
    }
}
