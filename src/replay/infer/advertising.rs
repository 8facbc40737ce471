//! What an advertising set was asked to be, read back from the commands that brought it to the controller.

use super::command;
use crate::BdAddr;
use crate::gap::advertise::{
    AdvertiseChannels, AdvertiseFilter, AdvertiseMode, AdvertiseOptions, ExtendedPdus,
};
use crate::gap::advertising_data::AdvertisingDataBuf;
use crate::hci::command::{LeSetAdvertisingParameters, LeSetExtendedAdvertisingParameters};
use crate::hci::{AddressType, Command};
use crate::replay::{Script, is_sent};
use bytes::Bytes;
use std::time::Duration;

/// By what the controller knows a set; `None` for the one of the legacy commands.
pub(super) type Handle = Option<u8>;

/// A set as its commands describe it.
pub(super) struct Described {
    pub(super) handle: Handle,
    pub(super) options: AdvertiseOptions,
    pub(super) data: Data,
}

/// What a set says: to everyone, and to those who ask.
#[derive(Clone, Default)]
pub(super) struct Data([Option<Vec<u8>>; 2]);

impl Data {
    pub(super) fn parts(&self) -> [AdvertisingDataBuf; 2] {
        self.0.clone().map(|part| Bytes::from(part.unwrap_or_default()).into())
    }

    /// Takes a piece; `false` when it begins what was there already.
    fn take(&mut self, piece: &Piece<'_>) -> bool {
        let [data, scan_response] = &mut self.0;
        let part = if piece.of_scan_response { scan_response } else { data };
        if piece.first && part.is_some() {
            return false;
        }
        part.get_or_insert_default().extend_from_slice(piece.octets);
        true
    }
}

/// Octets of data in one command.
pub(super) struct Piece<'a> {
    pub(super) handle: Handle,
    of_scan_response: bool,
    first: bool,
    octets: &'a [u8],
}

impl<'a> Piece<'a> {
    pub(super) fn of(command: &Command<'a>) -> Option<Self> {
        // The first piece, or all of it ([Vol 4] Part E, 7.8.54).
        let first = |operation: u8| matches!(operation, 1 | 3);
        Some(match command {
            Command::LeSetAdvertisingData(c) => Self {
                handle: None,
                of_scan_response: false,
                first: true,
                octets: c.advertising_data.get(..usize::from(c.advertising_data_length))?,
            },
            Command::LeSetScanResponseData(c) => Self {
                handle: None,
                of_scan_response: true,
                first: true,
                octets: c.scan_response_data.get(..usize::from(c.scan_response_data_length))?,
            },
            Command::LeSetExtendedAdvertisingData(c) => Self {
                handle: Some(c.advertising_handle),
                of_scan_response: false,
                first: first(c.operation),
                octets: c.advertising_data.get(),
            },
            Command::LeSetExtendedScanResponseData(c) => Self {
                handle: Some(c.advertising_handle),
                of_scan_response: true,
                first: first(c.operation),
                octets: c.scan_response_data.get(),
            },
            _ => return None,
        })
    }
}

/// The set whose parameters the next commands from a place on give; `None` for what no options say.
pub(super) fn described(script: &Script, place: usize, adapter: BdAddr) -> Option<Described> {
    let mut following = commands(script, place);
    let (handle, mut options) = following.find_map(|command| match command {
        Command::LeSetAdvertisingParameters(command) => Some(legacy(&command)),
        Command::LeSetExtendedAdvertisingParameters(command) => Some(extended(&command)),
        Command::Reset(_) => Some(None),
        _ => None,
    })??;
    let mut data = Data::default();
    for command in following {
        match &command {
            Command::LeSetAdvertisingSetRandomAddress(c) if handle == Some(c.advertising_handle) => {
                if c.random_address != adapter {
                    options = options.random_address(c.random_address);
                }
            }
            Command::LeSetExtendedAdvertisingEnable(c) if c.enable == 1 => {
                let Some(set) = c.sets.iter().find(|set| handle == Some(set.advertising_handle)) else {
                    continue;
                };
                if set.max_extended_advertising_events > 0 {
                    options = options.max_events(set.max_extended_advertising_events);
                }
                break;
            }
            command if ends(command, handle) => break,
            command => {
                if Piece::of(command).is_some_and(|piece| piece.handle == handle && !data.take(&piece)) {
                    break;
                }
            }
        }
    }
    let [advertised, scan_response] = data.parts();
    let options = options.data(advertised).scan_response(scan_response);
    Some(Described { handle, options, data })
}

/// Other data that a set is given from a place on; what is not given again stays.
pub(super) fn changed(script: &Script, place: usize, handle: Handle, before: &Data) -> Data {
    let mut data = Data::default();
    for command in commands(script, place) {
        if let Some(piece) = Piece::of(&command).filter(|piece| piece.handle == handle) {
            if !data.take(&piece) {
                break;
            }
        } else if ends(&command, handle) || enables(&command) == Some(handle) {
            break;
        }
    }
    for (part, before) in data.0.iter_mut().zip(&before.0) {
        *part = part.take().or_else(|| before.clone());
    }
    data
}

