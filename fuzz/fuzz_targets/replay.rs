//! Damaged captures replayed to a host, with guessed requests: the replay ends, equal or with an error of lines for
//! people; nothing panics, nothing hangs, and the same capture ends in the same way.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::capture::{Direction, Format, Reader, Record, Timestamp, Writer};
use baretooth::replay::{self, Script};
use baretooth::transports::HciPacket;
use baretooth_fuzz::assert_line;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    /// Any file.
    File(&'a [u8]),
    /// A good session with damage.
    Session { long: bool, damage: Vec<Damage> },
}

/// What happens to the records of a capture. Places count from the end of what is left, so that small ones are late.
#[derive(Arbitrary, Debug)]
enum Damage {
    Remove { place: u16, count: u8 },
    Repeat { place: u16 },
    Swap { place: u16 },
    Turn { place: u16 },
    Octet { place: u16, at: u8, octet: u8 },
    Replace { place: u16, octets: Vec<u8> },
    Insert { place: u16, received: bool, octets: Vec<u8> },
    Later { place: u16, by: u32 },
}

const SESSIONS: [&[u8]; 2] = [
    include_bytes!("../../captures/heart_rate.btsnoop"),
    include_bytes!("../../captures/long_values.btsnoop"),
];

fuzz_target!(|input: Input| match input {
    Input::File(octets) => replay(octets),
    Input::Session { long, damage } => {
        let session = Reader::new(SESSIONS[usize::from(long)]).expect("a capture");
        let mut records: Vec<_> = session.map(|record| record.expect("whole")).collect();
        for damage in damage {
            damage.apply(&mut records);
        }
        let mut writer = Writer::new(Vec::new(), Format::BTSNOOP).expect("memory takes everything");
        for record in &records {
            writer.write(record).expect("memory takes everything");
        }
        replay(&writer.into_inner().expect("memory takes everything"));
    }
});

fn replay(file: &[u8]) {
    let script = match Script::read(file) {
        Ok(script) => script,
        Err(error) => return assert_line(&error.to_string()),
    };
    let run = || {
        let config = script.config();
        match replay::run(script.clone(), config) {
            Ok(replayed) => {
                assert_eq!(replayed.sent + replayed.received, script.packets().len());
                format!("{:?} {:?}", replayed.time, replayed.events)
            }
            Err(error) => {
                let message = error.to_string();
                message.lines().for_each(assert_line);
                message
            }
        }
    };
    assert_eq!(run(), run(), "the same capture twice");
}

impl Damage {
    fn apply(self, records: &mut Vec<Record>) {
        let Some(last) = records.len().checked_sub(1) else { return };
        let from_end = |place: u16| last.saturating_sub(usize::from(place));
        match self {
            Self::Remove { place, count } => {
                let place = from_end(place);
                records.drain(place..(place + usize::from(count)).min(last));
            }
            Self::Repeat { place } => records.insert(from_end(place), records[from_end(place)].clone()),
            Self::Swap { place } => records.swap(from_end(place), from_end(place).saturating_sub(1)),
            Self::Turn { place } => {
                let record = &mut records[from_end(place)];
                let direction = record.direction().map(Direction::reversed);
                record.kind = baretooth::capture::Kind::Packet(direction);
            }
            Self::Octet { place, at, octet } => {
                let record = &mut records[from_end(place)];
                let mut data = record.data.to_vec();
                if let Some(place) = data.get_mut(usize::from(at)) {
                    *place = octet;
                }
                record.data = data.into();
            }
            Self::Replace { place, octets } => {
                if let Ok(packet) = HciPacket::new(octets) {
                    records[from_end(place)].data = packet.into_bytes();
                }
            }
            Self::Insert { place, received, octets } => {
                let direction = if received { Direction::Received } else { Direction::Sent };
                let time = records[from_end(place)].time;
                if let Ok(packet) = HciPacket::new(octets) {
                    records.insert(from_end(place), Record::packet(time, direction, &packet));
                }
            }
            Self::Later { place, by } => {
                for record in &mut records[from_end(place)..] {
                    record.time = record.time.max(Timestamp::UNIX_EPOCH) + Duration::from_micros(by.into());
                }
            }
        }
    }
}
