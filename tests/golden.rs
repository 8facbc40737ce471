//! The captures of `captures/`, and the text that each is decoded to. Those of the virtual radio are sessions that are
//! the same to the octet, today and in the next version: they are run again. Those that peers took part in are decoded.
//!
//! `BARETOOTH_RECORD=1 cargo test --test golden` writes the former and all texts anew, `tests/peers/record.sh` the latter
//! too; what then changes is for a reviewer to judge.

mod common;

use baretooth::att::DEFAULT_MTU;
use baretooth::capture::dissect::Dissector;
use baretooth::capture::{Direction, Format, Kind, Reader, Record, Timestamp, Writer};
use baretooth::gap::advertise::{AdvertiseMode, AdvertiseOptions};
use baretooth::gap::advertising_data::AdvertisingDataBuilder;
use baretooth::gap::connect::ConnectOptions;
use baretooth::gap::scan::ScanOptions;
use baretooth::gatt::procedure::{Discover, Read, ReadByUuid, Subscribe, Write};
use baretooth::gatt::{Characteristic, Services};
use baretooth::hci::{ErrorCode, Role};
use baretooth::host::{
    ConnectionId, Event, HostConfig, OpError, Output, Request, SecurityEvent, SecurityOptions,
    SecurityRequest, ServerRequest,
};
use baretooth::sim::{self, ControllerOptions, Device, RadioOptions, Responder, demo};
use baretooth::smp::{
    Answer, IoCapability, Key, LocalOob, Method, OobData, PairingFailedReason, PairingOptions, Passkey,
    PeerOob, PromptId, SecureConnections,
};
use baretooth::uuid16;
use bytes::Bytes;
use common::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Sessions on the virtual radio, each run by a test.
const OURS: [&str; 11] = [
    "heart_rate.btsnoop",
    "long_values.btsnoop",
    "three_links.btsnoop",
    "advertisers.pcapng",
    "refused.pklg",
    "peripheral.btsnoop",
    "pairing_legacy_central.btsnoop",
    "pairing_legacy_peripheral.btsnoop",
    "pairing_central.pcapng",
    "pairing_peripheral.pcapng",
    "pairing_failures.pklg",
];
/// Beginnings of the names of those that a peer took part in.
const PEERS: [&str; 2] = ["bumble_", "rootcanal_"];
const CENTRAL: usize = 0;
const PERIPHERAL: usize = 1;

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
    check("heart_rate.btsnoop", Format::BTSNOOP, &pair.records);
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
    check("long_values.btsnoop", Format::BTSNOOP, &pair.records);
}

