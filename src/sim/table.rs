//! Tables of attributes, written as services and characteristics ([Vol 3] Part G, 3), and UUIDs on the wire.

use super::{Attribute, Permissions, Server};
use uuid::Uuid;

const BASE: u128 = 0x0000_0000_0000_1000_8000_0080_5F9B_34FB;

const PRIMARY_SERVICE: Uuid = uuid16(0x2800);
const SECONDARY_SERVICE: Uuid = uuid16(0x2801);
const INCLUDE: Uuid = uuid16(0x2802);
pub(super) const CHARACTERISTIC: Uuid = uuid16(0x2803);
pub(super) const CLIENT_CONFIGURATION: Uuid = uuid16(0x2902);

/// The UUID that a 16-bit one stands for ([Vol 3] Part B, 2.5.1).
pub const fn uuid16(short: u16) -> Uuid {
    Uuid::from_u128(BASE | (short as u128) << 96)
}

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
/// use baretooth::sim::{Table, property, uuid16};
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
        self.attribute(PRIMARY_SERVICE, wire(uuid))
    }

    /// A secondary service.
    pub fn secondary_service(self, uuid: Uuid) -> Self {
        self.attribute(SECONDARY_SERVICE, wire(uuid))
    }

    /// An include of the service at `start..=end`; its UUID is part of the value only when it is a short one.
    pub fn include(self, start: u16, end: u16, uuid: Uuid) -> Self {
        let mut value = [start.to_le_bytes(), end.to_le_bytes()].concat();
        value.extend(short(uuid).map(u16::to_le_bytes).iter().flatten());
        self.attribute(INCLUDE, value)
    }

    /// A characteristic: declaration, value, and the configuration where the properties call for it.
    pub fn characteristic(mut self, uuid: Uuid, properties: u8, value: impl Into<Vec<u8>>) -> Self {
        let has = |bit| properties & bit != 0;
        let value_handle = self.next_handle() + 1;
        let mut declaration = vec![properties];
        declaration.extend(value_handle.to_le_bytes());
        declaration.extend(wire(uuid));
        self =
            self.attribute(CHARACTERISTIC, declaration).attribute(uuid, value.into()).adjust(|attribute| {
                attribute.permissions = Permissions {
                    read: has(property::READ),
                    write: has(property::WRITE),
                    write_command: has(property::WRITE_WITHOUT_RESPONSE),
                    encrypted: false,
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
        self.attribute(uuid, value.into()).adjust(|attribute| attribute.permissions.write = writable)
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

    fn attribute(mut self, uuid: Uuid, value: Vec<u8>) -> Self {
        self.0.push(Attribute::new(self.next_handle(), uuid, value));
        self
    }
}

pub(super) fn is_service(uuid: Uuid) -> bool {
    uuid == PRIMARY_SERVICE || uuid == SECONDARY_SERVICE
}

/// The two or sixteen octets of a UUID on the wire.
pub(super) fn wire(uuid: Uuid) -> Vec<u8> {
    match short(uuid) {
        Some(short) => short.to_le_bytes().to_vec(),
        None => uuid.as_u128().to_le_bytes().to_vec(),
    }
}

/// The UUID of two or sixteen octets; there are no others in ATT ([Vol 3] Part F, 3.2.1).
pub(super) fn from_wire(octets: &[u8]) -> Option<Uuid> {
    match octets {
        [low, high] => Some(uuid16(u16::from_le_bytes([*low, *high]))),
        _ => octets.try_into().ok().map(|octets| Uuid::from_u128(u128::from_le_bytes(octets))),
    }
}

fn short(uuid: Uuid) -> Option<u16> {
    let apart = uuid.as_u128() ^ BASE;
    if apart.trailing_zeros() < 96 { None } else { u16::try_from(apart >> 96).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_two_octets_when_it_can_be_and_sixteen_when_not() {
        assert_eq!(wire(uuid16(0x180D)), [0x0D, 0x18]);
        let long = Uuid::from_u128(0x6E40_0001_B5A3_F393_E0A9_E50E_24DC_CA9E);
        assert_eq!(wire(long)[..2], [0x9E, 0xCA]);
        assert_eq!(from_wire(&wire(long)), Some(long));
        // Both forms of a short one are the same type.
        assert_eq!(from_wire(&uuid16(0x180D).as_u128().to_le_bytes()), Some(uuid16(0x180D)));
        assert_eq!(from_wire(&[1, 2, 3, 4]), None);
        assert_eq!(uuid16(0x180D).to_string(), "0000180d-0000-1000-8000-00805f9b34fb");
    }
}
