//! Which keys are given to whom, in what order, and how long they are.

use super::super::{KeyDistribution, SecureConnections};
use super::*;

const ALL: KeyDistribution = KeyDistribution(0x0F);

fn with(sc: SecureConnections, initiator: KeyDistribution, responder: KeyDistribution) -> PairingOptions {
    PairingOptions::new().secure_connections(sc).initiator_keys(initiator).responder_keys(responder)
}

/// What went over the air after encryption.
fn distributed(pair: &Pair) -> Vec<(bool, u8)> {
    pair.codes().into_iter().filter(|(_, code)| (0x06..=0x0A).contains(code)).collect()
}

#[test]
fn legacy_keys_come_in_their_order_the_responders_first() {
    let options = || with(SecureConnections::Off, ALL, ALL);
    let pair = Pair::run(options(), options());
    let (paired, _) = pair.paired();
    assert!(paired.keys.csrk.is_some() && paired.keys.local_csrk.is_some() && paired.keys.irk.is_some());
    let side = |central| [6, 7, 8, 9, 10].map(|code| (central, code));
    assert_eq!(distributed(&pair), [side(false), side(true)].concat());
    let (peer, local) = (&paired.keys.peer_ltk, &paired.keys.local_ltk);
    assert_ne!(peer.as_ref().map(|ltk| &ltk.key), local.as_ref().map(|ltk| &ltk.key));
    assert!(peer.as_ref().is_some_and(|ltk| ltk.ediv != 0 && ltk.rand != [0; 8]));
}

#[test]
fn secure_connections_sends_no_long_term_key() {
    let options = || with(SecureConnections::Only, ALL, ALL);
    let pair = Pair::run(options(), options());
    let (paired, _) = pair.paired();
    let side = |central| [8, 9, 10].map(|code| (central, code));
    assert_eq!(distributed(&pair), [side(false), side(true)].concat());
    assert_eq!(paired.keys.peer_ltk, paired.keys.local_ltk);
    assert!(paired.keys.peer_ltk.as_ref().is_some_and(|ltk| (ltk.ediv, ltk.rand) == (0, [0; 8])));
    assert_eq!(paired.keys.link_key, None, "nobody asked for one");
}

#[test]
fn every_choice_of_keys_is_complete() {
    for sc in [SecureConnections::Off, SecureConnections::Only] {
        for (initiator, responder) in (0..8).flat_map(|i| (0..8).map(move |r| (i, r))) {
            let (i, r) = (KeyDistribution(initiator), KeyDistribution(responder));
            let pair = Pair::run(with(sc, i, r), with(sc, ALL, ALL));
            let (central, _) = pair.paired();
            let keys = &central.keys;
            let modern = sc == SecureConnections::Only;
            let there = |of: KeyDistribution, what| of.contains(what);
            assert_eq!(keys.peer_ltk.is_some(), modern || there(r, KeyDistribution::ENC_KEY));
            assert_eq!(keys.local_ltk.is_some(), modern || there(i, KeyDistribution::ENC_KEY));
            assert_eq!(keys.irk.is_some(), there(r, KeyDistribution::ID_KEY));
            assert_eq!(keys.identity.is_some(), there(r, KeyDistribution::ID_KEY));
            assert_eq!(keys.csrk.is_some(), there(r, KeyDistribution::SIGN_KEY));
            assert_eq!(keys.local_csrk.is_some(), there(i, KeyDistribution::SIGN_KEY));
            assert_eq!(central.bonded, keys.peer_ltk.is_some() || keys.local_ltk.is_some(), "else no bond");
        }
    }
}

#[test]
fn without_a_bond_on_either_side_no_key_is_sent() {
    for (a, b) in [(false, true), (true, false), (false, false)] {
        for sc in [SecureConnections::Off, SecureConnections::Only] {
            let pair = Pair::run(with(sc, ALL, ALL).bonding(a), with(sc, ALL, ALL).bonding(b));
            let (paired, _) = pair.paired();
            assert!(!paired.bonded && distributed(&pair).is_empty());
        }
    }
}

#[test]
fn shorter_keys_are_agreed_on_and_cut_on_both_sides() {
    for sc in [SecureConnections::Off, SecureConnections::Allowed] {
        for size in 7..=16 {
            let pair = Pair::run(
                with(sc, ALL, ALL).min_key_size(7),
                with(sc, ALL, ALL).min_key_size(7).max_key_size(size),
            );
            let (paired, _) = pair.paired();
            assert_eq!(paired.key_size, size);
            let long_term = [&paired.keys.peer_ltk, &paired.keys.local_ltk].into_iter().flatten();
            for key in long_term.map(|ltk| &ltk.key).chain(&pair.key) {
                let (kept, cut) = key.octets().split_at(size.into());
                assert!(cut.iter().all(|&octet| octet == 0) && kept.iter().any(|&octet| octet != 0));
            }
        }
    }
}

#[test]
fn s16_a_link_key_is_derived_only_where_both_ask_for_it() {
    let options = |cross| with(SecureConnections::Only, ALL, ALL).cross_transport(cross);
    for (a, b, derived) in [(true, true, true), (true, false, false), (false, true, false)] {
        let pair = Pair::run(options(a), options(b));
        let (paired, _) = pair.paired();
        assert_eq!(paired.keys.link_key.is_some(), derived);
    }
    let cleared = Pair::run(options(false), options(true));
    let request = &cleared.air[0].1;
    assert_eq!((request[5] & 8, request[6] & 8, request[3] & 0x20), (0, 0, 0));
}

#[test]
fn an_identity_resolving_key_of_zeros_is_none() {
    let mut pair = Pair::new(PairingOptions::new(), PairingOptions::new());
    pair.peripheral.identity.irk = Key::new([0; 16]);
    pair.begin();
    let (central, peripheral) = pair.paired();
    assert_eq!((&central.keys.irk, peripheral.keys.irk.is_some()), (&None, true));
    assert_eq!(central.keys.identity, Some(pair.peripheral.identity.address));
}
