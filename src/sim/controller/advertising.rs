//! Advertising, legacy ([Vol 4] Part E, 7.8.5 to 7.8.9) and in sets (7.8.52 to 7.8.60).

use super::Controller;
use super::privacy::is_private;
use crate::hci::command::{
    AdvertisingSetEnable, LeSetAdvertisingEnable, LeSetAdvertisingParameters,
    LeSetAdvertisingSetRandomAddress, LeSetExtendedAdvertisingEnable, LeSetExtendedAdvertisingParameters,
};
use crate::hci::event::LeAdvertisingSetTerminated;
use crate::hci::{AddressType, ConnectionHandle, ErrorCode, OwnAddressType, Phy};
use crate::sim::air::{Advertisement, Advertiser, Owner};
use crate::sim::{AdvertiserId, ControllerId, Radio};
use crate::{Address, BdAddr};
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// Octets of advertising data in legacy PDUs.
const LEGACY_DATA: usize = 31;
/// And in extended ones ([Vol 4] Part E, 7.8.57).
pub(super) const MAX_DATA: usize = 1650;
/// How long high duty cycle directed advertising lasts ([Vol 6] Part B, 4.4.2.4.3).
const HIGH_DUTY: Duration = Duration::from_millis(1280);

#[derive(Debug, Default)]
pub(in crate::sim) struct LegacyAdvertising {
    advertisement: Advertisement,
    own_address_type: Option<OwnAddressType>,
    /// Whom a private address is for, and whom directed advertising is.
    peer: Option<Address>,
    high_duty: bool,
    pub(super) filter_policy: u8,
    pub(super) on_air: Option<AdvertiserId>,
}

#[derive(Debug)]
pub(in crate::sim) struct AdvertisingSet {
    advertisement: Advertisement,
    own_address_type: OwnAddressType,
    peer: Option<Address>,
    random_address: Option<BdAddr>,
    notify_scan_requests: bool,
    high_duty: bool,
    pub(super) filter_policy: u8,
    /// Data that are still coming in fragments.
    partial: BytesMut,
    pub(super) on_air: Option<AdvertiserId>,
}

/// Which data of an advertisement a command sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataKind {
    Advertising,
    ScanResponse,
}

impl DataKind {
    fn of(self, advertisement: &mut Advertisement) -> &mut Bytes {
        match self {
            Self::Advertising => &mut advertisement.data,
            Self::ScanResponse => &mut advertisement.scan_response,
        }
    }
}

