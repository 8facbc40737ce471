//! Operations that are given up from outside: each has one end, and the host is done with it by then.

use super::line::{Room, TALKER_ADDRESS, drop_after, is_acl, is_credit, ms, opcode_of, secs, talker, timed};
use baretooth::capture::Direction;
use baretooth::hci::command::{HciCommand, LeCreateConnectionCancel, LeExtendedCreateConnection};
use baretooth::sim::demo::HEART_RATE_ADDRESS;
use baretooth::sim::{ControllerOptions, demo};
use baretooth::transports::HciPacket;
use baretooth::{Address, BdAddr, Cancel, ConnectOptions, Error, ErrorKind};
use std::time::Duration;

const ABSENT: Address = Address::random(BdAddr([0xEE, 0, 0, 0, 0, 0xC0]));

/// Calls it after a while.
async fn later(time: Duration, cancel: &Cancel) {
    tokio::time::sleep(time).await;
    cancel.cancel();
}

fn is_complete(packet: &HciPacket) -> bool {
    matches!(packet.as_slice(), [0x04, 0x3E, _, 0x01 | 0x0A, ..])
}

/// Command Complete of LE Create Connection Cancel.
fn is_cancel_answer(packet: &HciPacket) -> bool {
    matches!(packet.as_slice(), [0x04, 0x0E, _, _, 0x0E, 0x20, ..])
}

