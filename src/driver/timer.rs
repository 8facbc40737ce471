//! The one timer of the task.

use crate::Instant;
use std::pin::Pin;
use tokio::time::{Sleep, sleep_until};

/// Rings at a deadline, or before. A deadline that moves away leaves it as it is: it then rings early, and is set again.
/// So the deadline of each request costs nothing, where a new timer for each would wake the runtime's I/O driver.
#[derive(Default)]
pub(super) struct Timer {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Makes sure that it rings at the deadline, if not before. `clock` is when time began.
    pub(super) fn set(&mut self, clock: tokio::time::Instant, deadline: Option<Instant>) {
        let Some(deadline) = deadline.filter(|deadline| self.at.is_none_or(|at| *deadline < at)) else {
            return;
        };
        let at = clock + deadline.since_start();
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
        }
        self.at = Some(deadline);
    }

    /// Until it rings; at once when it was never set. Cancel safe.
    pub(super) async fn wait(&mut self) {
        if let Some(sleep) = &mut self.sleep {
            sleep.as_mut().await;
        }
        self.at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn rings_no_later_than_the_earliest_deadline_and_is_set_again() {
        let clock = tokio::time::Instant::now();
        let at = |seconds| Some(Instant::from_start(Duration::from_secs(seconds)));
        let mut timer = Timer::default();
        let mut rung = Vec::new();
        // A deadline moves away, then closer, then there is none for a while.
        for deadlines in [&[at(10), at(30)][..], &[at(30)], &[at(60), at(40)], &[None, at(50)]] {
            deadlines.iter().for_each(|deadline| timer.set(clock, *deadline));
            timer.wait().await;
            rung.push(clock.elapsed().as_secs());
        }
        assert_eq!(rung, [10, 30, 40, 50]);
    }
}
