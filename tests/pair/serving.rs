//! Our client against our server, host against host: what was declared is found, what is written is there, what is
//! sent arrives, in both directions and whatever else goes on.

mod caching;

use crate::common::*;
use baretooth::att::AttError;
use baretooth::gap::advertise::AdvertiseOptions;
use baretooth::gap::connect::ConnectOptions;
use baretooth::gatt::procedure::{
    Delivery, Discover, Outcome, Read, ReadMultiple, ReadMultipleVariable, Running, Subscribe, Unsubscribe,
    Write, WriteLong,
};
use baretooth::gatt::server::{Access, Ask, Characteristic, Offer, PresentationFormat, Service, Table, Want};
use baretooth::gatt::{GattError, Services};
use baretooth::hci::Role;
use baretooth::host::{ConnectionId, Event, OpError, OpId, Output, Request, ServerEvent, ServerRequest};
use baretooth::sim::{ControllerOptions, RadioOptions};
use baretooth::{Uuid, uuid16};
use bytes::Bytes;

const CENTRAL: usize = 0;
const PERIPHERAL: usize = 1;

const LONG: Uuid = Uuid::from_u128(0x6E40_0001_B5A3_F393_E0A9_E50E_24DC_CA9E);
const LEVEL: Uuid = uuid16(0x2A19);
const STORED: Uuid = uuid16(0x2A3D);
const ASKED: Uuid = uuid16(0x2A56);
const TOLD: Uuid = uuid16(0x2A58);
const PRIVATE: Uuid = uuid16(0x2A37);

/// Something of everything; `tag` makes the tables of two hosts differ.
fn table(tag: u8) -> Table {
    let format = PresentationFormat { format: 4, exponent: 0, unit: 0x27AD, name_space: 1, description: 0 };
    let level = Characteristic::new(LEVEL).value(vec![tag]).read(Access::OPEN).notify();
    let stored = Characteristic::new(STORED).value(vec![tag; 300]).read(Access::OPEN).write(Access::OPEN);
    let asked = Characteristic::new(ASKED).asked().read(Access::OPEN).write(Access::OPEN);
    let told = Characteristic::new(TOLD).value(vec![tag]).read(Access::OPEN).notify().indicate();
    let private =
        Characteristic::new(PRIVATE).value("secret").read(Access::ENCRYPTED).write(Access::AUTHENTICATED);
    let mut builder = Table::builder("served");
    let battery = builder.add(
        Service::primary(uuid16(0x180F))
            .characteristic(level.presentation_format(format).user_description("charge")),
    );
    builder.add(Service::secondary(uuid16(0x1810)).at(0x30).characteristic(private));
    builder.add(
        Service::primary(LONG)
            .at(0x40)
            .include(battery)
            .characteristic(stored.writable_user_description("a note", Access::OPEN).reliable_write())
            .characteristic(asked.write_without_response(Access::OPEN))
            .characteristic(told),
    );
    builder.build().expect("fits")
}

fn serve(crowd: &mut Crowd, n: usize, table: Table) -> Services {
    let services = table.services().clone();
    assert_eq!(crowd.ask(n, ServerRequest::Serve(table)), Ok(Output::Done));
    services
}

/// A central and a peripheral that serves, and the link at each of them.
fn two(mut crowd: Crowd) -> (Crowd, ConnectionId, ConnectionId, Services) {
    let services = serve(&mut crowd, PERIPHERAL, table(7));
    let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
    (crowd, central, peripheral, services)
}

fn at(services: &Services, uuid: Uuid) -> (u16, u16) {
    let found = services.find(uuid).expect("declared");
    (found.value_handle, found.cccd().unwrap_or(0))
}

fn server_events(crowd: &Crowd, n: usize) -> Vec<ServerEvent> {
    crowd.stations[n]
        .events(|event| if let Event::Server(event) = event { Some(event.clone()) } else { None })
}

fn questions(crowd: &Crowd, n: usize) -> Vec<(ConnectionId, Ask)> {
    let asked = |event| match event {
        ServerEvent::Asked { connection, ask } => Some((connection, ask)),
        _ => None,
    };
    server_events(crowd, n).into_iter().filter_map(asked).collect()
}

