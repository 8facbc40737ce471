//! Keys that are worth nothing, that were not asked for, or that come at the wrong time.

use super::*;

/// All keys in both directions.
fn all_keys() -> (PairingOptions, PairingOptions) {
    let all = || {
        let keys = KeyDistribution(7);
        legacy(Io::NoInputNoOutput).initiator_keys(keys).responder_keys(keys)
    };
    (all(), all())
}

#[test]
fn s6_a_long_term_key_of_zeros_is_refused() {
    for by_central in BOTH {
        let pair = changed(all_keys(), by_central, 0x06, 1, |pdu| pdu[1..].fill(0));
        key_refused(&pair, by_central, Reason::KeyRejected);
    }
    // And one of which nothing is left within the size agreed on.
    let short = || legacy(Io::NoInputNoOutput).min_key_size(7).max_key_size(7);
    let pair = changed((short(), short()), false, 0x06, 1, |pdu| {
        pdu[1..8].fill(0);
        pdu[8..].fill(0xEE);
    });
    refused(&pair, false, Reason::KeyRejected);
}

#[test]
fn s6_a_long_term_key_longer_than_agreed_on_is_cut() {
    let short = || legacy(Io::NoInputNoOutput).min_key_size(7).max_key_size(9);
    let pair = changed((short(), short()), false, 0x06, 1, |pdu| pdu[1..].fill(0xEE));
    let paired = pair.central.paired.as_ref().expect("it is a key");
    let ltk = paired.keys.peer_ltk.as_ref().expect("it was given one");
    assert_eq!(ltk.key, Key::new([0xEE; 16]).truncated(9));
}

#[test]
fn s6_what_names_a_key_comes_behind_it() {
    for by_central in BOTH {
        for (first, then) in [(0x06, 0x07), (0x08, 0x09)] {
            let mut pair = Pair::new(all_keys().0, all_keys().1);
            let mut held = None;
            pair.between = Box::new(move |central, pdu| {
                if central != by_central {
                    vec![pdu]
                } else if pdu[0] == first {
                    held = Some(pdu);
                    vec![]
                } else if pdu[0] == then {
                    vec![pdu, held.take().expect("came before")]
                } else {
                    vec![pdu]
                }
            });
            pair.begin();
            let victim = if by_central { &pair.peripheral } else { &pair.central };
            assert_eq!(victim.failed.map(|e| (e.reason, e.by)), Some((Reason::UnspecifiedReason, By::Us)));
            assert!(victim.paired.is_none());
        }
    }
}

