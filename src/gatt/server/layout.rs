//! Gives declarations their handles, and the attributes and descriptors that come by themselves.

use super::access::Permissions;
use super::builder::{BuildError, ServiceId};
use super::declaration::{Characteristic, Descriptor, PRESENTATION_FORMAT, Service, Source};
use super::table::{Attribute, Value};
use crate::att::MAX_VALUE_LENGTH;
use crate::gatt::{
    self, CHARACTERISTIC, CLIENT_CHARACTERISTIC_CONFIGURATION, EXTENDED_PROPERTIES, ExtendedProperties,
    INCLUDE, Include, PRIMARY_SERVICE, Properties, SECONDARY_SERVICE, USER_DESCRIPTION,
};
use crate::{Uuid, uuid16};
use bytes::Bytes;

/// Server Characteristic Configuration and Aggregate Format descriptors.
const SERVER_CHARACTERISTIC_CONFIGURATION: Uuid = uuid16(0x2903);
const AGGREGATE_FORMAT: Uuid = uuid16(0x2905);

/// The attributes so far.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) attributes: Vec<Attribute>,
}

impl Layout {
    /// The lowest handle that is free; 0x10000 when none is.
    fn next(&self) -> u32 {
        self.attributes.last().map_or(1, |last| u32::from(last.handle) + 1)
    }

    /// `before` are the services with lower handles, in the order of their declaration.
    pub(super) fn service(
        &mut self,
        service: Service,
        before: &[gatt::Service],
    ) -> Result<gatt::Service, BuildError> {
        let (uuid, needed, before_it) = (service.uuid, count(&service), self.attributes.len());
        let free = 0x1_0000_usize.saturating_sub(
            service.at.map_or_else(|| self.next().try_into().unwrap_or(usize::MAX), usize::from),
        );
        let full = || BuildError::NoHandlesLeft { service: uuid, needed, free };
        let kind = if service.primary { PRIMARY_SERVICE } else { SECONDARY_SERVICE };
        let handle = self.declare(service.at, kind, uuid.to_wire().to_vec(), uuid, full)?;
        let mut includes = Vec::new();
        for ServiceId(id) in service.includes {
            let included = before.get(id).ok_or(BuildError::IncludeUnknown { service: uuid })?;
            let mut value = [included.handle, included.end_handle].map(u16::to_le_bytes).concat();
            value.extend(included.uuid.as_u16().iter().flat_map(|short| short.to_le_bytes()));
            let handle = self.declare(None, INCLUDE, value, uuid, full)?;
            includes.push(Include {
                handle,
                uuid: included.uuid,
                service_handle: included.handle,
                end_handle: included.end_handle,
            });
        }
        let mut characteristics: Vec<gatt::Characteristic> = Vec::new();
        for characteristic in service.characteristics {
            let laid_out = self.characteristic(characteristic, (handle, uuid), full)?;
            // A characteristic reaches to the next one, whatever handles were left out.
            if let Some(last) = characteristics.last_mut() {
                last.end_handle = laid_out.handle - 1;
            }
            characteristics.push(laid_out);
        }
        let end_handle = self.attributes.last().map_or(handle, |last| last.handle);
        for attribute in self.attributes.iter_mut().skip(before_it) {
            let group = characteristics.iter().find(|c| c.handle == attribute.handle).map(|c| c.end_handle);
            let group = if attribute.handle == handle { Some(end_handle) } else { group };
            attribute.group_end = group.unwrap_or(attribute.handle);
        }
        Ok(gatt::Service {
            uuid,
            handle,
            end_handle,
            primary: service.primary,
            includes: includes.into(),
            characteristics: characteristics.into(),
        })
    }

    fn characteristic(
        &mut self,
        c: Characteristic,
        (service_handle, service_uuid): (u16, Uuid),
        full: impl Fn() -> BuildError + Copy,
    ) -> Result<gatt::Characteristic, BuildError> {
        check_descriptors(&c)?;
        let handle = self.declare(c.at, CHARACTERISTIC, Vec::new(), c.uuid, full)?;
        let value_handle = handle.checked_add(1).ok_or_else(full)?;
        let declaration = [&[c.properties.0][..], &value_handle.to_le_bytes(), &c.uuid.to_wire()].concat();
        if let Some(last) = self.attributes.last_mut() {
            last.value = Value::Declared(declaration.into());
        }
        let value = self.value(c.uuid, c.source, c.max_length)?;
        self.push(None, c.uuid, value, c.permissions, c.max_length, full)?;

        let mut descriptors = Vec::new();
        let mut put = |handle, uuid| descriptors.push(gatt::Descriptor { uuid, handle });
        if c.extended != 0 {
            let bits = c.extended.to_le_bytes().to_vec();
            put(self.declare(None, EXTENDED_PROPERTIES, bits, c.uuid, full)?, EXTENDED_PROPERTIES);
        }
        let bit = |property, bit| if c.properties.contains(property) { bit } else { 0 };
        let allowed = bit(Properties::NOTIFY, 1) | bit(Properties::INDICATE, 2);
        let writable = Permissions { write: c.subscription, ..Permissions::READ_ONLY };
        if allowed != 0 {
            let value = Value::Configuration { of: value_handle, allowed };
            let uuid = CLIENT_CHARACTERISTIC_CONFIGURATION;
            put(self.push(None, uuid, value, writable, 2, full)?, uuid);
        }
        if c.properties.contains(Properties::BROADCAST) {
            let uuid = SERVER_CHARACTERISTIC_CONFIGURATION;
            let value = Value::Stored(Bytes::from_static(&[0, 0]));
            put(self.push(None, uuid, value, writable, 2, full)?, uuid);
        }
        let mut user_description = None;
        let mut formats = Vec::new();
        for Descriptor { uuid, at, permissions, source, max_length } in c.descriptors {
            if let (USER_DESCRIPTION, Source::Stored(text)) = (uuid, &source) {
                user_description = Some(String::from_utf8_lossy(text).into());
            }
            let value = self.value(uuid, source, max_length)?;
            let handle = self.push(at, uuid, value, permissions, max_length, full)?;
            if uuid == PRESENTATION_FORMAT {
                formats.extend(handle.to_le_bytes());
            }
            put(handle, uuid);
        }
        if formats.len() > 2 {
            put(self.declare(None, AGGREGATE_FORMAT, formats, c.uuid, full)?, AGGREGATE_FORMAT);
        }
        Ok(gatt::Characteristic {
            uuid: c.uuid,
            handle,
            value_handle,
            end_handle: self.attributes.last().map_or(value_handle, |last| last.handle),
            properties: c.properties,
            extended_properties: (c.extended != 0).then_some(ExtendedProperties(c.extended)),
            user_description,
            descriptors: descriptors.into(),
            service_handle,
            service_uuid,
        })
    }

