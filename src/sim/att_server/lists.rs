//! The requests that are answered by a list of attributes ([Vol 3] Part F, 3.4.3 and 3.4.4).

use super::{Attribute, Server, cut, refusal};
use crate::Uuid;
use crate::att::pdu::*;
use crate::att::{AttError, AttPdu};
use crate::codec::{HexInt, Rest, Tail};
use crate::sim::table::is_service;
use bytes::{BufMut, Bytes, BytesMut};

impl Server {
    fn within(&self, (start, end): (u16, u16)) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(move |attribute| (start..=end).contains(&attribute.handle))
    }

    pub(super) fn find_information(&self, range: (u16, u16)) -> Result<Bytes, (u16, AttError)> {
        let mut data = BytesMut::new();
        let mut length = None;
        for attribute in self.within(range) {
            let kind = attribute.uuid.to_wire();
            // One response holds UUIDs of one length.
            let fits = data.len() + 2 + kind.as_ref().len() <= usize::from(self.mtu) - 2;
            if *length.get_or_insert(kind.as_ref().len()) != kind.as_ref().len() || !fits {
                break;
            }
            data.put_u16_le(attribute.handle);
            data.put_slice(kind.as_ref());
        }
        let format = if length.ok_or(refusal(range.0, AttError::AttributeNotFound))? == 2 { 1 } else { 2 };
        Ok(AttPdu::from(FindInformationRsp { format, information_data: Rest(&data) }).to_bytes())
    }

    pub(super) fn find_by_type_value(
        &self,
        range: (u16, u16),
        kind: Uuid,
        value: &[u8],
    ) -> Result<Bytes, (u16, AttError)> {
        let found = self.within(range).filter(|attribute| attribute.uuid == kind && attribute.value == value);
        let handles: Vec<HandlesInformation> = found
            .take((usize::from(self.mtu) - 1) / 4)
            .map(|attribute| HandlesInformation {
                found_attribute_handle: HexInt(attribute.handle),
                group_end_handle: HexInt(self.group_end(attribute)),
            })
            .collect();
        if handles.is_empty() {
            return Err(refusal(range.0, AttError::AttributeNotFound));
        }
        Ok(AttPdu::from(FindByTypeValueRsp { handles: Tail::new(&handles) }).to_bytes())
    }

    pub(super) fn read_by_type(&self, range: (u16, u16), kind: Uuid) -> Result<Bytes, (u16, AttError)> {
        let mut data = BytesMut::new();
        let mut length = None;
        for attribute in self.within(range).filter(|attribute| attribute.uuid == kind) {
            let value = match self.readable(attribute.handle) {
                Ok(value) => cut(value, self.mtu.min(257), 4),
                // An attribute that cannot be read ends the list, or is the answer when it is the first.
                Err(refused) if length.is_none() => return Err(refused),
                Err(_) => break,
            };
            let fits = data.len() + 2 + value.len() <= usize::from(self.mtu) - 2;
            if *length.get_or_insert(value.len()) != value.len() || !fits {
                break;
            }
            data.put_u16_le(attribute.handle);
            data.put_slice(value);
        }
        let length = length.ok_or(refusal(range.0, AttError::AttributeNotFound))?;
        let length = u8::try_from(length + 2).unwrap_or(u8::MAX);
        Ok(AttPdu::from(ReadByTypeRsp { length, attribute_data: Rest(&data) }).to_bytes())
    }

    pub(super) fn read_by_group_type(&self, range: (u16, u16), kind: Uuid) -> Result<Bytes, (u16, AttError)> {
        if !is_service(kind) {
            return Err(refusal(range.0, AttError::UnsupportedGroupType));
        }
        let mut data = BytesMut::new();
        let mut length = None;
        for attribute in self.within(range).filter(|attribute| attribute.uuid == kind) {
            let value = cut(&attribute.value, self.mtu.min(257), 6);
            let fits = data.len() + 4 + value.len() <= usize::from(self.mtu) - 2;
            if *length.get_or_insert(value.len()) != value.len() || !fits {
                break;
            }
            data.put_u16_le(attribute.handle);
            data.put_u16_le(self.group_end(attribute));
            data.put_slice(value);
        }
        let length = length.ok_or(refusal(range.0, AttError::AttributeNotFound))?;
        let length = u8::try_from(length + 4).unwrap_or(u8::MAX);
        Ok(AttPdu::from(ReadByGroupTypeRsp { length, attribute_data: Rest(&data) }).to_bytes())
    }

    pub(super) fn read_multiple_variable(
        &self,
        c: ReadMultipleVariableReq<'_>,
    ) -> Result<Bytes, (u16, AttError)> {
        let mut values = Vec::new();
        let mut room = usize::from(self.mtu) - 1;
        for handle in c.handles.iter() {
            let value = self.readable(handle.0)?;
            let Some(left) = room.checked_sub(2) else { break };
            // The last value may be cut; its length stays that of the whole ([Vol 3] Part F, 3.4.4.12).
            let part = value.get(..left).unwrap_or(value);
            let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
            values.push(LengthValue { length, value: Rest(part) });
            room = left - part.len();
        }
        Ok(AttPdu::from(ReadMultipleVariableRsp { values: Tail::new(&values) }).to_bytes())
    }

    fn group_end(&self, group: &Attribute) -> u16 {
        if !is_service(group.uuid) {
            return group.handle;
        }
        let mut behind = self.attributes.iter().filter(|attribute| attribute.handle > group.handle);
        match behind.find(|attribute| is_service(attribute.uuid)) {
            Some(next) => next.handle - 1,
            // The last group reaches to the last attribute, so that services can be added behind it.
            None => self.attributes.last().map_or(group.handle, |last| last.handle),
        }
    }
}
