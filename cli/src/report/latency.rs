//! How long answers took: a histogram of logarithmic cells, and the slowest by packet number.

/// Answers of one kind.
#[derive(Clone, Debug)]
pub struct Latency {
    cells: [u32; CELLS],
    count: u64,
    longest: u64,
}

/// Cells for each doubling.
const PER_OCTAVE: u32 = 4;
/// From 1 µs to 2^27 µs, which is more than two minutes.
const CELLS: usize = 27 * PER_OCTAVE as usize;

/// One answer that was slow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slow {
    /// How long it took, in nanoseconds.
    pub nanos: u64,
    /// The record that asked, and the one that answered.
    pub asked: u64,
    pub answered: u64,
    /// What was asked for.
    pub what: String,
}

/// The slowest answers.
#[derive(Clone, Debug, Default)]
pub struct Slowest(Vec<Slow>);

const MOST_SLOW: usize = 10;

impl Default for Latency {
    fn default() -> Self {
        Self { cells: [0; CELLS], count: 0, longest: 0 }
    }
}

impl Latency {
    pub fn add(&mut self, nanos: u64) {
        self.count += 1;
        self.longest = self.longest.max(nanos);
        let cell = &mut self.cells[cell_of(nanos)];
        *cell = cell.saturating_add(1);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, exactly.
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// The time in which that many of a thousand had come: the upper end of its cell, at most a fifth too much.
    pub fn per_mille(&self, part: u64) -> u64 {
        let wanted = (self.count.saturating_mul(part)).div_ceil(1_000);
        let mut sum = 0;
        for (n, cell) in self.cells.iter().enumerate() {
            sum += u64::from(*cell);
            if sum >= wanted {
                return end_of(n).min(self.longest);
            }
        }
        self.longest
    }

    /// The cells from the first to the last that holds something: where each ends, in nanoseconds, and what it holds.
    pub fn cells(&self) -> Vec<(u64, u32)> {
        let first = self.cells.iter().position(|n| *n > 0).unwrap_or(0);
        let last = self.cells.iter().rposition(|n| *n > 0).map_or(0, |n| n + 1);
        (first..last).map(|n| (end_of(n), self.cells[n])).collect()
    }
}

/// `floor(PER_OCTAVE * log2(microseconds))`, in integers: the same on every machine.
fn cell_of(nanos: u64) -> usize {
    let micros = nanos / 1_000;
    let Some(octave) = micros.checked_ilog2() else { return 0 };
    // The next two bits: cells within an octave are of equal width.
    let quarter = if octave >= 2 { micros >> (octave - 2) & 3 } else { micros << (2 - octave) & 3 };
    let cell = octave as usize * PER_OCTAVE as usize + quarter as usize;
    cell.min(CELLS - 1)
}

fn end_of(cell: usize) -> u64 {
    let (octave, quarter) = (cell / PER_OCTAVE as usize, cell as u64 % u64::from(PER_OCTAVE));
    (1_000 << octave) / 4 * (5 + quarter)
}

impl Slowest {
    /// Keeps an answer when it is one of the slowest; `what` is asked only then.
    pub fn add(&mut self, nanos: u64, asked: u64, answered: u64, what: impl FnOnce() -> String) {
        if self.0.len() < MOST_SLOW || self.0.last().is_some_and(|fastest| fastest.nanos < nanos) {
            let at = self.0.partition_point(|slow| slow.nanos >= nanos);
            self.0.insert(at, Slow { nanos, asked, answered, what: what() });
            self.0.truncate(MOST_SLOW);
        }
    }

    /// Slowest first.
    pub fn iter(&self) -> impl Iterator<Item = &Slow> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_a_fifth_too_long_at_most() {
        let mut latency = Latency::default();
        for micros in 1..=10_000 {
            latency.add(micros * 1_000);
        }
        for (part, exact) in [(500, 5_000_000), (900, 9_000_000), (990, 9_900_000), (1_000, 10_000_000)] {
            let found = latency.per_mille(part);
            assert!(found >= exact && found <= exact + exact / 4, "{part}: {found} for {exact}");
        }
        assert_eq!(latency.cells().iter().map(|(_, n)| u64::from(*n)).sum::<u64>(), latency.count());
    }

    #[test]
    fn every_time_is_below_the_end_of_its_cell_and_not_below_that_of_the_one_before() {
        for nanos in (0..100_000_u64).map(|n| n * n * n / 7 * 1_000) {
            let cell = cell_of(nanos);
            assert!(cell == CELLS - 1 || nanos < end_of(cell), "{nanos} in {cell}");
            assert!(cell == 0 || nanos >= end_of(cell - 1), "{nanos} in {cell}");
        }
        assert_eq!(cell_of(u64::MAX), CELLS - 1);
    }

    #[test]
    fn the_slowest_ten_are_kept_in_order() {
        let mut slowest = Slowest::default();
        for n in 0..100_u64 {
            slowest.add(n * 37 % 100, n, n, || n.to_string());
        }
        let kept: Vec<u64> = slowest.iter().map(|slow| slow.nanos).collect();
        assert_eq!(kept, (90..100).rev().collect::<Vec<_>>());
    }
}
