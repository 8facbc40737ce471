//! Cases H: controllers that are broken or hostile.

use crate::common::*;
use baretooth::gap::scan::ScanOptions;
use baretooth::gatt::procedure::Read;
use baretooth::hci::{ErrorCode, InitError, Opcode};
use baretooth::host::{ConnectionId, Event, OpError, Output, Request, Rung};
use bytes::Bytes;

const DISCONNECT: u16 = 0x0406;
const CREATE_CONNECTION: u16 = 0x200D;

/// What a read of one octet has to give.
fn reads(script: &mut Script, connection: ConnectionId, handle: u16) -> bool {
    let op = script.submit(gatt(connection, Read::new(3)));
    script.att(handle, &[0x0B, 7]);
    script.result(op).is_ok()
}

#[test]
fn h3_an_le_event_cut_at_any_octet_changes_nothing() {
    let mut script = Script::new();
    let whole = [&[0x01, 0, 0x40, 0, 0, 1][..], &PEER.bd_addr.0, &[24, 0, 0, 0, 0xF4, 1, 0]].concat();
    let op = script.connect(PEER, 23);
    for length in 0..whole.len() {
        script.event(0x3E, &whole[..length]);
    }
    assert!(!script.is_done(op));
    script.event(0x3E, &[&whole[..], &[1, 2, 3]].concat());
    assert!(script.result(op).is_ok(), "octets behind the layout do not matter");
}

#[test]
fn h6_a_buffer_of_one_octet_and_no_command_credit_for_ever() {
    let mut script = Script::unready(config(1));
    script.credits = 0;
    script.exchange();
    script.run(seconds(60));
    assert!(matches!(script.told.events[..], [Event::Failed(OpError::Init(InitError::Silent(_)))]));

    let mut pair = Pair::controller(baretooth::sim::ControllerOptions {
        acl_data_length: 1,
        ..baretooth::sim::ControllerOptions::legacy()
    });
    pair.room(|radio| radio.add_device(baretooth::sim::demo::echo()));
    // Whatever becomes of frames in pieces of one octet: it ends.
    let op = pair.submit(connect(baretooth::sim::demo::ECHO_ADDRESS));
    assert!(pair.done(op).is_ok());
    assert_eq!(pair.acl_longest, 1);
}

#[test]
fn h7_completed_packets_of_nobody_and_too_many_give_no_buffers() {
    let mut script = Script::unready(config(1));
    script.buffers = 2;
    script.exchange();
    let connection = script.link(0x40);
    script.completes = false;
    let sent = |script: &Script| script.frames(0x40).len();
    for n in 0..10 {
        let value = Bytes::copy_from_slice(&[n]);
        script.submit(Request::WriteCommand { connection, handle: 3, value });
    }
    assert_eq!(sent(&script), 2);
    script.event(0x13, &[1, 0x41, 0, 1, 0]);
    script.event(0x13, &[1, 0x40, 0, 1]);
    script.event(0x13, &[0, 0x40, 0, 1, 0]);
    assert_eq!(sent(&script), 2, "an unknown link, half a count, none announced");
    script.event(0x13, &[2, 0x40, 0, 1, 0]);
    assert_eq!(sent(&script), 3, "of two announced the one that is there");
    script.event(0x13, &[1, 0x40, 0, 0xFF, 0xFF]);
    assert_eq!(sent(&script), 5, "two buffers are two buffers");
}

#[test]
fn h8_a_second_link_with_the_handle_of_the_first_changes_nothing() {
    let mut script = Script::new();
    let first = script.link(0x40);
    let op = script.connect(address(2), 23);
    script.connection_complete(0, 0x40, address(2));
    assert!(reads(&mut script, first, 0x40));
    script.run(seconds(60));
    assert_eq!(script.result(op), Err(OpError::ConnectTimeout { after: seconds(20) }));
    script.disconnection_complete(0x40, 0x13);
    assert!(script.host.is_idle());
}

#[test]
fn h8_a_handle_above_0eff_is_no_link() {
    let mut script = Script::new();
    let op = script.connect(PEER, 23);
    for handle in [0x0F00, 0x0FFF, 0x1040, 0xFFFF] {
        script.connection_complete(0, handle, PEER);
    }
    script.acl(0x0F00, &[1, 0, 4, 0, 0x1B]);
    script.run(seconds(60));
    assert!(script.result(op).is_err());
    assert!(script.host.is_idle());
}

