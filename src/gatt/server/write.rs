//! The requests and the command that change values ([Vol 3] Part F, 3.4.5 and 3.4.6).

use super::access::{Access, Permissions, Security};
use super::client::Client;
use super::link::{Answers, Done, Offer, Output, Server, Stop, Want};
use super::table::{Attribute, Table, Value};
use crate::att::pdu::{
    ExecuteFlags, ExecuteWriteReq, ExecuteWriteRsp, PrepareWriteReq, PrepareWriteRsp, WriteCmd, WriteReq,
    WriteRsp,
};
use crate::att::{AttError, AttPdu};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::mem;

/// What a client may have prepared: parts, and octets of all parts together. At the least ATT_MTU that is more than
/// four values of 512 octets.
const PREPARED_PARTS: usize = 128;
const PREPARED_OCTETS: usize = 4096;

/// Bits of a CCCD that mean something ([Vol 3] Part G, 3.3.3.3).
const CONFIGURATIONS: u16 = 0x0003;

/// A part of a value, until it is executed.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    handle: u16,
    offset: u16,
    part: Bytes,
}

/// A value put together, from `offset` on.
struct Whole {
    offset: usize,
    value: Vec<u8>,
}

impl Client {
    pub(super) fn write_request(
        &mut self,
        table: &mut Table,
        request: WriteReq<'_>,
        answers: &Answers,
    ) -> Result<Done, Stop> {
        let handle = request.attribute_handle.0;
        let attribute = writable(table, self.security, handle, |permissions| permissions.write)?;
        self.check(attribute, 0, request.attribute_value.0)?;
        let value = Bytes::copy_from_slice(request.attribute_value.0);
        let outputs = self.commit(table, vec![Offer { handle, offset: 0, value }], answers)?;
        Ok((AttPdu::from(WriteRsp {}).to_bytes(), outputs))
    }

    /// A command that cannot be carried out is ignored ([Vol 3] Part F, 3.4.5.3).
    pub(super) fn write_command(&mut self, table: &mut Table, command: WriteCmd<'_>) -> Vec<Output> {
        let (handle, octets) = (command.attribute_handle.0, command.attribute_value.0);
        self.command(table, handle, octets, self.security, |permissions| permissions.write_without_response)
    }

    /// A write that is not answered, by whoever has this security.
    pub(super) fn command(
        &mut self,
        table: &mut Table,
        handle: u16,
        octets: &[u8],
        security: Security,
        kind: fn(&Permissions) -> Access,
    ) -> Vec<Output> {
        let permitted =
            writable(table, security, handle, kind).and_then(|attribute| self.check(attribute, 0, octets));
        let offer = Offer { handle, offset: 0, value: Bytes::copy_from_slice(octets) };
        // Nobody waits for an answer: the user is told and not asked.
        let taken = Answers { write: Some(Ok(())), ..Answers::default() };
        match permitted.and_then(|()| self.commit(table, vec![offer.clone()], &taken)) {
            Ok(outputs) if outputs.is_empty() => vec![Output::Written(offer)],
            Ok(outputs) => outputs,
            Err(_) => vec![Output::Ignored("a write command that is not permitted")],
        }
    }

    /// Offset and length are judged when the queue is executed.
    pub(super) fn prepare_write(
        &mut self,
        table: &Table,
        request: PrepareWriteReq<'_>,
    ) -> Result<Done, Stop> {
        let PrepareWriteReq { attribute_handle, value_offset, part_attribute_value } = request;
        let handle = attribute_handle.0;
        writable(table, self.security, handle, |permissions| permissions.write)?;
        let octets: usize = self.prepared.iter().map(|prepared| prepared.part.len()).sum();
        let part = part_attribute_value.0;
        if self.prepared.len() >= PREPARED_PARTS || octets + part.len() > PREPARED_OCTETS {
            return Err(Stop::Refuse(handle, AttError::PrepareQueueFull));
        }
        self.prepared.push(Prepared { handle, offset: value_offset, part: Bytes::copy_from_slice(part) });
        let echo = PrepareWriteRsp { attribute_handle, value_offset, part_attribute_value };
        Ok((AttPdu::from(echo).to_bytes(), Vec::new()))
    }

    /// Stores checked values, once the user has taken those that are his.
    fn commit(
        &mut self,
        table: &mut Table,
        offers: Vec<Offer>,
        answers: &Answers,
    ) -> Result<Vec<Output>, Stop> {
        let asked = |offer: &&Offer| {
            table.attribute(offer.handle).is_some_and(|attribute| matches!(attribute.value, Value::Asked))
        };
        let wanted: Vec<_> = offers.iter().filter(asked).cloned().collect();
        if let Some(first) = wanted.first() {
            match answers.write {
                None => return Err(Stop::Ask(Want::Write(wanted))),
                Some(Err(code)) => return Err(Stop::Refuse(first.handle, code)),
                Some(Ok(())) => {}
            }
        }
        let mut outputs = Vec::new();
        for offer in offers {
            let Some(attribute) = table.attribute_mut(offer.handle) else { continue };
            match &mut attribute.value {
                Value::Stored(stored) => {
                    *stored = offer.value.clone();
                    outputs.push(Output::Written(offer));
                }
                Value::Configuration { of: value_handle, .. } => {
                    let value_handle = *value_handle;
                    let configuration = offer.value.as_ref().try_into().map_or(0, u16::from_le_bytes);
                    let configuration = configuration & CONFIGURATIONS;
                    self.configurations.insert(offer.handle, configuration);
                    outputs.push(Output::Configured { value_handle, configuration });
                }
                Value::ClientFeatures => {
                    self.features = self.check_features(&offer.value).unwrap_or(self.features)
                }
                Value::Declared(_) | Value::Asked => {}
            }
        }
        Ok(outputs)
    }

