//! What is done about a controller that has failed: one rung after the other, each a little harder than the one before.
//!
//! Owns which rung is next and how often that was asked; [`Host`](super::Host) does what a rung says, or has it done.

use crate::Instant;
use crate::hci::{InitError, Opcode};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How far to go to bring back a controller that fell silent or reported a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum Recovery {
    /// Nowhere: a command that is not answered fails its own request alone, and a fault that the controller reports
    /// ends the session.
    Off,
    /// HCI Reset, and a new initialisation.
    #[default]
    Reset,
    /// After the reset, the transport is closed and opened again, where something knows how to.
    Reopen,
    /// Between the two, the USB port is reset too, where there is one. Chips that hold their firmware in memory may
    /// lose it, so this has to be asked for.
    ResetPort,
}

/// One way to bring a controller back, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rung {
    /// HCI Reset ([Vol 4] Part E, 7.3.2), and a new initialisation.
    Reset,
    /// The USB port is reset, and what comes back is opened.
    ResetPort,
    /// The transport is closed and opened again.
    Reopen,
}

/// What is wrong with a controller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It did not answer a command.
    #[error("the controller did not answer {command} within {after:?}")]
    Silent {
        /// What it was told.
        command: Opcode,
        /// How long it had.
        after: Duration,
    },
    /// It seemed not to know an extended command, and refuses the legacy ones as only one that knows it does
    /// ([Vol 4] Part E, 3.1.1): an answer was lost or damaged.
    #[error("the controller did not make sense of {command}, and takes nothing in its place")]
    Contradictory {
        /// The extended command.
        command: Opcode,
    },
    /// It reported a fault of its own ([Vol 4] Part E, 7.7.16).
    #[error("the controller reported hardware error 0x{0:02X}")]
    Hardware(u8),
    /// It could not be initialised anew.
    #[error(transparent)]
    Init(#[from] InitError),
    /// It could not be opened again.
    #[error("{0}")]
    NotOpened(String),
}

impl Fault {
    /// The command that was not answered, or refused.
    pub fn command(&self) -> Option<Opcode> {
        match self {
            Self::Silent { command, .. } | Self::Contradictory { command } => Some(*command),
            Self::Init(InitError::Silent(command) | InitError::Short(command)) => Some(*command),
            Self::Init(InitError::Refused { command, .. }) => Some(*command),
            _ => None,
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reset => "it is being reset",
            Self::ResetPort => "its port is being reset",
            Self::Reopen => "it is being opened again",
        })
    }
}

/// What an error says of the rung that follows.
pub(super) fn outlook(then: Option<Rung>) -> String {
    then.map_or_else(|| "nothing is left to try".to_owned(), |rung| rung.to_string())
}

impl Recovery {
    const fn rungs(self) -> &'static [Rung] {
        match self {
            Self::Off => &[],
            Self::Reset => &[Rung::Reset],
            Self::Reopen => &[Rung::Reset, Rung::Reopen],
            Self::ResetPort => &[Rung::Reset, Rung::ResetPort, Rung::Reopen],
        }
    }
}

/// Work without a fault for so long means that the last rung has helped; an answered command means it too.
const STEADY: Duration = Duration::from_secs(10);

/// A controller that fails more often than this in [`WINDOW`] does not begin at the lowest rung again, so that it runs
/// out of rungs.
const MOST_RECOVERIES: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);

/// Which rung is next.
#[derive(Debug)]
pub(super) struct Ladder {
    policy: Recovery,
    /// The last rung tried for this trouble.
    tried: Option<Rung>,
    ready_at: Instant,
    /// A command was answered since it was ready.
    answered: bool,
    /// When the recoveries of the last while began.
    begun: VecDeque<Instant>,
}

impl Ladder {
    pub(super) fn new(policy: Recovery) -> Self {
        Self { policy, tried: None, ready_at: Instant::START, answered: false, begun: VecDeque::new() }
    }

    /// Whether anything is ever done.
    pub(super) fn is_off(&self) -> bool {
        self.policy == Recovery::Off
    }

    /// The controller is initialised.
    pub(super) fn on_ready(&mut self, now: Instant) {
        (self.ready_at, self.answered) = (now, false);
    }

    /// The controller, being ready, has answered a command.
    pub(super) fn on_answered(&mut self) {
        self.answered = true;
    }

    /// The controller failed in use: the rung to begin with, if any.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Rung> {
        while self.begun.front().is_some_and(|begun| now.since(*begun) >= WINDOW) {
            self.begun.pop_front();
        }
        let steady = self.answered || now.since(self.ready_at) >= STEADY;
        if steady && self.begun.len() < MOST_RECOVERIES {
            self.tried = None;
        }
        let rung = self.climb();
        if rung.is_some() {
            self.begun.push_back(now);
        }
        rung
    }

    /// The last rung did not help: the one above it, if any.
    pub(super) fn climb(&mut self) -> Option<Rung> {
        let rung =
            self.policy.rungs().iter().copied().find(|rung| self.tried.is_none_or(|tried| *rung > tried))?;
        self.tried = Some(rung);
        Some(rung)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn each_rung_is_tried_once_in_order_and_only_those_that_are_allowed() {
        let climbed = |policy| {
            let mut ladder = Ladder::new(policy);
            ladder.begin(at(1)).into_iter().chain(std::iter::from_fn(|| ladder.climb())).collect::<Vec<_>>()
        };
        assert_eq!(climbed(Recovery::Off), []);
        assert_eq!(climbed(Recovery::Reset), [Rung::Reset]);
        assert_eq!(climbed(Recovery::Reopen), [Rung::Reset, Rung::Reopen]);
        assert_eq!(climbed(Recovery::ResetPort), [Rung::Reset, Rung::ResetPort, Rung::Reopen]);
    }

    #[test]
    fn a_rung_that_helped_is_the_next_to_begin_with_and_one_that_did_not_is_not() {
        for (answered, later, expected) in
            [(false, 9, Rung::Reopen), (true, 1, Rung::Reset), (false, 10, Rung::Reset)]
        {
            let mut ladder = Ladder::new(Recovery::Reopen);
            assert_eq!(ladder.begin(at(100)), Some(Rung::Reset));
            ladder.on_ready(at(100));
            if answered {
                ladder.on_answered();
            }
            assert_eq!(ladder.begin(at(100 + later)), Some(expected), "{answered}, {later} s later");
        }
    }

    #[test]
    fn a_controller_that_fails_all_the_time_runs_out_of_rungs_and_one_that_fails_at_times_does_not() {
        let rungs = |pause: u64| {
            let mut ladder = Ladder::new(Recovery::Reopen);
            let fail = |n: u64| {
                let rung = ladder.begin(at(n * pause));
                ladder.on_ready(at(n * pause));
                ladder.on_answered();
                rung
            };
            (1..=100).map_while(fail).collect::<Vec<_>>()
        };
        assert_eq!(rungs(5), [Rung::Reset, Rung::Reset, Rung::Reset, Rung::Reopen]);
        assert_eq!(rungs(25), [Rung::Reset; 100]);
    }
}
