//! Every command a controller carries out, and how it is answered ([Vol 4] Part E, 4.4 and 7).

use super::advertising::{DataKind, MAX_DATA};
use super::procedures::{COMPANY, air_time};
use super::{Controller, Family};
use crate::codec::{Field, HexInt};
use crate::crypto::{self, Key};
use crate::hci::command::*;
use crate::hci::{ConnectionHandle, ErrorCode, Opcode};
use crate::sim::agenda::Wake;
use crate::sim::link::{LONGEST_PDU, Link, Procedure, Side};
use crate::sim::options::feature;
use crate::sim::{ControllerId, Radio};
use bytes::{Bytes, BytesMut};

/// What [`Radio::carry_out_command`] knows; all else is unknown to the controller.
const IMPLEMENTED: &[u16] = &[
    0x0406, 0x041D, 0x0C01, 0x0C03, 0x0C63, 0x0C6D, 0x1001, 0x1002, 0x1003, 0x1005, 0x1009, 0x1405, 0x2001,
    0x2002, 0x2003, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F,
    0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2016, 0x2017, 0x2018, 0x2019, 0x201A, 0x201B, 0x201C,
    0x2020, 0x2021, 0x2022, 0x2023, 0x2024, 0x2027, 0x2028, 0x2029, 0x202A, 0x202B, 0x202C, 0x202D, 0x202E,
    0x202F, 0x2030, 0x2031, 0x2032, 0x2035, 0x2036, 0x2037, 0x2038, 0x2039, 0x203A, 0x203B, 0x203C, 0x203D,
    0x2041, 0x2042, 0x2043, 0x204B, 0x204E,
];

/// Those that are answered by Command Status.
const BY_STATUS: &[u16] = &[0x0406, 0x041D, 0x200D, 0x2013, 0x2016, 0x2019, 0x2032, 0x2043];

/// The family of the commands that do not mix; `None` for all others.
fn family(opcode: Opcode) -> Option<Family> {
    match opcode.0 {
        0x2006..=0x200D => Some(Family::Legacy),
        0x2035..=0x203D | 0x2041..=0x2043 => Some(Family::Extended),
        _ => None,
    }
}

/// A command that comes with features needs any of these.
fn needed_features(opcode: Opcode) -> Option<u64> {
    match opcode.0 {
        0x2018..=0x201B => Some(feature::ENCRYPTION),
        // LE Encrypt has no feature of its own; controllers from before privacy are as they are in older captures.
        0x2017 | 0x2027..=0x202E | 0x204E => Some(feature::LL_PRIVACY),
        0x2020 | 0x2021 => Some(feature::CONNECTION_PARAMETERS_REQUEST),
        0x2022..=0x2024 | 0x202F => Some(feature::DATA_PACKET_LENGTH_EXTENSION),
        0x2030..=0x2032 => Some(feature::LE_2M_PHY | feature::LE_CODED_PHY),
        0x2035..=0x203D | 0x2041..=0x2043 | 0x204B => Some(feature::EXTENDED_ADVERTISING),
        _ => None,
    }
}

impl Controller {
    /// The list stays as it is while something is filtered by it ([Vol 4] Part E, 7.8.15).
    fn may_change_accept_list(&self) -> Result<(), ErrorCode> {
        let advertises = self.advertising.on_air.is_some() && self.advertising.filter_policy != 0
            || self.sets.values().any(|set| set.on_air.is_some() && set.filter_policy != 0);
        let listens = self.scanning.uses_accept_list()
            || self.initiating.as_ref().is_some_and(|initiating| initiating.uses_accept_list());
        if advertises || listens { Err(ErrorCode::CommandDisallowed) } else { Ok(()) }
    }

    fn implements(&self, opcode: Opcode) -> bool {
        IMPLEMENTED.contains(&opcode.0)
            && !self.options.refused.contains(&opcode)
            && needed_features(opcode).is_none_or(|any| self.has_feature(any))
    }

    fn supported_commands(&self) -> [u8; 64] {
        let mut octets = [0; 64];
        for opcode in Command::OPCODES {
            if let Some((octet, bit)) = opcode.supported_bit()
                && (self.options.claims_everything || self.implements(*opcode))
            {
                octets[octet] |= 1 << bit;
            }
        }
        octets
    }

