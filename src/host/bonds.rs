//! The bonds that the host knows, and what each keeps of its peer's client.
//!
//! In memory alone: every change is told as an [`Event`](super::Event), and whoever keeps bonds loads them.

use super::guard::Guard;
use super::security::{LinkSecurity, SecurityEvent};
use super::{Host, OpError, OpId};
use crate::gatt::server::Remembered;
use crate::hci::{ConnectionHandle, ErrorCode, Role};
use crate::smp::{Bond, BondedClient, Identity, Paired};
use crate::{Address, Instant};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long after a change what a bond keeps of a client is saved: many changes are one then.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// Bonds by identity.
#[derive(Debug, Default)]
pub(super) struct Bonds(BTreeMap<Address, Bond>);

impl Bonds {
    pub(super) fn get(&self, peer: Address) -> Option<&Bond> {
        self.0.get(&peer)
    }

    pub(super) fn get_mut(&mut self, peer: Address) -> Option<&mut Bond> {
        self.0.get_mut(&peer)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Bond> {
        self.0.values()
    }

    /// The bond whose key a central asks for: of the peer, if it is known who that is; else whosever EDIV and Rand they
    /// are, which tells who it is. Those of Secure Connections are all the same.
    pub(super) fn naming(&self, peer: Option<Address>, ediv: u16, rand: [u8; 8]) -> Option<&Bond> {
        let names = |bond: &&Bond| {
            bond.keys.local_ltk.as_ref().is_some_and(|key| (key.ediv, key.rand) == (ediv, rand))
        };
        match peer {
            Some(peer) => self.get(peer).filter(names),
            None if (ediv, rand) == (0, [0; 8]) => None,
            None => self.0.values().find(names),
        }
    }
}

/// What a pairing has left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) peer: Address,
    /// The bond can encrypt the link.
    pub(super) encrypts: bool,
}

/// Whether a bond can encrypt a link in which we have this role.
fn encrypts(bond: &Bond, role: Role) -> bool {
    let key = if role == Role::Central { &bond.keys.peer_ltk } else { &bond.keys.local_ltk };
    key.is_some()
}

/// What users ask.
impl Host {
    /// The bonds that there are.
    pub fn bonds(&self) -> impl Iterator<Item = &Bond> {
        self.bonds.iter()
    }

    /// Who we are to bonded peers: to be kept with the first bond.
    pub fn identity(&self) -> Identity {
        Identity { random_address: self.random_address, irk: self.irk.clone() }
    }

    pub(super) fn load(&mut self, op: OpId, identity: Identity, bonds: Vec<Bond>) -> Result<(), OpError> {
        if !identity.random_address.is_static() {
            return Err(OpError::Invalid("the random address that was kept is no static one"));
        }
        self.bonds = Bonds(bonds.into_iter().map(|bond| (bond.peer, bond)).collect());
        (self.random_address, self.irk) = (identity.random_address, identity.irk);
        self.privacy.set_identity(self.random_address, &self.irk);
        if let Some(info) = &mut self.info {
            info.random_address = Address::random(self.random_address);
        }
        self.follow_bonds();
        for handle in self.links.keys().copied().collect::<Vec<_>>() {
            self.recognise(handle);
        }
        self.begin_loading(op);
        Ok(())
    }

    pub(super) fn import(&mut self, bond: Box<Bond>) {
        self.bonds.0.insert(bond.peer, (*bond).clone());
        self.follow_bonds();
        self.events.push_back(SecurityEvent::Save(bond).into());
    }

    pub(super) fn unpair(&mut self, now: Instant, peer: Address) -> Result<(), OpError> {
        self.bonds.0.remove(&peer).ok_or(OpError::NotBonded { peer })?;
        self.follow_bonds();
        self.events.push_back(SecurityEvent::Forget(peer).into());
        let of_peer = |(handle, link): (&ConnectionHandle, &mut super::link::Link)| {
            (link.guard.bond == Some(peer)).then(|| {
                link.guard.bond = None;
                *handle
            })
        };
        for handle in self.links.iter_mut().filter_map(of_peer).collect::<Vec<_>>() {
            self.disconnect(now, handle, ErrorCode::RemoteUserTerminatedConnection);
        }
        Ok(())
    }
}

