//! Golden lines: what a person reads of packets as they are on the wire.

use super::*;
use crate::capture::Timestamp;

fn record(direction: Direction, octets: Vec<u8>) -> Record {
    Record::packet(Timestamp::UNIX_EPOCH, direction, &HciPacket::new(octets).expect("whole"))
}

/// One ATT PDU in one ACL packet on link 0x0040.
fn att(direction: Direction, pdu: &[u8]) -> Record {
    let length = u8::try_from(pdu.len()).expect("short");
    let header = [0x02, 0x40, 0x20, length + 4, 0, length, 0, 4, 0];
    record(direction, [&header[..], pdu].concat())
}

fn lines(records: &[Record]) -> Vec<String> {
    let mut dissector = Dissector::default();
    records.iter().map(|record| dissector.line(record)).collect()
}

use Direction::{Received, Sent};

#[test]
fn discovery_reads_as_names_and_handles() {
    let got = lines(&[
        att(Sent, b"\x10\x01\x00\xFF\xFF\x00\x28"),
        att(Received, b"\x11\x06\x01\x00\x05\x00\x00\x18\x06\x00\xFF\xFF\x0D\x18"),
        att(Sent, b"\x08\x01\x00\x05\x00\x03\x28"),
        att(Received, b"\x09\x07\x02\x00\x02\x03\x00\x00\x2A"),
        att(Sent, b"\x08\x03\x00\x05\x00\x02\x28"),
        att(Received, b"\x01\x08\x03\x00\x0A"),
        att(Sent, b"\x04\x04\x00\x05\x00"),
        att(Received, b"\x05\x01\x04\x00\x02\x29\x05\x00\x34\x12"),
        att(Sent, b"\x06\x01\x00\xFF\xFF\x00\x28\x0D\x18"),
    ]);
    assert_eq!(
        got,
        [
            "ACL 0x0040 ATT_READ_BY_GROUP_TYPE_REQ 0x0001-0xFFFF Primary Service",
            "ACL 0x0040 ATT_READ_BY_GROUP_TYPE_RSP 0x0001-0x0005 GAP, 0x0006-0xFFFF Heart Rate",
            "ACL 0x0040 ATT_READ_BY_TYPE_REQ 0x0001-0x0005 Characteristic",
            "ACL 0x0040 ATT_READ_BY_TYPE_RSP 0x0002 Device Name at 0x0003 (read)",
            "ACL 0x0040 ATT_READ_BY_TYPE_REQ 0x0003-0x0005 Include",
            "ACL 0x0040 ATT_ERROR_RSP to ATT_READ_BY_TYPE_REQ of 0x0003: Attribute Not Found (0x0A)",
            "ACL 0x0040 ATT_FIND_INFORMATION_REQ 0x0004-0x0005",
            "ACL 0x0040 ATT_FIND_INFORMATION_RSP 0x0004 Client Characteristic Configuration, 0x0005 0x1234",
            "ACL 0x0040 ATT_FIND_BY_TYPE_VALUE_REQ 0x0001-0xFFFF Primary Service Heart Rate",
        ]
    );
}

#[test]
fn values_have_their_handle_and_long_ones_are_cut() {
    let long = [&b"\x1B\x03\x00"[..], &[0xAB; 40]].concat();
    let got = lines(&[
        att(Sent, b"\x0A\x03\x00"),
        att(Received, b"\x0BHR strap"),
        att(Received, b"\x0B\x57"),
        att(Sent, b"\x12\x04\x00\x01\x00"),
        att(Received, b"\x13"),
        att(Sent, b"\x52\x04\x00"),
        att(Received, &long),
        att(Sent, b"\x16\x03\x00\x10\x00\x01\x02"),
    ]);
    assert_eq!(
        got,
        [
            "ACL 0x0040 ATT_READ_REQ 0x0003",
            "ACL 0x0040 ATT_READ_RSP of 0x0003 4852207374726170 \"HR strap\"",
            "ACL 0x0040 ATT_READ_RSP 57",
            "ACL 0x0040 ATT_WRITE_REQ 0x0004 0100",
            "ACL 0x0040 ATT_WRITE_RSP of 0x0004",
            "ACL 0x0040 ATT_WRITE_CMD 0x0004 (empty)",
            "ACL 0x0040 ATT_HANDLE_VALUE_NTF 0x0003 abababababababababababababababab… (40 octets)",
            "ACL 0x0040 ATT_PREPARE_WRITE_REQ 0x0003 from 16 0102",
        ]
    );
}

