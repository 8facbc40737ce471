//! Devices that pair, against a central that is a list of PDUs with cryptography of its own: both have the same keys by
//! every method, and each says why where they have not.

use crate::central::*;
use crate::room::*;
use baretooth::hci::ErrorCode;
use baretooth::sim::*;
use baretooth::smp::pdu::{IoCapability, PairingFailedReason as Reason};
use std::time::Duration;

const DISPLAY_ONLY: u8 = 0;
const DISPLAY_YES_NO: u8 = 1;
const KEYBOARD_ONLY: u8 = 2;
const NOTHING: u8 = 3;
const KEYBOARD_DISPLAY: u8 = 4;
/// Bonding.
const BOND: u8 = 1;

/// A request of this capability, with bonding and all keys.
fn features(io: u8, auth: u8) -> [u8; 6] {
    [io, 0, BOND | auth, 16, 7, 7]
}

fn responder(io: IoCapability) -> Responder {
    Responder::new().io(io).mitm(true)
}

/// Pairs, compares what both have, and encrypts the next link with it.
fn pairs(responder: Responder, features: [u8; 6], user: User) -> Paired {
    let mut central = Central::with(responder);
    pairs_with(&mut central, features, user)
}

fn pairs_with(central: &mut Central, features: [u8; 6], user: User) -> Paired {
    let outcome = central.pair(features, user).expect("it pairs");
    let paired = central.paired().clone();
    assert_eq!(central.responder().failure(), None);
    let key = paired.long_term_key.clone().expect("all keys go out");
    if paired.secure_connections {
        assert_eq!(key.key.octets(), &outcome.link_key);
        assert_eq!((key.ediv, key.rand), (0, [0; 8]));
    } else {
        assert_eq!(outcome.keys[0], [&[0x06], &key.key.octets()[..]].concat());
        assert_eq!(outcome.keys[1], [&[0x07][..], &key.ediv.to_le_bytes(), &key.rand].concat());
        let peer = paired.peer_long_term_key.as_ref().expect("the central's too");
        assert_eq!((*peer.key.octets(), peer.ediv, peer.rand), (LTK, EDIV, RAND));
    }
    assert_eq!(paired.peer_irk.as_ref().expect("handed out").octets(), &IRK);
    assert_eq!(paired.peer_csrk.as_ref().expect("handed out").octets(), &CSRK);
    let ours = |code: u8| outcome.keys.iter().find(|pdu| pdu[0] == code).expect("handed out")[1..].to_vec();
    assert_eq!(ours(0x08), paired.own_irk.as_ref().expect("one").octets());
    assert_eq!(ours(0x09), [&[1], &random(1).bd_addr.0[..]].concat());
    assert_eq!(ours(0x0A), paired.own_csrk.as_ref().expect("one").octets());
    assert_eq!(paired.peer, CENTRAL);
    central.reconnect();
    assert_eq!(central.encrypt(key.key.octets(), key.ediv, key.rand), Ok(()));
    paired
}

#[test]
fn just_works_of_both_generations() {
    for (which, secure) in [(SecureConnections::Allowed, true), (SecureConnections::Off, false)] {
        let paired = pairs(Responder::new().secure_connections(which), features(NOTHING, SC), User::Nothing);
        assert_eq!(paired.association, Association::JustWorks);
        assert_eq!((paired.secure_connections, paired.bonded, paired.key_size), (secure, true, 16));
    }
}

#[test]
fn a_passkey_that_the_device_shows() {
    for auth in [MITM, MITM | SC] {
        for passkey in [None, Some(0), Some(999_999)] {
            let mut device = responder(IoCapability::DisplayOnly);
            if let Some(passkey) = passkey {
                device = device.shows(passkey);
            }
            let paired = pairs(device, features(KEYBOARD_ONLY, auth), User::Reads);
            assert_eq!(paired.association, Association::PasskeyEntry);
        }
    }
}

#[test]
fn a_passkey_that_is_typed_on_the_device_or_on_both() {
    for auth in [MITM, MITM | SC] {
        for io in [DISPLAY_ONLY, KEYBOARD_ONLY] {
            let device = responder(IoCapability::KeyboardOnly).types(123_456);
            let paired = pairs(device, features(io, auth), User::Passkey(123_456));
            assert_eq!(paired.association, Association::PasskeyEntry);
        }
    }
}

