//! A peer, or somebody in the middle, that sends what it should not: cases of the list of attacks, by their numbers.

mod keys;
mod requests;

use super::super::{
    AuthReq, By, IoCapability as Io, KeyDistribution, LocalOob, OobData, PairingFailedReason as Reason,
    PeerOob, SecureConnections,
};
use super::*;
use std::time::Duration;

fn legacy(io: Io) -> PairingOptions {
    PairingOptions::new().io(io).secure_connections(SecureConnections::Off)
}

fn modern(io: Io) -> PairingOptions {
    PairingOptions::new().io(io).secure_connections(SecureConnections::Only)
}

/// Runs a pairing in which the `nth` PDU of a code that one side sends is changed on its way.
fn changed(
    options: (PairingOptions, PairingOptions),
    by_central: bool,
    code: u8,
    nth: usize,
    change: impl Fn(&mut Vec<u8>) + 'static,
) -> Pair {
    let mut pair = Pair::new(options.0, options.1);
    let mut seen = 0;
    pair.between = Box::new(move |central, pdu| {
        let mut pdu = pdu.to_vec();
        if central == by_central && pdu[0] == code {
            seen += 1;
            if seen == nth {
                change(&mut pdu);
            }
        }
        vec![pdu.into()]
    });
    pair.begin();
    pair
}

/// The side that was lied to refused for this reason, the other was told, and neither has a key.
fn refused(pair: &Pair, by_central: bool, reason: Reason) {
    key_refused(pair, by_central, reason);
    let liar = if by_central { &pair.central } else { &pair.peripheral };
    assert!(liar.paired.is_none());
    assert_eq!(liar.failed.map(|error| (error.reason, error.by)), Some((reason, By::Peer)));
}

/// The same for what a central may send last: it is done then.
fn key_refused(pair: &Pair, by_central: bool, reason: Reason) {
    let victim = if by_central { &pair.peripheral } else { &pair.central };
    assert!(victim.paired.is_none());
    let failed = victim.failed.unwrap_or_else(|| panic!("{:?} goes on", victim.manager));
    assert_eq!((failed.reason, failed.by), (reason, By::Us), "{}", failed.cause);
    assert!(!victim.manager.is_pairing() && victim.manager.deadline().is_none());
    let told = |(by, pdu): &(bool, Bytes)| *by != by_central && pdu[..] == [0x05, reason.0];
    assert!(pair.air.iter().any(told));
}

const BOTH: [bool; 2] = [true, false];

fn both(options: fn(Io) -> PairingOptions, io: Io) -> (PairingOptions, PairingOptions) {
    (options(io), options(io))
}

/// Both sides type, or one does.
fn passkeys(options: fn(Io) -> PairingOptions) -> [(PairingOptions, PairingOptions); 3] {
    let of = |a, b| (options(a).mitm(true), options(b).mitm(true));
    [
        of(Io::KeyboardOnly, Io::KeyboardOnly),
        of(Io::DisplayOnly, Io::KeyboardOnly),
        of(Io::KeyboardOnly, Io::DisplayOnly),
    ]
}

/// The mirror image of a point: Y becomes p - Y, least significant octet first.
fn mirrored(y: &[u8]) -> Vec<u8> {
    let mut p = [0xFF_u8; 32];
    p[12..24].fill(0);
    p[24] = 1;
    p[25..28].fill(0);
    // p = 2^256 - 2^224 + 2^192 + 2^96 - 1
    let mut borrow = 0;
    p.iter()
        .zip(y)
        .map(|(&p, &y)| {
            let difference = i16::from(p) - i16::from(y) - borrow;
            borrow = i16::from(difference < 0);
            difference.rem_euclid(256).try_into().expect("an octet")
        })
        .collect()
}

