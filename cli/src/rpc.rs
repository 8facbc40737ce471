//! `rpc`: one open adapter as JSON-RPC 2.0 lines on standard input and output.

use crate::failure::Failure;
use crate::global::Global;
use baretooth::Adapter;
use baretooth_rpc::{Ended, Options, serve};

/// `rpc` has no options of its own.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(global: &Global, _: Args) -> Result<(), Failure> {
    if global.is_live() {
        return Err(Failure::Usage("rpc has standard output to itself; give --capture a file".into()));
    }
    global
        .session_with(Adapter::builder(), async |adapter| {
            let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
            match serve(adapter.clone(), input, output, Options::new()).await {
                Ended::Eof => Ok(()),
                Ended::AdapterLost(error) => Err(error.into()),
                Ended::Unread(error) => Err(error.into()),
            }
        })
        .await
}
