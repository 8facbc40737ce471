//! `bridge`: joins two adapters, packet by packet.
//!
//! A is where the controller is, B where the host is: A is opened as a host opens it, and at B we play the controller.
//! So `sent` in a capture is what came from B.

use crate::failure::Failure;
use crate::global::{Global, or_interrupted};
use crate::listener::Opening;
use crate::live::{self, Done};
use crate::output::Output;
use baretooth::capture::{Direction, Format, Timestamp, Writer};
use baretooth::transports::{
    AdapterSpec, HciPacket, OpenOptions, SendQueue, Transport, TransportError, TransportRx, TransportTx,
};
use baretooth::{Error, ErrorKind};
use serde::Serialize;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Joins two adapters: packets of the one go to the other, until either ends.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the controller is: usb:0, hci0, uart:/dev/ttyUSB0,1000000, tcp:HOST:PORT …
    #[arg(value_name = "A")]
    controller: AdapterSpec,
    /// Where the host is, or comes to: tcp-server:HOST:PORT, unix-server:PATH, pty:LINK …
    #[arg(value_name = "B")]
    host: AdapterSpec,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Happening {
    /// Another program may come, with this adapter.
    Listening { listen: String, adapter: String },
    /// Packets pass from here on.
    Joined { a: String, b: String },
    /// One side has ended, and the bridge with it.
    Ended { side: &'static str, adapter: String, cause: String },
}

/// How long what was received before the end is still handed on.
const LAST_PACKETS: Duration = Duration::from_secs(1);

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let (tap, mut live) = Tap::create(global)?;
    let mut output = global.output();
    let result = or_interrupted(join(global, &args, &tap, &mut output)).await;
    if let Some(error) = tap.close() {
        let _ = global.capture_error.set(error);
    }
    if let Some(live) = &mut live {
        let _ = or_interrupted(async { Ok(live.wait().await) }).await;
    }
    result
}

async fn join(global: &Global, args: &Args, tap: &Tap, output: &mut Output) -> Result<(), Failure> {
    let a = Opening::begin(&args.controller).await?;
    let b = Opening::begin(&args.host).await?;
    for opening in [&a, &b] {
        if let Some((listen, adapter)) = opening.listening()? {
            tell(output, &Happening::Listening { listen, adapter })?;
        }
    }
    let options = OpenOptions::new().leave_up(global.no_down);
    // A host that comes while the controller is being opened waits; one whose controller cannot be opened need not.
    let (a, b) = tokio::try_join!(a.finish(options), b.finish(options.serve(true)))?;
    let (a_name, b_name) = (a.description(), b.description());
    tell(output, &Happening::Joined { a: a_name.clone(), b: b_name.clone() })?;
    let ((mut a_rx, mut a_tx), (mut b_rx, mut b_tx)) = (a.split(), b.split());
    // Each direction goes on while the other waits.
    let ended = tokio::select! {
        ended = carry(&mut a_rx, &mut b_tx, |packet| tap.record(Direction::Received, packet)) => ended,
        ended = carry(&mut b_rx, &mut a_tx, |packet| tap.record(Direction::Sent, packet)) => ended.other(),
    };
    let (side, adapter, error) = match ended {
        Ended::Receiver(error) => ("a", a_name, error),
        Ended::Sender(error) => ("b", b_name, error),
    };
    let cause = error.to_string();
    tell(output, &Happening::Ended { side, adapter: adapter.clone(), cause })?;
    match error {
        // The other program is done.
        TransportError::Closed => Ok(()),
        source => Err(Error::Transport { operation: format!("joining {adapter}"), source }.into()),
    }
}

/// Which end of a direction has failed.
enum Ended {
    Receiver(TransportError),
    Sender(TransportError),
}

impl Ended {
    /// Seen from the other direction.
    fn other(self) -> Self {
        match self {
            Self::Receiver(error) => Self::Sender(error),
            Self::Sender(error) => Self::Receiver(error),
        }
    }
}

