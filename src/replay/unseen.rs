//! What no packet shows.

use crate::gatt::server::Table;
use crate::smp::{Bond, Identity, Key, Passkey, PeerOob};
use std::collections::VecDeque;

/// What a session had that its capture does not show, for [`run_with`](super::run_with); the seed has its place in the
/// configuration of the host. What is not given was not there.
///
/// ```
/// use baretooth::host::HostConfig;
/// use baretooth::replay::{self, Script, Unseen};
/// use baretooth::smp::Key;
/// let script = Script::open("captures/pairing_legacy_central.btsnoop")?;
/// let config = script.configure(HostConfig::seeded(60));
/// let unseen = Unseen::new().typed("525218".parse()?).temporary_key(Key::new([7; 16]));
/// replay::run_with(script, config, unseen)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Unseen {
    pub(super) table: Option<Table>,
    pub(super) known: Option<(Identity, Vec<Bond>)>,
    pub(super) typed: VecDeque<Passkey>,
    pub(super) shown: Option<Passkey>,
    pub(super) temporary_keys: VecDeque<Key>,
    pub(super) out_of_band: VecDeque<PeerOob>,
}

impl Unseen {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The table that the host served.
    pub fn serving(mut self, table: Table) -> Self {
        self.table = Some(table);
        self
    }

    /// Who the host was, and whom it knew, before the session. Bonds of which nothing but the key was of any concern need
    /// not be given: the key is in the packets.
    pub fn knowing(mut self, identity: Identity, bonds: Vec<Bond>) -> Self {
        self.known = Some((identity, bonds));
        self
    }

    /// A passkey that was typed at the host, behind those given before.
    pub fn typed(mut self, passkey: Passkey) -> Self {
        self.typed.push_back(passkey);
        self
    }

    /// The passkey that the host showed each time. Without it passkeys follow from the seed.
    pub fn shown(mut self, passkey: Passkey) -> Self {
        self.shown = Some(passkey);
        self
    }

    /// A temporary key of legacy pairing that came out of band, behind those given before.
    pub fn temporary_key(mut self, key: Key) -> Self {
        self.temporary_keys.push_back(key);
        self
    }

    /// Data of a peer for Secure Connections that came out of band, behind those given before. What the peer was given
    /// follows from the seed, if it made use of it: data of ours that were in vain leave no packet.
    pub fn out_of_band(mut self, data: PeerOob) -> Self {
        self.out_of_band.push_back(data);
        self
    }
}
