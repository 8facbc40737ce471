//! `replay`: a capture fed to the host, and what the host sends compared with it. The requests are guessed from the
//! packets, so it works for captures of unknown origin; nothing is opened and no time passes.

use crate::failure::{Failure, Report};
use crate::global::Global;
use crate::pairing::Oob;
use baretooth::ErrorKind;
use baretooth::gatt::server::Table;
use baretooth::host::HostConfig;
use baretooth::peripheral::Peripheral;
use baretooth::replay::{ReplayError, Script, ScriptError, Unseen, run_with};
use baretooth::smp::Passkey;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// Feeds a capture to the host and compares what the host sends.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The capture, in any format. The random address is taken from it, unless --seed says which the session had
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The device that the session served, as `advertise` takes it
    #[arg(long, value_name = "DEVICE")]
    device: Option<PathBuf>,
    /// A passkey that was typed; once for each, in their order
    #[arg(long = "passkey", value_name = "N")]
    passkeys: Vec<Passkey>,
    /// The passkey that was shown each time, if the session was told which. Others follow from --seed
    #[arg(long, value_name = "N")]
    shown_passkey: Option<Passkey>,
    /// What came from a peer in another way: 16 octets for legacy pairing, or 32, its C and R; in their order
    #[arg(long = "oob", value_name = "HEX")]
    oobs: Vec<Oob>,
}

/// A replay without a difference, in JSON.
#[derive(Serialize)]
struct Equal {
    r#type: &'static str,
    packets: usize,
    sent: usize,
    received: usize,
    requests: usize,
    seconds: f64,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let script = Script::open(&args.file).map_err(|error| unreadable(&args.file, &error))?;
    let config = match global.seed {
        Some(seed) => script.configure(HostConfig::seeded(seed)),
        None => script.config(),
    };
    let packets = script.packets().len();
    let name = args.file.display();
    let replayed = run_with(script, config, unseen(&args)?).map_err(|error| {
        failure(&format!("{name}: the host of today does not repeat its {packets} packets"), &error)
    })?;
    let mut output = global.output();
    let (sent, received, requests) = (replayed.sent, replayed.received, replayed.requests);
    let seconds = replayed.time.as_secs_f64();
    if output.is_json() {
        output.object(&Equal { r#type: "replay", packets, sent, received, requests, seconds })?;
    } else {
        output.line(format_args!(
            "{name}: all {packets} packets equal, {sent} sent and {received} received in {seconds:.6} s, for \
             {requests} {}",
            if requests == 1 { "request" } else { "requests" }
        ))?;
    }
    output.flush()?;
    Ok(())
}

/// What the packets do not show.
fn unseen(args: &Args) -> Result<Unseen, Failure> {
    let mut unseen = args.passkeys.iter().cloned().fold(Unseen::new(), Unseen::typed);
    for oob in args.oobs.iter().cloned() {
        unseen = match oob {
            Oob::TemporaryKey(key) => unseen.temporary_key(key),
            Oob::Peers(data) => unseen.out_of_band(data),
        };
    }
    if let Some(passkey) = args.shown_passkey.clone() {
        unseen = unseen.shown(passkey);
    }
    Ok(match args.device.as_deref().map(table).transpose()? {
        Some(table) => unseen.serving(table),
        None => unseen,
    })
}

/// What a device serves.
fn table(file: &Path) -> Result<Table, Failure> {
    let refuse =
        |cause: &dyn fmt::Display| Failure::Usage(format!("reading {} failed: {cause}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| refuse(&error))?;
    let peripheral: Peripheral = text.parse().map_err(|error| refuse(&error))?;
    peripheral.table().map_err(|error| refuse(&error))
}

/// A capture that cannot be replayed at all.
pub fn unreadable(path: &Path, error: &ScriptError) -> Failure {
    let message = format!("replaying {} failed: {error}", path.display());
    Failure::Failed(Report { kind: "capture", message, ..Report::default() })
}

/// A replay that ended before its capture.
pub fn failure(what: &str, error: &ReplayError) -> Failure {
    Failure::new(ErrorKind::Transport, format!("{what}: {error}"))
}
