//! Making connections ([Vol 4] Part E, 7.8.12 and 7.8.66): one at a time at the controller, the others queued.
//!
//! Owns the attempt in progress with its time limit and its cancellation. Knows nothing of the link that results.

use crate::codec::List;
use crate::gap::privacy::OwnAddress;
use crate::hci::command::{
    InitiatingPhyParameters, LeCreateConnection, LeCreateConnectionCancel, LeExtendedCreateConnection,
};
use crate::hci::{AddressType, ErrorCode, HciCommand, Opcode, ParameterUnits};
use crate::transports::HciPacket;
use crate::{Address, Instant};
use std::collections::VecDeque;
use std::time::Duration;

/// How a link is to be timed ([Vol 6] Part B, 4.5.1 and 4.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionParameters {
    /// Shortest connection interval, 7.5 ms to 4 s, in steps of 1.25 ms.
    pub interval_min: Duration,
    /// Longest connection interval.
    pub interval_max: Duration,
    /// Connection events the peripheral may skip, at most 499.
    pub latency: u16,
    /// Silence after which the link is lost, 100 ms to 32 s, in steps of 10 ms.
    pub supervision_timeout: Duration,
}

impl Default for ConnectionParameters {
    /// 15 to 30 ms, no latency, 5 s: quick enough for discovery, and no burden.
    fn default() -> Self {
        Self {
            interval_min: Duration::from_millis(15),
            interval_max: Duration::from_millis(30),
            latency: 0,
            supervision_timeout: Duration::from_secs(5),
        }
    }
}

impl ConnectionParameters {
    /// In the units of the wire; `None` when the specification does not allow them.
    pub(crate) fn units(&self) -> Option<ParameterUnits> {
        let interval = |d: Duration| u16::try_from(d.as_micros() / 1250).ok();
        let units = ParameterUnits {
            interval_min: interval(self.interval_min)?,
            interval_max: interval(self.interval_max)?,
            latency: self.latency,
            timeout: u16::try_from(self.supervision_timeout.as_millis() / 10).ok()?,
        };
        units.are_valid().then_some(units)
    }
}

/// How to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ConnectOptions {
    pub(crate) timeout: Duration,
    pub(crate) parameters: ConnectionParameters,
    pub(crate) mtu: Option<u16>,
    pub(crate) coded: bool,
    pub(crate) own_address: Option<OwnAddress>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(20),
            parameters: ConnectionParameters::default(),
            mtu: None,
            coded: false,
            own_address: None,
        }
    }
}

