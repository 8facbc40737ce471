//! Captures that are replayed to their end.

use crate::common::*;
use baretooth::att::AttError;
use baretooth::capture::{Format, Writer};
use baretooth::gap::advertise::AdvertiseOptions;
use baretooth::gatt::procedure::{Discover, Read, ReadByUuid, Running, Subscribe, Write};
use baretooth::gatt::server::{Access, Characteristic, Service, Table};
use baretooth::hci::Role;
use baretooth::host::{Event, HostConfig, Output, Request, ServerEvent, ServerRequest};
use baretooth::replay::{self, Replay, Script, Unseen};
use baretooth::sim::{ControllerOptions, demo};
use baretooth::{ConnectOptions, ErrorCode, ScanOptions, uuid16};
use bytes::Bytes;
use std::path::PathBuf;

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures").join(name)
}

#[test]
fn every_capture_of_the_project_replays_to_its_end_by_guesses_alone() {
    let mut seen = 0;
    for entry in std::fs::read_dir(path("")).expect("captures are there") {
        let file = entry.expect("readable").path();
        if file.extension().is_none_or(|extension| extension == "txt" || extension == "md") {
            continue;
        }
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pairing_")) {
            // They want more: `pairings`.
            continue;
        }
        let script = Script::open(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let packets = script.packets().len();
        let config = script.config();
        let replayed =
            replay::run(script, config).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(replayed.sent + replayed.received, packets);
        assert!(replayed.requests > 0, "{}", file.display());
        seen += 1;
    }
    assert!(seen >= 22, "{seen} captures");
}

#[test]
fn a_program_written_down_as_requests_replays_with_its_results() {
    let mut replay = Replay::open(path("heart_rate.btsnoop")).expect("a capture");
    let scan = replay.submit(Request::Scan(ScanOptions::new())).expect("equal");
    replay.cancel(scan).expect("equal");
    let strap = replay.connect(demo::HEART_RATE_ADDRESS).expect("a link").connection;
    let services = replay.gatt(strap, Discover::all()).expect("a table");
    let battery = services.find(uuid16(0x2A19)).expect("there");
    assert_eq!(replay.gatt(strap, Read::new(battery.value_handle)).expect("readable"), &[87][..]);
    let rate = services.find(uuid16(0x2A37)).expect("there");
    replay.gatt(strap, Subscribe::new(&rate).expect("it notifies")).expect("taken");
    let is_beat =
        |event: &Event| matches!(event, Event::Value { handle, .. } if *handle == rate.value_handle);
    for sequence in 0..3 {
        let Event::Value { value, .. } = replay.until(is_beat).expect("a beat") else { unreachable!() };
        assert_eq!(value[..], demo::heart_rate_measurement(sequence));
    }
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    let end = replay.submit(Request::Disconnect { connection: strap, reason }).expect("equal");
    replay.done(end).expect("down");
    replay.run_to_end().expect("equal to the end");
}

#[test]
fn the_seed_of_a_session_gives_its_packets_again() {
    // The configuration that recorded it, rather than what the capture shows.
    let script = || Script::open(path("long_values.btsnoop")).expect("a capture");
    let mut replay = Replay::new(script(), config(2));
    let options = ConnectOptions::new().mtu(23);
    let op = replay.submit(Request::Connect { address: demo::THERMOMETER_ADDRESS, options }).expect("equal");
    let Output::Connected(link) = replay.done(op).expect("a link") else { panic!("no link") };
    let connection = link.connection;
    let log = replay.gatt(connection, ReadByUuid::new(demo::LOG)).expect("readable")[0].handle;
    assert_eq!(replay.gatt(connection, Read::new(log)).expect("readable").len(), 512);
    let value: Vec<u8> = (0..=99).collect();
    replay.gatt(connection, Write::new(log, value).expect("short")).expect("writable");

    let other = replay::run(script(), HostConfig::new([9; 32])).expect_err("another seed");
    assert!(other.to_string().contains("LE Set Random Address"), "{other}");
}

