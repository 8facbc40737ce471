//! Every method of both generations, from the first PDU to the keys.

use super::super::{
    IoCapability as Io, LocalOob, Method, OobData, PairingOptions, PeerOob, SecureConnections, SecurityLevel,
};
use super::*;

fn legacy(io: Io) -> PairingOptions {
    PairingOptions::new().io(io).mitm(true).secure_connections(SecureConnections::Off)
}

fn modern(io: Io) -> PairingOptions {
    PairingOptions::new().io(io).mitm(true).secure_connections(SecureConnections::Only)
}

/// Runs it, and says what it came to; both sides have the same keys and what either user saw was right.
fn run(central: PairingOptions, peripheral: PairingOptions) -> (Method, SecurityLevel) {
    let pair = Pair::run(central, peripheral);
    let (paired, _) = pair.paired();
    assert!(paired.bonded && paired.keys.peer_ltk.is_some() && paired.keys.local_ltk.is_some());
    assert!(paired.keys.irk.is_some() && paired.keys.identity.is_some());
    (paired.method, paired.level())
}

#[test]
fn just_works_in_both_generations() {
    let plain = PairingOptions::new;
    let pair = Pair::run(plain(), plain());
    let (paired, _) = pair.paired();
    assert_eq!((paired.method, paired.secure_connections), (Method::JustWorks, true));
    assert_eq!((paired.level(), paired.key_size), (SecurityLevel::Encrypted, 16));
    let off = || plain().secure_connections(SecureConnections::Off);
    for (central, peripheral) in [(off(), off()), (off(), plain()), (plain(), off())] {
        let pair = Pair::run(central, peripheral);
        let (paired, _) = pair.paired();
        assert_eq!((paired.method, paired.secure_connections), (Method::JustWorks, false));
        assert_eq!(paired.level(), SecurityLevel::Encrypted);
    }
}

#[test]
fn numeric_comparison_shows_the_same_number_on_both_sides() {
    for (a, b) in [(Io::DisplayYesNo, Io::DisplayYesNo), (Io::KeyboardDisplay, Io::DisplayYesNo)] {
        let pair = Pair::run(modern(a), modern(b));
        let shown = |side: &Side| match side.prompts[..] {
            [(_, Prompt::ConfirmNumber(number))] => number,
            _ => panic!("{:?}", side.prompts),
        };
        assert_eq!(shown(&pair.central), shown(&pair.peripheral));
        assert!(shown(&pair.central) < 1_000_000);
        let (paired, _) = pair.paired();
        assert_eq!(
            (paired.method, paired.level()),
            (Method::NumericComparison, SecurityLevel::SecureConnections)
        );
    }
}

#[test]
fn passkey_is_shown_by_either_side_or_typed_at_both() {
    for (a, b) in [
        (Io::DisplayOnly, Io::KeyboardOnly),
        (Io::KeyboardOnly, Io::DisplayOnly),
        (Io::KeyboardOnly, Io::KeyboardOnly),
    ] {
        let (passkey, authenticated) = (Method::PasskeyEntry, SecurityLevel::Authenticated);
        assert_eq!(run(legacy(a), legacy(b)), (passkey, authenticated), "{a} {b}");
        assert_eq!(run(modern(a), modern(b)), (passkey, SecurityLevel::SecureConnections), "{a} {b}");
    }
}

#[test]
fn secure_connections_passkey_takes_twenty_rounds() {
    let pair = Pair::run(modern(Io::KeyboardOnly), modern(Io::DisplayOnly));
    pair.paired();
    let codes = pair.codes();
    for code in [0x03, 0x04] {
        for central in [false, true] {
            assert_eq!(codes.iter().filter(|&&sent| sent == (central, code)).count(), 20);
        }
    }
    let mut nonces: Vec<_> = pair.air.iter().map(|(_, pdu)| pdu).filter(|pdu| pdu[0] == 0x04).collect();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 40, "one of its own for each round and side");
}

#[test]
fn legacy_out_of_band_takes_the_key_of_both() {
    let with = |n| {
        let data = OobData::Legacy(Key::new([n; 16]));
        PairingOptions::new().mitm(true).oob(data)
    };
    assert_eq!(run(with(0x77), with(0x77)), (Method::OutOfBand, SecurityLevel::Authenticated));
    let pair = Pair::run(with(0x77), with(0x78));
    let reason = pair.central.failed.map(|error| error.reason);
    assert_eq!(reason, Some(super::super::PairingFailedReason::ConfirmValueFailed));
    assert!(pair.central.paired.is_none() && pair.peripheral.paired.is_none());
}

#[test]
fn out_of_band_works_both_ways_and_either_way() {
    let mut rng = rng(9);
    let (a, b) = (LocalOob::generate(&mut rng), LocalOob::generate(&mut rng));
    let of = |oob: &LocalOob| Some(PeerOob::new(oob.confirm(), oob.random()));
    let with = |local: Option<&LocalOob>, peer| {
        let data = OobData::SecureConnections { local: local.cloned(), peer };
        PairingOptions::new().mitm(true).oob(data)
    };
    let expected = (Method::OutOfBand, SecurityLevel::SecureConnections);
    assert_eq!(run(with(Some(&a), of(&b)), with(Some(&b), of(&a))), expected, "both ways");
    assert_eq!(run(with(None, of(&b)), with(Some(&b), None)), expected, "to the central");
    assert_eq!(run(with(Some(&a), None), with(None, of(&a))), expected, "to the peripheral");
}

#[test]
fn a_security_request_has_the_central_pair() {
    let mut pair = Pair::new(PairingOptions::new(), PairingOptions::new());
    pair.peripheral.pair(pair.now);
    pair.settle();
    pair.paired();
    assert_eq!(pair.codes()[..2], [(false, 0x0B), (true, 0x01)]);
}
