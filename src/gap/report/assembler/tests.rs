use super::*;
use crate::codec::{HexInt, List, Prefixed};
use crate::hci::event::{
    AdvertisingReport, DirectedAdvertisingReport, LeAdvertisingReport, LeDirectedAdvertisingReport,
    LeExtendedAdvertisingReport,
};
use crate::hci::{Event, Phy};
use proptest::prelude::*;
use std::time::Duration;

const COMPLETE: u16 = 0b00 << 5;
const MORE: u16 = 0b01 << 5;
const TRUNCATED: u16 = 0b10 << 5;

fn advertiser(n: u8) -> BdAddr {
    BdAddr([n, 0, 0, 0, 0, 0xC0])
}

fn legacy(event_type: u8, data: &[u8]) -> AdvertisingReport<'_> {
    let data = Prefixed::new(data).expect("short");
    AdvertisingReport {
        event_type,
        address_type: AddressType::Random,
        address: advertiser(1),
        data,
        rssi: -40,
    }
}

fn extended(event_type: u16, from: u8, data: &[u8]) -> ExtendedAdvertisingReport<'_> {
    ExtendedAdvertisingReport {
        event_type: HexInt(event_type),
        address_type: AddressType::Random,
        address: advertiser(from),
        primary_phy: Phy::LeCoded,
        secondary_phy: Phy::Le2M,
        advertising_sid: 3,
        tx_power: 127,
        rssi: -50,
        periodic_advertising_interval: 80,
        direct_address_type: AddressType::Public,
        direct_address: BdAddr::ANY,
        data: Prefixed::new(data).expect("short"),
    }
}

/// What the assembler makes of an event as it would stand in a packet.
fn feed(assembler: &mut Assembler, subevent: u8, parameters: &[u8]) -> Vec<Report> {
    let mut octets = vec![subevent];
    octets.extend_from_slice(parameters);
    let packet = HciPacket::event(0x3E, &octets).expect("short");
    let mut reports = Vec::new();
    if let Ok(event) = LeEvent::parse(subevent, packet.payload().get(1..).unwrap_or_default()) {
        assembler.on_event(&event, &packet, &mut |report| reports.push(report));
    }
    reports
}

fn send<'a>(assembler: &mut Assembler, event: impl Into<LeEvent<'a>>) -> Vec<Report> {
    let event = event.into();
    let mut parameters = bytes::BytesMut::new();
    event.emit_parameters(&mut parameters);
    feed(assembler, event.code(), &parameters)
}

fn send_extended(assembler: &mut Assembler, part: ExtendedAdvertisingReport<'_>) -> Vec<Report> {
    let parts = [part];
    send(assembler, LeExtendedAdvertisingReport { reports: List::new(&parts).expect("one") })
}

