//! Golden lines: what a person reads of packets as they are on the wire.

use super::testing::*;
use super::*;
use crate::capture::Timestamp;
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
            "ACL 0x0040 ATT_READ_BY_GROUP_TYPE_RSP 0x0001-0x0005 GAP, 0x0006-0xFFFF Heart Rate, 0.0 ms",
            "ACL 0x0040 ATT_READ_BY_TYPE_REQ 0x0001-0x0005 Characteristic",
            "ACL 0x0040 ATT_READ_BY_TYPE_RSP 0x0002 Device Name at 0x0003 (read), 0.0 ms",
            "ACL 0x0040 ATT_READ_BY_TYPE_REQ 0x0003-0x0005 Include",
            "ACL 0x0040 ATT_ERROR_RSP to ATT_READ_BY_TYPE_REQ of 0x0003: Attribute Not Found (0x0A), 0.0 ms",
            "ACL 0x0040 ATT_FIND_INFORMATION_REQ 0x0004-0x0005",
            "ACL 0x0040 ATT_FIND_INFORMATION_RSP 0x0004 Client Characteristic Configuration, 0x0005 0x1234, 0.0 ms",
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
            "ACL 0x0040 ATT_READ_RSP of 0x0003 → 4852207374726170 \"HR strap\", 0.0 ms",
            "ACL 0x0040 ATT_READ_RSP 57",
            "ACL 0x0040 ATT_WRITE_REQ 0x0004 0100",
            "ACL 0x0040 ATT_WRITE_RSP of 0x0004, 0.0 ms",
            "ACL 0x0040 ATT_WRITE_CMD 0x0004 (empty)",
            "ACL 0x0040 ATT_HANDLE_VALUE_NTF 0x0003 abababababababababababababababab… (40 octets)",
            "ACL 0x0040 ATT_PREPARE_WRITE_REQ 0x0003 from 16 0102",
        ]
    );
}

#[test]
fn handles_have_the_names_that_discovery_gave_them() {
    let at = |millis: i64, mut record: Record| {
        record.time = Timestamp::from_micros(millis * 1_000);
        record
    };
    let got = lines(&[
        at(0, connected([1, 0, 0x70, 0xE7, 0xBA, 0xC0])),
        att(Sent, b"\x08\x01\x00\xFF\xFF\x03\x28"),
        att(Received, b"\x09\x07\x20\x00\x12\x21\x00\x19\x2A"),
        att(Sent, b"\x04\x22\x00\x22\x00"),
        att(Received, b"\x05\x01\x22\x00\x02\x29"),
        at(100, att(Sent, b"\x0A\x21\x00")),
        at(112, att(Received, b"\x0B\x64")),
        att(Sent, b"\x12\x22\x00\x01\x00"),
        att(Received, b"\x1B\x21\x00\x63"),
        // The next link to the same device begins with what is known of it; one to another does not.
        record(Received, b"\x04\x05\x04\x00\x40\x00\x13".to_vec()),
        connected([1, 0, 0x70, 0xE7, 0xBA, 0xC0]),
        att(Sent, b"\x0A\x21\x00"),
        connected([2, 0, 0x70, 0xE7, 0xBA, 0xC0]),
        att(Sent, b"\x0A\x21\x00"),
        // Their handle 0x0021 is not ours.
        att(Received, b"\x0A\x21\x00"),
    ]);
    let read = "ACL 0x0040 ATT_READ_REQ 0x0021";
    assert_eq!(got[5], format!("{read} (Battery Level)"));
    assert_eq!(got[6], "ACL 0x0040 ATT_READ_RSP of 0x0021 (Battery Level) → 64, 12 ms");
    let cccd = "Battery Level: Client Characteristic Configuration";
    assert_eq!(got[7], format!("ACL 0x0040 ATT_WRITE_REQ 0x0022 ({cccd}) 0100"));
    assert_eq!(got[8], "ACL 0x0040 ATT_HANDLE_VALUE_NTF 0x0021 (Battery Level) 63");
    assert_eq!(got[11], format!("{read} (Battery Level)"));
    assert_eq!((&got[13][..], &got[14][..]), (read, read));
}