/// As a Linux monitor writes it, which has a place for the adapter and for notes.
#[test]
fn three_links_at_once_whose_fragments_interleave() {
    // One PDU in each connection event: what comes in parts comes with parts of the other links in between.
    let radio = RadioOptions { seed: 3, pdus_per_event: 1, ..RadioOptions::default() };
    let options = ControllerOptions { acl_data_length: 27, acl_buffers: 64, ..ControllerOptions::default() };
    let mut pair = Pair::with(radio, options, config(3));
    let devices = [demo::heart_rate_strap(), demo::thermometer(), demo::echo()];
    let addresses = [demo::HEART_RATE_ADDRESS, demo::THERMOMETER_ADDRESS, demo::ECHO_ADDRESS];
    let [_, thermometer, echo] = devices.map(|device| pair.room(|radio| radio.add_device(device)));
    let links = addresses.map(|address| pair.connect(address));
    let tables = links.map(|link| pair.submit(gatt(link, Discover::all())));
    let [strap, warm, loud] = tables.map(|op| match pair.done(op).expect("an answer") {
        Output::Gatt(outcome) => Services::try_from(outcome).expect("a table"),
        other => panic!("{other:?} of a discovery"),
    });
    let found = |services: &Services, uuid| services.find(uuid).expect("there");
    let subscribe = |of: &Characteristic| Subscribe::new(of).expect("it can");
    let log = found(&warm, demo::LOG).value_handle;
    let into = loud.characteristic(demo::UART_SERVICE, demo::UART_RX).expect("there").value_handle;
    let out = loud.characteristic(demo::UART_SERVICE, demo::UART_TX).expect("there");
    let requests = [
        gatt(links[0], subscribe(&found(&strap, demo::HEART_RATE_MEASUREMENT))),
        gatt(links[1], subscribe(&found(&warm, demo::TEMPERATURE_MEASUREMENT))),
        gatt(links[2], subscribe(&out)),
    ];
    for op in requests.map(|request| pair.submit(request)) {
        assert!(pair.done(op).is_ok());
    }
    let value = Bytes::from(vec![0xEC; 509]);
    pair.submit(Request::WriteCommand { connection: links[2], handle: into, value });
    pair.gatt(links[1], Write::new(log, vec![0x10; 300]).expect("short enough")).expect("writable");
    // The log is read while the echo comes.
    let first_part = |pair: &Pair| matches!(pair.records[..], [.., Record { ref data, .. }] if data.starts_with(&[2, 0x42, 0x20]));
    pair.until("the echo", first_part);
    let read = pair.gatt(links[1], Read::new(log)).expect("readable");
    assert_eq!(read[..300], [0x10; 300]);
    pair.run(seconds(3));
    assert_eq!(pair.values(links[2], out.value_handle), [vec![0xEC; 509]]);
    // One link ends by the peer, one because the peer is gone, one by us.
    pair.room(|radio| {
        radio.disconnect_device(thermometer, ErrorCode::RemoteDeviceTerminatedConnectionDueToPowerOff)
    });
    pair.room(|radio| drop(radio.remove_device(echo)));
    pair.until("two ends", |pair| pair.disconnections().len() == 2);
    hang_up(&mut pair, links[0]);
    let note =
        Record::new(Timestamp::UNIX_EPOCH, Kind::Note, Bytes::from_static(b"the virtual radio, seed 3"));
    let packets = pair.records.iter().map(|record| Record { adapter: Some(0), ..record.clone() });
    let records: Vec<_> = std::iter::once(note).chain(packets).collect();
    check("three_links.btsnoop", Format::MONITOR, &records);
}

#[test]
fn advertisers_of_legacy_and_extended_kinds() {
    let mut pair = Pair::seeded(4);
    for device in [demo::heart_rate_strap(), demo::thermometer(), demo::echo(), demo::beacon()] {
        pair.room(|radio| radio.add_device(device));
    }
    let scan = pair.scan(ScanOptions::new());
    pair.run(ms(500));
    pair.cancel(scan);
    pair.run(ms(100));
    check("advertisers.pcapng", Format::PCAPNG, &pair.records);
}

#[test]
fn refusals_at_mtu_247() {
    let mut pair = Pair::seeded(5);
    pair.room(|radio| radio.add_device(demo::thermometer()));
    let options = ConnectOptions::new().mtu(247);
    let op = pair.submit(Request::Connect { address: demo::THERMOMETER_ADDRESS, options });
    let link = pair.connected(op).expect("it advertises").connection;
    let services = pair.gatt(link, Discover::all()).expect("a good table");
    let calibration = services.find(demo::CALIBRATION).expect("there").value_handle;
    let measurement = services.find(demo::TEMPERATURE_MEASUREMENT).expect("there").value_handle;
    pair.gatt(link, Write::new(calibration, vec![1]).expect("short")).expect_err("by the application");
    pair.gatt(link, Read::new(measurement)).expect_err("it is only indicated");
    pair.gatt(link, Read::new(0x0FFF)).expect_err("no such handle");
    pair.gatt(link, Write::new(measurement, vec![0; 300]).expect("short enough"))
        .expect_err("it is only indicated");
    hang_up(&mut pair, link);
    check("refused.pklg", Format::PACKET_LOGGER, &pair.records);
}

