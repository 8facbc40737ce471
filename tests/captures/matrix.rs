//! Every writer's output read back, and every pair of formats: what a writer did not say it left out is kept.

use crate::files::reader;
use baretooth::capture::{
    Container, Direction, Format, Kind, LeftOut, Link, Reader, Record, Timestamp, Writer,
};
use bytes::Bytes;
use proptest::prelude::*;

/// All that can be written.
pub fn formats() -> Vec<Format> {
    let containers = [Format::BTSNOOP, Format::PCAP, Format::PCAPNG, Format::PACKET_LOGGER];
    let links = [
        Link::H1,
        Link::H4,
        Link::H4WithDirection,
        Link::Monitor,
        Link::PacketLogger,
        Link::Bcsp,
        Link::ThreeWire,
    ];
    let mut formats = Vec::new();
    for format in containers.iter().flat_map(|format| links.map(|link| format.with_link(link))).flatten() {
        let orders: &[bool] = if format.container == Container::Btsnoop { &[true] } else { &[true, false] };
        let choice = format.container == Container::Pcap;
        for big_endian in orders {
            formats.push(Format { big_endian: *big_endian, ..format });
            if choice {
                formats.push(Format { big_endian: *big_endian, nanoseconds: !format.nanoseconds, ..format });
            }
        }
    }
    formats
}

#[test]
fn every_container_has_its_links() {
    let count = |container| formats().iter().filter(|format| format.container == container).count();
    assert_eq!(count(Container::Btsnoop), 3);
    assert_eq!(count(Container::Pcap), 3 * 2 * 2);
    assert_eq!(count(Container::PcapNg), 3 * 2);
    assert_eq!(count(Container::PacketLogger), 2);
}

#[test]
fn an_impossible_format_is_refused_before_anything_is_written() {
    let error = Format::PCAP.with_link(Link::H1).expect_err("no number for it").to_string();
    assert!(error.starts_with("no file is written as pcap (H1): "), "{error}");
    let mut out = Vec::new();
    let format = Format { link: Link::ThreeWire, ..Format::BTSNOOP };
    let error = Writer::new(&mut out, format).expect_err("frames are only read");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(out.is_empty());
}

/// A file of the records that a format takes, each with what was left out.
fn written(format: Format, records: &[Record]) -> (Vec<u8>, Vec<Vec<LeftOut>>) {
    let mut writer = Writer::new(Vec::new(), format).expect("possible");
    let left_out = records.iter().map(|record| writer.write(record).expect("memory takes it")).collect();
    (writer.into_inner().expect("memory"), left_out)
}

/// A record as it comes back, by what the writer said of it; none when it said that nothing is left.
fn expected(record: &Record, left_out: &[LeftOut], format: Format) -> Option<Record> {
    let mut expected = record.clone();
    for what in left_out {
        match what {
            LeftOut::Record => return None,
            LeftOut::Adapter => expected.adapter = None,
            LeftOut::OriginalLength => expected.original_length = expected.data.len(),
            LeftOut::Nanoseconds => expected.time = Timestamp::from_micros(record.time.micros()),
            LeftOut::Comments => expected.comments.clear(),
            LeftOut::Direction => {
                let indicator = record.data.first();
                let direction = match indicator {
                    Some(1) => Some(Direction::Sent),
                    Some(4) => Some(Direction::Received),
                    _ if format.link == Link::H4 && format.container == Container::Pcap => None,
                    _ => Some(Direction::Sent),
                };
                expected.kind = Kind::Packet(direction);
            }
            other => panic!("{other:?} of {record:?}"),
        }
    }
    // A format that has a place for it fills it.
    if format.link == Link::Monitor && matches!(record.kind, Kind::Packet(_)) {
        expected.adapter = expected.adapter.or(Some(0));
    }
    Some(expected)
}

fn check(format: Format, records: &[Record]) -> Vec<Record> {
    let (file, left_out) = written(format, records);
    let expected: Vec<_> = records
        .iter()
        .zip(&left_out)
        .filter_map(|(record, left_out)| expected(record, left_out, format))
        .collect();
    if file.is_empty() {
        assert!(expected.is_empty());
        return expected;
    }
    let reader = reader(&file);
    let read_as = reader.format();
    assert_eq!((read_as.container, read_as.link), (format.container, format.link));
    assert_eq!(read_as.big_endian, format.big_endian, "{format:?}");
    let read: Vec<_> =
        reader.map(|record| record.unwrap_or_else(|error| panic!("{format}: {error}"))).collect();
    assert_eq!(read, expected, "{format:?}");
    read
}