/// How often the controller was told to connect, told to stop, has answered that, and has ended an attempt.
fn attempts(room: &Room) -> [usize; 4] {
    let log = room.line.log();
    let count = |is: fn(&HciPacket) -> bool| log.iter().filter(|(_, packet)| is(packet)).count();
    [
        count(|packet| opcode_of(packet) == Some(LeExtendedCreateConnection::OPCODE)),
        count(|packet| opcode_of(packet) == Some(LeCreateConnectionCancel::OPCODE)),
        count(is_cancel_answer),
        count(is_complete),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_is_given_up_or_late_has_left_the_controller_idle_when_it_returns() {
    // Whatever the controller keeps back for a while is waited for.
    for hold in [|_: &HciPacket| false, is_complete as fn(&HciPacket) -> bool, is_cancel_answer] {
        let room = Room::demo().await;
        room.line.hold(hold);
        let cancel = Cancel::new();
        let release = async {
            tokio::time::sleep(ms(1500)).await;
            room.line.release();
        };
        let patient = room.adapter.until(&cancel);
        let (connected, (), ()) = tokio::join!(patient.connect(ABSENT), later(secs(1), &cancel), release);
        let error = connected.expect_err("given up");
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("connecting to {ABSENT} was cancelled"));
        assert_eq!(attempts(&room), [1, 1, 1, 1]);

        room.line.hold(hold);
        let late = async {
            let options = ConnectOptions::new().timeout(secs(1));
            let error = room.adapter.connect_with(ABSENT, options).await.expect_err("late");
            (error.kind(), attempts(&room))
        };
        let release = async {
            tokio::time::sleep(ms(1500)).await;
            room.line.release();
        };
        assert_eq!(tokio::join!(late, release).0, (ErrorKind::Timeout, [2, 2, 2, 2]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_given_up_at_any_time_has_a_link_or_is_cancelled_and_has_none() {
    let (mut links, mut cancelled) = (0, 0);
    for after in (0..20).map(|n| n * 3).chain((60..220).step_by(7)) {
        let room = Room::demo().await;
        let cancel = Cancel::new();
        let patient = room.adapter.until(&cancel);
        let (connected, ()) = tokio::join!(patient.connect(HEART_RATE_ADDRESS), later(ms(after), &cancel));
        match connected {
            Ok(peer) => {
                links += 1;
                assert!(room.is_connected(0).await);
                peer.read(3).await.expect("it is in use, and nothing gives that up");
            }
            Err(Error::Cancelled { .. }) => {
                cancelled += 1;
                assert!(room.adapter.connections().is_empty(), "given up after {after} ms");
                let [told, .., ended] = attempts(&room);
                assert_eq!(told, ended, "given up after {after} ms");
                room.adapter.connect(HEART_RATE_ADDRESS).await.expect("the controller is free");
            }
            Err(error) => panic!("given up after {after} ms: {error}"),
        }
    }
    assert!(links > 3 && cancelled > 3, "{links} links, {cancelled} given up");
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_when_its_result_is_there_unread_has_its_result() {
    let room = Room::demo().await;
    let cancel = Cancel::new();
    let patient = room.adapter.until(&cancel);
    let mut connect = Box::pin(patient.connect(HEART_RATE_ADDRESS));
    assert!(tokio::time::timeout(Duration::ZERO, &mut connect).await.is_err());
    tokio::time::sleep(secs(5)).await;
    cancel.cancel();
    let peer = connect.await.expect("it was too late");
    tokio::time::sleep(secs(1)).await;
    assert!(peer.is_connected(), "nobody is told of a link that is ended then");
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_has_not_got_is_cancelled_at_once_and_what_it_has_ends_with_its_result() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    room.line.hold(is_acl);
    room.line.take_log();
    let cancel = Cancel::new();
    let handle = peer.until(&cancel);
    let release = async {
        tokio::time::sleep(secs(2)).await;
        room.line.release();
    };
    let (one, two, three, other, (), ()) = tokio::join!(
        timed(handle.read(3)),
        timed(handle.write(3, "x")),
        timed(handle.discover()),
        timed(peer.read(5)),
        later(secs(1), &cancel),
        release
    );
    assert_eq!(one.0.expect("the peer had it")[..], *b"HR strap");
    assert!(one.1 >= secs(2));
    for (error, took) in [(two.0.expect_err("waited"), two.1), (three.0.expect_err("waited"), three.1)] {
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
        assert!(took < ms(1100), "{took:?}");
    }
    other.0.expect("nobody has given it up");
    let sent: Vec<u8> = room.line.att(Direction::Sent).iter().map(|pdu| pdu[0]).collect();
    assert_eq!(sent, [0x0A, 0x0A], "two reads, no write");
    assert!(peer.is_connected());
}

#[tokio::test(start_paused = true)]
async fn by_a_handle_that_is_given_up_nothing_begins() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(HEART_RATE_ADDRESS).await;
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(cancel.is_cancelled() && cancel.clone().is_cancelled());
    room.line.take_log();
    let handle = peer.until(&cancel);
    let rates = services.find(demo::HEART_RATE_MEASUREMENT).unwrap();
    let errors = [
        handle.read(3).await.expect_err("a read"),
        handle.write(3, "x").await.expect_err("a write"),
        handle.write_without_response(3, "x").await.expect_err("a command"),
        handle.discover_only([baretooth::uuid16(0x1801)]).await.expect_err("a discovery"),
        handle.subscribe(&rates).await.expect_err("a subscription"),
        handle.pair().finish().await.expect_err("a pairing"),
        handle.encrypt().await.expect_err("encryption"),
        handle.rssi().await.expect_err("a question"),
        room.adapter.until(&cancel).connect(ABSENT).await.expect_err("an attempt"),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    }
    tokio::time::sleep(secs(1)).await;
    let sent = room.line.log().into_iter().filter(|(way, _)| *way == Direction::Sent).count();
    assert_eq!(sent, 0);
    handle.disconnect().await.expect("this is not given up");
}

#[tokio::test(start_paused = true)]
async fn a_write_without_response_that_waits_for_the_controller_is_cancelled() {
    let small = ControllerOptions { acl_buffers: 1, ..ControllerOptions::default() };
    let room = Room::with(small, vec![talker()]).await;
    let (peer, services) = room.connect(TALKER_ADDRESS).await;
    let count = services.find(super::line::COUNT).unwrap();
    room.line.hold(is_credit);
    while tokio::time::timeout(ms(500), peer.write_without_response(&count, "")).await.is_ok() {}
    let cancel = Cancel::new();
    let handle = peer.until(&cancel);
    let (written, ()) = tokio::join!(handle.write_without_response(&count, "late"), later(secs(1), &cancel));
    assert_eq!(written.expect_err("given up").kind(), ErrorKind::Cancelled);
    room.line.take_log();
    room.line.release();
    peer.discover().await.expect("behind all of them");
    let late = room.line.att(Direction::Sent).into_iter().filter(|pdu| pdu.ends_with(b"late")).count();
    assert_eq!(late, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_outlives_what_gives_its_subscription_up() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(HEART_RATE_ADDRESS).await;
    let rates = services.find(demo::HEART_RATE_MEASUREMENT).unwrap();
    let cancel = Cancel::new();
    let mut stream = peer.until(&cancel).subscribe(&rates).await.expect("notifies");
    cancel.cancel();
    stream.next().await.expect("a heart beats");
    stream.peer().read(3).await.expect("by the same link");
    drop_after(ms(1), peer.disconnected()).await;
    stream.unsubscribe().await.expect("the peer takes it");
}
