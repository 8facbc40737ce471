//! What a client knows of the table, and what it is told when the table changes ([Vol 3] Part G, 2.5.2 and 7).
//!
//! Owns the Database Hash, the client's features and whether it is aware of the table there is. It never compares
//! values: a table has changed when other services, characteristics or descriptors are there, or at other handles.

use super::client::Client;
use super::link::{Output, Server};
use super::table::{Attribute, Table, Value};
use crate::att::{AttError, AttPdu};
use crate::crypto::aes_cmac;
use crate::gatt::{
    CHARACTERISTIC, CLIENT_CHARACTERISTIC_CONFIGURATION, EXTENDED_PROPERTIES, INCLUDE, PRIMARY_SERVICE,
    SECONDARY_SERVICE, USER_DESCRIPTION,
};
use crate::{Uuid, uuid16};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

pub(super) const SERVICE_CHANGED: Uuid = uuid16(0x2A05);
pub(super) const DATABASE_HASH: Uuid = uuid16(0x2B2A);
pub(super) const SERVER_SUPPORTED_FEATURES: Uuid = uuid16(0x2B3A);

/// Bits of Client Supported Features ([Vol 3] Part G, 7.2). The others are reserved: they are neither kept nor judged.
const ROBUST_CACHING: u8 = 0x01;
const MULTIPLE_NOTIFICATIONS: u8 = 0x04;
const KNOWN_FEATURES: u8 = 0x07;

/// Whether a client knows of the table there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Awareness {
    #[default]
    Aware,
    Unaware,
    /// It has read the hash: its next request says that it understood.
    HashRead,
}

/// What a bond keeps of a client ([Vol 3] Part G, 2.5.2.1, 3.3.3.3 and 7.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// What it has configured, by handle of the CCCD.
    pub configurations: BTreeMap<u16, u16>,
    /// The first octet of its Client Supported Features.
    pub features: u8,
    /// The hash of the table that it knows; `None` when that one is gone already.
    pub database_hash: Option<[u8; 16]>,
}

impl Table {
    /// The Database Hash ([Vol 3] Part G, 7.3), least significant octet first, as its characteristic has it. It is
    /// there whether the table has that characteristic or not.
    pub fn hash(&self) -> [u8; 16] {
        self.hash
    }

    /// The handles that a client of the table before must discover anew: from the first service to the last that one
    /// of the two has and the other has not. `None` when a client would find the same.
    pub fn changed_since(&self, before: &Self) -> Option<RangeInclusive<u16>> {
        let only_in = |a: &Self, b: &Self| -> Vec<(u16, u16)> {
            let lost =
                a.services().iter().filter(|&service| b.services().iter().all(|other| other != service));
            lost.map(|service| (service.handle, service.end_handle)).collect()
        };
        let ranges = [only_in(before, self), only_in(self, before)].concat();
        let start = ranges.iter().map(|range| range.0).min()?;
        let end = ranges.iter().map(|range| range.1).max()?;
        Some(start..=end)
    }

    /// Says in Server Supported Features whether there are enhanced bearers ([Vol 3] Part G, 7.4), unless the table has
    /// a value there of its own. A host does so for what it serves.
    pub fn set_enhanced_bearers(&mut self, there: bool) {
        let found = self.services().characteristic(uuid16(0x1801), SERVER_SUPPORTED_FEATURES);
        let Ok(handle) = found.map(|characteristic| characteristic.value_handle) else { return };
        if let Some(Attribute { value: Value::Declared(value), .. }) = self.attribute_mut(handle) {
            *value = Bytes::copy_from_slice(&[u8::from(there)]);
        }
    }

    /// The handle of the value of Service Changed.
    fn service_changed(&self) -> Option<u16> {
        let found = self.services().characteristic(uuid16(0x1801), SERVICE_CHANGED);
        found.ok().map(|characteristic| characteristic.value_handle)
    }
}

impl Client {
    /// The first octet of Client Supported Features, as the client has written it: bit 0 robust caching, bit 1
    /// enhanced bearers, bit 2 multiple notifications.
    pub fn features(&self) -> u8 {
        self.features
    }

    /// What a bond keeps of it.
    pub fn remembered(&self, table: &Table) -> Remembered {
        Remembered {
            configurations: self.configurations.clone(),
            features: self.features,
            database_hash: (self.awareness == Awareness::Aware).then_some(table.hash()),
        }
    }

    /// What a bond has kept of it. It is unaware of a table that came meanwhile.
    pub fn restore(&mut self, table: &Table, remembered: Remembered) {
        let known = remembered.database_hash == Some(table.hash());
        self.configurations = remembered.configurations;
        self.features = remembered.features & KNOWN_FEATURES;
        self.awareness = if known { Awareness::Aware } else { Awareness::Unaware };
    }