impl ConnectOptions {
    /// Default options: 20 s, the host's MTU, the adapter's address, 1M.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to try, counted from when it is this attempt's turn. A device may advertise as rarely as every
    /// 10.24 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Timing of the link.
    pub fn parameters(mut self, parameters: ConnectionParameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// ATT_MTU to offer, 23 to 517; 23 leaves the exchange out. By default what the host was configured with.
    pub fn mtu(mut self, mtu: u16) -> Self {
        self.mtu = Some(mtu);
        self
    }

    /// Also listen on the Coded PHY, where the controller has it.
    pub fn coded(mut self, coded: bool) -> Self {
        self.coded = coded;
        self
    }

    /// Which sort of address to connect from; by default the adapter's.
    pub fn own_address(mut self, own_address: OwnAddress) -> Self {
        self.own_address = Some(own_address);
        self
    }
}

/// The attempts of one adapter; `K` names whoever asked.
#[derive(Debug)]
pub(crate) struct Connector<K> {
    waiting: VecDeque<Attempt<K>>,
    current: Option<Current<K>>,
    /// How long the controller may take to confirm a cancellation.
    limit: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Attempt<K> {
    pub(crate) key: K,
    pub(crate) address: Address,
    pub(crate) options: ConnectOptions,
    pub(crate) dial: Dial,
    /// When it is over, if it has begun before its turn.
    pub(crate) end: Option<Instant>,
    /// It failed once to be established and is being tried again.
    pub(crate) retried: bool,
}

/// Whom the controller is told to listen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dial {
    /// The address of the attempt.
    Address,
    /// The same, as an identity that the controller resolves addresses to.
    Identity,
    /// The address under which the peer was heard.
    Heard(Address),
}

#[derive(Debug)]
struct Current<K> {
    attempt: Attempt<K>,
    state: State,
    /// Of the attempt, or of its cancellation.
    deadline: Instant,
    /// Nobody waits for the link any more.
    abandoned: bool,
    /// How it ended, while the controller has yet to answer the command to stop.
    stopped: Option<How>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The controller refused while it was scanning.
    Blocked,
    /// The command is on its way.
    Requested,
    /// The controller listens for the peer.
    Initiating,
    /// The controller was told to stop; by then the peer may have answered.
    Cancelling,
    /// It was, and has answered that. The event is still to come.
    Cancelled,
}

impl<K> Current<K> {
    /// The controller was told to stop.
    fn is_stopping(&self) -> bool {
        matches!(self.state, State::Cancelling | State::Cancelled)
    }
}

/// An attempt that is over.
#[derive(Debug)]
pub(crate) struct Ended<K> {
    pub(crate) attempt: Attempt<K>,
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The link is up.
    Connected,
    /// The link is up and nobody wants it any more.
    Unwanted,
    /// The controller refused or gave up.
    Refused(Opcode, ErrorCode),
    /// The controller did not answer the command.
    Silent(Opcode),
    /// The peer was not heard in time.
    TimedOut,
    /// As asked.
    Cancelled,
}

impl<K: Copy + PartialEq> Connector<K> {
    /// `limit` is the time the controller has to confirm a cancellation.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { waiting: VecDeque::new(), current: None, limit }
    }

    /// Queues an attempt; one that is tried again, or whose peer was just heard, goes first.
    pub(crate) fn push(&mut self, attempt: Attempt<K>) {
        let first = attempt.retried || matches!(attempt.dial, Dial::Heard(_));
        if first { self.waiting.push_front(attempt) } else { self.waiting.push_back(attempt) }
    }

    /// The attempt whose turn is next, while none is in progress.
    pub(crate) fn next(&mut self) -> Option<&mut Attempt<K>> {
        if self.current.is_none() { self.waiting.front_mut() } else { None }
    }

    /// Takes back the attempt of [`next`](Self::next).
    pub(crate) fn take_next(&mut self) -> Option<Attempt<K>> {
        if self.current.is_none() { self.waiting.pop_front() } else { None }
    }

    /// The sort of address that the attempt in progress, or else the next one, is to be made from.
    pub(crate) fn own_address(&self) -> Option<Option<OwnAddress>> {
        let attempt = self.current.as_ref().map(|current| &current.attempt).or(self.waiting.front())?;
        Some(attempt.options.own_address)
    }

    /// Whether an attempt to this address waits or is in progress.
    pub(crate) fn is_connecting(&self, address: Address) -> bool {
        self.current.iter().map(|current| &current.attempt).chain(&self.waiting).any(|a| a.address == address)
    }

