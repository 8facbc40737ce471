//! Every request that changes nothing: its response, and each error with the handle that it names.

use super::*;

/// A request over a range, with the rest of its parameters.
fn over(opcode: u8, start: u16, end: u16, rest: &[u8]) -> Vec<u8> {
    [&[opcode][..], &start.to_le_bytes(), &end.to_le_bytes(), rest].concat()
}

const PRIMARY: [u8; 2] = [0x00, 0x28];
const SECONDARY: [u8; 2] = [0x01, 0x28];
const BATTERY: [u8; 2] = [0x0F, 0x18];

#[test]
fn each_request_has_its_response() {
    let long = LONG.to_wire();
    for (request, response) in [
        (over(0x04, 1, 4, &[]), vec![0x05, 1, 1, 0, 0, 0x28, 2, 0, 3, 0x28, 3, 0, 0x19, 0x2A, 4, 0, 2, 0x29]),
        (over(0x04, 0x11, 0x12, &[]), vec![0x05, 1, 0x11, 0, 3, 0x28]),
        (over(0x04, 0x12, 0x13, &[]), [&[0x05, 2, 0x12, 0][..], &long].concat()),
        (over(0x06, 1, 0xFFFF, &[&PRIMARY[..], &BATTERY].concat()), vec![0x07, 1, 0, 4, 0, 0x22, 0, 0x25, 0]),
        (over(0x06, 1, 0xFFFF, &[&PRIMARY[..], &long].concat()), vec![0x07, 0x10, 0, 0x1F, 0]),
        (over(0x06, 1, 0xFFFF, &[0x19, 0x2A, 90]), vec![0x07, 3, 0, 3, 0]),
        (
            over(0x06, 1, 0xFFFF, &[0x02, 0x29, 0, 0]),
            vec![0x07, 4, 0, 4, 0, 0x1B, 0, 0x1B, 0, 0x25, 0, 0x25, 0],
        ),
        (over(0x08, 1, 0xFFFF, &[0x19, 0x2A]), vec![0x09, 3, 3, 0, 90, 0x24, 0, 80]),
        (
            over(0x08, 1, 0xFFFF, uuid16(0x2A19).as_u128().to_le_bytes().as_ref()),
            vec![0x09, 3, 3, 0, 90, 0x24, 0, 80],
        ),
        (over(0x08, 1, 4, &[0x03, 0x28]), vec![0x09, 7, 2, 0, 0x12, 3, 0, 0x19, 0x2A]),
        (over(0x10, 1, 0xFFFF, &PRIMARY), vec![0x11, 6, 1, 0, 4, 0, 0x0F, 0x18]),
        (over(0x10, 5, 0xFFFF, &PRIMARY), [&[0x11, 20, 0x10, 0, 0x1F, 0][..], &long].concat()),
        (over(0x10, 1, 0xFFFF, &SECONDARY), vec![0x11, 6, 0x20, 0, 0x20, 0, 0x10, 0x18]),
        (pdu(0x0A, LEVEL, &[]), vec![0x0B, 90]),
        (pdu(0x0A, LEVEL_CCCD, &[]), vec![0x0B, 0, 0]),
        (pdu(0x0A, 1, &[]), vec![0x0B, 0x0F, 0x18]),
        (pdu(0x0C, LEVEL, &[0, 0]), vec![0x0D, 90]),
        (pdu(0x0C, LEVEL, &[1, 0]), vec![0x0D]),
        (pdu(0x0C, STORED, &[98, 0]), vec![0x0D, 98, 99]),
        (vec![0x0E, 3, 0, 0x24, 0, 4, 0], vec![0x0F, 90, 80, 0, 0]),
        (vec![0x20, 3, 0, 4, 0], vec![0x21, 1, 0, 90, 2, 0, 0, 0]),
        (vec![0x12, 4, 0, 1, 0], vec![0x13]),
        (vec![0x16, 0x12, 0, 7, 0, b'x'], vec![0x17, 0x12, 0, 7, 0, b'x']),
        (vec![0x18, 1], vec![0x19]),
        (vec![0x18, 0], vec![0x19]),
        (vec![0x02, 0, 1], vec![0x03, 0x05, 0x02]),
    ] {
        assert_eq!(Link::new().response(&request), response, "{request:02x?}");
    }
}