/// The set that a command takes off the air.
pub(super) fn disabled(command: &Command<'_>) -> Option<Handle> {
    match command {
        Command::LeSetAdvertisingEnable(c) if c.advertising_enable == 0 => Some(None),
        Command::LeSetExtendedAdvertisingEnable(c) if c.enable == 0 => {
            Some(Some(c.sets.iter().next()?.advertising_handle))
        }
        _ => None,
    }
}

/// The commands of the host from a place on.
pub(super) fn commands(script: &Script, place: usize) -> impl Iterator<Item = Command<'_>> {
    script.packets().iter().skip(place).filter(|packet| is_sent(packet)).filter_map(|p| command(&p.packet))
}

fn enables(command: &Command<'_>) -> Option<Handle> {
    match command {
        Command::LeSetAdvertisingEnable(c) if c.advertising_enable == 1 => Some(None),
        Command::LeSetExtendedAdvertisingEnable(c) if c.enable == 1 => {
            Some(Some(c.sets.iter().next()?.advertising_handle))
        }
        _ => None,
    }
}

/// Whether nothing behind a command describes this set any more.
fn ends(command: &Command<'_>, handle: Handle) -> bool {
    match command {
        Command::Reset(_) => true,
        Command::LeSetAdvertisingEnable(_) | Command::LeSetAdvertisingParameters(_) => handle.is_none(),
        Command::LeSetExtendedAdvertisingParameters(c) => handle == Some(c.advertising_handle),
        Command::LeRemoveAdvertisingSet(c) => handle == Some(c.advertising_handle),
        _ => false,
    }
}

fn legacy(command: &LeSetAdvertisingParameters) -> Option<(Handle, AdvertiseOptions)> {
    let peer = || command.peer_address_type.with(command.peer_address);
    let mode = match command.advertising_type {
        0 => AdvertiseMode::Connectable,
        1 => AdvertiseMode::DirectedHighDuty(peer()?),
        2 => AdvertiseMode::Scannable,
        3 => AdvertiseMode::NonConnectable,
        4 => AdvertiseMode::Directed(peer()?),
        _ => return None,
    };
    let [min, max] = [command.advertising_interval_min, command.advertising_interval_max].map(u32::from);
    let options = AdvertiseOptions::new()
        .mode(mode)
        .interval(time(min), time(max))
        .own_address(command.own_address_type.into())
        .channels(channels(command.advertising_channel_map))
        .filter(filter(command.advertising_filter_policy)?);
    Some((None, options))
}

fn extended(command: &LeSetExtendedAdvertisingParameters) -> Option<(Handle, AdvertiseOptions)> {
    let has = |bit: u8| command.advertising_event_properties >> bit & 1 == 1;
    let (connectable, scannable, directed, high_duty, legacy) = (has(0), has(1), has(2), has(3), has(4));
    let peer = || AddressType::with(command.peer_address_type, command.peer_address);
    let mode = match (connectable, directed, high_duty) {
        (true, true, true) => AdvertiseMode::DirectedHighDuty(peer()?),
        (true, true, false) => AdvertiseMode::Directed(peer()?),
        (true, false, _) => AdvertiseMode::Connectable,
        (false, false, _) if scannable => AdvertiseMode::Scannable,
        (false, false, _) => AdvertiseMode::NonConnectable,
        (false, true, _) => return None,
    };
    let handle = command.advertising_handle;
    let [min, max] = [command.primary_advertising_interval_min, command.primary_advertising_interval_max];
    let mut options = AdvertiseOptions::new()
        .mode(mode)
        .interval(time(min.0), time(max.0))
        .own_address(command.own_address_type.into())
        .channels(channels(command.primary_advertising_channel_map))
        .filter(filter(command.advertising_filter_policy)?)
        .notify_scan_requests(command.scan_request_notification_enable != 0);
    if !legacy {
        options = options.extended(ExtendedPdus {
            primary_phy: command.primary_advertising_phy,
            secondary_phy: command.secondary_advertising_phy,
            anonymous: has(5),
            include_tx_power: has(6),
        });
    }
    // The controller chooses.
    if command.advertising_tx_power != 127 {
        options = options.tx_power(command.advertising_tx_power);
    }
    // What a set has by default.
    if command.advertising_sid != handle & 0x0F {
        options = options.sid(command.advertising_sid);
    }
    Some((Some(handle), options))
}

fn time(units: u32) -> Duration {
    Duration::from_micros(u64::from(units) * 625)
}

fn channels(map: u8) -> AdvertiseChannels {
    let all = [AdvertiseChannels::CHANNEL_37, AdvertiseChannels::CHANNEL_38, AdvertiseChannels::CHANNEL_39];
    let used = (0..).zip(all).filter(|(bit, _)| map >> bit & 1 == 1);
    used.fold(AdvertiseChannels::NONE, |map, (_, channel)| map | channel)
}

fn filter(policy: u8) -> Option<AdvertiseFilter> {
    Some(match policy {
        0 => AdvertiseFilter::All,
        1 => AdvertiseFilter::ScanFromAcceptList,
        2 => AdvertiseFilter::ConnectFromAcceptList,
        3 => AdvertiseFilter::AcceptListOnly,
        _ => return None,
    })
}
