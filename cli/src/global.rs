//! The options that every verb has, and the session that most verbs run in.

use crate::adapters;
use crate::failure::Failure;
use crate::held::Held;
use crate::lines::Lines;
use crate::live::{self, Done, Pipe};
use crate::output::Output;
use crate::replay;
use baretooth::bonds::JsonStore;
use baretooth::capture::Format;
use baretooth::gatt::Services;
use baretooth::replay::{ReplayError, ReplayProgress, ReplayTransport};
use baretooth::transports::{AdapterSpec, OpenOptions};
use baretooth::{Adapter, AdapterBuilder, Address, Error, ErrorKind, OwnAddress, Peer, Recovery};
use std::future::pending;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Keeps them apart in the help of a verb.
const HEADING: &str = "Options of every verb";

/// Options of every verb; they may stand before or after it.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// The adapter: tcp:HOST:PORT, unix:PATH, sim (a virtual radio), replay:FILE …; the only one found if not given
    #[arg(short, long, global = true, help_heading = HEADING, env = "BARETOOTH_ADAPTER", value_name = "SPEC")]
    pub adapter: Option<AdapterSpec>,
    /// Writes every HCI packet to FILE, by its name in btsnoop (.btsnoop, .log), pcap, pcapng or PacketLogger (.pklg)
    /// format; - streams pcap to standard output, for `wireshark -k -i -`, and results go to standard error
    #[arg(long, global = true, help_heading = HEADING, env = "BARETOOTH_CAPTURE")]
    #[arg(value_name = "FILE", value_parser = capture_file)]
    pub capture: Option<PathBuf>,
    /// Leaves an adapter of the kernel (hci0 …) up, and so to whoever uses it: it opens only when it is down
    #[arg(long, global = true, help_heading = HEADING)]
    pub no_down: bool,
    /// How far to go to bring back a controller that falls silent: off, reset, reopen (the default where it can be), or
    /// reset-port, which resets its USB port too and may cost it its firmware
    #[arg(long, global = true, help_heading = HEADING, value_name = "HOW", value_parser = recovery)]
    pub recovery: Option<Recovery>,
    /// Prints one JSON object per line
    #[arg(long, global = true, help_heading = HEADING)]
    pub json: bool,
    /// Logs to standard error, -vv and -vvv more; decode prints every field
    #[arg(short, long, global = true, help_heading = HEADING, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Makes the session deterministic: whoever knows N knows its keys
    #[arg(long, global = true, help_heading = HEADING, value_name = "N")]
    pub seed: Option<u64>,
    /// Which address of ours to show: public, static (the default), resolvable, which peers we bonded with see through, or
    /// private, which nobody does; the last two are others every 15 minutes
    #[arg(long, global = true, help_heading = HEADING, value_name = "SORT", value_parser = own_address)]
    pub own_address: Option<OwnAddress>,
    /// Where bonds are kept; in your own data directory if not given, but nowhere for sim, replay and --seed
    #[arg(long, global = true, help_heading = HEADING, env = "BARETOOTH_STORE", value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Knows no bonds and keeps none
    #[arg(long, global = true, help_heading = HEADING)]
    pub no_store: bool,
    /// Why the capture ended before the session, if it did.
    #[arg(skip)]
    pub capture_error: Arc<OnceLock<Error>>,
    /// How the replay goes, when the adapter is a capture.
    #[arg(skip)]
    pub replay: Arc<OnceLock<ReplayProgress>>,
    /// What is open already, in a shell.
    #[arg(skip)]
    pub held: Option<Arc<Held>>,
}

/// What `--capture` calls standard output.
const STANDARD_OUTPUT: &str = "-";

impl Global {
    /// Where results go.
    pub fn output(&self) -> Output {
        match self.is_live() {
            true => Output::on_standard_error(self.json),
            false => Output::new(self.json),
        }
    }

    /// The capture, when it is a file.
    pub fn capture_file(&self) -> Option<&Path> {
        self.capture.as_deref().filter(|_| !self.is_live())
    }

    /// Whether the capture goes to standard output.
    pub fn is_live(&self) -> bool {
        self.capture.as_deref() == Some(Path::new(STANDARD_OUTPUT))
    }

