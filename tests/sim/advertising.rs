//! Legacy advertising and scanning.

use crate::room::*;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;
use baretooth::{Address, BdAddr};

pub fn legacy_scan(room: &mut Room, id: ControllerId, active: bool, filter_duplicates: bool) {
    room.ok(id, &scan_parameters(active));
    room.ok(id, &LeSetScanEnable { le_scan_enable: 1, filter_duplicates: filter_duplicates.into() });
}

fn scan_parameters(active: bool) -> LeSetScanParameters {
    LeSetScanParameters {
        le_scan_type: u8::from(active),
        le_scan_interval: 0x10,
        le_scan_window: 0x10,
        own_address_type: OwnAddressType::Public,
        scanning_filter_policy: 0,
    }
}

/// Type, address and data of every legacy report.
pub fn legacy_reports(room: &Room, id: ControllerId) -> Vec<(u8, BdAddr, Vec<u8>)> {
    let events = room.le(id, |event| match event {
        LeEvent::LeAdvertisingReport(e) => {
            let reports = e.reports.iter();
            Some(reports.map(|r| (r.event_type, r.address, r.data.get().to_vec())).collect::<Vec<_>>())
        }
        _ => None,
    });
    events.concat()
}

#[test]
fn an_active_scan_reports_advertising_and_scan_response_and_a_passive_one_only_the_first() {
    for active in [false, true] {
        let mut room = Room::new(RadioOptions::default());
        let scanner = room.controller(ControllerOptions::default());
        let device = Device::new(random(1)).data(b"\x02\x01\x06".as_slice());
        room.radio.add_device(device.scan_response(b"\x02\x0A\x04".as_slice()));
        legacy_scan(&mut room, scanner, active, true);
        room.run(ms(1000));
        let mut expected = vec![(0, random(1).bd_addr, b"\x02\x01\x06".to_vec())];
        if active {
            expected.push((4, random(1).bd_addr, b"\x02\x0A\x04".to_vec()));
        }
        assert_eq!(legacy_reports(&room, scanner), expected);
    }
}

#[test]
fn without_the_duplicate_filter_every_advertising_event_is_reported_at_its_interval() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default());
    room.radio.add_device(Device::new(random(1)));
    legacy_scan(&mut room, scanner, false, false);
    room.run(ms(10_000));
    let times: Vec<_> = room.log.iter().filter(|(_, _, packet)| packet.as_slice()[1] == 0x3E).collect();
    // 100 ms and a delay of 0 to 10 ms.
    assert!((92..=100).contains(&times.len()), "{} reports", times.len());
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    assert!(gaps.iter().all(|gap| (ms(100)..=ms(110)).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().max() > gaps.iter().min(), "the delay varies");
}

#[test]
fn a_scanner_that_listens_a_quarter_of_the_time_hears_about_a_quarter() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default());
    room.radio.add_device(Device::new(random(1)));
    room.ok(scanner, &LeSetScanParameters { le_scan_interval: 0x40, ..scan_parameters(false) });
    room.ok(scanner, &LeSetScanEnable { le_scan_enable: 1, filter_duplicates: 0 });
    room.run(ms(100_000));
    let heard = legacy_reports(&room, scanner).len();
    assert!((180..300).contains(&heard), "{heard} of about 950");
}

#[test]
fn lost_advertising_is_not_heard() {
    let mut room = Room::new(RadioOptions { loss: 500, ..RadioOptions::default() });
    let scanner = room.controller(ControllerOptions::default());
    room.radio.add_device(Device::new(random(1)));
    legacy_scan(&mut room, scanner, false, false);
    room.run(ms(100_000));
    let heard = legacy_reports(&room, scanner).len();
    assert!((380..570).contains(&heard), "{heard} of about 950");
}

#[test]
fn a_controller_advertises_what_its_host_sets_and_while_it_wants() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default().address(bd_addr(1)));
    let advertiser = room.controller(ControllerOptions::legacy().address(bd_addr(2)));
    room.advertise(advertiser, b"\x02\x01\x04");
    let scan_response_data = &mut [0; 31];
    scan_response_data[..3].copy_from_slice(b"\x02\x0A\x01");
    room.ok(advertiser, &LeSetScanResponseData { scan_response_data_length: 3, scan_response_data });
    legacy_scan(&mut room, scanner, true, true);
    room.run(ms(500));
    let heard = |event_type, data: &[u8]| (event_type, bd_addr(2), data.to_vec());
    let first = [heard(0, b"\x02\x01\x04"), heard(4, b"\x02\x0A\x01")];
    assert_eq!(legacy_reports(&room, scanner), first);
    // Parameters stay as they are while advertising; enabling again changes nothing.
    assert_eq!(room.status(advertiser, &advertising_parameters(3)), ErrorCode::CommandDisallowed);
    room.ok(advertiser, &LeSetAdvertisingEnable { advertising_enable: 1 });
    room.ok(advertiser, &LeSetAdvertisingEnable { advertising_enable: 0 });
    legacy_scan_again(&mut room, scanner);
    room.run(ms(500));
    assert_eq!(legacy_reports(&room, scanner).len(), 2, "it is silent");
    for (kind, event_type) in [(2, 2), (3, 3)] {
        room.ok(advertiser, &advertising_parameters(kind));
        room.ok(advertiser, &LeSetAdvertisingEnable { advertising_enable: 1 });
        let before = legacy_reports(&room, scanner).len();
        legacy_scan_again(&mut room, scanner);
        room.run(ms(500));
        let new: Vec<u8> = legacy_reports(&room, scanner)[before..].iter().map(|report| report.0).collect();
        assert_eq!(new, if kind == 2 { vec![event_type, 4] } else { vec![event_type] });
        room.ok(advertiser, &LeSetAdvertisingEnable { advertising_enable: 0 });
    }
}

