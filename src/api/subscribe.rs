//! Values that a peer sends by itself.

use super::peer::gatt;
use super::resume::Resuming;
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
    resume: bool,
    confirm_on_next: bool,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self { form: None, capacity: 256, resume: false, confirm_on_next: false }
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

    /// Whether the stream goes on when the controller failed and was brought back
    /// ([`AdapterBuilder::recovery`](super::AdapterBuilder::recovery)), which ends all links. [`Notifications::next`]
    /// then connects to the same peer with the same options, makes sure that the same characteristic is still there,
    /// and subscribes again; it is tried three times. Links that are lost for any other reason end the stream all the
    /// same. By default it does not.
    ///
    /// All streams of one [`Peer`] share the new link, which [`Notifications::peer`] gives. A program that connects to
    /// the peer by itself is in their way.
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Whether an indication is confirmed only when its reader comes back: when [`Notifications::next`] is polled again,
    /// or the stream is dropped. So the peer does not hear of a value before its reader has done with it. It hears of it
    /// 10 s after it has sent it at the latest. By default an indication is confirmed when it is queued.
    ///
    /// ```no_run
    /// # async fn program(peer: baretooth::Peer, dose: baretooth::Characteristic) -> Result<(), baretooth::Error> {
    /// use baretooth::SubscribeOptions;
    /// let options = SubscribeOptions::new().indicate(true).confirm_on_next(true);
    /// let mut doses = peer.subscribe_with(&dose, options).await?;
    /// while let Some(dose) = doses.next().await {
    ///     // The peer may forget it once this is written.
    ///     std::fs::write("dose", &dose.value).expect("the disk has room");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn confirm_on_next(mut self, confirm_on_next: bool) -> Self {
        self.confirm_on_next = confirm_on_next;
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
    subscription: Subscription,
    terms: Terms,
    missed: Arc<AtomicU64>,
    resuming: Option<Resuming>,
    resumed: u64,
    end: Option<Error>,
}

/// What a subscription is made with, the first time and again.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) characteristic: Characteristic,
    options: SubscribeOptions,
}

/// A subscription on one link.
#[derive(Debug)]
pub(super) struct Subscription {
    peer: Peer,
    handle: u16,
    cccd: u16,
    indication: bool,
    ticket: Ticket,
    queue: mpsc::Receiver<Received>,
    waiting: Arc<AtomicBool>,
    /// Whether the task is told when an indication was done with.
    tells: bool,
    /// The last value was one.
    untold: bool,
    /// The peer has taken the subscription.
    active: bool,
}

impl Terms {
    pub(super) fn operation(&self) -> String {
        format!("subscription to {}", self.characteristic.describe())
    }
}

impl Notifications {
    pub(super) async fn subscribe(
        peer: Peer,
        characteristic: &Characteristic,
        options: SubscribeOptions,
    ) -> Result<Self, Error> {
        let terms = Terms { characteristic: characteristic.clone(), options };
        let missed = Arc::default();
        let subscription = Subscription::make(peer, &terms, &missed).await?;
        Ok(Self { subscription, terms, missed, resuming: None, resumed: 0, end: None })
    }

    /// The next value; `None` when the link is down and every value was read, for which [`end`](Self::end) has the
    /// reason. A stream that [resumes](SubscribeOptions::resume) begins to do so here, when it finds the link down.
    ///
    /// # Cancel safety
    /// Cancel safe: no value is lost, and a resumption goes on.
    ///
    /// # Panics
    /// Outside of a tokio runtime, for a stream that resumes.
    pub async fn next(&mut self) -> Option<Notification> {
        loop {
            if let Some(resuming) = &mut self.resuming {
                let resumed = resuming.wait().await;
                self.resuming = None;
                match resumed {
                    Ok(subscription) => {
                        self.subscription = subscription;
                        self.resumed += 1;
                    }
                    Err(error) => self.end = Some(error),
                }
            }
            if self.end.is_some() {
                return None;
            }
            if let Some(notification) = self.subscription.next().await {
                return Some(notification);
            }
            let peer = &self.subscription.peer;
            if self.terms.options.resume && peer.fell_with_controller() {
                tracing::info!(peer = %peer.address(), "resuming the {}", self.terms.operation());
                let (peer, terms) = (peer.clone(), self.terms.clone());
                self.resuming = Some(Resuming::begin(peer, terms, self.missed.clone()));
            } else {
                self.end = Some(peer.end(self.terms.operation()));
            }
        }
    }

