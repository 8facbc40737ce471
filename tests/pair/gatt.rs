//! Discovering, reading, writing and subscribing, against tables that are data.

use crate::common::*;
use baretooth::att::{AttError, AttOpcode};
use baretooth::gatt::procedure::{
    Discover, Read, ReadByUuid, ReadMultipleVariable, Subscribe, Unsubscribe, Write, WriteLong,
};
use baretooth::gatt::{GattError, Services};
use baretooth::host::{ConnectionId, OpError, Output, Request};
use baretooth::sim::{Attribute, ControllerOptions, Device, RadioOptions, Server, Table, demo, property};
use baretooth::{Uuid, uuid16};
use bytes::Bytes;

/// What is at which handle, as discovery says.
fn discovered(services: &Services) -> Vec<(u16, String)> {
    let mut lines = Vec::new();
    for s in services {
        let kind = if s.primary { 0x2800 } else { 0x2801 };
        lines.push((s.handle, format!("{kind:04x} {} to {}", s.uuid, s.end_handle)));
        for i in s.includes.iter() {
            lines.push((i.handle, format!("2802 {} at {} to {}", i.uuid, i.service_handle, i.end_handle)));
        }
        for c in s.characteristics.iter() {
            lines.push((c.handle, format!("2803 {:02x} {} at {}", c.properties.0, c.uuid, c.value_handle)));
            lines.extend(c.descriptors.iter().map(|d| (d.handle, d.uuid.to_string())));
        }
    }
    lines.sort();
    lines
}

/// The same of the table itself, which is read here anew from the octets of its declarations.
fn declared(server: &Server) -> Vec<(u16, String)> {
    let attributes = server.attributes();
    let is_service = |a: &Attribute| a.uuid == uuid16(0x2800) || a.uuid == uuid16(0x2801);
    // The last service of a table ends where handles end.
    let end = |from: u16| {
        let next = attributes.iter().find(|a| a.handle > from && is_service(a));
        next.map_or(attributes.last().map_or(0, |last| last.handle), |next| next.handle - 1)
    };
    let word = |octets: &[u8]| u16::from_le_bytes([octets[0], octets[1]]);
    let uuid = |wire: &[u8]| Uuid::from_wire(wire).expect("a UUID");
    let mut lines = Vec::new();
    let mut value_handle = 0;
    for a in attributes {
        let line = match a.uuid.as_u16() {
            Some(kind @ (0x2800 | 0x2801)) => {
                format!("{kind:04x} {} to {}", uuid(&a.value), end(a.handle))
            }
            Some(0x2802) => {
                let start = word(&a.value);
                let service = attributes.iter().find(|a| a.handle == start).expect("the included service");
                format!("2802 {} at {start} to {}", uuid(&service.value), word(&a.value[2..]))
            }
            Some(0x2803) => {
                value_handle = word(&a.value[1..]);
                format!("2803 {:02x} {} at {value_handle}", a.value[0], uuid(&a.value[3..]))
            }
            _ if a.handle == value_handle => continue,
            _ => a.uuid.to_string(),
        };
        lines.push((a.handle, line));
    }
    lines
}

const LONG: Uuid = Uuid::from_u128(0xBA8E_7007_0001_4000_8000_0000_0000_00F0);

/// Includes of both kinds, a secondary service, UUIDs of both lengths.
fn librarian() -> Device {
    let server = Table::default()
        .service(uuid16(0x1800))
        .include(6, 8, uuid16(0x180F))
        .include(9, 11, LONG)
        .characteristic(uuid16(0x2A00), property::READ, *b"librarian")
        .secondary_service(uuid16(0x180F))
        .characteristic(uuid16(0x2A19), property::READ, [1])
        .secondary_service(LONG)
        .characteristic(LONG, property::READ | property::NOTIFY, [2])
        .service(LONG)
        .characteristic(LONG, property::READ, [3])
        .build();
    Device::new(address(77)).server(server)
}

fn linked(mut pair: Pair, device: Device) -> (Pair, ConnectionId) {
    let address = device.address;
    pair.room(|radio| radio.add_device(device));
    let connection = pair.connect(address);
    (pair, connection)
}

#[test]
fn discovery_gives_the_tables_of_the_devices() {
    each_seed(0..3, |seed| {
        let mut pair = Pair::seeded(seed);
        for device in [demo::heart_rate_strap(), demo::thermometer(), demo::echo(), librarian()] {
            let server = device.server.clone();
            let (next, connection) = linked(pair, device);
            pair = next;
            let services = pair.gatt(connection, Discover::all()).expect("a table");
            assert!(declared(&server).len() > 5);
            assert_eq!(discovered(&services), declared(&server));
        }
        pair
    });
}

