//! The loop of the driver task.
//!
//! Two rules that negative controls in the transports' tests show the need of: receiving never stops while a send is
//! blocked, and a send that is interrupted goes on where it stopped. The order in which ready things are taken is
//! fixed (`biased`), and each turn takes a bounded batch, so that the same inputs give the same session and nothing
//! starves.

mod bring;
mod channels;
mod security;
mod serving;

pub(crate) use serving::{FromClient, Inbox, ValueAt, What};

use super::channels::Channels;
use super::keeper::Keeper;
use super::routes::{Readers, Requests, Waiter};
use super::security::{Pairings, SecurityAsked};
use super::timer::Timer;
use super::{Failure, LinkState, Message, RecoveryEvent, Source, Tap, Ticket};
use crate::Instant;
use crate::capture::Direction;
use crate::gatt::procedure::Unsubscribe;
use crate::hci::{ControllerInfo, ErrorCode};
use crate::host::{ConnectionId, Host, OpError, OpId, Output, Request, Rung, SecurityOptions, ServerRequest};
use crate::transports::{HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx};
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Packets, or messages, of one turn.
const BATCH: usize = 64;

/// How long delivery waits for a reader whose queue is full before it drops values for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long the controller has to end links and scans when the adapter is closed.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How long an adapter has to be there again when it was closed or its port was reset, and how often that is tried.
const REOPEN_WITHIN: Duration = Duration::from_secs(5);
const REOPEN_PAUSE: Duration = Duration::from_millis(500);

/// Told once, when the controller is ready or cannot be used.
pub(crate) type Started = oneshot::Sender<Result<ControllerInfo, Failure>>;

/// Where the task tells how the session goes.
pub(crate) struct Session {
    pub(crate) started: Started,
    /// What the host was configured with.
    pub(crate) security: SecurityOptions,
    pub(crate) ended: watch::Sender<Option<Failure>>,
    pub(crate) links: watch::Sender<Vec<Arc<LinkState>>>,
    pub(crate) advertising: Arc<AtomicUsize>,
    pub(crate) recoveries: broadcast::Sender<RecoveryEvent>,
    pub(crate) security_requests: broadcast::Sender<SecurityAsked>,
}

/// Runs a session to its end. `source` opens the transport again when the controller behind it fails.
pub(crate) async fn run<S: Source>(
    mut transport: S::Transport,
    mut source: S,
    host: Host,
    tap: Option<Tap>,
    keeper: Option<Keeper>,
    messages: mpsc::UnboundedReceiver<Message>,
    Session { started, security, ended, links, advertising, recoveries, security_requests }: Session,
) {
    let mut task = Task {
        host,
        tap,
        clock: tokio::time::Instant::now(),
        requests: Requests::default(),
        readers: Readers::default(),
        channels: Channels::default(),
        pairings: Pairings::new(security),
        keeper,
        states: BTreeMap::new(),
        made: BTreeMap::new(),
        links,
        advertising,
        started: Some(started),
        loading: None,
        recoveries,
        security_requests,
        fault: None,
        inbox: None,
        reopen: None,
        not_opened: None,
        closing: None,
    };
    let mut messages = Some(messages);
    let failure = loop {
        let (mut rx, mut tx) = transport.split();
        let over = task.run(&mut rx, &mut tx, &mut messages).await;
        // The transport first: whoever is told that this is over may open it again at once.
        drop((rx, tx));
        match over {
            Some(failure) => break failure,
            None => match task.reopen(&mut source, &mut messages).await {
                Ok(opened) => transport = opened,
                Err(failure) => break failure,
            },
        }
    };
    // Whoever waits for the end finds everything written, and may open the store again.
    if let Some(keeper) = &mut task.keeper {
        keeper.finish().await;
    }
    ended.send_replace(Some(failure.clone()));
    task.end(&failure);
}

struct Task {
    host: Host,
    tap: Option<Tap>,
    clock: tokio::time::Instant,
    requests: Requests,
    readers: Readers,
    channels: Channels,
    pairings: Pairings,
    /// What bonds are written with, if they are.
    keeper: Option<Keeper>,
    states: BTreeMap<ConnectionId, Arc<LinkState>>,
    /// Links by the request that made them: it may be given up as long as nobody has looked at its result.
    made: BTreeMap<Ticket, ConnectionId>,
    links: watch::Sender<Vec<Arc<LinkState>>>,
    advertising: Arc<AtomicUsize>,
    started: Option<Started>,
    /// The host is being told who it was.
    loading: Option<OpId>,
    recoveries: broadcast::Sender<RecoveryEvent>,
    security_requests: broadcast::Sender<SecurityAsked>,
    /// Who answers clients of the GATT server.
    inbox: Option<Inbox>,
    /// Why the controller is being brought back, or cannot be.
    fault: Option<OpError>,
    /// The rung that the host has asked for.
    reopen: Option<Rung>,
    /// Why the last of them did not succeed.
    not_opened: Option<TransportError>,
    closing: Option<Closing>,
}