#[test]
fn each_error_names_the_attribute_that_failed() {
    use AttError as E;
    let primary_of = |value: &[u8]| [&PRIMARY[..], value].concat();
    for (request, handle, code) in [
        // Ranges that are none.
        (over(0x04, 0, 9, &[]), 0, E::InvalidHandle),
        (over(0x04, 9, 8, &[]), 9, E::InvalidHandle),
        (over(0x06, 0, 9, &primary_of(&BATTERY)), 0, E::InvalidHandle),
        (over(0x06, 9, 8, &primary_of(&BATTERY)), 9, E::InvalidHandle),
        (over(0x08, 0, 9, &PRIMARY), 0, E::InvalidHandle),
        (over(0x08, 9, 8, &PRIMARY), 9, E::InvalidHandle),
        (over(0x10, 0, 9, &PRIMARY), 0, E::InvalidHandle),
        (over(0x10, 9, 8, &PRIMARY), 9, E::InvalidHandle),
        // Ranges in which nothing is.
        (over(0x04, 0x30, 0xFFFF, &[]), 0x30, E::AttributeNotFound),
        (over(0x06, 2, 0x21, &primary_of(&BATTERY)), 2, E::AttributeNotFound),
        (over(0x06, 1, 0xFFFF, &primary_of(&[0x0F])), 1, E::AttributeNotFound),
        (over(0x06, 1, 0xFFFF, &primary_of(&[])), 1, E::AttributeNotFound),
        (over(0x08, 5, 0x10, &[0x19, 0x2A]), 5, E::AttributeNotFound),
        (over(0x10, 0x26, 0xFFFF, &PRIMARY), 0x26, E::AttributeNotFound),
        // Types that are none, or no group.
        (over(0x08, 1, 0xFFFF, &[0x00]), 0, E::InvalidPdu),
        (over(0x08, 1, 0xFFFF, &[0, 0x28, 0, 0]), 0, E::InvalidPdu),
        (over(0x10, 1, 0xFFFF, &[]), 0, E::InvalidPdu),
        (over(0x10, 1, 0xFFFF, &[0; 15]), 0, E::InvalidPdu),
        (over(0x10, 3, 0xFFFF, &[0x03, 0x28]), 3, E::UnsupportedGroupType),
        (over(0x10, 3, 0xFFFF, &LONG.to_wire()), 3, E::UnsupportedGroupType),
        // Values that may not be read.
        (over(0x08, 0x15, 0xFFFF, &LONG.to_wire()), WRITE_ONLY, E::ReadNotPermitted),
        (over(0x08, 0x17, 0xFFFF, &LONG.to_wire()), PRIVATE, E::InsufficientAuthentication),
        (pdu(0x0A, NOTHING, &[]), NOTHING, E::InvalidHandle),
        (pdu(0x0A, 0, &[]), 0, E::InvalidHandle),
        (pdu(0x0A, WRITE_ONLY, &[]), WRITE_ONLY, E::ReadNotPermitted),
        (pdu(0x0A, PRIVATE, &[]), PRIVATE, E::InsufficientAuthentication),
        (pdu(0x0A, AUTHORIZED, &[]), AUTHORIZED, E::InsufficientAuthorization),
        (pdu(0x0C, NOTHING, &[0, 0]), NOTHING, E::InvalidHandle),
        (pdu(0x0C, WRITE_ONLY, &[0, 0]), WRITE_ONLY, E::ReadNotPermitted),
        (pdu(0x0C, PRIVATE, &[9, 9]), PRIVATE, E::InsufficientAuthentication),
        (pdu(0x0C, LEVEL, &[2, 0]), LEVEL, E::InvalidOffset),
        (vec![0x0E, 3, 0, 0x30, 0, 0x16, 0], NOTHING, E::InvalidHandle),
        (vec![0x0E, 3, 0, 0x16, 0, 0x30, 0], WRITE_ONLY, E::ReadNotPermitted),
        (vec![0x0E, 3, 0, 0x18, 0], PRIVATE, E::InsufficientAuthentication),
        (vec![0x20, 3, 0, 0x30, 0], NOTHING, E::InvalidHandle),
        (vec![0x20, 0x1D, 0, 0x03, 0], AUTHORIZED, E::InsufficientAuthorization),
        // Sets that are none.
        (vec![0x0E, 3, 0], 0, E::InvalidPdu),
        (vec![0x0E, 0x30, 0], 0, E::InvalidPdu),
        (vec![0x0E, 3, 0, 4, 0, 1], 0, E::InvalidPdu),
        (vec![0x20], 0, E::InvalidPdu),
        (vec![0x20, 3, 0, 4], 0, E::InvalidPdu),
        // Writes.
        (pdu(0x12, NOTHING, &[1]), NOTHING, E::InvalidHandle),
        (pdu(0x12, LEVEL, &[1]), LEVEL, E::WriteNotPermitted),
        (pdu(0x12, 2, &[1]), 2, E::WriteNotPermitted),
        (pdu(0x12, PRIVATE, &[1]), PRIVATE, E::InsufficientAuthentication),
        (pdu(0x12, SHORT_ASKED, &[0; 5]), SHORT_ASKED, E::InvalidAttributeValueLength),
        (pdu(0x12, LEVEL_CCCD, &[1]), LEVEL_CCCD, E::InvalidAttributeValueLength),
        (pdu(0x12, LEVEL_CCCD, &[1, 0, 0]), LEVEL_CCCD, E::InvalidAttributeValueLength),
        (pdu(0x12, LEVEL_CCCD, &[2, 0]), LEVEL_CCCD, E::ValueNotAllowed),
        (pdu(0x12, LEVEL_CCCD, &[3, 0]), LEVEL_CCCD, E::ValueNotAllowed),
        (pdu(0x16, NOTHING, &[0, 0, 1]), NOTHING, E::InvalidHandle),
        (pdu(0x16, LEVEL, &[0, 0, 1]), LEVEL, E::WriteNotPermitted),
        (pdu(0x16, PRIVATE, &[0, 0, 1]), PRIVATE, E::InsufficientAuthentication),
        (vec![0x18, 2], 0, E::InvalidPdu),
        // Layouts.
        (vec![0x02, 23], 0, E::InvalidPdu),
        (vec![0x0A, 3], 0, E::InvalidPdu),
        (vec![0x0A, 3, 0, 0], 0, E::InvalidPdu),
        (vec![0x18], 0, E::InvalidPdu),
        (vec![0x12, 0x12], 0, E::InvalidPdu),
        (pdu(0x12, STORED, &[0; 21]), 0, E::InvalidPdu),
        // Requests of no specification, or of a newer one.
        (vec![0x00], 0, E::RequestNotSupported),
        (vec![0x14, 1], 0, E::RequestNotSupported),
        (vec![0x3F; 40], 0, E::RequestNotSupported),
        (vec![0xA0], 0, E::RequestNotSupported),
    ] {
        let expected = error(request[0], handle, code);
        assert_eq!(Link::new().response(&request), expected, "{request:02x?}");
    }
}

