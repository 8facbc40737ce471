//! Cases L4 to L8 for credit-based channels, through the host: its answers, what its user is told, and that the link
//! and its attributes go on. The rules themselves are beside the channels.

use crate::common::*;
use baretooth::gatt::procedure::Read;
use baretooth::host::{
    ChannelError, ChannelEvent, ChannelRequest, ConnectionId, Event, OpError, OpId, Output, Request,
};
use baretooth::l2cap::credit::{
    ChannelOptions, CloseReason, OpenFailure, RequiredSecurity, Server, Violation,
};
use baretooth::l2cap::signaling::CreditConnectionResult;

const SIGNALING: u16 = 5;
const HANDLE: u16 = 0x40;
const SPSM: u16 = 0x80;
/// The peer's CID, and ours for it.
const THEIRS: u16 = 0x50;
const OURS: u16 = 0x40;

fn command(code: u8, identifier: u8, values: &[u16]) -> Vec<u8> {
    let length = u16::try_from(values.len() * 2).expect("short").to_le_bytes();
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [&[code, identifier][..], &length, &data].concat()
}

/// A link on whose other end is somebody who may open 4 channels with MTU 100, MPS 40 and 3 credits.
fn served(security: RequiredSecurity) -> (Script, ConnectionId) {
    let mut script = Script::new();
    let options = ChannelOptions { mtu: 100, mps: 40, credits: 3 };
    let server = Server { options, security, most: 4 };
    script.submit(Request::Channel(ChannelRequest::Listen { spsm: SPSM, server }));
    let connection = script.link(HANDLE);
    (script, connection)
}

/// With one of them open, for SDUs of 60 octets in K-frames of 23, two of them.
fn open() -> (Script, ConnectionId) {
    let (mut script, connection) = served(RequiredSecurity::None);
    script.frame(HANDLE, SIGNALING, &command(0x14, 1, &[SPSM, THEIRS, 60, 23, 2]));
    assert_eq!(said(&mut script), [command(0x15, 1, &[OURS, 100, 40, 3, 0])]);
    assert!(
        matches!(told(&script)[..], [ChannelEvent::Opened { spsm: SPSM, channel, .. }] if channel.mtu == 60)
    );
    (script, connection)
}

/// The signals since the last time.
fn said(script: &mut Script) -> Vec<Vec<u8>> {
    let frames = script.frames(HANDLE);
    script.sent.clear();
    frames.into_iter().filter(|(channel, _)| *channel == SIGNALING).map(|(_, signal)| signal).collect()
}

fn told(script: &Script) -> Vec<ChannelEvent> {
    let event = |event: &Event| match event {
        Event::Channel(event) => Some(event.clone()),
        _ => None,
    };
    script.told.events.iter().filter_map(event).collect()
}

fn works(script: &mut Script, connection: ConnectionId) -> bool {
    let op = script.submit(gatt(connection, Read::new(3)));
    script.att(HANDLE, &[0x0B, 7]);
    script.sent.clear();
    script.result(op).is_ok()
}

fn send(script: &mut Script, connection: ConnectionId, sdu: &[u8]) -> OpId {
    let Some(ChannelEvent::Opened { channel, .. }) = told(script).into_iter().next() else {
        panic!("opened")
    };
    let sdu = sdu.to_vec().into();
    script.submit(Request::Channel(ChannelRequest::Send { connection, channel: channel.key, sdu }))
}

#[test]
fn l4_requests_for_channels_that_cannot_be_are_refused_and_the_link_goes_on() {
    let (mut script, connection) = open();
    for (values, result) in [
        ([SPSM, 0x51, 22, 23, 1], 0x000B),
        ([SPSM, 0x51, 23, 22, 1], 0x000B),
        ([SPSM, 0x51, 23, 65534, 1], 0x000B),
        ([SPSM, 0x3F, 23, 23, 1], 0x0009),
        ([SPSM, THEIRS, 23, 23, 1], 0x000A),
        ([0x00, 0x51, 23, 23, 1], 0x0002),
        ([0x100, 0x51, 23, 23, 1], 0x0002),
        ([0x81, 0x51, 23, 23, 1], 0x0002),
    ] {
        script.frame(HANDLE, SIGNALING, &command(0x14, 7, &values));
        assert_eq!(said(&mut script), [command(0x15, 7, &[0, 0, 0, 0, result])], "{values:?}");
    }
    for cid in 0x51..0x54 {
        script.frame(HANDLE, SIGNALING, &command(0x14, 7, &[SPSM, cid, 23, 23, 1]));
    }
    said(&mut script);
    script.frame(HANDLE, SIGNALING, &command(0x14, 7, &[SPSM, 0x54, 23, 23, 1]));
    assert_eq!(said(&mut script), [command(0x15, 7, &[0, 0, 0, 0, 0x0004])], "four are the most");
    assert_eq!(told(&script).len(), 4);
    assert!(works(&mut script, connection));
}

