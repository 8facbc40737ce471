//! The capture of a session.

use super::line::{demo_devices, secs, wired};
use baretooth::capture::{Reader, Record, Timestamp};
use baretooth::sim::ControllerOptions;
use baretooth::sim::demo::{HEART_RATE_ADDRESS, HEART_RATE_MEASUREMENT};
use baretooth::{Adapter, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("baretooth-{}-{name}.btsnoop", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn records(path: &Path) -> Vec<Record> {
    let mut reader =
        Reader::new(std::fs::File::open(path).expect("the capture is there")).expect("its header");
    std::iter::from_fn(|| reader.read().expect("whole records")).collect()
}

async fn session(path: &Path, seed: u64) {
    let (wire, ..) = wired(ControllerOptions::default(), demo_devices());
    let adapter = Adapter::builder().capture(path).seed(seed).open_with(wire).await.expect("opens");
    adapter.discover(secs(2)).await.expect("scans");
    let peer = adapter.connect(HEART_RATE_ADDRESS).await.expect("advertises");
    let services = peer.discover().await.expect("answers");
    let mut rates = peer.subscribe(&services.find(HEART_RATE_MEASUREMENT).unwrap()).await.expect("notifies");
    for _ in 0..3 {
        rates.next().await.expect("a heart beats");
    }
    adapter.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_file() {
    let (one, two, other) = (Scratch::new("one"), Scratch::new("two"), Scratch::new("other"));
    session(&one.0, 7).await;
    session(&two.0, 7).await;
    session(&other.0, 8).await;
    let read = |scratch: &Scratch| std::fs::read(&scratch.0).expect("the capture is there");
    assert!(read(&one) == read(&two), "the same seed");
    assert!(read(&one) != read(&other), "another seed");
}

#[tokio::test(start_paused = true)]
async fn every_packet_is_in_it_in_order_with_its_direction_and_time() {
    let scratch = Scratch::new("whole");
    let (wire, line, ..) = wired(ControllerOptions::default(), demo_devices());
    let adapter = Adapter::builder().capture(&scratch.0).seed(1).open_with(wire).await.expect("opens");
    let peer = adapter.connect(HEART_RATE_ADDRESS).await.expect("advertises");
    peer.discover().await.expect("answers");
    adapter.close().await;
    let records = records(&scratch.0);
    let of = |way| {
        records
            .iter()
            .filter(move |record| record.direction() == Some(way))
            .map(|record| record.hci().expect("whole"))
    };
    for way in [baretooth::capture::Direction::Sent, baretooth::capture::Direction::Received] {
        let passed =
            line.log().into_iter().filter(|(direction, _)| *direction == way).map(|(_, packet)| packet);
        assert_eq!(of(way).collect::<Vec<_>>(), passed.collect::<Vec<_>>());
    }
    assert!(records.is_sorted_by_key(|record| record.time));
    assert!(
        records.last().expect("some").time < Timestamp::from(secs(30)),
        "a seeded session begins in 1970"
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_reaches_the_file_within_a_second() {
    let scratch = Scratch::new("flush");
    let (wire, line, ..) = wired(ControllerOptions::default(), vec![]);
    let adapter = Adapter::builder().capture(&scratch.0).seed(1).open_with(wire).await.expect("opens");
    tokio::time::sleep(Duration::from_millis(1001)).await;
    assert_eq!(records(&scratch.0).len(), line.log().len());
    adapter.command(baretooth::hci::Opcode(0x1009), vec![]).await.expect("answered");
    tokio::time::sleep(Duration::from_millis(1001)).await;
    assert_eq!(records(&scratch.0).len(), line.log().len());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_written_is_said_before_anything_is_opened() {
    let (wire, line, ..) = wired(ControllerOptions::default(), vec![]);
    let nowhere = std::env::temp_dir().join("baretooth-no-such-directory").join("x.btsnoop");
    let error = Adapter::builder().capture(&nowhere).open_with(wire).await.expect_err("no such directory");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("x.btsnoop"), "{error}");
    assert!(line.log().is_empty());
}
