//! Advertising ([Vol 3] Part C, 9.1 and 9.2; [Vol 4] Part E, 7.8.5 to 7.8.9 and 7.8.52 to 7.8.60): any number of sets,
//! as far as the controller has them; one with the legacy commands.
//!
//! [`Advertiser`] owns the sets and the commands that bring each to where it was asked to be. It sends nothing itself,
//! and the link that comes of a set is none of its business.

mod check;
mod commands;
mod options;
mod outcome;
mod set;

pub use check::{AdvertiseSupport, DataPart, InvalidAdvertising};
pub use options::{AdvertiseChannels, AdvertiseFilter, AdvertiseMode, AdvertiseOptions, ExtendedPdus};
pub use outcome::{AdvertiseFailure, Ended, Outcome};

use crate::codec::front;
use crate::gap::advertising_data::AdvertisingDataBuf;
use crate::gap::privacy::OwnAddress;
use crate::hci::command::{
    LeReadMaximumAdvertisingDataLength, LeReadMaximumAdvertisingDataLengthReturn,
    LeReadNumberOfSupportedAdvertisingSets, LeReadNumberOfSupportedAdvertisingSetsReturn,
    LeSetExtendedAdvertisingParametersReturn,
};
use crate::hci::{ConnectionHandle, ErrorCode, HciCommand, Opcode, Role};
use crate::transports::HciPacket;
use crate::{BdAddr, Instant};
use set::{Ending, Set, Step};
use std::collections::VecDeque;

/// Advertises any number of sets.
///
/// Whoever drives it calls [`poll_command`](Self::poll_command) and then [`poll_outcome`](Self::poll_outcome) after
/// everything else, sends what the first gives, and brings the answer to
/// [`on_command_result`](Self::on_command_result). One command is outstanding at a time.
#[derive(Clone, Debug, Default)]
pub struct Advertiser {
    /// In the order they were asked for.
    sets: Vec<Set>,
    last_id: u64,
    outcomes: VecDeque<Outcome>,
    outstanding: Option<Outstanding>,
    /// What the controller says it has; `None` until it was asked, [`UNKNOWN`] when it does not know.
    max_data: Option<usize>,
    max_sets: Option<usize>,
    lost_extended: bool,
    held: bool,
}

/// The controller does not say; it will refuse what is too much.
const UNKNOWN: usize = usize::MAX;

/// Advertising handles are 0x00 to 0xEF.
const HANDLES: usize = 0xF0;

#[derive(Clone, Copy, Debug)]
struct Outstanding {
    opcode: Opcode,
    asked: Asked,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    MaxData,
    MaxSets,
    Set(SetStep),
}

#[derive(Clone, Copy, Debug)]
struct SetStep {
    /// The set.
    id: u64,
    step: Step,
    /// New data came meanwhile: this is not the step that the set goes on from.
    outdated: bool,
    /// The controller said that the set ended before it said that it began.
    over: bool,
}

/// Where a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvertisingState {
    /// The controller is being told.
    Starting,
    /// On the air.
    Advertising,
    /// The controller is being told to stop.
    Stopping,
}

impl Advertiser {
    /// Without sets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a set under a key of the caller's; one of the same key is stopped.
    ///
    /// # Errors
    /// When this controller cannot do it, as far as is known; nothing has changed then.
    pub fn start(
        &mut self,
        key: u64,
        options: AdvertiseOptions,
        support: &AdvertiseSupport,
    ) -> Result<(), InvalidAdvertising> {
        options.check(&self.restricted(support))?;
        self.stop(key);
        self.last_id += 1;
        self.sets.push(Set::new(self.last_id, key, options));
        Ok(())
    }

    /// Ends a set. [`Outcome::Ended`] says when the controller has done so.
    pub fn stop(&mut self, key: u64) {
        self.stop_where(|set| set.key == key, Ended::Stopped);
    }

    /// Ends all sets.
    pub fn stop_all(&mut self) {
        self.stop_where(|_| true, Ended::Stopped);
    }

