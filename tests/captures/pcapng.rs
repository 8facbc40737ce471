//! pcapng: sections, interfaces, clocks, options and every kind of packet block, good and damaged.

use crate::files::*;
use baretooth::capture::{Direction, Ending, Link, Timestamp};

const COMMENT: u16 = 1;
const IF_NAME: u16 = 2;
const FLAGS: u16 = 2;
const DROP_COUNT: u16 = 4;
const IF_TSRESOL: u16 = 9;
const IF_TZONE: u16 = 10;
const IF_TSOFFSET: u16 = 14;

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let total = order.u32(12 + length(&body));
    [&order.u32(kind)[..], &total, &body, &total].concat()
}

fn section(order: Order) -> Vec<u8> {
    let body = [
        &order.u32(0x1A2B_3C4D)[..],
        &order.u16(1),
        &order.u16(0),
        &[0xFF; 8],
        &option(order, 4, b"unit test"),
    ];
    block(order, 0x0A0D_0D0A, &body.concat())
}

fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("short");
    let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
    [&order.u16(code)[..], &order.u16(length), value, &padding].concat()
}

fn interface(order: Order, link_type: u16, options: &[u8]) -> Vec<u8> {
    let body = [&order.u16(link_type)[..], &order.u16(0), &order.u32(0), options].concat();
    block(order, 1, &body)
}

fn enhanced(order: Order, interface: u32, ticks: u64, data: &[u8], options: &[u8]) -> Vec<u8> {
    let [high, low] = [ticks >> 32, ticks & 0xFFFF_FFFF].map(|half| u32::try_from(half).expect("half"));
    let head = [interface, high, low, length(data), length(data)].map(|field| order.u32(field)).concat();
    let padding = vec![0; data.len().next_multiple_of(4) - data.len()];
    block(order, 6, &[&head[..], data, &padding, options].concat())
}

/// A section with one interface of link type 187.
fn plain(order: Order, blocks: &[Vec<u8>]) -> Vec<u8> {
    [section(order), interface(order, 187, &[]), blocks.concat()].concat()
}

fn packet(order: Order) -> Vec<u8> {
    enhanced(order, 0, 1, &RESET, &[])
}

#[test]
fn c1_another_version_and_a_mark_alone_are_refused() {
    for order in ORDERS {
        let mut file = plain(order, &[]);
        file[12..14].copy_from_slice(&order.u16(2));
        assert_eq!(refusal(&file), "this is a pcapng file, but a section is of another version than 1");
        file[8] = 0;
        assert_eq!(refusal(&file), "this is a pcapng file, but a section tells no byte order");
    }
    assert!(refusal(&[0x0A, 0x0D, 0x0D, 0x0A]).contains("pcapng file"));
}

#[test]
fn c3_a_file_without_records_is_a_capture() {
    for order in ORDERS {
        for (number, link) in [(187, Link::H4), (201, Link::H4WithDirection), (254, Link::Monitor)] {
            let file = [section(order), interface(order, number, &[])].concat();
            let mut reader = reader(&file);
            assert_eq!((reader.format().link, reader.format().big_endian), (link, order.is_big()));
            assert_eq!(reader.read().expect("the end"), None);
            assert_eq!(reader.ending(), Some(Ending::Whole));
        }
    }
}

#[test]
fn c4_a_last_block_that_is_cut_off_is_the_end_and_said() {
    for last in [packet(Order::Big), block(Order::Big, 0x0BAD, &[1; 40])] {
        for there in 1..last.len() {
            let file = plain(Order::Big, &[packet(Order::Big), last[..there].to_vec()]);
            let mut reader = reader(&file);
            assert!(reader.read().expect("the first").is_some());
            assert_eq!(reader.read().expect("the end"), None);
            assert_eq!(reader.ending(), Some(Ending::CutOff(there)));
        }
    }
}

#[test]
fn c5_data_that_reach_past_their_block_are_an_error() {
    for order in ORDERS {
        for included in [5, 0xFFFF, 0xFFFF_FFFF] {
            let mut packet = packet(order);
            packet[20..24].copy_from_slice(&order.u32(included));
            let (before, error) = failure(&plain(order, &[packet])[..]);
            assert_eq!(before, 0);
            assert!(error.contains("record 1") && error.contains("past its block"), "{error}");
        }
        let mut packet = packet(order);
        packet[24..28].copy_from_slice(&order.u32(1));
        let record = &records(&plain(order, &[packet]))[0];
        assert_eq!((&record.data[..], record.original_length), (&RESET[..], 4), "shorter than it is");
    }
}

