//! Making and ending links, and what may go wrong with one.

use crate::common::*;
use baretooth::gap::connect::{ConnectOptions, ConnectionParameters};
use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::gatt::procedure::{Discover, Read};
use baretooth::hci::{ErrorCode, Opcode, Phy};
use baretooth::host::{ConnectionId, Event, OpError, Output, ParameterPolicy, Request, Rung};
use baretooth::l2cap::signaling::{ConnectionParameterUpdateReq, ParameterUpdateResult};
use baretooth::sim::{ConnectFailure, ControllerOptions, Device, DeviceId, RadioOptions, demo};

const ENDED_BY_PEER: ErrorCode = ErrorCode::RemoteUserTerminatedConnection;

fn linked(mut pair: Pair) -> (Pair, DeviceId, ConnectionId) {
    let device = pair.room(|radio| radio.add_device(demo::heart_rate_strap()));
    let connection = pair.connect(demo::HEART_RATE_ADDRESS);
    (pair, device, connection)
}

fn disconnect(connection: ConnectionId) -> Request {
    Request::Disconnect { connection, reason: ENDED_BY_PEER }
}

#[test]
fn connects_at_once_are_queued_and_all_made() {
    each_seed(0..3, |seed| {
        let mut pair = Pair::seeded(seed);
        for n in 0..6 {
            pair.room(|radio| radio.add_device(Device::new(address(n))));
        }
        let ops: Vec<_> = (0..6).map(|n| pair.submit(connect(address(n)))).collect();
        for (n, op) in (0..6).zip(ops) {
            assert_eq!(pair.connected(op).map(|info| info.peer), Ok(address(n)));
        }
        pair
    });
}

#[test]
fn a_peer_that_is_not_there_is_given_up_in_time_and_the_next_gets_its_turn() {
    let mut pair = Pair::new();
    pair.room(|radio| radio.add_device(Device::new(address(2))));
    let options = ConnectOptions::new().timeout(seconds(3));
    let absent = pair.submit(Request::Connect { address: address(1), options });
    let present = pair.submit(connect(address(2)));
    assert_eq!(pair.done(absent), Err(OpError::ConnectTimeout { after: seconds(3) }));
    assert_eq!(pair.now.since_start(), seconds(3));
    assert!(pair.connected(present).is_ok());
}

#[test]
fn a_cancelled_connect_ends_at_the_controller_too() {
    let mut pair = Pair::new();
    let op = pair.submit(connect(address(1)));
    pair.run(seconds(1));
    assert!(!pair.host.is_idle());
    pair.cancel(op);
    assert_eq!(pair.done(op), Err(OpError::Cancelled));
    assert!(pair.host.is_idle());
    pair.room(|radio| radio.add_device(Device::new(address(1))));
    pair.run(seconds(2));
    assert!(!pair.told.events.iter().any(|event| matches!(event, Event::Connected(_))));
    assert!(pair.try_connect(address(1)).is_ok());
}

#[test]
fn failed_to_be_established_is_tried_once_more_and_then_reported() {
    for how in [ConnectFailure::InConnectionComplete, ConnectFailure::AfterConnectionComplete] {
        let mut pair = Pair::new();
        let device = |times| Device::new(address(1)).fails_to_connect(times, how);
        pair.room(|radio| radio.add_device(device(1)));
        assert!(pair.try_connect(address(1)).is_ok(), "{how:?} once");

        let mut pair = Pair::new();
        pair.room(|radio| radio.add_device(device(2)));
        let error = pair.try_connect(address(1)).expect_err("twice is once too often");
        let failed = ErrorCode::ConnectionFailedToBeEstablished;
        let expected = match how {
            ConnectFailure::InConnectionComplete => {
                matches!(error, OpError::Controller { status, .. } if status == failed)
            }
            ConnectFailure::AfterConnectionComplete => error == OpError::Disconnected { reason: failed },
        };
        assert!(expected, "{how:?}: {error:?}");
        assert!(pair.try_connect(address(1)).is_ok(), "and then nothing is in the way");
    }
}

