//! Gathers declarations into a table, or says what does not fit.

use super::access::Access;
use super::caching::{DATABASE_HASH, SERVER_SUPPORTED_FEATURES, SERVICE_CHANGED};
use super::declaration::{Characteristic, Service, Source};
use super::layout::Layout;
use super::table::Table;
use crate::gatt::{self, CLIENT_SUPPORTED_FEATURES, Services};
use crate::{Uuid, uuid16};
use bytes::Bytes;

/// Longest Device Name, in octets ([Vol 3] Part C, 12.1).
pub(crate) const DEVICE_NAME_LENGTH: usize = 248;

/// A service of a [`TableBuilder`], to be included by those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceId(pub(super) usize);

/// Gathers services; their handles ascend in the order of declaration.
#[derive(Clone, Debug, Default)]
pub struct TableBuilder {
    services: Vec<Service>,
}

/// Why declarations make no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The handles end at 0xFFFF.
    #[error("service {} does not fit: it has {needed} attributes, and {free} handles are left", .service.short())]
    NoHandlesLeft {
        /// The service that does not fit.
        service: Uuid,
        /// How many attributes it has.
        needed: usize,
        /// How many handles are left for it.
        free: usize,
    },
    /// A handle was asked for that lies below what was declared before, or is 0.
    #[error("{} cannot stand at handle 0x{handle:04X}: the next free one is 0x{next:04X}", .uuid.short())]
    HandleTaken {
        /// What was to stand there.
        uuid: Uuid,
        /// The handle asked for.
        handle: u16,
        /// The lowest that is possible.
        next: u32,
    },
    /// A value, or its limit, is longer than it may be.
    #[error("the value of {} does not fit: {length} octets, and it takes {limit}", .uuid.short())]
    ValueTooLong {
        /// Whose value.
        uuid: Uuid,
        /// Octets given.
        length: usize,
        /// Octets that there is room for.
        limit: usize,
    },
    /// A service is included that was not declared before.
    #[error("service {} includes one that is not declared before it", .service.short())]
    IncludeUnknown {
        /// The service that includes.
        service: Uuid,
    },
    /// A descriptor stands twice in a characteristic that can have one.
    #[error("characteristic {} has descriptor {} twice", .characteristic.short(), .descriptor.short())]
    DescriptorTwice {
        /// The characteristic.
        characteristic: Uuid,
        /// The descriptor.
        descriptor: Uuid,
    },
    /// A descriptor was declared that comes by itself.
    #[error("characteristic {} cannot declare descriptor {}: it comes by itself", .characteristic.short(), .descriptor.short())]
    DescriptorAutomatic {
        /// The characteristic.
        characteristic: Uuid,
        /// The descriptor.
        descriptor: Uuid,
    },
}

impl TableBuilder {
    /// A builder that begins with the GAP service (Device Name, Appearance «unknown») and the GATT service (Service
    /// Changed, Client Supported Features, Database Hash, Server Supported Features).
    pub fn new(device_name: &str) -> Self {
        Self::with_appearance(device_name, 0)
    }

    /// The same with an appearance ([`assigned`](crate::assigned) has their names).
    pub fn with_appearance(device_name: &str, appearance: u16) -> Self {
        let mut builder = Self::bare();
        let name = Characteristic::new(uuid16(0x2A00)).value(device_name.to_owned()).read(Access::OPEN);
        let appearance = Bytes::copy_from_slice(&appearance.to_le_bytes());
        builder.add(
            Service::primary(uuid16(0x1800))
                .characteristic(name.max_length(DEVICE_NAME_LENGTH))
                .characteristic(Characteristic::new(uuid16(0x2A01)).value(appearance).read(Access::OPEN)),
        );
        builder.add(generic_attribute());
        builder
    }

    /// A builder without any service, not even those that every server owes its clients.
    pub fn bare() -> Self {
        Self::default()
    }

    /// Puts a service behind those there are.
    pub fn add(&mut self, service: Service) -> ServiceId {
        self.services.push(service);
        ServiceId(self.services.len() - 1)
    }

    /// Puts a service behind those there are, for one expression.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.add(service);
        self
    }

    /// Gives every attribute its handle.
    ///
    /// # Errors
    /// What does not fit, and by how much.
    pub fn build(self) -> Result<Table, BuildError> {
        let mut layout = Layout::default();
        let mut services: Vec<gatt::Service> = Vec::new();
        for service in self.services {
            let service = layout.service(service, &services)?;
            services.push(service);
        }
        // The order of discovery; the sort is stable.
        services.sort_by_key(|service| !service.primary);
        Ok(Table::new(layout.attributes, Services::new(services)))
    }
}

