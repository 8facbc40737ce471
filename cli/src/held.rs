//! What is open already when a verb begins: the adapter of a shell, the links that its lines have made, standard input, and
//! what was heard so far. It has what one line leaves to the next; it never opens an adapter and never closes one.

use crate::lines::{Asked, Lines};
use crate::shell::{Known, Told, Voice};
use crate::target::{Target, Who};
use baretooth::gatt::Services;
use baretooth::{Adapter, Address, Peer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub struct Held {
    adapter: Adapter,
    input: Arc<tokio::sync::Mutex<Asked>>,
    voice: Voice,
    /// In the order in which they were made.
    links: Arc<Mutex<Vec<Peer>>>,
    known: Arc<Mutex<Known>>,
}

impl Held {
    pub fn new(adapter: Adapter, input: Asked, voice: Voice, known: Arc<Mutex<Known>>) -> Self {
        let input = Arc::new(tokio::sync::Mutex::new(input));
        Self { adapter, input, voice, links: Arc::default(), known }
    }

    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Standard input, from the line behind that of the verb.
    pub fn lines(&self) -> Lines {
        Lines::of(self.input.clone())
    }

    /// Standard input for whoever reads the lines of verbs.
    pub fn input(&self) -> &tokio::sync::Mutex<Asked> {
        &self.input
    }

    /// Who tells what nobody asked for just now.
    pub fn voice(&self) -> &Voice {
        &self.voice
    }

    /// Keeps a link up beyond the verb that made it, and tells when it goes down by itself.
    pub fn keep(&self, peer: &Peer) {
        lock(&self.links).push(peer.clone());
        let (links, voice) = (self.links.clone(), self.voice.clone());
        let (watched, who) = (peer.connection(), Who::of(peer.address()));
        let peer = peer.clone();
        #[allow(clippy::disallowed_methods)] // Nobody waits for a link to go down; it ends with the link.
        tokio::spawn(async move {
            let reason = peer.disconnected().await;
            let kept = {
                let mut links = lock(&links);
                let before = links.len();
                links.retain(|link| link.connection() != watched);
                links.len() < before
            };
            if kept {
                voice.tell(&Told::disconnected(who, reason)).await;
            }
        });
    }

    /// The links, in the order in which they were made.
    pub fn links(&self) -> Vec<Peer> {
        lock(&self.links).iter().filter(|peer| peer.is_connected()).cloned().collect()
    }

    /// The link to this peer, if there is one: by the address that it was connected by, or by its identity.
    pub fn link(&self, target: Target) -> Option<Peer> {
        self.links().into_iter().find(|peer| {
            target.is(peer.address()) || peer.identity().is_some_and(|identity| target.is(identity))
        })
    }

    /// Leaves a link to whoever has it, and tells no more of it.
    pub fn let_go(&self, peer: &Peer) {
        lock(&self.links).retain(|link| link.connection() != peer.connection());
    }

    /// Leaves all links to whoever has them.
    pub fn let_go_of_all(&self) {
        lock(&self.links).clear();
    }

    /// Somebody was heard.
    pub fn saw(&self, address: Address) {
        lock(&self.known).saw(address);
    }

    /// The table of a peer was discovered.
    pub fn discovered(&self, peer: &Peer, services: &Services) {
        lock(&self.known).discovered(peer.address(), services);
    }
}

/// Nothing that is kept so can be left half done.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
