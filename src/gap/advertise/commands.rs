//! What the controller is told: each step of a set as a command, in its legacy and its extended form.

use super::Step;
use super::check::{AdvertiseSupport, DataPart};
use super::options::{AdvertiseMode, AdvertiseOptions};
use crate::BdAddr;
use crate::codec::{List, Prefixed, U24};
use crate::hci::command::{
    AdvertisingSetEnable, LeRemoveAdvertisingSet, LeSetAdvertisingData, LeSetAdvertisingEnable,
    LeSetAdvertisingParameters, LeSetAdvertisingSetRandomAddress, LeSetExtendedAdvertisingData,
    LeSetExtendedAdvertisingEnable, LeSetExtendedAdvertisingParameters, LeSetExtendedScanResponseData,
    LeSetScanResponseData,
};
use crate::hci::{AddressType, HciCommand, OwnAddressType, Phy};
use crate::transports::HciPacket;

/// Octets of data in one command ([Vol 4] Part E, 7.8.54).
pub(super) const FRAGMENT: usize = 251;

/// High duty cycle directed advertising lasts 1.28 s: in units of 10 ms ([Vol 4] Part E, 7.8.56).
const HIGH_DUTY_DURATION: u16 = 128;

/// The command of `step` for a set without (legacy) or with a handle; `None` for what has no command, or does not fit
/// in one, which [`AdvertiseOptions::check`] has ruled out.
pub(super) fn of_step(
    options: &AdvertiseOptions,
    step: Step,
    handle: Option<u8>,
    support: &AdvertiseSupport,
) -> Option<HciPacket> {
    let shown = options.shown(&support.own);
    let own_address_type = if shown.is_some() { OwnAddressType::Random } else { OwnAddressType::Public };
    match (step, handle) {
        (Step::Parameters, None) => legacy_parameters(options, own_address_type),
        (Step::Parameters, Some(handle)) => extended_parameters(options, own_address_type, handle),
        (Step::RandomAddress, Some(advertising_handle)) => {
            let random_address = shown?;
            LeSetAdvertisingSetRandomAddress { advertising_handle, random_address }.to_packet().ok()
        }
        (Step::Data(part, _), None) => legacy_data(part, data_of(options, part)),
        (Step::Data(part, offset), Some(handle)) => {
            extended_data(part, data_of(options, part), offset, handle)
        }
        (Step::Enable, handle) => enable(options, handle, true),
        (Step::Disable, handle) => enable(options, handle, false),
        (Step::Remove, Some(advertising_handle)) => {
            LeRemoveAdvertisingSet { advertising_handle }.to_packet().ok()
        }
        (Step::RandomAddress | Step::Remove, None) | (Step::Done, _) => None,
    }
}

/// The step behind `step`, when it was done. `random` says that the set shows a random address.
pub(super) fn after(options: &AdvertiseOptions, step: Step, extended: bool, random: bool) -> Step {
    match step {
        Step::Parameters if extended && random => Step::RandomAddress,
        Step::Parameters | Step::RandomAddress => first_data(options),
        Step::Data(part, offset) if extended && offset + FRAGMENT < data_of(options, part).len() => {
            Step::Data(part, offset + FRAGMENT)
        }
        Step::Data(DataPart::Advertising, _) if options.is_scannable() => {
            Step::Data(DataPart::ScanResponse, 0)
        }
        Step::Data(..) => Step::Enable,
        Step::Enable | Step::Disable | Step::Remove | Step::Done => Step::Done,
    }
}

/// The first data to give. Empty data is given too: the controller may still have other.
pub(super) fn first_data(options: &AdvertiseOptions) -> Step {
    match (options.carries_data(), options.is_scannable()) {
        (true, _) => Step::Data(DataPart::Advertising, 0),
        (false, true) => Step::Data(DataPart::ScanResponse, 0),
        (false, false) => Step::Enable,
    }
}

pub(super) fn data_of(options: &AdvertiseOptions, part: DataPart) -> &[u8] {
    match part {
        DataPart::Advertising => options.data.as_bytes(),
        DataPart::ScanResponse => options.scan_response.as_bytes(),
    }
}

fn legacy_parameters(options: &AdvertiseOptions, own_address_type: OwnAddressType) -> Option<HciPacket> {
    let (min, max) = options.interval_units(false).ok()?;
    let (peer_address_type, peer_address) = peer(options);
    let command = LeSetAdvertisingParameters {
        advertising_interval_min: u16::try_from(min).ok()?,
        advertising_interval_max: u16::try_from(max).ok()?,
        advertising_type: match options.mode {
            AdvertiseMode::Connectable => 0,
            AdvertiseMode::DirectedHighDuty(_) => 1,
            AdvertiseMode::Scannable => 2,
            AdvertiseMode::NonConnectable => 3,
            AdvertiseMode::Directed(_) => 4,
        },
        own_address_type,
        peer_address_type,
        peer_address,
        advertising_channel_map: options.channels.bits(),
        advertising_filter_policy: options.filter.to_wire(),
    };
    command.to_packet().ok()
}

