//! What the controller is told: one set of parameters for all subscribers.

use super::options::{Duplicates, ScanOptions, ScanPhys, Timing};
use crate::codec::List;
use crate::hci::command::{
    LeSetExtendedScanEnable, LeSetExtendedScanParameters, LeSetScanEnable, LeSetScanParameters,
    ScanPhyParameters,
};
use crate::hci::{HciCommand, Opcode, OwnAddressType};
use crate::transports::HciPacket;

/// What the controller can do and which address it scans with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanSupport {
    /// It has the extended scan commands. Legacy and extended ones must not be mixed between two resets
    /// ([Vol 4] Part E, 3.1.1), so this stays as it is until a reset.
    pub extended: bool,
    /// It has the LE Coded PHY.
    pub coded: bool,
    /// Which of our addresses scan requests come from.
    pub own_address_type: OwnAddressType,
}

impl ScanSupport {
    /// Of the PHYs asked for, those there are.
    pub(super) fn of(&self, asked: ScanPhys) -> Option<ScanPhys> {
        let has_coded = self.extended && self.coded && asked.contains(ScanPhys::LE_CODED);
        match (asked.contains(ScanPhys::LE_1M), has_coded) {
            (true, true) => Some(ScanPhys::LE_1M | ScanPhys::LE_CODED),
            (true, false) => Some(ScanPhys::LE_1M),
            (false, true) => Some(ScanPhys::LE_CODED),
            (false, false) => None,
        }
    }
}

/// Everything a scan of the controller is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    extended: bool,
    own_address_type: OwnAddressType,
    le_1m: Option<PhyParameters>,
    coded: Option<PhyParameters>,
    pub(super) filter_duplicates: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PhyParameters {
    active: bool,
    timing: Timing,
}

impl Parameters {
    /// The union of what the subscribers ask for: active if one is, as much of the time as the busiest, on the PHYs of
    /// all. `None` without subscribers.
    pub(super) fn union<'a>(
        subscribers: impl Iterator<Item = (&'a ScanOptions, Timing)>,
        support: &ScanSupport,
    ) -> Option<Self> {
        let mut all = Self {
            extended: support.extended,
            own_address_type: support.own_address_type,
            le_1m: None,
            coded: None,
            filter_duplicates: true,
        };
        for (options, timing) in subscribers {
            let Some(phys) = support.of(options.phys) else { continue };
            let one = PhyParameters { active: options.active, timing };
            for (phy, place) in [(ScanPhys::LE_1M, &mut all.le_1m), (ScanPhys::LE_CODED, &mut all.coded)] {
                if phys.contains(phy) {
                    *place = Some(place.map_or(one, |other| other.union(one)));
                }
            }
            // What a filter refuses today for its strength may not be dropped tomorrow as a duplicate.
            all.filter_duplicates &=
                options.duplicates == Duplicates::ControllerFiltered && !options.filter.judges_each_report();
        }
        (all.le_1m.is_some() || all.coded.is_some()).then_some(all)
    }

    /// Whether LE Set (Extended) Scan Parameters would say the same.
    pub(super) fn same_but_for_duplicates(&self, other: &Self) -> bool {
        Self { filter_duplicates: other.filter_duplicates, ..*self } == *other
    }

    /// Whether another PHY is left if Coded is given up.
    pub(super) fn can_spare_coded(&self) -> bool {
        self.coded.is_some() && self.le_1m.is_some()
    }

    /// LE Set Scan Parameters or its extended form.
    pub(super) fn set_parameters(&self) -> Option<HciPacket> {
        if !self.extended {
            let one = self.le_1m?;
            let command = LeSetScanParameters {
                le_scan_type: u8::from(one.active),
                le_scan_interval: one.timing.interval,
                le_scan_window: one.timing.window,
                own_address_type: self.own_address_type,
                scanning_filter_policy: ACCEPT_ALL,
            };
            return command.to_packet().ok();
        }
        let phys = [(ScanPhys::LE_1M, self.le_1m), (ScanPhys::LE_CODED, self.coded)];
        let mask = phys.iter().filter(|(_, used)| used.is_some()).fold(0, |mask, (phy, _)| mask | phy.bits());
        let each: Vec<_> = phys.iter().filter_map(|(_, used)| used.map(PhyParameters::to_wire)).collect();
        let command = LeSetExtendedScanParameters {
            own_address_type: self.own_address_type,
            scanning_filter_policy: ACCEPT_ALL,
            scanning_phys: List::per_bit(mask, &each)?,
        };
        command.to_packet().ok()
    }

    /// LE Set Scan Enable or its extended form, without a time limit: whoever asked says when to stop.
    pub(super) fn set_enable(&self, enable: bool) -> Option<HciPacket> {
        let (enable, filter_duplicates) = (u8::from(enable), u8::from(enable && self.filter_duplicates));
        if self.extended {
            let command = LeSetExtendedScanEnable { enable, filter_duplicates, duration: 0, period: 0 };
            command.to_packet().ok()
        } else {
            LeSetScanEnable { le_scan_enable: enable, filter_duplicates }.to_packet().ok()
        }
    }

    pub(super) fn parameters_opcode(&self) -> Opcode {
        if self.extended { LeSetExtendedScanParameters::OPCODE } else { LeSetScanParameters::OPCODE }
    }

    pub(super) fn enable_opcode(&self) -> Opcode {
        if self.extended { LeSetExtendedScanEnable::OPCODE } else { LeSetScanEnable::OPCODE }
    }

    pub(super) fn is_extended(&self) -> bool {
        self.extended
    }
}

/// Every advertiser, but for directed advertising to others ([Vol 4] Part E, 7.8.10).
const ACCEPT_ALL: u8 = 0;

impl PhyParameters {
    fn union(self, other: Self) -> Self {
        Self { active: self.active || other.active, timing: self.timing.busier(other.timing) }
    }

    fn to_wire(self) -> ScanPhyParameters {
        ScanPhyParameters {
            scan_type: u8::from(self.active),
            scan_interval: self.timing.interval,
            scan_window: self.timing.window,
        }
    }
}
