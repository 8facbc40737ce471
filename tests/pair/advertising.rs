//! Advertising, and the links that come of it: two hosts and more on one radio.

use crate::common::*;
use baretooth::gap::advertise::{AdvertiseMode, AdvertiseOptions, ExtendedPdus};
use baretooth::gap::advertising_data::{AdType, AdvertisingDataBuf, AdvertisingDataBuilder};
use baretooth::gap::connect::ConnectionParameters;
use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::gatt::procedure::Discover;
use baretooth::hci::{ConnectionHandle, ErrorCode, Opcode, Role};
use baretooth::host::{AdvertisingEnd, Event, OpError, OpId, Output, ParameterPolicy, Request, Rung};
use baretooth::sim::{ControllerOptions, RadioOptions};
use std::collections::BTreeSet;
use std::time::Duration;

const CENTRAL: usize = 0;
const PERIPHERAL: usize = 1;

/// What a controller can decides which commands bring about the same.
fn each_kind(scenario: impl Fn(ControllerOptions)) {
    for options in [ControllerOptions::default(), ControllerOptions::legacy(), ControllerOptions::lying()] {
        scenario(options);
    }
}

#[test]
fn a_central_connects_to_what_is_advertised_and_both_have_the_link() {
    each_kind(|options| {
        each_seed(0..2, |seed| {
            let mut crowd = Crowd::seeded_with(seed, [ControllerOptions::default(), options.clone()]);
            let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
            let to = crowd.address(PERIPHERAL);
            let central = crowd.try_connect(CENTRAL, to).expect("a link");
            let end = crowd.advertised(PERIPHERAL, op);
            let [peripheral] = &crowd.stations[PERIPHERAL].connected(Role::Peripheral)[..] else {
                panic!("one link");
            };
            assert_eq!(end, Ok(AdvertisingEnd::Connected(peripheral.connection)));
            assert_eq!(peripheral.peer, crowd.address(CENTRAL));
            assert_eq!((peripheral.timing, central.role), (central.timing, Role::Central));
            // First the link, then the end of the advertisement.
            let order = crowd.stations[PERIPHERAL].events(|event| match event {
                Event::Connected(_) => Some("link"),
                Event::OpDone { .. } => Some("end"),
                _ => None,
            });
            assert_eq!(order, ["link", "end"]);
            // Both ask at once, each in its own role.
            let asked: Vec<_> = [(CENTRAL, central.connection), (PERIPHERAL, peripheral.connection)]
                .map(|(n, connection)| (n, crowd.submit(n, gatt(connection, Discover::all()))))
                .into();
            for (n, op) in asked {
                assert!(matches!(crowd.done(n, op), Ok(Output::Gatt(_))), "{n}");
            }
            let reason = ErrorCode::RemoteUserTerminatedConnection;
            let connection = central.connection;
            crowd.ask(CENTRAL, Request::Disconnect { connection, reason }).expect("ended");
            crowd.run(seconds(1));
            assert_eq!(crowd.stations[PERIPHERAL].disconnections(), [(peripheral.connection, reason)]);
            assert!(crowd.stations.iter().all(|station| station.host.is_idle()));
            crowd
        });
    });
}

/// Names of those whom a scan has heard, each once, in their order.
fn names(crowd: &Crowd, n: usize, scan: OpId) -> Vec<String> {
    let heard = crowd.stations[n].heard(scan);
    let names = heard.iter().filter_map(|sighting| sighting.device.data().local_name());
    let names: BTreeSet<_> = names.map(|name| name.to_str().into_owned()).collect();
    names.into_iter().collect()
}

fn scan(crowd: &mut Crowd, n: usize, time: Duration) -> OpId {
    let op = crowd.submit(n, Request::Scan(ScanOptions::new().duplicates(Duplicates::All)));
    crowd.run(time);
    crowd.cancel(n, op);
    crowd.run(ms(100));
    op
}

fn named(name: &str) -> AdvertisingDataBuf {
    AdvertisingDataBuilder::new().name(name).build().expect("fits")
}

