//! Where bonds are kept between two runs of a program.
//!
//! A [`BondStore`] keeps, for each adapter, who it is to its peers and the bonds that it has made. [`MemoryStore`] does so
//! for the life of the program, for tests above all. With the feature `json` there are `JsonStore`, files that nobody else
//! can read, and `json`, the text in them, for who keeps it elsewhere.
//!
//! Bonds of other stacks are read and written as text: [`bluez`] the files of BlueZ, and with the feature `json` `bumble` the
//! key stores of Bumble. So a device that was paired by one of them need not be paired again.
//!
//! Whatever is read never makes the reader panic or take more memory than a few times the text, and no error repeats any
//! of it, for it may be a key.

pub mod bluez;
#[cfg(feature = "json")]
pub mod bumble;
mod error;
#[cfg(feature = "json")]
mod fields;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "json")]
mod json_store;
mod memory;
#[cfg(feature = "json")]
mod private;
#[cfg(test)]
mod testing;

pub use error::{ImportError, StoreError};
#[cfg(feature = "json")]
pub use json_store::JsonStore;
pub use memory::MemoryStore;

use crate::Address;
use crate::smp::{Bond, Identity};

/// What is kept for an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Who it is to the peers that it is bonded with.
    pub identity: Identity,
    /// The bonds, each of another peer.
    pub bonds: Vec<Bond>,
}

/// Keeps bonds.
///
/// An adapter is named by its public address, or by whatever address it always has. Whoever opens one loads what is
/// stored of it, or saves a new identity; bonds can be saved only then.
///
/// The methods may wait for a disk: an asynchronous program calls them where blocking is allowed. When one returns
/// without an error, what it was given survives the loss of power as far as the store can help it.
pub trait BondStore: Send {
    /// Everything about an adapter; nothing if it has never had an identity.
    ///
    /// # Errors
    /// When something is stored that cannot be read or is not understood. It stays as it is.
    fn load(&mut self, adapter: Address) -> Result<Option<Stored>, StoreError>;

    /// Keeps who the adapter is. Bonds stay.
    ///
    /// # Errors
    /// When it cannot be kept; then what was stored stays.
    fn save_identity(&mut self, adapter: Address, identity: &Identity) -> Result<(), StoreError>;

    /// Keeps a bond, in the place of the one with the same peer.
    ///
    /// # Errors
    /// When it cannot be kept; then what was stored stays. [`StoreError::UnknownAdapter`] if the adapter has no identity.
    fn save(&mut self, adapter: Address, bond: &Bond) -> Result<(), StoreError>;

    /// Forgets the bond with a peer; nothing happens if there is none.
    ///
    /// # Errors
    /// When it cannot be done; then what was stored stays.
    fn remove(&mut self, adapter: Address, peer: Address) -> Result<(), StoreError>;
}

impl Stored {
    /// An adapter with this identity and no bonds.
    pub const fn new(identity: Identity) -> Self {
        Self { identity, bonds: Vec::new() }
    }

    /// The bond takes the place of the one with the same peer.
    fn put(&mut self, bond: &Bond) {
        match self.bonds.iter_mut().find(|stored| stored.peer == bond.peer) {
            Some(stored) => stored.clone_from(bond),
            None => self.bonds.push(bond.clone()),
        }
    }

    fn forget(&mut self, peer: Address) {
        self.bonds.retain(|stored| stored.peer != peer);
    }
}
