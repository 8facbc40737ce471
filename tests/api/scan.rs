//! Finding devices.

use super::line::{Room, demo_devices, drop_after, ms, secs, timed};
use baretooth::gap::advertising_data::AdType;
use baretooth::gap::filter::{Filter, Pattern};
use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::hci::command::{HciCommand, LeSetExtendedScanEnable, LeSetExtendedScanParameters};
use baretooth::sim::demo::{ECHO_ADDRESS, HEART_RATE_ADDRESS, THERMOMETER_ADDRESS};
use baretooth::sim::{ControllerOptions, demo};
use baretooth::{BdAddr, Error, ErrorKind, uuid16};
use std::time::Duration;

fn scanning(room: &Room) -> bool {
    room.line.commands(LeSetExtendedScanEnable::OPCODE).last().is_some_and(|parameters| parameters[0] == 1)
}

#[tokio::test(start_paused = true)]
async fn each_scan_has_its_own_filter_and_the_last_one_stops_the_controller() {
    let room = Room::demo().await;
    let mut straps = room.adapter.scan_with(ScanOptions::new().service(uuid16(0x180D))).await.expect("scans");
    let thermometers = ScanOptions::new().filter(Filter::new().name("Thermo*")).duplicates(Duplicates::All);
    let mut thermometers = room.adapter.scan_with(thermometers).await.expect("scans");
    assert_eq!(straps.next().await.expect("heard").device.address, Some(HEART_RATE_ADDRESS));
    for _ in 0..10 {
        assert_eq!(thermometers.next().await.expect("heard").device.address, Some(THERMOMETER_ADDRESS));
    }
    drop(straps);
    tokio::time::sleep(secs(1)).await;
    assert!(scanning(&room), "one is left");
    thermometers.next().await.expect("heard");
    drop(thermometers);
    tokio::time::sleep(secs(1)).await;
    assert!(!scanning(&room), "none is left");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_scan_with_ends_the_scan() {
    let room = Room::demo().await;
    drop_after(Duration::ZERO, room.adapter.scan()).await;
    tokio::time::sleep(secs(1)).await;
    assert!(!scanning(&room));
    room.adapter.scan().await.expect("the next one starts").next().await.expect("and hears");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_next_loses_no_sighting() {
    let room = Room::demo().await;
    let all = || ScanOptions::new().duplicates(Duplicates::All);
    let mut patient = room.adapter.scan_with(all()).await.expect("scans");
    let mut hasty = room.adapter.scan_with(all()).await.expect("scans");
    let (mut one, mut other) = (Vec::new(), Vec::new());
    while one.len() < 100 {
        one.push(patient.next().await.expect("heard").report);
    }
    while other.len() < 100 {
        if let Ok(sighting) = tokio::time::timeout(ms(7), hasty.next()).await {
            other.push(sighting.expect("heard").report);
        }
    }
    // The second began with, or a little after, the first.
    let skipped = one.iter().position(|report| *report == other[0]).expect("both heard it");
    assert_eq!(one[skipped..], other[..one.len() - skipped]);
}

#[tokio::test(start_paused = true)]
async fn discover_returns_each_device_once_when_the_time_is_over() {
    let room = Room::demo().await;
    let (devices, took) = timed(room.adapter.discover(secs(5))).await;
    let found: Vec<_> = devices.expect("scans").iter().filter_map(|device| device.address).collect();
    assert_eq!(found, [HEART_RATE_ADDRESS, THERMOMETER_ADDRESS, ECHO_ADDRESS]);
    assert!((secs(5)..secs(5) + ms(100)).contains(&took), "{took:?}");
    tokio::time::sleep(secs(1)).await;
    assert!(!scanning(&room));
}

#[tokio::test(start_paused = true)]
async fn devices_are_found_by_name_address_and_filter() {
    let room = Room::demo().await;
    // Of the echo, the name is in the scan response and the service in the advertisement.
    let by_name = room.adapter.find_by_name("UART echo", secs(5)).await.expect("advertises");
    assert_eq!(by_name.address, Some(ECHO_ADDRESS));
    assert_eq!(by_name.data().local_name().expect("named").to_str(), "UART echo");
    let by_address =
        room.adapter.find_by_address(HEART_RATE_ADDRESS.bd_addr, secs(5)).await.expect("advertises");
    assert_eq!(by_address.address, Some(HEART_RATE_ADDRESS), "with its kind");
    let filter = Filter::new().service(demo::UART_SERVICE);
    assert_eq!(room.adapter.find(filter, secs(5)).await.expect("advertises").address, Some(ECHO_ADDRESS));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_a_time_out_that_names_it() {
    let room = Room::demo().await;
    let (found, took) = timed(room.adapter.find_by_name("nobody", secs(3))).await;
    let error = found.expect_err("there is none");
    assert!(matches!(error, Error::Timeout { after, .. } if after == secs(3)), "{error:?}");
    assert!(error.to_string().contains("\"nobody\""), "{error}");
    assert!((secs(3)..secs(3) + ms(100)).contains(&took), "{took:?}");
    let absent = BdAddr([9; 6]);
    let error = room.adapter.find_by_address(absent, secs(3)).await.expect_err("there is none");
    assert!(error.to_string().contains(&absent.to_string()), "{error}");
    let error = room.adapter.find(Filter::new().manufacturer(1), secs(3)).await.expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    tokio::time::sleep(secs(1)).await;
    assert!(!scanning(&room));
}

#[tokio::test(start_paused = true)]
async fn times_that_no_controller_takes_are_refused() {
    let room = Room::demo().await;
    let error = room.adapter.scan_with(ScanOptions::new().interval(secs(60))).await.expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_does_not_read_costs_bounded_memory_and_is_told_what_it_missed() {
    let room = Room::with(ControllerOptions::default(), demo_devices()).await;
    let options = ScanOptions::new().active(false).duplicates(Duplicates::All);
    let mut scan = room.adapter.scan_with(options).await.expect("scans");
    tokio::time::sleep(secs(120)).await;
    // Hear no more, so that it can be counted.
    let reports =
        |packet: &baretooth::transports::HciPacket| matches!(packet.as_slice(), [0x04, 0x3E, _, 0x0D, ..]);
    room.line.hold(reports);
    tokio::time::sleep(secs(1)).await;
    let heard = room.line.log().iter().filter(|(_, packet)| reports(packet)).count();
    let mut read = 0;
    while let Ok(sighting) = tokio::time::timeout(secs(1), scan.next()).await {
        sighting.expect("heard before");
        read += 1;
    }
    assert_eq!(read, 1024);
    assert_eq!(usize::try_from(scan.missed()).expect("few"), heard - read);
    assert!(heard > 2 * read, "{heard}");
}

#[tokio::test(start_paused = true)]
async fn scanning_goes_on_while_connecting_and_after() {
    for options in [ControllerOptions::default(), ControllerOptions::legacy()] {
        let room = Room::with(options, demo_devices()).await;
        let mut scan =
            room.adapter.scan_with(ScanOptions::new().duplicates(Duplicates::All)).await.expect("scans");
        let _peer = room.adapter.connect(HEART_RATE_ADDRESS).await.expect("advertises");
        let connected = tokio::time::Instant::now();
        while connected.elapsed() < secs(3) {
            tokio::time::timeout(secs(1), scan.next()).await.expect("goes on").expect("heard");
        }
    }
}

/// `start_scan(*types, buffer_size, timeout, interval, window, minimum_rssi, active)` and `stop_scan`.
#[tokio::test(start_paused = true)]
async fn adafruit_start_scan_with_types_buffer_timeout_interval_window_minimum_rssi_active() {
    let room = Room::demo().await;
    // Of the two types, the thermometer is heard with -58 dBm: too weak.
    let types = Filter::new().service(uuid16(0x180D)).service(uuid16(0x1809)).min_rssi(-50);
    let options = ScanOptions::new()
        .active(false)
        .interval(ms(100))
        .window(ms(50))
        .duplicates(Duplicates::All)
        .filter(types.clone());
    let mut scan = room.adapter.scan_with(options).await.expect("scans");
    // Passive, on LE 1M alone, 160 and 80 times 0.625 ms.
    let parameters = room.line.commands(LeSetExtendedScanParameters::OPCODE).pop().expect("one");
    assert_eq!(parameters[2..], [1, 0, 160, 0, 80, 0]);
    let begun = tokio::time::Instant::now();
    let mut heard = Vec::new();
    while let Ok(sighting) = tokio::time::timeout_at(begun + secs(10), scan.next()).await {
        heard.push(sighting.expect("heard").report);
    }
    assert!(heard.len() > 10, "{}", heard.len());
    assert!(heard.iter().all(|report| report.address == Some(HEART_RATE_ADDRESS)));
    assert!(heard.iter().all(|report| !report.scan_response && report.rssi == Some(-42)));
    // What nobody reads is in a buffer with an end, and behind it counted.
    tokio::time::sleep(secs(300)).await;
    assert!(scan.missed() > 0);
    drop(scan);
    tokio::time::sleep(secs(1)).await;
    assert!(!scanning(&room), "stop_scan");
    let options = ScanOptions::new().filter(types.min_rssi(-80)).duplicates(Duplicates::All);
    let found = room.adapter.discover_with(secs(5), options).await.expect("scans");
    let found: Vec<_> = found.iter().filter_map(|device| device.address).collect();
    assert_eq!(found, [HEART_RATE_ADDRESS, THERMOMETER_ADDRESS]);
    let parameters = room.line.commands(LeSetExtendedScanParameters::OPCODE).pop().expect("one");
    assert_eq!(parameters[3], 1, "active");
}

/// Scan responses are reports of their own; a type is told by prefixes of AD structures, of which any or all match.
#[tokio::test(start_paused = true)]
async fn adafruit_scan_responses_come_separately_and_prefixes_match() {
    let room = Room::demo().await;
    let prefix = |ad_type, octets: &[u8]| Pattern { start: 0, ad_type, octets: octets.to_vec() };
    let heart_rate = prefix(AdType(0x03), &[0x0D, 0x18]);
    let uart = prefix(AdType(0x09), b"UART");
    let any = Filter::new().pattern(heart_rate.clone()).pattern(uart.clone());
    let options = ScanOptions::new().filter(any).duplicates(Duplicates::All);
    let mut scan = room.adapter.scan_with(options).await.expect("scans");
    let mut heard = Vec::new();
    while heard.len() < 100 {
        heard.push(scan.next().await.expect("heard").report);
    }
    for address in [HEART_RATE_ADDRESS, ECHO_ADDRESS] {
        for scan_response in [false, true] {
            let of = heard.iter().filter(|r| (r.address, r.scan_response) == (Some(address), scan_response));
            assert!(of.count() > 5, "{address}, {scan_response}");
        }
    }
    assert!(heard.iter().all(|report| report.address != Some(THERMOMETER_ADDRESS)));
    // The name of the echo is in its scan response alone, and that has no flags.
    let named = |report: &&baretooth::Report| report.data.view().local_name().is_some();
    let of_echo = heard.iter().filter(|report| report.address == Some(ECHO_ADDRESS));
    let (with, without): (Vec<_>, Vec<_>) = of_echo.partition(named);
    assert!(with.iter().all(|report| report.scan_response && report.data.view().flags().is_none()));
    assert!(without.iter().all(|report| !report.scan_response && report.data.view().flags().is_some()));
    // All of several prefixes: of what one report says.
    let all = |report: &baretooth::Report, prefixes: &[&Pattern]| {
        prefixes.iter().all(|p| report.data.view().matches_pattern(p.start, p.ad_type, &p.octets))
    };
    let flags = prefix(AdType(0x01), &[0x06]);
    let both = heard.iter().filter(|report| all(report, &[&flags, &heart_rate]));
    assert!(both.clone().count() > 5);
    assert!(both.clone().all(|r| r.address == Some(HEART_RATE_ADDRESS) && !r.scan_response));
    assert!(!heard.iter().any(|report| all(report, &[&flags, &uart])));
}
