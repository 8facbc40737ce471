//! Advertising and scanning.

use crate::room::*;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;
use baretooth::{Address, BdAddr};

pub fn legacy_scan(room: &mut Room, id: ControllerId, active: bool, filter_duplicates: bool) {
    room.ok(
        id,
        &LeSetScanParameters {
            le_scan_type: u8::from(active),
            le_scan_interval: 0x10,
            le_scan_window: 0x10,
            own_address_type: OwnAddressType::Public,
            scanning_filter_policy: 0,
        },
    );
    room.ok(id, &LeSetScanEnable { le_scan_enable: 1, filter_duplicates: filter_duplicates.into() });
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
        let device =
            Device::new(random(1)).data(b"\x02\x01\x06".as_slice()).scan_response(b"\x02\x0A\x04".as_slice());
        room.radio.add_device(device);
        legacy_scan(&mut room, scanner, active, true);
        room.run(ms(1000));
        let mut expected = vec![(0, random(1).bd_addr, b"\x02\x01\x06".to_vec())];
        if active {
            expected.push((4, random(1).bd_addr, b"\x02\x0A\x04".to_vec()));
        }
        assert_eq!(legacy_reports(&room, scanner), expected);
    }
}
