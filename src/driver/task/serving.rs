//! What clients of the GATT server want, brought to the one who answers.

use super::{PATIENCE, Task};
use crate::att::AttError;
use crate::driver::LinkState;
use crate::gatt::server::{Ask, Offer};
use crate::host::{ConnectionId, Request, ServerEvent, ServerRequest};
use crate::uuid16;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// What a client wants or has done.
#[derive(Debug)]
pub(crate) struct FromClient {
    pub(crate) link: Arc<LinkState>,
    pub(crate) what: What,
}

/// See [`ServerEvent`].
#[derive(Debug)]
pub(crate) enum What {
    Asked(Ask),
    Written(Offer),
    Configured { value_handle: u16, configuration: u16 },
}

/// Which value of the table is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ValueAt {
    Handle(u16),
    DeviceName,
}

/// The queue of the one who answers, seen from the task.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: mpsc::Sender<FromClient>,
    /// What had no room, questions aside.
    missed: Arc<AtomicU64>,
    /// It did not make room in time; no more waiting for it until it has read.
    slow: bool,
}

impl Inbox {
    pub(crate) fn new(queue: mpsc::Sender<FromClient>, missed: Arc<AtomicU64>) -> Self {
        Self { queue, missed, slow: false }
    }

    /// Queues it; what a client is told when its question has no room.
    async fn take(&mut self, item: FromClient) -> Result<(), AttError> {
        if !self.slow && self.queue.capacity() == 0 {
            // As for values: a reader that is running makes room now, one that is not costs this wait once.
            self.slow = tokio::time::timeout(PATIENCE, self.queue.reserve()).await.is_err();
        }
        match self.queue.try_send(item) {
            Ok(()) => {
                self.slow &= self.queue.capacity() < self.queue.max_capacity() / 2;
                Ok(())
            }
            Err(TrySendError::Full(item)) => {
                if !matches!(item.what, What::Asked(_)) {
                    self.missed.fetch_add(1, Ordering::Relaxed);
                }
                Err(AttError::InsufficientResources)
            }
            Err(TrySendError::Closed(_)) => Err(AttError::UnlikelyError),
        }
    }
}

impl Task {
    pub(super) async fn bring_from_client(&mut self, event: ServerEvent) {
        let (connection, what) = match event {
            ServerEvent::Asked { connection, ask } => (connection, What::Asked(ask)),
            ServerEvent::Written { connection, offer } => (connection, What::Written(offer)),
            ServerEvent::Configured { connection, value_handle, configuration } => {
                (connection, What::Configured { value_handle, configuration })
            }
        };
        let Some(link) = self.states.get(&connection).cloned() else { return };
        if let What::Configured { value_handle, configuration } = what {
            link.configure(value_handle, configuration);
        }
        let question = if let What::Asked(ask) = &what { Some(ask.id) } else { None };
        let taken = match &mut self.inbox {
            Some(inbox) => inbox.take(FromClient { link, what }).await,
            None => Err(AttError::UnlikelyError),
        };
        if let (Some(id), Err(code)) = (question, taken) {
            tracing::debug!(connection = connection.0, %code, "nobody answers a client's request");
            self.refuse(connection, id, code);
        }
    }

    fn refuse(&mut self, connection: ConnectionId, id: u64, code: AttError) {
        let answer = Err(code);
        let request = Request::Server(ServerRequest::Answer { connection, id, answer });
        self.host.submit(self.now(), request);
    }

    /// A value that the table keeps, and its handle.
    pub(super) fn served(&self, at: ValueAt) -> Option<(u16, Bytes)> {
        let table = self.host.table();
        let handle = match at {
            ValueAt::Handle(handle) => handle,
            ValueAt::DeviceName => {
                table.services().characteristic(uuid16(0x1800), uuid16(0x2A00)).ok()?.value_handle
            }
        };
        Some((handle, table.value(handle)?.clone()))
    }
}
