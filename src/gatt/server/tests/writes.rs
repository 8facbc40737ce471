//! Write requests and commands, and the queue of prepared writes.

use super::*;

pub(super) fn prepare(handle: u16, offset: u16, part: &[u8]) -> Vec<u8> {
    pdu(0x16, handle, &[&offset.to_le_bytes()[..], part].concat())
}

pub(super) const EXECUTE: [u8; 2] = [0x18, 1];
pub(super) const CANCEL: [u8; 2] = [0x18, 0];

#[test]
fn a_stored_value_is_written_and_told() {
    let mut link = Link::new();
    let outputs = link.send(pdu(0x12, STORED, b"new"));
    assert_eq!(
        outputs,
        [Output::Send(Bytes::from_static(&[0x13])), Output::Written(offer(STORED, 0, b"new"))]
    );
    assert_eq!(link.value(STORED), b"new", "a shorter value replaces the whole");
    let outputs = link.send(pdu(0x52, STORED, b""));
    assert_eq!(outputs, [Output::Written(offer(STORED, 0, b""))]);
    assert_eq!(link.value(STORED), b"");
}

#[test]
fn an_offered_value_is_taken_or_refused_by_the_user() {
    let mut link = Link::new();
    let outputs = link.send(pdu(0x12, ASKED, b"new"));
    let want = Want::Write(vec![offer(ASKED, 0, b"new")]);
    assert_eq!(outputs, [Output::Ask(Ask { id: 0, want })]);
    assert_eq!(link.answer(Ok(b"")), [Output::Send(Bytes::from_static(&[0x13]))]);
    link.send(pdu(0x12, ASKED, b"new"));
    let refused = link.answer(Err(AttError::WriteRequestRejected));
    assert_eq!(sent(&refused), error(0x12, ASKED, AttError::WriteRequestRejected));
    assert_eq!(link.send(pdu(0x52, ASKED, b"cmd")), [Output::Written(offer(ASKED, 0, b"cmd"))]);
}

#[test]
fn a_command_that_is_not_permitted_is_ignored() {
    for command in [
        pdu(0x52, NOTHING, b"x"),
        pdu(0x52, LEVEL, b"x"),
        pdu(0x52, PRIVATE, b"x"),
        pdu(0x52, WRITE_ONLY, b"x"),
        pdu(0x52, LEVEL_CCCD, &[1, 0]),
        pdu(0x52, STORED, &[0; 21]),
    ] {
        let mut link = Link::new();
        assert!(matches!(link.send(&command)[..], [Output::Ignored(_)]), "{command:02x?}");
        assert_eq!((link.value(STORED).len(), link.value(WRITE_ONLY)), (100, &b"hidden"[..]));
    }
    let mut link = Link::with_mtu(517);
    assert!(matches!(link.send(pdu(0x52, STORED, &[0; 201]))[..], [Output::Ignored(_)]));
    assert!(matches!(link.send(pdu(0x52, STORED, &[0; 200]))[..], [Output::Written(_)]));
}

#[test]
fn commands_are_taken_while_a_request_waits_for_the_user() {
    let mut link = Link::new();
    link.send(pdu(0x0A, ASKED, &[]));
    assert!(matches!(link.send(pdu(0x52, STORED, b"cmd"))[..], [Output::Written(_)]));
    assert_eq!(sent(&link.answer(Ok(b"1"))), b"\x0B1");
}

#[test]
pub(super) fn prepared_parts_are_one_value_when_they_are_executed() {
    let mut link = Link::new();
    for (offset, part) in [(0, &b"first "[..]), (6, b"second "), (13, b"third")] {
        let request = prepare(STORED, offset, part);
        let echo = [&[0x17][..], &request[1..]].concat();
        assert_eq!(link.response(&request), echo);
    }
    assert_eq!(link.value(STORED).len(), 100, "not before");
    let outputs = link.send(EXECUTE);
    assert_eq!(outputs[1..], [Output::Written(offer(STORED, 0, b"first second third"))]);
    assert_eq!(link.value(STORED), b"first second third");
    assert_eq!(link.send(EXECUTE).len(), 1, "the queue is empty");

    link.response(prepare(STORED, 6, b"2nd"));
    link.response(CANCEL);
    assert_eq!((link.response(EXECUTE), link.value(STORED)), (vec![0x19], &b"first second third"[..]));
    link.response(prepare(STORED, 6, b"2nd"));
    link.response(EXECUTE);
    assert_eq!(link.value(STORED), b"first 2nd", "it ends where the last part ends");
}

