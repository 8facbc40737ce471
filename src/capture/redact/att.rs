//! ATT PDUs: values go, what says which attributes there are stays.

use super::Redacted;
use super::pseudonyms::Pseudonyms;
use crate::att::AttPdu;
use crate::att::pdu::AttOpcode;
use crate::capture::dissect::{AttributeRole, Attributes, What};
use crate::codec::{Sort, Walk};
use crate::gatt::{CHARACTERISTIC, INCLUDE, PRIMARY_SERVICE};
use crate::uuid::{Uuid, uuid16};

const SECONDARY_SERVICE: Uuid = uuid16(0x2801);
const SUBSCRIPTION: Uuid = uuid16(0x2902);

/// What is known of a PDU beside its octets.
#[derive(Clone, Copy, Default)]
pub(super) struct Context<'d> {
    /// What it answers.
    pub(super) asked: Option<What>,
    /// The attributes that it is about.
    pub(super) attributes: Option<&'d Attributes>,
    /// Whether the capture has all of it.
    pub(super) whole: bool,
}

/// The PDU with its values replaced, or what is there of it.
pub(super) fn rewrite(
    pdu: &[u8],
    context: Context<'_>,
    names: &Pseudonyms,
    counts: &mut Redacted,
) -> Vec<u8> {
    let Some((&opcode, parameters)) = pdu.split_first() else { return Vec::new() };
    let mut values =
        Values { opcode: AttOpcode(opcode), context, names, counts, out: vec![opcode], numbers: [0; 2] };
    AttPdu::walk(opcode, parameters, &mut values);
    values.counts.zeroed += u64::from(values.out.len() < pdu.len());
    let mut out = values.out;
    out.resize(pdu.len(), 0);
    out
}

struct Values<'r> {
    opcode: AttOpcode,
    context: Context<'r>,
    names: &'r Pseudonyms,
    counts: &'r mut Redacted,
    out: Vec<u8>,
    /// The last two numbers, the newer one behind: handles, a type, a length.
    numbers: [u16; 2],
}

impl<'a> Walk<'a> for Values<'_> {
    fn field(&mut self, name: &'static str, sort: Sort, octets: &'a [u8]) {
        if sort != Sort::Octets {
            let number = octets.iter().rev().fold(0, |number, octet| number << 8 | u16::from(*octet));
            self.numbers = [self.numbers[1], number];
            return self.out.extend_from_slice(octets);
        }
        match name {
            "attribute_type" | "attribute_group_type" if matches!(octets.len(), 2 | 16) => self.keep(octets),
            // Handles and types, if it is one of the two formats.
            "information_data" if matches!(self.numbers[1], 1 | 2) => self.keep(octets),
            "attribute_data" => self.entries(octets),
            "value_and_signature" => {
                let (value, signature) = octets.split_at(octets.len().saturating_sub(12));
                self.value(value);
                self.counts.secrets += 1;
                self.names.octets(signature, &mut self.out);
            }
            _ if self.stays(octets) => self.keep(octets),
            _ => self.value(octets),
        }
    }
}

impl Values<'_> {
    fn keep(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    fn value(&mut self, value: &[u8]) {
        self.counts.values += u64::from(!value.is_empty());
        self.names.value(value, &mut self.out);
    }

    /// Of Read By Type and Read By Group Type: entries of the length before them, each behind its one or two handles.
    fn entries(&mut self, data: &[u8]) {
        let [_, length] = self.numbers;
        let of_type = match self.context.asked {
            Some(What::Type(_, uuid)) => Some(uuid),
            _ => None,
        };
        let handles = if self.opcode.0 == 0x11 { 4 } else { 2 };
        let length = usize::from(length);
        if length < handles {
            return self.value(data);
        }
        // Services are all that can be read by group, and their UUIDs all that is read of them.
        let is_uuid = matches!(length, 6 | 20);
        let declarations = of_type.map_or(handles == 4 && is_uuid, is_declaration);
        for entry in data.chunks(length) {
            let (handles, value) = entry.split_at(handles.min(entry.len()));
            self.keep(handles);
            match declarations || of_type == Some(SUBSCRIPTION) && is_subscription(value) {
                true => self.keep(value),
                false => self.value(value),
            }
        }
    }

    /// Whether a value says what attributes there are, or that somebody subscribed.
    fn stays(&self, value: &[u8]) -> bool {
        let known = |handle| self.context.attributes.and_then(|attributes| attributes.get(handle));
        match self.opcode.0 {
            // Find By Type Value: for a service.
            0x06 => is_declaration(uuid16(self.numbers[1])),
            // Read and Read Blob.
            0x0B | 0x0D => {
                let Some(What::Attribute(_, handle)) = self.context.asked else { return false };
                known(handle).is_some_and(|attribute| match attribute.role {
                    AttributeRole::Service { .. } | AttributeRole::Characteristic { .. } => true,
                    AttributeRole::Value { .. } => false,
                    AttributeRole::Other => {
                        is_declaration(attribute.uuid)
                            || attribute.uuid == SUBSCRIPTION && is_subscription(value)
                    }
                })
            }
            // Write. Of an attribute that was not discovered these two octets are most likely a subscription.
            0x12 if self.context.whole && is_subscription(value) => {
                known(self.numbers[1]).is_none_or(|attribute| attribute.uuid == SUBSCRIPTION)
            }
            _ => false,
        }
    }
}

fn is_declaration(uuid: Uuid) -> bool {
    [PRIMARY_SERVICE, SECONDARY_SERVICE, INCLUDE, CHARACTERISTIC].contains(&uuid)
}

/// Neither, notifications, indications ([Vol 3] Part G, 3.3.3.3).
fn is_subscription(value: &[u8]) -> bool {
    matches!(value, [0..=2, 0])
}