#[test]
fn s1_a_public_key_that_is_no_point_of_the_curve_is_refused() {
    let changes: [fn(&mut Vec<u8>); 5] = [
        |pdu| pdu[1..].fill(0),
        |pdu| pdu[33] ^= 1,
        |pdu| pdu[33..].fill(0),
        |pdu| pdu[1..33].fill(0xFF),
        |pdu| pdu[1..].fill(0xFF),
    ];
    for by_central in BOTH {
        for change in changes {
            let pair = changed(both(modern, Io::NoInputNoOutput), by_central, 0x0C, 1, change);
            refused(&pair, by_central, Reason::InvalidParameters);
        }
    }
}

#[test]
fn s1_our_own_public_key_is_refused_with_either_y() {
    for mirror in [false, true] {
        for method in [Io::NoInputNoOutput, Io::DisplayYesNo, Io::KeyboardOnly] {
            // The responder sends the initiator's back.
            let mut pair = Pair::new(modern(method), modern(method));
            let mut ours = Bytes::new();
            pair.between = Box::new(move |central, pdu| {
                if pdu[0] != 0x0C {
                    return vec![pdu];
                }
                if central {
                    ours = pdu.clone();
                    return vec![pdu];
                }
                let y = if mirror { mirrored(&ours[33..]) } else { ours[33..].to_vec() };
                vec![[&ours[..33], &y].concat().into()]
            });
            pair.begin();
            refused(&pair, false, Reason::InvalidParameters);
        }
    }
    // The mirror image of a point is one: only the comparison of X refuses it.
    let keys = crate::crypto::KeyPair::generate(&mut rng(1));
    let ours = keys.public();
    let y = mirrored(&ours.y).try_into().expect("as long");
    assert!(keys.agree(&crate::crypto::PublicKey { x: ours.x, y }).is_ok() && y != ours.y);
}

#[test]
fn s1_our_own_public_key_from_out_of_band_data_is_refused_from_an_initiator() {
    // The key pair of the data is known before the link is there.
    let oob = LocalOob::generate(&mut rng(3));
    let data = OobData::SecureConnections { local: Some(oob.clone()), peer: None };
    for mirror in [false, true] {
        let ours = oob.keys().public();
        let y = if mirror { mirrored(&ours.y) } else { ours.y.to_vec() };
        let mut peripheral = Side::new(Role::Peripheral, 1);
        peripheral.options = PairingOptions::new().oob(data.clone());
        peripheral.hear(Instant::START, &[0x01, 3, 1, 0x09, 16, 0, 0]);
        peripheral.accept(Instant::START);
        peripheral.hear(Instant::START, &[&[0x0C][..], &ours.x, &y].concat());
        assert_eq!(peripheral.failed.map(|error| error.reason), Some(Reason::InvalidParameters));
    }
}

#[test]
fn s1_the_debug_key_is_refused_unless_it_is_enabled() {
    let debug = || modern(Io::NoInputNoOutput).debug_keys(true);
    let plain = || modern(Io::NoInputNoOutput);
    let pair = Pair::run(debug(), plain());
    refused(&pair, true, Reason::InvalidParameters);
    let pair = Pair::run(plain(), debug());
    refused(&pair, false, Reason::InvalidParameters);
    // With it on both sides both send the same key.
    Pair::run(debug(), debug()).paired();
}

#[test]
fn s1_what_is_paired_by_the_debug_key_is_never_authenticated() {
    let debug = || modern(Io::DisplayYesNo).mitm(true).debug_keys(true);
    let pair = Pair::run(debug(), debug());
    let (paired, _) = pair.paired();
    assert!(!paired.authenticated);
}

#[test]
fn s2_a_key_size_out_of_range_or_below_ours_is_refused() {
    for by_central in BOTH {
        for size in [0, 1, 6, 7, 15, 17, 255] {
            for options in [legacy, modern] {
                let code = if by_central { 0x01 } else { 0x02 };
                let pair = changed(both(options, Io::NoInputNoOutput), by_central, code, 1, move |pdu| {
                    pdu[4] = size;
                });
                refused(&pair, by_central, Reason::EncryptionKeySize);
            }
        }
    }
}

