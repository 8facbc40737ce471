//! What numbers mean that stay numbers in commands and events: `le_scan_type: u8 as ScanType` in a row. A
//! line keeps the number, a tree and JSON add the meaning.

use crate::assigned;
use crate::codec::show::{Show, View};
use crate::codec::{HexInt, Rest};
use crate::hci::{Event, LeEvent};
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

open_enum! {
    /// What kind of BR/EDR link ([Vol 4] Part E, 7.7.3).
    pub struct LinkType(u8) { Sco = 0 "SCO", Acl = 1 "ACL", Esco = 2 "eSCO" }
}

/// Bits of a mask of PHYs ([Vol 4] Part E, 7.8.48).
#[derive(Debug)]
pub enum PhyMask {}

impl View<u8> for PhyMask {
    fn show(value: u8, to: &mut dyn Show) {
        to.bits(value.into(), 1, &["1M", "2M", "Coded"]);
    }
}

/// Bits of Set Event Mask: each is of the event whose code is one more ([Vol 4] Part E, 7.3.1).
#[derive(Debug)]
pub enum EventMask {}

impl View<HexInt<u64>> for EventMask {
    fn show(value: HexInt<u64>, to: &mut dyn Show) {
        event_bits(value, 1, event_name, to);
    }
}

/// Bits of Set Event Mask Page 2: those of the events from 0x40 ([Vol 4] Part E, 7.3.69).
#[derive(Debug)]
pub enum EventMaskPage2 {}

impl View<HexInt<u64>> for EventMaskPage2 {
    fn show(value: HexInt<u64>, to: &mut dyn Show) {
        event_bits(value, 0x40, event_name, to);
    }
}

/// Bits of LE Set Event Mask: each is of the subevent whose code is one more ([Vol 4] Part E, 7.8.1).
#[derive(Debug)]
pub enum LeEventMask {}

impl View<HexInt<u64>> for LeEventMask {
    fn show(value: HexInt<u64>, to: &mut dyn Show) {
        event_bits(value, 1, |code| LeEvent::name_of(code).or_else(|| assigned::le_event_name(code)), to);
    }
}

fn event_name(code: u8) -> Option<&'static str> {
    Event::name_of(code).or_else(|| assigned::event_name(code))
}

fn event_bits(mask: HexInt<u64>, first: u8, name: fn(u8) -> Option<&'static str>, to: &mut dyn Show) {
    let mut names = [""; 64];
    for (code, known) in (first..).zip(&mut names) {
        *known = name(code).unwrap_or("");
    }
    to.bits(mask.0, 8, &names);
}

/// Features of the LE link layer, page 0 ([Vol 6] Part B, 4.6).
#[derive(Debug)]
pub enum LeFeatures {}

impl View<HexInt<u64>> for LeFeatures {
    fn show(value: HexInt<u64>, to: &mut dyn Show) {
        to.bits(value.0, 8, &LE_FEATURES);
    }
}

const LE_FEATURES: [&str; 64] = [
    "LE Encryption",
    "Connection Parameters Request Procedure",
    "Extended Reject Indication",
    "Peripheral-initiated Features Exchange",
    "LE Ping",
    "LE Data Packet Length Extension",
    "LL Privacy",
    "Extended Scanning Filter Policies",
    "LE 2M PHY",
    "Stable Modulation Index - Transmitter",
    "Stable Modulation Index - Receiver",
    "LE Coded PHY",
    "LE Extended Advertising",
    "LE Periodic Advertising",
    "Channel Selection Algorithm #2",
    "LE Power Class 1",
    "Minimum Number of Used Channels Procedure",
    "Connection CTE Request",
    "Connection CTE Response",
    "Connectionless CTE Transmitter",
    "Connectionless CTE Receiver",
    "Antenna Switching During CTE Transmission",
    "Antenna Switching During CTE Reception",
    "Receiving Constant Tone Extensions",
    "Periodic Advertising Sync Transfer - Sender",
    "Periodic Advertising Sync Transfer - Recipient",
    "Sleep Clock Accuracy Updates",
    "Remote Public Key Validation",
    "Connected Isochronous Stream - Central",
    "Connected Isochronous Stream - Peripheral",
    "Isochronous Broadcaster",
    "Synchronized Receiver",
    "Connected Isochronous Stream (Host Support)",
    "LE Power Control Request",
    "LE Power Control Request",
    "LE Path Loss Monitoring",
    "Periodic Advertising ADI support",
    "Connection Subrating",
    "Connection Subrating (Host Support)",
    "Channel Classification",
    "Advertising Coding Selection",
    "Advertising Coding Selection (Host Support)",
    "Decision-Based Advertising Filtering",
    "Periodic Advertising with Responses - Advertiser",
    "Periodic Advertising with Responses - Scanner",
    "Unsegmented Framed Mode",
    "Channel Sounding",
    "Channel Sounding (Host Support)",
    "Channel Sounding Tone Quality Indication",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "LL Extended Feature Set",
];

/// A name of 248 octets, ended by a zero where it is shorter ([Vol 4] Part E, 7.3.11).
#[derive(Debug)]
pub enum LocalName {}

impl View<&[u8; 248]> for LocalName {
    fn show(value: &[u8; 248], to: &mut dyn Show) {
        let name = value.split(|octet| *octet == 0).next().unwrap_or_default();
        to.text(&String::from_utf8_lossy(name));
    }
}

/// Octets with a key somewhere among them.
#[derive(Debug)]
pub enum Undisclosed {}

impl View<Rest<'_>> for Undisclosed {
    fn show(_: Rest<'_>, to: &mut dyn Show) {
        to.secret();
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
