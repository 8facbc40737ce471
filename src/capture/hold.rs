//! Records in order, held back while an L2CAP frame that they are parts of is not whole: what becomes of a frame is
//! only known at its end.
//!
//! Bounded: a frame that does not end in time is given up.

use super::dissect::{Acl, Content, Packet};
use super::{Direction, Record};
use crate::hci::acl::PacketBoundary;
use crate::hci::{ConnectionHandle, Event};
use std::collections::{BTreeMap, VecDeque};

/// Records on their way, each with what its owner thinks of it.
#[derive(Debug)]
pub(super) struct Hold<T> {
    slots: VecDeque<Slot<T>>,
    /// Number of the first slot; every record has its own.
    first: u64,
    /// The parts of frames that are not whole.
    open: BTreeMap<Way, Vec<u64>>,
    /// Octets in all records that came.
    octets: u64,
}

/// One way of one link.
type Way = (Option<u16>, ConnectionHandle, Option<Direction>);

#[derive(Debug)]
struct Slot<T> {
    record: Record,
    of_owner: T,
    open: bool,
    /// Octets in all records before it.
    behind: u64,
}

/// Records whose fate can be told now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Numbers of the records, in order.
    pub(super) numbers: Vec<u64>,
    /// Whether they are a whole frame, and all of it. Else the frame was cut off, or its beginning is missing.
    pub(super) whole: bool,
}

/// Most records, and octets in them, that wait for the end of a frame.
const MOST_RECORDS: u64 = 4_096;
const MOST_OCTETS: u64 = 1 << 20;

impl<T> Hold<T> {
    pub(super) fn new() -> Self {
        Self { slots: VecDeque::new(), first: 0, open: BTreeMap::new(), octets: 0 }
    }

    /// The number that the next record will have.
    pub(super) fn next_number(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Takes a packet's record in. What comes back are the parts of frames that end or are cut off with it; the last of
    /// them has the record itself, unless that is no ACL data, or part of a frame that goes on.
    pub(super) fn push(&mut self, packet: &Packet<'_>, of_owner: T) -> Vec<Parts> {
        let number = self.next_number();
        let slot = Slot { record: packet.record.clone(), of_owner, open: false, behind: self.octets };
        self.slots.push_back(slot);
        self.octets += packet.record.data.len() as u64;
        let mut ended = Vec::new();
        match &packet.content {
            Content::Acl(acl) => self.acl(packet, acl, number, &mut ended),
            Content::Event { event: Ok(Event::DisconnectionComplete(e)), .. } => {
                for direction in [None, Some(Direction::Sent), Some(Direction::Received)] {
                    let way = (packet.record.adapter, e.connection_handle, direction);
                    ended.extend(self.cut_off(&way));
                }
            }
            _ => {}
        }
        while self.has_waited_long() {
            ended.extend(self.give_up());
        }
        ended
    }

    /// The parts of the frame that has waited longest; they wait no more.
    pub(super) fn give_up(&mut self) -> Option<Parts> {
        let way = *self.open.iter().min_by_key(|(_, numbers)| numbers.first())?.0;
        self.cut_off(&way)
    }

    /// The record of this number, unless it was handed out.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<(&mut Record, &mut T)> {
        self.slot_mut(number).map(|slot| (&mut slot.record, &mut slot.of_owner))
    }

    /// Hands out the next record, unless it has to wait.
    pub(super) fn pop(&mut self) -> Option<(Record, T)> {
        if self.slots.front()?.open {
            return None;
        }
        let slot = self.slots.pop_front()?;
        self.first += 1;
        Some((slot.record, slot.of_owner))
    }

    fn acl(&mut self, packet: &Packet<'_>, acl: &Acl<'_>, number: u64, ended: &mut Vec<Parts>) {
        let way = (packet.record.adapter, acl.header.handle, acl.direction);
        let continues = acl.header.boundary == PacketBoundary::Continuing;
        if !continues {
            ended.extend(self.cut_off(&way));
        }
        let mut numbers = self.open.remove(&way).unwrap_or_default();
        numbers.push(number);
        let announced = match &packet.record.data[..] {
            [_, _, _, a, b, ..] => usize::from(u16::from_le_bytes([*a, *b])),
            _ => 0,
        };
        let all_there = announced <= acl.header.data.len();
        let goes_on = match (&acl.frame, acl.dropped) {
            (None, None) => all_there,
            // The frame before this one was dropped.
            (None, Some(crate::l2cap::Dropped::CutOff(_))) => all_there && !continues,
            _ => false,
        };
        if goes_on {
            self.mark(&numbers, true);
            self.open.insert(way, numbers);
            return;
        }
        self.mark(&numbers, false);
        let whole = acl
            .frame
            .as_ref()
            .is_some_and(|frame| frame.missing == 0 && usize::try_from(frame.packets) == Ok(numbers.len()));
        ended.push(Parts { numbers, whole });
    }

    fn has_waited_long(&self) -> bool {
        let Some(oldest) = self.open.values().filter_map(|numbers| numbers.first()).min() else {
            return false;
        };
        let waiting = self.octets - self.slot(*oldest).map_or(self.octets, |slot| slot.behind);
        self.next_number() - oldest > MOST_RECORDS || waiting > MOST_OCTETS
    }

    fn slot(&self, number: u64) -> Option<&Slot<T>> {
        self.slots.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn slot_mut(&mut self, number: u64) -> Option<&mut Slot<T>> {
        self.slots.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn cut_off(&mut self, way: &Way) -> Option<Parts> {
        let numbers = self.open.remove(way)?;
        self.mark(&numbers, false);
        Some(Parts { numbers, whole: false })
    }

    fn mark(&mut self, numbers: &[u64], open: bool) {
        for number in numbers {
            if let Some(slot) = self.slot_mut(*number) {
                slot.open = open;
            }
        }
    }
}
