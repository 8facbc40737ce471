//! Each misbehaviour does what it says: the PDUs on the air differ from those of an honest device in just that.

use crate::central::*;
use crate::room::*;
use baretooth::hci::ErrorCode;
use baretooth::sim::*;
use baretooth::smp::Key;
use baretooth::smp::pdu::{IoCapability, PairingFailedReason as Reason};
use baretooth::{Address, BdAddr};

const JUST_WORKS: [u8; 6] = [3, 0, 1 | SC, 16, 7, 7];
const LEGACY: [u8; 6] = [3, 0, 1, 16, 7, 7];
const PASSKEY: [u8; 6] = [2, 0, 1 | MITM | SC, 16, 7, 7];

fn bad(rule: Misbehaviour) -> Central {
    Central::with(Responder::new().misbehaves(rule))
}

fn bad_passkey(rule: Misbehaviour) -> Central {
    Central::with(Responder::new().io(IoCapability::DisplayOnly).mitm(true).shows(7).misbehaves(rule))
}

/// What a device says to this request, at once.
fn answer(rule: Misbehaviour, features: [u8; 6]) -> Vec<Vec<u8>> {
    let mut central = bad(rule);
    central.say(&[&[1], &features[..]].concat());
    central.all()
}

/// What it says to the public key of the central.
fn key_answer(rule: Misbehaviour) -> (Vec<Vec<u8>>, Central) {
    let mut central = bad(rule);
    central.say(&[&[1], &JUST_WORKS[..]].concat());
    central.all();
    let (x, y) = central.public();
    central.say(&[&[0x0C], &x[..], &y].concat());
    (central.all(), central)
}

/// The PDUs of the third phase.
fn keys(rule: Misbehaviour, features: [u8; 6]) -> Vec<Vec<u8>> {
    bad(rule).pair(features, User::Nothing).expect("it pairs").keys
}

fn codes(pdus: &[Vec<u8>]) -> Vec<u8> {
    pdus.iter().map(|pdu| pdu[0]).collect()
}

#[test]
fn it_refuses_and_fails_for_the_reason_it_is_given() {
    assert_eq!(answer(Misbehaviour::Refuses(Reason::RepeatedAttempts), JUST_WORKS), [[5, 9]]);
    let mut central = bad(Misbehaviour::FailsAt(0x04, Reason::KeyRejected));
    assert_eq!(central.agree(JUST_WORKS, User::Nothing).expect_err("fails"), Some(vec![5, 0x0F]));
    central.say(&[1, 3, 0, SC, 16, 7, 7]);
    assert_eq!(central.hear(), None, "and is silent");
}

#[test]
fn it_is_silent_from_any_pdu_on() {
    for (code, features, user) in [
        (0x02, JUST_WORKS, User::Nothing),
        (0x0C, JUST_WORKS, User::Nothing),
        (0x03, JUST_WORKS, User::Nothing),
        (0x04, JUST_WORKS, User::Nothing),
        (0x0D, JUST_WORKS, User::Nothing),
        (0x03, LEGACY, User::Nothing),
        (0x04, LEGACY, User::Nothing),
    ] {
        let mut central = bad(Misbehaviour::SilentFrom(code));
        assert_eq!(central.agree(features, user).expect_err("silence"), None, "{code:#04x}");
    }
    assert_eq!(codes(&keys(Misbehaviour::SilentFrom(0x08), LEGACY)), [6, 7]);
}

#[test]
fn it_repeats_shortens_and_lengthens_pdus() {
    assert_eq!(codes(&answer(Misbehaviour::Twice(0x02), JUST_WORKS)), [2, 2]);
    assert_eq!(codes(&key_answer(Misbehaviour::Twice(0x0C)).0), [0x0C, 0x0C, 3]);
    assert_eq!(codes(&key_answer(Misbehaviour::Twice(0x03)).0), [0x0C, 3, 3]);
    assert_eq!(codes(&key_answer(Misbehaviour::AllTwice).0), [0x0C, 0x0C, 3, 3]);
    assert_eq!(codes(&keys(Misbehaviour::Twice(0x08), JUST_WORKS)), [8, 8, 9, 0x0A]);
    let lengths = |rule| key_answer(rule).0.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(Misbehaviour::Short(0x03)), [65, 16]);
    assert_eq!(lengths(Misbehaviour::Long(0x03)), [65, 18]);
    assert_eq!(answer(Misbehaviour::Short(0x02), JUST_WORKS)[0].len(), 6);
}