fn send_legacy(reports: &[AdvertisingReport<'_>]) -> Vec<Report> {
    send(&mut Assembler::new(), LeAdvertisingReport { reports: List::new(reports).expect("few") })
}

#[test]
fn each_legacy_event_type_says_what_the_sender_accepts() {
    let of = |event_type| {
        let report = send_legacy(&[legacy(event_type, b"")]).remove(0);
        assert!(report.legacy && report.sid.is_none() && report.secondary_phy.is_none());
        (report.connectable, report.scannable, report.directed, report.scan_response)
    };
    assert_eq!(of(0), (true, true, false, false), "ADV_IND");
    assert_eq!(of(1), (true, false, true, false), "ADV_DIRECT_IND");
    assert_eq!(of(2), (false, true, false, false), "ADV_SCAN_IND");
    assert_eq!(of(3), (false, false, false, false), "ADV_NONCONN_IND");
    assert_eq!(of(4), (false, true, false, true), "SCAN_RSP");
    assert_eq!(of(9), (false, false, false, false), "one that is not assigned");
}

#[test]
fn a_legacy_pdu_is_the_same_by_a_legacy_and_an_extended_event() {
    // [Vol 4] Part E, 7.7.65.13: the Event_Type of each legacy PDU.
    for (legacy_type, extended_type) in [(0, 0x13), (1, 0x15), (2, 0x12), (3, 0x10), (4, 0x1A)] {
        let by_legacy = send_legacy(&[legacy(legacy_type, b"\x02\x01\x06")]).remove(0);
        let part = ExtendedAdvertisingReport {
            primary_phy: Phy::Le1M,
            secondary_phy: Phy::None,
            advertising_sid: 0xFF,
            rssi: -40,
            periodic_advertising_interval: 0,
            ..extended(extended_type, 1, b"\x02\x01\x06")
        };
        let by_extended = send_extended(&mut Assembler::new(), part).remove(0);
        // Whom a directed one is for stands in the extended event only.
        assert_eq!(Report { direct_address: None, ..by_extended }, by_legacy, "{legacy_type}");
    }
}

#[test]
fn an_extended_report_keeps_every_field() {
    let report = send_extended(&mut Assembler::new(), extended(0x0001, 1, b"\x02\x01\x06")).remove(0);
    assert!(report.connectable && !report.legacy && !report.truncated);
    assert_eq!((report.primary_phy, report.secondary_phy), (Phy::LeCoded, Some(Phy::Le2M)));
    assert_eq!((report.sid, report.tx_power, report.rssi), (Some(3), None, Some(-50)));
    assert_eq!(report.periodic_interval, Some(Duration::from_millis(100)));
    assert_eq!(report.address, AddressType::Random.with(advertiser(1)));
    assert_eq!(report.data.as_bytes(), b"\x02\x01\x06");
}

#[test]
fn d_rssi_127_is_not_known_and_an_anonymous_advertiser_has_no_address() {
    let report = send_legacy(&[AdvertisingReport { rssi: 127, ..legacy(0, b"") }]).remove(0);
    assert_eq!(report.rssi, None);
    let part = ExtendedAdvertisingReport { address_type: AddressType::Anonymous, ..extended(0, 0, b"") };
    let report = send_extended(&mut Assembler::new(), part).remove(0);
    assert_eq!((report.address, report.address_type), (None, AddressType::Anonymous));
}

#[test]
fn a_directed_report_names_whom_it_is_meant_for() {
    let reports = [DirectedAdvertisingReport {
        event_type: 1,
        address_type: AddressType::Random,
        address: advertiser(1),
        direct_address_type: AddressType::UnresolvedRandom,
        direct_address: advertiser(9),
        rssi: -60,
    }];
    let event = LeDirectedAdvertisingReport { reports: List::new(&reports).expect("one") };
    let report = send(&mut Assembler::new(), event).remove(0);
    assert!(report.directed && report.connectable && report.data.as_bytes().is_empty());
    assert_eq!(report.direct_address, AddressType::Random.with(advertiser(9)));
}

#[test]
fn data_in_one_part_share_the_packet() {
    let reports = [legacy(0, b"\x02\x01\x06")];
    let event = LeEvent::from(LeAdvertisingReport { reports: List::new(&reports).expect("one") });
    let packet = Event::from(event).to_packet().expect("short");
    let event = LeEvent::parse(2, packet.payload().get(1..).expect("subevent")).expect("whole");
    let mut data = Vec::new();
    Assembler::new().on_event(&event, &packet, &mut |report| data.push(report.data.into_bytes()));
    let [data] = &data[..] else { panic!("one report") };
    assert!(packet.as_slice().as_ptr_range().contains(&data.as_ptr()));
}

#[test]
fn h4_a_count_larger_than_the_payload_keeps_the_reports_before() {
    let report = [0, 1, 1, 0, 0, 0, 0, 0xC0, 1, 0xAA, 0xD8];
    let two_announced = |octets: &[u8]| {
        let mut parameters = vec![2];
        parameters.extend_from_slice(octets);
        feed(&mut Assembler::new(), 0x02, &parameters).len()
    };
    assert_eq!(two_announced(&[report, report].concat()), 2);
    for cut in 1..=report.len() {
        let octets = [report, report].concat();
        assert_eq!(two_announced(&octets[..octets.len() - cut]), 1, "{cut} octets short");
    }
}

#[test]
fn h4_no_reports_and_data_past_the_end_are_dropped() {
    assert!(feed(&mut Assembler::new(), 0x02, &[0]).is_empty(), "num_reports 0");
    assert!(feed(&mut Assembler::new(), 0x02, &[]).is_empty(), "no num_reports");
    let lying = [1, 0, 1, 1, 0, 0, 0, 0, 0xC0, 200, 0xAA, 0xD8];
    assert!(feed(&mut Assembler::new(), 0x02, &lying).is_empty());
}

#[test]
fn h5_extended_data_past_the_end_drop_that_report_alone() {
    let parts = [extended(COMPLETE, 1, b"\x02\x01\x06"), extended(COMPLETE, 2, b"\x02\x01\x06")];
    let mut octets = bytes::BytesMut::new();
    LeEvent::from(LeExtendedAdvertisingReport { reports: List::new(&parts).expect("two") })
        .emit_parameters(&mut octets);
    let length_of_second = octets.len() - 4;
    octets[length_of_second] = 229;
    assert_eq!(feed(&mut Assembler::new(), 0x0D, &octets).len(), 1);
}

#[test]
fn a_split_report_of_1650_octets_is_joined() {
    let mut assembler = Assembler::new();
    let whole: Vec<u8> = (0..1650u32).map(|n| n.to_le_bytes()[0]).collect();
    let parts: Vec<_> = whole.chunks(229).collect();
    let (last, before) = parts.split_last().expect("some");
    for part in before {
        assert!(send_extended(&mut assembler, extended(MORE, 1, part)).is_empty());
    }
    let report = send_extended(&mut assembler, extended(COMPLETE, 1, last)).remove(0);
    assert_eq!((report.data.as_bytes(), report.truncated), (&whole[..], false));
    let next = send_extended(&mut assembler, extended(COMPLETE, 1, b"next")).remove(0);
    assert_eq!(next.data.as_bytes(), b"next", "the chain is closed");
}

#[test]
fn h5_a_chain_beyond_1650_octets_is_reported_once_and_truncated() {
    let mut assembler = Assembler::new();
    let mut reports = Vec::new();
    for _ in 0..100 {
        reports.extend(send_extended(&mut assembler, extended(MORE, 1, &[7; 200])));
    }
    reports.extend(send_extended(&mut assembler, extended(COMPLETE, 1, &[7; 200])));
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].truncated, reports[0].data.as_bytes().len()), (true, MAX_LENGTH));
    assert_eq!(send_extended(&mut assembler, extended(COMPLETE, 1, b"new")).len(), 1);
    // The last part may be the one too much.
    (0..8).for_each(|_| drop(send_extended(&mut assembler, extended(MORE, 1, &[7; 200]))));
    let report = send_extended(&mut assembler, extended(COMPLETE, 1, &[7; 200])).remove(0);
    assert_eq!((report.truncated, report.data.as_bytes().len()), (true, MAX_LENGTH));
}