#[test]
fn att_mtu_is_the_smaller_of_both_and_stays_23_where_it_is_not_exchanged() {
    for (theirs, ours, agreed) in [(517, 517, 517), (100, 517, 100), (517, 60, 60), (23, 517, 23)] {
        let mut pair = Pair::with(RadioOptions::default(), ControllerOptions::default(), config(0).mtu(ours));
        let server = Server::default().with_mtu(theirs);
        pair.room(|radio| radio.add_device(Device::new(address(1)).server(server)));
        assert_eq!(pair.try_connect(address(1)).map(|info| info.mtu), Ok(agreed));
    }
}

/// A controller with two buffers of 27 octets.
fn narrow() -> ControllerOptions {
    ControllerOptions { acl_buffers: 2, ..ControllerOptions::legacy() }
}

#[test]
fn values_of_512_octets_are_read_and_written_at_every_mtu_and_buffer() {
    for (options, mtu) in [(ControllerOptions::default(), 517), (narrow(), 517), (narrow(), 23)] {
        let pair = Pair::with(RadioOptions::default(), options, config(0).mtu(mtu));
        let (mut pair, connection) = linked(pair, demo::thermometer());
        let log = demo::thermometer().server.find(demo::LOG).expect("the log");
        let before = pair.gatt(connection, Read::new(log)).expect("the value");
        assert_eq!(before, demo::thermometer().server.attribute(log).expect("there").value);
        assert_eq!(before.len(), 512);
        let value: Vec<u8> = before.iter().map(|octet| octet ^ 0x5A).collect();
        pair.gatt(connection, WriteLong::new(log, value.clone()).expect("not too long")).expect("written");
        assert_eq!(pair.gatt(connection, Read::new(log)), Ok(value.into()));
        pair.gatt(connection, Write::new(log, &b"short"[..]).expect("short")).expect("written");
        assert_eq!(pair.gatt(connection, Read::new(log)), Ok(Bytes::from_static(b"short")));
    }
}

#[test]
fn the_errors_of_the_server_come_as_they_are() {
    let (mut pair, connection) = linked(Pair::new(), demo::thermometer());
    let calibration = demo::thermometer().server.find(demo::CALIBRATION).expect("there");
    let refused = |request, handle, code| {
        Err(OpError::Gatt(GattError::Att { request: AttOpcode(request), handle, code: AttError(code) }))
    };
    let write = Write::new(calibration, &[1][..]).expect("short");
    assert_eq!(pair.gatt(connection, write), refused(0x12, calibration, 0x80));
    assert_eq!(pair.gatt(connection, Read::new(0x0F00)), refused(0x0A, 0x0F00, 0x01).map(|()| Bytes::new()));
}

#[test]
fn values_by_uuid_and_several_at_once() {
    let (mut pair, connection) = linked(Pair::new(), demo::thermometer());
    let values = pair.gatt(connection, ReadByUuid::new(demo::TEMPERATURE)).expect("both");
    let found: Vec<_> = values.iter().map(|value| value.value.to_vec()).collect();
    assert_eq!(found, [2150i16.to_le_bytes().to_vec(), (-275i16).to_le_bytes().to_vec()]);
    let handles: Vec<u16> = values.iter().map(|value| value.handle).collect();
    let both = pair.gatt(connection, ReadMultipleVariable::new(&handles).expect("two")).expect("both");
    assert_eq!(both.iter().map(|value| value.value.to_vec()).collect::<Vec<_>>(), found);
}

/// 500 write commands of 60 octets through two buffers of 27: all arrive, in order, and the controller never holds
/// more than it said.
#[test]
fn write_commands_wait_for_the_controller_and_arrive_in_order() {
    each_seed(0..2, |seed| {
        let (mut pair, connection) = linked(Pair::seeded_with(seed, narrow()), demo::echo());
        let server = demo::echo().server;
        let (rx, tx) = (server.find(demo::UART_RX).expect("rx"), server.find(demo::UART_TX).expect("tx"));
        let services = pair.gatt(connection, Discover::all()).expect("a table");
        let echoed = services.find(demo::UART_TX).expect("one");
        pair.gatt(connection, Subscribe::new(&echoed).expect("it notifies")).expect("subscribed");
        let value = |n: u16| [&n.to_le_bytes()[..], &[0xA5; 58]].concat();
        let ops: Vec<_> = (0..500)
            .map(|n| {
                let value = value(n).into();
                pair.submit(Request::WriteCommand { connection, handle: rx, value })
            })
            .collect();
        assert!(pair.told.result(ops[499]).is_none(), "the last waits for credit");
        for op in ops {
            assert_eq!(pair.done(op), Ok(Output::Done));
        }
        pair.run(seconds(60));
        assert_eq!(pair.values(connection, tx), (0..500).map(value).collect::<Vec<_>>());
        assert_eq!((pair.acl_held_most, pair.acl_longest), (2, 27));
        pair
    });
}