fn subscribe(crowd: &mut Crowd, n: usize, connection: ConnectionId, cccd: u16, delivery: Delivery) {
    crowd.gatt(n, connection, Subscribe::at(cccd, delivery)).expect("subscribed");
}

fn notify(connection: ConnectionId, handle: u16, n: u32) -> ServerRequest {
    ServerRequest::Notify { connection, handle, value: Bytes::copy_from_slice(&n.to_le_bytes()) }
}

fn value(octets: impl Into<Bytes>) -> Result<Output, OpError> {
    Ok(Output::Gatt(Outcome::Value(octets.into())))
}

fn refused(error: OpError) -> AttError {
    match error {
        OpError::Gatt(GattError::Att { code, .. }) => code,
        other => panic!("{other}"),
    }
}

#[test]
fn gatt_server_discovery_gives_the_declared_table_at_every_mtu() {
    for mtu in [23, 247, 517] {
        let quiet = RadioOptions::default();
        let hosts = [0, 1].map(|n| (ControllerOptions::default(), config(n).mtu(mtu)));
        let (mut crowd, central, _, services) = two(Crowd::with(quiet, hosts));
        assert_eq!(crowd.stations[CENTRAL].connected(Role::Central)[0].mtu, mtu);
        let found = crowd.gatt(CENTRAL, central, Discover::all().with_user_descriptions());
        assert_eq!(found, Ok(services), "MTU {mtu}");
    }
}

#[test]
fn gatt_server_static_values_are_read_and_written_however_long() {
    each_seed(0..2, |seed| {
        let (mut crowd, central, _, services) = two(Crowd::seeded(seed, 2));
        let (stored, _) = at(&services, STORED);
        assert_eq!(crowd.gatt(CENTRAL, central, Read::new(stored)), Ok(Bytes::from(vec![7; 300])));
        for length in [0, 1, 22, 512] {
            let new = vec![length as u8; length];
            crowd.gatt(CENTRAL, central, Write::new(stored, new.clone()).expect("short")).expect("written");
            assert_eq!(crowd.gatt(CENTRAL, central, Read::new(stored)), Ok(Bytes::from(new.clone())));
            assert_eq!(crowd.stations[PERIPHERAL].host.table().value(stored), Some(&Bytes::from(new)));
        }
        let (level, _) = at(&services, LEVEL);
        crowd.ask(PERIPHERAL, ServerRequest::SetValue { handle: level, value: vec![9].into() }).expect("set");
        let handles = [level, 3];
        let both = crowd.gatt(CENTRAL, central, ReadMultiple::new(&handles).expect("two"));
        assert_eq!(both, Ok(Bytes::from_static(b"\x09served")));
        let each =
            crowd.gatt(CENTRAL, central, ReadMultipleVariable::new(&handles).expect("two")).expect("read");
        assert_eq!(each.iter().map(|v| v.value.len()).collect::<Vec<_>>(), [1, 6]);
        crowd
    });
}

#[test]
fn gatt_server_queued_writes_are_taken_whole_or_not_at_all() {
    let mut crowd = Crowd::with(
        RadioOptions::default(),
        [0, 1].map(|n| (ControllerOptions::default(), config(n).mtu(23))),
    );
    crowd.run(seconds(1));
    let (mut crowd, central, peripheral, services) = two(crowd);
    let (stored, _) = at(&services, STORED);
    let long: Vec<u8> = (0..400_u16).map(|n| n.to_le_bytes()[0]).collect();
    crowd.gatt(CENTRAL, central, WriteLong::new(stored, long.clone()).expect("fits")).expect("written");
    assert_eq!(crowd.gatt(CENTRAL, central, Read::new(stored)), Ok(Bytes::from(long.clone())));
    let offer = Offer { handle: stored, offset: 0, value: long.clone().into() };
    let written = ServerEvent::Written { connection: peripheral, offer };
    assert_eq!(server_events(&crowd, PERIPHERAL), [written], "once, and whole");
    // A value of the user's, in 23 parts: one question, and his code if he does not take it.
    let (asked, _) = at(&services, ASKED);
    for answer in [Ok(Bytes::new()), Err(AttError(0x81))] {
        let write = WriteLong::new(asked, long.clone()).expect("fits");
        let op = crowd.submit(CENTRAL, gatt(central, write));
        let before = questions(&crowd, PERIPHERAL).len();
        crowd.until("a question", |crowd| questions(crowd, PERIPHERAL).len() > before);
        let (connection, ask) = questions(&crowd, PERIPHERAL).pop().expect("one");
        assert_eq!(
            ask.want,
            Want::Write(vec![Offer { handle: asked, offset: 0, value: long.clone().into() }])
        );
        let request = ServerRequest::Answer { connection, id: ask.id, answer: answer.clone() };
        assert_eq!(crowd.ask(PERIPHERAL, request), Ok(Output::Done));
        match answer {
            Ok(_) => assert!(crowd.done(CENTRAL, op).is_ok()),
            Err(code) => assert_eq!(refused(crowd.done(CENTRAL, op).expect_err("refused")), code),
        }
    }
}