#[test]
fn a_passkey_that_is_typed_late_keeps_the_central_waiting() {
    for (auth, confirm) in [(MITM, 0x03), (MITM | SC, 0x0C)] {
        let mut central = Central::with(responder(IoCapability::KeyboardOnly));
        assert_eq!(central.agree(features(DISPLAY_ONLY, auth), User::Passkey(42)).expect_err("waits"), None);
        assert_eq!(central.responder().failure(), None);
        central.run(10_000);
        let device = central.device;
        central.room.radio.enter_passkey(device, 42);
        central.run(100);
        let answer = central.hear().expect("it goes on");
        assert_eq!(answer[0], 0x03, "{confirm:#04x}");
    }
}

#[test]
fn a_wrong_passkey_fails_where_it_differs_first() {
    // 1 and 5 differ in the third bit.
    let device = responder(IoCapability::KeyboardOnly).types(5);
    let mut central = Central::with(device);
    let instead = central.agree(features(DISPLAY_ONLY, MITM | SC), User::Passkey(1)).expect_err("another");
    assert_eq!(instead, Some(vec![0x05, Reason::ConfirmValueFailed.0]));
    assert_eq!(central.responder().failure(), Some(PairingFailure::Device(Reason::ConfirmValueFailed)));
}

#[test]
fn numbers_are_compared_by_the_user_of_the_device() {
    let device = || responder(IoCapability::DisplayYesNo);
    let request = features(DISPLAY_YES_NO, MITM | SC);
    let paired = pairs(device(), request, User::Nothing);
    assert_eq!(paired.association, Association::NumericComparison);

    let mut central = Central::with(device().answers(Answer::No));
    let refused = central.agree(request, User::Nothing).expect_err("refused");
    assert_eq!(refused, Some(vec![0x05, Reason::NumericComparisonFailed.0]));

    let mut central = Central::with(device().answers(Answer::Late(Duration::from_secs(5))));
    assert_eq!(central.agree(request, User::Nothing).expect_err("later"), None);
    let number = central.responder().shown_number().expect("on the display");
    assert!(number < 1_000_000);
    central.run(4500);
    assert_eq!(central.hear(), None);
    central.run(600);
    assert_eq!(central.hear().expect("its check")[0], 0x0D);

    let mut central = Central::with(device().answers(Answer::Never));
    assert_eq!(central.agree(request, User::Nothing).expect_err("never"), None);
    let device = central.device;
    central.room.radio.compare(device, true);
    central.run(100);
    assert_eq!(central.hear().expect("its check")[0], 0x0D);
}

#[test]
fn both_displays_show_the_same_number() {
    let mut central = Central::with(responder(IoCapability::DisplayYesNo).answers(Answer::Late(ms(100))));
    let request = [&[1], &features(KEYBOARD_DISPLAY, MITM | SC)[..]].concat();
    central.say(&request);
    assert_eq!(central.hear().expect("a response")[0], 2);
    let (peer_x, _) = central.exchange_keys().expect("a point");
    central.say(&[&[0x04], &[1; 16][..]].concat());
    let random = central.all().pop().expect("its random");
    let number = central.number(&peer_x, &[1; 16], random[1..].try_into().expect("16"));
    assert_eq!(central.responder().shown_number(), Some(number));
}

#[test]
fn out_of_band_by_legacy_pairing() {
    let device = Responder::new().temporary_key([0x7E; 16]).secure_connections(SecureConnections::Off);
    let request = [NOTHING, 1, BOND, 16, 7, 7];
    let paired = pairs(device, request, User::TemporaryKey([0x7E; 16]));
    assert_eq!(paired.association, Association::OutOfBand);
}

