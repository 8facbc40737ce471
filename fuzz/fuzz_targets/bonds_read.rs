//! Any text as bonds of each kind: none panics, no error repeats what it was given, and what is read is written so that it
//! is read again, keys and all.

#![no_main]

use baretooth::bonds::{ImportError, Stored, bluez, bumble, json};
use baretooth::smp::{Identity, Key};
use baretooth::{Address, BdAddr};
use libfuzzer_sys::fuzz_target;

const PEER: BdAddr = BdAddr([1, 2, 3, 4, 5, 0xC6]);

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = str::from_utf8(octets) else { return };
    match json::import(text) {
        Ok((adapter, stored)) => {
            assert_eq!(json::import(&json::export(adapter, &stored)), Ok((adapter, stored)));
        }
        Err(error) => short(&error),
    }
    match bluez::import(PEER, text) {
        Ok(bond) => {
            assert_eq!(bluez::import(PEER, &bluez::export(&bond)), Ok(bond.clone()));
            let identity = Identity { random_address: PEER, irk: Key::new([1; 16]) };
            let (adapter, stored) = (Address::public(PEER), Stored { identity, bonds: vec![bond] });
            assert_eq!(json::import(&json::export(adapter, &stored)), Ok((adapter, stored)));
        }
        Err(error) => short(&error),
    }
    match bumble::import(text) {
        Ok(adapters) => {
            for (name, bonds) in adapters {
                let again = bumble::import(&bumble::export(&name, &bonds)).expect("of our own making");
                // Two names of one address become one.
                assert!(again[&name].iter().all(|bond| bonds.contains(bond)));
            }
        }
        Err(error) => short(&error),
    }
});

/// A place and a reason, however long the text.
fn short(error: &ImportError) {
    assert!(error.to_string().len() < 200, "{error}");
}
