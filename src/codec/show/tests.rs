use super::*;
use crate::att::AttPdu;
use crate::codec::{Field, HexInt, List, Prefixed, Rest, Secret, Tail};
use crate::gap::advertising_data::{AdStructure, AdType, AdvertisingData};
use crate::hci::{Command, Event, LeEvent, Opcode};
use crate::l2cap::signaling::SignalingCommand;
use crate::smp::SmpPdu;
use proptest::prelude::*;

crate::open_enum! {
    /// One.
    pub struct Fruit(u8) { Apple = 1 "apple", Pear = 2 "pear" }
}

crate::layout! {
    /// One item.
    pub struct Item { fruit: Fruit, weight: i8 }
}

crate::layout! {
    /// Every kind of value.
    pub struct All<'a> {
        number: u16, handle: HexInt<u16>, mask: u64, address: BdAddr, fruit: Fruit, key: Secret<'a, 16>,
        short: Prefixed<'a>, empty: Prefixed<'a>, nested: Item, items: List<'a, Item>
    }
}

const KEY: [u8; 16] = [0xA5; 16];

fn octets(announced: u8, items: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x10, 0x27, 0x40, 0, 0x90, 0x88, 0, 2, 0, 0x80, 0, 0x20];
    octets.extend([1, 0, 0, 0x70, 0xE7, 0xC0, 2]);
    octets.extend(KEY);
    octets.extend([2, 0xAB, 0xCD, 0, 1, 0xFF, announced]);
    octets.extend(items);
    octets
}

fn line(show: impl FnOnce(&mut dyn Show)) -> String {
    let mut out = Vec::new();
    show(&mut Line::new(&mut out));
    String::from_utf8(out).expect("text")
}

fn tree(show: impl FnOnce(&mut dyn Show)) -> String {
    let mut out = Vec::new();
    show(&mut Tree::new(&mut out, 1));
    String::from_utf8(out).expect("text")
}

fn json(show: impl FnOnce(&mut dyn Show)) -> serde_json::Value {
    let mut out = Vec::new();
    show(&mut Json::new(&mut out));
    serde_json::from_slice(&out).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out)))
}

#[test]
fn one_declaration_gives_a_line_a_tree_and_json() {
    let octets = octets(2, &[1, 5, 9, 0x80]);
    let (_, all) = All::parse(&octets).expect("whole");
    assert_eq!((all.nested.fruit, all.fruit), (Fruit::Apple, Fruit::Pear));
    assert_eq!(
        all.to_string(),
        "number=10000 handle=0x0040 mask=0x2000800002008890 address=C0:E7:70:00:00:01 fruit=pear key=<secret> \
         short=abcd empty= nested=fruit=apple weight=-1 items=[fruit=apple weight=5; fruit=0x09 weight=-128]"
    );
    assert_eq!(
        tree(|to| all.show(to)),
        "
  number: 10000
  handle: 0x0040
  mask: 0x2000800002008890
  address: C0:E7:70:00:00:01
  fruit: 0x02 (pear)
  key: <secret>
  short: abcd
  empty: (empty)
  nested:
    fruit: 0x01 (apple)
    weight: -1
  items:
    #0  fruit: 0x01 (apple)
        weight: 5
    #1  fruit: 0x09
        weight: -128"
    );
    assert_eq!(
        json(|to| all.show(to)),
        serde_json::json!({
            "number": 10000, "handle": 64, "mask": "0x2000800002008890", "address": "C0:E7:70:00:00:01",
            "fruit": {"value": 2, "name": "pear"}, "key": "<secret>", "short": "abcd", "empty": "",
            "nested": {"fruit": {"value": 1, "name": "apple"}, "weight": -1},
            "items": [
                {"fruit": {"value": 1, "name": "apple"}, "weight": 5},
                {"fruit": {"value": 9, "name": null}, "weight": -128}
            ]
        })
    );
}

#[test]
fn a_list_says_what_it_lacks() {
    let octets = octets(3, &[1, 5, 9]);
    let (_, all) = All::parse(&octets).expect("whole");
    assert!(all.to_string().ends_with("items=[fruit=apple weight=5] of 3 (malformed)"), "{all}");
    let tree = tree(|to| all.show(to));
    assert!(tree.ends_with("        weight: 5\n    malformed: 3 announced, 1 there"), "{tree}");
    let items = &json(|to| all.show(to))["items"];
    assert_eq!((items.as_array().map(Vec::len), &items[2]), (Some(3), &serde_json::Value::Null));
}