#[test]
fn gatt_server_permissions_are_told_by_the_codes_that_help() {
    let (mut crowd, central, _, services) = two(Crowd::new(2));
    let (private, level) = (at(&services, PRIVATE).0, at(&services, LEVEL).0);
    let mut code = |procedure: Running| {
        let op = crowd.submit(CENTRAL, gatt(central, procedure));
        refused(crowd.done(CENTRAL, op).expect_err("refused"))
    };
    assert_eq!(code(Read::new(private).into()), AttError::InsufficientAuthentication);
    let write = |handle| Write::new(handle, &b"x"[..]).expect("short").into();
    assert_eq!(code(write(private)), AttError::InsufficientAuthentication);
    assert_eq!(code(write(level)), AttError::WriteNotPermitted);
    assert_eq!(code(Read::new(0x999).into()), AttError::InvalidHandle);
    let names: Vec<u8> = crowd.gatt(CENTRAL, central, Read::new(3)).expect("open").to_vec();
    assert_eq!(names, b"served");
}

#[test]
fn gatt_server_asked_values_come_from_the_user_late_never_or_twice() {
    let (mut crowd, central, _, services) = two(Crowd::new(2));
    let (asked, _) = at(&services, ASKED);
    let ask = |crowd: &mut Crowd| {
        let before = questions(crowd, PERIPHERAL).len();
        let op = crowd.submit(CENTRAL, gatt(central, Read::new(asked)));
        crowd.until("a question", |crowd| questions(crowd, PERIPHERAL).len() > before);
        let (connection, ask) = questions(crowd, PERIPHERAL).pop().expect("one");
        (op, connection, ask.id)
    };
    let answer = |crowd: &mut Crowd, connection, id, value: &'static [u8]| {
        let answer = Ok(Bytes::from_static(value));
        crowd.ask(PERIPHERAL, ServerRequest::Answer { connection, id, answer })
    };
    let (op, connection, id) = ask(&mut crowd);
    crowd.run(seconds(8));
    assert_eq!(answer(&mut crowd, connection, id, b"late"), Ok(Output::Done));
    assert_eq!(answer(&mut crowd, connection, id, b"twice"), Err(OpError::NotAsked));
    assert_eq!(crowd.done(CENTRAL, op), value(&b"late"[..]));
    let (op, connection, id) = ask(&mut crowd);
    crowd.run(seconds(11));
    assert_eq!(refused(crowd.done(CENTRAL, op).expect_err("never")), AttError::UnlikelyError);
    assert_eq!(answer(&mut crowd, connection, id, b"too late"), Err(OpError::NotAsked));
    // A value longer than a PDU is asked for once, and read in parts of it.
    let (op, connection, id) = ask(&mut crowd);
    let long = Bytes::from(vec![5; 512]);
    let request = ServerRequest::Answer { connection, id, answer: Ok(long.clone()) };
    let before = questions(&crowd, PERIPHERAL).len();
    assert_eq!(crowd.ask(PERIPHERAL, request), Ok(Output::Done));
    assert_eq!(crowd.done(CENTRAL, op), value(long));
    assert_eq!(questions(&crowd, PERIPHERAL).len(), before);
    assert_eq!(crowd.stations[CENTRAL].disconnections(), []);
}