    /// Gives a set other data, on the air without a gap where one command holds it; else the set pauses.
    ///
    /// # Errors
    /// When it does not fit; the set keeps what it had.
    pub fn set_data(
        &mut self,
        key: u64,
        data: AdvertisingDataBuf,
        scan_response: AdvertisingDataBuf,
        support: &AdvertiseSupport,
    ) -> Result<(), InvalidAdvertising> {
        let support = self.restricted(support);
        let mut sets = self.sets.iter_mut();
        let Some(set) = sets.find(|set| set.key == key && set.ending.is_none()) else { return Ok(()) };
        let options = set.options.clone().data(data).scan_response(scan_response);
        options.check(&support)?;
        set.options = options;
        let first = commands::first_data(&set.options);
        set.resume = set.resume.map(|resume| resume.min(first));
        if set.step > first {
            set.step = if set.enabled && first == Step::Enable { Step::Done } else { first };
        }
        if let Some(Outstanding { asked: Asked::Set(asked), .. }) = &mut self.outstanding {
            asked.outdated |= asked.id == set.id && matches!(asked.step, Step::Data(..) | Step::Enable);
        }
        Ok(())
    }

    /// Stops advertising, or lets it go on, keeping the sets: for commands that the controller takes only while it does not
    /// advertise.
    pub(crate) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// The next command that brings the controller to what was asked for; `None` while one is outstanding and when there
    /// is nothing to do.
    pub fn poll_command(&mut self, support: &AdvertiseSupport) -> Option<HciPacket> {
        // This is asked after each packet: without a set the answer is quick.
        if self.outstanding.is_some() || self.sets.is_empty() {
            return None;
        }
        let (asked, packet) = self.next_command(support)?;
        let opcode = match packet.as_slice() {
            [_, a, b, ..] => Opcode(u16::from_le_bytes([*a, *b])),
            _ => Opcode::NONE,
        };
        self.outstanding = Some(Outstanding { opcode, asked });
        Some(packet)
    }

    /// The controller's answer to the command of [`poll_command`](Self::poll_command): its return parameters, the status
    /// first, or `None` when it gave none in time. Answers to other commands are nothing to it.
    pub fn on_command_result(&mut self, now: Instant, opcode: Opcode, answer: Option<&[u8]>) {
        let Some(outstanding) = self.outstanding.take_if(|outstanding| outstanding.opcode == opcode) else {
            return;
        };
        let octets = answer.unwrap_or_default();
        match outstanding.asked {
            Asked::MaxData => {
                let answer = front::<LeReadMaximumAdvertisingDataLengthReturn>("advertising", octets).ok();
                let known = answer.filter(|answer| answer.status.is_success());
                self.max_data = Some(known.map_or(UNKNOWN, |it| usize::from(it.max_advertising_data_length)));
            }
            Asked::MaxSets => {
                let answer =
                    front::<LeReadNumberOfSupportedAdvertisingSetsReturn>("advertising", octets).ok();
                let known = answer.filter(|answer| answer.status.is_success());
                self.max_sets =
                    Some(known.map_or(UNKNOWN, |it| usize::from(it.num_supported_advertising_sets)));
            }
            Asked::Set(asked) => {
                self.on_step(now, opcode, asked, octets.first().map(|&status| ErrorCode(status)));
                if asked.step == Step::Parameters {
                    self.on_tx_power(asked.id, octets);
                }
            }
        }
    }

    /// What came of a set: to be called after everything else, until it is `None`.
    pub fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// LE Advertising Set Terminated; says whether it was of a set that advertises.
    pub fn on_set_terminated(
        &mut self,
        handle: u8,
        status: ErrorCode,
        connection: ConnectionHandle,
        events: u8,
    ) -> bool {
        let how = match status {
            ErrorCode::Success => Ended::Connected(connection),
            ErrorCode::AdvertisingTimeout => Ended::TimedOut,
            ErrorCode::LimitReached => Ended::Sent(events),
            status => Ended::Controller(status),
        };
        self.end_by_controller(|set| set.handle == Some(handle), how)
    }

