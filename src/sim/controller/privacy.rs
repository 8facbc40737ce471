//! The resolving list, and addresses that are made and resolved by it ([Vol 6] Part B, 6; [Vol 4] Part E, 7.8.38 to
//! 7.8.45 and 7.8.77).

use super::Controller;
use crate::crypto::{Key, ResolvingKey};
use crate::hci::command::{LeAddDeviceToResolvingList, LeSetPrivacyMode};
use crate::hci::{AddressType, ErrorCode, OwnAddressType};
use crate::sim::agenda::{Dice, Ticket, Wake};
use crate::sim::{ControllerId, Radio};
use crate::{Address, BdAddr};
use std::time::Duration;

/// How long an address is used, unless the host says otherwise ([Vol 4] Part E, 7.8.45).
const ROTATION: Duration = Duration::from_secs(900);

#[derive(Debug)]
pub(in crate::sim) struct Privacy {
    enabled: bool,
    rotation: Duration,
    list: Vec<Entry>,
    timer: Option<Ticket>,
}

#[derive(Debug)]
struct Entry {
    identity: Address,
    peer_irk: Key,
    /// By the key of the peer; `None` for a key of zeros.
    peer: Option<ResolvingKey>,
    /// By ours.
    local: Option<ResolvingKey>,
    /// The peer may also use its identity address ([Vol 6] Part B, 4.7).
    device_privacy: bool,
    local_address: Option<BdAddr>,
    peer_address: Option<BdAddr>,
}

/// Whether the host leaves it to the controller to make an address.
pub(super) fn is_private(kind: OwnAddressType) -> bool {
    matches!(kind, OwnAddressType::ResolvableOrPublic | OwnAddressType::ResolvableOrRandom)
}

/// Who has an address of the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Who {
    /// Identity where the address was resolved, else the address.
    pub(in crate::sim) address: Address,
    pub(in crate::sim) resolved: bool,
}

impl Who {
    pub(in crate::sim) fn address_type(self) -> AddressType {
        match (AddressType::from(self.address.kind), self.resolved) {
            (AddressType::Public, true) => AddressType::PublicIdentity,
            (AddressType::Random, true) => AddressType::RandomIdentity,
            (kind, _) => kind,
        }
    }
}

impl Default for Privacy {
    fn default() -> Self {
        Self { enabled: false, rotation: ROTATION, list: Vec::new(), timer: None }
    }
}

impl Privacy {
    pub(super) fn timer(&self) -> Option<Ticket> {
        self.timer
    }

    /// Who has an address on the air; `None` for one whose identity address is not to be used.
    pub(in crate::sim) fn who(&self, on_air: Address) -> Option<Who> {
        let as_it_is = Who { address: on_air, resolved: false };
        if !self.enabled {
            return Some(as_it_is);
        }
        if let Some(entry) = self.list.iter().find(|entry| entry.is_on_air(on_air)) {
            return Some(Who { address: entry.identity, resolved: true });
        }
        let hides = |entry: &Entry| entry.identity == on_air && entry.peer.is_some() && !entry.device_privacy;
        if self.list.iter().any(hides) { None } else { Some(as_it_is) }
    }

    /// Keeps the address that a peer was heard with, for its host to read.
    pub(super) fn heard(&mut self, on_air: Address) {
        if self.enabled
            && let Some(entry) = self.list.iter_mut().find(|entry| entry.is_on_air(on_air))
        {
            entry.peer_address = Some(on_air.bd_addr);
        }
    }

    /// Our own resolvable address towards a peer.
    pub(in crate::sim) fn local(&self, peer: Option<Address>) -> Option<Address> {
        let peer = peer.filter(|_| self.enabled)?;
        let entry = self.list.iter().find(|entry| entry.identity == peer)?;
        entry.local_address.map(Address::random)
    }

    /// The resolvable address of a peer, to call it by.
    pub(super) fn peer(&self, peer: Address) -> Option<Address> {
        let entry = self.list.iter().find(|entry| self.enabled && entry.identity == peer)?;
        entry.peer_address.filter(|_| entry.peer.is_some()).map(Address::random)
    }

    /// Whether a resolvable address was made with one of our keys.
    pub(super) fn is_ours(&self, address: Address) -> bool {
        let ours = |entry: &Entry| entry.local.as_ref().is_some_and(|key| key.resolves(address.bd_addr));
        self.enabled && address.is_resolvable() && self.list.iter().any(ours)
    }

    /// New addresses of all sorts.
    fn renew(&mut self, dice: &mut Dice) {
        for entry in &mut self.list {
            entry.renew(dice);
        }
    }

    fn entry(&self, identity: Option<Address>) -> Result<&Entry, ErrorCode> {
        let found = self.list.iter().find(|entry| Some(entry.identity) == identity);
        found.ok_or(ErrorCode::UnknownConnectionIdentifier)
    }

    pub(super) fn peer_resolvable(&self, identity: Option<Address>) -> Result<BdAddr, ErrorCode> {
        self.entry(identity).map(|entry| entry.peer_address.unwrap_or(BdAddr::ANY))
    }

    pub(super) fn local_resolvable(&self, identity: Option<Address>) -> Result<BdAddr, ErrorCode> {
        self.entry(identity).map(|entry| entry.local_address.unwrap_or(BdAddr::ANY))
    }
}

impl Entry {
    fn is_on_air(&self, address: Address) -> bool {
        address.is_resolvable() && self.peer.as_ref().is_some_and(|key| key.resolves(address.bd_addr))
    }

