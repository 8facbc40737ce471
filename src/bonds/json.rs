//! Bonds as JSON text, as [`JsonStore`](super::JsonStore) has it in its files.
//!
//! One object for an adapter. Keys, random numbers and hashes are hexadecimal digits in the order of the air, least
//! significant octet first; addresses are as people write them, with `/public` or `/random`. What a bond does not have is
//! left out.
//!
//! | Member | What it is |
//! |---|---|
//! | `version` | 1; another version is not read |
//! | `adapter` | the address by which the adapter is known |
//! | `identity` | `random_address` and `irk`: who it is to its peers |
//! | `bonds` | an array, each with another `peer` |
//!
//! | Member of a bond | What it is |
//! |---|---|
//! | `peer`, `on_air` | its identity address, and the address that it was last seen by |
//! | `method` | `just_works`, `passkey_entry`, `numeric_comparison` or `oob` |
//! | `secure_connections`, `authenticated`, `key_size` | what the keys are worth; octets |
//! | `peer_ltk`, `local_ltk` | `key`, `ediv` and `rand` of the long-term key that encrypts when we are central, and when we are peripheral |
//! | `irk`, `identity`, `csrk` | what the peer has distributed besides |
//! | `local_irk`, `local_csrk`, `link_key` | what it was given, and what was derived for BR/EDR |
//! | `sign_counters` | `local` of our next message, `remote` the lowest of the peer's next |
//! | `client` | `configurations` by the handle of each descriptor, `features`, `database_hash` |
//!
//! A member that is not in this list is an error: it would be lost when the text is written again.

use super::fields::{Hex, KeyText, MethodName, Text, position};
use super::{ImportError, Stored};
use crate::smp::{Bond, BondedClient, Identity, Key, Keys, LongTermKey, PairedInfo, SignCounters};
use crate::{Address, BdAddr};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use zeroize::Zeroizing;

/// The one version that there is.
const VERSION: u64 = 1;

/// Reads what is stored for an adapter, and for which.
///
/// # Errors
/// When the text is not as described above, or holds two bonds of one peer.
pub fn import(text: &str) -> Result<(Address, Stored), ImportError> {
    // Its version first: all else may be different in another.
    let Version { version } = serde_json::from_str(text).map_err(|error| position(&error))?;
    if version != VERSION {
        return Err(ImportError::new("version", "not 1, the only one that is known here"));
    }
    let file: File = serde_json::from_str(text).map_err(|error| position(&error))?;
    let mut peers = BTreeSet::new();
    for (number, bond) in file.bonds.iter().enumerate() {
        let wrong = |what, reason| Err(ImportError::new(format!("bonds[{number}].{what}"), reason));
        if !peers.insert(bond.peer.0) {
            return wrong("peer", "a bond with this peer is there already");
        }
        if !(7..=16).contains(&bond.key_size) {
            return wrong("key_size", "not from 7 to 16");
        }
    }
    let IdentityFields { random_address, irk } = file.identity;
    let identity = Identity { random_address: random_address.0, irk: irk.0 };
    Ok((file.adapter.0, Stored { identity, bonds: file.bonds.into_iter().map(Bond::from).collect() }))
}

/// Writes what [`import`] reads, in a text that is wiped when it is dropped.
pub fn export(adapter: Address, stored: &Stored) -> Zeroizing<String> {
    let file = File {
        version: VERSION,
        adapter: Text(adapter),
        identity: IdentityFields {
            random_address: Text(stored.identity.random_address),
            irk: KeyText(stored.identity.irk.clone()),
        },
        bonds: stored.bonds.iter().map(BondFields::from).collect(),
    };
    text(&file)
}

