//! Cases A: servers that answer what they must not, too much, or nothing.

use crate::common::*;
use baretooth::att::{AttError, AttOpcode};
use baretooth::gatt::GattError;
use baretooth::gatt::procedure::{Delivery, Discover, Outcome, Read, Subscribe, Write, WriteLong};
use baretooth::hci::ErrorCode;
use baretooth::host::{Event, OpError, Output, Request};
use baretooth::sim::{ControllerOptions, demo};
use bytes::Bytes;

const HANDLE: u16 = 0x40;
const ATT: u16 = 4;

fn value(octets: &'static [u8]) -> Result<Output, OpError> {
    Ok(Output::Gatt(Outcome::Value(Bytes::from_static(octets))))
}

#[test]
fn a1_only_the_response_to_the_request_answers_it() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    script.att(HANDLE, &[0x0B, 1]);
    let op = script.submit(gatt(connection, Read::new(3)));
    for pdu in [&[0x13][..], &[0x0D, 1], &[0x01, 0x12, 3, 0, 5], &[0x03, 23, 0], &[], &[0xFF, 1]] {
        script.att(HANDLE, pdu);
        assert!(!script.is_done(op), "{pdu:02x?}");
    }
    script.att(HANDLE, &[0x0B, 7]);
    assert_eq!(script.result(op), value(&[7]));
}

#[test]
fn a2_an_error_of_code_0_and_of_another_handle_is_an_error() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let op = script.submit(gatt(connection, Read::new(3)));
    script.att(HANDLE, &[0x01, 0x0A, 0x99, 0x99, 0x00]);
    let error = GattError::Att { request: AttOpcode(0x0A), handle: 0x9999, code: AttError(0) };
    assert_eq!(script.result(op), Err(error.into()));
}

#[test]
fn a6_an_mtu_below_23_counts_as_23_and_one_exchange_more_changes_it() {
    let mut script = Script::new();
    let op = script.connect(PEER, 100);
    script.connection_complete(0, HANDLE, PEER);
    script.att(HANDLE, &[0x03, 5, 0]);
    let Ok(Output::Connected(info)) = script.result(op) else { panic!("no link") };
    assert_eq!(info.mtu, 23);
    script.att(HANDLE, &[0x03, 0xFF, 0xFF]);
    script.sent.clear();
    script.att(HANDLE, &[0x02, 60, 0]);
    assert_eq!(script.frames(HANDLE), [(ATT, vec![0x03, 100, 0])]);
    let changed = |event: &Event| matches!(event, Event::Mtu { mtu: 60, .. });
    assert_eq!(script.told.events.iter().filter(|event| changed(event)).count(), 1);
}

#[test]
fn a10_values_of_any_handle_and_length_come_as_they_are() {
    let mut script = Script::new();
    script.link(HANDLE);
    script.att(HANDLE, &[0x1B, 0, 0]);
    script.att(HANDLE, &[0x1B, 0xEF, 0xBE, 1]);
    script.att(HANDLE, &[0x1B, 3]);
    script.att(HANDLE, &[0x1B]);
    assert_eq!(script.values(), [(0, vec![], false), (0xBEEF, vec![1], false)]);
}

#[test]
fn a10_a_value_before_the_answer_to_its_subscription_is_not_lost() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let op = script.submit(gatt(connection, Subscribe::at(4, Delivery::Notify)));
    assert_eq!(script.frames(HANDLE), [(ATT, vec![0x12, 4, 0, 1, 0])]);
    script.att(HANDLE, &[0x1B, 3, 0, 1]);
    assert_eq!(script.values(), [(3, vec![1], false)]);
    assert!(!script.is_done(op));
    script.att(HANDLE, &[0x13]);
    assert!(script.result(op).is_ok());
}

