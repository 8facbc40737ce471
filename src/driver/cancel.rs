//! Giving operations up without dropping them, so that what became of them is still told.

use std::sync::Arc;
use tokio::sync::watch;

/// Gives operations up: those of the handles that [`Adapter::until`](crate::Adapter::until) and
/// [`Peer::until`](crate::Peer::until) make with it. Cheap to clone; all clones are the same.
///
/// Such an operation ends with its result when that is there first, or cannot be prevented any more: a request that the
/// peer has is waited for. Else it ends with [`Error::Cancelled`](crate::Error::Cancelled), and not before the host is done
/// with it: then the controller makes no connection any more, and a link that came up all the same is down. Dropping a
/// future gives its operation up as well, and says neither how nor when it ended.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), baretooth::Error> {
/// use baretooth::{Adapter, Cancel, Error};
/// let adapter = Adapter::open("sim").await?;
/// let cancel = Cancel::new();
/// let nobody = "EE:00:00:00:00:C0/random".parse().expect("an address");
/// let patient = adapter.until(&cancel);
/// let (connected, ()) = tokio::join!(patient.connect(nobody), async {
///     tokio::time::sleep(std::time::Duration::from_secs(1)).await;
///     cancel.cancel();
/// });
/// assert!(matches!(connected, Err(Error::Cancelled { .. })));
/// adapter.close().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    called: Arc<watch::Sender<bool>>,
}

impl Cancel {
    /// One that gives nothing up yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives up what is in progress, and what begins later. There is no way back.
    pub fn cancel(&self) {
        self.called.send_replace(true);
    }

    /// Whether it was called.
    pub fn is_cancelled(&self) -> bool {
        *self.called.borrow()
    }

    /// Waits until it is called.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn cancelled(&self) {
        // Its sender is here.
        let _ = self.called.subscribe().wait_for(|called| *called).await;
    }

    /// The same for one that may not be there, which is never called.
    pub(crate) async fn of(cancel: Option<&Self>) {
        match cancel {
            Some(cancel) => cancel.cancelled().await,
            None => std::future::pending().await,
        }
    }
}
