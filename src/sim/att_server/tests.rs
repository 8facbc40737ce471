//! PDU scripts: each line a request and its answer.

use super::*;
use crate::sim::{Table, property};
use crate::uuid16;

const LONG: Uuid = Uuid::from_u128(0x6E40_0001_B5A3_F393_E0A9_E50E_24DC_CA9E);

/// 1 service, 2-3 name, 4 service, 5-7 level with configuration, 8 long service, 9-10 rights, 11 description.
fn server() -> Server {
    Table::default()
        .service(uuid16(0x1800))
        .characteristic(uuid16(0x2A00), property::READ, *b"name")
        .service(uuid16(0x180F))
        .characteristic(uuid16(0x2A19), property::READ | property::NOTIFY | property::INDICATE, [87])
        .service(LONG)
        .characteristic(LONG, property::WRITE | property::WRITE_WITHOUT_RESPONSE, [])
        .adjust(|attribute| attribute.max_length = 30)
        .descriptor(uuid16(0x2901), *b"text", false)
        .build()
}

fn ask(server: &mut Server, pdu: &[u8]) -> Vec<Vec<u8>> {
    server.handle_pdu(pdu);
    std::iter::from_fn(|| server.poll_pdu()).map(|pdu| pdu.to_vec()).collect()
}

/// Every request by itself, at a server that nobody has asked anything.
fn script(lines: &[(&[u8], &[u8])]) {
    for (request, expected) in lines {
        assert_eq!(ask(&mut server(), request), [expected.to_vec()], "{request:02x?}");
    }
}

#[test]
fn mtu_is_the_smaller_of_the_two_and_at_least_23() {
    for (asked, agreed) in [(517u16, 517), (600, 517), (100, 100), (10, 23)] {
        let mut server = server();
        let [low, high] = asked.to_le_bytes();
        assert_eq!(ask(&mut server, &[0x02, low, high]), [[0x03, 0x05, 0x02]]);
        assert_eq!(server.mtu(), agreed);
    }
    assert_eq!(ask(&mut server().with_mtu(40), &[0x02, 0xFF, 0xFF]), [[0x03, 40, 0]]);
}

#[test]
fn services_by_group_type() {
    script(&[
        (&[0x10, 1, 0, 0xFF, 0xFF, 0x00, 0x28], &[0x11, 6, 1, 0, 3, 0, 0x00, 0x18, 4, 0, 7, 0, 0x0F, 0x18]),
        (
            &[0x10, 8, 0, 0xFF, 0xFF, 0x00, 0x28],
            &[
                0x11, 20, 8, 0, 11, 0, 0x9E, 0xCA, 0xDC, 0x24, 0x0E, 0xE5, 0xA9, 0xE0, 0x93, 0xF3, 0xA3,
                0xB5, 0x01, 0x00, 0x40, 0x6E,
            ],
        ),
        (&[0x10, 9, 0, 0xFF, 0xFF, 0x00, 0x28], &[0x01, 0x10, 9, 0, 0x0A]),
        (&[0x10, 1, 0, 0xFF, 0xFF, 0x03, 0x28], &[0x01, 0x10, 1, 0, 0x10]),
        (&[0x10, 0, 0, 0xFF, 0xFF, 0x00, 0x28], &[0x01, 0x10, 0, 0, 0x01]),
        (&[0x10, 5, 0, 4, 0, 0x00, 0x28], &[0x01, 0x10, 5, 0, 0x01]),
        // The 128-bit form of the same type.
        (
            &[
                0x10, 1, 0, 3, 0, 0xFB, 0x34, 0x9B, 0x5F, 0x80, 0x00, 0x00, 0x80, 0x00, 0x10, 0x00, 0x00,
                0x00, 0x28, 0x00, 0x00,
            ],
            &[0x11, 6, 1, 0, 3, 0, 0x00, 0x18],
        ),
        (&[0x10, 1, 0, 3, 0, 0, 0x28, 0, 0], &[0x01, 0x10, 0, 0, 0x04]),
    ]);
}

#[test]
fn services_by_value() {
    script(&[
        (&[0x06, 1, 0, 0xFF, 0xFF, 0x00, 0x28, 0x0F, 0x18], &[0x07, 4, 0, 7, 0]),
        (&[0x06, 1, 0, 0xFF, 0xFF, 0x00, 0x28, 0x0E, 0x18], &[0x01, 0x06, 1, 0, 0x0A]),
    ]);
}

