//! What went wrong, each sort once: how often, where first, and what it usually means.

use baretooth::hci::ErrorCode;
use std::collections::BTreeMap;

/// Everything that went wrong.
#[derive(Debug, Default)]
pub struct Problems {
    found: BTreeMap<(Sort, String), Problem>,
    counts: BTreeMap<Sort, u64>,
    /// Those that found no room.
    pub beyond: u64,
}

/// What sort of problem it is; the last is worth knowing, the others are errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    LinkLost,
    NoLink,
    Pairing,
    Att,
    Unanswered,
    Command,
    Malformed,
    Controller,
    Note,
}

impl Sort {
    /// One of them, and several.
    pub fn nouns(self) -> [&'static str; 2] {
        match self {
            Self::LinkLost => ["lost link", "lost links"],
            Self::NoLink => ["failed connection", "failed connections"],
            Self::Pairing => ["failed pairing or encryption", "failed pairings or encryptions"],
            Self::Att => ["ATT error", "ATT errors"],
            Self::Unanswered => ["unanswered request", "unanswered requests"],
            Self::Command => ["failed command", "failed commands"],
            Self::Malformed => ["malformed packet", "malformed packets"],
            Self::Controller => ["controller failure", "controller failures"],
            Self::Note => ["note", "notes"],
        }
    }
}

/// A problem, however often it came.
#[derive(Clone, Debug)]
pub struct Problem {
    pub hint: Option<&'static str>,
    pub count: u64,
    /// The first record, and when it was.
    pub first: u64,
    pub at: u64,
    /// The last record.
    pub last: u64,
}

/// Most different problems that are kept.
const MOST: usize = 128;

impl Problems {
    /// Something went wrong in record `number`.
    pub fn add(&mut self, sort: Sort, what: String, hint: Option<&'static str>, number: u64, at: u64) {
        *self.counts.entry(sort).or_default() += 1;
        let key = (sort, what);
        if let Some(problem) = self.found.get_mut(&key) {
            problem.count += 1;
            problem.last = number;
        } else if self.found.len() < MOST {
            self.found.insert(key, Problem { hint, count: 1, first: number, at, last: number });
        } else {
            self.beyond += 1;
        }
    }

    /// Errors first, and then by the place where each was first.
    pub fn in_order(&self) -> Vec<(Sort, &str, &Problem)> {
        let mut all: Vec<_> = self.found.iter().map(|((sort, what), p)| (*sort, &what[..], p)).collect();
        all.sort_by_key(|(sort, _, problem)| (*sort == Sort::Note, problem.first));
        all
    }

    /// How many there were of each sort of error.
    pub fn counts(&self) -> impl Iterator<Item = (Sort, u64)> {
        self.counts.iter().map(|(sort, n)| (*sort, *n)).filter(|(sort, _)| *sort != Sort::Note)
    }

    /// How many errors there were.
    pub fn errors(&self) -> u64 {
        self.counts().map(|(_, n)| n).sum()
    }
}

/// Whether a link that ended so was ended by one of its ends, on purpose.
pub fn is_wanted(reason: ErrorCode) -> bool {
    matches!(
        reason,
        ErrorCode::RemoteUserTerminatedConnection
            | ErrorCode::RemoteDeviceTerminatedConnectionDueToPowerOff
            | ErrorCode::ConnectionTerminatedByLocalHost
    )
}

/// What it usually means when a link ends so, or could not be made.
pub fn link_hint(reason: ErrorCode) -> Option<&'static str> {
    Some(match reason {
        ErrorCode::AuthenticationFailure => {
            "the two sides hold different keys; remove the bond on both and pair again"
        }
        ErrorCode::PinOrKeyMissing => {
            "one side has forgotten the bond; remove it on the other and pair again"
        }
        ErrorCode::ConnectionTimeout => {
            "nothing was heard of the peer for the supervision time-out: out of range, switched off, or its radio was busy"
        }
        ErrorCode::ConnectionLimitExceeded => "the controller has no room for another link",
        ErrorCode::ConnectionAlreadyExists => {
            "there is a link to this device already, perhaps of another program"
        }
        ErrorCode::RemoteDeviceTerminatedConnectionDueToLowResources => {
            "the peer ran out of memory or of links"
        }
        ErrorCode::UnsupportedRemoteFeature => "the peer does not have what was asked of it",
        ErrorCode::LmpResponseTimeout => "the peer's link layer left a procedure unanswered for 40 s",
        ErrorCode::InstantPassed => "a change of parameters or channels was missed, mostly on a weak link",
        ErrorCode::UnacceptableConnectionParameters => {
            "the peer does not like the interval, latency or time-out"
        }
        ErrorCode::AdvertisingTimeout => "nobody connected while it was advertised",
        ErrorCode::ConnectionTerminatedDueToMicFailure => {
            "a packet did not decrypt: different keys, or a forged packet"
        }
        ErrorCode::ConnectionFailedToBeEstablished => {
            "the peer never answered on the new link: weak signal, or it connected to somebody else at the same time"
        }
        ErrorCode::UnknownConnectionIdentifier => {
            "there was no such link any more, or connecting was given up"
        }
        _ => return None,
    })
}

/// What it usually means when a command fails so.
pub fn command_hint(status: ErrorCode) -> Option<&'static str> {
    Some(match status {
        ErrorCode::UnknownHciCommand => "the controller does not have this command",
        ErrorCode::UnknownConnectionIdentifier => "the link was down already",
        ErrorCode::CommandDisallowed => {
            "not in this state: something that excludes it was going on, or it was done already"
        }
        ErrorCode::UnsupportedFeatureOrParameterValue => "the controller does not support a value in it",
        ErrorCode::InvalidHciCommandParameters => "a parameter is out of range, or does not fit the others",
        ErrorCode::MemoryCapacityExceeded => "a list in the controller is full",
        ErrorCode::ControllerBusy => "worth trying again",
        other => return link_hint(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_are_bounded_and_none_goes_uncounted() {
        let mut problems = Problems::default();
        for n in 0..1_000_u64 {
            problems.add(Sort::Att, format!("sort {}", n % 200), None, n, n);
        }
        assert_eq!(problems.in_order().len(), MOST);
        assert_eq!(problems.errors(), 1_000);
        let (_, what, first) = problems.in_order()[0];
        assert_eq!((what, first.count, first.first, first.last), ("sort 0", 5, 0, 800));
    }

    #[test]
    fn errors_stand_before_notes() {
        let mut problems = Problems::default();
        problems.add(Sort::Note, "a".into(), None, 1, 0);
        problems.add(Sort::Malformed, "b".into(), None, 2, 0);
        assert_eq!(problems.in_order()[0].1, "b");
        assert_eq!(problems.errors(), 1);
    }
}
