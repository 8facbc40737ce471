//! Trees and JSON of packets as they are on the wire.

use crate::capture::dissect::testing::*;
use crate::capture::{
    Direction::{Received, Sent},
    Kind, Record, Timestamp,
};

#[test]
fn every_field_stands_in_the_tree_and_in_json() {
    let mut answer = att(Received, b"\x0B\x64");
    answer.time = Timestamp::from_micros(12_345);
    let records = [att(Sent, b"\x0A\x21\x00"), answer];
    let tree = fields(&records);
    for line in [
        "\n            connection_handle: 0x0040",
        "\n            channel: 0x0004 (ATT)",
        "\n          att: ATT_READ_RSP (0x0B)\n            attribute_value: 64",
        "\n            after_us: 12345",
    ] {
        assert!(tree.contains(line), "{line:?} is not in {tree}");
    }
    let json = json(&records);
    assert_eq!(json["text"], "ACL 0x0040 ATT_READ_RSP of 0x0021 → 64, 12 ms");
    assert_eq!((&json["number"], &json["time"]), (&2.into(), &0.012345.into()));
    assert_eq!(json["att"]["attribute_value"], "64");
    assert_eq!(json["answers"]["attribute_handle"], 0x21);
    assert_eq!(json["acl"]["connection_handle"], 0x40);
}

#[test]
fn what_is_broken_is_shown_with_the_reason_in_every_form() {
    let short = record(Received, vec![4, 0x3E, 2, 0x0A, 0]);
    assert!(fields(std::slice::from_ref(&short)).contains("malformed: \"LE Meta: malformed at octet"));
    assert_eq!(json(std::slice::from_ref(&short))["event"], "0a00");
    let raw =
        Record::new(Timestamp::UNIX_EPOCH, Kind::Packet(None), bytes::Bytes::from_static(b"\x07\x1B\n"));
    assert_eq!(json(std::slice::from_ref(&raw))["kind"], "broken");
    assert!(fields(&[raw]).contains("data: 071b0a"));
}

#[test]
fn masks_and_names_are_spelled_out_in_the_tree() {
    let mut name = vec![1, 0x13, 0x0C, 248];
    name.extend(b"Pixel \x1B7");
    name.resize(4 + 248, 0);
    let records = [
        record(Sent, vec![1, 0x01, 0x0C, 8, 0x10, 0, 0, 0, 0, 0, 0, 0x20]),
        record(Sent, vec![1, 0x63, 0x0C, 8, 0, 0, 0x80, 0, 0, 0, 0, 0]),
        record(Sent, vec![1, 0x01, 0x20, 8, 1, 2, 0, 0, 0, 0, 0, 0]),
        record(Received, vec![4, 0x3E, 12, 4, 0, 0x40, 0, 1, 1, 0, 0, 0, 0, 0, 0x80]),
        record(Sent, vec![1, 0x31, 0x20, 3, 0, 2, 4]),
        record(Sent, name),
        record(Received, vec![4, 3, 11, 4, 0x40, 0, 6, 5, 4, 3, 2, 1, 1, 0]),
    ];
    let tree: String = records.chunks(1).map(fields).collect();
    for line in [
        "event_mask: 0x2000000000000010 (Disconnection Complete, LE Meta)",
        "event_mask_page_2: 0x0000000000800000 (Authenticated Payload Timeout Expired)",
        "le_event_mask: 0x0000000000000201 (LE Connection Complete, LE Enhanced Connection Complete [v1])",
        "le_features: 0x8000000000000101 (LE Encryption, LE 2M PHY, LL Extended Feature Set)",
        "tx_phys: 0x02 (2M)",
        "rx_phys: 0x04 (Coded)",
        "link_type: 1 (ACL)",
    ] {
        assert!(tree.contains(line), "{line:?} is not in {tree}");
    }
    assert_eq!(lines(&records[5..6]), [r#"Write Local Name local_name="Pixel \u{1b}7""#]);
}