    /// The attempts that wait or are in progress.
    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        self.current.iter().map(|current| &current.attempt).chain(&self.waiting).map(|attempt| attempt.key)
    }

    /// Whether the controller may be listening for a peer.
    pub(crate) fn is_initiating(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.state != State::Blocked)
    }

    /// Whether an attempt waits for scanning to stop.
    pub(crate) fn is_blocked(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.state == State::Blocked)
    }

    /// Gives an attempt up. One that was not sent ends at once, else the controller is told to stop.
    pub(crate) fn cancel(&mut self, key: K) -> Option<Ended<K>> {
        if let Some(position) = self.waiting.iter().position(|attempt| attempt.key == key) {
            return self.waiting.remove(position).map(|attempt| Ended { attempt, how: How::Cancelled });
        }
        let current = self.current.as_mut().filter(|current| current.attempt.key == key)?;
        current.abandoned = true;
        if current.state == State::Blocked { self.end(How::Cancelled) } else { None }
    }

    /// The command that is due now. `extended` chooses the form, `may_start` is false while scanning still has to
    /// stop, `usual` is the sort of address of those who ask for none.
    pub(crate) fn poll_command(
        &mut self,
        now: Instant,
        extended: bool,
        may_start: bool,
        usual: OwnAddress,
    ) -> Option<HciPacket> {
        if self.current.is_none() {
            let attempt = self.waiting.pop_front()?;
            self.current = Some(Current {
                attempt,
                state: State::Blocked,
                deadline: now,
                abandoned: false,
                stopped: None,
            });
            return self.start(now, extended, usual);
        }
        let current = self.current.as_mut()?;
        match current.state {
            State::Blocked if may_start => self.start(now, extended, usual),
            State::Initiating if current.abandoned || current.deadline <= now => {
                current.state = State::Cancelling;
                current.deadline = now + self.limit;
                LeCreateConnectionCancel {}.to_packet().ok()
            }
            _ => None,
        }
    }

    fn start(&mut self, now: Instant, extended: bool, usual: OwnAddress) -> Option<HciPacket> {
        let current = self.current.as_mut()?;
        current.state = State::Requested;
        let end = current.attempt.end.unwrap_or(now + current.attempt.options.timeout);
        current.deadline = match current.attempt.dial {
            Dial::Address | Dial::Identity => end,
            Dial::Heard(_) => end.min(now + HEARD_AGAIN),
        };
        create_connection(&current.attempt, extended, usual)
    }

    /// The controller's answer to the command of [`poll_command`](Self::poll_command), `None` when there was none.
    /// With `scanning`, a refusal for being busy only means that scanning has to stop first.
    pub(crate) fn on_answer(
        &mut self,
        opcode: Opcode,
        status: Option<ErrorCode>,
        scanning: bool,
    ) -> Option<Ended<K>> {
        let current = self.current.as_mut()?;
        if current.state == State::Cancelling && opcode == LeCreateConnectionCancel::OPCODE {
            // Refused or not, what counts is the event, or the deadline.
            current.state = State::Cancelled;
            return current.stopped.and_then(|how| self.end(how));
        }
        if current.state != State::Requested {
            return None;
        }
        match status {
            Some(ErrorCode::Success) => {
                current.state = State::Initiating;
                None
            }
            Some(ErrorCode::CommandDisallowed) if scanning && !current.abandoned => {
                current.state = State::Blocked;
                None
            }
            // The host goes on with the legacy form.
            Some(ErrorCode::UnknownHciCommand) | None if opcode == LeExtendedCreateConnection::OPCODE => {
                current.state = State::Blocked;
                None
            }
            _ if current.abandoned => self.end(How::Cancelled),
            Some(status) => self.end(How::Refused(opcode, status)),
            None => self.end(How::Silent(opcode)),
        }
    }

    /// LE Connection Complete in any of its forms, as central. `None` when it ends no attempt, or when the attempt
    /// is tried once more.
    pub(crate) fn on_complete(&mut self, status: ErrorCode) -> Option<Ended<K>> {
        let current = self.current.as_mut().filter(|current| current.state != State::Blocked)?;
        if current.stopped.is_some() {
            return None;
        }
        let how = match status {
            ErrorCode::Success if current.abandoned => How::Unwanted,
            ErrorCode::Success => How::Connected,
            _ if current.abandoned => How::Cancelled,
            _ if current.is_stopping() => How::TimedOut,
            FAILED_TO_BE_ESTABLISHED if !current.attempt.retried => {
                current.attempt.retried = true;
                let ended = self.end(How::Cancelled)?;
                self.push(ended.attempt);
                return None;
            }
            status => How::Refused(LeCreateConnection::OPCODE, status),
        };
        if current.state == State::Cancelling && !status.is_success() {
            // Over is over when the controller has no command of it left, so that the next may begin.
            current.stopped = Some(how);
            return None;
        }
        self.end(how)
    }

    /// When [`on_timeout`](Self::on_timeout) or [`poll_command`](Self::poll_command) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let current = self.current.as_ref()?;
        (current.state == State::Initiating || current.is_stopping()).then_some(current.deadline)
    }

    /// A cancellation that the controller never confirmed ends here.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> Option<Ended<K>> {
        let current = self.current.as_ref()?;
        if !current.is_stopping() || current.deadline > now {
            return None;
        }
        let how = if current.abandoned { How::Cancelled } else { How::TimedOut };
        self.end(how)
    }

    /// Ends the attempt that is being given up without the controller's word.
    pub(crate) fn end_cancelled(&mut self) -> Option<Ended<K>> {
        let current = self.current.as_ref()?;
        match (current.abandoned, current.state) {
            (true, _) => self.end(How::Cancelled),
            (false, State::Cancelling | State::Cancelled) => self.end(How::TimedOut),
            (false, _) => None,
        }
    }

    /// Everything that waits or is in progress, for the end of the session.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Attempt<K>> + use<K> {
        self.current
            .take()
            .map(|current| current.attempt)
            .into_iter()
            .chain(std::mem::take(&mut self.waiting))
    }

    fn end(&mut self, how: How) -> Option<Ended<K>> {
        self.current.take().map(|current| Ended { attempt: current.attempt, how })
    }
}

