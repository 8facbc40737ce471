//! Private addresses: ours change and tell strangers nothing, those of known peers are seen through, and whoever hides
//! behind them is reached by his identity.

use crate::common::*;
use baretooth::gap::advertise::{AdvertiseMode, AdvertiseOptions, ExtendedPdus};
use baretooth::gap::connect::ConnectOptions;
use baretooth::gap::filter::Filter;
use baretooth::gap::privacy::OwnAddress;
use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::hci::Role;
use baretooth::host::{AdvertisingEnd, Event, HostConfig, OpError, OpId, Output, Request};
use baretooth::sim::{ControllerOptions, RadioOptions};
use baretooth::smp::Key;
use baretooth::{Address, BdAddr};
use std::collections::BTreeSet;

const CENTRAL: usize = 0;
const PERIPHERAL: usize = 1;

/// Who the peripheral is to those who have its key.
const IDENTITY: Address = address(0x77);

const QUARTER: std::time::Duration = seconds(15 * 60);

fn irk() -> Key {
    Key::new([0x5A; 16])
}

/// One who has the key of [`hidden`].
fn friend(seed: u64) -> HostConfig {
    config(seed).peer_irk(IDENTITY, irk())
}

/// One who shows resolvable addresses alone.
fn hidden(seed: u64) -> HostConfig {
    config(seed).irk(irk()).own_address(OwnAddress::Resolvable)
}

fn crowd(controller: &ControllerOptions, configs: [HostConfig; 2]) -> Crowd {
    Crowd::with(RadioOptions::default(), configs.map(|config| (controller.clone(), config)))
}

/// A friend and the hidden one, on either generation of controllers.
fn each_generation(scenario: impl Fn(Crowd)) {
    for controller in [ControllerOptions::default(), ControllerOptions::legacy()] {
        scenario(crowd(&controller, [friend(1), hidden(2)]));
    }
}

fn scan(crowd: &mut Crowd, options: ScanOptions) -> OpId {
    let op = crowd.submit(CENTRAL, Request::Scan(options.duplicates(Duplicates::All)));
    crowd.run(ms(50));
    op
}

/// The addresses that a scan heard, and the identities behind them.
fn heard(crowd: &Crowd, scan: OpId) -> (BTreeSet<Address>, BTreeSet<Option<Address>>) {
    let heard = crowd.stations[CENTRAL].heard(scan);
    let addresses = heard.iter().filter_map(|sighting| sighting.report.address).collect();
    (addresses, heard.iter().map(|sighting| sighting.identity()).collect())
}

fn idle(crowd: &mut Crowd) {
    crowd.until("everybody to be idle", |crowd| crowd.stations.iter().all(|station| station.host.is_idle()));
}

fn beacon(own_address: OwnAddress) -> AdvertiseOptions {
    let options = AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable).own_address(own_address);
    options.interval(seconds(1), seconds(1))
}

#[test]
fn who_has_the_key_sees_one_device_whatever_it_shows() {
    each_generation(|mut crowd| {
        let often = AdvertiseOptions::new().interval(seconds(2), seconds(2));
        crowd.advertise(PERIPHERAL, often);
        let all = scan(&mut crowd, ScanOptions::new());
        let known = scan(&mut crowd, ScanOptions::new().filter(Filter::new().address(IDENTITY)));
        crowd.run(QUARTER * 2 + seconds(60));
        let (addresses, identities) = heard(&crowd, all);
        assert_eq!(addresses.len(), 3, "of three quarters of an hour: {addresses:?}");
        assert!(addresses.iter().all(Address::is_resolvable), "{addresses:?}");
        assert_eq!(identities, BTreeSet::from([Some(IDENTITY)]));
        assert_eq!(heard(&crowd, known).0, addresses, "a filter knows it by its identity");
        let last = crowd.stations[CENTRAL].heard(all).pop().expect("heard").device.clone();
        assert!(last.reports > 800, "{} reports of one device", last.reports);
        assert_eq!(
            (last.identity, last.address),
            (Some(IDENTITY), addresses.into_iter().find(|a| Some(*a) == last.address))
        );
    });
}

