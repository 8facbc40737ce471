//! Which data may be sent now ([Vol 4] Part E, 4.1): the controller's buffers shared fairly between links.
//! Owns the queues of fragments and the count of what the controller holds.

use crate::hci::ConnectionHandle;
use crate::transports::HciPacket;
use std::collections::{BTreeMap, VecDeque};

/// The controller's ACL buffers and what waits for them.
#[derive(Debug, Default)]
pub(crate) struct AclFlow {
    /// Longest data of one packet.
    length: u16,
    free: u16,
    links: BTreeMap<ConnectionHandle, Link>,
    /// The link that was served last: the next one after it is served next.
    served: Option<ConnectionHandle>,
}

#[derive(Debug, Default)]
struct Link {
    waiting: VecDeque<HciPacket>,
    at_controller: u16,
}

impl AclFlow {
    /// Sets what the controller has: data octets per packet, and packets.
    pub(crate) fn configure(&mut self, length: u16, count: u16) {
        *self = Self { length, free: count, ..Self::default() };
    }

    /// Longest data of one packet.
    pub(crate) fn packet_length(&self) -> u16 {
        self.length
    }

    /// A link came up.
    pub(crate) fn open(&mut self, handle: ConnectionHandle) {
        self.links.insert(handle, Link::default());
    }

    /// A link is gone: the controller has dropped its packets, so their buffers are free ([Vol 4] Part E, 4.3).
    pub(crate) fn close(&mut self, handle: ConnectionHandle) {
        if let Some(link) = self.links.remove(&handle) {
            self.free += link.at_controller;
        }
    }

    /// Queues the fragments of one frame.
    pub(crate) fn push(&mut self, handle: ConnectionHandle, fragments: impl IntoIterator<Item = HciPacket>) {
        if let Some(link) = self.links.get_mut(&handle) {
            link.waiting.extend(fragments);
        }
    }

    /// Packets of this link that the controller has not taken yet.
    pub(crate) fn waiting(&self, handle: ConnectionHandle) -> usize {
        self.links.get(&handle).map_or(0, |link| link.waiting.len())
    }

    /// Whether the peer's controller has everything of this link.
    pub(crate) fn is_drained(&self, handle: ConnectionHandle) -> bool {
        self.links.get(&handle).is_none_or(|link| link.waiting.is_empty() && link.at_controller == 0)
    }

    /// The next packet that may go out: links take turns.
    pub(crate) fn pump(&mut self) -> Option<HciPacket> {
        if self.free == 0 {
            return None;
        }
        let ready = |(_, link): &(&ConnectionHandle, &Link)| !link.waiting.is_empty();
        let after = self.served.and_then(|last| {
            self.links.range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded)).find(ready)
        });
        let (&handle, _) = after.or_else(|| self.links.iter().find(ready))?;
        let link = self.links.get_mut(&handle)?;
        let packet = link.waiting.pop_front()?;
        link.at_controller += 1;
        self.free -= 1;
        self.served = Some(handle);
        Some(packet)
    }

    /// Number Of Completed Packets for one link. More than were sent, or an unknown link, give nothing back.
    pub(crate) fn on_completed(&mut self, handle: ConnectionHandle, count: u16) {
        match self.links.get_mut(&handle) {
            Some(link) => {
                if count > link.at_controller {
                    tracing::warn!(%handle, count, sent = link.at_controller, "more packets completed than sent");
                }
                let completed = count.min(link.at_controller);
                link.at_controller -= completed;
                self.free += completed;
            }
            None => tracing::debug!(%handle, count, "packets completed on no link"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ConnectionHandle = ConnectionHandle(1);
    const B: ConnectionHandle = ConnectionHandle(2);

    fn packet(tag: u8) -> HciPacket {
        HciPacket::new(vec![2, 0, 0, 1, 0, tag]).expect("whole")
    }

    fn flow(count: u16) -> AclFlow {
        let mut flow = AclFlow::default();
        flow.configure(27, count);
        flow.open(A);
        flow.open(B);
        flow
    }

    fn sent(flow: &mut AclFlow) -> Vec<u8> {
        std::iter::from_fn(|| flow.pump()).filter_map(|p| p.payload().first().copied()).collect()
    }

    #[test]
    fn links_take_turns_and_each_keeps_its_order() {
        let mut flow = flow(6);
        flow.push(A, [1, 2, 3, 4].map(packet));
        flow.push(B, [11, 12].map(packet));
        assert_eq!(sent(&mut flow), [1, 11, 2, 12, 3, 4]);
    }

    #[test]
    fn no_more_packets_than_the_controller_has_buffers() {
        let mut flow = flow(2);
        flow.push(A, [1, 2, 3].map(packet));
        assert_eq!(sent(&mut flow), [1, 2]);
        flow.on_completed(A, 1);
        assert_eq!(sent(&mut flow), [3]);
    }

    #[test]
    fn a_lost_link_gives_its_buffers_back() {
        let mut flow = flow(2);
        flow.push(A, [1, 2, 3].map(packet));
        flow.push(B, [11, 12].map(packet));
        assert_eq!(sent(&mut flow), [1, 11]);
        flow.close(A);
        assert_eq!(sent(&mut flow), [12]);
    }

    #[test]
    fn h7_completed_counts_that_cannot_be_are_not_believed() {
        let mut flow = flow(2);
        flow.push(A, [1, 2, 3, 4, 5].map(packet));
        assert_eq!(sent(&mut flow), [1, 2]);
        flow.on_completed(A, 0xFFFF);
        flow.on_completed(ConnectionHandle(9), 7);
        flow.on_completed(B, 1);
        assert_eq!(sent(&mut flow), [3, 4], "two buffers are two buffers");
    }
}
