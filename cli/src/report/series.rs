//! Counts over time in bounded memory: when the span outgrows the cells, each two become one of twice the width.

/// What is counted in one cell.
pub trait Cell: Default {
    /// Adds what the cell behind this one holds.
    fn merge(&mut self, next: &Self);
}

/// Cells of equal width from the beginning of the capture on.
#[derive(Clone, Debug)]
pub struct Series<C> {
    cells: Vec<C>,
    most: usize,
    /// Width of a cell: `1 << shift` nanoseconds.
    shift: u32,
}

/// The finest cells: 16 µs.
const FINEST: u32 = 14;

impl<C: Cell> Series<C> {
    /// At most that many cells, at least two.
    pub fn new(most: usize) -> Self {
        Self { cells: Vec::new(), most: most.max(2), shift: FINEST }
    }

    /// The cell of a moment, in nanoseconds from the beginning.
    pub fn at(&mut self, nanos: u64) -> &mut C {
        let mut index = usize::try_from(nanos >> self.shift).unwrap_or(usize::MAX);
        while index >= self.most {
            self.coarsen();
            index = usize::try_from(nanos >> self.shift).unwrap_or(usize::MAX);
        }
        if index >= self.cells.len() {
            self.cells.resize_with(index + 1, C::default);
        }
        &mut self.cells[index]
    }

    /// Makes the cells wider until there are at most that many, at least two.
    pub fn shrink(&mut self, most: usize) {
        self.most = most.max(2).min(self.most);
        while self.cells.len() > self.most {
            self.coarsen();
        }
    }

    /// Nanoseconds of one cell.
    pub fn width(&self) -> u64 {
        1 << self.shift
    }

    /// Makes the cells as wide as they would be had there been something at `nanos`, so that several series show the
    /// same cells.
    pub fn reach(&mut self, nanos: u64) {
        self.at(nanos);
    }

    /// Each cell with the moment that it begins at.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &C)> {
        self.cells.iter().zip(0..).map(|(cell, n)| (n << self.shift, cell))
    }

    fn coarsen(&mut self) {
        // 2^63 ns are one cell: more are not asked for.
        self.shift = (self.shift + 1).min(63);
        let mut cells = std::mem::take(&mut self.cells).into_iter();
        while let Some(mut cell) = cells.next() {
            if let Some(next) = cells.next() {
                cell.merge(&next);
            }
            self.cells.push(cell);
        }
    }
}

impl Cell for u32 {
    fn merge(&mut self, next: &Self) {
        *self = self.saturating_add(*next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_wider_and_nothing_is_lost() {
        let mut series: Series<u32> = Series::new(64);
        for n in 0..10_000_u64 {
            *series.at(n * 1_000_000) += 1;
        }
        assert!(series.cells.len() <= 64 && series.cells.len() > 32);
        assert_eq!(series.iter().map(|(_, n)| n).sum::<u32>(), 10_000);
        let per_cell = series.width() / 1_000_000;
        assert!(series.iter().take(8).all(|(_, n)| u64::from(*n).abs_diff(per_cell) <= 1));
    }

    #[test]
    fn the_end_of_time_is_in_a_cell() {
        let mut series: Series<u32> = Series::new(2);
        *series.at(u64::MAX) += 1;
        *series.at(0) += 1;
        assert_eq!(series.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1, 1]);
    }
}
