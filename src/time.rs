//! Time as the host sees it: what it is told, never what it looks up.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment, as the time since the session began. Made by whoever drives the host (or from a capture's
/// timestamps), so the same inputs give the same session.
///
/// ```
/// use baretooth::Instant;
/// use std::time::Duration;
/// let later = Instant::START + Duration::from_millis(1500);
/// assert_eq!(later.to_string(), "1.500000");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The beginning of the session.
    pub const START: Self = Self(Duration::ZERO);

    /// The moment this long after the beginning.
    pub const fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the beginning.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(delay))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, delay: Duration) -> Self {
        Self(self.0.saturating_sub(delay))
    }
}

/// Seconds with six digits.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({self})")
    }
}
