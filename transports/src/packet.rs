//! One HCI packet, always in the same form: `Bytes` whose first octet is the H4 packet indicator
//! ([Vol 4] Part A, 2), as it stands on a UART, in an HCI socket, in btsnoop and in pcap.

use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;

/// The H4 packet indicator ([Vol 4] Part A, 2, table 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketIndicator {
    /// HCI command, host to controller.
    Command,
    /// ACL data, either way.
    AclData,
    /// Synchronous data, either way.
    SynchronousData,
    /// HCI event, controller to host.
    Event,
    /// Isochronous data, either way.
    IsoData,
}

impl PacketIndicator {
    /// The indicator of an octet; `None` for a value that starts no packet.
    pub const fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            1 => Some(Self::Command),
            2 => Some(Self::AclData),
            3 => Some(Self::SynchronousData),
            4 => Some(Self::Event),
            5 => Some(Self::IsoData),
            _ => None,
        }
    }

    /// The octet on the wire.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Command => 1,
            Self::AclData => 2,
            Self::SynchronousData => 3,
            Self::Event => 4,
            Self::IsoData => 5,
        }
    }

    /// Octets before the payload, the indicator included.
    pub const fn header_length(self) -> usize {
        match self {
            Self::Command | Self::SynchronousData => 4,
            Self::AclData | Self::IsoData => 5,
            Self::Event => 3,
        }
    }
}

/// Why octets are not one HCI packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The first octet starts no packet.
    #[error("0x{0:02X} is no HCI packet indicator")]
    Indicator(u8),
    /// The octets end before the header does.
    #[error("the packet ends inside its header ({0} octets)")]
    Header(usize),
    /// The length in the header is not the length of what follows.
    #[error("the header announces {announced} octets and {actual} follow")]
    Length {
        /// Octets after the header, by the header.
        announced: usize,
        /// Octets after the header, counted.
        actual: usize,
    },
    /// More payload than the length field of this kind of packet can hold.
    #[error("{0} octets do not fit into one packet of this kind")]
    TooLong(usize),
}

/// The whole length, indicator and header included, of the packet that `head` starts;
/// `None` while the header is not complete.
///
/// # Errors
/// [`PacketError::Indicator`] when the first octet starts no packet.
pub(crate) fn packet_length(head: &[u8]) -> Result<Option<usize>, PacketError> {
    let Some(&first) = head.first() else { return Ok(None) };
    let indicator = PacketIndicator::from_octet(first).ok_or(PacketError::Indicator(first))?;
    let payload = match (indicator, head) {
        (PacketIndicator::Command | PacketIndicator::SynchronousData, [_, _, _, n, ..]) => usize::from(*n),
        (PacketIndicator::Event, [_, _, n, ..]) => usize::from(*n),
        (PacketIndicator::AclData, [_, _, _, a, b, ..]) => usize::from(u16::from_le_bytes([*a, *b])),
        // The two upper bits of the ISO length field are reserved ([Vol 4] Part E, 5.4.5).
        (PacketIndicator::IsoData, [_, _, _, a, b, ..]) => usize::from(u16::from_le_bytes([*a, *b]) & 0x3FFF),
        _ => return Ok(None),
    };
    Ok(Some(indicator.header_length() + payload))
}

/// One HCI packet in H4 form: indicator octet, header, payload.
///
/// The length field agrees with the octets, so a reader may slice by it. Cloning is cheap: the octets are shared.
///
/// ```
/// use baretooth_transports::{HciPacket, PacketIndicator};
/// let reset = HciPacket::new(vec![0x01, 0x03, 0x0C, 0x00])?;
/// assert_eq!(reset.indicator(), PacketIndicator::Command);
/// # Ok::<(), baretooth_transports::PacketError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HciPacket(Bytes);

impl HciPacket {
    /// Takes octets that are exactly one packet.
    ///
    /// # Errors
    /// When the first octet is no indicator, or the header's length is not that of what follows.
    pub fn new(octets: impl Into<Bytes>) -> Result<Self, PacketError> {
        let octets = octets.into();
        Self::check(&octets)?;
        Ok(Self(octets))
    }