    /// Another table has taken the place of the one that this client knew, and differs from it in these handles
    /// ([`Table::changed_since`]). What was configured and prepared there is gone; its bearers are told next, by
    /// [`Server::on_table_changed`].
    pub fn on_table_changed(&mut self, table: &Table, range: RangeInclusive<u16>) {
        self.prepared_before |= !self.prepared.is_empty();
        self.awareness = Awareness::Unaware;
        let its_cccd = table.service_changed().and_then(|handle| table.configuration_of(handle));
        let its_cccd = its_cccd.map(|cccd| cccd.handle);
        self.configurations.retain(|handle, _| Some(*handle) == its_cccd || !range.contains(handle));
    }

    /// Whether nothing but Service Changed may be sent to the client, and no command of it taken. One that does not
    /// say that it supports robust caching is served as if it knew.
    pub(super) fn is_unaware(&self) -> bool {
        self.features & ROBUST_CACHING != 0 && self.awareness != Awareness::Aware
    }

    /// Whether a value may be sent to the client before it is aware.
    pub(super) fn may_send(&self, table: &Table, handle: u16) -> bool {
        !self.is_unaware() || table.service_changed() == Some(handle)
    }

    pub(super) fn takes_multiple_notifications(&self) -> bool {
        self.features & MULTIPLE_NOTIFICATIONS != 0
    }

    /// A client may set bits and not clear them ([Vol 3] Part G, 7.2); octets that are not there are 0.
    pub(super) fn check_features(&self, value: &[u8]) -> Result<u8, AttError> {
        let features = value.first().copied().unwrap_or(0) & KNOWN_FEATURES;
        if self.features & !features == 0 { Ok(features) } else { Err(AttError::ValueNotAllowed) }
    }
}

impl Server {
    /// Another table is there, which the client was told of by [`Client::on_table_changed`]. What waits in the handles in
    /// which it differs is gone; a request that waits for the user is answered Database Out Of Sync.
    pub fn on_table_changed(&mut self, table: &Table, range: RangeInclusive<u16>) -> Vec<Output> {
        let service_changed = table.service_changed();
        self.indications.retain(|(handle, _)| Some(*handle) == service_changed || !range.contains(handle));
        self.told = false;
        self.withdraw()
    }

    /// Indicates Service Changed for these handles, if the client has asked for that; on one of its bearers.
    pub fn indicate_change(
        &mut self,
        table: &Table,
        client: &Client,
        range: RangeInclusive<u16>,
    ) -> Vec<Output> {
        let Some(handle) = table.service_changed().filter(|&handle| client.indicates(table, handle)) else {
            return Vec::new();
        };
        // Indications of Service Changed that wait become one with this one.
        let (mut start, mut end) = range.into_inner();
        self.indications.retain(|(waiting, value)| {
            if *waiting == handle
                && let [a, b, c, d] = value[..]
            {
                start = start.min(u16::from_le_bytes([a, b]));
                end = end.max(u16::from_le_bytes([c, d]));
                return false;
            }
            true
        });
        let value = Bytes::from([start, end].map(u16::to_le_bytes).concat());
        if self.unconfirmed.is_none() {
            return vec![Output::Send(self.indication(handle, &value))];
        }
        self.indications.push_front((handle, value));
        Vec::new()
    }

    /// The client has confirmed a value. That of Service Changed makes one with a single bearer aware, unless the table
    /// has changed again.
    pub(super) fn on_confirmed(&mut self, table: &Table, client: &mut Client, handle: u16) {
        let service_changed = table.service_changed() == Some(handle);
        let last = self.indications.iter().all(|(waiting, _)| *waiting != handle);
        if service_changed && last && client.has_one_bearer() {
            client.awareness = Awareness::Aware;
        }
    }

    /// The handle for which a request is answered Database Out Of Sync, and that once on each bearer. The next one makes
    /// the client aware if this is its only bearer, or it has read the hash ([Vol 3] Part G, 2.5.2.1).
    pub(super) fn out_of_sync(
        &mut self,
        table: &Table,
        client: &mut Client,
        request: &AttPdu<'_>,
    ) -> Option<u16> {
        let answered = match client.awareness {
            Awareness::Aware => return None,
            Awareness::HashRead => true,
            Awareness::Unaware => self.told && client.has_one_bearer(),
        };
        if answered {
            client.awareness = Awareness::Aware;
        } else if reads_hash(table, request) {
            client.awareness = Awareness::HashRead;
        } else if !self.told {
            let handle = operates_on(request).filter(|_| client.features & ROBUST_CACHING != 0)?;
            self.told = true;
            return Some(handle);
        }
        None
    }
}

