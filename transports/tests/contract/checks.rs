//! What every transport promises (`# The contract` in the crate's documentation), as checks for two joined ends.
//!
//! Test programs include this file by its path: `contract.rs` beside it for what needs no hardware, the test guest for
//! adapters. `near` is the transport in question, `far` whatever it is joined to.

use baretooth_transports::*;
use bytes::Buf;
use std::{future::Future, iter::from_fn, pin::pin, task::Poll, time::Duration};
use tokio::task::yield_now;

/// Each test of the contract, for the two joined transports that `$pair` gives, with `$attribute` on each.
macro_rules! contract {
    (#[$attribute:meta] $transport:ident, $pair:expr, [$($promise:ident),* $(,)?]) => {
        mod $transport {
            use super::*;
            $(#[tokio::test]
            #[$attribute]
            async fn $promise() {
                within(async { super::$promise($pair.await).await }).await
            })*
        }
    };
    (#[$attribute:meta] $transport:ident, $pair:expr) => {
        contract!(#[$attribute] $transport, $pair, [
            packets_both_ways_arrive_in_order_each_once,
            a_cancelled_recv_loses_nothing,
            a_blocked_send_waits_loses_nothing_when_cancelled_and_does_not_stop_recv,
            what_came_before_the_end_is_handed_out_then_both_halves_are_closed_for_good,
            the_largest_acl_packet_passes,
            recv_ready_hands_out_what_is_here_and_never_waits,
        ]);
    };
    ($transport:ident, $($rest:tt)*) => {
        contract!(#[cfg(test)] $transport, $($rest)*);
    };
}

pub async fn packets_both_ways_arrive_in_order_each_once((near, far): (impl Transport, impl Transport)) {
    let ((mut near_rx, mut near_tx), (mut far_rx, mut far_tx)) = (near.split(), far.split());
    let (_, _, back, forth) = tokio::join!(
        send_all(&mut near_tx, (0..2000).map(numbered)),
        send_all(&mut far_tx, (5000..7000).map(numbered)),
        recv_many(&mut near_rx, 2000),
        recv_many(&mut far_rx, 2000),
    );
    assert_same(&forth, 0..2000);
    assert_same(&back, 5000..7000);
}

pub async fn a_cancelled_recv_loses_nothing((near, far): (impl Transport, impl Transport)) {
    let ((mut rx, _near_tx), (_far_rx, mut tx)) = (near.split(), far.split());
    let (mut got, mut cancelled) = (vec![], 0);
    let receive = async {
        while got.len() < 500 {
            match poll_once(rx.recv()).await {
                Some(packet) => got.push(packet.unwrap()),
                None => cancelled += 1,
            }
            yield_now().await;
        }
    };
    let send = async {
        for n in 0..500 {
            send_all(&mut tx, [numbered(n)]).await;
            yield_now().await;
        }
    };
    tokio::join!(receive, send);
    assert_same(&got, 0..500);
    assert!(cancelled > 0, "no call was ever cancelled");
}

pub async fn a_blocked_send_waits_loses_nothing_when_cancelled_and_does_not_stop_recv(
    (near, far): (impl Transport, impl Transport),
) {
    let ((mut rx, mut tx), (mut far_rx, mut far_tx)) = (near.split(), far.split());
    // The other side does not read. 64 MiB are more than any buffer may take.
    let (mut queue, mut given) = (SendQueue::default(), 0..65_536);
    let mut idle = 0;
    while idle < 100 {
        queue.fill(|| given.next().map(large));
        let before = queue.remaining();
        if let Some(sent) = poll_once(tx.send(&mut queue)).await {
            sent.unwrap();
        }
        idle = if queue.remaining() == before { idle + 1 } else { 0 };
        assert!(!given.is_empty(), "no back-pressure: 64 MiB were taken");
        yield_now().await;
    }
    // Receiving goes on meanwhile, in the middle of whatever is half sent.
    let (_, got) = tokio::join!(send_all(&mut far_tx, (0..100).map(numbered)), recv_many(&mut rx, 100));
    assert_same(&got, 0..100);
    // Now the other side reads, and each call of `send` is dropped after one attempt.
    let count = given.start + 50;
    let mut more = given.take(50);
    let send = async {
        loop {
            queue.fill(|| more.next().map(large));
            if queue.is_empty() {
                break;
            }
            if let Some(sent) = poll_once(tx.send(&mut queue)).await {
                sent.unwrap();
            }
            yield_now().await;
        }
    };
    let (_, got) = tokio::join!(send, recv_many(&mut far_rx, count as usize));
    for (n, packet) in (0..count).zip(&got) {
        assert!(*packet == large(n), "packet {n} is another or was changed");
    }
}

