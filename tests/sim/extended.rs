//! Extended advertising, scanning and connecting.

use crate::room::*;
use baretooth::codec::{List, Prefixed, U24};
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;
use baretooth::{Address, BdAddr};
use bytes::Bytes;

fn scan(room: &mut Room, id: ControllerId, phys: u8, duration: u16) {
    let one = ScanPhyParameters { scan_type: 1, scan_interval: 0x10, scan_window: 0x10 };
    let all = vec![one; phys.count_ones() as usize];
    room.ok(
        id,
        &LeSetExtendedScanParameters {
            own_address_type: OwnAddressType::Public,
            scanning_filter_policy: 0,
            scanning_phys: List::per_bit(phys, &all).expect("one for each"),
        },
    );
    room.ok(id, &LeSetExtendedScanEnable { enable: 1, filter_duplicates: 1, duration, period: 0 });
}

/// Event type, set and data of every extended report.
fn reports(room: &Room, id: ControllerId) -> Vec<(u16, u8, Vec<u8>)> {
    let events = room.le(id, |event| match event {
        LeEvent::LeExtendedAdvertisingReport(e) => {
            let reports = e.reports.iter();
            Some(
                reports
                    .map(|r| (r.event_type.0, r.advertising_sid, r.data.get().to_vec()))
                    .collect::<Vec<_>>(),
            )
        }
        _ => None,
    });
    events.concat()
}

fn set_parameters(advertising_handle: u8, properties: u16) -> LeSetExtendedAdvertisingParameters {
    LeSetExtendedAdvertisingParameters {
        advertising_handle,
        advertising_event_properties: properties,
        primary_advertising_interval_min: U24(0x40),
        primary_advertising_interval_max: U24(0x40),
        primary_advertising_channel_map: 7,
        own_address_type: OwnAddressType::Random,
        peer_address_type: AddressType::Public,
        peer_address: BdAddr::ANY,
        advertising_filter_policy: 0,
        advertising_tx_power: 127,
        primary_advertising_phy: Phy::Le1M,
        secondary_advertising_max_skip: 0,
        secondary_advertising_phy: Phy::Le2M,
        advertising_sid: 5,
        scan_request_notification_enable: 1,
    }
}

fn enable(room: &mut Room, id: ControllerId, set: AdvertisingSetEnable) -> ErrorCode {
    let sets = [set];
    room.status(id, &LeSetExtendedAdvertisingEnable { enable: 1, sets: List::new(&sets).expect("one") })
}

const ON: AdvertisingSetEnable =
    AdvertisingSetEnable { advertising_handle: 1, duration: 0, max_extended_advertising_events: 0 };

/// A set with a random address and these data, not yet enabled.
fn set(room: &mut Room, id: ControllerId, properties: u16, data: &[u8], response: &[u8]) {
    room.ok(id, &set_parameters(1, properties));
    let random_address = random(1).bd_addr;
    room.ok(id, &LeSetAdvertisingSetRandomAddress { advertising_handle: 1, random_address });
    let parts: Vec<&[u8]> = data.chunks(251).collect();
    for (n, part) in parts.iter().enumerate() {
        let operation = match (n, n + 1 == parts.len()) {
            (0, true) => 3,
            (0, false) => 1,
            (_, false) => 0,
            (_, true) => 2,
        };
        let advertising_data = Prefixed::new(part).expect("at most 251");
        let (advertising_handle, fragment_preference) = (1, 0);
        room.ok(
            id,
            &LeSetExtendedAdvertisingData {
                advertising_handle,
                operation,
                fragment_preference,
                advertising_data,
            },
        );
    }
    if !response.is_empty() {
        let scan_response_data = Prefixed::new(response).expect("at most 251");
        room.ok(
            id,
            &LeSetExtendedScanResponseData {
                advertising_handle: 1,
                operation: 3,
                fragment_preference: 0,
                scan_response_data,
            },
        );
    }
}

#[test]
fn legacy_pdus_are_reported_as_such_by_extended_events() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default());
    let device = Device::new(random(1)).data(b"\x02\x01\x06".as_slice());
    room.radio.add_device(device.scan_response(b"\x02\x0A\x04".as_slice()));
    let quiet = Advertisement { connectable: false, scannable: false, ..Advertisement::default() };
    room.radio.add_device(Device::new(random(2)).advertisement(quiet));
    scan(&mut room, scanner, 1, 0);
    room.run(ms(1000));
    let mut heard = reports(&room, scanner);
    heard.sort();
    let expected = [
        (0x10, 0xFF, vec![]),
        (0x13, 0xFF, b"\x02\x01\x06".to_vec()),
        (0x1B, 0xFF, b"\x02\x0A\x04".to_vec()),
    ];
    assert_eq!(heard, expected);
}

