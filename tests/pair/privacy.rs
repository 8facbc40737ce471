//! Private addresses: ours change and tell strangers nothing, those of known peers are seen through, and whoever hides
//! behind them is reached by his identity.

use crate::common::*;
use baretooth::capture::Record;
use baretooth::gap::advertise::{AdvertiseMode, AdvertiseOptions, ExtendedPdus};
use baretooth::gap::connect::ConnectOptions;
use baretooth::gap::filter::Filter;
use baretooth::gap::privacy::OwnAddress;
use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::hci::{ErrorCode, Role};
use baretooth::host::{
    AdvertisingEnd, ConnectionId, Event, HostConfig, OpError, OpId, Output, Pairable, Request,
    SecurityOptions, SecurityRequest,
};
use baretooth::sim::{ControllerOptions, RadioOptions};
use baretooth::smp::{Key, PairingOptions, SecureConnections};
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

/// With a resolving list, with extended commands and no list, and with neither.
fn controllers() -> [ControllerOptions; 4] {
    let full = ControllerOptions { resolving_list_size: 0, ..ControllerOptions::private() };
    [ControllerOptions::private(), full, ControllerOptions::default(), ControllerOptions::legacy()]
}

/// A friend and the hidden one, on each kind of controllers.
fn each_kind(scenario: impl Fn(Crowd)) {
    for controller in controllers() {
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
    each_kind(|mut crowd| {
        let often = AdvertiseOptions::new().interval(seconds(2), seconds(2));
        crowd.advertise(PERIPHERAL, often);
        let all = scan(&mut crowd, ScanOptions::new());
        let known = scan(&mut crowd, ScanOptions::new().filter(Filter::new().address(IDENTITY)));
        crowd.run(QUARTER * 2 + seconds(60));
        let (addresses, identities) = heard(&crowd, all);
        // A controller that resolves addresses does not tell them.
        if addresses != BTreeSet::from([IDENTITY]) {
            assert_eq!(addresses.len(), 3, "of three quarters of an hour: {addresses:?}");
            assert!(addresses.iter().all(Address::is_resolvable), "{addresses:?}");
        }
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
    each_kind(|mut crowd| {
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
    for controller in controllers() {
        let open = config(2).irk(irk()).random_address(IDENTITY.bd_addr);
        let mut crowd = crowd(&controller, [friend(1), open]);
        crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
        assert_eq!(crowd.try_connect(CENTRAL, IDENTITY).map(|link| link.peer), Ok(IDENTITY));
    }
}

#[test]
fn an_address_of_yesterday_still_leads_to_the_peer() {
    each_kind(|mut crowd| {
        let often = AdvertiseOptions::new().interval(seconds(1), seconds(1));
        crowd.advertise(PERIPHERAL, often);
        let all = scan(&mut crowd, ScanOptions::new());
        crowd.run(seconds(5));
        let old = heard(&crowd, all).0.pop_first().expect("heard");
        crowd.run(QUARTER);
        let link = crowd.try_connect(CENTRAL, old).expect("a link");
        assert!(link.peer != old || old == IDENTITY, "it shows another by now");
        assert_eq!(link.identity, Some(IDENTITY));
    });
}

#[test]
fn whom_nobody_hears_is_an_error_in_time_and_leaves_the_controller_idle() {
    each_kind(|mut crowd| {
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
    each_kind(|mut crowd| {
        for moment in 0..60 {
            let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
            let attempt = crowd.submit(CENTRAL, connect(IDENTITY));
            crowd.run(ms(moment * 5));
            crowd.cancel(CENTRAL, attempt);
            match crowd.done(CENTRAL, attempt) {
                Err(OpError::Cancelled) => crowd.cancel(PERIPHERAL, op),
                Ok(Output::Connected(link)) => {
                    let reason = ErrorCode::RemoteUserTerminatedConnection;
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
    for controller in controllers() {
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
fn a_scan_goes_on_beside_an_attempt_that_outlasts_the_address() {
    for controller in controllers() {
        let central = config(1).own_address(OwnAddress::Resolvable).rotation(seconds(10));
        let mut crowd = crowd(&controller, [central, config(2)]);
        crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
        let all = scan(&mut crowd, ScanOptions::new());
        let options = ConnectOptions::new().timeout(seconds(60));
        let attempt = crowd.submit(CENTRAL, Request::Connect { address: address(9), options });
        for _ in 0..5 {
            let before = crowd.stations[CENTRAL].heard(all).len();
            crowd.run(seconds(11));
            assert!(crowd.stations[CENTRAL].heard(all).len() > before + 50, "it still hears");
        }
        assert_eq!(crowd.done(CENTRAL, attempt), Err(OpError::ConnectTimeout { after: seconds(60) }));
        crowd.run(seconds(1));
        assert!(crowd.stations[CENTRAL].told.result(all).is_none());
    }
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

/// Everybody lets in whoever pairs.
fn open() -> SecurityOptions {
    SecurityOptions::new().pairable(Pairable::Always)
}

/// Two who show resolvable addresses alone and do not know each other.
fn strangers(controller: &ControllerOptions) -> Crowd {
    let hidden = |seed| config(seed).own_address(OwnAddress::Resolvable).security(open());
    crowd(controller, [hidden(1), hidden(2)])
}

fn end(crowd: &mut Crowd, connection: ConnectionId) {
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    crowd.ask(CENTRAL, Request::Disconnect { connection, reason }).expect("ended");
    idle(crowd);
}

/// Connects to what is heard first.
fn meet(crowd: &mut Crowd) -> ConnectionId {
    crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
    let all = scan(crowd, ScanOptions::new());
    crowd.run(seconds(1));
    let shown = heard(crowd, all).0.pop_first().expect("heard");
    crowd.cancel(CENTRAL, all);
    assert!(shown.is_resolvable(), "{shown}");
    crowd.try_connect(CENTRAL, shown).expect("a link").connection
}

#[test]
fn two_who_hide_pair_and_find_each_other_again_whatever_they_show() {
    for controller in controllers() {
        for generation in [SecureConnections::Only, SecureConnections::Off] {
            let mut crowd = strangers(&controller);
            let link = meet(&mut crowd);
            let options = PairingOptions::new().secure_connections(generation);
            let summary = crowd.pair(CENTRAL, link, options).expect("paired");
            assert_eq!(summary.peer, crowd.address(PERIPHERAL), "its identity");
            end(&mut crowd, link);
            crowd.run(QUARTER * 2);
            let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
            let again = crowd.try_connect(CENTRAL, summary.peer).expect("by its identity");
            assert_eq!(again.identity, Some(summary.peer));
            assert!(again.security.encrypted, "{again:?}");
            crowd.advertised(PERIPHERAL, op).expect("connected");
            let central = crowd.stations[PERIPHERAL].connected(Role::Peripheral).pop().expect("a link");
            assert_eq!(central.identity, Some(crowd.address(CENTRAL)), "{central:?}");
            assert!(central.peer == crowd.address(CENTRAL) || central.peer.is_resolvable(), "{central:?}");
        }
    }
}

#[test]
fn a_bond_lets_scans_see_through_and_its_end_lets_them_no_more() {
    let mut crowd = strangers(&ControllerOptions::default());
    let link = meet(&mut crowd);
    let peer = crowd.pair(CENTRAL, link, PairingOptions::new()).expect("paired").peer;
    end(&mut crowd, link);
    crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
    let known = scan(&mut crowd, ScanOptions::new());
    crowd.run(seconds(1));
    assert_eq!(heard(&crowd, known).1, BTreeSet::from([Some(peer)]));
    crowd.cancel(CENTRAL, known);
    crowd.ask(CENTRAL, SecurityRequest::Unpair { peer }).expect("forgotten");
    let unknown = scan(&mut crowd, ScanOptions::new());
    crowd.run(seconds(1));
    assert_eq!(heard(&crowd, unknown).1, BTreeSet::from([None]));
}

#[test]
fn a_pairing_goes_by_the_address_of_the_set_that_was_connected_to() {
    let mut crowd = strangers(&ControllerOptions::default());
    let sorts = [OwnAddress::Resolvable, OwnAddress::RandomStatic, OwnAddress::Public];
    for sort in sorts {
        crowd.advertise(PERIPHERAL, AdvertiseOptions::new().own_address(sort));
    }
    for address in [crowd.address(PERIPHERAL), Address::public(BdAddr([2, 0, 0, 0x5A, 0, 0]))] {
        let link = crowd.try_connect(CENTRAL, address).expect("a link").connection;
        // The check values of either generation are made with the addresses.
        let options = PairingOptions::new().secure_connections(SecureConnections::Off);
        let peer = crowd.pair(CENTRAL, link, options).expect("paired").peer;
        assert_eq!(peer, address, "an identity that lasts is the one that was shown");
        let reason = ErrorCode::RemoteUserTerminatedConnection;
        crowd.ask(CENTRAL, Request::Disconnect { connection: link, reason }).expect("ended");
        crowd.ask(CENTRAL, SecurityRequest::Unpair { peer }).expect("forgotten");
        crowd.load(PERIPHERAL, Vec::new());
    }
}

/// Commands that a controller refuses while what they change is in use.
const DELICATE: [u16; 7] = [0x2005, 0x2027, 0x2028, 0x2029, 0x202D, 0x2035, 0x204E];

/// Status and opcode of every answer of a controller that refuses something.
fn refusals(station: &Station) -> Vec<(u8, u16)> {
    let answer = |record: &Record| match record.data[..] {
        [0x04, 0x0E, _, _, low, high, status, ..] | [0x04, 0x0F, _, status, _, low, high] => {
            Some((status, u16::from_le_bytes([low, high])))
        }
        _ => None,
    };
    station.records.iter().filter_map(answer).filter(|(status, _)| *status != 0).collect()
}

/// A pseudo-random number below `end`, from a state that goes on.
fn below(state: &mut u64, end: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % end
}

/// Whatever wants whatever address, and whenever it ends: the controller never has to refuse, and is idle afterwards.
#[test]
fn addresses_and_keys_change_only_when_the_controller_lets_them() {
    let sorts =
        [OwnAddress::Public, OwnAddress::RandomStatic, OwnAddress::Resolvable, OwnAddress::NonResolvable];
    for seed in 0..24 {
        let blame = Blame(seed);
        let state = &mut (seed * 77 + 1);
        let kinds = controllers();
        let kind = &kinds[usize::try_from(below(state, 4)).expect("small")];
        let central = friend(1).rotation(seconds(3)).security(open());
        let mut crowd = crowd(kind, [central, hidden(2).rotation(seconds(5))]);
        let mut ops = Vec::new();
        for _ in 0..60 {
            let sort = sorts[usize::try_from(below(state, 4)).expect("small")];
            match below(state, 8) {
                0 => ops.push(crowd.submit(CENTRAL, Request::Scan(ScanOptions::new().own_address(sort)))),
                1 => {
                    let options = AdvertiseOptions::new().own_address(sort);
                    ops.push(crowd.submit(CENTRAL, Request::Advertise(options)));
                }
                2 => {
                    let options = ConnectOptions::new().own_address(sort).timeout(seconds(4));
                    let address = if below(state, 2) == 0 { IDENTITY } else { crowd.address(PERIPHERAL) };
                    ops.push(crowd.submit(CENTRAL, Request::Connect { address, options }));
                }
                3 => drop(crowd.submit(PERIPHERAL, Request::Advertise(AdvertiseOptions::new()))),
                4 => {
                    for info in crowd.stations[CENTRAL].connected(Role::Central) {
                        let reason = ErrorCode::RemoteUserTerminatedConnection;
                        crowd.submit(CENTRAL, Request::Disconnect { connection: info.connection, reason });
                    }
                }
                5 if !ops.is_empty() => {
                    let end = u64::try_from(ops.len()).expect("few");
                    let op = ops.swap_remove(usize::try_from(below(state, end)).expect("small"));
                    crowd.cancel(CENTRAL, op);
                }
                _ => crowd.run(ms(below(state, 2500))),
            }
        }
        let now = crowd.now;
        crowd.stations.iter_mut().for_each(|station| station.host.wind_down(now));
        crowd.exchange();
        idle(&mut crowd);
        for station in &crowd.stations {
            let delicate = refusals(station).into_iter().filter(|(_, opcode)| DELICATE.contains(opcode));
            assert_eq!(delicate.collect::<Vec<_>>(), []);
        }
        drop(blame);
    }
}
