//! One subscriber of a scan: which reports are for it, and which of them say something new.

use super::options::{Duplicates, InvalidScanTiming, ScanOptions, Timing};
use crate::gap::device_table::{Device, key};
use crate::gap::lru::Lru;
use crate::gap::report::Report;
use std::hash::{DefaultHasher, Hash, Hasher};

#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) options: ScanOptions,
    pub(super) timing: Timing,
    /// The controller was told to scan for it, too.
    pub(super) asked: bool,
    /// A scan that serves it has begun.
    pub(super) started: bool,
    reported: Lru<Source, u64>,
}

/// Who says something: address, advertising set, and whether in a scan response.
type Source = (Option<u64>, Option<u8>, bool);

/// How many sources a subscriber remembers.
const REPORTED: usize = 8192;

impl Subscription {
    pub(super) fn new(options: ScanOptions) -> Result<Self, InvalidScanTiming> {
        let timing = options.timing()?;
        Ok(Self { options, timing, asked: false, started: false, reported: Lru::new(REPORTED) })
    }

    /// Whether to give the report to the subscriber, who is then taken to know it.
    #[inline]
    pub(super) fn wants(&mut self, report: &Report, device: &Device) -> bool {
        if !self.options.filter.matches(report, device) {
            return false;
        }
        match self.options.duplicates {
            Duplicates::All => true,
            Duplicates::Changed | Duplicates::ControllerFiltered => self.is_news(report),
        }
    }

    fn is_news(&mut self, report: &Report) -> bool {
        // Fixed keys: the same reports give the same answers in every session.
        let mut hasher = DefaultHasher::new();
        report.data.hash(&mut hasher);
        let fingerprint = hasher.finish();
        let source = (report.address.map(key), report.sid, report.scan_response);
        let entry = self.reported.entry(source, || fingerprint);
        let before = std::mem::replace(entry.value, fingerprint);
        entry.is_new || before != fingerprint
    }
}