#[test]
fn long_data_come_in_parts_of_229_octets_the_last_of_which_is_complete() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default());
    let advertiser = room.controller(ControllerOptions::default());
    let data: Vec<u8> = (0..1650u32).map(|n| n.to_le_bytes()[0]).collect();
    set(&mut room, advertiser, 0, &data, &[]);
    assert_eq!(enable(&mut room, advertiser, ON), ErrorCode::Success);
    scan(&mut room, scanner, 1, 0);
    room.run(ms(1000));
    let heard = reports(&room, scanner);
    let kinds: Vec<u16> = heard.iter().map(|report| report.0).collect();
    assert_eq!(kinds, [0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x00]);
    assert!(heard.iter().all(|report| report.1 == 5 && report.2.len() <= 229));
    assert_eq!(heard.iter().flat_map(|report| report.2.clone()).collect::<Vec<_>>(), data);
}

#[test]
fn a_scannable_set_answers_requests_and_tells_its_host() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default().address(bd_addr(9)));
    let advertiser = room.controller(ControllerOptions::default());
    set(&mut room, advertiser, 0b10, &[], b"\x02\x0A\x04");
    assert_eq!(enable(&mut room, advertiser, ON), ErrorCode::Success);
    scan(&mut room, scanner, 1, 0);
    room.run(ms(300));
    assert_eq!(reports(&room, scanner), [(0x02, 5, vec![]), (0x0A, 5, b"\x02\x0A\x04".to_vec())]);
    let requests = room.le(advertiser, |event| match event {
        LeEvent::LeScanRequestReceived(e) => Some((e.advertising_handle, e.scanner_address)),
        _ => None,
    });
    assert_eq!(requests[0], (1, bd_addr(9)));
}

#[test]
fn new_data_pass_the_duplicate_filter_of_an_extended_scan() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default());
    let advertiser = room.controller(ControllerOptions::default());
    set(&mut room, advertiser, 0, b"\x02\x0A\x01", &[]);
    assert_eq!(enable(&mut room, advertiser, ON), ErrorCode::Success);
    scan(&mut room, scanner, 1, 0);
    room.run(ms(500));
    let new = LeSetExtendedAdvertisingData {
        advertising_handle: 1,
        operation: 3,
        fragment_preference: 0,
        advertising_data: Prefixed::new(b"\x02\x0A\x02").expect("short"),
    };
    room.ok(advertiser, &new);
    assert_eq!(
        room.status(advertiser, &LeSetExtendedAdvertisingData { operation: 1, ..new }),
        ErrorCode::CommandDisallowed,
        "no fragments while advertising"
    );
    room.run(ms(500));
    let data: Vec<Vec<u8>> = reports(&room, scanner).into_iter().map(|report| report.2).collect();
    assert_eq!(data, [b"\x02\x0A\x01", b"\x02\x0A\x02"]);
}

#[test]
fn a_set_ends_after_its_duration_or_its_events_and_says_which() {
    for (duration, max, status) in [(30, 0, ErrorCode::AdvertisingTimeout), (0, 4, ErrorCode::LimitReached)] {
        let mut room = Room::new(RadioOptions::default());
        let id = room.controller(ControllerOptions::default());
        set(&mut room, id, 0, &[], &[]);
        let on = AdvertisingSetEnable { duration, max_extended_advertising_events: max, ..ON };
        assert_eq!(enable(&mut room, id, on), ErrorCode::Success);
        assert_eq!(room.status(id, &LeClearAdvertisingSets {}), ErrorCode::CommandDisallowed);
        room.run(ms(1000));
        let ended = room.le(id, |event| match event {
            LeEvent::LeAdvertisingSetTerminated(e) => {
                Some((e.status, e.advertising_handle, e.num_completed_extended_advertising_events))
            }
            _ => None,
        });
        assert_eq!(ended.len(), 1);
        assert_eq!((ended[0].0, ended[0].1), (status, 1));
        assert!(max == 0 || ended[0].2 == max);
        room.ok(id, &LeClearAdvertisingSets {});
        assert_eq!(enable(&mut room, id, ON), ErrorCode::UnknownAdvertisingIdentifier);
    }
}

