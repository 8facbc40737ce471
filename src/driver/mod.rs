//! The one task that does I/O: it owns the host, both halves of the transport, the clock and the capture, and
//! brings answers to whoever waits for them. Public handles only send messages to it.

mod advertising;
mod cancel;
mod channels;
mod keeper;
mod routes;
mod security;
mod service_changed;
mod source;
mod tap;
mod task;
mod timer;

pub(crate) use advertising::{AdvertisingReader, Begun, Ended as AdvertisingEnded};
pub use cancel::Cancel;
pub(crate) use channels::{AcceptedChannel, ChannelEnd, ChannelMessage, ChannelState};
pub(crate) use keeper::Keeper;
pub(crate) use routes::{Delivery, Received, ScanReader};
pub(crate) use security::{
    Asked, PairingEnd, Reply, SecurityAsked, SecurityMessage, agent_queue, prompt_queue,
};
pub(crate) use service_changed::ALL as ALL_HANDLES;
pub(crate) use source::NoSource;
pub use source::Source;
pub(crate) use tap::{CaptureError, Destination, Tap};
pub(crate) use task::{FromClient, Inbox, Session, ValueAt, What, run};

use crate::Address;
use crate::bonds::StoreError;
use crate::gap::advertise::AdvertiseOptions;
use crate::gap::advertising_data::AdvertisingDataBuf;
use crate::gap::scan::ScanOptions;
use crate::hci::{ControllerInfo, ErrorCode, Role};
use crate::host::{ConnectionId, ConnectionInfo, Eatt, Fault, OpError, Output, Request, Rung};
use crate::transports::TransportError;
use bytes::Bytes;
use service_changed::ServiceChanged;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Names a request before the host has numbered it, so that it can be cancelled from the first moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// The names given so far.
#[derive(Debug, Default)]
pub(crate) struct Tickets(AtomicU64);

/// What handles tell the task.
#[derive(Debug)]
pub(crate) enum Message {
    /// Do this and answer.
    Submit { ticket: Ticket, request: Request, reply: oneshot::Sender<Result<Output, Failure>> },
    /// Report advertisers until cancelled.
    Scan { ticket: Ticket, options: ScanOptions, reader: ScanReader },
    /// Advertise until cancelled.
    Advertise { ticket: Ticket, options: Box<AdvertiseOptions>, reader: AdvertisingReader },
    /// Give an advertisement other data.
    SetAdvertisingData {
        ticket: Ticket,
        of: Ticket,
        data: AdvertisingDataBuf,
        scan_response: AdvertisingDataBuf,
        reply: oneshot::Sender<Result<Output, Failure>>,
    },
    /// Nobody waits for this any more.
    Cancel(Ticket),
    /// This is to end now, if it has not. Whoever asked waits for its end.
    Stop(Ticket),
    /// Bring the values of an attribute here.
    Listen { connection: ConnectionId, handle: u16, ticket: Ticket, delivery: Delivery },
    /// Bring them no longer; the last listener's end also ends the subscription at the peer, when its descriptor is
    /// given. The answer is the peer's, if it was asked.
    Unlisten {
        connection: ConnectionId,
        handle: u16,
        ticket: Ticket,
        cccd: Option<u16>,
        reply: Option<oneshot::Sender<Result<Output, Failure>>>,
    },
    /// A full queue has room again.
    Room { connection: ConnectionId, handle: u16 },
    /// A reader has done with the oldest indication that it had from its queue.
    Done { connection: ConnectionId, handle: u16, ticket: Ticket },
    /// Bring here what clients of the GATT server want, and no longer to whoever it was brought to.
    Inbox(Inbox),
    /// A value that the table of the GATT server keeps, and its handle.
    Value { at: ValueAt, reply: oneshot::Sender<Option<(u16, Bytes)>> },
    /// Something about credit-based channels.
    Channel(ChannelMessage),
    /// Something about pairings and bonds.
    Security(SecurityMessage),
    /// The last handle of a link that we made is gone: end it.
    Release(ConnectionId),
    /// End links and scans, close the capture and the transport, and answer.
    Close(oneshot::Sender<()>),
}

/// Why there is no result.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The host's own answer.
    Op(OpError),
    /// The way to the controller is gone.
    Transport(TransportError),
    /// It is done, and the store of bonds does not have it.
    Store(Arc<StoreError>),
    /// The adapter was closed.
    Closed,
}

/// A step on the way of a controller that has failed; see [`Adapter::recoveries`](crate::Adapter::recoveries).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoveryEvent {
    /// It has failed, or the last rung has.
    Failed {
        /// What is wrong.
        fault: Fault,
        /// What is being done about it; `None` when nothing is left to try, and the session ends.
        then: Option<Rung>,
    },
    /// It is initialised anew and ready.
    Recovered,
}

/// What handles share with the task.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) messages: mpsc::UnboundedSender<Message>,
    pub(crate) tickets: Tickets,
    /// What is known of the controller.
    pub(crate) controller: ControllerInfo,
    pub(crate) description: String,
    /// Whether discoveries subscribe to Service Changed.
    pub(crate) service_changes: bool,
    /// Whether there are enhanced ATT bearers.
    pub(crate) eatt: Eatt,
    /// Why the task ended, once it has.
    pub(crate) ended: watch::Receiver<Option<Failure>>,
    /// Links that are up.
    pub(crate) links: watch::Receiver<Vec<Arc<LinkState>>>,
    /// How many advertisements have begun and are not over.
    pub(crate) advertising: Arc<AtomicUsize>,
    pub(crate) recoveries: broadcast::Receiver<RecoveryEvent>,
    pub(crate) security_requests: broadcast::Receiver<SecurityAsked>,
    /// Why the capture ended before the session.
    pub(crate) capture_failure: Arc<OnceLock<CaptureError>>,
}

