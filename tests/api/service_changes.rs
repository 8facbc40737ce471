//! Service Changed: asked for by the first discovery of a link, and told to everybody who wants to know.

use super::line::{Room, att_of, demo_devices, ms, secs};
use baretooth::capture::Direction;
use baretooth::replay::ReplayTransport;
use baretooth::sim::ControllerOptions;
use baretooth::sim::demo::HEART_RATE_ADDRESS;
use baretooth::transports::HciPacket;
use baretooth::{Adapter, Peer, Services, uuid16};
use std::ops::RangeInclusive;

/// The handles of its value and of its descriptor.
fn told(services: &Services) -> (u16, u16) {
    let characteristic = services.find(uuid16(0x2A05)).expect("every demo device has it");
    (characteristic.value_handle, characteristic.cccd().expect("indicated"))
}

async fn discovered() -> (Room, Peer, u16, u16) {
    let room = Room::demo().await;
    let (peer, services) = room.connect(HEART_RATE_ADDRESS).await;
    let (value, cccd) = told(&services);
    (room, peer, value, cccd)
}

/// Requests to switch it on.
fn subscriptions(room: &Room, cccd: u16) -> usize {
    let [low, high] = cccd.to_le_bytes();
    room.line.att(Direction::Sent).iter().filter(|pdu| pdu[..] == [0x12, low, high, 2, 0]).count()
}

fn change(room: &Room, value: u16, handles: RangeInclusive<u16>) {
    let words = [value, *handles.start(), *handles.end()].map(u16::to_le_bytes);
    let pdu = [&[0x1D][..], words.as_flattened()].concat();
    room.line.inject_att(room.line.handle(), &pdu);
}

fn is_write_response(packet: &HciPacket) -> bool {
    att_of(packet).is_some_and(|pdu| pdu == [0x13])
}