#[test]
fn characteristics_and_values_by_type() {
    script(&[
        (
            &[0x08, 1, 0, 0xFF, 0xFF, 0x03, 0x28],
            &[0x09, 7, 2, 0, 0x02, 3, 0, 0x00, 0x2A, 5, 0, 0x32, 6, 0, 0x19, 0x2A],
        ),
        (&[0x08, 1, 0, 0xFF, 0xFF, 0x19, 0x2A], &[0x09, 3, 6, 0, 87]),
        (&[0x08, 1, 0, 0xFF, 0xFF, 0x1A, 0x2A], &[0x01, 0x08, 1, 0, 0x0A]),
    ]);
    // An attribute that may not be read is the answer when it is the first.
    let wire = LONG.to_wire();
    let request = [&[0x08, 1, 0, 0xFF, 0xFF][..], wire.as_ref()].concat();
    script(&[(&request, &[0x01, 0x08, 10, 0, 0x02])]);
}

#[test]
fn information_of_one_uuid_length_at_a_time_and_within_the_mtu() {
    script(&[
        (&[0x04, 6, 0, 7, 0], &[0x05, 1, 6, 0, 0x19, 0x2A, 7, 0, 0x02, 0x29]),
        (&[0x04, 9, 0, 0xFF, 0xFF], &[0x05, 1, 9, 0, 0x03, 0x28]),
        (&[0x04, 12, 0, 0xFF, 0xFF], &[0x01, 0x04, 12, 0, 0x0A]),
        (
            &[0x04, 1, 0, 0xFF, 0xFF],
            &[0x05, 1, 1, 0, 0, 0x28, 2, 0, 3, 0x28, 3, 0, 0, 0x2A, 4, 0, 0, 0x28, 5, 0, 3, 0x28],
        ),
    ]);
    assert_eq!(ask(&mut server(), &[0x04, 10, 0, 11, 0])[0][..4], [0x05, 2, 10, 0]);
}

#[test]
fn reads_and_their_refusals() {
    script(&[
        (&[0x0A, 3, 0], b"\x0Bname"),
        (&[0x0A, 10, 0], &[0x01, 0x0A, 10, 0, 0x02]),
        (&[0x0A, 99, 0], &[0x01, 0x0A, 99, 0, 0x01]),
        (&[0x0A, 3], &[0x01, 0x0A, 0, 0, 0x04]),
        (&[0x0C, 3, 0, 2, 0], b"\x0Dme"),
        (&[0x0C, 3, 0, 4, 0], b"\x0D"),
        (&[0x0C, 3, 0, 5, 0], &[0x01, 0x0C, 3, 0, 0x07]),
        (&[0x0E, 3, 0, 6, 0], b"\x0FnameW"),
        (&[0x0E, 3, 0, 10, 0], &[0x01, 0x0E, 10, 0, 0x02]),
        (&[0x20, 3, 0, 6, 0], b"\x21\x04\x00name\x01\x00W"),
        (&[0x20, 3, 0, 99, 0], &[0x01, 0x20, 99, 0, 0x01]),
    ]);
}

#[test]
fn a_variable_read_cuts_the_last_value_and_tells_its_whole_length() {
    let mut server = server();
    server.set_value(3, vec![1; 15]);
    server.set_value(6, vec![2; 15]);
    let expected = [&[0x21, 15, 0][..], &[1; 15], &[15, 0], &[2; 3]].concat();
    assert_eq!(ask(&mut server, &[0x20, 3, 0, 6, 0]), [expected]);
}

#[test]
fn writes_and_their_refusals() {
    let mut server = server();
    assert_eq!(ask(&mut server, &[0x12, 10, 0, 1, 2]), [[0x13]]);
    assert_eq!(server.poll_written(), Some((10, Bytes::from_static(&[1, 2]))));
    assert_eq!(ask(&mut server, &[0x52, 10, 0, 3]), Vec::<Vec<u8>>::new());
    assert_eq!(server.attribute(10).map(|attribute| attribute.value.clone()), Some(vec![3]));
    assert_eq!(ask(&mut server, &[0x12, 3, 0, 1]), [[0x01, 0x12, 3, 0, 0x03]]);
    assert_eq!(ask(&mut server, &[&[0x12, 10, 0][..], &[0; 31]].concat()), [[0x01, 0x12, 10, 0, 0x0D]]);
    assert_eq!(
        ask(&mut server, &[0x12, 7, 0, 1]),
        [[0x01, 0x12, 7, 0, 0x0D]],
        "a configuration is two octets"
    );
    // Commands are never answered, signed ones never believed.
    assert_eq!(ask(&mut server, &[0x52, 3, 0, 1]), Vec::<Vec<u8>>::new());
    assert_eq!(ask(&mut server, &[&[0xD2, 10, 0][..], &[9; 13]].concat()), Vec::<Vec<u8>>::new());
    assert_eq!(server.attribute(3).map(|attribute| &attribute.value[..]), Some(&b"name"[..]));
    server.attribute_mut(10).expect("there").error = Some(AttError(0x80));
    assert_eq!(ask(&mut server, &[0x12, 10, 0, 1]), [[0x01, 0x12, 10, 0, 0x80]]);
}

