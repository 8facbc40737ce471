//! All capabilities of both sides by all that they may insist on.

use super::super::method::{Ability, Association};
use super::super::{By, IoCapability, Method, PairingFailedReason, SecureConnections};
use super::*;

#[test]
fn every_combination_ends_with_equal_keys_or_is_refused_for_what_was_insisted_on() {
    use SecureConnections::{Allowed, Off, Only};
    let mut ends = [0; 2];
    for (a, b) in (0..5).flat_map(|a| (0..5).map(move |b| (IoCapability(a), IoCapability(b)))) {
        for (sc_a, sc_b) in [(Off, Off), (Off, Allowed), (Allowed, Allowed), (Allowed, Only), (Off, Only)] {
            for (mitm_a, mitm_b) in [(false, false), (true, false), (false, true), (true, true)] {
                let of = |io, generation, mitm| {
                    PairingOptions::new().io(io).secure_connections(generation).mitm(mitm)
                };
                let modern = sc_a != Off && sc_b != Off;
                let ability = |io, mitm| Ability { io, oob: false, mitm };
                let expected = Association::choose(modern, ability(a, mitm_a), ability(b, mitm_b)).method;
                let bad_generation = !modern && (sc_a == Only || sc_b == Only);
                let refused = bad_generation || (mitm_a || mitm_b) && expected == Method::JustWorks;
                let pair = Pair::run(of(a, sc_a, mitm_a), of(b, sc_b, mitm_b));
                let what = format!("{a} {sc_a:?} {mitm_a}, {b} {sc_b:?} {mitm_b}");
                if refused {
                    let errors = [&pair.central, &pair.peripheral].map(|side| side.failed.expect(&what));
                    for error in errors {
                        assert_eq!(error.reason, PairingFailedReason::AuthenticationRequirements, "{what}");
                    }
                    assert_ne!(errors[0].by == By::Us, errors[1].by == By::Us, "{what}: one refused");
                } else {
                    let (paired, _) = pair.paired();
                    assert_eq!((paired.method, paired.secure_connections), (expected, modern), "{what}");
                    assert_eq!(paired.authenticated, expected != Method::JustWorks, "{what}");
                }
                ends[usize::from(refused)] += 1;
            }
        }
    }
    // Table 2.8 has 12 cells of legacy pairing and 13 of Secure Connections that protect.
    assert_eq!(ends, [250, 100 + 2 * 3 * (25 - 12) + 2 * 3 * (25 - 13)]);
}