#[test]
fn sets_that_cannot_be_are_refused() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions { advertising_sets: 1, ..ControllerOptions::default() });
    let refused = ErrorCode::InvalidHciCommandParameters;
    assert_eq!(room.status(id, &set_parameters(1, 0b11)), refused, "connectable and scannable");
    assert_eq!(room.status(id, &set_parameters(1, 0x11)), refused, "no such legacy PDU");
    room.ok(id, &set_parameters(1, 0x13));
    assert_eq!(room.status(id, &set_parameters(2, 0)), ErrorCode::MemoryCapacityExceeded);
    assert_eq!(enable(&mut room, id, ON), refused, "it has no random address");
    let long = LeSetExtendedAdvertisingData {
        advertising_handle: 1,
        operation: 3,
        fragment_preference: 0,
        advertising_data: Prefixed::new(&[0; 32]).expect("short"),
    };
    assert_eq!(room.status(id, &long), refused, "32 octets in legacy PDUs");
}

#[test]
fn a_scan_with_a_duration_ends_with_an_event() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    scan(&mut room, id, 1, 50);
    room.run(ms(499));
    let ended = |room: &Room| room.le(id, |event| (event.code() == 0x11).then_some(())).len();
    assert_eq!(ended(&room), 0);
    room.run(ms(1));
    assert_eq!(ended(&room), 1);
    room.radio.add_device(Device::new(random(1)));
    room.run(ms(500));
    assert_eq!(reports(&room, id), []);
}

#[test]
fn a_coded_advertiser_is_heard_only_on_the_coded_phy() {
    for (phys, heard) in [(0b001, 0), (0b100, 1), (0b101, 1)] {
        let mut room = Room::new(RadioOptions::default());
        let id = room.controller(ControllerOptions::default());
        let far = Advertisement {
            connectable: false,
            scannable: false,
            legacy: false,
            primary_phy: Phy::LeCoded,
            data: Bytes::from_static(b"\x02\x01\x04"),
            ..Advertisement::default()
        };
        room.radio.add_device(Device::new(random(1)).advertisement(far));
        scan(&mut room, id, phys, 0);
        room.run(ms(1000));
        assert_eq!(reports(&room, id).len(), heard, "PHYs {phys:#b}");
    }
}

#[test]
fn a_legacy_scanner_hears_no_extended_pdus() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    room.radio.add_device(demo::beacon());
    crate::advertising::legacy_scan(&mut room, id, true, true);
    room.run(ms(1000));
    assert_eq!(crate::advertising::legacy_reports(&room, id), []);
}

#[test]
fn an_extended_connection_takes_the_set_off_the_air() {
    let mut room = Room::new(RadioOptions::default());
    let central = room.controller(ControllerOptions::default().address(bd_addr(9)));
    let peripheral = room.controller(ControllerOptions::default());
    set(&mut room, peripheral, 1, b"\x02\x01\x06", &[]);
    assert_eq!(enable(&mut room, peripheral, ON), ErrorCode::Success);
    connect(&mut room, central, random(1));
    let complete = room.connected(central);
    assert_eq!((complete.status, complete.role), (ErrorCode::Success, Role::Central));
    assert_eq!((complete.peer_address_type, complete.peer_address), (AddressType::Random, random(1).bd_addr));
    let other = room.connections(peripheral)[0];
    let codes = room.le(peripheral, |event| Some((event.code(), set_terminated(event))));
    let order: Vec<u8> =
        codes.iter().map(|(code, _)| *code).filter(|code| [0x0A, 0x12].contains(code)).collect();
    assert_eq!(order, [0x0A, 0x12], "the connection comes before the end of its set");
    let ended = codes.into_iter().find_map(|(_, ended)| ended);
    assert_eq!(ended, Some((ErrorCode::Success, other.connection_handle)));
    // The link carries data.
    room.frames(peripheral);
    room.send_frame(central, complete.connection_handle, 4, b"x");
    room.run(ms(50));
    assert_eq!(room.frames(peripheral), [(4, b"x".to_vec())]);
}

fn set_terminated(event: LeEvent<'_>) -> Option<(ErrorCode, ConnectionHandle)> {
    match event {
        LeEvent::LeAdvertisingSetTerminated(e) => Some((e.status, e.connection_handle)),
        _ => None,
    }
}

fn connect(room: &mut Room, id: ControllerId, peer: Address) {
    let phy = [InitiatingPhyParameters {
        scan_interval: 0x10,
        scan_window: 0x10,
        connection_interval_min: 6,
        connection_interval_max: 12,
        max_latency: 0,
        supervision_timeout: 100,
        min_ce_length: 0,
        max_ce_length: 0,
    }];
    let command = LeExtendedCreateConnection {
        initiator_filter_policy: 0,
        own_address_type: OwnAddressType::Public,
        peer_address_type: peer.kind.into(),
        peer_address: peer.bd_addr,
        initiating_phys: List::per_bit(1, &phy).expect("one"),
    };
    room.ok(id, &command);
}
