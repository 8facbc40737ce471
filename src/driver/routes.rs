//! Who waits for what: requests by number, values by attribute, reports by scan.

use super::channels::OpenReply;
use super::security::Reply;
use super::{AdvertisingReader, Failure, Ticket};
use crate::Address;
use crate::host::{ConnectionId, OpId, Output, Sighting};
use bytes::Bytes;
use std::collections::BTreeMap;
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
}

#[derive(Debug)]
struct Reader {
    ticket: Ticket,
    delivery: Delivery,
    missed: u64,
    /// An indication without room: it is not confirmed before it has some, and nothing overtakes it.
    held: Option<Received>,
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
        let reader = Reader { ticket, delivery, missed: 0, held: None, slow: false };
        self.by_attribute.entry((connection, handle)).or_default().push(reader);
    }

    /// Removes a reader; whether it was the last, and whether an indication waited for it alone.
    pub(super) fn remove(&mut self, connection: ConnectionId, handle: u16, ticket: Ticket) -> (bool, bool) {
        let Some(readers) = self.by_attribute.get_mut(&(connection, handle)) else { return (false, false) };
        let Some(position) = readers.iter().position(|reader| reader.ticket == ticket) else {
            return (false, false);
        };
        let removed = readers.remove(position);
        let last = readers.is_empty();
        if last {
            self.by_attribute.remove(&(connection, handle));
        }
        (last, removed.held.is_some() && !self.holds(connection, handle))
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

    /// Brings a value to its readers; `true` when an indication may be confirmed.
    pub(super) fn deliver(
        &mut self,
        connection: ConnectionId,
        handle: u16,
        value: &Bytes,
        indication: bool,
    ) -> bool {
        let Some(readers) = self.by_attribute.get_mut(&(connection, handle)) else {
            tracing::debug!(connection = connection.0, handle, "a value that nobody subscribed to");
            return true;
        };
        let mut confirm = true;
        for reader in readers {
            confirm &= reader.take(value.clone(), indication);
        }
        confirm
    }

    /// A reader has made room; `true` when the indication that waited for it may be confirmed.
    pub(super) fn on_room(&mut self, connection: ConnectionId, handle: u16) -> bool {
        let Some(readers) = self.by_attribute.get_mut(&(connection, handle)) else { return false };
        let mut brought = false;
        for reader in readers {
            brought |= reader.bring_held();
        }
        brought && !self.holds(connection, handle)
    }

    fn holds(&self, connection: ConnectionId, handle: u16) -> bool {
        let readers = self.by_attribute.get(&(connection, handle));
        readers.is_some_and(|readers| readers.iter().any(|reader| reader.held.is_some()))
    }
}

impl Reader {
    /// Queues a value, holds it, or counts it as missed; `false` when it is held.
    fn take(&mut self, value: Bytes, indication: bool) -> bool {
        let received = Received { value, indication, missed: self.missed };
        if self.held.is_none() {
            match self.queue(received) {
                Ok(()) => {
                    self.missed = 0;
                    return true;
                }
                Err(received) if indication => {
                    self.missed = 0;
                    self.held = Some(received);
                    return self.bring_held();
                }
                Err(_) => {}
            }
        }
        self.missed += 1;
        self.delivery.missed.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Queues what is held; `true` when it did.
    fn bring_held(&mut self) -> bool {
        let Some(received) = self.held.take() else { return false };
        // First asked for, then tried: a reader that makes room in between is not overlooked.
        self.delivery.waiting.store(true, Ordering::SeqCst);
        match self.queue(received) {
            Ok(()) => {
                self.delivery.waiting.store(false, Ordering::SeqCst);
                true
            }
            Err(received) => {
                self.held = Some(received);
                false
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

    fn reader(capacity: usize) -> (Readers, mpsc::Receiver<Received>) {
        let (queue, values) = mpsc::channel(capacity);
        let mut readers = Readers::default();
        let delivery = Delivery { queue, waiting: Arc::default(), missed: Arc::default() };
        readers.add(LINK, HANDLE, Ticket(1), delivery);
        (readers, values)
    }

    fn next(values: &mut mpsc::Receiver<Received>) -> Option<(u8, u64)> {
        values.try_recv().ok().map(|received| (received.value[0], received.missed))
    }

    #[test]
    fn nothing_overtakes_a_held_indication_and_what_is_missed_is_counted_where_it_is_missing() {
        let (mut readers, mut values) = reader(1);
        let indicate = |readers: &mut Readers, n| readers.deliver(LINK, HANDLE, &Bytes::from(vec![n]), true);
        assert!(indicate(&mut readers, 1), "queued");
        assert!(!indicate(&mut readers, 2), "held");
        assert_eq!(next(&mut values), Some((1, 0)));
        // There is room now, and the task has not heard of it.
        assert!(indicate(&mut readers, 3), "dropped, and nothing to wait for");
        assert!(readers.on_room(LINK, HANDLE), "the second is to be confirmed");
        assert_eq!(next(&mut values), Some((2, 0)));
        assert!(indicate(&mut readers, 4));
        assert_eq!(next(&mut values), Some((4, 1)));
    }
}
