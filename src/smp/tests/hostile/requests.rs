//! Who may begin, how often, and who agrees to it.

use super::*;
use crate::smp::IoCapability as Io;

#[test]
fn s3_an_unknown_pdu_is_answered_command_not_supported_and_ends_a_pairing() {
    for role in [Role::Central, Role::Peripheral] {
        for code in [0x00, 0x0F, 0x80, 0xFF] {
            let mut side = Side::new(role, 1);
            side.hear(Instant::START, &[code, 1, 2, 3]);
            assert_eq!(side.sent.drain(..).collect::<Vec<_>>(), [&[0x05, 0x07][..]]);
            assert!(side.failed.is_none(), "nothing was in progress");
            side.pair(Instant::START);
            side.hear(Instant::START, &[code]);
            assert_eq!(side.sent.pop_back().as_deref(), Some(&[0x05, 0x07][..]));
            // Our Security Request still stands.
            assert_eq!(
                side.failed.map(|e| e.reason),
                (role == Role::Central).then_some(Reason::CommandNotSupported)
            );
        }
        let mut side = Side::new(role, 1);
        side.hear(Instant::START, &[]);
        assert!(side.failed.is_none() && side.asked.is_none());
    }
}

#[test]
fn s12_a_thousand_security_requests_are_told_once() {
    let mut central = Side::new(Role::Central, 1);
    for _ in 0..1000 {
        central.hear(Instant::START, &[0x0B, 0x0D]);
    }
    let later = Instant::START + Duration::from_secs(5);
    central.hear(later, &[0x0B, 0x0D]);
    assert_eq!(central.security_requests, 1, "nobody has answered the first");
    central.manager.refuse(Instant::START, Reason::PairingNotSupported);
    central.drain();
    assert_eq!(central.sent.pop_front().as_deref(), Some(&[0x05, 0x05][..]));
    central.manager.refuse(Instant::START, Reason::PairingNotSupported);
    central.hear(later, &[0x0B, 0x0D]);
    assert_eq!(central.security_requests, 2);
    central.manager.refuse(later, Reason::PairingNotSupported);
    central.drain();
    central.sent.clear();
    for _ in 0..1000 {
        central.hear(later, &[0x0B, 0x0D]);
    }
    assert_eq!((central.security_requests, central.sent.len()), (2, 0), "not again at once");
    central.hear(later + Duration::from_secs(1), &[0x0B, 0x0D]);
    assert_eq!(central.security_requests, 3);
    // One that is ignored is not answered, and may come again.
    central.manager.ignore();
    central.hear(later + Duration::from_secs(2), &[0x0B, 0x0D]);
    assert_eq!((central.security_requests, central.sent.len()), (4, 0));
    // Encryption with a bond answers it.
    central.encrypted(later, Encrypted::WithBond);
    let (options, identity) = (central.options.clone(), central.identity.clone());
    assert!(central.manager.accept(Instant::START, &options, identity, &mut central.rng).is_err());
}

#[test]
fn s12_a_security_request_during_a_pairing_is_ignored_and_one_from_a_central_refused() {
    let mut pair = Pair::new(PairingOptions::new(), PairingOptions::new());
    pair.between =
        Box::new(|central, pdu| if central { vec![pdu] } else { vec![Bytes::from_static(&[0x0B, 1]), pdu] });
    pair.begin();
    pair.paired();
    assert_eq!(pair.central.security_requests, 0);
    // What the other role alone may send.
    for (role, pdu) in [(Role::Peripheral, &[0x0B, 1][..]), (Role::Central, &[0x01, 3, 0, 1, 16, 3, 3])] {
        let mut side = Side::new(role, 1);
        side.hear(Instant::START, pdu);
        assert_eq!(side.sent.pop_front().as_deref(), Some(&[0x05, 0x07][..]));
        assert!(side.asked.is_none() && side.security_requests == 0 && !side.manager.is_pairing());
    }
}

#[test]
fn s12_a_security_request_that_a_bond_satisfies_is_over() {
    let mut peripheral = Side::new(Role::Peripheral, 1);
    peripheral.pair(Instant::START);
    peripheral.encrypted(Instant::START, Encrypted::WithBond);
    assert!(!peripheral.manager.is_pairing() && peripheral.manager.deadline().is_none());
    assert!(peripheral.failed.is_none());
}

#[test]
fn s13_a_refused_request_leaves_nothing_behind() {
    let mut peripheral = Side::new(Role::Peripheral, 1);
    for _ in 0..3 {
        peripheral.hear(Instant::START, &[0x01, 3, 0, 1, 16, 3, 3]);
        assert!(peripheral.asked.take().is_some());
        peripheral.manager.refuse(Instant::START, Reason::RepeatedAttempts);
        peripheral.drain();
        assert_eq!(peripheral.sent.pop_front().as_deref(), Some(&[0x05, 0x09][..]));
        assert!(!peripheral.manager.is_pairing() && peripheral.manager.deadline().is_none());
        assert!(peripheral.failed.is_none());
    }
}

#[test]
fn a_pairing_that_the_peer_begins_is_agreed_to_by_the_user_where_no_method_asks() {
    for peripheral_begins in BOTH {
        let mut pair = Pair::new(PairingOptions::new(), PairingOptions::new());
        if peripheral_begins {
            pair.peripheral.pair(pair.now);
        } else {
            pair.central.pair(pair.now);
        }
        while pair.carry() {}
        let asked = if peripheral_begins { &pair.central } else { &pair.peripheral };
        assert!(matches!(asked.prompts[..], [(_, Prompt::Consent)]));
        let keys = pair.codes().into_iter().filter(|(_, code)| matches!(code, 0x0C | 0x03)).count();
        assert_eq!(keys, 0, "nothing is computed before");
        pair.settle();
        pair.paired();
    }
}

#[test]
fn a_pairing_of_ours_asks_its_own_user_too_where_it_was_told_to() {
    let options = PairingOptions::new();
    let mut pair = Pair::new(options.clone().consent(true), options);
    pair.central.pair(pair.now);
    while pair.carry() {}
    assert!(pair.central.prompts.is_empty(), "whether the peer wants to is not known yet");
    assert!(pair.ask(), "the peer's user agrees");
    while pair.carry() {}
    assert!(matches!(pair.central.prompts[..], [(_, Prompt::Consent)]));
    assert!(!pair.codes().contains(&(true, 0x0C)), "no key of ours goes out before the answer");
    pair.settle();
    pair.paired();

    let options = PairingOptions::new().io(Io::DisplayYesNo).mitm(true);
    let mut pair = Pair::new(options.clone().consent(true), options);
    pair.central.pair(pair.now);
    while pair.carry() {}
    assert!(matches!(pair.central.prompts[..], [(_, Prompt::ConfirmNumber(_))]), "which asks enough");
}
