//! Scanning, legacy and extended ([Vol 4] Part E, 7.8.10, 7.8.11, 7.8.64 and 7.8.65).

use super::Controller;
use super::privacy::Who;
use crate::codec::{HexInt, List, Prefixed};
use crate::hci::command::{
    LeSetExtendedScanEnable, LeSetExtendedScanParameters, LeSetScanEnable, LeSetScanParameters,
};
use crate::hci::event::{
    AdvertisingReport, DirectedAdvertisingReport, ExtendedAdvertisingReport, LeAdvertisingReport,
    LeDirectedAdvertisingReport, LeExtendedAdvertisingReport, LeScanTimeout,
};
use crate::hci::{AddressType, ErrorCode, OwnAddressType, Phy};
use crate::sim::agenda::{Ticket, Wake};
use crate::sim::air::Advertiser;
use crate::sim::options::feature;
use crate::sim::{ControllerId, Radio};
use crate::{Address, BdAddr};
use std::collections::BTreeSet;
use std::time::Duration;

/// Octets of data in one extended report ([Vol 4] Part E, 7.7.65.13).
const REPORT_DATA: usize = 229;
/// Advertisers that the duplicate filter remembers before it forgets them all.
const SEEN: usize = 65_536;

#[derive(Debug)]
pub(in crate::sim) struct Scanning {
    own_address_type: OwnAddressType,
    filter_policy: u8,
    one_m: Option<ScanPhy>,
    coded: Option<ScanPhy>,
    running: Option<Running>,
}

/// How one PHY is scanned; times in units of 0.625 ms.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct ScanPhy {
    pub(in crate::sim) active: bool,
    pub(in crate::sim) interval: u16,
    pub(in crate::sim) window: u16,
}

#[derive(Debug)]
struct Running {
    extended: bool,
    filter_duplicates: bool,
    seen: BTreeSet<Seen>,
    timeout: Option<Ticket>,
}

/// What makes a report a duplicate: advertiser, set, data, and whether it is a scan response.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen(Option<Address>, u8, u16, bool);

impl Default for Scanning {
    fn default() -> Self {
        let passive = ScanPhy { active: false, interval: 0x10, window: 0x10 };
        Self {
            own_address_type: OwnAddressType::Public,
            filter_policy: 0,
            one_m: Some(passive),
            coded: None,
            running: None,
        }
    }
}

impl Scanning {
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn uses_accept_list(&self) -> bool {
        self.is_running() && self.filter_policy & 1 == 1
    }

    pub(super) fn timeout(&self) -> Option<Ticket> {
        self.running.as_ref().and_then(|running| running.timeout)
    }
}

impl Controller {
    pub(super) fn set_scan_parameters(&mut self, c: LeSetScanParameters) -> Result<(), ErrorCode> {
        self.may_set_scan_parameters(c.own_address_type)?;
        self.scanning.own_address_type = c.own_address_type;
        self.scanning.filter_policy = c.scanning_filter_policy;
        self.scanning.one_m = Some(scan_phy(c.le_scan_type, c.le_scan_interval, c.le_scan_window)?);
        self.scanning.coded = None;
        Ok(())
    }

