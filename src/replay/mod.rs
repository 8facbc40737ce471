//! Replaying captures: the controller's side of a capture is fed to a host, in virtual time, and what the host sends is
//! compared with what the capture's host sent.
//!
//! A capture that once showed a fault becomes a test of the host, or of a program on it, that needs neither a radio nor a
//! runtime. [`Replay`] is such a session, told what to do step by step; [`run`] guesses from the packets what the
//! session was told, for captures of unknown origin.
//!
//! ```
//! use baretooth::gatt::procedure::Discover;
//! use baretooth::host::Request;
//! use baretooth::replay::Replay;
//! use baretooth::sim::demo::HEART_RATE_ADDRESS;
//!
//! let mut replay = Replay::open("captures/heart_rate.btsnoop")?;
//! let scan = replay.submit(Request::Scan(Default::default()))?;
//! replay.cancel(scan)?;
//! let strap = replay.connect(HEART_RATE_ADDRESS)?.connection;
//! let services = replay.gatt(strap, Discover::all())?;
//! assert_eq!(services.len(), 5);
//! # Ok::<(), baretooth::replay::ReplayError>(())
//! ```
//!
//! # What is compared
//!
//! Every octet that the host sends, in order. A packet of the controller is released once everything that was sent before
//! it has been sent again; time jumps to the next packet or to the host's next deadline, whichever comes first. A
//! request is made at the time of the packet that it leads to, when all before that packet has been exchanged.
//!
//! The first difference ends the replay with a [`ReplayError`] that says which packet it was, what was expected and what
//! came instead, in words. There is no waiting: a host that sends nothing where the capture has a packet is told so.
//!
//! # What a capture does not hold
//!
//! A capture holds packets, not calls, and not the seed of the session. All that is random in a session follows from
//! its seed: with it (`HostConfig::new`, `--seed`) a session replays bit for bit. Without it our random address is taken
//! from the capture; a session that used more of the seed than this, as every pairing does, ends at the first random
//! number. Passkeys that were typed, data that came out of band and the table that was served are given ([`Unseen`]).

mod course;
mod diff;
mod error;
mod fields;
mod infer;
mod script;
#[cfg(feature = "tokio")]
mod transport;
mod unseen;

pub use diff::Difference;
pub use error::ReplayError;
pub use infer::{Replayed, run, run_with};
pub use script::{Script, ScriptError, ScriptPacket};
#[cfg(feature = "tokio")]
pub use transport::{ReplayProgress, ReplayRx, ReplayTransport, ReplayTx};
pub use unseen::Unseen;

use crate::capture::Direction;
use crate::gap::connect::ConnectOptions;
use crate::gatt::procedure::{Outcome, Procedure};
use crate::host::{
    ConnectionId, ConnectionInfo, Event, Host, HostConfig, IndicationId, OpError, OpId, Output, Request,
};
use crate::transports::HciPacket;
use crate::{Address, Instant};
use course::Course;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// A host on a capture in place of a controller. See the [module](self).
///
/// Indications are confirmed when the capture's host confirmed them.
pub struct Replay {
    host: Host,
    course: Course,
    now: Instant,
    /// Everything that the host has told.
    events: Vec<Event>,
    results: BTreeMap<OpId, Result<Output, OpError>>,
    /// Links whose peer waits for a confirmation.
    unconfirmed: VecDeque<(ConnectionId, IndicationId)>,
    /// Deadlines that have passed since anything came of one.
    idle: usize,
}

/// What comes next in a replay.
#[derive(Debug)]
pub enum Turn {
    /// The host has told something.
    Told(Event),
    /// The capture's host sent a packet here that this one does not send by itself: it is time for the next request.
    Asks,
    /// Everything has been exchanged.
    End,
}

