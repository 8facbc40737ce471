//! Files for other programs to read: `tests/captures/peers.py` runs this, and asks tshark and btmon what they see.

use crate::files::{ACL, COMPLETE, RESET};
use crate::matrix::formats;
use baretooth::capture::{Container, Direction, Format, Kind, LeftOut, Link, Record, Timestamp, Writer};
use bytes::Bytes;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Where the files go.
const FOLDER: &str = "BARETOOTH_WRITE_CAPTURES";

/// Beside each file a table of what was written: time in nanoseconds, direction, adapter, original length, octets.
#[test]
#[ignore = "it writes files for tests/captures/peers.py, which runs it"]
fn write_every_format() {
    let folder =
        PathBuf::from(std::env::var_os(FOLDER).unwrap_or_else(|| panic!("{FOLDER} names no folder")));
    for format in formats() {
        let name = name(format);
        let (mut writer, mut table) = (Writer::new(Vec::new(), format).expect("possible"), String::new());
        for record in records() {
            let left_out = writer.write(&record).expect("memory");
            if !left_out.contains(&LeftOut::Record) {
                row(&mut table, &record, &left_out);
            }
        }
        let file = writer.into_inner().expect("memory");
        std::fs::write(folder.join(&name), file).expect("the folder takes it");
        std::fs::write(folder.join(name + ".tsv"), table).expect("the folder takes it");
    }
}

/// Container, link, byte order and resolution, by which the other side knows what to expect.
fn name(format: Format) -> String {
    let link = match format.link {
        Link::H1 => "h1",
        Link::H4 => "h4",
        Link::H4WithDirection => "h4-direction",
        Link::Monitor => "monitor",
        _ => "packetlogger",
    };
    let order = if format.big_endian { "big" } else { "little" };
    let unit = if format.nanoseconds { "nanos" } else { "micros" };
    let extension = match format.container {
        Container::Btsnoop => "btsnoop",
        Container::Pcap => "pcap",
        Container::PcapNg => "pcapng",
        Container::PacketLogger => "pklg",
    };
    format!("{link}.{order}.{unit}.{extension}")
}

fn records() -> Vec<Record> {
    use Direction::{Received, Sent};
    let sco = [3, 0x41, 0, 2, 5, 6];
    let iso = [5, 0x42, 0x20, 8, 0, 1, 0, 4, 0, 9, 9, 9, 9];
    let packets: [(&[u8], Direction); 8] = [
        (&RESET, Sent),
        (&COMPLETE, Received),
        (&ACL, Sent),
        (&ACL, Received),
        (&sco, Sent),
        (&sco, Received),
        (&iso, Sent),
        (&iso, Received),
    ];
    let at = |number: usize| {
        let nanos = i64::try_from(number).expect("few") * 1_000_001_001;
        Timestamp::from_nanos(1_700_000_000_000_000_000 + nanos)
    };
    let mut records: Vec<_> = packets
        .iter()
        .cycle()
        .take(20)
        .enumerate()
        .map(|(number, (data, direction))| {
            Record::new(at(number), Kind::Packet(Some(*direction)), Bytes::copy_from_slice(data))
        })
        .collect();
    records[9].adapter = Some(0);
    records[10].adapter = Some(1);
    records[11].original_length = 260;
    records[12].comments = vec!["first".to_owned(), "second".to_owned()];
    records.push(Record::new(at(20), Kind::Note, Bytes::from_static(b"a note")));
    records
}

fn row(table: &mut String, record: &Record, left_out: &[LeftOut]) {
    let lost = |what| left_out.contains(&what);
    let nanos = record.time.nanos_since(Timestamp::UNIX_EPOCH);
    let nanos = if lost(LeftOut::Nanoseconds) { nanos / 1_000 * 1_000 } else { nanos };
    let direction = match record.direction() {
        _ if lost(LeftOut::Direction) => "",
        Some(Direction::Sent) => "sent",
        Some(Direction::Received) => "received",
        None => "",
    };
    let adapter = match record.adapter {
        Some(adapter) if !lost(LeftOut::Adapter) => adapter.to_string(),
        _ => String::new(),
    };
    let original = if lost(LeftOut::OriginalLength) { record.data.len() } else { record.original_length };
    let comments = if lost(LeftOut::Comments) { String::new() } else { record.comments.join(",") };
    let kind = if record.kind == Kind::Note { "note" } else { "packet" };
    write!(table, "{kind}\t{nanos}\t{direction}\t{adapter}\t{original}\t{comments}\t").expect("memory");
    for octet in &record.data {
        write!(table, "{octet:02x}").expect("memory");
    }
    table.push('\n');
}
