//! Our central against devices that do each one thing wrong while they pair: what it makes of each, by three methods. What
//! a device does wrong is said in `sim`, and judged there by other PDUs.

use crate::common::*;
use baretooth::host::{OpError, Output, PairingSummary, SecurityRequest};
use baretooth::sim::{self, Device, Misbehaviour, Responder};
use baretooth::smp::{Bond, By, IoCapability, Key, PairingFailedReason as Reason, PairingOptions, Passkey};

/// Just Works by Secure Connections and by legacy pairing, and a passkey by Secure Connections.
const METHODS: [Method; 3] = [Method::JustWorks, Method::Legacy, Method::Passkey];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    JustWorks,
    Legacy,
    Passkey,
}

/// How a pairing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As if nothing were wrong.
    Paired,
    /// We refuse it.
    Refused(Reason),
    /// The device says that it failed.
    Failed(Reason),
    /// After 30 s in which nobody said anything.
    Timeout,
}

use End::{Failed, Paired, Refused, Timeout};

const DISORDER: End = Refused(Reason::UnspecifiedReason);
const INVALID: End = Refused(Reason::InvalidParameters);
const CONFIRM: End = Refused(Reason::ConfirmValueFailed);
const KEY_SIZE: End = Refused(Reason::EncryptionKeySize);
const UNKNOWN: End = Refused(Reason::CommandNotSupported);
const NO_DATA: End = Refused(Reason::OobNotAvailable);

/// Pairs with a device that misbehaves so; what came of it, and the bond that is kept.
fn run(method: Method, rule: Misbehaviour) -> (Result<PairingSummary, End>, Option<Bond>) {
    let (mut options, mut responder) = (PairingOptions::new(), Responder::new());
    match method {
        Method::JustWorks => {}
        Method::Legacy => responder = responder.secure_connections(sim::SecureConnections::Off),
        Method::Passkey => {
            let passkey = Passkey::new(7).expect("six digits");
            options = options.io(IoCapability::DisplayOnly).mitm(true).passkey(passkey);
            responder = responder.io(IoCapability::KeyboardOnly).mitm(true).types(7);
        }
    }
    let mut pair = Pair::new();
    let device = Device::new(address(1)).pairing(responder.misbehaves(rule));
    pair.room(|radio| radio.add_device(device));
    let connection = pair.connect(address(1));
    let op = pair.submit(SecurityRequest::Pair { connection, options: Box::new(options) });
    let result = match pair.done(op) {
        Ok(Output::Paired(summary)) => Ok(summary),
        Err(OpError::Pairing(error)) => Err(match error.by {
            By::Us => Refused(error.reason),
            By::Peer => Failed(error.reason),
            By::Timeout => Timeout,
            other => panic!("{other:?} ended it"),
        }),
        other => panic!("{other:?} of a pairing"),
    };
    pair.run(ms(500));
    (result, pair.host.bonds().next().cloned())
}

fn end(method: Method, rule: Misbehaviour) -> End {
    let (result, bond) = run(method, rule);
    assert_eq!(result.is_ok(), bond.is_some(), "what failed leaves nothing");
    result.err().unwrap_or(Paired)
}

/// Every method in the order of [`METHODS`].
fn ends(rules: impl IntoIterator<Item = (Misbehaviour, [End; 3])>) {
    for (rule, expected) in rules {
        assert_eq!(METHODS.map(|method| end(method, rule.clone())), expected, "{rule:?}");
    }
}

#[test]
fn a_device_that_fails_or_falls_silent_is_given_up() {
    use Misbehaviour::{FailsAt, Refuses, SilentFrom, WithholdsKeys};
    ends([
        (Refuses(Reason::RepeatedAttempts), [Failed(Reason::RepeatedAttempts); 3]),
        (FailsAt(0x04, Reason::KeyRejected), [Failed(Reason::KeyRejected); 3]),
        (SilentFrom(0x02), [Timeout; 3]),
        (SilentFrom(0x0C), [Timeout, Paired, Timeout]),
        (SilentFrom(0x03), [Timeout; 3]),
        (SilentFrom(0x04), [Timeout; 3]),
        (SilentFrom(0x0D), [Timeout, Paired, Timeout]),
        (SilentFrom(0x08), [Timeout; 3]),
        (WithholdsKeys, [Timeout; 3]),
    ]);
}

