//! The requests of the other role: advertisements, and what the GATT server sends and is told.

use super::Guide;
use super::advertising::{self, Handle, Piece};
use crate::BdAddr;
use crate::att::DEFAULT_MTU;
use crate::att::pdu::AttPdu;
use crate::gatt::server::Want;
use crate::hci::command::LeRemoveAdvertisingSet;
use crate::hci::{AclData, Command, ConnectionHandle, ErrorCode};
use crate::host::{ConnectionId, Request, ServerRequest};
use bytes::Bytes;

impl Guide {
    /// Makes what an advertising command is of; `None` for other commands.
    pub(super) fn guess_advertising(&mut self, place: usize, command: &Command<'_>) -> Option<bool> {
        let handle = match command {
            Command::LeSetAdvertisingParameters(_)
            | Command::LeSetExtendedAdvertisingParameters(_)
            | Command::LeReadMaximumAdvertisingDataLength(_)
            | Command::LeReadNumberOfSupportedAdvertisingSets(_) => {
                return Some(self.begin_advertising(place).is_some());
            }
            Command::LeRemoveAdvertisingSet(c) => Some(c.advertising_handle),
            command => match Piece::of(command) {
                Some(piece) => return Some(self.change_data(place, piece.handle).is_some()),
                None => advertising::disabled(command)?,
            },
        };
        if self.pauses(place, handle) {
            return Some(self.change_data(place, handle).is_some());
        }
        let Some((set, _)) = self.sets.remove(&handle) else { return Some(false) };
        let links = self.ended_along_with(place, handle);
        self.replay.cancel_now(set);
        for (connection, reason) in links {
            self.submit(Request::Disconnect { connection, reason });
        }
        Some(true)
    }

    /// Whether a set goes on with other data: long ones are given while it is off the air.
    fn pauses(&self, place: usize, handle: Handle) -> bool {
        let next = advertising::commands(self.replay.course.script(), place + 1).next();
        next.and_then(|next| Piece::of(&next)).is_some_and(|piece| piece.handle == handle)
    }

    /// Links that were ended in the instant in which the set was: before the controller had removed it.
    fn ended_along_with(&self, place: usize, handle: Handle) -> Vec<(ConnectionId, ErrorCode)> {
        let Some(handle) = handle else { return Vec::new() };
        let removes = LeRemoveAdvertisingSet { advertising_handle: handle };
        let following = advertising::commands(self.replay.course.script(), place + 1);
        let before =
            following.take_while(|c| !matches!(c, Command::LeRemoveAdvertisingSet(c) if *c == removes));
        let ended = before.map_while(|command| match command {
            Command::Disconnect(c) => Some((self.replay.host.connection(c.connection_handle)?, c.reason)),
            _ => None,
        });
        ended.collect()
    }

    fn begin_advertising(&mut self, place: usize) -> Option<()> {
        let script = self.replay.course.script();
        let adapter = script.random_address().unwrap_or(BdAddr::ANY);
        let described = advertising::described(script, place, adapter)?;
        let op = self.submit(Request::Advertise(described.options));
        self.sets.insert(described.handle, (op, described.data));
        Some(())
    }

    fn change_data(&mut self, place: usize, handle: Handle) -> Option<()> {
        let (of, before) = self.sets.get(&handle)?;
        let (of, changed) = (*of, advertising::changed(self.replay.course.script(), place, handle, before));
        let [data, scan_response] = changed.parts();
        self.sets.insert(handle, (of, changed));
        self.submit(Request::SetAdvertisingData { of, data, scan_response });
        Some(())
    }

    /// A value that is read and is another than the table has was changed before.
    pub(super) fn foresee(&mut self) {
        let Some((place, packet)) = self.replay.course.due_with_place() else { return };
        let Ok(handle) = AclData::parse(packet.packet.as_slice()).map(|acl| acl.handle) else { return };
        let Some((attribute, value)) = self.transcript.value_read(handle, place) else { return };
        self.values_read.insert(handle, (attribute, value.clone()));
        let Some(kept) = self.replay.host.table().value(attribute) else { return };
        let mtu = self.replay.host.connection(handle).and_then(|link| self.mtus.get(&link));
        let room = usize::from(mtu.copied().unwrap_or(DEFAULT_MTU)) - 1;
        if *kept != value && !(value.len() == room && kept.starts_with(&value)) {
            self.submit(ServerRequest::SetValue { handle: attribute, value }.into());
        }
    }

    /// A value that is sent, which is as a rule the one to be read from then on.
    pub(super) fn keep_value(&mut self, handle: u16, value: &Bytes) {
        if self.replay.host.table().value(handle).is_some_and(|kept| kept != value) {
            self.submit(ServerRequest::SetValue { handle, value: value.clone() }.into());
        }
    }

    /// The user's answer, from the response that it led to.
    pub(super) fn answer(
        &mut self,
        handle: ConnectionHandle,
        connection: ConnectionId,
        pdu: &[u8],
    ) -> Option<Request> {
        let ask = self.asks.remove(&connection)?;
        let answer = match (AttPdu::from_octets(pdu).ok()?, &ask.want) {
            (AttPdu::ErrorRsp(refusal), _) => Err(refusal.error_code),
            (AttPdu::ReadRsp(_), Want::Read { .. }) => Ok(self.values_read.get(&handle)?.1.clone()),
            (_, Want::Write(_)) => Ok(Bytes::new()),
            _ => return None,
        };
        Some(ServerRequest::Answer { connection, id: ask.id, answer }.into())
    }
}
