//! Advertising as it goes over the air: who hears it, who asks for more, who connects.

use super::agenda::{Ticket, Wake};
use super::{AdvertiserId, ControllerId, DeviceId, Radio};
use crate::hci::Phy;
use crate::hci::event::LeScanRequestReceived;
use crate::{Address, Instant};
use bytes::Bytes;
use std::time::Duration;

/// Longest random delay between two advertising events ([Vol 6] Part B, 4.4.2.2.1).
const ADV_DELAY: Duration = Duration::from_millis(10);
/// No advertiser is faster, so that none can stop the clock.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);

/// What an advertiser sends. The default is connectable legacy advertising without data, ten times a second.
#[derive(Clone, Debug)]
pub struct Advertisement {
    /// A central may connect.
    pub connectable: bool,
    /// A scanner may ask for the scan response.
    pub scannable: bool,
    /// The only peer that is meant.
    pub directed: Option<Address>,
    /// Sent as legacy PDUs, which every scanner hears.
    pub legacy: bool,
    /// Sent without the address; extended PDUs only.
    pub anonymous: bool,
    /// Advertising SID of extended PDUs.
    pub sid: u8,
    /// PHY of the first PDU: 1M or Coded.
    pub primary_phy: Phy,
    /// PHY of the data of extended PDUs.
    pub secondary_phy: Phy,
    /// TX power in dBm that extended PDUs tell; 127 for none.
    pub tx_power: i8,
    /// How strong the others hear it, in dBm.
    pub rssi: i8,
    /// Time between two advertising events; a random delay of at most 10 ms is added.
    pub interval: Duration,
    /// Advertising data: at most 31 octets for legacy PDUs, 1650 for extended ones.
    pub data: Bytes,
    /// Scan response data, with the same limits.
    pub scan_response: Bytes,
}

impl Default for Advertisement {
    fn default() -> Self {
        Self {
            connectable: true,
            scannable: true,
            directed: None,
            legacy: true,
            anonymous: false,
            sid: 0,
            primary_phy: Phy::Le1M,
            secondary_phy: Phy::Le1M,
            tx_power: 127,
            rssi: super::link::RSSI,
            interval: Duration::from_millis(100),
            data: Bytes::new(),
            scan_response: Bytes::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Device(DeviceId),
    Legacy(ControllerId),
    Set(ControllerId, u8),
}

impl Owner {
    pub(super) fn controller(self) -> Option<ControllerId> {
        match self {
            Self::Device(_) => None,
            Self::Legacy(id) | Self::Set(id, _) => Some(id),
        }
    }
}

/// An advertisement on the air.
#[derive(Clone, Debug)]
pub(super) struct Advertiser {
    pub(super) owner: Owner,
    pub(super) address: Address,
    /// The address is a private one towards this peer, and changes as the owner's do.
    pub(super) private_to: Option<Address>,
    /// When a device that changes its address does so next.
    pub(super) renewed: Option<Instant>,
    pub(super) advertisement: Advertisement,
    /// Changes with the data, so that a scanner which filters duplicates reports new data.
    pub(super) data_id: u16,
    /// The owner wants to know of scan requests.
    pub(super) notify_scan_requests: bool,
    pub(super) until: Option<Instant>,
    pub(super) max_events: u8,
    pub(super) events: u8,
    pub(super) next: Option<Ticket>,
}

impl Advertiser {
    pub(super) fn new(owner: Owner, address: Address, advertisement: Advertisement) -> Self {
        Self {
            owner,
            address,
            private_to: None,
            renewed: None,
            advertisement,
            data_id: 0,
            notify_scan_requests: false,
            until: None,
            max_events: 0,
            events: 0,
            next: None,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until) || self.max_events != 0 && self.events >= self.max_events
    }
}

impl Radio {
    pub(super) fn start_advertiser(&mut self, mut advertiser: Advertiser) -> AdvertiserId {
        let id = AdvertiserId(self.new_id());
        let first = self.dice.delay(ADV_DELAY.min(advertiser.advertisement.interval));
        advertiser.next = Some(self.after(first, Wake::Advertise(id)));
        self.advertisers.insert(id, advertiser);
        id
    }

    pub(super) fn stop_advertiser(&mut self, id: AdvertiserId) -> Option<Advertiser> {
        let advertiser = self.advertisers.remove(&id)?;
        if let Some(ticket) = advertiser.next {
            self.agenda.cancel(ticket);
        }
        Some(advertiser)
    }

    /// One advertising event: everyone who listens may hear it, ask for the scan response, or connect.
    pub(super) fn advertising_event(&mut self, id: AdvertiserId) {
        let delay = self.dice.delay(ADV_DELAY);
        self.renew_address(id);
        let Some(advertiser) = self.advertisers.get_mut(&id) else { return };
        if advertiser.is_over(self.now) {
            return self.advertising_ended(id);
        }
        let next = self.now + advertiser.advertisement.interval.max(LEAST_INTERVAL) + delay;
        advertiser.next = Some(self.agenda.at(next, Wake::Advertise(id)));
        advertiser.events = advertiser.events.saturating_add(1);
        let advertiser = advertiser.clone();
        for index in 0..self.controllers.len() {
            let listener = ControllerId(index);
            if advertiser.owner.controller() == Some(listener)
                || !self.controllers[index].is_listening()
                || self.dice.chance(self.options.loss)
            {
                continue;
            }
            if self.initiates(listener, &advertiser) {
                return self.connect(listener, id, &advertiser);
            }
            self.scan(listener, &advertiser);
        }
    }

    /// A scanner hears the advertisement, reports it, and in an active scan asks for the scan response.
    fn scan(&mut self, listener: ControllerId, advertiser: &Advertiser) {
        let Some(phy) = self.controllers[listener.0].hears(advertiser) else { return };
        if !self.in_window(phy.interval, phy.window) {
            return;
        }
        let scanner = self.controller(listener);
        scanner.report(advertiser, false);
        let own = scanner.scanner_address_to(advertiser.address);
        if !(phy.active && advertiser.advertisement.scannable && self.admits(advertiser.owner, 1, own)) {
            return;
        }
        self.controller(listener).report(advertiser, true);
        if let (true, Owner::Set(owner, advertising_handle)) =
            (advertiser.notify_scan_requests, advertiser.owner)
        {
            let owner = self.controller(owner);
            let Some(scanner) = owner.privacy.who(own) else { return };
            owner.send_le(LeScanRequestReceived {
                advertising_handle,
                scanner_address_type: scanner.address_type(),
                scanner_address: scanner.address.bd_addr,
            });
        }
    }

    /// Whether a receiver that listens for `window` of every `interval` happens to listen now.
    pub(super) fn in_window(&mut self, interval: u16, window: u16) -> bool {
        window >= interval || self.dice.below(u64::from(interval)) < u64::from(window)
    }
}
