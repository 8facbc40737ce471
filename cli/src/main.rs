//! The `baretooth` command: one file per verb, and what they share.
//!
//! Standard output carries the result (with `--json` one object per line and nothing else), standard error everything
//! else. Exit status: 0 done, 1 failed, 2 the command line is wrong, 130 interrupted.
#![forbid(unsafe_code)]

mod adapters;
mod advertise;
mod bonds;
mod bridge;
mod convert;
mod decode;
mod failure;
mod gatt;
mod global;
mod held;
mod info;
mod input;
mod l2cap;
mod lines;
mod listener;
mod live;
mod notify;
mod output;
mod pair;
mod pairing;
mod read;
mod replay;
mod report;
mod rpc;
mod scan;
mod shell;
mod sim;
mod stats;
mod target;
mod tour;
mod unpair;
mod value;
mod write;

use clap::{Parser, Subcommand};
use failure::Failure;
use global::Global;
use std::io;
use std::process::ExitCode;
use tokio::runtime::Runtime;

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
    /// Prints what advertisers say
    Scan(scan::Args),
    /// Connects and prints the services of a peer with all that is in them
    Gatt(gatt::Args),
    /// Connects and reads a value
    Read(read::Args),
    /// Connects and writes a value, or one for each line of standard input
    Write(write::Args),
    /// Connects, subscribes and prints what the peer sends
    Notify(notify::Args),
    /// Connects and pairs; what the pairing asks is answered on standard input
    Pair(pair::Args),
    /// Forgets bonds
    Unpair(unpair::Args),
    /// Prints the bonds that are kept, and takes and gives those of other programs
    Bonds(bonds::Args),
    /// Advertises and serves a device, and prints what centrals do with it
    Advertise(advertise::Args),
    /// Joins a credit-based channel to standard input and output, as a client or as a server
    L2cap(l2cap::Args),
    /// Does the whole job on the virtual radio and checks every value; needs no hardware
    Tour(tour::Args),
    /// Prints a capture, one line per packet
    Decode(decode::Args),
    /// Prints what a capture holds, in numbers
    Stats(stats::Args),
    /// Feeds a capture to the host and compares what the host sends
    Replay(replay::Args),
    /// Writes a capture in another format, all of it or a part
    Convert(convert::Args),
    /// Makes a page of a capture: timeline, devices, values, errors
    Report(report::Args),
    /// Serves one open adapter to another program, as JSON-RPC 2.0 lines on standard input and output
    Rpc(rpc::Args),
    /// Serves virtual controllers and devices to other hosts
    Sim(sim::Args),
    /// Runs verbs on one adapter that stays open, a line each: typed at a terminal, or from a script
    Shell(shell::Args),
    /// Joins two adapters: packets of the one go to the other, until either ends
    Bridge(bridge::Args),
}

impl Verb {
    /// As the user types it, and as errors name it.
    fn name(&self) -> &'static str {
        match self {
            Self::Adapters(_) => "adapters",
            Self::Info(_) => "info",
            Self::Scan(_) => "scan",
            Self::Gatt(_) => "gatt",
            Self::Read(_) => "read",
            Self::Write(_) => "write",
            Self::Notify(_) => "notify",
            Self::Pair(_) => "pair",
            Self::Unpair(_) => "unpair",
            Self::Bonds(_) => "bonds",
            Self::Advertise(_) => "advertise",
            Self::L2cap(_) => "l2cap",
            Self::Tour(_) => "tour",
            Self::Decode(_) => "decode",
            Self::Stats(_) => "stats",
            Self::Replay(_) => "replay",
            Self::Convert(_) => "convert",
            Self::Report(_) => "report",
            Self::Rpc(_) => "rpc",
            Self::Sim(_) => "sim",
            Self::Shell(_) => "shell",
            Self::Bridge(_) => "bridge",
        }
    }

    /// Whether it has packets of its own to capture, those of a session or those that it hears.
    fn has_session(&self) -> bool {
        match self {
            Self::Info(_) | Self::Scan(_) | Self::Gatt(_) | Self::Read(_) => true,
            Self::Advertise(_) | Self::L2cap(_) | Self::Tour(_) | Self::Bridge(_) | Self::Shell(_) => true,
            Self::Write(_) | Self::Notify(_) | Self::Pair(_) | Self::Rpc(_) => true,
            Self::Adapters(_) | Self::Sim(_) | Self::Unpair(_) | Self::Bonds(_) => false,
            Self::Decode(args) => args.live,
            Self::Stats(_) | Self::Replay(_) | Self::Convert(_) | Self::Report(_) => false,
        }
    }

    async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Adapters(args) => adapters::run(global, args).await,
            Self::Info(args) => info::run(global, args).await,
            Self::Scan(args) => scan::run(global, args).await,
            Self::Gatt(args) => gatt::run(global, args).await,
            Self::Read(args) => read::run(global, args).await,
            Self::Write(args) => write::run(global, args).await,
            Self::Notify(args) => notify::run(global, args).await,
            Self::Pair(args) => pair::run(global, args).await,
            Self::Unpair(args) => unpair::run(global, args).await,
            Self::Bonds(args) => bonds::run(global, args).await,
            Self::Advertise(args) => advertise::run(global, args).await,
            Self::L2cap(args) => l2cap::run(global, args).await,
            Self::Tour(args) => tour::run(global, args).await,
            Self::Decode(args) => decode::run(global, args).await,
            Self::Stats(args) => stats::run(global, args).await,
            Self::Replay(args) => replay::run(global, args).await,
            Self::Convert(args) => convert::run(global, args).await,
            Self::Report(args) => report::run(global, args).await,
            Self::Rpc(args) => rpc::run(global, args).await,
            Self::Sim(args) => sim::run(global, args).await,
            Self::Shell(args) => shell::run(global, args).await,
            Self::Bridge(args) => bridge::run(global, args).await,
        }
    }
}

fn main() -> ExitCode {
    let CommandLine { mut global, verb } = CommandLine::parse();
    if !verb.has_session() {
        // Its results have standard output to themselves, whatever BARETOOTH_CAPTURE says.
        global.capture = None;
    }
    global.start_logging();
    let name = verb.name();
    // In a replay time is that of the capture: the clock jumps whenever everybody waits.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(global.is_replay()).build();
    let result = match &runtime {
        Ok(runtime) => runtime.block_on(verb.run(&global)),
        Err(error) => Err(io::Error::from(error.kind()).into()),
    };
    // A line of standard input that nobody waits for any more must not hold up the end.
    runtime.into_iter().for_each(Runtime::shutdown_background);
    let status = result.map_or_else(|failure| failure.report(name, global.json), |()| ExitCode::SUCCESS);
    match global.capture_error.get() {
        Some(error) => failure::report_capture(error, name, global.json, status),
        None => status,
    }
}