#[test]
fn one_peer_is_connected_once_and_again_when_the_link_is_gone() {
    let (mut pair, _, mut connection) = linked(Pair::new());
    assert_eq!(pair.try_connect(demo::HEART_RATE_ADDRESS), Err(OpError::AlreadyConnected));
    for _ in 0..20 {
        let op = pair.submit(disconnect(connection));
        assert_eq!(pair.done(op), Ok(Output::Done));
        let reason = ErrorCode::ConnectionTerminatedByLocalHost;
        assert_eq!(pair.disconnections().last(), Some(&(connection, reason)));
        connection = pair.connect(demo::HEART_RATE_ADDRESS);
    }
    assert_eq!(pair.disconnections().len(), 20);
}

#[test]
fn a_peer_that_disconnects_ends_everything_on_its_link_with_its_reason() {
    each_seed(0..3, |seed| {
        let (mut pair, device, connection) = linked(Pair::seeded(seed));
        let discover = pair.submit(gatt(connection, Discover::all()));
        let reads: Vec<_> = (0..3).map(|_| pair.submit(gatt(connection, Read::new(3)))).collect();
        pair.run(ms(100));
        assert!(pair.told.result(discover).is_none());
        let reason = ErrorCode::RemoteDeviceTerminatedConnectionDueToPowerOff;
        pair.room(|radio| radio.disconnect_device(device, reason));
        for op in reads.into_iter().chain([discover]) {
            assert_eq!(pair.done(op), Err(OpError::Disconnected { reason }));
        }
        assert_eq!(pair.disconnections(), [(connection, reason)]);
        let connection = pair.connect(demo::HEART_RATE_ADDRESS);
        assert!(pair.gatt(connection, Discover::all()).is_ok());
        pair
    });
}

#[test]
fn a_peer_that_goes_silent_is_lost_after_the_supervision_timeout() {
    let (mut pair, device, connection) = linked(Pair::new());
    pair.room(|radio| radio.remove_device(device));
    let gone = pair.now;
    let op = pair.submit(gatt(connection, Read::new(3)));
    assert_eq!(pair.done(op), Err(OpError::Disconnected { reason: ErrorCode::ConnectionTimeout }));
    let silence = pair.now.since(gone);
    assert!((seconds(5)..ms(5200)).contains(&silence), "after {silence:?}");
}

#[test]
fn a_hardware_error_fails_everybody_and_scanning_goes_on_after_the_reset() {
    each_seed(0..2, |seed| {
        let (mut pair, _, connection) = linked(Pair::seeded(seed));
        pair.room(|radio| radio.add_device(demo::echo()));
        let scan = pair.scan(ScanOptions::new().duplicates(Duplicates::All));
        let connect = pair.submit(connect(address(99)));
        let read = pair.submit(gatt(connection, Discover::all()));
        pair.run(ms(50));
        let controller = pair.controller;
        pair.room(|radio| radio.hardware_error(controller, 0x2A));
        let failed = hardware_error(0x2A, Some(Rung::Reset));
        assert_eq!(pair.done(connect), Err(failed));
        assert_eq!(pair.done(read), Err(OpError::Disconnected { reason: ErrorCode::HardwareFailure }));
        assert_eq!(pair.disconnections(), [(connection, ErrorCode::HardwareFailure)]);
        let readies = pair.told.events.iter().filter(|event| matches!(event, Event::Ready(_))).count();
        assert_eq!(readies, 2);
        let before = pair.heard(scan).len();
        pair.run(seconds(2));
        assert!(pair.heard(scan).len() > before + 10);
        // The strap waits for its supervision time-out before it advertises again.
        pair.run(seconds(10));
        pair.connect(demo::HEART_RATE_ADDRESS);
        pair
    });
}

#[test]
fn scanning_goes_on_while_connecting_and_after() {
    for options in [ControllerOptions::default(), ControllerOptions::legacy()] {
        let mut pair = Pair::controller(options);
        let scan = pair.scan(ScanOptions::new().duplicates(Duplicates::All));
        pair.room(|radio| radio.add_device(demo::echo()));
        let op = pair.submit(connect(demo::HEART_RATE_ADDRESS));
        pair.run(seconds(1));
        let heard = pair.heard(scan).len();
        pair.room(|radio| radio.add_device(demo::heart_rate_strap()));
        assert!(pair.connected(op).is_ok());
        pair.run(seconds(1));
        assert!(pair.heard(scan).len() > heard + 10, "{heard} before the link");
    }
}

