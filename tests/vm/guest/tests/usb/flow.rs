//! What flows through an adapter, and how fast.

use super::*;
use std::{fs, time::Instant};

/// Of each: data to the adapter, data from it, events.
const COUNT: u32 = 100_000;

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn of_100_000_packets_of_data_each_way_and_as_many_events_none_is_lost_or_reordered() {
    let (adapter, controller, dongle) = adapter(Options::default()).await;
    let controller = thread::Builder::new().name("controller".into()).spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (rx, tx) = controller.split();
        runtime.block_on(pump(rx, tx, (0..COUNT).flat_map(|n| [data(n), numbered_event(n)]), [COUNT, 0]));
    });
    let (rx, tx) = adapter.split();
    let (began, processor) = (Instant::now(), processor_time());
    pump(rx, tx, (0..COUNT).map(data), [COUNT, COUNT]).await;
    let (wall, processor) = (began.elapsed(), processor_time() - processor);
    controller.unwrap().join().unwrap();
    drop(dongle);
    println!(
        "300,000 packets through USB in {:.1} s: {} packets/s, {:.1} µs of processor time for each",
        wall.as_secs_f64(),
        (f64::from(3 * COUNT) / wall.as_secs_f64()).round(),
        processor / f64::from(3 * COUNT) * 1e6
    );
}

/// The loop of the crate's documentation: sends all of `packets`, receives as many numbered packets of data and events
/// as are expected, each kind in order.
async fn pump(
    mut rx: impl TransportRx,
    mut tx: impl TransportTx,
    mut packets: impl Iterator<Item = HciPacket>,
    expected: [u32; 2],
) {
    let (mut queue, mut received) = (SendQueue::default(), [0; 2]);
    loop {
        queue.fill(|| packets.next());
        if queue.is_empty() && received == expected {
            return;
        }
        tokio::select! {
            biased;
            sent = tx.send(&mut queue), if !queue.is_empty() => sent.unwrap(),
            packet = rx.recv() => {
                count(&packet.unwrap(), &mut received);
                for packet in std::iter::from_fn(|| rx.recv_ready()).take(31) {
                    count(&packet, &mut received);
                }
            }
        }
    }
}

fn count(packet: &HciPacket, received: &mut [u32; 2]) {
    let [data_packets, events] = received;
    if packet.indicator() == PacketIndicator::Event {
        assert_eq!(*packet, numbered_event(*events));
        *events += 1;
    } else {
        assert_eq!(*packet, data(*data_packets));
        *data_packets += 1;
    }
}

/// As long as LE data packets are without the data length extension, at most.
fn data(n: u32) -> HciPacket {
    let mut octets = vec![2, 0x40, 0x00, 4 + n.to_le_bytes()[0] % 24, 0];
    octets.extend(n.to_le_bytes());
    octets.resize(5 + usize::from(octets[3]), n.to_le_bytes()[1]);
    HciPacket::new(octets).unwrap()
}

/// At most one USB packet long.
fn numbered_event(n: u32) -> HciPacket {
    let mut octets = n.to_le_bytes().to_vec();
    octets.resize(4 + n as usize % 10, 7);
    event(&octets)
}

/// Seconds of processor time that this process has used without those who play the other side.
fn processor_time() -> f64 {
    let read = |task: &fs::DirEntry, file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let ours = tasks.filter(|task| !matches!(read(task, "comm").trim(), "dongle" | "controller"));
    let nanoseconds = ours.map(|task| {
        read(&task, "schedstat").split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0)
    });
    nanoseconds.sum::<f64>() / 1e9
}

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
