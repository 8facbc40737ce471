//! Tables of attributes, written as services and characteristics ([Vol 3] Part G, 3).

use super::{Attribute, Permissions, Server};
use crate::{Uuid, uuid16};

const PRIMARY_SERVICE: Uuid = uuid16(0x2800);
const SECONDARY_SERVICE: Uuid = uuid16(0x2801);
const INCLUDE: Uuid = uuid16(0x2802);
pub(super) const CHARACTERISTIC: Uuid = uuid16(0x2803);
pub(super) const CLIENT_CONFIGURATION: Uuid = uuid16(0x2902);

/// Bits of the characteristic properties ([Vol 3] Part G, 3.3.1.1).
pub mod property {
    /// The value can be read.
    pub const READ: u8 = 0x02;
    /// It can be written by command.
    pub const WRITE_WITHOUT_RESPONSE: u8 = 0x04;
    /// It can be written by request.
    pub const WRITE: u8 = 0x08;
    /// It is notified.
    pub const NOTIFY: u8 = 0x10;
    /// It is indicated.
    pub const INDICATE: u8 = 0x20;
    /// An extended properties descriptor says more.
    pub const EXTENDED_PROPERTIES: u8 = 0x80;
}

/// Builds the table of a [`Server`] from the top; handles count from 1 without gaps.
///
/// ```
/// use baretooth::sim::{Table, property};
/// use baretooth::uuid16;
/// let server = Table::default()
///     .service(uuid16(0x180F))
///     .characteristic(uuid16(0x2A19), property::READ | property::NOTIFY, [87])
///     .build();
/// let handles: Vec<u16> = server.attributes().iter().map(|attribute| attribute.handle).collect();
/// assert_eq!(handles, [1, 2, 3, 4], "service, declaration, value, configuration");
/// assert_eq!(server.find(uuid16(0x2A19)), Some(3));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Table(Vec<Attribute>);

impl Table {
    /// A primary service.
    pub fn service(self, uuid: Uuid) -> Self {
        self.attribute(PRIMARY_SERVICE, uuid.to_wire().as_ref())
    }

    /// A secondary service.
    pub fn secondary_service(self, uuid: Uuid) -> Self {
        self.attribute(SECONDARY_SERVICE, uuid.to_wire().as_ref())
    }

    /// An include of the service at `start..=end`; its UUID is part of the value only when it is a short one.
    pub fn include(self, start: u16, end: u16, uuid: Uuid) -> Self {
        let mut value = [start.to_le_bytes(), end.to_le_bytes()].concat();
        value.extend(uuid.as_u16().map(u16::to_le_bytes).iter().flatten());
        self.attribute(INCLUDE, value)
    }

    /// A characteristic: declaration, value, and the configuration where the properties call for it.
    pub fn characteristic(mut self, uuid: Uuid, properties: u8, value: impl Into<Vec<u8>>) -> Self {
        let has = |bit| properties & bit != 0;
        let value_handle = self.next_handle() + 1;
        let mut declaration = vec![properties];
        declaration.extend(value_handle.to_le_bytes());
        declaration.extend_from_slice(uuid.to_wire().as_ref());
        self = self.attribute(CHARACTERISTIC, declaration).attribute(uuid, value).adjust(|attribute| {
            attribute.permissions = Permissions {
                read: has(property::READ),
                write: has(property::WRITE),
                write_command: has(property::WRITE_WITHOUT_RESPONSE),
                ..Permissions::default()
            };
        });
        if has(property::NOTIFY | property::INDICATE) {
            self.descriptor(CLIENT_CONFIGURATION, [0, 0], true)
        } else {
            self
        }
    }

    /// A descriptor of the characteristic before it.
    pub fn descriptor(self, uuid: Uuid, value: impl Into<Vec<u8>>, writable: bool) -> Self {
        self.attribute(uuid, value).adjust(|attribute| attribute.permissions.write = writable)
    }

    /// Changes the attribute that was added last.
    pub fn adjust(mut self, change: impl FnOnce(&mut Attribute)) -> Self {
        if let Some(last) = self.0.last_mut() {
            change(last);
        }
        self
    }

    /// The handle that comes next.
    pub fn next_handle(&self) -> u16 {
        self.0.last().map_or(1, |last| last.handle.saturating_add(1))
    }

    /// The server of this table.
    pub fn build(self) -> Server {
        Server::new(self.0)
    }

    fn attribute(mut self, uuid: Uuid, value: impl Into<Vec<u8>>) -> Self {
        self.0.push(Attribute::new(self.next_handle(), uuid, value));
        self
    }
}

pub(super) fn is_service(uuid: Uuid) -> bool {
    uuid == PRIMARY_SERVICE || uuid == SECONDARY_SERVICE
}
