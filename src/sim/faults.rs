//! What goes wrong between a controller and its host: packets lost, repeated, swapped, cut short and damaged.
//!
//! A packet that comes out is still one HCI packet with the right length in its header. A stream that loses
//! octets is the transports' business.
//!
//! And a controller that hangs: it takes everything and says nothing.

use super::agenda::Dice;
use super::{ControllerId, Radio};
use crate::hci::HciCommand;
use crate::hci::command::Reset;
use crate::transports::HciPacket;
use std::collections::VecDeque;

/// How many of 1000 packets from the controller to the host meet which fate. The default: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// The faults follow from it and the packets.
    pub seed: u64,
    /// Packets that never arrive.
    pub drop: u16,
    /// Packets that arrive twice.
    pub duplicate: u16,
    /// Packets whose payload ends early, the length in the header with it.
    pub truncate: u16,
    /// Packets with one bit of the payload changed.
    pub corrupt: u16,
    /// Packets that overtake the one before them, when that has not been taken yet.
    pub reorder: u16,
}

/// The way to the host.
#[derive(Debug)]
pub(super) struct Outbox {
    packets: VecDeque<HciPacket>,
    plan: FaultPlan,
    dice: Dice,
    /// Nothing comes out any more.
    pub(super) hung: Option<Hang>,
}

/// Of a controller that says nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hang {
    /// Resets that it takes no notice of.
    deaf_to: u32,
}

impl Radio {
    /// The controller hangs: it does nothing and says nothing until it has been told to reset once more than `deaf_to`
    /// times, or [`power_cycle`](Self::power_cycle). What it has said before still arrives.
    pub fn hang(&mut self, id: ControllerId, deaf_to: u32) {
        self.controller(id).outbox.hung = Some(Hang { deaf_to });
    }

    /// The controller is off for a moment, as when its port is reset: it has forgotten everything, and its peers hear
    /// nothing more of it.
    pub fn power_cycle(&mut self, id: ControllerId) {
        self.reset(id);
        let outbox = &mut self.controller(id).outbox;
        outbox.hung = None;
        outbox.packets.clear();
    }

    /// Whether a controller takes no notice of a packet of its host.
    pub(super) fn is_deaf_to(&mut self, id: ControllerId, packet: &HciPacket) -> bool {
        let Some(hang) = &mut self.controller(id).outbox.hung else { return false };
        let is_reset = Reset {}.to_packet().is_ok_and(|reset| reset == *packet);
        if !is_reset {
            return true;
        }
        if hang.deaf_to == 0 {
            self.reset(id);
            self.controller(id).outbox.hung = None;
            return false;
        }
        hang.deaf_to -= 1;
        true
    }
}

/// A host that takes nothing loses advertising reports beyond this many packets, as with a real controller.
const CROWDED: usize = 4096;

impl Outbox {
    pub(super) fn new(plan: FaultPlan) -> Self {
        Self { packets: VecDeque::new(), dice: Dice::new(plan.seed), plan, hung: None }
    }

    pub(super) fn set_plan(&mut self, plan: FaultPlan) {
        self.dice = Dice::new(plan.seed);
        self.plan = plan;
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.packets.len() >= CROWDED
    }

    pub(super) fn pop(&mut self) -> Option<HciPacket> {
        self.packets.pop_front()
    }

    pub(super) fn push(&mut self, mut packet: HciPacket) {
        if self.hung.is_some() || self.dice.chance(self.plan.drop) {
            return;
        }
        if self.dice.chance(self.plan.truncate) {
            packet = self.truncated(packet);
        }
        if self.dice.chance(self.plan.corrupt) {
            packet = self.corrupted(packet);
        }
        if self.dice.chance(self.plan.duplicate) {
            self.packets.push_back(packet.clone());
        }
        let overtakes = self.dice.chance(self.plan.reorder);
        let place = self.packets.len() - usize::from(overtakes && !self.packets.is_empty());
        self.packets.insert(place, packet);
    }

    fn truncated(&mut self, packet: HciPacket) -> HciPacket {
        let header = packet.indicator().header_length();
        let keep = usize::try_from(self.dice.below(packet.payload().len() as u64)).unwrap_or(0);
        let mut octets = packet.as_slice()[..header + keep].to_vec();
        // Shorter than before, so it fits: the low octet of the length, and for data the high one.
        let [low, high, ..] = keep.to_le_bytes();
        match header {
            3 => octets[2] = low,
            4 => octets[3] = low,
            _ => octets[3..5].copy_from_slice(&[low, high]),
        }
        HciPacket::new(octets).unwrap_or(packet)
    }

    fn corrupted(&mut self, packet: HciPacket) -> HciPacket {
        let header = packet.indicator().header_length();
        let bits = 8 * packet.payload().len() as u64;
        let Ok(bit) = usize::try_from(self.dice.below(bits)) else { return packet };
        let mut octets = packet.as_slice().to_vec();
        if let Some(octet) = octets.get_mut(header + bit / 8) {
            *octet ^= 1 << (bit % 8);
        }
        HciPacket::new(octets).unwrap_or(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(plan: FaultPlan, packets: u8) -> Vec<Vec<u8>> {
        let mut outbox = Outbox::new(plan);
        for n in 0..packets {
            outbox.push(HciPacket::event(0x0E, &[n, n, n, n]).expect("short"));
        }
        std::iter::from_fn(|| outbox.pop()).map(|p| p.payload().to_vec()).collect()
    }

    #[test]
    fn without_a_plan_everything_arrives_in_order() {
        let arrived = through(FaultPlan::default(), 100);
        assert_eq!(arrived, (0..100).map(|n| vec![n; 4]).collect::<Vec<_>>());
    }

    #[test]
    fn each_fault_does_what_its_name_says() {
        let some = |plan: FaultPlan| through(plan, 200);
        let lost = some(FaultPlan { drop: 100, ..FaultPlan::default() });
        assert!((150..199).contains(&lost.len()), "{}", lost.len());
        let twice = some(FaultPlan { duplicate: 100, ..FaultPlan::default() });
        assert!(twice.len() > 200 && twice.windows(2).any(|pair| pair[0] == pair[1]));
        let short = some(FaultPlan { truncate: 100, ..FaultPlan::default() });
        assert!(short.len() == 200 && short.iter().any(|payload| payload.len() < 4));
        let changed = some(FaultPlan { corrupt: 100, ..FaultPlan::default() });
        assert!(changed.iter().any(|payload| payload.iter().any(|octet| *octet != payload[0])));
        let mut swapped = some(FaultPlan { reorder: 100, ..FaultPlan::default() });
        assert!(!swapped.is_sorted());
        swapped.sort();
        assert_eq!(swapped, through(FaultPlan::default(), 200));
    }

    #[test]
    fn the_seed_decides() {
        let plan = |seed| FaultPlan { seed, drop: 300, corrupt: 300, ..FaultPlan::default() };
        assert_eq!(through(plan(3), 100), through(plan(3), 100));
        assert_ne!(through(plan(3), 100), through(plan(4), 100));
    }
}