#[test]
fn out_of_band_by_secure_connections_both_ways_and_each_way_alone() {
    for (central_has, device_has) in [(true, true), (true, false), (false, true)] {
        let (mut device, data) = Responder::new().makes_out_of_band(1);
        if device_has {
            device = device.knows_out_of_band(Central::with(Responder::new()).out_of_band());
        }
        let user = User::OutOfBand(central_has.then_some(data), device_has);
        let paired = pairs(device, [NOTHING, u8::from(central_has), BOND | SC, 16, 7, 7], user);
        assert_eq!(paired.association, Association::OutOfBand);
    }
    let wrong = OutOfBand { confirm: [1; 16], random: [2; 16] };
    let mut central = Central::with(Responder::new().knows_out_of_band(wrong));
    let user = User::OutOfBand(None, true);
    let refused = central.agree([NOTHING, 0, BOND | SC, 16, 7, 7], user).expect_err("other data");
    assert_eq!(refused, Some(vec![0x05, Reason::ConfirmValueFailed.0]));
}

#[test]
fn a_key_is_as_long_as_the_shorter_of_both_wants_and_no_shorter_than_the_device_allows() {
    for size in [0, 6, 7, 15, 17, 255] {
        let mut central = Central::with(Responder::new());
        let refused = central.agree([NOTHING, 0, BOND, size, 7, 7], User::Nothing).expect_err("short");
        assert_eq!(refused, Some(vec![0x05, Reason::EncryptionKeySize.0]), "{size}");
    }
    for auth in [0, SC] {
        let device = Responder::new().key_size(7, 16);
        let mut central = Central::with(device);
        let paired = pairs_with(&mut central, [NOTHING, 0, BOND | auth, 9, 7, 7], User::Nothing);
        assert_eq!(paired.key_size, 9);
        assert_eq!(paired.long_term_key.expect("one").key.octets()[9..], [0; 7]);
    }
}

#[test]
fn an_attribute_opens_when_the_link_is_good_enough_for_it() {
    let mut central = Central::with(Responder::new());
    let refused = |error| vec![0x01, 0x0A, 6, 0, error];
    assert_eq!(central.read(6), refused(0x05));
    central.pair(features(NOTHING, SC), User::Nothing).expect("it pairs");
    assert_eq!(central.read(6), [0x0B, 88]);
    assert_eq!(central.read(8), [0x01, 0x0A, 8, 0, 0x05], "nobody was authenticated");
    central.reconnect();
    assert_eq!(central.read(6), refused(0x0F), "there is a key");

    let device = responder(IoCapability::DisplayOnly).key_size(7, 16);
    let mut central = Central::with(device);
    let request = [KEYBOARD_ONLY, 0, BOND | MITM | SC, 15, 0, 0];
    central.pair(request, User::Reads).expect("it pairs");
    assert_eq!(central.read(8), [0x01, 0x0A, 8, 0, 0x0C], "the key is too short");
    let mut central = Central::with(responder(IoCapability::DisplayOnly));
    central.pair(features(KEYBOARD_ONLY, MITM | SC), User::Reads).expect("it pairs");
    assert_eq!(central.read(8), [0x0B, 89]);
}

#[test]
fn only_keys_that_both_want_go_over_the_air() {
    for (initiator, responder, expected) in [(0, 0, &[][..]), (2, 4, &[0x0A]), (4, 2, &[0x08, 0x09])] {
        let mut central = Central::with(Responder::new());
        let outcome = central.pair([NOTHING, 0, SC, 16, initiator, responder], User::Nothing).expect("pairs");
        assert_eq!(outcome.keys.iter().map(|pdu| pdu[0]).collect::<Vec<_>>(), expected);
        let paired = central.paired();
        assert_eq!((paired.peer_irk.is_some(), paired.peer_csrk.is_some()), (initiator == 2, initiator == 4));
        assert!(!paired.bonded && central.responder().bonds().is_empty());
        central.reconnect();
        let missing = central.encrypt(&outcome.link_key, 0, [0; 8]);
        assert_eq!(missing, Err(ErrorCode::PinOrKeyMissing), "nobody is bonded");
    }
}

