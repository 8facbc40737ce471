//! Any records in any format: what the writer did not say it left out is read again, through a second format too.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::capture::{Direction, Kind, LeftOut, Reader, Record, Timestamp, Writer};
use baretooth_fuzz::capture::formats;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    first: u8,
    second: u8,
    records: Vec<Row>,
}

#[derive(Arbitrary, Debug)]
struct Row {
    kind: Sort,
    seconds: i64,
    nanos: u32,
    adapter: Option<u16>,
    cut: u16,
    comments: Vec<String>,
    data: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum Sort {
    Packet { received: Option<bool> },
    Serial { received: bool },
    Note,
    Monitor(u16),
    PacketLogger(u8),
}

fuzz_target!(|input: Input| {
    let records: Vec<Record> = input.records.into_iter().map(record).collect();
    let read = through(&records, input.first);
    through(&read, input.second);
});

fn direction(received: bool) -> Direction {
    if received { Direction::Received } else { Direction::Sent }
}

fn record(row: Row) -> Record {
    let kind = match row.kind {
        Sort::Packet { received } => Kind::Packet(received.map(direction)),
        Sort::Serial { received } => Kind::Serial(direction(received)),
        Sort::Note => Kind::Note,
        Sort::Monitor(opcode) => Kind::Monitor(opcode),
        Sort::PacketLogger(number) => Kind::PacketLogger(number),
    };
    let mut record = Record::new(Timestamp::new(row.seconds, row.nanos), kind, row.data.into());
    record.adapter = row.adapter;
    record.original_length += usize::from(row.cut);
    record.comments = row.comments;
    record
}

/// The records as they come back from a file of the format.
fn through(records: &[Record], format: u8) -> Vec<Record> {
    let formats = formats();
    let format = formats[usize::from(format) % formats.len()];
    let mut writer = Writer::new(Vec::new(), format).expect("possible");
    let left_out: Vec<_> = records.iter().map(|record| writer.write(record).expect("memory")).collect();
    let file = writer.into_inner().expect("memory");
    let kept: Vec<_> =
        records.iter().zip(left_out).filter(|(_, left_out)| !left_out.contains(&LeftOut::Record)).collect();
    // PacketLogger has no mark: an empty file is none, and types that nobody has seen do not open one.
    let Ok(reader) = Reader::new(&file[..]) else {
        assert!(
            file.is_empty() || kept.iter().any(|(record, _)| matches!(record.kind, Kind::PacketLogger(_)))
        );
        return Vec::new();
    };
    let read: Vec<_> = reader.map(|record| record.expect("ours")).collect();
    assert_eq!(read.len(), kept.len(), "{format}");
    for (read, (written, left_out)) in read.iter().zip(kept) {
        let lost = |what| left_out.contains(&what);
        if !lost(LeftOut::Kind)
            && !is_note_with_a_mark_at_its_end(written)
            && !is_known_by_another_name(written)
        {
            assert_eq!(read.data, written.data, "{format}");
            assert_eq!(std::mem::discriminant(&read.kind), std::mem::discriminant(&written.kind));
            assert!(lost(LeftOut::OriginalLength) || length(read) == length(written), "{format}");
        }
        if !lost(LeftOut::Direction) && written.direction().is_some() {
            assert_eq!(read.direction(), written.direction(), "{format}");
        }
        if !lost(LeftOut::Time) && !lost(LeftOut::Nanoseconds) {
            assert_eq!(read.time, written.time, "{format}");
        }
        // The index of no adapter.
        if !lost(LeftOut::Adapter) && written.adapter.is_some_and(|adapter| adapter != 0xFFFF) {
            assert_eq!(read.adapter, written.adapter, "{format}");
        }
        assert!(lost(LeftOut::Comments) || read.comments == written.comments, "{format}");
    }
    read
}

/// Files count in 32 bits.
fn length(record: &Record) -> usize {
    record.original_length.min(usize::try_from(u32::MAX).unwrap_or(usize::MAX))
}

/// A monitor ends its text with a zero: one that is part of the text, or of one that was cut, cannot be told from it.
fn is_note_with_a_mark_at_its_end(record: &Record) -> bool {
    record.kind == Kind::Note
}

/// Opcodes and types that are packets and notes come back as those.
fn is_known_by_another_name(record: &Record) -> bool {
    matches!(record.kind, Kind::Monitor(_) | Kind::PacketLogger(_))
}
