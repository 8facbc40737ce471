//! The table: what a client can meet, one characteristic for each way to behave. It is that of `../services.py`, where
//! its numbers are explained, written a second time so that each can judge the other.

use baretooth::gatt::server::{
    Access, BuildError, Characteristic, PresentationFormat, Service, ServiceId, Table, TableBuilder,
};
use baretooth::gatt::{self, Services};
use baretooth::{Uuid, uuid16};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Those that come by themselves.
const GAP: Uuid = uuid16(0x1800);
const GATT: Uuid = uuid16(0x1801);

pub const fn test(number: u16) -> Uuid {
    Uuid::from_u128(0x7E57_0000_A5C0_4B1E_8F00_B0B5_C0FF_EE01 | (number as u128) << 96)
}

const fn uart(number: u16) -> Uuid {
    Uuid::from_u128(0x6E40_0000_B5A3_F393_E0A9_E50E_24DC_CA9E | (number as u128) << 96)
}

/// What is known of a characteristic beside its declaration.
#[derive(Clone, Debug)]
struct Row {
    name: &'static str,
    /// Its value, if it never changes.
    constant: Option<Bytes>,
}

/// Where everything stands.
#[derive(Clone, Debug)]
pub struct Zoo {
    services: Services,
    /// By the handle of the value.
    rows: BTreeMap<u16, Row>,
}

impl Zoo {
    /// The table and where everything in it stands; `grown`, with one service more at its end.
    pub fn new(device_name: &str, grown: bool) -> Result<(Self, Table), BuildError> {
        let mut declared = Declared { builder: Table::builder(device_name), rows: Vec::new() };
        declared.services();
        if grown {
            declared.service(Service::primary(test(4)), [constant("grown", test(0x0401), b"grown")]);
        }
        let table = declared.builder.build()?;
        let services = table.services().clone();
        let ours = services.characteristics().filter(|c| ![GAP, GATT].contains(&c.service_uuid));
        let mut handles: Vec<_> = ours.map(|c| c.value_handle).collect();
        handles.sort_unstable(); // the order of declaration
        let rows = handles.into_iter().zip(declared.rows).collect();
        Ok((Self { services, rows }, table))
    }

    /// The handle of the value of this name.
    pub fn handle(&self, name: &str) -> u16 {
        let found = self.rows.iter().find(|(_, row)| row.name == name);
        *found.expect("all names are those of the table").0
    }

    /// The name of the value at this handle; empty for a descriptor, and for what comes by itself.
    pub fn name(&self, handle: u16) -> &'static str {
        self.rows.get(&handle).map_or("", |row| row.name)
    }

    /// What a client must find, in the form that `baretooth gatt --json` prints.
    pub fn to_json(&self) -> Value {
        self.services.iter().map(|service| self.service(service)).collect()
    }

    fn service(&self, service: &gatt::Service) -> Value {
        let includes = service.includes.iter().map(|include| {
            json!({
                "handle": include.handle, "uuid": include.uuid.to_string(),
                "service_handle": include.service_handle, "end_handle": include.end_handle,
            })
        });
        json!({
            "uuid": service.uuid.to_string(), "handle": service.handle, "end_handle": service.end_handle,
            "primary": service.primary,
            "includes": includes.collect::<Value>(),
            "characteristics": service.characteristics.iter().map(|c| self.characteristic(c)).collect::<Value>(),
        })
    }

    fn characteristic(&self, c: &gatt::Characteristic) -> Value {
        let row = self.rows.get(&c.value_handle);
        let descriptors =
            c.descriptors.iter().map(|d| json!({ "uuid": d.uuid.to_string(), "handle": d.handle }));
        json!({
            "uuid": c.uuid.to_string(), "handle": c.handle, "value_handle": c.value_handle,
            "char": row.map(|row| row.name),
            "value": row.and_then(|row| row.constant.as_ref()).map(|value| hex(value)),
            "properties": c.properties.names().collect::<Value>(),
            "descriptors": descriptors.collect::<Value>(),
        })
    }
}

/// Octets as text.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

struct Declared {
    builder: TableBuilder,
    /// In the order of declaration.
    rows: Vec<Row>,
}

type Named = (Row, Characteristic);