#[test]
fn it_says_what_has_no_place_there() {
    assert_eq!(answer(Misbehaviour::Unknown(0x42), JUST_WORKS)[1..], [[0x42, 0]]);
    assert_eq!(codes(&answer(Misbehaviour::RequestOutOfPlace, JUST_WORKS)), [2, 1]);
    assert_eq!(codes(&answer(Misbehaviour::SecurityRequestWhilePairing, JUST_WORKS)), [2, 0x0B]);
    assert_eq!(codes(&key_answer(Misbehaviour::ResponseOutOfPlace).0), [0x0C, 2, 3]);
    assert_eq!(codes(&key_answer(Misbehaviour::RandomBeforeConfirm).0), [0x0C, 4, 3]);
    let mut central = bad(Misbehaviour::SecurityRequests(1000));
    central.run(3000);
    let requests = central.all();
    assert!(requests.len() == 1000 && requests.iter().all(|pdu| pdu[..] == [0x0B, 1 | SC]));
}

#[test]
fn it_claims_less_or_more_than_it_has() {
    let honest = [2, 3, 0, 1 | SC, 16, 7, 7];
    let with = |place: usize, octet| {
        let mut response = honest.to_vec();
        response[place] = octet;
        vec![response]
    };
    assert_eq!(answer(Misbehaviour::ClearsSecureConnections, JUST_WORKS), with(3, 1));
    assert_eq!(answer(Misbehaviour::OobFlagWithoutData, JUST_WORKS), with(2, 1));
    for size in [0, 6, 7, 15, 17] {
        assert_eq!(answer(Misbehaviour::KeySize(size), JUST_WORKS), with(4, size));
    }
    let mut central = bad_passkey(Misbehaviour::ClearsMitm);
    central.say(&[&[1], &PASSKEY[..]].concat());
    assert_eq!(central.hear().expect("a response")[3], 1 | SC);
    let mut central = bad_passkey(Misbehaviour::ClaimsNoInputNoOutput);
    central.say(&[&[1], &PASSKEY[..]].concat());
    assert_eq!(central.hear().expect("a response")[1], 3);
}

#[test]
fn a_downgrade_is_one_that_a_careless_central_falls_for() {
    for rule in [Misbehaviour::ClearsSecureConnections, Misbehaviour::KeySize(7)] {
        let mut central = Central::with(Responder::new().key_size(7, 16).misbehaves(rule.clone()));
        central.pair([3, 0, 1 | SC, 16, 7, 7], User::Nothing).expect("a careless central");
        let paired = central.paired();
        let (secure, size) = (paired.secure_connections, paired.key_size);
        let expected = if rule == Misbehaviour::KeySize(7) { (true, 7) } else { (false, 16) };
        assert_eq!((secure, size), expected);
    }
    let mut central = bad_passkey(Misbehaviour::ClaimsNoInputNoOutput);
    central.pair(PASSKEY, User::Nothing).expect("a careless central");
    assert_eq!(central.paired().association, Association::JustWorks);
}

#[test]
fn its_public_key_is_ours_or_none() {
    let (said, central) = key_answer(Misbehaviour::ReflectsKey);
    let (x, y) = central.public();
    assert_eq!(said[0], [&[0x0C], &x[..], &y].concat());
    let (said, _) = key_answer(Misbehaviour::ReflectsKeyNegated);
    assert_eq!(said[0][1..33], x);
    assert_ne!(said[0][33..], y);
    let mut central = bad(Misbehaviour::ReflectsKeyNegated);
    central.say(&[&[1], &JUST_WORKS[..]].concat());
    central.all();
    assert!(central.exchange_keys().is_ok(), "it is on the curve");
    for rule in [Misbehaviour::InvalidPoint, Misbehaviour::ZeroPoint, Misbehaviour::LargePoint] {
        let mut central = bad(rule.clone());
        let refused = central.agree(JUST_WORKS, User::Nothing).expect_err("no point");
        assert_eq!(refused.expect("a key")[0], 0x0C, "{rule:?}");
    }
}