#[test]
fn c6_a_length_that_no_packet_has_is_not_read() {
    for order in ORDERS {
        let block = [order.u32(6), order.u32(0xFFFF_FFFC)].concat();
        assert_refused_unread(&plain(order, &[block]));
    }
}

/// No length is too long for what is passed over: it is never held.
#[test]
fn c6_an_unknown_block_of_any_length_is_passed_over() {
    let long = block(Order::Little, 0x0BAD, &vec![7; 5 << 20]);
    let file = plain(Order::Little, &[long, packet(Order::Little)]);
    assert_eq!(data(&file), [RESET]);
    let announced = [Order::Little.u32(0x0BAD), Order::Little.u32(0xFFFF_FFFC)].concat();
    let file = plain(Order::Little, &[announced, vec![7; 1 << 20]]);
    let mut reader = reader(&file);
    assert_eq!(reader.read().expect("the end"), None);
    assert_eq!(reader.ending(), Some(Ending::CutOff(8 + (1 << 20))));
}

#[test]
fn c7_an_offset_may_lead_before_1970() {
    for order in ORDERS {
        let offset = (-1_000_000_i64).cast_unsigned();
        let offset = if order.is_big() { offset.to_be_bytes() } else { offset.to_le_bytes() };
        let file =
            [section(order), interface(order, 187, &option(order, IF_TSOFFSET, &offset)), packet(order)];
        assert_eq!(records(&file.concat())[0].time, Timestamp::from_micros(-1_000_000_000_000 + 1));
    }
}

#[test]
fn c8_drops_are_counted() {
    for order in ORDERS {
        let count = if order.is_big() { 3_u64.to_be_bytes() } else { 3_u64.to_le_bytes() };
        let dropped = option(order, DROP_COUNT, &count);
        let file =
            plain(order, &[enhanced(order, 0, 1, &RESET, &dropped), enhanced(order, 0, 2, &RESET, &dropped)]);
        let mut reader = reader(&file);
        while reader.read().expect("good").is_some() {}
        assert_eq!(reader.dropped(), 6, "each counts those before it");
    }
}

#[test]
fn c13_a_block_length_that_cannot_be_is_an_error() {
    for order in ORDERS {
        for total in [0, 1, 8, 11, 13, 14, 0xFFFF_FFFF] {
            let block = [order.u32(6), order.u32(total)].concat();
            let (before, error) = failure(&plain(order, &[packet(order), block, vec![0; 64]])[..]);
            assert_eq!(before, 1);
            assert!(error.contains("record 2") && error.contains("length of a block"), "{error}");
        }
    }
}

#[test]
fn c14_lengths_that_differ_are_an_error() {
    for order in ORDERS {
        for damaged in [packet(order), block(order, 0x0BAD, &[1, 2, 3, 4])] {
            let mut damaged = damaged;
            let last = damaged.len() - 4;
            damaged[last..].copy_from_slice(&order.u32(16));
            if damaged.len() == 16 {
                damaged[last..].copy_from_slice(&order.u32(20));
            }
            let (_, error) = failure(&plain(order, &[damaged])[..]);
            assert!(error.contains("lengths before and behind a block differ"), "{error}");
        }
    }
}

#[test]
fn c15_options_past_the_end_are_an_error() {
    for order in ORDERS {
        let options = [&order.u16(COMMENT)[..], &order.u16(0xFFFF), b"four"].concat();
        let (_, error) = failure(&plain(order, &[enhanced(order, 0, 1, &RESET, &options)])[..]);
        assert!(error.contains("options reach past its block"), "{error}");
        let file = [section(order), interface(order, 187, &options)].concat();
        assert!(refusal(&file).contains("options reach past its block"));
    }
}

#[test]
fn c16_unknown_blocks_and_options_are_passed_over() {
    for order in ORDERS {
        let statistics = block(order, 5, &[0; 12]);
        let unknown = option(order, 0x7777, b"five.");
        let file = plain(
            order,
            &[
                block(order, 0x4000_0BAD, &[1; 7]),
                statistics,
                enhanced(order, 0, 1, &RESET, &unknown),
                block(order, 4, &[]),
            ],
        );
        assert_eq!(data(&file), [RESET]);
        assert_eq!(reader(&file).skipped(), 0, "no packets were in them");
    }
}

/// They are no concern of whoever reads packets, and pcap-file 2.0.0 refuses the first two.
#[test]
fn c16_options_that_others_stumble_over_are_no_matter() {
    for order in ORDERS {
        let options = [
            option(order, IF_TZONE, &[0; 4]),
            option(order, IF_NAME, &[0xFF, 0xFE]),
            option(order, 3, &[0xFF]),
            option(order, IF_TSRESOL, &[]),
            option(order, IF_TSOFFSET, &[1]),
        ];
        let file = [section(order), interface(order, 187, &options.concat()), packet(order)].concat();
        assert_eq!(records(&file)[0].time, Timestamp::from_micros(1));
    }
}

