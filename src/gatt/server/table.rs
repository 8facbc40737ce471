//! The attributes that are served, by ascending handle, with the values that the table itself keeps.
//!
//! One table serves every link; what one client has configured is with its link ([`Server`](super::Server)).

use super::access::Permissions;
use super::builder::TableBuilder;
use super::caching::{DATABASE_HASH, database_hash};
use crate::Uuid;
use crate::gatt::Services;
use bytes::Bytes;

/// An attribute table ([Vol 3] Part F, 3.2), made by a [`TableBuilder`].
#[derive(Clone, Debug)]
pub struct Table {
    /// By ascending handle, each handle once.
    attributes: Vec<Attribute>,
    services: Services,
    pub(super) hash: [u8; 16],
}

#[derive(Clone, Debug)]
pub(super) struct Attribute {
    pub(super) handle: u16,
    pub(super) uuid: Uuid,
    pub(super) value: Value,
    pub(super) permissions: Permissions,
    pub(super) max_length: usize,
    /// The last attribute of the group that it begins, else itself.
    pub(super) group_end: u16,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// The same for every client.
    Stored(Bytes),
    /// A declaration, or a descriptor that comes by itself: it follows from the table and stays.
    Declared(Bytes),
    /// The user has it.
    Asked,
    /// A CCCD: each client has its own ([Vol 3] Part G, 3.3.3.3).
    Configuration {
        /// The value that it configures.
        of: u16,
        /// The bits that may be set.
        allowed: u16,
    },
    /// Client Supported Features: each client has its own ([Vol 3] Part G, 7.2).
    ClientFeatures,
}

/// A value that cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetValueError {
    /// There is no such attribute, or its value is not kept in the table, or it declares what the table is.
    #[error("handle 0x{handle:04X} cannot be set: the table keeps no value there that can change")]
    NotStored {
        /// The handle given.
        handle: u16,
    },
    /// It is longer than declared.
    #[error("handle 0x{handle:04X} cannot be set: {length} octets, and it takes {limit}")]
    TooLong {
        /// The handle given.
        handle: u16,
        /// Octets given.
        length: usize,
        /// Octets that there is room for.
        limit: usize,
    },
}

impl Table {
    /// A builder whose table begins with the GAP and GATT services; see [`TableBuilder::new`].
    pub fn builder(device_name: &str) -> TableBuilder {
        TableBuilder::new(device_name)
    }

    pub(super) fn new(mut attributes: Vec<Attribute>, services: Services) -> Self {
        let hash = database_hash(&attributes);
        for attribute in attributes.iter_mut().filter(|attribute| attribute.uuid == DATABASE_HASH) {
            if let Value::Declared(value) = &mut attribute.value {
                *value = Bytes::copy_from_slice(&hash);
            }
        }
        Self { attributes, services, hash }
    }

    /// What a client discovers: the handles of everything that was declared, with the lookups that a client has.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The value that the table keeps there, declarations included; `None` where it keeps none.
    pub fn value(&self, handle: u16) -> Option<&Bytes> {
        match &self.attribute(handle)?.value {
            Value::Stored(value) | Value::Declared(value) => Some(value),
            _ => None,
        }
    }

    /// Changes a value that the table keeps, for all clients; it notifies nobody.
    ///
    /// # Errors
    /// When the table keeps none there, or only a declaration, or it is too long.
    pub fn set_value(&mut self, handle: u16, value: impl Into<Bytes>) -> Result<(), SetValueError> {
        let (value, missing) = (value.into(), SetValueError::NotStored { handle });
        let attribute = self.attribute_mut(handle).ok_or(missing)?;
        let Value::Stored(stored) = &mut attribute.value else { return Err(missing) };
        if value.len() > attribute.max_length {
            let limit = attribute.max_length;
            return Err(SetValueError::TooLong { handle, length: value.len(), limit });
        }
        *stored = value;
        Ok(())
    }

    /// The attributes of a range, by ascending handle.
    pub(super) fn within(&self, start: u16, end: u16) -> impl Iterator<Item = &Attribute> {
        let first = self.attributes.partition_point(|attribute| attribute.handle < start);
        self.attributes.iter().skip(first).take_while(move |attribute| attribute.handle <= end)
    }

    pub(super) fn attribute(&self, handle: u16) -> Option<&Attribute> {
        self.within(handle, handle).next()
    }

    /// The CCCD of the value at this handle.
    pub(super) fn configuration_of(&self, handle: u16) -> Option<&Attribute> {
        let characteristic = self.services.characteristic_at(handle)?;
        self.attribute(characteristic.cccd().filter(|_| characteristic.value_handle == handle)?)
    }

    pub(super) fn attribute_mut(&mut self, handle: u16) -> Option<&mut Attribute> {
        let at = self.attributes.binary_search_by_key(&handle, |attribute| attribute.handle).ok()?;
        self.attributes.get_mut(at)
    }
}