#[test]
fn prepared_writes_happen_all_or_not_at_all() {
    let mut server = server();
    let value = |server: &Server| server.attribute(10).map(|attribute| attribute.value.clone());
    assert_eq!(ask(&mut server, &[0x16, 10, 0, 0, 0, 1, 2]), [[0x17, 10, 0, 0, 0, 1, 2]]);
    ask(&mut server, &[0x16, 10, 0, 2, 0, 3]);
    assert_eq!(ask(&mut server, &[0x18, 0]), [[0x19]]);
    assert_eq!(ask(&mut server, &[0x18, 1]), [[0x19]]);
    assert_eq!(value(&server), Some(vec![]), "cancelled");
    ask(&mut server, &[0x16, 10, 0, 0, 0, 1, 2]);
    ask(&mut server, &[0x16, 10, 0, 2, 0, 3]);
    assert_eq!(ask(&mut server, &[0x18, 1]), [[0x19]]);
    assert_eq!(value(&server), Some(vec![1, 2, 3]));
    // A gap, and more than the attribute holds, change nothing.
    ask(&mut server, &[0x16, 10, 0, 0, 0, 9]);
    ask(&mut server, &[0x16, 10, 0, 5, 0, 9]);
    assert_eq!(ask(&mut server, &[0x18, 1]), [[0x01, 0x18, 10, 0, 0x07]]);
    for offset in [0, 16] {
        ask(&mut server, &[&[0x16, 10, 0, offset, 0][..], &[9; 16]].concat());
    }
    assert_eq!(ask(&mut server, &[0x18, 1]), [[0x01, 0x18, 10, 0, 0x0D]]);
    assert_eq!(value(&server), Some(vec![1, 2, 3]));
    assert_eq!(ask(&mut server, &[0x16, 3, 0, 0, 0, 9]), [[0x01, 0x16, 3, 0, 0x03]]);
    for _ in 0..PREPARED {
        ask(&mut server, &[0x16, 10, 0, 0, 0]);
    }
    assert_eq!(ask(&mut server, &[0x16, 10, 0, 0, 0]), [[0x01, 0x16, 10, 0, 0x09]]);
}

#[test]
fn values_go_out_only_to_who_asked_and_no_longer_than_the_mtu() {
    let mut server = server();
    let out = |server: &mut Server| std::iter::from_fn(|| server.poll_pdu()).collect::<Vec<_>>();
    server.notify(6, &[1]);
    server.indicate(6, &[1]);
    assert_eq!(out(&mut server), Vec::<Bytes>::new());
    ask(&mut server, &[0x12, 7, 0, 1, 0]);
    server.notify(6, &[5; 30]);
    assert_eq!(out(&mut server), [[&[0x1B, 6, 0][..], &[5; 20]].concat()]);
    ask(&mut server, &[0x12, 7, 0, 2, 0]);
    server.notify(6, &[1]);
    server.indicate(6, &[1]);
    server.indicate(6, &[2]);
    assert_eq!(out(&mut server), [&[0x1D, 6, 0, 1][..]]);
    assert_eq!(ask(&mut server, &[0x1E]), [[0x1D, 6, 0, 2]]);
    assert_eq!(ask(&mut server, &[0x1E]), Vec::<Vec<u8>>::new());
    // The characteristic before has no configuration of its own.
    assert!(!server.indicates(3));
}

#[test]
fn what_is_no_request_gets_no_answer_and_unknown_requests_an_error() {
    script(&[(&[0x3F, 1, 2], &[0x01, 0x3F, 0, 0, 0x06])]);
    for pdu in [&[][..], &[0x7F, 1], &[0x0B, 1], &[0x1B, 3, 0, 1], &[0x1D, 3, 0, 1]] {
        assert_eq!(ask(&mut server(), pdu), Vec::<Vec<u8>>::new(), "{pdu:02x?}");
    }
}

proptest::proptest! {
    #[test]
    fn any_octets_are_survived_and_answered_at_most_once(
        pdus in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40), 0..20)
    ) {
        let mut server = server();
        for pdu in pdus {
            proptest::prop_assert!(ask(&mut server, &pdu).len() <= 1);
        }
    }
}