#[test]
fn l4_a_link_in_the_clear_gets_no_channel_of_a_server_that_wants_encryption() {
    let security = RequiredSecurity::Encrypted { key_size: 16 };
    let (mut script, connection) = served(security);
    script.frame(HANDLE, SIGNALING, &command(0x14, 1, &[SPSM, THEIRS, 60, 23, 2]));
    assert_eq!(said(&mut script), [command(0x15, 1, &[0, 0, 0, 0, 0x0005])]);
    assert_eq!(told(&script), []);
    assert!(works(&mut script, connection));
}

#[test]
fn l5_what_breaks_the_rules_of_credits_ends_the_channel_and_not_the_link() {
    let broken: [(&[&[u8]], Violation); 6] = [
        (&[&[1, 0, 7][..]; 4], Violation::NoCredits),
        (&[&[101, 0, 7]], Violation::SduTooLong),
        (&[&[5]], Violation::NoSduLength),
        (&[&[2, 0, 1, 2, 3]], Violation::MoreThanSdu),
        (&[&[3, 0, 1, 2], &[3, 4]], Violation::MoreThanSdu),
        (&[&[90, 0], &[0; 41]], Violation::FrameTooLong),
    ];
    for (frames, violation) in broken {
        let (mut script, connection) = open();
        let op = send(&mut script, connection, &[1; 60]);
        said(&mut script);
        frames.iter().for_each(|frame| script.frame(HANDLE, OURS, frame));
        assert_eq!(said(&mut script).last(), Some(&command(0x06, 1, &[THEIRS, OURS])), "{violation}");
        let reason = CloseReason::Violation(violation);
        assert_eq!(script.result(op), Err(ChannelError::Closed(reason).into()), "what waited for credits");
        match told(&script).pop() {
            Some(ChannelEvent::Closed { reason: why, unread, .. }) => {
                let whole = if violation == Violation::NoCredits { 3 } else { 0 };
                assert_eq!((why, unread.len()), (reason, whole));
            }
            other => panic!("{other:?}"),
        }
        assert!(works(&mut script, connection));
    }
}

#[test]
fn l5_no_credits_at_all_are_ignored_and_too_many_end_the_channel() {
    let (mut script, connection) = open();
    script.frame(HANDLE, SIGNALING, &command(0x16, 1, &[THEIRS, 0]));
    script.frame(HANDLE, SIGNALING, &command(0x16, 1, &[THEIRS, 65533]));
    assert_eq!(said(&mut script), [[0_u8; 0]; 0]);
    script.frame(HANDLE, SIGNALING, &command(0x16, 1, &[THEIRS, 1]));
    assert_eq!(said(&mut script), [command(0x06, 1, &[THEIRS, OURS])]);
    assert!(works(&mut script, connection));
}

#[test]
fn l6_enhanced_requests_and_reconfigurations_against_the_rules_are_refused() {
    let (mut script, connection) = served(RequiredSecurity::None);
    for (values, answer) in [
        (&[SPSM, 64, 64, 1][..], &[0, 0, 0, 0x0C][..]),
        (&[SPSM, 63, 64, 1, THEIRS], &[0, 0, 0, 0x0C, 0]),
        (&[SPSM, 64, 63, 1, THEIRS], &[0, 0, 0, 0x0C, 0]),
        (&[SPSM, 64, 64, 1, 0x10, THEIRS], &[100, 64, 3, 0x09, 0, OURS]),
    ] {
        script.frame(HANDLE, SIGNALING, &command(0x17, 3, values));
        assert_eq!(said(&mut script), [command(0x18, 3, answer)], "{values:?}");
    }
    for (values, result) in
        [([63, 64, THEIRS], 4), ([64, 64, 0x77], 3), ([64, 64, OURS], 3), ([64, 64, THEIRS], 0)]
    {
        script.frame(HANDLE, SIGNALING, &command(0x19, 4, &values));
        assert_eq!(said(&mut script), [command(0x1A, 4, &[result])], "{values:?}");
    }
    assert!(works(&mut script, connection));
}

