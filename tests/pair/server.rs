//! The GATT server against a scripted client: what is asked of whom, what waits for what, and when that is over.

use crate::common::*;
use baretooth::att::AttError;
use baretooth::gatt::procedure::Read;
use baretooth::gatt::server::{Access, Ask, Characteristic, Offer, Service, Table, Want};
use baretooth::host::{ConnectionId, Event, OpError, OpId, Output, Request, ServerEvent, ServerRequest};
use baretooth::uuid16;
use bytes::Bytes;

const HANDLE: u16 = 0x40;
const ATT: u16 = 4;

/// Handles behind the GAP and GATT services, which end at 0x0F.
const LEVEL: u16 = 0x12;
const LEVEL_CCCD: u16 = 0x13;
const ASKED: u16 = 0x15;
const TOLD: u16 = 0x17;
const TOLD_CCCD: u16 = 0x18;
const OTHER_ASKED: u16 = 0x1A;
const SERVICE_CHANGED: u16 = 0x08;
const SERVICE_CHANGED_CCCD: u16 = 0x09;

fn table() -> Table {
    let level = Characteristic::new(uuid16(0x2A19)).value(&[90][..]).read(Access::OPEN).notify();
    let asked = || {
        let asked = Characteristic::new(uuid16(0x2A56)).asked().read(Access::OPEN).write(Access::OPEN);
        asked.write_without_response(Access::OPEN)
    };
    let told = Characteristic::new(uuid16(0x2A58)).notify().indicate();
    let service = Service::primary(uuid16(0x180F)).characteristic(level).characteristic(asked());
    let service = service.characteristic(told).characteristic(asked());
    Table::builder("scripted").service(service).build().expect("fits")
}

/// A link to a client, with the table served.
fn serving() -> (Script, ConnectionId) {
    let mut script = Script::new();
    let served = script.submit(ServerRequest::Serve(table()).into());
    assert_eq!(script.result(served), Ok(Output::Done));
    let connection = script.link(HANDLE);
    (script, connection)
}

fn told(script: &mut Script) -> Vec<ServerEvent> {
    let event = |event| if let Event::Server(event) = event { Some(event) } else { None };
    script.told.events.drain(..).filter_map(event).collect()
}

/// The question that the client's last request led to.
fn question(script: &mut Script) -> Ask {
    match &told(script)[..] {
        [ServerEvent::Asked { ask, .. }] => ask.clone(),
        other => panic!("{other:?}"),
    }
}

fn pdu(opcode: u8, handle: u16, rest: &[u8]) -> Vec<u8> {
    [&[opcode][..], &handle.to_le_bytes(), rest].concat()
}

/// What is sent until now, and not looked at yet.
fn sent(script: &mut Script) -> Vec<Vec<u8>> {
    let frames = script.frames(HANDLE);
    script.sent.clear();
    frames.into_iter().inspect(|(channel, _)| assert_eq!(*channel, ATT)).map(|(_, pdu)| pdu).collect()
}

fn configure(script: &mut Script, cccd: u16, bits: u8) {
    script.att(HANDLE, &pdu(0x12, cccd, &[bits, 0]));
    assert_eq!(sent(script), [[0x13]]);
}

fn notify(connection: ConnectionId, handle: u16, value: &'static [u8]) -> Request {
    ServerRequest::Notify { connection, handle, value: Bytes::from_static(value) }.into()
}

fn indicate(connection: ConnectionId, value: &'static [u8]) -> Request {
    ServerRequest::Indicate { connection, handle: TOLD, value: Bytes::from_static(value) }.into()
}

fn answer(script: &mut Script, connection: ConnectionId, id: u64, answer: Result<&[u8], AttError>) -> OpId {
    let answer = answer.map(Bytes::copy_from_slice);
    script.submit(ServerRequest::Answer { connection, id, answer }.into())
}

fn answer_now(script: &mut Script, connection: ConnectionId, id: u64, value: Result<&[u8], AttError>) {
    let op = answer(script, connection, id, value);
    assert_eq!(script.result(op), Ok(Output::Done));
}

