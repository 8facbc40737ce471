//! `bonds --import`: the bonds in a file of ours, of Bumble or of BlueZ. All of them are kept, or none.

use super::failed;
use crate::failure::{Failure, Report};
use crate::global::Global;
use crate::pairing::Paired;
use crate::target::{Target, Who};
use baretooth::bonds::{BondStore, ImportError, bluez, bumble, json};
use baretooth::smp::{Bond, Identity, Key};
use baretooth::{Address, AddressKind, BdAddr, ErrorKind};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// Keeps the bonds of another program: a key store of Bumble, a file `info` of BlueZ, or JSON of ours; - is standard
    /// input
    #[arg(id = "import", long = "import", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Whose bond an `info` of BlueZ is, if the name of its folder does not say so
    #[arg(long, value_name = "ADDRESS", requires = "import")]
    pub peer: Option<BdAddr>,
}

/// The most that is read: as much as a store has.
const LIMIT: u64 = 4 << 20;

/// What a file has for one adapter.
struct Part {
    /// The adapter, if the file says so.
    adapter: Option<Address>,
    /// Who it is to its peers, if the file says so.
    identity: Option<Identity>,
    bonds: Vec<Bond>,
}

/// What becomes of a bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Added,
    Replaced,
    /// The one that is kept has the same keys, and knows more of the peer.
    Unchanged,
}

#[derive(Serialize)]
struct Told {
    r#type: &'static str,
    #[serde(flatten)]
    paired: Paired,
    adapter: Who,
    outcome: Outcome,
}

