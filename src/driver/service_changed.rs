//! What a peer tells of its table: Service Changed ([Vol 3] Part G, 7.1).

use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::sync::{OnceCell, broadcast};

/// Every handle that there can be.
pub(crate) const ALL: RangeInclusive<u16> = 0x0001..=0xFFFF;

/// Changes that may wait for each reader; one that does not read them is told that all has changed.
const CAPACITY: usize = 16;

/// Of one link: whether the peer tells, and whom.
#[derive(Debug)]
pub(crate) struct ServiceChanged {
    /// Of the value; 0 as long as nobody has asked for it.
    handle: AtomicU16,
    subscribed: OnceCell<()>,
    changes: broadcast::Sender<RangeInclusive<u16>>,
}

impl Default for ServiceChanged {
    fn default() -> Self {
        let (handle, subscribed) = (AtomicU16::new(0), OnceCell::new());
        Self { handle, subscribed, changes: broadcast::Sender::new(CAPACITY) }
    }
}

impl ServiceChanged {
    /// Subscribes, unless somebody has on this link. What fails is tried again by the next one.
    pub(crate) async fn subscribe<E>(
        &self,
        value_handle: u16,
        write: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let subscribe = async || {
            // Listened for before the peer is asked.
            self.handle.store(value_handle, Ordering::Relaxed);
            write.await.inspect_err(|_| self.handle.store(0, Ordering::Relaxed))
        };
        self.subscribed.get_or_try_init(subscribe).await.map(drop)
    }

    /// Whether the value of this handle is the one, so that the peer has to go on telling it.
    pub(crate) fn is_at(&self, value_handle: u16) -> bool {
        value_handle != 0 && self.handle.load(Ordering::Relaxed) == value_handle
    }

    /// The peer has told it. What it names cannot be wrong: at worst, all has changed.
    pub(super) fn on_value(&self, value: &[u8]) {
        let range = match *value {
            [a, b, c, d] => u16::from_le_bytes([a, b])..=u16::from_le_bytes([c, d]),
            _ => ALL,
        };
        let sane = *range.start() > 0 && !range.is_empty();
        // Nobody may listen.
        let _ = self.changes.send(if sane { range } else { ALL });
    }

    /// What is told from now on.
    pub(crate) fn changes(&self) -> broadcast::Receiver<RangeInclusive<u16>> {
        self.changes.subscribe()
    }
}