/// Any value as JSON. Its length is found first, for a text that grows leaves copies of keys behind.
pub(super) fn text(value: &impl Serialize) -> Zeroizing<String> {
    const NO_ERROR: &str = "memory takes every text, and every member can be written";
    let mut length = Length(0);
    serde_json::to_writer_pretty(&mut length, value).expect(NO_ERROR);
    let mut octets = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer_pretty(&mut *octets, value).expect(NO_ERROR);
    Zeroizing::new(String::from_utf8(std::mem::take(&mut *octets)).expect("JSON is UTF-8"))
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0 += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    adapter: Text<Address>,
    identity: IdentityFields,
    bonds: Vec<BondFields>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFields {
    random_address: Text<BdAddr>,
    irk: KeyText,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BondFields {
    peer: Text<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_air: Option<Text<Address>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<MethodName>,
    secure_connections: bool,
    authenticated: bool,
    key_size: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer_ltk: Option<LongTermKeyFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local_ltk: Option<LongTermKeyFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    irk: Option<KeyText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Text<Address>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    csrk: Option<KeyText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local_csrk: Option<KeyText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link_key: Option<KeyText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local_irk: Option<KeyText>,
    sign_counters: SignCounterFields,
    client: ClientFields,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongTermKeyFields {
    key: KeyText,
    ediv: u16,
    rand: Hex<8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignCounterFields {
    local: u32,
    remote: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientFields {
    configurations: BTreeMap<u16, u16>,
    features: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    database_hash: Option<Hex<16>>,
}

impl From<&Bond> for BondFields {
    fn from(bond: &Bond) -> Self {
        let key = |key: &Option<Key>| key.clone().map(KeyText);
        let ltk = |ltk: &Option<LongTermKey>| {
            let LongTermKey { key, ediv, rand } = ltk.clone()?;
            Some(LongTermKeyFields { key: KeyText(key), ediv, rand: Hex(rand) })
        };
        // Whatever a bond comes to have besides is missed here by the compiler.
        let Bond { peer, on_air, paired, keys, local_irk, sign_counters, client } = bond;
        let PairedInfo { method, secure_connections, authenticated, key_size } = *paired;
        let Keys { peer_ltk, local_ltk, irk, identity, csrk, local_csrk, link_key } = keys;
        let SignCounters { local, remote } = *sign_counters;
        let BondedClient { configurations, features, database_hash } = client;
        Self {
            peer: Text(*peer),
            on_air: on_air.map(Text),
            method: method.map(MethodName),
            secure_connections,
            authenticated,
            key_size,
            peer_ltk: ltk(peer_ltk),
            local_ltk: ltk(local_ltk),
            irk: key(irk),
            identity: identity.map(Text),
            csrk: key(csrk),
            local_csrk: key(local_csrk),
            link_key: key(link_key),
            local_irk: key(local_irk),
            sign_counters: SignCounterFields { local, remote },
            client: ClientFields {
                configurations: configurations.clone(),
                features: *features,
                database_hash: database_hash.map(Hex),
            },
        }
    }
}

impl From<BondFields> for Bond {
    fn from(fields: BondFields) -> Self {
        let key = |key: Option<KeyText>| key.map(|key| key.0);
        let ltk = |ltk: Option<LongTermKeyFields>| {
            ltk.map(|LongTermKeyFields { key, ediv, rand }| LongTermKey { key: key.0, ediv, rand: rand.0 })
        };
        Self {
            peer: fields.peer.0,
            on_air: fields.on_air.map(|text| text.0),
            paired: PairedInfo {
                method: fields.method.map(|name| name.0),
                secure_connections: fields.secure_connections,
                authenticated: fields.authenticated,
                key_size: fields.key_size,
            },
            keys: Keys {
                peer_ltk: ltk(fields.peer_ltk),
                local_ltk: ltk(fields.local_ltk),
                irk: key(fields.irk),
                identity: fields.identity.map(|text| text.0),
                csrk: key(fields.csrk),
                local_csrk: key(fields.local_csrk),
                link_key: key(fields.link_key),
            },
            local_irk: key(fields.local_irk),
            sign_counters: SignCounters {
                local: fields.sign_counters.local,
                remote: fields.sign_counters.remote,
            },
            client: BondedClient {
                configurations: fields.client.configurations,
                features: fields.client.features,
                database_hash: fields.client.database_hash.map(|hex| hex.0),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bonds::testing::{self, ADAPTER};
    use proptest::prelude::*;

    fn stored() -> Stored {
        let mut bare = testing::bond(3, false);
        bare.on_air = None;
        bare.paired.method = None;
        bare.keys = Keys { link_key: Some(Key::new([0xB4; 16])), ..Keys::default() };
        bare.local_irk = None;
        bare.client = BondedClient::default();
        Stored {
            identity: testing::identity(),
            bonds: vec![testing::bond(1, true), testing::bond(2, false), bare],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = export(ADAPTER, &stored());
        assert_eq!(import(&text), Ok((ADAPTER, stored())), "{}", *text);
        let empty = Stored::new(testing::identity());
        assert_eq!(import(&export(ADAPTER, &empty)), Ok((ADAPTER, empty)));
    }

    /// The text itself, for whoever reads it without this library.
    #[test]
    fn keys_stand_in_the_order_of_the_air() {
        let mut bond = testing::bond(1, false);
        bond.keys.local_ltk = None;
        bond.keys.csrk = None;
        bond.keys.local_csrk = None;
        let text = export(ADAPTER, &Stored { bonds: vec![bond], ..Stored::new(testing::identity()) });
        let expected = r#"{
  "version": 1,
  "adapter": "00:11:22:33:44:55/public",
  "identity": {
    "random_address": "C6:05:04:03:02:01",
    "irk": "1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"
  },
  "bonds": [
    {
      "peer": "C6:05:04:03:02:01/random",
      "on_air": "46:05:04:03:02:01/random",
      "method": "passkey_entry",
      "secure_connections": false,
      "authenticated": true,
      "key_size": 16,
      "peer_ltk": {
        "key": "202122232425262728292a2b2c2d2e2f",
        "ediv": 4660,
        "rand": "01020304050607f8"
      },
      "irk": "404142434445464748494a4b4c4d4e4f",
      "identity": "C6:05:04:03:02:01/random",
      "local_irk": "707172737475767778797a7b7c7d7e7f",
      "sign_counters": {
        "local": 9,
        "remote": 4294967295
      },
      "client": {
        "configurations": {
          "11": 1,
          "65535": 2
        },
        "features": 7,
        "database_hash": "0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d"
      }
    }
  ]
}"#;
        assert_eq!(text.as_str(), expected);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_its_place_and_not_repeated() {
        let good = export(ADAPTER, &stored());
        let key = "202122232425262728292a2b2c2d2e2f";
        for (from, to) in [
            ("\"adapter\"", "adapter"),
            ("00:11:22:33:44:55/public", "00:11:22:33:44:55"),
            ("\"features\"", "\"futures\""),
            (key, "202122232425262728292a2b2c2d2e"),
            (key, "202122232425262728292a2b2c2d2e2g"),
            ("01020304050607f8", "01020304050607+8"),
            ("\"ediv\": 4660", "\"ediv\": \"202122232425262728292a2b2c2d2e2f\""),
            ("\"ediv\": 4660", "\"ediv\": 65536"),
            ("\"passkey_entry\"", "\"202122232425262728292a2b2c2d2e2f\""),
        ] {
            let (before, behind) = good.split_once(from).expect(from);
            let said = import(&format!("{before}{to}{behind}")).expect_err(to).to_string();
            let line = before.lines().count();
            assert!(said.starts_with(&format!("line {line}, ")) && !said.contains("2021"), "{to}: {said}");
        }
        for (from, to, error) in [
            ("\"version\": 1", "\"version\": 2", "version: not 1, the only one that is known here"),
            ("02/random", "01/random", "bonds[1].peer: a bond with this peer is there already"),
            ("\"key_size\": 16", "\"key_size\": 6", "bonds[0].key_size: not from 7 to 16"),
        ] {
            let text = good.replace(from, to);
            assert_eq!(import(&text).expect_err(to).to_string(), error);
        }
        assert!(import(&good.replace("\"version\": 1,", "")).is_err(), "without a version");
        // All else may be different in another version.
        assert!(import("{\"version\":3,\"all\":[]}").expect_err("3").to_string().starts_with("version"));
    }

    #[test]
    fn a_text_that_ends_anywhere_is_refused() {
        let good = export(ADAPTER, &stored());
        for end in 0..good.len() {
            assert!(import(&good[..end]).is_err(), "{end} octets");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_text_makes_nothing_panic(at in 0..3000_usize, with in "[\"{}\\[\\],0-9a-fn\\\\-]{0,4}", gone in 0..9_usize) {
            let mut text = export(ADAPTER, &stored()).to_string();
            let start = at.min(text.len());
            let end = (start + gone).min(text.len());
            text.replace_range(start..end, &with);
            let _ = import(&text);
        }
    }
}
