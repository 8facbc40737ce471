//! Credit-based channels: who reads which, and who waits for those that peers open.
//!
//! An SDU stays with the host, and so its credits from the peer, until its reader's queue has room.

use super::{Failure, LinkState, Ticket};
use crate::Instant;
use crate::host::{ChannelRequest, ConnectionId, Host, OpenedChannel, Output};
use crate::l2cap::credit::{ChannelKey, CloseReason, OpenFailure, Server};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// SDUs that wait in a reader's queue.
const SDUS: usize = 4;

/// What handles tell the task about channels.
#[derive(Debug)]
pub(crate) enum ChannelMessage {
    /// Accept channels for an SPSM, and bring them here.
    Listen {
        ticket: Ticket,
        spsm: u16,
        server: Server,
        accepted: mpsc::Sender<AcceptedChannel>,
        reply: oneshot::Sender<Result<Output, Failure>>,
    },
    /// Accept no more of them.
    StopListening { ticket: Ticket },
    /// Open one or several.
    Open { ticket: Ticket, connection: ConnectionId, request: ChannelRequest, reply: OpenReply },
    /// A reader's queue has room again.
    Room { connection: ConnectionId, key: ChannelKey },
    /// Nobody holds it any more.
    Release { connection: ConnectionId, key: ChannelKey },
}

/// What became of each channel that was asked for.
pub(crate) type OpenReply = oneshot::Sender<Result<Vec<Result<ChannelEnd, OpenFailure>>, Failure>>;

/// Our end of a channel, for who uses it.
#[derive(Debug)]
pub(crate) struct ChannelEnd {
    pub(crate) state: Arc<ChannelState>,
    pub(crate) sdus: mpsc::Receiver<Bytes>,
}

/// A channel that a peer has opened.
#[derive(Debug)]
pub(crate) struct AcceptedChannel {
    pub(crate) link: Arc<LinkState>,
    pub(crate) end: ChannelEnd,
}

/// What is known of a channel, kept up to date by the task.
#[derive(Debug)]
pub(crate) struct ChannelState {
    pub(crate) connection: ConnectionId,
    pub(crate) key: ChannelKey,
    /// The longest SDU that the peer takes.
    pub(crate) mtu: AtomicU16,
    /// An SDU had no room; the reader says when there is.
    pub(crate) waiting: AtomicBool,
    /// Why it is over, once it is.
    pub(crate) closed: watch::Sender<Option<CloseReason>>,
}

/// The channels of all links, and who listens.
#[derive(Debug, Default)]
pub(super) struct Channels {
    routes: BTreeMap<(ConnectionId, ChannelKey), Route>,
    listeners: BTreeMap<u16, Listener>,
}

#[derive(Debug)]
struct Route {
    /// The request that opened it, which may be given up as long as nobody has looked at its result.
    ticket: Option<Ticket>,
    state: Arc<ChannelState>,
    sdus: mpsc::Sender<Bytes>,
    /// What was left when it closed.
    unread: VecDeque<Bytes>,
}

#[derive(Debug)]
struct Listener {
    ticket: Ticket,
    accepted: mpsc::Sender<AcceptedChannel>,
}

impl Channels {
    /// Who listens for an SPSM, unless somebody does.
    pub(super) fn listen(&mut self, spsm: u16, ticket: Ticket, accepted: mpsc::Sender<AcceptedChannel>) {
        self.listeners.entry(spsm).or_insert(Listener { ticket, accepted });
    }

    /// The SPSM that somebody listened on by this ticket, and does no longer.
    pub(super) fn stop_listening(&mut self, ticket: Ticket) -> Option<u16> {
        let (&spsm, _) = self.listeners.iter().find(|(_, listener)| listener.ticket == ticket)?;
        self.listeners.remove(&spsm);
        Some(spsm)
    }

