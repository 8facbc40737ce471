//! `cargo bench -p baretooth-benches --bench pairing [-- --rounds N]`
//!
//! What a pairing costs. A whole one, by Secure Connections and Numeric Comparison with bonding, is made by two Security
//! Managers in this process, and each side is timed by itself. The floor is what no such pairing can be without: a key pair
//! and an agreement on P-256.

use baretooth::hci::Role;
use baretooth::smp::{
    Answer, Encrypted, IoCapability, Key, LocalIdentity, Output, PairingOptions, SecureConnections,
    SecurityManager,
};
use baretooth::{Address, BdAddr, Instant};
use baretooth_benches::measure::{Spread, Stopwatch};
use p256::SecretKey;
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::hint::black_box;
use std::time::Duration;

fn main() {
    let rounds: usize =
        option("--rounds").map_or(Ok(101), |value| value.parse()).expect("--rounds takes a number");
    println!("median (min..max) of {rounds} alternating rounds");
    println!("{:12}{:>26}{:>26}{:>20}", "side", "floor, µs", "own, µs", "x floor");
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let peer = SecretKey::from_slice(&[7; 32]).expect("below the order").public_key().to_sec1_point(false);
    let (mut floor, mut central, mut peripheral) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        floor.push(microseconds(|| agree(&mut rng, peer.as_bytes())));
        let [c, p] = pair(&mut rng);
        central.push(c);
        peripheral.push(p);
    }
    row("central", &floor, &central);
    row("peripheral", &floor, &peripheral);
}

/// What both sides do in every pairing by Secure Connections.
fn agree(rng: &mut ChaCha20Rng, peer: &[u8]) {
    let mut octets = [0; 32];
    rng.fill_bytes(&mut octets);
    let private = SecretKey::from_slice(&octets).expect("all but one of 2^32 numbers are keys");
    black_box(private.public_key().to_sec1_point(false));
    let peer = p256::PublicKey::from_sec1_bytes(peer).expect("a point of the curve");
    black_box(diffie_hellman(private.to_nonzero_scalar(), peer.as_affine()));
}

/// Microseconds of the central and of the peripheral.
fn pair(rng: &mut ChaCha20Rng) -> [f64; 2] {
    let addresses =
        [Address::random(BdAddr([1, 0, 0, 0, 0, 0xC0])), Address::random(BdAddr([2, 0, 0, 0, 0, 0xC0]))];
    let mut central = Side::new(Role::Central, addresses);
    let mut peripheral = Side::new(Role::Peripheral, [addresses[1], addresses[0]]);
    central.act(|side| {
        side.manager.pair(Instant::START, &side.options, side.identity.clone(), rng).expect("the first")
    });
    let mut encrypted = false;
    while !(central.paired && peripheral.paired) {
        let sent = [central.take(rng), peripheral.take(rng)];
        let silent = sent.iter().all(Vec::is_empty) && !(central.paired && peripheral.paired);
        for (side, pdus) in [&mut peripheral, &mut central].into_iter().zip(sent) {
            side.act(|side| pdus.iter().for_each(|pdu| side.manager.on_pdu(Instant::START, pdu, rng)));
        }
        if silent {
            assert!(!std::mem::replace(&mut encrypted, true), "the pairing stands still");
            peripheral.act(|side| side.manager.long_term_key(0, [0; 8]).expect("the key of the pairing"));
            for side in [&mut peripheral, &mut central] {
                side.act(|side| side.manager.on_encrypted(Instant::START, Encrypted::WithPairing, rng));
            }
        }
    }
    [central.time, peripheral.time].map(|time| time.as_secs_f64() * 1e6)
}

/// One of the two, and how long it has been at work.
struct Side {
    manager: SecurityManager,
    options: PairingOptions,
    identity: LocalIdentity,
    paired: bool,
    time: Duration,
}

impl Side {
    fn new(role: Role, [local, peer]: [Address; 2]) -> Self {
        let key = |octet| Key::new([octet; 16]);
        Self {
            manager: SecurityManager::new(role, local, peer),
            options: PairingOptions::new()
                .io(IoCapability::DisplayYesNo)
                .mitm(true)
                .secure_connections(SecureConnections::Only),
            identity: LocalIdentity { irk: key(1), address: local, csrk: key(2) },
            paired: false,
            time: Duration::ZERO,
        }
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Self) -> T) {
        let watch = Stopwatch::start();
        black_box(act(self));
        self.time += watch.wall();
    }

    /// Does what it is asked for; the PDUs for the other side.
    fn take(&mut self, rng: &mut ChaCha20Rng) -> Vec<Vec<u8>> {
        let mut pdus = Vec::new();
        self.act(|side| {
            while let Some(output) = side.manager.poll_output() {
                let now = Instant::START;
                match output {
                    Output::Send(pdu) => pdus.push(pdu.to_vec()),
                    Output::Asked(_) => {
                        side.manager.accept(now, &side.options, side.identity.clone(), rng).expect("asked");
                    }
                    Output::Prompt { id, .. } => {
                        side.manager.answer(now, id, Answer::Yes, rng);
                    }
                    Output::Paired(paired) => {
                        assert!(paired.authenticated && paired.secure_connections);
                        side.paired = true;
                    }
                    Output::Failed(error) => panic!("{error}"),
                    Output::Encrypt { .. } | Output::SecurityRequested { .. } => {}
                }
            }
        });
        pdus
    }
}

fn row(name: &str, floor: &[f64], own: &[f64]) {
    let ratio = Spread::of(own.iter().zip(floor).map(|(own, floor)| own / floor));
    let (floor, own) = (Spread::of(floor.iter().copied()), Spread::of(own.iter().copied()));
    println!("{name:12}{floor:26.1}{own:26.1}{ratio:20.2}");
}

fn microseconds(act: impl FnOnce()) -> f64 {
    let watch = Stopwatch::start();
    act();
    watch.wall().as_secs_f64() * 1e6
}

fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
