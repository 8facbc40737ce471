//! The capture of a session.

use super::line::{demo_devices, ms, secs, wired};
use baretooth::capture::{Format, Reader, Record, Timestamp};
use baretooth::sim::ControllerOptions;
use baretooth::sim::demo::{self, HEART_RATE_ADDRESS, HEART_RATE_MEASUREMENT};
use baretooth::{Adapter, ErrorKind, uuid16};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
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
    assert_eq!(error.kind(), ErrorKind::Capture);
    assert!(error.to_string().contains("x.btsnoop failed: "), "{error}");
    assert!(line.log().is_empty());
}

/// Writes what each call was given, and fails when that is more than there is room for; as a disk does, it takes a
/// part first.
#[derive(Clone, Default)]
struct Paper {
    writes: Arc<Mutex<Vec<Vec<u8>>>>,
    room: Option<usize>,
}

impl Paper {
    fn written(&self) -> Vec<u8> {
        self.writes.lock().expect("nobody panics").concat()
    }
}

impl Write for Paper {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = self.room.map_or(octets.len(), |room| octets.len().min(room - self.written().len()));
        if taken == 0 && !octets.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.writes.lock().expect("nobody panics").push(octets[..taken].to_vec());
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_gets_each_packet_as_it_comes_and_never_a_part_of_one() {
    let paper = Paper::default();
    let (wire, line, ..) = wired(ControllerOptions::default(), demo_devices());
    let builder = Adapter::builder().seed(1).capture_to(paper.clone(), Format::BTSNOOP);
    let adapter = builder.open_with(wire).await.expect("opens");
    let began = tokio::time::Instant::now();
    adapter.command(baretooth::hci::Opcode(0x1009), vec![]).await.expect("answered");
    tokio::task::yield_now().await;
    assert!(began.elapsed() < ms(1), "no timer was waited for");
    let read =
        |octets: &[u8]| Reader::new(octets).expect("a header").map(|r| r.expect("good").data).collect();
    let records: Vec<_> = read(&paper.written());
    let passed: Vec<_> = line.log().iter().map(|(_, packet)| packet.bytes().clone()).collect();
    assert_eq!(records, passed);
    // Whatever was handed over is whole records, and several where they came together.
    let peer = adapter.connect(demo::ECHO_ADDRESS).await.expect("advertises");
    peer.discover().await.expect("answers");
    adapter.close().await;
    let writes = paper.writes.lock().expect("nobody panics").clone();
    let mut octets = Vec::new();
    for write in &writes {
        octets.extend_from_slice(write);
        let records: Vec<_> = read(&octets);
        let length: usize = records.iter().map(|data: &bytes::Bytes| 24 + data.len()).sum();
        assert_eq!(octets.len(), 16 + length);
    }
    assert!(writes.len() < line.log().len(), "{} writes of {} packets", writes.len(), line.log().len());
    assert!(adapter.capture_error().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_fails_ends_the_capture_and_not_the_session() {
    let paper = Paper { room: Some(3000), ..Paper::default() };
    let (wire, ..) = wired(ControllerOptions::default(), demo_devices());
    let builder = Adapter::builder().seed(1).capture_to(paper.clone(), Format::BTSNOOP);
    let adapter = builder.open_with(wire).await.expect("opens");
    assert!(adapter.capture_error().is_none());
    let peer = adapter.connect(HEART_RATE_ADDRESS).await.expect("advertises");
    peer.discover().await.expect("answers");
    assert_eq!(paper.written().len(), 3000, "it is full");
    assert_eq!(peer.read_by_uuid(uuid16(0x2A19)).await.expect("answers").len(), 1);
    adapter.close().await;
    let error = adapter.capture_error().expect("the disk was full");
    assert_eq!(error.kind(), ErrorKind::Capture);
    assert_eq!(error.to_string(), "capture to a writer failed: no storage space");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_says_no_format_is_refused_with_the_forms() {
    let (wire, line, ..) = wired(ControllerOptions::default(), vec![]);
    let error = Adapter::builder().capture("run.txt").open_with(wire).await.expect_err("no format");
    assert_eq!(
        error.to_string(),
        "capturing refused here: run.txt: a capture's name ends in .btsnoop, .log, .pcap, .pcapng or .pklg"
    );
    assert!(line.log().is_empty());
}
