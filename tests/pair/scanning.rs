//! Finding advertisers.

use crate::common::*;
use baretooth::gap::filter::Filter;
use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::host::OpError;
use baretooth::sim::{ControllerOptions, Device, demo};
use baretooth::uuid16;

fn with_demo_devices(mut pair: Pair) -> Pair {
    for device in [demo::heart_rate_strap(), demo::thermometer(), demo::echo(), demo::beacon()] {
        pair.room(|radio| radio.add_device(device));
    }
    pair
}

#[test]
fn an_active_scan_hears_advertisement_and_scan_response_of_everyone() {
    each_seed(0..4, |seed| {
        let mut pair = with_demo_devices(Pair::seeded(seed));
        let scan = pair.scan(ScanOptions::new());
        pair.run(seconds(3));
        let strap = pair.last_heard(scan, demo::HEART_RATE_ADDRESS).expect("the strap");
        let data = strap.device.data();
        assert_eq!(data.local_name().map(|name| name.to_str().into_owned()), Some("HR strap".into()));
        assert!(data.has_service(uuid16(0x180D)));
        let manufacturer = data.manufacturer_data().next().expect("what the scan response says");
        assert_eq!((manufacturer.company, manufacturer.data), (0xFFFF, &[1, 2, 3][..]));
        for address in [demo::THERMOMETER_ADDRESS, demo::ECHO_ADDRESS, demo::BEACON_ADDRESS] {
            assert!(pair.last_heard(scan, address).is_some(), "{address} not heard");
        }
        pair
    });
}

#[test]
fn a_passive_scan_asks_nobody_for_more() {
    for options in [ControllerOptions::default(), ControllerOptions::legacy()] {
        let mut pair = with_demo_devices(Pair::controller(options));
        let scan = pair.scan(ScanOptions::new().active(false));
        pair.run(seconds(1));
        assert!(pair.heard(scan).iter().all(|sighting| !sighting.report.scan_response));
        let strap = pair.last_heard(scan, demo::HEART_RATE_ADDRESS).expect("the strap");
        assert!(strap.device.scan_response().is_none());
    }
}

#[test]
fn extended_advertising_of_600_octets_comes_whole_where_the_controller_has_it() {
    let mut pair = with_demo_devices(Pair::new());
    let scan = pair.scan(ScanOptions::new());
    pair.run(seconds(1));
    let beacon = pair.last_heard(scan, demo::BEACON_ADDRESS).expect("the beacon");
    assert_eq!(beacon.report.data.as_bytes(), demo::beacon().advertisement.data);
    assert_eq!((beacon.report.legacy, beacon.report.sid, beacon.report.tx_power), (false, Some(7), Some(4)));

    let mut pair = with_demo_devices(Pair::controller(ControllerOptions::legacy()));
    let scan = pair.scan(ScanOptions::new());
    pair.run(seconds(1));
    assert!(pair.last_heard(scan, demo::BEACON_ADDRESS).is_none());
    assert!(pair.last_heard(scan, demo::HEART_RATE_ADDRESS).is_some(), "legacy goes on");
}

#[test]
fn a_filter_gives_its_devices_alone_and_data_that_did_not_change_once() {
    let mut pair = with_demo_devices(Pair::new());
    let one = pair.scan(ScanOptions::new().service(uuid16(0x1809)));
    let two = pair.scan(ScanOptions::new().filter(Filter::new().address(demo::ECHO_ADDRESS)));
    let all = pair.scan(ScanOptions::new().active(false).duplicates(Duplicates::All));
    pair.run(seconds(2));
    let addresses = |scan| pair.heard(scan).iter().map(|s| s.report.address).collect::<Vec<_>>();
    // Advertisement and scan response, once each.
    assert_eq!(addresses(one), [Some(demo::THERMOMETER_ADDRESS); 2]);
    assert_eq!(addresses(two), [Some(demo::ECHO_ADDRESS); 2]);
    let echoes = addresses(all).iter().filter(|address| **address == Some(demo::ECHO_ADDRESS)).count();
    assert!((18..=45).contains(&echoes), "{echoes} PDUs in two seconds, ten advertisements a second");
}

#[test]
fn the_last_cancelled_scan_silences_the_controller() {
    let mut pair = with_demo_devices(Pair::new());
    let one = pair.scan(ScanOptions::new());
    let two = pair.scan(ScanOptions::new().duplicates(Duplicates::All));
    pair.cancel(one);
    assert_eq!(pair.done(one), Err(OpError::Cancelled));
    pair.run(seconds(1));
    let before = pair.heard(two).len();
    assert!(before > 10);
    pair.cancel(two);
    pair.run(seconds(1));
    assert_eq!(pair.heard(two).len(), before);
    assert!(pair.host.is_idle());
}

#[test]
fn ten_thousand_advertisers_are_all_heard() {
    let mut pair = Pair::new();
    for n in 0..10_000 {
        pair.radio.add_device(Device::new(address(n)).data(b"\x02\x01\x06".as_slice()));
    }
    let scan = pair.scan(ScanOptions::new().active(false));
    pair.run(seconds(1));
    let mut heard: Vec<_> = pair.heard(scan).iter().map(|s| s.report.address).collect();
    heard.sort();
    heard.dedup();
    assert_eq!(heard.len(), 10_000);
}