/// Restarting the scan empties the duplicate filter.
fn legacy_scan_again(room: &mut Room, scanner: ControllerId) {
    room.ok(scanner, &LeSetScanEnable { le_scan_enable: 0, filter_duplicates: 0 });
    room.ok(scanner, &LeSetScanEnable { le_scan_enable: 1, filter_duplicates: 1 });
}

#[test]
fn a_reset_silences_an_advertiser() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default().address(bd_addr(1)));
    let advertiser = room.controller(ControllerOptions::default().address(bd_addr(2)));
    room.advertise(advertiser, b"\x02\x01\x04");
    room.ok(advertiser, &Reset {});
    legacy_scan(&mut room, scanner, false, true);
    room.run(ms(500));
    assert_eq!(legacy_reports(&room, scanner), []);
}

#[test]
fn directed_advertising_is_for_one_scanner_and_ends_by_itself_when_fast() {
    let mut room = Room::new(RadioOptions::default());
    let meant = room.controller(ControllerOptions::default().address(bd_addr(1)));
    let other = room.controller(ControllerOptions::default().address(bd_addr(3)));
    let advertiser = room.controller(ControllerOptions::default().address(bd_addr(2)));
    legacy_scan(&mut room, meant, true, true);
    legacy_scan(&mut room, other, true, true);
    // High duty cycle, for the controller with address 1.
    room.ok(advertiser, &advertising_parameters(1));
    room.ok(advertiser, &LeSetAdvertisingEnable { advertising_enable: 1 });
    room.run(ms(2000));
    assert_eq!(legacy_reports(&room, meant), [(1, bd_addr(2), vec![])]);
    assert_eq!(legacy_reports(&room, other), []);
    assert_eq!(room.connections(advertiser)[0].status, ErrorCode::AdvertisingTimeout);
}

#[test]
fn scan_parameters_do_not_change_while_scanning_and_must_make_sense() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    legacy_scan(&mut room, id, false, true);
    assert_eq!(room.status(id, &scan_parameters(true)), ErrorCode::CommandDisallowed);
    room.ok(id, &LeSetScanEnable { le_scan_enable: 0, filter_duplicates: 0 });
    let wider = LeSetScanParameters { le_scan_window: 0x11, ..scan_parameters(true) };
    assert_eq!(room.status(id, &wider), ErrorCode::InvalidHciCommandParameters);
    // The random address has not been set.
    let random = LeSetScanParameters { own_address_type: OwnAddressType::Random, ..scan_parameters(true) };
    assert_eq!(room.status(id, &random), ErrorCode::InvalidHciCommandParameters);
    room.ok(id, &LeSetRandomAddress { random_address: BdAddr([1, 2, 3, 4, 5, 0xC0]) });
    room.ok(id, &random);
}

#[test]
fn an_accept_list_keeps_scanners_and_centrals_out() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default().address(bd_addr(1)));
    let advertiser = room.controller(ControllerOptions::default().address(bd_addr(2)));
    room.ok(
        advertiser,
        &LeSetAdvertisingParameters { advertising_filter_policy: 3, ..advertising_parameters(0) },
    );
    room.ok(advertiser, &LeSetAdvertisingEnable { advertising_enable: 1 });
    legacy_scan(&mut room, scanner, true, true);
    room.ok(scanner, &create_connection(Address::public(bd_addr(2))));
    room.run(ms(1000));
    assert_eq!(legacy_reports(&room, scanner).len(), 1, "no scan response");
    assert_eq!(room.connections(scanner).len(), 0);
    let add = LeAddDeviceToFilterAcceptList { address_type: AddressType::Public, address: bd_addr(1) };
    assert_eq!(room.status(advertiser, &add), ErrorCode::CommandDisallowed, "it is in use");
    room.ok(advertiser, &LeSetAdvertisingEnable { advertising_enable: 0 });
    room.ok(advertiser, &add);
    room.ok(advertiser, &LeSetAdvertisingEnable { advertising_enable: 1 });
    assert_eq!(room.connected(scanner).status, ErrorCode::Success);
}
