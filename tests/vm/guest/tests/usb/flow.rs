//! What flows through an adapter arrives, whole and at once.

use super::*;

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn h2_events_and_data_of_every_length_come_at_once_with_and_without_zero_length_packets() {
    for zero_length_packets in [true, false] {
        let (mut rx, _tx, _controller_rx, mut controller, _dongle) =
            halves(Options { zero_length_packets, ..Options::default() }).await;
        within(async {
            for length in 0..=255 {
                let sent = [event(&vec![length; length.into()]), data_of(u16::from(length))];
                for packet in sent {
                    send_all(&mut controller, [packet.clone()]).await;
                    // Nothing follows that could end a transfer that is still open.
                    assert_eq!(rx.recv().await.unwrap(), packet, "{zero_length_packets}");
                }
            }
        })
        .await;
    }
}

fn data_of(length: u16) -> HciPacket {
    let [low, high] = length.to_le_bytes();
    let mut octets = vec![2, 0x40, 0x20, low, high];
    octets.resize(5 + usize::from(length), low);
    HciPacket::new(octets).unwrap()
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn what_was_left_in_the_adapter_before_it_was_opened_is_dropped() {
    let (dongle, controller) = plug(Options::default()).await;
    let (_rx, mut tx) = controller.split();
    send_all(&mut tx, [event(&[1; 100]), data_of(200), event(&[2; 14])]).await;
    let (mut rx, _tx) = open(&name(&dongle)).await.unwrap().split();
    send_all(&mut tx, [event(&[3]), data_of(3)]).await;
    let mut received = within(recv_many(&mut rx, 2)).await;
    received.sort_by_key(HciPacket::len);
    assert_eq!(received, [event(&[3]), data_of(3)]);
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn what_nobody_receives_stays_with_the_adapter_and_nothing_is_lost() {
    let (mut rx, _tx, _controller_rx, mut controller, _dongle) = halves(Options::default()).await;
    let mut queue = SendQueue::default();
    // 64 MiB are more than any buffer may take.
    let (mut given, mut idle) = (0..65_536, 0);
    while idle < 20 {
        queue.fill(|| given.next().map(large));
        let before = queue.len();
        let wait = std::time::Duration::from_millis(10);
        let _ = tokio::time::timeout(wait, controller.send(&mut queue)).await;
        idle = if queue.len() == before { idle + 1 } else { 0 };
        assert!(!given.is_empty(), "no back-pressure: 64 MiB were taken");
    }
    let count = given.start;
    println!("{} KiB were taken from an adapter that nobody listens to", count - 64);
    let (_, got) = tokio::join!(
        async { controller.send(&mut queue).await.unwrap() },
        recv_many(&mut rx, count as usize)
    );
    for (n, packet) in (0..count).zip(&got) {
        assert!(*packet == large(n), "packet {n} is another or was changed");
    }
}
