//! Requests: what each asks of the controller or of a link.

use super::phase::{Phase, Wait};
use super::{ConnectionId, Host, OpError, OpId, Output, Owner, Request};
use crate::gap::connect::{Attempt, ConnectOptions, Dial};
use crate::hci::command::{self, HciCommand};
use crate::hci::{ConnectionHandle, ParameterUnits};
use crate::transports::HciPacket;
use crate::{Address, Instant};

impl Host {
    pub(super) fn begin(&mut self, now: Instant, op: OpId, request: Request) -> Result<(), OpError> {
        match request {
            Request::Scan(options) => {
                let invalid = |_| OpError::Invalid("no controller takes this scan interval or window");
                self.scanner.subscribe(op.0, options).map_err(invalid)?;
                self.scans.insert(op);
                Ok(())
            }
            Request::Advertise(options) => self.advertise(op, options),
            Request::SetAdvertisingData { of, data, scan_response } => {
                self.set_advertising_data(of, data, scan_response)?;
                self.done(op, Ok(Output::Done));
                Ok(())
            }
            Request::SetMtu(mtu) => {
                self.config.set_mtu(mtu);
                self.done(op, Ok(Output::Done));
                Ok(())
            }
            Request::Connect { address, options } => {
                if options.parameters.units().is_none() {
                    return Err(OpError::Invalid(
                        "the specification does not allow these connection parameters",
                    ));
                }
                self.connect(op, address, options)
            }
            Request::Disconnect { connection, reason } => {
                let handle = self.handle_of(connection)?;
                let command = command::Disconnect { connection_handle: handle, reason };
                self.command_on(handle, op, Some(Wait::Disconnection), command)
            }
            Request::Gatt { connection, procedure } => {
                let handle = self.handle_of(connection)?;
                self.on_link(handle, |link, out| link.submit(now, op, procedure, out));
                Ok(())
            }
            Request::WriteCommand { connection, handle: attribute, value } => {
                let handle = self.handle_of(connection)?;
                self.on_link(handle, |link, out| link.write_command(now, op, attribute, &value, out));
                Ok(())
            }
            Request::SignedWrite { connection, handle, value } => {
                self.signed_write(now, op, connection, handle, &value)
            }
            Request::Confirm { connection, indication } => {
                let handle = self.handle_of(connection)?;
                self.on_link(handle, |link, out| link.confirm(now, indication, out));
                self.done(op, Ok(Output::Done));
                Ok(())
            }
            Request::OpenBearers { connection, count } => self.open_bearers(now, op, connection, count),
            Request::Server(request) => self.begin_serving(now, op, request),
            Request::Channel(request) => self.begin_channel(now, op, request),
            Request::Security(request) => self.begin_security(now, op, request),
            Request::ReadRssi { connection } => {
                let handle = self.handle_of(connection)?;
                self.command_on(handle, op, None, command::ReadRssi { connection_handle: handle })
            }
            Request::ReadPhy { connection } => {
                let handle = self.handle_of(connection)?;
                self.command_on(handle, op, None, command::LeReadPhy { connection_handle: handle })
            }
            Request::SetPhy { connection, tx, rx } => {
                let handle = self.handle_of(connection)?;
                let command = command::LeSetPhy {
                    connection_handle: handle,
                    all_phys: u8::from(tx == 0) | u8::from(rx == 0) << 1,
                    tx_phys: tx,
                    rx_phys: rx,
                    phy_options: 0,
                };
                self.command_on(handle, op, Some(Wait::Phy), command)
            }
            Request::UpdateParameters { connection, parameters } => {
                let handle = self.handle_of(connection)?;
                let invalid =
                    OpError::Invalid("the specification does not allow these connection parameters");
                let units = parameters.units().ok_or(invalid)?;
                if self.wish_parameters(now, handle, op, units) {
                    return Ok(());
                }
                self.command_on(handle, op, Some(Wait::Timing), update(handle, &units))
            }
            Request::ReadRemoteVersion { connection } => {
                let handle = self.handle_of(connection)?;
                let command = command::ReadRemoteVersionInformation { connection_handle: handle };
                self.command_on(handle, op, Some(Wait::Version), command)
            }
            Request::ReadRemoteFeatures { connection } => {
                let handle = self.handle_of(connection)?;
                let command = command::LeReadRemoteFeaturesPage0 { connection_handle: handle };
                self.command_on(handle, op, Some(Wait::Features), command)
            }
            Request::Command { opcode, parameters } => {
                let too_long = OpError::Invalid("a command has at most 255 octets of parameters");
                let packet = HciPacket::command(opcode.0, &parameters).map_err(|_| too_long)?;
                self.commands.push(Owner::User(op), packet);
                Ok(())
            }
        }
    }

    fn connect(&mut self, op: OpId, address: Address, options: ConnectOptions) -> Result<(), OpError> {
        // Who shows a private address shows another when it is his turn.
        let peer = self.privacy.identity_of(address).unwrap_or(address);
        let linked: Vec<_> = self.links.values().map(|link| link.peer).collect();
        let is_linked =
            linked.into_iter().any(|linked| self.privacy.identity_of(linked).unwrap_or(linked) == peer);
        if is_linked || self.connector.is_connecting(peer) || self.is_searching_for(peer) {
            return Err(OpError::AlreadyConnected);
        }
        self.connector.push(Attempt {
            key: op,
            address: peer,
            options,
            dial: Dial::Address,
            end: None,
            retried: false,
        });
        Ok(())
    }

    pub(super) fn handle_of(&self, connection: ConnectionId) -> Result<ConnectionHandle, OpError> {
        let mut links = self.links.values();
        let link = links.find(|link| link.id == connection && matches!(link.phase, Phase::Ready));
        link.map(|link| link.handle).ok_or(OpError::NotConnected)
    }

    fn command_on<'a>(
        &mut self,
        handle: ConnectionHandle,
        op: OpId,
        wait: Option<Wait>,
        command: impl HciCommand<'a>,
    ) -> Result<(), OpError> {
        let packet = command.to_packet().map_err(|_| OpError::Invalid("the command is too long"))?;
        self.commands.push(Owner::Link(handle, op, wait), packet);
        Ok(())
    }
}

pub(super) fn update(handle: ConnectionHandle, units: &ParameterUnits) -> command::LeConnectionUpdate {
    command::LeConnectionUpdate {
        connection_handle: handle,
        connection_interval_min: units.interval_min,
        connection_interval_max: units.interval_max,
        max_latency: units.latency,
        supervision_timeout: units.timeout,
        min_ce_length: 0,
        max_ce_length: 0,
    }
}
