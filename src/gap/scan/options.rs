//! What a subscriber asks of a scan.

use crate::Uuid;
use crate::gap::filter::Filter;
use crate::gap::privacy::OwnAddress;
use std::fmt;
use std::ops::BitOr;
use std::time::Duration;

/// PHYs of the primary advertising channel to listen on, as the bits of Scanning_PHYs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ScanPhys(u8);

impl ScanPhys {
    /// LE 1M.
    pub const LE_1M: Self = Self(1 << 0);
    /// LE Coded.
    pub const LE_CODED: Self = Self(1 << 2);

    /// Whether all of `other` are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn bits(self) -> u8 {
        self.0
    }
}

impl BitOr for ScanPhys {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for ScanPhys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(Self::LE_1M, "1M"), (Self::LE_CODED, "Coded")];
        f.debug_list()
            .entries(names.iter().filter(|(phy, _)| self.contains(*phy)).map(|(_, name)| name))
            .finish()
    }
}

/// What to do with a report that says what an earlier one said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// Report it.
    All,
    /// Drop it, here: a device is reported again when its data changed. Advertisement, scan response and each
    /// advertising set count for themselves. What was reported is remembered of the last 8192 of them.
    #[default]
    Changed,
    /// Let the controller drop it, where every subscriber agrees, which saves events; each controller judges in its own
    /// way, most by the address alone. Otherwise as [`Duplicates::Changed`].
    ControllerFiltered,
}

/// How to scan, and which reports to give.
///
/// ```
/// use baretooth::gap::scan::{Duplicates, ScanOptions};
/// use baretooth::uuid16;
/// use std::time::Duration;
/// let options = ScanOptions::new()
///     .active(false)
///     .interval(Duration::from_millis(100))
///     .window(Duration::from_millis(50))
///     .duplicates(Duplicates::All)
///     .service(uuid16(0x180D));
/// assert!(options.check().is_ok());
/// assert!(options.window(Duration::from_secs(1)).check().is_err(), "a window longer than the interval");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ScanOptions {
    pub(super) active: bool,
    interval: Duration,
    window: Duration,
    pub(super) phys: ScanPhys,
    pub(super) duplicates: Duplicates,
    pub(super) filter: Filter,
    pub(super) own_address: Option<OwnAddress>,
}

impl Default for ScanOptions {
    /// Active, all the time (60 ms of 60 ms), on LE 1M, every device, again when its data changed.
    fn default() -> Self {
        Self {
            active: true,
            interval: Duration::from_millis(60),
            window: Duration::from_millis(60),
            phys: ScanPhys::LE_1M,
            duplicates: Duplicates::default(),
            filter: Filter::default(),
            own_address: None,
        }
    }
}

impl ScanOptions {
    /// The default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to ask advertisers for their scan responses.
    pub fn active(mut self, active: bool) -> Self {
        self.active = active;
        self
    }

    /// Time from one scan window to the next, 2.5 ms to 10.24 s, in steps of 0.625 ms (rounded down).
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long to listen in each interval, 2.5 ms to the interval, in steps of 0.625 ms (rounded down).
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Where to listen. A controller that lacks one of several listens on the others.
    pub fn phys(mut self, phys: ScanPhys) -> Self {
        self.phys = phys;
        self
    }

    /// What to do with reports that say nothing new.
    pub fn duplicates(mut self, duplicates: Duplicates) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// Which reports to give.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Only devices that advertise this service: short for a [`Filter`] of that condition, added to the others.
    pub fn service(mut self, service: Uuid) -> Self {
        self.filter = self.filter.service(service);
        self
    }

    /// Which sort of address to ask for scan responses from; by default the adapter's. Of several scans the most private
    /// wish counts, and beside an advertisement with the legacy commands the advertisement's.
    pub fn own_address(mut self, own_address: OwnAddress) -> Self {
        self.own_address = Some(own_address);
        self
    }

    /// Whether the times are such as a controller takes.
    ///
    /// # Errors
    /// When they are not.
    pub fn check(&self) -> Result<(), InvalidScanTiming> {
        self.timing().map(drop)
    }

    pub(super) fn timing(&self) -> Result<Timing, InvalidScanTiming> {
        let refuse = InvalidScanTiming { interval: self.interval, window: self.window };
        let units = |time: Duration| {
            let units = u16::try_from(time.as_micros() / 625).ok();
            // The range of LE Set Scan Parameters; the extended command takes more.
            units.filter(|units| (0x0004..=0x4000).contains(units)).ok_or(refuse)
        };
        let timing = Timing { interval: units(self.interval)?, window: units(self.window)? };
        if timing.window > timing.interval { Err(refuse) } else { Ok(timing) }
    }
}

/// Scan interval and window in units of 0.625 ms ([Vol 4] Part E, 7.8.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) interval: u16,
    pub(super) window: u16,
}

impl Timing {
    /// The one that listens for more of the time; of equals the one with the shorter interval.
    pub(super) fn busier(self, other: Self) -> Self {
        let share = |a: Self, b: Self| u32::from(a.window) * u32::from(b.interval);
        let ours = (share(self, other), other.interval);
        let theirs = (share(other, self), self.interval);
        if ours >= theirs { self } else { other }
    }
}

/// Times that no controller takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "scan window {window:?} of interval {interval:?} is not allowed; both are 2.5 ms to 10.24 s, the window not the longer"
)]
pub struct InvalidScanTiming {
    /// The interval asked for.
    pub interval: Duration,
    /// The window asked for.
    pub window: Duration,
}
