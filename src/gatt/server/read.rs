//! The requests that change nothing: reads by handle here, and lists of attributes in `find`.

use super::access::Security;
use super::link::{Stop, Want};
use super::table::{Attribute, Table, Value};
use crate::att::pdu::{
    LengthValue, ReadBlobRsp, ReadMultipleReq, ReadMultipleRsp, ReadMultipleVariableReq,
    ReadMultipleVariableRsp, ReadRsp,
};
use crate::att::{AttError, AttPdu};
use crate::codec::{HexInt, Rest, Tail};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The table as one client sees it at the time of one request.
pub(super) struct View<'a> {
    pub(super) table: &'a Table,
    pub(super) configurations: &'a BTreeMap<u16, u16>,
    pub(super) features: u8,
    pub(super) mtu: usize,
    pub(super) security: Security,
    pub(super) answers: &'a BTreeMap<u16, Result<Bytes, AttError>>,
}

impl View<'_> {
    pub(super) fn respond(&self, request: &AttPdu<'_>) -> Result<Bytes, Stop> {
        match request {
            AttPdu::FindInformationReq(r) => self.find_information(r),
            AttPdu::FindByTypeValueReq(r) => self.find_by_type_value(r),
            AttPdu::ReadByTypeReq(r) => self.read_by_type(r),
            AttPdu::ReadByGroupTypeReq(r) => self.read_by_group_type(r),
            AttPdu::ReadReq(r) => {
                let value = self.read(r.attribute_handle.0)?;
                Ok(AttPdu::from(ReadRsp { attribute_value: Rest(cut(&value, self.mtu - 1)) }).to_bytes())
            }
            AttPdu::ReadBlobReq(r) => self.read_blob(r.attribute_handle.0, r.value_offset),
            AttPdu::ReadMultipleReq(r) => self.read_multiple(r),
            AttPdu::ReadMultipleVariableReq(r) => self.read_multiple_variable(r),
            _ => Err(Stop::Refuse(0, AttError::RequestNotSupported)),
        }
    }

    /// A value by its handle, where it may be read.
    pub(super) fn read(&self, handle: u16) -> Result<Bytes, Stop> {
        let attribute = self.table.attribute(handle);
        self.value(attribute.ok_or(Stop::Refuse(handle, AttError::InvalidHandle))?)
    }

    /// The value of an attribute, where it may be read.
    pub(super) fn value(&self, attribute: &Attribute) -> Result<Bytes, Stop> {
        let handle = attribute.handle;
        let refuse = |code| Stop::Refuse(handle, code);
        attribute.permissions.read.check(self.security, AttError::ReadNotPermitted).map_err(refuse)?;
        match &attribute.value {
            Value::Stored(value) | Value::Declared(value) => Ok(value.clone()),
            Value::Configuration { .. } => {
                let configuration = self.configurations.get(&handle).copied().unwrap_or(0);
                Ok(Bytes::copy_from_slice(&configuration.to_le_bytes()))
            }
            Value::ClientFeatures => Ok(Bytes::copy_from_slice(&[self.features])),
            Value::Asked => match self.answers.get(&handle) {
                Some(answer) => answer.clone().map_err(refuse),
                None => Err(Stop::Ask(Want::Read { handle })),
            },
        }
    }

    /// A value that is short gets the same answer as a long one; Attribute Not Long would be allowed, no more
    /// ([Vol 3] Part F, 3.4.4.5).
    fn read_blob(&self, handle: u16, offset: u16) -> Result<Bytes, Stop> {
        let value = self.read(handle)?;
        let part = value.get(usize::from(offset)..);
        let part = part.ok_or(Stop::Refuse(handle, AttError::InvalidOffset))?;
        Ok(AttPdu::from(ReadBlobRsp { part_attribute_value: Rest(cut(part, self.mtu - 1)) }).to_bytes())
    }

    fn read_multiple(&self, request: &ReadMultipleReq<'_>) -> Result<Bytes, Stop> {
        let mut set = Vec::new();
        for value in self.values(request.handles)? {
            let room = (self.mtu - 1).saturating_sub(set.len());
            set.extend_from_slice(cut(&value, room));
        }
        Ok(AttPdu::from(ReadMultipleRsp { set_of_values: Rest(&set) }).to_bytes())
    }

    /// What is too long is cut at ATT_MTU, but never in a length, which goes whole or not at all; lengths stay those
    /// of the whole values ([Vol 3] Part F, 3.4.4.12).
    fn read_multiple_variable(&self, request: &ReadMultipleVariableReq<'_>) -> Result<Bytes, Stop> {
        let mut room = self.mtu - 1;
        let values = self.values(request.handles)?;
        let values: Vec<_> = values
            .iter()
            .take_while(|value| {
                let fits = room >= 2;
                room = room.saturating_sub(2 + value.len());
                fits
            })
            .map(|value| LengthValue {
                length: u16::try_from(value.len()).unwrap_or(u16::MAX),
                value: Rest(value),
            })
            .collect();
        let mut response = AttPdu::from(ReadMultipleVariableRsp { values: Tail::new(&values) }).to_bytes();
        response.truncate(self.mtu);
        Ok(response)
    }

    /// The values of a set of two handles or more; the first that cannot be read is the answer.
    fn values(&self, handles: Tail<'_, HexInt<u16>>) -> Result<Vec<Bytes>, Stop> {
        if handles.iter().nth(1).is_none() {
            return Err(Stop::Refuse(0, AttError::InvalidPdu));
        }
        handles.iter().map(|handle| self.read(handle.0)).collect()
    }
}

/// At most so many octets of a value.
pub(super) fn cut(value: &[u8], most: usize) -> &[u8] {
    value.get(..most).unwrap_or(value)
}
