//! The options that every verb has, and the session that most verbs run in.

use crate::adapters;
use crate::failure::Failure;
use crate::output::Output;
use baretooth::transports::AdapterSpec;
use baretooth::{Adapter, AdapterBuilder};
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

/// Keeps them apart in the help of a verb.
const HEADING: &str = "Options of every verb";

/// Options of every verb; they may stand before or after it.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// The adapter: tcp:HOST:PORT, unix:PATH, sim (a virtual radio) …; the only one found if not given
    #[arg(short, long, global = true, help_heading = HEADING, env = "BARETOOTH_ADAPTER", value_name = "SPEC")]
    pub adapter: Option<AdapterSpec>,
    /// Writes every HCI packet to FILE, in btsnoop format
    #[arg(long, global = true, help_heading = HEADING, env = "BARETOOTH_CAPTURE")]
    #[arg(value_name = "FILE", value_parser = capture_file)]
    pub capture: Option<PathBuf>,
    /// Prints one JSON object per line
    #[arg(long, global = true, help_heading = HEADING)]
    pub json: bool,
    /// Logs to standard error; -vv and -vvv log more
    #[arg(short, long, global = true, help_heading = HEADING, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Makes the session deterministic: whoever knows N knows its keys
    #[arg(long, global = true, help_heading = HEADING, value_name = "N")]
    pub seed: Option<u64>,
}

impl Global {
    /// Where results go.
    pub fn output(&self) -> Output {
        Output::new(self.json)
    }

    /// Opens the adapter, runs `body` on it until it ends or the user interrupts, and leaves the adapter idle and the
    /// capture whole in either case.
    pub async fn session<T>(
        &self,
        body: impl AsyncFnOnce(&Adapter) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.session_with(Adapter::builder(), body).await
    }

    /// As [`session`](Self::session), with options of the verb's own.
    pub async fn session_with<T>(
        &self,
        builder: AdapterBuilder,
        body: impl AsyncFnOnce(&Adapter) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let adapter = or_interrupted(self.open(builder)).await?;
        let result = or_interrupted(body(&adapter)).await;
        adapter.close().await;
        result
    }

    async fn open(&self, mut builder: AdapterBuilder) -> Result<Adapter, Failure> {
        let spec = match &self.adapter {
            Some(spec) => spec.clone(),
            None => adapters::only()?,
        };
        if let Some(capture) = &self.capture {
            builder = builder.capture(capture);
        }
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        Ok(builder.open(&spec.to_string()).await?)
    }

    /// Sends what the library logs to standard error.
    pub fn start_logging(&self) {
        let level = match self.verbose {
            0 => return,
            1 => tracing_subscriber::filter::LevelFilter::INFO,
            2 => tracing_subscriber::filter::LevelFilter::DEBUG,
            _ => tracing_subscriber::filter::LevelFilter::TRACE,
        };
        tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(std::io::stderr).init();
    }
}

/// Runs `work` unless the user interrupts (SIGINT, SIGTERM), which drops it.
pub async fn or_interrupted<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        signal = interrupted() => signal.map_err(Failure::from).and(Err(Failure::Interrupted)),
        result = work => result,
    }
}

#[cfg(unix)]
async fn interrupted() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// A file whose name does not promise another format than the one that is written.
fn capture_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let extension = path.extension().and_then(OsStr::to_str);
    if text == "-" || matches!(extension, Some("pcap" | "pcapng" | "pklg")) {
        return Err(
            "this version writes btsnoop only: name a file, such as run.btsnoop or run.log".to_owned()
        );
    }
    Ok(path)
}