#[test]
fn a_request_of_the_peer_is_not_taken_for_ours() {
    let got =
        lines(&[att(Sent, b"\x0A\x03\x00"), att(Received, b"\x0A\x09\x00"), att(Received, b"\x0B\x01")]);
    assert_eq!(got[2], "ACL 0x0040 ATT_READ_RSP of 0x0003 01");
}

#[test]
fn entries_of_no_or_a_wrong_length_are_octets() {
    let got = lines(&[
        att(Received, b"\x11\x00\x01\x02"),
        att(Received, b"\x09\x03\x01\x00\x05\x02"),
        att(Received, b"\x05\x07\x01\x02\x03"),
    ]);
    assert_eq!(
        got,
        [
            "ACL 0x0040 ATT_READ_BY_GROUP_TYPE_RSP 01, 02",
            "ACL 0x0040 ATT_READ_BY_TYPE_RSP 0x0001 05, 02",
            "ACL 0x0040 ATT_FIND_INFORMATION_RSP 010203",
        ]
    );
}

#[test]
fn advertising_reads_as_what_it_says() {
    let legacy = b"\x04\x3E\x1D\x02\x01\x00\x01\x01\x00\x70\xE7\xBA\xC0\x11\x02\x01\x06\x03\x03\x0D\x18\x09\x09HR strap\xCE";
    assert_eq!(
        lines(&[record(Received, legacy.to_vec())]),
        ["LE Advertising Report C0:BA:E7:70:00:01/random -50 dBm ADV_IND: Flags 0x06, services \
          [Heart Rate], Complete Local Name \"HR strap\""]
    );
}

#[test]
fn long_runs_of_octets_are_cut_whichever_case_they_have() {
    let run = "AB".repeat(25);
    assert_eq!(shortened(&format!("x {run}, y")), format!("x {}… (25 octets), y", "AB".repeat(16)));
    assert_eq!(shortened(&run[2..]), run[2..], "24 octets are shown");
}

/// Two parts of a chain, cut in the middle of the second AD structure.
#[test]
fn parts_of_long_advertising_are_shown_as_they_came() {
    let part = |status: u8, data: &[u8]| {
        let length = u8::try_from(data.len()).expect("short");
        let head =
            [0x04, 0x3E, 26 + length, 0x0D, 1, status, 0, 1, 4, 0, 0x70, 0xE7, 0xBA, 0xC0, 1, 2, 7, 4, 0xCE];
        record(Received, [&head[..], &[0, 0, 0, 0, 0, 0, 0, 0, 0, length], data].concat())
    };
    let data = b"\x07\x09Beacon\x05\xFF\xFF\xFF\x01\x02";
    let advertiser = "LE Extended Advertising Report C0:BA:E7:70:00:04/random -50 dBm";
    assert_eq!(
        lines(&[part(0x20, &data[..11]), part(0, &data[11..]), part(0, &data[..8])]),
        [
            format!("{advertiser}, more to come: Complete Local Name \"Beacon\", 05ffff"),
            format!("{advertiser}, continued: ff0102"),
            format!("{advertiser}: Complete Local Name \"Beacon\""),
        ]
    );
}

#[test]
fn events_and_commands_have_no_husk() {
    let got = lines(&[
        record(Sent, vec![1, 3, 0x0C, 0]),
        record(Received, vec![4, 0x3E, 11, 0x07, 0x40, 0, 27, 0, 0x48, 1, 27, 0, 0x48, 1]),
        record(Received, vec![4, 0x3E, 3, 0x02, 1, 0]),
    ]);
    assert_eq!(got[0], "Reset");
    assert!(
        got[1].starts_with("LE Data Length Change connection_handle=0x0040 max_tx_octets=27"),
        "{}",
        got[1]
    );
    assert!(got[2].ends_with("(malformed)"), "a report that is not whole: {}", got[2]);
}
