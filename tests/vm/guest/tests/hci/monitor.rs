//! The monitor channel hears what a user channel does, octet for octet.

use super::*;
use checks::within;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Opcodes of records: commands and events, data sent and received.
const PACKETS: [(u16, u8); 4] = [(2, 1), (3, 4), (4, 2), (5, 2)];
const NEW_ADAPTER: u16 = 0;
const ADAPTER_GONE: u16 = 1;

struct Heard {
    opcode: u16,
    adapter: u16,
    data: Vec<u8>,
    time: Duration,
}

async fn hear(monitor: &mut Monitor) -> Heard {
    let record = monitor.recv().await.expect("a record");
    let number = |at: usize| u16::from_le_bytes([record.octets[at], record.octets[at + 1]]);
    let data = record.octets[6..].to_vec();
    assert_eq!(usize::from(number(4)), data.len());
    Heard { opcode: number(0), adapter: number(2), data, time: record.time }
}

/// The packets of one adapter until it is gone, with their indicator.
async fn packets_until_it_is_gone(monitor: &mut Monitor, adapter: u16) -> Vec<Vec<u8>> {
    let mut packets = vec![];
    loop {
        let heard = hear(monitor).await;
        if heard.adapter != adapter {
            continue;
        }
        if heard.opcode == ADAPTER_GONE {
            return packets;
        }
        if let Some((_, indicator)) = PACKETS.iter().find(|(opcode, _)| *opcode == heard.opcode) {
            packets.push([&[*indicator], &heard.data[..]].concat());
        }
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn the_monitor_hears_what_the_user_channel_does_octet_for_octet() {
    let controller = Controller::new();
    let (mut rx, mut tx) = open(controller.index).await.expect("it opens").split();
    let mut monitor = Monitor::open().expect("we may listen");
    // What there is already is told first.
    while hear(&mut monitor).await.opcode != NEW_ADAPTER {}
    let mut passed = vec![];
    for n in 0..500_u16 {
        // Commands of every length that they can have.
        let parameters: Vec<u8> = (0..n % 256).map(|octet| (octet + n).to_le_bytes()[0]).collect();
        let command = HciPacket::command(0xFC00 | (n & 0x3FF), &parameters).expect("it is short");
        tx.send(&mut SendQueue::from(command.clone())).await.expect("it is sent");
        let event = rx.recv().await.expect("an answer");
        passed.extend([command, event].map(|packet| packet.as_slice().to_vec()));
    }
    for n in 0..50 {
        let data = checks::numbered(n);
        tx.send(&mut SendQueue::from(data.clone())).await.expect("it is sent");
        passed.push(data.as_slice().to_vec());
    }
    let index = controller.index;
    // Data has no answer to say that it has passed.
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop((rx, tx));
    drop(controller);
    let heard = within(packets_until_it_is_gone(&mut monitor, index)).await;
    assert_eq!(monitor.lost(), 0);
    println!("{} packets passed, {} were heard", passed.len(), heard.len());
    assert!(
        heard.starts_with(&passed),
        "{:?} was not heard",
        passed.iter().zip(&heard).find(|(a, b)| a != b)
    );
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_record_has_the_kernels_time() {
    let _controller = Controller::new();
    let mut monitor = Monitor::open().expect("we may listen");
    let heard = hear(&mut monitor).await;
    #[allow(clippy::disallowed_methods, reason = "to compare with the kernel's")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    assert!(heard.time <= now && now - heard.time < Duration::from_secs(10), "{:?}, {now:?}", heard.time);
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_listener_that_does_not_listen_learns_how_much_it_has_missed() {
    let controller = Controller::new();
    let (mut rx, mut tx) = open(controller.index).await.expect("it opens").split();
    let mut monitor = Monitor::open().expect("we may listen");
    checks::send_all(&mut tx, (0..12_000).map(checks::numbered)).await;
    // Commands go the same way behind the data: the answer says that all of it has passed.
    let reset = HciPacket::command(0x0C03, &[]).expect("a command");
    checks::send_all(&mut tx, [reset]).await;
    rx.recv().await.expect("an answer");
    let lost = monitor.lost();
    let kept = std::iter::from_fn(|| monitor.recv_ready()).count();
    println!("of 12000 packets {kept} records were kept and {lost} lost");
    assert!(lost > 0 && kept > 1000);
    assert!(kept + usize::try_from(lost).expect("a count") >= 12_000);
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn without_the_capability_nobody_listens_and_is_told_how_to_get_it() {
    let program = env!("CARGO_BIN_EXE_guest");
    let expected = format!(
        "guest: no permission to use monitor:; it needs the capability CAP_NET_RAW: run as root, or `sudo setcap \
         cap_net_raw+ep {program}`, or `sudo systemd-run --pty --uid=$USER -p AmbientCapabilities=CAP_NET_RAW \
         {program} ...`; a container needs --cap-add NET_RAW and --network host\n"
    );
    for who in
        [&["--reuid=65534", "--regid=65534", "--clear-groups"][..], &["--bounding-set=-all,+net_admin"]]
    {
        assert_eq!(Other::start(who, &["listen"]).end(), expected, "{who:?}");
    }
    assert_eq!(Other::start(&["--bounding-set=-all,+net_raw"], &["listen"]).end(), "a record is here\n");
}
