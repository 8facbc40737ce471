//! A capture in place of an adapter, under the clock that stands still.

use baretooth::replay::{ReplayError, ReplayTransport};
use baretooth::sim::demo;
use baretooth::transports::TransportError;
use baretooth::{Adapter, Error, ScanOptions, uuid16};
use std::time::Duration;

fn capture(name: &str) -> String {
    format!("{}/captures/{name}.btsnoop", env!("CARGO_MANIFEST_DIR"))
}

/// The session of the capture `heart_rate`, and what it read.
async fn heart_rate(adapter: &Adapter) -> Result<u8, Error> {
    let mut scan = adapter.scan_with(ScanOptions::new()).await?;
    scan.next().await?;
    drop(scan);
    let strap = adapter.connect(demo::HEART_RATE_ADDRESS).await?;
    let services = strap.discover().await?;
    let level = strap.read(&services.find(uuid16(0x2A19))?).await?[0];
    let mut beats = strap.subscribe(&services.find(uuid16(0x2A37))?).await?;
    for sequence in 0..3 {
        let beat = beats.next().await.expect("the link is up");
        assert_eq!((&beat.value[..], beat.missed), (&demo::heart_rate_measurement(sequence)[..], 0));
    }
    strap.disconnect().await?;
    Ok(level)
}

#[tokio::test(start_paused = true)]
async fn a_program_runs_on_a_capture_as_on_the_radio() {
    let transport = ReplayTransport::open(capture("heart_rate")).expect("a capture");
    let progress = transport.progress();
    let adapter = Adapter::builder().open_replay(transport).await.expect("ready");
    assert_eq!(heart_rate(&adapter).await.expect("as in the capture"), 87);
    adapter.close().await;
    assert_eq!(progress.result().expect("all of it"), 120);
}

#[tokio::test(start_paused = true)]
async fn r_the_first_difference_ends_the_session_and_nothing_of_it_is_lost() {
    let adapter = Adapter::open(&format!("replay:{}", capture("heart_rate"))).await.expect("ready");
    let error = adapter.connect(demo::ECHO_ADDRESS).await.expect_err("the capture scans first");
    let Error::Transport { source: TransportError::Custom(source), .. } = &error else { panic!("{error}") };
    let Some(ReplayError::Differs(difference)) = source.downcast_ref::<ReplayError>() else {
        panic!("{source}")
    };
    assert_eq!(difference.field().expect("a field").0, "command");
    let text = error.to_string();
    for part in ["packet 23 differs", "LE Set Extended Scan Parameters", "LE Extended Create Connection"] {
        assert!(text.contains(part), "{text}");
    }
    // Whoever asks later is told the same.
    assert_eq!(adapter.closed().await.to_string(), format!("the session failed: {source}"));
}

#[tokio::test(start_paused = true)]
async fn r_a_program_that_does_nothing_is_told_what_it_does_not_send() {
    let transport = ReplayTransport::open(capture("heart_rate")).expect("a capture");
    let progress = transport.progress();
    let adapter = Adapter::builder().open_replay(transport).await.expect("ready");
    let begun = tokio::time::Instant::now();
    let error = adapter.closed().await.to_string();
    assert!(error.contains("the host does not send packet 23: LE Set Extended Scan Parameters"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    assert!(matches!(progress.result(), Err(ReplayError::NotSent { number: 23, .. })));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_opened_says_so() {
    let error = Adapter::open("replay:no-such-file").await.expect_err("no such file").to_string();
    assert!(
        error.starts_with("opening replay:no-such-file failed: no-such-file cannot be opened: "),
        "{error}"
    );
}