#[test]
fn c17_a_packet_of_an_interface_that_is_not_there_is_an_error() {
    for order in ORDERS {
        for number in [1, 0xFFFF_FFFF] {
            let (_, error) = failure(&plain(order, &[enhanced(order, number, 1, &RESET, &[])])[..]);
            assert!(error.contains("interface that its section does not describe"), "{error}");
        }
        // Interfaces end with their section.
        let (before, error) =
            failure(&[plain(order, &[packet(order)]), section(order), packet(order)].concat()[..]);
        assert_eq!(before, 1);
        assert!(error.contains("record 2"), "{error}");
    }
}

#[test]
fn c17_a_file_without_an_interface_is_refused() {
    for order in ORDERS {
        let sentence = refusal(&section(order));
        assert_eq!(sentence, "this is a pcapng file without any interface, and so without a packet");
        assert!(refusal(&[section(order), packet(order)].concat()).contains("does not describe"));
    }
}

#[test]
fn c18_a_clock_ticks_in_powers_of_ten_or_of_two() {
    let time = |resolution: Option<u8>, ticks: u64| {
        let order = Order::Little;
        let options = resolution.map_or(vec![], |resolution| option(order, IF_TSRESOL, &[resolution]));
        let blocks = [interface(order, 201, &options), enhanced(order, 0, ticks, &[0; 8], &[])];
        records(&[section(order), blocks.concat()].concat())[0].time
    };
    let quarter = Timestamp::new(1_700_000_000, 250_000_000);
    assert_eq!(time(None, 1_700_000_000_250_000), quarter, "microseconds unless told otherwise");
    assert_eq!(time(Some(6), 1_700_000_000_250_000), quarter);
    assert_eq!(time(Some(9), 1_700_000_000_250_000_000), quarter);
    assert_eq!(time(Some(3), 1_700_000_000_250), quarter);
    assert_eq!(time(Some(0), 1_700_000_000), Timestamp::new(1_700_000_000, 0));
    assert_eq!(time(Some(0x80 | 10), 1_700_000_000 * 1024 + 256), quarter);
    assert_eq!(time(Some(0x80 | 32), (1_700_000_000 << 32) + (1 << 30)), quarter);
    assert_eq!(time(Some(12), 7_250_000_000_000), Timestamp::new(7, 250_000_000));
    assert_eq!(time(Some(0x80), 7), Timestamp::new(7, 0));
    // Ticks too short for 64 bits to count one second.
    for resolution in [0x7F, 0xFF, 40, 0x80 | 100] {
        assert_eq!(time(Some(resolution), u64::MAX).seconds(), 0);
    }
    assert_eq!(time(Some(0), u64::MAX).seconds(), i64::MAX);
}

#[test]
fn c18_the_format_says_whether_a_clock_is_finer_than_microseconds() {
    for (resolution, nanoseconds) in [(6, false), (9, true), (0x80 | 10, false), (0x80 | 30, true)] {
        let option = option(Order::Big, IF_TSRESOL, &[resolution]);
        let file = [section(Order::Big), interface(Order::Big, 201, &option)].concat();
        assert_eq!(reader(&file).format().nanoseconds, nanoseconds);
    }
}

#[test]
fn c20_packets_of_other_networks_are_refused_with_what_they_are() {
    for order in ORDERS {
        for (number, name) in [(272, "nRF Sniffer"), (1, "Ethernet"), (251, "LE link layer")] {
            let file = [section(order), interface(order, number, &[]), packet(order)].concat();
            let sentence = refusal(&file);
            let expected = format!("this is a pcapng file of link type {number} ({name}), no HCI: ");
            assert!(sentence.starts_with(&expected), "{sentence}");
        }
    }
}

#[test]
fn other_interfaces_beside_one_of_hci_are_passed_over_and_counted() {
    for order in ORDERS {
        let file = [
            section(order),
            interface(order, 1, &[]),
            enhanced(order, 0, 1, &[0; 60], &[]),
            interface(order, 187, &[]),
            enhanced(order, 0, 2, &[0; 60], &[]),
            enhanced(order, 1, 3, &RESET, &[]),
            enhanced(order, 0, 4, &[0; 60], &[]),
        ]
        .concat();
        let mut reader = reader(&file);
        assert_eq!(reader.format().link, Link::H4);
        let record = reader.read().expect("good").expect("one");
        assert_eq!((&record.data[..], record.adapter), (&RESET[..], Some(1)));
        assert_eq!(reader.read().expect("the end"), None);
        assert_eq!(reader.skipped(), 3);
    }
}

