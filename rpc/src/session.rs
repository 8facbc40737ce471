//! A session: one adapter, one client, lines in and out.
//!
//! Owns the tasks, of which there is one for each request and for each stream, and which requests wait. A request begins
//! in its turn, so that what two of them do to one peer happens in the order of their lines, and ends when it does. It
//! knows nothing of what methods do, and decides nothing about Bluetooth.

use crate::connections::{Connections, Held};
use crate::line::Lines;
use crate::message::Notification;
use crate::message::error::{Kind, RpcError};
use crate::message::session::{CancelParams, Closed, Info, Ready};
use crate::methods::{self, State};
use crate::out::Out;
use crate::wire::{self, Call, Id, Refusal};
use baretooth::{Adapter, Cancel, Error, Peer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// The version of the protocol.
const PROTOCOL: u32 = 1;
/// Octets read at once, at most.
const READ_SIZE: usize = 1 << 16;
/// How long an end may take.
const WIND_DOWN: Duration = Duration::from_secs(2);

/// How a session is.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    version: String,
    in_flight: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), in_flight: 16_384 }
    }
}

impl Options {
    /// 16,384 requests at once, and the version of this crate.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version that `ready` tells.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Requests and streams in flight, at least 1; beyond them nothing is read.
    pub fn in_flight(mut self, in_flight: usize) -> Self {
        self.in_flight = in_flight.max(1);
        self
    }
}

/// How a session ended.
#[derive(Debug)]
#[must_use]
pub enum Ended {
    /// The client has closed its end. The adapter is idle.
    Eof,
    /// The adapter is lost or closed; the client was told by `closed`.
    AdapterLost(Error),
    /// Nobody reads what we write.
    Unread(io::Error),
}

/// Runs a session until the client closes its end, the adapter is lost, or nobody reads any more. At the end of the
/// input what still runs is cancelled, each request with its answer, then scans and advertisements are ended and links
/// are down; the adapter itself stays open.
///
/// # Cancel safety
/// Dropping the future drops everything that it has begun: scans and links end in the background.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn serve(
    adapter: Adapter,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
    options: Options,
) -> Ended {
    let (out, writer) = Out::new(output);
    let mut writer = std::pin::pin!(writer);
    let (spawner, begun) = mpsc::unbounded_channel();
    let session = Arc::new(Session {
        adapter: adapter.clone(),
        out,
        spawner,
        connections: Connections::default(),
        pending: Mutex::default(),
        over: watch::Sender::new(false),
        state: State::default(),
    });
    let lines = Lines::new(BufReader::with_capacity(READ_SIZE, input));
    let mut served = Served { session, tasks: JoinSet::new(), begun, limit: options.in_flight };
    let work = async move {
        let ended = served.run(&adapter, lines, options.version).await;
        // Nobody but the writer is left then, and it ends with what it was given.
        drop(served);
        ended
    };
    tokio::pin!(work);
    let ended = tokio::select! {
        biased;
        ended = &mut work => ended,
        written = &mut writer => {
            let error = written.err().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
            return Ended::Unread(error);
        }
    };
    match tokio::time::timeout(WIND_DOWN, writer).await {
        Ok(Err(error)) if matches!(ended, Ended::Eof) => Ended::Unread(error),
        _ => ended,
    }
}

/// A task of a session.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What all tasks share.
pub(crate) struct Session {
    adapter: Adapter,
    out: Out,
    spawner: mpsc::UnboundedSender<Task>,
    pub(crate) connections: Connections,
    /// The requests that are not answered, by their ids.
    pending: Mutex<BTreeMap<String, Cancel>>,
    /// Whether it winds down.
    over: watch::Sender<bool>,
    /// What the methods keep, by section.
    pub(crate) state: State,
}

impl Session {
    /// The adapter, for what no request may cancel.
    pub(crate) fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Starts a task, which ends with the session at the latest.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Without a receiver the session is over.
        let _ = self.spawner.send(Box::pin(task));
    }

    /// Starts a task that goes on until the session winds down, if it does not end before.
    pub(crate) fn accompany(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut over = self.over.subscribe();
        self.spawn(async move {
            tokio::select! {
                biased;
                _ = over.wait_for(|over| *over) => {}
                () = task => {}
            }
        });
    }

    /// Tells the client, once there is room for it. Whether anybody reads is the writer's concern.
    pub(crate) async fn tell<N: Notification>(&self, notification: &N) {
        let _ = self.out.line(wire::notification(notification)).await;
    }

    /// Tells the client, and waits until it can have read it.
    pub(crate) async fn tell_and_flush<N: Notification>(&self, notification: &N) {
        let _ = self.out.written(wire::notification(notification)).await;
    }

    /// Remembers how to cancel a request; whether its id is free.
    fn enlist(&self, key: &str, cancel: &Cancel) -> bool {
        let mut pending = lock(&self.pending);
        let free = !pending.contains_key(key);
        if free {
            pending.insert(key.to_owned(), cancel.clone());
        }
        free
    }

    fn cancel(&self, id: &Id) {
        if let Some(cancel) = lock(&self.pending).get(&id.key()) {
            cancel.cancel();
        }
    }

    fn cancel_all(&self) {
        lock(&self.pending).values().for_each(Cancel::cancel);
    }
}

/// One request or notification of the client while it runs: what a method has in hand.
pub(crate) struct Context {
    pub(crate) session: Arc<Session>,
    cancel: Cancel,
    /// The links that it names, which are not told to be down before it is answered.
    held: Mutex<Vec<Held>>,
    /// What begins when it is answered.
    then: Mutex<Vec<Task>>,
}

impl Context {
    /// The adapter, whose attempts to connect end when the request is cancelled.
    pub(crate) fn adapter(&self) -> Adapter {
        self.session.adapter.until(&self.cancel)
    }

