//! Services, characteristics and descriptors as a user declares them, before they have handles.

use super::access::{Access, Permissions};
use super::builder::ServiceId;
use crate::Uuid;
use crate::att::MAX_VALUE_LENGTH;
use crate::gatt::{Properties, USER_DESCRIPTION};
use bytes::Bytes;

/// Characteristic Presentation Format descriptor.
pub(super) const PRESENTATION_FORMAT: Uuid = Uuid::from_u16(0x2904);

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The table has it.
    Stored(Bytes),
    /// The user is asked at every access.
    Asked,
    /// The table has it, and nobody changes it.
    Declared(Bytes),
    /// Each client has its own Client Supported Features.
    ClientFeatures,
}

/// A service to be served ([Vol 3] Part G, 3.1).
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) uuid: Uuid,
    pub(super) primary: bool,
    pub(super) at: Option<u16>,
    pub(super) includes: Vec<ServiceId>,
    pub(super) characteristics: Vec<Characteristic>,
}

impl Service {
    /// A service that stands for itself.
    pub fn primary(uuid: Uuid) -> Self {
        Self { uuid, primary: true, at: None, includes: Vec::new(), characteristics: Vec::new() }
    }

    /// A service that is there to be included.
    pub fn secondary(uuid: Uuid) -> Self {
        Self { primary: false, ..Self::primary(uuid) }
    }

    /// The handle of its declaration; without one it is the next that is free.
    #[must_use]
    pub fn at(self, handle: u16) -> Self {
        Self { at: Some(handle), ..self }
    }

    /// Refers to a service that was declared before; so no service can include itself, whatever lies between.
    #[must_use]
    pub fn include(mut self, service: ServiceId) -> Self {
        self.includes.push(service);
        self
    }

    /// Puts a characteristic behind those it has.
    #[must_use]
    pub fn characteristic(mut self, characteristic: Characteristic) -> Self {
        self.characteristics.push(characteristic);
        self
    }
}

/// A characteristic to be served ([Vol 3] Part G, 3.3). What may be done with it is said once: the property of its
/// declaration and the permission of its value come from the same call.
#[derive(Clone, Debug)]
pub struct Characteristic {
    pub(super) uuid: Uuid,
    pub(super) at: Option<u16>,
    pub(super) properties: Properties,
    pub(super) extended: u16,
    pub(super) permissions: Permissions,
    pub(super) subscription: Access,
    pub(super) source: Source,
    pub(super) max_length: usize,
    pub(super) descriptors: Vec<Descriptor>,
}

impl Characteristic {
    /// A characteristic with an empty stored value, with which nothing may be done yet.
    pub fn new(uuid: Uuid) -> Self {
        Self {
            uuid,
            at: None,
            properties: Properties(0),
            extended: 0,
            permissions: Permissions::NONE,
            subscription: Access::OPEN,
            source: Source::Stored(Bytes::new()),
            max_length: MAX_VALUE_LENGTH,
            descriptors: Vec::new(),
        }
    }

    /// The handle of its declaration; its value stands right behind. Without one it is the next that is free.
    #[must_use]
    pub fn at(self, handle: u16) -> Self {
        Self { at: Some(handle), ..self }
    }

    /// Its value, which the table keeps: reads are answered from there and writes change it.
    #[must_use]
    pub fn value(self, value: impl Into<Bytes>) -> Self {
        Self { source: Source::Stored(value.into()), ..self }
    }

    pub(super) fn source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// Its value is with the user, who is asked at every read and offered what is written.
    #[must_use]
    pub fn asked(self) -> Self {
        Self { source: Source::Asked, ..self }
    }

    /// The longest value that may be written, in octets; 512 unless told.
    #[must_use]
    pub fn max_length(self, octets: usize) -> Self {
        Self { max_length: octets, ..self }
    }

    /// It may be read.
    #[must_use]
    pub fn read(mut self, access: Access) -> Self {
        self.permissions.read = access;
        self.with(Properties::READ)
    }

    /// It may be written with an answer.
    #[must_use]
    pub fn write(mut self, access: Access) -> Self {
        self.permissions.write = access;
        self.with(Properties::WRITE)
    }

    /// It may be written without an answer.
    #[must_use]
    pub fn write_without_response(mut self, access: Access) -> Self {
        self.permissions.write_without_response = access;
        self.with(Properties::WRITE_WITHOUT_RESPONSE)
    }

    /// It may be written without an answer and without encryption, by a client that signs.
    #[must_use]
    pub fn signed_write(mut self, access: Access) -> Self {
        self.permissions.signed_write = access;
        self.with(Properties::AUTHENTICATED_SIGNED_WRITES)
    }

    /// It can be notified; its CCCD comes by itself.
    #[must_use]
    pub fn notify(self) -> Self {
        self.with(Properties::NOTIFY)
    }

