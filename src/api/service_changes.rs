//! Changes of a peer's table, which it tells by Service Changed ([Vol 3] Part G, 7.1).

use super::Peer;
use crate::driver::ALL_HANDLES;
use crate::gatt::procedure::{Delivery, Discover, Subscribe};
use crate::gatt::{Properties, Services};
use crate::hci::ErrorCode;
use crate::uuid16;
use std::ops::RangeInclusive;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

/// What changes in the table of a peer, as a stream of handles.
///
/// A reader that does not keep up, 16 changes behind, is told that all has changed, once.
#[derive(Debug)]
pub struct ServiceChanges {
    changes: broadcast::Receiver<RangeInclusive<u16>>,
    down: watch::Receiver<Option<ErrorCode>>,
}

impl Peer {
    /// The changes of the peer's table from now on, in which handles. They are told from the first
    /// [`discover`](Self::discover) on that has seen Service Changed: discover again what they name
    /// ([`AdapterBuilder::service_changes`](crate::AdapterBuilder::service_changes) switches that off).
    ///
    /// ```no_run
    /// # async fn program(peer: baretooth::Peer) -> Result<(), baretooth::Error> {
    /// let mut changes = peer.service_changes();
    /// let mut services = peer.discover().await?;
    /// while let Some(handles) = changes.next().await {
    ///     println!("{handles:04X?} changed");
    ///     services = peer.discover().await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn service_changes(&self) -> ServiceChanges {
        let state = self.state();
        ServiceChanges { changes: state.service_changed.changes(), down: state.down.subscribe() }
    }

    /// Runs a discovery, and asks to be told of changes if the peer can tell them.
    pub(super) async fn discover_by(&self, discover: Discover) -> Result<Services, super::Error> {
        let services = self.run("discovery", discover).await?;
        if !self.shared().service_changes {
            return Ok(services);
        }
        let told = services.characteristics().find(|it| it.uuid == uuid16(0x2A05));
        let told = told.filter(|it| it.properties.contains(Properties::INDICATE));
        if let Some((value_handle, cccd)) = told.and_then(|it| Some((it.value_handle, it.cccd()?))) {
            // Nobody has asked for it, so that nobody pairs for it.
            let subscribe = Subscribe::at(cccd, Delivery::Indicate).without_raising();
            let write = async { self.run("subscription to Service Changed", subscribe).await.map(drop) };
            if let Err(error) = self.state().service_changed.subscribe(value_handle, write).await {
                tracing::debug!(peer = %self.address(), %error, "changes of the table will not be told");
            }
        }
        Ok(services)
    }
}

impl ServiceChanges {
    /// The handles, first and last, in which something is different now; `None` when the link is down.
    ///
    /// # Cancel safety
    /// Cancel safe: no change is lost.
    pub async fn next(&mut self) -> Option<RangeInclusive<u16>> {
        tokio::select! {
            biased;
            change = self.changes.recv() => match change {
                Ok(handles) => Some(handles),
                Err(RecvError::Lagged(_)) => {
                    // Those that are left are among all of them.
                    self.changes = self.changes.resubscribe();
                    Some(ALL_HANDLES)
                }
                Err(RecvError::Closed) => None,
            },
            _ = self.down.wait_for(Option::is_some) => None,
        }
    }
}
