//! The whole stack as one value: it is given times, packets and requests, and gives packets, events and a deadline.
//!
//! [`Host`] only routes. What a packet means is known in the layers below; nothing here reads a clock, draws a random
//! number of its own or waits. All work happens in `handle_*`, [`submit`](Host::submit) and [`cancel`](Host::cancel);
//! the three `poll_*` only hand out what is ready, so there is no order in which they have to be called.

mod advertising;
mod bearers;
mod begin;
mod bonds;
mod channels;
mod client;
mod config;
mod controller;
mod encryption;
mod event;
mod guard;
mod indications;
mod joining;
mod ladder;
mod link;
mod pairing;
mod parameters;
mod phase;
mod privacy;
mod queue;
mod raising;
mod recovery;
mod request;
mod security;
mod sending;
mod serving;
mod signing;

#[cfg(feature = "tokio")]
pub(crate) use bearers::EATT_IS_OFF;

pub use advertising::AdvertisingEnd;
pub use channels::{ChannelError, ChannelEvent, ChannelRequest, OpenedChannel};
pub use config::{Eatt, HostConfig, ParameterPolicy};
pub use event::{Event, Sighting};
pub use ladder::{Fault, Recovery, Rung};
pub use request::{ConnectionId, ConnectionInfo, IndicationId, LinkTiming, OpError, OpId, Output, Request};
pub use security::{
    LinkSecurity, OnSecurityRequest, Pairable, PairingSummary, SecurityEvent, SecurityOptions,
    SecurityRequest,
};
pub use serving::{ServerEvent, ServerRequest};

use crate::gap::connect::Connector;
use crate::gap::report::Assembler;
use crate::gap::scan::Scanner;
use crate::gatt::server::Table;
use crate::hci::acl::AclData;
use crate::hci::acl_flow::AclFlow;
use crate::hci::command_flow::CommandFlow;
use crate::hci::{ConnectionHandle, ControllerInfo, ErrorCode, Initialization, Opcode, ParameterUnits};
use crate::l2cap::credit::Servers;
use crate::smp::{Attempts, Key};
use crate::transports::{HciPacket, PacketIndicator};
use crate::{BdAddr, Instant};
use advertising::Advertising;
use begin::update;
use bonds::Bonds;
use ladder::Ladder;
use link::{Link, Out};
use phase::{Due, Phase, Wait};
use privacy::Privacy;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The host. See the [module](self).
///
/// ```
/// use baretooth::Instant;
/// use baretooth::host::{Host, HostConfig};
/// let mut host = Host::new(HostConfig::new([0; 32]), Instant::START);
/// let reset = host.poll_transmit().expect("the first thing it wants to say");
/// assert_eq!(reset.as_slice(), [0x01, 0x03, 0x0C, 0x00]);
/// ```
pub struct Host {
    config: HostConfig,
    state: State,
    info: Option<ControllerInfo>,
    commands: CommandFlow<Owner>,
    acl: AclFlow,
    scanner: Scanner,
    /// Scans in progress.
    scans: BTreeSet<OpId>,
    assembler: Assembler,
    advertising: Advertising,
    connector: Connector<OpId>,
    links: BTreeMap<ConnectionHandle, Link>,
    /// What all links serve.
    table: Table,
    /// What peers may open channels for.
    servers: Servers,
    transmit: VecDeque<HciPacket>,
    events: VecDeque<Event>,
    next_op: u64,
    next_connection: u32,
    random_address: BdAddr,
    /// What our resolvable private addresses are made with, and peers know us by.
    irk: Key,
    rng: ChaCha20Rng,
    bonds: Bonds,
    attempts: Attempts,
    /// What is done about security without being asked.
    security: SecurityOptions,
    /// Somebody answers prompts of pairings that no request began.
    agent: bool,
    privacy: Privacy,
    ladder: Ladder,
    /// Commands in a row that were not answered although nobody minded.
    unanswered: usize,
    /// Extended commands that the controller has answered: its silence to one of them is no sign of not having it.
    known_extended: BTreeSet<Opcode>,
    /// The extended command for whose sake the legacy ones are used since the last reset.
    spared: Option<Opcode>,
}

/// Whether the controller can be worked with.
#[derive(Debug)]
enum State {
    Initializing {
        initialization: Initialization,
        /// A rung of the ladder, not the beginning of the session.
        again: bool,
    },
    Ready,
    /// Its transport is being opened again.
    Away,
    Failed(OpError),
}

/// Who wants the answer to a command.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Init,
    Scan,
    Advertise,
    Connect,
    /// Our address, and the resolving list.
    Privacy,
    /// A request on a link; with a wait, an event answers it after the command's status.
    Link(ConnectionHandle, OpId, Option<Wait>),
    /// The key of a link.
    Encrypt(ConnectionHandle),
    /// A raw command.
    User(OpId),
    /// Nobody.
    Housekeeping,
}