    /// Commands of one family are disallowed after one of the other.
    fn joins_family(&mut self, opcode: Opcode) -> bool {
        let Some(family) = family(opcode) else { return true };
        *self.family.get_or_insert(family) == family
    }
}

/// Return parameters behind a success.
fn returns<'a>(parameters: &impl Field<'a>) -> Result<Bytes, ErrorCode> {
    let mut out = BytesMut::new();
    parameters.emit(&mut out);
    Ok(out.freeze())
}

fn done(result: Result<(), ErrorCode>) -> Result<Bytes, ErrorCode> {
    result.and_then(|()| returns(&StatusReturn { status: ErrorCode::Success }))
}

fn done_on(connection_handle: ConnectionHandle, result: Result<(), ErrorCode>) -> Result<Bytes, ErrorCode> {
    result.and_then(|()| returns(&HandleReturn { status: ErrorCode::Success, connection_handle }))
}

impl Radio {
    /// A command has arrived: it waits for its time, or is lost when there is no room.
    pub(in crate::sim) fn take_command(&mut self, id: ControllerId, opcode: Opcode, parameters: &[u8]) {
        let controller = self.controller(id);
        let delay = controller.options.command_delay;
        if delay.is_zero() {
            return self.handle_command(id, opcode, parameters);
        }
        if controller.command_room() == 0 {
            controller.lost_commands += 1;
            return;
        }
        controller.commands.push_back((opcode, Bytes::copy_from_slice(parameters)));
        if controller.commands.len() == 1 {
            self.after(delay, Wake::Command(id));
        }
    }

    pub(in crate::sim) fn next_command(&mut self, id: ControllerId) {
        let Some((opcode, parameters)) = self.controller(id).commands.pop_front() else { return };
        self.handle_command(id, opcode, &parameters);
        let controller = self.controller(id);
        if !controller.commands.is_empty() {
            let delay = controller.options.command_delay;
            self.after(delay, Wake::Command(id));
        }
    }

    fn handle_command(&mut self, id: ControllerId, opcode: Opcode, parameters: &[u8]) {
        let controller = self.controller(id);
        if controller.options.mute.contains(&opcode) {
            return;
        }
        let result = if !controller.implements(opcode) {
            let status = StatusReturn { status: ErrorCode::UnknownHciCommand };
            let answer = returns(&status).unwrap_or_default();
            return controller.command_complete(opcode, &answer);
        } else if !controller.joins_family(opcode) {
            Err(ErrorCode::CommandDisallowed)
        } else {
            match Command::parse(opcode, parameters) {
                Ok(command) => self.carry_out_command(id, command),
                Err(_) => Err(ErrorCode::InvalidHciCommandParameters),
            }
        };
        let controller = self.controller(id);
        match result {
            result if BY_STATUS.contains(&opcode.0) => {
                controller.command_status(opcode, result.err().unwrap_or(ErrorCode::Success));
            }
            Ok(answer) => controller.command_complete(opcode, &answer),
            Err(status) => controller.command_complete(opcode, &[status.0]),
        }
    }

