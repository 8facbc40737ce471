//! ACL data packets ([Vol 4] Part E, 5.4.2).

use crate::codec::ParseError;
use crate::hci::ConnectionHandle;
use bytes::{BufMut, BytesMut};

/// Where in an L2CAP frame a packet stands ([Vol 4] Part E, 5.4.2, table of Packet_Boundary_Flag).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketBoundary {
    /// First part, from the host, not flushable: what an LE host sends.
    FirstNonFlushable,
    /// Any later part.
    Continuing,
    /// First part, flushable: what a controller sends.
    FirstFlushable,
    /// A whole frame, flushable; not used on LE.
    Complete,
}

impl PacketBoundary {
    const fn bits(self) -> u16 {
        match self {
            Self::FirstNonFlushable => 0b00,
            Self::Continuing => 0b01,
            Self::FirstFlushable => 0b10,
            Self::Complete => 0b11,
        }
    }

    const fn from_bits(bits: u16) -> Self {
        match bits & 0b11 {
            0b00 => Self::FirstNonFlushable,
            0b01 => Self::Continuing,
            0b10 => Self::FirstFlushable,
            _ => Self::Complete,
        }
    }
}

/// An ACL data packet, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclData<'a> {
    /// The link.
    pub handle: ConnectionHandle,
    /// Where the data stand in their frame.
    pub boundary: PacketBoundary,
    /// Broadcast flag; zero on LE.
    pub broadcast: u8,
    /// The part of an L2CAP frame.
    pub data: &'a [u8],
}

impl<'a> AclData<'a> {
    /// Reads a packet in H4 form, indicator first.
    ///
    /// # Errors
    /// When it is shorter than its header, or its length field is not that of the data.
    #[inline]
    pub fn parse(h4: &'a [u8]) -> Result<Self, ParseError> {
        let (acl, length) = Self::parse_header(h4)?;
        if length != acl.data.len() {
            return Err(ParseError { what: "ACL data", offset: 3 });
        }
        Ok(acl)
    }

    /// Reads a packet of which not all may be there: with it comes the length that its header announces.
    ///
    /// # Errors
    /// When it is shorter than its header.
    #[inline]
    pub fn parse_header(h4: &'a [u8]) -> Result<(Self, usize), ParseError> {
        let [_, a, b, c, d, data @ ..] = h4 else {
            return Err(ParseError { what: "ACL data", offset: h4.len() });
        };
        let word = u16::from_le_bytes([*a, *b]);
        let acl = Self {
            handle: ConnectionHandle(word & 0x0FFF),
            boundary: PacketBoundary::from_bits(word >> 12),
            broadcast: u8::try_from(word >> 14).unwrap_or(0),
            data,
        };
        Ok((acl, usize::from(u16::from_le_bytes([*c, *d]))))
    }
}

/// Writes indicator and header of a packet that `length` octets of data will follow.
pub(crate) fn put_header(
    out: &mut BytesMut,
    handle: ConnectionHandle,
    boundary: PacketBoundary,
    length: u16,
) {
    out.put_u8(crate::transports::PacketIndicator::AclData.octet());
    out.put_u16_le(handle.0 & 0x0FFF | boundary.bits() << 12);
    out.put_u16_le(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trips() {
        for boundary in [
            PacketBoundary::FirstNonFlushable,
            PacketBoundary::Continuing,
            PacketBoundary::FirstFlushable,
            PacketBoundary::Complete,
        ] {
            let mut out = BytesMut::new();
            put_header(&mut out, ConnectionHandle(0x0EFF), boundary, 2);
            out.put_slice(&[7, 8]);
            let acl = AclData::parse(&out).expect("whole");
            assert_eq!((acl.handle, acl.boundary, acl.broadcast), (ConnectionHandle(0x0EFF), boundary, 0));
            assert_eq!(acl.data, [7, 8]);
        }
    }

    #[test]
    fn a_length_that_is_not_that_of_the_data_is_refused() {
        assert!(AclData::parse(&[2, 1, 0, 1, 0]).is_err());
        assert!(AclData::parse(&[2, 1, 0, 0, 0, 9]).is_err());
        assert!(AclData::parse(&[2, 1, 0]).is_err());
    }
}
