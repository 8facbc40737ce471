//! One advertising set: how far the controller has been told of it.

use super::check::{AdvertiseSupport, DataPart};
use super::options::AdvertiseOptions;
use super::outcome::{AdvertiseFailure, Ended, Outcome};
use super::{Asked, SetStep, commands};
use crate::gap::privacy::OwnOnAir;
use crate::transports::HciPacket;
use crate::{BdAddr, Instant};
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
    /// The random address that it has on the air, or is about to; `None` for the public one.
    pub(super) shown: Option<BdAddr>,
    /// What comes behind another address.
    pub(super) resume: Option<Step>,
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
            shown: None,
            resume: None,
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

    pub(super) fn command(&mut self, step: Step, support: &AdvertiseSupport) -> Option<(Asked, HciPacket)> {
        // With the legacy commands it shows what the adapter does at that moment.
        if matches!(step, Step::Parameters | Step::RandomAddress)
            || self.handle.is_none() && step == Step::Enable
        {
            self.shown = self.options.shown(&support.own);
        }
        let packet = commands::of_step(&self.options, step, self.handle, support)?;
        Some((Asked::Set(SetStep { id: self.id, step, outdated: false, over: false }), packet))
    }

    pub(super) fn advance(&mut self, step: Step) {
        let next = match self.resume.take_if(|_| step == Step::RandomAddress) {
            Some(resume) => resume,
            None => commands::after(&self.options, step, self.handle.is_some(), self.shown.is_some()),
        };
        self.step = if self.enabled && next == Step::Enable { Step::Done } else { next };
    }

    /// Asks for another address if it shows one of the adapter's, and that has changed. What is over in a moment keeps
    /// what it has: it would begin to count anew.
    pub(super) fn follow(&mut self, own: &OwnOnAir) {
        let brief = self.options.max_events.is_some() || self.options.mode.is_high_duty();
        let told = self.handle.is_some() && self.step > Step::RandomAddress && self.ending.is_none();
        if told && !brief && !self.taken && self.options.shown(own) != self.shown {
            self.resume = Some(if self.step == Step::Done { Step::Enable } else { self.step });
            self.step = Step::RandomAddress;
        }
    }

    /// Data in pieces cannot change on the air ([Vol 4] Part E, 7.8.54), nor the address of what is connectable (7.8.52);
    /// of what is not, the specification does not say when it would.
    pub(super) fn changes_on_air(&self) -> bool {
        match self.step {
            Step::RandomAddress => false,
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
        (self.handle, self.step, self.resume) = (None, Step::Parameters, None);
        (self.enabled, self.taken) = (false, false);
    }
}