#[test]
fn a_bond_is_found_by_its_numbers_and_a_new_one_replaces_it() {
    let mut central = Central::with(Responder::new().secure_connections(SecureConnections::Off));
    let first = pairs_with(&mut central, features(NOTHING, 0), User::Nothing).long_term_key.expect("one");
    let wrong = central.encrypt(first.key.octets(), first.ediv ^ 1, first.rand);
    assert_eq!(wrong, Err(ErrorCode::PinOrKeyMissing));
    central.reconnect();
    let second = pairs_with(&mut central, features(NOTHING, 0), User::Nothing).long_term_key.expect("one");
    assert_ne!(first, second);
    assert_eq!(central.responder().bonds().len(), 1);
    central.reconnect();
    let other = central.encrypt(&[1; 16], second.ediv, second.rand);
    assert_eq!(other, Err(ErrorCode::ConnectionTerminatedDueToMicFailure));
}

#[test]
fn a_bonded_client_finds_its_subscriptions_and_a_stranger_none() {
    for auth in [BOND | SC, SC] {
        let mut central = Central::with(Responder::new());
        let outcome = central.pair([NOTHING, 0, auth, 16, 7, 7], User::Nothing).expect("it pairs");
        central.room.send_frame(central.host, central.handle, 4, &[0x12, 4, 0, 1, 0]);
        central.run(40);
        central.reconnect();
        assert_eq!(central.read(4), [0x0B, 0, 0], "not before it is known who asks");
        let bonded = central.encrypt(&outcome.link_key, 0, [0; 8]).is_ok();
        assert_eq!(bonded, auth & BOND != 0);
        assert_eq!(central.read(4), [0x0B, u8::from(bonded), 0]);
    }
}

#[test]
fn a_device_asks_for_security_when_it_is_to() {
    let mut central = Central::with(responder(IoCapability::DisplayOnly).security_request(true));
    central.run(100);
    assert_eq!(central.all(), [[0x0B, BOND | MITM | SC]]);
    pairs_with(&mut central, features(KEYBOARD_ONLY, MITM | SC), User::Reads);
}

#[test]
fn what_a_device_insists_on_it_insists_on() {
    let only = Responder::new().secure_connections(SecureConnections::Only);
    let authenticated = responder(IoCapability::DisplayOnly).authenticated_only(true);
    for (device, request) in [(only, features(NOTHING, 0)), (authenticated, features(NOTHING, MITM | SC))] {
        let mut central = Central::with(device);
        let refused = central.agree(request, User::Nothing).expect_err("less than it wants");
        assert_eq!(refused, Some(vec![0x05, Reason::AuthenticationRequirements.0]));
    }
}

#[test]
fn pdus_that_do_not_fit_end_a_pairing_with_a_reason() {
    let request = [1, NOTHING, 0, SC, 16, 0, 0];
    let wrong: [(&[u8], Reason); 5] = [
        (&[0x03; 17], Reason::UnspecifiedReason),
        (&request, Reason::UnspecifiedReason),
        (&[0x04; 16], Reason::InvalidParameters),
        (&[0x0C; 66], Reason::InvalidParameters),
        (&[0x77, 1], Reason::CommandNotSupported),
    ];
    for (pdu, reason) in wrong {
        let mut central = Central::with(Responder::new());
        central.say(&request);
        assert_eq!(central.all().len(), 1);
        central.say(pdu);
        assert_eq!(central.all(), [[0x05, reason.0]], "{pdu:02x?}");
        assert_eq!(central.responder().failure(), Some(PairingFailure::Device(reason)));
    }
    // Public keys that are none.
    for key in [vec![0; 64], vec![0xFF; 64]] {
        let mut central = Central::with(Responder::new());
        central.say(&request);
        central.all();
        central.say(&[&[0x0C], &key[..]].concat());
        assert_eq!(central.all(), [[0x05, Reason::InvalidParameters.0]]);
    }
}

#[test]
fn its_own_public_key_that_comes_back_is_refused_with_either_y() {
    for other_y in [false, true] {
        let (device, _) = Responder::new().makes_out_of_band(3);
        let mut central = Central::with(device);
        let request = [1, NOTHING, 0, SC, 16, 0, 0];
        central.say(&request);
        central.all();
        let (x, y) = central.public();
        central.say(&[&[0x0C], &x[..], &y].concat());
        let mut own = central.hear().expect("its key, which goes with its data");
        central.reconnect();
        central.say(&request);
        central.all();
        if other_y {
            own[33..].fill(1);
        }
        central.say(&own);
        assert_eq!(central.all(), [[0x05, Reason::InvalidParameters.0]]);
    }
}