    /// A channel that was opened for somebody.
    pub(super) fn add(
        &mut self,
        connection: ConnectionId,
        channel: OpenedChannel,
        ticket: Option<Ticket>,
    ) -> ChannelEnd {
        let (sender, sdus) = mpsc::channel(SDUS);
        let state = Arc::new(ChannelState {
            connection,
            key: channel.key,
            mtu: AtomicU16::new(channel.mtu),
            waiting: AtomicBool::new(false),
            closed: watch::Sender::new(None),
        });
        let route = Route { ticket, state: state.clone(), sdus: sender, unread: VecDeque::new() };
        self.routes.insert((connection, channel.key), route);
        ChannelEnd { state, sdus }
    }

    /// Brings a channel of a peer to who listens; `false` when nobody takes it.
    pub(super) fn accept(&mut self, link: Arc<LinkState>, spsm: u16, channel: OpenedChannel) -> bool {
        let end = self.add(link.connection, channel, None);
        let taken = self.listeners.get(&spsm).map(|it| it.accepted.try_send(AcceptedChannel { link, end }));
        if matches!(taken, Some(Err(TrySendError::Full(_)))) {
            tracing::warn!(spsm, "a channel is closed: nobody takes those that wait");
        }
        matches!(taken, Some(Ok(())))
    }

    /// Channels that a request has opened.
    pub(super) fn of(&self, ticket: Ticket) -> Vec<(ConnectionId, ChannelKey)> {
        let opened = self.routes.iter().filter(|(_, route)| route.ticket == Some(ticket));
        opened.map(|(&place, _)| place).collect()
    }

    pub(super) fn remove(&mut self, connection: ConnectionId, key: ChannelKey) {
        self.routes.remove(&(connection, key));
    }

    pub(super) fn on_reconfigured(&mut self, connection: ConnectionId, key: ChannelKey, mtu: u16) {
        if let Some(route) = self.routes.get(&(connection, key)) {
            route.state.mtu.store(mtu, Ordering::Relaxed);
        }
    }

    /// Brings SDUs to their reader, as many as it has room for. A channel that is over and has no more is forgotten,
    /// which ends its reader's queue.
    pub(super) fn bring(&mut self, now: Instant, connection: ConnectionId, key: ChannelKey, host: &mut Host) {
        let Some(route) = self.routes.get_mut(&(connection, key)) else { return };
        while let Some(place) = route.room() {
            match route.unread.pop_front().or_else(|| host.take_sdu(now, connection, key)) {
                Some(sdu) => drop(place.send(sdu)),
                None => {
                    drop(place);
                    if route.state.closed.borrow().is_some() {
                        self.routes.remove(&(connection, key));
                    }
                    return;
                }
            }
        }
    }

    /// A channel is over: what is left of it is still brought.
    pub(super) fn on_closed(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        key: ChannelKey,
        (reason, unread): (CloseReason, Vec<Bytes>),
        host: &mut Host,
    ) {
        if let Some(route) = self.routes.get_mut(&(connection, key)) {
            route.unread.extend(unread);
            route.state.closed.send_replace(Some(reason));
        }
        self.bring(now, connection, key, host);
    }

    /// The session is over.
    pub(super) fn end(&mut self) {
        self.listeners.clear();
        for route in std::mem::take(&mut self.routes).into_values() {
            route.state.closed.send_if_modified(|reason| reason.replace(CloseReason::LinkLost).is_none());
        }
    }
}

impl Route {
    /// A place in the reader's queue. When there is none, the reader has been asked to say when there is.
    fn room(&self) -> Option<mpsc::OwnedPermit<Bytes>> {
        if let Ok(place) = self.sdus.clone().try_reserve_owned() {
            return Some(place);
        }
        // First asked for, then tried: a reader that makes room in between is not overlooked.
        self.state.waiting.store(true, Ordering::SeqCst);
        let place = self.sdus.clone().try_reserve_owned().ok()?;
        self.state.waiting.store(false, Ordering::SeqCst);
        Some(place)
    }
}
