//! `bonds`: what is kept of earlier pairings. No adapter is needed.

use crate::failure::Failure;
use crate::global::Global;
use crate::output::hex;
use crate::pairing::Paired;
use crate::target::Who;
use baretooth::bonds::{BondStore, StoreError};
use baretooth::smp::{Bond, Key, LongTermKey};
use baretooth::{Address, ErrorKind};
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Prints the keys too, which lets whoever sees them listen and be us
    #[arg(long)]
    keys: bool,
}

#[derive(Serialize)]
struct Told {
    r#type: &'static str,
    #[serde(flatten)]
    paired: Paired,
    /// Which of our adapters has the bond.
    adapter: Who,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Keys>,
}

/// Octets in the order of the air.
#[derive(Serialize)]
struct Keys {
    /// The key of both sides, or the one that the peer distributed.
    ltk: Option<String>,
    ediv: u16,
    rand: String,
    /// The one that we did.
    local_ltk: Option<String>,
    local_ediv: u16,
    local_rand: String,
    irk: Option<String>,
    /// The one that the peer was given.
    local_irk: Option<String>,
    csrk: Option<String>,
    local_csrk: Option<String>,
}

pub fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let bonds = all(global)?;
    let mut output = global.output();
    for (adapter, bond) in &bonds {
        let keys = args.keys.then(|| Keys::of(bond));
        let (paired, adapter) = (Paired::of_bond(bond), Who::of(*adapter));
        if output.is_json() {
            output.object(&Told { r#type: "bond", paired, adapter, keys })?;
            continue;
        }
        output.line(format_args!("{paired}; of our {adapter}"))?;
        let keys = keys.iter().flat_map(Keys::lines);
        for (name, key) in keys {
            output.line(format_args!("  {name} {key}"))?;
        }
    }
    if bonds.is_empty() && !output.is_json() {
        output.line("no bonds are kept")?;
    }
    Ok(output.flush()?)
}

/// Every bond in the store, with the adapter that has it.
pub fn all(global: &Global) -> Result<Vec<(Address, Bond)>, Failure> {
    let mut store = global.store()?;
    let mut all = Vec::new();
    for adapter in store.adapters().map_err(failed)? {
        let stored = store.load(adapter).map_err(failed)?;
        all.extend(stored.into_iter().flat_map(|stored| stored.bonds).map(|bond| (adapter, bond)));
    }
    Ok(all)
}

pub fn failed(error: StoreError) -> Failure {
    Failure::new(ErrorKind::Store, error.to_string())
}

impl Keys {
    fn of(bond: &Bond) -> Self {
        let key = |key: &Option<Key>| key.as_ref().map(|key| hex(key.octets()));
        let long_term = |key: &Option<LongTermKey>| key.as_ref().map(|key| hex(key.key.octets()));
        let keys = &bond.keys;
        let ediv = |key: &Option<LongTermKey>| key.as_ref().map_or(0, |key| key.ediv);
        let rand = |key: &Option<LongTermKey>| hex(&key.as_ref().map_or([0; 8], |key| key.rand));
        Self {
            ltk: long_term(&keys.peer_ltk),
            ediv: ediv(&keys.peer_ltk),
            rand: rand(&keys.peer_ltk),
            local_ltk: long_term(&keys.local_ltk),
            local_ediv: ediv(&keys.local_ltk),
            local_rand: rand(&keys.local_ltk),
            irk: key(&keys.irk),
            local_irk: key(&bond.local_irk),
            csrk: key(&keys.csrk),
            local_csrk: key(&keys.local_csrk),
        }
    }

    fn lines(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let keys = [
            ("LTK", &self.ltk),
            ("our LTK", &self.local_ltk),
            ("IRK", &self.irk),
            ("our IRK", &self.local_irk),
            ("CSRK", &self.csrk),
            ("our CSRK", &self.local_csrk),
        ];
        keys.into_iter().filter_map(|(name, key)| Some((name, key.as_ref()?)))
    }
}