/// What is known of a link, kept up to date by the task.
#[derive(Debug)]
pub(crate) struct LinkState {
    pub(crate) connection: ConnectionId,
    pub(crate) peer: Address,
    pub(crate) role: Role,
    /// Somebody has it from the stream of accepted links.
    taken: AtomicBool,
    pub(crate) info: watch::Sender<ConnectionInfo>,
    /// What the peer's client has configured, by handle of the value: bit 0 notifications, bit 1 indications.
    configurations: Mutex<BTreeMap<u16, u16>>,
    /// What it tells of its table.
    pub(crate) service_changed: ServiceChanged,
    /// Handles of the API that share it: with the last one the link goes.
    pub(crate) holders: AtomicUsize,
    /// Why it is down, once it is.
    pub(crate) down: watch::Sender<Option<ErrorCode>>,
    /// What it went down with, where it was not the only one: the controller, or the session.
    pub(crate) cause: OnceLock<Failure>,
}

impl LinkState {
    pub(crate) fn new(info: ConnectionInfo) -> Self {
        Self {
            connection: info.connection,
            peer: info.peer,
            holders: AtomicUsize::new(0),
            role: info.role,
            taken: AtomicBool::new(false),
            down: watch::Sender::new(None),
            cause: OnceLock::new(),
            configurations: Mutex::default(),
            info: watch::Sender::new(info),
            service_changed: ServiceChanged::default(),
        }
    }

    /// A link that is down by now.
    pub(crate) fn gone(info: ConnectionInfo) -> Self {
        let state = Self::new(info);
        state.down.send_replace(Some(ErrorCode::ConnectionTerminatedByLocalHost));
        state
    }

    /// Whether it is the caller who takes the link: once.
    pub(crate) fn take(&self) -> bool {
        !self.taken.swap(true, Ordering::AcqRel)
    }

    /// Looks at what is known.
    pub(crate) fn with_info<T>(&self, look: impl FnOnce(&ConnectionInfo) -> T) -> T {
        look(&self.info.borrow())
    }

    /// Changes what is known; those who follow it hear of what is something else then.
    fn update(&self, change: impl FnOnce(&mut ConnectionInfo)) {
        self.info.send_if_modified(|info| {
            let before = info.clone();
            change(info);
            *info != before
        });
    }

    /// What the peer's client has configured for a value.
    pub(crate) fn configuration(&self, value_handle: u16) -> u16 {
        let configurations = self.configurations.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        configurations.get(&value_handle).copied().unwrap_or(0)
    }

    fn configure(&self, value_handle: u16, configuration: u16) {
        let mut configurations =
            self.configurations.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        configurations.insert(value_handle, configuration);
    }
}

impl Shared {
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.tickets.0.fetch_add(1, Ordering::Relaxed))
    }

    /// Why the task is no more.
    pub(crate) fn failure(&self) -> Failure {
        self.ended.borrow().clone().unwrap_or(Failure::Closed)
    }

    /// Sends a message; nothing comes of it when the task is no more.
    pub(crate) fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    /// Submits a request and waits for its result. Dropping the future cancels the request.
    pub(crate) async fn submit(&self, request: Request) -> Result<Output, Failure> {
        self.begin(request).result().await
    }

    /// The same, for one that may be given up from outside as well.
    pub(crate) async fn submit_until(
        &self,
        request: Request,
        cancel: Option<&Cancel>,
    ) -> Result<Output, Failure> {
        if cancel.is_some_and(Cancel::is_cancelled) {
            return Err(Failure::Op(OpError::Cancelled));
        }
        self.begin(request).until(cancel).await
    }

    /// Submits a request. Dropping what is returned cancels it.
    pub(crate) fn begin(&self, request: Request) -> Pending<'_> {
        let ticket = self.ticket();
        let (reply, result) = oneshot::channel();
        self.tell(Message::Submit { ticket, request, reply });
        Pending::new(self, ticket, result)
    }
}

/// A request that was submitted. Dropping it gives the request up.
#[derive(Debug)]
pub(crate) struct Pending<'a, T = Output> {
    shared: &'a Shared,
    ticket: Option<Ticket>,
    result: oneshot::Receiver<Result<T, Failure>>,
}

impl<'a, T> Pending<'a, T> {
    pub(crate) fn new(
        shared: &'a Shared,
        ticket: Ticket,
        result: oneshot::Receiver<Result<T, Failure>>,
    ) -> Self {
        Self { shared, ticket: Some(ticket), result }
    }

    pub(crate) async fn result(self) -> Result<T, Failure> {
        self.until(None).await
    }

    /// The result of the request, or what became of it when it was given up.
    pub(crate) async fn until(mut self, cancel: Option<&Cancel>) -> Result<T, Failure> {
        let result = tokio::select! {
            biased;
            result = &mut self.result => result,
            () = Cancel::of(cancel) => {
                self.ticket.inspect(|ticket| self.shared.tell(Message::Stop(*ticket)));
                (&mut self.result).await
            }
        };
        self.ticket = None;
        result.unwrap_or_else(|_| Err(self.shared.failure()))
    }
}

impl<T> Drop for Pending<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.tell(Message::Cancel(ticket));
        }
    }
}
