//! Keys are in no form of any packet.

use super::super::testing::*;
use super::*;
use crate::capture::{Direction::Sent, Kind, Record, Timestamp};
use crate::hci::{Command, Event, LeEvent};

#[test]
fn keys_of_br_edr_are_not_shown_in_any_form() {
    const KEY: [u8; 16] = [0xA5; 16];
    let packet = |head: &[u8], rest: &[&[u8]]| [head, &rest.concat()].concat();
    let peer = [1, 2, 3, 4, 5, 6];
    for octets in [
        packet(&[1, 0x0B, 0x04, 22], &[&peer, &KEY]),
        packet(&[1, 0x0D, 0x04, 23], &[&peer, &[4], &KEY]),
        packet(&[1, 0x30, 0x04, 38], &[&peer, &[0; 16], &KEY]),
        packet(&[1, 0x45, 0x04, 70], &[&peer, &[0; 16], &KEY, &[0; 16], &KEY]),
        packet(&[1, 0x11, 0x0C, 23], &[&[1], &peer, &KEY]),
        packet(&[4, 0x0E, 36, 1, 0x57, 0x0C, 0], &[&[0; 16], &KEY]),
        packet(&[4, 0x0E, 68, 1, 0x7D, 0x0C, 0], &[&[0; 16], &KEY, &[0; 16], &KEY]),
        packet(&[4, 0x15, 23], &[&[1], &peer, &KEY]),
        packet(&[4, 0x18, 23], &[&peer, &KEY, &[4]]),
        // Identity Information of SMP, on its BR/EDR channel.
        packet(&[2, 0x40, 0x20, 21, 0, 17, 0, 7, 0, 8], &[&KEY]),
    ] {
        let records = [record(Sent, octets)];
        let shown = format!("{}{}{}", lines(&records)[0], fields(&records), json(&records));
        assert!(shown.contains("<secret>") && !shown.contains("a5a5"), "{shown}");
        assert!(!shown.contains("malformed"), "{shown}");
    }
}

/// Cut or of a wrong length, so that no layout says where the key is.
#[test]
fn keys_are_not_shown_where_no_layout_says_where_they_are() {
    const KEY: [u8; 16] = [0xA5; 16];
    let packet = |head: &[u8], length: usize| record(Sent, [head, &KEY[..length]].concat());
    let mut records = vec![
        packet(&[1, 0x1A, 0x20, 17, 0x40, 0], 15),
        packet(&[1, 0x69, 0x20, 16], 16),
        packet(&[4, 0x0E, 12, 1, 0x57, 0x0C, 0], 8),
        packet(&[4, 0x18, 14, 1, 2, 3, 4, 5, 6], 8),
        packet(&[4, 0x3E, 18, 9, 0], 16),
        packet(&[2, 0x40, 0x20, 14, 0, 10, 0, 6, 0, 6], 9),
        packet(&[2, 0x40, 0x20, 14, 0, 21, 0, 6, 0, 8], 9),
    ];
    for (kind, code) in [(16, 0x13), (16, 0x30), (17, 0x0A), (17, 0x18)] {
        let data = [&[2, 0, 0, 0, code, 0][..], &KEY].concat();
        records.push(Record::new(Timestamp::UNIX_EPOCH, Kind::Monitor(kind), data.into()));
    }
    let answer = [&[2, 0, 0, 0, 1, 0, 0x20, 0, 0][..], &KEY].concat();
    records.push(Record::new(Timestamp::UNIX_EPOCH, Kind::Monitor(17), answer.into()));
    let mut cut = packet(&[1, 0x19, 0x20, 28, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 16);
    cut.data.truncate(24);
    records.push(cut);
    for record in records {
        let records = [record];
        let (line, tree) = (&lines(&records)[0], fields(&records));
        let shown = format!("{line}\n{tree}\n{}", json(&records));
        assert!(tree.contains("<secret>") && !shown.contains("a5a5") && !shown.contains("a5 a5"), "{shown}");
    }
}

/// The lists of those that may hold keys, against the layouts.
#[test]
fn every_layout_with_a_key_is_one_whose_octets_are_not_shown() {
    struct Keys(usize);
    impl<'a> crate::codec::Walk<'a> for Keys {
        fn field(&mut self, _: &'static str, sort: crate::codec::Sort, _: &'a [u8]) {
            self.0 += usize::from(sort == crate::codec::Sort::Secret);
        }
    }
    let octets = [1; 255];
    let mut found = 0;
    for &opcode in Command::OPCODES {
        let mut keys = Keys(0);
        Command::walk(opcode, &octets, &mut keys);
        opcode.walk_return(&octets, &mut keys);
        assert!(keys.0 == 0 || opcode.holds_keys(), "{opcode}");
        found += usize::from(keys.0 > 0);
    }
    for &code in Event::CODES.iter().filter(|code| **code != 0x3E) {
        let mut keys = Keys(0);
        Event::walk(code, &octets, &mut keys);
        assert!(keys.0 == 0 || in_event(code, &octets), "event 0x{code:02X}");
        found += usize::from(keys.0 > 0);
    }
    for &code in LeEvent::CODES {
        let mut keys = Keys(0);
        LeEvent::walk(code, &octets, &mut keys);
        assert!(keys.0 == 0 || in_event(0x3E, &[code]), "subevent 0x{code:02X}");
        found += usize::from(keys.0 > 0);
    }
    for &code in crate::smp::SmpPdu::CODES {
        let mut keys = Keys(0);
        crate::smp::SmpPdu::walk(code, &octets, &mut keys);
        assert!(keys.0 == 0 || in_smp(&[code]), "SMP 0x{code:02X}");
        found += usize::from(keys.0 > 0);
    }
    assert!(found > 15, "{found} layouts with keys");
}