    fn value(&self, uuid: Uuid, source: Source, max_length: usize) -> Result<Value, BuildError> {
        let too_long = |length, limit| BuildError::ValueTooLong { uuid, length, limit };
        match source {
            _ if max_length > MAX_VALUE_LENGTH => Err(too_long(max_length, MAX_VALUE_LENGTH)),
            Source::Stored(value) if value.len() > max_length => Err(too_long(value.len(), max_length)),
            Source::Stored(value) => Ok(Value::Stored(value)),
            Source::Asked => Ok(Value::Asked),
            Source::Declared(value) => Ok(Value::Declared(value)),
            Source::ClientFeatures => Ok(Value::ClientFeatures),
        }
    }

    /// An attribute that everybody may read and nobody may write; `of` is what it says something about.
    fn declare(
        &mut self,
        at: Option<u16>,
        kind: Uuid,
        value: Vec<u8>,
        of: Uuid,
        full: impl Fn() -> BuildError,
    ) -> Result<u16, BuildError> {
        let length = value.len();
        if length > MAX_VALUE_LENGTH {
            return Err(BuildError::ValueTooLong { uuid: kind, length, limit: MAX_VALUE_LENGTH });
        }
        self.push(at, kind, Value::Declared(value.into()), Permissions::READ_ONLY, MAX_VALUE_LENGTH, full)
            .map_err(|error| match error {
                BuildError::HandleTaken { handle, next, .. } => {
                    BuildError::HandleTaken { uuid: of, handle, next }
                }
                other => other,
            })
    }

    fn push(
        &mut self,
        at: Option<u16>,
        uuid: Uuid,
        value: Value,
        permissions: Permissions,
        max_length: usize,
        full: impl Fn() -> BuildError,
    ) -> Result<u16, BuildError> {
        let next = self.next();
        let handle = match at {
            Some(handle) if u32::from(handle) < next => {
                return Err(BuildError::HandleTaken { uuid, handle, next });
            }
            Some(handle) => handle,
            None => u16::try_from(next).map_err(|_| full())?,
        };
        self.attributes.push(Attribute { handle, uuid, value, permissions, max_length, group_end: handle });
        Ok(handle)
    }
}

/// How many attributes a service becomes.
fn count(service: &Service) -> usize {
    let of = |c: &Characteristic| {
        let formats = c.descriptors.iter().filter(|d| d.uuid == PRESENTATION_FORMAT).count();
        let configured = c.properties.0 & (Properties::NOTIFY | Properties::INDICATE).0 != 0;
        let broadcast = c.properties.contains(Properties::BROADCAST);
        let automatic = [c.extended != 0, configured, broadcast, formats > 1];
        2 + c.descriptors.len() + automatic.into_iter().filter(|&there| there).count()
    };
    1 + service.includes.len() + service.characteristics.iter().map(of).sum::<usize>()
}

fn check_descriptors(c: &Characteristic) -> Result<(), BuildError> {
    const AUTOMATIC: [Uuid; 4] = [
        EXTENDED_PROPERTIES,
        CLIENT_CHARACTERISTIC_CONFIGURATION,
        SERVER_CHARACTERISTIC_CONFIGURATION,
        AGGREGATE_FORMAT,
    ];
    let characteristic = c.uuid;
    if let Some(found) = c.descriptors.iter().find(|d| AUTOMATIC.contains(&d.uuid)) {
        return Err(BuildError::DescriptorAutomatic { characteristic, descriptor: found.uuid });
    }
    if c.descriptors.iter().filter(|d| d.uuid == USER_DESCRIPTION).count() > 1 {
        return Err(BuildError::DescriptorTwice { characteristic, descriptor: USER_DESCRIPTION });
    }
    Ok(())
}
