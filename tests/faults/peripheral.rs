//! Our host as the peripheral: advertising, serving, and channels in both directions.

use crate::common::*;
use crate::{kind, plan};
use baretooth::att::AttError;
use baretooth::gap::advertise::AdvertiseOptions;
use baretooth::gap::advertising_data::{AdvertisingDataBuf, AdvertisingDataBuilder};
use baretooth::gatt::procedure::{Delivery, Discover, Read, Subscribe, Write, WriteLong};
use baretooth::gatt::server::{Access, Characteristic, Service, Table, Want};
use baretooth::hci::{ErrorCode, Role};
use baretooth::host::{
    AdvertisingEnd, ChannelEvent, ChannelRequest, ConnectionId, Event, OpId, OpenedChannel, Output, Recovery,
    Request, Rung, ServerEvent, ServerRequest,
};
use baretooth::l2cap::credit::{ChannelKey, ChannelOptions, Server};
use baretooth::sim::{FaultPlan, RadioOptions};
use baretooth::{Uuid, uuid16};
use bytes::Bytes;

const CENTRAL: usize = 0;
const PERIPHERAL: usize = 1;

const STORED: Uuid = uuid16(0x2A3D);
const ASKED: Uuid = uuid16(0x2A56);
const TOLD: Uuid = uuid16(0x2A58);
const SPSM: u16 = 0x80;

/// The longest of all time-outs, one after the other: an attempt with its cancellation, an exchange of the MTU that is
/// never answered, a channel whose peer asks for more time, an end that is never told.
const BOUND: u64 = 20 + 2 + 30 + 60 + 34;

/// More packets than this in a session, commands and data, would mean that something is sent over and over.
const MOST_COMMANDS: usize = 400;
const MOST_PACKETS: usize = 4000;
/// So would more events.
const MOST_EVENTS: usize = 2000;

fn table() -> Table {
    let stored = Characteristic::new(STORED).value("stored").max_length(512).read(Access::OPEN);
    let asked = Characteristic::new(ASKED).asked().read(Access::OPEN).write(Access::OPEN);
    let told = Characteristic::new(TOLD).value("told").read(Access::OPEN).notify().indicate();
    let service = Service::primary(uuid16(0x1815)).characteristic(stored.write(Access::OPEN));
    let service = service.characteristic(asked).characteristic(told);
    Table::builder("faulty").service(service).build().expect("fits")
}

/// Value and configuration of a characteristic of ours.
fn at(uuid: Uuid) -> (u16, u16) {
    let found = table().services().find(uuid).expect("declared");
    (found.value_handle, found.cccd().unwrap_or(0))
}

fn named(name: &str) -> AdvertisingDataBuf {
    AdvertisingDataBuilder::new().name(name).build().expect("fits")
}

/// Two hosts with everything that they have asked for. The damage is done to the peripheral's controller.
struct Session {
    crowd: Crowd,
    ops: [Vec<OpId>; 2],
    /// Events that were acted on.
    seen: [usize; 2],
    advertisement: Option<OpId>,
    /// Those whose peer has opened them.
    channels: Vec<(usize, ConnectionId, ChannelKey)>,
    /// Damaged octets may have the client ask more often than it was told to.
    answered: usize,
}

impl Session {
    fn new(seed: u64) -> Self {
        let radio = RadioOptions { seed, loss: 50, latency: ms(2), ..RadioOptions::default() };
        let hosts = [(Default::default(), config(seed)), (kind(seed), config(seed + 1000))];
        let hosts = hosts.map(|(kind, config)| (kind, config.recovery(Recovery::Reopen)));
        let mut crowd = Crowd::with(radio, hosts);
        assert_eq!(crowd.ask(PERIPHERAL, ServerRequest::Serve(table())), Ok(Output::Done));
        for n in [CENTRAL, PERIPHERAL] {
            let listen = ChannelRequest::Listen { spsm: SPSM, server: Server::default() };
            assert_eq!(crowd.ask(n, Request::Channel(listen)), Ok(Output::Done));
        }
        Self {
            crowd,
            ops: Default::default(),
            seen: [0; 2],
            advertisement: None,
            channels: Vec::new(),
            answered: 0,
        }
    }

    fn faults(&mut self, plan: FaultPlan) {
        let controller = self.crowd.stations[PERIPHERAL].controller;
        self.crowd.room(|radio| radio.set_faults(controller, plan));
    }

    fn submit(&mut self, n: usize, request: impl Into<Request>) -> OpId {
        let op = self.crowd.submit(n, request);
        self.ops[n].push(op);
        op
    }