#[test]
fn a_list_of_plain_values_stands_on_one_line() {
    let list = List::<'_, u16, true>::parse(&[0b101, 1, 0, 2, 0]).expect("whole").1;
    assert_eq!(line(|to| list.show(to)), "0x05[1; 2]");
    let show = |to: &mut dyn Show| {
        to.begin();
        to.field("phys");
        list.show(to);
        to.field("none");
        Tail::<u8>::new(&[]).show(to);
        to.end();
    };
    assert_eq!(tree(show), "\n  phys: 0x05 1, 2\n  none: none");
    assert_eq!(json(show), serde_json::json!({"phys": {"mask": 5, "items": [1, 2]}, "none": []}));
}

#[test]
fn what_a_table_tells_apart_has_its_code_and_name() {
    let event = Event::parse(0x3E, &[0x0C, 0x05, 0x40, 0, 1, 2]).expect("whole");
    assert_eq!(
        event.to_string(),
        "LE Meta subevent=LE PHY Update Complete status=Authentication Failure connection_handle=0x0040 tx_phy=1M \
         rx_phy=2M"
    );
    assert_eq!(
        tree(|to| event.show(to)),
        "LE Meta (0x3E)
  subevent: LE PHY Update Complete (0x0C)
    status: 0x05 (Authentication Failure)
    connection_handle: 0x0040
    tx_phy: 0x01 (1M)
    rx_phy: 0x02 (2M)"
    );
    let json = json(|to| event.show(to));
    assert_eq!((&json["code"], &json["name"]), (&0x3E.into(), &"LE Meta".into()));
    assert_eq!(json["subevent"]["name"], "LE PHY Update Complete");
    assert_eq!(json["subevent"]["connection_handle"], 0x40);
}

#[test]
fn what_numbers_mean_is_told_where_there_is_room() {
    let octets = [
        &[0x0D, 1, 0x13, 0, 1, 1, 0, 0x70, 0xE7, 0xBA, 0xC0, 1, 0, 0xFF, 127, 0xD6, 0, 0, 0][..],
        &[0; 6],
        b"\x1D\x02\x01\x06\x05\x03\x0D\x18\x0F\x18\x06\xFF\x4C\x00\x10\x01\x1B\x07\x09HR \x1B[m\x02\x0A\xFC\x09\xFF",
    ]
    .concat();
    let event = Event::parse(0x3E, &octets).expect("whole");
    let mut out = Vec::new();
    let read = |octets: &[u8], to: &mut dyn Show| AdvertisingData::new(octets).show(to);
    event.show(&mut Tree::new(&mut out, 1).advertising(read));
    assert_eq!(
        String::from_utf8(out).expect("text"),
        r#"LE Meta (0x3E)
  subevent: LE Extended Advertising Report (0x0D)
    reports:
      #0  event_type: 0x0013 (connectable, scannable, legacy)
          address_type: 0x01 (random)
          address: C0:BA:E7:70:00:01
          primary_phy: 0x01 (1M)
          secondary_phy: 0x00 (none)
          advertising_sid: 255
          tx_power: 127
          rssi: -42
          periodic_advertising_interval: 0 (0 us)
          direct_address_type: 0x00 (public)
          direct_address: 00:00:00:00:00:00
          data:
            #0  Flags (0x01): 0x06 (LE General Discoverable Mode, BR/EDR Not Supported)
            #1  Complete List of 16-bit Service or Service Class UUIDs (0x03): 0x180D (Heart Rate), 0x180F (Battery)
            #2  Manufacturer Specific Data (0xFF):
                  company: 0x004C (Apple, Inc.)
                  data: 10011b
            #3  Complete Local Name (0x09): "HR \u{1b}[m"
            #4  Tx Power Level (0x0A): -4
            #5  rest: 09ff"#
    );
    let mut out = Vec::new();
    event.show(&mut Json::new(&mut out).advertising(read));
    let json: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    let report = &json["subevent"]["reports"][0];
    assert_eq!(report["event_type"]["bits"], serde_json::json!(["connectable", "scannable", "legacy"]));
    assert_eq!(
        report["data"][3],
        serde_json::json!({"code": 9, "name": "Complete Local Name", "value": "HR \u{1b}[m"})
    );
    assert_eq!(report["data"][2]["value"]["company"]["name"], "Apple, Inc.");
    assert!(event.to_string().contains("event_type=0x0013 address_type=random"), "{event}");
}

#[test]
fn an_unknown_code_is_shown_with_its_octets() {
    let pdu = AttPdu::from_octets(&[0x2A, 7, 8]).expect("data");
    assert_eq!(pdu.to_string(), "AttPdu 0x2A 0708");
    assert_eq!(tree(|to| pdu.show(to)), "AttPdu (0x2A): 0708");
    assert_eq!(
        json(|to| pdu.show(to)),
        serde_json::json!({"code": 0x2A, "name": null, "parameters": "0708"})
    );
    let vendor = Command::parse(Opcode(0xFC01), &[1]).expect("data");
    assert_eq!(tree(|to| vendor.show(to)), "vendor command (0xFC01): 01");
}

