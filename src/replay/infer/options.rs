//! Options of a central, from the commands that carry them.

use crate::gap::connect::ConnectionParameters;
use crate::gap::scan::{ScanOptions, ScanPhys};
use crate::hci::OwnAddressType;
use crate::hci::command::{
    LeCreateConnection, LeExtendedCreateConnection, LeSetExtendedScanParameters, LeSetScanParameters,
};
use std::time::Duration;

/// How to connect, from either form of the command.
pub(super) struct Connect {
    pub(super) own_address: OwnAddressType,
    pub(super) coded: bool,
    pub(super) parameters: ConnectionParameters,
}

impl From<&LeCreateConnection> for Connect {
    fn from(command: &LeCreateConnection) -> Self {
        Self {
            own_address: command.own_address_type,
            coded: false,
            parameters: parameters(
                [command.connection_interval_min, command.connection_interval_max],
                command.max_latency,
                command.supervision_timeout,
            ),
        }
    }
}

impl Connect {
    pub(super) fn of_extended(command: &LeExtendedCreateConnection<'_>) -> Option<Self> {
        let phy = command.initiating_phys.iter().next()?;
        Some(Self {
            own_address: command.own_address_type,
            coded: command.initiating_phys.lead() & CODED != 0,
            parameters: parameters(
                [phy.connection_interval_min, phy.connection_interval_max],
                phy.max_latency,
                phy.supervision_timeout,
            ),
        })
    }
}

/// The bit of the Coded PHY in a mask of PHYs ([Vol 4] Part E, 7.8.64).
const CODED: u8 = 1 << 2;

fn parameters([min, max]: [u16; 2], latency: u16, timeout: u16) -> ConnectionParameters {
    ConnectionParameters {
        interval_min: Duration::from_micros(u64::from(min) * 1250),
        interval_max: Duration::from_micros(u64::from(max) * 1250),
        latency,
        supervision_timeout: Duration::from_millis(u64::from(timeout) * 10),
    }
}

pub(super) fn legacy_scan(command: &LeSetScanParameters) -> ScanOptions {
    scan(command.le_scan_type, command.le_scan_interval, command.le_scan_window)
}

pub(super) fn extended_scan(command: &LeSetExtendedScanParameters<'_>) -> ScanOptions {
    let phys = match command.scanning_phys.lead() {
        mask if mask & CODED == 0 => ScanPhys::LE_1M,
        CODED => ScanPhys::LE_CODED,
        _ => ScanPhys::LE_1M | ScanPhys::LE_CODED,
    };
    match command.scanning_phys.iter().next() {
        Some(phy) => scan(phy.scan_type, phy.scan_interval, phy.scan_window).phys(phys),
        None => ScanOptions::new(),
    }
}

fn scan(scan_type: u8, interval: u16, window: u16) -> ScanOptions {
    let time = |units: u16| Duration::from_micros(u64::from(units) * 625);
    ScanOptions::new().active(scan_type != 0).interval(time(interval)).window(time(window))
}
