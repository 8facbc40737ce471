//! Case R: captures that are not what the host does. Each is made from a good one by one change, and has to end in an
//! error that says where.

use crate::captures::path;
use crate::common::*;
use baretooth::capture::{Direction, Format, Kind, Reader, Record, Timestamp, Writer};
use baretooth::host::Request;
use baretooth::replay::{self, Replay, ReplayError, Script, ScriptError};
use baretooth::transports::HciPacket;
use baretooth::{Instant, ScanOptions};

fn records(name: &str) -> Vec<Record> {
    let file = std::fs::File::open(path(name)).expect("there");
    Reader::new(file).expect("a capture").collect::<Result<_, _>>().expect("whole")
}

fn script(records: &[Record]) -> Result<Script, ScriptError> {
    let mut writer = Writer::new(Vec::new(), Format::BTSNOOP).expect("a vector takes everything");
    for record in records {
        writer.write(record).expect("a vector takes everything");
    }
    Script::read(&writer.into_inner().expect("a vector takes everything")[..])
}

/// How a replay of these records ends.
fn end(records: &[Record]) -> Result<replay::Replayed, ReplayError> {
    let script = script(records)?;
    let config = script.config();
    replay::run(script, config)
}

fn message(records: &[Record]) -> String {
    end(records).expect_err("something is different").to_string()
}

fn place(records: &[Record], begins: &[u8]) -> usize {
    records.iter().position(|record| record.data.starts_with(begins)).expect("such a packet")
}

fn sent(octets: &[u8]) -> Record {
    let packet = HciPacket::new(octets.to_vec()).expect("a packet");
    Record::packet(Timestamp::UNIX_EPOCH, Direction::Sent, &packet)
}

fn change(record: &mut Record, at: usize, octet: u8) {
    let mut data = record.data.to_vec();
    data[at] = octet;
    record.data = data.into();
}

const LE_SET_EVENT_MASK: &[u8] = &[0x01, 0x01, 0x20];
const SCAN_PARAMETERS: &[u8] = &[0x01, 0x41, 0x20];
const SCAN_ENABLE: &[u8] = &[0x01, 0x42, 0x20];

#[test]
fn r_nothing_is_different_in_what_was_not_changed() {
    // What the other tests change. If this failed they would pass for nothing.
    end(&records("heart_rate.btsnoop")).expect("equal");
}

#[test]
fn r_a_command_that_the_capture_lacks_is_told_with_the_one_in_its_place() {
    let mut records = records("heart_rate.btsnoop");
    let missing = place(&records, LE_SET_EVENT_MASK);
    records.remove(missing);
    // Its answer is left: it comes before the host has asked.
    let next = (missing..).find(|&n| records[n].direction() == Some(Direction::Sent)).expect("more is sent");
    let ReplayError::Differs(difference) = end(&records).expect_err("a command is missing") else {
        panic!("another error")
    };
    assert_eq!(difference.number, next as u64 + 1);
    assert_eq!(&difference.sent.as_slice()[..3], LE_SET_EVENT_MASK);
    assert_eq!(difference.expected.as_slice(), &records[next].data[..]);
    let (field, expected, sent) = difference.field().expect("a field");
    assert_eq!(field, "command");
    assert_eq!(
        (expected.as_deref(), sent.as_deref()),
        (Some("LE Read Buffer Size [v1]"), Some("LE Set Event Mask"))
    );
}

#[test]
fn r_a_packet_of_another_kind_is_told_as_such() {
    let mut replay = Replay::new(Script::open(path("heart_rate.btsnoop")).expect("a capture"), config(1));
    let scan = replay.submit(Request::Scan(ScanOptions::new())).expect("equal");
    replay.cancel(scan).expect("equal");
    let connection = replay.connect(baretooth::sim::demo::HEART_RATE_ADDRESS).expect("a link").connection;
    // The capture goes on with discovery.
    let reason = baretooth::ErrorCode::RemoteUserTerminatedConnection;
    let op = replay.submit(Request::Disconnect { connection, reason }).expect("taken");
    let error = replay.done(op).expect_err("not in the capture");
    assert!(
        error.to_string().ends_with("first difference: packet: ACL data expected, command sent"),
        "{error}"
    );
}

