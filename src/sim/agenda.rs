//! What happens when on the air, and the one source of chance. Both depend on the seed and the inputs alone.

use super::{AdvertiserId, ControllerId, DeviceId, LinkId};
use crate::Instant;
use crate::transports::HciPacket;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;

/// Something due at a moment.
#[derive(Debug)]
pub(super) enum Wake {
    /// An advertising event ([Vol 6] Part B, 4.4.2).
    Advertise(AdvertiserId),
    /// A connection event of a link that has something to say ([Vol 6] Part B, 4.5.1).
    ConnectionEvent(LinkId),
    /// The supervision time-out of a link on which nobody is heard ([Vol 6] Part B, 4.5.2).
    Supervision(LinkId),
    /// The host of a peripheral has not said for too long which key it has for a link.
    KeyTimeout(LinkId),
    /// The application of a device asked to be called.
    Device(DeviceId),
    /// The security manager of a device, or its user, has waited long enough.
    Responder(DeviceId),
    /// A controller has had the time that a command takes.
    Command(ControllerId),
    /// The duration of an extended scan is over.
    ScanTimeout(ControllerId),
    /// A controller has used its private addresses for long enough.
    Addresses(ControllerId),
    /// An event that a controller has ready, after the answer of the command that made it.
    Send(ControllerId, HciPacket),
}

/// The place of an entry, to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(Instant, u64);

/// Entries by time; those of one moment in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BTreeMap<Ticket, Wake>,
    made: u64,
}

impl Agenda {
    pub(super) fn at(&mut self, when: Instant, wake: Wake) -> Ticket {
        let ticket = Ticket(when, self.made);
        self.made += 1;
        self.entries.insert(ticket, wake);
        ticket
    }

    pub(super) fn cancel(&mut self, ticket: Ticket) {
        self.entries.remove(&ticket);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(ticket, _)| ticket.0)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Wake)> {
        let entry = self.entries.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (ticket, wake) = entry.remove_entry();
        Some((ticket.0, wake))
    }
}

/// Seeded chance.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `end`; 0 when `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.0.next_u64() % end }
    }

    /// Whether something happens that happens `per_mille` times of 1000.
    pub(super) fn chance(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && self.below(1000) < u64::from(per_mille)
    }

    /// A delay of at most `longest`, in microseconds.
    pub(super) fn delay(&mut self, longest: Duration) -> Duration {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX - 1);
        if micros == 0 { Duration::ZERO } else { Duration::from_micros(self.below(micros + 1)) }
    }

    /// For who draws as much as it needs.
    pub(super) fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    pub(super) fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.0.fill_bytes(&mut octets);
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_moment_come_in_the_order_they_were_made() {
        let mut agenda = Agenda::default();
        let at = |ms| Instant::START + Duration::from_millis(ms);
        for (when, id) in [(2, 0), (1, 1), (2, 2), (1, 3)] {
            agenda.at(at(when), Wake::Device(DeviceId(id)));
        }
        let order: Vec<_> = std::iter::from_fn(|| agenda.pop_due(at(2)))
            .map(|(_, wake)| match wake {
                Wake::Device(id) => id.0,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(order, [1, 3, 0, 2]);
    }

    #[test]
    fn nothing_comes_before_its_time_or_after_it_was_taken_back() {
        let mut agenda = Agenda::default();
        let later = Instant::START + Duration::from_millis(1);
        let ticket = agenda.at(later, Wake::Device(DeviceId(0)));
        assert!(agenda.pop_due(Instant::START).is_none());
        assert_eq!(agenda.next(), Some(later));
        agenda.cancel(ticket);
        assert!(agenda.pop_due(later).is_none());
    }

    #[test]
    fn chance_follows_its_odds_and_the_seed() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            (0..10_000).map(|_| dice.chance(250)).collect::<Vec<_>>()
        };
        let hits = rolls(1).iter().filter(|hit| **hit).count();
        assert!((2300..2700).contains(&hits), "{hits} of 10000");
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
    }
}
