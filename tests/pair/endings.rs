//! Every request ends, once, whatever the controller and the peer leave out.

use crate::common::*;
use baretooth::gap::scan::ScanOptions;
use baretooth::gatt::procedure::Read;
use baretooth::hci::{ErrorCode, InitError, Opcode};
use baretooth::host::{Event, OpError, Output, Request};
use baretooth::sim::Device;

#[test]
fn a_connect_cancelled_while_the_mtu_is_exchanged_ends_once_and_leaves_no_link() {
    let mut pair = Pair::new();
    let device = pair.room(|radio| radio.add_device(Device::new(address(1))));
    let op = pair.submit(connect(address(1)));
    pair.until("a link", |pair| pair.acl_sent > 0);
    pair.cancel(op);
    assert_eq!(pair.done(op), Err(OpError::Cancelled));
    pair.run(seconds(60));
    assert!(pair.host.is_idle());
    assert!(!pair.radio.device(device).expect("there").is_connected());
    assert!(!pair.told.events.iter().any(|event| matches!(event, Event::Connected(_))));
}

/// The peer of an attempt may be connected and never say a word.
#[test]
fn a_connect_whose_mtu_exchange_is_never_answered_ends_once_and_leaves_no_link() {
    let mut script = Script::new();
    let op = script.connect(PEER, 100);
    script.connection_complete(0, 0x40, PEER);
    assert_eq!(script.frames(0x40), [(4, vec![0x02, 100, 0])]);
    script.run(seconds(30));
    assert_eq!(script.result(op), Err(OpError::AttTimeout { after: seconds(30) }));
    assert_eq!(script.commands().last(), Some(&0x0406));
    script.disconnection_complete(0x40, 0x16);
    assert!(script.host.is_idle());
    assert!(!script.told.events.iter().any(|event| matches!(event, Event::Disconnected { .. })));
}

/// Cancelled while the exchange of the MTU waits, and nothing more comes of the peer.
#[test]
fn a_cancelled_connect_outlives_neither_the_answer_nor_the_silence_of_its_peer() {
    for answered in [true, false] {
        let mut script = Script::new();
        let op = script.connect(PEER, 100);
        script.connection_complete(0, 0x40, PEER);
        script.cancel(op);
        assert!(!script.is_done(op), "the link is still there");
        if answered {
            script.att(0x40, &[0x03, 100, 0]);
        } else {
            script.run(seconds(2));
        }
        assert!(!script.is_done(op));
        script.disconnection_complete(0x40, 0x16);
        assert_eq!(script.result(op), Err(OpError::Cancelled));
        assert!(script.host.is_idle());
    }
}

/// A program lets go of its link and closes in one breath: the controller is told once.
#[test]
fn a_link_that_is_being_ended_is_not_ended_again() {
    const ACCEPTED: [u8; 4] = [0, 1, 0x06, 0x04];
    for answered_before in [false, true] {
        let mut script = Script::new();
        let connection = script.link(0x40);
        script.answers = false;
        let reason = ErrorCode::RemoteUserTerminatedConnection;
        let op = script.submit(Request::Disconnect { connection, reason });
        if answered_before {
            script.event(0x0F, &ACCEPTED);
        }
        script.host.wind_down(script.now);
        script.exchange();
        if !answered_before {
            script.event(0x0F, &ACCEPTED);
        }
        let disconnects = script.commands().into_iter().filter(|opcode| *opcode == 0x0406).count();
        assert_eq!(disconnects, 1, "answered before: {answered_before}");
        script.disconnection_complete(0x40, 0x16);
        assert_eq!(script.result(op), Ok(Output::Done));
        assert!(script.host.is_idle());
    }
}

/// Read Remote Version Information, LE Read Remote Features, LE Connection Update, LE Set PHY: accepted, and then
/// nothing.
#[test]
fn a_question_about_the_link_that_no_event_answers_ends_in_40_seconds() {
    let mut script = Script::new();
    let connection = script.link(0x40);
    let parameters = Default::default();
    let requests = [
        (Request::ReadRemoteVersion { connection }, 0x041D),
        (Request::ReadRemoteFeatures { connection }, 0x2016),
        (Request::UpdateParameters { connection, parameters }, 0x2013),
        (Request::SetPhy { connection, tx: 2, rx: 2 }, 0x2032),
    ];
    let ops: Vec<_> = requests.map(|(request, opcode)| (script.submit(request), opcode)).into();
    script.run(ms(39_999));
    assert!(ops.iter().all(|(op, _)| !script.is_done(*op)));
    script.run(ms(1));
    for (op, opcode) in ops {
        let silent = OpError::ControllerSilent { command: Opcode(opcode), after: seconds(40) };
        assert_eq!(script.result(op), Err(silent));
    }
    let read = script.submit(gatt(connection, Read::new(3)));
    script.att(0x40, &[0x0B, 7]);
    assert!(script.result(read).is_ok(), "the link itself goes on");
}

#[test]
fn a_link_whose_end_is_never_told_is_gone_after_its_supervision_timeout() {
    let mut script = Script::new();
    let connection = script.link(0x40);
    let read = script.submit(gatt(connection, Read::new(3)));
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    let disconnect = script.submit(Request::Disconnect { connection, reason });
    script.run(ms(6_999));
    assert!(!script.is_done(disconnect));
    script.run(ms(1));
    assert_eq!(script.result(disconnect), Ok(Output::Done));
    let reason = ErrorCode::ConnectionTimeout;
    assert_eq!(script.result(read), Err(OpError::Disconnected { reason }));
    assert!(script.host.is_idle());
}

#[test]
fn a_link_that_the_controller_does_not_know_any_more_is_gone() {
    let mut script = Script::new();
    let connection = script.link(0x40);
    let read = script.submit(gatt(connection, Read::new(3)));
    script.refuses = vec![(0x1405, 0x02)];
    let rssi = script.submit(Request::ReadRssi { connection });
    let gone = Err(OpError::Disconnected { reason: ErrorCode::UnknownConnectionIdentifier });
    assert_eq!((script.result(rssi), script.result(read)), (gone.clone(), gone));
    assert!(matches!(script.told.events.last(), Some(Event::Disconnected { .. })));
    assert!(script.host.is_idle());
}

#[test]
fn a_disconnect_that_the_event_overtook_is_done() {
    let mut script = Script::new();
    let connection = script.link(0x40);
    script.answers = false;
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    let op = script.submit(Request::Disconnect { connection, reason });
    script.disconnection_complete(0x40, 0x16);
    script.event(0x0F, &[0, 1, 0x06, 0x04]);
    assert_eq!(script.result(op), Ok(Output::Done));
}

#[test]
fn a_scan_ends_with_the_controller_that_does_not_come_back_from_a_hardware_error() {
    let mut script = Script::new();
    let scan = script.submit(Request::Scan(ScanOptions::new()));
    script.answers = false;
    script.event(0x10, &[0x2A]);
    script.run(seconds(10));
    let fault = InitError::Silent(Opcode(0x0C03)).into();
    assert_eq!(script.result(scan), Err(OpError::ControllerFailed { fault, then: None }));
    assert!(matches!(script.told.events.last(), Some(Event::Failed(_))));
}
