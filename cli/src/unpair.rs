//! `unpair`: forgets bonds. No adapter is needed, but one that is open forgets them too. The peers are not told.

use crate::bonds::{chosen, failed};
use crate::failure::Failure;
use crate::global::Global;
use crate::target::{Target, Who};
use baretooth::bonds::BondStore;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The identity of a peer, as `bonds` has it
    #[arg(value_name = "ADDRESS", required_unless_present = "all", conflicts_with = "all")]
    target: Option<Target>,
    /// Forgets every peer
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Told {
    r#type: &'static str,
    #[serde(flatten)]
    peer: Who,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let bonds = chosen(global, None, args.target).await?;
    let mut output = global.output();
    for (adapter, bond) in bonds {
        match &global.held {
            // It knows the peer, and has the store.
            Some(held) => held.adapter().unpair(bond.peer).await?,
            None => global.store()?.remove(adapter, bond.peer).map_err(failed)?,
        }
        let peer = Who::of(bond.peer);
        if output.is_json() {
            output.object(&Told { r#type: "unpaired", peer })?;
        } else {
            output.line(format_args!("{peer} is forgotten"))?;
        }
    }
    Ok(output.flush()?)
}