#[test]
fn what_a_link_has_decides_what_it_may() {
    let mut link = Link::new();
    let read = pdu(0x0A, PRIVATE, &[]);
    link.client.security.bonded = true;
    assert_eq!(link.response(&read), error(0x0A, PRIVATE, AttError::InsufficientEncryption));
    link.client.security.encrypted = true;
    link.client.security.key_size = 15;
    assert_eq!(link.response(&read), error(0x0A, PRIVATE, AttError::EncryptionKeySizeTooShort));
    link.client.security.key_size = 16;
    assert_eq!(link.response(&read), b"\x0Bprivate");
    let write = pdu(0x12, PRIVATE, b"new");
    assert_eq!(link.response(&write), error(0x12, PRIVATE, AttError::InsufficientAuthentication));
    link.client.security.authenticated = true;
    assert_eq!(link.response(&write), [0x13]);
    link.client.security.authorized = true;
    assert_eq!(link.response(pdu(0x0A, AUTHORIZED, &[])), b"\x0Bauthorized");
}

#[test]
fn an_attribute_that_cannot_be_read_ends_a_list_that_has_entries() {
    let mut link = Link::with_mtu(517);
    let of_long = |start| over(0x08, start, 0xFFFF, &LONG.to_wire());
    assert_eq!(link.response(of_long(0x15)), error(0x08, WRITE_ONLY, AttError::ReadNotPermitted));
    link.send(of_long(0x12));
    // The stored value is in the list; the next is asked for, is of another length, and ends it.
    let list = sent(&link.answer(Ok(b"asked")));
    assert_eq!((list[1], list.len()), (102, 104));
    link.send(of_long(0x12));
    let list = sent(&link.answer(Ok(&[7; 100])));
    assert_eq!((list[1], list.len()), (102, 206), "both, up to the one that cannot be read");
    link.send(of_long(0x12));
    let list = sent(&link.answer(Err(AttError::OutOfRange)));
    assert_eq!((list[1], list.len()), (102, 104));
}