/// What the host is a peripheral of, as it is without a table of its user's.
#[test]
fn a_peripheral_whose_data_change_and_which_ends_the_link() {
    let mut crowd = Crowd::new(2);
    let named = |name| AdvertisingDataBuilder::new().name(name).build().expect("short");
    let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new().data(named("first")));
    let request =
        Request::SetAdvertisingData { of: op, data: named("second"), scan_response: named("answer") };
    crowd.ask(PERIPHERAL, request).expect("it fits");
    let to = crowd.address(PERIPHERAL);
    let central = crowd.try_connect(CENTRAL, to).expect("a link").connection;
    let services = crowd.ask(CENTRAL, gatt(central, Discover::all())).expect("a table");
    assert!(matches!(services, Output::Gatt(_)));
    let value = Bytes::from_static(b"renamed");
    crowd.ask(PERIPHERAL, ServerRequest::SetValue { handle: 3, value }).expect("it is kept");
    crowd.ask(CENTRAL, gatt(central, Read::new(3))).expect("readable");
    let other = crowd.advertise(PERIPHERAL, AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable));
    crowd.run(ms(300));
    crowd.cancel(PERIPHERAL, other);
    let [link] = &crowd.stations[PERIPHERAL].connected(Role::Peripheral)[..] else { panic!("one link") };
    let (connection, reason) = (link.connection, ErrorCode::RemoteUserTerminatedConnection);
    assert_eq!(crowd.ask(PERIPHERAL, Request::Disconnect { connection, reason }), Ok(Output::Done));
    check("peripheral.btsnoop", Format::BTSNOOP, &crowd.stations[PERIPHERAL].records);
}

/// Legacy pairing by all its methods: each pairs, and the next link is encrypted with the bond.
#[test]
fn legacy_pairing_by_every_method_as_both_sides_see_it() {
    let mut crowd = two_that_pair(6);
    let legacy = || PairingOptions::new().secure_connections(SecureConnections::Off);
    for (method, [central, peripheral]) in WITHOUT_NUMBERS {
        pair_and_meet_again(&mut crowd, method, [legacy().io(central), legacy().io(peripheral)]);
    }
    let with_key = || legacy().oob(OobData::Legacy(Key::new([7; 16])));
    pair_and_meet_again(&mut crowd, Method::OutOfBand, [with_key(), with_key()]);
    check("pairing_legacy_central.btsnoop", Format::BTSNOOP, &crowd.stations[CENTRAL].records);
    check("pairing_legacy_peripheral.btsnoop", Format::BTSNOOP, &crowd.stations[PERIPHERAL].records);
}

/// The same by Secure Connections, which compares numbers too.
#[test]
fn pairing_by_every_method_as_both_sides_see_it() {
    let mut crowd = two_that_pair(7);
    let numbers = (Method::NumericComparison, [IoCapability::DisplayYesNo; 2]);
    for (method, ios) in WITHOUT_NUMBERS.into_iter().chain([numbers]) {
        pair_and_meet_again(&mut crowd, method, ios.map(|io| PairingOptions::new().io(io)));
    }
    let made = [CENTRAL, PERIPHERAL].map(|n| match crowd.ask(n, SecurityRequest::CreateOob) {
        Ok(Output::Oob(made)) => made,
        other => panic!("{other:?} of out-of-band data"),
    });
    let of = |local: &LocalOob, peer: &LocalOob| {
        let peer = Some(PeerOob::new(peer.confirm(), peer.random()));
        PairingOptions::new().oob(OobData::SecureConnections { local: Some(local.clone()), peer })
    };
    let [ours, theirs] = &made;
    pair_and_meet_again(&mut crowd, Method::OutOfBand, [of(ours, theirs), of(theirs, ours)]);
    check("pairing_central.pcapng", Format::PCAPNG, &crowd.stations[CENTRAL].records);
    check("pairing_peripheral.pcapng", Format::PCAPNG, &crowd.stations[PERIPHERAL].records);
}

