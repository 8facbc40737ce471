//! What a shell has heard of: addresses, and the attributes of peers whose tables were discovered.

use baretooth::gatt::Services;
use baretooth::{Address, assigned};
use std::collections::{BTreeMap, BTreeSet};

/// Addresses that are remembered; beyond that none is.
const ROOM: usize = 4096;

#[derive(Debug, Default)]
pub struct Known {
    addresses: BTreeSet<Address>,
    tables: BTreeMap<Address, Services>,
}

impl Known {
    /// Somebody was heard.
    pub fn saw(&mut self, address: Address) {
        if self.addresses.len() < ROOM {
            self.addresses.insert(address);
        }
    }

    /// The table of a peer was discovered; the newest counts.
    pub fn discovered(&mut self, peer: Address, services: &Services) {
        self.saw(peer);
        if self.tables.len() < ROOM || self.tables.contains_key(&peer) {
            self.tables.insert(peer, services.clone());
        }
    }

    /// As they are typed.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        self.addresses.iter().map(Address::to_string)
    }

    /// The characteristics of the peers that `address` may name, or of all when it names none: what to type, and what to
    /// show for it. Names and UUIDs first, then handles.
    pub fn characteristics(&self, address: &str) -> Vec<(String, String)> {
        let is_named = |peer: &Address| {
            let typed = address.contains('/');
            let text = if typed { peer.to_string() } else { peer.bd_addr.to_string() };
            text.eq_ignore_ascii_case(address)
        };
        let of_peer: Vec<_> =
            self.tables.iter().filter(|(peer, _)| is_named(peer)).map(|(_, table)| table).collect();
        let tables = if of_peer.is_empty() { self.tables.values().collect() } else { of_peer };
        let (mut names, mut handles) = (BTreeMap::new(), BTreeMap::new());
        for characteristic in tables.into_iter().flat_map(Services::characteristics) {
            let uuid = characteristic.uuid;
            let name = assigned::characteristic_name(uuid);
            let typed = name.map(|name| name.to_lowercase().replace([' ', '-'], "_"));
            let typed = typed.filter(|typed| assigned::characteristic(typed) == Some(uuid));
            let typed = typed.unwrap_or_else(|| uuid.short().to_string().to_lowercase());
            let handle = format!("0x{:04x}", characteristic.value_handle);
            let shown = format!("{handle}  {}", name.unwrap_or(&typed));
            names.insert(typed.clone(), typed);
            handles.insert(handle, shown);
        }
        names.into_iter().chain(handles).collect()
    }
}