#[test]
fn values_fill_the_mtu_and_no_more() {
    for mtu in [23_u16, 24, 247, 517] {
        let mut link = Link::with_mtu(mtu);
        let room = usize::from(mtu) - 1;
        let value: Vec<u8> = (0..=255).cycle().take(512).collect();
        for length in [0, room - 1, room, (room + 1).min(512), 512] {
            let length = length.min(512);
            link.table = TableBuilder::bare()
                .service(Service::primary(LONG).characteristic(
                    Characteristic::new(uuid16(0x2A19)).value(value[..length].to_vec()).read(Access::OPEN),
                ))
                .build()
                .expect("fits");
            let at = |from: usize, most: usize| &value[from.min(length)..length.min(from + most)];
            assert_eq!(link.response(pdu(0x0A, 3, &[]))[1..], *at(0, room), "{length} at {mtu}");
            assert_eq!(link.response(pdu(0x0C, 3, &[0, 0]))[1..], *at(0, room));
            if length >= 1 {
                assert_eq!(link.response(pdu(0x0C, 3, &[1, 0]))[1..], *at(1, room));
            }
            let end = u16::try_from(length).expect("at most 512");
            assert_eq!(link.response(pdu(0x0C, 3, &end.to_le_bytes())), [0x0D]);
            let beyond = pdu(0x0C, 3, &(end + 1).to_le_bytes());
            assert_eq!(link.response(beyond), error(0x0C, 3, AttError::InvalidOffset));
            let list = link.response(over(0x08, 1, 0xFFFF, &[0x19, 0x2A]));
            let entry = length.min(usize::from(mtu) - 4).min(253);
            assert_eq!((usize::from(list[1]), list.len()), (entry + 2, entry + 4), "{length} at {mtu}");
            let twice = [pdu(0x0E, 3, &[]), 3_u16.to_le_bytes().to_vec()].concat();
            assert_eq!(link.response(twice).len() - 1, (2 * length).min(room));
            let twice = [pdu(0x20, 3, &[]), 3_u16.to_le_bytes().to_vec()].concat();
            assert_eq!(link.response(twice).len() - 1, (2 * length + 4).min(room));
        }
    }
}

#[test]
fn lists_hold_as_many_entries_as_fit_and_the_next_request_has_the_rest() {
    let service = Service::primary(uuid16(0x180F));
    let mut builder = TableBuilder::bare();
    for _ in 0..300 {
        builder.add(service.clone());
    }
    let table = builder.build().expect("fits");
    for (mtu, groups, found, information) in [(23, 3, 5, 5), (247, 40, 61, 61), (517, 85, 129, 128)] {
        let mut link = Link { table: table.clone(), ..Link::with_mtu(mtu) };
        let by_group = link.response(over(0x10, 1, 0xFFFF, &PRIMARY));
        assert_eq!((by_group.len() - 2, by_group[1]), (groups * 6, 6), "MTU {mtu}");
        let by_value = link.response(over(0x06, 1, 0xFFFF, &[&PRIMARY[..], &BATTERY].concat()));
        assert_eq!(by_value.len() - 1, found * 4, "MTU {mtu}");
        let by_handle = link.response(over(0x04, 1, 0xFFFF, &[]));
        assert_eq!(by_handle.len() - 2, information * 4, "MTU {mtu}");
    }
}

#[test]
fn the_mtu_is_the_lesser_of_both_and_never_below_23() {
    for (ours, theirs, agreed) in
        [(517, 23, 23), (517, 247, 247), (100, 517, 100), (517, 5, 23), (5, 517, 23)]
    {
        let mut server = Server::new(ours);
        let mut request = vec![0x02];
        request.extend(u16::to_le_bytes(theirs));
        let outputs = server.on_pdu(&mut table(), &mut Client::default(), &request);
        assert_eq!(sent(&outputs)[1..], ours.max(23).to_le_bytes());
        assert_eq!(outputs[1..], [Output::Mtu(agreed)]);
        assert_eq!(server.mtu(), agreed);
    }
}

