//! Bonds for the life of the program.

use super::{BondStore, StoreError, Stored};
use crate::Address;
use crate::smp::{Bond, Identity};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps bonds in memory. Clones share them, so a test can look at what an adapter has stored, and give it to the next.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<Address, Stored>>>);

impl MemoryStore {
    /// A store with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whatever a thread that has panicked left is whole: each method changes one thing.
    fn adapters(&self) -> MutexGuard<'_, BTreeMap<Address, Stored>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BondStore for MemoryStore {
    fn load(&mut self, adapter: Address) -> Result<Option<Stored>, StoreError> {
        Ok(self.adapters().get(&adapter).cloned())
    }

    fn save_identity(&mut self, adapter: Address, identity: &Identity) -> Result<(), StoreError> {
        self.adapters()
            .entry(adapter)
            .and_modify(|stored| stored.identity.clone_from(identity))
            .or_insert_with(|| Stored::new(identity.clone()));
        Ok(())
    }

    fn save(&mut self, adapter: Address, bond: &Bond) -> Result<(), StoreError> {
        self.adapters().get_mut(&adapter).ok_or(StoreError::UnknownAdapter(adapter))?.put(bond);
        Ok(())
    }

    fn remove(&mut self, adapter: Address, peer: Address) -> Result<(), StoreError> {
        if let Some(stored) = self.adapters().get_mut(&adapter) {
            stored.forget(peer);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bonds::testing;

    #[test]
    fn it_keeps_bonds_as_every_store_does() {
        testing::keeps_bonds(|| Box::new(MemoryStore::new()));
    }

    #[test]
    fn clones_share_what_is_stored() {
        let (store, mut other) = (MemoryStore::new(), MemoryStore::new());
        store.clone().save_identity(testing::ADAPTER, &testing::identity()).expect("kept");
        assert!(store.clone().load(testing::ADAPTER).expect("loaded").is_some());
        assert!(other.load(testing::ADAPTER).expect("loaded").is_none());
    }
}