    /// LE Connection Complete in any of its forms. Says whether a set may have brought this link about: one that no set
    /// has is of the central's making or of nobody's.
    pub fn on_connection_complete(
        &mut self,
        status: ErrorCode,
        role: Role,
        connection: ConnectionHandle,
    ) -> bool {
        let how = match status {
            ErrorCode::Success if role == Role::Peripheral => Ended::Connected(connection),
            // The end of high duty cycle advertising with the legacy commands ([Vol 4] Part E, 7.7.65.1).
            ErrorCode::AdvertisingTimeout => Ended::TimedOut,
            _ => return false,
        };
        if self.end_by_controller(|set| set.handle.is_none() && set.options.mode.is_connectable(), how) {
            return true;
        }
        // With the extended commands the controller says in another event which set it was.
        let enabling = self.enabling();
        let mut sets = self.sets.iter_mut();
        let taken = sets.find(|set| {
            let on_air = set.enabled || enabling == Some(set.id);
            on_air && !set.taken && set.handle.is_some() && set.options.mode.is_connectable()
        });
        match taken.filter(|_| status.is_success()) {
            Some(set) => {
                set.taken = true;
                true
            }
            None => false,
        }
    }

    /// LE Scan Request Received: the key of the set, when it asked to be told.
    pub fn on_scan_request(&self, handle: u8) -> Option<u64> {
        let mut sets = self.sets.iter();
        let set = sets.find(|set| set.enabled && set.handle == Some(handle))?;
        set.options.notify_scan_requests.then_some(set.key)
    }

