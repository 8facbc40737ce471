//! A capture as a transport: any program runs against it as against an adapter.
//!
//! The rule is that of the rest of the replay: a packet is released when everything that was sent before it has been
//! sent again, and not before its time. Time is tokio's, so under a paused clock an hour of capture passes in a moment.

use super::course::Course;
use super::{ReplayError, Script, ScriptError};
use crate::transports::{HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant as Clock, sleep_until};

/// How long the host may stay silent where the capture has a packet of it, and how long a program may go on behind the
/// end of the capture: longer than the host itself waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A capture in place of an adapter.
///
/// A host that sends anything else than the capture's host ends the session with a [`ReplayError`], in a
/// [`TransportError::Custom`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use baretooth::replay::ReplayTransport;
/// use baretooth::{Adapter, ScanOptions};
/// let transport = ReplayTransport::open("captures/heart_rate.btsnoop")?;
/// let progress = transport.progress();
/// let adapter = Adapter::builder().open_replay(transport).await?;
/// let heard = adapter.scan_with(ScanOptions::new()).await?.next().await?;
/// println!("{:?}", heard.device.address);
/// adapter.close().await;
/// // The session of the capture scanned longer, and went on.
/// assert!(progress.result().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReplayTransport {
    state: Arc<State>,
    name: String,
}

/// How far a [`ReplayTransport`] has come, also after it is gone.
#[derive(Clone, Debug)]
pub struct ReplayProgress(Arc<State>);

#[derive(Debug)]
struct State {
    exchange: Mutex<Exchange>,
    /// Something was sent.
    sent: Notify,
}

#[derive(Debug)]
struct Exchange {
    course: Course,
    /// Why it is over.
    failure: Option<ReplayError>,
    /// When the host has to have sent something, once nothing but that can happen.
    deadline: Option<Clock>,
}

impl ReplayTransport {
    /// Opens a capture of any format.
    ///
    /// # Errors
    /// When it cannot be read or replayed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ScriptError> {
        let path = path.as_ref();
        Ok(Self { name: format!("replay:{}", path.display()), ..Self::new(Script::open(path)?) })
    }

    /// Replays a script.
    pub fn new(script: Script) -> Self {
        let exchange = Exchange { course: Course::new(script), failure: None, deadline: None };
        let state = State { exchange: Mutex::new(exchange), sent: Notify::new() };
        Self { state: Arc::new(state), name: "replay".to_owned() }
    }

    /// What is replayed.
    pub fn script(&self) -> Script {
        self.state.lock().course.script().clone()
    }

    /// To be asked how it went, when the session is over.
    pub fn progress(&self) -> ReplayProgress {
        ReplayProgress(Arc::clone(&self.state))
    }
}

impl ReplayProgress {
    /// How many packets were exchanged, when the host sent everything that the capture's host did and nothing else.
    ///
    /// # Errors
    /// The first difference; for a session that is over before its capture, the next packet that is missing.
    pub fn result(&self) -> Result<usize, ReplayError> {
        let exchange = self.0.lock();
        match (&exchange.failure, exchange.course.not_sent(false)) {
            (Some(failure), _) => Err(failure.clone()),
            (None, Some(missing)) => Err(missing),
            (None, None) => Ok(exchange.course.exchanged()),
        }
    }
}

impl State {
    /// Nothing can panic while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(error: ReplayError) -> TransportError {
        TransportError::Custom(Arc::new(error))
    }
}

impl Transport for ReplayTransport {
    type Rx = ReplayRx;
    type Tx = ReplayTx;

    /// Time begins here.
    fn split(self) -> (ReplayRx, ReplayTx) {
        (ReplayRx { state: Arc::clone(&self.state), start: Clock::now() }, ReplayTx { state: self.state })
    }

    fn description(&self) -> String {
        self.name.clone()
    }
}

/// The receiving half of a [`ReplayTransport`].
#[derive(Debug)]
pub struct ReplayRx {
    state: Arc<State>,
    start: Clock,
}

/// The sending half of a [`ReplayTransport`].
#[derive(Debug)]
pub struct ReplayTx {
    state: Arc<State>,
}

/// What a receiver does next.
enum Wait {
    /// Nothing: here it is.
    Packet(HciPacket),
    /// Its time has to come.
    Time(Clock),
    /// The host has to send something by then.
    Host(Clock),
}

impl ReplayRx {
    fn next(&self) -> Result<Wait, TransportError> {
        let now = Clock::now();
        let mut exchange = self.state.lock();
        if let Some(failure) = &exchange.failure {
            return Err(State::failed(failure.clone()));
        }
        if let Some(packet) = exchange.course.due() {
            let time = self.start + packet.time.since_start();
            if time > now {
                return Ok(Wait::Time(time));
            }
            exchange.deadline = None;
            if let Some(packet) = exchange.course.take_due() {
                return Ok(Wait::Packet(packet));
            }
        }
        let expected = exchange.course.wanted().map_or(now, |packet| self.start + packet.time.since_start());
        let deadline = *exchange.deadline.get_or_insert(expected.max(now) + PATIENCE);
        if deadline > now {
            return Ok(Wait::Host(deadline));
        }
        match exchange.course.not_sent(false) {
            Some(missing) => {
                exchange.failure = Some(missing.clone());
                Err(State::failed(missing))
            }
            // All was exchanged, and the program wants more than there is.
            None => Err(TransportError::Closed),
        }
    }
}

impl TransportRx for ReplayRx {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        loop {
            // What is sent from here on is not overlooked.
            let sent = self.state.sent.notified();
            match self.next()? {
                Wait::Packet(packet) => return Ok(packet),
                Wait::Time(time) => sleep_until(time).await,
                Wait::Host(deadline) => tokio::select! {
                    biased;
                    () = sent => {}
                    () = sleep_until(deadline) => {}
                },
            }
        }
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        match self.next() {
            Ok(Wait::Packet(packet)) => Some(packet),
            _ => None,
        }
    }
}

impl TransportTx for ReplayTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        let mut exchange = self.state.lock();
        while let Some(packet) = queue.pop() {
            exchange.deadline = None;
            let failure = match &exchange.failure {
                Some(failure) => Some(failure.clone()),
                None => exchange.course.compare(&packet).err(),
            };
            if let Some(failure) = failure {
                exchange.failure = Some(failure.clone());
                return Err(State::failed(failure));
            }
        }
        drop(exchange);
        self.state.sent.notify_one();
        Ok(())
    }
}
