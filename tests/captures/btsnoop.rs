//! btsnoop, of every datalink.

use crate::files::*;
use baretooth::capture::{Direction, Ending, Kind, Link, Timestamp};

const EPOCH: i64 = 0x00DC_DDB3_0F2F_8000;

fn header(version: u32, datalink: u32) -> Vec<u8> {
    [&b"btsnoop\0"[..], &version.to_be_bytes(), &datalink.to_be_bytes()].concat()
}

struct Row<'a> {
    original: u32,
    flags: u32,
    drops: u32,
    micros: i64,
    data: &'a [u8],
}

fn row(flags: u32, data: &[u8]) -> Row<'_> {
    Row { original: length(data), flags, drops: 0, micros: 0, data }
}

fn file(datalink: u32, rows: &[Row]) -> Vec<u8> {
    let mut file = header(1, datalink);
    for row in rows {
        for field in [row.original, length(row.data), row.flags, row.drops] {
            file.extend(field.to_be_bytes());
        }
        file.extend(row.micros.wrapping_add(EPOCH).to_be_bytes());
        file.extend(row.data);
    }
    file
}

#[test]
fn c1_another_version_is_refused() {
    assert_eq!(refusal(&header(2, 1002)), "this is btsnoop version 2; version 1 is read");
    assert_eq!(refusal(b"btsnoop\0\0\0"), "this is a btsnoop file that ends within its header");
    // Seven of eight octets are no mark.
    assert!(refusal(b"btsnoop!\0\0\0\x01\0\0\x03\xEA").contains("which no capture format does"));
}

#[test]
fn c2_an_unknown_datalink_is_refused_with_its_number() {
    for datalink in [0, 1000, 1005, 2002, u32::MAX] {
        let sentence = refusal(&header(1, datalink));
        assert!(
            sentence.starts_with(&format!("this is a btsnoop file of datalink {datalink}")),
            "{sentence}"
        );
    }
}

#[test]
fn c3_a_file_without_records_is_a_capture() {
    for (datalink, link) in [
        (1001, Link::H1),
        (1002, Link::H4),
        (1003, Link::Bcsp),
        (1004, Link::ThreeWire),
        (2001, Link::Monitor),
    ] {
        let file = file(datalink, &[]);
        let mut reader = reader(&file);
        assert_eq!(reader.format().link, link);
        assert_eq!(reader.ending(), None, "not read yet");
        assert_eq!(reader.read().expect("the end"), None);
        assert_eq!(reader.ending(), Some(Ending::Whole));
    }
}

#[test]
fn c4_a_last_record_that_is_cut_off_is_the_end_and_said() {
    let file = file(1002, &[row(2, &RESET), row(3, &COMPLETE)]);
    for missing in 1..24 + COMPLETE.len() {
        let mut reader = reader(&file[..file.len() - missing]);
        assert!(reader.read().expect("the first").is_some());
        assert_eq!(reader.read().expect("the end"), None);
        assert_eq!(reader.ending(), Some(Ending::CutOff(24 + COMPLETE.len() - missing)));
    }
}

#[test]
fn c5_more_octets_than_the_packet_had_are_kept_and_none_is_missing() {
    let record = &records(&file(1002, &[Row { original: 1, ..row(2, &RESET) }]))[0];
    assert_eq!((&record.data[..], record.original_length, record.is_cut()), (&RESET[..], 4, false));
    let record = &records(&file(1002, &[Row { original: 260, ..row(2, &RESET) }]))[0];
    assert_eq!((record.original_length, record.is_cut()), (260, true));
}

#[test]
fn c6_a_length_that_no_packet_has_is_not_read() {
    for included in [5 + 65_535 + 1, 0xFFFF_FFFF_u32] {
        let header = [header(1, 1002), [0; 4].to_vec(), included.to_be_bytes().to_vec()].concat();
        assert_refused_unread(&header);
    }
}

#[test]
fn c7_times_before_1970_and_before_the_year_0_are_kept() {
    for micros in [-1, -1_000_000_000_000_000, -EPOCH] {
        let record = &records(&file(1002, &[Row { micros, ..row(2, &RESET) }]))[0];
        assert_eq!(record.time, Timestamp::from_micros(micros));
    }
    // A count below zero itself.
    let record = &records(&file(1002, &[Row { micros: i64::MIN.wrapping_sub(EPOCH), ..row(2, &RESET) }]))[0];
    assert_eq!(record.time, Timestamp::from_micros(i64::MIN));
}