#[test]
fn gatt_server_notifies_and_indicates_whoever_asked_for_it() {
    each_seed(0..2, |seed| {
        let (mut crowd, central, peripheral, services) = two(Crowd::seeded(seed, 2));
        let (told, cccd) = at(&services, TOLD);
        assert_eq!(crowd.ask(PERIPHERAL, notify(peripheral, told, 0)), Err(OpError::NotSubscribed));
        subscribe(&mut crowd, CENTRAL, central, cccd, Delivery::Notify);
        let ops: Vec<_> = (0..100).map(|n| crowd.submit(PERIPHERAL, notify(peripheral, told, n))).collect();
        for op in ops {
            assert_eq!(crowd.done(PERIPHERAL, op), Ok(Output::Done));
        }
        subscribe(&mut crowd, CENTRAL, central, cccd, Delivery::Indicate);
        let indicate = |n: u32| {
            let value = Bytes::copy_from_slice(&n.to_le_bytes());
            ServerRequest::Indicate { connection: peripheral, handle: told, value }
        };
        let ops: Vec<_> = (100..110).map(|n| crowd.submit(PERIPHERAL, indicate(n))).collect();
        for (n, op) in (100..).zip(ops) {
            assert_eq!(crowd.done(PERIPHERAL, op), Ok(Output::Done));
            let come = crowd.stations[CENTRAL].values(central, told).len();
            assert!(come > n, "it is done when it is confirmed, and {come} have come");
        }
        let expected: Vec<_> = (0..110_u32).map(|n| n.to_le_bytes().to_vec()).collect();
        assert_eq!(crowd.stations[CENTRAL].values(central, told), expected);
        crowd.gatt(CENTRAL, central, Unsubscribe::at(cccd)).expect("ended");
        assert_eq!(crowd.ask(PERIPHERAL, notify(peripheral, told, 0)), Err(OpError::NotSubscribed));
        let configured: Vec<_> = server_events(&crowd, PERIPHERAL)
            .into_iter()
            .map(|event| match event {
                ServerEvent::Configured { connection, value_handle, configuration } => {
                    assert_eq!((connection, value_handle), (peripheral, told));
                    configuration
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(configured, [1, 2, 0]);
        crowd
    });
}

/// Both serve, both ask, both send, all at once on the one link.
#[test]
fn a_server_and_a_client_share_a_link_in_both_directions() {
    each_seed(0..4, |seed| {
        let mut crowd = Crowd::seeded(seed, 2);
        let tables = [serve(&mut crowd, CENTRAL, table(1)), serve(&mut crowd, PERIPHERAL, table(2))];
        let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
        let links = [central, peripheral];
        let (told, cccd) = at(&tables[0], TOLD);
        let (stored, _) = at(&tables[0], STORED);
        for (n, link) in links.into_iter().enumerate() {
            subscribe(&mut crowd, n, link, cccd, Delivery::Notify);
        }
        let mut ops: Vec<(usize, OpId, Result<Output, OpError>)> = Vec::new();
        for round in 0..20_u32 {
            for (n, link) in links.into_iter().enumerate() {
                let other = [2, 1][n];
                let discover = crowd.submit(n, gatt(link, Discover::all().with_user_descriptions()));
                let read = crowd.submit(n, gatt(link, Read::new(stored)));
                let notified = crowd.submit(n, notify(link, told, round));
                let services = Outcome::Services(tables[1 - n].clone());
                ops.push((n, discover, Ok(Output::Gatt(services))));
                ops.push((n, read, value(vec![other; 300])));
                ops.push((n, notified, Ok(Output::Done)));
            }
        }
        for (n, op, expected) in ops {
            assert_eq!(crowd.done(n, op), expected);
        }
        crowd.run(seconds(1));
        let expected: Vec<_> = (0..20_u32).map(|n| n.to_le_bytes().to_vec()).collect();
        for (n, link) in links.into_iter().enumerate() {
            assert_eq!(crowd.stations[n].values(link, told), expected);
        }
        crowd
    });
}

/// One host is central of one link and peripheral of another, and serves both.
#[test]
fn both_roles_on_one_host_serve_the_same_table() {
    each_seed(0..2, |seed| {
        let mut crowd = Crowd::seeded(seed, 3);
        let services = serve(&mut crowd, 1, table(3));
        // 0 connects to 1, and 1 to 2.
        let (of_first, _) = crowd.link(0, 1);
        let (_, of_last) = crowd.link(1, 2);
        let roles = [Role::Peripheral, Role::Central].map(|role| crowd.stations[1].connected(role).len());
        assert_eq!(roles, [1, 1]);
        let (told, cccd) = at(&services, TOLD);
        for (n, link) in [(0, of_first), (2, of_last)] {
            assert_eq!(crowd.gatt(n, link, Discover::all().with_user_descriptions()), Ok(services.clone()));
            subscribe(&mut crowd, n, link, cccd, Delivery::Notify);
        }
        let both: Vec<_> = [Role::Peripheral, Role::Central]
            .map(|role| crowd.stations[1].connected(role)[0].connection)
            .into();
        for link in both {
            assert_eq!(crowd.ask(1, notify(link, told, 9)), Ok(Output::Done));
        }
        crowd.run(seconds(1));
        for (n, link) in [(0, of_first), (2, of_last)] {
            assert_eq!(crowd.stations[n].values(link, told), [9_u32.to_le_bytes()]);
        }
        crowd
    });
}

/// A host with so many centrals, each of which has subscribed; the links at the host, and at the centrals.
fn served_by_one(
    seed: u64,
    centrals: usize,
    controller: ControllerOptions,
) -> (Crowd, Vec<(ConnectionId, ConnectionId)>, Services) {
    let controllers = std::iter::once(controller).chain((0..centrals).map(|_| ControllerOptions::default()));
    let mut crowd = Crowd::seeded_with(seed, controllers);
    let services = serve(&mut crowd, 0, table(4));
    let links: Vec<_> = (1..=centrals)
        .map(|n| {
            let (central, peripheral) = crowd.link(n, 0);
            (peripheral, central)
        })
        .collect();
    let (_, cccd) = at(&services, TOLD);
    for (n, (_, link)) in (1..).zip(&links) {
        subscribe(&mut crowd, n, *link, cccd, Delivery::Notify);
    }
    (crowd, links, services)
}

#[test]
fn a_thousand_notifications_to_each_of_sixteen_subscribers_none_lost() {
    let controller = ControllerOptions { acl_buffers: 4, max_links: 16, ..ControllerOptions::default() };
    let (mut crowd, links, services) = served_by_one(1, 16, controller);
    let (told, _) = at(&services, TOLD);
    let ops: Vec<_> = (0..1000)
        .flat_map(|n| links.iter().map(move |(link, _)| (*link, n)))
        .map(|(link, n)| crowd.submit(0, notify(link, told, n)))
        .collect();
    // Four buffers and a connection event every 30 ms: that takes its time.
    crowd.run(seconds(200));
    for op in ops {
        assert_eq!(crowd.done(0, op), Ok(Output::Done));
    }
    let expected: Vec<_> = (0..1000_u32).map(|n| n.to_le_bytes().to_vec()).collect();
    for (n, (_, link)) in (1..).zip(&links) {
        let come = crowd.stations[n].values(*link, told);
        assert!(come == expected, "{} at {n}, the last {:?}", come.len(), come.last());
    }
}

#[test]
fn thirty_two_clients_are_served_at_once() {
    let controller = ControllerOptions { acl_buffers: 4, max_links: 32, ..ControllerOptions::default() };
    let (mut crowd, links, services) = served_by_one(2, 32, controller);
    let (told, _) = at(&services, TOLD);
    let (stored, _) = at(&services, STORED);
    let asked: Vec<_> = (1..)
        .zip(&links)
        .map(|(n, (_, link))| {
            let ops = [Running::from(Discover::all().with_user_descriptions()), Read::new(stored).into()];
            (n, ops.map(|procedure| crowd.submit(n, gatt(*link, procedure))))
        })
        .collect();
    for (n, (link, _)) in (0..).zip(&links) {
        crowd.submit(0, notify(*link, told, n));
    }
    for (n, [discover, read]) in asked {
        assert_eq!(crowd.done(n, discover), Ok(Output::Gatt(Outcome::Services(services.clone()))));
        assert_eq!(crowd.done(n, read), value(vec![4; 300]));
    }
    for (n, (_, link)) in (1..).zip(&links) {
        assert_eq!(crowd.stations[n].values(*link, told), [(n as u32 - 1).to_le_bytes()]);
    }
}

/// Links break at any moment while values are asked for, sent and indicated: each request ends once, and the next link
/// begins with nothing.
#[test]
fn whatever_goes_on_when_a_link_breaks_ends_once_and_leaves_nothing() {
    each_seed(0..12, |seed| {
        let (mut crowd, central, peripheral, services) = two(Crowd::seeded(seed, 2));
        let (told, cccd) = at(&services, TOLD);
        let (asked, _) = at(&services, ASKED);
        crowd.gatt(CENTRAL, central, Subscribe::at(cccd, Delivery::Indicate)).expect("subscribed");
        let mut ops = Vec::new();
        for n in 0..200_u32 {
            let value = Bytes::copy_from_slice(&n.to_le_bytes());
            let indicate =
                ServerRequest::Indicate { connection: peripheral, handle: told, value: value.clone() };
            ops.push((PERIPHERAL, crowd.submit(PERIPHERAL, indicate)));
            let write = Request::WriteCommand { connection: central, handle: asked, value };
            ops.push((CENTRAL, crowd.submit(CENTRAL, write)));
        }
        ops.push((CENTRAL, crowd.submit(CENTRAL, gatt(central, Read::new(asked)))));
        crowd.run(ms(20 + 17 * seed));
        let breaks = [CENTRAL, PERIPHERAL][seed as usize % 2];
        let handle = baretooth::hci::ConnectionHandle(first_handle(&crowd, breaks));
        let controller = crowd.stations[breaks].controller;
        crowd.room(|radio| radio.drop_link(controller, handle));
        crowd.run(seconds(60));
        for (n, op) in ops {
            assert!(crowd.stations[n].told.result(op).is_some(), "{op:?} of {n} goes on");
        }
        assert!(crowd.stations.iter().all(|station| station.host.is_idle()));
        for (connection, ask) in questions(&crowd, PERIPHERAL) {
            let request = ServerRequest::Answer { connection, id: ask.id, answer: Ok(Bytes::new()) };
            assert!(crowd.ask(PERIPHERAL, request).is_err());
        }
        let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
        assert_eq!(crowd.ask(PERIPHERAL, notify(peripheral, told, 1)), Err(OpError::NotSubscribed));
        assert_eq!(crowd.gatt(CENTRAL, central, Read::new(cccd)), Ok(Bytes::from_static(&[0, 0])));
        crowd
    });
}

/// The controller's handle of the first link of a host, from what was sent on it.
fn first_handle(crowd: &Crowd, n: usize) -> u16 {
    let data = crowd.stations[n].records.iter().find(|record| record.data.first() == Some(&2));
    let data = &data.expect("data on the link").data;
    u16::from_le_bytes([data[1], data[2]]) & 0x0FFF
}

#[test]
fn a_link_is_served_that_asks_for_an_mtu_of_its_own() {
    let (mut crowd, services) = (Crowd::new(2), table(7).services().clone());
    serve(&mut crowd, PERIPHERAL, table(7));
    let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
    let address = crowd.address(PERIPHERAL);
    let options = ConnectOptions::new().mtu(100);
    let Ok(Output::Connected(info)) = crowd.ask(CENTRAL, Request::Connect { address, options }) else {
        panic!("no link");
    };
    crowd.advertised(PERIPHERAL, op).expect("connected");
    let peripheral = crowd.stations[PERIPHERAL].connected(Role::Peripheral)[0].connection;
    let mtus = crowd.stations[PERIPHERAL].events(|event| match event {
        Event::Mtu { connection, mtu } if *connection == peripheral => Some(*mtu),
        _ => None,
    });
    assert_eq!((info.mtu, mtus), (100, vec![100]));
    let (told, cccd) = at(&services, TOLD);
    subscribe(&mut crowd, CENTRAL, info.connection, cccd, Delivery::Notify);
    let long = ServerRequest::Notify { connection: peripheral, handle: told, value: vec![1; 512].into() };
    assert_eq!(crowd.ask(PERIPHERAL, long), Ok(Output::Done));
    crowd.run(seconds(1));
    assert_eq!(crowd.stations[CENTRAL].values(info.connection, told), [[1; 97]]);
}