    pub(super) fn set_extended_scan_parameters(
        &mut self,
        c: LeSetExtendedScanParameters<'_>,
    ) -> Result<(), ErrorCode> {
        self.may_set_scan_parameters(c.own_address_type)?;
        let mask = c.scanning_phys.lead();
        let coded = self.has_feature(feature::LE_CODED_PHY);
        if mask & !0b101 != 0 || mask & 0b100 != 0 && !coded {
            return Err(ErrorCode::UnsupportedFeatureOrParameterValue);
        }
        if mask == 0 || !c.scanning_phys.is_complete() {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        let mut phys = c.scanning_phys.iter();
        let mut of_bit = |bit: u8| match phys.next() {
            Some(phy) if mask & bit != 0 => {
                scan_phy(phy.scan_type, phy.scan_interval, phy.scan_window).map(Some)
            }
            _ => Ok(None),
        };
        let one_m = if mask & 0b001 != 0 { of_bit(0b001)? } else { None };
        let coded = if mask & 0b100 != 0 { of_bit(0b100)? } else { None };
        self.scanning.own_address_type = c.own_address_type;
        self.scanning.filter_policy = c.scanning_filter_policy;
        self.scanning.one_m = one_m;
        self.scanning.coded = coded;
        Ok(())
    }

    fn may_set_scan_parameters(&self, own: OwnAddressType) -> Result<(), ErrorCode> {
        if self.scanning.is_running() {
            return Err(ErrorCode::CommandDisallowed);
        }
        self.own_address(own).map(|_| ())
    }

    /// How this scanner calls itself towards an advertiser.
    pub(in crate::sim) fn scanner_address_to(&self, advertiser: Address) -> Address {
        let peer = self.privacy.who(advertiser).map(|who| who.address);
        let own = self.own_address_to(self.scanning.own_address_type, peer);
        own.unwrap_or(Address::public(self.options.address))
    }

    /// Whether directed advertising is for this scanner, or may be as far as its policy goes.
    fn is_meant(&self, target: Address, advertiser: Address) -> bool {
        target == self.scanner_address_to(advertiser)
            || self.privacy.is_ours(target)
            || target.is_resolvable() && self.scanning.filter_policy & 2 != 0
    }

    /// Whether and how the scanner listens to such an advertisement.
    pub(in crate::sim) fn hears(&self, advertiser: &Advertiser) -> Option<ScanPhy> {
        let running = self.scanning.running.as_ref()?;
        let advertisement = &advertiser.advertisement;
        let who = self.privacy.who(advertiser.address)?;
        let listens = (running.extended || advertisement.legacy)
            && (self.scanning.filter_policy & 1 == 0 || self.accept_list.contains(&who.address))
            && advertisement.directed.is_none_or(|target| self.is_meant(target, advertiser.address));
        match advertisement.primary_phy {
            _ if !listens => None,
            Phy::LeCoded => self.scanning.coded,
            _ => self.scanning.one_m,
        }
    }

    /// Reports an advertisement, or the scan response to it, unless it is a duplicate.
    pub(in crate::sim) fn report(&mut self, advertiser: &Advertiser, response: bool) {
        let crowded = self.outbox.is_crowded();
        let Some(who) = self.privacy.who(advertiser.address) else { return };
        self.privacy.heard(advertiser.address);
        let Some(running) = self.scanning.running.as_mut() else { return };
        let advertisement = &advertiser.advertisement;
        if crowded {
            return;
        }
        if running.filter_duplicates {
            let address = (!advertisement.anonymous).then_some(who.address);
            let (sid, data_id) =
                if advertisement.legacy { (0xFF, 0) } else { (advertisement.sid, advertiser.data_id) };
            if running.seen.len() >= SEEN {
                running.seen.clear();
            }
            if !running.seen.insert(Seen(address, sid, data_id, response)) {
                return;
            }
        }
        let extended = running.extended;
        // A scannable extended advertisement has its data in the scan response.
        let data = if response { &advertisement.scan_response } else { &advertisement.data };
        if extended {
            self.report_extended(advertiser, who, response, data)
        } else {
            self.report_legacy(advertiser, who, response, data)
        }
    }

    fn report_legacy(&mut self, advertiser: &Advertiser, who: Who, response: bool, data: &[u8]) {
        let advertisement = &advertiser.advertisement;
        if let Some(target) = advertisement.directed
            && target.is_resolvable()
            && !self.privacy.is_ours(target)
        {
            let report = [DirectedAdvertisingReport {
                event_type: 1,
                address_type: who.address_type(),
                address: who.address.bd_addr,
                direct_address_type: AddressType::Random,
                direct_address: target.bd_addr,
                rssi: advertisement.rssi,
            }];
            if let Some(reports) = List::new(&report) {
                self.send_le(LeDirectedAdvertisingReport { reports });
            }
            return;
        }
        let event_type = match (response, advertisement.connectable, advertisement.scannable) {
            (true, ..) => 4,
            _ if advertisement.directed.is_some() => 1,
            (_, true, _) => 0,
            (_, _, true) => 2,
            _ => 3,
        };
        let report = [AdvertisingReport {
            event_type,
            address_type: who.address_type(),
            address: who.address.bd_addr,
            data: prefixed(data.get(..31).unwrap_or(data)),
            rssi: advertisement.rssi,
        }];
        if let Some(reports) = List::new(&report) {
            self.send_le(LeAdvertisingReport { reports });
        }
    }

    /// Whom directed advertising is for, as an extended report says it ([Vol 4] Part E, 7.7.65.13).
    fn target(&self, target: Address) -> (AddressType, BdAddr) {
        if !target.is_resolvable() {
            return (target.kind.into(), target.bd_addr);
        }
        let own =
            self.own_address(self.scanning.own_address_type).ok().filter(|_| self.privacy.is_ours(target));
        match own {
            Some(own) => (Who { address: own, resolved: true }.address_type(), own.bd_addr),
            None => (AddressType::UnresolvedRandom, target.bd_addr),
        }
    }

    fn report_extended(&mut self, advertiser: &Advertiser, who: Who, response: bool, data: &[u8]) {
        let advertisement = &advertiser.advertisement;
        let event_type = u16::from(advertisement.connectable)
            | u16::from(advertisement.scannable) << 1
            | u16::from(advertisement.directed.is_some()) << 2
            | u16::from(response) << 3
            | u16::from(advertisement.legacy) << 4;
        let (direct_address_type, direct_address) =
            advertisement.directed.map_or((AddressType::Public, BdAddr::ANY), |target| self.target(target));
        let anonymous = advertisement.anonymous;
        let legacy = advertisement.legacy;
        let whole = ExtendedAdvertisingReport {
            event_type: HexInt(event_type),
            address_type: if anonymous { AddressType::Anonymous } else { who.address_type() },
            address: if anonymous { BdAddr::ANY } else { who.address.bd_addr },
            primary_phy: advertisement.primary_phy,
            secondary_phy: if legacy { Phy::None } else { advertisement.secondary_phy },
            advertising_sid: if legacy { 0xFF } else { advertisement.sid },
            tx_power: if legacy { 127 } else { advertisement.tx_power },
            rssi: advertisement.rssi,
            periodic_advertising_interval: 0,
            direct_address_type,
            direct_address,
            data: prefixed(&[]),
        };
        let mut left = data;
        loop {
            let (part, rest) = left.split_at(left.len().min(REPORT_DATA));
            // Data status: 0 complete, 1 incomplete and more to come.
            let status = u16::from(!rest.is_empty()) << 5;
            let report = [ExtendedAdvertisingReport {
                event_type: HexInt(event_type | status),
                data: prefixed(part),
                ..whole
            }];
            if let Some(reports) = List::new(&report) {
                self.send_le(LeExtendedAdvertisingReport { reports });
            }
            left = rest;
            if left.is_empty() {
                return;
            }
        }
    }
}

/// At most 255 octets; no more ever fit.
fn prefixed(data: &[u8]) -> Prefixed<'_> {
    Prefixed::new(data).or(Prefixed::new(&[])).expect("no octets always fit")
}

