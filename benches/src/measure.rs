//! Clocks, and what is made of many measurements.

use std::fmt;
use std::time::{Duration, Instant};

/// Wall clock and processor time of this process since a moment.
pub struct Stopwatch {
    wall: Instant,
    threads: Duration,
    ticks: Duration,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self { threads: thread_time(), ticks: clock_ticks(), wall: Instant::now() }
    }

    /// Time that has passed.
    pub fn wall(&self) -> Duration {
        self.wall.elapsed()
    }

    /// Waits.
    pub fn pause(time: Duration) {
        std::thread::sleep(time);
    }

    /// Time this process has been running on a processor, user and system, all its threads. To the nanosecond, or to
    /// two clock ticks (20 ms) when threads have ended meanwhile or the kernel keeps no `schedstat`.
    pub fn cpu(&self) -> Duration {
        let threads = thread_time().saturating_sub(self.threads);
        let ticks = clock_ticks().saturating_sub(self.ticks);
        if ticks > threads + 2 * TICK { ticks } else { threads }
    }
}

/// Processor time of the threads that are running now: the nanoseconds of each one's `schedstat`.
fn thread_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Duration::from_nanos(nanoseconds.sum())
}

/// Processor time of the process, threads that have ended included: `utime` and `stime` of `/proc/self/stat`, its 14th
/// and 15th field. The second, the program's name, may hold spaces but ends with `)`.
fn clock_ticks() -> Duration {
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = line.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok());
    TICK * ticks.sum::<u32>()
}

/// A clock tick of user space: a hundredth of a second on every Linux that Rust's std runs on.
const TICK: Duration = Duration::from_millis(10);

/// Middle and both ends of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// Middle; the upper of the two in the middle.
    pub median: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// Of at least one figure; all zero for none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        Self { min: at(0), median: at(sorted.len() / 2), max: at(sorted.len().saturating_sub(1)) }
    }
}

/// `median (min..max)`, with the precision asked for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let text = format!("{:.digits$} ({:.digits$}..{:.digits$})", self.median, self.min, self.max);
        let width = f.width().unwrap_or(0);
        write!(f, "{text:>width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_and_both_ends() {
        let spread = Spread::of([5.0, 1.0, 3.0]);
        assert_eq!(spread, Spread { min: 1.0, median: 3.0, max: 5.0 });
        assert_eq!(format!("{spread:.1}"), "3.0 (1.0..5.0)");
        assert_eq!(Spread::of([]), Spread { min: 0.0, median: 0.0, max: 0.0 });
    }

    #[test]
    fn processor_time_grows_with_work() {
        let watch = Stopwatch::start();
        let mut sum = 0_u64;
        while watch.cpu() < Duration::from_millis(50) {
            assert!(watch.wall() < Duration::from_secs(30), "no processor time is counted");
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
        }
        assert!(clock_ticks() >= 3 * TICK, "the two clocks disagree");
    }
}
