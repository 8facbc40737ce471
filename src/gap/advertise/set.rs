//! One advertising set: how far the controller has been told of it.

use super::check::{AdvertiseSupport, DataPart};
use super::options::AdvertiseOptions;
use super::outcome::{AdvertiseFailure, Ended, Outcome};
use super::{Asked, SetStep, commands};
use crate::Instant;
use crate::transports::HciPacket;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub(super) struct Set {
    /// Tells sets of the same key apart.
    pub(super) id: u64,
    pub(super) key: u64,
    pub(super) options: AdvertiseOptions,
    /// By which the controller knows it; `None` when it does not, and with the legacy commands.
    pub(super) handle: Option<u8>,
    /// What comes next on the way to [`Step::Done`].
    pub(super) step: Step,
    pub(super) enabled: bool,
    /// A connection has come of it and the controller has not yet said that it ended.
    pub(super) taken: bool,
    pub(super) started: bool,
    pub(super) tx_power: Option<i8>,
    pub(super) deadline: Option<Instant>,
    /// It is to be stopped and removed.
    pub(super) ending: Option<Ending>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// That it failed was said.
    Failed,
    /// To be said when the controller is done with it.
    Say(Ended),
}

/// The steps of a set, first those that lead to advertising, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Parameters,
    RandomAddress,
    /// From this octet of it on.
    Data(DataPart, usize),
    Enable,
    Done,
    Disable,
    Remove,
}

impl Set {
    pub(super) fn new(id: u64, key: u64, options: AdvertiseOptions) -> Self {
        Self {
            id,
            key,
            options,
            handle: None,
            step: Step::Parameters,
            enabled: false,
            taken: false,
            started: false,
            tx_power: None,
            deadline: None,
            ending: None,
        }
    }

    /// Whether the controller has not been told anything of it.
    pub(super) fn is_new(&self) -> bool {
        self.step == Step::Parameters && self.ending.is_none()
    }

    pub(super) fn command(&self, step: Step, support: &AdvertiseSupport) -> Option<(Asked, HciPacket)> {
        let packet = commands::of_step(&self.options, step, self.handle, support)?;
        Some((Asked::Set(SetStep { id: self.id, step, outdated: false, over: false }), packet))
    }

    pub(super) fn advance(&mut self, step: Step) {
        let next = commands::after(&self.options, step, self.handle.is_some());
        self.step = if self.enabled && next == Step::Enable { Step::Done } else { next };
    }

    /// Data in pieces cannot change on the air ([Vol 4] Part E, 7.8.54).
    pub(super) fn fits_one_command(&self) -> bool {
        match self.step {
            Step::Data(part, _) => commands::data_of(&self.options, part).len() <= commands::FRAGMENT,
            _ => true,
        }
    }

    pub(super) fn fail(&mut self, reason: AdvertiseFailure, outcomes: &mut VecDeque<Outcome>) {
        if self.ending.is_none() {
            self.ending = Some(Ending::Failed);
            outcomes.push_back(Outcome::Failed { key: self.key, reason });
        }
    }

    /// The controller knows nothing of it any more.
    pub(super) fn forget(&mut self) {
        (self.handle, self.step) = (None, Step::Parameters);
        (self.enabled, self.taken) = (false, false);
    }
}
