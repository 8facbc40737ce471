//! Scanning ([Vol 3] Part C, 9.2; [Vol 4] Part E, 7.8.10, 7.8.11, 7.8.64 and 7.8.65): one controller, many subscribers.
//!
//! [`Scanner`] owns the subscriptions, the commands that make the controller scan as they all need it, and the table of
//! devices heard. It sends nothing itself and knows nothing of connections; [`Scanner::pause`] makes room for them.

mod options;
mod parameters;
mod subscription;

pub use options::{Duplicates, InvalidScanTiming, ScanOptions, ScanPhys};
pub use parameters::ScanSupport;

use super::device_table::{Device, DeviceTable};
use super::privacy::OwnAddress;
use super::report::Report;
use crate::Instant;
use crate::hci::{ErrorCode, Opcode};
use crate::transports::HciPacket;
use parameters::Parameters;
use std::collections::{BTreeMap, VecDeque};
use subscription::Subscription;

/// Serves any number of subscribers with one scan.
///
/// Whoever drives it calls [`poll_command`](Self::poll_command) after everything else, sends what that gives, and brings
/// the answer to [`on_command_result`](Self::on_command_result). One command is outstanding at a time.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    subscriptions: BTreeMap<u64, Subscription>,
    devices: DeviceTable,
    outcomes: VecDeque<Outcome>,
    paused: bool,
    held: bool,
    /// With what the controller scans now.
    running: Option<Parameters>,
    /// What it was last given as parameters.
    set: Option<Parameters>,
    outstanding: Option<Outstanding>,
    /// Begin again even if the parameters stay: a controller that filters duplicates forgets them only so.
    restart: bool,
    lost_extended: bool,
    lost_coded: bool,
}

#[derive(Clone, Copy, Debug)]
struct Outstanding {
    step: Step,
    opcode: Opcode,
    parameters: Parameters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Disable,
    SetParameters,
    Enable,
}

/// What a subscriber or the host must know of the scan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The controller scans for this subscriber; said once.
    Started {
        /// The subscriber.
        key: u64,
    },
    /// It does not, and the subscription is gone.
    Failed {
        /// The subscriber.
        key: u64,
        /// Why.
        reason: ScanFailure,
    },
    /// The controller lacks what it claimed to have, and the scan goes on without.
    SupportLost(SupportLost),
}

/// What a controller claimed and does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupportLost {
    /// The extended scan commands.
    Extended,
    /// Scanning on LE Coded.
    Coded,
}

/// Why a scan ended or never began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanFailure {
    /// The controller refused.
    #[error("{opcode} was refused: {status}")]
    Refused {
        /// What was asked.
        opcode: Opcode,
        /// What it answered.
        status: ErrorCode,
    },
    /// The controller did not answer.
    #[error("{opcode} was not answered")]
    Silent {
        /// What was asked.
        opcode: Opcode,
    },
    /// The controller has none of the PHYs asked for.
    #[error("the controller cannot scan on {0:?}; add ScanPhys::LE_1M")]
    Phys(ScanPhys),
}

impl Scanner {
    /// Without subscribers, remembering `devices` devices at most.
    pub fn new(devices: usize) -> Self {
        Self { devices: DeviceTable::with_capacity(devices), ..Self::default() }
    }

    /// Adds a subscriber under a key of the caller's; one of the same key is replaced.
    ///
    /// # Errors
    /// When no controller takes the times of the options; nothing has changed then.
    pub fn subscribe(&mut self, key: u64, options: ScanOptions) -> Result<(), InvalidScanTiming> {
        self.subscriptions.insert(key, Subscription::new(options)?);
        // Else it would never hear of the devices that the controller has reported to others.
        self.restart |= self.scanning().is_some_and(|parameters| parameters.filter_duplicates);
        Ok(())
    }

    /// Ends a subscription; the last one ends the scan.
    pub fn unsubscribe(&mut self, key: u64) {
        self.subscriptions.remove(&key);
    }

    /// Stops scanning until [`resume`](Self::resume), keeping the subscriptions: some controllers cannot initiate a
    /// connection meanwhile.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Scans again for whoever is subscribed.
    pub fn resume(&mut self) {
        self.paused = false;
    }