/// Why the host wants to be called at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// A command has to be answered by then ([Vol 4] Part E, 4.4).
    Command,
    /// An attempt to connect ends then.
    Connect,
    /// An advertisement ends then.
    Advertise,
    /// A private address of ours has been shown for long enough.
    Rotate,
    /// An ATT transaction ends then ([Vol 3] Part F, 3.3.3), an indication is confirmed, a question to the user
    /// about a value is answered for him, a request about channels is given up ([Vol 3] Part A, 6.2.1), or a pairing or
    /// the encryption of the link ([Vol 3] Part H, 3.4; [Vol 6] Part B, 5.2).
    Link,
}

impl Host {
    /// A host that begins to initialise its controller.
    pub fn new(config: HostConfig, now: Instant) -> Self {
        let mut rng = ChaCha20Rng::from_seed(config.seed);
        let mut octets = [0; 6];
        rng.fill_bytes(&mut octets);
        // Random static: the two upper bits are 11 ([Vol 6] Part B, 1.3.2.1).
        octets[5] |= 0xC0;
        let limit = config.command_timeout;
        let random_address = config.random_address.unwrap_or(BdAddr(octets));
        let irk = config.irk.clone().unwrap_or_else(|| Key::generate(&mut rng));
        let mut host = Self {
            state: State::Ready,
            info: None,
            commands: CommandFlow::new(limit),
            acl: AclFlow::default(),
            scanner: Scanner::default(),
            scans: BTreeSet::new(),
            assembler: Assembler::default(),
            advertising: Advertising::default(),
            connector: Connector::new(limit),
            links: BTreeMap::new(),
            table: serving::default_table(&config.name),
            servers: Servers::default(),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
            next_op: 1,
            next_connection: 1,
            privacy: Privacy::new(&config, random_address, &irk),
            irk,
            rng,
            bonds: Bonds::default(),
            attempts: Attempts::new(),
            security: config.security.clone(),
            agent: false,
            random_address,
            ladder: Ladder::new(config.recovery),
            unanswered: 0,
            known_extended: BTreeSet::new(),
            spared: None,
            config,
        };
        host.config.eatt.offer(host.config.mtu, &mut host.servers, &mut host.table);
        host.initialize(false);
        host.pump(now);
        host
    }

    /// What is known of the controller, once it is initialised.
    pub fn controller(&self) -> Option<&ControllerInfo> {
        self.info.as_ref()
    }

    /// The link that the controller knows by this handle, once its user knows of it.
    pub fn connection(&self, handle: ConnectionHandle) -> Option<ConnectionId> {
        self.links.get(&handle).filter(|link| link.is_ready()).map(|link| link.id)
    }

    /// Takes a packet from the controller. Whatever it says, this does not fail.
    pub fn handle_packet(&mut self, now: Instant, packet: HciPacket) {
        if let State::Away = self.state {
            tracing::debug!("a packet from before");
            return;
        }
        match packet.indicator() {
            PacketIndicator::Event => self.handle_event(now, &packet),
            PacketIndicator::AclData => self.handle_acl(now, &packet),
            other => tracing::debug!(?other, "packet of a kind that is not used here"),
        }
        self.pump(now);
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((owner, opcode)) = self.commands.on_timeout(now) {
            tracing::warn!(%opcode, "not answered");
            if self.bears_silence(&owner, opcode) {
                self.on_answer(now, owner, opcode, None);
            } else {
                self.on_silence(now, owner, opcode);
            }
        }
        if let Some(ended) = self.connector.on_timeout(now) {
            self.on_attempt_ended(now, ended, None);
        }
        self.end_late_searches(now);
        self.advertising.advertiser.on_timeout(now);
        let due = |(handle, link): (&ConnectionHandle, &Link)| {
            link.deadline().is_some_and(|deadline| deadline <= now).then_some(*handle)
        };
        let handles: Vec<_> = self.links.iter().filter_map(due).collect();
        for handle in handles {
            match self.on_link(handle, |link, out| link.on_timeout(now, out)) {
                Some(Due::GiveUp) => {
                    self.disconnect(now, handle, ErrorCode::RemoteUserTerminatedConnection);
                }
                Some(Due::Gone) => {
                    tracing::warn!(%handle, "a link whose end the controller does not tell");
                    self.on_disconnected(handle, ErrorCode::ConnectionTimeout);
                }
                Some(Due::Nothing) | None => {}
            }
            self.on_security_timeout(now, handle);
        }
        self.pump(now);
    }

    /// Begins a request. Its end is an [`Event::OpDone`] with the number returned here. Scans, connections and
    /// advertisements that are asked for while the controller is being initialised wait for it.
    pub fn submit(&mut self, now: Instant, request: impl Into<Request>) -> OpId {
        let op = OpId(self.next_op);
        self.next_op += 1;
        let begun = match &self.state {
            State::Ready => self.begin(now, op, request.into()),
            State::Initializing { .. } | State::Away => match request.into() {
                // What is for the controller as it is now cannot wait; links there are none.
                Request::Command { .. } => Err(OpError::NotReady),
                request => self.begin(now, op, request),
            },
            State::Failed(error) => Err(error.clone()),
        };
        if let Err(error) = begun {
            self.done(op, Err(error));
        }
        self.pump(now);
        op
    }