#[test]
fn a_long_run_of_octets_is_cut_in_a_line_and_has_rows_in_a_tree() {
    let run: Vec<u8> = (0x30..0x30 + 40).collect();
    let whole = line(|to| to.octets(&run[..24]));
    assert_eq!(whole.len(), 48, "24 octets are shown");
    assert_eq!(line(|to| to.octets(&run)), "303132333435363738393a3b3c3d3e3f… (40 octets)");
    let show = |to: &mut dyn Show| {
        to.field("value");
        to.octets(&run);
        to.field("next");
        to.number(1);
    };
    assert_eq!(
        tree(show),
        "
  value: 40 octets
    30 31 32 33 34 35 36 37  38 39 3a 3b 3c 3d 3e 3f  0123456789:;<=>?
    40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO
    50 51 52 53 54 55 56 57                           PQRSTUVW
  next: 1"
    );
    assert_eq!(json(|to| to.octets(&run)).as_str().map(str::len), Some(80));
}

#[test]
fn bits_times_and_uuids_say_what_they_mean() {
    let battery = crate::uuid16(0x180F);
    let show = |to: &mut dyn Show| {
        to.begin();
        to.field("flags");
        to.bits(0x86, 1, &["limited", "general", "", "both"]);
        to.field("none");
        to.bits(0, 1, &["limited"]);
        to.field("interval");
        to.time(24, 30_000);
        to.field("service");
        to.uuid(battery, Some("Battery"));
        to.field("unknown");
        to.uuid(battery, None);
        to.end();
    };
    assert_eq!(line(show), "flags=0x86 none=0x00 interval=30 ms service=Battery unknown=0x180F");
    assert_eq!(
        tree(show),
        "
  flags: 0x86 (general, bit 2, bit 7)
  none: 0x00
  interval: 24 (30 ms)
  service: 0x180F (Battery)
  unknown: 0x180F"
    );
    let uuid = battery.to_string();
    assert_eq!(
        json(show),
        serde_json::json!({
            "flags": {"value": 0x86, "bits": ["general", 2, 7]}, "none": {"value": 0, "bits": []}, "interval": 24,
            "service": {"uuid": uuid, "name": "Battery"}, "unknown": {"uuid": uuid, "name": null}
        })
    );
}

#[test]
fn a_time_has_the_unit_that_people_use() {
    let shown = |microseconds| tree(|to| to.time(1, microseconds));
    let times = [0, 625, 1_250, 7_500, 30_000, 999_999, 1_000_000, 12_800_000, 40_959_375].map(shown);
    let expected =
        ["0 us", "625 us", "1.25 ms", "7.5 ms", "30 ms", "999.999 ms", "1 s", "12.8 s", "40.959 s"];
    assert_eq!(times, expected.map(|time| format!("1 ({time})")));
}

#[test]
fn text_from_the_air_cannot_act_on_a_terminal() {
    let text = "a\"b\\c\u{1B}[31m\r\n\t\u{0}\u{7F}\u{9B}\u{2028}\u{202E}é€𝄞";
    let shown = [line(|to| to.text(text)), tree(|to| to.text(text))];
    let mut octets = Vec::new();
    Json::new(&mut octets).text(text);
    let json = String::from_utf8(octets).expect("text");
    for shown in shown.iter().chain([&json]) {
        assert!(!shown.contains(|c: char| c.is_control() || "\u{2028}\u{202E}".contains(c)), "{shown:?}");
        assert!(shown.contains('€') && shown.contains('𝄞'), "{shown}");
    }
    assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
}

#[test]
fn keys_are_in_none_of_the_three() {
    let event = Event::parse(0x3E, &[&[0x09, 0][..], &[0xA5; 32]].concat()).map(|e| e.to_string());
    assert_eq!(
        event.as_deref(),
        Ok("LE Meta subevent=LE Generate DHKey Complete status=Success dh_key=<secret>")
    );
    for code in [0x06, 0x08, 0x0A] {
        let octets = [&[code][..], &KEY].concat();
        let pdu = SmpPdu::from_octets(&octets).expect("whole");
        let all = [line(|to| pdu.show(to)), tree(|to| pdu.show(to)), json(|to| pdu.show(to)).to_string()];
        for shown in all {
            assert!(shown.contains("<secret>") && !shown.to_lowercase().contains("a5a5"), "{shown}");
        }
    }
}