/// Each with a device of its own, whose security manager is of other hands than the host's.
#[test]
fn pairings_that_fail_and_one_that_a_read_leads_to() {
    let config = HostConfig::seeded(80);
    let mut pair =
        Pair::with(RadioOptions { seed: 8, ..RadioOptions::default() }, ControllerOptions::default(), config);
    let shows = || Responder::new().io(IoCapability::DisplayOnly).shows(654_321);
    let typed = || Answer::Passkey(Passkey::new(123_456).expect("six digits"));
    let keyboard = || PairingOptions::new().io(IoCapability::KeyboardOnly).mitm(true);
    let compares = || PairingOptions::new().io(IoCapability::DisplayYesNo).mitm(true);
    let legacy = || shows().secure_connections(sim::SecureConnections::Off);
    let number = || Responder::new().io(IoCapability::DisplayYesNo);
    for (n, (responder, options, answer, reason)) in (1..).zip([
        (legacy(), keyboard(), Some(typed()), PairingFailedReason::ConfirmValueFailed),
        (shows(), keyboard(), Some(typed()), PairingFailedReason::ConfirmValueFailed),
        (number(), compares(), Some(Answer::No), PairingFailedReason::NumericComparisonFailed),
        (Responder::new(), keyboard(), None, PairingFailedReason::AuthenticationRequirements),
    ]) {
        pair.room(|radio| radio.add_device(Device::new(address(n)).pairing(responder)));
        let connection = pair.connect(address(n));
        let op = pair.submit(SecurityRequest::Pair { connection, options: Box::new(options) });
        if let Some(answer) = answer {
            let prompt = prompted(&mut pair, connection);
            pair.submit(SecurityRequest::Answer { connection, prompt, answer });
        }
        let Err(OpError::Pairing(error)) = pair.done(op) else { panic!("no failure") };
        assert_eq!(error.reason, reason);
        pair.run(ms(100));
        hang_up(&mut pair, connection);
    }
    pair.room(|radio| radio.add_device(demo::key_finder()));
    let link = pair.connect(demo::KEY_FINDER_ADDRESS);
    let level = pair.gatt(link, ReadByUuid::new(demo::ALERT_LEVEL)).expect("the link is paired for it");
    assert_eq!(level[0].value[..], [0]);
    pair.run(ms(100));
    hang_up(&mut pair, link);
    check("pairing_failures.pklg", Format::PACKET_LOGGER, &pair.records);
}

fn prompted(pair: &mut Pair, on: ConnectionId) -> PromptId {
    let prompt = |event: &Event| match event {
        Event::Security(SecurityEvent::Prompt { connection, id, .. }) if *connection == on => Some(*id),
        _ => None,
    };
    pair.until("a prompt", |pair| pair.told.events.iter().any(|event| prompt(event).is_some()));
    pair.told.events.iter().find_map(prompt).expect("waited for")
}

/// The central and the peripheral: nobody shows anything, and each shows what the other types.
const WITHOUT_NUMBERS: [(Method, [IoCapability; 2]); 3] = [
    (Method::JustWorks, [IoCapability::NoInputNoOutput; 2]),
    (Method::PasskeyEntry, [IoCapability::DisplayOnly, IoCapability::KeyboardOnly]),
    (Method::PasskeyEntry, [IoCapability::KeyboardOnly, IoCapability::DisplayOnly]),
];

/// Their seeds are what the README gives for a replay.
fn two_that_pair(seed: u64) -> Crowd {
    let hosts = [0, 1].map(|n| (ControllerOptions::default(), HostConfig::seeded(10 * seed + n)));
    let mut crowd = Crowd::with(RadioOptions { seed, ..RadioOptions::default() }, hosts);
    crowd.agent(CENTRAL);
    crowd.agent(PERIPHERAL);
    crowd
}

/// And forget each other.
fn pair_and_meet_again(crowd: &mut Crowd, method: Method, [ours, theirs]: [PairingOptions; 2]) {
    let mitm = method != Method::JustWorks;
    crowd.configure(PERIPHERAL, SecurityOptions::new().pairing(theirs.mitm(mitm)));
    let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
    assert_eq!(crowd.pair(CENTRAL, central, ours.mitm(mitm)).expect("paired").method, method);
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    let request = Request::Disconnect { connection: central, reason };
    assert_eq!(crowd.ask(CENTRAL, request), Ok(Output::Done));
    let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
    for (n, connection) in [(CENTRAL, central), (PERIPHERAL, peripheral)] {
        assert!(crowd.security(n, connection).encrypted, "the next link, by {method:?}");
        let peer = crowd.address(1 - n);
        assert_eq!(crowd.ask(n, SecurityRequest::Unpair { peer }), Ok(Output::Done));
    }
    crowd.run(ms(100));
}