impl Controller {
    pub(super) fn set_advertising_parameters(
        &mut self,
        c: LeSetAdvertisingParameters,
    ) -> Result<(), ErrorCode> {
        if self.advertising.on_air.is_some() {
            return Err(ErrorCode::CommandDisallowed);
        }
        let directed = matches!(c.advertising_type, 1 | 4);
        if c.advertising_type > 4 || c.advertising_interval_min > c.advertising_interval_max {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        let advertising = &mut self.advertising;
        advertising.own_address_type = Some(c.own_address_type);
        advertising.peer = c.peer_address_type.with(c.peer_address);
        advertising.filter_policy = c.advertising_filter_policy;
        advertising.high_duty = c.advertising_type == 1;
        let advertisement = &mut advertising.advertisement;
        advertisement.connectable = directed || c.advertising_type == 0;
        advertisement.scannable = matches!(c.advertising_type, 0 | 2);
        advertisement.directed = peer(directed, c.peer_address_type, c.peer_address);
        advertisement.interval = interval(u32::from(c.advertising_interval_min), advertising.high_duty);
        Ok(())
    }

    pub(super) fn set_extended_advertising_parameters(
        &mut self,
        c: LeSetExtendedAdvertisingParameters,
    ) -> Result<i8, ErrorCode> {
        let bit = |n: u16| c.advertising_event_properties >> n & 1 == 1;
        let (connectable, scannable, directed, high_duty, legacy) = (bit(0), bit(1), bit(2), bit(3), bit(4));
        if self.sets.get(&c.advertising_handle).is_some_and(|set| set.on_air.is_some()) {
            return Err(ErrorCode::CommandDisallowed);
        }
        if !self.sets.contains_key(&c.advertising_handle)
            && self.sets.len() >= usize::from(self.options.advertising_sets)
        {
            return Err(ErrorCode::MemoryCapacityExceeded);
        }
        let allowed = match legacy {
            // ADV_IND, the two directed ones, ADV_SCAN_IND and ADV_NONCONN_IND.
            true => matches!(c.advertising_event_properties & 0x1F, 0x13 | 0x15 | 0x1D | 0x12 | 0x10),
            false => !(high_duty || connectable && (scannable || bit(5))),
        };
        if !allowed || c.primary_advertising_interval_min.0 > c.primary_advertising_interval_max.0 {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        let old = self.sets.remove(&c.advertising_handle);
        let (random_address, data, scan_response) = old.map_or_else(Default::default, |old| {
            (old.random_address, old.advertisement.data, old.advertisement.scan_response)
        });
        // 127 leaves the choice to the controller ([Vol 4] Part E, 7.8.53).
        let tx_power = if c.advertising_tx_power == 127 { 0 } else { c.advertising_tx_power.min(10) };
        let advertisement = Advertisement {
            connectable,
            scannable,
            directed: peer(directed, c.peer_address_type, c.peer_address),
            legacy,
            anonymous: bit(5) && !legacy,
            sid: c.advertising_sid,
            primary_phy: c.primary_advertising_phy,
            secondary_phy: if legacy { Phy::Le1M } else { c.secondary_advertising_phy },
            tx_power: if bit(6) { tx_power } else { 127 },
            interval: interval(c.primary_advertising_interval_min.0, high_duty),
            data,
            scan_response,
            ..Advertisement::default()
        };
        let set = AdvertisingSet {
            advertisement,
            own_address_type: c.own_address_type,
            peer: c.peer_address_type.with(c.peer_address),
            random_address,
            notify_scan_requests: c.scan_request_notification_enable == 1,
            high_duty,
            filter_policy: c.advertising_filter_policy,
            partial: BytesMut::new(),
            on_air: None,
        };
        self.sets.insert(c.advertising_handle, set);
        Ok(tx_power)
    }

    pub(super) fn set_advertising_set_random_address(
        &mut self,
        c: LeSetAdvertisingSetRandomAddress,
    ) -> Result<(), ErrorCode> {
        let set = self.set(c.advertising_handle)?;
        if set.on_air.is_some() && set.advertisement.connectable {
            return Err(ErrorCode::CommandDisallowed);
        }
        set.random_address = Some(c.random_address);
        Ok(())
    }

    fn set(&mut self, handle: u8) -> Result<&mut AdvertisingSet, ErrorCode> {
        self.sets.get_mut(&handle).ok_or(ErrorCode::UnknownAdvertisingIdentifier)
    }

    fn set_address(&self, set: &AdvertisingSet) -> Result<Address, ErrorCode> {
        match set.own_address_type {
            OwnAddressType::Public | OwnAddressType::ResolvableOrPublic => {
                Ok(Address::public(self.options.address))
            }
            _ => set.random_address.map(Address::random).ok_or(ErrorCode::InvalidHciCommandParameters),
        }
    }

    /// Own addresses of two kinds are private ones, and peers are called by theirs ([Vol 6] Part B, 6.2).
    fn make_private(&self, advertiser: &mut Advertiser, kind: OwnAddressType, peer: Option<Address>) {
        if !is_private(kind) {
            return;
        }
        advertiser.private_to = peer;
        advertiser.address = self.privacy.local(peer).unwrap_or(advertiser.address);
        let directed = &mut advertiser.advertisement.directed;
        *directed = directed.map(|target| self.privacy.peer(target).unwrap_or(target));
    }
}

/// The advertising interval, given in units of 0.625 ms.
fn interval(units: u32, high_duty: bool) -> Duration {
    if high_duty { Duration::from_micros(3750) } else { Duration::from_micros(625) * units.max(0x20) }
}

fn peer(directed: bool, kind: AddressType, bd_addr: BdAddr) -> Option<Address> {
    if directed { kind.with(bd_addr) } else { None }
}

impl Radio {
    pub(super) fn set_legacy_data(
        &mut self,
        id: ControllerId,
        kind: DataKind,
        length: u8,
        data: &[u8; LEGACY_DATA],
    ) -> Result<(), ErrorCode> {
        let data = data.get(..usize::from(length)).ok_or(ErrorCode::InvalidHciCommandParameters)?;
        let data = Bytes::copy_from_slice(data);
        let advertising = &mut self.controller(id).advertising;
        *kind.of(&mut advertising.advertisement) = data.clone();
        let on_air = advertising.on_air;
        self.publish(on_air, kind, data);
        Ok(())
    }

    pub(super) fn set_set_data(
        &mut self,
        id: ControllerId,
        kind: DataKind,
        handle: u8,
        operation: u8,
        part: &[u8],
    ) -> Result<(), ErrorCode> {
        let set = self.controller(id).set(handle)?;
        let fragments = operation < 3;
        if fragments && set.on_air.is_some() {
            return Err(ErrorCode::CommandDisallowed);
        }
        match operation {
            1 | 3 => set.partial.clear(),
            0 | 2 | 4 => {}
            _ => return Err(ErrorCode::InvalidHciCommandParameters),
        }
        let most = if set.advertisement.legacy { LEGACY_DATA } else { MAX_DATA };
        if set.partial.len() + part.len() > most {
            set.partial.clear();
            return Err(if set.advertisement.legacy {
                ErrorCode::InvalidHciCommandParameters
            } else {
                ErrorCode::MemoryCapacityExceeded
            });
        }
        set.partial.extend_from_slice(part);
        if matches!(operation, 0 | 1) {
            return Ok(());
        }
        let place = kind.of(&mut set.advertisement);
        if operation != 4 {
            *place = set.partial.split().freeze();
        }
        let (data, on_air) = (place.clone(), set.on_air);
        self.publish(on_air, kind, data);
        Ok(())
    }

    fn publish(&mut self, on_air: Option<AdvertiserId>, kind: DataKind, data: Bytes) {
        if let Some(advertiser) = on_air.and_then(|id| self.advertisers.get_mut(&id)) {
            *kind.of(&mut advertiser.advertisement) = data;
            advertiser.data_id = advertiser.data_id.wrapping_add(1);
        }
    }

    pub(super) fn set_advertising_enable(
        &mut self,
        id: ControllerId,
        c: LeSetAdvertisingEnable,
    ) -> Result<(), ErrorCode> {
        let controller = self.controller(id);
        let on_air = controller.advertising.on_air;
        match (c.advertising_enable, on_air) {
            (0, Some(advertiser)) => {
                controller.advertising.on_air = None;
                self.stop_advertiser(advertiser);
            }
            (1, None) => {
                let kind = controller.advertising.own_address_type.unwrap_or(OwnAddressType::Public);
                let address = controller.own_address(kind)?;
                let advertisement = controller.advertising.advertisement.clone();
                let high_duty = controller.advertising.high_duty;
                let mut advertiser = Advertiser::new(Owner::Legacy(id), address, advertisement);
                controller.make_private(&mut advertiser, kind, controller.advertising.peer);
                advertiser.until = high_duty.then_some(self.now + HIGH_DUTY);
                let on_air = self.start_advertiser(advertiser);
                self.controller(id).advertising.on_air = Some(on_air);
            }
            (0 | 1, _) => {}
            _ => return Err(ErrorCode::InvalidHciCommandParameters),
        }
        Ok(())
    }

    pub(super) fn set_extended_advertising_enable(
        &mut self,
        id: ControllerId,
        c: LeSetExtendedAdvertisingEnable<'_>,
    ) -> Result<(), ErrorCode> {
        let asked: Vec<AdvertisingSetEnable> = c.sets.iter().collect();
        if c.enable > 1 || !c.sets.is_complete() || c.enable == 1 && asked.is_empty() {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        for set in &asked {
            let set = self.controller(id).set(set.advertising_handle)?;
            if !set.partial.is_empty() && c.enable == 1 {
                return Err(ErrorCode::CommandDisallowed);
            }
        }
        if c.enable == 0 && asked.is_empty() {
            let all: Vec<u8> = self.controller(id).sets.keys().copied().collect();
            all.into_iter().for_each(|handle| self.stop_set(id, handle));
        }
        for set in asked {
            self.stop_set(id, set.advertising_handle);
            if c.enable == 1 {
                self.start_set(id, set)?;
            }
        }
        Ok(())
    }

    fn start_set(&mut self, id: ControllerId, c: AdvertisingSetEnable) -> Result<(), ErrorCode> {
        let controller = &self.controllers[id.0];
        let set =
            controller.sets.get(&c.advertising_handle).ok_or(ErrorCode::UnknownAdvertisingIdentifier)?;
        let owner = Owner::Set(id, c.advertising_handle);
        let address = controller.set_address(set)?;
        let mut advertiser = Advertiser::new(owner, address, set.advertisement.clone());
        controller.make_private(&mut advertiser, set.own_address_type, set.peer);
        advertiser.notify_scan_requests = set.notify_scan_requests;
        advertiser.max_events = c.max_extended_advertising_events;
        advertiser.until = match c.duration {
            0 => set.high_duty.then_some(self.now + HIGH_DUTY),
            duration => Some(self.now + Duration::from_millis(10) * u32::from(duration)),
        };
        let on_air = self.start_advertiser(advertiser);
        self.controller(id).set(c.advertising_handle)?.on_air = Some(on_air);
        Ok(())
    }

    fn stop_set(&mut self, id: ControllerId, handle: u8) {
        let on_air = self.controller(id).set(handle).ok().and_then(|set| set.on_air.take());
        if let Some(advertiser) = on_air {
            self.stop_advertiser(advertiser);
        }
    }

    pub(super) fn remove_advertising_set(&mut self, id: ControllerId, handle: u8) -> Result<(), ErrorCode> {
        if self.controller(id).set(handle)?.on_air.is_some() {
            return Err(ErrorCode::CommandDisallowed);
        }
        self.controller(id).sets.remove(&handle);
        Ok(())
    }

    pub(super) fn clear_advertising_sets(&mut self, id: ControllerId) -> Result<(), ErrorCode> {
        if self.controller(id).sets.values().any(|set| set.on_air.is_some()) {
            return Err(ErrorCode::CommandDisallowed);
        }
        self.controller(id).sets.clear();
        Ok(())
    }

    /// The time or the number of events of an advertiser is used up.
    pub(in crate::sim) fn advertising_ended(&mut self, advertiser: AdvertiserId) {
        let Some(ended) = self.stop_advertiser(advertiser) else { return };
        match ended.owner {
            Owner::Device(_) => {}
            Owner::Legacy(id) => {
                self.controller(id).advertising.on_air = None;
                self.connection_failed(id, ErrorCode::AdvertisingTimeout);
            }
            Owner::Set(id, _) => {
                let by_events = ended.max_events != 0 && ended.events >= ended.max_events;
                let status = if by_events { ErrorCode::LimitReached } else { ErrorCode::AdvertisingTimeout };
                self.set_terminated(id, &ended, status, ConnectionHandle(0));
            }
        }
    }

    /// An advertiser got a connection and is no longer on the air.
    pub(super) fn advertiser_connected(&mut self, advertiser: &Advertiser, handle: ConnectionHandle) {
        match advertiser.owner {
            Owner::Device(_) => {}
            Owner::Legacy(id) => self.controller(id).advertising.on_air = None,
            Owner::Set(id, _) => self.set_terminated(id, advertiser, ErrorCode::Success, handle),
        }
    }

    fn set_terminated(
        &mut self,
        id: ControllerId,
        ended: &Advertiser,
        status: ErrorCode,
        handle: ConnectionHandle,
    ) {
        let Owner::Set(_, advertising_handle) = ended.owner else { return };
        let controller = self.controller(id);
        if let Ok(set) = controller.set(advertising_handle) {
            set.on_air = None;
        }
        controller.send_le(LeAdvertisingSetTerminated {
            status,
            advertising_handle,
            connection_handle: handle,
            num_completed_extended_advertising_events: ended.events,
        });
    }
}
