//! `cargo bench -p baretooth-benches --bench paths [-- --rounds N]`
//!
//! What a packet costs inside the host: no socket, no task, no queue. Each path stands beside a floor that takes the same
//! packets and reads their headers alone; both take turns, and a ratio is made within its round.
//!
//! The packets are those of the benches' controller, which also brings the host to where a path begins.

use baretooth::gap::connect::ConnectOptions;
use baretooth::gap::filter::Filter;
use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::gatt::procedure::{Read, Write};
use baretooth::hci::AclData;
use baretooth::host::{ConnectionId, Event, Host, HostConfig, Output, Request};
use baretooth::transports::{H4, HciPacket, PacketIndicator};
use baretooth::{Address, BdAddr, Instant, uuid16};
use baretooth_benches::controller::attributes::{ECHO, FLOOD_CONFIGURATION};
use baretooth_benches::controller::{Controller, Options, advertiser_address};
use baretooth_benches::measure::{Spread, Stopwatch};
use std::hint::black_box;
use std::time::Duration;

/// Operations of one measurement: so few that most are not interrupted.
const COUNT: usize = 2_000;

/// As many packets as the driver takes before it looks at events.
const BATCH: usize = 64;

fn main() {
    let rounds: usize =
        option("--rounds").map_or(Ok(301), |value| value.parse()).expect("--rounds takes a number");
    println!("median (min..max) of {rounds} alternating rounds of {COUNT}");
    println!("{:22}{:>26}{:>26}{:>22}", "path", "floor, ns", "path, ns", "x floor");
    let wanted = Filter::new().service(uuid16(0xFFF0)).name("echo*");
    let all = ScanOptions::new().duplicates(Duplicates::All);
    compare("notification", rounds, Path::notifications());
    compare("read", rounds, Path::reads());
    compare("report", rounds, Path::reports(all.clone(), true));
    compare("report, filter", rounds, Path::reports(all.filter(wanted), true));
    compare("report, nothing new", rounds, Path::reports(ScanOptions::new(), false));
}

fn compare(name: &str, rounds: usize, mut path: Path) {
    let (mut floor, mut own) = (Vec::new(), Vec::new());
    path.run(COUNT);
    for _ in 0..rounds {
        floor.push(nanoseconds(|| path.floor(COUNT)));
        own.push(nanoseconds(|| path.run(COUNT)));
    }
    let ratio = Spread::of(own.iter().zip(&floor).map(|(own, floor)| own / floor));
    println!("{name:22}{:26.1}{:26.1}{ratio:22.1}", Spread::of(floor), Spread::of(own));
}

fn nanoseconds(act: impl FnOnce()) -> f64 {
    let watch = Stopwatch::start();
    act();
    watch.wall().as_secs_f64() * 1e9 / f64::from(u32::try_from(COUNT).unwrap_or(u32::MAX))
}

/// A host where its operation begins, and the packets that the operation brings.
struct Path {
    host: Host,
    kind: Kind,
    packets: Vec<HciPacket>,
}

enum Kind {
    /// Each packet is an operation, with an event each or with none.
    Flood { events: bool },
    /// A request, and all packets for each.
    Read(ConnectionId),
}

impl Path {
    /// Notification to value.
    fn notifications() -> Self {
        let (mut session, connection) = Session::connected();
        let value = vec![1, 0];
        let procedure = Write::new(FLOOD_CONFIGURATION.into(), value).expect("a short value").into();
        session.submit(Request::Gatt { connection, procedure });
        let packets = session.flood();
        Self { host: session.host, kind: Kind::Flood { events: true }, packets }
    }

    /// Request to response and the credit for it.
    fn reads() -> Self {
        let (mut session, connection) = Session::connected();
        session.host.submit(Instant::START, read(connection));
        let packets = session.answers();
        assert_eq!(packets.len(), 2, "a response and a credit");
        Self { host: Session::connected().0.host, kind: Kind::Read(connection), packets }
    }

    /// Advertising report to sighting, out of the controller's 500 advertisers.
    fn reports(options: ScanOptions, events: bool) -> Self {
        let mut session = Session::new();
        session.submit(Request::Scan(options));
        let packets = session.flood();
        Self { host: session.host, kind: Kind::Flood { events }, packets }
    }

    fn run(&mut self, count: usize) {
        match self.kind {
            Kind::Flood { events } => self.take_flood(count, events),
            Kind::Read(connection) => (0..count).for_each(|_| self.read_once(connection)),
        }
    }

