//! Values that a peer sends by itself.

use super::peer::gatt;
use super::{Attribute, Error, Peer};
use crate::driver::{Delivery, Failure, Message, Received, Ticket};
use crate::gatt::Characteristic;
use crate::gatt::procedure::{Delivery as Form, Subscribe};
use crate::host::{ConnectionId, Output};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// How to subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct SubscribeOptions {
    form: Option<Form>,
    capacity: usize,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self { form: None, capacity: 256 }
    }
}

impl SubscribeOptions {
    /// Notifications if the characteristic offers them, else indications; room for 256 values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Indications (`true`) or notifications (`false`), whatever the characteristic offers.
    pub fn indicate(mut self, indicate: bool) -> Self {
        self.form = Some(if indicate { Form::Indicate } else { Form::Notify });
        self
    }

    /// How many values may wait for the reader, at least 1.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity.max(1);
        self
    }
}

/// A value that the peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The value.
    pub value: Bytes,
    /// It was an indication: the peer knows that it was taken.
    pub indication: bool,
    /// Values dropped since the one before, because nobody read them and the queue was full.
    pub missed: u64,
}

/// The values of one subscription, in order.
///
/// The queue is bounded. When it is full, an indication waits unconfirmed for up to 10 s; a notification waits for a
/// reader that keeps reading, and is dropped and counted for one that does not.
///
/// Dropping the stream ends the subscription at the peer, in the background, when it is the last one to the
/// characteristic. The stream keeps the link up.
#[derive(Debug)]
pub struct Notifications {
    peer: Peer,
    handle: u16,
    cccd: u16,
    indication: bool,
    ticket: Ticket,
    queue: mpsc::Receiver<Received>,
    waiting: Arc<AtomicBool>,
    missed: Arc<AtomicU64>,
    /// The peer has taken the subscription.
    active: bool,
}

impl Notifications {
    pub(super) async fn subscribe(
        peer: Peer,
        characteristic: &Characteristic,
        options: SubscribeOptions,
    ) -> Result<Self, Error> {
        let operation = format!("subscription to {}", characteristic.describe());
        let subscribe = match options.form {
            Some(form) => Subscribe::forced(characteristic, form),
            None => Subscribe::new(characteristic),
        };
        let subscribe = subscribe.map_err(|source| gatt(&operation, source))?;
        let (sender, queue) = mpsc::channel(options.capacity);
        let (waiting, missed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let ticket = peer.shared().ticket();
        let handle = characteristic.value_handle;
        let connection = peer.state().connection;
        // A value may come before the answer: it is listened for before the peer is asked.
        let delivery = Delivery { queue: sender, waiting: waiting.clone(), missed: missed.clone() };
        peer.shared().tell(Message::Listen { connection, handle, ticket, delivery });
        let cccd = characteristic.cccd().unwrap_or(0);
        let mut stream =
            Self { peer, handle, cccd, indication: false, ticket, queue, waiting, missed, active: true };
        let peer = stream.peer.clone();
        match peer.run(&operation, subscribe).await {
            Ok(subscribed) => {
                stream.cccd = subscribed.cccd;
                stream.indication = subscribed.delivery == Form::Indicate;
                Ok(stream)
            }
            Err(error) => {
                stream.active = false;
                Err(error)
            }
        }
    }

    /// The next value; `None` when the link is down and every value was read.
    ///
    /// # Cancel safety
    /// Cancel safe: no value is lost.
    pub async fn next(&mut self) -> Option<Notification> {
        let received = self.queue.recv().await?;
        if self.waiting.swap(false, Ordering::SeqCst) {
            let connection = self.connection();
            self.peer.shared().tell(Message::Room { connection, handle: self.handle });
        }
        Some(Notification { value: received.value, indication: received.indication, missed: received.missed })
    }

    /// Values dropped so far because nobody read them: also those behind the last one that was queued, which no
    /// [`Notification::missed`] tells of when the link ends there.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// The handle of the value.
    pub fn handle(&self) -> u16 {
        self.handle
    }

    /// Whether the peer was asked for indications.
    pub fn is_indication(&self) -> bool {
        self.indication
    }

    /// The peer.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Ends the stream. If it is the last one of the characteristic, ends the subscription at the peer and waits for
    /// the answer.
    ///
    /// # Errors
    /// [`Error::Att`] when the peer refuses.
    ///
    /// # Cancel safety
    /// The subscription is ended all the same.
    pub async fn unsubscribe(mut self) -> Result<(), Error> {
        self.active = false;
        let (reply, ended) = oneshot::channel();
        self.unlisten(Some(self.cccd), Some(reply));
        let result = ended.await.unwrap_or_else(|_| Err(self.peer.shared().failure()));
        let operation = || format!("end of the subscription to 0x{:04X}", self.handle);
        result.map(drop).map_err(|failure| self.peer.error(operation(), failure))
    }

    fn unlisten(&self, cccd: Option<u16>, reply: Option<oneshot::Sender<Result<Output, Failure>>>) {
        let (connection, handle, ticket) = (self.connection(), self.handle, self.ticket);
        self.peer.shared().tell(Message::Unlisten { connection, handle, ticket, cccd, reply });
    }

    fn connection(&self) -> ConnectionId {
        self.peer.state().connection
    }
}

impl Drop for Notifications {
    fn drop(&mut self) {
        self.unlisten(self.active.then_some(self.cccd), None);
    }
}
