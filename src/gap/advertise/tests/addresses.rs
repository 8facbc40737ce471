//! Addresses that change while sets are on the air.

use super::*;
use crate::gap::privacy::OwnAddress;

/// What is shown in this quarter of an hour.
fn quarter(n: u8) -> AdvertiseSupport {
    let own = OwnOnAir {
        usual: OwnAddress::Resolvable,
        resolvable: BdAddr([n, 0, 0, 0, 0, 0x40]),
        ..OwnOnAir::fixed(BdAddr([1, 2, 3, 4, 5, 0xC6]))
    };
    AdvertiseSupport { own, ..EXTENDED }
}

fn names(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.split(['=', '_']).next().unwrap_or_default()).collect()
}

fn beacon() -> AdvertiseOptions {
    AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable)
}

#[test]
fn a_set_pauses_for_another_address_if_it_shows_one_of_those_that_change() {
    for (options, commands) in [
        (AdvertiseOptions::new().data(named("x")), 3),
        (beacon().data(named("x")), 3),
        (AdvertiseOptions::new().own_address(OwnAddress::RandomStatic), 0),
        (AdvertiseOptions::new().own_address(OwnAddress::Public), 0),
        (AdvertiseOptions::new().random_address(BdAddr([9, 9, 9, 9, 9, 0xC9])), 0),
        (AdvertiseOptions::new().max_events(9), 0),
    ] {
        let mut advertiser = running(&quarter(1), options.clone());
        let lines = settle(&mut advertiser, &quarter(2));
        assert_eq!(lines.len(), commands, "{options:?}: {lines:?}");
        if let [.., last] = &names(&lines)[..] {
            assert!(lines.iter().any(|line| line.contains("random_address=40:00:00:00:00:02")), "{lines:?}");
            assert!(!last.contains("Data"), "{lines:?}");
        }
        assert!(advertiser.is_advertising());
        assert_eq!(outcomes(&mut advertiser), [], "it goes on");
        assert_eq!(settle(&mut advertiser, &quarter(2)), [""; 0]);
    }
}

#[test]
fn data_that_come_with_another_address_are_not_lost() {
    let mut advertiser = running(&quarter(1), AdvertiseOptions::new().data(named("old")));
    // Stopped for the address.
    command(&mut advertiser, &quarter(2)).expect("a command");
    advertiser.set_data(1, named("new"), AdvertisingDataBuf::default(), &quarter(2)).expect("fits");
    answer(&mut advertiser, ErrorCode::Success);
    let lines = settle(&mut advertiser, &quarter(2)).join("\n");
    assert!(lines.contains("6e6577") && lines.contains("40:00:00:00:00:02"), "{lines}");
    assert!(advertiser.is_advertising());
}

#[test]
fn held_it_stops_and_then_goes_on_as_it_was() {
    for support in [LEGACY, EXTENDED] {
        let mut advertiser = running(&support, AdvertiseOptions::new().data(named("x")));
        advertiser.hold(true);
        assert_eq!(settle(&mut advertiser, &support).len(), 1);
        assert!(!advertiser.is_on_air());
        advertiser.start(2, beacon(), &EXTENDED).expect("valid");
        assert_eq!(settle(&mut advertiser, &support), [""; 0], "nothing begins meanwhile");
        advertiser.stop(2);
        advertiser.hold(false);
        let lines = settle(&mut advertiser, &support);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("enable=1"), "{lines:?}");
    }
}

#[test]
fn one_that_is_to_end_ends_although_it_is_held() {
    let mut advertiser = running(&EXTENDED, AdvertiseOptions::new());
    advertiser.hold(true);
    advertiser.stop(1);
    settle(&mut advertiser, &EXTENDED);
    advertiser.poll_command(&EXTENDED);
    assert_eq!(outcomes(&mut advertiser), [ended(1, Ended::Stopped)]);
    assert!(advertiser.is_idle());
}
