//! What the controller says: answers to commands, and events, each brought to whoever it concerns.

use super::link::Link;
use super::phase::{Phase, Wait};
use super::serving::Serving;
use super::{ConnectionId, Event, Host, LinkTiming, OpError, OpId, Output, Owner, Sighting};
use crate::codec::front;
use crate::gap::connect::{Attempt, Ended, FAILED_TO_BE_ESTABLISHED, How};
use crate::gap::scan::{Outcome, ScanFailure, SupportLost};
use crate::gatt::procedure::ExchangeMtu;
use crate::hci::command::{self, HciCommand, LeReadPhyReturn, ReadRssiReturn};
use crate::hci::event::{self, LeConnectionComplete, LeMeta};
use crate::hci::{ConnectionHandle, ErrorCode, LeEvent, LeFeatures, Opcode, ParameterUnits, Phy, Role};
use crate::transports::HciPacket;
use crate::{Address, BdAddr, Instant};
use bytes::Bytes;

/// The largest handle of a connection ([Vol 4] Part E, 5.4.2).
const LARGEST_HANDLE: u16 = 0x0EFF;

impl Host {
    pub(super) fn handle_event(&mut self, now: Instant, packet: &HciPacket) {
        let code = packet.as_slice().get(1).copied().unwrap_or(0);
        let event = match crate::hci::Event::parse(code, packet.payload()) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "event dropped");
                return;
            }
        };
        match event {
            crate::hci::Event::CommandComplete(e) => {
                let parameters = e.return_parameters.0;
                if let Some(owner) = self.commands.on_answer(e.command_opcode, e.num_hci_command_packets) {
                    self.take_answer(now, owner, e.command_opcode, parameters);
                }
            }
            crate::hci::Event::CommandStatus(e) => {
                if let Some(owner) = self.commands.on_answer(e.command_opcode, e.num_hci_command_packets) {
                    self.take_answer(now, owner, e.command_opcode, &[e.status.0]);
                }
            }
            crate::hci::Event::NumberOfCompletedPackets(e) => {
                for part in e.handles.iter() {
                    let handle = ConnectionHandle(part.connection_handle.0 & 0x0FFF);
                    self.acl.on_completed(handle, part.num_completed_packets);
                    self.on_link(handle, |link, out| link.send_queued(now, out));
                }
            }
            crate::hci::Event::DisconnectionComplete(e) if e.status.is_success() => {
                self.on_disconnected(e.connection_handle, e.reason);
            }
            crate::hci::Event::DisconnectionComplete(e) => {
                self.answer_wait(e.connection_handle, Wait::Disconnection, Err(e.status));
            }
            crate::hci::Event::ReadRemoteVersionInformationComplete(e) => {
                let version = Output::RemoteVersion {
                    version: e.version,
                    company_identifier: e.company_identifier.0,
                    subversion: e.subversion,
                };
                let result = e.status.ok().map(|()| version);
                self.answer_wait(e.connection_handle, Wait::Version, result);
            }
            crate::hci::Event::EncryptionChange(e) => {
                self.on_encryption_change(now, e.connection_handle, e.status, e.encryption_enabled != 0);
            }
            crate::hci::Event::EncryptionChangeV2(e) => {
                self.on_encryption_change(now, e.connection_handle, e.status, e.encryption_enabled != 0);
            }
            crate::hci::Event::EncryptionKeyRefreshComplete(e) => {
                self.on_encryption_change(now, e.connection_handle, e.status, true);
            }
            crate::hci::Event::HardwareError(e) => self.on_hardware_error(now, e.hardware_code),
            crate::hci::Event::DataBufferOverflow(_) => {
                tracing::warn!("the controller lost data: its buffers overflowed")
            }
            crate::hci::Event::LeMeta(LeMeta { subevent }) => self.handle_le_event(now, &subevent, packet),
            crate::hci::Event::Unknown { .. } | crate::hci::Event::VendorSpecific(_) => {
                self.events.push_back(Event::Unknown(packet.clone()));
            }
            other => tracing::debug!(event = %other, "not acted on"),
        }
    }

    fn handle_le_event(&mut self, now: Instant, event: &LeEvent<'_>, packet: &HciPacket) {
        match event {
            LeEvent::LeAdvertisingReport(_)
            | LeEvent::LeDirectedAdvertisingReport(_)
            | LeEvent::LeExtendedAdvertisingReport(_) => {
                let (assembler, scanner, events) = (&mut self.assembler, &mut self.scanner, &mut self.events);
                let (resolver, searches) = self.privacy.hearing();
                let mut found = Vec::new();
                assembler.on_event(event, packet, &mut |mut report| {
                    report.identity = report.identity.or_else(|| resolver.resolve(report.address?));
                    scanner.on_report(now, &report, |key, report, device| {
                        if searches.contains_key(&OpId(key)) {
                            return found.extend(report.address.map(|address| (OpId(key), address)));
                        }
                        let sighting = Sighting { report: report.clone(), device: device.clone() };
                        events.push_back(Event::Heard { op: OpId(key), sighting: Box::new(sighting) });
                    });
                });
                found.into_iter().for_each(|(op, address)| self.on_found(op, address));
            }
            LeEvent::LeScanTimeout(_) => self.scanner.on_scan_timeout(),
            LeEvent::LeAdvertisingSetTerminated(e) => self.on_set_terminated(e),
            LeEvent::LeScanRequestReceived(e) => self.on_scan_request(e),
            LeEvent::LeConnectionComplete(_)
            | LeEvent::LeEnhancedConnectionComplete(_)
            | LeEvent::LeEnhancedConnectionCompleteV2(_) => {
                if let Some(complete) = event.connection_complete() {
                    self.privacy.on_link = event.private_addresses();
                    self.on_connected(now, complete);
                }
            }
            LeEvent::LeConnectionUpdateComplete(e) => {
                let timing = LinkTiming::from_units(
                    e.connection_interval,
                    e.peripheral_latency,
                    e.supervision_timeout,
                );
                if let (true, Some(link)) = (e.status.is_success(), self.links.get_mut(&e.connection_handle))
                {
                    link.timing = timing;
                    if link.is_ready() {
                        self.events.push_back(Event::Timing { connection: link.id, timing });
                    }
                }
                if self.ask_instead(e.connection_handle, e.status) {
                    return;
                }
                let result = e.status.ok().map(|()| Output::Timing(timing));
                self.answer_wait(e.connection_handle, Wait::Timing, result);
            }
            LeEvent::LeReadRemoteFeaturesPage0Complete(e) => {
                let result = e.status.ok().map(|()| Output::RemoteFeatures(LeFeatures(e.le_features.0)));
                self.answer_wait(e.connection_handle, Wait::Features, result);
            }
            LeEvent::LePhyUpdateComplete(e) => {
                let (tx, rx) = (e.tx_phy, e.rx_phy);
                if e.status.is_success() {
                    self.on_phys(e.connection_handle, tx, rx);
                }
                let result = e.status.ok().map(|()| Output::Phy { tx, rx });
                self.answer_wait(e.connection_handle, Wait::Phy, result);
            }
            LeEvent::LeLongTermKeyRequest(e) => self.on_key_request(now, e),
            LeEvent::LeRemoteConnectionParameterRequest(e) => self.on_parameter_request(e),
            other => tracing::debug!(event = %other, "not acted on"),
        }
    }

    fn on_parameter_request(&mut self, e: &event::LeRemoteConnectionParameterRequest) {
        let wanted = ParameterUnits {
            interval_min: e.interval_min,
            interval_max: e.interval_max,
            latency: e.max_latency,
            timeout: e.timeout,
        };
        if wanted.are_valid() && self.config.parameter_policy.grants(&wanted) {
            self.housekeeping(command::LeRemoteConnectionParameterRequestReply {
                connection_handle: e.connection_handle,
                interval_min: e.interval_min,
                interval_max: e.interval_max,
                max_latency: e.max_latency,
                timeout: e.timeout,
                min_ce_length: 0,
                max_ce_length: 0,
            });
        } else {
            self.housekeeping(command::LeRemoteConnectionParameterRequestNegativeReply {
                connection_handle: e.connection_handle,
                reason: ErrorCode::UnacceptableConnectionParameters,
            });
        }
    }

    fn take_answer(&mut self, now: Instant, owner: Owner, opcode: Opcode, parameters: &[u8]) {
        if let Some(owner) = self.judge_answer(now, owner, opcode, parameters.first().copied()) {
            self.on_answer(now, owner, opcode, Some(parameters));
        }
    }

    /// The answer to a command, or `None` when there was none in time.
    pub(super) fn on_answer(&mut self, now: Instant, owner: Owner, opcode: Opcode, answer: Option<&[u8]>) {
        let status = answer.and_then(|octets| octets.first()).map(|&status| ErrorCode(status));
        match owner {
            Owner::Init => self.on_init_answer(now, answer),
            Owner::Scan => self.on_scan_answer(opcode, status),
            Owner::Privacy => self.on_privacy_answer(opcode, answer),
            Owner::Advertise => self.advertising.advertiser.on_command_result(now, opcode, answer),
            Owner::Connect => self.on_connect_answer(now, opcode, status),
            Owner::Link(handle, op, wait) => {
                let result = match status {
                    Some(ErrorCode::Success) => match (wait, self.links.get_mut(&handle)) {
                        (Some(wait), Some(link)) => {
                            link.wait(now, op, wait);
                            if wait == Wait::Disconnection {
                                self.withdraw_disconnect(handle);
                            }
                            return;
                        }
                        (Some(_), None) => Err(OpError::NotConnected),
                        (None, _) => {
                            let output = returned(opcode, answer.unwrap_or_default());
                            if let Output::Phy { tx, rx } = output {
                                self.on_phys(handle, tx, rx);
                            }
                            Ok(output)
                        }
                    },
                    Some(reason @ ErrorCode::UnknownConnectionIdentifier)
                        if self.links.contains_key(&handle) =>
                    {
                        tracing::warn!(%handle, "a link whose end the controller did not tell");
                        let wanted = wait == Some(Wait::Disconnection);
                        let result =
                            if wanted { Ok(Output::Done) } else { Err(OpError::Disconnected { reason }) };
                        self.done(op, result);
                        return self.on_disconnected(handle, reason);
                    }
                    Some(status) => Err(OpError::Controller { command: opcode, status }),
                    None => Err(self.silent(opcode)),
                };
                self.done(op, result);
            }
            Owner::Encrypt(handle) => self.on_encrypt_answer(now, handle, status),
            Owner::User(op) => {
                let result = match answer {
                    Some(octets) => Ok(Output::Return(Bytes::copy_from_slice(octets))),
                    None => Err(self.silent(opcode)),
                };
                self.done(op, result);
            }
            Owner::Housekeeping => {
                if let Some(status) = status.filter(|status| !status.is_success()) {
                    tracing::debug!(%opcode, %status, "refused");
                }
            }
        }
    }

    fn on_scan_answer(&mut self, opcode: Opcode, status: Option<ErrorCode>) {
        for outcome in self.scanner.on_command_result(opcode, status) {
            self.on_scan_outcome(outcome);
        }
    }

    pub(super) fn on_scan_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Started { key } if self.is_searching(OpId(key)) => {}
            Outcome::Started { key } => self.events.push_back(Event::ScanStarted { op: OpId(key) }),
            Outcome::Failed { key, reason } => {
                let error = match reason {
                    ScanFailure::Refused { opcode, status } => {
                        OpError::Controller { command: opcode, status }
                    }
                    ScanFailure::Silent { opcode } => self.silent(opcode),
                    _ => OpError::Invalid("the controller has none of the PHYs asked for"),
                };
                self.scans.remove(&OpId(key));
                self.end_search(OpId(key));
                self.done(OpId(key), Err(error));
            }
            Outcome::SupportLost(SupportLost::Extended) => self.lose_extended(),
            Outcome::SupportLost(SupportLost::Coded) => {
                tracing::warn!("the controller refuses the Coded PHY")
            }
        }
    }

    /// The controller claims the extended commands and does not know them.
    pub(super) fn lose_extended(&mut self) {
        tracing::warn!("the controller does not know the extended commands it claims; going on without");
        if let Some(info) = &mut self.info {
            info.extended = false;
        }
    }

    fn on_connect_answer(&mut self, now: Instant, opcode: Opcode, status: Option<ErrorCode>) {
        let extended = command::LeExtendedCreateConnection::OPCODE;
        if opcode == extended && matches!(status, None | Some(ErrorCode::UnknownHciCommand)) {
            self.lose_extended();
        }
        if let Some(ended) = self.connector.on_answer(opcode, status, self.scanner.is_scanning()) {
            self.on_attempt_ended(now, ended, None);
        }
    }

    fn on_connected(&mut self, now: Instant, complete: LeConnectionComplete) {
        let (status, handle) = (complete.status, complete.connection_handle);
        if status.is_success() && (handle.0 > LARGEST_HANDLE || self.links.contains_key(&handle)) {
            tracing::warn!(%handle, "a connection with a handle that cannot be");
            return;
        }
        if self.accept(&complete) {
            return;
        }
        let ours = complete.role == Role::Central || !status.is_success();
        match if ours { self.connector.on_complete(status) } else { None } {
            Some(ended) => self.on_attempt_ended(now, ended, Some(complete)),
            None if status.is_success() => {
                // A link that was never asked for would stay for ever.
                tracing::warn!(%handle, "a connection that nobody asked for; ending it");
                self.disconnect(now, handle, ErrorCode::RemoteUserTerminatedConnection);
            }
            None => {}
        }
    }

    /// An attempt to connect is over; `complete` is the link that came of it.
    pub(super) fn on_attempt_ended(
        &mut self,
        now: Instant,
        Ended { attempt, how }: Ended<OpId>,
        complete: Option<LeConnectionComplete>,
    ) {
        let op = attempt.key;
        let after = attempt.options.timeout;
        let error = match how {
            How::Connected | How::Unwanted => {
                if let Some(complete) = complete {
                    self.open_link_of(now, attempt, how == How::Unwanted, &complete);
                }
                return;
            }
            How::Refused(command, status) => OpError::Controller { command, status },
            How::Silent(opcode) => self.silent(opcode),
            // It may show another address by now.
            How::TimedOut if attempt.end.is_some_and(|end| end > now) => return self.search(now, attempt),
            How::TimedOut => OpError::ConnectTimeout { after },
            How::Cancelled => OpError::Cancelled,
        };
        self.done(op, Err(error));
    }

    /// The link that an attempt asked for.
    fn open_link_of(
        &mut self,
        now: Instant,
        attempt: Attempt<OpId>,
        unwanted: bool,
        complete: &LeConnectionComplete,
    ) {
        let handle = complete.connection_handle;
        // The controller may name the peer by its identity; an anonymous one is whom we asked for.
        let peer = complete.peer_address_type.with(complete.peer_address).unwrap_or(attempt.address);
        let op = attempt.key;
        let mtu = attempt.options.mtu.unwrap_or(self.config.mtu).clamp(23, 517);
        let shown = self.shown_connecting(attempt.options.own_address);
        let phase = match unwanted {
            true => Phase::Unwanted(Some((op, OpError::Cancelled))),
            false => Phase::Settling(attempt),
        };
        let id = self.new_connection();
        self.open_link(id, complete, peer, shown, mtu, phase);
        if unwanted {
            return self.disconnect(now, handle, ErrorCode::RemoteUserTerminatedConnection);
        }
        if !self.encrypt_first(now, handle) {
            self.settle(now, handle);
        }
    }

    /// Makes a new link usable: its MTU is exchanged.
    pub(super) fn settle(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(link) = self.links.get(&handle) else { return };
        let Some(op) = link.phase.attempt() else { return };
        let mtu = link.serving.receive_mtu;
        if mtu > crate::att::DEFAULT_MTU {
            self.on_link(handle, |link, out| link.submit(now, op, ExchangeMtu::offering(mtu).into(), out));
        } else {
            self.on_settled(now, handle);
        }
    }

    pub(super) fn new_connection(&mut self) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        id
    }

    /// A link is up at the controller; `shown` is our random address on it, `None` stands for the public one.
    pub(super) fn open_link(
        &mut self,
        id: ConnectionId,
        complete: &LeConnectionComplete,
        peer: Address,
        shown: Option<BdAddr>,
        mtu: u16,
        phase: Phase,
    ) {
        let handle = complete.connection_handle;
        let ends = self.ends(complete, peer, shown);
        let timing = LinkTiming::from_units(
            complete.connection_interval,
            complete.peripheral_latency,
            complete.supervision_timeout,
        );
        let wanted = !matches!(phase, Phase::Unwanted(_));
        let serving = Serving::new(mtu, &self.config);
        self.acl.open(handle);
        self.links.insert(handle, Link::new(id, handle, ends, timing, phase, serving));
        self.recognise(handle);
        if wanted && self.info.as_ref().is_some_and(|info| info.features.data_length()) {
            self.housekeeping(command::LeSetDataLength {
                connection_handle: handle,
                tx_octets: 251,
                tx_time: 2120,
            });
        }
    }

    /// A new link is ready for its user.
    pub(super) fn on_settled(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        let Phase::Settling(attempt) = std::mem::replace(&mut link.phase, Phase::Ready) else { return };
        let info = link.info();
        self.events.push_back(Event::Connected(info.clone()));
        self.events.extend(link.serving.take_early());
        self.done(attempt.key, Ok(Output::Connected(info)));
        self.raise(now, handle);
    }

    pub(super) fn on_disconnected(&mut self, handle: ConnectionHandle, reason: ErrorCode) {
        self.save_client(handle);
        let Some(link) = self.links.remove(&handle) else {
            tracing::debug!(%handle, "the end of no link");
            return;
        };
        self.acl.close(handle);
        self.end_commands_on(handle, reason);
        let id = link.id;
        let encrypting = link.guard.key.is_some();
        let (acl, events) = (&mut self.acl, &mut self.events);
        let out = &mut super::Out { acl, events, table: &mut self.table, servers: &self.servers };
        let phase = link.close(reason, out);
        match phase {
            Phase::Ready => self.events.push_back(Event::Disconnected { connection: id, reason }),
            Phase::Unwanted(Some((op, error))) => self.done(op, Err(error)),
            Phase::Unwanted(None) => {}
            Phase::Settling(attempt) if reason == FAILED_TO_BE_ESTABLISHED && !attempt.retried => {
                tracing::debug!(peer = %attempt.address, "not established; trying once more");
                self.connector.push(Attempt { retried: true, ..attempt });
            }
            Phase::Settling(attempt) => {
                let error = match encrypting {
                    true => OpError::Encryption { status: reason },
                    false => OpError::Disconnected { reason },
                };
                self.done(attempt.key, Err(error));
            }
        }
    }

    fn on_phys(&mut self, handle: ConnectionHandle, tx: Phy, rx: Phy) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        let known = link.phys.replace((tx, rx));
        if known != Some((tx, rx)) && link.is_ready() {
            self.events.push_back(Event::Phy { connection: link.id, tx, rx });
        }
    }

    /// What was asked of the controller about a link that is down has its end before the link.
    fn end_commands_on(&mut self, handle: ConnectionHandle, reason: ErrorCode) {
        let of_link = |owner: &Owner| matches!(owner, Owner::Link(of, ..) if *of == handle);
        for owner in self.commands.disown(of_link, Owner::Housekeeping) {
            match owner {
                Owner::Link(_, op, Some(Wait::Disconnection)) => self.done(op, Ok(Output::Done)),
                Owner::Link(_, op, _) => self.done(op, Err(OpError::Disconnected { reason })),
                _ => {}
            }
        }
    }

    /// The event that a request on a link waited for.
    fn answer_wait(&mut self, handle: ConnectionHandle, wait: Wait, result: Result<Output, ErrorCode>) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        let Some(op) = link.take_wait(wait) else { return };
        self.done(op, result.map_err(|status| OpError::Controller { command: wait.opcode(), status }));
    }

    pub(super) fn silent(&self, command: Opcode) -> OpError {
        OpError::ControllerSilent { command, after: self.config.command_timeout }
    }
}

/// What a command on a link returned, its status being success.
fn returned(opcode: Opcode, octets: &[u8]) -> Output {
    match opcode {
        command::ReadRssi::OPCODE => match front::<ReadRssiReturn>("rssi", octets) {
            // 127: not available ([Vol 4] Part E, 7.5.4).
            Ok(answer) => Output::Rssi((answer.rssi != 127).then_some(answer.rssi)),
            Err(_) => Output::Rssi(None),
        },
        command::LeReadPhy::OPCODE => match front::<LeReadPhyReturn>("phy", octets) {
            Ok(answer) => Output::Phy { tx: answer.tx_phy, rx: answer.rx_phy },
            Err(_) => Output::Return(Bytes::copy_from_slice(octets)),
        },
        _ => Output::Return(Bytes::copy_from_slice(octets)),
    }
}
