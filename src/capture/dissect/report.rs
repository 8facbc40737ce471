//! Advertising reports as lines: who, how strong, and what was advertised rather than its octets.
//!
//! Each part of a long advertisement is shown as it came: what parts make together is for the host to find out.

use super::text::{self, Text};
use crate::BdAddr;
use crate::Uuid;
use crate::assigned;
use crate::codec::show::{Line, Show, digits};
use crate::gap::advertising_data::{AdField, AdvertisingData, UuidList};
use crate::hci::event::{AdvertisingReport, ExtendedAdvertisingReport};
use crate::hci::{AddressType, LeEvent};
use std::collections::BTreeSet;
use std::io::Write;

/// Advertising sets whose data go on in a later event.
pub(super) type Open = BTreeSet<(BdAddr, u8)>;

/// Most sets that are remembered.
const MOST_OPEN: usize = 64;

/// Whether this part goes on with what an earlier one began; remembers whether a later one will.
pub(super) fn goes_on(open: &mut Open, part: &ExtendedAdvertisingReport<'_>) -> bool {
    let set = (part.address, part.advertising_sid);
    let continues = !open.is_empty() && open.remove(&set);
    if part.event_type.0 >> 5 & 0b11 == MORE && open.len() < MOST_OPEN {
        open.insert(set);
    }
    continues
}

/// Data_Status of a part that is not the last ([Vol 4] Part E, 7.7.65.13).
const MORE: u16 = 1;
const TRUNCATED: u16 = 2;

/// The line of an event with reports, when all of them are there; `false` for other events.
pub(super) fn line(out: &mut Vec<u8>, event: &LeEvent<'_>, continued: u64) -> bool {
    match event {
        LeEvent::LeAdvertisingReport(e) if e.reports.is_complete() => {
            out.text("LE Advertising Report ");
            for (n, report) in e.reports.iter().enumerate() {
                out.text(if n == 0 { "" } else { " | " });
                legacy(out, &report);
            }
        }
        LeEvent::LeExtendedAdvertisingReport(e) if e.reports.is_complete() => {
            out.text("LE Extended Advertising Report ");
            for (n, part) in e.reports.iter().enumerate() {
                out.text(if n == 0 { "" } else { " | " });
                extended(out, &part, n < 64 && continued >> n & 1 == 1);
            }
        }
        _ => return false,
    }
    true
}

fn legacy(out: &mut Vec<u8>, report: &AdvertisingReport<'_>) {
    who(out, report.address, report.address_type, report.rssi);
    out.text(match report.event_type {
        0 => " ADV_IND",
        1 => " ADV_DIRECT_IND",
        2 => " ADV_SCAN_IND",
        3 => " ADV_NONCONN_IND",
        4 => " SCAN_RSP",
        _ => " unknown type",
    });
    data(out, report.data.get());
}

fn extended(out: &mut Vec<u8>, part: &ExtendedAdvertisingReport<'_>, continues: bool) {
    const MARKS: [&str; 5] = [" connectable", " scannable", " directed", " scan response", " legacy"];
    let bits = part.event_type.0;
    who(out, part.address, part.address_type, part.rssi);
    for (_, mark) in MARKS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1) {
        out.text(mark);
    }
    out.text(match bits >> 5 & 0b11 {
        MORE => ", more to come",
        TRUNCATED => ", truncated",
        _ => "",
    });
    if continues {
        // It may begin anywhere in an AD structure.
        out.text(", continued: ");
        text::octets(out, part.data.get());
    } else {
        data(out, part.data.get());
    }
}

fn who(out: &mut Vec<u8>, address: BdAddr, kind: AddressType, rssi: i8) {
    if kind == AddressType::Anonymous {
        out.text("anonymous");
    } else {
        text::address(out, address);
        out.text("/");
        match kind.name() {
            Some(name) => out.text(name),
            None => {
                let _ = write!(out, "{kind}");
            }
        }
    }
    // 127 says that it is not available ([Vol 4] Part E, 7.7.65.2).
    if rssi != 127 || kind == AddressType::Anonymous {
        out.text(" ");
        text::signed(out, rssi);
        out.text(" dBm");
    }
}

/// The AD structures that are whole.
fn data(out: &mut Vec<u8>, data: &[u8]) {
    let mut separator = ": ";
    let mut shown = 0;
    for structure in AdvertisingData::new(data).structures() {
        out.text(separator);
        field(out, &structure.field());
        shown += structure.data.len() + 2;
        separator = ", ";
    }
    let rest = data.get(shown..).unwrap_or_default();
    // Zeros at the end are padding.
    if rest.iter().any(|&octet| octet != 0) {
        out.text(separator);
        text::octets(out, rest);
    }
}

/// As the field prints itself. What every other device sends is written by hand, which is several times faster.
fn field(out: &mut Vec<u8>, field: &AdField<'_>) {
    match field {
        AdField::Flags(flags) => {
            out.text("Flags ");
            digits::hex(out, flags.0.into(), 1);
        }
        AdField::CompleteServices16(list) | AdField::CompleteServices128(list) => {
            services(out, "services", *list)
        }
        AdField::IncompleteServices16(list) | AdField::IncompleteServices128(list) => {
            services(out, "some services", *list);
        }
        AdField::CompleteLocalName(name) => quoted(out, "Complete Local Name ", name.0),
        AdField::ShortenedLocalName(name) => quoted(out, "Shortened Local Name ", name.0),
        AdField::TxPowerLevel(power) => {
            out.text("Tx Power Level ");
            text::signed(out, power.0);
            out.text(" dBm");
        }
        AdField::ManufacturerSpecificData(data) => {
            out.text("Manufacturer Data ");
            if let Some(name) = assigned::company_name(data.company) {
                out.text(name);
                out.text(" (");
                text::hex16(out, data.company);
                out.text(")");
            } else {
                text::hex16(out, data.company);
            }
            out.text(" ");
            text::octets(out, data.data);
        }
        AdField::ServiceData16(data) | AdField::ServiceData128(data) => {
            out.text("Service Data ");
            service(out, data.service);
            out.text(" ");
            text::octets(out, data.data);
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn services(out: &mut Vec<u8>, label: &str, list: UuidList<'_>) {
    out.text(label);
    for (n, uuid) in list.iter().enumerate() {
        out.text(if n == 0 { " [" } else { ", " });
        service(out, uuid);
    }
    out.text(if list.iter().next().is_none() { " []" } else { "]" });
}

fn service(out: &mut Vec<u8>, uuid: Uuid) {
    match assigned::service_name(uuid) {
        Some(name) => out.text(name),
        None => {
            let _ = write!(out, "{}", uuid.short());
        }
    }
}

/// In quotes, with control characters escaped.
fn quoted(out: &mut Vec<u8>, label: &str, name: &[u8]) {
    out.text(label);
    Line::new(out).text(&String::from_utf8_lossy(name));
}
