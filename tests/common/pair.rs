//! A host and a radio on one clock, with a record of every packet between them.

use super::{Told, seconds};
use baretooth::capture::{Direction, Format, Record, Timestamp, Writer};
use baretooth::gap::connect::ConnectOptions;
use baretooth::gap::scan::ScanOptions;
use baretooth::gatt::procedure::{Procedure, Running};
use baretooth::host::{
    ConnectionId, ConnectionInfo, Event, Host, HostConfig, OpError, OpId, Output, Request, Sighting,
};
use baretooth::sim::{ControllerId, ControllerOptions, Radio, RadioOptions};
use baretooth::transports::{HciPacket, PacketIndicator};
use baretooth::{Address, Instant};
use std::fmt::Debug;
use std::time::Duration;

/// Virtual time in which any request has to end by itself, unless a test says less.
const PATIENCE: Duration = seconds(120);

pub struct Pair {
    pub host: Host,
    pub radio: Radio,
    pub controller: ControllerId,
    pub now: Instant,
    pub told: Told,
    /// Whether indications are confirmed as they come.
    pub confirms: bool,
    /// Every packet between host and controller with its time.
    pub records: Vec<Record>,
    pub commands: usize,
    /// Data packets of the host.
    pub acl_sent: usize,
    /// Data packets that the controller has not given back, and the most there ever were.
    pub acl_held: usize,
    pub acl_held_most: usize,
    pub acl_longest: usize,
}

impl Pair {
    /// A quiet room with a default controller.
    pub fn new() -> Self {
        Self::with(RadioOptions::default(), ControllerOptions::default(), config(0))
    }

    /// Everything that happens by chance follows from the seed.
    pub fn seeded(seed: u64) -> Self {
        Self::seeded_with(seed, ControllerOptions::default())
    }

    pub fn seeded_with(seed: u64, controller: ControllerOptions) -> Self {
        let radio = RadioOptions { seed, loss: 50, latency: super::ms(2), ..RadioOptions::default() };
        Self::with(radio, controller, config(seed))
    }

    pub fn controller(options: ControllerOptions) -> Self {
        Self::with(RadioOptions::default(), options, config(0))
    }

    /// With the controller initialised.
    pub fn with(radio: RadioOptions, controller: ControllerOptions, config: HostConfig) -> Self {
        let mut pair = Self::unready(radio, controller, config);
        pair.until("the controller to be ready", |pair| pair.told.events.iter().any(is_ready));
        pair
    }

    pub fn unready(radio: RadioOptions, controller: ControllerOptions, config: HostConfig) -> Self {
        let mut radio = Radio::new(radio);
        let controller = radio.add_controller(controller);
        let mut pair = Self {
            host: Host::new(config, Instant::START),
            radio,
            controller,
            now: Instant::START,
            told: Told::default(),
            confirms: true,
            records: Vec::new(),
            commands: 0,
            acl_sent: 0,
            acl_held: 0,
            acl_held_most: 0,
            acl_longest: 0,
        };
        pair.exchange();
        pair
    }

    pub fn submit(&mut self, request: impl Into<Request>) -> OpId {
        let op = self.host.submit(self.now, request);
        self.exchange();
        op
    }

    pub fn cancel(&mut self, op: OpId) {
        self.host.cancel(self.now, op);
        self.exchange();
    }

    /// Changes the room. What comes of it arrives now.
    pub fn room<T>(&mut self, change: impl FnOnce(&mut Radio) -> T) -> T {
        self.radio.handle_timeout(self.now);
        let result = change(&mut self.radio);
        self.exchange();
        result
    }

    /// Goes to the next moment at which anything happens, at most to `end`; `false` when nothing does until then.
    pub fn drive(&mut self, end: Instant) -> bool {
        let host = self.host.poll_timeout().map(|(at, _)| at);
        let next = [host, self.radio.poll_timeout()].into_iter().flatten().min();
        let found = next.is_some_and(|next| next <= end);
        // A deadline that has passed is due now; the host must not keep it.
        self.now = next.filter(|_| found).unwrap_or(end).max(self.now);
        self.radio.handle_timeout(self.now);
        self.host.handle_timeout(self.now);
        self.exchange();
        let left = self.host.poll_timeout();
        assert!(left.is_none_or(|(at, _)| at > self.now), "{left:?} was due at {}", self.now);
        found
    }

