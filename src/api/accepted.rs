//! The links that centrals make.

use super::{Adapter, Peer};
use crate::driver::Shared;
use crate::gap::connect::ConnectOptions;
use crate::hci::Role;
use std::sync::Arc;

/// The links that centrals make to us, as a stream. Of several streams of one adapter, each link goes to one of them.
#[derive(Debug)]
pub struct Accepted {
    shared: Arc<Shared>,
}

impl Accepted {
    /// The next peer that has connected, in the order in which they did. A link that is down again before anybody has
    /// taken it is left out. `None` when the adapter is lost or closed.
    ///
    /// # Cancel safety
    /// Cancel safe: no link is lost.
    pub async fn next(&mut self) -> Option<Peer> {
        let mut links = self.shared.links.clone();
        loop {
            let found = {
                let links = links.borrow_and_update();
                links.iter().find(|state| state.role == Role::Peripheral && state.take()).cloned()
            };
            if let Some(state) = found {
                return Some(Peer::new(self.shared.clone(), state, ConnectOptions::new()));
            }
            links.changed().await.ok()?;
        }
    }
}

impl Adapter {
    /// The links that centrals make to what we [advertise](Self::advertise), those included that are up by now and that
    /// nobody has taken. Such a link is the central's: dropping its [`Peer`] does not end it,
    /// [`Peer::disconnect`] does, and so does the end of the adapter.
    ///
    /// ```no_run
    /// # async fn program(adapter: baretooth::Adapter) -> Result<(), baretooth::Error> {
    /// use baretooth::AdvertiseOptions;
    /// let mut accepted = adapter.accepted();
    /// loop {
    ///     let advertisement = adapter.advertise(AdvertiseOptions::new()).await?;
    ///     advertisement.ended().await?;
    ///     let Some(central) = accepted.next().await else { break };
    ///     println!("{} is here, as our {:?}", central.address(), central.role());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn accepted(&self) -> Accepted {
        Accepted { shared: self.shared.clone() }
    }
}