#[test]
fn s3_every_pdu_one_octet_short_or_long_ends_the_pairing() {
    for options in [legacy, modern] {
        let all = |io| options(io).initiator_keys(KeyDistribution(7)).responder_keys(KeyDistribution(7));
        let run = || Pair::new(all(Io::NoInputNoOutput), all(Io::NoInputNoOutput));
        let mut whole = run();
        whole.begin();
        whole.paired();
        for (at, &(by_central, code)) in whole.codes().iter().enumerate() {
            for long in BOTH {
                let mut pair = run();
                let mut seen = 0;
                pair.between = Box::new(move |_, pdu| {
                    seen += 1;
                    let mut pdu = pdu.to_vec();
                    if seen == at + 1 {
                        pdu.resize(if long { pdu.len() + 1 } else { pdu.len() - 1 }, 0);
                    }
                    vec![pdu.into()]
                });
                pair.begin();
                let victim = if by_central { &pair.peripheral } else { &pair.central };
                assert!(victim.paired.is_none(), "{code:#04x}");
                if at == 0 {
                    // Nothing had begun that could fail.
                    assert!(victim.failed.is_none() && victim.asked.is_none());
                    assert_eq!(pair.central.failed.map(|e| e.reason), Some(Reason::InvalidParameters));
                } else if victim.failed.map(|e| e.by) == Some(By::Us) {
                    assert_eq!(victim.failed.map(|e| e.reason), Some(Reason::InvalidParameters));
                } else {
                    panic!("{code:#04x}: {:?}", victim.failed);
                }
            }
        }
    }
}

#[test]
fn s5_a_wrong_confirm_value_ends_legacy_pairing() {
    for by_central in BOTH {
        for options in passkeys(legacy) {
            for code in [0x03, 0x04] {
                let pair = changed(options.clone(), by_central, code, 1, |pdu| pdu[7] ^= 0x40);
                refused(&pair, by_central, Reason::ConfirmValueFailed);
            }
        }
    }
}

#[test]
fn s5_a_wrong_confirm_value_ends_the_round_it_is_of() {
    for by_central in BOTH {
        for options in passkeys(modern) {
            for (code, round) in [0x03, 0x04].into_iter().flat_map(|code| [1, 10, 20].map(|n| (code, n))) {
                let pair = changed(options.clone(), by_central, code, round, |pdu| pdu[16] ^= 1);
                refused(&pair, by_central, Reason::ConfirmValueFailed);
                let sent = pair.codes().into_iter().filter(|&sent| sent == (by_central, 0x04)).count();
                assert_eq!(sent, round, "the peer has shown nothing more");
                assert!(pair.central.failed.is_some_and(|error| error.is_attempt()));
            }
        }
    }
}

#[test]
fn s5_a_wrong_passkey_ends_at_the_first_bit_that_differs() {
    // 0b...0001 and 0b...0101: the third.
    let fixed = |options: PairingOptions| options.passkey(Passkey::new(1).expect("six digits"));
    for options in [legacy, modern] {
        let options = (fixed(options(Io::DisplayOnly).mitm(true)), options(Io::KeyboardOnly).mitm(true));
        let mut pair = Pair::new(options.0, options.1);
        pair.central.pair(pair.now);
        while pair.carry() {}
        let (id, _) = pair.peripheral.prompts[0];
        let wrong = Answer::Passkey(Passkey::new(5).expect("six digits"));
        assert!(pair.peripheral.answer(pair.now, id, wrong));
        pair.settle();
        refused(&pair, true, Reason::ConfirmValueFailed);
        let rounds = pair.codes().into_iter().filter(|&sent| sent == (true, 0x04)).count();
        let modern = pair.codes().contains(&(true, 0x0C));
        assert_eq!(rounds, if modern { 3 } else { 1 });
    }
}