/// A thousand indications that nobody reads, sent against the specification without waiting: at most eight are kept,
/// and each of those is confirmed once.
#[test]
fn a10_a_flood_of_indications_without_a_reader_is_bounded_and_confirmed_once_each() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    for n in 0..1000u16 {
        let [low, high] = n.to_le_bytes();
        script.att(HANDLE, &[0x1D, 3, 0, low, high]);
    }
    let kept = script.values().len();
    assert_eq!(kept, 8);
    assert_eq!(script.frames(HANDLE), [], "nothing is confirmed that nobody has read");
    script.run(seconds(120));
    let confirmation = || (ATT, vec![0x1E]);
    assert_eq!(script.frames(HANDLE), vec![confirmation(); kept], "unless the reader is too slow");
    script.submit(Request::Confirm { connection, indication: None });
    assert_eq!(script.frames(HANDLE).len(), kept, "a confirmation of nothing");
    script.att(HANDLE, &[0x1D, 3, 0, 1]);
    script.submit(Request::Confirm { connection, indication: None });
    script.submit(Request::Confirm { connection, indication: None });
    assert_eq!(script.frames(HANDLE).len(), kept + 1);
}

#[test]
fn a11_an_indication_and_a_request_of_the_peer_cross_our_request() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let op = script.submit(gatt(connection, Read::new(3)));
    script.sent.clear();
    script.att(HANDLE, &[0x1D, 9, 0, 1]);
    script.att(HANDLE, &[0x0A, 1, 0]);
    script.submit(Request::Confirm { connection, indication: None });
    assert_eq!(script.frames(HANDLE), [(ATT, vec![0x0B, 0x00, 0x18]), (ATT, vec![0x1E])]);
    script.att(HANDLE, &[0x0B, 7]);
    assert_eq!(script.result(op), value(&[7]));
}

#[test]
fn a11_two_indications_before_a_confirmation_are_both_values_and_both_confirmed() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    script.att(HANDLE, &[0x1D, 9, 0, 1]);
    script.att(HANDLE, &[0x1D, 9, 0, 2]);
    assert_eq!(script.values(), [(9, vec![1], true), (9, vec![2], true)]);
    script.submit(Request::Confirm { connection, indication: None });
    script.submit(Request::Confirm { connection, indication: None });
    assert_eq!(script.frames(HANDLE), vec![(ATT, vec![0x1E]); 2]);
}

#[test]
fn a11_a_server_that_never_answers_ends_the_bearer_after_30_seconds() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let first = script.submit(gatt(connection, Read::new(3)));
    let second = script.submit(gatt(connection, Read::new(4)));
    script.run(ms(29_999));
    assert!(!script.is_done(first));
    script.run(ms(1));
    let timeout = || Err(OpError::AttTimeout { after: seconds(30) });
    assert_eq!((script.result(first), script.result(second)), (timeout(), timeout()));
    assert_eq!(script.commands(), [0x0406], "and with it the link");
    script.sent.clear();
    script.att(HANDLE, &[0x0B, 7]);
    let third = script.submit(gatt(connection, Read::new(3)));
    assert_eq!(script.result(third), timeout());
    assert_eq!(script.sent, [], "nothing more is asked");
    script.disconnection_complete(HANDLE, 0x16);
    assert!(script.host.is_idle());
}

#[test]
fn a12_a_database_out_of_sync_is_an_error_and_the_link_goes_on() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let op = script.submit(gatt(connection, Read::new(3)));
    script.att(HANDLE, &[0x01, 0x0A, 3, 0, 0x12]);
    let error = GattError::Att { request: AttOpcode(0x0A), handle: 3, code: AttError(0x12) };
    assert_eq!(script.result(op), Err(error.into()));
    let op = script.submit(gatt(connection, Read::new(3)));
    script.att(HANDLE, &[0x0B, 7]);
    assert_eq!(script.result(op), value(&[7]));
}

