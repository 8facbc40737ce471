//! An ATT server ([Vol 3] Part F) with a table of attributes: the peer that hosts are tested against.
//!
//! Owns its table and what one client has asked of it. It shares the PDU codec with the host and nothing more.

mod lists;

use super::table::{CHARACTERISTIC, CLIENT_CONFIGURATION, is_service};
use crate::Uuid;
use crate::att::pdu::*;
use crate::att::{AttError, AttOpcode, AttPdu, DEFAULT_MTU, MAX_VALUE_LENGTH};
use crate::codec::{HexInt, Rest};
use bytes::Bytes;
use std::collections::VecDeque;

/// What a client may do with an attribute's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Read requests.
    pub read: bool,
    /// Write requests, prepared writes included.
    pub write: bool,
    /// Write commands.
    pub write_command: bool,
    /// All of it on an encrypted link only.
    pub encrypted: bool,
    /// All of it on a link only that is encrypted with a key from an authenticated pairing.
    pub authenticated: bool,
    /// Octets that the key of the encryption must have at least; 0 for any link.
    pub key_size: u8,
}

/// How the link of a server's client is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// What goes over it is encrypted.
    pub encrypted: bool,
    /// The key comes from a pairing that nobody in the middle can have taken part in.
    pub authenticated: bool,
    /// Octets of the key; 0 while nothing is encrypted.
    pub key_size: u8,
    /// There is a key for the client, whether it is in use or not.
    pub bonded: bool,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its handle, never 0.
    pub handle: u16,
    /// Its type.
    pub uuid: Uuid,
    /// Its value now.
    pub value: Vec<u8>,
    /// What a client may do.
    pub permissions: Permissions,
    /// The longest value that a client may write, in octets.
    pub max_length: usize,
    /// The answer to every request for its value, when it is to fail.
    pub error: Option<AttError>,
}

/// A table of attributes and the state of its one client.
#[derive(Clone, Debug)]
pub struct Server {
    attributes: Vec<Attribute>,
    own_mtu: u16,
    mtu: u16,
    security: Security,
    prepared: Vec<(u16, u16, Vec<u8>)>,
    /// Values to indicate; the first is on its way while `awaits_confirmation`.
    indications: VecDeque<(u16, Bytes)>,
    awaits_confirmation: bool,
    written: VecDeque<(u16, Bytes)>,
    out: VecDeque<Bytes>,
}

/// Values prepared before an execute write.
const PREPARED: usize = 64;
/// Values waiting to be indicated.
const INDICATIONS: usize = 64;

impl Default for Server {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Server {
    /// A server of these attributes, which stand by ascending handle; it takes an ATT_MTU of 517.
    pub fn new(mut attributes: Vec<Attribute>) -> Self {
        attributes.sort_by_key(|attribute| attribute.handle);
        Self {
            attributes,
            own_mtu: 517,
            mtu: DEFAULT_MTU,
            security: Security::default(),
            prepared: Vec::new(),
            indications: VecDeque::new(),
            awaits_confirmation: false,
            written: VecDeque::new(),
            out: VecDeque::new(),
        }
    }

    /// The same server with another ATT_MTU of its own.
    #[must_use]
    pub fn with_mtu(self, own_mtu: u16) -> Self {
        Self { own_mtu: own_mtu.max(DEFAULT_MTU), ..self }
    }

    /// The whole table, by ascending handle.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Handle of the first attribute of this type: of a characteristic's UUID, its value.
    pub fn find(&self, uuid: Uuid) -> Option<u16> {
        self.attributes.iter().find(|attribute| attribute.uuid == uuid).map(|attribute| attribute.handle)
    }