/// Some controllers cannot do both: scanning stops for the attempt and goes on behind it.
#[test]
fn a_controller_that_cannot_connect_while_it_scans_is_told_to_do_one_after_the_other() {
    const CREATE: u16 = 0x200D;
    const SCAN_ENABLE: u16 = 0x200C;
    let mut script = Script::new();
    script.submit(Request::Scan(ScanOptions::new()));
    script.sent.clear();
    script.refuses = vec![(CREATE, 0x0C)];
    // It would refuse again: the answers stop before, so that the test can lift the refusal.
    script.answers = false;
    let op = script.connect(PEER, 23);
    assert_eq!(script.commands(), [CREATE]);
    script.event(0x0F, &[0x0C, 1, 0x0D, 0x20]);
    assert_eq!(script.commands(), [CREATE, SCAN_ENABLE], "off");
    script.refuses.clear();
    script.answers = true;
    script.event(0x0E, &[1, 0x0C, 0x20, 0]);
    assert_eq!(script.commands(), [CREATE, SCAN_ENABLE, CREATE]);
    script.connection_complete(0, 0x40, PEER);
    assert!(script.result(op).is_ok());
    assert_eq!(script.commands()[3..], [SCAN_ENABLE], "on again");
    assert_eq!(script.sent.last().map(|packet| packet.payload()[0]), Some(1));
}

#[test]
fn what_a_peripheral_asks_for_is_set_or_refused_as_the_policy_says() {
    let wanted =
        ConnectionParameterUpdateReq { interval_min: 80, interval_max: 80, latency: 4, timeout: 600 };
    let within = ConnectionParameters::default();
    for (policy, granted) in [
        (ParameterPolicy::AcceptAll, true),
        (ParameterPolicy::RejectAll, false),
        (ParameterPolicy::Within(within), false),
    ] {
        let config = config(0).parameter_policy(policy);
        let mut pair = Pair::with(RadioOptions::default(), ControllerOptions::default(), config);
        let mut device = Device::new(address(1));
        device.parameter_request = Some(wanted);
        let device = pair.room(|radio| radio.add_device(device));
        pair.connect(address(1));
        pair.run(seconds(2));
        let answer = pair.radio.device(device).expect("there").parameter_answer;
        let expected =
            if granted { ParameterUpdateResult::Accepted } else { ParameterUpdateResult::Rejected };
        assert_eq!(answer, Some(expected), "{policy:?}");
        let timing = |event: &Event| match event {
            Event::Timing { timing, .. } => {
                Some((timing.interval, timing.latency, timing.supervision_timeout))
            }
            _ => None,
        };
        let set: Vec<_> = pair.told.events.iter().filter_map(timing).collect();
        let expected = if granted { vec![(ms(100), 4, seconds(6))] } else { vec![] };
        assert_eq!(set, expected, "{policy:?}");
    }
}

#[test]
fn the_controller_is_asked_about_the_link() {
    let (mut pair, _, connection) = linked(Pair::new());
    let mut ask = |request| {
        let op = pair.submit(request);
        pair.done(op)
    };
    assert!(matches!(ask(Request::ReadRssi { connection }), Ok(Output::Rssi(Some(-100..=0)))));
    assert_eq!(ask(Request::ReadPhy { connection }), Ok(Output::Phy { tx: Phy::Le1M, rx: Phy::Le1M }));
    let two = Ok(Output::Phy { tx: Phy::Le2M, rx: Phy::Le2M });
    assert_eq!(ask(Request::SetPhy { connection, tx: 2, rx: 2 }), two);
    assert_eq!(ask(Request::ReadPhy { connection }), two);
    assert!(matches!(ask(Request::ReadRemoteVersion { connection }), Ok(Output::RemoteVersion { .. })));
    assert!(matches!(ask(Request::ReadRemoteFeatures { connection }), Ok(Output::RemoteFeatures(_))));
    let slow = ConnectionParameters { interval_min: ms(100), interval_max: ms(100), ..Default::default() };
    let timing = ask(Request::UpdateParameters { connection, parameters: slow });
    assert!(matches!(timing, Ok(Output::Timing(timing)) if timing.interval == ms(100)), "{timing:?}");
    let wrong = ConnectionParameters { latency: 500, ..slow };
    let refused = ask(Request::UpdateParameters { connection, parameters: wrong });
    assert!(matches!(refused, Err(OpError::Invalid(_))));
    // Any command at all: Read Local Version Information.
    let raw = ask(Request::Command { opcode: Opcode(0x1001), parameters: bytes::Bytes::new() });
    assert!(matches!(raw, Ok(Output::Return(octets)) if octets.len() == 9 && octets[0] == 0));
}