/// Carries packets one way until one end fails. It receives while it sends, until as many wait as the queue holds.
async fn carry(
    rx: &mut impl TransportRx,
    tx: &mut impl TransportTx,
    mut seen: impl FnMut(&HciPacket),
) -> Ended {
    let mut queue = SendQueue::default();
    loop {
        tokio::select! {
            biased;
            sent = tx.send(&mut queue), if !queue.is_empty() => {
                if let Err(error) = sent {
                    return Ended::Sender(error);
                }
            }
            packet = rx.recv(), if queue.len() < SendQueue::CAPACITY => match packet {
                Ok(packet) => {
                    let mut first = Some(packet);
                    queue.fill(|| first.take().or_else(|| rx.recv_ready()).inspect(&mut seen));
                }
                Err(error) => {
                    let _ = tokio::time::timeout(LAST_PACKETS, tx.send(&mut queue)).await;
                    return Ended::Receiver(error);
                }
            },
        }
    }
}

/// The capture of what passes, if there is one. It fails by itself: the packets pass on.
struct Tap(RefCell<State>);

struct State {
    writer: Option<Writer<Box<dyn Write + Send>>>,
    name: String,
    failure: Option<Error>,
}

impl Tap {
    fn create(global: &Global) -> Result<(Self, Option<Done>), Failure> {
        let mut done = None;
        let (writer, name) = match (&global.capture, global.capture_file()) {
            (None, _) => (None, String::new()),
            (Some(_), Some(path)) => {
                let name = path.display().to_string();
                let format = Format::of_name(path).map_err(|unknown| Failure::Usage(unknown.to_string()))?;
                let opened = File::create(path).and_then(|file| Writer::new(boxed(file), format));
                let failed =
                    |error| Failure::new(ErrorKind::Capture, format!("capture to {name} failed: {error}"));
                (Some(opened.map_err(failed)?), name.clone())
            }
            (Some(_), None) => {
                let (pipe, told) = live::start(io::stdout());
                done = Some(told);
                (Some(Writer::new(boxed(pipe), Format::PCAP)?), "standard output".to_owned())
            }
        };
        Ok((Self(RefCell::new(State { writer, name, failure: None })), done))
    }

    fn record(&self, direction: Direction, packet: &HciPacket) {
        let mut state = self.0.borrow_mut();
        let Some(writer) = &mut state.writer else { return };
        // One write for each packet: the file can be read whenever the bridge ends.
        if let Err(error) = writer.packet(now(), direction, packet) {
            let to = state.name.clone();
            state.failure = Some(Error::Capture { to, source: Arc::new(error) });
            state.writer = None;
        }
    }

    /// Why the capture is not whole, if it is not.
    fn close(self) -> Option<Error> {
        let State { writer, name, failure } = self.0.into_inner();
        let flushed = writer.map_or(Ok(()), |mut writer| writer.flush());
        failure.or_else(|| flushed.err().map(|error| Error::Capture { to: name, source: Arc::new(error) }))
    }
}

fn boxed(to: impl Write + Send + 'static) -> Box<dyn Write + Send> {
    Box::new(to)
}

fn now() -> Timestamp {
    #[allow(clippy::disallowed_methods)] // a capture is for people, and this is no part of the host
    let now = SystemTime::now();
    Timestamp::from(now.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn tell(output: &mut Output, happening: &Happening) -> io::Result<()> {
    if output.is_json() {
        output.object(happening)?;
    } else {
        match happening {
            Happening::Listening { listen, adapter } => {
                output.line(format_args!("{listen}: waiting; others use --adapter {adapter}"))?;
            }
            Happening::Joined { a, b } => {
                output.line(format_args!("{a} (controller) and {b} (host) are joined"))?
            }
            Happening::Ended { adapter, cause, .. } => {
                output.line(format_args!("{adapter} has ended: {cause}"))?;
            }
        }
    }
    output.flush()
}