#[test]
fn h8_a_link_that_nobody_asked_for_is_ended_and_leaves_nothing() {
    let mut script = Script::new();
    script.connection_complete(0, 0x40, PEER);
    assert_eq!(script.commands(), [DISCONNECT]);
    script.att(0x40, &[0x02, 100, 0]);
    script.disconnection_complete(0x40, 0x16);
    assert_eq!(script.commands(), [DISCONNECT]);
    assert!(script.told.events.iter().all(|event| matches!(event, Event::Ready(_))));
    assert!(script.host.is_idle());
}

/// LE Create Connection Cancel is answered, the event that should follow is a link.
#[test]
fn h8_a_link_that_comes_up_behind_its_cancellation_is_ended() {
    let mut script = Script::new();
    let op = script.connect(PEER, 23);
    script.cancel(op);
    script.connection_complete(0, 0x40, PEER);
    // The controller says 0x02 as well, in case it has lost count.
    script.connection_complete(0x02, 0, PEER);
    assert_eq!(script.commands().last(), Some(&DISCONNECT));
    assert!(!script.is_done(op));
    script.disconnection_complete(0x40, 0x16);
    assert_eq!(script.result(op), Err(OpError::Cancelled));
    assert!(script.host.is_idle());
}

#[test]
fn h8_data_before_the_link_are_dropped_and_not_given_to_another() {
    let mut script = Script::new();
    script.link(0x40);
    script.acl(0x41, &[4, 0, 4, 0, 0x1B, 3]);
    script.connect(address(2), 23);
    script.connection_complete(0, 0x41, address(2));
    script.acl_flagged(0x41, 0b01, &[0, 7]);
    assert_eq!(script.values(), []);
    script.att(0x41, &[0x1B, 3, 0, 9]);
    assert_eq!(script.values(), [(3, vec![9], false)]);
}

#[test]
fn h9_the_end_of_a_link_comes_twice_and_of_no_link() {
    let mut script = Script::new();
    let connection = script.link(0x40);
    script.disconnection_complete(0x0123, 0x13);
    script.event(0x08, &[0, 0x23, 1, 1]);
    assert!(reads(&mut script, connection, 0x40));
    for _ in 0..2 {
        script.disconnection_complete(0x40, 0x13);
    }
    script.att(0x40, &[0x1B, 3, 0, 9]);
    let ends = script.told.events.iter().filter(|event| matches!(event, Event::Disconnected { .. }));
    assert_eq!(ends.count(), 1);
    assert_eq!(script.values(), []);
    // Completed packets of a link that is gone do not count twice.
    script.event(0x13, &[1, 0x40, 0, 5, 0]);
    assert!(script.host.is_idle());
}

#[test]
fn h9_a_handle_used_again_is_another_link() {
    let mut script = Script::new();
    let first = script.link(0x40);
    let op = script.submit(gatt(first, Read::new(3)));
    script.acl(0x40, &[9, 0, 4, 0, 0x0B]);
    script.disconnection_complete(0x40, 0x13);
    let second = script.link(0x40);
    assert_ne!(first, second);
    // Neither the half frame nor the outstanding request of the first is left.
    script.acl_flagged(0x40, 0b01, &[1, 2, 3, 4, 5, 6, 7, 8]);
    script.att(0x40, &[0x0B, 1]);
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    assert_eq!(script.result(op), Err(OpError::Disconnected { reason }));
    assert!(reads(&mut script, second, 0x40));
    let late = script.submit(gatt(first, Read::new(3)));
    assert_eq!(script.result(late), Err(OpError::NotConnected));
}

#[test]
fn h10_an_answer_to_another_command_ends_no_request() {
    let mut script = Script::new();
    script.answers = false;
    let command = |opcode| Request::Command { opcode: Opcode(opcode), parameters: Bytes::new() };
    let (first, second) = (script.submit(command(0x1009)), script.submit(command(0x1001)));
    script.event(0x0E, &[1, 0x01, 0x10, 0]);
    script.event(0x0F, &[0, 1, 0x03, 0x0C]);
    script.event(0x0E, &[1, 0, 0]);
    assert!(!script.is_done(first) && !script.is_done(second));
    for _ in 0..2 {
        script.event(0x0E, &[1, 0x09, 0x10, 0]);
    }
    assert_eq!(script.result(first), Ok(Output::Return(Bytes::from_static(&[0]))));
    assert!(!script.is_done(second), "answered twice, and only one of them was asked");
}

