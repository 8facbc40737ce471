//! The adapter goes back to the driver of the kernel that it was taken from, however this program ends.

use super::*;
use baretooth_guest::dongle::eventually;
use std::{fs, time::Instant};

fn has_btusb(dongle: &Dongle) -> bool {
    [0, 1].iter().all(|interface| dongle.driver(*interface).as_deref() == Some("btusb"))
}

/// Whether any process has the dongle open.
fn is_held(dongle: &Dongle) -> bool {
    let node = dongle.node().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut files =
        processes.filter_map(|process| fs::read_dir(process.path().join("fd")).ok()).flatten().flatten();
    files.any(|file| fs::read_link(file.path()).is_ok_and(|target| target == node))
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn closing_gives_it_back_to_btusb() {
    let dongle = plug_into_btusb(Options::default()).await;
    for _ in 0..3 {
        let adapter = open(&name(&dongle)).await.unwrap();
        assert_eq!(dongle.driver(0).as_deref(), Some("usbfs"));
        assert_eq!(dongle.driver(1).as_deref(), Some("usbfs"));
        drop(adapter);
        assert!(has_btusb(&dongle), "when drop returns");
        assert!(eventually(|| !is_held(&dongle)).await, "nobody stays behind");
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_process_that_is_killed_gives_it_back_to_btusb() {
    let dongle = plug_into_btusb(Options::default()).await;
    for signal in ["KILL", "INT", "TERM", "HUP", "QUIT"] {
        let other = Other::with(&name(&dongle));
        assert_eq!(dongle.driver(0).as_deref(), Some("usbfs"));
        // As a terminal does it: every process of the group gets the signal.
        let began = Instant::now();
        other.signal(signal);
        assert!(eventually(|| has_btusb(&dongle)).await, "SIG{signal}");
        println!("btusb has it {:?} after SIG{signal}", began.elapsed());
        assert!(eventually(|| !is_held(&dongle)).await, "nobody stays behind");
        other.end();
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn an_adapter_that_btusb_had_not_is_left_alone_when_the_process_is_killed() {
    let (dongle, _controller) = plug(Options::default()).await;
    let other = Other::with(&name(&dongle));
    other.signal("KILL");
    other.end();
    assert!(eventually(|| !is_held(&dongle)).await);
    assert_eq!(dongle.driver(0), None);
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_thousand_times_opened_and_closed_leaves_no_descriptor_and_no_thread() {
    let (dongle, _controller) = plug(Options::default()).await;
    rounds(&dongle, 1000).await;
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn taken_and_given_back_fifty_times_leaves_no_descriptor_no_thread_and_no_process() {
    let dongle = plug_into_btusb(Options::default()).await;
    // A zombie and a thread of the kernel have no program.
    let is_program = |entry: &fs::DirEntry| fs::read_link(entry.path().join("exe")).is_ok();
    let processes = || fs::read_dir("/proc").unwrap().flatten().filter(is_program).count();
    let before = processes();
    rounds(&dongle, 50).await;
    assert!(has_btusb(&dongle));
    assert!(eventually(|| processes() <= before).await, "{before} became {}", processes());
}

async fn rounds(dongle: &Dongle, count: u32) {
    let entries = |folder: &str| fs::read_dir(folder).unwrap().count();
    let now = || (entries("/proc/self/fd"), entries("/proc/self/task"));
    let (mut before, began) = (now(), Instant::now());
    for n in 0..count {
        drop(open(&name(dongle)).await.unwrap());
        if n == 0 {
            before = now();
        }
        // The kernel still lists a thread for a moment when it has been joined.
        assert!(eventually(|| now() <= before).await, "round {n}: {before:?} became {:?}", now());
    }
    println!("{count} rounds in {:?}; descriptors and threads: {before:?}", began.elapsed());
}