#[test]
fn l6_an_answer_that_names_one_cid_twice_leaves_no_channel_half_open() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let options = ChannelOptions::default();
    let request = ChannelRequest::OpenEnhanced { connection, spsm: SPSM, options, count: 3 };
    let op = script.submit(Request::Channel(request));
    script.frame(HANDLE, SIGNALING, &command(0x18, 1, &[64, 64, 1, 0, 0x60, 0x60, 0x61]));
    match script.result(op) {
        Ok(Output::Channels(channels)) => {
            let impossible = Err(OpenFailure::InvalidResponse);
            assert_eq!((channels[0], channels[1]), (impossible, impossible));
            assert_eq!(channels[2].map(|channel| channel.mtu), Ok(64));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(told(&script), [], "nobody hears of the end of what nobody knew");
    assert!(works(&mut script, connection));
}

#[test]
fn l7_data_and_a_disconnection_at_once_lose_no_data() {
    let (mut script, connection) = open();
    script.frame(HANDLE, OURS, &[2, 0, 8, 9]);
    script.frame(HANDLE, SIGNALING, &command(0x06, 9, &[OURS, THEIRS]));
    assert_eq!(said(&mut script), [command(0x07, 9, &[OURS, THEIRS])]);
    match told(&script).pop() {
        Some(ChannelEvent::Closed { reason: CloseReason::Peer, unread, .. }) => {
            assert_eq!(unread, [&[8, 9][..]])
        }
        other => panic!("{other:?}"),
    }
    script.frame(HANDLE, SIGNALING, &command(0x06, 10, &[OURS, THEIRS]));
    assert_eq!(said(&mut script), [command(0x01, 10, &[2, OURS, THEIRS])], "the second time there is none");
    assert!(works(&mut script, connection));
}

#[test]
fn l7_a_disconnection_with_swapped_cids_ends_nothing() {
    let (mut script, connection) = open();
    script.frame(HANDLE, SIGNALING, &command(0x06, 9, &[THEIRS, OURS]));
    assert_eq!(said(&mut script), [command(0x01, 9, &[2, THEIRS, OURS])]);
    let op = send(&mut script, connection, b"hi");
    assert_eq!(script.result(op), Ok(Output::Done));
    assert_eq!(script.frames(HANDLE), [(THEIRS, vec![2, 0, b'h', b'i'])]);
}

#[test]
fn l7_10_000_channels_one_after_the_other_leave_nothing() {
    let (mut script, connection) = served(RequiredSecurity::None);
    for _ in 0..10_000 {
        script.frame(HANDLE, SIGNALING, &command(0x14, 1, &[SPSM, THEIRS, 60, 23, 2]));
        let cid = u16::from_le_bytes([said(&mut script)[0][4], 0]);
        script.frame(HANDLE, cid, &[1, 0, 7]);
        script.frame(HANDLE, SIGNALING, &command(0x06, 2, &[cid, THEIRS]));
        assert_eq!(said(&mut script), [command(0x07, 2, &[cid, THEIRS])]);
        script.told.events.clear();
    }
    assert!(works(&mut script, connection));
}

#[test]
fn l8_answers_of_another_kind_leave_a_request_waiting_until_its_time_is_over() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let open = ChannelRequest::Open { connection, spsm: SPSM, options: ChannelOptions::default() };
    let op = script.submit(Request::Channel(open.clone()));
    script.frame(HANDLE, SIGNALING, &command(0x18, 1, &[64, 64, 1, 0, 0x60]));
    script.frame(HANDLE, SIGNALING, &command(0x15, 2, &[0x60, 64, 64, 1, 0]));
    assert!(!script.is_done(op));
    script.run(seconds(19));
    assert!(!script.is_done(op));
    script.run(seconds(1));
    let failed = |failure| Err(OpError::from(ChannelError::from(failure)));
    assert_eq!(script.result(op), failed(OpenFailure::TimedOut));
    let op = script.submit(Request::Channel(open));
    script.frame(HANDLE, SIGNALING, &command(0x15, 2, &[0, 0, 0, 0, 2]));
    assert_eq!(script.result(op), failed(OpenFailure::Refused(CreditConnectionResult::SpsmNotSupported)));
    assert!(works(&mut script, connection));
}