    fn is_over(&self, n: usize, op: OpId) -> bool {
        self.crowd.stations[n].told.result(op).is_some()
    }

    /// Advertises unless that goes on, and has the central connect.
    fn meet(&mut self) {
        match self.advertisement {
            Some(of) if !self.is_over(PERIPHERAL, of) => {
                let (data, scan_response) = (named("other"), named("response"));
                self.submit(PERIPHERAL, Request::SetAdvertisingData { of, data, scan_response });
            }
            _ => {
                let options = AdvertiseOptions::new().data(named("faulty")).timeout(seconds(30));
                self.advertisement = Some(self.submit(PERIPHERAL, Request::Advertise(options)));
            }
        }
        let to = self.crowd.address(PERIPHERAL);
        self.submit(CENTRAL, connect(to));
    }

    /// Lets time pass, acting on what the hosts tell as their users would.
    fn run(&mut self, time: std::time::Duration) {
        let end = self.crowd.now + time;
        loop {
            let found = self.crowd.drive(end);
            for n in [CENTRAL, PERIPHERAL] {
                let events = self.crowd.stations[n].told.events.split_off(self.seen[n]);
                self.seen[n] += events.len();
                self.crowd.stations[n].told.events.extend(events.iter().cloned());
                events.into_iter().for_each(|event| self.act(n, event));
            }
            if !found {
                return;
            }
        }
    }

    fn act(&mut self, n: usize, event: Event) {
        match event {
            Event::Connected(info) if info.role == Role::Central => self.use_link(info.connection),
            Event::Connected(info) => self.serve_link(info.connection),
            Event::Server(ServerEvent::Asked { connection, ask }) => {
                self.answered += 1;
                let answer = match (self.answered % 3, ask.want) {
                    // Somebody else's business, or nobody's: time answers.
                    (0, _) => return,
                    (1, Want::Read { .. }) => Ok(Bytes::from(vec![9; 100])),
                    (1, _) => Ok(Bytes::new()),
                    _ => Err(AttError(0x80)),
                };
                self.submit(n, ServerRequest::Answer { connection, id: ask.id, answer });
            }
            Event::Channel(ChannelEvent::Opened { connection, channel, .. }) => {
                self.send(n, connection, channel);
            }
            Event::Channel(ChannelEvent::Received { connection, channel }) => {
                let now = self.crowd.now;
                let _ = self.crowd.stations[n].host.take_sdu(now, connection, channel);
                self.crowd.exchange();
            }
            Event::Fault { then: Some(Rung::Reopen), .. } => {
                let Crowd { stations, radio, now } = &mut self.crowd;
                radio.power_cycle(stations[n].controller);
                stations[n].host.handle_reopened(*now, Ok(()));
                self.crowd.exchange();
            }
            _ => {}
        }
    }

    /// What a client does, all at once.
    fn use_link(&mut self, connection: ConnectionId) {
        let (stored, asked) = (at(STORED).0, at(ASKED).0);
        let requests = [
            gatt(connection, Discover::all()),
            gatt(connection, Subscribe::at(at(TOLD).1, Delivery::Notify)),
            gatt(connection, Read::new(asked)),
            gatt(connection, WriteLong::new(stored, vec![7; 300]).expect("not too long")),
            gatt(connection, Read::new(stored)),
            gatt(connection, Write::new(asked, vec![1; 20]).expect("not too long")),
            gatt(connection, Subscribe::at(at(TOLD).1, Delivery::Indicate)),
        ];
        for request in requests {
            self.submit(CENTRAL, request);
        }
        self.open(CENTRAL, connection);
    }

    /// What a server does by itself, and a client of channels at the other end.
    fn serve_link(&mut self, connection: ConnectionId) {
        self.open(PERIPHERAL, connection);
        self.submit(PERIPHERAL, Request::UpdateParameters { connection, parameters: Default::default() });
        self.submit(PERIPHERAL, gatt(connection, Discover::all()));
    }

    /// Tells whoever has subscribed, and closes the half of the channels.
    fn tell(&mut self) {
        for (n, connection, channel) in std::mem::take(&mut self.channels).into_iter().step_by(2) {
            self.submit(n, Request::Channel(ChannelRequest::Close { connection, channel }));
        }
        let handle = at(TOLD).0;
        for connection in self.links(PERIPHERAL) {
            for n in 0..20 {
                let value = vec![n; 20].into();
                self.submit(PERIPHERAL, ServerRequest::Notify { connection, handle, value });
            }
            let value = Bytes::from_static(b"indicated");
            self.submit(PERIPHERAL, ServerRequest::Indicate { connection, handle, value });
        }
    }