#[test]
fn fragments_of_several_links_and_both_ways_are_joined_apart() {
    let got = lines(&[
        fragment(Received, 1, true, b"\x05\x00\x04\x00\x1B\x07"),
        fragment(Received, 2, true, b"\x04\x00\x04\x00\x1B"),
        fragment(Sent, 1, true, b"\x04\x00\x04\x00\x52\x09"),
        fragment(Received, 1, false, b"\x00\xAA\xBB"),
        fragment(Sent, 1, false, b"\x00\xCC"),
        fragment(Received, 2, false, b"\x08\x00\xDD"),
    ]);
    assert_eq!(got[0], "ACL 0x0001 L2CAP frame starts, 6 octets");
    assert_eq!(got[3], "ACL 0x0001 ATT_HANDLE_VALUE_NTF 0x0007 aabb");
    assert_eq!(got[4], "ACL 0x0001 ATT_WRITE_CMD 0x0009 cc");
    assert_eq!(got[5], "ACL 0x0002 ATT_HANDLE_VALUE_NTF 0x0008 dd");
}

#[test]
fn where_a_format_does_not_tell_the_way_the_boundary_flag_does() {
    let mut request = att(Sent, b"\x0A\x03\x00");
    request.data = [&[2, 0x40, 0x00][..], &request.data[3..]].concat().into();
    let mut records = [request, att(Received, b"\x0A\x05\x00"), att(Received, b"\x0B\x01")];
    records.iter_mut().for_each(|record| record.kind = Kind::Packet(None));
    assert_eq!(lines(&records)[2], "ACL 0x0040 ATT_READ_RSP of 0x0003 → 01, 0.0 ms");
}

#[test]
fn a_handle_on_which_makers_send_traces_is_no_link_unless_the_capture_says_so() {
    let trace = record(Received, b"\x02\xDC\x2E\x07\x00\x03\x00\x04\x00\x0A\x03\x00".to_vec());
    assert_eq!(lines(std::slice::from_ref(&trace)), ["Vendor diagnostics 0x0EDC 030004000a0300"]);
    let mut link = connected([1, 0, 0x70, 0xE7, 0xBA, 0xC0]).data.to_vec();
    link[5..7].copy_from_slice(&[0xDC, 0x0E]);
    assert_eq!(lines(&[record(Received, link), trace])[1], "ACL 0x0EDC ATT_READ_REQ 0x0003");
}

#[test]
fn a_packet_that_was_cut_shows_what_is_there() {
    let cut = |mut record: Record, length: usize| {
        record.data.truncate(length);
        record
    };
    let got = lines(&[
        cut(att(Received, b"\x1B\x07\x00\x01\x02\x03"), 13),
        cut(record(Received, vec![4, 0x0E, 4, 1, 3, 0x0C, 0]), 2),
        cut(connected([1, 0, 0x70, 0xE7, 0xBA, 0xC0]), 12),
        att(Received, b"\x1B\x07\x00\x09"),
    ]);
    assert_eq!(got[0], "ACL 0x0040 ATT_HANDLE_VALUE_NTF 0x0007 01 (only 13 of 15 octets captured)");
    assert_eq!(got[1], "040e (only 2 of 7 octets captured)");
    assert_eq!(got[2], "LE Meta 010040000001010070 (only 12 of 22 octets captured)");
    assert!(got[3].ends_with("0x0007 09"), "{}", got[3]);
}

#[test]
fn octets_that_are_no_packet_are_said_to_be_none() {
    let raw = |octets: &'static [u8]| {
        Record::new(Timestamp::UNIX_EPOCH, Kind::Packet(Some(Received)), octets.into())
    };
    let got = lines(&[raw(&[7, 1, 2]), raw(&[]), raw(&[4, 0x0E, 9, 1, 3, 0x0C, 0])]);
    assert_eq!(got[0], "0x07 is no HCI packet indicator 070102");
    assert_eq!(got[1], "the packet ends inside its header (0 octets)");
    assert_eq!(
        got[2],
        "Command Complete Reset ncmd=1 status=Success (malformed: the header announces 9 octets and 4 follow)"
    );
}