/// Service Changed is a value like any other: the host discovers nothing by itself, however often it comes.
#[test]
fn a12_a_storm_of_service_changed_makes_the_host_ask_nothing() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    for _ in 0..1000 {
        // From 0xFFFF to 0x0001.
        script.att(HANDLE, &[0x1D, 3, 0, 0xFF, 0xFF, 1, 0]);
        script.submit(Request::Confirm { connection, indication: None });
    }
    assert_eq!(script.frames(HANDLE), vec![(ATT, vec![0x1E]); 1000]);
    assert_eq!(script.values().len(), 1000);
}

/// The peer goes away behind the first request of a procedure, behind the second, and so on to its end.
#[test]
fn a13_a_disconnection_at_any_step_of_any_procedure_is_one_error_and_blocks_nothing() {
    let log = demo::thermometer().server.find(demo::LOG).expect("the log");
    type Start = fn(u16) -> baretooth::gatt::procedure::Running;
    let procedures: [(&str, Start); 5] = [
        ("discover", |_| Discover::all().with_user_descriptions().into()),
        ("read", |log| Read::new(log).into()),
        ("write", |log| Write::new(log, &b"short"[..]).expect("short").into()),
        ("long write", |log| WriteLong::new(log, vec![7; 400]).expect("not too long").into()),
        ("subscribe", |_| Subscribe::at(9, Delivery::Indicate).into()),
    ];
    for (name, start) in procedures {
        let mut steps = 0;
        loop {
            let mut pair = Pair::controller(ControllerOptions::default());
            let device = pair.room(|radio| radio.add_device(demo::thermometer()));
            let connection = pair.connect(demo::THERMOMETER_ADDRESS);
            let before = pair.acl_sent;
            let op = pair.submit(gatt(connection, start(log)));
            let behind = pair.submit(gatt(connection, Read::new(3)));
            let end = pair.now + seconds(60);
            while pair.acl_sent < before + 1 + steps && pair.told.result(op).is_none() && pair.drive(end) {}
            if pair.told.result(op).is_some() {
                break;
            }
            let reason = ErrorCode::RemoteUserTerminatedConnection;
            pair.room(|radio| radio.disconnect_device(device, reason));
            // `Told` sees to it that each ends once.
            assert_eq!(pair.done(op), Err(OpError::Disconnected { reason }), "{name}, step {steps}");
            assert_eq!(pair.done(behind), Err(OpError::Disconnected { reason }));
            assert_eq!(pair.disconnections(), [(connection, reason)]);
            let connection = pair.connect(demo::THERMOMETER_ADDRESS);
            assert_eq!(pair.gatt(connection, Read::new(3)), Ok(Bytes::from_static(b"Thermometer")));
            steps += 1;
        }
        assert!(steps > 0, "{name} took no step");
    }
}

#[test]
fn a14_a_write_command_over_the_mtu_is_refused_here_and_an_empty_one_is_sent() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let mut write = |length| {
        let value = vec![1; length].into();
        let op = script.submit(Request::WriteCommand { connection, handle: 3, value });
        script.result(op)
    };
    assert_eq!(write(21), Err(OpError::TooLong { length: 21, limit: 20 }));
    assert_eq!((write(20), write(0)), (Ok(Output::Done), Ok(Output::Done)));
    let lengths: Vec<_> = script.frames(HANDLE).iter().map(|(_, pdu)| pdu.len()).collect();
    assert_eq!(lengths, [23, 3]);
}

/// A server that asks without end, while the controller takes none of our answers.
#[test]
fn a11_requests_of_the_peer_without_end_leave_a_bounded_queue() {
    let mut script = Script::new();
    script.link(HANDLE);
    script.completes = false;
    for _ in 0..10_000 {
        script.att(HANDLE, &[0x0A, 1, 0]);
        script.att(HANDLE, &[0x1D, 9]);
    }
    script.sent.clear();
    script.completes = true;
    script.event(0x13, &[1, HANDLE.to_le_bytes()[0], 0, 8, 0]);
    assert!((100..=300).contains(&script.frames(HANDLE).len()), "{}", script.frames(HANDLE).len());
}