#[test]
fn requests_of_the_peer_have_true_answers_from_the_first_moment() {
    let mut script = Script::new();
    script.link(HANDLE);
    for (request, response) in [
        (&[0x10, 1, 0, 0xFF, 0xFF, 0, 0x28][..], &[0x11, 6, 1, 0, 5, 0, 0, 0x18, 6, 0, 15, 0, 1, 0x18][..]),
        (&[0x0A, 3, 0], b"\x0Bbaretooth"),
        (&[0x0A, 0x99, 0], &[0x01, 0x0A, 0x99, 0, 0x01]),
        (&[0x04, 0, 0, 9, 0], &[0x01, 0x04, 0, 0, 0x01]),
        (&[0x0A, 7], &[0x01, 0x0A, 0, 0, 0x04]),
        (&[0x3F, 7], &[0x01, 0x3F, 0, 0, 0x06]),
        (&[0x18, 1], &[0x19]),
    ] {
        script.att(HANDLE, request);
        assert_eq!(sent(&mut script), [response], "{request:02x?}");
    }
    for silent in [&[0x7F, 7][..], &[0x52, 3, 0, 1], &[0x1E]] {
        script.att(HANDLE, silent);
        assert_eq!(sent(&mut script), [[0_u8; 0]; 0], "{silent:02x?}");
    }
}

#[test]
fn the_device_name_is_the_configured_one_and_can_be_changed() {
    let long = "é".repeat(200);
    let mut script = Script::with(config(1).name(&long));
    assert_eq!(script.host.table().value(3).map(|name| &name[..]), Some("é".repeat(124).as_bytes()));
    let value = Bytes::from_static(b"thermometer");
    let set = script.submit(ServerRequest::SetValue { handle: 3, value }.into());
    assert_eq!(script.result(set), Ok(Output::Done));
    script.link(HANDLE);
    script.att(HANDLE, &[0x0A, 3, 0]);
    assert_eq!(sent(&mut script), [b"\x0Bthermometer"]);
    for (handle, length) in [(3, 249), (2, 1), (0x99, 1)] {
        let value = vec![b'x'; length].into();
        let set = script.submit(ServerRequest::SetValue { handle, value }.into());
        assert!(matches!(script.result(set), Err(OpError::SetValue(_))), "{handle}");
    }
}

#[test]
fn an_exchange_of_the_mtu_by_either_side_counts_for_both() {
    let mut script = Script::new();
    script.submit(ServerRequest::Serve(table()).into());
    let connect = script.connect(PEER, 100);
    script.connection_complete(0, HANDLE, PEER);
    script.att(HANDLE, &[0x03, 60, 0]);
    let Ok(Output::Connected(info)) = script.result(connect) else { panic!("no link") };
    let connection = info.connection;
    script.sent.clear();
    configure(&mut script, TOLD_CCCD, 1);
    let value = Bytes::from(vec![7; 200]);
    let notify = || ServerRequest::Notify { connection, handle: TOLD, value: value.clone() }.into();
    let length = |script: &mut Script| {
        script.submit(notify());
        // The frame comes in packets of 27 octets; its header is 4, that of each packet 5.
        script.sent.drain(..).map(|packet| packet.as_slice().len() - 5).sum::<usize>() - 4
    };
    assert_eq!(length(&mut script), 60, "ours");
    script.att(HANDLE, &[0x02, 80, 0]);
    assert_eq!(sent(&mut script), [[0x03, 100, 0]]);
    assert_eq!(length(&mut script), 80, "the client's");
    let value = vec![1; 77].into();
    let write = script.submit(Request::WriteCommand { connection, handle: 3, value });
    assert_eq!(script.result(write), Ok(Output::Done));
}

#[test]
fn a_value_goes_to_subscribers_alone() {
    let (mut script, connection) = serving();
    let early = script.submit(notify(connection, LEVEL, &[1]));
    assert_eq!(script.result(early), Err(OpError::NotSubscribed));
    configure(&mut script, LEVEL_CCCD, 1);
    let configured = ServerEvent::Configured { connection, value_handle: LEVEL, configuration: 1 };
    assert_eq!(told(&mut script), [configured]);
    let notified = script.submit(notify(connection, LEVEL, &[2]));
    assert_eq!(
        (script.result(notified), sent(&mut script)),
        (Ok(Output::Done), vec![pdu(0x1B, LEVEL, &[2])])
    );
    let values = vec![(TOLD, Bytes::from_static(&[3])), (LEVEL, Bytes::from_static(&[4]))];
    let several = script.submit(ServerRequest::NotifyMultiple { connection, values }.into());
    assert_eq!((script.result(several), sent(&mut script)), (Ok(Output::Done), vec![pdu(0x1B, LEVEL, &[4])]));
    configure(&mut script, TOLD_CCCD, 1);
    script.att(HANDLE, &[0x12, 11, 0, 4]);
    script.sent.clear();
    let values = vec![(TOLD, Bytes::from_static(&[5])), (LEVEL, Bytes::from_static(&[6, 7]))];
    script.submit(ServerRequest::NotifyMultiple { connection, values }.into());
    let several =
        [&[0x23][..], &TOLD.to_le_bytes(), &[1, 0, 5], &LEVEL.to_le_bytes(), &[2, 0, 6, 7]].concat();
    assert_eq!(sent(&mut script), [several], "in one, for a client that has said that it takes it");
    let nobody = script.submit(notify(ConnectionId(99), LEVEL, &[5]));
    assert_eq!(script.result(nobody), Err(OpError::NotConnected));
}

