//! S17: nothing that prints shows a key or a passkey, whatever the state.

use super::super::{IoCapability as Io, KeyDistribution, LocalOob, OobData, PeerOob, SecureConnections};
use super::*;

/// How octets might be printed: hexadecimal in both cases, as a list of numbers or as a text, in either order.
fn spellings(octets: &[u8]) -> Vec<String> {
    let reversed: Vec<u8> = octets.iter().rev().copied().collect();
    let mut spellings = Vec::new();
    for octets in [octets, &reversed] {
        // A part is too much already.
        for part in octets.windows(4) {
            spellings.push(part.iter().map(|octet| format!("{octet:02x}")).collect());
            spellings.push(part.iter().map(|octet| format!("{octet:02X}")).collect());
            let escaped = format!("{:?}", Bytes::copy_from_slice(part));
            spellings.push(escaped.trim_start_matches("b\"").trim_end_matches('"').to_owned());
            spellings.push(part.iter().map(u8::to_string).collect::<Vec<_>>().join(", "));
            spellings.push(part.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" "));
        }
    }
    spellings
}

fn secrets(pair: &Pair) -> Vec<Vec<u8>> {
    let mut secrets = Vec::new();
    for side in [&pair.central, &pair.peripheral] {
        let identity = &side.identity;
        secrets.extend([&identity.irk, &identity.csrk].map(|key| key.octets().to_vec()));
        let paired = side.paired.as_ref().expect("it is complete");
        for ltk in [&paired.keys.peer_ltk, &paired.keys.local_ltk].into_iter().flatten() {
            secrets.push(ltk.key.octets().to_vec());
        }
    }
    secrets
}

#[test]
fn s17_no_state_prompt_or_output_shows_a_key_or_a_passkey() {
    let all = |generation, io| {
        let keys = KeyDistribution(7);
        let options = PairingOptions::new().io(io).mitm(true).secure_connections(generation);
        options.initiator_keys(keys).responder_keys(keys).passkey(Passkey::new(718_293).expect("six digits"))
    };
    let (legacy, modern) = (|io| all(SecureConnections::Off, io), |io| all(SecureConnections::Only, io));
    let mut rng = rng(1);
    let oob = [LocalOob::generate(&mut rng), LocalOob::generate(&mut rng)];
    let data = |local: usize, peer: usize| OobData::SecureConnections {
        local: Some(oob[local].clone()),
        peer: Some(PeerOob::new(oob[peer].confirm(), oob[peer].random())),
    };
    for (central, peripheral) in [
        (legacy(Io::KeyboardOnly), legacy(Io::DisplayOnly)),
        (legacy(Io::NoInputNoOutput).mitm(false), legacy(Io::NoInputNoOutput).mitm(false)),
        (modern(Io::DisplayOnly), modern(Io::KeyboardOnly)),
        (modern(Io::DisplayYesNo), modern(Io::DisplayYesNo)),
        (modern(Io::NoInputNoOutput).oob(data(0, 1)), modern(Io::NoInputNoOutput).oob(data(1, 0))),
    ] {
        let mut pair = Pair::new(central, peripheral);
        for side in [&mut pair.central, &mut pair.peripheral] {
            (side.identity.irk, side.identity.csrk) = (Key::generate(&mut rng), Key::generate(&mut rng));
        }
        pair.central.pair(pair.now);
        let mut printed = String::new();
        let mut states = 0;
        loop {
            for side in [&pair.central, &pair.peripheral] {
                printed += &format!("{:?}{:#?}{:?}", side.manager, side.manager, side.options);
                printed += &format!("{:?}{:?}{:?}", side.prompts, side.paired, side.identity);
            }
            states += 1;
            if !pair.step() {
                break;
            }
        }
        assert!(states > 8);
        for side in [&pair.central, &pair.peripheral] {
            printed += &side.printed;
        }
        let mut secrets = secrets(&pair);
        secrets.extend(oob.iter().flat_map(|oob| [oob.random().to_vec(), oob.confirm().to_vec()]));
        assert!(!printed.contains("718293"));
        for secret in secrets {
            for spelling in spellings(&secret) {
                assert!(!printed.contains(&spelling), "{spelling} is in what is printed");
            }
        }
        assert!(printed.contains("Key(..)") && printed.contains("Send(Pairing"), "something is printed");
    }
}
