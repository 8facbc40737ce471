//! H12: the transport is lost, and everybody who waits hears of it at once.

use super::line::{Room, demo_devices, is_acl, ms, secs, timed, wired};
use baretooth::sim::ControllerOptions;
use baretooth::sim::demo::{HEART_RATE_ADDRESS, HEART_RATE_MEASUREMENT};
use baretooth::transports::TransportError;
use baretooth::{Adapter, Address, BdAddr, Error};
use std::future::Future;

fn is_transport_lost<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.expect_err("the transport is gone");
    assert!(matches!(error, Error::Transport { source: TransportError::Closed, .. }), "{error:?}");
}

/// Lets an operation begin, cuts the line, and returns its result, which has to come within a second.
async fn cut_during<T>(room: &Room, operation: impl Future<Output = T>) -> T {
    let cut = async {
        tokio::time::sleep(ms(20)).await;
        room.line.cut();
        tokio::time::Instant::now()
    };
    let (result, at) = tokio::join!(operation, cut);
    assert!(at.elapsed() <= secs(1), "{:?}", at.elapsed());
    result
}

#[tokio::test(start_paused = true)]
async fn h12_in_the_initialisation() {
    let (wire, line, _radio, _) = wired(ControllerOptions::default(), vec![]);
    line.hold(|_| true);
    let cut = async {
        tokio::time::sleep(ms(500)).await;
        line.cut();
    };
    let ((opened, ()), took) =
        timed(async { tokio::join!(Adapter::builder().seed(1).open_with(wire), cut) }).await;
    is_transport_lost(opened);
    assert!(took <= ms(1500), "{took:?}");
    assert!(line.is_closed());
}

#[tokio::test(start_paused = true)]
async fn h12_in_a_scan() {
    let room = Room::with(ControllerOptions::default(), vec![]).await;
    let mut scan = room.adapter.scan().await.expect("scans");
    is_transport_lost(cut_during(&room, scan.next()).await);
    is_transport_lost(scan.next().await);
    is_transport_lost(room.adapter.scan().await);
}

#[tokio::test(start_paused = true)]
async fn h12_in_find_and_discover() {
    let room = Room::with(ControllerOptions::default(), vec![]).await;
    let both =
        async { tokio::join!(room.adapter.find_by_name("x", secs(60)), room.adapter.discover(secs(60))) };
    let (found, discovered) = cut_during(&room, both).await;
    is_transport_lost(found);
    is_transport_lost(discovered);
}

#[tokio::test(start_paused = true)]
async fn h12_in_connects() {
    let room = Room::with(ControllerOptions::default(), vec![]).await;
    let absent = |n| Address::random(BdAddr([n, 0, 0, 0, 0, 0xC0]));
    let both = async { tokio::join!(room.adapter.connect(absent(1)), room.adapter.connect(absent(2))) };
    let (begun, queued) = cut_during(&room, both).await;
    is_transport_lost(begun);
    is_transport_lost(queued);
}

#[tokio::test(start_paused = true)]
async fn h12_in_reads() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    room.line.hold(is_acl);
    let all = async { tokio::join!(peer.read(3), peer.read(5), peer.discover(), peer.disconnected()) };
    let (begun, queued, discovery, _) = cut_during(&room, all).await;
    is_transport_lost(begun);
    is_transport_lost(queued);
    is_transport_lost(discovery);
    is_transport_lost(peer.read(3).await);
    assert!(!peer.is_connected() && room.adapter.connections().is_empty());
}

#[tokio::test(start_paused = true)]
async fn h12_in_a_long_write() {
    let room = Room::demo().await;
    let (peer, log) = room.long_value().await;
    let before = room.value(1, log.value_handle).await;
    // The answer to the first part does not come any more.
    room.line.hold(is_acl);
    is_transport_lost(cut_during(&room, peer.write(&log, vec![9; 512])).await);
    assert!(room.value(1, log.value_handle).await == before, "prepared and never executed");
}

#[tokio::test(start_paused = true)]
async fn h12_in_a_subscription() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(HEART_RATE_ADDRESS).await;
    let mut rates = peer.subscribe(&services.find(HEART_RATE_MEASUREMENT).unwrap()).await.expect("notifies");
    assert_eq!(cut_during(&room, rates.next()).await, None);
    is_transport_lost::<()>(Err(room.adapter.closed().await));
    is_transport_lost(rates.unsubscribe().await);
    is_transport_lost(peer.disconnect().await);
}

#[tokio::test(start_paused = true)]
async fn h12_in_the_middle_of_sending() {
    let room = Room::demo().await;
    let (peer, log) = room.long_value().await;
    // The first prepared write goes out, the second meets the end; nothing is wrong with receiving.
    room.line.refuse_sends_after(1);
    let (written, took) = timed(peer.write(&log, vec![9; 512])).await;
    is_transport_lost(written);
    assert!(took <= secs(1), "{took:?}");
    assert!(room.line.is_closed());
}

#[tokio::test(start_paused = true)]
async fn h12_close_after_it_returns_at_once() {
    let room = Room::with(ControllerOptions::default(), demo_devices()).await;
    room.line.cut();
    tokio::time::sleep(ms(1)).await;
    let ((), took) = timed(room.adapter.close()).await;
    assert!(took <= ms(1), "{took:?}");
    is_transport_lost::<()>(Err(room.adapter.closed().await));
}
