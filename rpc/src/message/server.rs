//! The GATT server: our own table, and what clients do with it.

use super::gatt::Service;
use super::{Hex, UuidText};
use baretooth::gatt::Services;
use baretooth::gatt::server::{self, Access, BuildError, Table};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The services to serve from now on, behind the GAP and GATT services, which come by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServeParams {
    /// In the order of their handles.
    pub services: Vec<ServiceParams>,
}

/// A service to be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceParams {
    /// What it is.
    pub uuid: UuidText,
    /// The handle of its declaration; by default the next that is free.
    pub handle: Option<u16>,
    /// Whether it stands for itself; true by default.
    pub primary: Option<bool>,
    /// What it has.
    pub characteristics: Option<Vec<CharacteristicParams>>,
}

/// A characteristic to be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CharacteristicParams {
    /// What it is.
    pub uuid: UuidText,
    /// The handle of its declaration; its value stands right behind. By default the next that is free.
    pub handle: Option<u16>,
    /// What may be done with it. The descriptors that follow from it come by themselves.
    pub properties: Option<Vec<Property>>,
    /// What that takes; open by default.
    pub permissions: Option<Permissions>,
    /// Its value, which the table keeps; empty by default.
    pub value: Option<Hex>,
    /// Whether the client is asked at every read and offered what is written, in place of a value; false by default.
    pub ask: Option<bool>,
    /// What describes it.
    pub descriptors: Option<Vec<DescriptorParams>>,
}

/// A descriptor to be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DescriptorParams {
    /// What it is.
    pub uuid: UuidText,
    /// Its handle; by default the next that is free.
    pub handle: Option<u16>,
    /// Who may do what with it; by default everybody may read and nobody write.
    pub permissions: Option<Permissions>,
    /// Its value, which the table keeps; empty by default.
    pub value: Option<Hex>,
    /// As of a characteristic.
    pub ask: Option<bool>,
}

/// What may be done with a characteristic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// Its value may be put into advertising data.
    Broadcast,
    /// It is read.
    Read,
    /// It is written without an answer.
    WriteWithoutResponse,
    /// It is written.
    Write,
    /// It is notified.
    Notify,
    /// It is indicated.
    Indicate,
    /// It is written without an answer, by a client that signs.
    AuthenticatedSignedWrites,
    /// It takes part in reliable writes.
    ExtendedProperties,
}

/// Who may do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// Read.
    pub read: Option<Permission>,
    /// Write, in whatever way.
    pub write: Option<Permission>,
    /// Subscribe, and be sent values.
    pub subscribe: Option<Permission>,
}

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Nobody.
    None,
    /// Everybody.
    Open,
    /// Whoever is on an encrypted link.
    Encrypted,
    /// Whoever is on a link whose key was exchanged with protection against a man in the middle.
    Authenticated,
}

/// What is served: the services that were asked for, with the handles that they have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Served {
    /// In the order of their handles, as `gatt.discover` gives those of a peer.
    pub services: Vec<Service>,
}

/// Another value for the table to keep. Nobody is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerValueParams {
    /// Whose.
    pub handle: u16,
    /// The value.
    pub value: Hex,
}

/// A value for one subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerNotifyParams {
    /// The link of the subscriber.
    pub connection: u32,
    /// The handle of the characteristic's value.
    pub handle: u16,
    /// The value.
    pub value: Hex,
    /// Whether the subscriber has to confirm it; false by default.
    pub indication: Option<bool>,
}

/// The answer to a `server.read` or `server.write`. One without value and error takes what is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerReplyParams {
    /// Which.
    pub request: u32,
    /// The whole value that is read, at most 512 octets.
    pub value: Option<Hex>,
    /// The error of ATT to refuse with.
    #[schemars(range(min = 1))]
    pub error: Option<u8>,
}

/// A client reads a value that is asked for, and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerRead {
    /// Its link.
    pub connection: u32,
    /// The attribute.
    pub handle: u16,
    /// Where it begins to read. It is asked for the whole value all the same.
    pub offset: u16,
    /// What `server.reply` answers, within 10 s.
    pub request: u32,
}

/// A client writes. Of several parts of one write each is told, with one request for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerWrite {
    /// Its link.
    pub connection: u32,
    /// The attribute.
    pub handle: u16,
    /// Where the octets begin; they end the value.
    pub offset: u16,
    /// The octets.
    pub value: Hex,
    /// What `server.reply` answers, within 10 s; null where it is done already.
    pub request: Option<u32>,
    /// Lines of `server.write` and `server.subscribed` that were left out since the last of these, for want of room.
    pub missed: u64,
}

/// A client has subscribed, or with neither of both: unsubscribed. A link that goes down ends its subscriptions unsaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerSubscribed {
    /// Its link.
    pub connection: u32,
    /// The handle of the characteristic's value.
    pub handle: u16,
    /// By notifications.
    pub notifications: bool,
    /// By indications.
    pub indications: bool,
    /// As of `server.write`.
    pub missed: u64,
}

notifications! {
    ServerRead => "server.read";
    ServerWrite => "server.write";
    ServerSubscribed => "server.subscribed";
}