fn extended_parameters(
    options: &AdvertiseOptions,
    own_address_type: OwnAddressType,
    handle: u8,
) -> Option<HciPacket> {
    let (min, max) = options.interval_units(true).ok()?;
    let (peer_address_type, peer_address) = peer(options);
    let phys = options.extended.map(|extended| (extended.primary_phy, extended.secondary_phy));
    let (primary_advertising_phy, secondary_advertising_phy) = phys.unwrap_or((Phy::Le1M, Phy::Le1M));
    let command = LeSetExtendedAdvertisingParameters {
        advertising_handle: handle,
        advertising_event_properties: properties(options),
        primary_advertising_interval_min: U24(min),
        primary_advertising_interval_max: U24(max),
        primary_advertising_channel_map: options.channels.bits(),
        own_address_type,
        peer_address_type,
        peer_address,
        advertising_filter_policy: options.filter.to_wire(),
        // 127: the controller chooses.
        advertising_tx_power: options.tx_power.unwrap_or(127),
        primary_advertising_phy,
        secondary_advertising_max_skip: 0,
        secondary_advertising_phy,
        advertising_sid: options.sid.unwrap_or(handle & 0x0F),
        scan_request_notification_enable: u8::from(options.notify_scan_requests),
    };
    command.to_packet().ok()
}

/// Advertising_Event_Properties ([Vol 4] Part E, 7.8.53).
fn properties(options: &AdvertiseOptions) -> u16 {
    let extended = options.extended;
    let bits = [
        options.mode.is_connectable(),
        options.is_scannable(),
        options.mode.peer().is_some(),
        options.mode.is_high_duty(),
        extended.is_none(),
        extended.is_some_and(|pdus| pdus.anonymous),
        extended.is_some_and(|pdus| pdus.include_tx_power),
    ];
    bits.iter().rev().fold(0, |all, &bit| all << 1 | u16::from(bit))
}

fn peer(options: &AdvertiseOptions) -> (AddressType, BdAddr) {
    match options.mode.peer() {
        Some(peer) => (peer.kind.into(), peer.bd_addr),
        None => (AddressType::Public, BdAddr::ANY),
    }
}

fn legacy_data(part: DataPart, data: &[u8]) -> Option<HciPacket> {
    let length = u8::try_from(data.len()).ok()?;
    let mut padded = [0; 31];
    padded.get_mut(..data.len())?.copy_from_slice(data);
    match part {
        DataPart::Advertising => {
            LeSetAdvertisingData { advertising_data_length: length, advertising_data: &padded }.to_packet()
        }
        DataPart::ScanResponse => {
            LeSetScanResponseData { scan_response_data_length: length, scan_response_data: &padded }
                .to_packet()
        }
    }
    .ok()
}

fn extended_data(part: DataPart, data: &[u8], offset: usize, advertising_handle: u8) -> Option<HciPacket> {
    let rest = data.get(offset..)?;
    let fragment = rest.get(..FRAGMENT).unwrap_or(rest);
    let octets = Prefixed::new(fragment)?;
    let operation = match (offset == 0, fragment.len() == rest.len()) {
        (false, false) => 0, // in the middle
        (true, false) => 1,  // the first
        (false, true) => 2,  // the last
        (true, true) => 3,   // all
    };
    // On the air, as few pieces as can be.
    let fragment_preference = 1;
    match part {
        DataPart::Advertising => LeSetExtendedAdvertisingData {
            advertising_handle,
            operation,
            fragment_preference,
            advertising_data: octets,
        }
        .to_packet(),
        DataPart::ScanResponse => LeSetExtendedScanResponseData {
            advertising_handle,
            operation,
            fragment_preference,
            scan_response_data: octets,
        }
        .to_packet(),
    }
    .ok()
}

/// The time-out is ours to keep, in either form alike; only what has to have one at the controller has it there.
fn enable(options: &AdvertiseOptions, handle: Option<u8>, enable: bool) -> Option<HciPacket> {
    let Some(advertising_handle) = handle else {
        return LeSetAdvertisingEnable { advertising_enable: u8::from(enable) }.to_packet().ok();
    };
    let set = AdvertisingSetEnable {
        advertising_handle,
        duration: if enable && options.mode.is_high_duty() { HIGH_DUTY_DURATION } else { 0 },
        max_extended_advertising_events: if enable { options.max_events.unwrap_or(0) } else { 0 },
    };
    let sets = List::new(std::slice::from_ref(&set))?;
    LeSetExtendedAdvertisingEnable { enable: u8::from(enable), sets }.to_packet().ok()
}