#[tokio::test(start_paused = true)]
async fn the_first_discovery_of_a_link_that_sees_it_subscribes_and_no_other() {
    let (room, peer, _, cccd) = discovered().await;
    assert_eq!(room.value(0, cccd).await, [2, 0]);
    peer.discover_only([uuid16(0x1801)]).await.expect("again");
    peer.discover_with_user_descriptions().await.expect("again");
    assert_eq!(subscriptions(&room, cccd), 1);
    peer.disconnect().await.expect("ends");
    let peer = room.adapter.connect(HEART_RATE_ADDRESS).await.expect("advertises");
    peer.discover_only([uuid16(0x180D)]).await.expect("without it");
    assert_eq!(subscriptions(&room, cccd), 1);
    let (one, two) = tokio::join!(peer.discover(), peer.discover());
    one.and(two).expect("both");
    assert_eq!(subscriptions(&room, cccd), 2, "once for each link");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_to_every_reader_and_confirmed_and_the_end_of_the_link_is_the_end() {
    let (room, peer, value, _) = discovered().await;
    let (mut one, mut two) = (peer.service_changes(), peer.clone().service_changes());
    change(&room, value, 0x10..=0x1F);
    assert_eq!((one.next().await, two.next().await), (Some(0x10..=0x1F), Some(0x10..=0x1F)));
    change(&room, value, 0x30..=0xFFFF);
    // What makes no sense may mean anything.
    change(&room, value, RangeInclusive::new(0x30, 0x20));
    change(&room, value, 0..=0x20);
    peer.discover().await.expect("behind them");
    assert!(tokio::time::timeout(ms(0), one.next()).await.is_ok_and(|told| told == Some(0x30..=0xFFFF)));
    peer.disconnect().await.expect("ends");
    assert_eq!(one.next().await, Some(1..=0xFFFF), "what was told is read before the end");
    assert_eq!(one.next().await, Some(1..=0xFFFF));
    assert_eq!((one.next().await, one.next().await), (None, None));
    let confirmed = room.line.att(Direction::Sent).into_iter().filter(|pdu| pdu[..] == [0x1E]).count();
    assert_eq!(confirmed, 4);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_behind_is_told_that_all_has_changed_once() {
    let (room, peer, value, _) = discovered().await;
    let mut changes = peer.service_changes();
    for n in 1..=40 {
        change(&room, value, n..=n);
        tokio::time::sleep(ms(1)).await;
    }
    assert_eq!(changes.next().await, Some(1..=0xFFFF));
    assert!(tokio::time::timeout(secs(1), changes.next()).await.is_err(), "all is all");
    change(&room, value, 7..=7);
    assert_eq!(changes.next().await, Some(7..=7));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_refuses_it_is_discovered_all_the_same_and_nobody_pairs_for_it() {
    let room = Room::demo().await;
    let peer = room.adapter.connect(HEART_RATE_ADDRESS).await.expect("advertises");
    room.line.hold(is_write_response);
    let refuse = async {
        tokio::time::sleep(secs(2)).await;
        let request = room.line.att(Direction::Sent).into_iter().find(|pdu| pdu[0] == 0x12);
        let request = request.expect("the subscription");
        // Insufficient Authentication, in place of the answer that is held.
        room.line.inject_att(room.line.handle(), &[0x01, 0x12, request[1], request[2], 0x05]);
    };
    let (services, ()) = tokio::join!(peer.discover(), refuse);
    let (_, cccd) = told(&services.expect("no error of the discovery"));
    tokio::time::sleep(secs(1)).await;
    let is_smp = |packet: &HciPacket| packet.as_slice().get(7..9) == Some(&[0x06, 0x00]);
    assert!(!room.line.log().iter().any(|(_, packet)| is_smp(packet)), "no pairing");
    assert_eq!(subscriptions(&room, cccd), 1);
    // By then the peer may be of another mind.
    room.line.hold(|_| false);
    peer.discover().await.expect("answers");
    assert_eq!(subscriptions(&room, cccd), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_the_users_own_that_ends_leaves_it_on() {
    let (room, peer, value, cccd) = discovered().await;
    let services = peer.discover().await.expect("answers");
    let mut stream = peer.subscribe(&services.find(uuid16(0x2A05)).unwrap()).await.expect("indicates");
    let mut changes = peer.service_changes();
    change(&room, value, 1..=2);
    assert_eq!(stream.next().await.expect("told").value[..], [1, 0, 2, 0]);
    assert_eq!(changes.next().await, Some(1..=2));
    stream.unsubscribe().await.expect("ends");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(room.value(0, cccd).await, [2, 0]);
    change(&room, value, 3..=4);
    assert_eq!(changes.next().await, Some(3..=4));
}

#[tokio::test(start_paused = true)]
async fn a_capture_is_replayed_as_it_was_with_the_subscription_and_without() {
    for (asks, built) in [(true, Adapter::builder()), (false, Adapter::builder().service_changes(false))] {
        let path = std::env::temp_dir().join(format!("baretooth-{asks}-{}.btsnoop", std::process::id()));
        let builder = built.seed(1).capture(&path);
        let room = Room::built(builder, ControllerOptions::default(), demo_devices()).await;
        let (peer, services) = room.connect(HEART_RATE_ADDRESS).await;
        assert_eq!(subscriptions(&room, told(&services).1), usize::from(asks));
        peer.disconnect().await.expect("ends");
        room.adapter.close().await;

        let transport = ReplayTransport::open(&path).expect("a capture");
        assert_eq!(transport.script().follows_service_changes(), asks);
        let progress = transport.progress();
        let adapter = Adapter::builder().open_replay(transport).await.expect("ready");
        let peer = adapter.connect(HEART_RATE_ADDRESS).await.expect("as in the capture");
        peer.discover().await.expect("as in the capture");
        peer.disconnect().await.expect("as in the capture");
        adapter.close().await;
        progress.result().expect("all of it");
        std::fs::remove_file(path).expect("ours");
    }
}