    /// One attribute, to look at.
    pub fn attribute(&self, handle: u16) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.handle == handle)
    }

    /// One attribute, to change.
    pub fn attribute_mut(&mut self, handle: u16) -> Option<&mut Attribute> {
        self.attributes.iter_mut().find(|attribute| attribute.handle == handle)
    }

    /// Sets a value; nothing happens when there is no such handle.
    pub fn set_value(&mut self, handle: u16, value: impl Into<Vec<u8>>) {
        if let Some(attribute) = self.attribute_mut(handle) {
            attribute.value = value.into();
        }
    }

    /// Whether the client has asked for notifications of the characteristic with this value handle.
    pub fn notifies(&self, handle: u16) -> bool {
        self.configuration(handle) & 1 != 0
    }

    /// Whether the client has asked for indications of it.
    pub fn indicates(&self, handle: u16) -> bool {
        self.configuration(handle) & 2 != 0
    }

    /// Sends the value as a notification, cut to the MTU, when the client has asked for it.
    pub fn notify(&mut self, handle: u16, value: &[u8]) {
        if self.notifies(handle) {
            let value = cut(value, self.mtu, 3);
            let pdu = HandleValueNtf { attribute_handle: HexInt(handle), attribute_value: Rest(value) };
            self.out.push_back(AttPdu::from(pdu).to_bytes());
        }
    }

    /// Sends the value as an indication when the client has asked for it, behind those not confirmed yet.
    pub fn indicate(&mut self, handle: u16, value: &[u8]) {
        if self.indicates(handle) && self.indications.len() < INDICATIONS {
            self.indications.push_back((handle, Bytes::copy_from_slice(value)));
            self.next_indication();
        }
    }

    /// ATT_MTU of the link, as agreed.
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// How the link is secured.
    pub fn security(&self) -> Security {
        self.security
    }

    pub(super) fn set_security(&mut self, security: Security) {
        self.security = security;
    }

    /// Values of the configuration descriptors, by handle.
    pub(super) fn configurations(&self) -> Vec<(u16, Vec<u8>)> {
        let descriptors = self.attributes.iter().filter(|attribute| attribute.uuid == CLIENT_CONFIGURATION);
        descriptors.map(|attribute| (attribute.handle, attribute.value.clone())).collect()
    }

    /// The client is one that has left these values of the descriptors.
    pub(super) fn configure(&mut self, configurations: &[(u16, Vec<u8>)]) {
        for (handle, value) in configurations {
            self.set_value(*handle, value.clone());
        }
    }

    /// Forgets its client; nobody is bonded, so the configurations are as at first.
    pub(super) fn disconnected(&mut self) {
        for attribute in &mut self.attributes {
            if attribute.uuid == CLIENT_CONFIGURATION {
                attribute.value = vec![0, 0];
            }
        }
        self.mtu = DEFAULT_MTU;
        self.security = Security::default();
        self.prepared.clear();
        self.indications.clear();
        self.awaits_confirmation = false;
        self.written.clear();
        self.out.clear();
    }

    pub(super) fn poll_pdu(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    pub(super) fn poll_written(&mut self) -> Option<(u16, Bytes)> {
        self.written.pop_front()
    }

    /// The configuration descriptor behind a value, before the next characteristic begins.
    fn configuration(&self, handle: u16) -> u8 {
        let behind = self.attributes.iter().filter(|attribute| attribute.handle > handle);
        behind
            .take_while(|attribute| attribute.uuid != CHARACTERISTIC && !is_service(attribute.uuid))
            .find(|attribute| attribute.uuid == CLIENT_CONFIGURATION)
            .and_then(|attribute| attribute.value.first().copied())
            .unwrap_or(0)
    }

    fn next_indication(&mut self) {
        if self.awaits_confirmation {
            return;
        }
        if let Some((handle, value)) = self.indications.pop_front() {
            let value = cut(&value, self.mtu, 3);
            let pdu = HandleValueInd { attribute_handle: HexInt(handle), attribute_value: Rest(value) };
            self.out.push_back(AttPdu::from(pdu).to_bytes());
            self.awaits_confirmation = true;
        }
    }

    /// A PDU of the client; what there is to say comes from [`poll_pdu`](Self::poll_pdu).
    pub(super) fn handle_pdu(&mut self, octets: &[u8]) {
        let Some(&code) = octets.first() else { return };
        let opcode = AttOpcode(code);
        let result = match AttPdu::from_octets(octets) {
            Ok(AttPdu::HandleValueCfm(_)) => {
                self.awaits_confirmation = false;
                return self.next_indication();
            }
            Ok(AttPdu::WriteCmd(c)) => return self.write_command(c),
            _ if opcode.kind() != PduKind::Request => return,
            Ok(request) => self.answer(request),
            Err(_) => Err(refusal(0, AttError::InvalidPdu)),
        };
        let pdu = result.unwrap_or_else(|(attribute_handle, error_code)| {
            let attribute_handle = HexInt(attribute_handle);
            AttPdu::from(ErrorRsp { req_opcode: opcode, attribute_handle, error_code }).to_bytes()
        });
        self.out.push_back(pdu);
    }

    fn answer(&mut self, request: AttPdu<'_>) -> Result<Bytes, (u16, AttError)> {
        Ok(match request {
            AttPdu::ExchangeMtuReq(c) => {
                self.mtu = c.client_rx_mtu.min(self.own_mtu).max(DEFAULT_MTU);
                AttPdu::from(ExchangeMtuRsp { server_rx_mtu: self.own_mtu }).to_bytes()
            }
            AttPdu::FindInformationReq(c) => {
                self.find_information(range(c.starting_handle, c.ending_handle)?)?
            }
            AttPdu::FindByTypeValueReq(c) => {
                let range = range(c.starting_handle, c.ending_handle)?;
                self.find_by_type_value(range, Uuid::from_u16(c.attribute_type.0), c.attribute_value.0)?
            }
            AttPdu::ReadByTypeReq(c) => {
                let range = range(c.starting_handle, c.ending_handle)?;
                let kind = attribute_type(c.attribute_type.0)?;
                self.read_by_type(range, kind)?
            }
            AttPdu::ReadByGroupTypeReq(c) => {
                let range = range(c.starting_handle, c.ending_handle)?;
                let kind = attribute_type(c.attribute_group_type.0)?;
                self.read_by_group_type(range, kind)?
            }
            AttPdu::ReadReq(c) => {
                let value = cut(self.readable(c.attribute_handle.0)?, self.mtu, 1);
                AttPdu::from(ReadRsp { attribute_value: Rest(value) }).to_bytes()
            }
            AttPdu::ReadBlobReq(c) => {
                let value = self.readable(c.attribute_handle.0)?;
                let part = value.get(usize::from(c.value_offset)..);
                let part = part.ok_or(refusal(c.attribute_handle.0, AttError::InvalidOffset))?;
                AttPdu::from(ReadBlobRsp { part_attribute_value: Rest(cut(part, self.mtu, 1)) }).to_bytes()
            }
            AttPdu::ReadMultipleReq(c) => {
                let mut set = Vec::new();
                for handle in c.handles.iter() {
                    set.extend_from_slice(self.readable(handle.0)?);
                }
                AttPdu::from(ReadMultipleRsp { set_of_values: Rest(cut(&set, self.mtu, 1)) }).to_bytes()
            }
            AttPdu::ReadMultipleVariableReq(c) => self.read_multiple_variable(c)?,
            AttPdu::WriteReq(c) => {
                let handle = c.attribute_handle.0;
                self.writable(handle, |permissions| permissions.write)?;
                self.write(handle, c.attribute_value.0.to_vec())?;
                AttPdu::from(WriteRsp {}).to_bytes()
            }
            AttPdu::PrepareWriteReq(c) => self.prepare_write(c)?,
            AttPdu::ExecuteWriteReq(c) => self.execute_write(c.flags)?,
            _ => return Err(refusal(0, AttError::RequestNotSupported)),
        })
    }

    /// A value, when it may be read.
    fn readable(&self, handle: u16) -> Result<&[u8], (u16, AttError)> {
        let attribute = self.permitted(handle)?;
        if !attribute.permissions.read {
            return Err(refusal(handle, AttError::ReadNotPermitted));
        }
        Ok(&attribute.value)
    }

    fn writable(&self, handle: u16, permits: impl Fn(Permissions) -> bool) -> Result<(), (u16, AttError)> {
        let attribute = self.permitted(handle)?;
        if permits(attribute.permissions) {
            Ok(())
        } else {
            Err(refusal(handle, AttError::WriteNotPermitted))
        }
    }

    fn permitted(&self, handle: u16) -> Result<&Attribute, (u16, AttError)> {
        let attribute = self.attribute(handle).ok_or(refusal(handle, AttError::InvalidHandle))?;
        match attribute.error.or(self.security.lacks(attribute.permissions)) {
            Some(error) => Err(refusal(handle, error)),
            None => Ok(attribute),
        }
    }

    fn write(&mut self, handle: u16, value: Vec<u8>) -> Result<(), (u16, AttError)> {
        let attribute = self.attribute_mut(handle).ok_or(refusal(handle, AttError::InvalidHandle))?;
        let configures = attribute.uuid == CLIENT_CONFIGURATION;
        if value.len() > attribute.max_length || configures && value.len() != 2 {
            return Err(refusal(handle, AttError::InvalidAttributeValueLength));
        }
        attribute.value.clone_from(&value);
        if !configures {
            self.written.push_back((handle, value.into()));
        }
        Ok(())
    }

    /// Commands that cannot be carried out are ignored ([Vol 3] Part F, 3.4.5.3).
    fn write_command(&mut self, c: WriteCmd<'_>) {
        let handle = c.attribute_handle.0;
        if self.writable(handle, |permissions| permissions.write_command).is_ok() {
            let _ = self.write(handle, c.attribute_value.0.to_vec());
        }
    }

    fn prepare_write(&mut self, c: PrepareWriteReq<'_>) -> Result<Bytes, (u16, AttError)> {
        let handle = c.attribute_handle.0;
        self.writable(handle, |permissions| permissions.write)?;
        if self.prepared.len() >= PREPARED {
            return Err(refusal(handle, AttError::PrepareQueueFull));
        }
        let (offset, part) = (c.value_offset, c.part_attribute_value);
        self.prepared.push((handle, offset, part.0.to_vec()));
        let echo = PrepareWriteRsp {
            attribute_handle: c.attribute_handle,
            value_offset: offset,
            part_attribute_value: part,
        };
        Ok(AttPdu::from(echo).to_bytes())
    }

    /// All prepared values or none ([Vol 3] Part F, 3.4.6.3).
    fn execute_write(&mut self, flags: u8) -> Result<Bytes, (u16, AttError)> {
        let prepared = std::mem::take(&mut self.prepared);
        if flags == 1 {
            let mut values: Vec<(u16, Vec<u8>)> = Vec::new();
            for (handle, offset, part) in prepared {
                let known = values.iter().position(|(other, _)| *other == handle);
                let place = known.unwrap_or_else(|| {
                    values.push((handle, Vec::new()));
                    values.len() - 1
                });
                let value = &mut values[place].1;
                if usize::from(offset) > value.len() {
                    return Err(refusal(handle, AttError::InvalidOffset));
                }
                value.truncate(usize::from(offset));
                value.extend_from_slice(&part);
                let most = self.attribute(handle).map_or(0, |attribute| attribute.max_length);
                if value.len() > most {
                    return Err(refusal(handle, AttError::InvalidAttributeValueLength));
                }
            }
            for (handle, value) in values {
                self.write(handle, value)?;
            }
        }
        Ok(AttPdu::from(ExecuteWriteRsp {}).to_bytes())
    }
}