#[test]
fn what_is_not_for_a_server_changes_nothing() {
    for ignored in [
        &[][..],
        &[0x01, 0x0A, 3, 0, 1],
        &[0x0B, 1],
        &[0x1B, 3, 0, 1],
        &[0x1D, 3, 0, 1],
        &[0x23],
        &[0x1E],
        &[0x1E, 1],
        &[0x40, 1],
        &[0x7F],
        &[0x52, 0x12],
        &[0xD2, 0x12, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    ] {
        let mut link = Link::new();
        let outputs = link.send(ignored);
        assert!(matches!(outputs[..], [Output::Ignored(_)]), "{ignored:02x?}: {outputs:?}");
        assert_eq!(link.value(STORED).len(), 100);
    }
}

#[test]
fn a_value_that_is_asked_for_is_read_when_the_user_has_it() {
    let mut link = Link::new();
    let outputs = link.send(pdu(0x0A, ASKED, &[]));
    assert_eq!(outputs, [Output::Ask(Ask { id: 0, want: Want::Read { handle: ASKED } })]);
    assert!(matches!(link.send([0x0A, 3, 0])[..], [Output::Ignored(_)]), "one request at a time");
    assert_eq!(sent(&link.answer(Ok(b"now"))), b"\x0Bnow");
    let late = link.server.on_answer(&mut link.table, &mut link.client, 0, Ok(Bytes::new()));
    assert!(matches!(late[..], [Output::Ignored(_)]), "it has been answered");
    assert_eq!(link.response([0x0A, 3, 0]), [0x0B, 90], "the bearer is free");

    link.send(pdu(0x0A, ASKED, &[]));
    assert_eq!(sent(&link.answer(Err(AttError(0x80)))), error(0x0A, ASKED, AttError(0x80)));
    link.send(pdu(0x0A, ASKED, &[]));
    let other = link.server.on_answer(&mut link.table, &mut link.client, 1, Ok(Bytes::new()));
    assert!(matches!(other[..], [Output::Ignored(_)]), "an answer to the question before");
    assert_eq!(sent(&link.answer(Ok(&[1; 600]))), [&[0x0B][..], &[1; 22]].concat());
}

#[test]
fn a_long_read_gets_the_parts_of_one_value() {
    let mut link = Link::new();
    let blob = |offset: u16| pdu(0x0C, ASKED, &offset.to_le_bytes());
    link.send(pdu(0x0A, ASKED, &[]));
    let value: Vec<u8> = (0..60).collect();
    assert_eq!(sent(&link.answer(Ok(&value)))[1..], value[..22]);
    assert_eq!(link.response(blob(22))[1..], value[22..44]);
    assert_eq!(link.response(blob(44))[1..], value[44..]);
    assert_eq!(link.response(blob(61)), error(0x0C, ASKED, AttError::InvalidOffset));
    assert!(matches!(link.send(blob(0))[..], [Output::Ask(_)]), "from the start it is another value");
    assert_eq!(sent(&link.answer(Ok(b"other"))), b"\x0Dother");
    link.response([0x0A, 3, 0]);
    assert!(matches!(link.send(blob(3))[..], [Output::Ask(_)]), "another request ended the long read");
    assert_eq!(sent(&link.answer(Ok(b"third"))), b"\x0Drd");
}

#[test]
fn each_asked_value_of_a_set_is_asked_for_once() {
    let mut link = Link::new();
    link.send([0x20, 0x14, 0, 3, 0, 0x1F, 0, 0x14, 0]);
    let next = link.answer(Ok(b"one"));
    assert_eq!(next, [Output::Ask(Ask { id: 1, want: Want::Read { handle: SHORT_ASKED } })]);
    let response = sent(&link.answer(Ok(b"")));
    assert_eq!(response, b"\x21\x03\0one\x01\0Z\0\0\x03\0one");
    // What the link has lost meanwhile counts.
    let mut link = Link::encrypted();
    link.send([0x0E, 0x14, 0, 0x18, 0]);
    link.client.security.encrypted = false;
    assert_eq!(sent(&link.answer(Ok(b"1"))), error(0x0E, PRIVATE, AttError::InsufficientEncryption));
}

/// [Vol 3] Part F, 3.4.4.12
#[test]
fn variable_values_are_cut_at_the_mtu_and_never_within_a_length() {
    let read = |handles: &[u16]| {
        let handles: Vec<u8> = handles.iter().flat_map(|handle| handle.to_le_bytes()).collect();
        Link::new().response([&[0x20][..], &handles].concat())
    };
    assert_eq!(read(&[LEVEL; 7]), [&[0x21][..], &[1, 0, 90].repeat(7)].concat(), "one octet is left");
    assert_eq!(read(&[LEVEL; 9]), read(&[LEVEL; 7]), "in which no length begins");
    let whole = [&[0x21][..], &[2, 0, 0, 0].repeat(5), &[2, 0]].concat();
    assert_eq!(read(&[LEVEL_CCCD; 6]), whole, "a length alone");
    let value: Vec<u8> = (0..17).collect();
    assert_eq!(read(&[LEVEL, STORED, LEVEL]), [&[0x21, 1, 0, 90, 100, 0][..], &value].concat());
}