#[test]
fn notifications_and_write_commands_share_one_bounded_queue_and_keep_their_order() {
    let (mut script, connection) = serving();
    configure(&mut script, TOLD_CCCD, 1);
    script.completes = false;
    let ops: Vec<_> = (0..300_u16)
        .map(|n| {
            let value = Bytes::copy_from_slice(&n.to_le_bytes());
            script.submit(match n % 2 {
                0 => ServerRequest::Notify { connection, handle: TOLD, value }.into(),
                _ => Request::WriteCommand { connection, handle: TOLD, value },
            })
        })
        .collect();
    let taken = ops.iter().filter(|op| script.is_done(**op)).count();
    assert_eq!(taken, 8 + 64, "the controller's buffers and the window");
    // One that waits is given up, and the client leaves what waits behind it.
    script.cancel(ops[100]);
    assert_eq!(script.result(ops[100]), Err(OpError::Cancelled));
    script.completes = true;
    script.event(0x13, &[1, HANDLE.to_le_bytes()[0], 0, 8, 0]);
    let expected: Vec<_> = (0..300_u16)
        .filter(|n| *n != 100)
        .map(|n| pdu(if n % 2 == 0 { 0x1B } else { 0x52 }, TOLD, &n.to_le_bytes()))
        .collect();
    assert_eq!(sent(&mut script), expected);
    assert!(ops.iter().all(|op| script.is_done(*op)));
}

#[test]
fn what_waits_for_a_client_that_unsubscribes_is_not_sent() {
    let (mut script, connection) = serving();
    configure(&mut script, TOLD_CCCD, 1);
    script.completes = false;
    let ops: Vec<_> = (0..100).map(|_| script.submit(notify(connection, TOLD, b"x"))).collect();
    script.att(HANDLE, &pdu(0x12, TOLD_CCCD, &[0, 0]));
    script.sent.clear();
    script.completes = true;
    script.event(0x13, &[1, HANDLE.to_le_bytes()[0], 0, 8, 0]);
    let pdus = sent(&mut script);
    assert_eq!(pdus.last(), Some(&vec![0x13]), "nothing behind the answer: {pdus:02x?}");
    assert_eq!(script.result(ops[71]), Ok(Output::Done));
    assert_eq!(script.result(ops[72]), Err(OpError::NotSubscribed));
}

#[test]
fn indications_go_one_by_one_and_are_done_when_they_are_confirmed() {
    let (mut script, connection) = serving();
    let nobody = script.submit(indicate(connection, b"0"));
    assert_eq!(script.result(nobody), Err(OpError::NotSubscribed));
    configure(&mut script, TOLD_CCCD, 2);
    let ops = [&b"1"[..], b"2", b"3"].map(|value| script.submit(indicate(connection, value)));
    assert_eq!(sent(&mut script), [pdu(0x1D, TOLD, b"1")]);
    script.cancel(ops[0]);
    assert!(!script.is_done(ops[0]), "what was sent finishes");
    script.cancel(ops[1]);
    assert_eq!(script.result(ops[1]), Err(OpError::Cancelled));
    script.run(seconds(29));
    script.att(HANDLE, &[0x1E]);
    assert_eq!(sent(&mut script), [pdu(0x1D, TOLD, b"3")]);
    assert_eq!((script.result(ops[0]), script.is_done(ops[2])), (Ok(Output::Done), false));
    script.run(seconds(29));
    script.att(HANDLE, &[0x1E]);
    script.att(HANDLE, &[0x1E]);
    assert_eq!(script.result(ops[2]), Ok(Output::Done));
    script.run(seconds(100));
    assert!(script.commands().is_empty(), "each has 30 s of its own");
}