#[test]
fn s3_pdus_of_the_wrong_length_and_unknown_ones_end_a_pairing() {
    use Misbehaviour::{Long, Short, Unknown};
    for change in [Short, Long] {
        ends([
            (change(0x02), [INVALID; 3]),
            (change(0x0C), [INVALID, Paired, INVALID]),
            (change(0x03), [INVALID; 3]),
            (change(0x04), [INVALID; 3]),
            (change(0x0D), [INVALID, Paired, INVALID]),
            (change(0x08), [INVALID; 3]),
        ]);
    }
    ends([0x00, 0x0F, 0x42, 0xFF].map(|code| (Unknown(code), [UNKNOWN; 3])));
}

#[test]
fn s4_pdus_in_any_other_order_end_a_pairing() {
    use Misbehaviour as M;
    ends([
        (M::Twice(0x02), [DISORDER; 3]),
        (M::Twice(0x0C), [DISORDER, Paired, DISORDER]),
        (M::Twice(0x03), [DISORDER; 3]),
        (M::Twice(0x04), [DISORDER; 3]),
        (M::Twice(0x0D), [DISORDER, Paired, DISORDER]),
        (M::AllTwice, [DISORDER; 3]),
        (M::RequestOutOfPlace, [UNKNOWN; 3]),
        (M::ResponseOutOfPlace, [DISORDER; 3]),
        (M::RandomBeforeConfirm, [DISORDER; 3]),
        (M::KeysBeforeEncryption, [DISORDER; 3]),
        (M::KeysOutOfOrder, [DISORDER; 3]),
    ]);
}

#[test]
fn s12_security_requests_while_pairing_change_nothing() {
    use Misbehaviour::{SecurityRequestWhilePairing, SecurityRequests};
    ends([(SecurityRequestWhilePairing, [Paired; 3]), (SecurityRequests(1000), [Paired; 3])]);
}

#[test]
fn s2_and_s15_what_a_device_claims_is_checked() {
    use Misbehaviour::{KeySize, OobFlagWithoutData};
    ends([0, 6, 7, 15, 17].map(|size| (KeySize(size), [KEY_SIZE; 3])));
    ends([(OobFlagWithoutData, [NO_DATA, Paired, NO_DATA])]);
}

#[test]
fn s1_public_keys_that_are_ours_or_none_are_refused() {
    use Misbehaviour::{InvalidPoint, LargePoint, ReflectsKey, ReflectsKeyNegated, ZeroPoint};
    let rules = [ReflectsKey, ReflectsKeyNegated, InvalidPoint, ZeroPoint, LargePoint];
    ends(rules.map(|rule| (rule, [INVALID, Paired, INVALID])));
}

#[test]
fn s5_values_that_do_not_fit_end_a_pairing_in_any_round() {
    use Misbehaviour as M;
    let check = Refused(Reason::DhKeyCheckFailed);
    ends([M::WrongConfirm(0), M::WrongRandom(0)].map(|rule| (rule, [CONFIRM; 3])));
    for round in [1, 10, 19] {
        let rules = [M::WrongConfirm(round), M::WrongRandom(round)];
        ends(rules.map(|rule| (rule, [Paired, Paired, CONFIRM])));
    }
    ends([
        (M::WrongDhKeyCheck, [check, Paired, check]),
        (M::ZeroDhKeyCheck, [check, Paired, check]),
        (M::NoDhKeyCheck, [Timeout, Paired, Timeout]),
    ]);
}

#[test]
fn s6_keys_that_are_none_are_not_kept() {
    use Misbehaviour as M;
    ends([
        (M::ZeroLongTermKey, [Paired, Refused(Reason::KeyRejected), Paired]),
        (M::InvalidIdentity, [INVALID; 3]),
        (M::UnrequestedKeys, [Paired; 3]),
    ]);
    for method in METHODS {
        let kept = |rule| run(method, rule).1.expect("it pairs").keys;
        assert_eq!(kept(M::ZeroIrk).irk, None);
        let unasked = kept(M::UnrequestedKeys);
        assert_eq!((unasked.csrk, unasked.irk.is_some()), (None, true), "nobody asked for a signature key");
        let claimed = kept(M::ClaimsIdentity(address(9), Some(Key::new([9; 16]))));
        assert_eq!(claimed.identity, Some(address(9)), "nobody else is known by it");
    }
}

#[test]
fn s14_a_method_that_authenticates_is_not_talked_down() {
    use Misbehaviour as M;
    let less = Refused(Reason::AuthenticationRequirements);
    assert_eq!(end(Method::Passkey, M::ClaimsNoInputNoOutput), less);
    let of = |rule| run(Method::Passkey, rule).0.expect("it pairs");
    assert!(of(M::ClearsMitm).authenticated, "our own wish is enough");
    let legacy = of(M::ClearsSecureConnections);
    assert!(legacy.authenticated && !legacy.secure_connections, "which is told");
}
