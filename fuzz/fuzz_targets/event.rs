//! Any octets as the parameters of every command, event and subevent of the tables: what parses prints as one line,
//! and what it emits parses to the same value.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::hci::{Command, Event, LeEvent, Opcode};
use baretooth_fuzz::assert_line;
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use std::fmt;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    row: Row,
    parameters: &'a [u8],
}

/// Indices into the tables, so that every row is as likely as another.
#[derive(Arbitrary, Debug)]
enum Row {
    Command(u8),
    Return(u8),
    Event(u8),
    LeEvent(u8),
    Unlisted { opcode: u16, code: u8 },
}

fuzz_target!(|input: Input| {
    let octets = input.parameters;
    match input.row {
        Row::Command(index) => command(pick(Command::OPCODES, index), octets),
        Row::Return(index) => {
            assert_line(&Returned(pick(Command::OPCODES, index), octets).to_string());
        }
        Row::Event(index) => event(pick(Event::CODES, index), octets),
        Row::LeEvent(index) => le_event(pick(LeEvent::CODES, index), octets),
        Row::Unlisted { opcode, code } => {
            command(Opcode(opcode), octets);
            event(code, octets);
            le_event(code, octets);
        }
    }
});

fn pick<T: Copy>(table: &[T], index: u8) -> T {
    table[usize::from(index) % table.len()]
}

fn command(opcode: Opcode, octets: &[u8]) {
    let Ok(first) = Command::parse(opcode, octets) else { return };
    assert_line(&first.to_string());
    let mut emitted = BytesMut::new();
    first.emit(&mut emitted);
    assert_eq!(emitted, octets, "a command is defined to the octet");
    assert_eq!(Command::parse(opcode, &emitted), Ok(first));
}

fn event(code: u8, octets: &[u8]) {
    let Ok(first) = Event::parse(code, octets) else { return };
    assert_line(&first.to_string());
    let mut emitted = BytesMut::new();
    first.emit_parameters(&mut emitted);
    assert!(octets.starts_with(&emitted), "what a newer controller appends is all that may be missing");
    assert_eq!(Event::parse(code, &emitted), Ok(first));
}

fn le_event(code: u8, octets: &[u8]) {
    let Ok(first) = LeEvent::parse(code, octets) else { return };
    assert_line(&first.to_string());
    let mut emitted = BytesMut::new();
    first.emit_parameters(&mut emitted);
    assert!(octets.starts_with(&emitted), "what a newer controller appends is all that may be missing");
    assert_eq!(LeEvent::parse(code, &emitted), Ok(first));
}

struct Returned<'a>(Opcode, &'a [u8]);

impl fmt::Display for Returned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        baretooth::codec::show::display(f, |to| self.0.show_return(self.1, to))
    }
}
