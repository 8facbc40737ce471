//! The requests that are answered by a list of attributes ([Vol 3] Part F, 3.4.3, 3.4.4.1 and 3.4.4.9).

use super::link::Stop;
use super::read::{View, cut};
use crate::Uuid;
use crate::att::pdu::{
    FindByTypeValueReq, FindByTypeValueRsp, FindInformationReq, FindInformationRsp, HandlesInformation,
    ReadByGroupTypeReq, ReadByGroupTypeRsp, ReadByTypeReq, ReadByTypeRsp,
};
use crate::att::{AttError, AttPdu};
use crate::codec::{HexInt, Rest, Tail};
use crate::gatt::{PRIMARY_SERVICE, SECONDARY_SERVICE};
use bytes::{BufMut, Bytes, BytesMut};

impl View<'_> {
    pub(super) fn find_information(&self, request: &FindInformationReq) -> Result<Bytes, Stop> {
        let (start, end) = range(request.starting_handle, request.ending_handle)?;
        let mut list = List::new(self.mtu);
        for attribute in self.table.within(start, end) {
            if !list.push(&[attribute.handle], &attribute.uuid.to_wire()) {
                break;
            }
        }
        let (length, data) = list.finish(start)?;
        let format = if length == 4 { 1 } else { 2 };
        Ok(AttPdu::from(FindInformationRsp { format, information_data: Rest(&data) }).to_bytes())
    }

    /// A value that the client may not read, or that the user would have to be asked for, is equal to nothing.
    pub(super) fn find_by_type_value(&self, request: &FindByTypeValueReq<'_>) -> Result<Bytes, Stop> {
        let (start, end) = range(request.starting_handle, request.ending_handle)?;
        let kind = Uuid::from_u16(request.attribute_type.0);
        let wanted = request.attribute_value.0;
        let handles: Vec<_> = self
            .table
            .within(start, end)
            .filter(|attribute| attribute.uuid == kind)
            .filter(|attribute| self.value(attribute).is_ok_and(|value| value == wanted))
            .take((self.mtu - 1) / 4)
            .map(|attribute| HandlesInformation {
                found_attribute_handle: HexInt(attribute.handle),
                group_end_handle: HexInt(attribute.group_end),
            })
            .collect();
        if handles.is_empty() {
            return Err(Stop::Refuse(start, AttError::AttributeNotFound));
        }
        Ok(AttPdu::from(FindByTypeValueRsp { handles: Tail::new(&handles) }).to_bytes())
    }

    pub(super) fn read_by_type(&self, request: &ReadByTypeReq<'_>) -> Result<Bytes, Stop> {
        let kind = attribute_type(request.attribute_type)?;
        let (start, end) = range(request.starting_handle, request.ending_handle)?;
        let mut list = List::new(self.mtu);
        for attribute in self.table.within(start, end).filter(|attribute| attribute.uuid == kind) {
            let value = match self.value(attribute) {
                Ok(value) => value,
                // An attribute that cannot be read ends the list, and is the answer when it is the first.
                Err(Stop::Refuse(..)) if !list.is_empty() => break,
                Err(stop) => return Err(stop),
            };
            // The length of an entry is an octet.
            if !list.push(&[attribute.handle], cut(&value, (self.mtu - 4).min(253))) {
                break;
            }
        }
        let (length, data) = list.finish(start)?;
        Ok(AttPdu::from(ReadByTypeRsp { length, attribute_data: Rest(&data) }).to_bytes())
    }

    /// The groups that can be read are services ([Vol 3] Part G, 2.5.3).
    pub(super) fn read_by_group_type(&self, request: &ReadByGroupTypeReq<'_>) -> Result<Bytes, Stop> {
        let kind = attribute_type(request.attribute_group_type)?;
        let (start, end) = range(request.starting_handle, request.ending_handle)?;
        if ![PRIMARY_SERVICE, SECONDARY_SERVICE].contains(&kind) {
            return Err(Stop::Refuse(start, AttError::UnsupportedGroupType));
        }
        let mut list = List::new(self.mtu);
        for attribute in self.table.within(start, end).filter(|attribute| attribute.uuid == kind) {
            let value = self.value(attribute)?;
            if !list.push(&[attribute.handle, attribute.group_end], cut(&value, (self.mtu - 6).min(251))) {
                break;
            }
        }
        let (length, data) = list.finish(start)?;
        Ok(AttPdu::from(ReadByGroupTypeRsp { length, attribute_data: Rest(&data) }).to_bytes())
    }
}

/// Entries of one length behind two octets, up to ATT_MTU.
struct List {
    data: BytesMut,
    length: usize,
    room: usize,
}

impl List {
    fn new(mtu: usize) -> Self {
        Self { data: BytesMut::new(), length: 0, room: mtu - 2 }
    }

    fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Whether the entry could be put; no further one is tried behind one that could not.
    fn push(&mut self, handles: &[u16], value: &[u8]) -> bool {
        let length = 2 * handles.len() + value.len();
        let differs = !self.is_empty() && length != self.length;
        if differs || self.data.len() + length > self.room {
            return false;
        }
        self.length = length;
        handles.iter().for_each(|handle| self.data.put_u16_le(*handle));
        self.data.put_slice(value);
        true
    }

    /// The length of each entry, and all of them; a list without any is Attribute Not Found.
    fn finish(self, start: u16) -> Result<(u8, BytesMut), Stop> {
        match u8::try_from(self.length) {
            Ok(length) if length > 0 => Ok((length, self.data)),
            _ => Err(Stop::Refuse(start, AttError::AttributeNotFound)),
        }
    }
}

fn range(start: HexInt<u16>, end: HexInt<u16>) -> Result<(u16, u16), Stop> {
    let (start, end) = (start.0, end.0);
    if start == 0 || start > end {
        Err(Stop::Refuse(start, AttError::InvalidHandle))
    } else {
        Ok((start, end))
    }
}

/// The type that octets name: 2 or 16 of them ([Vol 3] Part F, 3.2.1).
fn attribute_type(octets: Rest<'_>) -> Result<Uuid, Stop> {
    let uuid = Uuid::from_wire(octets.0).filter(|_| octets.0.len() != 4);
    uuid.ok_or(Stop::Refuse(0, AttError::InvalidPdu))
}