    fn take_flood(&mut self, count: usize, expected: bool) {
        let mut seen = 0;
        let mut packets = self.packets.iter().cycle().take(count).peekable();
        while packets.peek().is_some() {
            for packet in packets.by_ref().take(BATCH) {
                self.host.handle_packet(Instant::START, packet.clone());
            }
            while let Some(event) = self.host.poll_event() {
                seen += usize::from(matches!(event, Event::Value { .. } | Event::Heard { .. }));
                black_box(&event);
            }
        }
        // What has never been heard is news the first time.
        assert!(if expected { seen == count } else { seen <= 500 }, "{seen} events of {count} packets");
    }

    fn read_once(&mut self, connection: ConnectionId) {
        self.host.submit(Instant::START, read(connection));
        black_box(self.host.poll_transmit().expect("the request"));
        for packet in &self.packets {
            self.host.handle_packet(Instant::START, packet.clone());
        }
        match self.host.poll_event() {
            Some(Event::OpDone { result: Ok(Output::Gatt(value)), .. }) => drop(black_box(value)),
            other => panic!("no value but {other:?}"),
        }
    }

    /// The same packets by their headers; for a read, a request of as many octets as the host makes.
    fn floor(&self, count: usize) {
        let (per_operation, request) = match self.kind {
            Kind::Flood { .. } => (1, false),
            Kind::Read(_) => (self.packets.len(), true),
        };
        for packet in self.packets.iter().cycle().take(count * per_operation) {
            let packet = black_box(packet.clone());
            match packet.indicator() {
                PacketIndicator::AclData => {
                    let acl = AclData::parse(packet.as_slice()).expect("a packet of the controller");
                    black_box(acl.data.get(4));
                    if request {
                        drop(black_box(HciPacket::new(vec![2, 0x40, 0, 7, 0, 3, 0, 4, 0, 0x0A, ECHO, 0])));
                    }
                }
                _ => drop(black_box(packet.payload().first().copied())),
            }
        }
    }
}

fn read(connection: ConnectionId) -> Request {
    Request::Gatt { connection, procedure: Read::new(ECHO.into()).into() }
}

/// A host and a controller without anything between them.
struct Session {
    host: Host,
    controller: Controller,
}

impl Session {
    fn new() -> Self {
        let host = Host::new(HostConfig::new([7; 32]), Instant::START);
        let mut session = Self { host, controller: Controller::new(Options::default()) };
        session.settle();
        session
    }

    fn connected() -> (Self, ConnectionId) {
        let mut session = Self::new();
        let address = Address::random(BdAddr(advertiser_address(0)));
        session.host.submit(Instant::START, Request::Connect { address, options: ConnectOptions::new() });
        session.settle();
        let connected = std::iter::from_fn(|| session.host.poll_event()).find_map(|event| match event {
            Event::Connected(info) => Some(info.connection),
            _ => None,
        });
        while session.host.poll_event().is_some() {}
        (session, connected.expect("a link"))
    }

    /// Submits a request and lets both sides talk.
    fn submit(&mut self, request: Request) {
        self.host.submit(Instant::START, request);
        self.settle();
        while self.host.poll_event().is_some() {}
    }

    /// Both sides talk until neither has more to say.
    fn settle(&mut self) {
        loop {
            let answers = self.answers();
            if answers.is_empty() {
                return;
            }
            for packet in answers {
                self.host.handle_packet(Instant::START, packet);
            }
        }
    }

    /// What the controller says to what the host has to send.
    fn answers(&mut self) -> Vec<HciPacket> {
        while let Some(packet) = self.host.poll_transmit() {
            self.controller.receive(Duration::ZERO, packet.as_slice());
        }
        self.controller.give_credits();
        self.output()
    }

    /// One batch of what the controller sends without being asked.
    fn flood(&mut self) -> Vec<HciPacket> {
        self.controller.flood(Duration::ZERO);
        let packets = self.output();
        assert!(packets.len() >= 1000, "the controller does not flood");
        packets
    }

    fn output(&mut self) -> Vec<HciPacket> {
        let mut h4 = H4::default();
        h4.buffer().extend_from_slice(self.controller.output());
        self.controller.output().clear();
        std::iter::from_fn(|| h4.next().expect("whole packets")).collect()
    }
}

fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
