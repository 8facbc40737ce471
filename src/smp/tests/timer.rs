//! The 30 s, keypress notifications, and users who answer late, never or twice.

use super::super::pdu::PairingFailed;
use super::super::{By, IoCapability as Io, KeypressType, PairingFailedReason, SecureConnections, SmpPdu};
use super::*;
use std::time::Duration;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn passkey(io: Io) -> PairingOptions {
    PairingOptions::new().io(io).mitm(true).secure_connections(SecureConnections::Only).keypress(true)
}

/// The central has been asked for the passkey that the peripheral shows.
fn typing() -> Pair {
    let mut pair = Pair::new(passkey(Io::KeyboardOnly), passkey(Io::DisplayOnly));
    pair.central.pair(pair.now);
    while pair.carry() {}
    assert!(matches!(pair.central.prompts[..], [(_, Prompt::EnterPasskey)]));
    assert!(matches!(pair.peripheral.prompts[..], [(_, Prompt::DisplayPasskey(_))]));
    pair
}

#[test]
fn s13_after_thirty_seconds_without_a_pdu_of_ours_the_link_has_no_pairing_any_more() {
    let mut pair = typing();
    for side in [&mut pair.central, &mut pair.peripheral] {
        let end = side.manager.deadline().expect("a timer");
        assert_eq!(end, Instant::START + seconds(30));
        side.manager.on_timeout(end - Duration::from_millis(1));
        side.drain();
        assert!(side.failed.is_none() && side.manager.is_pairing(), "not yet");
        side.manager.on_timeout(end);
        side.drain();
        assert_eq!(side.failed.take().map(|error| error.by), Some(By::Timeout));
        assert!(side.sent.is_empty() && side.manager.is_dead() && side.manager.deadline().is_none());
        let (options, identity) = (side.options.clone(), side.identity.clone());
        assert!(side.manager.pair(end, &options, identity, &mut side.rng).is_err());
        for pdu in [&[0x01, 3, 0, 1, 16, 3, 3][..], &[0x0B, 1], &[0x55], &[0x05, 8]] {
            side.hear(end, pdu);
        }
        assert!(side.asked.is_none() && side.security_requests == 0 && side.sent.is_empty());
    }
}

#[test]
fn s13_the_peer_cannot_prolong_the_time() {
    let mut pair = typing();
    let end = pair.central.manager.deadline();
    pair.now = Instant::START + seconds(20);
    pair.central.hear(pair.now, &[0x0E, 1]);
    pair.central.hear(pair.now, &[0x0B, 1]);
    assert_eq!(pair.central.manager.deadline(), end);
    // What we send does.
    let (id, _) = pair.central.prompts[0];
    assert!(pair.central.answer(pair.now, id, Answer::Keypress(KeypressType::DigitEntered)));
    assert_eq!(pair.central.manager.deadline(), Some(pair.now + seconds(30)));
}

#[test]
fn s13_a_request_that_nobody_answers_runs_out_too() {
    // A Security Request that the central ignores.
    let mut peripheral = Side::new(Role::Peripheral, 1);
    peripheral.pair(Instant::START);
    assert_eq!(peripheral.manager.deadline(), Some(Instant::START + seconds(30)));
    // A Pairing Request that our own user ignores.
    let mut peripheral = Side::new(Role::Peripheral, 1);
    peripheral.hear(Instant::START, &[0x01, 3, 0, 1, 16, 3, 3]);
    assert!(peripheral.asked.is_some());
    peripheral.manager.on_timeout(Instant::START + seconds(30));
    peripheral.drain();
    assert_eq!(peripheral.failed.map(|error| error.by), Some(By::Timeout));
}

#[test]
fn s6_keys_that_never_come_run_out_of_time() {
    let mut pair = Pair::new(PairingOptions::new(), PairingOptions::new());
    pair.between = Box::new(|_, pdu| if pdu[0] == 0x09 { vec![] } else { vec![pdu] });
    pair.begin();
    let end = pair.central.manager.deadline().expect("a timer");
    pair.central.manager.on_timeout(end);
    pair.central.drain();
    assert!(pair.central.paired.is_none() && pair.central.manager.is_dead());
}

#[test]
fn s14_keypresses_are_told_where_both_understand_them_and_no_others() {
    let mut pair = typing();
    let (shown, _) = pair.peripheral.prompts.remove(0);
    for what in 0..=255 {
        pair.peripheral.hear(pair.now, &[0x0E, what]);
    }
    let told: Vec<_> = std::mem::take(&mut pair.peripheral.prompts);
    let expected: Vec<_> = (0..5).map(|what| (shown, Prompt::Keypress(KeypressType(what)))).collect();
    assert_eq!(told, expected);
    for _ in 0..10_000 {
        pair.peripheral.hear(pair.now, &[0x0E, 1]);
    }
    assert!(pair.peripheral.prompts.len() < 200, "bounded");
    // From the user to the peer; what does not exist is not sent.
    let (id, _) = pair.central.prompts[0];
    assert!(pair.central.answer(pair.now, id, Answer::Keypress(KeypressType::Cleared)));
    assert!(pair.central.answer(pair.now, id, Answer::Keypress(KeypressType(9))));
    assert_eq!(pair.central.sent.drain(..).collect::<Vec<_>>(), [&[0x0E, 3][..]]);
    pair.peripheral.prompts = vec![];
    pair.peripheral.drain();
    assert!(pair.peripheral.manager.is_pairing() && pair.central.manager.is_pairing());
}

