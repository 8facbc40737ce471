//! The capture of a session: each packet with the time at which the host saw it.

use crate::Instant;
use crate::capture::{Direction, Format, Timestamp, Writer};
use crate::transports::HciPacket;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a capture cannot be written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("capture to {}: {source}", path.display())]
pub struct CaptureError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: Arc<io::Error>,
}

/// An open capture file.
#[derive(Debug)]
pub(crate) struct Tap {
    writer: Writer<BufWriter<File>>,
    path: PathBuf,
    /// Wall-clock time of the session's beginning, since 1970.
    start: Duration,
    unflushed_since: Option<Instant>,
    failed: bool,
}

/// A record reaches the file at most this much later.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

impl Tap {
    pub(crate) fn create(path: &Path, start: Duration) -> Result<Self, CaptureError> {
        let error = |source| CaptureError { path: path.to_owned(), source: Arc::new(source) };
        let file = File::create(path).map_err(error)?;
        let writer = Writer::new(BufWriter::with_capacity(1 << 16, file), Format::BTSNOOP).map_err(error)?;
        Ok(Self { writer, path: path.to_owned(), start, unflushed_since: None, failed: false })
    }

    /// Writes a packet down. A capture that fails is given up, and the session goes on.
    pub(crate) fn record(&mut self, now: Instant, direction: Direction, packet: &HciPacket) {
        if self.failed {
            return;
        }
        self.unflushed_since.get_or_insert(now);
        if let Err(error) =
            self.writer.packet(Timestamp::from(self.start) + now.since_start(), direction, packet)
        {
            self.fail(&error);
        }
    }

    /// When what was written is to be flushed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.unflushed_since.map(|since| since + FLUSH_WITHIN)
    }

    /// Flushes what has waited long enough.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.flush();
        }
    }

    pub(crate) fn flush(&mut self) {
        self.unflushed_since = None;
        if let Err(error) = self.writer.flush() {
            self.fail(&error);
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.failed = true;
        self.unflushed_since = None;
        tracing::error!(path = %self.path.display(), %error, "the capture ends here");
    }
}