/// The handle at which a request would do something, for those that a client without the right table must not make.
fn operates_on(request: &AttPdu<'_>) -> Option<u16> {
    match request {
        AttPdu::ReadReq(r) => Some(r.attribute_handle.0),
        AttPdu::ReadBlobReq(r) => Some(r.attribute_handle.0),
        AttPdu::ReadMultipleReq(r) => r.handles.iter().next().map(|handle| handle.0),
        AttPdu::ReadMultipleVariableReq(r) => r.handles.iter().next().map(|handle| handle.0),
        AttPdu::WriteReq(r) => Some(r.attribute_handle.0),
        AttPdu::PrepareWriteReq(r) => Some(r.attribute_handle.0),
        AttPdu::ReadByTypeReq(r) => {
            let declares = |uuid: &Uuid| [INCLUDE, CHARACTERISTIC].contains(uuid);
            let discovers = Uuid::from_wire(r.attribute_type.0).as_ref().is_some_and(declares);
            let everywhere = (r.starting_handle.0, r.ending_handle.0) == (1, 0xFFFF);
            (!discovers && !everywhere).then_some(r.starting_handle.0)
        }
        _ => None,
    }
}

fn reads_hash(table: &Table, request: &AttPdu<'_>) -> bool {
    let AttPdu::ReadByTypeReq(request) = request else { return false };
    let everywhere = (request.starting_handle.0, request.ending_handle.0) == (1, 0xFFFF);
    everywhere
        && Uuid::from_wire(request.attribute_type.0) == Some(DATABASE_HASH)
        && table.within(1, 0xFFFF).any(|attribute| attribute.uuid == DATABASE_HASH)
}

/// Handle and type of everything that discovery finds but values, and what declarations say ([Vol 3] Part G, 7.3.1).
pub(super) fn database_hash(attributes: &[Attribute]) -> [u8; 16] {
    const WITH_VALUE: [Uuid; 5] =
        [PRIMARY_SERVICE, SECONDARY_SERVICE, INCLUDE, CHARACTERISTIC, EXTENDED_PROPERTIES];
    const WITHOUT: [Uuid; 5] = [
        USER_DESCRIPTION,
        CLIENT_CHARACTERISTIC_CONFIGURATION,
        uuid16(0x2903),
        uuid16(0x2904),
        uuid16(0x2905),
    ];
    let mut message = Vec::new();
    for attribute in attributes {
        let value: &[u8] = match &attribute.value {
            _ if WITHOUT.contains(&attribute.uuid) => &[],
            Value::Stored(value) | Value::Declared(value) if WITH_VALUE.contains(&attribute.uuid) => value,
            _ => continue,
        };
        message.extend(attribute.handle.to_le_bytes());
        message.extend_from_slice(&attribute.uuid.to_wire());
        message.extend_from_slice(value);
    }
    let mut hash = aes_cmac(&[0; 16], &message);
    hash.reverse();
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gatt::server::Permissions;

    /// The table of [Vol 3] Part G, Appendix B, whose values the hash does not have.
    #[test]
    fn the_example_of_the_specification_has_its_hash() {
        let attribute = |(handle, uuid, value): (u16, u16, &'static [u8])| Attribute {
            handle,
            uuid: uuid16(uuid),
            value: Value::Declared(Bytes::from_static(value)),
            permissions: Permissions::READ_ONLY,
            max_length: 512,
            group_end: handle,
        };
        let attributes = [
            (0x01, 0x2800, &[0x00, 0x18][..]),
            (0x02, 0x2803, &[0x0A, 0x03, 0x00, 0x00, 0x2A]),
            (0x03, 0x2A00, b"a name"),
            (0x04, 0x2803, &[0x02, 0x05, 0x00, 0x01, 0x2A]),
            (0x05, 0x2A01, &[0, 0]),
            (0x06, 0x2800, &[0x01, 0x18]),
            (0x07, 0x2803, &[0x20, 0x08, 0x00, 0x05, 0x2A]),
            (0x08, 0x2A05, &[]),
            (0x09, 0x2902, &[]),
            (0x0A, 0x2803, &[0x0A, 0x0B, 0x00, 0x29, 0x2B]),
            (0x0B, 0x2B29, &[1]),
            (0x0C, 0x2803, &[0x02, 0x0D, 0x00, 0x2A, 0x2B]),
            (0x0D, 0x2B2A, &[0; 16]),
            (0x0E, 0x2800, &[0x08, 0x18]),
            (0x0F, 0x2802, &[0x14, 0x00, 0x16, 0x00, 0x0F, 0x18]),
            (0x10, 0x2803, &[0xA2, 0x11, 0x00, 0x18, 0x2A]),
            (0x11, 0x2A18, b"a value"),
            (0x12, 0x2902, &[2, 0]),
            (0x13, 0x2900, &[0, 0]),
            (0x14, 0x2801, &[0x0F, 0x18]),
            (0x15, 0x2803, &[0x02, 0x16, 0x00, 0x19, 0x2A]),
            (0x16, 0x2A19, &[99]),
        ];
        let mut hash = database_hash(&attributes.map(attribute));
        hash.reverse();
        assert_eq!(u128::from_be_bytes(hash), 0xF1CA_2D48_ECF5_8BAC_8A88_30BB_B9FB_A990);
    }
}
