//! The Generic Attribute Profile ([Vol 3] Part G). As a client: discovery, reading, writing and subscribing, and the
//! database that discovery gives. As a server: [`server`].
//!
//! Each procedure is a pure fold over ATT responses (see [`procedure`]). Nothing here knows time, connections or the
//! bearer, and nothing here trusts the peer: a table that cannot be ends in [`GattError::DatabaseInvalid`].

mod database;
mod error;
pub mod procedure;
pub mod server;

pub use database::{
    Characteristic, Descriptor, ExtendedProperties, Include, LookupError, Properties, Service, Services,
};
pub use error::GattError;

use crate::Uuid;
use crate::att::MAX_VALUE_LENGTH;
use crate::att::pdu::{AttPdu, WriteCmd};
use crate::codec::{HexInt, Rest};
use bytes::Bytes;

/// «Primary Service» declaration.
pub const PRIMARY_SERVICE: Uuid = Uuid::from_u16(0x2800);
/// «Secondary Service» declaration.
pub const SECONDARY_SERVICE: Uuid = Uuid::from_u16(0x2801);
/// «Include» declaration.
pub const INCLUDE: Uuid = Uuid::from_u16(0x2802);
/// «Characteristic» declaration.
pub const CHARACTERISTIC: Uuid = Uuid::from_u16(0x2803);
/// Characteristic Extended Properties descriptor.
pub const EXTENDED_PROPERTIES: Uuid = Uuid::from_u16(0x2900);
/// Characteristic User Description descriptor.
pub const USER_DESCRIPTION: Uuid = Uuid::from_u16(0x2901);
/// Client Characteristic Configuration descriptor (CCCD).
pub const CLIENT_CHARACTERISTIC_CONFIGURATION: Uuid = Uuid::from_u16(0x2902);
/// Client Supported Features ([Vol 3] Part G, 7.2).
pub(crate) const CLIENT_SUPPORTED_FEATURES: Uuid = Uuid::from_u16(0x2B29);

/// The PDU that writes a value without an answer. The caller keeps to [`max_write_without_response`].
pub fn write_command(handle: u16, value: &[u8]) -> Bytes {
    AttPdu::from(WriteCmd { attribute_handle: HexInt(handle), attribute_value: Rest(value) }).to_bytes()
}

/// Most octets that one write without response carries at this ATT_MTU.
pub fn max_write_without_response(att_mtu: u16) -> usize {
    usize::from(att_mtu.saturating_sub(3)).min(MAX_VALUE_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_command_is_opcode_handle_and_value() {
        assert_eq!(write_command(0x0102, b"hi"), &[0x52, 2, 1, b'h', b'i'][..]);
        assert_eq!(write_command(1, b""), &[0x52, 1, 0][..]);
    }

    #[test]
    fn a_write_without_response_leaves_room_for_its_header_and_stays_a_value() {
        assert_eq!(max_write_without_response(23), 20);
        assert_eq!(max_write_without_response(517), 512);
        assert_eq!(max_write_without_response(0), 0);
    }
}
