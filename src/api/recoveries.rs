//! What is done about a controller that fails, for programs that want to know.

use super::Adapter;
use crate::driver::RecoveryEvent;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// The steps by which a controller is brought back, in order.
#[derive(Debug)]
pub struct Recoveries {
    steps: broadcast::Receiver<RecoveryEvent>,
}

impl Recoveries {
    /// Steps that may wait for the reader; of more, the last.
    pub(super) const CAPACITY: usize = 64;

    /// The next step; `None` when the session is over, for which [`Adapter::closed`] has the reason.
    ///
    /// # Cancel safety
    /// Cancel safe: no step is lost.
    pub async fn next(&mut self) -> Option<RecoveryEvent> {
        loop {
            match self.steps.recv().await {
                Ok(step) => return Some(step),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl Adapter {
    /// What is done about the controller from now on when it fails: see [`AdapterBuilder::recovery`].
    ///
    /// [`AdapterBuilder::recovery`]: super::AdapterBuilder::recovery
    pub fn recoveries(&self) -> Recoveries {
        Recoveries { steps: self.shared.recoveries.resubscribe() }
    }
}