    /// Why the stream has ended; `None` before [`next`](Self::next) has said that it did.
    pub fn end(&self) -> Option<&Error> {
        self.end.as_ref()
    }

    /// How often the stream has gone on behind a failure of the controller. What the peer sent meanwhile is missing,
    /// and counted nowhere.
    pub fn resumed(&self) -> u64 {
        self.resumed
    }

    /// Values dropped so far because nobody read them: also those behind the last one that was queued, which no
    /// [`Notification::missed`] tells of when the link ends there.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// The handle of the value.
    pub fn handle(&self) -> u16 {
        self.subscription.handle
    }

    /// Whether the peer was asked for indications.
    pub fn is_indication(&self) -> bool {
        self.subscription.indication
    }

    /// The peer, by the link that the values come on now.
    pub fn peer(&self) -> &Peer {
        &self.subscription.peer
    }

    /// Ends the stream. If it is the last one of the characteristic, ends the subscription at the peer and waits for
    /// the answer.
    ///
    /// # Errors
    /// [`Error::Att`] when the peer refuses.
    ///
    /// # Cancel safety
    /// The subscription is ended all the same.
    pub async fn unsubscribe(self) -> Result<(), Error> {
        self.subscription.unsubscribe().await
    }
}

impl Subscription {
    pub(super) async fn make(peer: Peer, terms: &Terms, missed: &Arc<AtomicU64>) -> Result<Self, Error> {
        let operation = terms.operation();
        let Terms { characteristic, options } = terms;
        let subscribe = match options.form {
            Some(form) => Subscribe::forced(characteristic, form),
            None => Subscribe::new(characteristic),
        };
        let subscribe = subscribe.map_err(|source| gatt(&operation, source))?;
        let (sender, queue) = mpsc::channel(options.capacity);
        let waiting = Arc::new(AtomicBool::new(false));
        let ticket = peer.shared().ticket();
        let handle = characteristic.value_handle;
        let connection = peer.state().connection;
        // A value may come before the answer: it is listened for before the peer is asked.
        let tells = options.confirm_on_next;
        let delivery = Delivery { queue: sender, waiting: waiting.clone(), missed: missed.clone(), tells };
        peer.shared().tell(Message::Listen { connection, handle, ticket, delivery });
        let cccd = characteristic.cccd().unwrap_or(0);
        let mut made = Self {
            peer: peer.lasting(),
            handle,
            cccd,
            indication: false,
            ticket,
            queue,
            waiting,
            tells,
            untold: false,
            active: true,
        };
        match peer.run(&operation, subscribe).await {
            Ok(subscribed) => {
                made.cccd = subscribed.cccd;
                made.indication = subscribed.delivery == Form::Indicate;
                Ok(made)
            }
            Err(error) => {
                made.active = false;
                Err(error)
            }
        }
    }

    async fn next(&mut self) -> Option<Notification> {
        let connection = self.connection();
        if std::mem::take(&mut self.untold) {
            let (handle, ticket) = (self.handle, self.ticket);
            self.peer.shared().tell(Message::Done { connection, handle, ticket });
        }
        let received = self.queue.recv().await?;
        self.untold = self.tells && received.indication;
        if self.waiting.swap(false, Ordering::SeqCst) {
            self.peer.shared().tell(Message::Room { connection, handle: self.handle });
        }
        Some(Notification { value: received.value, indication: received.indication, missed: received.missed })
    }

    async fn unsubscribe(mut self) -> Result<(), Error> {
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

impl Drop for Subscription {
    fn drop(&mut self) {
        self.unlisten(self.active.then_some(self.cccd), None);
    }
}