pub async fn what_came_before_the_end_is_handed_out_then_both_halves_are_closed_for_good(
    (near, far): (impl Transport, impl Transport),
) {
    let (far_rx, mut far_tx) = far.split();
    let (mut rx, mut tx) = near.split();
    let send_and_close = async {
        send_all(&mut far_tx, (0..3).map(numbered)).await;
        drop((far_rx, far_tx));
    };
    let (_, got) = tokio::join!(send_and_close, recv_many(&mut rx, 3));
    assert_same(&got, 0..3);
    for _ in 0..3 {
        assert_ended(rx.recv().await.unwrap_err());
        assert_eq!(rx.recv_ready(), None);
    }
    // A socket learns it from the answer to what it sends first.
    let mut queue = SendQueue::default();
    loop {
        queue.fill(|| Some(numbered(9)));
        match tx.send(&mut queue).await {
            Ok(()) => yield_now().await,
            Err(error) => break assert_ended(error),
        }
    }
    for _ in 0..3 {
        assert_ended(tx.send(&mut queue).await.unwrap_err());
        assert!(!queue.is_empty(), "what was not sent stays with the caller");
    }
}

pub async fn the_largest_acl_packet_passes((near, far): (impl Transport, impl Transport)) {
    let mut octets = vec![2, 0x40, 0x00, 0xFF, 0xFF];
    octets.extend((0..65_535_u32).map(|n| n.to_le_bytes()[0]));
    let largest = HciPacket::new(octets).unwrap();
    let ((_near_rx, mut tx), (mut rx, _far_tx)) = (near.split(), far.split());
    let sent = [numbered(1), largest.clone(), largest, numbered(2)];
    let (_, got) = tokio::join!(send_all(&mut tx, sent.clone()), recv_many(&mut rx, 4));
    assert!(got == sent);
}

pub async fn recv_ready_hands_out_what_is_here_and_never_waits(
    (near, far): (impl Transport, impl Transport),
) {
    let ((mut rx, _near_tx), (_far_rx, mut tx)) = (near.split(), far.split());
    assert_eq!(rx.recv_ready(), None);
    let receive = async {
        let mut got = vec![];
        while got.len() < 100 {
            got.push(rx.recv().await.unwrap());
            got.extend(from_fn(|| rx.recv_ready()));
        }
        assert_eq!(rx.recv_ready(), None);
        got
    };
    let (_, got) = tokio::join!(send_all(&mut tx, (0..100).map(numbered)), receive);
    assert_same(&got, 0..100);
}

/// A connection was closed, an adapter is gone.
fn assert_ended(error: TransportError) {
    assert!(matches!(error, TransportError::Closed | TransportError::Disconnected { .. }), "{error:?}");
}

/// An ACL packet with a number in front of 0 to 299 octets.
pub fn numbered(n: u32) -> HciPacket {
    acl(n, n as usize * 7 % 300)
}

/// An ACL packet of 1 KiB with a number in front.
pub fn large(n: u32) -> HciPacket {
    acl(n, 1024)
}

fn acl(n: u32, rest: usize) -> HciPacket {
    let mut octets = vec![2, 0x40, 0x00];
    octets.extend(u16::try_from(4 + rest).unwrap().to_le_bytes());
    octets.extend(n.to_le_bytes());
    octets.resize(octets.len() + rest, n.to_le_bytes()[0]);
    HciPacket::new(octets).unwrap()
}

pub fn assert_same(got: &[HciPacket], numbers: std::ops::Range<u32>) {
    assert_eq!(got.len(), numbers.len());
    for (n, packet) in numbers.zip(got) {
        assert_eq!(*packet, numbered(n), "in the place of packet {n}");
    }
}

pub async fn send_all(tx: &mut impl TransportTx, packets: impl IntoIterator<Item = HciPacket>) {
    let (mut packets, mut queue) = (packets.into_iter(), SendQueue::default());
    loop {
        queue.fill(|| packets.next());
        if queue.is_empty() {
            break;
        }
        tx.send(&mut queue).await.unwrap();
    }
}

pub async fn recv_many(rx: &mut impl TransportRx, count: usize) -> Vec<HciPacket> {
    let mut got = vec![];
    while got.len() < count {
        got.push(rx.recv().await.unwrap());
    }
    got
}

/// Polls once and drops the future: what `select!` does to the branch that loses.
pub async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

pub async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs")
}