#[test]
fn c8_drops_are_counted_and_change_no_record() {
    let file = file(1002, &[Row { drops: 3, ..row(2, &RESET) }, Row { drops: 7, ..row(3, &COMPLETE) }]);
    assert_eq!(data(&file), [&RESET[..], &COMPLETE[..]]);
    let mut reader = reader(&file);
    assert_eq!(reader.dropped(), 0);
    reader.read().expect("the first");
    assert_eq!(reader.dropped(), 3);
    while reader.read().expect("good").is_some() {}
    assert_eq!(reader.dropped(), 7, "the file counts from its beginning");
}

#[test]
fn c9_the_same_packets_come_from_every_datalink() {
    let h4 = file(1002, &[row(2, &RESET), row(3, &COMPLETE), row(0, &ACL), row(1, &ACL)]);
    let h1 = file(1001, &[row(2, &RESET[1..]), row(3, &COMPLETE[1..]), row(0, &ACL[1..]), row(1, &ACL[1..])]);
    let monitor =
        file(2001, &[row(2, &RESET[1..]), row(3, &COMPLETE[1..]), row(4, &ACL[1..]), row(5, &ACL[1..])]);
    let h4 = records(&h4);
    assert_eq!(h4.iter().map(|record| record.direction()).collect::<Vec<_>>(), {
        use Direction::{Received, Sent};
        [Some(Sent), Some(Received), Some(Sent), Some(Received)]
    });
    assert_eq!(records(&h1), h4);
    let mut monitor = records(&monitor);
    for record in &mut monitor {
        assert_eq!(record.adapter.take(), Some(0));
    }
    assert_eq!(monitor, h4);
}

#[test]
fn c9_records_of_one_datalink_under_the_number_of_another_are_data() {
    // The flags of H4 are opcodes 2 and 3 to a monitor; those of a monitor are directions to H4.
    let as_monitor = records(&file(2001, &[row(2, &RESET), row(0x0001_0005, &ACL)]));
    assert_eq!(as_monitor[0].data, [&[1], &RESET[..]].concat());
    assert_eq!((as_monitor[1].adapter, as_monitor[1].direction()), (Some(1), Some(Direction::Received)));
    let as_h4 = records(&file(1002, &[row(0x0001_0005, &ACL[1..])]));
    assert_eq!((&as_h4[0].data[..], as_h4[0].direction()), (&ACL[1..], Some(Direction::Received)));
    assert!(as_h4[0].hci().is_err());
}

#[test]
fn c10_flags_that_contradict_the_packet_are_kept_as_they_are() {
    let records = records(&file(1002, &[row(3, &RESET), row(0, &COMPLETE), row(2, &ACL)]));
    let seen: Vec<_> = records.iter().map(|record| (record.direction(), &record.data[..])).collect();
    use Direction::{Received, Sent};
    assert_eq!(seen, [(Some(Received), &RESET[..]), (Some(Sent), &COMPLETE[..]), (Some(Sent), &ACL[..])]);
}

#[test]
fn frames_of_other_serial_protocols_are_data() {
    for datalink in [1003, 1004] {
        let records = records(&file(datalink, &[row(1, &[0xC0, 1, 2, 0xC0])]));
        assert_eq!(records[0].kind, Kind::Serial(Direction::Received));
        assert_eq!(records[0].data[..], [0xC0, 1, 2, 0xC0]);
        assert!(records[0].hci().is_err());
    }
}

#[test]
fn a_monitor_has_notes_and_records_of_its_own() {
    let rows = [
        row(0xFFFF_000C, b"Linux version 6\0"),
        row(0x0001_0000, b"\0\x01abcdefhci1\0\0\0\0"),
        row(0x0001_0063, b""),
        row(0x0001_000D, b"\x06\x03bt\0up\0"),
    ];
    let records = records(&file(2001, &rows));
    let seen: Vec<_> = records.iter().map(|record| (record.adapter, record.kind, &record.data[..])).collect();
    assert_eq!(
        seen,
        [
            (None, Kind::Note, &b"Linux version 6"[..]),
            (Some(1), Kind::Monitor(0), b"\0\x01abcdefhci1\0\0\0\0"),
            (Some(1), Kind::Monitor(99), b""),
            (Some(1), Kind::Monitor(13), b"\x06\x03bt\0up\0"),
        ]
    );
    assert!(records.iter().all(|record| !record.is_cut() && record.direction().is_none()));
}