#[test]
fn the_same_capture_twice_gives_the_same_events() {
    for name in ["heart_rate.btsnoop", "long_values.btsnoop"] {
        let run = || {
            let script = Script::open(path(name)).expect("a capture");
            let config = script.config();
            let replayed = replay::run(script, config).expect("equal");
            (format!("{:?}", replayed.events), replayed.time)
        };
        let (first, second) = (run(), run());
        assert!(first.0.len() > 1000, "events: {}", first.0);
        assert_eq!(first, second);
    }
}

/// Whatever a session on the virtual radio was told, its capture shows it.
fn guessed(pair: &Pair) -> replay::Replayed {
    let script = Script::read(&pair.capture()[..]).expect("our own");
    let config = script.config();
    replay::run(script, config).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn two_scans_one_after_the_other_and_together_are_guessed() {
    for options in [ControllerOptions::default(), ControllerOptions::legacy(), ControllerOptions::lying()] {
        let mut pair = Pair::controller(options);
        pair.room(|radio| radio.add_device(demo::heart_rate_strap()));
        let first = pair.scan(ScanOptions::new().active(false).interval(ms(100)).window(ms(50)));
        pair.run(ms(300));
        let second = pair.scan(ScanOptions::new());
        pair.run(ms(300));
        pair.cancel(second);
        pair.run(ms(300));
        pair.cancel(first);
        pair.run(ms(300));
        let filtered = ScanOptions::new().duplicates(baretooth::Duplicates::ControllerFiltered);
        let third = pair.scan(filtered);
        pair.run(ms(300));
        pair.cancel(third);
        pair.run(ms(100));
        guessed(&pair);
    }
}

#[test]
fn deadlines_of_the_host_come_in_the_time_of_the_capture() {
    let options = ConnectOptions::new().timeout(seconds(2));
    let connect = || Request::Connect { address: address(1), options: options.clone() };
    let mut pair = Pair::new();
    let op = pair.submit(connect());
    let error = pair.done(op).expect_err("nobody there");
    let script = Script::read(&pair.capture()[..]).expect("our own");
    let mut replay = Replay::new(script, config(0));
    let op = replay.submit(connect()).expect("equal");
    replay.run_to_end().expect("the attempt is cancelled when its time is up");
    assert_eq!(replay.result(op), Some(&Err(error)));

    // A controller that is silent: after two seconds the host goes on without the answer.
    let mut pair = Pair::controller(ControllerOptions::mute(baretooth::hci::Opcode(0x1002)));
    let scan = pair.scan(ScanOptions::new());
    pair.cancel(scan);
    assert!(guessed(&pair).time >= seconds(2));
}

#[test]
fn requests_on_links_that_share_few_buffers_are_guessed_together() {
    // So few buffers that the links take turns within a frame.
    let options = ControllerOptions { acl_data_length: 27, acl_buffers: 3, ..ControllerOptions::default() };
    let mut pair = Pair::controller(options);
    let devices = [demo::heart_rate_strap(), demo::thermometer(), demo::echo()];
    let links = devices.map(|device| {
        let address = device.address;
        pair.room(|radio| radio.add_device(device));
        pair.connect(address)
    });
    let log = pair.gatt(links[1], ReadByUuid::new(demo::LOG)).expect("readable")[0].handle;
    let write = |value, handle| Write::new(handle, vec![value; 300]).expect("short enough");
    let requests = [
        gatt(links[1], write(0x10, log)),
        // Nothing of the sort has this handle: it is refused, when all of it is there.
        gatt(links[2], write(0xEC, 0xFFFF)),
        gatt(links[0], write(0x01, 0xFFFF)),
    ];
    let ops = requests.map(|request| pair.submit(request));
    pair.run(seconds(5));
    assert!(ops.iter().all(|op| pair.told.result(*op).is_some()));
    guessed(&pair);
}

#[test]
fn attempts_that_are_given_up_or_fail_are_guessed() {
    let mut pair = Pair::new();
    let options = ConnectOptions::new().timeout(seconds(2));
    let op = pair.submit(Request::Connect { address: address(1), options });
    pair.done(op).expect_err("nobody there");
    let op = pair.submit(connect(address(2)));
    pair.run(ms(500));
    pair.cancel(op);
    pair.run(ms(500));
    let echo = pair.room(|radio| radio.add_device(demo::echo()));
    let link = pair.connect(demo::ECHO_ADDRESS);
    let rx = pair.gatt(link, ReadByUuid::new(uuid16(0x2803)));
    rx.expect("declarations");
    pair.room(|radio| radio.remove_device(echo));
    pair.run(seconds(6));
    assert!(guessed(&pair).requests >= 4);
}

#[test]
fn what_a_peripheral_served_notified_indicated_and_answered_is_guessed() {
    let level = Characteristic::new(uuid16(0x2A19)).value(&[90][..]).read(Access::OPEN).notify();
    let asked = Characteristic::new(uuid16(0x2A56)).asked().read(Access::OPEN).write(Access::OPEN).indicate();
    let service = Service::primary(uuid16(0x180F)).characteristic(level).characteristic(asked);
    let table = Table::builder("served").service(service).build().expect("fits");
    let [level, asked] = [0x2A19, 0x2A56].map(|uuid| table.services().find(uuid16(uuid)).expect("there"));
    for options in [ControllerOptions::default(), ControllerOptions::legacy()] {
        let mut crowd = Crowd::seeded_with(1, [ControllerOptions::default(), options]);
        crowd.ask(1, ServerRequest::Serve(table.clone())).expect("served");
        let op = crowd.advertise(1, AdvertiseOptions::new());
        let to = crowd.address(1);
        let there = crowd.try_connect(0, to).expect("a link").connection;
        assert!(crowd.advertised(1, op).is_ok());
        let connection = crowd.stations[1].connected(Role::Peripheral)[0].connection;
        for subscribe in [&level, &asked].map(|c| Subscribe::new(c).expect("it can")) {
            crowd.ask(0, gatt(there, subscribe)).expect("taken");
        }
        let value = Bytes::from_static(&[91]);
        let notify = ServerRequest::Notify { connection, handle: level.value_handle, value: value.clone() };
        crowd.ask(1, notify).expect("sent");
        crowd.ask(1, ServerRequest::Indicate { connection, handle: asked.value_handle, value }).expect("had");
        let answers: [(Running, Result<Bytes, AttError>); 4] = [
            (Read::new(asked.value_handle).into(), Ok(Bytes::from(vec![7; 300]))),
            (Read::new(asked.value_handle).into(), Err(AttError(0x80))),
            (Write::new(asked.value_handle, vec![1]).expect("short").into(), Ok(Bytes::new())),
            (Write::new(asked.value_handle, vec![2]).expect("short").into(), Err(AttError(0x81))),
        ];
        for (id, (procedure, answer)) in (0..).zip(answers) {
            let op = crowd.submit(0, Request::Gatt { connection: there, procedure });
            let asks = |event: &Event| match event {
                Event::Server(ServerEvent::Asked { ask, .. }) => Some(ask.id),
                _ => None,
            };
            crowd.until("a question", |crowd| crowd.stations[1].events(asks).len() > id);
            let id = crowd.stations[1].events(asks)[id];
            crowd.ask(1, ServerRequest::Answer { connection, id, answer }).expect("asked");
            let _ = crowd.done(0, op);
        }
        crowd.run(seconds(1));
        let mut writer = Writer::new(Vec::new(), Format::BTSNOOP).expect("memory");
        for record in &crowd.stations[1].records {
            writer.write(record).expect("memory");
        }
        let octets = writer.into_inner().expect("memory");
        let script = Script::read(&octets[..]).expect("a capture");
        let config = script.config();
        let replayed = replay::run_with(script, config, Unseen::new().serving(table.clone())).expect("equal");
        // One advertises, a notification changes the value, four answer.
        assert_eq!(replayed.requests, 1 + 2 + 1 + 4);
    }
}