#[test]
fn an_indication_that_is_never_confirmed_ends_the_link_after_30_seconds() {
    let (mut script, connection) = serving();
    configure(&mut script, TOLD_CCCD, 3);
    let first = script.submit(indicate(connection, b"1"));
    let second = script.submit(indicate(connection, b"2"));
    script.run(ms(29_999));
    let read = script.submit(gatt(connection, Read::new(3)));
    script.sent.clear();
    script.run(ms(1));
    let timeout = || Err(OpError::AttTimeout { after: seconds(30) });
    assert_eq!((script.result(first), script.result(read)), (timeout(), timeout()));
    assert_eq!(script.commands(), [0x0406]);
    script.sent.clear();
    script.att(HANDLE, &[0x1E]);
    assert_eq!(sent(&mut script), [[0_u8; 0]; 0], "nothing more is indicated");
    script.disconnection_complete(HANDLE, 0x16);
    let reason = baretooth::ErrorCode::ConnectionTerminatedByLocalHost;
    assert_eq!(script.result(second), Err(OpError::Disconnected { reason }));
    assert!(script.host.is_idle());
}

#[test]
fn a_client_s_question_goes_to_the_user_and_its_answer_to_the_client() {
    let (mut script, connection) = serving();
    script.att(HANDLE, &pdu(0x0A, ASKED, &[]));
    assert_eq!(sent(&mut script), [[0_u8; 0]; 0]);
    let ask = question(&mut script);
    assert_eq!(ask.want, Want::Read { handle: ASKED });
    answer_now(&mut script, connection, ask.id, Ok(b"value"));
    assert_eq!(sent(&mut script), [b"\x0Bvalue"]);
    script.att(HANDLE, &pdu(0x12, ASKED, b"new"));
    let ask = question(&mut script);
    let offer = Offer { handle: ASKED, offset: 0, value: Bytes::from_static(b"new") };
    assert_eq!(ask.want, Want::Write(vec![offer.clone()]));
    answer_now(&mut script, connection, ask.id, Err(AttError(0x80)));
    assert_eq!(sent(&mut script), [[0x01, 0x12, ASKED.to_le_bytes()[0], 0, 0x80]]);
    script.att(HANDLE, &pdu(0x52, ASKED, b"new"));
    assert_eq!(told(&mut script), [ServerEvent::Written { connection, offer }]);
}

#[test]
fn a_question_that_nobody_answers_in_time_is_an_unlikely_error() {
    let (mut script, connection) = serving();
    script.att(HANDLE, &pdu(0x0A, ASKED, &[]));
    let ask = question(&mut script);
    script.run(ms(9_999));
    assert_eq!(sent(&mut script), [[0_u8; 0]; 0]);
    script.run(ms(1));
    let unlikely = |opcode, handle: u16| vec![0x01, opcode, handle.to_le_bytes()[0], 0, 0x0E];
    assert_eq!(sent(&mut script), [unlikely(0x0A, ASKED)]);
    // Too late, twice, and never asked.
    for id in [ask.id, ask.id, 99] {
        let op = answer(&mut script, connection, id, Ok(b"late"));
        assert_eq!(script.result(op), Err(OpError::NotAsked));
    }
    assert_eq!(sent(&mut script), [[0_u8; 0]; 0]);

    // A request for two values has ten seconds for both.
    let [[a, b], [c, d]] = [ASKED, OTHER_ASKED].map(u16::to_le_bytes);
    script.att(HANDLE, &[0x0E, a, b, c, d]);
    let first = question(&mut script);
    script.run(seconds(6));
    answer_now(&mut script, connection, first.id, Ok(b"one"));
    let second = question(&mut script);
    assert_eq!(second.want, Want::Read { handle: OTHER_ASKED });
    // An answer to another question than the one that is open is nobody's.
    let answer = Ok(Bytes::from_static(b"one again"));
    let late = script.submit(Request::Server(ServerRequest::Answer { connection, id: first.id, answer }));
    assert_eq!(script.result(late), Err(OpError::NotAsked));
    script.run(seconds(4));
    assert_eq!(sent(&mut script), [unlikely(0x0E, OTHER_ASKED)]);

    script.att(HANDLE, &pdu(0x0A, ASKED, &[]));
    let ask = question(&mut script);
    script.run(seconds(9));
    answer_now(&mut script, connection, ask.id, Ok(b"!"));
    assert_eq!(sent(&mut script), [[0x0B, b'!']], "the next one has its own time");
}