#[test]
fn a_queue_with_one_wrong_part_writes_nothing_and_is_gone() {
    for (handle, offset, part, code) in [
        (STORED, 101, &b"x"[..], AttError::InvalidOffset),
        (STORED, 99, &[0; 102], AttError::InvalidAttributeValueLength),
        (SHORT_ASKED, 3, b"ab", AttError::InvalidAttributeValueLength),
        (LEVEL_CCCD, 0, &[1], AttError::InvalidAttributeValueLength),
        (LEVEL_CCCD, 0, &[2, 0], AttError::ValueNotAllowed),
        (LEVEL_CCCD, 1, &[0, 0], AttError::InvalidAttributeValueLength),
    ] {
        let mut link = Link::with_mtu(247);
        link.response(prepare(WRITE_ONLY, 0, b"good"));
        link.response(prepare(handle, offset, part));
        assert_eq!(link.response(EXECUTE), error(0x18, handle, code), "{handle:04x} {offset}");
        assert_eq!(link.value(WRITE_ONLY), b"hidden");
        assert_eq!((link.response(EXECUTE), link.value(WRITE_ONLY)), (vec![0x19], &b"hidden"[..]));
    }
    let mut link = Link::new();
    link.response(prepare(ASKED, 10, b"a"));
    link.response(prepare(ASKED, 12, b"b"));
    assert_eq!(link.response(EXECUTE), error(0x18, ASKED, AttError::InvalidOffset), "a gap");
    link.response(prepare(ASKED, 10, b"a"));
    link.response(prepare(ASKED, 9, b"b"));
    assert_eq!(link.response(EXECUTE), error(0x18, ASKED, AttError::InvalidOffset), "before the first part");
}

#[test]
fn a_reliable_write_is_taken_whole_or_not_at_all() {
    let mut queued = Link::new();
    for (handle, offset, part) in [
        (STORED, 0, &b"stored"[..]),
        (ASKED, 5, b"ask"),
        (LEVEL_CCCD, 0, &[1, 0]),
        (SHORT_ASKED, 0, b"sh"),
        (ASKED, 8, b"ed"),
    ] {
        queued.response(prepare(handle, offset, part));
    }
    let outputs = queued.send(EXECUTE);
    let want = Want::Write(vec![offer(ASKED, 5, b"asked"), offer(SHORT_ASKED, 0, b"sh")]);
    assert_eq!(outputs, [Output::Ask(Ask { id: 0, want })]);
    assert_eq!(queued.value(STORED).len(), 100, "nothing before the user has agreed");
    let mut refused = Link { server: queued.server.clone(), client: queued.client.clone(), ..Link::new() };

    let outputs = queued.answer(Ok(b""));
    let written = Output::Written(offer(STORED, 0, b"stored"));
    let configured = Output::Configured { value_handle: LEVEL, configuration: 1 };
    assert_eq!(outputs, [Output::Send(Bytes::from_static(&[0x19])), written, configured]);
    assert_eq!(queued.value(STORED), b"stored");

    let outputs = refused.answer(Err(AttError::OutOfRange));
    assert_eq!(sent(&outputs), error(0x18, ASKED, AttError::OutOfRange));
    assert_eq!(refused.value(STORED).len(), 100);
    assert_eq!(refused.send(EXECUTE), [Output::Send(Bytes::from_static(&[0x19]))], "the queue is gone");
}

#[test]
fn the_queue_is_bounded_in_parts_and_octets() {
    let mut link = Link::new();
    for _ in 0..128 {
        assert_eq!(link.response(prepare(STORED, 0, b""))[0], 0x17);
    }
    let full = error(0x16, STORED, AttError::PrepareQueueFull);
    assert_eq!(link.response(prepare(STORED, 0, b"")), full);
    link.response(CANCEL);
    assert_eq!(link.response(prepare(STORED, 0, b""))[0], 0x17);

    let mut link = Link::with_mtu(517);
    for _ in 0..8 {
        assert_eq!(link.response(prepare(STORED, 0, &[0; 512]))[0], 0x17);
    }
    assert_eq!(link.response(prepare(STORED, 0, &[0])), full);
    assert_eq!(link.response(prepare(STORED, 0, b""))[0], 0x17);
}
