//! Several hosts, each with a controller, on one radio and one clock, with a record of every packet between them.

use super::pair::{Recorded, config, connect, gatt};
use super::{Told, seconds};
use baretooth::capture::{Direction, Format, Record, Timestamp, Writer};
use baretooth::gap::advertise::AdvertiseOptions;
use baretooth::gatt::procedure::{Outcome, Procedure};
use baretooth::hci::{ErrorCode, Role};
use baretooth::host::{
    AdvertisingEnd, ConnectionId, ConnectionInfo, Event, Host, HostConfig, OpError, OpId, Output, Request,
    Sighting,
};
use baretooth::sim::{ControllerId, ControllerOptions, Radio, RadioOptions};
use baretooth::transports::HciPacket;
use baretooth::{Address, BdAddr, Instant};
use std::fmt::Debug;
use std::time::Duration;

/// Virtual time in which any request has to end by itself, unless a test says less.
const PATIENCE: Duration = seconds(120);

/// Hosts are named by their numbers.
pub struct Crowd {
    pub stations: Vec<Station>,
    pub radio: Radio,
    pub now: Instant,
}

pub struct Station {
    pub host: Host,
    pub controller: ControllerId,
    pub told: Told,
    /// Whether indications are confirmed as they come.
    pub confirms: bool,
    /// Every packet between host and controller with its time.
    pub records: Vec<Record>,
}

impl Crowd {
    /// A quiet room with so many hosts and default controllers.
    pub fn new(hosts: u8) -> Self {
        Self::with(
            RadioOptions::default(),
            (0..hosts).map(|n| (ControllerOptions::default(), config(n.into()))),
        )
    }

    /// Everything that happens by chance follows from the seed.
    pub fn seeded(seed: u64, hosts: u8) -> Self {
        Self::seeded_with(seed, (0..hosts).map(|_| ControllerOptions::default()))
    }

    pub fn seeded_with(seed: u64, controllers: impl IntoIterator<Item = ControllerOptions>) -> Self {
        let radio = RadioOptions { seed, loss: 50, latency: super::ms(2), ..RadioOptions::default() };
        let hosts = (0..).zip(controllers).map(|(n, controller)| (controller, config(seed << 8 | n)));
        Self::with(radio, hosts)
    }

    /// With the controllers initialised; each gets a public address of its own.
    pub fn with(
        radio: RadioOptions,
        hosts: impl IntoIterator<Item = (ControllerOptions, HostConfig)>,
    ) -> Self {
        let mut crowd = Self { stations: Vec::new(), radio: Radio::new(radio), now: Instant::START };
        for (n, (controller, config)) in (1..).zip(hosts) {
            let controller = controller.address(BdAddr([n, 0, 0, 0x5A, 0, 0]));
            crowd.stations.push(Station {
                host: Host::new(config, Instant::START),
                controller: crowd.radio.add_controller(controller),
                told: Told::default(),
                confirms: true,
                records: Vec::new(),
            });
        }
        crowd.exchange();
        let ready =
            |station: &Station| station.events(|e| matches!(e, Event::Ready(_)).then_some(())).len() == 1;
        crowd.until("the controllers to be ready", |crowd| crowd.stations.iter().all(ready));
        crowd
    }

    /// The random address of a host, by which it advertises.
    pub fn address(&self, n: usize) -> Address {
        self.stations[n].host.controller().expect("ready").random_address
    }

    pub fn submit(&mut self, n: usize, request: impl Into<Request>) -> OpId {
        let op = self.stations[n].host.submit(self.now, request);
        self.exchange();
        op
    }

    pub fn cancel(&mut self, n: usize, op: OpId) {
        self.stations[n].host.cancel(self.now, op);
        self.exchange();
    }

