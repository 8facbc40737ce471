//! What a capture tells of a peer's attributes: the answers to discovery, by handle.

use super::packet::What;
use super::text::Text;
use crate::Uuid;
use crate::assigned;
use crate::att::AttPdu;
use crate::gatt::{CHARACTERISTIC, INCLUDE, PRIMARY_SERVICE, Properties};
use std::collections::BTreeMap;
use std::io::Write;

/// Attributes of one server, as far as the capture has their discovery.
#[derive(Clone, Debug, Default)]
pub struct Attributes(BTreeMap<u16, Attribute>);

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Of a service, characteristic or descriptor its own UUID; else the attribute's type.
    pub uuid: Uuid,
    /// What it is for.
    pub role: AttributeRole,
}

/// What an attribute is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeRole {
    /// Declares a service.
    Service {
        /// Whether it is a primary one.
        primary: bool,
        /// Its last handle.
        end: u16,
    },
    /// Declares a characteristic.
    Characteristic {
        /// Where its value is.
        value: u16,
        /// What can be done with it.
        properties: Properties,
    },
    /// A characteristic's value.
    Value {
        /// What can be done with it.
        properties: Properties,
    },
    /// Anything else: a descriptor, an include.
    Other,
}

/// Most attributes of one server that are remembered.
const MOST: usize = 2_048;

impl Attributes {
    /// Every attribute that is known, by handle.
    pub fn iter(&self) -> impl Iterator<Item = (u16, Attribute)> + '_ {
        self.0.iter().map(|(handle, attribute)| (*handle, *attribute))
    }

    /// The attribute of a handle.
    pub fn get(&self, handle: u16) -> Option<Attribute> {
        self.0.get(&handle).copied()
    }

    /// The characteristic that a handle belongs to: the last value declared at or before it, in the same service.
    pub fn characteristic_of(&self, handle: u16) -> Option<(u16, Attribute)> {
        for (&at, attribute) in self.0.range(..=handle).rev() {
            match attribute.role {
                AttributeRole::Value { .. } => return Some((at, *attribute)),
                AttributeRole::Service { .. } => return None,
                _ => {}
            }
        }
        None
    }

    /// What people call the attribute, if anything is known of it: of a descriptor also what it describes.
    pub fn name(&self, handle: u16) -> Option<String> {
        let mut name = Vec::new();
        if self.write_name(handle, &mut name) { String::from_utf8(name).ok() } else { None }
    }

    /// Appends what people call the attribute, if anything is known of it.
    pub(crate) fn write_name(&self, handle: u16, out: &mut Vec<u8>) -> bool {
        let Some(attribute) = self.get(handle) else { return false };
        if attribute.role == AttributeRole::Other
            && let Some((_, characteristic)) = self.characteristic_of(handle)
        {
            write_uuid(characteristic.uuid, out);
            out.text(": ");
        }
        write_uuid(attribute.uuid, out);
        true
    }

    /// Takes in a response to a request of discovery.
    pub(super) fn learn(&mut self, what: What, response: &AttPdu<'_>) {
        match (what, response) {
            (_, AttPdu::FindInformationRsp(p)) => {
                for (handle, uuid) in p.entries() {
                    // A declaration's type is known; what it declares is worth more.
                    if let (Some(uuid), None) = (Uuid::from_wire(uuid), self.get(handle)) {
                        self.insert(handle, uuid, AttributeRole::Other);
                    }
                }
            }
            (What::Type(_, kind), AttPdu::ReadByGroupTypeRsp(p)) => {
                let primary = kind == PRIMARY_SERVICE;
                for (handle, end, uuid) in p.entries() {
                    if let Some(uuid) = Uuid::from_wire(uuid) {
                        self.insert(handle, uuid, AttributeRole::Service { primary, end });
                    }
                }
            }
            (What::Type(_, service), AttPdu::FindByTypeValueRsp(p)) => {
                for group in p.handles.iter() {
                    let role = AttributeRole::Service { primary: true, end: group.group_end_handle.0 };
                    self.insert(group.found_attribute_handle.0, service, role);
                }
            }
            (What::Type(_, CHARACTERISTIC), AttPdu::ReadByTypeRsp(p)) => {
                for (handle, declaration) in p.entries() {
                    let Some(([properties, a, b], uuid)) = declaration.split_first_chunk() else { continue };
                    let (value, properties) = (u16::from_le_bytes([*a, *b]), Properties(*properties));
                    if let Some(uuid) = Uuid::from_wire(uuid) {
                        self.insert(handle, uuid, AttributeRole::Characteristic { value, properties });
                        self.insert(value, uuid, AttributeRole::Value { properties });
                    }
                }
            }
            (What::Type(_, uuid), AttPdu::ReadByTypeRsp(p)) if uuid != INCLUDE => {
                for (handle, _) in p.entries() {
                    if self.get(handle).is_none() {
                        self.insert(handle, uuid, AttributeRole::Other);
                    }
                }
            }
            _ => {}
        }
    }

    fn insert(&mut self, handle: u16, uuid: Uuid, role: AttributeRole) {
        if self.0.len() < MOST || self.0.contains_key(&handle) {
            self.0.insert(handle, Attribute { uuid, role });
        }
    }
}

/// A UUID by its name where it has one. Who owns it does not say what it is.
pub(super) fn write_uuid(uuid: Uuid, out: &mut Vec<u8>) {
    match assigned::own_name(uuid) {
        Some(name) => out.text(name),
        None => {
            let _ = write!(out, "{}", uuid.short());
        }
    }
}
