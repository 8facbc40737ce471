//! What is open already when a verb begins: the adapter of a shell and the links that its lines have made. It has what
//! one line leaves to the next; it never opens an adapter and never ends one.

use crate::target::Target;
use baretooth::{Adapter, Address, Peer};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub struct Held {
    adapter: Adapter,
    /// In the order in which they were made. Those that are down are left out when somebody looks.
    links: Mutex<Vec<Peer>>,
}

impl Held {
    #[expect(dead_code, reason = "a shell makes it")]
    pub fn new(adapter: Adapter) -> Self {
        Self { adapter, links: Mutex::default() }
    }

    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Keeps a link up beyond the verb that made it.
    pub fn keep(&self, peer: &Peer) {
        self.links().push(peer.clone());
    }

    /// The link to this peer, if there is one.
    pub fn link(&self, target: Target) -> Option<Peer> {
        self.links().iter().find(|peer| goes_to(peer, target)).cloned()
    }

    fn links(&self) -> MutexGuard<'_, Vec<Peer>> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(Peer::is_connected);
        links
    }
}

/// By the address that it was connected by, or by its identity.
fn goes_to(peer: &Peer, target: Target) -> bool {
    let identity: Option<Address> = peer.identity();
    target.is(peer.address()) || identity.is_some_and(|identity| target.is(identity))
}
