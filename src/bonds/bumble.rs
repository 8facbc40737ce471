//! Bonds of Bumble: the JSON file of its `JsonKeyStore`, an object for each adapter (there a namespace, its address as a rule)
//! with an object for each peer. Its keys are in the order of the air.
//!
//! What pairing for LE makes is read and written; link keys of BR/EDR are not. Bumble does not write down the method, the
//! size of a key, which with it is 16 octets, or any key of ours besides the long-term one. Of the two keys of legacy
//! pairing, `ltk_central` is taken for the one that encrypts when we are central, as Bumble itself does.

use super::fields::{Hex, parse, position};
use super::{ImportError, json};
use crate::smp::{Bond, BondedClient, Key, Keys, LongTermKey, PairedInfo, SignCounters};
use crate::{Address, AddressKind, BdAddr};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Reads the bonds of a key store by the names of their adapters. A peer that has no key for LE is left out.
///
/// ```
/// use baretooth::bonds::bumble;
/// let store = r#"{"00:11:22:33:44:55/P": {"C0:11:22:33:44:55": {"address_type": 1,
///     "ltk": {"value": "000102030405060708090a0b0c0d0e0f", "authenticated": true}}}}"#;
/// let bonds = &bumble::import(store)?["00:11:22:33:44:55/P"];
/// assert!(bonds[0].paired.secure_connections && bonds[0].paired.authenticated);
/// # Ok::<(), baretooth::bonds::ImportError>(())
/// ```
///
/// # Errors
/// When the text is no key store.
pub fn import(store: &str) -> Result<BTreeMap<String, Vec<Bond>>, ImportError> {
    let store: BTreeMap<String, BTreeMap<String, Peer>> =
        serde_json::from_str(store).map_err(|error| position(&error))?;
    let bonds = |peers: BTreeMap<String, Peer>| {
        peers.into_iter().filter_map(|(name, peer)| bond(&name, peer).transpose()).collect::<Result<_, _>>()
    };
    store.into_iter().map(|(adapter, peers)| Ok((adapter, bonds(peers)?))).collect()
}

/// Writes the bonds of an adapter as a whole key store, in a text that is wiped when it is dropped.
pub fn export(adapter: &str, bonds: &[Bond]) -> Zeroizing<String> {
    let peers: BTreeMap<_, _> = bonds.iter().map(|bond| (name(bond.peer), Peer::from(bond))).collect();
    json::text(&BTreeMap::from([(adapter, peers)]))
}

/// A `PairingKeys` of Bumble. Newer versions may have more of it.
#[derive(Serialize, Deserialize)]
struct Peer {
    #[serde(skip_serializing_if = "Option::is_none")]
    address_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ltk: Option<StoredKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ltk_central: Option<StoredKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ltk_peripheral: Option<StoredKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    irk: Option<StoredKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    csrk: Option<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    value: MaybeKey,
    #[serde(default)]
    authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ediv: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rand: Option<Hex<8>>,
}

/// Bumble writes an empty text for a key that it was never given.
struct MaybeKey(Option<Key>);

impl Serialize for MaybeKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_ref().map(Key::to_hex).as_ref().map_or("", |hex| hex.as_str()))
    }
}

impl<'de> Deserialize<'de> for MaybeKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, |text| match text {
            "" => Some(Self(None)),
            text => Key::from_hex(text).ok().map(|key| Self(Some(key))),
        })
    }
}