/// The GATT service ([Vol 3] Part G, 7).
fn generic_attribute() -> Service {
    let hash = Source::Declared(Bytes::from_static(&[0; 16]));
    // No enhanced bearers, until whoever serves the table says otherwise.
    let features = Source::Declared(Bytes::from_static(&[0]));
    let client = Characteristic::new(CLIENT_SUPPORTED_FEATURES).source(Source::ClientFeatures);
    Service::primary(uuid16(0x1801))
        .characteristic(Characteristic::new(SERVICE_CHANGED).indicate())
        .characteristic(client.read(Access::OPEN).write(Access::OPEN))
        .characteristic(Characteristic::new(DATABASE_HASH).source(hash).read(Access::OPEN))
        .characteristic(Characteristic::new(SERVER_SUPPORTED_FEATURES).source(features).read(Access::OPEN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gatt::server::{Descriptor, PresentationFormat, SetValueError};

    const LONG: Uuid = Uuid::from_u128(0x6E40_0001_B5A3_F393_E0A9_E50E_24DC_CA9E);

    fn types(table: &Table) -> Vec<(u16, u16)> {
        table.within(1, 0xFFFF).map(|a| (a.handle, a.uuid.as_u16().unwrap_or(0))).collect()
    }

    fn value(table: &Table, handle: u16) -> &[u8] {
        table.value(handle).expect("a stored value")
    }

    #[test]
    fn gap_and_gatt_come_first_and_have_what_clients_look_for() {
        let table = TableBuilder::with_appearance("thermometer", 0x0300).build().expect("fits");
        assert_eq!(
            types(&table),
            [
                (1, 0x2800),
                (2, 0x2803),
                (3, 0x2A00),
                (4, 0x2803),
                (5, 0x2A01),
                (6, 0x2800),
                (7, 0x2803),
                (8, 0x2A05),
                (9, 0x2902),
                (10, 0x2803),
                (11, 0x2B29),
                (12, 0x2803),
                (13, 0x2B2A),
                (14, 0x2803),
                (15, 0x2B3A)
            ]
        );
        assert_eq!((value(&table, 3), value(&table, 5)), (&b"thermometer"[..], &[0, 3][..]));
        assert_eq!(value(&table, 2), [0x02, 3, 0, 0x00, 0x2A], "properties, value handle, UUID");
        assert_eq!(value(&table, 7), [0x20, 8, 0, 0x05, 0x2A], "Service Changed is indicated and not read");
        assert_eq!(value(&table, 10)[0], 0x0A, "Client Supported Features are read and written");
        assert_eq!((value(&table, 12)[0], value(&table, 13)), (0x02, &table.hash()[..]));
        // As Bumble computes it over the same declarations.
        let hash = 0x1F9C_3BA2_56EA_42B0_0CA6_D2BF_61A4_31A3_u128;
        assert_eq!(table.hash(), hash.to_be_bytes());
    }

    #[test]
    fn descriptors_come_by_themselves_in_their_place() {
        let format =
            PresentationFormat { format: 4, exponent: -1, unit: 0x27AD, name_space: 1, description: 0 };
        let characteristic = Characteristic::new(LONG)
            .notify()
            .broadcast()
            .reliable_write()
            .writable_user_description("charge", Access::OPEN)
            .presentation_format(format)
            .presentation_format(format);
        let table = TableBuilder::bare()
            .service(Service::primary(LONG).characteristic(characteristic))
            .build()
            .expect("fits");
        let expected = [
            (1, 0x2800),
            (2, 0x2803),
            (3, 0),
            (4, 0x2900),
            (5, 0x2902),
            (6, 0x2903),
            (7, 0x2901),
            (8, 0x2904),
            (9, 0x2904),
            (10, 0x2905),
        ];
        assert_eq!(types(&table), expected);
        assert_eq!(value(&table, 2)[0], 0x91, "broadcast, notify, extended properties");
        assert_eq!(value(&table, 4), [3, 0]);
        assert_eq!(value(&table, 8), [4, 0xFF, 0xAD, 0x27, 1, 0, 0]);
        assert_eq!(value(&table, 10), [8, 0, 9, 0]);
    }

    #[test]
    fn an_include_names_the_service_and_its_uuid_only_if_short() {
        let mut builder = TableBuilder::bare();
        let long = builder.add(Service::secondary(LONG).characteristic(Characteristic::new(LONG)));
        let short = builder.add(Service::secondary(uuid16(0x180F)).include(long));
        builder.add(Service::primary(LONG).include(short).include(long).at(0x20));
        let table = builder.build().expect("fits");
        assert_eq!(value(&table, 0x21), [4, 0, 5, 0, 0x0F, 0x18]);
        assert_eq!(value(&table, 0x22), [1, 0, 3, 0]);
        let services: Vec<_> = table.services().iter().map(|s| (s.handle, s.end_handle, s.primary)).collect();
        assert_eq!(services, [(0x20, 0x22, true), (1, 3, false), (4, 5, false)], "primary ones first");
    }

    #[test]
    fn handles_can_be_chosen_upwards_only() {
        let at = |service: u16, characteristic: u16, descriptor: u16| {
            let descriptor = Descriptor::new(LONG).at(descriptor);
            let characteristic = Characteristic::new(LONG).at(characteristic).descriptor(descriptor);
            TableBuilder::bare()
                .service(Service::primary(LONG).at(service).characteristic(characteristic))
                .build()
        };
        let table = at(0x10, 0x20, 0xFFFF).expect("ascending");
        let handles: Vec<_> = table.within(1, 0xFFFF).map(|a| (a.handle, a.group_end)).collect();
        assert_eq!(handles, [(0x10, 0xFFFF), (0x20, 0xFFFF), (0x21, 0x21), (0xFFFF, 0xFFFF)]);
        let taken = |handle, next| Err(BuildError::HandleTaken { uuid: LONG, handle, next });
        assert_eq!(at(0, 1, 3).map(|_| ()), taken(0, 1), "0 is no handle");
        assert_eq!(at(0x10, 0x10, 0x30).map(|_| ()), taken(0x10, 0x11));
        assert_eq!(at(0x10, 0x20, 0x21).map(|_| ()), taken(0x21, 0x22));
        assert!(matches!(at(0x10, 0xFFFF, 0xFFFF), Err(BuildError::NoHandlesLeft { .. })));
    }

    #[test]
    fn what_does_not_fit_is_said_with_by_how_much() {
        let build = |characteristic| {
            let service = Service::primary(LONG).characteristic(characteristic);
            TableBuilder::bare().service(service).build().map(|_| ()).map_err(|error| error.to_string())
        };
        let new = || Characteristic::new(uuid16(0x2A19));
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(build(new().value(vec![0; 512])), Ok(()));
        assert_eq!(
            build(new().value(vec![0; 513])),
            error("the value of 0x2A19 does not fit: 513 octets, and it takes 512")
        );
        assert_eq!(
            build(new().value(vec![0; 5]).max_length(4)),
            error("the value of 0x2A19 does not fit: 5 octets, and it takes 4")
        );
        assert!(build(new().max_length(513)).is_err());
        assert_eq!(
            build(new().descriptor(Descriptor::new(uuid16(0x2902)))),
            error("characteristic 0x2A19 cannot declare descriptor 0x2902: it comes by itself")
        );
        assert_eq!(
            build(new().user_description("a").user_description("b")),
            error("characteristic 0x2A19 has descriptor 0x2901 twice")
        );
        assert!(TableBuilder::new(&"n".repeat(248)).build().is_ok());
        assert!(matches!(
            TableBuilder::new(&"n".repeat(249)).build(),
            Err(BuildError::ValueTooLong { length: 249, limit: 248, .. })
        ));
    }

    #[test]
    fn the_last_handle_is_used_and_none_beyond() {
        let service = |characteristics: usize| {
            let mut service = Service::primary(uuid16(0x180F)).at(0xFFF0);
            service.characteristics = vec![Characteristic::new(uuid16(0x2A19)); characteristics];
            TableBuilder::bare().service(service).build()
        };
        assert_eq!(
            service(7).expect("15 handles").services().iter().next().map(|s| s.end_handle),
            Some(0xFFFE)
        );
        assert_eq!(
            service(8).expect_err("17 attributes in 16 handles").to_string(),
            "service 0x180F does not fit: it has 17 attributes, and 16 handles are left"
        );
        let mut builder = TableBuilder::bare();
        builder.add(Service::primary(LONG).at(0xFFFF));
        builder.add(Service::primary(LONG));
        assert_eq!(
            builder.build().map(|_| ()),
            Err(BuildError::NoHandlesLeft { service: LONG, needed: 1, free: 0 })
        );
    }

    #[test]
    fn an_include_of_another_builders_service_is_refused() {
        let mut builder = TableBuilder::bare();
        builder.add(Service::primary(LONG).include(ServiceId(0)));
        assert_eq!(builder.build().map(|_| ()), Err(BuildError::IncludeUnknown { service: LONG }));
    }

    #[test]
    fn stored_values_can_be_set_within_their_limit() {
        let service = Service::primary(LONG)
            .characteristic(Characteristic::new(LONG).max_length(4))
            .characteristic(Characteristic::new(LONG).asked());
        let mut table = TableBuilder::bare().service(service).build().expect("fits");
        assert_eq!(table.set_value(3, &[1u8, 2, 3, 4][..]), Ok(()));
        assert_eq!(value(&table, 3), [1, 2, 3, 4]);
        let error = table.set_value(3, &[0u8; 5][..]).expect_err("5 of 4").to_string();
        assert_eq!(error, "handle 0x0003 cannot be set: 5 octets, and it takes 4");
        for (handle, what) in [(1, "a service"), (2, "a declaration"), (5, "the user's"), (99, "nothing")] {
            assert_eq!(table.set_value(handle, &b""[..]), Err(SetValueError::NotStored { handle }), "{what}");
        }
        assert_eq!(value(&table, 3), [1, 2, 3, 4]);
    }
}