    fn carry_out_command(&mut self, id: ControllerId, command: Command<'_>) -> Result<Bytes, ErrorCode> {
        match command {
            Command::LeSetAdvertisingData(c) => {
                let (length, data) = (c.advertising_data_length, c.advertising_data);
                done(self.set_legacy_data(id, DataKind::Advertising, length, data))
            }
            Command::LeSetScanResponseData(c) => {
                let (length, data) = (c.scan_response_data_length, c.scan_response_data);
                done(self.set_legacy_data(id, DataKind::ScanResponse, length, data))
            }
            Command::LeSetAdvertisingEnable(c) => done(self.set_advertising_enable(id, c)),
            Command::LeSetExtendedAdvertisingData(c) => {
                let data = c.advertising_data.get();
                done(self.set_set_data(id, DataKind::Advertising, c.advertising_handle, c.operation, data))
            }
            Command::LeSetExtendedScanResponseData(c) => {
                let data = c.scan_response_data.get();
                done(self.set_set_data(id, DataKind::ScanResponse, c.advertising_handle, c.operation, data))
            }
            Command::LeSetExtendedAdvertisingEnable(c) => done(self.set_extended_advertising_enable(id, c)),
            Command::LeRemoveAdvertisingSet(c) => done(self.remove_advertising_set(id, c.advertising_handle)),
            Command::LeClearAdvertisingSets(_) => done(self.clear_advertising_sets(id)),
            Command::LeSetScanEnable(c) => done(self.set_scan_enable(id, c)),
            Command::LeSetExtendedScanEnable(c) => done(self.set_extended_scan_enable(id, c)),
            Command::LeCreateConnectionCancel(_) => done(self.create_connection_cancel(id)),
            Command::LeRand(_) => {
                returns(&LeRandReturn { status: ErrorCode::Success, random_number: self.dice.octets() })
            }
            Command::LeAddDeviceToResolvingList(c) => done(self.add_to_resolving_list(id, c)),
            Command::LeSetAddressResolutionEnable(c) => {
                done(self.set_address_resolution(id, c.address_resolution_enable))
            }
            Command::LeSetResolvablePrivateAddressTimeout(c) => done(self.set_rotation(id, c.rpa_timeout)),
            Command::Reset(_) => {
                self.reset(id);
                done(Ok(()))
            }
            command => match self.carry_out_on_link(id, command) {
                Some(result) => result,
                None => self.controller(id).carry_out(command),
            },
        }
    }

    /// The commands that name a connection; `None` for one that does not.
    fn carry_out_on_link(
        &mut self,
        id: ControllerId,
        command: Command<'_>,
    ) -> Option<Result<Bytes, ErrorCode>> {
        let status = ErrorCode::Success;
        Some(match command {
            Command::Disconnect(c) => done(self.disconnect(id, c)),
            Command::ReadRemoteVersionInformation(c) => {
                done(self.begin_on(id, c.connection_handle, Procedure::RemoteVersion))
            }
            Command::LeReadRemoteFeaturesPage0(c) => {
                done(self.begin_on(id, c.connection_handle, Procedure::RemoteFeatures))
            }
            Command::LeConnectionUpdate(c) => done(self.connection_update(id, c)),
            Command::LeRemoteConnectionParameterRequestReply(c) => {
                done_on(c.connection_handle, self.parameter_request_reply(id, c))
            }
            Command::LeRemoteConnectionParameterRequestNegativeReply(c) => {
                let procedure = Procedure::ParameterReject(c.reason);
                done_on(c.connection_handle, self.answer_parameters(id, c.connection_handle, procedure))
            }
            Command::LeSetDataLength(c) => done_on(c.connection_handle, self.set_data_length(id, c)),
            Command::LeSetPhy(c) => done(self.set_phy(id, c)),
            Command::LeEnableEncryption(c) => done(self.enable_encryption(id, c)),
            Command::LeLongTermKeyRequestReply(c) => {
                let key = Some(*c.long_term_key.0);
                done_on(c.connection_handle, self.long_term_key_reply(id, c.connection_handle, key))
            }
            Command::LeLongTermKeyRequestNegativeReply(c) => {
                done_on(c.connection_handle, self.long_term_key_reply(id, c.connection_handle, None))
            }
            Command::ReadRssi(c) => self.with_link(id, c.connection_handle, |link, side| {
                let rssi = link.end(side.other()).rssi;
                returns(&ReadRssiReturn { status, connection_handle: c.connection_handle, rssi })
            }),
            Command::LeReadChannelMap(c) => self.with_link(id, c.connection_handle, |_, _| {
                let channel_map = [0xFF, 0xFF, 0xFF, 0xFF, 0x1F];
                returns(&LeReadChannelMapReturn {
                    status,
                    connection_handle: c.connection_handle,
                    channel_map,
                })
            }),
            Command::LeReadPhy(c) => self.with_link(id, c.connection_handle, |link, side| {
                let (tx_phy, rx_phy) = (link.end(side).tx_phy, link.end(side.other()).tx_phy);
                returns(&LeReadPhyReturn { status, connection_handle: c.connection_handle, tx_phy, rx_phy })
            }),
            _ => return None,
        })
    }

    fn begin_on(
        &mut self,
        id: ControllerId,
        handle: ConnectionHandle,
        procedure: Procedure,
    ) -> Result<(), ErrorCode> {
        let (link, side) = self.link_of(id, handle)?;
        self.begin(link, side, procedure);
        Ok(())
    }

