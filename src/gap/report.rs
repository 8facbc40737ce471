//! Advertising reports: what one advertising or scan response PDU said, whichever HCI event brought it.
//!
//! [`Report`] is such a PDU, whole and owned. [`Assembler`] makes them of the events, joining the parts that a long PDU
//! arrives in.

mod assembler;
#[cfg(test)]
pub(crate) mod testing;

pub use assembler::Assembler;

use crate::hci::event::{AdvertisingReport, DirectedAdvertisingReport, ExtendedAdvertisingReport};
use crate::hci::{AddressType, Phy};
use crate::{Address, BdAddr};
use std::time::Duration;

use super::advertising_data::AdvertisingDataBuf;

/// One advertising or scan response PDU as the controller heard it ([Vol 4] Part E, 7.7.65.2 and 7.7.65.13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who sent it; `None` for an anonymous advertisement.
    pub address: Option<Address>,
    /// Who is behind a resolvable private address, where the controller or the host knows: the address by which the
    /// peer was bonded with. The controller does not say what stood in the PDU then, and `address` is the same.
    pub identity: Option<Address>,
    /// The type of the address as received: whether the controller resolved it, for example.
    pub address_type: AddressType,
    /// Strength in dBm, where the controller could measure it.
    pub rssi: Option<i8>,
    /// Power it was sent with in dBm, from the PDU's header; `data` may name one of its own.
    pub tx_power: Option<i8>,
    /// The sender accepts connections. A legacy scan response does not say and counts as `false`.
    pub connectable: bool,
    /// The sender answers scan requests.
    pub scannable: bool,
    /// Meant for one receiver, `direct_address`.
    pub directed: bool,
    /// Whom a directed advertisement is meant for.
    pub direct_address: Option<Address>,
    /// An answer to a scan request rather than an advertisement.
    pub scan_response: bool,
    /// Sent as a legacy PDU, which holds at most 31 octets.
    pub legacy: bool,
    /// PHY of the primary advertising channel.
    pub primary_phy: Phy,
    /// PHY of the secondary advertising channel, where one was used.
    pub secondary_phy: Option<Phy>,
    /// Advertising set identifier; legacy PDUs have none.
    pub sid: Option<u8>,
    /// Interval of the periodic advertising that goes with it.
    pub periodic_interval: Option<Duration>,
    /// The controller or this host lost the end of the data.
    pub truncated: bool,
    /// The advertising data, sharing the packet's octets where they came in one part.
    pub data: AdvertisingDataBuf,
}

/// In `rssi` and `tx_power`: not known.
const NOT_AVAILABLE: i8 = 127;
/// In `advertising_sid`: none.
const NO_SID: u8 = 0xFF;

/// Bits of Event_Type of an extended report ([Vol 4] Part E, 7.7.65.13).
mod event_type {
    pub(super) const CONNECTABLE: u16 = 1 << 0;
    pub(super) const SCANNABLE: u16 = 1 << 1;
    pub(super) const DIRECTED: u16 = 1 << 2;
    pub(super) const SCAN_RESPONSE: u16 = 1 << 3;
    pub(super) const LEGACY: u16 = 1 << 4;
    pub(super) const DATA_STATUS: u16 = 0b11 << 5;

    /// What the Event_Type of a legacy report would be in an extended one.
    pub(super) const fn of_legacy(event_type: u8) -> u16 {
        LEGACY
            | match event_type {
                0 => CONNECTABLE | SCANNABLE,
                1 => CONNECTABLE | DIRECTED,
                2 => SCANNABLE,
                4 => SCANNABLE | SCAN_RESPONSE,
                _ => 0,
            }
    }
}

impl Report {
    /// From one report of LE Advertising Report.
    fn from_legacy(report: &AdvertisingReport<'_>, data: AdvertisingDataBuf) -> Self {
        let bits = event_type::of_legacy(report.event_type);
        Self { data, ..Self::legacy(bits, report.address_type, report.address, report.rssi) }
    }

    /// From one report of LE Directed Advertising Report, which has no data.
    fn from_directed(report: &DirectedAdvertisingReport) -> Self {
        let bits = event_type::of_legacy(1);
        let direct_address = report.direct_address_type.with(report.direct_address);
        Self { direct_address, ..Self::legacy(bits, report.address_type, report.address, report.rssi) }
    }

    fn legacy(bits: u16, address_type: AddressType, address: BdAddr, rssi: i8) -> Self {
        Self {
            address: address_type.with(address),
            identity: address_type.identity(address),
            address_type,
            rssi: available(rssi),
            tx_power: None,
            connectable: bits & event_type::CONNECTABLE != 0,
            scannable: bits & event_type::SCANNABLE != 0,
            directed: bits & event_type::DIRECTED != 0,
            direct_address: None,
            scan_response: bits & event_type::SCAN_RESPONSE != 0,
            legacy: bits & event_type::LEGACY != 0,
            primary_phy: Phy::Le1M,
            secondary_phy: None,
            sid: None,
            periodic_interval: None,
            truncated: false,
            data: AdvertisingDataBuf::default(),
        }
    }

    /// From one report of LE Extended Advertising Report, without its data.
    fn from_extended(report: &ExtendedAdvertisingReport<'_>) -> Self {
        let bits = report.event_type.0;
        let base = Self::legacy(bits, report.address_type, report.address, report.rssi);
        let periodic_interval = Duration::from_micros(1250) * u32::from(report.periodic_advertising_interval);
        Self {
            tx_power: available(report.tx_power),
            direct_address: base
                .directed
                .then(|| report.direct_address_type.with(report.direct_address))
                .flatten(),
            primary_phy: report.primary_phy,
            secondary_phy: (report.secondary_phy != Phy::None).then_some(report.secondary_phy),
            sid: (report.advertising_sid != NO_SID).then_some(report.advertising_sid),
            periodic_interval: (!periodic_interval.is_zero()).then_some(periodic_interval),
            ..base
        }
    }
}

fn available(dbm: i8) -> Option<i8> {
    (dbm != NOT_AVAILABLE).then_some(dbm)
}