/// 0x3E: the peer did not answer at the first connection events.
pub(crate) const FAILED_TO_BE_ESTABLISHED: ErrorCode = ErrorCode::ConnectionFailedToBeEstablished;

/// A peer that was heard is heard again by then, if it still shows the same address: it advertises every 10.24 s at least
/// ([Vol 6] Part B, 4.4.2.2).
const HEARD_AGAIN: Duration = Duration::from_secs(11);

/// Interval and window of listening for the peer: 60 ms of 60 ms, in units of 0.625 ms.
const SCAN_INTERVAL: u16 = 96;

fn create_connection<K>(attempt: &Attempt<K>, extended: bool, usual: OwnAddress) -> Option<HciPacket> {
    // Checked when the request was made.
    let units = attempt.options.parameters.units()?;
    let own_address_type = attempt.options.own_address.unwrap_or(usual).to_wire();
    let (peer_address_type, peer_address) = match attempt.dial {
        Dial::Address => (attempt.address.kind.into(), attempt.address.bd_addr),
        Dial::Identity => (AddressType::of_identity(attempt.address.kind), attempt.address.bd_addr),
        Dial::Heard(address) => (address.kind.into(), address.bd_addr),
    };
    if !extended {
        let command = LeCreateConnection {
            le_scan_interval: SCAN_INTERVAL,
            le_scan_window: SCAN_INTERVAL,
            initiator_filter_policy: 0,
            peer_address_type,
            peer_address,
            own_address_type,
            connection_interval_min: units.interval_min,
            connection_interval_max: units.interval_max,
            max_latency: units.latency,
            supervision_timeout: units.timeout,
            min_ce_length: 0,
            max_ce_length: 0,
        };
        return command.to_packet().ok();
    }
    let phy = InitiatingPhyParameters {
        scan_interval: SCAN_INTERVAL,
        scan_window: SCAN_INTERVAL,
        connection_interval_min: units.interval_min,
        connection_interval_max: units.interval_max,
        max_latency: units.latency,
        supervision_timeout: units.timeout,
        min_ce_length: 0,
        max_ce_length: 0,
    };
    // Bit 0: 1M, bit 2: Coded; they share the air half and half.
    let half = InitiatingPhyParameters { scan_interval: 2 * SCAN_INTERVAL, ..phy };
    let both = [half, half];
    let initiating_phys = if attempt.options.coded {
        List::per_bit(0b101, &both)?
    } else {
        List::per_bit(0b001, std::slice::from_ref(&phy))?
    };
    let command = LeExtendedCreateConnection {
        initiator_filter_policy: 0,
        own_address_type,
        peer_address_type,
        peer_address,
        initiating_phys,
    };
    command.to_packet().ok()
}

#[cfg(test)]
mod tests;