#[test]
fn speech_and_streams_have_their_headers_and_notes_their_text() {
    let note = |kind, text: &'static [u8]| Record::new(Timestamp::UNIX_EPOCH, kind, text.into());
    let got = lines(&[
        record(Received, vec![3, 0x41, 0x10, 2, 0xAB, 0xCD]),
        record(Sent, vec![5, 0x60, 0x60, 10, 0, 1, 0, 0, 0, 7, 0, 2, 0, 0xEE, 0xFF]),
        note(Kind::Note, b"Linux version\x1b[2J\n\0"),
        note(Kind::Monitor(13), b"\x06\x05bt d\0battery\0"),
        note(Kind::Monitor(0), b"\x00\x01\x06\x05\x04\x03\x02\x01hci0\0\0\0\0"),
        note(Kind::Monitor(99), b"\x01"),
        note(Kind::PacketLogger(0xF7), b"hello"),
    ]);
    assert_eq!(got[0], "SCO 0x0041 abcd");
    assert_eq!(got[1], "ISO 0x0060 sequence=7 sdu_length=2 time_stamp=1 eeff");
    assert_eq!(got[2], "Note: Linux version\u{FFFD}[2J");
    assert_eq!(got[3], "User Logging bt d: battery");
    assert_eq!(got[4], "New Index 01:02:03:04:05:06 hci0");
    assert_eq!(got[5], "Monitor record 0x0063 01");
    assert_eq!(got[6], "PacketLogger record 0xF7: hello");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut dissector = Dissector::default();
    for handle in 0..=0x0EFF_u16 {
        let [low, high] = handle.to_le_bytes();
        dissector.line(&record(Received, vec![2, low, high | 0x20, 6, 0, 9, 0, 4, 0, 1, 2]));
        dissector.line(&record(Sent, vec![1, low, high, 0]));
    }
    assert!(dissector.links.len() <= 256 && dissector.commands.len() <= MOST_COMMANDS);
}