#[test]
fn notifications_come_once_a_second_until_they_are_switched_off() {
    each_seed(0..3, |seed| {
        let (mut pair, connection) = linked(Pair::seeded(seed), demo::heart_rate_strap());
        let services = pair.gatt(connection, Discover::all()).expect("a table");
        let measurement = services.find(demo::HEART_RATE_MEASUREMENT).expect("one");
        pair.gatt(connection, Subscribe::new(&measurement).expect("it notifies")).expect("subscribed");
        pair.run(seconds(10));
        let values = pair.values(connection, measurement.value_handle);
        assert!((9..=10).contains(&values.len()), "{} values in ten seconds", values.len());
        let sequence = (0..).map(|n| demo::heart_rate_measurement(n).to_vec());
        assert_eq!(values, sequence.take(values.len()).collect::<Vec<_>>());
        pair.gatt(connection, Unsubscribe::new(&measurement).expect("it has one")).expect("unsubscribed");
        let before = pair.values(connection, measurement.value_handle).len();
        pair.run(seconds(10));
        assert_eq!(pair.values(connection, measurement.value_handle).len(), before);
        pair
    });
}

#[test]
fn indications_come_one_after_the_other_as_they_are_confirmed() {
    let (mut pair, connection) = linked(Pair::new(), demo::thermometer());
    pair.confirms = false;
    let services = pair.gatt(connection, Discover::all()).expect("a table");
    let measurement = services.find(demo::TEMPERATURE_MEASUREMENT).expect("one");
    pair.gatt(connection, Subscribe::new(&measurement).expect("it indicates")).expect("subscribed");
    pair.run(seconds(9));
    assert_eq!(pair.values(connection, measurement.value_handle).len(), 1, "the server waits");
    for n in 2..=3 {
        let op = pair.submit(Request::Confirm { connection, indication: None });
        assert_eq!(pair.done(op), Ok(Output::Done));
        pair.run(ms(500));
        assert_eq!(pair.values(connection, measurement.value_handle).len(), n);
    }
    pair.confirms = true;
    pair.submit(Request::Confirm { connection, indication: None });
    pair.run(seconds(30));
    let values = pair.values(connection, measurement.value_handle);
    assert!(values.len() > 12);
    let sequence = (0..).map(|n| demo::temperature_measurement(n).to_vec());
    assert_eq!(values, sequence.take(values.len()).collect::<Vec<_>>());
}

#[test]
fn procedures_of_one_link_take_turns_and_each_has_its_own_answer() {
    let (mut pair, connection) = linked(Pair::new(), demo::heart_rate_strap());
    let server = demo::heart_rate_strap().server;
    let readable: Vec<_> =
        server.attributes().iter().filter(|a| a.uuid.as_u16().is_some_and(|u| u >= 0x2A00)).collect();
    let ops: Vec<_> = readable.iter().map(|a| pair.submit(gatt(connection, Read::new(a.handle)))).collect();
    for (op, attribute) in ops.into_iter().zip(readable) {
        if attribute.permissions.read {
            let value = Bytes::from(attribute.value.clone());
            assert_eq!(pair.done(op), Ok(Output::Gatt(baretooth::gatt::procedure::Outcome::Value(value))));
        } else {
            assert!(matches!(pair.done(op), Err(OpError::Gatt(GattError::Att { .. }))));
        }
    }
}

#[test]
fn a_request_on_a_link_that_is_gone_fails_at_once() {
    let (mut pair, connection) = linked(Pair::new(), demo::echo());
    let reason = baretooth::hci::ErrorCode::RemoteUserTerminatedConnection;
    let op = pair.submit(Request::Disconnect { connection, reason });
    assert_eq!(pair.done(op), Ok(Output::Done));
    let op = pair.submit(gatt(connection, Read::new(3)));
    assert_eq!(pair.told.result(op), Some(&Err(OpError::NotConnected)));
}