#[test]
fn extended_and_multiple_sets_with_addresses_of_their_own_end_one_by_one() {
    each_seed(0..2, |seed| {
        let mut crowd = Crowd::seeded(seed, 2);
        let long = AdvertisingDataBuilder::with_limit(1650).name("long").raw(AdType(0xFF), &[7; 240]);
        let sets = [
            AdvertiseOptions::new().data(named("one")),
            AdvertiseOptions::new().data(named("two")).random_address(address(2).bd_addr),
            AdvertiseOptions::new()
                .mode(AdvertiseMode::NonConnectable)
                .data(long.build().expect("fits"))
                .extended(ExtendedPdus::default())
                .random_address(address(3).bd_addr),
        ];
        let [one, two, long] = sets.map(|options| crowd.advertise(PERIPHERAL, options));
        let heard = scan(&mut crowd, CENTRAL, seconds(3));
        assert_eq!(names(&crowd, CENTRAL, heard), ["long", "one", "two"]);
        let link = crowd.try_connect(CENTRAL, address(2)).expect("the second");
        let [peripheral] = &crowd.stations[PERIPHERAL].connected(Role::Peripheral)[..] else { panic!("one") };
        let connected = AdvertisingEnd::Connected(peripheral.connection);
        assert_eq!((link.peer, crowd.advertised(PERIPHERAL, two)), (address(2), Ok(connected)));
        crowd.cancel(PERIPHERAL, one);
        assert_eq!(crowd.advertised(PERIPHERAL, one), Err(OpError::Cancelled));
        let heard = scan(&mut crowd, CENTRAL, seconds(3));
        assert_eq!(names(&crowd, CENTRAL, heard), ["long"]);
        crowd.cancel(PERIPHERAL, long);
        assert_eq!(crowd.advertised(PERIPHERAL, long), Err(OpError::Cancelled));
        crowd
    });
}

#[test]
fn one_set_more_than_the_controller_has_is_refused_and_its_place_can_be_taken_later() {
    let mut crowd = Crowd::new(1);
    let sets: Vec<_> = (0..4).map(|_| crowd.advertise(0, AdvertiseOptions::new())).collect();
    let one_more = || Request::Advertise(AdvertiseOptions::new());
    assert_eq!(crowd.ask(0, one_more()), Err(OpError::NoAdvertisingSetLeft { sets: 4 }));
    crowd.cancel(0, sets[0]);
    crowd.advertise(0, AdvertiseOptions::new());
}

#[test]
fn directed_advertising_is_for_one_central_alone() {
    each_kind(|options| {
        for high_duty in [false, true] {
            let kinds = [ControllerOptions::default(), options.clone(), ControllerOptions::default()];
            let mut crowd = Crowd::seeded_with(1, kinds);
            let central = crowd.address(CENTRAL);
            let mode = if high_duty {
                AdvertiseMode::DirectedHighDuty(central)
            } else {
                AdvertiseMode::Directed(central)
            };
            let to = crowd.address(PERIPHERAL);
            let stranger = crowd.submit(2, connect(to));
            let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new().mode(mode));
            crowd.run(ms(500));
            assert!(crowd.stations[2].told.result(stranger).is_none(), "not for it");
            crowd.try_connect(CENTRAL, to).expect("for it");
            assert!(matches!(crowd.advertised(PERIPHERAL, op), Ok(AdvertisingEnd::Connected(_))));
            // Nobody answers the next.
            crowd.cancel(2, stranger);
            if high_duty {
                let mode = AdvertiseMode::DirectedHighDuty(address(9));
                let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new().mode(mode));
                let begun = crowd.now;
                assert_eq!(crowd.advertised(PERIPHERAL, op), Ok(AdvertisingEnd::TimedOut));
                let lasted = crowd.now.since(begun);
                assert!((ms(1280)..ms(1300)).contains(&lasted), "{lasted:?}");
            }
        }
    });
}

#[test]
fn advertising_ends_in_time_or_after_so_many_events() {
    each_kind(|options| {
        let mut crowd = Crowd::seeded_with(1, [options]);
        let op = crowd.advertise(0, AdvertiseOptions::new().timeout(seconds(3)));
        let begun = crowd.now;
        assert_eq!(crowd.advertised(0, op), Ok(AdvertisingEnd::TimedOut));
        assert_eq!(crowd.now.since(begun), seconds(3));
        assert!(crowd.stations[0].host.is_idle());
    });
    let mut crowd = Crowd::new(1);
    let op = crowd.advertise(0, AdvertiseOptions::new().max_events(7));
    assert_eq!(crowd.advertised(0, op), Ok(AdvertisingEnd::Sent(7)));
}

