//! When a record was made, by the clock of whoever made it.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment since 1970-01-01 UTC, or before it, to the nanosecond. Files hold whatever their writer's clock said, and
/// hostile ones hold anything: arithmetic saturates.
///
/// ```
/// use baretooth::capture::Timestamp;
/// use std::time::Duration;
/// let later = Timestamp::from_nanos(1_500_000_000) + Duration::from_millis(250);
/// assert_eq!(later.to_string(), "1.750000");
/// assert_eq!(later.nanos_since(Timestamp::UNIX_EPOCH), 1_750_000_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    seconds: i64,
    /// Of the second that has begun: less than a thousand million.
    nanos: u32,
}

const NANOS: u32 = 1_000_000_000;

impl Timestamp {
    /// 1970-01-01 UTC.
    pub const UNIX_EPOCH: Self = Self { seconds: 0, nanos: 0 };

    /// The moment this many seconds after 1970 and nanoseconds after that; more than a second of those is carried.
    pub const fn new(seconds: i64, nanos: u32) -> Self {
        Self { seconds: seconds.saturating_add((nanos / NANOS) as i64), nanos: nanos % NANOS }
    }

    /// Seconds after 1970 and microseconds after that, of which files may hold more than a second.
    pub(super) fn with_micros(seconds: u32, micros: u32) -> Self {
        let carried = i64::from(micros / 1_000_000);
        Self::new(i64::from(seconds) + carried, micros % 1_000_000 * 1_000)
    }

    /// This many microseconds after 1970, or before.
    pub const fn from_micros(micros: i64) -> Self {
        Self { seconds: micros.div_euclid(1_000_000), nanos: micros.rem_euclid(1_000_000) as u32 * 1_000 }
    }

    /// This many nanoseconds after 1970, or before.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { seconds: nanos.div_euclid(NANOS as i64), nanos: nanos.rem_euclid(NANOS as i64) as u32 }
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds of the second that has begun.
    pub const fn subsec_nanos(self) -> u32 {
        self.nanos
    }

    /// Microseconds since 1970, rounded down.
    pub const fn micros(self) -> i64 {
        saturated(self.seconds as i128 * 1_000_000 + (self.nanos / 1_000) as i128)
    }

    /// Nanoseconds since `earlier`; negative when that is later. A clock may have been set back in mid-capture.
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        let seconds = self.seconds as i128 - earlier.seconds as i128;
        saturated(seconds * NANOS as i128 + self.nanos as i128 - earlier.nanos as i128)
    }

    /// Time since `earlier`; zero when that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanos_since(earlier)).unwrap_or(0))
    }
}

const fn saturated(value: i128) -> i64 {
    if value > i64::MAX as i128 {
        i64::MAX
    } else if value < i64::MIN as i128 {
        i64::MIN
    } else {
        value as i64
    }
}

/// A time that was counted from 1970.
impl From<Duration> for Timestamp {
    fn from(since_1970: Duration) -> Self {
        Self {
            seconds: i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX),
            nanos: since_1970.subsec_nanos(),
        }
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, delay: Duration) -> Self {
        let seconds = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
        Self::new(self.seconds.saturating_add(seconds), self.nanos + delay.subsec_nanos())
    }
}

/// Seconds since 1970 with six digits, rounded down.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.micros();
        let sign = if micros < 0 { "-" } else { "" };
        let micros = micros.unsigned_abs();
        write!(f, "{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_1970_are_moments_too() {
        let before = Timestamp::from_micros(-1);
        assert_eq!((before.seconds(), before.subsec_nanos()), (-1, 999_999_000));
        assert_eq!(before.micros(), -1);
        assert_eq!(before.to_string(), "-0.000001");
        assert_eq!(before.nanos_since(Timestamp::UNIX_EPOCH), -1_000);
        assert_eq!(before.since(Timestamp::UNIX_EPOCH), Duration::ZERO);
        assert_eq!(before + Duration::from_micros(2), Timestamp::from_micros(1));
    }

    #[test]
    fn what_cannot_be_counted_is_the_nearest_that_can() {
        let beyond = Timestamp::new(i64::MIN / 1_000_000 - 1, 200_000_000);
        assert_eq!(beyond.micros(), i64::MIN);
        assert_eq!(Timestamp::from_micros(i64::MIN).micros(), i64::MIN);
        assert_eq!(Timestamp::UNIX_EPOCH.nanos_since(Timestamp::new(i64::MAX, 1)), i64::MIN);
    }

    #[test]
    fn nothing_overflows() {
        let ends = [
            Timestamp::new(i64::MAX, u32::MAX),
            Timestamp::new(i64::MIN, 0),
            Timestamp::from_micros(i64::MIN),
        ];
        for end in ends {
            for other in ends {
                let _ = (
                    end.nanos_since(other),
                    end.since(other),
                    end.micros(),
                    end + Duration::MAX,
                    end.to_string(),
                );
            }
        }
    }
}