pub fn run(
    global: &Global,
    file: &Path,
    peer: Option<BdAddr>,
    adapter: Option<Target>,
) -> Result<(), Failure> {
    let parts = parse(&read(file)?, file, peer)?;
    let mut store = global.store()?;
    let known = store.adapters().map_err(failed)?;
    // First what is to be done, then all of it.
    let (mut identities, mut bonds) = (Vec::new(), Vec::<(Address, Bond, Outcome)>::new());
    for Part { adapter: named, identity, bonds: read } in parts {
        let adapter = choose(adapter, named, &known)?;
        let stored = store.load(adapter).map_err(failed)?;
        let kept = stored.as_ref().map(|stored| &stored.bonds[..]).unwrap_or_default();
        // Where nobody knows the adapter yet it becomes who the peers in the file know.
        match (&stored, identity) {
            (Some(stored), Some(identity)) if !kept.is_empty() && stored.identity != identity => eprintln!(
                "{adapter} stays who it is to the peers that it has: those of the file may know it by another address"
            ),
            (Some(_), Some(identity)) if kept.is_empty() => identities.push((adapter, identity)),
            (None, Some(identity)) => identities.push((adapter, identity)),
            (None, None) if identities.iter().all(|(of, _)| *of != adapter) => {
                identities.push((adapter, new_identity()?));
            }
            _ => {}
        }
        for bond in read {
            if bonds.iter().any(|(of, other, _)| (*of, other.peer) == (adapter, bond.peer)) {
                let cause = format!("it has two bonds with {} for {adapter}", bond.peer);
                return Err(unusable(file, &cause));
            }
            let outcome = outcome(&bond, kept.iter().find(|kept| kept.peer == bond.peer))?;
            bonds.push((adapter, bond, outcome));
        }
    }
    if bonds.is_empty() {
        return Err(unusable(file, &"it has no bond for LE"));
    }
    for (adapter, identity) in identities {
        store.save_identity(adapter, &identity).map_err(failed)?;
    }
    let mut output = global.output();
    for (adapter, bond, outcome) in bonds {
        if outcome != Outcome::Unchanged {
            store.save(adapter, &bond).map_err(failed)?;
        }
        let (paired, adapter) = (Paired::of_bond(&bond), Who::of(adapter));
        if output.is_json() {
            output.object(&Told { r#type: "imported", paired, adapter, outcome })?;
            continue;
        }
        let done = match outcome {
            Outcome::Added => "imported",
            Outcome::Replaced => "replaced",
            Outcome::Unchanged => "kept already:",
        };
        output.line(format_args!("{done} {paired}; of our {adapter}"))?;
    }
    Ok(output.flush()?)
}

/// Whether a bond may take the place of the one that is kept.
fn outcome(bond: &Bond, kept: Option<&Bond>) -> Result<Outcome, Failure> {
    let Some(kept) = kept else { return Ok(Outcome::Added) };
    let keys = |bond: &Bond| [bond.keys.peer_ltk.clone(), bond.keys.local_ltk.clone()];
    if keys(bond) == keys(kept) {
        return Ok(Outcome::Unchanged);
    }
    if bond.is_weaker_than(kept) {
        let message = format!(
            "the bond with {} that is kept is stronger than the one in the file, so nothing is imported; \
             `unpair` it first if the other is the one that the peer has",
            bond.peer
        );
        return Err(Failure::new(ErrorKind::Security, message));
    }
    Ok(Outcome::Replaced)
}

/// Which adapter gets the bonds: the one that the user names, that the file names, or that is the only one.
fn choose(given: Option<Target>, named: Option<Address>, known: &[Address]) -> Result<Address, Failure> {
    let hint = "--for ADAPTER, as 00:11:22:33:44:55/public, makes one known; so does opening it (`info`)";
    match (given, named, known) {
        (Some(Target::Typed(adapter)), ..) => Ok(adapter),
        (Some(given), ..) => known.iter().copied().find(|known| given.is(*known)).ok_or_else(|| {
            Failure::new(ErrorKind::NotFound, format!("the store knows no adapter {given}; {hint}"))
        }),
        (None, Some(named), _) => Ok(named),
        (None, None, [only]) => Ok(*only),
        (None, None, []) => {
            let message = format!("the store knows no adapter yet, and the file names none; {hint}");
            Err(Failure::new(ErrorKind::NotFound, message))
        }
        (None, None, known) => {
            let names: Vec<_> = known.iter().map(Address::to_string).collect();
            let message =
                format!("the file does not say for which adapter: give --for, one of {}", names.join(", "));
            Err(Failure::new(ErrorKind::Ambiguous, message))
        }
    }
}

/// Tells the format by what is in the file.
fn parse(text: &str, file: &Path, peer: Option<BdAddr>) -> Result<Vec<Part>, Failure> {
    #[derive(Deserialize)]
    struct OfOurs {
        #[serde(rename = "version")]
        _version: IgnoredAny,
    }
    let wrong = |error: ImportError| unusable(file, &error);
    match text.trim_start().chars().next() {
        Some('{') if peer.is_some() => Err(Failure::Usage(
            "--peer is for a file of BlueZ; this one says itself whose bonds it has".into(),
        )),
        Some('{') if serde_json::from_str::<OfOurs>(text).is_ok() => {
            let (adapter, stored) = json::import(text).map_err(wrong)?;
            Ok(vec![Part { adapter: Some(adapter), identity: Some(stored.identity), bonds: stored.bonds }])
        }
        Some('{') => {
            let adapters = bumble::import(text).map_err(wrong)?.into_iter();
            let part =
                |(name, bonds): (String, _)| Part { adapter: bumble_adapter(&name), identity: None, bonds };
            Ok(adapters.map(part).collect())
        }
        Some('[' | '#') => {
            let [adapter, folder] = folders(file);
            let peer = peer.or(folder).ok_or_else(|| {
                Failure::Usage(
                    "whose bond this is, BlueZ says by the name of its folder alone: give --peer".into(),
                )
            })?;
            let bonds = vec![bluez::import(peer, text).map_err(wrong)?];
            Ok(vec![Part { adapter: adapter.map(Address::public), identity: None, bonds }])
        }
        _ => Err(unusable(file, &"it is neither JSON nor a file of BlueZ")),
    }
}

/// A random address there is one that Bumble has made up, and no adapter is known by.
fn bumble_adapter(name: &str) -> Option<Address> {
    Some(Address { kind: AddressKind::Public, bd_addr: name.strip_suffix("/P")?.parse().ok()? })
}

/// The adapter and the peer by the folders of a file of BlueZ: `…/ADAPTER/PEER/info`.
fn folders(file: &Path) -> [Option<BdAddr>; 2] {
    let path = std::path::absolute(file).unwrap_or_default();
    let folder = |up| path.ancestors().nth(up)?.file_name()?.to_str()?.parse().ok();
    match folder(1) {
        Some(peer) if !is_standard_input(file) => [folder(2), Some(peer)],
        _ => [None; 2],
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| unusable(file, &error);
    let input: Box<dyn Read> = match is_standard_input(file) {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(file).map_err(failed)?),
    };
    let mut octets = Vec::new();
    input.take(LIMIT + 1).read_to_end(&mut octets).map_err(failed)?;
    if u64::try_from(octets.len()).is_ok_and(|length| length > LIMIT) {
        return Err(unusable(file, &"it has more than 4 MiB, as no store of bonds has"));
    }
    String::from_utf8(octets).map_err(|_| unusable(file, &"it is no text"))
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// As an adapter gets it when it is opened for the first time.
fn new_identity() -> Result<Identity, Failure> {
    let (mut address, mut irk) = ([0; 6], [0; 16]);
    for octets in [&mut address[..], &mut irk[..]] {
        getrandom::fill(octets).map_err(|error| {
            let message = format!("the system gives no random numbers: {error}");
            Failure::Failed(Report { kind: "io", message, ..Report::default() })
        })?;
    }
    // Static ([Vol 6] Part B, 1.3.2.1).
    address[5] |= 0xC0;
    Ok(Identity { random_address: BdAddr(address), irk: Key::new(irk) })
}

fn unusable(file: &Path, cause: &dyn Display) -> Failure {
    let message = format!("importing {} failed: {cause}", file.display());
    Failure::Failed(Report { kind: "io", message, ..Report::default() })
}