#[test]
fn what_waits_for_a_client_ends_with_its_link() {
    let (mut script, connection) = serving();
    configure(&mut script, TOLD_CCCD, 3);
    script.completes = false;
    let mut ops: Vec<_> = (0..100).map(|_| script.submit(notify(connection, TOLD, b"n"))).collect();
    ops.drain(..72);
    ops.push(script.submit(indicate(connection, b"i")));
    script.att(HANDLE, &pdu(0x0A, ASKED, &[]));
    let asked = script.told.events.iter().any(|e| matches!(e, Event::Server(ServerEvent::Asked { .. })));
    assert!(asked);
    script.disconnection_complete(HANDLE, 0x13);
    let reason = baretooth::ErrorCode::RemoteUserTerminatedConnection;
    for op in ops {
        assert_eq!(script.result(op), Err(OpError::Disconnected { reason }));
    }
    let late = answer(&mut script, connection, 0, Ok(b"late"));
    assert_eq!(script.result(late), Err(OpError::NotConnected));
    assert_eq!(script.host.poll_timeout(), None);
    let connection = script.link(HANDLE);
    let next = script.submit(notify(connection, TOLD, b"n"));
    assert_eq!(script.result(next), Err(OpError::NotSubscribed), "the next client has subscribed to nothing");
}

#[test]
fn a_new_table_is_told_by_service_changed_and_ends_what_the_client_had_of_the_old_one() {
    let (mut script, connection) = serving();
    configure(&mut script, SERVICE_CHANGED_CCCD, 2);
    configure(&mut script, TOLD_CCCD, 3);
    script.att(HANDLE, &pdu(0x0A, ASKED, &[]));
    told(&mut script);
    let served = script.submit(ServerRequest::Serve(Table::builder("new").build().expect("fits")).into());
    assert_eq!(script.result(served), Ok(Output::Done));
    let refused = vec![0x01, 0x0A, ASKED.to_le_bytes()[0], 0, 0x12];
    let changed = pdu(0x1D, SERVICE_CHANGED, &[0x10, 0, 0x1A, 0]);
    assert_eq!(sent(&mut script), [refused, changed.clone()]);
    let ended = ServerEvent::Configured { connection, value_handle: TOLD, configuration: 0 };
    assert_eq!(told(&mut script), [ended]);
    let old = script.submit(notify(connection, TOLD, b"old"));
    assert_eq!(script.result(old), Err(OpError::NotSubscribed));
    // Twice more before the client has confirmed the first: once more is enough.
    for _ in 0..2 {
        script.submit(ServerRequest::Serve(table()).into());
    }
    assert_eq!(sent(&mut script), [[0_u8; 0]; 0]);
    script.att(HANDLE, &[0x1E]);
    assert_eq!(sent(&mut script), [changed]);
    script.att(HANDLE, &[0x1E]);
    script.run(seconds(60));
    assert_eq!(sent(&mut script), [[0_u8; 0]; 0]);
    script.submit(
        ServerRequest::Serve(baretooth::gatt::server::TableBuilder::bare().build().expect("fits")).into(),
    );
    assert_eq!(sent(&mut script), [[0_u8; 0]; 0], "no Service Changed there any more");

    let (mut script, _) = serving();
    configure(&mut script, SERVICE_CHANGED_CCCD, 2);
    script.submit(ServerRequest::Serve(Table::builder("new").build().expect("fits")).into());
    script.sent.clear();
    script.run(seconds(30));
    assert_eq!(script.commands(), [0x0406], "it has to be confirmed in time like any other");
}

#[test]
fn what_a_client_does_before_the_link_is_known_is_told_behind_it() {
    let mut script = Script::new();
    script.submit(ServerRequest::Serve(table()).into());
    script.connect(PEER, 100);
    script.connection_complete(0, HANDLE, PEER);
    script.sent.clear();
    configure(&mut script, TOLD_CCCD, 1);
    for _ in 0..1000 {
        script.att(HANDLE, &pdu(0x52, ASKED, b"flood"));
    }
    script.att(HANDLE, &[0x03, 100, 0]);
    let events: Vec<_> = script.told.events.iter().collect();
    let connected = events.iter().position(|event| matches!(event, Event::Connected(_))).expect("up");
    let server = events.iter().position(|event| matches!(event, Event::Server(_))).expect("told");
    assert!(connected < server);
    let told = told(&mut script);
    assert!(matches!(told[0], ServerEvent::Configured { value_handle: TOLD, configuration: 1, .. }));
    assert_eq!(told.len(), 64, "a bounded number of them");
}

#[test]
fn requests_that_a_client_sends_without_waiting_leave_one_question() {
    let (mut script, _) = serving();
    for _ in 0..10_000 {
        script.att(HANDLE, &pdu(0x0A, ASKED, &[]));
    }
    assert_eq!(told(&mut script).len(), 1);
    script.run(seconds(10));
    assert_eq!(sent(&mut script).len(), 1);
}