#[test]
fn s5_a_wrong_check_or_one_of_zeros_ends_secure_connections() {
    let changes: [fn(&mut Vec<u8>); 2] = [|pdu| pdu[1] ^= 1, |pdu| pdu[1..].fill(0)];
    let oob = LocalOob::generate(&mut rng(3));
    let of = |local, peer| PairingOptions::new().oob(OobData::SecureConnections { local, peer });
    let peer = PeerOob::new(oob.confirm(), oob.random());
    let methods = [
        both(modern, Io::NoInputNoOutput),
        (modern(Io::DisplayYesNo).mitm(true), modern(Io::DisplayYesNo).mitm(true)),
        (modern(Io::KeyboardOnly).mitm(true), modern(Io::DisplayOnly).mitm(true)),
        (of(Some(oob), None), of(None, Some(peer))),
    ];
    for by_central in BOTH {
        for (method, change) in methods.iter().flat_map(|method| changes.map(|change| (method, change))) {
            let pair = changed(method.clone(), by_central, 0x0D, 1, change);
            refused(&pair, by_central, Reason::DhKeyCheckFailed);
        }
    }
}

#[test]
fn s5_a_nonce_other_than_the_one_committed_to_is_refused() {
    for (a, b) in [(Io::NoInputNoOutput, Io::NoInputNoOutput), (Io::DisplayYesNo, Io::DisplayYesNo)] {
        let pair = changed((modern(a), modern(b)), false, 0x04, 1, |pdu| pdu[1] ^= 1);
        refused(&pair, false, Reason::ConfirmValueFailed);
    }
}

#[test]
fn s5_features_that_were_changed_on_their_way_are_found_out() {
    // Somebody takes the wish for protection out of both PDUs; every field of them is in c1 and f6.
    let strip = |pair: &mut Pair| {
        pair.between = Box::new(|_, pdu| {
            let mut pdu = pdu.to_vec();
            if matches!(pdu[0], 0x01 | 0x02) {
                pdu[3] &= !AuthReq::MITM.0;
                pdu[1] = 3;
            }
            vec![pdu.into()]
        });
    };
    for (options, io, reason) in [
        (legacy as fn(_) -> _, Io::KeyboardDisplay, Reason::ConfirmValueFailed),
        (modern, Io::DisplayYesNo, Reason::DhKeyCheckFailed),
    ] {
        let mut pair = Pair::new(options(io), options(io));
        strip(&mut pair);
        pair.begin();
        assert!(pair.central.paired.is_none() && pair.peripheral.paired.is_none());
        let reasons = [pair.central.failed, pair.peripheral.failed].map(|e| e.map(|e| e.reason));
        assert_eq!(reasons, [Some(reason); 2]);
        // Whoever insists does not even begin.
        let mut pair = Pair::new(options(io).mitm(true), options(io).mitm(true));
        strip(&mut pair);
        pair.begin();
        assert_eq!(pair.peripheral.failed.map(|e| e.reason), Some(Reason::AuthenticationRequirements));
    }
}

fn refused_out_of_order(side: &Side) {
    assert_eq!(side.failed.map(|e| (e.reason, e.by)), Some((Reason::UnspecifiedReason, By::Us)));
    assert!(side.paired.is_none() && !side.manager.is_pairing());
}

#[test]
fn s4_no_random_value_is_shown_before_our_confirm_value() {
    let confirm = [&[0x03][..], &[7; 16]].concat();
    let random = [&[0x04][..], &[7; 16]].concat();
    for options in [legacy as fn(_) -> _, modern] {
        for at_central in BOTH {
            // The user has not typed the passkey yet, so there is nothing to commit to.
            let [a, b] = if at_central {
                [Io::KeyboardOnly, Io::DisplayOnly]
            } else {
                [Io::DisplayOnly, Io::KeyboardOnly]
            };
            let mut pair = Pair::new(options(a).mitm(true), options(b).mitm(true));
            pair.central.pair(pair.now);
            while pair.carry() {}
            let side = if at_central { &mut pair.central } else { &mut pair.peripheral };
            assert!(matches!(side.prompts[..], [(_, Prompt::EnterPasskey)]));
            // The central's comes first; it has come to the peripheral.
            side.hear(pair.now, if at_central { &confirm } else { &random });
            refused_out_of_order(side);
            assert!(side.sent.iter().all(|pdu| pdu[0] == 0x05), "{:02x?}", side.sent);
        }
    }
}