/// The end of the session, on its way.
struct Closing {
    /// Everybody who waits for it.
    replies: Vec<oneshot::Sender<()>>,
    deadline: Instant,
}

type Messages = Option<mpsc::UnboundedReceiver<Message>>;

impl Task {
    /// Serves one transport to the end of the session, or, with `None`, until it has to be opened again.
    async fn run(
        &mut self,
        rx: &mut impl TransportRx,
        tx: &mut impl TransportTx,
        messages: &mut Messages,
    ) -> Option<Failure> {
        let mut queue = SendQueue::default();
        let mut timer = Timer::default();
        // Turns in which packets have waited for more to go with them.
        let mut gathering = 0;
        loop {
            let answered = match self.bring_events().await {
                Ok(answered) => answered,
                Err(failure) => return Some(failure),
            };
            if self.reopen.is_some() {
                return None;
            }
            let now = self.now();
            self.collect(now, &mut queue);
            if let Some(tap) = &mut self.tap {
                tap.on_timeout(now);
            }
            if let Some(closing) = &self.closing
                && (closing.deadline <= now || self.host.is_idle() && queue.is_empty())
            {
                return Some(Failure::Closed);
            }
            if answered && !queue.is_empty() {
                // Whoever writes one value after the other adds the next one now: one system call sends many.
                tokio::task::yield_now().await;
            }
            let deadline = self.deadline();
            timer.set(self.clock, deadline);
            tokio::select! {
                biased;
                () = timer.wait(), if deadline.is_some() => {
                    let now = self.now();
                    if deadline.is_some_and(|deadline| deadline <= now) {
                        self.host.handle_timeout(now);
                    }
                }
                message = next(messages), if messages.is_some() => {
                    self.hear(message, messages);
                    // Before what is received below: a replay of the capture sees what came of what.
                    self.collect(self.now(), &mut queue);
                    // However many messages come, the transport has its turn.
                    gathering += 1;
                    if gathering >= BATCH || queue.len() >= SendQueue::CAPACITY {
                        gathering = 0;
                        if let Some(Err(error)) = poll_once(tx.send(&mut queue)).await {
                            return Some(Failure::Transport(error));
                        }
                    }
                    match poll_once(rx.recv()).await {
                        Some(Ok(packet)) => self.take_packets(packet, rx),
                        Some(Err(error)) => return Some(Failure::Transport(error)),
                        None => {}
                    }
                }
                sent = tx.send(&mut queue), if !queue.is_empty() => {
                    gathering = 0;
                    if let Err(error) = sent {
                        return Some(Failure::Transport(error));
                    }
                }
                () = keep(&mut self.keeper) => {}
                packet = rx.recv() => match packet {
                    Ok(packet) => self.take_packets(packet, rx),
                    Err(error) => return Some(Failure::Transport(error)),
                },
            }
        }
    }

    /// Opens the transport again, by one rung after the other, and serves everybody meanwhile as far as that goes.
    async fn reopen<S: Source>(
        &mut self,
        source: &mut S,
        messages: &mut Messages,
    ) -> Result<S::Transport, Failure> {
        let mut timer = Timer::default();
        loop {
            let reset_port = self.reopen.take() == Some(Rung::ResetPort);
            let mut opening = pin!(open_again(source, reset_port));
            let opened = loop {
                self.bring_events().await?;
                if self.closing.is_some() {
                    return Err(Failure::Closed);
                }
                let now = self.now();
                if let Some(tap) = &mut self.tap {
                    tap.on_timeout(now);
                }
                let deadline = self.deadline();
                timer.set(self.clock, deadline);
                tokio::select! {
                    biased;
                    () = timer.wait(), if deadline.is_some() => self.host.handle_timeout(self.now()),
                    message = next(messages), if messages.is_some() => self.hear(message, messages),
                    () = keep(&mut self.keeper) => {}
                    opened = &mut opening => break opened,
                }
            };
            let now = self.now();
            match opened {
                Ok(transport) => {
                    self.host.handle_reopened(now, Ok(()));
                    return Ok(transport);
                }
                Err(error) => {
                    self.host.handle_reopened(now, Err(error.to_string()));
                    self.not_opened = Some(error);
                    // The next rung, or the end.
                    self.bring_events().await?;
                }
            }
        }
    }