fn bond(name: &str, keys: Peer) -> Result<Option<Bond>, ImportError> {
    let Peer { address_type, ltk, ltk_central, ltk_peripheral, irk, csrk } = keys;
    let key = |stored: Option<StoredKey>| stored?.value.0.filter(|key| !key.is_zero());
    let mut authenticated = true;
    let mut long_term_key = |stored: Option<StoredKey>| {
        let StoredKey { authenticated: so, ediv, rand, .. } = stored.as_ref()?;
        let (so, ediv, rand) = (*so, ediv.unwrap_or(0), rand.map_or([0; 8], |rand| rand.0));
        let key = key(stored)?;
        authenticated &= so;
        Some(LongTermKey { key, ediv, rand })
    };
    let shared = long_term_key(ltk);
    let secure_connections = shared.is_some();
    let (peer_ltk, local_ltk) = match shared {
        Some(shared) => (Some(shared.clone()), Some(shared)),
        None => (long_term_key(ltk_central), long_term_key(ltk_peripheral)),
    };
    if peer_ltk.is_none() && local_ltk.is_none() {
        return Ok(None);
    }
    let peer = address(name, address_type)?;
    let irk = key(irk);
    Ok(Some(Bond {
        peer,
        on_air: None,
        paired: PairedInfo { method: None, secure_connections, authenticated, key_size: 16 },
        keys: Keys {
            peer_ltk,
            local_ltk,
            identity: irk.is_some().then_some(peer),
            irk,
            csrk: key(csrk),
            local_csrk: None,
            link_key: None,
        },
        local_irk: None,
        sign_counters: SignCounters::default(),
        client: BondedClient::default(),
    }))
}

impl From<&Bond> for Peer {
    fn from(bond: &Bond) -> Self {
        let PairedInfo { authenticated, secure_connections, .. } = bond.paired;
        let Keys { peer_ltk, local_ltk, irk, csrk, .. } = &bond.keys;
        let stored = |key: &Key| MaybeKey(Some(key.clone()));
        let plain = |key: &Option<Key>| {
            Some(StoredKey { value: stored(key.as_ref()?), authenticated, ediv: None, rand: None })
        };
        let long = |ltk: &Option<LongTermKey>| {
            let LongTermKey { key, ediv, rand } = ltk.as_ref()?;
            Some(StoredKey { value: stored(key), authenticated, ediv: Some(*ediv), rand: Some(Hex(*rand)) })
        };
        let shared = plain(&peer_ltk.as_ref().or(local_ltk.as_ref()).map(|ltk| ltk.key.clone()));
        Self {
            address_type: Some(u8::from(bond.peer.kind == AddressKind::Random)),
            ltk: shared.filter(|_| secure_connections),
            ltk_central: long(peer_ltk).filter(|_| !secure_connections),
            ltk_peripheral: long(local_ltk).filter(|_| !secure_connections),
            irk: plain(irk),
            csrk: plain(csrk),
        }
    }
}

/// Random addresses stand alone, public ones have `/P`.
fn name(peer: Address) -> String {
    let public = if peer.kind == AddressKind::Public { "/P" } else { "" };
    format!("{}{public}", peer.bd_addr)
}

