//! The `baretooth` command: one file per verb, and what they share.
//!
//! Standard output carries the result (with `--json` one object per line and nothing else), standard error everything
//! else. Exit status: 0 done, 1 failed, 2 the command line is wrong, 130 interrupted.
#![forbid(unsafe_code)]

mod adapters;
mod failure;
mod global;
mod info;
mod output;

use clap::{Parser, Subcommand};
use failure::Failure;
use global::Global;
use std::process::ExitCode;

/// A Bluetooth LE host in userspace: scans, reads, writes and watches, straight on the adapter.
#[derive(Parser)]
#[command(name = "baretooth", version, propagate_version = true)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists the adapters of this machine, without opening them
    Adapters(adapters::Args),
    /// Opens the adapter and prints what its controller says of itself
    Info(info::Args),
}

impl Verb {
    /// As the user types it, and as errors name it.
    fn name(&self) -> &'static str {
        match self {
            Self::Adapters(_) => "adapters",
            Self::Info(_) => "info",
        }
    }

    async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Adapters(args) => adapters::run(global, args).await,
            Self::Info(args) => info::run(global, args).await,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let CommandLine { global, verb } = CommandLine::parse();
    global.start_logging();
    let name = verb.name();
    match verb.run(&global).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(name, global.json),
    }
}
