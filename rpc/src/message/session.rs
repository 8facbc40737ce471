//! Session: what there is, and the end of it.

use super::{AddressText, AddressType};
use baretooth::hci::ControllerInfo;
use baretooth::{Adapter, assigned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the controller says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// Our identity address: the controller's public one, or else the random static one.
    pub address: AddressText,
    /// Its type.
    pub address_type: AddressType,
    /// Our random static address.
    pub random_address: AddressText,
    /// The company that made the controller, by its assigned number.
    pub manufacturer: u16,
    /// The name of that company, where it has one.
    pub manufacturer_name: Option<String>,
    /// The version of HCI, as in the assigned numbers of the core versions.
    pub hci_version: u8,
    /// The LE features, by their names.
    pub features: Vec<String>,
    /// The buffers for ACL data.
    pub acl: Acl,
}

/// What the controller holds of ACL data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acl {
    /// Octets of data in a packet.
    pub length: u16,
    /// Packets.
    pub count: u16,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ready {
    /// The version of the protocol.
    pub protocol: u32,
    /// The version of the program.
    pub version: String,
    /// What `info` gives.
    #[serde(flatten)]
    pub info: Info,
}

/// The last line, when the adapter is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Closed {
    /// Why, for people.
    pub reason: String,
}

/// Which request to cancel. A notification of the client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// The id of the request.
    pub id: crate::wire::Id,
}

notifications! {
    Ready => "ready";
    Closed => "closed";
}

impl Info {
    /// Of this adapter.
    pub fn of(adapter: &Adapter) -> Self {
        let controller: &ControllerInfo = adapter.controller();
        let identity = controller.public_address.unwrap_or(controller.random_address);
        Self {
            address: AddressText(identity.bd_addr),
            address_type: identity.kind.into(),
            random_address: AddressText(controller.random_address.bd_addr),
            manufacturer: controller.company_identifier,
            manufacturer_name: assigned::company_name(controller.company_identifier).map(str::to_owned),
            hci_version: controller.hci_version,
            features: controller.features.names().map(str::to_owned).collect(),
            acl: Acl { length: controller.acl_length, count: controller.acl_count },
        }
    }
}
