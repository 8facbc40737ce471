//! `convert` and `decode --filter`: what is written, what is said, and what is left alone.

use baretooth::att::AttPdu;
use baretooth::capture::dissect::{Acl, AttributeRole, Content, Dissector, Pdu, What};
use baretooth::capture::{Direction, Format, Kind, Link, Reader, Record, Timestamp, Writer};
use baretooth::gap::advertising_data::AdvertisingData;
use baretooth::hci::{Event, LeEvent};
use baretooth::smp::SmpPdu;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The command with nothing of the user's environment in it.
fn run(args: &[&str]) -> Output {
    baretooth(args).output().expect("the command starts")
}

fn baretooth(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.args(args).env_remove("BARETOOTH_ADAPTER").env_remove("BARETOOTH_CAPTURE").stdin(Stdio::null());
    command
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("text")
}

/// What a conversion says when it ends well.
fn converted(args: &[&str]) -> String {
    let done = run(&[&["convert"], args].concat());
    assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
    assert_eq!(text(&done.stdout), "", "{args:?}");
    text(&done.stderr)
}

/// An empty folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("convert").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn records(path: &Path) -> Vec<Record> {
    let file = std::fs::File::open(path).expect("a file");
    Reader::new(file).expect("a capture").map(|record| record.expect("whole")).collect()
}

fn write(path: &Path, format: Format, records: &[Record]) {
    let mut writer = Writer::new(std::fs::File::create(path).expect("a file"), format).expect("written");
    records.iter().for_each(|record| drop(writer.write(record).expect("written")));
}

fn heart_rate() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures/heart_rate.btsnoop").display().to_string()
}