    fn renew(&mut self, dice: &mut Dice) {
        let mut address = |key: &Option<ResolvingKey>| key.as_ref().map(|key| key.address(dice.octets()));
        self.local_address = address(&self.local);
        self.peer_address = address(&self.peer);
    }
}

impl Controller {
    /// Own addresses of two kinds are resolvable towards peers in the list, and what they are named after towards others.
    pub(in crate::sim) fn own_address_to(
        &self,
        kind: OwnAddressType,
        peer: Option<Address>,
    ) -> Result<Address, ErrorCode> {
        let private = self.privacy.local(peer).filter(|_| is_private(kind));
        private.map_or_else(|| self.own_address(kind), Ok)
    }

    /// Whether something uses addresses: then the list is as it is.
    fn is_busy(&self) -> bool {
        self.is_listening()
            || self.advertising.on_air.is_some()
            || self.sets.values().any(|set| set.on_air.is_some())
    }

    fn may_change_resolving_list(&self) -> Result<(), ErrorCode> {
        if self.privacy.enabled && self.is_busy() { Err(ErrorCode::CommandDisallowed) } else { Ok(()) }
    }

    pub(super) fn remove_from_resolving_list(&mut self, identity: Option<Address>) -> Result<(), ErrorCode> {
        self.may_change_resolving_list()?;
        self.privacy.entry(identity)?;
        self.privacy.list.retain(|entry| Some(entry.identity) != identity);
        Ok(())
    }

    pub(super) fn clear_resolving_list(&mut self) -> Result<(), ErrorCode> {
        self.may_change_resolving_list()?;
        self.privacy.list.clear();
        Ok(())
    }

    pub(super) fn set_privacy_mode(&mut self, c: LeSetPrivacyMode) -> Result<(), ErrorCode> {
        self.may_change_resolving_list()?;
        let identity = c.peer_identity_address_type.with(c.peer_identity_address);
        self.privacy.entry(identity)?;
        if c.privacy_mode > 1 {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        for entry in self.privacy.list.iter_mut().filter(|entry| Some(entry.identity) == identity) {
            entry.device_privacy = c.privacy_mode == 1;
        }
        Ok(())
    }
}

impl Radio {
    pub(super) fn add_to_resolving_list(
        &mut self,
        id: ControllerId,
        c: LeAddDeviceToResolvingList<'_>,
    ) -> Result<(), ErrorCode> {
        let Self { controllers, dice, .. } = self;
        let controller = &mut controllers[id.0];
        controller.may_change_resolving_list()?;
        let (peer_irk, local_irk) = (Key::new(*c.peer_irk.0), Key::new(*c.local_irk.0));
        let identity = match c.peer_identity_address_type {
            AddressType::Public | AddressType::Random => {
                c.peer_identity_address_type.with(c.peer_identity_address)
            }
            _ => None,
        };
        let identity = identity.ok_or(ErrorCode::InvalidHciCommandParameters)?;
        let list = &mut controller.privacy.list;
        let is_there =
            |entry: &Entry| entry.identity == identity || !peer_irk.is_zero() && entry.peer_irk == peer_irk;
        if list.iter().any(is_there) {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        if list.len() >= usize::from(controller.options.resolving_list_size) {
            return Err(ErrorCode::MemoryCapacityExceeded);
        }
        let resolving = |irk: &Key| (!irk.is_zero()).then(|| ResolvingKey::new(irk));
        let mut entry = Entry {
            identity,
            peer: resolving(&peer_irk),
            local: resolving(&local_irk),
            peer_irk,
            device_privacy: false,
            local_address: None,
            peer_address: None,
        };
        entry.renew(dice);
        list.push(entry);
        Ok(())
    }

    pub(super) fn set_address_resolution(&mut self, id: ControllerId, enable: u8) -> Result<(), ErrorCode> {
        let controller = self.controller(id);
        if controller.is_busy() {
            return Err(ErrorCode::CommandDisallowed);
        }
        controller.privacy.enabled = match enable {
            0 => false,
            1 => true,
            _ => return Err(ErrorCode::InvalidHciCommandParameters),
        };
        self.schedule_rotation(id);
        Ok(())
    }

    pub(super) fn set_rotation(&mut self, id: ControllerId, seconds: u16) -> Result<(), ErrorCode> {
        if !(1..=0x0E10).contains(&seconds) {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        self.controller(id).privacy.rotation = Duration::from_secs(seconds.into());
        self.schedule_rotation(id);
        Ok(())
    }

    fn schedule_rotation(&mut self, id: ControllerId) {
        let privacy = &mut self.controllers[id.0].privacy;
        if let Some(ticket) = privacy.timer.take() {
            self.agenda.cancel(ticket);
        }
        if privacy.enabled {
            privacy.timer = Some(self.agenda.at(self.now + privacy.rotation, Wake::Addresses(id)));
        }
    }

    /// The addresses of a controller have been used for long enough; what is on the air goes on with new ones.
    pub(in crate::sim) fn rotate_addresses(&mut self, id: ControllerId) {
        let Self { controllers, dice, advertisers, .. } = self;
        let privacy = &mut controllers[id.0].privacy;
        privacy.renew(dice);
        for advertiser in advertisers.values_mut().filter(|it| it.owner.controller() == Some(id)) {
            let Some(peer) = advertiser.private_to else { continue };
            if let Some(address) = privacy.local(Some(peer)) {
                advertiser.address = address;
            }
            if advertiser.advertisement.directed.is_some_and(|target| target.is_resolvable()) {
                advertiser.advertisement.directed = privacy.peer(peer);
            }
        }
        self.schedule_rotation(id);
    }
}