    /// Lets this much time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.drive(end) {}
    }

    /// Lets time pass until something is so.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = self.now + PATIENCE;
        while !is_so(self) {
            assert!(self.drive(end), "waiting for {what} in vain until {}", self.now);
        }
    }

    /// The result of a request, in time.
    pub fn done(&mut self, op: OpId) -> Result<Output, OpError> {
        self.until("a request to end", |pair| pair.told.result(op).is_some());
        self.told.result(op).expect("waited for").clone()
    }

    pub fn try_connect(&mut self, address: Address) -> Result<ConnectionInfo, OpError> {
        let op = self.submit(connect(address));
        self.connected(op)
    }

    pub fn connected(&mut self, op: OpId) -> Result<ConnectionInfo, OpError> {
        match self.done(op)? {
            Output::Connected(info) => Ok(info),
            other => panic!("{other:?} of a connect"),
        }
    }

    pub fn connect(&mut self, address: Address) -> ConnectionId {
        self.try_connect(address).expect("a link").connection
    }

    /// Runs a procedure to its end.
    pub fn gatt<P: Procedure>(&mut self, connection: ConnectionId, procedure: P) -> Result<P::Output, OpError>
    where
        <P::Output as TryFrom<baretooth::gatt::procedure::Outcome>>::Error: Debug,
    {
        let op = self.submit(gatt(connection, procedure));
        match self.done(op)? {
            Output::Gatt(outcome) => Ok(P::Output::try_from(outcome).expect("the outcome of this procedure")),
            other => panic!("{other:?} of a procedure"),
        }
    }

    /// A scan that has begun.
    pub fn scan(&mut self, options: ScanOptions) -> OpId {
        let op = self.submit(Request::Scan(options));
        let started = |event: &Event| matches!(event, Event::ScanStarted { op: started } if *started == op);
        self.until("a scan to begin", |pair| pair.told.events.iter().any(started));
        op
    }

    /// What a scan has heard, in order.
    pub fn heard(&self, op: OpId) -> Vec<&Sighting> {
        let sighting = |event| match event {
            &Event::Heard { op: scan, ref sighting } if scan == op => Some(&**sighting),
            _ => None,
        };
        self.told.events.iter().filter_map(sighting).collect()
    }

    /// The last that a scan has heard of one device.
    pub fn last_heard(&self, op: OpId, address: Address) -> Option<&Sighting> {
        self.heard(op).into_iter().rfind(|sighting| sighting.report.address == Some(address))
    }

    /// The values that came of one attribute.
    pub fn values(&self, connection: ConnectionId, handle: u16) -> Vec<Vec<u8>> {
        let value = |event: &Event| match event {
            Event::Value { connection: c, handle: h, value, .. } if (*c, *h) == (connection, handle) => {
                Some(value.to_vec())
            }
            _ => None,
        };
        self.told.events.iter().filter_map(value).collect()
    }

    /// The ends of links, in order.
    pub fn disconnections(&self) -> Vec<(ConnectionId, baretooth::hci::ErrorCode)> {
        let end = |event: &Event| match event {
            Event::Disconnected { connection, reason } => Some((*connection, *reason)),
            _ => None,
        };
        self.told.events.iter().filter_map(end).collect()
    }

    /// Passes packets on until nobody has anything to say.
    fn exchange(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "host and controller talk without end at {}", self.now);
            let mut quiet = true;
            while let Some(packet) = self.host.poll_transmit() {
                self.record(Direction::Sent, &packet);
                self.radio.handle_packet(self.now, self.controller, packet);
                quiet = false;
            }
            while let Some(packet) = self.radio.poll_transmit(self.controller) {
                self.record(Direction::Received, &packet);
                self.host.handle_packet(self.now, packet);
                quiet = false;
            }
            while let Some(event) = self.host.poll_event() {
                if let (true, Event::Value { connection, indication: Some(_), .. }) = (self.confirms, &event)
                {
                    self.host
                        .submit(self.now, Request::Confirm { connection: *connection, indication: None });
                    quiet = false;
                }
                self.told.push(event);
            }
            if quiet {
                return;
            }
        }
    }

    fn record(&mut self, direction: Direction, packet: &HciPacket) {
        self.records.push(Record::packet(Timestamp::from(self.now.since_start()), direction, packet));
        match (direction, packet.indicator(), packet.as_slice()) {
            (Direction::Sent, PacketIndicator::Command, _) => self.commands += 1,
            (Direction::Sent, PacketIndicator::AclData, octets) => {
                self.acl_sent += 1;
                self.acl_held += 1;
                self.acl_held_most = self.acl_held_most.max(self.acl_held);
                self.acl_longest = self.acl_longest.max(octets.len() - 5);
            }
            // Number Of Completed Packets.
            (Direction::Received, PacketIndicator::Event, [_, 0x13, _, _, parts @ ..]) => {
                let counts = parts.chunks_exact(4).map(|part| u16::from_le_bytes([part[2], part[3]]));
                self.acl_held -= counts.map(usize::from).sum::<usize>().min(self.acl_held);
            }
            _ => {}
        }
    }
}

/// What has a record of every packet.
pub trait Recorded {
    fn capture(&self) -> Vec<u8>;
}

impl Recorded for Pair {
    /// Everything that went over HCI, as a btsnoop file.
    fn capture(&self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), Format::BTSNOOP).expect("a vector takes everything");
        for record in &self.records {
            writer.write(record).expect("a vector takes everything");
        }
        writer.into_inner().expect("a vector takes everything")
    }
}

/// Runs a scenario twice with each seed: the same seed must give the same packets at the same times.
pub fn each_seed<R: Recorded>(seeds: std::ops::Range<u64>, scenario: impl Fn(u64) -> R) {
    for seed in seeds {
        let blame = Blame(seed);
        let run = || scenario(seed).capture();
        let (first, second) = (run(), run());
        assert!(first.len() > 100, "a capture with something in it");
        assert!(first == second, "two runs of one seed differ");
        drop(blame);
    }
}

/// Says which seed it was when a test fails.
pub struct Blame(pub u64);

impl Drop for Blame {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was seed {}", self.0);
        }
    }
}

/// A host of that seed.
pub fn config(seed: u64) -> HostConfig {
    let mut octets = [7; 32];
    octets[..8].copy_from_slice(&seed.to_le_bytes());
    HostConfig::new(octets)
}

pub fn connect(address: Address) -> Request {
    Request::Connect { address, options: ConnectOptions::new() }
}

pub fn gatt(connection: ConnectionId, procedure: impl Into<Running>) -> Request {
    Request::Gatt { connection, procedure: procedure.into() }
}

fn is_ready(event: &Event) -> bool {
    matches!(event, Event::Ready(_))
}