#[test]
fn captures_of_peers_are_decoded_as_before() {
    let mut count = 0;
    for name in names().iter().filter(|name| PEERS.iter().any(|peer| name.starts_with(peer))) {
        check_text(name);
        count += 1;
    }
    assert!(count > 10, "{count} captures of peers");
}

#[test]
fn every_capture_is_small_and_has_its_line_in_the_readme() {
    let readme = fs::read_to_string(folder().join("README.md")).expect("there");
    let mut all = 0;
    for name in names() {
        assert!(
            OURS.contains(&&*name) || PEERS.iter().any(|peer| name.starts_with(peer)),
            "{name}: nothing records it"
        );
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in the README");
        let length = fs::metadata(folder().join(&name)).expect("there").len();
        assert!(length < 60_000, "{name}: {length} octets");
        let text = fs::metadata(folder().join(&name).with_extension("txt"));
        all += length + text.map_or(0, |text| text.len());
    }
    assert!(all < 900_000, "{all} octets of captures and texts");
    let rows = readme.lines().filter(|line| line.starts_with("| `") && !line.contains("--seed")).count();
    assert_eq!(rows, names().len(), "rows of the README's tables");
}

fn hang_up(pair: &mut Pair, connection: ConnectionId) {
    let op =
        pair.submit(Request::Disconnect { connection, reason: ErrorCode::RemoteUserTerminatedConnection });
    assert_eq!(pair.done(op), Ok(Output::Done));
}

/// Compares a session with the one recorded, first its text: a difference there can be read.
fn check(name: &str, format: Format, records: &[Record]) {
    assert!(OURS.contains(&name));
    let mut writer = Writer::new(Vec::new(), format).expect("memory");
    for record in records {
        assert_eq!(writer.write(record).expect("memory"), [], "{name} cannot hold {record:?}");
    }
    let octets = writer.into_inner().expect("memory");
    if is_recording() {
        fs::write(folder().join(name), &octets).expect("writable");
    }
    let text = decoded(name, &octets);
    assert!(!text.contains("malformed"), "{text}");
    compare(name, &text);
    assert!(octets == fs::read(folder().join(name)).expect("recorded"), "{name}: the octets");
}

/// Compares a recorded capture with its text.
fn check_text(name: &str) {
    compare(name, &decoded(name, &fs::read(folder().join(name)).expect("there")));
}

fn compare(name: &str, text: &str) {
    let golden = folder().join(name).with_extension("txt");
    if is_recording() {
        fs::write(&golden, text).expect("writable");
    }
    let expected = fs::read_to_string(&golden).expect("recorded");
    for (number, (now, before)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(now, before, "{name}: record {}", number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{name}: records");
}

fn decoded(name: &str, octets: &[u8]) -> String {
    let mut reader = Reader::new(octets).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut dissector = Dissector::default();
    let mut text = String::new();
    while let Some(record) = reader.read().unwrap_or_else(|error| panic!("{name}: {error}")) {
        let arrow = match record.direction() {
            Some(Direction::Sent) => '>',
            Some(Direction::Received) => '<',
            None => ' ',
        };
        text.push_str(&format!("{:>11} {arrow} {}\n", record.time.to_string(), dissector.line(&record)));
    }
    text
}

fn is_recording() -> bool {
    std::env::var_os("BARETOOTH_RECORD").is_some()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// Every capture there.
fn names() -> BTreeSet<String> {
    let entries = fs::read_dir(folder()).expect("a folder").map(|entry| entry.expect("readable").file_name());
    let names = entries.map(|name| name.into_string().expect("text"));
    names.filter(|name| !name.ends_with(".txt") && !name.ends_with(".md")).collect()
}