#[test]
fn interfaces_are_adapters_by_their_names_or_their_places() {
    let order = Order::Little;
    let named = |name: &[u8]| interface(order, 187, &option(order, IF_NAME, name));
    let interfaces = [
        interface(order, 187, &[]),
        named(b"hci3"),
        named(b"bluetooth1"),
        named(b"hci"),
        interface(order, 187, &[]),
    ];
    let packets: Vec<_> = (0..5).map(|number| enhanced(order, number, 1, &RESET, &[])).collect();
    let file = [section(order), interfaces.concat(), packets.concat()].concat();
    let adapters: Vec<_> = records(&file).iter().map(|record| record.adapter).collect();
    assert_eq!(adapters, [None, Some(3), Some(1), None, Some(4)]);
}

#[test]
fn sections_of_either_byte_order_follow_each_other() {
    let file = [
        plain(Order::Little, &[packet(Order::Little)]),
        section(Order::Big),
        interface(Order::Big, 201, &option(Order::Big, IF_TSRESOL, &[3])),
        enhanced(Order::Big, 0, 5, &[&[0, 0, 0, 1], &COMPLETE[..]].concat(), &[]),
    ]
    .concat();
    let records = records(&file);
    assert_eq!((&records[0].data[..], records[0].time), (&RESET[..], Timestamp::from_micros(1)));
    assert_eq!((&records[1].data[..], records[1].time), (&COMPLETE[..], Timestamp::from_micros(5_000)));
    assert!(!reader(&file).format().big_endian, "that of the first");
}

#[test]
fn simple_and_obsolete_packet_blocks_are_read() {
    for order in ORDERS {
        let simple = block(order, 3, &[&order.u32(length(&COMPLETE))[..], &COMPLETE].concat());
        let head = [order.u16(0), order.u16(0xFFFF)].concat();
        let fields = [0, 7, length(&COMPLETE), 99].map(|field| order.u32(field)).concat();
        let comment = [&[0][..], &option(order, COMMENT, b"old")].concat();
        let obsolete = block(order, 2, &[&head[..], &fields, &COMPLETE, &comment].concat());
        let records = records(&plain(order, &[simple, obsolete]));
        assert_eq!((&records[0].data[..], records[0].original_length), (&COMPLETE[..], 7));
        assert_eq!(records[0].time, Timestamp::UNIX_EPOCH, "it has none");
        assert_eq!((&records[1].data[..], records[1].original_length), (&COMPLETE[..], 99));
        assert_eq!(
            (records[1].time, &records[1].comments[..]),
            (Timestamp::from_micros(7), &["old".to_owned()][..])
        );
    }
}

/// Its own length is nowhere: it is the packet's, or the interface's limit.
#[test]
fn a_simple_packet_is_cut_where_its_interface_cuts() {
    let order = Order::Little;
    let body = [&order.u16(187)[..], &order.u16(0), &order.u32(5)].concat();
    let simple = block(order, 3, &[&order.u32(7)[..], &COMPLETE[..5]].concat());
    let file = [section(order), block(order, 1, &body), simple].concat();
    let record = &records(&file)[0];
    assert_eq!((&record.data[..], record.original_length), (&COMPLETE[..5], 7));
}

#[test]
fn comments_and_directions_are_in_options() {
    for order in ORDERS {
        let with = |flags: u32| {
            let options = [
                option(order, COMMENT, "größer".as_bytes()),
                option(order, FLAGS, &order.u32(flags)),
                option(order, COMMENT, &[b'a', 0xFF]),
                option(order, 0, b""),
                b"no option any more".to_vec(),
            ];
            let record = records(&plain(order, &[enhanced(order, 0, 1, &ACL, &options.concat())])).remove(0);
            assert_eq!(record.comments, ["größer", "a\u{FFFD}"]);
            record.direction()
        };
        assert_eq!(with(0), None);
        assert_eq!(with(1), Some(Direction::Received));
        assert_eq!(with(0xFFF2), Some(Direction::Sent));
        assert_eq!(with(3), None);
    }
}

#[test]
fn a_section_with_thousands_of_interfaces_is_an_error() {
    let file = [section(Order::Big), interface(Order::Big, 187, &[]).repeat(5_000)].concat();
    let (_, error) = failure(&file[..]);
    assert!(error.contains("4096 interfaces"), "{error}");
}