/// Links and their bonds.
impl Host {
    /// Whether there is a bond with the peer of a link.
    pub(super) fn recognise(&mut self, handle: ConnectionHandle) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        link.guard.least = self.security.level;
        if link.guard.security().encrypted {
            return;
        }
        let identity = link.identity().or_else(|| self.privacy.identity_of(link.peer));
        if let Some(bond) = self.bonds.get(identity.unwrap_or(link.peer)) {
            link.guard.bond = Some(bond.peer);
            link.guard
                .set_security(LinkSecurity { bonded: encrypts(bond, link.role), ..link.guard.security() });
            link.serving.client.security = link.guard.for_server(false);
            link.verify_signatures(bond);
        }
    }

    /// Keeps what a pairing has left, unless that would take the place of something better, or of somebody else.
    pub(super) fn keep(&mut self, handle: ConnectionHandle, paired: &Paired) -> Result<Kept, OpError> {
        let Some(link) = self.links.get_mut(&handle) else { return Err(OpError::NotConnected) };
        let mut bond = Bond::new(link.peer, paired, Some(self.irk.clone()));
        if let Some(before) = self.bonds.get(bond.peer) {
            // The address that somebody says is theirs proves nothing.
            if link.guard.bond != Some(bond.peer) {
                return Err(OpError::IdentityTaken { peer: bond.peer });
            }
            if bond.is_weaker_than(before) {
                return Err(OpError::WeakerThanBond { peer: bond.peer });
            }
        }
        let taken = |other: &Bond| other.peer != bond.peer && other.keys.irk == bond.keys.irk;
        if bond.keys.irk.is_some() && self.bonds.iter().any(taken) {
            tracing::warn!(peer = %bond.peer, "not resolved: its identity resolving key is another peer's");
            bond.keys.irk = None;
        }
        // A peer that has changed its identity is not two.
        if let Some(before) = link.guard.bond.filter(|before| *before != bond.peer) {
            self.bonds.0.remove(&before);
            self.events.push_back(SecurityEvent::Forget(before).into());
        }
        bond.client = remember(link.serving.client.remembered(&self.table));
        link.guard.bond = Some(bond.peer);
        link.verify_signatures(&bond);
        let kept = Kept { peer: bond.peer, encrypts: encrypts(&bond, link.role) };
        self.bonds.0.insert(bond.peer, bond.clone());
        self.follow_bonds();
        self.events.push_back(SecurityEvent::Save(Box::new(bond)).into());
        Ok(kept)
    }

    /// The peer has proved who it is: its client has what it had, and learns what has changed since.
    pub(super) fn restore_client(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(link) = self.links.get(&handle) else { return };
        let Some(bond) = link.guard.bond.and_then(|peer| self.bonds.get(peer)) else { return };
        let BondedClient { configurations, features, database_hash } = bond.client.clone();
        let remembered = Remembered { configurations, features, database_hash };
        self.on_link(handle, |link, out| link.restore_client(now, remembered, out));
    }

    /// Saves what the bond keeps of a client, if that has changed.
    pub(super) fn save_client(&mut self, handle: ConnectionHandle) {
        let Some(link) = self.links.get_mut(&handle) else { return };
        link.guard.save_by = None;
        let Some(bond) = link.guard.bond.and_then(|peer| self.bonds.get_mut(peer)) else { return };
        // In the clear a client proves nothing but what it signs.
        let client = match link.guard.security().encrypted {
            true => remember(link.serving.client.remembered(&self.table)),
            false => bond.client.clone(),
        };
        let signed = link.serving.client.next_signature().unwrap_or(bond.sign_counters.remote);
        let proved = link.guard.security().encrypted && link.on_air != bond.peer;
        let on_air = proved.then_some(link.on_air).or(bond.on_air);
        if (&client, on_air, signed) != (&bond.client, bond.on_air, bond.sign_counters.remote) {
            (bond.client, bond.on_air, bond.sign_counters.remote) = (client, on_air, signed);
            self.events.push_back(SecurityEvent::Save(Box::new(bond.clone())).into());
        }
    }
}

impl Guard {
    /// What the bond keeps has changed.
    pub(super) fn save_soon(&mut self, now: Instant) {
        if self.bond.is_some() {
            self.save_by.get_or_insert(now + SAVE_AFTER);
        }
    }
}

fn remember(client: Remembered) -> BondedClient {
    let Remembered { configurations, features, database_hash } = client;
    BondedClient { configurations, features, database_hash }
}