impl ServeParams {
    /// The table, of a device with this name.
    ///
    /// # Errors
    /// What does not fit.
    pub fn table(self, name: &str) -> Result<Table, BuildError> {
        let services = self.services.into_iter().map(ServiceParams::declared);
        services.fold(Table::builder(name), server::TableBuilder::service).build()
    }
}

impl ServiceParams {
    fn declared(self) -> server::Service {
        let service = match self.primary {
            Some(false) => server::Service::secondary(self.uuid.0),
            _ => server::Service::primary(self.uuid.0),
        };
        let service = match self.handle {
            Some(handle) => service.at(handle),
            None => service,
        };
        let characteristics = self.characteristics.unwrap_or_default().into_iter();
        characteristics.map(CharacteristicParams::declared).fold(service, server::Service::characteristic)
    }
}

impl CharacteristicParams {
    fn declared(self) -> server::Characteristic {
        let mut characteristic = server::Characteristic::new(self.uuid.0);
        if let Some(handle) = self.handle {
            characteristic = characteristic.at(handle);
        }
        characteristic = match self.ask {
            Some(true) => characteristic.asked(),
            _ => characteristic.value(self.value.unwrap_or_default().0),
        };
        let Permissions { read, write, subscribe } = self.permissions.unwrap_or_default();
        let [read, write, subscribe] =
            [read, write, subscribe].map(|who| who.map_or(Access::OPEN, Access::from));
        characteristic = characteristic.subscription(subscribe);
        for property in self.properties.unwrap_or_default() {
            characteristic = match property {
                Property::Broadcast => characteristic.broadcast(),
                Property::Read => characteristic.read(read),
                Property::WriteWithoutResponse => characteristic.write_without_response(write),
                Property::Write => characteristic.write(write),
                Property::Notify => characteristic.notify(),
                Property::Indicate => characteristic.indicate(),
                Property::AuthenticatedSignedWrites => characteristic.signed_write(write),
                Property::ExtendedProperties => characteristic.reliable_write(),
            };
        }
        let descriptors = self.descriptors.unwrap_or_default().into_iter();
        descriptors.map(DescriptorParams::declared).fold(characteristic, server::Characteristic::descriptor)
    }
}

impl DescriptorParams {
    fn declared(self) -> server::Descriptor {
        let mut descriptor = server::Descriptor::new(self.uuid.0);
        if let Some(handle) = self.handle {
            descriptor = descriptor.at(handle);
        }
        let Permissions { read, write, .. } = self.permissions.unwrap_or_default();
        descriptor = descriptor.read(read.map_or(Access::OPEN, Access::from));
        descriptor = descriptor.write(write.map_or(Access::NONE, Access::from));
        match self.ask {
            Some(true) => descriptor.asked(),
            _ => descriptor.value(self.value.unwrap_or_default().0),
        }
    }
}

impl From<Permission> for Access {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::None => Self::NONE,
            Permission::Open => Self::OPEN,
            Permission::Encrypted => Self::ENCRYPTED,
            Permission::Authenticated => Self::AUTHENTICATED,
        }
    }
}

impl Served {
    /// What stands behind the services that come by themselves.
    pub(crate) fn of(services: &Services) -> Self {
        let asked = services.iter().filter(|service| !matches!(service.uuid.as_u16(), Some(0x1800 | 0x1801)));
        let mut services: Vec<_> = asked.map(Service::from).collect();
        services.sort_by_key(|service| service.handle);
        Self { services }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn table(services: &str) -> Result<Table, BuildError> {
        let params = format!("{{\"services\":{services}}}");
        serde_json::from_str::<ServeParams>(&params).expect(&params).table("judge")
    }

    #[test]
    fn what_is_served_has_the_handles_asked_for_or_the_next() {
        let uuid = "\"0000180f-0000-1000-8000-00805f9b34fb\"";
        let level = "\"00002a19-0000-1000-8000-00805f9b34fb\"";
        let services = format!(
            r#"[{{"uuid":{uuid},"handle":32,"characteristics":[
                {{"uuid":{level},"properties":["notify","read"],"value":"5a","descriptors":[
                    {{"uuid":"00002901-0000-1000-8000-00805f9b34fb","value":"61"}}]}}]}}]"#
        );
        let table = table(&services).expect("it fits");
        let served = Served::of(table.services()).services;
        let [service] = &served[..] else { panic!("{served:?}") };
        let [level] = &service.characteristics[..] else { panic!("{service:?}") };
        assert_eq!((service.handle, service.end_handle, service.primary), (32, 36, true));
        assert_eq!((level.handle, level.value_handle), (33, 34));
        assert_eq!(level.properties, ["read", "notify"]);
        assert_eq!(level.descriptors.iter().map(|it| it.handle).collect::<Vec<_>>(), [35, 36], "CCCD first");
        assert_eq!(table.value(34), Some(&Bytes::from_static(&[0x5A])));
    }

    #[test]
    fn a_handle_that_is_taken_is_refused() {
        let uuid = "\"0000180f-0000-1000-8000-00805f9b34fb\"";
        let refused = table(&format!(r#"[{{"uuid":{uuid},"handle":1}}]"#)).expect_err("GAP stands there");
        assert!(matches!(refused, BuildError::HandleTaken { handle: 1, .. }), "{refused}");
    }
}
