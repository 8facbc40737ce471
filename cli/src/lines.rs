//! Standard input a line at a time, for verbs that take values or answers from it.

use crate::failure::Failure;
use tokio::io::{AsyncBufReadExt, BufReader, Stdin, stdin};

/// The lines of standard input, from the next one on.
pub struct Lines(tokio::io::Lines<BufReader<Stdin>>);

impl Lines {
    pub fn standard_input() -> Self {
        Self(BufReader::new(stdin()).lines())
    }

    /// The next one, without its end; `None` when there are no more. Cancel safe.
    pub async fn next(&mut self) -> Result<Option<String>, Failure> {
        Ok(self.0.next_line().await?)
    }
}