impl Replay {
    /// Replays a capture to a host that is configured as the capture shows ([`Script::config`]).
    ///
    /// # Errors
    /// When the capture cannot be replayed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReplayError> {
        let script = Script::open(path)?;
        let config = script.config();
        Ok(Self::new(script, config))
    }

    /// Replays a script to a host of this configuration.
    pub fn new(script: Script, config: HostConfig) -> Self {
        Self {
            host: Host::new(config, Instant::START),
            course: Course::new(script),
            now: Instant::START,
            events: Vec::new(),
            results: BTreeMap::new(),
            unconfirmed: VecDeque::new(),
            idle: 0,
        }
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Time in the session.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How many packets have been exchanged, both ways.
    pub fn exchanged(&self) -> usize {
        self.course.exchanged()
    }

    /// The packet that the host is to send next.
    pub fn wanted(&self) -> Option<&ScriptPacket> {
        self.course.wanted()
    }

    /// Everything that the host has told so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The result of a request that is over.
    pub fn result(&self, op: OpId) -> Option<&Result<Output, OpError>> {
        self.results.get(&op)
    }

    /// Goes on to the next thing that a program may want to know: the step that everything else here is made of.
    ///
    /// # Errors
    /// When the host sends something else than the capture holds.
    pub fn advance(&mut self) -> Result<Turn, ReplayError> {
        loop {
            if let Some(turn) = self.step()? {
                return Ok(turn);
            }
        }
    }

    /// One packet to the host or one deadline of it; `None` when nothing came of it that a program would know.
    fn step(&mut self) -> Result<Option<Turn>, ReplayError> {
        while let Some(packet) = self.host.poll_transmit() {
            self.course.compare(&packet)?;
            self.idle = 0;
        }
        if let Some(event) = self.host.poll_event() {
            self.idle = 0;
            self.keep(&event);
            return Ok(Some(Turn::Told(event)));
        }
        let due = self.course.due().map(|packet| packet.time);
        // A host that is in time sends by then.
        let wanted = self.course.wanted().map(|packet| packet.time);
        let Some(limit) = due.or(wanted.map(|time| time + SLACK)) else { return Ok(Some(Turn::End)) };
        if let Some((deadline, _)) = self.host.poll_timeout().filter(|(deadline, _)| *deadline <= limit) {
            self.now = self.now.max(deadline);
            self.host.handle_timeout(self.now);
            self.idle += 1;
            if self.idle > MOST_IDLE {
                return Err(ReplayError::Stuck { at: self.now });
            }
            return Ok(None);
        }
        self.now = due.or(wanted).unwrap_or_default().max(self.now);
        if let Some(packet) = self.course.take_due() {
            self.idle = 0;
            self.host.handle_packet(self.now, packet);
        } else if self.wanted().is_some_and(|wanted| is_confirmation(&wanted.packet))
            && let Some((connection, indication)) = self.unconfirmed.pop_front()
        {
            self.host.submit(self.now, Request::Confirm { connection, indication: Some(indication) });
        } else {
            return Ok(Some(Turn::Asks));
        }
        Ok(None)
    }

    /// Makes a request when it is time for it: as soon as the capture's host sent something that this one does not send
    /// by itself.
    ///
    /// # Errors
    /// When the host sends something else than the capture holds before.
    pub fn submit(&mut self, request: impl Into<Request>) -> Result<OpId, ReplayError> {
        self.until_asked()?;
        Ok(self.submit_now(request))
    }

    /// Makes a request without waiting, for one that is made while others are in progress.
    pub fn submit_now(&mut self, request: impl Into<Request>) -> OpId {
        self.host.submit(self.now, request)
    }

    /// Gives a request up when it is time for it, as [`submit`](Self::submit) makes one.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn cancel(&mut self, op: OpId) -> Result<(), ReplayError> {
        self.until_asked()?;
        self.cancel_now(op);
        Ok(())
    }

    /// Gives a request up without waiting.
    pub fn cancel_now(&mut self, op: OpId) {
        self.host.cancel(self.now, op);
    }

    /// Goes on until a request is over, and gives its result. [`result`](Self::result) is for one that is to fail.
    ///
    /// # Errors
    /// When the request fails, or the replay ends before.
    pub fn done(&mut self, op: OpId) -> Result<Output, ReplayError> {
        while !self.results.contains_key(&op) {
            match self.advance()? {
                Turn::Told(_) => {}
                Turn::Asks => return Err(self.not_sent(false)),
                Turn::End => return Err(ReplayError::Early(format!("{op:?} is over"))),
            }
        }
        match self.results.get(&op) {
            Some(Ok(output)) => Ok(output.clone()),
            Some(Err(error)) => Err(ReplayError::Failed(op, error.clone())),
            None => Err(ReplayError::Early(format!("{op:?} is over"))),
        }
    }

    /// Connects with default options.
    ///
    /// # Errors
    /// As [`done`](Self::done).
    pub fn connect(&mut self, address: Address) -> Result<ConnectionInfo, ReplayError> {
        let op = self.submit(Request::Connect { address, options: ConnectOptions::new() })?;
        match self.done(op)? {
            Output::Connected(info) => Ok(info),
            _ => Err(ReplayError::Early(format!("{op:?} has led to a link"))),
        }
    }

    /// Runs a GATT procedure to its end.
    ///
    /// # Errors
    /// As [`done`](Self::done).
    pub fn gatt<P>(&mut self, connection: ConnectionId, procedure: P) -> Result<P::Output, ReplayError>
    where
        P: Procedure,
        P::Output: TryFrom<Outcome>,
    {
        let op = self.submit(Request::Gatt { connection, procedure: procedure.into() })?;
        let output = match self.done(op)? {
            Output::Gatt(outcome) => P::Output::try_from(outcome).ok(),
            _ => None,
        };
        output.ok_or_else(|| ReplayError::Early(format!("{op:?} has its outcome")))
    }

    /// Goes on until the host tells something, past requests that are in progress.
    ///
    /// # Errors
    /// When the replay ends before, or it is time for a request.
    pub fn until(&mut self, mut is_it: impl FnMut(&Event) -> bool) -> Result<Event, ReplayError> {
        loop {
            match self.advance()? {
                Turn::Told(event) if is_it(&event) => return Ok(event),
                Turn::Told(_) => {}
                Turn::Asks => return Err(self.not_sent(false)),
                Turn::End => return Err(ReplayError::Early("the host tells what is waited for".to_owned())),
            }
        }
    }

    /// Goes on to the end of the capture: everything has been exchanged, and all was equal.
    ///
    /// # Errors
    /// When something was not.
    pub fn run_to_end(&mut self) -> Result<(), ReplayError> {
        loop {
            match self.advance()? {
                Turn::Told(_) => {}
                Turn::Asks => return Err(self.not_sent(false)),
                Turn::End => return Ok(()),
            }
        }
    }

    fn until_asked(&mut self) -> Result<(), ReplayError> {
        while let Turn::Told(_) = self.advance()? {}
        Ok(())
    }

    fn keep(&mut self, event: &Event) {
        match event {
            Event::OpDone { op, result } => {
                self.results.insert(*op, result.clone());
            }
            Event::Value { connection, indication: Some(id), .. } => {
                self.unconfirmed.push_back((*connection, *id));
            }
            Event::Disconnected { connection, .. } => self.unconfirmed.retain(|(link, _)| link != connection),
            _ => {}
        }
        self.events.push(event.clone());
    }

    /// Nobody made the request that the capture's host sent its next packet for.
    fn not_sent(&self, guessed: bool) -> ReplayError {
        self.course.not_sent(guessed).unwrap_or_else(|| ReplayError::Early("the program does".to_owned()))
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("now", &self.now)
            .field("wanted", &self.wanted())
            .finish_non_exhaustive()
    }
}

/// How much later than in the capture a deadline of the host may be: clocks are read once for the host and once for the
/// file, and files round.
const SLACK: Duration = Duration::from_millis(1);

/// Deadlines in a row of which nothing may come: far more than a host has links.
const MOST_IDLE: usize = 10_000;

/// Whether this is ATT_HANDLE_VALUE_CFM ([Vol 3] Part F, 3.4.7.3) in one piece.
fn is_confirmation(packet: &HciPacket) -> bool {
    matches!(packet.as_slice(), [0x02, _, _, 5, 0, 1, 0, 4, 0, 0x1E])
}

/// Whether a packet of a script was sent.
fn is_sent(packet: &ScriptPacket) -> bool {
    packet.direction == Direction::Sent
}
