use super::*;
use crate::att::AttPdu;
use crate::capture::{Direction, Format, Kind, Timestamp, Writer};
use crate::codec::{Sort, Walk};
use crate::hci::{LeEvent, Opcode};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// What every number of the made-up packets is: a count, a length, a handle.
const FILLER: u8 = 12;

/// Octets that must not come through, and where they stand.
#[derive(Default)]
struct Marks {
    next: usize,
    /// Every four octets in a row of what was marked.
    pieces: BTreeSet<[u8; 4]>,
}

impl Marks {
    /// Octets from 0x80 on, in an order of their own.
    fn fill(&mut self, run: &mut [u8]) {
        self.fill_with(run, |n| 0x80 + u8::try_from(n * 45 % 97).expect("below 97"));
    }

    /// The same in capital letters, for names: those that stand in for them are small.
    fn fill_name(&mut self, run: &mut [u8]) {
        self.fill_with(run, |n| b'A' + u8::try_from(n * 7 % 26).expect("below 26"));
    }

    fn fill_with(&mut self, run: &mut [u8], octet: fn(usize) -> u8) {
        for to in run.iter_mut() {
            *to = octet(self.next);
            self.next += 1;
        }
        self.pieces.extend(run.windows(4).map(|piece| <[u8; 4]>::try_from(piece).expect("four")));
    }

    fn octets(&mut self, length: usize) -> Vec<u8> {
        let mut octets = vec![0; length];
        self.fill(&mut octets);
        octets
    }

    fn are_in(&self, octets: &[u8]) -> bool {
        octets.windows(4).any(|piece| self.pieces.contains(piece))
    }
}

