//! `cargo bench -p baretooth-benches --bench decode [-- --rounds N --records N]`
//!
//! How long a packet takes to decode, beside the least any decoder must do (`walk`) and beside `bt-hci`. All decoders
//! take turns in each round, and a ratio is made within its round, so a busy machine disturbs both sides alike.

mod ours;
mod peers;

use baretooth_benches::generate::{Workload, generate};
use baretooth_benches::measure::{Spread, Stopwatch};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::hint::black_box;

/// One way of reading a capture.
trait Decoder {
    /// As printed.
    fn name(&self) -> &'static str;
    /// What of a packet it reads, as printed.
    fn work(&self) -> &'static str;
    /// Reads all of `capture`.
    fn decode(&mut self, capture: &Bytes) -> Outcome;
}

/// What reading a capture has given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// Records read.
    records: u64,
    /// Advertising reports seen one by one.
    reports: u64,
    /// AD structures in them.
    structures: u64,
    /// ATT PDUs seen whole.
    pdus: u64,
    /// Packets that could not be read.
    errors: u64,
    /// Made of every value read, so that reading it cannot be optimised away.
    checksum: u64,
}

impl Outcome {
    fn add(&mut self, value: impl Into<u64>) {
        self.checksum = self.checksum.wrapping_add(value.into());
    }
}

fn main() {
    let rounds = option("--rounds").unwrap_or(31);
    let records = option("--records").unwrap_or(200_000);
    let capture = Bytes::from(generate(Workload::Mixed, records).octets);
    println!("mix, {records} records, {} octets, sha256 {}", capture.len(), digest(&capture));

    let mut decoders: Vec<Box<dyn Decoder>> = vec![
        Box::new(peers::Walk),
        Box::new(peers::BtHci),
        Box::new(ours::Borrowed),
        Box::new(ours::Packets),
    ];
    let outcomes: Vec<Outcome> = decoders.iter_mut().map(|decoder| decoder.decode(&capture)).collect();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); decoders.len()];
    for _ in 0..rounds {
        for (decoder, times) in decoders.iter_mut().zip(&mut times) {
            let watch = Stopwatch::start();
            black_box(decoder.decode(black_box(&capture)));
            times.push(watch.wall().as_secs_f64() * 1e9);
        }
    }

    let ratio = |of: &[f64], to: &[f64]| Spread::of(of.iter().zip(to).map(|(of, to)| of / to));
    println!("median (min..max) of {rounds} alternating rounds");
    println!("{:18}{:>24}{:>20}{:>20}  what is read", "decoder", "ns/packet", "x walk", "x bt-hci");
    for ((decoder, outcome), own) in decoders.iter().zip(&outcomes).zip(&times) {
        let packets = f64::from(u32::try_from(outcome.records.max(1)).unwrap_or(u32::MAX));
        let [walk, bt_hci, ..] = times.as_slice() else { return };
        println!(
            "{:18}{:24.1}{:20.2}{:20.2}  {}",
            decoder.name(),
            Spread::of(own.iter().map(|time| time / packets)),
            ratio(own, walk),
            ratio(own, bt_hci),
            decoder.work(),
        );
    }
    for (decoder, outcome) in decoders.iter().zip(&outcomes) {
        println!("{:18}{outcome:?}", decoder.name());
    }
    agree(&outcomes);
}

/// A figure is worth nothing when a decoder has skipped something: the same records, reports and AD structures for
/// all that read them, no errors, and as many ATT PDUs both ways of ours.
fn agree(outcomes: &[Outcome]) {
    let [walk, bt_hci, ours @ ..] = outcomes else { return };
    for other in outcomes {
        assert_eq!((other.records, other.errors), (walk.records, 0), "records, errors");
    }
    for ours in ours {
        assert_eq!(
            (ours.reports, ours.structures),
            (bt_hci.reports, bt_hci.structures),
            "reports, structures"
        );
        assert!(ours.pdus > 0, "no ATT PDU was seen");
    }
    assert!(ours.windows(2).all(|pair| pair[0] == pair[1]), "two ways of the same decoder differ");
}

fn option(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    let value = arguments.nth(1)?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} takes a number, not {value}")))
}

fn digest(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}