fn scan_phy(scan_type: u8, interval: u16, window: u16) -> Result<ScanPhy, ErrorCode> {
    if scan_type > 1 || interval < 4 || window < 4 || window > interval {
        return Err(ErrorCode::InvalidHciCommandParameters);
    }
    Ok(ScanPhy { active: scan_type == 1, interval, window })
}

impl Radio {
    pub(super) fn set_scan_enable(&mut self, id: ControllerId, c: LeSetScanEnable) -> Result<(), ErrorCode> {
        self.run_scan(id, c.le_scan_enable == 1, false, c.filter_duplicates, 0)
    }

    pub(super) fn set_extended_scan_enable(
        &mut self,
        id: ControllerId,
        c: LeSetExtendedScanEnable,
    ) -> Result<(), ErrorCode> {
        // With a period the scan goes on by itself, so it never times out.
        let duration = if c.period == 0 { c.duration } else { 0 };
        self.run_scan(id, c.enable == 1, true, c.filter_duplicates, duration)
    }

    fn run_scan(
        &mut self,
        id: ControllerId,
        enable: bool,
        extended: bool,
        filter_duplicates: u8,
        duration: u16,
    ) -> Result<(), ErrorCode> {
        if let Some(ticket) = self.controller(id).scanning.timeout() {
            self.agenda.cancel(ticket);
        }
        if !enable {
            self.controller(id).scanning.running = None;
            return Ok(());
        }
        let timeout = (duration > 0)
            .then(|| self.after(Duration::from_millis(10) * u32::from(duration), Wake::ScanTimeout(id)));
        let seen = BTreeSet::new();
        let filter_duplicates = filter_duplicates != 0;
        self.controller(id).scanning.running = Some(Running { extended, filter_duplicates, seen, timeout });
        Ok(())
    }

    pub(in crate::sim) fn scan_timeout(&mut self, id: ControllerId) {
        let controller = self.controller(id);
        controller.scanning.running = None;
        controller.send_le(LeScanTimeout {});
    }
}
