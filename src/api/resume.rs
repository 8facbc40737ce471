//! A subscription that goes on behind a failure of the controller: the same peer, the same characteristic, again.

use super::subscribe::{Subscription, Terms};
use super::{Error, ErrorKind, Peer};
use crate::Uuid;
use crate::driver::Failure;
use crate::gatt::Characteristic;
use crate::host::OpError;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often it is tried, and the time in between. A peer may need as long as its supervision time-out before it
/// advertises again; each attempt to connect waits for it.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// A resumption in progress, dropped with the stream.
#[derive(Debug)]
pub(super) struct Resuming(JoinHandle<Result<Subscription, Error>>);

impl Resuming {
    /// Begins it. Streams of one peer wait for each other to make the link, so each has to go on even while nobody
    /// waits for its next value: it is a task.
    pub(super) fn begin(peer: Peer, terms: Terms, missed: Arc<AtomicU64>) -> Self {
        #[allow(clippy::disallowed_methods)]
        Self(tokio::spawn(resume(peer, terms, missed)))
    }

    /// # Cancel safety
    /// Cancel safe, and not to be called again when it is over.
    pub(super) async fn wait(&mut self) -> Result<Subscription, Error> {
        // Only a runtime that shuts down ends it early.
        (&mut self.0).await.unwrap_or_else(|_| Err(Error::of("resuming a subscription", Failure::Closed)))
    }
}

impl Drop for Resuming {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Subscribes on a new link to the peer, which all streams of the old one share.
async fn resume(mut peer: Peer, terms: Terms, missed: Arc<AtomicU64>) -> Result<Subscription, Error> {
    let mut tried = 1;
    loop {
        let error = match once(&mut peer, &terms, &missed).await {
            Ok(subscription) => return Ok(subscription),
            Err(error) => error,
        };
        if tried == TRIES || !is_passing(&error) {
            tracing::warn!(%error, "not resumed");
            return Err(error);
        }
        tracing::debug!(%error, tried, "trying again");
        tried += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn once(peer: &mut Peer, terms: &Terms, missed: &Arc<AtomicU64>) -> Result<Subscription, Error> {
    *peer = peer.again().await?;
    let declaration = peer.read(terms.characteristic.handle).await?;
    if !declares(&declaration, &terms.characteristic) {
        return Err(Error::NotFound {
            what: format!("{} failed: the peer has something else there now", terms.operation()),
            handles: Vec::new(),
        });
    }
    Subscription::make(peer.clone(), terms, missed).await
}

/// Whether a declaration is still that of a characteristic ([Vol 3] Part G, 3.3.1): properties, the value's handle,
/// the UUID.
fn declares(declaration: &[u8], characteristic: &Characteristic) -> bool {
    let [_, low, high, uuid @ ..] = declaration else { return false };
    u16::from_le_bytes([*low, *high]) == characteristic.value_handle
        && Uuid::from_wire(uuid) == Some(characteristic.uuid)
}

/// Whether the next try may do better: it was the link or the controller, not what the peer said.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Controller { source, .. } => !matches!(source, OpError::ControllerFailed { then: None, .. }),
        // Invalid: somebody else connects to the peer.
        _ => matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Timeout | ErrorKind::Invalid),
    }
}
