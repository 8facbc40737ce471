//! A controller that hangs behind a USB port of a real kernel, brought back by everything that the ladder has.
#![allow(clippy::disallowed_methods)] // The kernel's time is real time.

use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::hci::Opcode;
use baretooth::sim::{self, Radio};
use baretooth::{Adapter, Fault, Recoveries, Recovery, RecoveryEvent, Rung, SubscribeOptions, uuid16};
use baretooth_guest::dongle::{Dongle, Options};
use std::{process::Command, time::Duration};

/// How often a reset is tried before that is no way.
const RESETS: u32 = 2;

/// Read Local Version Information ([Vol 4] Part E, 7.4.1).
const VERSION: Opcode = Opcode(0x1001);

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_dongle_that_is_deaf_to_a_reset_is_brought_back_by_its_port_and_the_session_goes_on() {
    let (radio, mut controllers) = sim::spawn(sim::demo_radio(1));
    let dongle = Dongle::plug(Options::default(), controllers.pop().unwrap()).await.unwrap();
    assert!(Command::new("modprobe").arg("btusb").status().unwrap().success());
    assert_eq!(dongle.driver(0).as_deref(), Some("btusb"));

    let name = format!("usb:{}", dongle.place());
    let adapter = Adapter::builder().recovery(Recovery::ResetPort).open(&name).await.unwrap();
    let mut recoveries = adapter.recoveries();
    let strap = adapter.find_by_name("HR strap", Duration::from_secs(20)).await.unwrap();
    let peer = adapter.connect(strap.address.unwrap()).await.unwrap();
    let services = peer.discover().await.unwrap();
    let rate = services.characteristic(uuid16(0x180D), uuid16(0x2A37)).unwrap();
    let mut beats = peer.subscribe_with(&rate, SubscribeOptions::new().resume(true)).await.unwrap();
    let mut scan = adapter.scan_with(ScanOptions::new().duplicates(Duplicates::All)).await.unwrap();
    assert!(beats.next().await.is_some() && scan.next().await.is_ok());
    assert_eq!(resets(), 0);

    let controller = radio.with(|radio: &mut Radio| radio.controllers().next().unwrap()).await.unwrap();
    radio.with(move |radio: &mut Radio| radio.hang(controller, RESETS)).await.unwrap();
    // One that is not answered may be the command's fault, two are the controller's.
    assert!(adapter.command(VERSION, vec![]).await.is_err());
    assert!(adapter.command(VERSION, vec![]).await.is_err());

    assert_eq!(next(&mut recoveries).await, Some(Rung::Reset));
    assert_eq!(next(&mut recoveries).await, Some(Rung::ResetPort));
    assert!(matches!(recoveries.next().await, Some(RecoveryEvent::Recovered)));
    assert_eq!(resets(), 1, "the kernel has reset the port");
    assert!(adapter.command(VERSION, vec![]).await.is_ok());
    // What has been waiting since before the fault comes at once.
    while tokio::time::timeout(Duration::ZERO, scan.next()).await.is_ok() {}
    scan.next().await.expect("the scan goes on");
    while beats.resumed() == 0 {
        beats.next().await.expect("the subscription goes on");
    }
    assert!(beats.next().await.is_some());

    adapter.close().await;
    assert_eq!(dongle.driver(0).as_deref(), Some("btusb"), "given back by the second opening too");
}

/// What is done about a silent controller.
async fn next(recoveries: &mut Recoveries) -> Option<Rung> {
    match recoveries.next().await {
        Some(RecoveryEvent::Failed { fault: Fault::Silent { .. } | Fault::Init(_), then }) => then,
        other => panic!("{other:?}"),
    }
}

/// How often the kernel says that it has reset a port of this guest.
fn resets() -> usize {
    let log = Command::new("dmesg").output().unwrap();
    String::from_utf8_lossy(&log.stdout).matches(": reset full-speed USB device").count()
}