    fn with_link(
        &mut self,
        id: ControllerId,
        handle: ConnectionHandle,
        read: impl FnOnce(&Link, Side) -> Result<Bytes, ErrorCode>,
    ) -> Result<Bytes, ErrorCode> {
        let (link, side) = self.link_of(id, handle)?;
        self.links.get(&link).map_or(Err(ErrorCode::UnknownConnectionIdentifier), |link| read(link, side))
    }
}

impl Controller {
    /// The commands that touch nothing but the controller itself.
    fn carry_out(&mut self, command: Command<'_>) -> Result<Bytes, ErrorCode> {
        let status = ErrorCode::Success;
        match command {
            Command::SetEventMask(c) => self.event_mask = c.event_mask.0,
            Command::LeSetEventMask(c) => self.le_event_mask = c.le_event_mask.0,
            // Nothing of their subjects is simulated: they are taken and change nothing.
            Command::SetEventMaskPage2(_)
            | Command::WriteLeHostSupport(_)
            | Command::LeSetHostChannelClassification(_) => {}
            Command::LeSetRandomAddress(c) => {
                if self.advertising.on_air.is_some() || self.is_listening() {
                    return Err(ErrorCode::CommandDisallowed);
                }
                self.random_address = Some(c.random_address);
            }
            Command::LeSetAdvertisingParameters(c) => self.set_advertising_parameters(c)?,
            Command::LeSetAdvertisingSetRandomAddress(c) => self.set_advertising_set_random_address(c)?,
            Command::LeSetExtendedAdvertisingParameters(c) => {
                let selected_tx_power = self.set_extended_advertising_parameters(c)?;
                return returns(&LeSetExtendedAdvertisingParametersReturn { status, selected_tx_power });
            }
            Command::LeSetScanParameters(c) => self.set_scan_parameters(c)?,
            Command::LeSetExtendedScanParameters(c) => self.set_extended_scan_parameters(c)?,
            Command::LeCreateConnection(c) => self.create_connection(c)?,
            Command::LeExtendedCreateConnection(c) => self.extended_create_connection(c)?,
            Command::LeWriteSuggestedDefaultDataLength(c) => {
                if !(27..=LONGEST_PDU).contains(&c.suggested_max_tx_octets) {
                    return Err(ErrorCode::InvalidHciCommandParameters);
                }
                self.suggested_octets = c.suggested_max_tx_octets;
            }
            Command::LeSetDefaultPhy(_) => {}
            Command::LeClearFilterAcceptList(_) => {
                self.may_change_accept_list()?;
                self.accept_list.clear();
            }
            Command::LeAddDeviceToFilterAcceptList(c) => {
                self.may_change_accept_list()?;
                if self.accept_list.len() >= usize::from(self.options.accept_list_size) {
                    return Err(ErrorCode::MemoryCapacityExceeded);
                }
                self.accept_list.extend(c.address_type.with(c.address));
            }
            Command::LeRemoveDeviceFromFilterAcceptList(c) => {
                self.may_change_accept_list()?;
                if let Some(address) = c.address_type.with(c.address) {
                    self.accept_list.remove(&address);
                }
            }
            Command::LeRemoveDeviceFromResolvingList(c) => {
                self.remove_from_resolving_list(c.peer_identity_address_type.with(c.peer_identity_address))?;
            }
            Command::LeClearResolvingList(_) => self.clear_resolving_list()?,
            Command::LeSetPrivacyMode(c) => self.set_privacy_mode(c)?,
            command => return self.read(command),
        }
        done(Ok(()))
    }