#[test]
fn s6_keys_that_were_not_asked_for_are_ignored() {
    for by_central in BOTH {
        let options = || {
            let keys = KeyDistribution::ID_KEY;
            legacy(Io::NoInputNoOutput).initiator_keys(keys).responder_keys(keys)
        };
        let mut pair = Pair::new(options(), options());
        pair.between = Box::new(move |central, pdu| {
            if central == by_central && pdu[0] == 0x08 {
                let key = |code: u8| Bytes::from([&[code][..], &[0x5A; 16]].concat());
                let name = Bytes::from_static(&[0x07, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
                vec![key(0x06), name, key(0x0A), pdu]
            } else {
                vec![pdu]
            }
        });
        pair.begin();
        let (central, peripheral) = pair.paired();
        for keys in [&central.keys, &peripheral.keys] {
            assert!(keys.peer_ltk.is_none() && keys.csrk.is_none() && keys.irk.is_some());
        }
    }
}

#[test]
fn s6_an_identity_address_is_public_or_random_static() {
    for by_central in BOTH {
        for (kind, top) in [(1, 0x40), (1, 0x00), (1, 0x80), (2, 0xC0), (0xFF, 0xC0)] {
            let pair = changed(all_keys(), by_central, 0x09, 1, move |pdu| (pdu[1], pdu[7]) = (kind, top));
            key_refused(&pair, by_central, Reason::InvalidParameters);
        }
        // Of zeros it is none, and an identity resolving key says nothing without it.
        let pair = changed(all_keys(), by_central, 0x09, 1, |pdu| pdu[1..].fill(0));
        let victim = if by_central { &pair.peripheral } else { &pair.central };
        let keys = &victim.paired.as_ref().expect("it goes on").keys;
        assert!(keys.identity.is_none() && keys.irk.is_none() && keys.peer_ltk.is_some());
    }
}

/// Each key once, in an order of no meaning.
const KEYS: [&[u8]; 5] = [
    &[0x06, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
    &[0x07, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    &[0x08, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
    &[0x09, 1, 1, 2, 3, 4, 5, 0xC6],
    &[0x0A, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
];

/// Everything but the encryption of the link.
fn unencrypted(options: fn(Io) -> PairingOptions) -> Pair {
    let mut pair = Pair::new(options(Io::NoInputNoOutput), options(Io::NoInputNoOutput));
    pair.central.pair(pair.now);
    while pair.carry() || pair.ask() {}
    assert!(pair.central.encrypt.is_some());
    pair
}

#[test]
fn s7_keys_over_a_link_that_is_not_encrypted_are_refused() {
    for (key, options) in KEYS.into_iter().flat_map(|key| [(key, legacy as fn(_) -> _), (key, modern)]) {
        // The peripheral's controller does not even have the key.
        let mut pair = unencrypted(options);
        pair.peripheral.hear(pair.now, key);
        refused_out_of_order(&pair.peripheral);
        // Both controllers have it, and say nothing.
        for to_central in BOTH {
            let mut pair = unencrypted(options);
            assert!(pair.peripheral.manager.long_term_key(0, [0; 8]).is_some());
            let side = if to_central { &mut pair.central } else { &mut pair.peripheral };
            side.hear(pair.now, key);
            let soon = side.manager.deadline().expect("it may not be held for long");
            assert!(soon <= pair.now + Duration::from_millis(5));
            side.manager.on_timeout(soon);
            side.drain();
            refused_out_of_order(side);
            assert!(!side.manager.is_dead());
            side.encrypted(soon, Encrypted::WithPairing);
            assert!(side.paired.is_none());
        }
        // It is encrypted, but too long after for the key to have been sent over it.
        let mut pair = unencrypted(options);
        pair.central.hear(pair.now, key);
        pair.central.encrypted(pair.now + Duration::from_millis(5), Encrypted::WithPairing);
        refused_out_of_order(&pair.central);
    }
}

#[test]
fn s7_keys_that_overtake_the_event_of_encryption_are_held_for_it_and_no_more_than_there_are() {
    for options in [legacy as fn(_) -> _, modern] {
        let mut pair = unencrypted(options);
        let key = pair.central.encrypt.take();
        assert_eq!(pair.peripheral.manager.long_term_key(0, [0; 8]), key);
        pair.peripheral.encrypted(pair.now, Encrypted::WithPairing);
        while pair.carry() {}
        assert!(pair.central.paired.is_none() && pair.central.manager.is_pairing());
        pair.central.encrypted(pair.now + Duration::from_millis(2), Encrypted::WithPairing);
        pair.settle();
        pair.paired();
    }
    let mut pair = unencrypted(legacy);
    for _ in 0..6 {
        assert!(pair.central.failed.is_none());
        pair.central.hear(pair.now, KEYS[0]);
    }
    refused_out_of_order(&pair.central);
}

#[test]
fn s4_a_key_that_comes_twice_ends_the_pairing() {
    for by_central in BOTH {
        for code in [0x06, 0x07, 0x08, 0x09] {
            let mut pair = Pair::new(all_keys().0, all_keys().1);
            pair.between = Box::new(move |central, pdu| {
                let twice = central == by_central && pdu[0] == code;
                if twice { vec![pdu.clone(), pdu] } else { vec![pdu] }
            });
            pair.begin();
            refused_out_of_order(if by_central { &pair.peripheral } else { &pair.central });
        }
    }
}

#[test]
fn s7_encryption_with_another_key_starts_no_distribution() {
    let mut pair = Pair::new(legacy(Io::NoInputNoOutput), legacy(Io::NoInputNoOutput));
    pair.central.pair(pair.now);
    while pair.carry() || pair.ask() {}
    let waits = |side: &Side| side.sent.is_empty() && format!("{:?}", side.manager).contains("encrypting");
    // Before the controller has asked for the key of the pairing.
    pair.peripheral.encrypted(pair.now, Encrypted::WithPairing);
    assert!(waits(&pair.peripheral));
    // With that of a bond.
    assert!(pair.peripheral.manager.long_term_key(0, [0; 8]).is_some());
    for side in [&mut pair.peripheral, &mut pair.central] {
        side.encrypted(pair.now, Encrypted::WithBond);
        assert!(waits(side));
    }
    assert!(pair.encrypt());
    pair.settle();
    pair.paired();
}

#[test]
fn s7_the_key_of_the_pairing_is_given_out_by_its_name_and_in_its_time() {
    let mut pair = Pair::new(modern(Io::NoInputNoOutput), modern(Io::NoInputNoOutput));
    let key = |side: &mut Side, ediv, rand| side.manager.long_term_key(ediv, rand);
    pair.central.pair(pair.now);
    let mut points = [0; 2];
    while pair.carry() || pair.ask() {
        // It has proved that it knows the key when it has sent its check.
        let sent = pair.air.iter().filter(|(central, _)| !central).map(|(_, pdu)| pdu);
        let proved = sent.chain(&pair.peripheral.sent).any(|pdu| pdu[0] == 0x0D);
        assert_eq!(key(&mut pair.peripheral, 0, [0; 8]).is_some(), proved);
        points[usize::from(proved)] += 1;
    }
    assert!(points[0] > 5 && points[1] > 0);
    assert!(key(&mut pair.peripheral, 1, [0; 8]).is_none());
    assert!(key(&mut pair.peripheral, 0, [1, 0, 0, 0, 0, 0, 0, 0]).is_none());
    pair.settle();
    assert!(key(&mut pair.peripheral, 0, [0; 8]).is_none(), "it is the bond's now");
}

#[test]
fn s11_a_link_that_cannot_be_encrypted_ends_the_pairing() {
    let mut pair = Pair::new(legacy(Io::NoInputNoOutput), legacy(Io::NoInputNoOutput));
    pair.central.pair(pair.now);
    while pair.carry() || pair.ask() {}
    let status = crate::hci::ErrorCode(0x06);
    for side in [&mut pair.central, &mut pair.peripheral] {
        side.manager.on_encryption_failed(pair.now, status);
        side.drain();
        assert_eq!(side.failed.map(|error| error.by), Some(By::Link(status)));
        assert!(side.sent.is_empty() && !side.manager.is_pairing());
    }
}
