//! The initialisation of the controller, first and again: what counts as a failure, what happens to everything that
//! was in progress, and the rungs of the [ladder](super::ladder).

use super::{Event, Fault, Host, OpError, OpId, Owner, Rung, State};
use crate::gap::connect::Attempt;
use crate::hci::command::{
    Disconnect, HciCommand, LeExtendedCreateConnection, LeReadMaximumAdvertisingDataLength,
    LeReadNumberOfSupportedAdvertisingSets, LeRemoveAdvertisingSet, LeSetAdvertisingSetRandomAddress,
    LeSetExtendedAdvertisingData, LeSetExtendedAdvertisingEnable, LeSetExtendedAdvertisingParameters,
    LeSetExtendedScanEnable, LeSetExtendedScanParameters, LeSetExtendedScanResponseData, LeSetRandomAddress,
};
use crate::hci::{ControllerInfo, ErrorCode, Next, Opcode};
use crate::{Address, Instant};

impl Host {
    /// The controller was opened again, as [`Event::Fault`] asked for, or why it could not be. It is initialised
    /// anew then, or the next rung tried. Scans, connections that were asked for since, and the configuration stay.
    /// Without having been asked nothing happens.
    pub fn handle_reopened(&mut self, now: Instant, opened: Result<(), String>) {
        let State::Away = self.state else { return };
        match opened {
            Ok(()) => {
                self.transmit.clear();
                self.initialize(true);
            }
            Err(reason) => self.on_rung_failed(Fault::NotOpened(reason)),
        }
        self.pump(now);
    }

    pub(super) fn on_init_answer(&mut self, now: Instant, answer: Option<&[u8]>) {
        let State::Initializing { initialization, again } = &mut self.state else { return };
        match initialization.on_answer(answer) {
            Ok(Next::Send(packet)) => self.commands.push(Owner::Init, packet),
            Ok(Next::Done(info)) => {
                if *again {
                    tracing::info!("the controller is back");
                }
                tracing::debug!(?info, "controller ready");
                self.acl.configure(info.acl_length, info.acl_count);
                self.privacy.on_ready(info.random_address.bd_addr);
                self.end_loading();
                // Another may have come while the controller was told this one.
                let info = ControllerInfo { random_address: Address::random(self.random_address), ..info };
                self.info = Some(info.clone());
                self.state = State::Ready;
                self.unanswered = 0;
                self.ladder.on_ready(now);
                self.events.push_back(Event::Ready(Box::new(info)));
            }
            Err(error) if *again => self.on_rung_failed(error.into()),
            Err(error) => self.fail(error.into()),
        }
    }

    fn note_answer(&mut self, owner: &Owner, opcode: Opcode, status: Option<u8>) {
        self.unanswered = 0;
        if !matches!(owner, Owner::Init) {
            self.ladder.on_answered();
        }
        match status {
            _ if !EXTENDED.contains(&opcode) => {}
            Some(0) => _ = self.known_extended.insert(opcode),
            // Taken for a controller that does not have it.
            None | Some(0x01) => self.spared = self.spared.or(Some(opcode)),
            Some(_) => {}
        }
    }

    /// Whether a command may stay unanswered without anything being wrong with the controller.
    pub(super) fn bears_silence(&mut self, owner: &Owner, opcode: Opcode) -> bool {
        match owner {
            _ if self.ladder.is_off() => true,
            // Knows by itself what can be spared.
            Owner::Init => true,
            // A controller that has never answered such a command may not have it; there is a legacy form.
            Owner::Scan | Owner::Connect | Owner::Advertise if EXTENDED.contains(&opcode) => {
                let known = self.known_extended.contains(&opcode);
                self.spared = self.spared.or((!known).then_some(opcode));
                !known
            }
            Owner::Housekeeping if opcode == Disconnect::OPCODE => false,
            // A user may send what no controller answers, and the host what it can do without. But not twice.
            Owner::User(_) | Owner::Housekeeping => {
                self.unanswered += 1;
                self.unanswered < 2
            }
            // The list can be spared, the address not.
            Owner::Privacy => opcode != LeSetRandomAddress::OPCODE,
            Owner::Scan | Owner::Connect | Owner::Advertise | Owner::Link(..) => false,
            Owner::Encrypt(_) => false,
        }
    }

    /// Whether a legacy command is refused because the controller has the extended ones, which it seemed not to have: it
    /// takes either the ones or the others until it is reset ([Vol 4] Part E, 3.1.1), so that nothing works any more.
    fn contradicts_itself(&self, owner: &Owner, opcode: Opcode, status: Option<u8>) -> bool {
        let has_other_reasons = match owner {
            Owner::Scan => self.connector.is_initiating(),
            Owner::Connect => self.scanner.is_scanning(),
            Owner::Advertise => false,
            _ => true,
        };
        let disallowed = status == Some(ErrorCode::CommandDisallowed.0) && !EXTENDED.contains(&opcode);
        disallowed && !has_other_reasons
    }