/// Packets that every format holds, but for what H1 and PacketLogger cannot tell.
fn packet() -> impl Strategy<Value = Record> {
    let direction = prop_oneof![Just(Some(Direction::Sent)), Just(Some(Direction::Received)), Just(None)];
    let data = (0_u8..=7, proptest::collection::vec(any::<u8>(), 0..40));
    let time = (0_i64..=u32::MAX.into(), 0_u32..1_000_000_000);
    let adapter = proptest::option::of(0_u16..4);
    let comments = proptest::collection::vec("[a-zü ]{0,9}", 0..3);
    (direction, data, time, adapter, 0_usize..50, comments).prop_map(
        |(direction, (indicator, data), (seconds, nanos), adapter, cut, comments)| {
            // Of commands and events each format knows which way they go.
            let direction = match indicator {
                1 => Some(Direction::Sent),
                4 => Some(Direction::Received),
                _ => direction,
            };
            let data = Bytes::from([&[indicator], &data[..]].concat());
            let original_length = data.len() + cut;
            let record = Record::new(Timestamp::new(seconds, nanos), Kind::Packet(direction), data);
            Record { adapter, original_length, comments, ..record }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn c21_what_a_writer_did_not_leave_out_is_read_again(records in proptest::collection::vec(packet(), 0..12)) {
        for format in formats() {
            check(format, &records);
        }
    }

    #[test]
    fn c21_octets_survive_every_pair_of_formats(records in proptest::collection::vec(packet(), 0..6)) {
        for first in formats() {
            let read = check(first, &records);
            for second in formats() {
                // The second writer has no more to leave out than it says.
                let octets = |records: &[Record]| records.iter().map(|r| r.data.clone()).collect::<Vec<_>>();
                let (_, left_out) = written(second, &read);
                let kept = read.iter().zip(left_out).filter(|(_, left_out)| !left_out.contains(&LeftOut::Record));
                let kept: Vec<_> = kept.map(|(record, _)| record.clone()).collect();
                prop_assert_eq!(octets(&check(second, &read)), octets(&kept));
            }
        }
    }
}

fn one(indicator: u8, direction: Direction) -> Record {
    let data = Bytes::from(vec![indicator, 0x40, 0x20, 1, 0, 9]);
    Record::new(Timestamp::from_micros(5), Kind::Packet(Some(direction)), data)
}

fn left_out(format: Format, record: &Record) -> Vec<LeftOut> {
    let mut left_out = written(format, std::slice::from_ref(record)).1.remove(0);
    left_out.sort();
    left_out
}

/// Of a plain packet nothing is lost anywhere; what a format has no number for is said to be left out.
#[test]
fn c21_the_types_that_a_format_takes() {
    let taken = |format: Format| -> Vec<u8> {
        (1..=7)
            .filter(|indicator| {
                let direction = if *indicator == 1 { Direction::Sent } else { Direction::Received };
                match &left_out(format, &one(*indicator, direction))[..] {
                    [] => true,
                    [LeftOut::Record] => false,
                    [LeftOut::Direction] if format.link == Link::H4 => true,
                    other => panic!("{other:?} of {indicator} in {format}"),
                }
            })
            .collect()
    };
    for format in formats() {
        let expected: &[u8] = match format.link {
            Link::H1 => &[1, 2, 4],
            Link::Monitor | Link::PacketLogger => &[1, 2, 3, 4, 5],
            _ => &[1, 2, 3, 4, 5, 6, 7],
        };
        assert_eq!(taken(format), expected, "{format}");
    }
}

#[test]
fn only_pcap_of_link_type_187_loses_the_direction_of_data() {
    for format in formats() {
        let loses = format.link == Link::H4 && format.container == Container::Pcap;
        let expected: &[_] = if loses { &[LeftOut::Direction] } else { &[] };
        assert_eq!(left_out(format, &one(2, Direction::Received)), expected, "{format}");
        assert!(left_out(format, &one(4, Direction::Received)).is_empty(), "{format}: it goes one way");
    }
}

#[test]
fn a_direction_that_is_not_known_is_said_to_be_made_up() {
    let mut record = one(2, Direction::Sent);
    record.kind = Kind::Packet(None);
    for format in formats() {
        let open = format.link == Link::H4 && format.container != Container::Btsnoop;
        let expected: &[_] = if open { &[] } else { &[LeftOut::Direction] };
        assert_eq!(left_out(format, &record), expected, "{format}");
    }
}

#[test]
fn what_else_a_format_has_no_place_for_is_said() {
    let mut record = one(2, Direction::Sent);
    record.time = Timestamp::new(5, 1);
    record.adapter = Some(2);
    record.original_length += 100;
    record.comments = vec!["here".to_owned()];
    use LeftOut::{Adapter, Comments, Nanoseconds, OriginalLength};
    let said = |format| left_out(format, &record);
    assert_eq!(said(Format::BTSNOOP), [Adapter, Nanoseconds, Comments]);
    assert_eq!(said(Format::MONITOR), [Nanoseconds, Comments]);
    assert_eq!(said(Format::PCAP), [Adapter, Comments]);
    assert_eq!(said(Format { nanoseconds: false, ..Format::PCAP }), [Adapter, Nanoseconds, Comments]);
    assert_eq!(said(Format::PCAPNG), []);
    assert_eq!(said(Format::PACKET_LOGGER), [Adapter, OriginalLength, Nanoseconds, Comments]);
}

#[test]
fn times_out_of_reach_become_the_nearest_and_are_said() {
    let at = |seconds| Record { time: Timestamp::new(seconds, 0), ..one(2, Direction::Sent) };
    for (format, seconds, nearest) in [
        (Format::PCAP, -1, Timestamp::UNIX_EPOCH),
        (Format::PCAP, 1 << 32, Timestamp::new(u32::MAX.into(), 999_999_999)),
        (Format::PACKET_LOGGER, -1, Timestamp::UNIX_EPOCH),
        (Format::PCAPNG, -1, Timestamp::UNIX_EPOCH),
        (Format::BTSNOOP, i64::MAX, Timestamp::from_micros(i64::MAX - 0x00DC_DDB3_0F2F_8000)),
    ] {
        let (file, left_out) = written(format, &[at(seconds)]);
        assert_eq!(left_out, [[LeftOut::Time]], "{format}");
        assert_eq!(crate::files::records(&file)[0].time, nearest, "{format}");
    }
    for format in [Format::BTSNOOP, Format::MONITOR] {
        let early = Record { time: Timestamp::from_micros(-7), ..one(2, Direction::Sent) };
        assert!(left_out(format, &early).is_empty(), "they count from the year 0");
        assert_eq!(crate::files::records(&written(format, &[early]).0)[0].time, Timestamp::from_micros(-7));
    }
}

/// A monitor and PacketLogger keep notes; each makes notes of the other's log lines, and says so.
#[test]
fn notes_and_log_lines_go_where_there_is_a_place_for_them() {
    let time = Timestamp::from_micros(9);
    let record = |kind, data: &'static [u8]| Record::new(time, kind, Bytes::from_static(data));
    let note = record(Kind::Note, b"a note");
    let log = record(Kind::Monitor(13), b"\x06\x03bt\0up\0");
    let kernel = record(Kind::PacketLogger(0xF8), b"usb up");
    let opened = record(Kind::Monitor(8), b"");
    let lmp = record(Kind::PacketLogger(0x0A), b"\x01");
    let serial = record(Kind::Serial(Direction::Sent), b"\xC0\xC0");
    for format in formats() {
        let said = [&note, &log, &kernel, &opened, &lmp, &serial].map(|record| left_out(format, record));
        let gone = vec![LeftOut::Record];
        let reworded = vec![LeftOut::Kind];
        let expected = match format.link {
            Link::Monitor => [vec![], vec![], reworded, vec![], gone.clone(), gone],
            Link::PacketLogger => [vec![], reworded, vec![], gone.clone(), vec![], gone],
            _ => [(); 6].map(|()| gone.clone()),
        };
        assert_eq!(said, expected, "{format}");
    }
    let read = |format, records: &[Record]| -> Vec<_> {
        let records = crate::files::records(&written(format, records).0);
        records.into_iter().map(|record| (record.kind, record.data)).collect()
    };
    let all = [note, log, kernel];
    assert_eq!(
        read(Format::MONITOR, &all),
        [
            (Kind::Note, Bytes::from_static(b"a note")),
            (Kind::Monitor(13), Bytes::from_static(b"\x06\x03bt\0up\0")),
            (Kind::Note, Bytes::from_static(b"usb up")),
        ]
    );
    assert_eq!(
        read(Format::PACKET_LOGGER, &all),
        [
            (Kind::Note, Bytes::from_static(b"a note")),
            (Kind::Note, Bytes::from_static(b"bt: up")),
            (Kind::PacketLogger(0xF8), Bytes::from_static(b"usb up")),
        ]
    );
}

#[test]
fn a_comment_too_long_for_its_option_is_cut_and_said() {
    let comment = format!("{}ü", "x".repeat(65_534));
    let record = Record { comments: vec![comment], ..one(2, Direction::Sent) };
    let (file, left_out) = written(Format::PCAPNG, &[record]);
    assert_eq!(left_out, [[LeftOut::Comments]]);
    assert_eq!(crate::files::records(&file)[0].comments, ["x".repeat(65_534)]);
}

#[test]
fn a_record_longer_than_any_packet_is_not_written() {
    let record = Record::new(Timestamp::UNIX_EPOCH, Kind::Packet(None), Bytes::from(vec![2; 5 + 65_536]));
    for format in formats() {
        assert_eq!(left_out(format, &record), [LeftOut::Record], "{format}");
    }
    let longest = Record { data: record.data.slice(1..), original_length: 5 + 65_535, ..record };
    for format in formats() {
        let (file, _) = written(format, std::slice::from_ref(&longest));
        assert_eq!(crate::files::records(&file)[0].data, longest.data, "{format}");
    }
}

/// In whatever pieces a pipe hands it over.
#[test]
fn a_file_in_pieces_is_the_same_file() {
    struct Pieces<'a>(&'a [u8]);
    impl std::io::Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = buffer.len().min(3);
            self.0.read(&mut buffer[..length])
        }
    }
    let records = [one(1, Direction::Sent), one(2, Direction::Received), one(4, Direction::Received)];
    for format in formats() {
        let (file, _) = written(format, &records);
        let pieces: Vec<_> =
            Reader::new(Pieces(&file)).expect("ours").map(|record| record.expect("ours")).collect();
        assert_eq!(pieces, crate::files::records(&file), "{format}");
    }
}
