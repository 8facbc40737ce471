//! Sessions that are the same to the octet, today and in the next version: each is run on the virtual radio, and its
//! capture and the text of it are compared with those in `captures/`.
//!
//! `BARETOOTH_RECORD=1 cargo test --test golden` writes them anew; what then changes in them is for a reviewer to judge.

mod common;

use baretooth::att::DEFAULT_MTU;
use baretooth::capture::dissect::Dissector;
use baretooth::capture::{Direction, Reader, Record};
use baretooth::gap::connect::ConnectOptions;
use baretooth::gap::scan::ScanOptions;
use baretooth::gatt::procedure::{Discover, Read, ReadByUuid, Subscribe, Write};
use baretooth::hci::ErrorCode;
use baretooth::host::{ConnectionId, Output, Request};
use baretooth::sim::{ControllerOptions, RadioOptions, demo};
use baretooth::uuid16;
use common::*;
use std::path::PathBuf;

#[test]
fn heart_rate_on_a_controller_with_extended_commands() {
    let mut pair = Pair::seeded(1);
    pair.room(|radio| radio.add_device(demo::heart_rate_strap()));
    let scan = pair.scan(ScanOptions::new());
    pair.run(ms(500));
    pair.cancel(scan);
    let link = pair.connect(demo::HEART_RATE_ADDRESS);
    let services = pair.gatt(link, Discover::all()).expect("a good table");
    let battery = services.find(uuid16(0x2A19)).expect("there");
    pair.gatt(link, Read::new(battery.value_handle)).expect("readable");
    let rate = services.find(uuid16(0x2A37)).expect("there");
    pair.gatt(link, Subscribe::new(&rate).expect("it notifies")).expect("taken");
    pair.run(seconds(3));
    hang_up(&mut pair, link);
    check("heart_rate", &pair);
}

#[test]
fn long_values_through_packets_of_27_octets_at_mtu_23() {
    let options = ControllerOptions { acl_data_length: 27, ..ControllerOptions::legacy() };
    let mut pair = Pair::with(RadioOptions { seed: 2, ..RadioOptions::default() }, options, config(2));
    pair.room(|radio| radio.add_device(demo::thermometer()));
    let options = ConnectOptions::new().mtu(DEFAULT_MTU);
    let op = pair.submit(Request::Connect { address: demo::THERMOMETER_ADDRESS, options });
    let link = pair.connected(op).expect("it advertises").connection;
    let log = pair.gatt(link, ReadByUuid::new(demo::LOG)).expect("readable")[0].handle;
    let whole = pair.gatt(link, Read::new(log)).expect("readable");
    assert_eq!(whole.len(), 512);
    let value: Vec<u8> = (0..=99).collect();
    pair.gatt(link, Write::new(log, value).expect("short enough")).expect("writable");
    hang_up(&mut pair, link);
    check("long_values", &pair);
}

fn hang_up(pair: &mut Pair, connection: ConnectionId) {
    let op =
        pair.submit(Request::Disconnect { connection, reason: ErrorCode::RemoteUserTerminatedConnection });
    assert_eq!(pair.done(op), Ok(Output::Done));
}

fn check(name: &str, pair: &Pair) {
    let capture = pair.capture();
    let mut reader = Reader::new(&capture[..]).expect("our own");
    let mut dissector = Dissector::default();
    let mut text = String::new();
    while let Some(record) = reader.read().expect("our own") {
        text.push_str(&line(&record, &mut dissector));
    }
    assert!(!text.contains("malformed"), "{text}");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures");
    let (binary, golden) =
        (folder.join(name).with_extension("btsnoop"), folder.join(name).with_extension("txt"));
    if std::env::var_os("BARETOOTH_RECORD").is_some() {
        std::fs::write(&binary, &capture).expect("writable");
        std::fs::write(&golden, &text).expect("writable");
    }
    // The text first: its difference can be read.
    let expected = std::fs::read_to_string(&golden).expect("recorded");
    for (number, (now, before)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(now, before, "{name}: packet {}", number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{name}: packets");
    assert_eq!(capture, std::fs::read(&binary).expect("recorded"), "{name}: the octets");
}

fn line(record: &Record, dissector: &mut Dissector) -> String {
    let arrow = if record.direction() == Some(Direction::Sent) { '>' } else { '<' };
    format!("{:>11} {arrow} {}\n", record.time.to_string(), dissector.line(record))
}
