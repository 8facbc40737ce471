//! A frame cut to the controller's packets ([Vol 3] Part A, 7.2.1): one allocation, the payload copied once to
//! where it is sent from.

use super::{ChannelId, frame};
use crate::hci::ConnectionHandle;
use crate::hci::acl::{PacketBoundary, put_header};
use crate::transports::HciPacket;
use bytes::{BufMut, BytesMut};

const ACL_HEADER_LENGTH: usize = 5;

/// The packets of a frame, in order. `packet_length` is the most data one packet carries and is not zero.
/// Nothing comes out for a payload that no frame can hold (over 65,535 octets).
pub fn fragments(
    handle: ConnectionHandle,
    packet_length: u16,
    channel: ChannelId,
    payload: &[u8],
) -> Vec<HciPacket> {
    let Ok(length) = u16::try_from(payload.len()) else { return Vec::new() };
    let per_packet = usize::from(packet_length.max(1));
    let total = frame::HEADER_LENGTH + payload.len();
    let count = total.div_ceil(per_packet);
    let mut out = BytesMut::with_capacity(count * ACL_HEADER_LENGTH + total);
    let mut header = [0; frame::HEADER_LENGTH];
    header[..2].copy_from_slice(&length.to_le_bytes());
    header[2..].copy_from_slice(&channel.0.to_le_bytes());

    let mut packets = Vec::with_capacity(count);
    let mut done = 0;
    while done < total {
        let now = per_packet.min(total - done);
        let boundary = if done == 0 { PacketBoundary::FirstNonFlushable } else { PacketBoundary::Continuing };
        // Not longer than `packet_length`.
        put_header(&mut out, handle, boundary, u16::try_from(now).unwrap_or(u16::MAX));
        let from_header = header.get(done..).unwrap_or_default();
        let from_header = &from_header[..from_header.len().min(now)];
        out.put_slice(from_header);
        let start = (done + from_header.len()).saturating_sub(frame::HEADER_LENGTH);
        out.put_slice(&payload[start..start + now - from_header.len()]);
        done += now;
        // The header just written announces what follows it.
        packets.extend(HciPacket::new(out.split().freeze()));
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hci::acl::AclData;
    use crate::l2cap::Reassembly;
    use proptest::prelude::*;

    #[test]
    fn flags_and_lengths_are_those_of_the_specification() {
        let packets = fragments(ConnectionHandle(0x40), 27, ChannelId::Attribute, &[0xAA; 30]);
        let seen: Vec<_> = packets.iter().map(|p| p.as_slice()[..5].to_vec()).collect();
        assert_eq!(seen, [[2, 0x40, 0x00, 27, 0], [2, 0x40, 0x10, 7, 0]]);
        assert_eq!(packets[0].payload()[..4], [30, 0, 4, 0]);
    }

    proptest! {
        #[test]
        fn what_is_cut_joins_again(payload in prop::collection::vec(any::<u8>(), 0..600), length in 1u16..300) {
            let packets = fragments(ConnectionHandle(1), length, ChannelId(0x40), &payload);
            let mut reassembly = Reassembly::default();
            let mut frames = Vec::new();
            for packet in &packets {
                let acl = AclData::parse(packet.as_slice()).expect("whole");
                prop_assert!(acl.data.len() <= usize::from(length));
                // As the controller hands it over on the other side.
                let boundary = match acl.boundary {
                    PacketBoundary::FirstNonFlushable => PacketBoundary::FirstFlushable,
                    other => other,
                };
                frames.extend(reassembly.on_packet(&AclData { boundary, ..acl }, packet.bytes()).expect("in order"));
            }
            prop_assert_eq!(frames.len(), 1);
            prop_assert_eq!(frames[0].channel, ChannelId(0x40));
            prop_assert_eq!(&frames[0].payload[..], &payload[..]);
        }
    }
}
