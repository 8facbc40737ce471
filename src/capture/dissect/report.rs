//! Advertising reports as lines: who, how strong, and what was advertised rather than its octets.
//!
//! Each part of a long advertisement is shown as it came: what parts make together is for the host to find out.

use crate::BdAddr;
use crate::codec::Hex;
use crate::gap::advertising_data::AdvertisingData;
use crate::hci::event::{AdvertisingReport, ExtendedAdvertisingReport};
use crate::hci::{AddressType, LeEvent};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Advertising sets whose data go on in a later event.
pub(super) type Open = BTreeSet<(BdAddr, u8)>;

/// Most sets that are remembered.
const MOST_OPEN: usize = 64;

/// The line of an event with reports, when all of them are there; `None` for other events.
pub(super) fn line(open: &mut Open, event: &LeEvent<'_>) -> Option<String> {
    let (name, reports): (_, Vec<_>) = match event {
        LeEvent::LeAdvertisingReport(e) if e.reports.is_complete() => {
            ("LE Advertising Report", e.reports.iter().map(|report| legacy(&report)).collect())
        }
        LeEvent::LeExtendedAdvertisingReport(e) if e.reports.is_complete() => {
            ("LE Extended Advertising Report", e.reports.iter().map(|part| extended(open, &part)).collect())
        }
        _ => return None,
    };
    Some(format!("{name} {}", reports.join(" | ")))
}

fn legacy(report: &AdvertisingReport<'_>) -> String {
    let kind = match report.event_type {
        0 => "ADV_IND",
        1 => "ADV_DIRECT_IND",
        2 => "ADV_SCAN_IND",
        3 => "ADV_NONCONN_IND",
        4 => "SCAN_RSP",
        _ => "unknown type",
    };
    let line = who(report.address, report.address_type, report.rssi);
    with_data(format!("{line} {kind}"), report.data.get())
}

fn extended(open: &mut Open, part: &ExtendedAdvertisingReport<'_>) -> String {
    const MARKS: [&str; 5] = ["connectable", "scannable", "directed", "scan response", "legacy"];
    let bits = part.event_type.0;
    let mut line = who(part.address, part.address_type, part.rssi);
    for (_, mark) in MARKS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1) {
        line += " ";
        line += mark;
    }
    let (set, data) = ((part.address, part.advertising_sid), part.data.get());
    let continues = open.remove(&set);
    match bits >> 5 & 0b11 {
        1 => {
            if open.len() < MOST_OPEN {
                open.insert(set);
            }
            line += ", more to come";
        }
        2 => line += ", truncated",
        _ => {}
    }
    // It may begin anywhere in an AD structure.
    if continues { format!("{line}, continued: {}", Hex(data)) } else { with_data(line, data) }
}

fn who(address: BdAddr, kind: AddressType, rssi: i8) -> String {
    match (kind, rssi) {
        (AddressType::Anonymous, rssi) => format!("anonymous {rssi} dBm"),
        // Not available ([Vol 4] Part E, 7.7.65.2).
        (kind, 127) => format!("{address}/{kind}"),
        (kind, rssi) => format!("{address}/{kind} {rssi} dBm"),
    }
}

/// The AD structures that are whole.
fn with_data(mut line: String, data: &[u8]) -> String {
    let mut separator = ": ";
    let mut shown = 0;
    for structure in AdvertisingData::new(data).structures() {
        let _ = write!(line, "{separator}{}", structure.field());
        shown += structure.data.len() + 2;
        separator = ", ";
    }
    let rest = data.get(shown..).unwrap_or_default();
    // Zeros at the end are padding.
    if rest.iter().any(|&octet| octet != 0) {
        let _ = write!(line, "{separator}{}", Hex(rest));
    }
    line
}