    /// Gives a request up. What was not sent is removed and fails with [`OpError::Cancelled`]; a scan, an
    /// advertisement and an attempt to connect are ended at the controller first; what was sent to a peer finishes.
    pub fn cancel(&mut self, now: Instant, op: OpId) {
        if self.scans.remove(&op) {
            self.scanner.unsubscribe(op.0);
            if self.scanner.is_unsubscribed() {
                // What began in this scan will not end in the next.
                self.assembler.clear();
            }
            self.done(op, Err(OpError::Cancelled));
        }
        self.advertising.advertiser.stop(op.0);
        self.cancel_search(op);
        if let Some(ended) = self.connector.cancel(op) {
            self.on_attempt_ended(now, ended, None);
        }
        let settling =
            |link: &&mut Link| matches!(&link.phase, Phase::Settling(attempt) if attempt.key == op);
        if let Some(link) = self.links.values_mut().find(settling) {
            link.phase = Phase::Unwanted(Some((op, OpError::Cancelled)));
            let handle = link.handle;
            self.disconnect(now, handle, ErrorCode::RemoteUserTerminatedConnection);
        }
        // Its end is told when the peer was.
        if !self.cancel_pairing(now, op) && self.links.values_mut().any(|link| link.cancel(now, op)) {
            self.done(op, Err(OpError::Cancelled));
        }
        self.pump(now);
    }

    /// The next packet for the controller.
    pub fn poll_transmit(&mut self) -> Option<HciPacket> {
        self.transmit.pop_front()
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let command = self.commands.deadline().map(|at| (at, Reason::Command));
        let connect = self.connector.deadline().into_iter().chain(self.search_deadline()).min();
        let connect = connect.map(|at| (at, Reason::Connect));
        let rotate = self.rotation_deadline().map(|at| (at, Reason::Rotate));
        let advertise = self.advertising.advertiser.deadline().map(|at| (at, Reason::Advertise));
        let link = self.links.values().filter_map(Link::deadline).min().map(|at| (at, Reason::Link));
        [command, connect, advertise, rotate, link].into_iter().flatten().min()
    }

    /// Ends scans, advertisements, attempts and links, as far as the controller still answers. [`is_idle`](Self::is_idle) says when.
    pub fn wind_down(&mut self, now: Instant) {
        let attempts: Vec<_> = self.connector.keys().chain(self.searching()).collect();
        let scans: Vec<_> = self.scans.iter().copied().collect();
        for op in scans.into_iter().chain(attempts) {
            self.cancel(now, op);
        }
        self.advertising.advertiser.stop_all();
        let handles: Vec<_> = self.links.keys().copied().collect();
        for handle in handles {
            self.disconnect(now, handle, ErrorCode::RemoteUserTerminatedConnection);
        }
        self.pump(now);
    }

    /// Whether there is no scan, no advertisement, no attempt, no link, and no command that the controller has to answer.
    pub fn is_idle(&self) -> bool {
        let controller_idle =
            self.scanner.is_idle() && !self.connector.is_initiating() && self.commands.is_idle();
        let quiet = self.advertising.advertiser.is_idle() && controller_idle;
        self.transmit.is_empty() && self.links.is_empty() && quiet
    }

    fn initialize(&mut self, again: bool) {
        let mut initialization = Initialization::new(self.random_address, self.config.legacy_only);
        self.spared = None;
        self.commands.push(Owner::Init, initialization.start());
        self.state = State::Initializing { initialization, again };
    }

    fn handle_acl(&mut self, now: Instant, packet: &HciPacket) {
        let Ok(acl) = AclData::parse(packet.as_slice()) else { return };
        let policy = self.config.parameter_policy;
        let grant = |wanted: &ParameterUnits| policy.grants(wanted);
        let consequence = self.on_link(acl.handle, |link, out| link.on_packet(now, &acl, packet, grant, out));
        let Some(consequence) = consequence else {
            tracing::debug!(handle = %acl.handle, "data of no link");
            return;
        };
        if let Some(pdu) = consequence.security {
            self.on_smp(now, acl.handle, &pdu);
        }
        if consequence.settled {
            self.on_settled(now, acl.handle);
        }
        if let Some(units) = consequence.parameters {
            self.housekeeping(update(acl.handle, &units));
        }
    }

    fn done(&mut self, op: OpId, result: Result<Output, OpError>) {
        self.events.push_back(Event::OpDone { op, result });
    }

    fn on_link<T>(
        &mut self,
        handle: ConnectionHandle,
        act: impl FnOnce(&mut Link, &mut Out<'_>) -> T,
    ) -> Option<T> {
        let link = self.links.get_mut(&handle)?;
        let (acl, events) = (&mut self.acl, &mut self.events);
        Some(act(link, &mut Out { acl, events, table: &mut self.table, servers: &self.servers }))
    }
}
