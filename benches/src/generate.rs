//! Captures made from nothing but a seed, the same octets on every machine.
//!
//! Owns the workloads and their mixture. Must never read a clock, a file or the machine's randomness: figures of
//! two machines are comparable because the input is, and the tests below hold its SHA-256.

mod capture;
mod discovery;
mod mixed;
mod packets;
mod random;

pub use capture::{Capture, Contents, Record, records};

use capture::{Direction, Group};
use random::Random;

/// What the generated packets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A busy place: mostly legacy advertising, some extended, four connections with notifications, write commands,
    /// credits and a few commands. Connection 2 fragments at 27 octets, the others at 251, and the fragments of
    /// different connections interleave.
    Mixed,
    /// Sessions one after the other: connect, discover five services, read, subscribe, disconnect. Periodic, so a
    /// branch predictor learns it: good as a test, not as a figure.
    Discovery,
    /// Legacy advertising reports alone.
    Advertising,
    /// Notifications on four connections alone.
    Notifications,
}

impl Workload {
    /// The workload of a name on the command line: `mix`, `disc`, `adv` or `notif`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "mix" => Some(Self::Mixed),
            "disc" => Some(Self::Discovery),
            "adv" => Some(Self::Advertising),
            "notif" => Some(Self::Notifications),
            _ => None,
        }
    }
}

/// Makes a btsnoop capture (version 1, data link 1002: H4) of exactly `count` records.
///
/// ```
/// use baretooth_benches::generate::{Workload, generate, records};
/// let capture = generate(Workload::Mixed, 1_000);
/// assert_eq!(records(&capture.octets).count(), 1_000);
/// ```
pub fn generate(workload: Workload, count: u64) -> Capture {
    let mut capture = Capture::new(count);
    let mut random = Random::new(SEED);
    let advertisers: Vec<[u8; 6]> = (0..ADVERTISERS).map(|_| static_address(&mut random)).collect();
    capture.push(Direction::ToController, &packets::command(0x0C03, &[]), 10, Group::Other);
    capture.push(Direction::ToHost, &packets::command_complete(0x0C03, &[0]), 400, Group::Other);
    match workload {
        Workload::Discovery => discovery::fill(&mut capture, &mut random, &advertisers),
        _ => mixed::fill(workload, &mut capture, &mut random, &advertisers),
    }
    capture
}

fn static_address(random: &mut Random) -> [u8; 6] {
    let [a, b, c, d, e, f, ..] = random.next().to_le_bytes();
    [a, b, c, d, e, f | 0xC0]
}

const SEED: u64 = 0x1234_5678;
const ADVERTISERS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn sha256(workload: Workload, count: u64) -> String {
        Sha256::digest(generate(workload, count).octets).iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn every_machine_gets_the_same_octets() {
        let expected = [
            (Workload::Mixed, "3cb61d1e40d944e05b9e18b4a0e8bd081c1ba7f45a4a6873d7b8655257facdf4"),
            (Workload::Discovery, "f1a2e82034974c34ca02f39f03fc397c3f665afb75bf58880a8c1fdf99045ce0"),
            (Workload::Advertising, "e344220213c02fb0eb27bed39d0a24f4d22a9939261363f05f90acf06a681a17"),
            (Workload::Notifications, "e6345306c65820b32b0a79ef57c2cfd8eb9d19b9d25c5c359dced3d77055210a"),
        ];
        for (workload, digest) in expected {
            assert_eq!(sha256(workload, 200_000), digest, "{workload:?}");
        }
    }

    #[test]
    fn the_contents_count_every_record_once() {
        let capture = generate(Workload::Mixed, 20_000);
        let Contents { legacy_advertising, extended_advertising, acl, credits, other } = capture.contents;
        assert_eq!(legacy_advertising + extended_advertising + acl + credits + other, 20_000);
        assert!([legacy_advertising, extended_advertising, acl, credits, other].iter().all(|&n| n > 400));
        assert_eq!(records(&capture.octets).count(), 20_000);
    }

    #[test]
    fn a_longer_capture_begins_with_the_shorter_one() {
        let (short, long) = (generate(Workload::Mixed, 100), generate(Workload::Mixed, 200));
        assert_eq!(records(&short.octets).count(), 100);
        assert!(long.octets.starts_with(&short.octets));
    }

    #[test]
    fn reading_stops_at_a_record_that_is_cut_off() {
        let capture = generate(Workload::Mixed, 3);
        assert_eq!(records(&capture.octets[..capture.octets.len() - 1]).count(), 2);
        assert_eq!(records(&capture.octets[..10]).count(), 0);
    }
}
