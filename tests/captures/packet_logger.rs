//! PacketLogger, in either byte order.

use crate::files::*;
use baretooth::capture::{Container, Direction, Ending, Kind, Timestamp};

fn row(order: Order, time: (u32, u32), number: u8, data: &[u8]) -> Vec<u8> {
    let head = [9 + length(data), time.0, time.1].map(|field| order.u32(field)).concat();
    [&head[..], &[number], data].concat()
}

fn note(order: Order) -> Vec<u8> {
    row(order, (1_600_000_000, 5), 0xFC, b"a note")
}

#[test]
fn every_type_is_a_packet_a_note_or_kept_as_it_is() {
    use Direction::{Received, Sent};
    let packets = [
        (0x00, 1, Sent),
        (0x01, 4, Received),
        (0x02, 2, Sent),
        (0x03, 2, Received),
        (0x08, 3, Sent),
        (0x09, 3, Received),
        (0x0C, 5, Sent),
        (0x0D, 5, Received),
    ];
    for order in ORDERS {
        for (number, indicator, direction) in packets {
            let file = row(order, (1_600_000_000, 999_999), number, &[7, 8]);
            let format = reader(&file).format();
            assert_eq!((format.container, format.big_endian), (Container::PacketLogger, order.is_big()));
            let record = &records(&file)[0];
            assert_eq!(record.kind, Kind::Packet(Some(direction)), "type {number}");
            assert_eq!(record.data[..], [indicator, 7, 8]);
            assert_eq!(record.time, Timestamp::new(1_600_000_000, 999_999_000));
            assert_eq!((record.original_length, record.adapter), (3, None));
        }
        let record = &records(&note(order))[0];
        assert_eq!((record.kind, &record.data[..]), (Kind::Note, &b"a note"[..]));
        for number in [0x0A, 0x0B, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xFD, 0xFE] {
            let record = &records(&row(order, (0, 0), number, b"kept"))[0];
            assert_eq!((record.kind, &record.data[..]), (Kind::PacketLogger(number), &b"kept"[..]));
        }
    }
}

/// A length of 256 in one byte order is one of 65,536 in the other, and a time may make sense in both.
#[test]
fn a_length_that_makes_sense_in_both_byte_orders_is_the_one_that_the_file_holds() {
    for (order, data) in
        [(ORDERS[0], 256 - 9), (ORDERS[1], 256 - 9), (ORDERS[0], 65_536 - 9), (ORDERS[1], 65_536 - 9)]
    {
        let file = row(order, (0, 0), 0xFC, &vec![b'a'; data]);
        assert_eq!(reader(&file).format().big_endian, order.is_big(), "{data}");
        assert_eq!(records(&file)[0].data.len(), data);
    }
}

/// Types that nobody has seen do not open a file, for it has no other mark; behind those that do they are kept.
#[test]
fn an_unknown_type_is_kept_behind_known_ones() {
    for order in ORDERS {
        let known = note(order).repeat(5);
        let file = [known, row(order, (0, 0), 0x42, b"?")].concat();
        let record = &records(&file)[5];
        assert_eq!((record.kind, &record.data[..]), (Kind::PacketLogger(0x42), &b"?"[..]));
        assert!(refusal(&row(order, (0, 0), 0x42, b"?")).contains("no capture format"));
    }
}

#[test]
fn c3_a_file_of_nothing_is_called_empty() {
    assert_eq!(refusal(b""), "the file is empty");
}

#[test]
fn c4_a_last_record_that_is_cut_off_is_the_end_and_said() {
    for order in ORDERS {
        let last = row(order, (1_600_000_000, 6), 1, &COMPLETE[1..]);
        for there in 1..last.len() {
            let file = [note(order), last[..there].to_vec()].concat();
            let mut reader = reader(&file);
            assert!(reader.read().expect("the first").is_some());
            assert_eq!(reader.read().expect("the end"), None);
            assert_eq!(reader.ending(), Some(Ending::CutOff(there)));
        }
    }
}

#[test]
fn c6_a_length_that_no_packet_has_is_an_error_or_no_capture() {
    for order in ORDERS {
        let long = [0xFFFF_FFFF, 0, 0].map(|field| order.u32(field)).concat();
        assert!(refusal(&long).contains("no capture format"));
        let (before, error) = failure(&[note(order).repeat(5), long].concat()[..]);
        assert_eq!(before, 5);
        assert!(error.contains("record 6") && error.contains("longer than any HCI packet"), "{error}");
    }
}

#[test]
fn c7_times_are_counted_from_1970_without_a_sign() {
    for order in ORDERS {
        let file = row(order, (0xFFFF_FFFF, 999_999), 0, &RESET[1..]);
        assert_eq!(records(&file)[0].time, Timestamp::new(0xFFFF_FFFF, 999_999_000));
    }
}

#[test]
fn c19_a_length_below_9_is_passed_over_or_an_error() {
    for order in ORDERS {
        let short = |length| [[length, 1, 2].map(|field| order.u32(field)).concat()].concat();
        let file = [note(order).repeat(5), short(8), note(order)].concat();
        let mut reader = reader(&file);
        for _ in 0..6 {
            assert!(reader.read().expect("good").is_some());
        }
        assert_eq!(reader.skipped(), 1, "a time without a type");
        for length in 0..8 {
            let (before, error) = failure(&[note(order).repeat(5), short(length)].concat()[..]);
            assert_eq!(before, 5);
            assert!(error.contains("record 6") && error.contains("no room for its time"), "{error}");
            assert!(refusal(&short(length)).contains("no capture format"), "nor does it open a file");
        }
    }
}
