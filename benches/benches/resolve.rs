//! `cargo bench -p baretooth-benches --bench resolve [-- --rounds N]`
//!
//! What it costs to see through a resolvable private address: one that was never heard, by the number of identity
//! resolving keys that it is tried with, beside one that was heard before.

use baretooth::gap::privacy::Resolver;
use baretooth::smp::Key;
use baretooth::{Address, BdAddr};
use baretooth_benches::measure::{Spread, Stopwatch};
use std::hint::black_box;

/// Addresses of one measurement: so few that most are not interrupted, and fewer than a resolver remembers.
const COUNT: u32 = 100;

/// The most that a new address may cost with a thousand keys, in nanoseconds.
const GOAL: f64 = 10_000.0;

fn main() {
    let rounds: usize =
        option("--rounds").map_or(Ok(301), |value| value.parse()).expect("--rounds takes a number");
    println!("median (min..max) of {rounds} alternating rounds of {COUNT}");
    println!("{:>6}{:>26}{:>26}{:>12}", "keys", "heard before, ns", "new, ns", "goal, ns");
    for keys in [1, 10, 100, 1_000] {
        let (mut before, mut new) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let mut resolver = knowing(keys);
            let addresses = strangers(u32::try_from(round).unwrap_or_default());
            new.push(nanoseconds(|| resolve(&mut resolver, &addresses)));
            before.push(nanoseconds(|| resolve(&mut resolver, &addresses)));
        }
        let goal = if keys == 1_000 { GOAL.to_string() } else { String::new() };
        println!("{keys:>6}{:26.0}{:26.0}{goal:>12}", Spread::of(before), Spread::of(new));
    }
}

fn knowing(peers: u32) -> Resolver {
    let peer = |n: u32| {
        let [a, b, c, d] = n.to_le_bytes();
        let identity = Address::public(BdAddr([a, b, c, d, 0, 0]));
        (identity, Key::new([a, b, c, d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]))
    };
    let peers: Vec<_> = (0..peers).map(peer).collect();
    let mut resolver = Resolver::new();
    resolver.set(peers.iter().map(|(identity, key)| (*identity, key)));
    resolver
}

/// Addresses that nobody's key has made, but for chance.
fn strangers(round: u32) -> Vec<Address> {
    let address = |n: u32| {
        let [a, b, c, _] = (round * COUNT + n).to_le_bytes();
        Address::random(BdAddr([0x5A, 0xA5, 0x5A, a, b, c & 0x3F | 0x40]))
    };
    (0..COUNT).map(address).collect()
}

fn resolve(resolver: &mut Resolver, addresses: &[Address]) {
    for address in addresses {
        black_box(resolver.resolve(*address));
    }
}

fn nanoseconds(act: impl FnOnce()) -> f64 {
    let watch = Stopwatch::start();
    act();
    watch.wall().as_secs_f64() * 1e9 / f64::from(COUNT)
}

fn option(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}