    /// A link by its number. It is not told to be down before this request is answered.
    pub(crate) fn link(&self, connection: u32) -> Result<Held, RpcError> {
        let held = self.session.connections.hold(connection)?;
        self.keep(held.clone());
        Ok(held)
    }

    /// Keeps a link from being told to be down before this request is answered.
    pub(crate) fn keep(&self, held: Held) {
        lock(&self.held).push(held);
    }

    /// The peer of a link by its number, as [`link`](Self::link) and [`of`](Self::of).
    pub(crate) fn peer(&self, connection: u32) -> Result<Peer, RpcError> {
        Ok(self.of(&self.link(connection)?))
    }

    /// The peer of a link, whose operations end when the request is cancelled.
    pub(crate) fn of(&self, link: &Held) -> Peer {
        link.peer().until(&self.cancel)
    }

    /// Work that is given up when the request is cancelled, where that is all there is to do: what
    /// [`adapter`](Self::adapter) and [`of`](Self::of) do ends by itself then, and well.
    pub(crate) async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, RpcError> {
        tokio::select! {
            biased;
            result = work => Ok(result),
            () = self.cancel.cancelled() => Err(RpcError::failed(Kind::Cancelled, "cancelled")),
        }
    }

    /// Starts a task once the request is answered: a stream that begins with it.
    pub(crate) fn then(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.then).push(Box::pin(task));
    }
}

/// A session that runs.
struct Served {
    session: Arc<Session>,
    tasks: JoinSet<()>,
    begun: mpsc::UnboundedReceiver<Task>,
    limit: usize,
}

impl Served {
    async fn run(
        &mut self,
        adapter: &Adapter,
        mut lines: Lines<impl tokio::io::AsyncBufRead + Unpin>,
        version: String,
    ) -> Ended {
        let ready = Ready { protocol: PROTOCOL, version, info: Info::of(adapter) };
        self.session.tell(&ready).await;
        methods::begin(&self.session);
        loop {
            tokio::select! {
                biased;
                Some(task) = self.begun.recv() => drop(self.tasks.spawn(task)),
                Some(_) = self.tasks.join_next() => {}
                error = adapter.closed() => return self.lost(error).await,
                said = lines.next(), if self.tasks.len() < self.limit => match said {
                    Some(said) => self.begin(said).await,
                    None => return self.wind_down().await,
                },
            }
        }
    }

    /// Begins what a line asks for.
    async fn begin(&mut self, said: Result<Call, Refusal>) {
        let session = self.session.clone();
        match said {
            Err(Refusal { id, error }) => {
                self.start(async move { _ = session.out.line(wire::answer(&id, &Err(error))).await }).await;
            }
            Ok(Call { id: None, method, params }) if method == "cancel" => {
                match serde_json::from_value(Value::Object(params)) {
                    Ok(CancelParams { id }) => session.cancel(&id),
                    Err(error) => tracing::warn!(%error, "a cancellation of nothing"),
                }
            }
            Ok(call) => self.start(run(session, call)).await,
        }
    }

    /// Lets a task get as far as it does without waiting, so that tasks begin in order, and go on by itself.
    async fn start(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let mut task: Task = Box::pin(task);
        let done = poll_fn(|context| Poll::Ready(task.as_mut().poll(context).is_ready())).await;
        if !done {
            self.tasks.spawn(task);
        }
    }

    async fn lost(&mut self, error: Error) -> Ended {
        self.finish().await;
        let closed = Closed { reason: error.to_string() };
        // Whoever does not read does not keep us either.
        let _ = tokio::time::timeout(WIND_DOWN, self.session.tell(&closed)).await;
        Ended::AdapterLost(error)
    }

    /// Leaves the adapter idle.
    async fn wind_down(&mut self) -> Ended {
        self.session.cancel_all();
        methods::end(&self.session);
        self.session.over.send_replace(true);
        for peer in self.session.connections.peers() {
            self.tasks.spawn(async move { _ = peer.disconnect().await });
        }
        self.finish().await;
        Ended::Eof
    }

    /// Waits for what ends by itself, for a while.
    async fn finish(&mut self) {
        let finished = async {
            loop {
                tokio::select! {
                    biased;
                    Some(task) = self.begun.recv() => drop(self.tasks.spawn(task)),
                    task = self.tasks.join_next() => if task.is_none() { return },
                }
            }
        };
        if tokio::time::timeout(WIND_DOWN, finished).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// Runs a request to its answer.
async fn run(session: Arc<Session>, Call { id, method, params }: Call) {
    let cancel = Cancel::new();
    let key = id.as_ref().map(Id::key);
    if let (Some(id), Some(key)) = (&id, &key)
        && !session.enlist(key, &cancel)
    {
        let cause = "a request of this id is not answered yet";
        let error = RpcError::never_ran(RpcError::INVALID_REQUEST, cause);
        let _ = session.out.line(wire::answer(id, &Err(error))).await;
        return;
    }
    let context =
        Context { session: session.clone(), cancel, held: Mutex::default(), then: Mutex::default() };
    let result = methods::run(&context, &method, Value::Object(params)).await.map_err(|mut error| {
        if let Some(data) = &mut error.data {
            data.operation.clone_from(&method);
        }
        error
    });
    if let Some(key) = &key {
        // From here on the id may be used again.
        lock(&session.pending).remove(key);
    }
    match (&id, &result) {
        (Some(id), _) => _ = session.out.line(wire::answer(id, &result)).await,
        (None, Err(error)) => tracing::warn!(%method, error = error.message, "failed, and nobody asked"),
        (None, Ok(_)) => {}
    }
    for task in context.then.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let _ = session.spawner.send(task);
    }
}

/// A lock that nobody holds while waiting; what a panic left behind is still what it was.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
