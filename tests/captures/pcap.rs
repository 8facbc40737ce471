//! pcap, of every link type, byte order and resolution.

use crate::files::*;
use baretooth::capture::{Direction, Ending, Link, Timestamp};

fn header(order: Order, magic: u32, link_type: u32, snap_length: u32) -> Vec<u8> {
    let words = [order.u32(magic), [order.u16(2), order.u16(4)].concat().try_into().expect("four octets")];
    [words.concat(), [0; 8].to_vec(), order.u32(snap_length).to_vec(), order.u32(link_type).to_vec()].concat()
}

const MICROS: u32 = 0xA1B2_C3D4;
const NANOS: u32 = 0xA1B2_3C4D;

fn row(order: Order, time: (u32, u32), original: u32, data: &[u8]) -> Vec<u8> {
    let head = [time.0, time.1, length(data), original].map(|field| order.u32(field)).concat();
    [&head, data].concat()
}

#[test]
fn c1_another_version_and_an_old_variant_are_refused() {
    let mut file = header(Order::Little, MICROS, 201, 65_535);
    file[4] = 3;
    assert_eq!(refusal(&file), "this is pcap version 3; version 2 is read");
    assert!(refusal(&header(Order::Big, 0xA1B2_CD34, 1, 0)).contains("old variant"));
    for order in ORDERS {
        for magic in [MICROS, NANOS] {
            let file = header(order, magic, 201, 65_535);
            assert!(refusal(&file[..23]).contains("pcap file that ends within its header"));
        }
    }
}

#[test]
fn c3_a_file_without_records_is_a_capture() {
    for order in ORDERS {
        let file = header(order, MICROS, 187, 65_535);
        let mut reader = reader(&file);
        assert_eq!((reader.format().link, reader.format().big_endian), (Link::H4, order.is_big()));
        assert_eq!(reader.read().expect("the end"), None);
        assert_eq!(reader.ending(), Some(Ending::Whole));
    }
}

#[test]
fn c4_a_last_record_that_is_cut_off_is_the_end_and_said() {
    let first = [header(Order::Little, MICROS, 187, 65_535), row(Order::Little, (1, 2), 4, &RESET)].concat();
    let last = row(Order::Little, (1, 3), 7, &COMPLETE);
    for there in 1..last.len() {
        let file = [&first, &last[..there]].concat();
        let mut reader = reader(&file);
        assert!(reader.read().expect("the first").is_some());
        assert_eq!(reader.read().expect("the end"), None);
        assert_eq!(reader.ending(), Some(Ending::CutOff(there)));
    }
}

#[test]
fn c5_more_octets_than_the_packet_had_are_kept_and_none_is_missing() {
    let file = [header(Order::Little, MICROS, 187, 65_535), row(Order::Little, (0, 0), 1, &RESET)].concat();
    let record = &records(&file)[0];
    assert_eq!((&record.data[..], record.original_length), (&RESET[..], 4));
}

#[test]
fn c6_a_length_that_no_packet_has_is_not_read() {
    for order in ORDERS {
        for included in [4 + 5 + 65_535 + 1, 0xFFFF_FFFF] {
            let row = [0, 0, included, 4].map(|field| order.u32(field)).concat();
            assert_refused_unread(&[header(order, MICROS, 201, 0xFFFF_FFFF), row].concat());
        }
    }
}

#[test]
fn c7_times_are_counted_from_1970_without_a_sign() {
    let file =
        [header(Order::Big, MICROS, 187, 65_535), row(Order::Big, (0xFFFF_FFFF, 0), 4, &RESET)].concat();
    assert_eq!(records(&file)[0].time, Timestamp::new(0xFFFF_FFFF, 0), "2106, not 1969");
}

