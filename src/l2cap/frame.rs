//! The basic frame: length, channel, payload ([Vol 3] Part A, 3.1).

use super::ChannelId;
use crate::codec::ParseError;
use bytes::Bytes;

/// Octets before the payload.
pub const HEADER_LENGTH: usize = 4;

/// A whole frame; the payload shares the buffer it arrived in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The channel it belongs to.
    pub channel: ChannelId,
    /// What the channel's protocol defines.
    pub payload: Bytes,
}

/// Channel and payload of a whole frame, borrowed.
///
/// # Errors
/// When the octets are shorter than the header, or its length is not that of the payload.
#[inline]
pub fn parse(octets: &[u8]) -> Result<(ChannelId, &[u8]), ParseError> {
    let [a, b, c, d, payload @ ..] = octets else {
        return Err(ParseError { what: "L2CAP frame", offset: octets.len() });
    };
    if usize::from(u16::from_le_bytes([*a, *b])) != payload.len() {
        return Err(ParseError { what: "L2CAP frame", offset: 0 });
    }
    Ok((ChannelId(u16::from_le_bytes([*c, *d])), payload))
}
