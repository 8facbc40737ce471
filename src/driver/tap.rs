//! The capture of a session: each packet with the time at which the host saw it.
//!
//! Records are gathered and handed on whole, never a part of one, so that the file can be read whenever the process
//! dies. Nothing that goes wrong here touches the session.

use crate::Instant;
use crate::capture::{Direction, Format, Timestamp, Writer};
use crate::transports::HciPacket;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where a capture goes.
pub(crate) enum Destination {
    /// A file.
    File(PathBuf, Format),
    /// Whatever takes octets, as soon as there are any.
    Writer(Box<dyn Write + Send>, Format),
}

/// Why a capture cannot be written, or no further.
#[derive(Clone, Debug)]
pub(crate) struct CaptureError {
    /// The file, or what else it was written to.
    pub(crate) to: String,
    /// What the system said.
    pub(crate) source: Arc<io::Error>,
}

/// An open capture.
pub(crate) struct Tap {
    writer: Writer<Whole>,
    name: String,
    /// Wall-clock time of the session's beginning, since 1970.
    start: Duration,
    /// How long a record may wait for others.
    patience: Duration,
    waiting_since: Option<Instant>,
    /// Why the capture ended before the session; others look at it too.
    failure: Arc<OnceLock<CaptureError>>,
}

/// A record reaches its file at most a second late, and the task may be busy for a part of it.
const PATIENCE: Duration = Duration::from_millis(500);

impl Tap {
    pub(crate) fn create(
        destination: Destination,
        start: Duration,
        failure: Arc<OnceLock<CaptureError>>,
    ) -> Result<Self, CaptureError> {
        let name = destination.name();
        let failed = |source| CaptureError { to: name.clone(), source: Arc::new(source) };
        let (to, format, patience) = match destination {
            Destination::File(path, format) => {
                (Sink::File(File::create(path).map_err(failed)?), format, PATIENCE)
            }
            Destination::Writer(writer, format) => (Sink::Writer(writer), format, Duration::ZERO),
        };
        let mut writer = Writer::new(Whole { to, waiting: Vec::new(), whole: 0 }, format).map_err(failed)?;
        // What has no header is no capture yet.
        writer.flush().map_err(failed)?;
        Ok(Self { writer, name, start, patience, waiting_since: None, failure })
    }

    /// Writes a packet down. A capture that fails is given up, and the session goes on.
    pub(crate) fn record(&mut self, now: Instant, direction: Direction, packet: &HciPacket) {
        if self.failure.get().is_some() {
            return;
        }
        self.waiting_since.get_or_insert(now);
        let time = Timestamp::from(self.start) + now.since_start();
        if let Err(error) = self.writer.packet(time, direction, packet) {
            self.fail(error);
        }
    }

    /// When what waits is to be handed on.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting_since.map(|since| since + self.patience)
    }

    /// Hands on what has waited long enough.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.flush();
        }
    }

    pub(crate) fn flush(&mut self) {
        if self.waiting_since.take().is_some()
            && let Err(error) = self.writer.flush()
        {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.waiting_since = None;
        tracing::error!(capture = %self.name, %error, "the capture ends here");
        let _ = self.failure.set(CaptureError { to: self.name.clone(), source: Arc::new(error) });
    }
}

/// A session that ends with its runtime has nobody to close it.
impl Drop for Tap {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Destination {
    fn name(&self) -> String {
        match self {
            Self::File(path, _) => path.display().to_string(),
            Self::Writer(..) => "a writer".to_owned(),
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Hands on several records at once, each of them whole. The capture's [`Writer`] gives one with each write.
struct Whole {
    to: Sink,
    /// Records for the next time.
    waiting: Vec<u8>,
    /// Octets that have been handed on.
    whole: u64,
}

enum Sink {
    File(File),
    Writer(Box<dyn Write + Send>),
}

/// Octets that wait at most: few system calls under load, and each of them short.
const CAPACITY: usize = 1 << 14;

impl Write for Whole {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if self.waiting.len() + record.len() > CAPACITY {
            self.flush()?;
        }
        self.waiting.extend_from_slice(record);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let (waiting, whole) = (std::mem::take(&mut self.waiting), self.whole);
        match &mut self.to {
            Sink::File(file) => file.write_all(&waiting).inspect_err(|_| {
                // A disk that is full takes a part: the file ends with the record before it. This frees space.
                let _ = file.set_len(whole);
            }),
            Sink::Writer(writer) => writer.write_all(&waiting).and_then(|()| writer.flush()),
        }?;
        self.whole = whole + waiting.len() as u64;
        self.waiting = waiting;
        self.waiting.clear();
        Ok(())
    }
}