#[test]
fn r_a_field_of_another_value_is_told_by_its_name() {
    let mut records = records("heart_rate.btsnoop");
    let scan = place(&records, SCAN_ENABLE);
    change(&mut records[scan], 5, 1);
    change(&mut records[scan], 6, 7);
    let text = message(&records);
    assert_eq!(
        text,
        format!(
            "packet {} differs from the capture\n  \
             expected: LE Set Extended Scan Enable enable=1 filter_duplicates=1 duration=70 ms period=0\n  \
             sent:     LE Set Extended Scan Enable enable=1 filter_duplicates=1 duration=0 period=0\n  \
             first difference: duration: 70 ms expected, 0 sent",
            scan + 1
        )
    );
}

#[test]
fn r_a_pdu_of_another_value_is_told_by_the_field_of_the_pdu() {
    let mut records = records("long_values.btsnoop");
    // The second part of a long read: Read Blob of an offset.
    let blob = records.iter().position(|r| r.data.get(9) == Some(&0x0C)).expect("a long read");
    change(&mut records[blob], 12, 23);
    // A guess follows the capture; whoever knows the request does not.
    let mut replay = Replay::new(script(&records).expect("a capture"), config(2));
    let options = baretooth::ConnectOptions::new().mtu(23);
    let address = baretooth::sim::demo::THERMOMETER_ADDRESS;
    let op = replay.submit(Request::Connect { address, options }).expect("equal");
    let baretooth::host::Output::Connected(link) = replay.done(op).expect("a link") else { panic!() };
    let by_uuid = baretooth::gatt::procedure::ReadByUuid::new(baretooth::sim::demo::LOG);
    let log = replay.gatt(link.connection, by_uuid).expect("readable")[0].handle;
    let error =
        replay.gatt(link.connection, baretooth::gatt::procedure::Read::new(log)).expect_err("different");
    let ReplayError::Differs(difference) = error else { panic!("{error}") };
    let (field, expected, sent) = difference.field().expect("a field");
    assert_eq!(field, "value_offset");
    assert_eq!((expected.as_deref(), sent.as_deref()), (Some("23"), Some("22")));
}

#[test]
fn r_an_extra_event_that_changes_nothing_is_taken_and_one_that_does_is_told() {
    let mut records = records("heart_rate.btsnoop");
    let scan = place(&records, SCAN_PARAMETERS);
    // A vendor's event.
    let vendor = HciPacket::event(0xFF, &[1, 2, 3]).expect("short");
    records.insert(scan, Record::packet(records[scan].time, Direction::Received, &vendor));
    end(&records).expect("nothing follows from it");
    // A hardware error: the host resets the controller.
    let fault = HciPacket::event(0x10, &[0x42]).expect("short");
    records[scan] = Record::packet(records[scan].time, Direction::Received, &fault);
    let text = message(&records);
    assert!(text.starts_with(&format!("packet {} differs", scan + 2)), "{text}");
    assert!(
        text.contains("expected: LE Set Extended Scan Parameters") && text.contains("sent:     Reset"),
        "{text}"
    );
}

#[test]
fn r_commands_in_another_order_are_told() {
    let mut records = records("heart_rate.btsnoop");
    let commands: Vec<_> =
        (0..records.len()).filter(|&n| records[n].direction() == Some(Direction::Sent)).collect();
    let (a, b) = (commands[2], commands[3]);
    let (first, second) = (records[a].data.clone(), records[b].data.clone());
    (records[a].data, records[b].data) = (second.clone(), first.clone());
    let ReplayError::Differs(difference) = end(&records).expect_err("swapped") else {
        panic!("another error")
    };
    assert_eq!(difference.number, a as u64 + 1);
    assert_eq!(difference.expected.as_slice(), &second[..]);
    assert_eq!(difference.sent.as_slice(), &first[..]);
    assert_eq!(difference.field().map(|(name, ..)| name).as_deref(), Some("command"));
}