#[test]
fn s14_keypresses_stay_unsaid_to_a_peer_that_does_not_understand_them() {
    let mut pair = Pair::new(passkey(Io::KeyboardOnly), passkey(Io::DisplayOnly).keypress(false));
    pair.central.pair(pair.now);
    while pair.carry() {}
    let (id, _) = pair.central.prompts[0];
    assert!(pair.central.answer(pair.now, id, Answer::Keypress(KeypressType::DigitEntered)));
    assert!(pair.central.sent.is_empty());
    pair.peripheral.prompts.clear();
    pair.peripheral.hear(pair.now, &[0x0E, 1]);
    assert!(pair.peripheral.prompts.is_empty());
}

#[test]
fn s14_an_answer_that_is_late_twice_or_no_answer_to_the_prompt_changes_nothing() {
    let mut pair = typing();
    let (id, _) = pair.central.prompts[0];
    let answer = || Answer::Passkey(Passkey::new(5).expect("six digits"));
    assert!(!pair.central.answer(pair.now, id, Answer::Yes), "not what was asked");
    assert!(!pair.central.answer(pair.now, PromptId(id.0 + 1), answer()), "never asked");
    let (shown, _) = pair.peripheral.prompts[0];
    assert!(!pair.peripheral.answer(pair.now, shown, Answer::Yes) && pair.peripheral.manager.is_pairing());
    assert!(pair.central.answer(pair.now, id, answer()));
    let sent = pair.central.sent.len();
    assert!(!pair.central.answer(pair.now, id, answer()) && !pair.central.answer(pair.now, id, Answer::No));
    assert_eq!(pair.central.sent.len(), sent);
    // And after the end.
    pair.central.hear(pair.now, &[0x05, 8]);
    assert!(pair.central.failed.is_some());
    assert!(!pair.central.answer(pair.now, id, answer()));
    assert_eq!(pair.central.sent.len(), sent);
}

#[test]
fn s14_a_number_confirmed_twice_sends_one_check() {
    let options = || passkey(Io::DisplayYesNo);
    let mut pair = Pair::new(options(), options());
    pair.central.pair(pair.now);
    while pair.carry() {}
    let (id, _) = pair.central.prompts[0];
    assert!(
        pair.central.answer(pair.now, id, Answer::Yes) && !pair.central.answer(pair.now, id, Answer::Yes)
    );
    assert_eq!(pair.central.sent.iter().filter(|pdu| pdu[0] == 0x0D).count(), 1);
}

#[test]
fn a_user_who_says_no_ends_it_on_both_sides_with_the_reason() {
    use PairingFailedReason as Reason;
    let modern = |io| passkey(io);
    let plain = PairingOptions::new;
    for (central, peripheral, by_central, reason) in [
        (modern(Io::KeyboardOnly), modern(Io::DisplayOnly), true, Reason::PasskeyEntryFailed),
        (modern(Io::KeyboardOnly), modern(Io::DisplayOnly), false, Reason::PasskeyEntryFailed),
        (modern(Io::DisplayYesNo), modern(Io::DisplayYesNo), true, Reason::NumericComparisonFailed),
        (modern(Io::DisplayYesNo), modern(Io::DisplayYesNo), false, Reason::NumericComparisonFailed),
        (plain(), plain(), false, Reason::UnspecifiedReason),
    ] {
        let mut pair = Pair::new(central, peripheral);
        pair.central.pair(pair.now);
        while pair.carry() {}
        let side = if by_central { &mut pair.central } else { &mut pair.peripheral };
        let (id, _) = side.prompts[0];
        assert!(side.answer(pair.now, id, Answer::No));
        while pair.carry() {}
        let errors = [pair.central.failed, pair.peripheral.failed].map(|error| error.expect("it ended"));
        assert_eq!(errors.map(|error| error.reason), [reason, reason]);
        assert_eq!(errors.map(|error| error.by == By::Us), [by_central, !by_central]);
        assert!(errors.iter().all(|error| error.by == By::Peer || !error.is_attempt()));
    }
}

#[test]
fn cancelling_tells_the_peer_unless_it_knows_of_nothing() {
    let mut pair = typing();
    pair.central.manager.cancel(pair.now);
    pair.central.drain();
    let told = PairingFailed { reason: PairingFailedReason::PasskeyEntryFailed };
    assert_eq!(pair.central.sent.pop_front(), Some(SmpPdu::from(told).to_bytes()));
    assert!(pair.central.failed.is_some() && !pair.central.manager.is_pairing());
    pair.central.manager.cancel(pair.now);
    pair.central.drain();
    assert!(pair.central.sent.is_empty(), "there is nothing to cancel");

    let mut peripheral = Side::new(Role::Peripheral, 1);
    peripheral.pair(Instant::START);
    peripheral.sent.clear();
    peripheral.manager.cancel(Instant::START);
    peripheral.drain();
    assert!(peripheral.sent.is_empty() && peripheral.failed.is_some());
}

#[test]
fn another_pairing_may_follow_one_that_failed_with_another_passkey() {
    let mut pair = typing();
    let shown = |pair: &Pair| match &pair.peripheral.prompts[0].1 {
        Prompt::DisplayPasskey(passkey) => passkey.number(),
        other => panic!("{other:?}"),
    };
    let first = shown(&pair);
    pair.central.manager.cancel(pair.now);
    pair.central.drain();
    while pair.carry() {}
    for side in [&mut pair.central, &mut pair.peripheral] {
        (side.failed, side.prompts) = (None, vec![]);
    }
    pair.central.pair(pair.now);
    while pair.carry() {}
    assert_ne!(shown(&pair), first, "s14: fresh for each attempt");
    pair.settle();
    pair.paired();
}
