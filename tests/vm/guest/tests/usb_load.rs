//! A USB adapter under load, and what it costs.
#![allow(clippy::disallowed_methods)] // The kernel's time is real time.

use baretooth_guest::dongle::{Dongle, Options};
use baretooth_transports::*;
use std::{fs, thread, time::Instant};

/// Of each: data to the adapter, data from it, events.
const COUNT: u32 = 100_000;

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn of_100_000_packets_of_data_each_way_and_as_many_events_none_is_lost_or_reordered() {
    let (controller, dongles) = memory::pair(64);
    let dongle = Dongle::plug(Options::default(), dongles).await.unwrap();
    let spec = format!("usb:{}", dongle.place()).parse().unwrap();
    let adapter = open(&spec).await.unwrap();
    let controller = thread::Builder::new().name("controller".into()).spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut rx, mut tx) = controller.split();
        runtime.block_on(pump(
            &mut rx,
            &mut tx,
            (0..COUNT).flat_map(|n| [data(n), numbered_event(n)]),
            [COUNT, 0],
        ));
    });
    let (mut rx, mut tx) = adapter.split();
    let (began, processor) = (Instant::now(), processor_time());
    pump(&mut rx, &mut tx, (0..COUNT).map(data), [COUNT, COUNT]).await;
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
    rx: &mut impl TransportRx,
    tx: &mut impl TransportTx,
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
    HciPacket::event(0xFF, &octets).unwrap()
}

/// Seconds of processor time that this process has used, without those who play the other side.
fn processor_time() -> f64 {
    let read = |task: &fs::DirEntry, file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let ours = tasks.filter(|task| !matches!(read(task, "comm").trim(), "dongle" | "controller"));
    let nanoseconds = ours.map(|task| {
        read(&task, "schedstat").split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0)
    });
    nanoseconds.sum::<f64>() / 1e9
}