#[test]
fn r_an_answer_that_the_capture_lacks_is_no_hang() {
    let mut records = records("heart_rate.btsnoop");
    let sent = place(&records, LE_SET_EVENT_MASK);
    assert_eq!(records.remove(sent + 1).direction(), Some(Direction::Received));
    // Without an answer the host would go on after two seconds, and the capture's host went on at once.
    let next = records[sent + 1].data.clone();
    match end(&records).expect_err("an answer is missing") {
        ReplayError::NotSent { number, expected, .. } => {
            assert_eq!((number, expected.as_slice()), (sent as u64 + 2, &next[..]));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn r_a_packet_that_no_request_explains_is_told_and_waited_for_in_vain() {
    let mut records = records("heart_rate.btsnoop");
    let scan = place(&records, SCAN_PARAMETERS);
    // An answer to an ATT request that nobody made.
    let time = records[scan].time;
    records.insert(scan, Record { time, ..sent(&[0x02, 1, 0, 6, 0, 2, 0, 4, 0, 0x0B, 7]) });
    assert_eq!(
        message(&records),
        format!(
            "the host does not send packet {}: ACL 0x0001 ATT_READ_RSP 07; nothing in the capture \
             says which request made it",
            scan + 1
        )
    );
}

#[test]
fn r_a_request_of_which_the_capture_knows_nothing_is_told() {
    let mut records = records("heart_rate.btsnoop");
    records.truncate(place(&records, SCAN_PARAMETERS));
    let mut replay = {
        let script = script(&records).expect("a capture");
        let config = script.config();
        Replay::new(script, config)
    };
    replay.submit(Request::Scan(ScanOptions::new())).expect("everything before is equal");
    let text = replay.run_to_end().expect_err("the capture is over").to_string();
    assert!(
        text.starts_with("after the end of the capture the host sends: LE Set Extended Scan Param"),
        "{text}"
    );
}

#[test]
fn r_a_program_that_forgets_a_request_is_told_which_packet_it_led_to() {
    let mut replay = Replay::open(path("heart_rate.btsnoop")).expect("a capture");
    let text = replay.run_to_end().expect_err("nobody scans").to_string();
    assert!(
        text.contains("the host does not send packet") && text.contains("LE Set Extended Scan"),
        "{text}"
    );
    // It stays so, however often one asks.
    assert_eq!(replay.run_to_end().expect_err("still").to_string(), text);
}

#[test]
fn r_time_is_that_of_the_capture_alone() {
    // The scan ends a year later, in the capture and in the session and not here.
    let mut records = records("heart_rate.btsnoop");
    let year = seconds(365 * 24 * 3600);
    let scan = place(&records, &[SCAN_ENABLE, &[6, 0]].concat());
    for record in &mut records[scan..] {
        record.time = record.time + year;
    }
    let replayed = end(&records).expect("time alone is no difference");
    assert!(replayed.time > year);
    let mut replay = Replay::new(script(&records).expect("a capture"), config(1));
    assert_eq!(replay.now(), Instant::START);
    replay.submit(Request::Scan(ScanOptions::new())).expect("equal");
    assert!(replay.now() < Instant::from_start(year), "the request is made before the year");
}

#[test]
fn r_a_clock_that_was_set_back_stands_still() {
    let mut records = records("long_values.btsnoop");
    let half = records.len() / 2;
    for record in &mut records[half..] {
        record.time = Timestamp::from_micros(record.time.micros() - 3_600_000_000);
    }
    end(&records).expect("equal");
}

#[test]
fn r_notes_and_other_adapters_are_left_out_and_what_cannot_be_replayed_is_named() {
    let good = records("heart_rate.btsnoop");
    let of_all = |records: &[Record]| script(records).map(|script| script.packets().len());
    assert_eq!(of_all(&good).expect("a capture"), good.len());

    let mut cut = good.clone();
    let length = cut[4].data.len();
    cut[4].data = cut[4].data.slice(..length - 1);
    let error = of_all(&cut).expect_err("a packet is cut").to_string();
    assert_eq!(
        error,
        format!(
            "packet 5 cannot be replayed: the capture kept {} of its {length} octets; capture whole packets",
            length - 1
        )
    );

    assert!(matches!(of_all(&[]), Err(ScriptError::Empty)));
    let received: Vec<_> =
        good.iter().filter(|record| record.kind != Kind::Packet(Some(Direction::Sent))).cloned().collect();
    assert!(matches!(of_all(&received), Err(ScriptError::Empty)));
}
