//! The library's tables of numbers against a second list of them, `assigned_numbers.txt`, in both directions.

use baretooth::att::{AttError, AttPdu};
use baretooth::hci::{Command, ErrorCode, Event, LeEvent};
use baretooth::l2cap::signaling::SignalingCommand;
use baretooth::smp::SmpPdu;
use baretooth::smp::pdu::PairingFailedReason;
use std::collections::BTreeMap;

/// Kind and number to name.
type Names = BTreeMap<(&'static str, u16), String>;

#[test]
fn every_number_of_the_list_has_its_name_in_the_tables_and_the_tables_have_no_others() {
    let (listed, ours) = (listed(), ours());
    let differs = |(key, name): &(&(&str, u16), &String), other: &Names| other.get(key) != Some(name);
    let missing: Vec<_> = listed.iter().filter(|row| differs(row, &ours)).collect();
    let unlisted: Vec<_> = ours.iter().filter(|row| differs(row, &listed)).collect();
    assert!(
        missing.is_empty() && unlisted.is_empty(),
        "in the list and not so in src/: {missing:#?}\nin src/ and not so in the list: {unlisted:#?}"
    );
}

#[test]
fn the_list_has_rows_of_every_kind() {
    let listed = listed();
    let count = |kind| listed.keys().filter(|(of, _)| *of == kind).count();
    assert_eq!(KINDS.map(count), [173, 16, 43, 70, 31, 23, 20, 14, 16]);
}

const KINDS: [&str; 9] =
    ["command", "event", "subevent", "status", "att", "att-error", "signaling", "smp", "smp-reason"];

fn listed() -> Names {
    let mut names = Names::new();
    let lines = include_str!("assigned_numbers.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (kind, number, name) = (words.next(), words.next(), words.next());
        let kind = KINDS.into_iter().find(|known| Some(*known) == kind);
        let number = number.and_then(|n| n.strip_prefix("0x")).and_then(|n| u16::from_str_radix(n, 16).ok());
        let (Some(kind), Some(number), Some(name)) = (kind, number, name) else { panic!("no row: {line}") };
        assert_eq!(names.insert((kind, number), name.to_owned()), None, "twice: {line}");
    }
    names
}

fn ours() -> Names {
    let mut names = Names::new();
    let mut put = |kind, number: u16, name: Option<&str>| {
        if let Some(name) = name {
            names.insert((kind, number), name.to_owned());
        }
    };
    for opcode in Command::OPCODES {
        put("command", opcode.0, opcode.name());
    }
    for code in 0..=u8::MAX {
        let number = u16::from(code);
        put("event", number, Event::name_of(code));
        put("subevent", number, LeEvent::name_of(code));
        put("status", number, ErrorCode(code).name());
        put("att", number, AttPdu::name_of(code));
        put("att-error", number, AttError(code).name());
        put("signaling", number, SignalingCommand::name_of(code));
        put("smp", number, SmpPdu::name_of(code));
        put("smp-reason", number, PairingFailedReason(code).name());
    }
    names
}