fn named(name: &'static str, characteristic: Characteristic) -> Named {
    (Row { name, constant: None }, characteristic)
}

fn constant(name: &'static str, uuid: Uuid, value: &'static [u8]) -> Named {
    unchanging(name, Characteristic::new(uuid), value)
}

fn unchanging(name: &'static str, characteristic: Characteristic, value: &'static [u8]) -> Named {
    let constant = Bytes::from_static(value);
    let characteristic = characteristic.value(constant.clone()).read(Access::OPEN);
    (Row { name, constant: Some(constant) }, characteristic)
}

impl Declared {
    fn service(
        &mut self,
        mut service: Service,
        characteristics: impl IntoIterator<Item = Named>,
    ) -> ServiceId {
        for (row, characteristic) in characteristics {
            self.rows.push(row);
            service = service.characteristic(characteristic);
        }
        self.builder.add(service)
    }

    fn services(&mut self) {
        let information = [
            constant("manufacturer", uuid16(0x2A29), b"Peers Inc."),
            constant("model", uuid16(0x2A24), b"P-1"),
            constant("serial", uuid16(0x2A25), b"SN-0001"),
            constant("firmware", uuid16(0x2A26), b"1.2.3"),
            constant("pnp", uuid16(0x2A50), &[1, 0xFF, 0xFF, 0x34, 0x12, 0x00, 0x01]),
        ];
        self.service(Service::primary(uuid16(0x180A)), information);

        let level = Characteristic::new(uuid16(0x2A19)).value(vec![100]).read(Access::OPEN).notify();
        let battery = self.service(Service::primary(uuid16(0x180F)), [named("battery", level)]);

        let measurement = named("heart_rate", Characteristic::new(uuid16(0x2A37)).notify());
        let location = constant("body_location", uuid16(0x2A38), &[1]);
        self.service(Service::primary(uuid16(0x180D)), [measurement, location]);

        let rx = Characteristic::new(uart(2)).write(Access::OPEN).write_without_response(Access::OPEN);
        let tx = Characteristic::new(uart(3)).notify();
        self.service(Service::primary(uart(1)), [named("uart_rx", rx), named("uart_tx", tx)]);

        self.service(Service::primary(test(1)), test_service());

        let inner = constant("inner", test(0x0301), b"inner");
        let inner = self.service(Service::secondary(test(3)), [inner]);
        let outer = constant("outer", test(0x0201), b"outer");
        self.service(Service::primary(test(2)).include(battery).include(inner), [outer]);
    }
}

fn test_service() -> [Named; 14] {
    let new = |number| Characteristic::new(test(number));
    let protected =
        |number, value: &'static [u8], access| new(number).value(value).read(access).write(access);
    let pattern: Vec<u8> = (0..512u16).map(|at| (at * 7 + 3).to_le_bytes()[0]).collect();
    let format =
        PresentationFormat { format: 0x0E, exponent: -2, unit: 0x272F, name_space: 1, description: 0 };
    let described = new(0x0104)
        .notify()
        .writable_user_description("Room temperature", Access::OPEN)
        .presentation_format(format);
    [
        named("long", new(0x0100).value(pattern).read(Access::OPEN).write(Access::OPEN).reliable_write()),
        named("encrypted", protected(0x0101, b"encrypted-ok", Access::ENCRYPTED)),
        named("authenticated", protected(0x0102, b"authenticated-ok", Access::AUTHENTICATED)),
        named("indicate", new(0x0103).value(vec![0; 4]).read(Access::OPEN).indicate()),
        unchanging("described", described, &[0x66, 0x08]),
        constant("first", test(0x0105), b"first"),
        constant("second", test(0x0105), b"second"),
        named("error", new(0x0106).asked().read(Access::OPEN).write(Access::OPEN)),
        named("slow", new(0x0107).asked().read(Access::OPEN)),
        named("write_only", new(0x0108).write(Access::OPEN)),
        named("sink", new(0x0109).asked().write_without_response(Access::OPEN)),
        named("sink_stats", new(0x010A).asked().read(Access::OPEN)),
        named("control", new(0x010B).write(Access::OPEN)),
        constant("empty", test(0x010C), b""),
    ]
}
