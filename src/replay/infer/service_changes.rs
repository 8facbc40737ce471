//! Whether the host of a capture had itself told of changes in a peer's table, which earlier ones did not.

use crate::att::AttPdu;
use crate::hci::AclData;
use crate::l2cap::{ChannelId, Reassembly};
use crate::replay::{Script, is_sent};
use std::collections::{BTreeMap, BTreeSet};

/// The type of Service Changed, as declarations hold it.
const SERVICE_CHANGED: [u8; 2] = 0x2A05_u16.to_le_bytes();

impl Script {
    /// Whether the session's host subscribed to Service Changed. Its descriptor stands behind its value, in every table
    /// that is known.
    pub fn follows_service_changes(&self) -> bool {
        let mut frames = BTreeMap::<_, Reassembly>::new();
        let mut descriptors = BTreeSet::new();
        for packet in self.packets() {
            let Ok(acl) = AclData::parse(packet.packet.as_slice()) else { continue };
            let joined = frames.entry((packet.direction, acl.handle)).or_default();
            let Ok(Some(frame)) = joined.on_packet(&acl, packet.packet.bytes()) else { continue };
            if frame.channel != ChannelId::Attribute {
                continue;
            }
            match AttPdu::from_octets(&frame.payload) {
                Ok(AttPdu::WriteReq(write)) if is_sent(packet) => {
                    let place = (acl.handle, write.attribute_handle.0);
                    if write.attribute_value.0 == [2, 0] && descriptors.contains(&place) {
                        return true;
                    }
                }
                Ok(AttPdu::ReadByTypeRsp(response)) if !is_sent(packet) => {
                    // Declarations: handle, properties, handle of the value, type.
                    for declaration in response.attribute_data.0.chunks_exact(7) {
                        if let ([_, _, _, low, high, uuid @ ..], 7) = (declaration, response.length)
                            && *uuid == SERVICE_CHANGED
                        {
                            let value = u16::from_le_bytes([*low, *high]);
                            descriptors.insert((acl.handle, value.saturating_add(1)));
                        }
                    }
                }
                _ => {}
            }
        }
        false
    }
}
