//! Which association model two devices use, written from the tables of [Vol 3] Part H, 2.3.5.1 and used by nobody but
//! the radio: a host that has the tables wrong does not agree with it.

/// How two devices come to share a secret ([Vol 1] Part A, 5.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Association {
    /// Nobody does anything, and nobody knows who is in the middle.
    JustWorks,
    /// Six digits that one side shows and the other types, or that both type.
    PasskeyEntry,
    /// Both show six digits and both users say whether they are the same.
    NumericComparison,
    /// Something that went another way than by radio.
    OutOfBand,
}

impl Association {
    /// Whether nobody in the middle can have taken part.
    pub fn authenticates(self) -> bool {
        self != Self::JustWorks
    }
}

/// What the responder's user has to do with a passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Nothing,
    /// It is on the responder's display.
    Shows,
    /// The user types it.
    Types,
}

/// The octets of a Pairing Request or Response, code first.
pub(super) type Features = [u8; 7];

pub(super) const MITM: u8 = 0x04;
pub(super) const SECURE_CONNECTIONS: u8 = 0x08;

/// A line for each capability of the responder, a letter for each of the initiator, both in the order of their numbers:
/// Just Works, the responder Displays or Types, Numeric comparison.
const LEGACY: [&[u8; 5]; 5] = [b"JJDJD", b"JJDJD", b"TTTJT", b"JJJJJ", b"TTDJT"];
const SECURE: [&[u8; 5]; 5] = [b"JJDJD", b"JNDJN", b"TTTJT", b"JJJJJ", b"TNDJN"];

/// The model that follows from what both have said; `None` for a capability that there is not.
pub(super) fn choose(request: &Features, response: &Features, secure: bool) -> Option<(Association, Part)> {
    let [_, initiator_io, initiator_oob, initiator_auth, ..] = *request;
    let [_, responder_io, responder_oob, responder_auth, ..] = *response;
    let column = usize::from(initiator_io);
    let row = usize::from(responder_io);
    let table = if secure { SECURE } else { LEGACY };
    let cell = *table.get(row)?.get(column)?;
    let (one, both) = (initiator_oob | responder_oob, initiator_oob & responder_oob);
    if (if secure { one } else { both }) & 1 == 1 {
        return Some((Association::OutOfBand, Part::Nothing));
    }
    if (initiator_auth | responder_auth) & MITM == 0 {
        return Some((Association::JustWorks, Part::Nothing));
    }
    Some(match cell {
        b'D' => (Association::PasskeyEntry, Part::Shows),
        b'T' => (Association::PasskeyEntry, Part::Types),
        b'N' => (Association::NumericComparison, Part::Nothing),
        _ => (Association::JustWorks, Part::Nothing),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(initiator: u8, responder: u8, secure: bool) -> (Association, Part) {
        choose(&[1, initiator, 0, MITM, 16, 0, 0], &[2, responder, 0, 0, 16, 0, 0], secure).expect("known")
    }

    #[test]
    fn who_cannot_show_is_never_asked_to() {
        for responder in 0..5 {
            for initiator in 0..5 {
                for secure in [false, true] {
                    let (association, part) = of(initiator, responder, secure);
                    let shows = matches!(responder, 0 | 1 | 4);
                    let types = matches!(responder, 2 | 4);
                    assert!(part != Part::Shows || shows && matches!(initiator, 2 | 4));
                    assert!(part != Part::Types || types && initiator != 3);
                    let compares = association == Association::NumericComparison;
                    let both = matches!(initiator, 1 | 4) && matches!(responder, 1 | 4);
                    assert_eq!(compares, secure && both, "{initiator} and {responder}");
                    assert_eq!(association.authenticates(), part != Part::Nothing || compares);
                }
            }
        }
    }

    #[test]
    fn out_of_band_data_go_first_and_no_wish_for_protection_means_none() {
        let with = |oob: (u8, u8), auth, secure| {
            choose(&[1, 4, oob.0, auth, 16, 0, 0], &[2, 4, oob.1, 0, 16, 0, 0], secure).expect("known").0
        };
        assert_eq!(with((1, 0), 0, true), Association::OutOfBand);
        assert_eq!(with((1, 0), 0, false), Association::JustWorks);
        assert_eq!(with((1, 1), 0, false), Association::OutOfBand);
        assert_eq!(with((0, 0), 0, true), Association::JustWorks);
        assert_eq!(with((0, 0), MITM, true), Association::NumericComparison);
        assert!(choose(&[1, 5, 0, 0, 16, 0, 0], &[2, 4, 0, 0, 16, 0, 0], true).is_none());
    }
}