    /// Opens the adapter, runs `body` on it until it ends or the user interrupts, and leaves the adapter idle and the
    /// capture whole in either case. An adapter that is open already is taken as it is, and left open.
    pub async fn session<T>(
        &self,
        body: impl AsyncFnOnce(&Adapter) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // A verb is over before a table changes, and in a replay asks what the capture's session did.
        let builder = match self.is_replay() {
            true => Adapter::builder(),
            false => Adapter::builder().service_changes(false),
        };
        self.session_with(builder, body).await
    }

    /// As [`session`](Self::session), with options of the verb's own, for an adapter that is to be opened.
    pub async fn session_with<T>(
        &self,
        builder: AdapterBuilder,
        body: impl AsyncFnOnce(&Adapter) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Some(held) = &self.held {
            // Who reads the lines sees to interrupts.
            return body(held.adapter()).await;
        }
        self.session_until(or_interrupted(pending()), builder, body).await
    }

    /// As [`session_with`](Self::session_with), for an adapter that is to be opened; once it is, not an interrupt ends
    /// `body` but a failure of `end`.
    pub async fn session_until<T>(
        &self,
        end: impl Future<Output = Result<T, Failure>>,
        builder: AdapterBuilder,
        body: impl AsyncFnOnce(&Adapter) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (builder, mut live) = self.capture_with(builder)?;
        let result = self.run(end, builder, body, &mut live).await;
        if let Some(mut live) = live {
            // Its reader gets all there is. One that takes for ever can be interrupted.
            let _ = or_interrupted(async { Ok(live.wait().await) }).await;
        }
        result
    }

    async fn run<T>(
        &self,
        end: impl Future<Output = Result<T, Failure>>,
        builder: AdapterBuilder,
        body: impl AsyncFnOnce(&Adapter) -> Result<T, Failure>,
        live: &mut Option<Done>,
    ) -> Result<T, Failure> {
        let adapter = or_interrupted(self.open(builder)).await?;
        let result = tokio::select! {
            biased;
            failure = unread(live) => Err(failure),
            failure = end => failure,
            result = body(&adapter) => result,
        };
        adapter.close().await;
        match adapter.capture_error() {
            // A reader that left: told above, or nothing was left to do.
            Some(Error::Capture { source, .. })
                if self.is_live() && source.kind() == io::ErrorKind::BrokenPipe => {}
            Some(error) => drop(self.capture_error.set(error)),
            None => {}
        }
        match result {
            Err(Failure::Interrupted | Failure::BrokenPipe) => result,
            _ => self.replayed().and(result),
        }
    }

    /// The store, where a verb works on nothing else.
    pub fn store(&self) -> Result<JsonStore, Failure> {
        let directory = self.store.clone().or_else(JsonStore::default_directory);
        let missing =
            || Failure::Usage("this system names no directory for such data; give --store DIR".into());
        directory.map(JsonStore::new).ok_or_else(missing)
    }

    /// The store of a session.
    fn session_store(&self, spec: &AdapterSpec) -> Option<JsonStore> {
        // What is repeatable leaves nothing behind, and finds nothing.
        let passing = self.seed.is_some() || matches!(spec, AdapterSpec::Sim | AdapterSpec::Replay(_));
        let directory = match &self.store {
            _ if self.no_store => None,
            None if passing => None,
            Some(directory) => Some(directory.clone()),
            None => JsonStore::default_directory(),
        };
        directory.map(JsonStore::new)
    }

    /// Whether the adapter is a capture, whose time is not that of the clock.
    pub fn is_replay(&self) -> bool {
        matches!(self.adapter, Some(AdapterSpec::Replay(_)))
    }

    /// A session on a capture that is over: it has failed when it was another than that of the capture.
    fn replayed(&self) -> Result<(), Failure> {
        let Some(progress) = self.replay.get() else { return Ok(()) };
        progress.result().map(drop).map_err(|error| replay::failure("replaying the capture failed", &error))
    }

    /// Adds the capture; on standard output with who tells what becomes of it.
    fn capture_with(&self, builder: AdapterBuilder) -> Result<(AdapterBuilder, Option<Done>), Failure> {
        let Some(capture) = &self.capture else { return Ok((builder, None)) };
        if !self.is_live() {
            return Ok((builder.capture(capture), None));
        }
        let (pipe, done) = self.standard_output()?;
        Ok((builder.capture_to(pipe, Format::PCAP), Some(done)))
    }

