//! Our host as the central.

use crate::common::*;
use crate::{kind, plan};
use baretooth::gap::connect::ConnectOptions;
use baretooth::gap::scan::ScanOptions;
use baretooth::gatt::procedure::{Delivery, Discover, Read, Subscribe, WriteLong};
use baretooth::hci::ErrorCode;
use baretooth::host::{ConnectionId, Event, OpId, Output, Request};
use baretooth::sim::{ControllerOptions, FaultPlan, demo};

/// The longest of all time-outs, one after the other: a connect with its cancellation, an exchange of the MTU that is
/// never answered, an end that is never told.
const BOUND: u64 = 20 + 2 + 30 + 34;

/// More commands than this in a session would mean that one is sent over and over.
const MOST_COMMANDS: usize = 400;

/// Everything a user does, with requests of all kinds under way at once.
fn session(seed: u64, plan: FaultPlan, from_the_first_packet: bool) -> Pair {
    let (before, after) =
        if from_the_first_packet { (plan, None) } else { (FaultPlan::default(), Some(plan)) };
    let controller = ControllerOptions { faults: before, ..kind(seed) };
    let mut pair = Pair::unready(Default::default(), controller, config(seed));
    for device in [demo::heart_rate_strap(), demo::thermometer(), demo::echo()] {
        pair.room(|radio| radio.add_device(device));
    }
    // However often an answer of the initialisation is lost, it takes two seconds each time.
    pair.run(seconds(if from_the_first_packet { 60 } else { 1 }));
    let controller = pair.controller;
    if let Some(plan) = after {
        pair.room(|radio| radio.set_faults(controller, plan));
    }
    let mut ops = vec![pair.submit(Request::Scan(ScanOptions::new()))];
    for address in [demo::HEART_RATE_ADDRESS, demo::THERMOMETER_ADDRESS, demo::ECHO_ADDRESS] {
        let options = ConnectOptions::new();
        ops.push(pair.submit(Request::Connect { address, options }));
        pair.run(seconds(2));
    }
    let mut used = 0;
    for _ in 0..20 {
        for connection in links(&pair).split_off(used) {
            used += 1;
            use_link(&mut pair, connection, &mut ops);
        }
        pair.run(seconds(3));
    }
    // Write commands wait for the controller as long as the link lasts; whatever is left goes with it.
    for connection in links(&pair) {
        let reason = ErrorCode::RemoteUserTerminatedConnection;
        ops.push(pair.submit(Request::Disconnect { connection, reason }));
    }
    pair.cancel(ops[0]);
    pair.run(seconds(BOUND));
    for op in ops {
        assert!(pair.told.result(op).is_some(), "{op:?} has not ended");
    }
    assert!(pair.commands < MOST_COMMANDS, "{} commands", pair.commands);
    pair
}

fn links(pair: &Pair) -> Vec<ConnectionId> {
    let connected = |event: &Event| match event {
        Event::Connected(info) => Some(info.connection),
        _ => None,
    };
    pair.told.events.iter().filter_map(connected).collect()
}

fn use_link(pair: &mut Pair, connection: ConnectionId, ops: &mut Vec<OpId>) {
    let log = demo::thermometer().server.find(demo::LOG).expect("the log");
    let value = vec![7; 300];
    let requests = [
        gatt(connection, Discover::all()),
        gatt(connection, Read::new(3)),
        gatt(connection, WriteLong::new(log, value).expect("not too long")),
        gatt(connection, Subscribe::at(9, Delivery::Notify)),
        Request::ReadRssi { connection },
        Request::ReadPhy { connection },
        Request::SetPhy { connection, tx: 2, rx: 2 },
        Request::ReadRemoteVersion { connection },
        Request::ReadRemoteFeatures { connection },
        Request::UpdateParameters { connection, parameters: Default::default() },
    ];
    ops.extend(requests.map(|request| pair.submit(request)));
    for n in 0..20 {
        let value = vec![n; 20].into();
        ops.push(pair.submit(Request::WriteCommand { connection, handle: 12, value }));
    }
}

#[test]
fn every_request_ends_whatever_happens_to_the_packets_of_a_controller() {
    each_seed(0..200, |seed| session(seed, plan(seed), false));
}

#[test]
fn a_host_that_never_gets_a_clean_packet_ends_every_request_too() {
    each_seed(0..60, |seed| session(seed, plan(seed), true));
}

/// What the two above would be worth nothing without.
#[test]
fn without_faults_the_session_succeeds() {
    let pair = session(1, FaultPlan::default(), false);
    let failed = |event: &Event| match event {
        Event::OpDone { op, result: Err(error) } => Some(format!("{op:?}: {error}")),
        _ => None,
    };
    let failures: Vec<_> = pair.told.events.iter().filter_map(failed).collect();
    let discovered = |event: &&Event| matches!(event, Event::OpDone { result: Ok(Output::Gatt(_)), .. });
    assert_eq!(links(&pair).len(), 3);
    // The log is at the thermometer alone, and so on: each device refuses some of it.
    assert!(pair.told.events.iter().filter(discovered).count() >= 6, "{failures:?}");
}

/// Every third packet is lost: the most that a session survives is nothing, but it ends.
#[test]
fn a_controller_that_loses_a_third_of_its_packets_hangs_nobody() {
    for seed in 0..30 {
        let _blame = Blame(seed);
        session(seed, FaultPlan { seed, drop: 300, ..FaultPlan::default() }, false);
    }
}