#[test]
fn a_stranger_sees_as_many_devices_as_addresses_and_nobody_behind_them() {
    for (own_address, top) in [(OwnAddress::Resolvable, 0b01), (OwnAddress::NonResolvable, 0b00)] {
        let mut crowd = crowd(&ControllerOptions::default(), [config(1), hidden(2)]);
        crowd.advertise(PERIPHERAL, beacon(own_address));
        let all = scan(&mut crowd, ScanOptions::new());
        crowd.run(QUARTER * 3);
        let (addresses, identities) = heard(&crowd, all);
        assert!(addresses.len() >= 3, "{addresses:?}");
        assert!(addresses.iter().all(|address| address.bd_addr.0[5] >> 6 == top), "{addresses:?}");
        assert_eq!(identities, BTreeSet::from([None]));
    }
}

#[test]
fn each_operation_may_show_an_address_of_its_own_sort() {
    let mut crowd = crowd(&ControllerOptions::default(), [config(1), hidden(2)]);
    let all = scan(&mut crowd, ScanOptions::new());
    let fixed = crowd.address(PERIPHERAL);
    let mut shown = Vec::new();
    for own_address in
        [OwnAddress::Public, OwnAddress::RandomStatic, OwnAddress::Resolvable, OwnAddress::NonResolvable]
    {
        let before = heard(&crowd, all).0;
        crowd.advertise(PERIPHERAL, beacon(own_address).extended(ExtendedPdus::default()));
        crowd.run(seconds(3));
        shown.extend(heard(&crowd, all).0.difference(&before).copied());
    }
    assert_eq!(shown.len(), 4, "all at once: {shown:?}");
    assert_eq!(shown[..2], [Address::public(BdAddr([2, 0, 0, 0x5A, 0, 0])), fixed]);
    assert!(shown[2].is_resolvable() && !shown[3].is_resolvable(), "{shown:?}");
}

#[test]
fn a_peer_that_shows_private_addresses_is_connected_to_by_its_identity() {
    each_generation(|mut crowd| {
        let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
        let link = crowd.try_connect(CENTRAL, IDENTITY).expect("a link");
        assert!(link.peer == IDENTITY || link.peer.is_resolvable(), "{link:?}");
        assert!(matches!(crowd.advertised(PERIPHERAL, op), Ok(AdvertisingEnd::Connected(_))));
        assert_eq!(crowd.try_connect(CENTRAL, IDENTITY), Err(OpError::AlreadyConnected));
        assert_eq!(crowd.try_connect(CENTRAL, link.peer), Err(OpError::AlreadyConnected));
    });
}

#[test]
fn one_that_still_shows_its_identity_is_reached_all_the_same() {
    for controller in [ControllerOptions::default(), ControllerOptions::legacy()] {
        let open = config(2).irk(irk()).random_address(IDENTITY.bd_addr);
        let mut crowd = crowd(&controller, [friend(1), open]);
        crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
        assert_eq!(crowd.try_connect(CENTRAL, IDENTITY).map(|link| link.peer), Ok(IDENTITY));
    }
}

#[test]
fn an_address_of_yesterday_still_leads_to_the_peer() {
    each_generation(|mut crowd| {
        let often = AdvertiseOptions::new().interval(seconds(1), seconds(1));
        crowd.advertise(PERIPHERAL, often);
        let all = scan(&mut crowd, ScanOptions::new());
        crowd.run(seconds(5));
        let old = heard(&crowd, all).0.pop_first().expect("heard");
        crowd.run(QUARTER);
        let link = crowd.try_connect(CENTRAL, old).expect("a link");
        assert_ne!(link.peer, old, "it shows another by now");
    });
}

#[test]
fn whom_nobody_hears_is_an_error_in_time_and_leaves_the_controller_idle() {
    each_generation(|mut crowd| {
        let begun = crowd.now;
        let options = ConnectOptions::new().timeout(seconds(7));
        let ended = crowd.ask(CENTRAL, Request::Connect { address: IDENTITY, options });
        assert_eq!(ended, Err(OpError::ConnectTimeout { after: seconds(7) }));
        assert!(crowd.now <= begun + seconds(8), "{}", crowd.now);
        idle(&mut crowd);
    });
}

#[test]
fn cancelled_at_any_moment_it_leaves_the_controller_idle() {
    each_generation(|mut crowd| {
        for moment in 0..60 {
            let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
            let attempt = crowd.submit(CENTRAL, connect(IDENTITY));
            crowd.run(ms(moment * 5));
            crowd.cancel(CENTRAL, attempt);
            match crowd.done(CENTRAL, attempt) {
                Err(OpError::Cancelled) => crowd.cancel(PERIPHERAL, op),
                Ok(Output::Connected(link)) => {
                    let reason = baretooth::hci::ErrorCode::RemoteUserTerminatedConnection;
                    let connection = link.connection;
                    crowd.ask(CENTRAL, Request::Disconnect { connection, reason }).expect("ended");
                }
                other => panic!("{other:?} after {moment}"),
            }
            idle(&mut crowd);
        }
    });
}

