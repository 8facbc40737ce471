//! Commands, events and PDUs whose layout the tables know: each field by its type and, of octets, by its name.

use super::Redacted;
use super::advertising::{Advertisements, Carrier, Data, Part};
use super::pseudonyms::Pseudonyms;
use crate::BdAddr;
use crate::codec::{Sort, Walk};

/// Writes fields as they come, replaced where they must be.
pub(super) struct Fields<'r> {
    pub(super) names: &'r Pseudonyms,
    pub(super) advertisements: &'r mut Advertisements,
    pub(super) counts: &'r mut Redacted,
    pub(super) out: Vec<u8>,
    pub(super) adapter: Option<u16>,
    /// The numbers before a field of advertising data, and the address.
    before: Vec<(&'static str, u64)>,
    address: BdAddr,
}

/// What octets hold, by the name of their field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// What is the same for many devices.
    Common,
    Secret,
    Name,
    Advertising,
    /// Why a signal was refused.
    Reason,
    /// What nobody knows.
    Unknown,
}

/// Every name of octets in the tables of HCI, SMP and the signalling channel; of one that is not here nothing is known.
pub(super) fn holds(name: &str) -> Holds {
    match name {
        "supported_commands" | "le_features" | "class_of_device" | "channel_map" => Holds::Common,
        "random_number" | "key_x_coordinate" | "key_y_coordinate" | "plaintext_data" | "encrypted_data"
        | "confirm_value" | "random_value" | "rand" | "public_key_x" | "public_key_y" | "dhkey_check" => {
            Holds::Secret
        }
        "local_name" => Holds::Name,
        "advertising_data" | "scan_response_data" | "data" | "subevent_data" | "response_data" => {
            Holds::Advertising
        }
        "reason_data" => Holds::Reason,
        _ => Holds::Unknown,
    }
}

impl<'r> Fields<'r> {
    pub(super) fn new(
        names: &'r Pseudonyms,
        advertisements: &'r mut Advertisements,
        counts: &'r mut Redacted,
        adapter: Option<u16>,
    ) -> Self {
        let (before, out) = (Vec::new(), Vec::new());
        Self { names, advertisements, counts, out, adapter, before, address: BdAddr::ANY }
    }

    /// What was written, with zeros for what no field was.
    pub(super) fn finish(mut self, length: usize) -> Vec<u8> {
        self.counts.zeroed += u64::from(self.out.len() < length);
        self.out.resize(length, 0);
        self.out
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.before.iter().rev().find(|(of, _)| *of == name).map(|(_, number)| *number)
    }

    /// How advertising data stand in a row of packets, by the fields before them.
    fn part(&self, name: &str) -> Option<Part> {
        let octet = |name| self.number(name).and_then(|number| u8::try_from(number).ok());
        if let Some(operation) = octet("operation") {
            let set = octet("advertising_handle")?;
            let data = match (name, octet("fragment_preference")) {
                ("scan_response_data", _) => Data::ScanResponse,
                (_, Some(_)) => Data::Advertising,
                (_, None) => Data::Periodic,
            };
            let carrier = Carrier::Own(self.adapter, set, data);
            // Intermediate, first, last ([Vol 4] Part E, 7.8.54); all others are whole.
            return Some(Part { carrier, begins: Some(!matches!(operation, 0 | 2)), more: operation < 2 });
        }
        if let Some(sync) = self.number("sync_handle").and_then(|handle| u16::try_from(handle).ok())
            && let Some(status) = octet("data_status")
        {
            return Some(Part {
                carrier: Carrier::Periodic(self.adapter, sync),
                begins: None,
                more: status == 1,
            });
        }
        // Of legacy reports no set is told, and they are whole.
        let (set, kind) = (octet("advertising_sid")?, self.number("event_type")?);
        let carrier = Carrier::Report(self.adapter, self.address, set);
        Some(Part { carrier, begins: None, more: kind >> 5 & 0b11 == 1 })
    }

    fn advertising(&mut self, name: &'static str, data: &[u8]) {
        // In legacy commands a length says how much of the octets counts.
        let length = match name {
            "advertising_data" => self.number("advertising_data_length"),
            "scan_response_data" => self.number("scan_response_data_length"),
            _ => None,
        };
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(data.len());
        let (data, padding) = data.split_at(length.min(data.len()));
        let part = self.part(name);
        self.advertisements.rewrite(data, part, self.names, self.counts, &mut self.out);
        self.out.resize(self.out.len() + padding.len(), 0);
    }

    fn secret(&mut self, octets: &[u8]) {
        self.counts.secrets += 1;
        self.names.secret(octets, &mut self.out);
    }
}

impl<'a> Walk<'a> for Fields<'_> {
    fn field(&mut self, name: &'static str, sort: Sort, octets: &'a [u8]) {
        match sort {
            // Half of what names a key.
            Sort::Number if matches!(name, "ediv" | "encrypted_diversifier") => self.secret(octets),
            Sort::Number | Sort::Link => {
                let number = octets.iter().rev().fold(0, |number, octet| number << 8 | u64::from(*octet));
                // Enough for any layout; of a list, the items before this one do not matter.
                if self.before.len() > 64 {
                    self.before.clear();
                }
                self.before.push((name, number));
                self.out.extend_from_slice(octets);
            }
            Sort::Address => match <[u8; 6]>::try_from(octets) {
                Ok(address) => {
                    // Of a report it is the first of two.
                    if name == "address" {
                        self.address = BdAddr(address);
                    }
                    self.counts.addresses += 1;
                    self.out.extend_from_slice(&self.names.address(address));
                }
                Err(_) => self.names.octets(octets, &mut self.out),
            },
            Sort::Secret => self.secret(octets),
            Sort::Octets => match holds(name) {
                Holds::Common => self.out.extend_from_slice(octets),
                Holds::Secret => self.secret(octets),
                Holds::Name => {
                    self.counts.names += 1;
                    self.names.text(octets, &mut self.out);
                }
                Holds::Advertising => self.advertising(name, octets),
                // An MTU, or two channels ([Vol 3] Part A, 4.1).
                Holds::Reason if octets.len() <= 4 => self.out.extend_from_slice(octets),
                Holds::Reason | Holds::Unknown => {
                    self.counts.zeroed += u64::from(!octets.is_empty());
                    self.out.resize(self.out.len() + octets.len(), 0);
                }
            },
        }
    }
}