#[test]
fn h5_chains_of_64_advertisers_interleave() {
    let mut assembler = Assembler::new();
    for part in 0..3 {
        for n in 0..64 {
            assert!(send_extended(&mut assembler, extended(MORE, n, &[n, part])).is_empty());
        }
    }
    for n in 0..64 {
        let report = send_extended(&mut assembler, extended(COMPLETE, n, &[n, 3])).remove(0);
        assert_eq!(report.data.as_bytes(), [n, 0, n, 1, n, 2, n, 3]);
        assert!(!report.truncated);
    }
}

#[test]
fn h5_one_chain_more_ends_the_one_that_has_not_grown_for_longest() {
    let mut assembler = Assembler::new();
    for n in 0..64 {
        send_extended(&mut assembler, extended(MORE, n, &[n]));
    }
    send_extended(&mut assembler, extended(MORE, 0, &[0]));
    let report = send_extended(&mut assembler, extended(MORE, 64, &[64])).remove(0);
    assert_eq!((report.address, report.truncated), (AddressType::Random.with(advertiser(1)), true));
    assert_eq!(report.data.as_bytes(), [1]);
}

#[test]
fn h5_truncated_by_the_controller_is_said() {
    let mut assembler = Assembler::new();
    send_extended(&mut assembler, extended(MORE, 1, b"ab"));
    let report = send_extended(&mut assembler, extended(TRUNCATED, 1, b"c")).remove(0);
    assert_eq!((report.data.as_bytes(), report.truncated), (&b"abc"[..], true));
    assert!(send_extended(&mut assembler, extended(TRUNCATED, 1, b"")).remove(0).truncated, "at once");
}

#[test]
fn an_advertisement_and_its_scan_response_are_two_chains() {
    let mut assembler = Assembler::new();
    send_extended(&mut assembler, extended(MORE, 1, b"ad"));
    send_extended(&mut assembler, extended(MORE | 0x0008, 1, b"re"));
    let response = send_extended(&mut assembler, extended(0x0008, 1, b"sponse")).remove(0);
    assert_eq!((response.data.as_bytes(), response.scan_response), (&b"response"[..], true));
    let advertisement = send_extended(&mut assembler, extended(COMPLETE, 1, b"vertisement")).remove(0);
    assert_eq!(advertisement.data.as_bytes(), b"advertisement");
}

#[test]
fn what_was_open_when_scanning_ended_is_forgotten() {
    let mut assembler = Assembler::new();
    send_extended(&mut assembler, extended(MORE, 1, b"old"));
    assembler.clear();
    let report = send_extended(&mut assembler, extended(COMPLETE, 1, b"new")).remove(0);
    assert_eq!(report.data.as_bytes(), b"new");
}

proptest! {
    #[test]
    fn arbitrary_events_never_panic_and_stay_bounded(
        events in prop::collection::vec((prop::sample::select(vec![2u8, 0x0B, 0x0D]), prop::collection::vec(any::<u8>(), 0..254)), 0..64)
    ) {
        let mut assembler = Assembler::new();
        for (subevent, parameters) in events {
            for report in feed(&mut assembler, subevent, &parameters) {
                prop_assert!(report.data.as_bytes().len() <= MAX_LENGTH);
            }
            prop_assert!(assembler.chains.len() <= Assembler::MAX_CHAINS);
            prop_assert!(assembler.chains.values().all(|chain| chain.octets.len() <= MAX_LENGTH));
        }
    }

    /// Well-formed parts of a few advertisers, in any order and with any status.
    #[test]
    fn any_order_of_parts_stays_bounded(
        parts in prop::collection::vec((0..90u8, 0..4u16, 0..230usize), 0..300)
    ) {
        let mut assembler = Assembler::new();
        for (from, status, length) in parts {
            let data = [from; 230];
            for report in send_extended(&mut assembler, extended(status << 5, from, &data[..length])) {
                let octets = report.data.as_bytes();
                let sender = report.address.map(|address| address.bd_addr.0[0]);
                prop_assert!(octets.len() <= MAX_LENGTH && octets.iter().all(|&octet| Some(octet) == sender));
            }
            prop_assert!(assembler.chains.len() <= Assembler::MAX_CHAINS);
        }
    }
}
