//! The same seed gives the same packets at the same times; and a crowd is no trouble.

use crate::advertising::{legacy_reports, legacy_scan};
use crate::room::*;
use baretooth::BdAddr;
use baretooth::sim::*;
use std::collections::BTreeSet;

/// A busy minute: loss, latency, faults, scanning, a link with data both ways.
fn minute(seed: u64) -> Vec<String> {
    let mut room = Room::new(RadioOptions { seed, loss: 100, latency: ms(2), ..RadioOptions::default() });
    let (central, handle, peripheral, other) = room.pair();
    for device in [demo::heart_rate_strap(), demo::thermometer(), demo::echo(), demo::beacon()] {
        room.radio.add_device(device);
    }
    legacy_scan(&mut room, central, true, false);
    let faults = FaultPlan { seed, drop: 10, duplicate: 10, truncate: 10, corrupt: 10, reorder: 10 };
    room.radio.set_faults(peripheral, faults);
    for n in 0..60u8 {
        room.send_frame(central, handle, 4, &[n; 60]);
        room.send_frame(peripheral, other, 4, &[n; 30]);
        room.run(ms(1000));
    }
    room.log.iter().map(|(when, id, packet)| format!("{when} {id:?} {packet:?}")).collect()
}

#[test]
fn a_seed_run_twice_gives_the_same_log() {
    for seed in 0..3 {
        assert!(minute(seed) == minute(seed), "seed {seed}");
    }
    assert!(minute(0) != minute(1));
}

/// 10,000 advertisers, ten a second each: 100,000 advertising events.
#[test]
fn ten_thousand_advertisers_are_all_found() {
    let mut room = Room::new(RadioOptions::default());
    let scanner = room.controller(ControllerOptions::default());
    for n in 0..10_000u16 {
        let [low, high] = n.to_le_bytes();
        let address = baretooth::Address::random(BdAddr([low, high, 0, 0, 0, 0xC0]));
        room.radio.add_device(Device::new(address).data(b"\x02\x01\x06".as_slice()));
    }
    legacy_scan(&mut room, scanner, false, true);
    let mut found = BTreeSet::new();
    room.run(ms(1000));
    found.extend(legacy_reports(&room, scanner).into_iter().map(|(_, address, _)| address));
    assert_eq!(found.len(), 10_000);
    assert!(room.le(scanner, |event| (event.code() == 2).then_some(())).len() == 10_000, "each once");
}

/// Work for one advertising event must not grow with the number of advertisers.
#[test]
fn a_scan_costs_events_and_not_pairs() {
    let events = |advertisers: u16| {
        let mut room = Room::new(RadioOptions::default());
        let scanner = room.controller(ControllerOptions::default());
        for n in 0..advertisers {
            let [low, high] = n.to_le_bytes();
            let address = baretooth::Address::random(BdAddr([low, high, 0, 0, 0, 0xC0]));
            room.radio.add_device(Device::new(address));
        }
        legacy_scan(&mut room, scanner, false, false);
        room.run(ms(1000));
        legacy_reports(&room, scanner).len()
    };
    let (few, many) = (events(100), events(1000));
    assert!((9 * few..11 * few).contains(&many), "{few} and {many} reports");
}

#[test]
fn a_radio_with_nothing_to_do_asks_for_nothing() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    assert_eq!(room.radio.poll_timeout(), None);
    room.radio.add_device(Device::new(random(1)));
    let handle = room.connect(id, random(1));
    room.run(ms(1000));
    assert_eq!(room.radio.poll_timeout(), None, "an idle link needs no time");
    room.send(id, acl(handle, false, &[1, 0, 4, 0, 0x1E]));
    assert!(room.radio.poll_timeout().is_some_and(|next| next > room.now));
}