    fn open(&mut self, n: usize, connection: ConnectionId) {
        let options = ChannelOptions { mtu: 500, mps: 100, credits: 3 };
        let (spsm, count) = (SPSM, 2);
        self.submit(n, Request::Channel(ChannelRequest::Open { connection, spsm, options }));
        self.submit(n, Request::Channel(ChannelRequest::OpenEnhanced { connection, spsm, options, count }));
    }

    fn send(&mut self, n: usize, connection: ConnectionId, channel: OpenedChannel) {
        let channel = channel.key;
        for length in [0, 1, 99, 500, 500, 500] {
            let sdu = vec![0x5A; length].into();
            self.submit(n, Request::Channel(ChannelRequest::Send { connection, channel, sdu }));
        }
        self.channels.push((n, connection, channel));
    }

    /// Links that were told of, up or not.
    fn links(&self, n: usize) -> Vec<ConnectionId> {
        let of = [Role::Central, Role::Peripheral][n];
        self.crowd.stations[n].connected(of).into_iter().map(|info| info.connection).collect()
    }

    /// Ends it all: what was asked for is over in time, and nothing was too much.
    fn end(&mut self) {
        if let Some(op) = self.advertisement {
            self.crowd.cancel(PERIPHERAL, op);
        }
        for n in [CENTRAL, PERIPHERAL] {
            for connection in self.links(n) {
                let reason = ErrorCode::RemoteUserTerminatedConnection;
                self.submit(n, Request::Disconnect { connection, reason });
            }
        }
        self.run(seconds(BOUND));
        for n in [CENTRAL, PERIPHERAL] {
            let station = &self.crowd.stations[n];
            for &op in &self.ops[n] {
                assert!(station.told.result(op).is_some(), "{op:?} of {n} has not ended");
            }
            let (commands, sent) = (station.commands().len(), station.records.len());
            assert!(commands < MOST_COMMANDS, "{commands} commands of {n}");
            assert!(sent < MOST_PACKETS, "{sent} packets of {n}");
            let events = station.told.events.len();
            assert!(events < MOST_EVENTS, "{events} events of {n}");
            let one_end = |(id, _): &(ConnectionId, _)| {
                station.disconnections().iter().filter(|(of, _)| of == id).count() == 1
            };
            assert!(station.disconnections().iter().all(one_end), "{:?}", station.disconnections());
        }
    }

    /// Whether the peripheral's host has given its controller up, which more than three failures in a minute are
    /// enough for.
    fn is_given_up(&self) -> bool {
        let failed = |event: &Event| matches!(event, Event::Failed(_)).then_some(());
        !self.crowd.stations[PERIPHERAL].events(failed).is_empty()
    }

    /// The whole of it, between clean controllers.
    fn works(&mut self) {
        let Self { crowd, .. } = self;
        assert!(crowd.stations[PERIPHERAL].host.is_idle(), "nothing is left");
        let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
        let found = crowd.gatt(CENTRAL, central, Discover::all());
        assert_eq!(found.as_ref(), Ok(table().services()));
        let (told, configuration) = at(TOLD);
        crowd.gatt(CENTRAL, central, Subscribe::at(configuration, Delivery::Notify)).expect("subscribed");
        let value = Bytes::from_static(b"still there");
        let notify = ServerRequest::Notify { connection: peripheral, handle: told, value };
        assert_eq!(crowd.ask(PERIPHERAL, notify), Ok(Output::Done));
        crowd.until("the notification", |crowd| {
            crowd.stations[CENTRAL].values(central, told) == [b"still there"]
        });
        let options = ChannelOptions::default();
        let open = ChannelRequest::Open { connection: central, spsm: SPSM, options };
        let Ok(Output::Channel(channel)) = crowd.ask(CENTRAL, Request::Channel(open)) else { panic!() };
        let (channel, sdu) = (channel.key, Bytes::from_static(b"and here"));
        let send = ChannelRequest::Send { connection: central, channel, sdu: sdu.clone() };
        assert_eq!(crowd.ask(CENTRAL, Request::Channel(send)), Ok(Output::Done));
        crowd.run(seconds(1));
        let received = crowd.stations[PERIPHERAL].events(|event| match event {
            Event::Channel(ChannelEvent::Received { connection, channel }) if *connection == peripheral => {
                Some(*channel)
            }
            _ => None,
        });
        let taken = |crowd: &mut Crowd, channel: ChannelKey| {
            crowd.stations[PERIPHERAL].host.take_sdu(crowd.now, peripheral, channel)
        };
        assert_eq!(taken(crowd, received[0]), Some(sdu));
    }
}