#[test]
fn a_central_shows_the_sort_of_address_that_it_was_asked_to() {
    for controller in [ControllerOptions::default(), ControllerOptions::legacy()] {
        for own_address in [OwnAddress::Public, OwnAddress::Resolvable, OwnAddress::NonResolvable] {
            let mut crowd = crowd(&controller, [config(1), config(2)]);
            let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
            let options = ConnectOptions::new().own_address(own_address);
            let address = crowd.address(PERIPHERAL);
            crowd.ask(CENTRAL, Request::Connect { address, options }).expect("a link");
            crowd.advertised(PERIPHERAL, op).expect("connected");
            let central = crowd.stations[PERIPHERAL].connected(Role::Peripheral)[0].peer;
            match own_address {
                OwnAddress::Public => assert_eq!(central, Address::public(BdAddr([1, 0, 0, 0x5A, 0, 0]))),
                OwnAddress::Resolvable => assert!(central.is_resolvable(), "{central}"),
                _ => assert_eq!(central.bd_addr.0[5] >> 6, 0b00, "{central}"),
            }
            assert_ne!(central, crowd.address(CENTRAL));
        }
    }
}

#[test]
fn a_scan_asks_from_the_most_private_address_that_was_asked_for() {
    let watched = AdvertiseOptions::new().notify_scan_requests(true);
    let mut crowd = crowd(&ControllerOptions::default(), [config(1), config(2)]);
    crowd.advertise(PERIPHERAL, watched);
    let scanners = |crowd: &Crowd| {
        crowd.stations[PERIPHERAL].events(|event| match event {
            Event::ScanRequested { scanner, .. } => Some(*scanner),
            _ => None,
        })
    };
    let fixed = crowd.address(CENTRAL);
    scan(&mut crowd, ScanOptions::new());
    crowd.run(seconds(1));
    assert_eq!(BTreeSet::from_iter(scanners(&crowd)), BTreeSet::from([fixed]));
    let before = scanners(&crowd).len();
    scan(&mut crowd, ScanOptions::new().own_address(OwnAddress::NonResolvable));
    crowd.run(QUARTER * 2);
    let later = BTreeSet::from_iter(scanners(&crowd).split_off(before + 1));
    assert!((2..=3).contains(&later.len()), "{later:?}");
    assert!(later.iter().all(|scanner| scanner.bd_addr.0[5] >> 6 == 0b00), "{later:?}");
}

#[test]
fn with_one_random_address_connecting_comes_first_and_advertising_goes_on_behind_it() {
    let crowd_of = |configs| crowd(&ControllerOptions::legacy(), configs);
    let mut crowd = crowd_of([config(1), hidden(2)]);
    // The one that advertises behind a private address connects from its static one.
    let set = crowd.advertise(PERIPHERAL, AdvertiseOptions::new().interval(ms(20), ms(30)));
    let met = crowd.advertise(CENTRAL, AdvertiseOptions::new());
    let listening = crowd.submit(PERIPHERAL, Request::Scan(ScanOptions::new()));
    let options = ConnectOptions::new().own_address(OwnAddress::RandomStatic);
    let address = crowd.address(CENTRAL);
    crowd.ask(PERIPHERAL, Request::Connect { address, options }).expect("a link");
    crowd.advertised(CENTRAL, met).expect("connected");
    let from = crowd.stations[CENTRAL].connected(Role::Peripheral)[0].peer;
    assert_eq!(from, crowd.address(PERIPHERAL), "as it asked");
    let all = scan(&mut crowd, ScanOptions::new());
    crowd.run(seconds(1));
    let (addresses, _) = heard(&crowd, all);
    assert!(addresses.iter().all(Address::is_resolvable) && addresses.len() == 1, "{addresses:?}");
    for op in [set, listening] {
        assert!(crowd.stations[PERIPHERAL].told.result(op).is_none(), "it goes on");
    }
}

#[test]
fn the_same_seed_shows_the_same_addresses() {
    let run = || {
        let mut crowd = crowd(&ControllerOptions::default(), [friend(1), hidden(2)]);
        crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
        crowd.run(QUARTER * 2);
        crowd.try_connect(CENTRAL, IDENTITY).expect("a link");
        crowd.capture()
    };
    assert!(run() == run(), "two runs differ");
}
