//! `pair`: connects, pairs, and keeps the bond.

use crate::failure::Failure;
use crate::global::Global;
use crate::pairing::{Answers, News, Paired, PairingArgs};
use crate::target::PeerArgs;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    peer: PeerArgs,
    #[command(flatten)]
    pairing: PairingArgs,
}

#[derive(Serialize)]
struct Told {
    r#type: &'static str,
    #[serde(flatten)]
    paired: Paired,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let mut output = global.output();
    let summary = global
        .session(async |adapter| {
            let peer = args.peer.connect(global, adapter).await?;
            let mut answers = Answers::pair(&args.pairing, &peer, global.lines(), &mut output).await?;
            loop {
                match answers.next().await? {
                    News::Shown(shown) => shown.tell(&mut output)?,
                    News::Over { result, .. } => break Ok(result?),
                }
            }
        })
        .await?;
    let paired = Paired::of(&summary);
    if output.is_json() {
        output.object(&Told { r#type: "paired", paired })?;
    } else {
        output.line(format_args!("paired with {paired}"))?;
    }
    Ok(output.flush()?)
}