/// Channels that a peer opens before the link's user knows of it are told after the link.
#[test]
fn l4_a_channel_that_comes_before_the_link_is_ready_waits_for_it() {
    let mut script = Script::new();
    let server = Server { options: ChannelOptions::default(), security: RequiredSecurity::None, most: 1 };
    script.submit(Request::Channel(ChannelRequest::Listen { spsm: SPSM, server }));
    script.connect(PEER, 100);
    script.connection_complete(0, HANDLE, PEER);
    script.frame(HANDLE, SIGNALING, &command(0x14, 1, &[SPSM, THEIRS, 60, 23, 2]));
    assert_eq!(told(&script), []);
    script.att(HANDLE, &[0x03, 100, 0]);
    let place = |is: fn(&Event) -> bool| script.told.events.iter().position(is).expect("told");
    assert!(
        place(|event| matches!(event, Event::Connected(_)))
            < place(|event| matches!(event, Event::Channel(_)))
    );
}

/// A peer that opens channels and does not listen, while the controller takes nothing.
#[test]
fn l2_a_peer_that_asks_for_channels_without_listening_leaves_a_bounded_queue() {
    let (mut script, _) = served(RequiredSecurity::None);
    script.completes = false;
    for _ in 0..10_000 {
        script.frame(HANDLE, SIGNALING, &command(0x14, 1, &[0x99, THEIRS, 60, 23, 2]));
    }
    script.sent.clear();
    script.completes = true;
    script.event(0x13, &[1, HANDLE.to_le_bytes()[0], 0, 8, 0]);
    let answers = said(&mut script).len();
    assert!((100..=300).contains(&answers), "{answers} answers were waiting");
}

#[test]
fn a_request_given_up_leaves_no_channel_and_sends_nothing() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let options = ChannelOptions::default();
    let op = script.submit(Request::Channel(ChannelRequest::Open { connection, spsm: SPSM, options }));
    script.cancel(op);
    assert_eq!(script.result(op), Err(OpError::Cancelled));
    said(&mut script);
    script.frame(HANDLE, SIGNALING, &command(0x15, 1, &[THEIRS, 64, 64, 1, 0]));
    assert_eq!(said(&mut script), [command(0x06, 2, &[THEIRS, OURS])], "the peer's answer came all the same");
    assert_eq!(told(&script), []);

    // Two credits: the first SDU goes, of the second a part, six more wait in the channel and before it.
    let (mut script, connection) = open();
    let ops: Vec<_> =
        (0..8).map(|n| send(&mut script, connection, &[n; 40][..if n == 0 { 20 } else { 40 }])).collect();
    assert!(script.is_done(ops[0]) && !script.is_done(ops[1]), "{:?}", script.told.events);
    for op in &ops[2..7] {
        script.cancel(*op);
        assert_eq!(script.result(*op), Err(OpError::Cancelled));
    }
    script.cancel(ops[1]);
    said(&mut script);
    script.frame(HANDLE, SIGNALING, &command(0x16, 1, &[THEIRS, 100]));
    let sent: Vec<u8> =
        script.frames(HANDLE).iter().map(|(_, payload)| *payload.last().expect("some")).collect();
    assert_eq!(sent, [1, 7, 7], "what had begun is finished, then what is left");
    assert_eq!((script.result(ops[1]), script.result(ops[7])), (Ok(Output::Done), Ok(Output::Done)));
}

#[test]
fn a_lost_link_fails_every_request_and_gives_what_was_received() {
    let (mut script, connection) = open();
    let sends: Vec<_> = (0..8).map(|_| send(&mut script, connection, &[0; 60])).collect();
    let options = ChannelOptions::default();
    let opening = script.submit(Request::Channel(ChannelRequest::Open { connection, spsm: 0x25, options }));
    script.frame(HANDLE, OURS, &[1, 0, 7]);
    script.disconnection_complete(HANDLE, 0x08);
    for op in sends[1..].iter().chain([&opening]) {
        assert!(matches!(script.result(*op), Err(OpError::Disconnected { .. })));
    }
    let closed = |event: &Event| match event {
        Event::Channel(ChannelEvent::Closed { reason: CloseReason::LinkLost, unread, .. }) => {
            Some(unread.clone())
        }
        _ => None,
    };
    let (last, before) = script.told.events.split_last().expect("told");
    assert!(matches!(last, Event::Disconnected { .. }), "the link's end comes last");
    assert_eq!(before.last().and_then(closed), Some(vec![bytes::Bytes::from_static(&[7])]));
}
