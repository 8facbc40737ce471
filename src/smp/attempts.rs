//! How long a peer that failed to pair has to wait ([Vol 3] Part H, 2.3.6). Of all links, and longer than any.

use crate::{Address, Instant};
use std::collections::BTreeMap;
use std::time::Duration;

/// The wait after the first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(512);
/// Without a failure for as long as this and the wait itself, one failure is forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);
/// Peers remembered.
const PEERS: usize = 256;

/// Failures to pair, by peer. A peer with many addresses has many entries: what it gains is bounded by how many links it
/// can make.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    peers: BTreeMap<Address, Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn wait(self) -> Duration {
        let doubled = 1_u32.checked_shl(self.count.saturating_sub(1)).unwrap_or(u32::MAX);
        FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT)
    }

    /// What is left of them at a time.
    fn at(mut self, now: Instant) -> Option<Self> {
        while self.count > 0 && now.since(self.last) >= self.wait() + FORGIVEN_AFTER {
            self.last = self.last + self.wait() + FORGIVEN_AFTER;
            self.count -= 1;
        }
        (self.count > 0).then_some(self)
    }
}

impl Attempts {
    /// Nobody failed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A pairing with the peer failed, and [`is_attempt`](super::PairingError::is_attempt) said that it counts.
    pub fn on_failed(&mut self, now: Instant, peer: Address) {
        let before = self.peers.get(&peer).and_then(|failures| failures.at(now));
        if before.is_none() && self.peers.len() >= PEERS {
            self.peers.retain(|_, failures| failures.at(now).is_some());
        }
        if before.is_none() && self.peers.len() >= PEERS {
            // The one whose wait is over first has least to lose.
            let first = self.peers.iter().min_by_key(|(_, failures)| failures.last + failures.wait());
            if let Some(first) = first.map(|(peer, _)| *peer) {
                self.peers.remove(&first);
            }
        }
        // So many doublings are longer than the longest wait.
        let count = before.map_or(0, |failures| failures.count).saturating_add(1).min(16);
        self.peers.insert(peer, Failures { count, last: now });
    }

    /// A pairing with the peer succeeded.
    pub fn on_paired(&mut self, peer: Address) {
        self.peers.remove(&peer);
    }

    /// How long the peer has still to wait; `None` when it may pair.
    pub fn wait(&self, now: Instant, peer: Address) -> Option<Duration> {
        let failures = self.peers.get(&peer)?.at(now)?;
        let left = (failures.last + failures.wait()).since(now);
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BdAddr;

    fn peer(n: u16) -> Address {
        let [a, b] = n.to_le_bytes();
        Address::random(BdAddr([a, b, 0, 0, 0, 0xC0]))
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn s13_each_failure_doubles_the_wait_up_to_a_bound() {
        let mut attempts = Attempts::new();
        let mut now = at(5);
        assert_eq!(attempts.wait(now, peer(1)), None);
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512] {
            attempts.on_failed(now, peer(1));
            let expected = Duration::from_secs(expected);
            assert_eq!(attempts.wait(now, peer(1)), Some(expected));
            assert_eq!(attempts.wait(now, peer(2)), None, "the peer's own");
            now = now + expected;
            assert_eq!(attempts.wait(now, peer(1)), None, "it may try again");
        }
    }

    #[test]
    fn s13_time_and_success_forgive() {
        let mut attempts = Attempts::new();
        for _ in 0..3 {
            attempts.on_failed(at(0), peer(1));
        }
        let mut later = attempts.clone();
        later.on_failed(at(604), peer(1));
        assert_eq!(later.wait(at(604), peer(1)), Some(Duration::from_secs(4)), "one was forgotten");
        attempts.on_paired(peer(1));
        attempts.on_failed(at(700), peer(1));
        assert_eq!(attempts.wait(at(700), peer(1)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn s13_any_number_of_peers_takes_bounded_memory_and_the_worst_stays() {
        let mut attempts = Attempts::new();
        for _ in 0..8 {
            attempts.on_failed(at(0), peer(0));
        }
        for n in 1..2000 {
            attempts.on_failed(at(1), peer(n));
        }
        assert_eq!(attempts.peers.len(), PEERS);
        assert!(attempts.wait(at(1), peer(0)).is_some());
    }
}