    /// Whether an attribute takes a value that ends there. Notifications and indications can only be configured where
    /// the properties have them (Table 3.11 of [Vol 3] Part G, 3.3.3.3); reserved bits are neither judged nor kept.
    fn check(&self, attribute: &Attribute, offset: usize, value: &[u8]) -> Result<(), Stop> {
        let refuse = |code| Err(Stop::Refuse(attribute.handle, code));
        if offset + value.len() > attribute.max_length {
            return refuse(AttError::InvalidAttributeValueLength);
        }
        match attribute.value {
            Value::Configuration { allowed, .. } => match value.try_into().map(u16::from_le_bytes) {
                Err(_) => refuse(AttError::InvalidAttributeValueLength),
                Ok(bits) if bits & CONFIGURATIONS & !allowed != 0 => refuse(AttError::ValueNotAllowed),
                Ok(_) => Ok(()),
            },
            Value::ClientFeatures => self.check_features(value).map(|_| ()).or_else(refuse),
            _ => Ok(()),
        }
    }

    /// Puts the parts of each value together, in the order in which their values were first named. Each part is a write
    /// of its own, in order ([Vol 3] Part F, 3.4.6.1), and a write ends the value ([Vol 3] Part F, 3.4.5.1): so it ends
    /// where its last part ends.
    fn assemble(&self, table: &Table, parts: &[Prepared]) -> Result<Vec<Offer>, Stop> {
        let mut order = Vec::new();
        let mut values: BTreeMap<u16, Whole> = BTreeMap::new();
        for Prepared { handle, offset, part } in parts {
            let (handle, offset) = (*handle, usize::from(*offset));
            let attribute = table.attribute(handle).ok_or(Stop::Refuse(handle, AttError::InvalidHandle))?;
            let whole = values.entry(handle).or_insert_with(|| {
                order.push(handle);
                match &attribute.value {
                    Value::Stored(value) => Whole { offset: 0, value: value.to_vec() },
                    Value::ClientFeatures => Whole { offset: 0, value: vec![self.features] },
                    // What stands before the first part is with the user.
                    _ => Whole { offset, value: Vec::new() },
                }
            });
            let at = offset.checked_sub(whole.offset).filter(|&at| at <= whole.value.len());
            whole.value.truncate(at.ok_or(Stop::Refuse(handle, AttError::InvalidOffset))?);
            whole.value.extend_from_slice(part);
            if whole.offset + whole.value.len() > attribute.max_length {
                return Err(Stop::Refuse(handle, AttError::InvalidAttributeValueLength));
            }
        }
        let mut offers = Vec::new();
        for handle in order {
            let (Some(attribute), Some(whole)) = (table.attribute(handle), values.remove(&handle)) else {
                continue;
            };
            self.check(attribute, whole.offset, &whole.value)?;
            let offset = u16::try_from(whole.offset).unwrap_or(u16::MAX);
            offers.push(Offer { handle, offset, value: whole.value.into() });
        }
        Ok(offers)
    }
}

impl Server {
    /// All prepared values or none; whatever the outcome, the queue is empty then ([Vol 3] Part F, 3.4.6.3). There is
    /// one for all bearers of a client ([Vol 3] Part F, 3.4.6): while the user is asked, this request keeps it.
    pub(super) fn execute_write(
        &mut self,
        table: &mut Table,
        client: &mut Client,
        request: ExecuteWriteReq,
        answers: &Answers,
    ) -> Result<Done, Stop> {
        let flags = ExecuteFlags(request.flags);
        if !matches!(flags, ExecuteFlags::Cancel | ExecuteFlags::Write) {
            return Err(Stop::Refuse(0, AttError::InvalidPdu));
        }
        let (parts, before) = match self.executing.take() {
            Some(parts) => (parts, false),
            None => (mem::take(&mut client.prepared), mem::take(&mut client.prepared_before)),
        };
        let result = match flags {
            ExecuteFlags::Cancel => Ok(Vec::new()),
            // [Vol 3] Part F, 3.4.6.3
            _ if before => {
                let handle = parts.first().map_or(0, |prepared| prepared.handle);
                Err(Stop::Refuse(handle, AttError::DatabaseOutOfSync))
            }
            _ => client.assemble(table, &parts).and_then(|offers| client.commit(table, offers, answers)),
        };
        if matches!(result, Err(Stop::Ask(_))) {
            self.executing = Some(parts);
        }
        Ok((AttPdu::from(ExecuteWriteRsp {}).to_bytes(), result?))
    }
}

fn writable(
    table: &Table,
    security: Security,
    handle: u16,
    kind: fn(&Permissions) -> Access,
) -> Result<&Attribute, Stop> {
    let attribute = table.attribute(handle).ok_or(Stop::Refuse(handle, AttError::InvalidHandle))?;
    kind(&attribute.permissions)
        .check(security, AttError::WriteNotPermitted)
        .map_err(|code| Stop::Refuse(handle, code))?;
    Ok(attribute)
}
