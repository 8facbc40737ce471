//! Bonds on their way into the store: one job after the other, each on a thread that may block.
//!
//! Of a bond that changes faster than it is written, only the newest state is written: nothing that a peer does makes
//! the queue longer than there are bonds.

use super::Failure;
use crate::Address;
use crate::bonds::{BondStore, StoreError, Stored};
use crate::host::Output;
use crate::smp::{Bond, Identity};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

type Store = Box<dyn BondStore>;

/// Who is told when something is in the store, and what.
pub(super) type Kept = (oneshot::Sender<Result<Output, Failure>>, Output);

/// The store of an adapter, and what it has still to write.
pub(crate) struct Keeper {
    adapter: Address,
    /// `None` while it writes, and after it has panicked.
    store: Option<Store>,
    running: Option<Running>,
    queue: VecDeque<Job>,
    /// Peers of whom the store has not what it should, and why.
    lacking: BTreeMap<Address, Arc<StoreError>>,
    /// To be written with the first bond: as long as there is none, nobody knows us by it.
    identity: Option<Identity>,
}

struct Running {
    job: Job,
    handle: JoinHandle<(Store, Result<(), StoreError>)>,
}

struct Job {
    work: Work,
    waiting: Vec<Kept>,
}

#[derive(Clone)]
enum Work {
    Identity(Identity),
    Save(Box<Bond>),
    Remove(Address),
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}

impl Keeper {
    pub(crate) fn new(store: Store) -> Self {
        // Whose it is, it is told when it is asked what it has.
        let adapter = Address::public(crate::BdAddr([0; 6]));
        Self {
            adapter,
            store: Some(store),
            running: None,
            queue: VecDeque::new(),
            lacking: BTreeMap::new(),
            identity: None,
        }
    }

    /// What it has of an adapter, before anything is written.
    pub(super) async fn load(&mut self, adapter: Address) -> Result<Option<Stored>, Arc<StoreError>> {
        self.adapter = adapter;
        let Some(mut store) = self.store.take() else { return Ok(None) };
        let loading = tokio::task::spawn_blocking(move || {
            let stored = store.load(adapter);
            (store, stored)
        });
        let (store, stored) = loading.await.map_err(|_| Arc::new(panicked()))?;
        self.store = Some(store);
        stored.map_err(Arc::new)
    }

    /// Our identity, of which the store knows nothing yet.
    pub(super) fn set_identity(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    pub(super) fn save(&mut self, bond: Box<Bond>) {
        if let Some(identity) = self.identity.take() {
            self.queue.push_back(Job { work: Work::Identity(identity), waiting: Vec::new() });
        }
        self.put(Work::Save(bond));
    }

    pub(super) fn remove(&mut self, peer: Address) {
        self.put(Work::Remove(peer));
    }

    fn put(&mut self, work: Work) {
        match self.queue.iter_mut().find(|job| job.work.peer() == work.peer()) {
            Some(job) => job.work = work,
            None => self.queue.push_back(Job { work, waiting: Vec::new() }),
        }
        self.start();
    }

    /// Tells somebody when everything about a peer that is to be written is: at once, if nothing is.
    pub(super) fn when_kept(&mut self, peer: Address, kept: Kept) {
        let of_peer = |job: &&mut Job| job.work.peer() == Some(peer);
        let running = self.running.as_mut().map(|running| &mut running.job);
        match self.queue.iter_mut().chain(running).find(of_peer) {
            Some(job) => job.waiting.push(kept),
            None => {
                let (reply, output) = kept;
                let why = self.lacking.get(&peer).cloned();
                drop(reply.send(why.map_or(Ok(output), |error| Err(Failure::Store(error)))));
            }
        }
    }

    /// Waits for the job that is running, tells who waits for it, and begins the next. Cancel safe; for ever when there
    /// is none.
    pub(super) async fn step(&mut self) {
        let Some(running) = &mut self.running else { return pending().await };
        let (store, result) = match (&mut running.handle).await {
            Ok((store, result)) => (Some(store), result),
            Err(_) => (None, Err(panicked())),
        };
        self.store = store;
        if let Some(Running { job, .. }) = self.running.take() {
            self.end(job, result);
        }
        self.start();
    }

    /// Writes what there is.
    pub(super) async fn finish(&mut self) {
        while self.running.is_some() {
            self.step().await;
        }
    }

    fn start(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some(mut store) = self.store.take() else {
            for job in std::mem::take(&mut self.queue) {
                self.end(job, Err(panicked()));
            }
            return;
        };
        let Some(job) = self.queue.pop_front() else {
            self.store = Some(store);
            return;
        };
        let (adapter, work) = (self.adapter, job.work.clone());
        let handle = tokio::task::spawn_blocking(move || {
            let result = match work {
                Work::Identity(identity) => store.save_identity(adapter, &identity),
                Work::Save(bond) => store.save(adapter, &bond),
                Work::Remove(peer) => store.remove(adapter, peer),
            };
            (store, result)
        });
        self.running = Some(Running { job, handle });
    }

    fn end(&mut self, Job { work, waiting }: Job, result: Result<(), StoreError>) {
        let result = result.map_err(Arc::new);
        if let Err(error) = &result {
            tracing::warn!(%error, "a bond is not kept");
        }
        match (work.peer(), &result) {
            (Some(peer), Ok(())) => drop(self.lacking.remove(&peer)),
            (Some(peer), Err(error)) => drop(self.lacking.insert(peer, error.clone())),
            (None, _) => {}
        }
        for (reply, output) in waiting {
            let _ = reply.send(result.clone().map(|()| output).map_err(Failure::Store));
        }
    }
}

impl Work {
    /// Whose bond it is about.
    fn peer(&self) -> Option<Address> {
        match self {
            Self::Identity(_) => None,
            Self::Save(bond) => Some(bond.peer),
            Self::Remove(peer) => Some(*peer),
        }
    }
}

/// What is left of a store that panicked.
fn panicked() -> StoreError {
    StoreError::Other("the store of bonds has panicked, and is not used any more".into())
}