#[test]
fn data_change_on_the_air() {
    each_kind(|options| {
        let mut crowd = Crowd::seeded_with(1, [ControllerOptions::default(), options]);
        let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new().data(named("before")));
        let set = |of, data| Request::SetAdvertisingData { of, data, scan_response: named("answer") };
        let heard = scan(&mut crowd, CENTRAL, seconds(1));
        assert_eq!(names(&crowd, CENTRAL, heard), ["before"]);
        assert_eq!(crowd.ask(PERIPHERAL, set(op, AdvertisingDataBuf::default())), Ok(Output::Done));
        let heard = scan(&mut crowd, CENTRAL, seconds(1));
        assert!(names(&crowd, CENTRAL, heard).contains(&"answer".to_owned()));
        crowd.cancel(PERIPHERAL, op);
        crowd.run(ms(100));
        assert_eq!(crowd.ask(PERIPHERAL, set(op, named("after"))), Err(OpError::NotAdvertising));
    });
}

#[test]
fn what_was_on_the_air_begins_anew_when_the_controller_is_reset_and_its_time_goes_on() {
    each_kind(|options| {
        each_seed(0..2, |seed| {
            let kinds = [ControllerOptions::default(), options.clone()];
            let mut crowd = Crowd::seeded_with(seed, kinds);
            let (_, lost) = crowd.link(CENTRAL, PERIPHERAL);
            let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new().timeout(seconds(60)));
            let begun = crowd.now;
            crowd.run(seconds(10));
            let controller = crowd.stations[PERIPHERAL].controller;
            crowd.room(|radio| radio.hardware_error(controller, 1));
            let down = [(lost, ErrorCode::HardwareFailure)];
            assert_eq!(crowd.stations[PERIPHERAL].disconnections(), down);
            crowd.run(seconds(10));
            let link = crowd.try_connect(CENTRAL, crowd.address(PERIPHERAL)).expect("begun anew");
            assert!(matches!(crowd.advertised(PERIPHERAL, op), Ok(AdvertisingEnd::Connected(_))));
            let reason = ErrorCode::RemoteUserTerminatedConnection;
            crowd.ask(CENTRAL, Request::Disconnect { connection: link.connection, reason }).expect("ended");
            // And the time of one that nobody connects to goes on.
            let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new().timeout(seconds(30)));
            let second = crowd.now;
            crowd.run(seconds(5));
            crowd.room(|radio| radio.hang(controller, 0));
            assert_eq!(crowd.advertised(PERIPHERAL, op), Ok(AdvertisingEnd::TimedOut));
            assert!(crowd.now.since(second) < seconds(36), "{}", crowd.now);
            assert!(second.since(begun) > seconds(20));
            crowd
        });
    });
}

#[test]
fn both_roles_at_once_and_scanning_goes_on_beside_them() {
    each_seed(0..2, |seed| {
        // The host in the middle has a central, a peripheral, an advertisement and a scan.
        let mut crowd = Crowd::seeded(seed, 3);
        let middle = 1;
        let options = ScanOptions::new().duplicates(Duplicates::All);
        let scan = crowd.submit(middle, Request::Scan(options));
        let (_, as_peripheral) = crowd.link(0, middle);
        let (as_central, _) = crowd.link(middle, 2);
        let beacon = AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable);
        crowd.advertise(middle, beacon.clone());
        crowd.advertise(2, beacon);
        let before = crowd.stations[middle].heard(scan).len();
        for connection in [as_peripheral, as_central] {
            crowd.gatt(middle, connection, Discover::all()).expect("answers");
        }
        crowd.run(seconds(2));
        assert!(crowd.stations[middle].heard(scan).len() > before + 10);
        crowd.stations[middle].host.wind_down(crowd.now);
        crowd.run(seconds(1));
        assert!(crowd.stations[middle].host.is_idle());
        crowd
    });
}