#[test]
fn s4_a_check_that_comes_while_our_user_compares_is_kept_and_unanswered_until_then() {
    for agrees in BOTH {
        let options = || modern(Io::DisplayYesNo).mitm(true);
        let mut pair = Pair::new(options(), options());
        pair.central.pair(pair.now);
        while pair.carry() {}
        let (id, _) = pair.central.prompts[0];
        assert!(pair.central.answer(pair.now, id, Answer::Yes));
        while pair.carry() {}
        assert_eq!(pair.air.last().map(|(central, pdu)| (*central, pdu[0])), Some((true, 0x0D)));
        assert!(pair.peripheral.manager.long_term_key(0, [0; 8]).is_none());
        let (id, _) = pair.peripheral.prompts[0];
        assert!(pair.peripheral.answer(pair.now, id, if agrees { Answer::Yes } else { Answer::No }));
        pair.settle();
        if agrees {
            pair.paired();
        } else {
            refused(&pair, true, Reason::NumericComparisonFailed);
            assert!(!pair.codes().contains(&(false, 0x0D)));
        }
    }
}

#[test]
fn s4_a_right_check_that_comes_too_early_or_twice_ends_the_pairing() {
    let comparing = || {
        let options = || modern(Io::DisplayYesNo).mitm(true);
        let mut pair = Pair::new(options(), options());
        pair.central.pair(pair.now);
        while pair.carry() {}
        pair
    };
    // With the same random numbers the checks are the same.
    let mut whole = comparing();
    whole.settle();
    whole.paired();
    let check = |by_central| whole.air.iter().find(|(by, pdu)| *by == by_central && pdu[0] == 0x0D);
    let [(_, centrals), (_, peripherals)] = BOTH.map(|by| check(by).expect("both send one"));
    // The peripheral's answers the central's, which waits for the user.
    let mut pair = comparing();
    pair.central.hear(pair.now, peripherals);
    refused_out_of_order(&pair.central);
    let mut pair = comparing();
    pair.peripheral.hear(pair.now, centrals);
    assert!(pair.peripheral.failed.is_none());
    pair.peripheral.hear(pair.now, centrals);
    refused_out_of_order(&pair.peripheral);
}

#[test]
fn s15_a_random_value_of_out_of_band_data_that_differs_ends_it() {
    let (a, other) = (LocalOob::generate(&mut rng(3)), LocalOob::generate(&mut rng(4)));
    let of = |local, peer| PairingOptions::new().oob(OobData::SecureConnections { local, peer });
    for by_central in BOTH {
        for (confirm, random) in [(a.confirm(), other.random()), (other.confirm(), a.random())] {
            let (has, given) = (of(Some(a.clone()), None), of(None, Some(PeerOob::new(confirm, random))));
            let pair = if by_central { Pair::run(has, given) } else { Pair::run(given, has) };
            refused(&pair, by_central, Reason::ConfirmValueFailed);
        }
    }
    // Who is in the middle may have seen C, and needs r for its check.
    let mut lied = PeerOob::new(a.confirm(), a.random());
    lied.random = Default::default();
    let pair = Pair::run(of(Some(a.clone()), None), of(None, Some(lied)));
    refused(&pair, true, Reason::ConfirmValueFailed);
}

#[test]
fn a_peer_that_sends_our_confirm_value_back_is_refused() {
    // The initiator's own confirm and random values fit together: a responder could send both back and know no key.
    let mut pair = Pair::new(legacy(Io::KeyboardOnly).mitm(true), legacy(Io::DisplayOnly).mitm(true));
    let mut ours = Vec::new();
    pair.between = Box::new(move |central, pdu| {
        if matches!(pdu[0], 0x03 | 0x04) {
            if central {
                ours = vec![pdu.clone()];
                return vec![pdu];
            }
            return ours.clone();
        }
        vec![pdu]
    });
    pair.begin();
    refused(&pair, false, Reason::ConfirmValueFailed);
}