    /// What the host has to send, as far as there is room.
    fn collect(&mut self, now: Instant, queue: &mut SendQueue) {
        let (host, tap) = (&mut self.host, &mut self.tap);
        queue.fill(|| {
            let packet = host.poll_transmit()?;
            if let Some(tap) = tap {
                tap.record(now, Direction::Sent, &packet);
            }
            Some(packet)
        });
    }

    fn now(&self) -> Instant {
        Instant::from_start(self.clock.elapsed())
    }

    fn deadline(&self) -> Option<Instant> {
        let host = self.host.poll_timeout().map(|(at, _)| at);
        let tap = self.tap.as_ref().and_then(Tap::deadline);
        let closing = self.closing.as_ref().map(|closing| closing.deadline);
        [host, tap, closing].into_iter().flatten().min()
    }

    fn take_packets(&mut self, first: HciPacket, rx: &mut impl TransportRx) {
        // One time for what came together, for the host and for the capture.
        let now = self.now();
        let more = std::iter::from_fn(|| rx.recv_ready()).take(BATCH - 1);
        for packet in std::iter::once(first).chain(more) {
            if let Some(tap) = &mut self.tap {
                tap.record(now, Direction::Received, &packet);
            }
            self.host.handle_packet(now, packet);
        }
    }

    fn hear(&mut self, message: Option<Message>, messages: &mut Messages) {
        match message {
            Some(message) => self.take_messages(message, messages),
            None => {
                // Every handle is gone.
                *messages = None;
                self.close(None);
            }
        }
    }

    fn take_messages(&mut self, first: Message, messages: &mut Messages) {
        let more = std::iter::from_fn(|| messages.as_mut()?.try_recv().ok()).take(BATCH - 1);
        for message in std::iter::once(first).chain(more) {
            self.take_message(message);
        }
    }

    fn take_message(&mut self, message: Message) {
        let now = self.now();
        match message {
            Message::Close(reply) => self.close(Some(reply)),
            Message::Submit { reply, .. } if self.closing.is_some() => {
                let _ = reply.send(Err(Failure::Closed));
            }
            // Scans end by their queue being dropped; everything else ends with its link.
            _ if self.closing.is_some() => {}
            Message::Submit { ticket, request, reply } => {
                if matches!(request, Request::Server(ServerRequest::Serve(_))) {
                    // It knows the table before.
                    self.inbox = None;
                }
                let op = self.host.submit(now, request);
                self.requests.add(op, ticket, Waiter::Reply(reply));
            }
            Message::Scan { ticket, options, reader } => {
                let op = self.host.submit(now, Request::Scan(options));
                self.requests.add(op, ticket, Waiter::Scan(reader));
            }
            Message::Advertise { ticket, options, reader } => {
                let op = self.host.submit(now, Request::Advertise(*options));
                self.requests.add(op, ticket, Waiter::Advertise(reader));
            }
            Message::SetAdvertisingData { ticket, of, data, scan_response, reply } => {
                let Some(of) = self.requests.op(of) else {
                    drop(reply.send(Err(Failure::Op(OpError::NotAdvertising))));
                    return;
                };
                let op = self.host.submit(now, Request::SetAdvertisingData { of, data, scan_response });
                self.requests.add(op, ticket, Waiter::Reply(reply));
            }
            Message::Cancel(ticket) => {
                if let Some(op) = self.requests.op(ticket) {
                    self.host.cancel(now, op);
                    // The next pairing of this link may be behind this message, and has prompts of its own.
                    self.pairings.end_of(op);
                } else if let Some(&connection) = self.made.get(&ticket) {
                    self.take_message(Message::Release(connection));
                } else {
                    self.release_channels_of(ticket);
                }
            }
            Message::Stop(ticket) => {
                if let Some(op) = self.requests.op(ticket) {
                    self.host.cancel(now, op);
                }
            }
            Message::Listen { connection, handle, ticket, delivery } => {
                // A link that is down has no values: the queue ends with the delivery.
                if self.states.contains_key(&connection) {
                    self.readers.add(connection, handle, ticket, delivery);
                }
            }
            Message::Unlisten { connection, handle, ticket, cccd, reply } => {
                let (last, read) = self.readers.remove(connection, handle, ticket);
                self.confirm(connection, read);
                // A link that is down fails it. Service Changed is told to others too.
                let needless = self
                    .states
                    .get(&connection)
                    .is_some_and(|state| !last || state.service_changed.is_at(handle));
                if let Some(cccd) = cccd.filter(|_| !needless) {
                    let procedure = Unsubscribe::at(cccd).into();
                    let op = self.host.submit(now, Request::Gatt { connection, procedure });
                    if let Some(reply) = reply {
                        self.requests.add(op, ticket, Waiter::Reply(reply));
                    }
                } else if let Some(reply) = reply {
                    let _ = reply.send(Ok(Output::Done));
                }
            }
            Message::Inbox(inbox) => self.inbox = Some(inbox),
            Message::Value { at, reply } => {
                let _ = reply.send(self.served(at));
            }
            Message::Room { connection, handle } => {
                let read = self.readers.on_room(connection, handle);
                self.confirm(connection, read);
            }
            Message::Done { connection, handle, ticket } => {
                let read = self.readers.on_done(connection, handle, ticket);
                self.confirm(connection, read);
            }
            Message::Channel(message) => self.take_channel_message(message),
            Message::Security(message) => self.take_security_message(message),
            Message::Release(connection) => {
                let reason = ErrorCode::RemoteUserTerminatedConnection;
                self.host.submit(now, Request::Disconnect { connection, reason });
            }
        }
    }