#[test]
fn thirty_two_centrals_on_one_peripheral() {
    each_seed(0..1, |seed| {
        let mut crowd = Crowd::seeded(seed, 33);
        let links: Vec<_> = (1..33).map(|central| crowd.link(central, 0)).collect();
        let accepted = crowd.stations[0].connected(Role::Peripheral);
        let peers: Vec<_> = (1..33).map(|central| crowd.address(central)).collect();
        assert_eq!(accepted.iter().map(|info| info.peer).collect::<Vec<_>>(), peers);
        for (central, (link, _)) in (1..).zip(&links) {
            crowd.gatt(central, *link, Discover::all()).expect("answers");
        }
        crowd.stations[0].host.wind_down(crowd.now);
        crowd.run(seconds(2));
        assert_eq!(crowd.stations[0].disconnections().len(), 32);
        crowd
    });
}

#[test]
fn who_asks_for_the_scan_response_is_told_to_who_wants_to_know() {
    let mut crowd = Crowd::new(2);
    let silent = crowd.advertise(PERIPHERAL, AdvertiseOptions::new().scan_response(named("silent")));
    let options = AdvertiseOptions::new().scan_response(named("asked")).notify_scan_requests(true);
    let asked = crowd.advertise(PERIPHERAL, options);
    scan(&mut crowd, CENTRAL, seconds(1));
    let scanners = crowd.stations[PERIPHERAL].events(|event| match event {
        Event::ScanRequested { op, scanner } => Some((*op, *scanner)),
        _ => None,
    });
    assert!(scanners.len() > 5 && scanners.iter().all(|&told| told == (asked, crowd.address(CENTRAL))));
    assert_ne!(asked, silent);
}

const ENABLE: u16 = 0x200A;

/// LE Connection Complete as peripheral.
fn connected_to(script: &mut Script, handle: u8) {
    let complete = [&[0x01, 0, handle, 0, 0x01, 0x01][..], &PEER.bd_addr.0, &[24, 0, 0, 0, 0xF4, 0x01, 0x00]];
    script.event(0x3E, &complete.concat());
}

#[test]
fn a_link_that_no_set_has_brought_about_is_ended() {
    let mut script = Script::new();
    connected_to(&mut script, 0x40);
    assert_eq!(script.commands(), [0x0406], "Disconnect");
    // Nor by one that nobody may connect to.
    let beacon = AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable);
    let op = script.submit(Request::Advertise(beacon));
    script.sent.clear();
    connected_to(&mut script, 0x41);
    assert_eq!(script.commands(), [0x0406]);
    assert!(!script.is_done(op));
}

#[test]
fn a_link_that_comes_as_advertising_is_being_stopped_is_kept_and_told() {
    let mut script = Script::new();
    let op = script.submit(Request::Advertise(AdvertiseOptions::new()));
    script.answers = false;
    script.cancel(op);
    connected_to(&mut script, 0x40);
    assert!(!script.is_done(op), "the controller has not stopped");
    script.event(0x0E, &[1, 0x0A, 0x20, 0x0C]);
    let connection = script.host.connection(ConnectionHandle(0x40)).expect("kept");
    assert_eq!(script.result(op), Ok(Output::Advertised(AdvertisingEnd::Connected(connection))));
}

#[test]
fn a_set_whose_end_is_told_before_its_link_ends_with_that_link() {
    let mut script = Script::unready(config(1));
    script.features = 1 << 12;
    script.exchange();
    let op = script.submit(Request::Advertise(AdvertiseOptions::new()));
    // Advertising Set Terminated, set 0, by a link with this handle.
    script.event(0x3E, &[0x12, 0, 0, 0x40, 0, 0]);
    connected_to(&mut script, 0x40);
    let connection = script.host.connection(ConnectionHandle(0x40)).expect("kept");
    assert_eq!(script.result(op), Ok(Output::Advertised(AdvertisingEnd::Connected(connection))));
    assert!(!script.commands().contains(&0x0406), "not ended");
    // But one of which nothing was promised is.
    connected_to(&mut script, 0x41);
    assert!(script.commands().contains(&0x0406));
}

#[test]
fn a_controller_that_does_not_answer_ends_what_was_about_to_begin_and_is_reset() {
    let mut script = Script::new();
    let running = script.submit(Request::Advertise(AdvertiseOptions::new().timeout(seconds(60))));
    script.cancel(running);
    script.answers = false;
    let op = script.submit(Request::Advertise(AdvertiseOptions::new()));
    script.run(seconds(2));
    assert_eq!(script.result(running), Err(OpError::Cancelled));
    assert_eq!(script.result(op), Err(silent(0x2006, Some(Rung::Reset))));
    // What is cancelled meanwhile is over at once.
    let waits = script.submit(Request::Advertise(AdvertiseOptions::new()));
    script.cancel(waits);
    assert_eq!(script.result(waits), Err(OpError::Cancelled));
}