impl Security {
    /// Why an attribute with such permissions is kept from the client ([Vol 3] Part C, 10.3.1).
    fn lacks(self, permissions: Permissions) -> Option<AttError> {
        let Permissions { encrypted, authenticated, key_size, .. } = permissions;
        if !self.encrypted && (encrypted || authenticated || key_size > 0) {
            let keyed = self.bonded;
            Some(if keyed { AttError::InsufficientEncryption } else { AttError::InsufficientAuthentication })
        } else if authenticated && !self.authenticated {
            Some(AttError::InsufficientAuthentication)
        } else if key_size > self.key_size {
            Some(AttError::EncryptionKeySizeTooShort)
        } else {
            None
        }
    }
}

impl Attribute {
    /// An attribute that can be read and nothing else.
    pub fn new(handle: u16, uuid: Uuid, value: impl Into<Vec<u8>>) -> Self {
        let permissions = Permissions { read: true, ..Permissions::default() };
        Self { handle, uuid, value: value.into(), permissions, max_length: MAX_VALUE_LENGTH, error: None }
    }
}

fn refusal(handle: u16, error: AttError) -> (u16, AttError) {
    (handle, error)
}

/// As much of a value as fits behind `header` octets of a PDU.
fn cut(value: &[u8], mtu: u16, header: usize) -> &[u8] {
    value.get(..usize::from(mtu) - header).unwrap_or(value)
}

fn range(start: HexInt<u16>, end: HexInt<u16>) -> Result<(u16, u16), (u16, AttError)> {
    if start.0 == 0 || start.0 > end.0 {
        return Err(refusal(start.0, AttError::InvalidHandle));
    }
    Ok((start.0, end.0))
}

/// The attribute type of a request: two or sixteen octets ([Vol 3] Part F, 3.2.1).
fn attribute_type(octets: &[u8]) -> Result<Uuid, (u16, AttError)> {
    let allowed = matches!(octets.len(), 2 | 16);
    Uuid::from_wire(octets).filter(|_| allowed).ok_or(refusal(0, AttError::InvalidPdu))
}

#[cfg(test)]
mod tests;