#[test]
fn a_central_that_gives_up_or_goes_is_noticed() {
    let mut central = Central::with(Responder::new());
    central.say(&[1, NOTHING, 0, SC, 16, 0, 0]);
    central.say(&[0x05, Reason::UnspecifiedReason.0]);
    assert_eq!(central.responder().failure(), Some(PairingFailure::Central(Reason::UnspecifiedReason)));
    central.say(&[1, NOTHING, 0, SC, 16, 0, 0]);
    assert_eq!(central.responder().failure(), None);
    central.reconnect();
    assert_eq!(central.responder().failure(), Some(PairingFailure::Link));
}

#[test]
fn after_30_s_of_silence_there_is_no_pairing_on_this_link() {
    let mut central = Central::with(Responder::new());
    central.say(&[1, NOTHING, 0, SC, 16, 7, 7]);
    central.run(29_900);
    assert_eq!(central.responder().failure(), None);
    central.run(200);
    assert_eq!(central.responder().failure(), Some(PairingFailure::Timeout));
    central.all();
    assert_eq!(central.agree(features(NOTHING, SC), User::Nothing).expect_err("silence"), None);
    central.reconnect();
    pairs_with(&mut central, features(NOTHING, SC), User::Nothing);
}

#[test]
fn a_device_tells_of_the_digits_that_are_typed_when_both_want_that() {
    const KEYPRESS: u8 = 0x10;
    for (auth, told) in [(KEYPRESS, 8), (0, 0)] {
        let device = responder(IoCapability::KeyboardOnly).keypress(true).types(1);
        let mut central = Central::with(device);
        central.say(&[&[1], &features(DISPLAY_ONLY, MITM | SC | auth)[..]].concat());
        let said = central.all();
        let digits: Vec<u8> = said.iter().filter(|pdu| pdu[0] == 0x0E).map(|pdu| pdu[1]).collect();
        assert_eq!(digits, [0, 1, 1, 1, 1, 1, 1, 4][..told]);
    }
}

#[test]
fn the_key_that_everybody_knows_is_used_when_asked_for() {
    let mut central = Central::with(Responder::new().debug_key(true));
    central.say(&[&[1], &features(NOTHING, SC)[..]].concat());
    central.all();
    let (x, _) = central.exchange_keys().expect("a point");
    assert_eq!(x[..4], [0xE6, 0x9D, 0x35, 0x0E]);
}

#[test]
fn the_demo_devices_keep_a_value_for_those_they_are_paired_with() {
    let finder = demo::key_finder();
    let handle = finder.server.find(demo::ALERT_LEVEL).expect("there");
    let mut central = Central::new(finder);
    let handle = u8::try_from(handle).expect("a short table");
    assert_eq!(central.read(handle), [0x01, 0x0A, handle, 0, 0x05]);
    central.pair(features(NOTHING, SC), User::Nothing).expect("with anybody");
    assert_eq!(central.read(handle), [0x0B, 0]);

    let lock = demo::door_lock();
    let handle = u8::try_from(lock.server.find(demo::LOCKED).expect("there")).expect("a short table");
    let mut central = Central::new(lock);
    let passkey = User::Passkey(demo::DOOR_LOCK_PASSKEY);
    central.pair(features(KEYBOARD_ONLY, MITM | SC), passkey).expect("it shows it");
    assert_eq!(central.read(handle), [0x0B, 1]);
    let mut central = Central::new(demo::door_lock());
    central.pair(features(NOTHING, SC), User::Nothing).expect("it pairs");
    assert_eq!(central.read(handle), [0x01, 0x0A, handle, 0, 0x05], "anybody is not enough");
}

#[test]
fn keys_follow_the_seed_and_do_not_print() {
    let run = || pairs(Responder::new(), features(NOTHING, SC), User::Nothing);
    let (first, second) = (run(), run());
    assert_eq!(first, second);
    let text = format!("{first:?}");
    assert_eq!(text.matches("Key(..)").count(), 5, "{text}");
    let key = first.long_term_key.expect("one").key;
    assert!(!text.contains(&format!("{:?}", key.octets())));
}