#[test]
fn h11_lost_buffers_while_connecting_do_not_matter_and_a_hardware_error_ends_everything() {
    let mut script = Script::new();
    let connection = script.link(0x40);
    let read = script.submit(gatt(connection, Read::new(3)));
    let connect = script.connect(address(2), 23);
    script.event(0x1A, &[0x01]);
    assert!(!script.is_done(read) && !script.is_done(connect));
    script.event(0x10, &[0x99]);
    assert_eq!(script.result(connect), Err(hardware_error(0x99, Some(Rung::Reset))));
    assert_eq!(script.result(read), Err(OpError::Disconnected { reason: ErrorCode::HardwareFailure }));
    assert!(matches!(script.told.events.last(), Some(Event::Ready(_))), "initialised anew");
    assert!(script.host.is_idle());
    // What the controller was about to say of the time before concerns nobody.
    script.event(0x0F, &[0, 1, 0x0D, 0x20]);
    script.connection_complete(0x02, 0, address(2));
    script.disconnection_complete(0x40, 0x08);
    let link = script.link(0x40);
    assert!(reads(&mut script, link, 0x40));
}

#[test]
fn h11_one_hardware_error_after_the_other_ends_in_few_resets() {
    let resets = |script: &Script| script.commands().iter().filter(|opcode| **opcode == 0x0C03).count();
    let mut script = Script::new();
    let scan = script.submit(Request::Scan(ScanOptions::new()));
    for _ in 0..1000 {
        script.event(0x10, &[0]);
    }
    assert_eq!(resets(&script), 3);
    assert_eq!(script.result(scan), Err(hardware_error(0, None)));

    let mut script = Script::new();
    script.answers = false;
    for _ in 0..1000 {
        script.event(0x10, &[0]);
    }
    assert_eq!(resets(&script), 1, "the reset is on its way already");
}

#[test]
fn h13_a_request_for_a_key_gets_a_negative_reply_link_or_not() {
    let mut script = Script::new();
    script.link(0x40);
    for handle in [0x40, 0x0EAD_u16] {
        script.sent.clear();
        let [low, high] = handle.to_le_bytes();
        script.event(0x3E, &[0x05, low, high, 1, 2, 3, 4, 5, 6, 7, 8, 0x34, 0x12]);
        let replies: Vec<_> = script.sent.iter().map(|packet| packet.as_slice().to_vec()).collect();
        assert_eq!(replies, [[0x01, 0x1B, 0x20, 2, low, high]]);
    }
}

/// A controller that asks and never answers must not make the host hoard.
#[test]
fn h13_requests_without_end_leave_a_bounded_queue() {
    let mut script = Script::new();
    script.link(0x40);
    script.answers = false;
    for n in 0..10_000u16 {
        let [low, high] = n.to_le_bytes();
        script.event(0x3E, &[0x05, 0x40, 0, 1, 2, 3, 4, 5, 6, 7, 8, low, high]);
        // LE Remote Connection Parameter Request, each another.
        let [low, high] = (10 + n % 3000).to_le_bytes();
        script.event(0x3E, &[0x06, 0x40, 0, 6, 0, low, high, 0, 0, 0x80, 0x0C]);
        script.connection_complete(0, 0x0100 + n % 8, PEER);
    }
    script.answers = true;
    script.run(seconds(2));
    assert!(script.commands().len() <= 100, "{} commands were waiting", script.commands().len());
}

#[test]
fn h14_a_late_answer_to_a_connect_does_not_answer_the_next() {
    let mut script = Script::new();
    script.answers = false;
    // By hand: one of the host's own would have the controller reset.
    let opcode = Opcode(CREATE_CONNECTION);
    let first = script.submit(Request::Command { opcode, parameters: Bytes::from_static(&[0; 25]) });
    script.run(seconds(2));
    let silent = OpError::ControllerSilent { command: opcode, after: seconds(2) };
    assert_eq!(script.result(first), Err(silent));
    let rssi = script.submit(Request::Command { opcode: Opcode(0x1001), parameters: Bytes::new() });
    script.event(0x0F, &[0, 1, 0x0D, 0x20]);
    assert!(!script.is_done(rssi));
    // And the link that it makes is nobody's.
    script.connection_complete(0, 0x40, address(1));
    script.event(0x0E, &[1, 0x01, 0x10, 0]);
    assert!(script.is_done(rssi));
    assert_eq!(script.commands().last(), Some(&DISCONNECT));
}