    /// Discovers the table of a peer, of which a shell takes note.
    pub async fn discover(&self, peer: &Peer) -> Result<Services, Error> {
        peer.discover().await.inspect(|services| self.discovered(peer, services))
    }

    /// A shell takes note of the table of a peer.
    pub fn discovered(&self, peer: &Peer, services: &Services) {
        self.held.iter().for_each(|held| held.discovered(peer, services));
    }

    /// A shell takes note of who was heard.
    pub fn saw(&self, address: Option<Address>) {
        self.held.iter().zip(address).for_each(|(held, address)| held.saw(address));
    }

    /// Standard input for a verb that takes lines.
    pub fn lines(&self) -> Lines {
        self.held.as_ref().map_or_else(Lines::standard_input, |held| held.lines())
    }

    /// Standard output for a capture, and who tells what becomes of it.
    pub fn standard_output(&self) -> Result<(Pipe, Done), Failure> {
        if io::stdout().is_terminal() {
            let hint = "pipe it, as in: baretooth --capture - scan | wireshark -k -i -";
            return Err(Failure::Usage(format!("a capture is not for a terminal; {hint}")));
        }
        Ok(live::start(io::stdout()))
    }

    async fn open(&self, mut builder: AdapterBuilder) -> Result<Adapter, Failure> {
        let spec = match &self.adapter {
            Some(spec) => spec.clone(),
            None => adapters::only()?,
        };
        builder = builder.open_options(OpenOptions::new().leave_up(self.no_down));
        if let Some(recovery) = self.recovery {
            builder = builder.recovery(recovery);
        }
        if let Some(own_address) = self.own_address {
            builder = builder.own_address(own_address);
        }
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        if let Some(store) = self.session_store(&spec) {
            builder = builder.store(store);
        }
        if let AdapterSpec::Replay(path) = &spec {
            let transport = ReplayTransport::open(path).map_err(|error| replay::unreadable(path, &error))?;
            let progress = self.replay.get_or_init(|| transport.progress());
            let adapter = builder.open_replay(transport).await;
            // Why the capture and the host disagree says more than that the controller cannot be used.
            return adapter.map_err(|error| match progress.result() {
                Err(difference @ (ReplayError::Differs(_) | ReplayError::NotSent { .. })) => {
                    replay::failure("replaying the capture failed", &difference)
                }
                _ => error.into(),
            });
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

/// Fails when the user, or the end of the terminal, ends the program for good (SIGTERM, SIGHUP): what ends a program in
/// which interrupts are for something else.
#[cfg(unix)]
pub async fn terminated<T>() -> Result<T, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = terminate.recv() => Err(Failure::Interrupted),
        _ = hang_up.recv() => Err(Failure::Interrupted),
    }
}

#[cfg(not(unix))]
pub async fn terminated<T>() -> Result<T, Failure> {
    pending().await
}

fn recovery(text: &str) -> Result<Recovery, &'static str> {
    match text {
        "off" => Ok(Recovery::Off),
        "reset" => Ok(Recovery::Reset),
        "reopen" => Ok(Recovery::Reopen),
        "reset-port" => Ok(Recovery::ResetPort),
        _ => Err("it is off, reset, reopen or reset-port"),
    }
}

fn own_address(text: &str) -> Result<OwnAddress, &'static str> {
    match text {
        "public" => Ok(OwnAddress::Public),
        "static" => Ok(OwnAddress::RandomStatic),
        "resolvable" => Ok(OwnAddress::Resolvable),
        "private" => Ok(OwnAddress::NonResolvable),
        _ => Err("it is public, static, resolvable or private"),
    }
}

/// A file whose name says its format, or standard output.
fn capture_file(text: &str) -> Result<PathBuf, String> {
    if text != STANDARD_OUTPUT {
        Format::of_name(text).map_err(|unknown| unknown.to_string())?;
    }
    Ok(PathBuf::from(text))
}

/// Ends when nobody reads the capture on standard output any more.
async fn unread(live: &mut Option<Done>) -> Failure {
    let Some(done) = live else { return pending().await };
    let cause = match done.wait().await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => error.to_string(),
        _ => "nobody reads it any more".to_owned(),
    };
    *live = None;
    Failure::new(
        ErrorKind::Capture,
        format!("capture to standard output ended, and the session with it: {cause}"),
    )
}