    /// When [`on_timeout`](Self::on_timeout) has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.sets.iter().filter(|set| set.ending.is_none()).filter_map(|set| set.deadline).min()
    }

    /// Ends the sets whose time is over.
    pub fn on_timeout(&mut self, now: Instant) {
        self.stop_where(|set| set.deadline.is_some_and(|deadline| deadline <= now), Ended::TimedOut);
    }

    /// The controller was reset: it has forgotten the sets, and what it was asked has no answer. Those that were not to
    /// end begin anew; their time goes on.
    pub fn on_reset(&mut self) {
        (self.outstanding, self.max_data, self.max_sets) = (None, None, None);
        self.lost_extended = false;
        self.sets.iter_mut().for_each(Set::forget);
        self.sweep();
    }

    /// Ends the sets that the controller was just about to advertise, and gives their keys; the others stay. For a
    /// command that it did not answer, before [`on_reset`](Self::on_reset).
    pub fn end_unserved(&mut self) -> Vec<u64> {
        let unserved = |set: &Set| !set.started && set.ending.is_none();
        let keys = self.sets.iter().filter(|set| unserved(set)).map(|set| set.key).collect();
        let sets = self.sets.iter_mut().filter(|set| unserved(set));
        sets.for_each(|set| set.ending = Some(Ending::Failed));
        keys
    }

    /// Where a set is; `None` when there is none of this key.
    pub fn state(&self, key: u64) -> Option<AdvertisingState> {
        let set = self.sets.iter().rev().find(|set| set.key == key)?;
        Some(match (set.ending, set.started) {
            (Some(_), _) => AdvertisingState::Stopping,
            (None, true) => AdvertisingState::Advertising,
            (None, false) => AdvertisingState::Starting,
        })
    }

    /// Whether the controller advertises, or may do so by the time it answers.
    pub fn is_advertising(&self) -> bool {
        self.enabling().is_some() || self.sets.iter().any(|set| set.enabled)
    }

    /// The sorts of address that the sets ask for, of those that have none of their own.
    pub(crate) fn own_addresses(&self) -> impl Iterator<Item = Option<OwnAddress>> {
        let sets =
            self.sets.iter().filter(|set| set.ending.is_none() && set.options.random_address.is_none());
        sets.map(|set| set.options.own_address)
    }

    /// The random address with which the set of the last connection was on the air, `None` for the public one; or with
    /// which that of this handle was.
    pub(crate) fn shown(&self, handle: Option<u8>) -> Option<BdAddr> {
        let is_meant = |set: &&Set| match handle {
            Some(_) => set.handle == handle,
            None => set.taken || matches!(set.ending, Some(Ending::Say(Ended::Connected(_)))),
        };
        self.sets.iter().rfind(is_meant)?.shown
    }

    /// Fails all sets: the controller does not let them have the address that they need.
    pub(crate) fn refuse(&mut self, reason: &AdvertiseFailure) {
        let outcomes = &mut self.outcomes;
        self.sets.iter_mut().for_each(|set| set.fail(reason.clone(), outcomes));
    }

    /// As [`is_advertising`](Self::is_advertising), but for sets that a connection has ended already.
    pub(crate) fn is_on_air(&self) -> bool {
        self.enabling().is_some() || self.sets.iter().any(|set| set.enabled && !set.taken)
    }

    /// Whether there is no set and no command is outstanding.
    pub fn is_idle(&self) -> bool {
        self.sets.is_empty() && self.outstanding.is_none()
    }

    /// What the controller has, by what it has said and shown since.
    fn restricted(&self, support: &AdvertiseSupport) -> AdvertiseSupport {
        AdvertiseSupport {
            extended: support.extended && !self.lost_extended,
            max_data: support.max_data.min(self.max_data.unwrap_or(UNKNOWN)),
            ..*support
        }
    }

    fn next_command(&mut self, support: &AdvertiseSupport) -> Option<(Asked, HciPacket)> {
        let support = self.restricted(support);
        self.sweep();
        // First those that end: others may need their place.
        if let Some(set) = self.sets.iter_mut().find(|set| set.ending.is_some()) {
            return set.command(if set.enabled { Step::Disable } else { Step::Remove }, &support);
        }
        if self.held {
            let set = self.sets.iter_mut().find(|set| set.enabled && !set.taken)?;
            set.step = set.step.min(Step::Enable);
            return set.command(Step::Disable, &support);
        }
        if support.extended && self.sets.iter().any(Set::is_new) {
            if self.max_data.is_none() {
                return LeReadMaximumAdvertisingDataLength {}.to_packet().ok().map(|p| (Asked::MaxData, p));
            }
            if self.max_sets.is_none() {
                let packet = LeReadNumberOfSupportedAdvertisingSets {}.to_packet();
                return packet.ok().map(|p| (Asked::MaxSets, p));
            }
        }
        self.refuse_unsupported(&support);
        self.sweep();
        let free = self.free_handle();
        self.sets.iter_mut().for_each(|set| set.follow(&support.own));
        let set = self.sets.iter_mut().find(|set| set.step != Step::Done)?;
        if set.is_new() && support.extended {
            set.handle = free;
        }
        let step = set.step;
        let pauses = set.enabled && !set.changes_on_air();
        set.command(if pauses { Step::Disable } else { step }, &support)
    }

    /// Fails new sets for which the controller lacks something: what, has become known since they were asked for.
    fn refuse_unsupported(&mut self, support: &AdvertiseSupport) {
        let room = if support.extended { self.max_sets.unwrap_or(UNKNOWN).min(HANDLES) } else { 1 };
        let mut used = self.sets.iter().filter(|set| !set.is_new()).count();
        for set in self.sets.iter_mut().filter(|set| set.is_new()) {
            let reason = match set.options.check(support) {
                Err(invalid) => AdvertiseFailure::Invalid(invalid),
                Ok(()) if used >= room => AdvertiseFailure::NoSetLeft { sets: room },
                Ok(()) => {
                    used += 1;
                    continue;
                }
            };
            set.fail(reason, &mut self.outcomes);
        }
    }

    fn free_handle(&self) -> Option<u8> {
        (0..=0xEF).find(|handle| self.sets.iter().all(|set| set.handle != Some(*handle)))
    }

    /// Lets go of the sets that are to end and of which the controller knows nothing.
    fn sweep(&mut self) {
        let outcomes = &mut self.outcomes;
        self.sets.retain(|set| match set.ending {
            Some(ending) if !set.enabled && set.handle.is_none() => {
                if let Ending::Say(how) = ending {
                    outcomes.push_back(Outcome::Ended { key: set.key, how });
                }
                false
            }
            _ => true,
        });
    }

    fn stop_where(&mut self, which: impl Fn(&Set) -> bool, how: Ended) {
        let sets = self.sets.iter_mut().filter(|set| set.ending.is_none() && which(set));
        sets.for_each(|set| set.ending = Some(Ending::Say(how)));
        // What the controller has heard nothing of is over at once, whether it listens or not.
        if self.outstanding.is_none() {
            self.sweep();
        }
    }

    /// The set that the controller was told to advertise and has not answered.
    fn enabling(&self) -> Option<u64> {
        match self.outstanding?.asked {
            Asked::Set(SetStep { id, step: Step::Enable, over: false, .. }) => Some(id),
            _ => None,
        }
    }

    /// The controller ended a set by itself. `false` when none that advertises is meant.
    fn end_by_controller(&mut self, which: impl Fn(&Set) -> bool, how: Ended) -> bool {
        let enabling = self.enabling();
        let mut sets = self.sets.iter_mut();
        let Some(set) = sets.find(|set| (set.enabled || enabling == Some(set.id)) && which(set)) else {
            return false;
        };
        set.enabled = false;
        // Even who stops it wants to know of a connection.
        if set.ending.is_none() || set.ending != Some(Ending::Failed) && matches!(how, Ended::Connected(_)) {
            set.ending = Some(Ending::Say(how));
        }
        if let Some(Outstanding { asked: Asked::Set(asked), .. }) = &mut self.outstanding {
            asked.over |= enabling == Some(set.id);
        }
        true
    }

    fn on_step(&mut self, now: Instant, opcode: Opcode, asked: SetStep, status: Option<ErrorCode>) {
        let SetStep { id, step, outdated, over } = asked;
        let none_runs = !self.sets.iter().any(|set| set.enabled);
        let Some(set) = self.sets.iter_mut().find(|set| set.id == id) else { return };
        match (step, status) {
            // Whatever it says, asking again would not help: it had stopped already, or it cannot stop.
            (Step::Disable, _) => (set.enabled, set.taken) = (false, false),
            (Step::Remove, _) => set.handle = None,
            (Step::Enable, Some(ErrorCode::Success)) => {
                set.enabled = !over;
                set.step = if outdated { set.step } else { Step::Done };
                set.deadline = set.deadline.or_else(|| set.options.timeout.map(|timeout| now + timeout));
                if !std::mem::replace(&mut set.started, true) && set.ending != Some(Ending::Failed) {
                    let (key, tx_power, random_address) = (set.key, set.tx_power, set.shown);
                    self.outcomes.push_back(Outcome::Started { key, tx_power, random_address });
                }
            }
            (_, Some(ErrorCode::Success)) => {
                if !outdated {
                    set.advance(step);
                }
            }
            (_, Some(ErrorCode::UnknownHciCommand) | None) if set.handle.is_some() && none_runs => {
                self.lost_extended = true;
                self.sets.iter_mut().for_each(Set::forget);
                self.outcomes.push_back(Outcome::ExtendedLost);
            }
            (_, status) => {
                if step == Step::Parameters {
                    set.handle = None;
                }
                let reason = match status {
                    Some(status) => AdvertiseFailure::Refused { opcode, status },
                    None => AdvertiseFailure::Silent { opcode },
                };
                set.fail(reason, &mut self.outcomes);
            }
        }
    }

    fn on_tx_power(&mut self, id: u64, octets: &[u8]) {
        let Ok(answer) = front::<LeSetExtendedAdvertisingParametersReturn>("advertising", octets) else {
            return;
        };
        if let Some(set) = self.sets.iter_mut().find(|set| set.id == id && set.handle.is_some()) {
            // 127 is no power.
            set.tx_power = Some(answer.selected_tx_power).filter(|dbm| *dbm != 127);
        }
    }
}

#[cfg(test)]
mod tests;