#[test]
fn its_values_do_not_fit_in_the_round_it_is_told() {
    for round in [0, 1, 10, 19] {
        for rule in [Misbehaviour::WrongConfirm(round), Misbehaviour::WrongRandom(round)] {
            let mut central = bad_passkey(rule);
            let found = central.agree(PASSKEY, User::Passkey(7)).expect_err("a liar").expect("its Random");
            assert_eq!(found[..2], [0x04, round]);
        }
    }
    for rule in [Misbehaviour::WrongConfirm(0), Misbehaviour::WrongRandom(0)] {
        let mut central = bad(rule);
        assert_eq!(central.agree(JUST_WORKS, User::Nothing).expect_err("a liar").expect("its Random")[0], 4);
    }
}

#[test]
fn its_dhkey_check_is_wrong_zero_or_missing() {
    for (rule, zero) in [(Misbehaviour::WrongDhKeyCheck, false), (Misbehaviour::ZeroDhKeyCheck, true)] {
        let found = bad(rule).agree(JUST_WORKS, User::Nothing).expect_err("a liar").expect("its check");
        assert_eq!((found[0], found[1..] == [0; 16]), (0x0D, zero));
    }
    let mut silent = bad(Misbehaviour::NoDhKeyCheck);
    assert_eq!(silent.agree(JUST_WORKS, User::Nothing).expect_err("silence"), None);
}

#[test]
fn keys_come_before_encryption_unasked_never_and_in_disorder() {
    let mut central = bad(Misbehaviour::KeysBeforeEncryption);
    central.agree(JUST_WORKS, User::Nothing).expect("so far");
    assert_eq!(codes(&central.all()), [8, 9, 0x0A]);
    let none = [3, 0, 1 | SC, 16, 0, 0];
    assert_eq!(codes(&keys(Misbehaviour::UnrequestedKeys, none)), [6, 7, 8, 9, 0x0A]);
    assert_eq!(keys(Misbehaviour::WithholdsKeys, LEGACY), Vec::<Vec<u8>>::new());
    assert_eq!(codes(&keys(Misbehaviour::KeysOutOfOrder, JUST_WORKS)), [9, 8, 0x0A]);
}

#[test]
fn keys_are_zero_and_identities_those_of_others() {
    assert_eq!(keys(Misbehaviour::ZeroLongTermKey, LEGACY)[0], [&[6], &[0; 16][..]].concat());
    assert_eq!(keys(Misbehaviour::ZeroIrk, JUST_WORKS)[0], [&[8], &[0; 16][..]].concat());
    let identity = &keys(Misbehaviour::InvalidIdentity, JUST_WORKS)[1];
    let address = Address::random(BdAddr(identity[2..].try_into().expect("six octets")));
    assert!(identity[1] == 1 && !address.is_random_static());
    let claim = Misbehaviour::ClaimsIdentity(random(9), Some(Key::new([0x99; 16])));
    let claimed = keys(claim, JUST_WORKS);
    assert_eq!(claimed[0], [&[8], &[0x99; 16][..]].concat());
    assert_eq!(claimed[1], [&[9, 1], &random(9).bd_addr.0[..]].concat());
}

#[test]
fn a_bond_is_forgotten_or_another() {
    for (rule, status) in [
        (Misbehaviour::ForgetsKeys, ErrorCode::PinOrKeyMissing),
        (Misbehaviour::OtherKey, ErrorCode::ConnectionTerminatedDueToMicFailure),
    ] {
        let mut central = bad(rule);
        let outcome = central.pair(JUST_WORKS, User::Nothing).expect("it pairs");
        central.reconnect();
        assert_eq!(central.encrypt(&outcome.link_key, 0, [0; 8]), Err(status));
    }
}

#[test]
fn a_device_can_begin_and_cease_to_misbehave_while_its_bonds_stay() {
    let mut central = Central::with(Responder::new());
    let key = central.pair(JUST_WORKS, User::Nothing).expect("it pairs").link_key;
    let (device, rule) = (central.device, Misbehaviour::ForgetsKeys);
    central.room.radio.with_device(device, |device| {
        device.responder_mut().expect("it pairs").change(|it| it.misbehaves(rule));
    });
    central.reconnect();
    assert_eq!(central.encrypt(&key, 0, [0; 8]), Err(ErrorCode::PinOrKeyMissing));
    central.room.radio.with_device(device, |device| {
        device.responder_mut().expect("it pairs").change(Responder::behaves);
    });
    central.reconnect();
    assert_eq!(central.encrypt(&key, 0, [0; 8]), Ok(()));
}