fn str(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn every_format_holds_the_same_packets() {
    let folder = folder("formats");
    let original = records(Path::new(&heart_rate()));
    let mut from = heart_rate();
    for (name, options) in [
        ("1.pcapng", &[][..]),
        ("2.pklg", &[]),
        ("3.pcap", &[]),
        ("4.pcap", &["--link", "monitor"]),
        ("5.any", &["--format", "btsnoop", "--link", "h1"]),
        ("6.btsnoop", &["--link", "monitor"]),
        ("7.log", &[]),
    ] {
        let to = folder.join(name);
        let said = converted(&[options, &[from.as_str(), str(&to)]].concat());
        let count = original.len();
        assert!(said.starts_with(&format!("{count} of {count} records from ")), "{said}");
        let copies = records(&to);
        assert_eq!(copies.len(), original.len(), "{name}");
        for (copy, original) in copies.iter().zip(&original) {
            assert_eq!(
                (&copy.data, copy.kind, copy.time),
                (&original.data, original.kind, original.time),
                "{name}"
            );
        }
        from = str(&to).to_owned();
    }
    assert_eq!(
        std::fs::read(heart_rate()).expect("there"),
        std::fs::read(folder.join("7.log")).expect("there")
    );
}

#[test]
fn what_the_target_cannot_hold_is_said_in_words_and_in_json() {
    let folder = folder("left-out");
    let (input, output) = (folder.join("in.pcapng"), folder.join("out.btsnoop"));
    let octets = vec![4, 0x0E, 4, 1, 3, 0x0C, 0];
    let mut packet =
        Record::new(Timestamp::new(1, 7), Kind::Packet(Some(Direction::Received)), octets.into());
    packet.comments.push("look here".to_owned());
    let mut cut = packet.clone();
    cut.data.truncate(5);
    write(&input, Format::PCAPNG, &[packet, cut]);
    let mut file = std::fs::OpenOptions::new().append(true).open(&input).expect("there");
    file.write_all(&[6, 0, 0, 0, 99]).expect("written");

    let said = converted(&[str(&input), str(&output)]);
    let to = "btsnoop (H4) cannot hold";
    assert_eq!(
        said,
        format!(
            "2 of 2 records from pcapng (H4 with direction) to btsnoop (H4)\n\
             the input has only the front of 1 record\n\
             the input ends in the middle of a record: left out, 5 octets\n\
             {to} the nanoseconds in the time of 2 records\n\
             {to} all comments of 2 records\n"
        )
    );
    let done = run(&["--json", "convert", str(&input), str(&output)]);
    assert_eq!(text(&done.stderr), "");
    assert_eq!(
        serde_json::from_slice::<Value>(&done.stdout).expect("one object"),
        json!({
            "type": "converted", "input": str(&input), "output": str(&output),
            "from": "pcapng (H4 with direction)", "to": "btsnoop (H4)", "read": 2, "written": 2,
            "cut_records": 1, "cut_off_octets": 5, "skipped_records": 0, "lost_packets": 0,
            "left_out": {"nanoseconds": 2, "comments": 2},
        })
    );
}

#[test]
fn records_that_are_no_packets_go_where_they_can() {
    let folder = folder("notes");
    let (input, plain, monitor) = (folder.join("in.btsnoop"), folder.join("a.pcap"), folder.join("b.pcap"));
    let note = Record::new(Timestamp::from_micros(1), Kind::Note, b"Linux\0"[..].into());
    write(&input, Format::BTSNOOP.with_link(Link::Monitor).expect("possible"), &[note]);
    let said = converted(&[str(&input), str(&plain)]);
    assert_eq!(said.lines().last(), Some("pcap (H4 with direction) cannot hold 1 record"));
    assert_eq!(records(&plain), []);
    let said = converted(&["--link", "monitor", str(&input), str(&monitor)]);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(records(&monitor)[0].kind, Kind::Note);
}

#[test]
fn a_part_is_chosen_by_link_time_and_filter_with_whole_frames() {
    let folder = folder("parts");
    let all = records(Path::new(&heart_rate()));
    let link = all.iter().find(|record| record.data[0] == 2).expect("data").data[1..3].to_vec();
    let handle = format!("0x{:04X}", u16::from_le_bytes([link[0], link[1]]) & 0x0FFF);
    let to = folder.join("part.btsnoop");
    let part = |options: &[&str]| {
        converted(&[options, &[&heart_rate(), str(&to)]].concat());
        records(&to)
    };
    let of_link = part(&["--connection", &handle]);
    let (first, last) = (&of_link[0].data, &of_link[of_link.len() - 1].data);
    assert_eq!((&first[..2], first[3]), (&[4, 0x3E][..], 0x0A), "its connection complete");
    assert_eq!(last[..2], [4, 0x05], "its disconnection");
    assert_eq!(
        of_link.iter().filter(|record| record.data[0] == 2).count(),
        all.iter().filter(|record| record.data[0] == 2).count()
    );
    assert!(of_link.len() < all.len());

    let (begin, end) = (all[0].time, all[all.len() - 1].time);
    let half = end.nanos_since(begin) / 2;
    let half_text = format!("{}.{:09}", half / 1_000_000_000, half % 1_000_000_000);
    let front = part(&["--to", &half_text]);
    let back = part(&["--from", &half_text]);
    assert_eq!(front.len() + back.len(), all.len());
    assert_eq!([front, back].concat(), all);

    let both = part(&["--connection", &handle, "--filter", "layer=att and direction=sent", "--from", "0"]);
    assert!(!both.is_empty() && both.iter().all(|record| record.kind == Kind::Packet(Some(Direction::Sent))));

    // A frame in two packets: both or none.
    let octets: [&[u8]; 3] = [
        &[2, 1, 0x20, 6, 0, 5, 0, 4, 0, 0x1B, 7],
        &[4, 5, 4, 0, 2, 0, 0x13],
        &[2, 1, 0x10, 3, 0, 0, 0xAA, 0xBB],
    ];
    let parts = octets.map(|octets| {
        Record::new(Timestamp::UNIX_EPOCH, Kind::Packet(Some(Direction::Received)), octets.to_vec().into())
    });
    let input = folder.join("parts.btsnoop");
    write(&input, Format::BTSNOOP, &parts);
    converted(&["--filter", "attribute=7", str(&input), str(&to)]);
    assert_eq!(records(&to), [parts[0].clone(), parts[2].clone()]);
}

#[test]
fn standard_input_and_output_take_captures_too() {
    let mut child = baretooth(&["convert", "--format", "pcap", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let file = std::fs::read(heart_rate()).expect("there");
    child.stdin.take().expect("piped").write_all(&file).expect("taken");
    let done = child.wait_with_output().expect("ends");
    assert!(done.status.success(), "{}", text(&done.stderr));
    let reader = Reader::new(&done.stdout[..]).expect("a capture");
    assert_eq!(reader.format(), Format::PCAP);
    assert_eq!(reader.count(), records(Path::new(&heart_rate())).len());
}

#[test]
fn the_input_is_never_overwritten_and_a_failure_leaves_nothing_behind() {
    let folder = folder("failures");
    let (input, output) = (folder.join("in.btsnoop"), folder.join("out.pcap"));
    std::fs::copy(heart_rate(), &input).expect("copied");
    let whole = std::fs::read(&input).expect("there");
    let over = folder.join("..").join("failures").join("in.btsnoop");
    let refused = run(&["convert", str(&input), str(&over)]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("would be overwritten while it is read"),
        "{}",
        text(&refused.stderr)
    );
    assert_eq!(std::fs::read(&input).expect("there"), whole);

    // The second record announces more octets than any packet has.
    let mut broken = whole[..16 + 24].to_vec();
    broken[20..24].fill(0xFF);
    std::fs::write(&input, broken).expect("written");
    std::fs::write(&output, b"what was there").expect("written");
    let failed = run(&["convert", str(&input), str(&output)]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        text(&failed.stderr).contains("record 1 of the capture cannot be read"),
        "{}",
        text(&failed.stderr)
    );
    assert_eq!(std::fs::read(&output).expect("there"), b"what was there");
    assert_eq!(names(&folder), ["in.btsnoop", "out.pcap"]);

    for (args, status, message) in [
        (&["nowhere.btsnoop", str(&output)][..], 1, "converting nowhere.btsnoop failed"),
        (&[str(&input), "/nowhere/out.pcap"], 1, "writing /nowhere/out.pcap failed"),
        (&[str(&input), "out.txt"], 2, "or give --format"),
        (&[str(&input), "-"], 2, "give the format with --format"),
        (&["--format", "pcap", "--json", str(&input), "-"], 2, "cannot both go to standard output"),
        (&["--link", "h4", str(&input), "out.pklg"], 2, "no file is written as PacketLogger"),
        (&["--filter", "layer=tcp", str(&input), "out.pcap"], 2, "a layer is one of att"),
        (&["--connection", "0x1000", str(&input), "out.pcap"], 2, "up to 0x0FFF"),
        (&["--from", "noon", str(&input), "out.pcap"], 2, "a number of seconds"),
    ] {
        let failed = run(&[&["convert"], args].concat());
        let said = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(status), "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
    assert_eq!(names(&folder), ["in.btsnoop", "out.pcap"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_nothing_behind() {
    let folder = folder("interrupt");
    let output = folder.join("out.pcap");
    let mut child = baretooth(&["convert", "-", str(&output)]).stdin(Stdio::piped()).spawn().expect("starts");
    let mut input = child.stdin.take().expect("piped");
    // More than it buffers: what reaches the file shows that it is at work, and so that it listens to signals.
    let mut writer = Writer::new(Vec::new(), Format::BTSNOOP).expect("memory");
    let record = Record::new(Timestamp::UNIX_EPOCH, Kind::Note, vec![4; 60].into());
    let record = Record { kind: Kind::Packet(Some(Direction::Sent)), ..record };
    (0..3_000).for_each(|_| drop(writer.write(&record).expect("memory")));
    input.write_all(&writer.into_inner().expect("memory")).expect("taken");
    let at_work =
        || names(&folder).iter().any(|name| folder.join(name).metadata().is_ok_and(|of| of.len() > 0));
    while !at_work() {
        std::thread::yield_now();
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    assert_eq!(names(&folder), Vec::<String>::new());
}

#[test]
fn decode_shows_only_what_passes_the_filter_with_the_numbers_of_the_whole_capture() {
    let all = text(&run(&["decode", &heart_rate()]).stdout);
    let some = text(&run(&["decode", "--filter", "layer=att and name=*_RSP", &heart_rate()]).stdout);
    assert!(some.lines().count() > 3);
    for line in some.lines() {
        assert!(line.contains("_RSP ") && all.lines().any(|of_all| of_all == line), "{line}");
    }
    let refused = run(&["decode", "--filter", "layer=att or", &heart_rate()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("at character 13, its end: a condition has to stand here"));
    let help = text(&run(&["decode", "--help"]).stdout);
    assert!(help.contains("address=C0:BA:E7:70:00:01") && help.contains("Examples:"), "{help}");
}

/// Every value in an ATT PDU of the capture, and what advertisers say of themselves.
fn private_octets(records: &[Record]) -> Vec<Vec<u8>> {
    let mut dissector = Dissector::default();
    let mut found = Vec::new();
    for record in records {
        match dissector.read(record).content {
            // A declaration says which attributes there are; that stays.
            Content::Acl(Acl { frame: Some(frame), attributes: Some(attributes), .. })
                if frame.answers.is_some_and(|asked| match asked.what {
                    What::Attribute(_, handle) => attributes.get(handle).is_some_and(|of| {
                        matches!(
                            of.role,
                            AttributeRole::Characteristic { .. } | AttributeRole::Service { .. }
                        )
                    }),
                    _ => false,
                }) => {}
            Content::Acl(Acl { frame: Some(frame), .. }) => match frame.pdu() {
                Pdu::Att(Ok(AttPdu::ReadRsp(p))) => found.push(p.attribute_value.0.to_vec()),
                Pdu::Att(Ok(AttPdu::ReadBlobRsp(p))) => found.push(p.part_attribute_value.0.to_vec()),
                Pdu::Att(Ok(AttPdu::WriteReq(p))) => found.push(p.attribute_value.0.to_vec()),
                Pdu::Att(Ok(AttPdu::WriteCmd(p))) => found.push(p.attribute_value.0.to_vec()),
                Pdu::Att(Ok(AttPdu::PrepareWriteReq(p))) => found.push(p.part_attribute_value.0.to_vec()),
                Pdu::Att(Ok(AttPdu::HandleValueNtf(p))) => found.push(p.attribute_value.0.to_vec()),
                Pdu::Att(Ok(AttPdu::HandleValueInd(p))) => found.push(p.attribute_value.0.to_vec()),
                // What devices can do, and how it ended, says nothing of anybody.
                Pdu::Smp(Ok(
                    SmpPdu::PairingRequest(_)
                    | SmpPdu::PairingResponse(_)
                    | SmpPdu::SecurityRequest(_)
                    | SmpPdu::PairingKeypressNotification(_)
                    | SmpPdu::PairingFailed(_),
                )) => {}
                Pdu::Smp(_) => found.push(frame.payload[1..].to_vec()),
                _ => {}
            },
            Content::Event { event: Ok(Event::LeMeta(meta)), .. } => match meta.subevent {
                LeEvent::LeAdvertisingReport(e) => e.reports.iter().for_each(|report| {
                    found.push(report.address.0.to_vec());
                    let data = AdvertisingData::new(report.data.get());
                    found.extend(data.local_name().map(|name| name.to_str().as_bytes().to_vec()));
                    found.extend(data.manufacturer_data().map(|of| of.data.to_vec()));
                }),
                LeEvent::LeExtendedAdvertisingReport(e) => e.reports.iter().for_each(|report| {
                    found.push(report.address.0.to_vec());
                    let data = AdvertisingData::new(report.data.get());
                    found.extend(data.local_name().map(|name| name.to_str().as_bytes().to_vec()));
                }),
                _ => {}
            },
            _ => {}
        }
    }
    found
}

/// Pieces that say something: not one octet again and again, and long enough that letters drawn at random do not spell
/// them.
fn telling(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_telling = |piece: &&[u8]| piece.len() >= 4 && piece.iter().any(|octet| *octet != piece[0]);
    octets.windows(octets.len().clamp(1, 8)).filter(is_telling)
}

#[test]
fn a_redacted_tour_shows_what_went_on_and_not_who_or_what() {
    let folder = folder("redact");
    let (tour, shown) = (folder.join("tour.btsnoop"), folder.join("shown.btsnoop"));
    let done = run(&["tour", "--seed", "5", "--capture", str(&tour)]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = converted(&["--redact", str(&tour), str(&shown)]);
    let redacted = said.lines().last().expect("lines");
    assert!(redacted.starts_with("redacted: ") && redacted.contains(" attribute values, "), "{said}");

    // Counts of everything are the same.
    let stats = |path: &Path| text(&run(&["stats", "--json", str(path)]).stdout);
    assert_eq!(stats(&shown), stats(&tour));
    let decoded =
        |path: &Path, options: &[&str]| text(&run(&[&["decode"], options, &[str(path)]].concat()).stdout);
    let (before, after) = (decoded(&tour, &[]), decoded(&shown, &[]));
    assert!(!after.contains("malformed"), "{after}");
    let head = |line: &str| line.split_whitespace().take(7).map(str::to_owned).collect::<Vec<_>>();
    let of_acl =
        |lines: &str| lines.lines().filter(|line| line.contains(" ACL ")).map(head).collect::<Vec<_>>();
    assert_eq!(of_acl(&after).len(), of_acl(&before).len());
    for (after, before) in of_acl(&after).iter().zip(of_acl(&before)) {
        // Number, time, direction, link, PDU; and the handle, where there is one.
        assert_eq!(after[..6], before[..6]);
        assert!(after.get(6) == before.get(6) || !before[6].starts_with("0x"), "{after:?} {before:?}");
    }
    let has = |text: &str, what: &str| text.contains(what);
    assert!(
        has(&after, "(Battery Level) →") && has(&after, "Client Characteristic Configuration) 0100"),
        "{after}"
    );

    // Nothing of who and what is in the file, or in what is printed of it.
    let all = [after, decoded(&shown, &["-v"]), decoded(&shown, &["--json"])].concat();
    let file = std::fs::read(&shown).expect("there");
    let private = private_octets(&records(&tour));
    assert!(private.iter().map(|octets| telling(octets).count()).sum::<usize>() > 500);
    for octets in &private {
        for piece in telling(octets) {
            assert!(!file.windows(piece.len()).any(|of| of == piece), "{piece:02x?} of {octets:02x?}");
        }
    }
    for name in ["HR strap", "Local Name \"Thermometer\"", "C0:BA:E7:70:00"] {
        assert!(decoded(&tour, &[]).contains(name) && !all.contains(name), "{name}");
    }

    // Once more is fine; with a seed it is the same each time, without one it is not.
    let again = folder.join("again.pcapng");
    converted(&["--redact", str(&shown), str(&again)]);
    assert_eq!(stats(&again), stats(&tour));
    let with = |name: &str, options: &[&str]| {
        let to = folder.join(name);
        converted(&[&["--redact"], options, &[str(&tour), str(&to)]].concat());
        std::fs::read(to).expect("there")
    };
    assert_eq!(with("a.log", &["--seed", "1"]), with("b.log", &["--seed", "1"]));
    assert_ne!(with("a.log", &[]), with("b.log", &[]));

    // A part is chosen by what stood there before.
    let part = folder.join("part.btsnoop");
    let said = converted(&[
        "--redact",
        "--filter",
        "address=C0:BA:E7:70:00:01 and layer=att",
        str(&tour),
        str(&part),
    ]);
    let lines = decoded(&part, &[]);
    assert!(
        !records(&part).is_empty()
            && lines.lines().all(|line| line.contains(" ATT_") || line.contains("L2CAP frame")),
        "{said}{lines}"
    );
    let done = run(&["--json", "convert", "--redact", str(&tour), str(&part)]);
    let object: Value = serde_json::from_slice(&done.stdout).expect("one object");
    assert!(object["redacted"]["values"].as_u64() > Some(10), "{object}");
}
