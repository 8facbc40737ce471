//! What every transport promises, of the user channel.
//!
//! Two checks do not apply. The kernel takes every packet at once and keeps it until the controller has it, so that a
//! send never waits and nothing pushes back: a host is held up by the controller's buffers, as HCI has it. And it takes
//! no packet of more than 1028 octets; the longest one is checked here instead.

use super::*;
use baretooth_guest::vhci::Vhci;
use checks::*;
use controller::answer;
use std::time::Duration;

contract!(
    #[ignore = "needs the guest of tests/vm"]
    user_channel,
    joined(),
    [
        packets_both_ways_arrive_in_order_each_once,
        a_cancelled_recv_loses_nothing,
        what_came_before_the_end_is_handed_out_then_both_halves_are_closed_for_good,
        recv_ready_hands_out_what_is_here_and_never_waits,
    ]
);

/// An adapter's user channel and its controller, after the kernel has set it up.
async fn joined() -> (HciSocket, Wired) {
    let vhci = Vhci::create().expect("a virtual controller");
    let index = vhci.index();
    let (mut rx, mut tx) = vhci.split();
    let set_up = async {
        loop {
            if let Some(answer) = answer(&rx.recv().await.expect("a packet")) {
                tx.send(&mut SendQueue::from(answer)).await.expect("it is taken");
            }
        }
    };
    let near = tokio::select! {
        near = open(index) => near.expect("it opens"),
        () = set_up => unreachable!("it goes on for ever"),
    };
    (near, Wired { rx, tx })
}

/// A controller's end whose kernel has nothing more to say by itself.
struct Wired {
    rx: <Vhci as Transport>::Rx,
    tx: <Vhci as Transport>::Tx,
}

impl Transport for Wired {
    type Rx = <Vhci as Transport>::Rx;
    type Tx = <Vhci as Transport>::Tx;

    fn split(self) -> (Self::Rx, Self::Tx) {
        (self.rx, self.tx)
    }

    fn description(&self) -> String {
        "a controller".to_owned()
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn the_longest_packet_that_the_kernel_takes_passes_and_a_longer_one_ends_the_sending() {
    let (near, far) = joined().await;
    let ((mut rx, mut tx), (mut far_rx, mut far_tx)) = (near.split(), far.split());
    let longest = data(1023);
    assert_eq!(longest.len(), 1028);
    let sent = [numbered(1), longest.clone(), numbered(2)];
    send_all(&mut tx, sent.clone()).await;
    assert!(recv_many(&mut far_rx, 3).await == sent);
    send_all(&mut far_tx, sent.clone()).await;
    assert!(recv_many(&mut rx, 3).await == sent);
    let mut queue = SendQueue::from(data(1024));
    for _ in 0..2 {
        let message = tx.send(&mut queue).await.expect_err("too long").to_string();
        assert!(message.contains("the kernel takes commands and data, of at most 1028 octets"), "{message}");
        assert_eq!(queue.len(), 1);
    }
}

fn data(octets: u16) -> HciPacket {
    let mut packet = vec![2, 0x40, 0x00];
    packet.extend(octets.to_le_bytes());
    packet.extend((0..octets).map(|n| n.to_le_bytes()[0]));
    HciPacket::new(packet).expect("it is whole")
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn what_is_no_packet_ends_the_receiving_with_the_reason() {
    let (near, far) = joined().await;
    let name = near.description();
    let ((mut rx, _tx), (_far_rx, mut far_tx)) = (near.split(), far.split());
    // The kernel looks at the indicator alone.
    far_tx.write(&[4, 0x0E, 9, 1]).expect("the kernel takes it");
    for _ in 0..2 {
        let message = rx.recv().await.expect_err("no packet").to_string();
        assert_eq!(
            message,
            format!(
                "reading from {name} failed: the header announces 9 octets and 1 follow; its controller or its driver \
                 is at fault"
            )
        );
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn packets_that_the_kernel_had_no_room_for_end_the_connection_after_those_that_came_before() {
    let (near, far) = joined().await;
    let ((mut rx, _tx), (_far_rx, mut far_tx)) = (near.split(), far.split());
    send_all(&mut far_tx, (0..20_000).map(numbered)).await;
    let mut got = 0;
    let error = loop {
        match within(rx.recv()).await {
            Ok(packet) => assert_eq!(packet, numbered(got)),
            Err(error) => break error.to_string(),
        }
        got += 1;
    };
    println!("{got} packets waited without a reader");
    assert!((2000..20_000).contains(&got), "{got} packets");
    assert!(error.ends_with("the program was too slow to read them"), "{error}");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn unplugging_wakes_who_waits_for_a_packet_at_once() {
    for _ in 0..20 {
        let (near, far) = joined().await;
        let name = near.description();
        let (mut rx, mut tx) = near.split();
        assert!(poll_once(rx.recv()).await.is_none());
        let (far_rx, far_tx) = far.split();
        let unplug = async {
            // Time for the receiver to wait.
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop((far_rx, far_tx));
        };
        let limit = Duration::from_secs(1);
        let (error, ()) = tokio::join!(tokio::time::timeout(limit, rx.recv()), unplug);
        let error = error.expect("it is told within a second");
        let expected = format!("{name} was disconnected; plug it in or power it on, and open it again");
        for error in [error.expect_err("gone"), rx.recv().await.expect_err("gone")] {
            assert!(matches!(error, TransportError::Disconnected { .. }));
            assert_eq!(error.to_string(), expected);
        }
        let error = tx.send(&mut SendQueue::from(numbered(1))).await.expect_err("gone");
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn what_came_before_unplugging_is_handed_out_also_when_it_is_read_late() {
    let (near, far) = joined().await;
    let (mut rx, _tx) = near.split();
    let (far_rx, mut far_tx) = far.split();
    send_all(&mut far_tx, (0..100).map(numbered)).await;
    drop((far_rx, far_tx));
    assert_same(&within(recv_many(&mut rx, 100)).await, 0..100);
    let error = within(rx.recv()).await.expect_err("gone");
    assert!(matches!(error, TransportError::Disconnected { .. }), "{error:?}");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_sender_that_learns_first_that_the_adapter_is_gone_takes_nothing_from_the_receiver() {
    for _ in 0..20 {
        let (near, far) = joined().await;
        let (mut rx, mut tx) = near.split();
        assert!(poll_once(rx.recv()).await.is_none());
        drop(far);
        for _ in 0..3 {
            let error = tx.send(&mut SendQueue::from(numbered(1))).await.expect_err("gone");
            assert!(matches!(error, TransportError::Disconnected { .. }), "{error:?}");
        }
        let error = within(rx.recv()).await.expect_err("gone");
        assert!(matches!(error, TransportError::Disconnected { .. }), "{error:?}");
    }
}
