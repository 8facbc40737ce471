//! Which method two devices pair by ([Vol 3] Part H, 2.3.5.1, tables 2.6 to 2.8).

use super::pdu::IoCapability;
use std::fmt;

/// How each side makes sure of the other ([Vol 3] Part H, 2.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Not at all: whoever is in the middle stays unseen.
    JustWorks,
    /// The same six digits are known to both sides.
    PasskeyEntry,
    /// The user sees that both sides show the same six digits; Secure Connections only.
    NumericComparison,
    /// Data was exchanged in another way.
    OutOfBand,
}

impl Method {
    /// Whether somebody in the middle is found out.
    pub const fn is_authenticated(self) -> bool {
        !matches!(self, Self::JustWorks)
    }
}

/// The specification's names.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JustWorks => "Just Works",
            Self::PasskeyEntry => "Passkey Entry",
            Self::NumericComparison => "Numeric Comparison",
            Self::OutOfBand => "Out of Band",
        })
    }
}

/// What the two say of themselves, as far as the choice depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ability {
    pub io: IoCapability,
    /// Has the other's out-of-band data.
    pub oob: bool,
    pub mitm: bool,
}

/// A method, and who does what in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Association {
    pub method: Method,
    /// Of passkey entry: which side shows the passkey; neither when both users type it.
    pub shows: Option<Side>,
}

/// One of the two sides of a pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Initiator,
    Responder,
}

impl Association {
    const JUST_WORKS: Self = Self { method: Method::JustWorks, shows: None };
    const NUMERIC_COMPARISON: Self = Self { method: Method::NumericComparison, shows: None };
    const OUT_OF_BAND: Self = Self { method: Method::OutOfBand, shows: None };

    const fn passkey(shows: Option<Side>) -> Self {
        Self { method: Method::PasskeyEntry, shows }
    }

    /// The choice. A capability without a name can do nothing.
    pub fn choose(secure_connections: bool, initiator: Ability, responder: Ability) -> Self {
        // Table 2.6: legacy pairing needs the one temporary key on both sides. Table 2.7: one way is enough.
        let oob =
            if secure_connections { initiator.oob || responder.oob } else { initiator.oob && responder.oob };
        if oob {
            Self::OUT_OF_BAND
        } else if initiator.mitm || responder.mitm {
            Self::by_io(secure_connections, initiator.io, responder.io)
        } else {
            Self::JUST_WORKS
        }
    }

    /// Table 2.8.
    fn by_io(secure_connections: bool, initiator: IoCapability, responder: IoCapability) -> Self {
        use IoCapability as Io;
        use Side::{Initiator, Responder};
        let compares = |io| matches!(io, Io::DisplayYesNo | Io::KeyboardDisplay);
        let displays = |io| matches!(io, Io::DisplayOnly) || compares(io);
        let types = |io| matches!(io, Io::KeyboardOnly | Io::KeyboardDisplay);
        if secure_connections && compares(initiator) && compares(responder) {
            Self::NUMERIC_COMPARISON
        } else if initiator == Io::KeyboardOnly && responder == Io::KeyboardOnly {
            Self::passkey(None)
        } else if displays(initiator) && types(responder) {
            Self::passkey(Some(Initiator))
        } else if types(initiator) && displays(responder) {
            Self::passkey(Some(Responder))
        } else {
            Self::JUST_WORKS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 2.8: a row for each responder, a column for each initiator, in the order of their numbers. `I` and `R` name
    /// the side that shows the passkey, `2` is two keyboards, `N` numeric comparison, `.` Just Works.
    const LEGACY: [&str; 5] = ["..R.R", "..R.R", "II2.I", ".....", "IIR.I"];
    const SECURE_CONNECTIONS: [&str; 5] = ["..R.R", ".NR.N", "II2.I", ".....", "INR.N"];

    fn letter(association: Association) -> char {
        match (association.method, association.shows) {
            (Method::JustWorks, None) => '.',
            (Method::NumericComparison, None) => 'N',
            (Method::PasskeyEntry, None) => '2',
            (Method::PasskeyEntry, Some(Side::Initiator)) => 'I',
            (Method::PasskeyEntry, Some(Side::Responder)) => 'R',
            (Method::OutOfBand, None) => 'O',
            other => panic!("{other:?}"),
        }
    }

    fn ability(io: usize, oob: bool, mitm: bool) -> Ability {
        Ability { io: IoCapability(io.try_into().expect("small")), oob, mitm }
    }

    #[test]
    fn every_pair_of_capabilities_has_the_method_of_the_table() {
        for (secure_connections, table) in [(false, LEGACY), (true, SECURE_CONNECTIONS)] {
            for (responder, row) in table.iter().enumerate() {
                for (initiator, expected) in row.chars().enumerate() {
                    for (a, b) in [(true, true), (true, false), (false, true)] {
                        let (a, b) = (ability(initiator, false, a), ability(responder, false, b));
                        let chosen = letter(Association::choose(secure_connections, a, b));
                        assert_eq!(chosen, expected, "{a:?} {b:?}, {secure_connections}");
                    }
                }
            }
        }
    }

    #[test]
    fn nobody_who_asks_for_protection_gives_just_works() {
        for (a, b) in (0..5).flat_map(|a| (0..5).map(move |b| (a, b))) {
            for generation in [false, true] {
                let chosen =
                    Association::choose(generation, ability(a, false, false), ability(b, false, false));
                assert_eq!(chosen, Association::JUST_WORKS);
            }
        }
    }

    #[test]
    fn out_of_band_needs_both_in_legacy_pairing_and_one_in_secure_connections() {
        for (a, b, legacy, modern) in [
            (true, true, 'O', 'O'),
            (true, false, 'I', 'O'),
            (false, true, 'I', 'O'),
            (false, false, 'I', 'N'),
        ] {
            let choose = |generation| {
                letter(Association::choose(generation, ability(4, a, true), ability(4, b, true)))
            };
            assert_eq!((choose(false), choose(true)), (legacy, modern));
        }
    }

    #[test]
    fn a_capability_without_a_name_can_do_nothing() {
        for (a, b) in [(5, 4), (4, 200)] {
            let chosen = Association::choose(true, ability(a, false, true), ability(b, false, true));
            assert_eq!(chosen, Association::JUST_WORKS);
        }
    }
}
