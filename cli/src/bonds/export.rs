//! `bonds --export`: a file of keys, as another program or another store of ours reads it.

use super::failed;
use crate::failure::{Failure, Report};
use crate::global::Global;
use crate::pairing::Paired;
use crate::target::Who;
use baretooth::bonds::{BondStore, Stored, bluez, bumble, json};
use baretooth::smp::Bond;
use baretooth::{Address, AddressKind, ErrorKind};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Writes bonds to a new file that nobody else may read
    #[arg(
        id = "export",
        long = "export",
        value_name = "FILE",
        requires = "format",
        conflicts_with = "import"
    )]
    pub file: Option<PathBuf>,
    /// For whom the file is
    #[arg(long, value_enum, requires = "export")]
    pub format: Option<Format>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Format {
    /// BlueZ: the file `info` of one peer, without our own identity
    Bluez,
    /// Bumble: a key store
    Bumble,
    /// Ourselves: everything, with who the adapter is
    Json,
}

#[derive(Serialize)]
struct Told<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    paired: Paired,
    adapter: Who,
    file: &'a Path,
}

pub fn run(global: &Global, file: &Path, format: Format, bonds: Vec<(Address, Bond)>) -> Result<(), Failure> {
    if file.as_os_str() == "-" {
        return Err(Failure::Usage(
            "keys go to a file that nobody else may read, not to standard output".into(),
        ));
    }
    let adapter = only(bonds.iter().map(|(adapter, _)| *adapter))?;
    let bonds: Vec<_> = bonds.into_iter().map(|(_, bond)| bond).collect();
    let text = match (format, &bonds[..]) {
        (Format::Bluez, [bond]) => bluez::export(bond),
        (Format::Bluez, _) => {
            let peers: Vec<_> = bonds.iter().map(|bond| bond.peer.to_string()).collect();
            let message = format!("BlueZ has a file for each peer: name one of {}", peers.join(", "));
            return Err(Failure::new(ErrorKind::Ambiguous, message));
        }
        (Format::Bumble, bonds) => bumble::export(&bumble_name(adapter), bonds),
        (Format::Json, bonds) => {
            let stored = global.store()?.load(adapter).map_err(failed)?;
            let gone =
                || Failure::new(ErrorKind::NotFound, format!("{adapter} is not in the store any more"));
            let identity = stored.ok_or_else(gone)?.identity;
            json::export(adapter, &Stored { identity, bonds: bonds.to_vec() })
        }
    };
    write(file, text.as_bytes())?;
    let mut output = global.output();
    for bond in &bonds {
        let (paired, adapter) = (Paired::of_bond(bond), Who::of(adapter));
        if output.is_json() {
            output.object(&Told { r#type: "exported", paired, adapter, file })?;
        } else {
            output.line(format_args!("exported {paired}; of our {adapter}"))?;
        }
    }
    Ok(output.flush()?)
}

/// The adapter that all these bonds are of.
fn only(adapters: impl Iterator<Item = Address>) -> Result<Address, Failure> {
    let adapters: BTreeSet<_> = adapters.collect();
    match adapters.first() {
        Some(adapter) if adapters.len() == 1 => Ok(*adapter),
        None => Err(Failure::new(ErrorKind::NotFound, "there is no bond to export")),
        Some(_) => {
            let names: Vec<_> = adapters.iter().map(Address::to_string).collect();
            let message = format!("a file is of one adapter: give --for, one of {}", names.join(", "));
            Err(Failure::new(ErrorKind::Ambiguous, message))
        }
    }
}

/// What Bumble calls the keys of an adapter: its public address with `/P`, or the random one that it has instead.
fn bumble_name(adapter: Address) -> String {
    let suffix = if adapter.kind == AddressKind::Public { "/P" } else { "" };
    format!("{}{suffix}", adapter.bd_addr)
}

/// Makes the file. What is there is never written over, a link neither.
fn write(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let cause = match error.kind() {
            io::ErrorKind::AlreadyExists => "it is there already, and is not written over".to_owned(),
            _ => error.to_string(),
        };
        let message = format!("exporting to {} failed: {cause}", path.display());
        Failure::Failed(Report { kind: "io", message, ..Report::default() })
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(contents).and_then(|()| file.sync_all()).map_err(|error| {
        // It is ours, and holds half of the keys. That it cannot be removed is not the error to tell of.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}
