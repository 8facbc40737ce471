//! The GATT client: the table of a peer, its values, and what it sends by itself.

use super::{Hex, UuidText};
use baretooth::{assigned, gatt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to discover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscoverParams {
    /// The link.
    pub connection: u32,
    /// Only these services; all by default.
    pub services: Option<Vec<UuidText>>,
}

/// The table of a peer, or what was asked for of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Discovered {
    /// ATT_MTU.
    pub mtu: u16,
    /// The services.
    pub services: Vec<Service>,
}

/// A service; the line of `gatt --json` too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// What it is.
    pub uuid: UuidText,
    /// Where it begins.
    pub handle: u16,
    /// Its last handle.
    pub end_handle: u16,
    /// Its name in the assigned numbers.
    pub name: Option<String>,
    /// Whether it is a primary service.
    pub primary: bool,
    /// What it includes.
    pub includes: Vec<Include>,
    /// What is in it.
    pub characteristics: Vec<Characteristic>,
}

/// A service that another includes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Include {
    /// Where it says so.
    pub handle: u16,
    /// What is included.
    pub uuid: UuidText,
    /// Where that begins.
    pub service_handle: u16,
    /// Its last handle.
    pub end_handle: u16,
}

/// A characteristic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Characteristic {
    /// What it is.
    pub uuid: UuidText,
    /// Where it is declared.
    pub handle: u16,
    /// Where its value is.
    pub value_handle: u16,
    /// What can be done with it: `broadcast`, `read`, `write-without-response`, `write`, `notify`, `indicate`,
    /// `authenticated-signed-writes`, `extended-properties`.
    pub properties: Vec<String>,
    /// Its name in the assigned numbers.
    pub name: Option<String>,
    /// What its maker calls it, where that was read.
    pub user_description: Option<String>,
    /// What describes it.
    pub descriptors: Vec<Descriptor>,
}

/// A descriptor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Descriptor {
    /// What it is.
    pub uuid: UuidText,
    /// Where it is.
    pub handle: u16,
    /// Its name in the assigned numbers.
    pub name: Option<String>,
}

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeParams {
    /// The link.
    pub connection: u32,
    /// The attribute.
    #[schemars(range(min = 1))]
    pub handle: u16,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadValue {
    /// All of it.
    pub value: Hex,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteParams {
    /// The link.
    pub connection: u32,
    /// The attribute.
    #[schemars(range(min = 1))]
    pub handle: u16,
    /// The value.
    pub value: Hex,
    /// Whether the peer is to answer; it is by default.
    pub response: Option<bool>,
}

/// What to subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribeParams {
    /// The link.
    pub connection: u32,
    /// The value of a characteristic.
    #[schemars(range(min = 1))]
    pub handle: u16,
    /// Indications or notifications; by default notifications if there can be any.
    pub indicate: Option<bool>,
}

/// A subscription that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscribed {
    /// Whether values come as indications.
    pub indication: bool,
}

/// A value that the peer sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notified {
    /// The link.
    pub connection: u32,
    /// The value of the characteristic.
    pub handle: u16,
    /// All of it.
    pub value: Hex,
    /// It is an indication, which the peer is told that we have from now on.
    pub indication: bool,
    /// Values dropped since the one before, because they were not read.
    pub missed: u64,
}

/// The table of a peer is another one: what was discovered between these handles does not hold any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// The link.
    pub connection: u32,
    /// The first handle.
    pub handle: u16,
    /// The last handle.
    pub end_handle: u16,
}

notifications! {
    Notified => "gatt.notification";
    Changed => "gatt.changed";
}

impl From<&gatt::Service> for Service {
    fn from(service: &gatt::Service) -> Self {
        let includes = service.includes.iter().map(|include| Include {
            handle: include.handle,
            uuid: UuidText(include.uuid),
            service_handle: include.service_handle,
            end_handle: include.end_handle,
        });
        Self {
            uuid: UuidText(service.uuid),
            handle: service.handle,
            end_handle: service.end_handle,
            name: assigned::service_name(service.uuid).map(str::to_owned),
            primary: service.primary,
            includes: includes.collect(),
            characteristics: service.characteristics.iter().map(Characteristic::from).collect(),
        }
    }
}

impl From<&gatt::Characteristic> for Characteristic {
    fn from(characteristic: &gatt::Characteristic) -> Self {
        let descriptors = characteristic.descriptors.iter().map(|descriptor| Descriptor {
            uuid: UuidText(descriptor.uuid),
            handle: descriptor.handle,
            name: assigned::descriptor_name(descriptor.uuid).map(str::to_owned),
        });
        Self {
            uuid: UuidText(characteristic.uuid),
            handle: characteristic.handle,
            value_handle: characteristic.value_handle,
            properties: characteristic.properties.names().map(str::to_owned).collect(),
            name: assigned::characteristic_name(characteristic.uuid).map(str::to_owned),
            user_description: characteristic.user_description.as_ref().map(ToString::to_string),
            descriptors: descriptors.collect(),
        }
    }
}
