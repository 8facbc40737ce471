//! Bonds for the tests, and what every store owes.

use super::{BondStore, StoreError, Stored};
use crate::smp::{Bond, BondedClient, Identity, Key, Keys, LongTermKey, Method, PairedInfo, SignCounters};
use crate::{Address, BdAddr};
use std::collections::BTreeMap;

pub(super) const ADAPTER: Address = Address::public(BdAddr([0x55, 0x44, 0x33, 0x22, 0x11, 0x00]));

pub(super) fn identity() -> Identity {
    Identity { random_address: BdAddr([1, 2, 3, 4, 5, 0xC6]), irk: Key::new([0x1A; 16]) }
}

/// The n-th peer, bonded by Secure Connections or legacy pairing, with everything that a bond can have.
pub(super) fn bond(n: u8, secure_connections: bool) -> Bond {
    let key = |kind: u8| Key::new(std::array::from_fn(|i| kind << 4 | u8::try_from(i).expect("below 16")));
    let peer = Address::random(BdAddr([n, 2, 3, 4, 5, 0xC6]));
    let shared = LongTermKey { key: key(1), ediv: 0, rand: [0; 8] };
    let peer_ltk = LongTermKey { key: key(2), ediv: 0x1234, rand: [1, 2, 3, 4, 5, 6, 7, 0xF8] };
    let local_ltk = LongTermKey { key: key(3), ediv: 0xFEDC, rand: [0xFF; 8] };
    Bond {
        peer,
        on_air: Some(Address::random(BdAddr([1, 2, 3, 4, 5, 0x46]))),
        paired: PairedInfo {
            method: Some(Method::PasskeyEntry),
            secure_connections,
            authenticated: true,
            key_size: 16,
        },
        keys: Keys {
            peer_ltk: Some(if secure_connections { shared.clone() } else { peer_ltk }),
            local_ltk: Some(if secure_connections { shared } else { local_ltk }),
            irk: Some(key(4)),
            identity: Some(peer),
            csrk: Some(key(5)),
            local_csrk: Some(key(6)),
            link_key: None,
        },
        local_irk: Some(key(7)),
        sign_counters: SignCounters { local: 9, remote: u32::MAX },
        client: BondedClient {
            configurations: BTreeMap::from([(0x000B, 1), (0xFFFF, 2)]),
            features: 7,
            database_hash: Some([0x0D; 16]),
        },
    }
}

/// What every store does, from empty.
pub(super) fn keeps_bonds(mut new: impl FnMut() -> Box<dyn BondStore>) {
    let mut store = new();
    assert_eq!(store.load(ADAPTER).expect("loaded"), None);
    let early = store.save(ADAPTER, &bond(1, true));
    assert!(matches!(early, Err(StoreError::UnknownAdapter(ADAPTER))), "a bond of nobody: {early:?}");
    store.remove(ADAPTER, bond(1, true).peer).expect("nothing to forget");
    assert_eq!(store.load(ADAPTER).expect("loaded"), None);

    store.save_identity(ADAPTER, &identity()).expect("kept");
    let mut expected = Stored::new(identity());
    for bond in [bond(1, true), bond(2, false)] {
        store.save(ADAPTER, &bond).expect("kept");
        expected.bonds.push(bond);
    }
    assert_eq!(store.load(ADAPTER).expect("loaded"), Some(expected.clone()));

    // In its place.
    expected.bonds[0].client.configurations.insert(3, 2);
    store.save(ADAPTER, &expected.bonds[0]).expect("kept");
    // The same 48 bits of the other kind are another peer, and so is another adapter another.
    let other = Bond { peer: Address::public(bond(1, true).peer.bd_addr), ..bond(1, true) };
    store.save(ADAPTER, &other).expect("kept");
    expected.bonds.push(other);
    let second = Address::random(ADAPTER.bd_addr);
    store.save_identity(second, &Identity { random_address: BdAddr([7; 6]), ..identity() }).expect("kept");
    assert_eq!(store.load(second).expect("loaded").expect("known").bonds, []);

    expected.identity.irk = Key::new([0x1B; 16]);
    store.save_identity(ADAPTER, &expected.identity).expect("kept");
    store.remove(ADAPTER, bond(2, false).peer).expect("forgotten");
    expected.bonds.remove(1);
    assert_eq!(store.load(ADAPTER).expect("loaded"), Some(expected));
}