    /// Submits a request and lets time pass until it is over.
    pub fn ask(&mut self, n: usize, request: impl Into<Request>) -> Result<Output, OpError> {
        let op = self.submit(n, request);
        self.done(n, op)
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
        let hosts = self.stations.iter().filter_map(|station| station.host.poll_timeout());
        let next = hosts.map(|(at, _)| at).chain(self.radio.poll_timeout()).min();
        let found = next.is_some_and(|next| next <= end);
        self.now = next.filter(|_| found).unwrap_or(end).max(self.now);
        self.radio.handle_timeout(self.now);
        for station in &mut self.stations {
            station.host.handle_timeout(self.now);
        }
        self.exchange();
        for station in &self.stations {
            let left = station.host.poll_timeout();
            assert!(left.is_none_or(|(at, _)| at > self.now), "{left:?} was due at {}", self.now);
        }
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
    pub fn done(&mut self, n: usize, op: OpId) -> Result<Output, OpError> {
        self.until("a request to end", |crowd| crowd.stations[n].told.result(op).is_some());
        self.stations[n].told.result(op).expect("waited for").clone()
    }

    /// Advertises; returns when the controller does.
    pub fn advertise(&mut self, n: usize, options: AdvertiseOptions) -> OpId {
        let op = self.submit(n, Request::Advertise(options));
        self.until("advertising to begin", |crowd| crowd.stations[n].started(op).is_some());
        op
    }

    /// How an advertisement ended.
    pub fn advertised(&mut self, n: usize, op: OpId) -> Result<AdvertisingEnd, OpError> {
        match self.done(n, op)? {
            Output::Advertised(end) => Ok(end),
            other => panic!("{other:?} of an advertisement"),
        }
    }

    pub fn try_connect(&mut self, n: usize, address: Address) -> Result<ConnectionInfo, OpError> {
        match self.ask(n, connect(address))? {
            Output::Connected(info) => Ok(info),
            other => panic!("{other:?} of a connect"),
        }
    }

    /// A link from one host to another that advertises for it: the link at the central, and at the peripheral.
    pub fn link(&mut self, central: usize, peripheral: usize) -> (ConnectionId, ConnectionId) {
        let op = self.advertise(peripheral, AdvertiseOptions::new());
        let link = self.try_connect(central, self.address(peripheral)).expect("a link");
        match self.advertised(peripheral, op) {
            Ok(AdvertisingEnd::Connected(connection)) => (link.connection, connection),
            other => panic!("{other:?} of an advertisement"),
        }
    }

    /// Runs a procedure to its end.
    pub fn gatt<P: Procedure>(
        &mut self,
        n: usize,
        connection: ConnectionId,
        procedure: P,
    ) -> Result<P::Output, OpError>
    where
        <P::Output as TryFrom<Outcome>>::Error: Debug,
    {
        match self.ask(n, gatt(connection, procedure))? {
            Output::Gatt(outcome) => Ok(P::Output::try_from(outcome).expect("the outcome of this procedure")),
            other => panic!("{other:?} of a procedure"),
        }
    }

    /// Passes packets on until nobody has anything to say.
    pub fn exchange(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "hosts and controllers talk without end at {}", self.now);
            let mut quiet = true;
            for station in &mut self.stations {
                quiet &= station.exchange(self.now, &mut self.radio);
            }
            if quiet {
                return;
            }
        }
    }
}

impl Station {
    /// What was told and is wanted, in order.
    pub fn events<T>(&self, wanted: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.told.events.iter().filter_map(wanted).collect()
    }

    /// With what power an advertisement began, if it did.
    pub fn started(&self, op: OpId) -> Option<Option<i8>> {
        let started = self.events(|event| match event {
            Event::AdvertisingStarted { op: started, tx_power, .. } if *started == op => Some(*tx_power),
            _ => None,
        });
        assert!(started.len() <= 1, "{op:?} began {} times", started.len());
        started.first().copied()
    }

    /// The links that came up, in order.
    pub fn connected(&self, role: Role) -> Vec<ConnectionInfo> {
        self.events(|event| match event {
            Event::Connected(info) if info.role == role => Some(info.clone()),
            _ => None,
        })
    }

    /// The ends of links, in order.
    pub fn disconnections(&self) -> Vec<(ConnectionId, ErrorCode)> {
        self.events(|event| match event {
            Event::Disconnected { connection, reason } => Some((*connection, *reason)),
            _ => None,
        })
    }

    /// What a scan has heard, in order.
    pub fn heard(&self, op: OpId) -> Vec<&Sighting> {
        let sighting = |event| match event {
            &Event::Heard { op: scan, ref sighting } if scan == op => Some(&**sighting),
            _ => None,
        };
        self.told.events.iter().filter_map(sighting).collect()
    }

    /// The values that came of one attribute.
    pub fn values(&self, connection: ConnectionId, handle: u16) -> Vec<Vec<u8>> {
        self.events(|event| match event {
            Event::Value { connection: c, handle: h, value, .. } if (*c, *h) == (connection, handle) => {
                Some(value.to_vec())
            }
            _ => None,
        })
    }

    /// Opcodes of the commands that the host has sent.
    pub fn commands(&self) -> Vec<u16> {
        let opcode = |record: &Record| match record.data[..] {
            [0x01, low, high, ..] => Some(u16::from_le_bytes([low, high])),
            _ => None,
        };
        self.records.iter().filter_map(opcode).collect()
    }

    /// Everything that went over HCI, as a btsnoop file.
    fn capture(&self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), Format::BTSNOOP).expect("a vector takes everything");
        for record in &self.records {
            writer.write(record).expect("a vector takes everything");
        }
        writer.into_inner().expect("a vector takes everything")
    }

    /// Passes packets on once; whether there were none.
    fn exchange(&mut self, now: Instant, radio: &mut Radio) -> bool {
        let mut quiet = true;
        while let Some(packet) = self.host.poll_transmit() {
            self.record(now, Direction::Sent, &packet);
            radio.handle_packet(now, self.controller, packet);
            quiet = false;
        }
        while let Some(packet) = radio.poll_transmit(self.controller) {
            self.record(now, Direction::Received, &packet);
            self.host.handle_packet(now, packet);
            quiet = false;
        }
        while let Some(event) = self.host.poll_event() {
            if let (true, Event::Value { connection, indication: Some(_), .. }) = (self.confirms, &event) {
                self.host.submit(now, Request::Confirm { connection: *connection, indication: None });
                quiet = false;
            }
            self.told.push(event);
        }
        quiet
    }

    fn record(&mut self, now: Instant, direction: Direction, packet: &HciPacket) {
        self.records.push(Record::packet(Timestamp::from(now.since_start()), direction, packet));
    }
}

impl Recorded for Crowd {
    fn capture(&self) -> Vec<u8> {
        self.stations.iter().flat_map(Station::capture).collect()
    }
}
