//! Who waits for what: requests by number, values by attribute, reports by scan.

use super::channels::OpenReply;
use super::security::Reply;
use super::{AdvertisingReader, Failure, Ticket};
use crate::Address;
use crate::host::{ConnectionId, IndicationId, OpId, Output, Sighting};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// A value on its way to its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) value: Bytes,
    pub(crate) indication: bool,
    /// Values dropped since the one before, because the queue was full.
    pub(crate) missed: u64,
}

/// A reader's queue, seen from the task.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) queue: mpsc::Sender<Received>,
    /// The task holds a value that had no room; the reader says when there is.
    pub(crate) waiting: Arc<AtomicBool>,
    /// Values dropped in all, because the queue was full.
    pub(crate) missed: Arc<AtomicU64>,
    /// The reader says when it has done with an indication.
    pub(crate) tells: bool,
}

#[derive(Debug)]
struct Reader {
    ticket: Ticket,
    delivery: Delivery,
    missed: u64,
    /// An indication without room, which nothing overtakes.
    held: Option<Received>,
    /// Indications that are not confirmed for this reader's sake, the oldest first: the one that is held, and of a reader
    /// that tells those it has not done with. No more than there is room for, and two.
    owed: VecDeque<IndicationId>,
    /// It did not make room in time; no more waiting for it until it has read.
    slow: bool,
}

/// The readers of all attributes.
#[derive(Debug, Default)]
pub(super) struct Readers {
    by_attribute: BTreeMap<(ConnectionId, u16), Vec<Reader>>,
}

impl Readers {
    pub(super) fn add(&mut self, connection: ConnectionId, handle: u16, ticket: Ticket, delivery: Delivery) {
        let reader = Reader { ticket, delivery, missed: 0, held: None, owed: VecDeque::new(), slow: false };
        self.by_attribute.entry((connection, handle)).or_default().push(reader);
    }

    /// Removes a reader; whether it was the last, and the indications that waited for it alone.
    pub(super) fn remove(
        &mut self,
        connection: ConnectionId,
        handle: u16,
        ticket: Ticket,
    ) -> (bool, Vec<IndicationId>) {
        let nothing = (false, Vec::new());
        let Some(readers) = self.by_attribute.get_mut(&(connection, handle)) else { return nothing };
        let Some(position) = readers.iter().position(|reader| reader.ticket == ticket) else {
            return nothing;
        };
        let removed = readers.remove(position);
        let last = readers.is_empty();
        if last {
            self.by_attribute.remove(&(connection, handle));
        }
        (last, self.not_owed(connection, handle, removed.owed))
    }

    /// A link is down: its readers' queues end.
    pub(super) fn remove_link(&mut self, connection: ConnectionId) {
        self.by_attribute.retain(|(of, _), _| *of != connection);
    }

    /// A queue that has no room and whose reader is worth waiting for.
    pub(super) fn full(&self, connection: ConnectionId, handle: u16) -> Option<mpsc::Sender<Received>> {
        let readers = self.by_attribute.get(&(connection, handle))?;
        let full = readers.iter().find(|reader| !reader.slow && reader.delivery.queue.capacity() == 0);
        full.map(|reader| reader.delivery.queue.clone())
    }

    /// Its reader did not make room: values for it are dropped until it reads again.
    pub(super) fn give_up_on_full(&mut self, connection: ConnectionId, handle: u16) {
        for reader in self.by_attribute.get_mut(&(connection, handle)).into_iter().flatten() {
            reader.slow |= reader.delivery.queue.capacity() == 0;
        }
    }

    /// Brings a value to its readers; `true` when it is an indication that may be confirmed.
    pub(super) fn deliver(
        &mut self,
        connection: ConnectionId,
        handle: u16,
        value: &Bytes,
        indication: Option<IndicationId>,
    ) -> bool {
        let Some(readers) = self.by_attribute.get_mut(&(connection, handle)) else {
            tracing::debug!(connection = connection.0, handle, "a value that nobody subscribed to");
            return indication.is_some();
        };
        for reader in readers.iter_mut() {
            reader.take(value.clone(), indication);
        }
        indication.is_some_and(|id| !readers.iter().any(|reader| reader.owed.contains(&id)))
    }

    /// A reader has made room: the indications that waited for that alone.
    pub(super) fn on_room(&mut self, connection: ConnectionId, handle: u16) -> Vec<IndicationId> {
        let readers = self.by_attribute.get_mut(&(connection, handle)).into_iter().flatten();
        let brought = readers.filter_map(Reader::bring_held).collect();
        self.not_owed(connection, handle, brought)
    }