    /// Leaves the controller idle before the session ends.
    fn close(&mut self, reply: Option<oneshot::Sender<()>>) {
        if let Some(closing) = &mut self.closing {
            closing.replies.extend(reply);
            return;
        }
        let now = self.now();
        self.requests.fail(&Failure::Closed);
        self.host.wind_down(now);
        self.closing = Some(Closing { replies: reply.into_iter().collect(), deadline: now + CLOSE_WITHIN });
    }

    /// Tells everybody why it is over.
    fn end(&mut self, failure: &Failure) {
        if let Some(started) = self.started.take() {
            let _ = started.send(Err(failure.clone()));
        }
        self.requests.fail(failure);
        self.inbox = None;
        for connection in self.states.keys().copied().collect::<Vec<_>>() {
            // The controller can no longer say why; the link is lost to us.
            let cause = Some(failure.clone());
            self.on_disconnected(connection, ErrorCode::ConnectionTerminatedByLocalHost, cause);
        }
        self.channels.end();
        self.pairings.end();
        if let Some(tap) = &mut self.tap {
            tap.flush();
        }
        for reply in self.closing.take().into_iter().flat_map(|closing| closing.replies) {
            let _ = reply.send(());
        }
    }
}

/// Opens a transport again. What was just closed or reset may take a moment to be there.
async fn open_again<S: Source>(source: &mut S, mut reset_port: bool) -> Result<S::Transport, TransportError> {
    let deadline = tokio::time::Instant::now() + REOPEN_WITHIN;
    loop {
        let opening = tokio::time::timeout_at(deadline, source.open(reset_port));
        let error = opening.await.unwrap_or_else(|_| Err(too_late()));
        let error = match error {
            Ok(transport) => return Ok(transport),
            Err(error) => error,
        };
        let hopeless =
            matches!(error, TransportError::Unsupported { .. } | TransportError::Permission { .. });
        if hopeless || deadline <= tokio::time::Instant::now() + REOPEN_PAUSE {
            return Err(error);
        }
        tracing::debug!(%error, "not opened yet");
        // Whoever got as far as to miss it has reset it.
        reset_port &= matches!(error, TransportError::Busy { .. });
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

fn too_late() -> TransportError {
    TransportError::Io {
        operation: "opening",
        object: "the adapter again".into(),
        hint: "",
        source: Arc::new(std::io::ErrorKind::TimedOut.into()),
    }
}

/// Goes on with what the store has to write.
async fn keep(keeper: &mut Option<Keeper>) {
    match keeper {
        Some(keeper) => keeper.step().await,
        None => pending().await,
    }
}

async fn next(messages: &mut Messages) -> Option<Message> {
    messages.as_mut()?.recv().await
}

/// What a future gives at once. What it would wait for is left for later, so it must be cancel safe.
async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests;
