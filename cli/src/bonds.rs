//! `bonds`: what is kept of earlier pairings, and the bonds of other programs. No adapter is needed.

mod export;
mod import;

use crate::failure::Failure;
use crate::global::Global;
use crate::output::hex;
use crate::pairing::Paired;
use crate::target::{Target, Who};
use baretooth::bonds::{BondStore, StoreError};
use baretooth::smp::{Bond, Key, LongTermKey};
use baretooth::{Adapter, Address, BdAddr, ErrorKind};
use serde::Serialize;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Only the bond with this peer
    #[arg(value_name = "ADDRESS", conflicts_with = "import")]
    target: Option<Target>,
    /// Only what this adapter of ours has; for an import who gets it: the adapter that the file names if not given, or the
    /// only one that there is
    #[arg(long = "for", value_name = "ADAPTER")]
    ours: Option<Target>,
    /// Prints the keys too, which lets whoever sees them listen and be us
    #[arg(long, conflicts_with_all = ["import", "export"])]
    keys: bool,
    #[command(flatten)]
    import: import::ImportArgs,
    #[command(flatten)]
    export: export::ExportArgs,
}

const EXAMPLES: &str = "\
Examples:
  baretooth bonds
  baretooth bonds --import /var/lib/bluetooth/00:11:22:33:44:55/C0:12:34:56:78:9A/info
  baretooth bonds --import keys.json --for 00:11:22:33:44:55/public
  baretooth bonds --export info --format bluez C0:12:34:56:78:9A
  baretooth bonds --export keys.json --format bumble";

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

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    if global.held.is_some() && (args.import.file.is_some() || args.export.file.is_some()) {
        let cause = "the adapter that is open has the store: run it outside of the shell";
        return Err(Failure::Usage(format!("bonds --import and --export refused: {cause}")));
    }
    if let Some(file) = &args.import.file {
        return import::run(global, file, args.import.peer, args.ours);
    }
    let bonds = chosen(global, args.ours, args.target).await?;
    if let (Some(file), Some(format)) = (&args.export.file, args.export.format) {
        return export::run(global, file, format, bonds);
    }
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

/// The bonds of one adapter or of all that there are, or of the one that is open, with one peer or with all. A peer that is named has to be there.
pub async fn chosen(
    global: &Global,
    adapter: Option<Target>,
    peer: Option<Target>,
) -> Result<Vec<(Address, Bond)>, Failure> {
    let mut bonds = match &global.held {
        Some(held) => of_open(held.adapter()).await?,
        None => all(global)?,
    };
    bonds.retain(|(of, bond)| {
        adapter.is_none_or(|adapter| adapter.is(*of)) && peer.is_none_or(|peer| peer.is(bond.peer))
    });
    match peer {
        Some(peer) if bonds.is_empty() => {
            let message = format!("there is no bond with {peer}; `bonds` lists those that there are");
            Err(Failure::new(ErrorKind::NotFound, message))
        }
        _ => Ok(bonds),
    }
}

/// What an open adapter knows, in its store or not.
async fn of_open(adapter: &Adapter) -> Result<Vec<(Address, Bond)>, Failure> {
    // As a store calls an adapter.
    let ours = adapter.controller().public_address.unwrap_or(Address::public(BdAddr([0; 6])));
    Ok(adapter.bonds().await?.into_iter().map(|bond| (ours, bond)).collect())
}

/// Every bond in the store, with the adapter that has it.
fn all(global: &Global) -> Result<Vec<(Address, Bond)>, Failure> {
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
