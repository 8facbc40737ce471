use super::*;
use crate::capture::dissect::Dissector;
use crate::capture::{Kind, Reader, Record};
use proptest::prelude::*;

fn heart_rate() -> Vec<Record> {
    let file = &include_bytes!("../../../captures/heart_rate.btsnoop")[..];
    Reader::new(file).expect("a capture").map(|record| record.expect("whole")).collect()
}

/// The lines of the packets that pass.
fn shown(records: &[Record], filter: &str) -> Vec<String> {
    let mut filter: Filter = filter.parse().unwrap_or_else(|error| panic!("{filter}: {error}"));
    let mut dissector = Dissector::default();
    let mut shown = Vec::new();
    for record in records {
        let packet = dissector.read(record);
        if filter.matches(&packet) {
            let mut line = Vec::new();
            packet.write_line(&mut line);
            shown.push(String::from_utf8(line).expect("text"));
        }
    }
    shown
}

#[test]
fn a_layer_has_its_packets_and_answers_keep_what_was_asked() {
    let records = heart_rate();
    let att = shown(&records, "layer=att");
    assert!(att.iter().all(|line| line.contains("ATT_")) && att.len() > 10, "{att:?}");
    assert!(
        att.iter().any(|line| line.contains("(Battery Level) →")),
        "names and requests are still known: {att:?}"
    );
    let commands = shown(&records, "layer=command").len();
    let events = shown(&records, "layer=event").len();
    assert_eq!(shown(&records, "layer=hci").len(), commands + events);
    assert_eq!(shown(&records, "layer=command,event").len(), commands + events);
    assert_eq!(commands + events + shown(&records, "layer=acl").len(), records.len());
    assert!(shown(&records, "layer=sco,iso,note,smp").is_empty());
    let reports = shown(&records, "layer=adv");
    assert!(
        !reports.is_empty() && reports.iter().all(|line| line.contains("Advertising Report")),
        "{reports:?}"
    );
}

#[test]
fn a_link_has_its_data_and_what_names_it() {
    let records = heart_rate();
    let link = shown(&records, "handle=0x0001 or handle=0x0040");
    let has = |what: &str| link.iter().any(|line| line.contains(what));
    assert!(has("Connection Complete") && has("ACL 0x00") && has("Disconnect "), "{link:?}");
    assert!(has("Command Complete LE Set Data Length"), "what a command returned names it: {link:?}");
    assert!(has("Disconnection Complete") && has("Number Of Completed Packets"), "{link:?}");
    assert!(!has("LE Set Scan Enable") && !has("Advertising Report"), "{link:?}");
    assert!(shown(&records, "handle=0x0EFF").is_empty());
}

#[test]
fn a_device_has_its_reports_its_links_and_their_end() {
    let records = heart_rate();
    let device = shown(&records, "address=C0:BA:E7:70:00:01");
    let has = |what: &str| device.iter().any(|line| line.contains(what));
    assert!(has("Advertising Report C0:BA:E7:70:00:01") && has("Create Connection"), "{device:?}");
    assert!(has("ATT_") && has("Disconnection Complete"), "{device:?}");
    assert!(!has("C0:BA:E7:70:00:02"), "{device:?}");
    assert!(shown(&records, "address=C0:BA:E7:70:00:0F").is_empty());
}

#[test]
fn times_count_from_the_first_record_and_include_their_ends() {
    let mut records = heart_rate();
    records.truncate(4);
    for (record, seconds) in records.iter_mut().zip([100, 101, 102, 99]) {
        record.time = Timestamp::new(seconds, 500);
    }
    let count = |filter: &str| shown(&records, filter).len();
    assert_eq!(count("time=1..2"), 2);
    assert_eq!(count("time=..0"), 2, "also those of a clock that was set back");
    assert_eq!(count("time=1.000000001.."), 1);
    assert_eq!(count("time=-1..-0.5"), 1);
    assert_eq!(count("time=0..0,2..2"), 2);
}

#[test]
fn names_are_found_without_case_and_blanks_and_with_what_answers_them() {
    let records = heart_rate();
    let scan = shown(&records, "name=le_set_*scan_enable");
    assert!(scan.iter().any(|line| line.starts_with("Command Complete LE Set")), "{scan:?}");
    assert!(scan.iter().all(|line| line.contains("Scan Enable")), "{scan:?}");
    assert_eq!(shown(&records, "name=ATT-READ-RSP"), shown(&records, "name=att_read_rsp"));
    assert!(!shown(&records, "name=ATT_READ_RSP").is_empty());
    assert!(shown(&records, "name=READ_RSP").is_empty(), "a name is the whole name");
}

#[test]
fn an_attribute_has_its_pdus_and_their_answers() {
    let records = heart_rate();
    let all = shown(&records, "layer=att");
    let read = all.iter().find(|line| line.contains("ATT_READ_REQ")).expect("one");
    let handle = read.split_whitespace().nth(3).expect("its handle");
    let attribute = shown(&records, &format!("attribute={handle}"));
    assert!(attribute.iter().any(|line| line.contains("ATT_READ_RSP")), "{attribute:?}");
    assert!(attribute.iter().all(|line| line.contains(handle)), "{attribute:?}");
    // A search that began there found nothing, which is not about this attribute.
    assert!(all.iter().any(|line| line.contains(&format!("BY_TYPE_REQ of {handle}"))), "{all:?}");
    assert!(!attribute.iter().any(|line| line.contains("ATT_ERROR_RSP")), "{attribute:?}");
}

