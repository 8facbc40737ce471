//! What is known of a link, and how it changes.

use super::Peer;
use crate::driver::LinkState;
use crate::hci::ErrorCode;
use crate::host::ConnectionInfo;
use tokio::sync::watch;

/// What is known of a link, as a stream of its changes. One that is not read sees the newest alone.
#[derive(Debug)]
pub struct InfoChanges {
    info: watch::Receiver<ConnectionInfo>,
    down: watch::Receiver<Option<ErrorCode>>,
}

impl Peer {
    /// All that is known of the link now; of a link that is down, what was known last.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), baretooth::Error> {
    /// use baretooth::{Adapter, sim::demo::THERMOMETER_ADDRESS};
    /// let adapter = Adapter::open("sim").await?;
    /// let peer = adapter.connect(THERMOMETER_ADDRESS).await?;
    /// let mut changes = peer.info_changes();
    /// assert_eq!(peer.info().phys, None);
    /// let read = peer.phy().await?;
    /// assert_eq!(changes.next().await.expect("it is up").phys, Some(read));
    /// # adapter.close().await;
    /// # Ok(()) }
    /// ```
    pub fn info(&self) -> ConnectionInfo {
        self.state().with_info(Clone::clone)
    }

    /// The changes of [`info`](Self::info) from now on: ATT_MTU, timing, PHYs, security and identity.
    pub fn info_changes(&self) -> InfoChanges {
        InfoChanges::of(self.state())
    }
}

impl InfoChanges {
    fn of(state: &LinkState) -> Self {
        Self { info: state.info.subscribe(), down: state.down.subscribe() }
    }

    /// What is known, when it is something else than before; `None` when the link is down.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<ConnectionInfo> {
        if self.down.borrow().is_some() {
            return None;
        }
        tokio::select! {
            biased;
            changed = self.info.changed() => changed.ok().map(|()| self.info.borrow_and_update().clone()),
            _ = self.down.wait_for(Option::is_some) => None,
        }
    }
}
