//! What clients want and do, for the program that has the values.

use crate::api::{Error, Peer};
use crate::att::AttError;
use crate::driver::{FromClient, LinkState, Shared, What};
use crate::gatt::server::{Offer, Want};
use crate::host::ServerRequest;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// What clients of a [`GattServer`](super::GattServer) want and do, in order.
///
/// The queue is bounded. What finds no room waits for a program that keeps reading; for one that does not, questions
/// are refused with Insufficient Resources, and the rest is dropped and [counted](Self::missed).
#[derive(Debug)]
pub struct Requests {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<FromClient>,
    missed: Arc<AtomicU64>,
}

/// What a client wants or has done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// It reads a value that is asked for, and waits.
    Read(ReadRequest),
    /// It writes values that are asked for, and waits.
    Write(WriteRequest),
    /// It has written a value that the table keeps, or by a write without response one that is asked for.
    Written {
        /// Who. Dropping it does not end the link.
        peer: Peer,
        /// The attribute.
        handle: u16,
        /// The whole value.
        value: Bytes,
    },
    /// It has subscribed, or neither of both: it has unsubscribed. A link that ends, ends its subscriptions unsaid.
    Subscribed {
        /// Who. Dropping it does not end the link.
        peer: Peer,
        /// The characteristic's value.
        handle: u16,
        /// By notifications.
        notifications: bool,
        /// By indications.
        indications: bool,
    },
}

/// A client that waits for a value. Dropped without an answer, it is refused with Unlikely Error.
#[derive(Debug)]
pub struct ReadRequest {
    question: Question,
    handle: u16,
}

/// A client that waits for its values to be taken, all of them or none. Dropped without an answer, it is refused with
/// Unlikely Error.
#[derive(Debug)]
pub struct WriteRequest {
    question: Question,
    values: Vec<Offer>,
}

/// Something that has to be answered once.
#[derive(Debug)]
struct Question {
    shared: Arc<Shared>,
    link: Arc<LinkState>,
    id: u64,
    answered: bool,
}

impl Requests {
    /// What may wait for the reader.
    pub(super) const CAPACITY: usize = 256;

    pub(super) fn new(
        shared: Arc<Shared>,
        queue: mpsc::Receiver<FromClient>,
        missed: Arc<AtomicU64>,
    ) -> Self {
        Self { shared, queue, missed }
    }

    /// The next; `None` when the adapter is lost or closed, and when another stream or another table has taken its place.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is lost.
    pub async fn next(&mut self) -> Option<Request> {
        self.queue.recv().await.map(|item| request(&self.shared, item))
    }

    /// How much was dropped so far because nobody read: writes that need no answer, and subscriptions.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.queue.close();
        while let Ok(item) = self.queue.try_recv() {
            drop(request(&self.shared, item));
        }
    }
}

fn request(shared: &Arc<Shared>, FromClient { link, what }: FromClient) -> Request {
    let peer = || Peer::lent(shared.clone(), link.clone());
    match what {
        What::Asked(ask) => {
            let question = Question { shared: shared.clone(), link, id: ask.id, answered: false };
            match ask.want {
                Want::Read { handle } => Request::Read(ReadRequest { question, handle }),
                Want::Write(values) => Request::Write(WriteRequest { question, values }),
            }
        }
        What::Written(Offer { handle, value, .. }) => Request::Written { peer: peer(), handle, value },
        What::Configured { value_handle, configuration } => Request::Subscribed {
            peer: peer(),
            handle: value_handle,
            notifications: configuration & super::NOTIFICATIONS != 0,
            indications: configuration & super::INDICATIONS != 0,
        },
    }
}

impl ReadRequest {
    /// Who reads. Dropping it does not end the link.
    pub fn peer(&self) -> Peer {
        self.question.peer()
    }

    /// The attribute.
    pub fn handle(&self) -> u16 {
        self.handle
    }

    /// Answers with the whole value, also where the client reads a part of it: at most 512 octets.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it comes too late, 10 s after the client has asked, [`Error::Disconnected`] when the
    /// link is down.
    ///
    /// # Cancel safety
    /// It is answered all the same.
    pub async fn answer(self, value: impl Into<Bytes>) -> Result<(), Error> {
        self.question.answer("answer to a read", self.handle, Ok(value.into())).await
    }

    /// Refuses it.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    ///
    /// # Cancel safety
    /// It is refused all the same.
    pub async fn refuse(self, code: AttError) -> Result<(), Error> {
        self.question.answer("refusal of a read", self.handle, Err(code)).await
    }
}

impl WriteRequest {
    /// Who writes. Dropping it does not end the link.
    pub fn peer(&self) -> Peer {
        self.question.peer()
    }

    /// What is written: one value, or several that were prepared. The part of a value that begins at an
    /// [offset](Offer::offset) ends it.
    pub fn values(&self) -> &[Offer] {
        &self.values
    }

    /// The attribute, of several the first.
    pub fn handle(&self) -> u16 {
        self.values.first().map_or(0, |offer| offer.handle)
    }

    /// Takes the values.
    ///
    /// # Errors
    /// As [`ReadRequest::answer`].
    ///
    /// # Cancel safety
    /// They are taken all the same.
    pub async fn accept(self) -> Result<(), Error> {
        let handle = self.handle();
        self.question.answer("answer to a write", handle, Ok(Bytes::new())).await
    }

    /// Refuses them.
    ///
    /// # Errors
    /// As [`ReadRequest::answer`].
    ///
    /// # Cancel safety
    /// They are refused all the same.
    pub async fn refuse(self, code: AttError) -> Result<(), Error> {
        let handle = self.handle();
        self.question.answer("refusal of a write", handle, Err(code)).await
    }
}

impl Question {
    fn peer(&self) -> Peer {
        Peer::lent(self.shared.clone(), self.link.clone())
    }

    async fn answer(
        mut self,
        operation: &str,
        handle: u16,
        answer: Result<Bytes, AttError>,
    ) -> Result<(), Error> {
        self.answered = true;
        let result = self.shared.submit(self.request(answer).into()).await;
        result
            .map(drop)
            .map_err(|failure| self.peer().error(format!("{operation} of 0x{handle:04X}"), failure))
    }

    fn request(&self, answer: Result<Bytes, AttError>) -> ServerRequest {
        ServerRequest::Answer { connection: self.link.connection, id: self.id, answer }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if !self.answered {
            drop(self.shared.begin(self.request(Err(AttError::UnlikelyError)).into()));
        }
    }
}
