//! What a link sends without being asked for: write commands, and values for the peer's client, in one order.

use super::link::{Link, Out};
use super::{OpError, OpId, Output};
use crate::Instant;
use crate::att::AttPdu;
use crate::att::pdu::WriteCmd;
use crate::codec::Rest;
use crate::l2cap::ChannelId;
use bytes::Bytes;

/// Packets that may wait for the controller before write commands wait with the user instead, and frames with their
/// channels.
pub(super) const WRITE_WINDOW: usize = 64;

/// What a link sends without being asked for, in order and while the controller keeps up.
#[derive(Debug)]
pub(super) enum Queued {
    WriteCommand(Bytes),
    /// The whole PDU.
    SignedWrite(Bytes),
    /// By handle of the value; whether the client wants it is seen when it is sent.
    Notify(Vec<(u16, Bytes)>),
    Indicate(u16, Bytes),
}

impl Link {
    /// Queues a write command.
    pub(super) fn write_command(
        &mut self,
        now: Instant,
        op: OpId,
        handle: u16,
        value: &[u8],
        out: &mut Out<'_>,
    ) {
        let limit = crate::gatt::max_write_without_response(self.bearers.fixed.att.mtu());
        if value.len() > limit {
            return out.done(op, Err(OpError::TooLong { length: value.len(), limit }));
        }
        let pdu = AttPdu::from(WriteCmd { attribute_handle: handle.into(), attribute_value: Rest(value) });
        self.queue(now, op, Queued::WriteCommand(pdu.to_bytes()), out);
    }

    /// Queues what is sent without being asked for.
    pub(super) fn queue(&mut self, now: Instant, op: OpId, queued: Queued, out: &mut Out<'_>) {
        self.queue.push_back((op, queued));
        self.send_queued(now, out);
    }

    /// Hands the queue on while the controller keeps up.
    pub(super) fn send_queued(&mut self, now: Instant, out: &mut Out<'_>) {
        while out.acl.waiting(self.handle) < WRITE_WINDOW {
            if let Some((_, Queued::WriteCommand(_))) = self.queue.front()
                && !self.guard.lets_out()
            {
                return;
            }
            match self.queue.pop_front() {
                None => return,
                Some((op, Queued::WriteCommand(pdu) | Queued::SignedWrite(pdu))) => {
                    self.send(ChannelId::Attribute, &pdu, out);
                    out.done(op, Ok(Output::Done));
                }
                Some((op, Queued::Notify(values))) => self.notify(op, &values, out),
                Some((op, Queued::Indicate(handle, value))) => {
                    self.indicate(now, op, handle, value, out);
                }
            }
        }
    }
}