/// The kind is said by the name, or by a number: 0 and 2 are public, 1 and 3 random.
fn address(name: &str, address_type: Option<u8>) -> Result<Address, ImportError> {
    let public = name.strip_suffix("/P");
    let bd_addr: BdAddr = public.unwrap_or(name).parse().map_err(|_| {
        ImportError::new("a peer", "its name is no address, as AA:BB:CC:DD:EE:FF or AA:BB:CC:DD:EE:FF/P")
    })?;
    match (public, address_type) {
        (Some(_), _) | (None, Some(0 | 2)) => Ok(Address::public(bd_addr)),
        (None, None | Some(1 | 3)) => Ok(Address::random(bd_addr)),
        _ => Err(ImportError::new(format!("{bd_addr}: address_type"), "not from 0 to 3")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bonds::testing;
    use proptest::prelude::*;

    /// As Bumble 0.0.236 writes it, sorted and indented.
    const STORE: &str = r#"{
    "F0:F1:F2:F3:F4:F5": {
        "00:11:22:33:44:55/P": {
            "address_type": 2,
            "csrk": {"authenticated": false, "value": "303132333435363738393a3b3c3d3e3f"},
            "irk": {"authenticated": false, "value": "404142434445464748494a4b4c4d4e4f"},
            "link_key": {"authenticated": false, "value": "505152535455565758595a5b5c5d5e5f"},
            "link_key_type": 7,
            "ltk": {"authenticated": false, "value": "101112131415161718191a1b1c1d1e1f"}
        },
        "66:11:22:33:44:55/P": {
            "address_type": 0,
            "link_key": {"authenticated": false, "value": "505152535455565758595a5b5c5d5e5f"}
        },
        "C0:11:22:33:44:55": {
            "address_type": 1,
            "ltk_central": {"authenticated": true, "ediv": 4660, "rand": "01020304050607f8",
                "value": "202122232425262728292a2b2c2d2e2f"},
            "ltk_peripheral": {"authenticated": true, "value": ""}
        }
    }
}"#;

    #[test]
    fn a_key_store_gives_the_bonds_that_are_of_use() {
        let store = import(STORE).expect("read");
        let [secure, legacy] = &store["F0:F1:F2:F3:F4:F5"][..] else { panic!("{store:?}") };
        assert_eq!(secure.peer.to_string(), "00:11:22:33:44:55/public");
        assert!(secure.paired.secure_connections && !secure.paired.authenticated);
        let ltk = secure.keys.peer_ltk.as_ref().expect("a key");
        assert_eq!((ltk.key.octets()[0], ltk.ediv, ltk.rand), (0x10, 0, [0; 8]));
        assert_eq!(secure.keys.local_ltk.as_ref(), Some(ltk));
        assert_eq!(secure.keys.irk.as_ref().expect("an IRK").octets()[0], 0x40);
        assert_eq!(secure.keys.csrk.as_ref().expect("a CSRK").octets()[0], 0x30);

        assert_eq!(legacy.peer.to_string(), "C0:11:22:33:44:55/random");
        assert!(!legacy.paired.secure_connections && legacy.paired.authenticated);
        let ltk = legacy.keys.peer_ltk.as_ref().expect("a key");
        assert_eq!((ltk.key.octets()[0], ltk.ediv, ltk.rand), (0x20, 0x1234, [1, 2, 3, 4, 5, 6, 7, 0xF8]));
        assert_eq!(legacy.keys.local_ltk, None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut bonds = vec![testing::bond(1, true), testing::bond(2, false)];
        bonds[0].peer = Address::public(bonds[0].peer.bd_addr);
        bonds[0].keys.identity = Some(bonds[0].peer);
        let text = export("an adapter", &bonds);
        for bond in &mut bonds {
            // Bumble does not have these.
            bond.on_air = None;
            bond.paired.method = None;
            bond.local_irk = None;
            bond.keys.local_csrk = None;
            bond.sign_counters = SignCounters::default();
            bond.client = BondedClient::default();
        }
        assert_eq!(
            import(&text).expect("read"),
            BTreeMap::from([("an adapter".to_owned(), bonds)]),
            "{}",
            *text
        );
    }

    #[test]
    fn what_is_no_key_store_is_refused_and_not_repeated() {
        let key = "202122232425262728292a2b2c2d2e2f";
        for (from, to, place) in [
            (key, "2021222324", "line 18"),
            ("\"ediv\": 4660", "\"ediv\": \"2021222324\"", "line 17"),
            ("\"C0:11:22:33:44:55\"", "\"2021222324\"", "a peer"),
            ("\"address_type\": 1", "\"address_type\": 9", "C0:11:22:33:44:55: address_type"),
            ("F0:F1:F2:F3:F4:F5\": {", "F0:F1:F2:F3:F4:F5\": [{", "line 2"),
        ] {
            let text = STORE.replace(from, to);
            assert_ne!(text, STORE, "{from}");
            let said = import(&text).expect_err(&text).to_string();
            assert!(said.starts_with(place) && !said.contains("2021"), "{to}: {said}");
        }
        assert!(import("[]").is_err() && import("").is_err());
    }

    proptest! {
        #[test]
        fn a_damaged_text_makes_nothing_panic(at in 0..STORE.len(), with in "[\"{}\\[\\],0-9a-fn\\\\-]{0,4}", gone in 0..9_usize) {
            let mut text = STORE.to_owned();
            text.replace_range(at..(at + gone).min(STORE.len()), &with);
            let _ = import(&text);
        }
    }
}