#[test]
fn what_the_controller_refuses_is_told_with_the_command() {
    let mut script = Script::new();
    script.refuses = vec![(ENABLE, 0x0C)];
    let op = script.submit(Request::Advertise(AdvertiseOptions::new()));
    let (command, status) = (Opcode(ENABLE), ErrorCode::CommandDisallowed);
    assert_eq!(script.result(op), Err(OpError::Controller { command, status }));
}

/// Asks for 100 ms as a peripheral; the answer, and the timing as the central was told.
fn slower(crowd: &mut Crowd) -> (Result<Output, OpError>, Vec<Duration>) {
    let (_, connection) = crowd.link(CENTRAL, PERIPHERAL);
    let parameters =
        ConnectionParameters { interval_min: ms(100), interval_max: ms(100), ..Default::default() };
    let answer = crowd.ask(PERIPHERAL, Request::UpdateParameters { connection, parameters });
    crowd.run(seconds(1));
    let told = crowd.stations[CENTRAL].events(|event| match event {
        Event::Timing { timing, .. } => Some(timing.interval),
        _ => None,
    });
    (answer, told)
}

#[test]
fn a_peripheral_gets_other_timing_from_its_central_as_that_wants() {
    // With the procedure between controllers, and without: bit 1.
    for without in [0, 1 << 1] {
        let kind = ControllerOptions::default();
        let kind = ControllerOptions { le_features: kind.le_features & !without, ..kind };
        for policy in [ParameterPolicy::AcceptAll, ParameterPolicy::RejectAll] {
            let hosts = [
                (ControllerOptions::default(), config(0).parameter_policy(policy)),
                (kind.clone(), config(1)),
            ];
            let mut crowd = Crowd::with(RadioOptions::default(), hosts);
            let (answer, told) = slower(&mut crowd);
            if policy == ParameterPolicy::AcceptAll {
                assert!(
                    matches!(answer, Ok(Output::Timing(timing)) if timing.interval == ms(100)),
                    "{answer:?}"
                );
                assert_eq!(told, [ms(100)]);
            } else if without == 0 {
                let status = ErrorCode::UnacceptableConnectionParameters;
                assert_eq!(answer, Err(OpError::Controller { command: Opcode(0x2013), status }));
                assert!(told.is_empty());
            } else {
                assert_eq!(answer, Err(OpError::ParametersRejected));
                assert!(told.is_empty());
            }
        }
    }
}

#[test]
fn a_central_whose_controller_lacks_the_procedure_is_asked_by_its_host() {
    let mut script = Script::unready(config(1));
    script.features = 1 << 1;
    script.exchange();
    script.submit(Request::Advertise(AdvertiseOptions::new()));
    connected_to(&mut script, 0x40);
    let connection = script.host.connection(ConnectionHandle(0x40)).expect("a link");
    script.sent.clear();
    let op = script.submit(Request::UpdateParameters { connection, parameters: Default::default() });
    assert_eq!((script.commands(), script.frames(0x40)), (vec![0x2013], vec![]));
    // LE Connection Update Complete: Unsupported Remote Feature.
    script.event(0x3E, &[0x03, 0x1A, 0x40, 0, 24, 0, 0, 0, 0xF4, 0x01]);
    let request = vec![0x12, 1, 8, 0, 12, 0, 24, 0, 0, 0, 0xF4, 0x01];
    assert_eq!(script.frames(0x40), [(5, request)]);
    // An answer to another request is none.
    script.frame(0x40, 5, &[0x13, 2, 2, 0, 1, 0]);
    script.frame(0x40, 5, &[0x13, 1, 2, 0, 0, 0]);
    assert!(!script.is_done(op), "granted, and not yet set");
    script.event(0x3E, &[0x03, 0, 0x40, 0, 12, 0, 0, 0, 0xF4, 0x01]);
    assert!(matches!(script.result(op), Ok(Output::Timing(timing)) if timing.interval == ms(15)));
}
