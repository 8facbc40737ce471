//! Advertising data: row by row of AD structures, which may be cut anywhere between the packets that carry them.

use super::Redacted;
use super::pseudonyms::Pseudonyms;
use crate::BdAddr;
use crate::assigned;
use std::collections::BTreeMap;

/// What is in the middle of an AD structure, by what carries it.
#[derive(Debug, Default)]
pub(super) struct Advertisements(BTreeMap<Carrier, Place>);

/// Who sends data in several packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Carrier {
    /// An advertising set of a device.
    Report(Option<u16>, BdAddr, u8),
    /// Periodic advertising.
    Periodic(Option<u16>, u16),
    /// A set of our own.
    Own(Option<u16>, u8, Data),
}

/// What of our own set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Data {
    Advertising,
    ScanResponse,
    Periodic,
}

/// Which of several parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) carrier: Carrier,
    /// Whether it begins anew whatever came before, or goes on in any case; `None` when only what came before tells.
    pub(super) begins: Option<bool>,
    /// Whether another will go on.
    pub(super) more: bool,
}

/// Where in an AD structure.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Octets of the structure that follow.
    left: usize,
    ad_type: Option<u8>,
    /// Octets of its content that came.
    at: usize,
}

/// Most that are remembered.
const MOST: usize = 1_024;

impl Advertisements {
    /// Appends the data with all in it replaced that is not the same for many devices.
    pub(super) fn rewrite(
        &mut self,
        data: &[u8],
        part: Option<Part>,
        names: &Pseudonyms,
        counts: &mut Redacted,
        out: &mut Vec<u8>,
    ) {
        let Some(part) = part else {
            Place::default().rewrite(data, false, names, counts, out);
            return;
        };
        let earlier = self.0.remove(&part.carrier);
        let mut place = match (part.begins, earlier) {
            (Some(true), _) | (None, None) => Place::default(),
            (_, Some(place)) => place,
            // Its beginning is not in the capture.
            (Some(false), None) => {
                counts.advertising += 1;
                return names.octets(data, out);
            }
        };
        place.rewrite(data, part.more, names, counts, out);
        if part.more {
            if self.0.len() >= MOST {
                self.0.clear();
            }
            self.0.insert(part.carrier, place);
        }
    }
}

impl Place {
    fn rewrite(
        &mut self,
        mut data: &[u8],
        more: bool,
        names: &Pseudonyms,
        counts: &mut Redacted,
        out: &mut Vec<u8>,
    ) {
        while let Some((&octet, rest)) = data.split_first() {
            if self.left == 0 {
                out.push(octet);
                if octet == 0 {
                    // The end: what follows is padding.
                    out.resize(out.len() + rest.len(), 0);
                    return;
                }
                *self = Self { left: usize::from(octet), ..Self::default() };
                data = rest;
            } else if let Some(ad_type) = self.ad_type {
                let (piece, rest) = data.split_at(self.left.min(data.len()));
                // One that is never whole is no structure at all, whatever its type would be.
                let broken = self.left > data.len() && !more;
                let (keep, sort) = if broken { (0, Sort::Octets) } else { contents(ad_type, piece) };
                content(piece, keep.saturating_sub(self.at), sort, self.at, names, counts, out);
                self.left -= piece.len();
                self.at += piece.len();
                data = rest;
            } else {
                out.push(octet);
                self.ad_type = Some(octet);
                self.left -= 1;
                data = rest;
            }
        }
    }
}

/// What a structure holds behind the octets that stay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Octets,
    Text,
    Addresses,
}

/// How many octets of a structure's content stay, and what the others are. Of types that are not here all are replaced.
fn contents(ad_type: u8, content: &[u8]) -> (usize, Sort) {
    match ad_type {
        // Flags, Tx power, class of device, connection intervals, appearance, advertising interval, role, features.
        0x01 | 0x0A | 0x1C | 0x11 => (1, Sort::Octets),
        0x0D => (3, Sort::Octets),
        0x12 | 0x2F => (4, Sort::Octets),
        0x19 | 0x1A => (2, Sort::Octets),
        0x27 => (8, Sort::Octets),
        // Lists of services.
        0x02..=0x07 | 0x14 | 0x15 | 0x1F => (usize::MAX, Sort::Octets),
        // Names, among them a broadcast's.
        0x08 | 0x09 | 0x30 => (0, Sort::Text),
        // Target addresses, and the device's own with its type.
        0x17 | 0x18 | 0x1B => (0, Sort::Addresses),
        // Of service data the service, of manufacturer data the company.
        0x16 | 0xFF => (2, Sort::Octets),
        0x20 => (4, Sort::Octets),
        0x21 => (16, Sort::Octets),
        // Of a URI the scheme.
        0x24 => match content.first() {
            Some(&scheme) if scheme < 0x80 && assigned::uri_scheme(char::from(scheme)).is_some() => {
                (1, Sort::Text)
            }
            _ => (0, Sort::Text),
        },
        _ => (0, Sort::Octets),
    }
}

fn content(
    piece: &[u8],
    keep: usize,
    sort: Sort,
    at: usize,
    names: &Pseudonyms,
    counts: &mut Redacted,
    out: &mut Vec<u8>,
) {
    let (kept, replaced) = piece.split_at(keep.min(piece.len()));
    out.extend_from_slice(kept);
    if replaced.is_empty() {
        return;
    }
    match sort {
        Sort::Octets => {
            counts.advertising += 1;
            names.octets(replaced, out);
        }
        Sort::Text => {
            counts.names += 1;
            names.text(replaced, out);
        }
        Sort::Addresses => {
            for chunk in replaced.chunks(6) {
                match (<[u8; 6]>::try_from(chunk), chunk) {
                    (Ok(address), _) if at.is_multiple_of(6) => {
                        counts.addresses += 1;
                        out.extend_from_slice(&names.address(address));
                    }
                    // The type of the device's own.
                    (_, [0..=1]) => out.extend_from_slice(chunk),
                    _ => names.octets(chunk, out),
                }
            }
        }
    }
}
