//! What goes wrong, and what the user is told.

use super::*;
use baretooth_guest::dongle::{Endpoint, eventually};
use std::time::{Duration, Instant};

async fn message(name: &str) -> String {
    open(name).await.expect_err("an error").to_string()
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn what_is_not_plugged_in_is_answered_with_what_is() {
    let (dongle, _controller) = plug(Options::default()).await;
    assert_eq!(message("usb:0a12:0001").await, "usb:0a12:0001 was not found; there is usb:1209:0001");
    assert_eq!(message("usb:1").await, "usb:1 was not found; there is usb:1209:0001");
    let folder = dongle.folder();
    drop(dongle);
    assert!(eventually(|| !folder.exists()).await);
    assert_eq!(message("usb:0").await, "usb:0 was not found; no USB Bluetooth adapter is plugged in");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_of_another_program_is_busy_and_the_program_is_named() {
    let dongle = plug_into_btusb(Options::default()).await;
    let name = name(&dongle);
    let other = Other::with(&name);
    let expected =
        format!("{name} is in use; guest (process {}) uses it over USB; end that program", other.0.id());
    assert_eq!(message(&name).await, expected);
    other.end();
    open(&name).await.unwrap();
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn without_permission_nobody_opens_an_adapter_and_is_told_how_to_get_it() {
    let (dongle, _controller) = plug(Options::default()).await;
    let (name, nobody) = (name(&dongle), ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    let hint =
        "run as root, or give your user the device by a udev rule (docs/adapters.md, \"USB without root\")";
    assert_eq!(
        Other::start(&nobody, &["open", &name]).end(),
        format!("guest: no permission to use {name}; {hint}\n")
    );
    let listed = Other::start(&nobody, &["candidates"]).end();
    assert!(listed.contains(&format!("; no permission: {hint}")), "{listed}");
    let listed = Other::start(&[], &["candidates"]).end();
    assert!(listed.contains("usb:1209:0001: ") && !listed.contains("no permission"), "{listed}");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn without_usb_as_in_a_container_it_is_said_so() {
    let hide = "mount -t tmpfs none /sys && mount -t tmpfs none /dev/bus && exec \"$@\"";
    let container = ["unshare", "--mount", "sh", "-c", hide, "sh"];
    let said = Other::start(&container, &["open", "usb:0"]).end();
    assert!(
        said.starts_with("guest: usb:0 cannot be opened: no USB here: the system shows no USB devices"),
        "{said}"
    );
    let listed = Other::start(&container, &["candidates"]).end();
    assert!(!listed.contains("usb:"), "{listed}");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_refused_transfer_ends_both_halves_with_its_reason_and_the_adapter_opens_again() {
    for (endpoint, operation) in [
        (Endpoint::Commands, "sending a command to"),
        (Endpoint::DataOut, "sending data to"),
        (Endpoint::Events, "receiving events from"),
        (Endpoint::DataIn, "receiving data from"),
    ] {
        let (mut rx, mut tx, _controller_rx, mut controller, dongle) = halves(Options::default()).await;
        let name = name(&dongle);
        dongle.stall_next(endpoint);
        let failed = within(async {
            for packet in [reset(), numbered(1)] {
                let _ = tx.send(&mut SendQueue::from(packet)).await;
            }
            rx.recv().await.expect_err("an error")
        })
        .await
        .to_string();
        let expected =
            format!("{operation} {name} failed: Pipe error; it refused the transfer (stall); open it again");
        assert_eq!(failed, expected);
        assert_eq!(tx.send(&mut SendQueue::from(reset())).await.unwrap_err().to_string(), expected);
        assert_eq!(rx.recv().await.unwrap_err().to_string(), expected);
        drop((rx, tx));
        let (mut rx, _tx) = open(&name).await.unwrap().split();
        send_all(&mut controller, [event(&[1])]).await;
        assert_eq!(within(rx.recv()).await.unwrap(), event(&[1]));
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn pulling_it_out_ends_a_waiting_recv_and_a_waiting_send_within_a_second() {
    let (mut rx, mut tx, _controller_rx, _controller, dongle) = halves(Options::default()).await;
    let name = name(&dongle);
    dongle.hold(Endpoint::DataOut);
    let mut queue = SendQueue::default();
    let mut packets = (0..64).map(numbered);
    queue.fill(|| packets.next());
    let (_, receiving, sending, pulled) = within(async {
        let pull = async {
            // Both wait by now.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let pulled = Instant::now();
            drop(dongle);
            pulled
        };
        let (receiving, sending, pulled) = tokio::join!(
            async { (rx.recv().await.unwrap_err(), Instant::now()) },
            async { (tx.send(&mut queue).await.unwrap_err(), Instant::now()) },
            pull
        );
        ((), receiving, sending, pulled)
    })
    .await;
    assert!(!queue.is_empty(), "what was not sent stays with the caller");
    for (error, when) in [receiving, sending] {
        assert_eq!(
            error.to_string(),
            format!("{name} was disconnected; plug it in or power it on, and open it again")
        );
        let late = when - pulled;
        println!("the error came {late:?} after the pull");
        assert!(late < Duration::from_secs(1));
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_transport_that_is_dropped_with_everything_in_flight_gives_the_adapter_back() {
    let (dongle, controller) = plug(Options::default()).await;
    let (_rx, mut controller) = controller.split();
    for _ in 0..20 {
        let (_, mut tx) = open(&name(&dongle)).await.unwrap().split();
        dongle.hold(Endpoint::Commands);
        dongle.hold(Endpoint::DataOut);
        send_all(&mut controller, (0..8).map(numbered)).await;
        let mut packets = [reset(), numbered(1), numbered(2), numbered(3)].into_iter();
        let mut queue = SendQueue::default();
        queue.fill(|| packets.next());
        within(tx.send(&mut queue)).await.unwrap();
        drop(tx);
    }
    let mut opening = Box::pin(async { open(&name(&dongle)).await });
    assert!(poll_once(&mut opening).await.is_none());
    drop(opening); // while the thread takes the adapter
    within(async { while open(&name(&dongle)).await.is_err() {} }).await;
}