    /// The commands that only ask.
    fn read(&mut self, command: Command<'_>) -> Result<Bytes, ErrorCode> {
        let status = ErrorCode::Success;
        let options = &self.options;
        match command {
            Command::ReadLocalVersionInformation(_) => returns(&ReadLocalVersionInformationReturn {
                status,
                hci_version: options.version,
                hci_subversion: 0,
                lmp_version: options.version,
                company_identifier: HexInt(COMPANY),
                lmp_subversion: 0,
            }),
            Command::ReadLocalSupportedCommands(_) => returns(&ReadLocalSupportedCommandsReturn {
                status,
                supported_commands: &self.supported_commands(),
            }),
            // Bits 37 and 38: no BR/EDR, LE ([Vol 2] Part C, 3.3).
            Command::ReadLocalSupportedFeatures(_) => {
                returns(&ReadLocalSupportedFeaturesReturn { status, lmp_features: HexInt(0b11 << 37) })
            }
            Command::ReadBufferSize(_) => returns(&ReadBufferSizeReturn {
                status,
                acl_data_packet_length: options.acl_data_length,
                synchronous_data_packet_length: 0,
                total_num_acl_data_packets: u16::from(options.acl_buffers),
                total_num_synchronous_data_packets: 0,
            }),
            Command::LeReadBufferSize(_) => {
                let (length, number) = (options.acl_data_length, options.acl_buffers);
                let (length, number) = if options.shared_buffers { (0, 0) } else { (length, number) };
                returns(&LeReadBufferSizeReturn {
                    status,
                    le_acl_data_packet_length: length,
                    total_num_le_acl_data_packets: number,
                })
            }
            Command::ReadBdAddr(_) => returns(&ReadBdAddrReturn { status, bd_addr: options.address }),
            Command::LeReadLocalSupportedFeaturesPage0(_) => {
                let le_features = HexInt(options.le_features);
                returns(&LeReadLocalSupportedFeaturesPage0Return { status, le_features })
            }
            Command::LeReadAdvertisingPhysicalChannelTxPower(_) => {
                returns(&LeReadAdvertisingPhysicalChannelTxPowerReturn { status, tx_power_level: 0 })
            }
            Command::LeReadTransmitPower(_) => {
                returns(&LeReadTransmitPowerReturn { status, min_tx_power: -20, max_tx_power: 10 })
            }
            Command::LeReadFilterAcceptListSize(_) => returns(&LeReadFilterAcceptListSizeReturn {
                status,
                filter_accept_list_size: options.accept_list_size,
            }),
            Command::LeEncrypt(c) => {
                let encrypted_data = &crypto::e(&Key::new(*c.key.0), c.plaintext_data);
                returns(&LeEncryptReturn { status, encrypted_data })
            }
            Command::LeReadResolvingListSize(_) => returns(&LeReadResolvingListSizeReturn {
                status,
                resolving_list_size: options.resolving_list_size,
            }),
            Command::LeReadPeerResolvableAddress(c) => {
                let identity = c.peer_identity_address_type.with(c.peer_identity_address);
                let peer_resolvable_address = self.privacy.peer_resolvable(identity)?;
                returns(&LeReadPeerResolvableAddressReturn { status, peer_resolvable_address })
            }
            Command::LeReadLocalResolvableAddress(c) => {
                let identity = c.peer_identity_address_type.with(c.peer_identity_address);
                let local_resolvable_address = self.privacy.local_resolvable(identity)?;
                returns(&LeReadLocalResolvableAddressReturn { status, local_resolvable_address })
            }
            Command::LeReadSupportedStates(_) => {
                returns(&LeReadSupportedStatesReturn { status, le_states: HexInt(0x03FF_FFFF_FFFF) })
            }
            Command::LeReadSuggestedDefaultDataLength(_) => {
                returns(&LeReadSuggestedDefaultDataLengthReturn {
                    status,
                    suggested_max_tx_octets: self.suggested_octets,
                    suggested_max_tx_time: air_time(self.suggested_octets),
                })
            }
            Command::LeReadMaximumDataLength(_) => returns(&LeReadMaximumDataLengthReturn {
                status,
                supported_max_tx_octets: LONGEST_PDU,
                supported_max_tx_time: air_time(LONGEST_PDU),
                supported_max_rx_octets: LONGEST_PDU,
                supported_max_rx_time: air_time(LONGEST_PDU),
            }),
            Command::LeReadMaximumAdvertisingDataLength(_) => {
                let max_advertising_data_length = u16::try_from(MAX_DATA).unwrap_or(u16::MAX);
                returns(&LeReadMaximumAdvertisingDataLengthReturn { status, max_advertising_data_length })
            }
            Command::LeReadNumberOfSupportedAdvertisingSets(_) => {
                returns(&LeReadNumberOfSupportedAdvertisingSetsReturn {
                    status,
                    num_supported_advertising_sets: options.advertising_sets,
                })
            }
            _ => Err(ErrorCode::UnknownHciCommand),
        }
    }
}