/// Names, sorts and places of a packet's fields.
#[derive(Default)]
struct Places(Vec<(&'static str, Sort, usize)>);

impl<'a> Walk<'a> for Places {
    fn field(&mut self, name: &'static str, sort: Sort, octets: &'a [u8]) {
        self.0.push((name, sort, octets.len()));
    }
}

/// Parameters of fillers, with marks in everything that is no number, and behind the layout.
fn marked(marks: &mut Marks, mut parameters: Vec<u8>, walk: impl Fn(&[u8], &mut Places)) -> Vec<u8> {
    let mut places = Places::default();
    walk(&parameters, &mut places);
    let mut rest = &mut parameters[..];
    for (name, sort, length) in places.0 {
        let (field, behind) = rest.split_at_mut(length);
        rest = behind;
        match (name, sort) {
            (_, Sort::Number | Sort::Link) => {}
            // The same for many devices.
            ("supported_commands" | "le_features" | "class_of_device" | "channel_map", _) => {}
            ("local_name", _) => marks.fill_name(field),
            ("attribute_data", _) => {
                // Handles stay.
                field
                    .chunks_mut(usize::from(FILLER))
                    .for_each(|entry| marks.fill(entry.split_at_mut(4.min(entry.len())).1));
            }
            _ if length >= usize::from(FILLER) && name.ends_with("data") => advertising(marks, field),
            _ => marks.fill(field),
        }
    }
    marks.fill(rest);
    parameters
}

/// Data of a maker in an AD structure as long as the filler says; marks behind it. As ATT value or plain text it is
/// replaced as a whole.
fn advertising(marks: &mut Marks, field: &mut [u8]) {
    let (structure, padding) = field.split_at_mut(usize::from(FILLER));
    structure[..4].copy_from_slice(&[FILLER - 1, 0xFF, 0x34, 0x12]);
    marks.fill(&mut structure[4..]);
    marks.fill(padding);
}

/// As many fillers as a layout takes, at most so many.
fn fitting(most: usize, fits: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    (0..=most).rev().map(|length| vec![FILLER; length]).find(|octets| fits(octets)).expect("some length fits")
}

fn received(octets: Vec<u8>) -> Record {
    Record::new(Timestamp::from_micros(5), Kind::Packet(Some(Direction::Received)), octets.into())
}

fn event(code: u8, parameters: &[u8]) -> Record {
    received([&[4, code, u8::try_from(parameters.len()).expect("short")], parameters].concat())
}

fn command(opcode: Opcode, parameters: &[u8]) -> Record {
    let [a, b] = opcode.0.to_le_bytes();
    let octets = [&[1, a, b, u8::try_from(parameters.len()).expect("short")], parameters].concat();
    Record { kind: Kind::Packet(Some(Direction::Sent)), ..received(octets) }
}

/// One ACL packet of link 0x0040.
fn acl(first: bool, data: &[u8]) -> Record {
    let [a, b] = u16::try_from(data.len()).expect("short").to_le_bytes();
    received([&[2, 0x40, if first { 0x20 } else { 0x10 }, a, b], data].concat())
}

fn frame(channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("short").to_le_bytes();
    [&length[..], &channel.to_le_bytes(), payload].concat()
}

fn redacted(records: &[Record]) -> Vec<Record> {
    let mut redactor = Redactor::new([7; 32]);
    let mut out = Vec::new();
    for record in records {
        redactor.push(record);
        out.extend(std::iter::from_fn(|| redactor.pop()));
    }
    redactor.finish();
    out.extend(std::iter::from_fn(|| redactor.pop()));
    out
}

fn lines(records: &[Record]) -> Vec<String> {
    let mut dissector = Dissector::default();
    records.iter().map(|record| dissector.line(record)).collect()
}

/// Commands, what they return, and events.
fn hci(marks: &mut Marks) -> Vec<Record> {
    let mut records = Vec::new();
    for &opcode in Command::OPCODES {
        let parameters = fitting(255, |octets| Command::parse(opcode, octets).is_ok());
        records.push(command(opcode, &marked(marks, parameters, |of, to| Command::walk(opcode, of, to))));
        let returned = marked(marks, vec![FILLER; 252], |of, to| opcode.walk_return(of, to));
        let [a, b] = opcode.0.to_le_bytes();
        records.push(event(0x0E, &[&[1, a, b], &returned[..]].concat()));
    }
    for &code in Event::CODES.iter().filter(|code| !matches!(code, 0x0E | 0x3E)) {
        let parameters = marked(marks, vec![FILLER; 255], |of, to| Event::walk(code, of, to));
        records.push(event(code, &parameters));
    }
    for &code in LeEvent::CODES {
        let parameters = marked(marks, vec![FILLER; 254], |of, to| LeEvent::walk(code, of, to));
        records.push(event(0x3E, &[&[code], &parameters[..]].concat()));
    }
    for opcode in [0xFC01, 0x0401, 0x0FFF] {
        records.push(command(Opcode(opcode), &marks.octets(20)));
        let [a, b] = opcode.to_le_bytes();
        records.push(event(0x0E, &[&[1, a, b], &marks.octets(20)[..]].concat()));
    }
    records.push(event(0x77, &marks.octets(20)));
    records.push(event(0x3E, &[&[0xF0], &marks.octets(20)[..]].concat()));
    records
}

/// Frames of every channel, whole, in parts, and cut.
fn data(marks: &mut Marks) -> Vec<Record> {
    let mut frames = Vec::new();
    for &code in AttPdu::CODES {
        let parameters = fitting(40, |octets| AttPdu::parse(code, octets).is_ok());
        let parameters = marked(marks, parameters, |of, to| AttPdu::walk(code, of, to));
        frames.push(frame(4, &[&[code], &parameters[..]].concat()));
    }
    for &code in SmpPdu::CODES {
        let parameters = fitting(70, |octets| SmpPdu::parse(code, octets).is_ok());
        let parameters = marked(marks, parameters, |of, to| SmpPdu::walk(code, of, to));
        frames.push(frame(6, &[&[code], &parameters[..]].concat()));
    }
    for &code in SignalingCommand::CODES {
        let parameters = fitting(40, |octets| SignalingCommand::parse(code, octets).is_ok());
        let parameters = marked(marks, parameters, |of, to| SignalingCommand::walk(code, of, to));
        let head = [code, 1, u8::try_from(parameters.len()).expect("short"), 0];
        frames.push(frame(5, &[&head, &parameters[..]].concat()));
    }
    for (channel, code) in [(4, 0x3F), (4, 0x7F), (6, 0x77), (5, 0x10), (1, 0x0C), (0x40, 1), (0xFFFF, 1)] {
        frames.push(frame(channel, &[&[code], &marks.octets(30)[..]].concat()));
    }
    let mut records = Vec::new();
    for frame in &frames {
        records.push(acl(true, frame));
        records.extend(frame.chunks(7).enumerate().map(|(n, part)| acl(n == 0, part)));
        // Without its end, without its beginning, and with more than it announces.
        records.extend(frame.chunks(5).enumerate().map(|(n, part)| acl(n == 0, part)).take(3));
        records.push(acl(true, &self::frame(4, &[0x13])));
        records.extend(frame.chunks(8).skip(1).map(|part| acl(false, part)));
        records.push(acl(true, &[&frame[..], &marks.octets(8)].concat()));
        let mut cut = acl(true, frame);
        cut.data.truncate(cut.data.len() * 3 / 4);
        records.push(cut);
    }
    records
}

/// Everything else that can be in a capture.
fn others(marks: &mut Marks) -> Vec<Record> {
    let octets = |head: &[u8], marks: &mut Marks| [head, &marks.octets(20)].concat();
    let mut records = vec![
        received(octets(&[3, 0x40, 0, 20], marks)),
        received(octets(&[5, 0x60, 0x60, 28, 0, 1, 0, 0, 0, 7, 0, 20, 0], marks)),
        received(octets(&[2, 0xDC, 0x2E, 20, 0], marks)),
        received(octets(&[7], marks)),
    ];
    for kind in [
        Kind::Note,
        Kind::Monitor(0),
        Kind::Monitor(13),
        Kind::PacketLogger(0xF7),
        Kind::Serial(Direction::Sent),
    ] {
        records.push(Record::new(Timestamp::from_micros(5), kind, octets(&[], marks).into()));
    }
    let mut commented = event(0x57, &[0x40, 0]);
    let mut comment = [0; 20];
    marks.fill_name(&mut comment);
    commented.comments.push(String::from_utf8(comment.to_vec()).expect("letters"));
    records.push(commented);
    records
}

#[test]
fn nothing_of_any_secret_address_name_or_value_is_in_any_format() {
    let mut marks = Marks::default();
    let records = [hci(&mut marks), data(&mut marks), others(&mut marks)].concat();
    let (mut before, mut after) = (0, 0);
    for format in [Format::BTSNOOP, Format::MONITOR, Format::PCAP, Format::PCAPNG, Format::PACKET_LOGGER] {
        let file = |records: &[Record]| {
            let mut writer = Writer::new(Vec::new(), format).expect("memory");
            records.iter().for_each(|record| drop(writer.write(record).expect("memory")));
            writer.into_inner().expect("memory")
        };
        before += usize::from(marks.are_in(&file(&records)));
        after += usize::from(marks.are_in(&file(&redacted(&records))));
    }
    let through: Vec<_> = records
        .iter()
        .zip(redacted(&records))
        .filter(|(_, record)| marks.are_in(&record.data))
        .map(|(from, to)| format!("{}\n  {}", crate::codec::Hex(&from.data), crate::codec::Hex(&to.data)))
        .collect();
    assert!(through.is_empty(), "{} records: {}", through.len(), through.join("\n"));
    assert_eq!((before, after), (5, 0));
    assert!(records.iter().filter(|record| marks.are_in(&record.data)).count() > 500, "the marks are there");
}

/// What may be seen of packets: which they are, and their numbers.
fn skeleton(records: &[Record]) -> Vec<String> {
    struct Numbers(String);
    impl<'a> Walk<'a> for Numbers {
        fn field(&mut self, name: &'static str, sort: Sort, octets: &'a [u8]) {
            let number = matches!(sort, Sort::Number | Sort::Link) && !name.contains("div");
            self.0 += &match number {
                true => format!(" {name}={}", crate::codec::Hex(octets)),
                false => format!(" {name}:{}", octets.len()),
            };
        }
    }
    let mut dissector = Dissector::default();
    let mut seen = Vec::new();
    for record in records {
        let packet = dissector.read(record);
        let mut numbers = Numbers(format!("{:?} {} {:?}", record.time, record.data.len(), record.kind));
        match &packet.content {
            Content::Command { opcode, parameters, .. } => {
                numbers.0 += &opcode.to_string();
                Command::walk(*opcode, parameters, &mut numbers);
            }
            Content::Event { code, parameters, .. } => {
                Event::walk_with_return(*code, parameters, &mut numbers)
            }
            Content::Acl(acl) => {
                numbers.0 += &format!("{} {:?} {:?}", acl.header.handle, acl.header.boundary, acl.dropped);
                if let Some(frame) = &acl.frame {
                    numbers.0 +=
                        &format!(" {} {:?} {:?}", frame.channel, frame.answers, frame.payload.first());
                    if let (ChannelId::Attribute, [code, rest @ ..]) = (frame.channel, &frame.payload[..]) {
                        AttPdu::walk(*code, rest, &mut numbers);
                    }
                }
            }
            other => numbers.0 += &format!("{:?}", std::mem::discriminant(other)),
        }
        seen.push(numbers.0);
    }
    seen
}

#[test]
fn what_a_packet_is_and_its_numbers_stay() {
    let mut marks = Marks::default();
    let records = [hci(&mut marks), data(&mut marks), others(&mut marks)].concat();
    let redacted_once = redacted(&records);
    assert_eq!(records.len(), redacted_once.len());
    let (before, after) = (skeleton(&records), skeleton(&redacted_once));
    for (n, (before, after)) in before.iter().zip(&after).enumerate() {
        // Unknown channels and codes lose even their first octet.
        let unknown = after.ends_with("Some(0)");
        assert!(before == after || unknown, "{n}: {before}\n{after}");
    }
    assert_eq!(skeleton(&redacted(&redacted_once)), after, "a second time is fine");
}

#[test]
fn a_session_keeps_its_attributes_and_subscriptions_and_loses_its_values() {
    let att = |sent: bool, pdu: &[u8]| {
        let direction = if sent { Direction::Sent } else { Direction::Received };
        let mut record = acl(true, &frame(4, pdu));
        record.kind = Kind::Packet(Some(direction));
        record
    };
    let records = [
        att(true, b"\x10\x01\x00\xFF\xFF\x00\x28"),
        att(false, b"\x11\x06\x01\x00\x05\x00\x0D\x18"),
        att(true, b"\x08\x01\x00\x05\x00\x03\x28"),
        att(false, b"\x09\x07\x02\x00\x12\x03\x00\x37\x2A"),
        att(true, b"\x04\x04\x00\x04\x00"),
        att(false, b"\x05\x01\x04\x00\x02\x29"),
        att(true, b"\x12\x04\x00\x01\x00"),
        att(true, b"\x12\x03\x00\x01\x00"),
        att(true, b"\x0A\x03\x00"),
        att(false, b"\x0BAnna's strap"),
        att(true, b"\x12\x03\x00Anna's strap"),
        att(false, b"\x01\x12\x03\x00\x03"),
        att(true, b"\x08\x01\x00\x05\x00\x37\x2A"),
        att(false, b"\x09\x05\x03\x00\x11\x22\x33"),
        att(true, b"\x16\x03\x00\x02\x00\x11\x22\x33"),
        att(false, b"\x17\x03\x00\x02\x00\x11\x22\x33"),
        att(true, b"\x0A\x02\x00"),
        att(false, b"\x0B\x12\x03\x00\x37\x2A"),
        att(true, b"\x12\x77\x00\x02\x00"),
    ];
    let out = redacted(&records);
    let same = [0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 16, 17, 18];
    for (n, (from, to)) in records.iter().zip(&out).enumerate() {
        assert_eq!(from == to, same.contains(&n), "{n}: {}", lines(&out)[n]);
    }
    let value = |n: usize, from: usize| &out[n].data[from..];
    assert!(value(9, 10).iter().all(u8::is_ascii_lowercase), "text is text");
    assert_eq!(value(9, 10), value(10, 12), "the same becomes the same");
    assert_eq!((value(13, 13), value(14, 14)), (value(14, 14), value(15, 14)));
    assert_eq!(
        lines(&out)[6],
        "ACL 0x0040 ATT_WRITE_REQ 0x0004 (Heart Rate Measurement: Client Characteristic Configuration) 0100"
    );
}

#[test]
fn keys_and_addresses_are_the_same_wherever_they_stand() {
    let (key, address) = ([0xA5; 16], [1, 2, 3, 4, 5, 0xC6]);
    let records = [
        acl(true, &frame(6, &[&[0x06], &key[..]].concat())),
        acl(true, &frame(6, &[&[0x09, 1], &address[..]].concat())),
        command(Opcode(0x2019), &[&[0x40, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &key[..]].concat()),
        command(Opcode(0x2005), &address),
        event(0x3E, &[&[0x02, 1, 0, 1], &address[..], &[9, 8, 0x1B], &address[..], &[1, 0xCE]].concat()),
        command(
            Opcode(0x2019),
            &[0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        ),
    ];
    let out = redacted(&records);
    assert_eq!(out[0].data[10..], out[2].data[16..]);
    assert_ne!(out[0].data[10..], key);
    let new = &out[1].data[11..17];
    assert_eq!((new, &out[4].data[7..13], &out[4].data[16..22]), (&out[3].data[4..], new, new));
    assert!(new != address && new[5] >> 6 == 0b11);
    assert_eq!(out[4].data[22..], [1, 0xCE], "the address's type and the strength");
    assert_eq!(out[5].data[6..16], [0; 10], "no number means Secure Connections");
}

#[test]
fn every_type_of_advertising_data_loses_what_is_a_device_s_own() {
    for ad_type in 0..=255 {
        let mut marks = Marks::default();
        let content = marks.octets(20);
        let data = [&[21, ad_type], &content[..], &[2, 1, 6]].concat();
        let head = [0x02, 1, 0, 1, 1, 2, 3, 4, 5, 6, u8::try_from(data.len()).expect("short")];
        let report = event(0x3E, &[&head, &data[..], &[0xCE]].concat());
        let out = &redacted(std::slice::from_ref(&report))[0].data;
        let new = &out[14..14 + data.len()];
        assert_eq!((&new[..2], &new[22..]), (&data[..2], &data[22..]), "structures stay");
        let kept = new[2..22].iter().zip(&content).take_while(|(a, b)| a == b).count();
        let most = match ad_type {
            0x02..=0x07 | 0x14 | 0x15 | 0x1F => 20,
            0x21 => 16,
            0x27 => 8,
            0x12 | 0x20 | 0x2F => 4,
            0x0D => 3,
            0x16 | 0x19 | 0x1A | 0xFF => 2,
            0x01 | 0x0A | 0x11 | 0x1C => 1,
            _ => 0,
        };
        assert_eq!(kept, most, "type {ad_type:#04x}");
        assert!(most == 20 || !marks.are_in(&new[2 + most..]), "type {ad_type:#04x}");
    }
}

#[test]
fn advertising_data_cut_anywhere_keep_their_structures() {
    let data = b"\x02\x01\x06\x05\x09Anna\x07\xFF\x34\x12\xA1\xA2\xA3\xA4\x03\x03\x0D\x18";
    let part = |status: u8, data: &[u8]| {
        let length = u8::try_from(data.len()).expect("short");
        let head = [
            0x0D, 1, status, 0, 1, 4, 0, 0x70, 0xE7, 0xBA, 0xC0, 1, 2, 7, 4, 0xCE, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            length,
        ];
        event(0x3E, &[&head, data].concat())
    };
    for cut in 0..=data.len() {
        let (front, back) = data.split_at(cut);
        let out = redacted(&[part(0x20, front), part(0, back), part(0, data)]);
        let of = |n: usize| out[n].data[29..].to_vec();
        let joined = [of(0), of(1)].concat();
        for new in [joined, of(2)] {
            assert_eq!(
                (&new[..5], &new[9..13], &new[17..]),
                (&data[..5], &data[9..13], &data[17..]),
                "cut at {cut}"
            );
            assert!(
                new[5..9].iter().all(u8::is_ascii_lowercase) && new[13..17] != data[13..17],
                "cut at {cut}"
            );
        }
    }
    // The later part of what nobody saw begin.
    let late = command(Opcode(0x2037), &[&[1, 2, 1, 20], &data[..20]].concat());
    assert!(!redacted(&[late])[0].data.windows(4).any(|piece| data.windows(4).any(|of| of == piece)));
    // A structure that is never whole is none: nothing of it stays, whatever its type.
    let broken = part(0, b"\x1E\x03Anna's phone");
    assert!(!redacted(&[broken])[0].data.windows(4).any(|piece| piece == b"Anna" || piece == b"phon"));
}

#[test]
fn records_stay_in_order_and_parts_in_their_packets() {
    let mut records = vec![
        acl(true, &frame(4, b"\x1B\x03\x00Anna's secret")[..9]),
        event(0x13, &[1, 0x40, 0, 1, 0]),
        acl(false, &frame(4, b"\x1B\x03\x00Anna's secret")[9..]),
        acl(true, b"\x09\x00\x04"),
        acl(false, b"\x00\x1B\x03\x00Bernd's"),
    ];
    for (n, record) in (0..).zip(&mut records) {
        record.time = Timestamp::UNIX_EPOCH + Duration::from_millis(n);
    }
    let out = redacted(&records);
    let shape = |of: &[Record]| of.iter().map(|of| (of.time, of.kind, of.data.len())).collect::<Vec<_>>();
    assert_eq!(shape(&out), shape(&records));
    assert_eq!((&out[1], &out[3]), (&records[1], &records[3]));
    assert_eq!(out[0].data[..12], records[0].data[..12]);
    let text = [&out[0].data[12..], &out[2].data[5..]].concat();
    assert!(text.iter().all(u8::is_ascii_lowercase) && text.len() == 13, "{}", crate::codec::Hex(&text));
    let mut redactor = Redactor::new([1; 32]);
    redactor.push(&records[0]);
    redactor.push(&records[1]);
    assert_eq!(redactor.pop(), None, "what comes behind a part waits for it");
    redactor.finish();
    assert!(redactor.pop().is_some() && redactor.pop().is_some());
    assert_eq!(redactor.redacted(), Redacted { values: 1, ..Redacted::default() });
}

proptest! {
    #[test]
    fn any_records_can_be_redacted(
        records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), 0u8..6, any::<bool>()), 0..12)
    ) {
        let records: Vec<_> = records
            .into_iter()
            .map(|(mut data, head, cut)| {
                // Mostly packets, on few links.
                if let (Some(first), true) = (data.first_mut(), head > 0) {
                    *first = head;
                }
                if let ([2, a, b, ..], true) = (&mut data[..], head == 2) {
                    (*a, *b) = (1, *b & 0x30);
                }
                let mut record = received(data);
                record.original_length += usize::from(cut);
                record
            })
            .collect();
        let out = redacted(&records);
        let shape = |of: &[Record]| of.iter().map(|of| (of.data.len(), of.original_length)).collect::<Vec<_>>();
        prop_assert_eq!(shape(&out), shape(&records));
    }
}
