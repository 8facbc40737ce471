//! Controllers that have less than others, or less than they say.

use crate::common::*;
use baretooth::gap::scan::ScanOptions;
use baretooth::gatt::procedure::{Discover, Read};
use baretooth::hci::{InitError, Opcode};
use baretooth::host::{Event, OpError, Request, Rung};
use baretooth::sim::{ControllerOptions, RadioOptions, demo};

/// Scan, connect, discover, read: the main job.
fn do_the_job(pair: &mut Pair) {
    pair.room(|radio| radio.add_device(demo::heart_rate_strap()));
    let scan = pair.scan(ScanOptions::new());
    pair.run(seconds(1));
    assert!(pair.last_heard(scan, demo::HEART_RATE_ADDRESS).is_some());
    let connection = pair.connect(demo::HEART_RATE_ADDRESS);
    assert!(pair.gatt(connection, Discover::all()).is_ok());
    assert_eq!(pair.gatt(connection, Read::new(3)).expect("the name"), "HR strap");
}

#[test]
fn the_job_is_done_with_every_kind_of_controller() {
    for options in [
        ControllerOptions::default(),
        ControllerOptions::legacy(),
        ControllerOptions::zero_le_buffers(),
        ControllerOptions::lying(),
        ControllerOptions { acl_buffers: 1, acl_data_length: 27, ..ControllerOptions::default() },
        ControllerOptions { command_packets: 5, ..ControllerOptions::default() },
    ] {
        do_the_job(&mut Pair::controller(options));
    }
}

#[test]
fn the_job_is_done_in_the_legacy_way_when_that_is_asked_for() {
    let config = config(0).legacy_only(true);
    let mut pair = Pair::with(RadioOptions::default(), ControllerOptions::default(), config);
    do_the_job(&mut pair);
    assert!(!pair.host.controller().expect("ready").extended);
}

#[test]
fn the_job_is_done_with_controllers_that_do_not_answer_what_can_be_spared() {
    for opcode in [0x1001, 0x1002, 0x1003, 0x2003, 0x1009, 0x2024, 0x2022] {
        let _blame = Blame(opcode.into());
        do_the_job(&mut Pair::controller(ControllerOptions::mute(Opcode(opcode))));
    }
}

#[test]
fn a_controller_that_does_not_answer_what_it_must_is_an_error_that_names_the_command() {
    for opcode in [0x0C03, 0x2002] {
        let controller = ControllerOptions::mute(Opcode(opcode));
        let mut pair = Pair::unready(RadioOptions::default(), controller, config(0));
        pair.run(seconds(10));
        let failed = |event: &Event| match event {
            Event::Failed(error) => Some(error.clone()),
            _ => None,
        };
        let errors: Vec<_> = pair.told.events.iter().filter_map(failed).collect();
        let silent = OpError::Init(InitError::Silent(Opcode(opcode)));
        assert_eq!(errors, std::slice::from_ref(&silent));
        let op = pair.submit(connect(address(1)));
        assert_eq!(pair.done(op), Err(silent));
        assert!(pair.now.since_start() <= seconds(10));
    }
}

/// LE Set Extended Scan Parameters, LE Extended Create Connection: silence is taken for not having them.
#[test]
fn a_controller_that_is_silent_about_extended_commands_is_used_in_the_legacy_way() {
    let mut pair = Pair::controller(ControllerOptions::mute(Opcode(0x2041)));
    pair.room(|radio| radio.add_device(demo::echo()));
    let scan = pair.scan(ScanOptions::new());
    assert_eq!(pair.now.since_start(), seconds(2));
    pair.run(seconds(1));
    assert!(pair.last_heard(scan, demo::ECHO_ADDRESS).is_some());

    let mut pair = Pair::controller(ControllerOptions::mute(Opcode(0x2043)));
    pair.room(|radio| radio.add_device(demo::echo()));
    assert!(pair.try_connect(demo::ECHO_ADDRESS).is_ok());
}

#[test]
fn a_command_that_is_never_answered_fails_its_request_within_two_seconds() {
    let silent = |opcode| Err(silent(opcode, Some(Rung::Reset)));
    // LE Set Scan Parameters, LE Set Scan Enable.
    for opcode in [0x200B, 0x200C] {
        let options = ControllerOptions { mute: vec![Opcode(opcode)], ..ControllerOptions::legacy() };
        let mut pair = Pair::controller(options);
        let op = pair.submit(Request::Scan(ScanOptions::new()));
        assert_eq!(pair.done(op), silent(opcode));
        assert!(pair.now.since_start() <= seconds(2));
    }
    // LE Create Connection.
    let mute = vec![Opcode(0x200D)];
    let mut pair = Pair::controller(ControllerOptions { mute, ..ControllerOptions::legacy() });
    let op = pair.submit(connect(demo::ECHO_ADDRESS));
    assert_eq!(pair.done(op), silent(0x200D));
    // LE Create Connection Cancel: the attempt ends all the same.
    let mut pair = Pair::controller(ControllerOptions::mute(Opcode(0x200E)));
    let op = pair.submit(connect(demo::ECHO_ADDRESS));
    pair.run(seconds(1));
    pair.cancel(op);
    assert_eq!(pair.done(op), Err(OpError::Cancelled));
    assert!(pair.now.since_start() <= seconds(4));
    // Disconnect.
    let mut pair = Pair::controller(ControllerOptions::mute(Opcode(0x0406)));
    pair.room(|radio| radio.add_device(demo::echo()));
    let connection = pair.connect(demo::ECHO_ADDRESS);
    let reason = baretooth::hci::ErrorCode::RemoteUserTerminatedConnection;
    let op = pair.submit(Request::Disconnect { connection, reason });
    assert_eq!(pair.done(op), silent(0x0406));
}
