//! Moves bonds between stacks, so that nothing has to be paired again:
//!
//! ```text
//! cargo run --example bonds -- STORE ADAPTER import-bumble [NAMESPACE] <keys.json
//! cargo run --example bonds -- STORE ADAPTER import-bluez PEER </var/lib/bluetooth/ADAPTER/PEER/info
//! cargo run --example bonds -- STORE ADAPTER export-bumble NAMESPACE >keys.json
//! cargo run --example bonds -- STORE ADAPTER export-bluez PEER >info
//! ```
//!
//! `STORE` is a directory of ours, `ADAPTER` the address by which it knows the adapter, as `00:11:22:33:44:55/public`. What is
//! exported has keys in it: nobody else should be able to read it.

use baretooth::bonds::{BondStore, JsonStore, bluez, bumble};
use baretooth::smp::{Bond, Identity, Key};
use baretooth::{Address, BdAddr};
use std::error::Error;
use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [directory, adapter, verb, of @ ..] = &arguments[..] else {
        return Err("which store, which adapter, and what to do? See the head of this example".into());
    };
    let (mut store, adapter) = (JsonStore::new(directory), adapter.parse::<Address>()?);
    match (*verb, of) {
        ("import-bumble", of) => {
            let mut adapters = bumble::import(&input()?)?;
            adapters.retain(|name, _| of.is_empty() || of.contains(&name.as_str()));
            keep(&mut store, adapter, &adapters.into_values().flatten().collect::<Vec<_>>())
        }
        ("import-bluez", [peer]) => keep(&mut store, adapter, &[bluez::import(peer.parse()?, &input()?)?]),
        ("export-bumble", [name]) => {
            print!("{}", bumble::export(name, &bonds(&mut store, adapter)?).as_str());
            Ok(())
        }
        ("export-bluez", [peer]) => {
            let peer: BdAddr = peer.parse()?;
            let bonds = bonds(&mut store, adapter)?;
            let bond = bonds.iter().find(|bond| bond.peer.bd_addr == peer).ok_or("there is no such bond")?;
            print!("{}", bluez::export(bond).as_str());
            Ok(())
        }
        _ => Err("this is nothing that can be done; see the head of this example".into()),
    }
}

fn bonds(store: &mut JsonStore, adapter: Address) -> Result<Vec<Bond>, Box<dyn Error>> {
    Ok(store.load(adapter)?.map(|stored| stored.bonds).unwrap_or_default())
}

/// An adapter that was never opened has no identity yet; it gets a new one as when it is.
fn keep(store: &mut JsonStore, adapter: Address, bonds: &[Bond]) -> Result<(), Box<dyn Error>> {
    if store.load(adapter)?.is_none() {
        let (mut address, mut irk) = ([0; 6], [0; 16]);
        getrandom::fill(&mut address)?;
        getrandom::fill(&mut irk)?;
        address[5] |= 0xC0;
        store.save_identity(adapter, &Identity { random_address: BdAddr(address), irk: Key::new(irk) })?;
    }
    for bond in bonds {
        store.save(adapter, bond)?;
        println!("{} {}", bond.peer, bond.level());
    }
    Ok(())
}

fn input() -> Result<String, std::io::Error> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}
