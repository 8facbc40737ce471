//! What lasted from when to when, in bounded memory: neighbours become one when there are too many.

/// Something that went on, once or several times with little between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Beginning, in nanoseconds from that of the capture.
    pub start: u64,
    /// End; not before the beginning.
    pub end: u64,
    /// How many times.
    pub count: u32,
    /// How many of them went wrong.
    pub failed: u32,
    /// The record of the first.
    pub number: u64,
}

impl Span {
    /// Something that happened at one moment.
    pub fn at(nanos: u64, number: u64, failed: bool) -> Self {
        Self { start: nanos, end: nanos, count: 1, failed: u32::from(failed), number }
    }

    fn merge(&mut self, next: &Self) {
        self.end = self.end.max(next.end);
        self.count = self.count.saturating_add(next.count);
        self.failed = self.failed.saturating_add(next.failed);
    }
}

/// Spans in the order of their ends.
#[derive(Clone, Debug)]
pub struct Spans {
    spans: Vec<Span>,
    /// When something failed.
    failures: Vec<u64>,
    /// Those that are no farther apart are one.
    gap: u64,
}

/// Most spans that are kept apart.
const MOST: usize = 128;

impl Spans {
    /// Joins what is at most `gap` nanoseconds apart.
    pub fn new(gap: u64) -> Self {
        Self { spans: Vec::new(), failures: Vec::new(), gap }
    }

    /// Adds what ended last.
    pub fn push(&mut self, span: Span) {
        if span.failed > 0 && self.failures.len() < MOST {
            self.failures.push(span.end);
        }
        self.join(span);
        while self.spans.len() > MOST {
            self.coarsen();
        }
    }

    fn join(&mut self, span: Span) {
        match self.spans.last_mut() {
            Some(last) if span.start <= last.end.saturating_add(self.gap) => last.merge(&span),
            _ => self.spans.push(span),
        }
    }

    fn coarsen(&mut self) {
        self.gap = self.gap.saturating_mul(2).max(1);
        let spans = std::mem::take(&mut self.spans);
        spans.into_iter().for_each(|span| self.join(span));
    }

    /// The same in at most that many spans, at least one.
    pub fn at_most(&self, most: usize) -> Self {
        let mut fewer = self.clone();
        while fewer.spans.len() > most.max(1) {
            fewer.coarsen();
        }
        fewer.failures.truncate(most);
        fewer
    }

    /// The first moments at which something failed.
    pub fn failures(&self) -> impl Iterator<Item = u64> {
        self.failures.iter().copied()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter()
    }

    /// How many times it happened, and how many of them went wrong.
    pub fn total(&self) -> (u32, u32) {
        let add = |sum: u32, n: u32| sum.saturating_add(n);
        self.spans.iter().fold((0, 0), |(count, failed), s| (add(count, s.count), add(failed, s.failed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_and_the_number_is_bounded() {
        let mut spans = Spans::new(10);
        spans.push(Span::at(0, 1, false));
        spans.push(Span { start: 10, end: 30, count: 1, failed: 1, number: 2 });
        assert_eq!(spans.spans, [Span { start: 0, end: 30, count: 2, failed: 1, number: 1 }]);
        for n in 0..100_000 {
            spans.push(Span::at(1_000 * n * (n % 7 + 1), n, false));
        }
        assert!(spans.spans.len() <= MOST);
        assert_eq!(spans.total(), (100_002, 1));
    }
}
