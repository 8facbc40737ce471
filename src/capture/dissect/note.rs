//! Records that are no packets: what monitors and loggers say beside the traffic.

use super::secrets;
use super::text::{self, Text};
use crate::capture::{Kind, Record};
use crate::{BdAddr, assigned, open_enum};
use std::io::Write;

open_enum! {
    /// What a record of the Linux monitor is. Packets have opcodes too, but come as packets.
    pub struct MonitorOpcode(u16) {
        NewIndex = 0 "New Index",
        DeleteIndex = 1 "Delete Index",
        OpenIndex = 8 "Open Index",
        CloseIndex = 9 "Close Index",
        IndexInfo = 10 "Index Info",
        VendorDiagnostics = 11 "Vendor Diagnostics",
        SystemNote = 12 "System Note",
        UserLogging = 13 "User Logging",
        ControlOpen = 14 "Control Open",
        ControlClose = 15 "Control Close",
        ControlCommand = 16 "Control Command",
        ControlEvent = 17 "Control Event",
    }
}

/// The line of a record that is no packet.
pub(super) fn line(out: &mut Vec<u8>, record: &Record) {
    let data = &record.data[..];
    match record.kind {
        Kind::Packet(_) => {}
        Kind::Serial(_) => {
            out.text("Serial frame ");
            text::octets(out, data);
        }
        Kind::Note => {
            out.text("Note: ");
            printable(out, data);
        }
        Kind::PacketLogger(kind) => {
            let _ = write!(out, "PacketLogger record 0x{kind:02X}: ");
            printable(out, data);
        }
        Kind::Monitor(opcode) => {
            let opcode = MonitorOpcode(opcode);
            match opcode.name() {
                Some(name) => out.text(name),
                None => {
                    let _ = write!(out, "Monitor record {opcode}");
                }
            }
            out.text(" ");
            monitor(out, opcode, record);
        }
    }
}

fn monitor(out: &mut Vec<u8>, opcode: MonitorOpcode, record: &Record) {
    match (opcode, &record.data[..]) {
        (MonitorOpcode::NewIndex, [_, _, a, b, c, d, e, f, name @ ..]) => {
            text::address(out, BdAddr([*a, *b, *c, *d, *e, *f]));
            out.text(" ");
            printable(out, name);
        }
        (MonitorOpcode::IndexInfo, [a, b, c, d, e, f, m, n, ..]) => {
            text::address(out, BdAddr([*a, *b, *c, *d, *e, *f]));
            let company = u16::from_le_bytes([*m, *n]);
            let _ = write!(out, " manufacturer {}", assigned::company_name(company).unwrap_or("unknown"));
        }
        (MonitorOpcode::UserLogging, [_, length, rest @ ..]) => {
            let (program, message) = rest.split_at(usize::from(*length).min(rest.len()));
            printable(out, program);
            out.text(": ");
            printable(out, message);
        }
        (MonitorOpcode::SystemNote, text) => printable(out, text),
        _ => {
            let (octets, keys) = secrets::of_note(record);
            text::octets(out, octets);
            out.text(if keys { " <secret>" } else { "" });
        }
    }
}

/// Text that somebody else wrote, without its end marks and without what would move the cursor.
fn printable(out: &mut Vec<u8>, octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    for c in text.trim_end_matches(['\0', '\n', '\r']).chars() {
        let shown = match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() => '\u{FFFD}',
            c => c,
        };
        out.text(shown.encode_utf8(&mut [0; 4]));
    }
}
