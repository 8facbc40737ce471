use super::*;
use crate::BdAddr;
use crate::gap::report::testing::{advertisement, device_address, report, scan_response};
use crate::uuid16;
use std::time::Duration;

const NOW: Instant = Instant::START;

#[test]
fn advertisement_and_scan_response_are_merged_and_kept_as_received() {
    let mut table = DeviceTable::default();
    table.update(NOW, &advertisement(1, b"\x02\x01\x06\x03\x03\x0D\x18"));
    let device = table.update(NOW + Duration::from_secs(1), &scan_response(1, b"\x03\x09HR"));
    assert_eq!(device.data().services(), [uuid16(0x180D)]);
    assert_eq!(device.data().local_name().expect("from the response").to_str(), "HR");
    assert_eq!(device.advertising().expect("heard").as_bytes(), b"\x02\x01\x06\x03\x03\x0D\x18");
    assert_eq!(device.scan_response().expect("heard").as_bytes(), b"\x03\x09HR");
    assert_eq!((device.reports, device.first_seen), (2, NOW));
    assert_eq!(device.last_seen, NOW + Duration::from_secs(1));
    assert!(device.connectable, "a legacy scan response does not say");
    // A new advertisement replaces the old one, in the merged view, too.
    let device = table.update(NOW, &advertisement(1, b"\x02\x01\x04"));
    assert_eq!(device.data().as_bytes(), b"\x02\x01\x04\x03\x09HR");
}

#[test]
fn d_a_malformed_advertisement_does_not_hide_the_scan_response() {
    let mut table = DeviceTable::default();
    table.update(NOW, &advertisement(1, b"\x02\x01\x06\x1E\x09cut"));
    let device = table.update(NOW, &scan_response(1, b"\x03\x09HR"));
    assert_eq!(device.data().as_bytes(), b"\x02\x01\x06\x03\x09HR");
}

#[test]
fn d_a_scan_response_without_an_advertisement_is_a_device() {
    let mut table = DeviceTable::default();
    let device = table.update(NOW, &scan_response(1, b"\x03\x09HR"));
    assert_eq!(device.data().local_name().expect("a name").to_str(), "HR");
    assert!(device.advertising().is_none() && !device.connectable);
}

#[test]
fn a_report_that_says_less_takes_nothing_away() {
    let mut table = DeviceTable::default();
    table.update(NOW, &report(|r| (r.rssi, r.tx_power) = (Some(-40), Some(4)), 1, b"\x02\x01\x06"));
    let device = table.update(NOW, &report(|r| (r.directed, r.rssi) = (true, None), 1, b""));
    assert_eq!((device.rssi, device.tx_power), (Some(-40), Some(4)));
    assert_eq!(device.data().as_bytes(), b"\x02\x01\x06", "directed, without data");
    let device = table.update(NOW, &report(|r| r.truncated = true, 1, b"\x02"));
    assert_eq!(device.data().as_bytes(), b"\x02\x01\x06", "the end was lost");
    let device = table.update(NOW, &advertisement(1, b""));
    assert_eq!(device.data().as_bytes(), b"", "but an advertisement may become empty");
}

#[test]
fn tx_power_may_come_from_the_data() {
    let mut table = DeviceTable::default();
    assert_eq!(table.update(NOW, &advertisement(1, b"\x02\x0A\xF8")).tx_power, Some(-8));
}

#[test]
fn anonymous_advertisements_are_no_device() {
    let mut table = DeviceTable::default();
    let device = table.update(NOW, &report(|r| r.address = None, 1, b"\x02\x01\x06"));
    assert_eq!((device.address, device.data().as_bytes()), (None, &b"\x02\x01\x06"[..]));
    assert_eq!(table.update(NOW, &report(|r| r.address = None, 2, b"")).data().as_bytes(), b"");
    assert!(table.is_empty());
}

#[test]
fn public_and_random_are_two_devices() {
    let mut table = DeviceTable::default();
    table.update(NOW, &advertisement(1, b""));
    let public = Address::public(device_address(1).bd_addr);
    table.update(NOW, &report(|r| r.address = Some(public), 1, b""));
    let addresses: Vec<_> = table.iter().filter_map(|device| device.address).collect();
    assert_eq!(addresses, [public, device_address(1)]);
}

#[test]
fn the_device_heard_least_recently_goes_first() {
    let mut table = DeviceTable::with_capacity(2);
    for n in [1, 2, 1, 3] {
        table.update(NOW, &advertisement(n, b""));
    }
    assert!(table.get(device_address(2)).is_none());
    assert_eq!(table.get(device_address(1)).map(|device| device.reports), Some(2));
}

#[test]
fn d_a_million_distinct_addresses_stay_within_the_capacity() {
    let mut table = DeviceTable::default();
    let mut report = advertisement(0, b"\x02\x01\x06");
    for n in 0..1_000_000u32 {
        let [a, b, c, d] = n.to_le_bytes();
        report.address = Some(Address::random(BdAddr([a, b, c, d, 0, 0xC0])));
        table.update(NOW, &report);
        assert!(table.len() <= DeviceTable::DEFAULT_CAPACITY);
    }
    assert_eq!(table.len(), DeviceTable::DEFAULT_CAPACITY);
    assert_eq!(
        table.get(report.address.expect("set")).map(|device| device.reports),
        Some(1),
        "the last is there"
    );
}

#[test]
fn one_device_is_one_device_whatever_private_addresses_it_shows() {
    let mut table = DeviceTable::default();
    let identity = Address::public(device_address(9).bd_addr);
    for n in 1..4 {
        table.update(NOW, &report(|r| r.identity = Some(identity), n, b"\x02\x01\x06"));
    }
    assert_eq!(table.len(), 1);
    let device = table.get(identity).expect("by its identity");
    assert_eq!(
        (device.identity, device.address, device.reports),
        (Some(identity), Some(device_address(3)), 3)
    );
    // The controller has resolved it.
    table.update(NOW, &report(|r| (r.address, r.identity) = (Some(identity), Some(identity)), 3, b""));
    assert_eq!(table.len(), 1);
}