    /// Whether octets are exactly one packet.
    ///
    /// # Errors
    /// As those of [`new`](Self::new).
    pub fn check(octets: &[u8]) -> Result<(), PacketError> {
        let length = packet_length(octets)?.ok_or(PacketError::Header(octets.len()))?;
        if length != octets.len() {
            let header = PacketIndicator::from_octet(octets[0]).map_or(0, PacketIndicator::header_length);
            return Err(PacketError::Length { announced: length - header, actual: octets.len() - header });
        }
        Ok(())
    }

    /// Octets that a de-framer has cut by [`packet_length`].
    pub(crate) fn from_framed(octets: Bytes) -> Self {
        debug_assert!(matches!(packet_length(&octets), Ok(Some(n)) if n == octets.len()));
        Self(octets)
    }

    /// An HCI command ([Vol 4] Part E, 5.4.1).
    ///
    /// # Errors
    /// [`PacketError::TooLong`] for more than 255 octets of parameters.
    pub fn command(opcode: u16, parameters: &[u8]) -> Result<Self, PacketError> {
        let length = u8::try_from(parameters.len()).map_err(|_| PacketError::TooLong(parameters.len()))?;
        let mut out = BytesMut::with_capacity(4 + parameters.len());
        out.put_u8(PacketIndicator::Command.octet());
        out.put_u16_le(opcode);
        out.put_u8(length);
        out.put_slice(parameters);
        Ok(Self(out.freeze()))
    }

    /// An HCI event ([Vol 4] Part E, 5.4.4).
    ///
    /// # Errors
    /// [`PacketError::TooLong`] for more than 255 octets of parameters.
    pub fn event(code: u8, parameters: &[u8]) -> Result<Self, PacketError> {
        let length = u8::try_from(parameters.len()).map_err(|_| PacketError::TooLong(parameters.len()))?;
        let mut out = BytesMut::with_capacity(3 + parameters.len());
        out.put_slice(&[PacketIndicator::Event.octet(), code, length]);
        out.put_slice(parameters);
        Ok(Self(out.freeze()))
    }

    /// What kind of packet this is.
    pub fn indicator(&self) -> PacketIndicator {
        match self.0[0] {
            1 => PacketIndicator::Command,
            2 => PacketIndicator::AclData,
            3 => PacketIndicator::SynchronousData,
            4 => PacketIndicator::Event,
            _ => PacketIndicator::IsoData,
        }
    }

    /// All octets, indicator first.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The octets behind the header.
    pub fn payload(&self) -> &[u8] {
        &self.0[self.indicator().header_length()..]
    }

    /// The shared buffer, to promote a borrowed part of it with [`Bytes::slice_ref`].
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The shared buffer itself.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Number of octets, indicator included. A packet is never empty.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for HciPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(", self.indicator())?;
        for octet in self.as_slice() {
            write!(f, "{octet:02x}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_exactly_as_long_as_its_header_says() {
        assert!(HciPacket::new(vec![4, 0x0E, 1, 9]).is_ok());
        assert_eq!(HciPacket::new(vec![4, 0x0E, 2, 9]), Err(PacketError::Length { announced: 2, actual: 1 }));
        assert_eq!(HciPacket::new(vec![4, 0x0E, 0, 9]), Err(PacketError::Length { announced: 0, actual: 1 }));
        assert_eq!(HciPacket::new(vec![2, 1, 0]), Err(PacketError::Header(3)));
        assert_eq!(HciPacket::new(vec![]), Err(PacketError::Header(0)));
        assert_eq!(HciPacket::new(vec![6, 0, 0]), Err(PacketError::Indicator(6)));
    }

    #[test]
    fn iso_length_ignores_its_reserved_bits() {
        assert!(HciPacket::new(vec![5, 1, 0, 1, 0xC0, 7]).is_ok());
    }

    #[test]
    fn a_command_longer_than_its_length_octet_is_refused() {
        assert_eq!(HciPacket::command(0xFC00, &[0; 256]), Err(PacketError::TooLong(256)));
        assert_eq!(HciPacket::command(0x0C03, &[]).map(|p| p.into_bytes().to_vec()), Ok(vec![1, 3, 0x0C, 0]));
    }
}