/// What holds of everything that is shown.
fn check(show: impl Fn(&mut dyn Show)) {
    let line = line(&show);
    assert!(!line.contains(char::is_control), "{line:?}");
    let tree = tree(&show);
    assert!(!tree.contains(|c: char| c.is_control() && c != '\n'), "{tree:?}");
    assert!(tree.lines().skip(1).all(|line| line.starts_with("  ")), "{tree}");
    let mut octets = Vec::new();
    show(&mut Json::new(&mut octets));
    let json = String::from_utf8(octets).expect("text");
    assert!(!json.contains(char::is_control), "{json:?}");
    serde_json::from_str::<serde_json::Value>(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_row_shows_any_octets(octets in prop::collection::vec(any::<u8>(), 0..=255), unlisted: u8) {
        // Of layouts that are defined to the octet the longest prefix that follows them.
        let prefixes = || (0..=octets.len()).rev().filter_map(|end| octets.get(..end));
        for &opcode in Command::OPCODES.iter().chain(&[Opcode(0), Opcode(0xFC01)]) {
            prefixes().find_map(|o| Command::parse(opcode, o).ok()).iter().for_each(|c| check(|to| c.show(to)));
            check(|to| opcode.show_return(&octets, to));
        }
        for &code in Event::CODES.iter().chain([&unlisted]) {
            Event::parse(code, &octets).iter().for_each(|event| check(|to| event.show(to)));
        }
        for &code in LeEvent::CODES.iter().chain([&unlisted]) {
            LeEvent::parse(code, &octets).iter().for_each(|event| check(|to| event.show(to)));
        }
        for &code in AttPdu::CODES.iter().chain([&unlisted]) {
            prefixes().find_map(|o| AttPdu::parse(code, o).ok()).iter().for_each(|p| check(|to| p.show(to)));
        }
        let read = |octets: &[u8], to: &mut dyn Show| AdvertisingData::new(octets).show(to);
        check(|to| read(&octets, to));
        for ad_type in 0..=u8::MAX {
            for length in [1, 2, 3, 4, 6, 7, 8, 16].into_iter().filter(|&length| length <= octets.len()) {
                let structure = AdStructure { ad_type: AdType(ad_type), data: &octets[..length] };
                check(|to| structure.field().show(to));
            }
        }
        for &code in SmpPdu::CODES.iter().chain([&unlisted]) {
            prefixes().find_map(|o| SmpPdu::parse(code, o).ok()).iter().for_each(|p| check(|to| p.show(to)));
        }
        for &code in SignalingCommand::CODES.iter().chain([&unlisted]) {
            prefixes().find_map(|o| SignalingCommand::parse(code, o).ok()).iter().for_each(|p| check(|to| p.show(to)));
        }
    }

    #[test]
    fn any_number_reads_back(value: i64, unsigned: u64, octets in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(line(|to| to.number(value)), value.to_string());
        prop_assert_eq!(line(|to| to.hex(unsigned, 8)), format!("0x{unsigned:016X}"));
        prop_assert_eq!(json(|to| to.hex(unsigned, 8)), serde_json::json!(format!("0x{unsigned:016X}")));
        prop_assert_eq!(json(|to| to.hex(unsigned >> 16, 6)), serde_json::json!(unsigned >> 16));
        let mut digits = Vec::new();
        digits::octets(&mut digits, &octets);
        prop_assert_eq!(String::from_utf8(digits).expect("text"), crate::codec::Hex(&octets).to_string());
    }

    #[test]
    fn any_text_reads_back(text: String) {
        prop_assert_eq!(json(|to| to.text(&text)), serde_json::Value::String(text.clone()));
        prop_assert_eq!(line(|to| to.text(&text)), format!("{text:?}"));
    }
}

#[test]
fn an_address_reads_back() {
    let address: BdAddr = "C0:11:22:AB:44:55".parse().expect("valid");
    assert_eq!(line(|to| to.address(address)), address.to_string());
    let nus = Uuid::from_u128(0x6E400001_B5A3_F393_E0A9_E50E24DCCA9E);
    assert_eq!(line(|to| to.uuid(nus, None)), nus.to_string());
    assert_eq!(line(|to| Rest(&[]).show(to)), "");
}

#[test]
fn a_line_says_what_all_items_of_a_list_say_once() {
    let show = |items: &'static [i64]| {
        line(|to| {
            to.begin_list(ListHead::default());
            for (n, item) in items.iter().enumerate() {
                to.item(n);
                to.begin();
                to.field("interval");
                to.number(*item);
                to.end();
            }
            to.end_list(ListHead::default(), items.len());
        })
    };
    assert_eq!(show(&[7, 7, 7]), "[interval=7; same; same]");
    assert_eq!(show(&[7, 8, 8, 7]), "[interval=7; interval=8; same; interval=7]");
    assert_eq!(show(&[7]), "[interval=7]");
    assert_eq!(show(&[]), "[]");
}