#[test]
fn a_request_of_the_peer_is_not_taken_for_ours() {
    let got =
        lines(&[att(Sent, b"\x0A\x03\x00"), att(Received, b"\x0A\x09\x00"), att(Received, b"\x0B\x01")]);
    assert_eq!(got[2], "ACL 0x0040 ATT_READ_RSP of 0x0003 → 01, 0.0 ms");
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

#[test]
fn what_is_of_br_edr_is_named_though_its_fields_are_not() {
    let got = lines(&[
        record(Sent, vec![1, 0x01, 0x04, 5, 0x33, 0x8B, 0x9E, 4, 0]),
        record(Received, vec![4, 0x0F, 4, 0, 1, 0x01, 0x04]),
        record(Received, vec![4, 0x2F, 2, 1, 0x95]),
        record(Received, vec![4, 0x0E, 6, 1, 0x17, 0x0C, 0, 0, 0x20]),
        record(Received, vec![4, 0x0E, 4, 1, 0x18, 0x0C, 0x0C]),
        record(Received, vec![4, 0x0E, 4, 1, 0x01, 0xFC, 0x0C]),
        record(Sent, vec![1, 0x01, 0xFC, 1, 2]),
        record(Received, vec![4, 0xFF, 2, 1, 2]),
        record(Received, vec![4, 0x3E, 2, 0x2D, 0]),
    ]);
    assert_eq!(
        got,
        [
            "Inquiry 338b9e0400",
            "Command Status Inquiry ncmd=1 status=Success",
            "Extended Inquiry Result 0195",
            "Command Complete Read Page Timeout ncmd=1 status=Success 0020",
            "Command Complete Write Page Timeout ncmd=1 status=Command Disallowed",
            "Command Complete vendor command 0xFC01 ncmd=1 0c",
            "vendor command 0xFC01 02",
            "Vendor Specific 0102",
            "LE CS Read Remote FAE Table Complete 00",
        ]
    );
    let tree = fields(&[record(Sent, vec![1, 0x01, 0x04, 1, 0x33])]);
    assert!(tree.contains("command: Inquiry (0x0401)"), "{tree}");
}

#[test]
fn channels_are_named_by_what_they_were_opened_for() {
    let got = lines(&[
        frame(Sent, 1, &[2, 5, 4, 0, 1, 0, 0x50, 0]),
        frame(Received, 1, &[3, 5, 8, 0, 0x41, 0, 0x50, 0, 0, 0, 0, 0]),
        frame(Sent, 0x41, &[0xAA]),
        frame(Received, 0x50, &[0xBB]),
        // The same number the other way is another channel.
        frame(Received, 0x41, &[0xCC]),
        frame(Sent, 1, &[6, 6, 4, 0, 0x41, 0, 0x50, 0]),
        frame(Received, 1, &[7, 6, 4, 0, 0x41, 0, 0x50, 0]),
        frame(Sent, 0x41, &[0xDD]),
        frame(Received, 0x50, &[0xEE]),
        frame(Sent, 2, &[1]),
        // A vendor's PSM, refused.
        frame(Sent, 1, &[2, 7, 4, 0, 1, 0x10, 0x51, 0]),
        frame(Received, 0x51, &[1]),
        frame(Received, 1, &[3, 7, 8, 0, 0, 0, 0x51, 0, 2, 0, 0, 0]),
        frame(Received, 0x51, &[1]),
    ]);
    assert_eq!(
        got,
        [
            "ACL 0x0040 L2CAP_CONNECTION_REQ psm=SDP source_cid=0x0050 id=5",
            "ACL 0x0040 L2CAP_CONNECTION_RSP destination_cid=0x0041 source_cid=0x0050 \
             result=Connection successful status=0 id=5",
            "ACL 0x0040 L2CAP 0x0041 (SDP) aa",
            "ACL 0x0040 L2CAP 0x0050 (SDP) bb",
            "ACL 0x0040 L2CAP 0x0041 cc",
            "ACL 0x0040 L2CAP_DISCONNECTION_REQ destination_cid=0x0041 source_cid=0x0050 id=6",
            "ACL 0x0040 L2CAP_DISCONNECTION_RSP destination_cid=0x0041 source_cid=0x0050 id=6",
            "ACL 0x0040 L2CAP 0x0041 dd",
            "ACL 0x0040 L2CAP 0x0050 ee",
            "ACL 0x0040 L2CAP connectionless 01",
            "ACL 0x0040 L2CAP_CONNECTION_REQ psm=0x1001 source_cid=0x0051 id=7",
            "ACL 0x0040 L2CAP 0x0051 (PSM 0x1001) 01",
            "ACL 0x0040 L2CAP_CONNECTION_RSP destination_cid=0x0000 source_cid=0x0051 \
             result=Connection refused - PSM not supported status=0 id=7",
            "ACL 0x0040 L2CAP 0x0051 01",
        ]
    );
}

#[test]
fn credit_based_channels_are_named_even_where_the_format_does_not_tell_the_way() {
    let requests = [
        frame(Received, 5, &[0x14, 3, 10, 0, 0x80, 0, 0x40, 0, 23, 0, 23, 0, 1, 0]),
        frame(Sent, 5, &[0x15, 3, 10, 0, 0x48, 0, 23, 0, 23, 0, 1, 0, 0, 0]),
        frame(Received, 5, &[0x17, 4, 12, 0, 0x27, 0, 64, 0, 64, 0, 1, 0, 0x41, 0, 0x42, 0]),
        frame(Sent, 5, &[0x18, 4, 12, 0, 64, 0, 64, 0, 1, 0, 0, 0, 0x49, 0, 0, 0]),
        frame(Received, 0x48, &[1]),
        frame(Received, 0x49, &[2]),
        frame(Sent, 0x40, &[3]),
        frame(Sent, 0x41, &[4]),
    ];
    let named = ["0x0048 (PSM 0x0080) 01", "0x0049 (EATT) 02", "0x0040 (PSM 0x0080) 03", "0x0041 (EATT) 04"]
        .map(|line| format!("ACL 0x0040 L2CAP {line}"));
    assert_eq!(lines(&requests)[4..], named);
    let unknown = requests.map(|mut record| {
        if record.direction() == Some(Sent) {
            record.data = [&record.data[..2], &[0x00], &record.data[3..]].concat().into();
        }
        record.kind = Kind::Packet(None);
        record
    });
    assert_eq!(lines(&unknown)[4..], named);
    let json = json(&unknown);
    assert_eq!(json["l2cap"]["psm"]["name"], "EATT", "{json}");
}

#[test]
fn packets_completed_are_those_of_each_link() {
    let got = lines(&[
        record(Received, vec![4, 0x13, 5, 1, 0x40, 0, 2, 0]),
        record(Received, vec![4, 0x13, 9, 2, 0x40, 0, 2, 0, 0x41, 0, 1, 0]),
    ]);
    assert_eq!(
        got,
        ["Number Of Completed Packets 0x0040: 2", "Number Of Completed Packets 0x0040: 2, 0x0041: 1"]
    );
}

#[test]
fn a_list_that_the_capture_cut_is_not_malformed() {
    let mut report = record(Received, vec![4, 0x3E, 12, 2, 1, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0xC0]);
    report.data.truncate(10);
    assert_eq!(lines(&[report]), ["LE Advertising Report 02010000010203 (only 10 of 15 octets captured)"]);
}

/// Any device may use a number that a company owns, and most that use 0xFFF0 and those behind it do not own it.
#[test]
fn the_owner_of_a_number_is_not_the_name_of_a_characteristic() {
    let got = lines(&[
        att(Sent, b"\x10\x01\x00\xFF\xFF\x00\x28"),
        att(Received, b"\x11\x06\x01\x00\x05\x00\xAA\xFE"),
        att(Sent, b"\x08\x01\x00\x05\x00\x03\x28"),
        att(Received, b"\x09\x07\x02\x00\x10\x03\x00\xF4\xFF"),
        att(Received, b"\x1B\x03\x00\x01"),
    ]);
    assert_eq!(got[1], "ACL 0x0040 ATT_READ_BY_GROUP_TYPE_RSP 0x0001-0x0005 0xFEAA (Google LLC), 0.0 ms");
    assert_eq!(got[3], "ACL 0x0040 ATT_READ_BY_TYPE_RSP 0x0002 0xFFF4 at 0x0003 (notify), 0.0 ms");
    assert_eq!(got[4], "ACL 0x0040 ATT_HANDLE_VALUE_NTF 0x0003 (0xFFF4) 01");
}

#[test]
fn times_have_microseconds_and_a_sign_when_the_clock_was_set_back() {
    let head = |first: i64, time: i64| {
        let mut record = record(Sent, vec![1, 3, 0x0C, 0]);
        record.time = Timestamp::from_micros(time);
        let mut out = Vec::new();
        Dissector::default().read(&record).write_head(Timestamp::from_micros(first), &mut out);
        String::from_utf8(out).expect("UTF-8")
    };
    assert_eq!(head(5, 1_000_012), "     1     1.000007 → ");
    assert_eq!(head(1_500_000, 0), "     1    -1.500000 → ");
    assert_eq!(head(0, 12_345_678_901_234), "     1 12345678.901234 → ");
    let mut json = Vec::new();
    let early = record(Sent, vec![1, 3, 0x0C, 0]);
    Dissector::default().read(&early).write_json(Timestamp::from_micros(1_500_000), &mut json);
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["time"], -1.5);
}