#[test]
fn conditions_join_as_people_read_them() {
    let records = heart_rate();
    let count = |filter: &str| shown(&records, filter).len();
    let (att, sent) = (count("layer=att"), count("layer=att and direction=sent"));
    assert!(0 < sent && sent < att);
    assert_eq!(count("layer=att and not direction=sent"), att - sent);
    assert_eq!(count("layer=att AND Not (direction=sent or layer=smp)"), att - sent);
    // Closer than or: the second half alone would be all events.
    assert_eq!(count("layer=att or layer=event and name=nothing"), att);
    let events = count("layer=event");
    assert_eq!(count("name=nothing and layer=att or layer=event"), events);
    assert_eq!(count("(layer=att or layer=event) and name=nothing"), 0);
    let of = |text: &str| text.parse::<Filter>().expect(text);
    let both =
        of("layer=att").and(Filter::time(Some(Elapsed(0)), None)).and(Filter::link(ConnectionHandle(1)));
    assert_eq!(both.to_string(), "((layer=att and time=0..) and handle=0x0001)");
}

#[test]
fn adapters_are_told_apart() {
    let mut records = heart_rate();
    records.truncate(3);
    records[1].adapter = Some(1);
    assert_eq!(shown(&records, "adapter=1").len(), 1);
    assert_eq!(shown(&records, "not adapter=1").len(), 2);
}

#[test]
fn a_frame_without_a_direction_has_that_of_its_link() {
    let mut records = heart_rate();
    let sent = shown(&records, "layer=att and direction=sent");
    records.iter_mut().for_each(|record| record.kind = Kind::Packet(None));
    assert_eq!(shown(&records, "layer=att and direction=sent"), sent);
    assert_eq!(shown(&records, "layer=command and direction=sent").len(), 0);
}

#[test]
fn errors_say_where_and_what_would_do() {
    let error = |text: &str| text.parse::<Filter>().expect_err(text).to_string();
    let begins = "the filter makes no sense at character";
    assert_eq!(
        error("layer=att and handel=5"),
        format!(
            "{begins} 15, \"handel=5\": there is no such condition; there are {}",
            "handle, address, layer, time, attribute, name, direction, adapter"
        )
    );
    assert_eq!(
        error("layer=tcp"),
        format!(
            "{begins} 1, \"layer=tcp\": a layer is one of att, smp, l2cap, adv, command, event, hci, acl, sco, iso, note"
        )
    );
    assert_eq!(error(""), format!("{begins} 1, its end: a condition has to stand here, such as layer=att"));
    assert_eq!(
        error("layer=att layer=smp"),
        format!("{begins} 11, \"layer=smp\": \"and\" or \"or\" has to stand between conditions")
    );
    assert_eq!(error("(layer=att"), format!("{begins} 11, its end: \")\" has to close what \"(\" opened"));
    for (text, expected) in [
        ("att", "each with = and a value"),
        ("handle=0x1000", "up to 0x0FFF"),
        ("handle=+1", "up to 0x0FFF"),
        ("handle=", "up to 0x0FFF"),
        ("address=C0:BA:E7:70:00:01/random", "without its type"),
        ("time=1", "1.5..2.75"),
        ("time=..", "1.5..2.75"),
        ("time=1..2..3", "1.5..2.75"),
        ("time=1e3..", "1.5..2.75"),
        ("time=99999999999999999999..", "1.5..2.75"),
        ("direction=in", "sent or received"),
        ("adapter=x", "a number"),
        ("attribute=0x10000", "0x0012"),
        ("name=", "LE_Set*"),
        ("layer=att and", "a condition has to stand here"),
        ("not", "a condition has to stand here"),
        ("layer=att )", "has to stand between"),
    ] {
        assert!(error(text).contains(expected), "{text}: {}", error(text));
    }
    assert!(error(&"(".repeat(100_000)).contains("too deep"));
    assert!(error(&"not ".repeat(100_000)).contains("too deep"));
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error(text in "[ ()=.,a-z0-9é]{0,40}|((layer=|time=|handle=|and|or|not|[(]|[)]|att|1[.][.]|0x40|,| ){0,16})") {
        if let Ok(filter) = text.parse::<Filter>() {
            let again: Filter = filter.to_string().parse().expect("what is printed can be typed");
            prop_assert_eq!(again.to_string(), filter.to_string());
        }
    }

    #[test]
    fn any_records_can_be_filtered(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
        let records: Vec<_> = records
            .into_iter()
            .map(|data| Record::new(Timestamp::UNIX_EPOCH, Kind::Packet(None), data.into()))
            .collect();
        shown(&records, "address=00:00:00:00:00:00 or handle=0 or name=* or attribute=1 or direction=sent");
    }
}
