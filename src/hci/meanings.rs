//! What numbers mean that stay numbers in commands and events: `le_scan_type: u8 as ScanType` in a row. A
//! line keeps the number, a tree and JSON add the meaning.

use crate::assigned;
use crate::codec::HexInt;
use crate::codec::show::{Show, View};
use crate::open_enum;

open_enum! {
    /// Whether a scanner asks for scan responses ([Vol 4] Part E, 7.8.10).
    pub struct ScanType(u8) { Passive = 0 "passive", Active = 1 "active" }
}

open_enum! {
    /// Which advertisements a scanner takes ([Vol 4] Part E, 7.8.10).
    pub struct ScanningFilterPolicy(u8) {
        BasicUnfiltered = 0 "all",
        BasicFiltered = 1 "of the accept list",
        ExtendedUnfiltered = 2 "all, and directed ones to unresolved addresses",
        ExtendedFiltered = 3 "of the accept list, and directed ones to unresolved addresses",
    }
}

open_enum! {
    /// Whom an initiator connects to ([Vol 4] Part E, 7.8.12).
    pub struct InitiatorFilterPolicy(u8) {
        PeerAddress = 0 "the peer address",
        AcceptList = 1 "anyone of the accept list",
    }
}

open_enum! {
    /// PDU of a legacy advertising report ([Vol 4] Part E, 7.7.65.2).
    pub struct AdvertisingEventType(u8) {
        AdvInd = 0 "ADV_IND",
        AdvDirectInd = 1 "ADV_DIRECT_IND",
        AdvScanInd = 2 "ADV_SCAN_IND",
        AdvNonconnInd = 3 "ADV_NONCONN_IND",
        ScanRsp = 4 "SCAN_RSP",
    }
}

open_enum! {
    /// How far the clock of a device may be off ([Vol 4] Part E, 7.7.65.1).
    pub struct ClockAccuracy(u8) {
        Ppm500 = 0 "500 ppm",
        Ppm250 = 1 "250 ppm",
        Ppm150 = 2 "150 ppm",
        Ppm100 = 3 "100 ppm",
        Ppm75 = 4 "75 ppm",
        Ppm50 = 5 "50 ppm",
        Ppm30 = 6 "30 ppm",
        Ppm20 = 7 "20 ppm",
    }
}

open_enum! {
    /// Whether a link is encrypted ([Vol 4] Part E, 7.7.8).
    pub struct EncryptionEnabled(u8) { Off = 0 "off", On = 1 "on" }
}

open_enum! {
    /// Whether more of the data follows ([Vol 4] Part E, 7.7.65.15).
    pub struct DataStatus(u8) { Complete = 0 "complete", More = 1 "more to come", Truncated = 2 "truncated" }
}

/// Bits of [`crate::hci::event::ExtendedAdvertisingReport::event_type`] ([Vol 4] Part E, 7.7.65.13).
#[derive(Debug)]
pub enum ExtendedEventType {}

impl View<HexInt<u16>> for ExtendedEventType {
    fn show(value: HexInt<u16>, to: &mut dyn Show) {
        let names =
            ["connectable", "scannable", "directed", "scan response", "legacy", "more to come", "truncated"];
        to.bits(value.0.into(), 2, &names);
    }
}

/// The Core Specification that a controller follows.
#[derive(Debug)]
pub enum CoreVersion {}

impl View<u8> for CoreVersion {
    fn show(value: u8, to: &mut dyn Show) {
        to.labelled(value.into(), None, assigned::core_version_name(value));
    }
}

/// The maker of a controller.
#[derive(Debug)]
pub enum Company {}

impl View<HexInt<u16>> for Company {
    fn show(value: HexInt<u16>, to: &mut dyn Show) {
        to.labelled(value.0.into(), Some(2), assigned::company_name(value.0));
    }
}