    /// Notes what an answer says of the controller. Gives the owner back unless the controller has failed by it.
    pub(super) fn judge_answer(
        &mut self,
        now: Instant,
        owner: Owner,
        opcode: Opcode,
        status: Option<u8>,
    ) -> Option<Owner> {
        self.note_answer(&owner, opcode, status);
        match self.spared {
            Some(command) if self.contradicts_itself(&owner, opcode, status) => {
                self.on_fault(now, Fault::Contradictory { command }, Some(owner));
                None
            }
            _ => Some(owner),
        }
    }

    /// A command was not answered, and that means something.
    pub(super) fn on_silence(&mut self, now: Instant, owner: Owner, command: Opcode) {
        self.on_fault(now, Fault::Silent { command, after: self.config.command_timeout }, Some(owner));
    }

    pub(super) fn on_hardware_error(&mut self, now: Instant, code: u8) {
        match self.state {
            State::Ready => self.on_fault(now, Fault::Hardware(code), None),
            // Some controllers report one for whatever comes before a reset; the reset is on its way.
            _ => tracing::warn!(code, "hardware error while initialising"),
        }
    }

    /// The controller failed in use: everything in progress fails, and it is brought back.
    fn on_fault(&mut self, now: Instant, fault: Fault, silent: Option<Owner>) {
        let then = self.ladder.begin(now);
        self.announce(&fault, then);
        let error = OpError::ControllerFailed { fault, then };
        self.interrupt(now, &error, silent);
        match then {
            Some(rung) => self.step_on(rung),
            None => self.fail(error),
        }
    }

    /// A rung did not bring the controller back. Whoever has come since goes on waiting.
    fn on_rung_failed(&mut self, fault: Fault) {
        let then = self.ladder.climb();
        self.announce(&fault, then);
        match then {
            Some(rung) => self.step_on(rung),
            None => self.fail(OpError::ControllerFailed { fault, then }),
        }
    }

    fn announce(&mut self, fault: &Fault, then: Option<Rung>) {
        match then {
            Some(rung) => tracing::warn!(?rung, "{fault}; {rung}"),
            None => tracing::error!("{fault}; nothing is left to try"),
        }
        self.events.push_back(Event::Fault { fault: fault.clone(), then });
    }

    fn step_on(&mut self, rung: Rung) {
        match rung {
            Rung::Reset => self.initialize(true),
            Rung::ResetPort | Rung::Reopen => {
                self.transmit.clear();
                self.state = State::Away;
            }
        }
    }

    /// Fails what is in progress, links included. Scans and advertisements that have begun go on when the controller is
    /// ready again.
    fn interrupt(&mut self, now: Instant, error: &OpError, silent: Option<Owner>) {
        if let Some(Owner::Scan) = silent {
            for key in self.scanner.end_unserved() {
                self.scans.remove(&OpId(key));
                self.done(OpId(key), Err(error.clone()));
            }
        }
        if let Some(Owner::Advertise) = silent {
            self.fail_unserved_advertisements(error);
        }
        let commands = self.commands.clear().map(|(owner, _)| owner);
        for owner in silent.into_iter().chain(commands).collect::<Vec<_>>() {
            if let Owner::Link(_, op, _) | Owner::User(op) = owner {
                self.done(op, Err(error.clone()));
            }
        }
        // One that was being cancelled is over as it was to be.
        if let Some(ended) = self.connector.end_cancelled() {
            self.on_attempt_ended(now, ended, None);
        }
        self.fail_attempts(error);
        self.scanner.on_reset();
        self.privacy.on_reset();
        self.reset_advertising();
        self.assembler.clear();
        let handles: Vec<_> = self.links.keys().copied().collect();
        for handle in handles {
            self.on_disconnected(handle, ErrorCode::HardwareFailure);
        }
        // Not established links are tried again when one goes down, but not now.
        self.fail_attempts(error);
    }

    /// The end: nothing brings the controller back.
    fn fail(&mut self, error: OpError) {
        for op in std::mem::take(&mut self.scans) {
            self.scanner.unsubscribe(op.0);
            self.done(op, Err(error.clone()));
        }
        self.fail_advertisements(&error);
        self.fail_attempts(&error);
        self.fail_loading(&error);
        self.state = State::Failed(error.clone());
        self.events.push_back(Event::Failed(error));
    }

    fn fail_attempts(&mut self, error: &OpError) {
        let searches: Vec<_> = self.searching().collect();
        let searches: Vec<_> = searches.into_iter().filter_map(|op| self.end_search(op)).collect();
        let attempts: Vec<Attempt<OpId>> = self.connector.clear().chain(searches).collect();
        for attempt in attempts {
            self.done(attempt.key, Err(error.clone()));
        }
    }
}

/// The commands in whose place there is an older one.
const EXTENDED: [Opcode; 11] = [
    LeSetExtendedScanParameters::OPCODE,
    LeSetExtendedScanEnable::OPCODE,
    LeExtendedCreateConnection::OPCODE,
    LeSetAdvertisingSetRandomAddress::OPCODE,
    LeSetExtendedAdvertisingParameters::OPCODE,
    LeSetExtendedAdvertisingData::OPCODE,
    LeSetExtendedScanResponseData::OPCODE,
    LeSetExtendedAdvertisingEnable::OPCODE,
    LeReadMaximumAdvertisingDataLength::OPCODE,
    LeReadNumberOfSupportedAdvertisingSets::OPCODE,
    LeRemoveAdvertisingSet::OPCODE,
];