    /// A reader that tells has done with the oldest indication it had not; which may be confirmed by that.
    pub(super) fn on_done(
        &mut self,
        connection: ConnectionId,
        handle: u16,
        ticket: Ticket,
    ) -> Vec<IndicationId> {
        let mut readers = self.by_attribute.get_mut(&(connection, handle)).into_iter().flatten();
        let reader = readers.find(|reader| reader.ticket == ticket);
        let done = reader.and_then(|reader| reader.owed.pop_front()).into_iter().collect();
        self.not_owed(connection, handle, done)
    }

    /// Those of them that no reader keeps from being confirmed.
    fn not_owed(
        &self,
        connection: ConnectionId,
        handle: u16,
        ids: VecDeque<IndicationId>,
    ) -> Vec<IndicationId> {
        let readers = self.by_attribute.get(&(connection, handle));
        let is_owed =
            |id: &IndicationId| readers.into_iter().flatten().any(|reader| reader.owed.contains(id));
        ids.into_iter().filter(|id| !is_owed(id)).collect()
    }
}

impl Reader {
    /// Queues a value, holds it, or counts it as missed.
    fn take(&mut self, value: Bytes, indication: Option<IndicationId>) {
        let received = Received { value, indication: indication.is_some(), missed: self.missed };
        let refused = if self.held.is_none() { self.queue(received).err() } else { Some(received) };
        match (refused, indication) {
            (None, _) => {
                self.missed = 0;
                self.owed.extend(indication.filter(|_| self.delivery.tells));
            }
            (Some(received), Some(id)) if self.held.is_none() => {
                self.missed = 0;
                self.held = Some(received);
                self.owed.push_back(id);
                self.bring_held();
            }
            (Some(_), _) => {
                self.missed += 1;
                self.delivery.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Queues what is held; the indication that nothing is owed for any more by that.
    fn bring_held(&mut self) -> Option<IndicationId> {
        let received = self.held.take()?;
        // First asked for, then tried: a reader that makes room in between is not overlooked.
        self.delivery.waiting.store(true, Ordering::SeqCst);
        match self.queue(received) {
            Ok(()) => {
                self.delivery.waiting.store(false, Ordering::SeqCst);
                if self.delivery.tells { None } else { self.owed.pop_back() }
            }
            Err(received) => {
                self.held = Some(received);
                None
            }
        }
    }

    fn queue(&mut self, received: Received) -> Result<(), Received> {
        let queue = &self.delivery.queue;
        queue.try_send(received).map_err(TrySendError::into_inner)?;
        self.slow &= queue.capacity() < queue.max_capacity() / 2;
        Ok(())
    }
}

/// Who is told the end of a request.
#[derive(Debug)]
pub(super) enum Waiter {
    /// Whoever submitted it.
    Reply(oneshot::Sender<Result<Output, Failure>>),
    /// The reader of a scan.
    Scan(ScanReader),
    /// Who waits for a bond to be kept or forgotten, in the store too; of a pairing only its result says with whom.
    Kept { reply: Reply, peer: Option<Address> },
    /// Who is to get the channels of an SPSM.
    Listener(oneshot::Sender<Result<Output, Failure>>),
    /// Who asked for channels.
    Channels { connection: ConnectionId, reply: OpenReply },
    /// Whoever advertises.
    Advertise(AdvertisingReader),
}

/// Where the reports of a scan go.
#[derive(Debug)]
pub(crate) struct ScanReader {
    /// Told once, when the controller scans or cannot.
    pub(crate) started: Option<oneshot::Sender<Result<Output, Failure>>>,
    pub(crate) sightings: mpsc::Sender<Result<Box<Sighting>, Failure>>,
    /// Sightings that had no room.
    pub(crate) missed: Arc<AtomicU64>,
}

impl ScanReader {
    pub(super) fn on_started(&mut self) {
        if let Some(started) = self.started.take() {
            let _ = started.send(Ok(Output::Done));
        }
    }

    /// The scan is over.
    pub(super) fn fail(self, failure: Failure) {
        match self.started {
            Some(started) => drop(started.send(Err(failure))),
            None => drop(self.sightings.try_send(Err(failure))),
        }
    }
}

/// Requests in progress, by both their names.
#[derive(Debug, Default)]
pub(super) struct Requests {
    by_op: BTreeMap<OpId, (Ticket, Waiter)>,
    by_ticket: BTreeMap<Ticket, OpId>,
}

impl Requests {
    pub(super) fn add(&mut self, op: OpId, ticket: Ticket, waiter: Waiter) {
        self.by_op.insert(op, (ticket, waiter));
        self.by_ticket.insert(ticket, op);
    }

    pub(super) fn op(&self, ticket: Ticket) -> Option<OpId> {
        self.by_ticket.get(&ticket).copied()
    }

    pub(super) fn take(&mut self, op: OpId) -> Option<(Ticket, Waiter)> {
        let (ticket, waiter) = self.by_op.remove(&op)?;
        self.by_ticket.remove(&ticket);
        Some((ticket, waiter))
    }

    /// The queue of a scan.
    pub(super) fn scan(&mut self, op: OpId) -> Option<&mut ScanReader> {
        match self.by_op.get_mut(&op) {
            Some((_, Waiter::Scan(reader))) => Some(reader),
            _ => None,
        }
    }

    /// Whoever asked for an advertisement.
    pub(super) fn advertisement(&mut self, op: OpId) -> Option<&mut AdvertisingReader> {
        match self.by_op.get_mut(&op) {
            Some((_, Waiter::Advertise(reader))) => Some(reader),
            _ => None,
        }
    }

    /// Everything is over: everybody who waits is told why.
    pub(super) fn fail(&mut self, failure: &Failure) {
        self.by_ticket.clear();
        for (_, (_, waiter)) in std::mem::take(&mut self.by_op) {
            match waiter {
                Waiter::Reply(reply) | Waiter::Listener(reply) | Waiter::Kept { reply, .. } => {
                    drop(reply.send(Err(failure.clone())))
                }
                Waiter::Scan(reader) => reader.fail(failure.clone()),
                Waiter::Channels { reply, .. } => drop(reply.send(Err(failure.clone()))),
                Waiter::Advertise(reader) => reader.end(Err(failure.clone())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: ConnectionId = ConnectionId(1);
    const HANDLE: u16 = 0x21;

    fn reader(capacity: usize, tells: bool) -> (Readers, mpsc::Receiver<Received>) {
        let (queue, values) = mpsc::channel(capacity);
        let mut readers = Readers::default();
        let delivery = Delivery { queue, waiting: Arc::default(), missed: Arc::default(), tells };
        readers.add(LINK, HANDLE, Ticket(1), delivery);
        (readers, values)
    }

    /// Whether it may be confirmed.
    fn indicate(readers: &mut Readers, n: u8) -> bool {
        readers.deliver(LINK, HANDLE, &Bytes::from(vec![n]), Some(IndicationId(n.into())))
    }

    fn next(values: &mut mpsc::Receiver<Received>) -> Option<(u8, u64)> {
        values.try_recv().ok().map(|received| (received.value[0], received.missed))
    }

    #[test]
    fn nothing_overtakes_a_held_indication_and_what_is_missed_is_counted_where_it_is_missing() {
        let (mut readers, mut values) = reader(1, false);
        assert!(indicate(&mut readers, 1), "queued");
        assert!(!indicate(&mut readers, 2), "held");
        assert_eq!(next(&mut values), Some((1, 0)));
        // There is room now, and the task has not heard of it.
        assert!(indicate(&mut readers, 3), "dropped, and nothing to wait for");
        assert_eq!(readers.on_room(LINK, HANDLE), [IndicationId(2)]);
        assert_eq!(next(&mut values), Some((2, 0)));
        assert!(indicate(&mut readers, 4));
        assert_eq!(next(&mut values), Some((4, 1)));
    }

    #[test]
    fn an_indication_waits_for_every_reader_that_tells_and_for_each_until_it_has_told() {
        let (mut readers, _values) = reader(1, true);
        let (queue, _others) = mpsc::channel(8);
        let delivery = Delivery { queue, waiting: Arc::default(), missed: Arc::default(), tells: true };
        readers.add(LINK, HANDLE, Ticket(2), delivery);
        assert!(!indicate(&mut readers, 1));
        assert!(!indicate(&mut readers, 2), "held by the one, queued by the other");
        assert_eq!(readers.on_done(LINK, HANDLE, Ticket(2)), [], "the first has not told");
        assert_eq!(readers.on_done(LINK, HANDLE, Ticket(1)), [IndicationId(1)]);
        assert_eq!(readers.on_done(LINK, HANDLE, Ticket(2)), []);
        assert_eq!(
            readers.remove(LINK, HANDLE, Ticket(1)),
            (false, vec![IndicationId(2)]),
            "unread, and gone"
        );
        assert_eq!(readers.on_done(LINK, HANDLE, Ticket(2)), [], "nothing is owed");
    }
}