    /// Stops scanning, or lets it go on, whatever [`pause`](Self::pause) says: for commands that the controller takes only
    /// while it does not scan.
    pub(crate) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// The next command that brings the controller to what the subscribers need; `None` while one is outstanding and
    /// when there is nothing to do. Parameters cannot change while the controller scans, so it is stopped first.
    pub fn poll_command(&mut self, support: &ScanSupport) -> Option<HciPacket> {
        // This is asked after each packet: without a scan the answer is quick.
        if self.outstanding.is_some() || self.is_idle() {
            return None;
        }
        let support = ScanSupport {
            extended: support.extended && !self.lost_extended,
            coded: support.coded && !self.lost_coded,
            ..*support
        };
        self.refuse_unsupported(&support);
        let (step, parameters) = self.next_step(self.wanted(&support))?;
        let (opcode, packet) = match step {
            Step::Disable => (parameters.enable_opcode(), parameters.set_enable(false)),
            Step::SetParameters => (parameters.parameters_opcode(), parameters.set_parameters()),
            Step::Enable => (parameters.enable_opcode(), parameters.set_enable(true)),
        };
        let packet = packet?;
        if step == Step::Enable {
            self.restart = false;
            self.subscriptions.values_mut().for_each(|subscription| subscription.asked = true);
        }
        self.outstanding = Some(Outstanding { step, opcode, parameters });
        Some(packet)
    }

    /// The controller's answer to the command of [`poll_command`](Self::poll_command), `None` when it gave none in time.
    /// Answers to other commands are nothing to it. Gives what came of it, as [`poll_outcome`](Self::poll_outcome) would.
    pub fn on_command_result(&mut self, opcode: Opcode, status: Option<ErrorCode>) -> Vec<Outcome> {
        if let Some(outstanding) = self.outstanding.take_if(|outstanding| outstanding.opcode == opcode) {
            self.on_answer(outstanding, status);
        }
        self.outcomes.drain(..).collect()
    }

    /// What came of a subscription without a command: to be called after [`poll_command`](Self::poll_command) and
    /// [`subscribe`](Self::subscribe).
    pub fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// Takes a report into the device table, and gives `out` the key of each subscriber that wants it, in their order.
    #[inline]
    pub fn on_report(&mut self, now: Instant, report: &Report, mut out: impl FnMut(u64, &Report, &Device)) {
        let device = self.devices.update(now, report);
        for (&key, subscription) in &mut self.subscriptions {
            if subscription.wants(report, device) {
                out(key, report, device);
            }
        }
    }

    /// LE Scan Timeout: the controller stopped, and is started again if anyone is subscribed.
    pub fn on_scan_timeout(&mut self) {
        self.running = None;
    }

    /// The controller was reset: it neither scans nor remembers parameters, and what it was asked has no answer. The
    /// subscriptions stay.
    pub fn on_reset(&mut self) {
        (self.running, self.set, self.outstanding) = (None, None, None);
        (self.lost_extended, self.lost_coded) = (false, false);
    }

    /// Ends the subscriptions for which the controller was just about to scan, and gives their keys; the others stay.
    /// For a command that it did not answer, before [`on_reset`](Self::on_reset).
    pub fn end_unserved(&mut self) -> Vec<u64> {
        let unserved = self.subscriptions.iter().filter(|(_, subscription)| !subscription.started);
        let keys = unserved.map(|(key, _)| *key).collect();
        self.subscriptions.retain(|_, subscription| subscription.started);
        keys
    }

    /// Whether the controller scans, or may do so by the time it answers.
    pub fn is_scanning(&self) -> bool {
        self.scanning().is_some()
    }

    /// The sorts of address that subscribers ask for. Whoever only listens shows none.
    pub(crate) fn own_addresses(&self) -> impl Iterator<Item = Option<OwnAddress>> {
        let active = self.subscriptions.values().filter(|subscription| subscription.options.active);
        active.map(|subscription| subscription.options.own_address)
    }

    /// Ends all subscriptions: the controller does not let the scan have the address that it needs.
    pub(crate) fn refuse(&mut self, reason: ScanFailure) {
        self.subscriptions.values_mut().for_each(|subscription| subscription.started = false);
        self.fail(reason);
    }

    /// Whether nobody is subscribed.
    pub(crate) fn is_unsubscribed(&self) -> bool {
        self.subscriptions.is_empty()
    }

