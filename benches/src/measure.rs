//! Clocks, and what is made of many measurements.

use std::fmt;
use std::process::Command;
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
        Self { threads: thread_time(OWN), ticks: clock_ticks(OWN), wall: Instant::now() }
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
        let threads = thread_time(OWN).saturating_sub(self.threads);
        let ticks = clock_ticks(OWN).saturating_sub(self.ticks);
        finer(threads, ticks)
    }
}

/// The nanoseconds, unless the ticks show that threads which have ended are missing in them.
fn finer(threads: Duration, ticks: Duration) -> Duration {
    if ticks > threads + 2 * TICK { ticks } else { threads }
}

/// This process, in `/proc`.
const OWN: &str = "self";

/// Processor time of the threads that a process has now: the nanoseconds of each one's `schedstat`.
fn thread_time(process: &str) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let nanoseconds = threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Duration::from_nanos(nanoseconds.sum())
}

/// Processor time of a process, threads that have ended included: `utime` and `stime`.
fn clock_ticks(process: &str) -> Duration {
    let fields = stat(process);
    let ticks = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok());
    TICK * ticks.sum::<u32>()
}

/// The fields of `/proc/PROCESS/stat` from the third on, the state. The second, the program's name, may hold spaces but
/// ends with `)`.
fn stat(process: &str) -> Vec<String> {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind_name = line.rsplit(')').next().unwrap_or_default();
    behind_name.split_whitespace().map(str::to_owned).collect()
}

/// A clock tick of user space: a hundredth of a second on every Linux that Rust's std runs on.
const TICK: Duration = Duration::from_millis(10);

/// What a program took from its start to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor, user and system; as fine as [`Stopwatch::cpu`].
    pub cpu: Duration,
    /// Most memory it held at a time, in octets: the kernel's own high-water mark, read until shortly before the end, so
    /// that what the last two milliseconds added is missing.
    pub peak: u64,
}

impl Usage {
    /// Runs a program to its end. What it prints should go nowhere: nobody reads it meanwhile.
    ///
    /// # Errors
    /// When it cannot be started, has not ended after `limit`, or did not end well; a sentence.
    pub fn of(command: &mut Command, limit: Duration) -> Result<Self, String> {
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let usage = Self::watch(&child.id().to_string(), limit);
        if usage.is_err() {
            let _ = child.kill(); // It may have ended just now.
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        let usage = usage?;
        if status.success() { Ok(usage) } else { Err(format!("ended with {status}")) }
    }

    /// Looks at a child until it has ended. It stays readable until it is waited for.
    fn watch(process: &str, limit: Duration) -> Result<Self, String> {
        let started = Instant::now();
        let mut peak = 0;
        while stat(process).first().is_some_and(|state| state != "Z") {
            if started.elapsed() > limit {
                return Err(format!("not ended after {limit:?}"));
            }
            peak = high_water_mark(process).unwrap_or(peak);
            Stopwatch::pause(Duration::from_millis(2));
        }
        Ok(Self { cpu: finer(thread_time(process), clock_ticks(process)), peak })
    }
}

/// Most memory a process held so far; `None` once it has ended.
fn high_water_mark(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

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
        assert!(clock_ticks(OWN) >= 3 * TICK, "the two clocks disagree");
    }

    #[test]
    fn a_program_is_charged_with_its_own_time_and_memory() {
        let script = |text: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", text]);
            Usage::of(&mut command, Duration::from_secs(30))
        };
        let busy = script("i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done").expect("counts");
        let idle = script("sleep 0.2").expect("sleeps");
        assert!(busy.cpu > 4 * idle.cpu, "{busy:?}, {idle:?}");
        assert!((100_000..100_000_000).contains(&idle.peak), "{idle:?}");
        assert_eq!(script("exit 3"), Err("ended with exit status: 3".to_owned()));
    }
}
