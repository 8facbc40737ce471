//! Values that the server sends by itself ([Vol 3] Part F, 3.4.7), each to a client that has asked for it.

use super::client::Client;
use super::link::{Output, Server};
use super::read::cut;
use super::table::Table;
use crate::att::AttPdu;
use crate::att::pdu::{
    HandleLengthValue, HandleValueInd, HandleValueNtf, LengthValue, MultipleHandleValueNtf,
};
use crate::codec::{HexInt, Rest, Tail};
use bytes::Bytes;

/// Values that may wait to be indicated on a link.
const INDICATIONS: usize = 64;

/// What becomes of a value to be indicated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indicated {
    /// This PDU to be sent; the client confirms it.
    Send(Bytes),
    /// It is sent by itself when those before it are confirmed.
    Queued,
    /// The client has not asked for it, or may not have it on this link.
    NotSubscribed,
    /// 64 wait already.
    QueueFull,
}

impl Server {
    /// The notification of a value, cut to ATT_MTU - 3 octets; `None` when the client does not get it.
    pub fn notify(&self, table: &Table, client: &Client, handle: u16, value: &[u8]) -> Option<Bytes> {
        client.notifies(table, handle).then(|| self.notification(handle, value))
    }

    /// The notifications of several values in as few PDUs as hold them whole; a value alone in its PDU is a plain
    /// notification, and so is each for a client that has not said that it takes others (Client Supported Features,
    /// bit 2; [Vol 3] Part G, 4.10.2).
    pub fn notify_multiple(&self, table: &Table, client: &Client, values: &[(u16, &[u8])]) -> Vec<Bytes> {
        if !client.takes_multiple_notifications() {
            let notify = |&(handle, value): &(u16, &[u8])| self.notify(table, client, handle, value);
            return values.iter().filter_map(notify).collect();
        }
        let mut pdus = Vec::new();
        let mut group: Vec<(u16, &[u8])> = Vec::new();
        let mut room = usize::from(self.mtu) - 1;
        for &(handle, value) in values {
            if !client.notifies(table, handle) {
                continue;
            }
            let length = 4 + value.len();
            if length > room {
                pdus.extend(self.notifications(&group));
                group.clear();
                room = usize::from(self.mtu) - 1;
            }
            room = room.saturating_sub(length);
            group.push((handle, value));
        }
        pdus.extend(self.notifications(&group));
        pdus
    }

    /// Indicates a value, cut to ATT_MTU - 3 octets, behind those that are not confirmed yet.
    pub fn indicate(&mut self, table: &Table, client: &Client, handle: u16, value: Bytes) -> Indicated {
        if !client.indicates(table, handle) {
            Indicated::NotSubscribed
        } else if self.unconfirmed.is_none() {
            Indicated::Send(self.indication(handle, &value))
        } else if self.indications.len() < INDICATIONS {
            self.indications.push_back((handle, value));
            Indicated::Queued
        } else {
            Indicated::QueueFull
        }
    }

    /// The value whose indication is on its way. Not confirmed within 30 s, nothing more may be sent on the bearer
    /// ([Vol 3] Part F, 3.3.3).
    pub fn unconfirmed(&self) -> Option<u16> {
        self.unconfirmed
    }

    /// The next value goes out if it is still wanted.
    pub(super) fn on_confirmation(&mut self, table: &Table, client: &mut Client) -> Vec<Output> {
        let Some(value_handle) = self.unconfirmed.take() else {
            return vec![Output::Ignored("a confirmation of nothing")];
        };
        self.on_confirmed(table, client, value_handle);
        let mut outputs = vec![Output::Confirmed { value_handle }];
        while let Some((handle, value)) = self.indications.pop_front() {
            if client.indicates(table, handle) {
                outputs.push(Output::Send(self.indication(handle, &value)));
                break;
            }
        }
        outputs
    }

    pub(super) fn indication(&mut self, handle: u16, value: &[u8]) -> Bytes {
        self.unconfirmed = Some(handle);
        let attribute_value = Rest(cut(value, usize::from(self.mtu) - 3));
        AttPdu::from(HandleValueInd { attribute_handle: HexInt(handle), attribute_value }).to_bytes()
    }

    fn notification(&self, handle: u16, value: &[u8]) -> Bytes {
        let attribute_value = Rest(cut(value, usize::from(self.mtu) - 3));
        AttPdu::from(HandleValueNtf { attribute_handle: HexInt(handle), attribute_value }).to_bytes()
    }

    fn notifications(&self, group: &[(u16, &[u8])]) -> Option<Bytes> {
        if let [] | [_] = group {
            return group.first().map(|(handle, value)| self.notification(*handle, value));
        }
        let values: Vec<_> = group
            .iter()
            .map(|(handle, value)| HandleLengthValue {
                attribute_handle: HexInt(*handle),
                value: LengthValue {
                    length: u16::try_from(value.len()).unwrap_or(u16::MAX),
                    value: Rest(value),
                },
            })
            .collect();
        Some(AttPdu::from(MultipleHandleValueNtf { values: Tail::new(&values) }).to_bytes())
    }
}