#[test]
fn c11_both_byte_orders_and_both_resolutions_tell_the_same_packets() {
    for order in ORDERS {
        for (magic, fraction) in [(MICROS, 250_000), (NANOS, 250_000_000)] {
            let sent = [&[0, 0, 0, 0], &RESET[..]].concat();
            let received = [&[0, 0, 0, 1], &COMPLETE[..]].concat();
            let file = [
                header(order, magic, 201, 65_535),
                row(order, (1_700_000_000, fraction), 8, &sent),
                row(order, (1_700_000_001, fraction), 11, &received),
            ]
            .concat();
            let reader = reader(&file);
            assert_eq!(reader.format().big_endian, order.is_big());
            assert_eq!(reader.format().nanoseconds, magic == NANOS);
            let records: Vec<_> = reader.map(|record| record.expect("good")).collect();
            assert_eq!((&records[0].data[..], records[0].direction()), (&RESET[..], Some(Direction::Sent)));
            assert_eq!(records[0].time, Timestamp::new(1_700_000_000, 250_000_000));
            assert_eq!(
                (&records[1].data[..], records[1].direction()),
                (&COMPLETE[..], Some(Direction::Received))
            );
        }
    }
}

#[test]
fn c11_a_fraction_of_more_than_a_second_is_carried() {
    for (magic, fraction, nanos) in
        [(MICROS, 4_294_967_295, 4_294_967_295_000), (NANOS, 4_294_967_295, 4_294_967_295_i64)]
    {
        let file =
            [header(Order::Big, magic, 187, 65_535), row(Order::Big, (10, fraction), 4, &RESET)].concat();
        assert_eq!(records(&file)[0].time, Timestamp::from_nanos(10_000_000_000 + nanos));
    }
}

#[test]
fn c12_a_snap_length_below_that_of_the_records_is_no_matter() {
    for snap_length in [0, 1] {
        let file = [
            header(Order::Little, MICROS, 187, snap_length),
            row(Order::Little, (0, 0), 4, &RESET),
            row(Order::Little, (0, 0), 7, &COMPLETE[..2]),
        ]
        .concat();
        let records = records(&file);
        assert_eq!(records[0].data[..], RESET);
        assert_eq!((&records[1].data[..], records[1].original_length), (&COMPLETE[..2], 7));
    }
}

#[test]
fn link_type_187_tells_the_direction_of_what_goes_one_way_only() {
    let rows = [&RESET[..], &COMPLETE, &ACL].map(|data| row(Order::Little, (0, 0), length(data), data));
    let file = [header(Order::Little, MICROS, 187, 65_535), rows.concat()].concat();
    let directions: Vec<_> = records(&file).iter().map(|record| record.direction()).collect();
    assert_eq!(directions, [Some(Direction::Sent), Some(Direction::Received), None]);
}

#[test]
fn link_type_254_has_adapters_and_opcodes() {
    let event = [&[0, 3, 0, 3], &COMPLETE[1..]].concat();
    let file =
        [header(Order::Little, MICROS, 254, 65_535), row(Order::Little, (0, 0), length(&event), &event)]
            .concat();
    let record = &records(&file)[0];
    assert_eq!((record.adapter, &record.data[..]), (Some(3), &COMPLETE[..]));
    assert_eq!(record.original_length, COMPLETE.len());
}

#[test]
fn a_record_cut_within_its_own_header_is_passed_over_and_counted() {
    let file = [
        header(Order::Little, MICROS, 201, 65_535),
        row(Order::Little, (0, 0), 8, &[0, 0, 0]),
        row(Order::Little, (0, 0), 8, &[0, 0, 0, 0]),
    ]
    .concat();
    let mut reader = reader(&file);
    let record = reader.read().expect("good").expect("the second");
    assert_eq!((&record.data[..], record.original_length), (&[][..], 4));
    assert_eq!(reader.read().expect("the end"), None);
    assert_eq!(reader.skipped(), 1);
}

#[test]
fn the_upper_bits_of_the_link_type_are_not_its_number() {
    let file = header(Order::Big, MICROS, 0x2400_00C9, 65_535);
    assert_eq!(reader(&file).format().link, Link::H4WithDirection);
}