    /// It can be indicated; its CCCD comes by itself.
    #[must_use]
    pub fn indicate(self) -> Self {
        self.with(Properties::INDICATE)
    }

    /// What it takes to subscribe, and for values to be sent; open unless told.
    #[must_use]
    pub fn subscription(self, access: Access) -> Self {
        Self { subscription: access, ..self }
    }

    /// It can be put into advertising data; its Server Characteristic Configuration descriptor comes by itself.
    #[must_use]
    pub fn broadcast(self) -> Self {
        self.with(Properties::BROADCAST)
    }

    /// It takes part in reliable writes; its Extended Properties descriptor comes by itself.
    #[must_use]
    pub fn reliable_write(mut self) -> Self {
        self.extended |= 0x0001;
        self.with(Properties::EXTENDED_PROPERTIES)
    }

    /// Its name for people.
    #[must_use]
    pub fn user_description(self, text: &str) -> Self {
        self.descriptor(Descriptor::new(USER_DESCRIPTION).value(text.to_owned()).read(Access::OPEN))
    }

    /// Its name for people, which a client may change; its Extended Properties descriptor comes by itself.
    #[must_use]
    pub fn writable_user_description(mut self, text: &str, access: Access) -> Self {
        self.extended |= 0x0002;
        self.with(Properties::EXTENDED_PROPERTIES).descriptor(
            Descriptor::new(USER_DESCRIPTION).value(text.to_owned()).read(Access::OPEN).write(access),
        )
    }

    /// What its value means. Of several, each is a part of the value, and the Aggregate Format descriptor comes by
    /// itself ([Vol 3] Part G, 3.3.3.6).
    #[must_use]
    pub fn presentation_format(self, format: PresentationFormat) -> Self {
        let octets = Bytes::copy_from_slice(&format.to_octets());
        self.descriptor(Descriptor::new(PRESENTATION_FORMAT).value(octets).read(Access::OPEN))
    }

    /// Puts a descriptor behind those it has.
    #[must_use]
    pub fn descriptor(mut self, descriptor: Descriptor) -> Self {
        self.descriptors.push(descriptor);
        self
    }

    fn with(self, property: Properties) -> Self {
        Self { properties: self.properties | property, ..self }
    }
}

/// A descriptor to be served ([Vol 3] Part G, 3.3.3).
#[derive(Clone, Debug)]
pub struct Descriptor {
    pub(super) uuid: Uuid,
    pub(super) at: Option<u16>,
    pub(super) permissions: Permissions,
    pub(super) source: Source,
    pub(super) max_length: usize,
}

impl Descriptor {
    /// A descriptor with an empty stored value, with which nothing may be done yet.
    pub fn new(uuid: Uuid) -> Self {
        Self {
            uuid,
            at: None,
            permissions: Permissions::NONE,
            source: Source::Stored(Bytes::new()),
            max_length: MAX_VALUE_LENGTH,
        }
    }

    /// Its handle; without one it is the next that is free.
    #[must_use]
    pub fn at(self, handle: u16) -> Self {
        Self { at: Some(handle), ..self }
    }

    /// Its value, which the table keeps.
    #[must_use]
    pub fn value(self, value: impl Into<Bytes>) -> Self {
        Self { source: Source::Stored(value.into()), ..self }
    }

    /// Its value is with the user, as of [`Characteristic::asked`].
    #[must_use]
    pub fn asked(self) -> Self {
        Self { source: Source::Asked, ..self }
    }

    /// The longest value that may be written, in octets; 512 unless told.
    #[must_use]
    pub fn max_length(self, octets: usize) -> Self {
        Self { max_length: octets, ..self }
    }

    /// It may be read.
    #[must_use]
    pub fn read(mut self, access: Access) -> Self {
        self.permissions.read = access;
        self
    }

    /// It may be written.
    #[must_use]
    pub fn write(mut self, access: Access) -> Self {
        self.permissions.write = access;
        self
    }
}

/// The value of a Characteristic Presentation Format descriptor ([Vol 3] Part G, 3.3.3.5), all of it assigned numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentationFormat {
    /// Type of the value, as 0x04 for an unsigned octet.
    pub format: u8,
    /// The value is to be multiplied by ten to this power.
    pub exponent: i8,
    /// UUID of the unit, as 0x27AD for percent.
    pub unit: u16,
    /// Whose `description` it is; 1 is the Bluetooth SIG.
    pub name_space: u8,
    /// What is described, as «front»; 0 is unknown.
    pub description: u16,
}

impl PresentationFormat {
    fn to_octets(self) -> [u8; 7] {
        let [unit, description] = [self.unit, self.description].map(u16::to_le_bytes);
        let [exponent] = self.exponent.to_le_bytes();
        [self.format, exponent, unit[0], unit[1], self.name_space, description[0], description[1]]
    }
}