    /// Whether nobody is subscribed, the controller does not scan and no command is outstanding.
    pub fn is_idle(&self) -> bool {
        self.subscriptions.is_empty() && self.running.is_none() && self.outstanding.is_none()
    }

    /// The devices heard so far.
    pub fn devices(&self) -> &DeviceTable {
        &self.devices
    }

    /// With what the controller scans, or may do so by the time it answers.
    fn scanning(&self) -> Option<Parameters> {
        let enabling = self.outstanding.filter(|outstanding| outstanding.step == Step::Enable);
        self.running.or(enabling.map(|outstanding| outstanding.parameters))
    }

    fn wanted(&self, support: &ScanSupport) -> Option<Parameters> {
        let subscribers = self.subscriptions.values().map(|s| (&s.options, s.timing));
        Parameters::union(subscribers, support).filter(|_| !self.paused && !self.held)
    }

    fn next_step(&mut self, wanted: Option<Parameters>) -> Option<(Step, Parameters)> {
        match (self.running, wanted) {
            (Some(running), Some(wanted)) if running == wanted && !self.restart => {
                // Who came later and asks for nothing more is served by what runs.
                self.mark_started(|_| true);
                None
            }
            (Some(running), _) => Some((Step::Disable, running)),
            (None, Some(wanted)) => {
                let is_set = self.set.is_some_and(|set| set.same_but_for_duplicates(&wanted));
                Some((if is_set { Step::Enable } else { Step::SetParameters }, wanted))
            }
            (None, None) => None,
        }
    }

    fn refuse_unsupported(&mut self, support: &ScanSupport) {
        let outcomes = &mut self.outcomes;
        self.subscriptions.retain(|&key, subscription| {
            let phys = subscription.options.phys;
            let possible = support.of(phys).is_some();
            if !possible {
                outcomes.push_back(Outcome::Failed { key, reason: ScanFailure::Phys(phys) });
            }
            possible
        });
    }

    fn on_answer(
        &mut self,
        Outstanding { step, opcode, parameters }: Outstanding,
        status: Option<ErrorCode>,
    ) {
        match (step, status) {
            // Whatever it says, asking again would not help: it had stopped already, or it cannot stop.
            (Step::Disable, Some(_)) => self.running = None,
            (Step::SetParameters, Some(ErrorCode::Success)) => self.set = Some(parameters),
            (Step::Enable, Some(ErrorCode::Success)) => {
                self.running = Some(parameters);
                self.mark_started(|subscription| subscription.asked);
            }
            (_, Some(ErrorCode::UnknownHciCommand) | None) if parameters.is_extended() => {
                (self.set, self.running) = (None, None);
                self.lost_extended = true;
                self.outcomes.push_back(Outcome::SupportLost(SupportLost::Extended));
            }
            (
                Step::SetParameters,
                Some(ErrorCode::UnsupportedFeatureOrParameterValue | ErrorCode::InvalidHciCommandParameters),
            ) if parameters.can_spare_coded() => {
                self.lost_coded = true;
                self.outcomes.push_back(Outcome::SupportLost(SupportLost::Coded));
            }
            // The controller is about to initiate a connection: the scan is stopped anyway and begins again later.
            (_, Some(ErrorCode::CommandDisallowed)) if self.paused => self.set = None,
            (_, Some(status)) => self.fail(ScanFailure::Refused { opcode, status }),
            (_, None) => {
                self.running = None;
                self.fail(ScanFailure::Silent { opcode });
            }
        }
    }

    /// Ends the subscriptions that have not been served yet: what they ask for is what was refused. When all have been,
    /// ends all.
    fn fail(&mut self, reason: ScanFailure) {
        self.set = None;
        let all = self.subscriptions.values().all(|subscription| subscription.started);
        let outcomes = &mut self.outcomes;
        self.subscriptions.retain(|&key, subscription| {
            let stays = subscription.started && !all;
            if !stays {
                outcomes.push_back(Outcome::Failed { key, reason });
            }
            stays
        });
    }

    fn mark_started(&mut self, is_served: impl Fn(&Subscription) -> bool) {
        for (&key, subscription) in &mut self.subscriptions {
            if is_served(subscription) && !std::mem::replace(&mut subscription.started, true) {
                self.outcomes.push_back(Outcome::Started { key });
            }
        }
    }
}

#[cfg(test)]
mod tests;