/// Everything a peripheral and its client do, three times, under damage.
fn session(seed: u64, plan: FaultPlan) -> Session {
    let mut session = Session::new(seed);
    session.faults(plan);
    for _ in 0..3 {
        session.meet();
        session.run(seconds(5));
        session.tell();
        session.run(seconds(10));
        for connection in session.links(CENTRAL) {
            let reason = ErrorCode::RemoteUserTerminatedConnection;
            session.submit(CENTRAL, Request::Disconnect { connection, reason });
        }
        session.run(seconds(3));
    }
    session.faults(FaultPlan::default());
    session.end();
    session
}

#[test]
fn a_peripheral_ends_every_request_whatever_happens_to_its_packets_and_works_afterwards() {
    each_seed(0..260, |seed| {
        let mut session = session(seed, plan(seed));
        assert!(!session.is_given_up());
        session.works();
        session.crowd
    });
}

#[test]
fn a_peripheral_that_loses_a_third_of_its_packets_hangs_nobody() {
    for seed in 0..30 {
        let _blame = Blame(seed);
        session(seed, FaultPlan { seed, drop: 300, ..FaultPlan::default() });
    }
}

/// What the two above would be worth nothing without.
#[test]
fn without_faults_the_peripherals_session_succeeds() {
    let mut session = session(1, FaultPlan::default());
    assert_eq!(session.links(PERIPHERAL).len(), 3);
    let count = |session: &Session, n: usize, wanted: fn(&Event) -> bool| {
        session.crowd.stations[n].events(|event| wanted(event).then_some(())).len()
    };
    let gatt = |event: &Event| matches!(event, Event::OpDone { result: Ok(Output::Gatt(_)), .. });
    let (of_central, of_peripheral) = (count(&session, CENTRAL, gatt), count(&session, PERIPHERAL, gatt));
    assert!(of_central >= 15 && of_peripheral == 3, "{of_central} and {of_peripheral}");
    let taken = |event: &Event| matches!(event, Event::Channel(ChannelEvent::Received { .. }));
    let (by_central, by_peripheral) = (count(&session, CENTRAL, taken), count(&session, PERIPHERAL, taken));
    assert!(by_central >= 50 && by_peripheral >= 50, "{by_central} and {by_peripheral}");
    session.works();
}

/// A reset in the midst of it: who waits is told, once; what was configured, listened for and on the air is so again.
#[test]
fn a_controller_that_is_reset_while_serving_loses_its_links_and_nothing_else() {
    each_seed(0..8, |seed| {
        let mut session = Session::new(seed);
        session.meet();
        session.run(seconds(5));
        // A second advertisement stays on the air.
        let options = AdvertiseOptions::new().data(named("second"));
        let second = session.crowd.advertise(PERIPHERAL, options);
        session.tell();
        session.run(ms(100 * seed));
        let controller = session.crowd.stations[PERIPHERAL].controller;
        session.crowd.room(|radio| radio.hardware_error(controller, 0x42));
        session.run(seconds(1));
        let [link] = session.links(PERIPHERAL)[..] else { panic!("one") };
        let station = &session.crowd.stations[PERIPHERAL];
        assert_eq!(station.disconnections(), [(link, ErrorCode::HardwareFailure)]);
        for &op in &session.ops[PERIPHERAL] {
            assert!(station.told.result(op).is_some(), "{op:?} waits for what is gone");
        }
        let channels = |wanted: fn(&ChannelEvent) -> bool| {
            station.events(|event| matches!(event, Event::Channel(e) if wanted(e)).then_some(())).len()
        };
        let opened = channels(|event| matches!(event, ChannelEvent::Opened { .. }));
        // Those that we have opened are told of by the results of our requests.
        let closed = channels(|event| matches!(event, ChannelEvent::Closed { .. }));
        assert!(opened > 0 && closed >= opened, "{opened} of the peer's, {closed} closed");
        assert_eq!(station.told.result(second), None, "it goes on");
        // The client notices by the silence, and comes back.
        session.run(seconds(10));
        assert_eq!(session.crowd.stations[CENTRAL].disconnections().len(), 1);
        let to = session.crowd.address(PERIPHERAL);
        let again = session.crowd.try_connect(CENTRAL, to).expect("begun anew").connection;
        let end = session.crowd.advertised(PERIPHERAL, second);
        assert!(matches!(end, Ok(AdvertisingEnd::Connected(_))), "{end:?}");
        let found = session.crowd.gatt(CENTRAL, again, Discover::all());
        assert_eq!(found.as_ref(), Ok(table().services()));
        session.run(seconds(3));
        session.end();
        session.works();
        session.crowd
    });
}
