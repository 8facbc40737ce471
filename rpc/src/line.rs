//! Octets to lines, and lines to calls. Whatever comes, there is a next line: what is too long is skipped to its end in
//! bounded memory, and what is no call has an answer.

use crate::message::error::RpcError;
use crate::wire::{Call, Id, Refusal};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Octets of a line at most, its end not counted.
pub const LONGEST: usize = 1 << 20;

/// What one line says; `None` for one with nothing but space in it.
///
/// # Errors
/// The answer to what is no call.
pub fn parse_line(line: &[u8]) -> Option<Result<Call, Refusal>> {
    let line = line.trim_ascii();
    (!line.is_empty()).then(|| Call::from_json(line))
}

/// The lines of a stream.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    /// The line is too long, and what is left of it is skipped.
    skipping: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), skipping: false }
    }

    /// What the next line says; `None` at the end, before which a line without an end of its own counts. A stream that
    /// breaks has ended.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Result<Call, Refusal>> {
        loop {
            let ended = self.fill().await?;
            let said = if self.skipping { Some(Err(too_long())) } else { parse_line(&self.line) };
            self.skipping = false;
            self.line.clear();
            if said.is_some() || ended {
                return said;
            }
        }
    }

    /// Reads to the end of a line; whether that was the end of all, `None` when nothing was left before it.
    async fn fill(&mut self) -> Option<bool> {
        loop {
            let available = match self.input.fill_buf().await {
                Ok(available) => available,
                Err(error) => {
                    tracing::warn!(%error, "the input broke off");
                    &[]
                }
            };
            if available.is_empty() {
                return (self.skipping || !self.line.is_empty()).then_some(true);
            }
            let end = available.iter().position(|&octet| octet == b'\n');
            let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            if self.skipping || self.line.len() + part.len() > LONGEST {
                self.skipping = true;
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Some(false);
            }
        }
    }
}

fn too_long() -> Refusal {
    let cause = format!("a line has at most {LONGEST} octets");
    Refusal { id: Id::Null, error: RpcError::never_ran(RpcError::INVALID_REQUEST, cause) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, BufReader};

    const INFO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"info"}"#;

    async fn codes(input: &[u8], read_size: usize) -> Vec<i32> {
        let mut lines = Lines::new(BufReader::with_capacity(read_size, input));
        let mut codes = Vec::new();
        while let Some(said) = lines.next().await {
            codes.push(said.map_or_else(|refusal| refusal.error.code, |_| 0));
        }
        codes
    }

    #[tokio::test]
    async fn each_line_says_one_thing_however_it_is_cut() {
        let input = format!("{INFO}\n\n  \r\n{INFO}\r\nx\n[]\n{INFO}");
        for read_size in [1, 7, 4096] {
            let expected = [0, 0, RpcError::PARSE_ERROR, RpcError::INVALID_REQUEST, 0];
            assert_eq!(codes(input.as_bytes(), read_size).await, expected);
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_and_the_next_one_counts() {
        let space = " ".repeat(LONGEST - INFO.len());
        let long = [INFO, &space, "\n", INFO, &space, " \n", INFO].concat();
        for read_size in [4096, 1 << 21] {
            assert_eq!(codes(long.as_bytes(), read_size).await, [0, RpcError::INVALID_REQUEST, 0]);
        }
        let unended = vec![b'x'; 10 << 20];
        assert_eq!(codes(&unended, 8192).await, [RpcError::INVALID_REQUEST]);
    }

    #[tokio::test]
    async fn half_a_line_is_kept_while_the_reader_looks_elsewhere() {
        let (mut client, ours) = tokio::io::duplex(64);
        let mut lines = Lines::new(BufReader::new(ours));
        for (at, octet) in INFO.bytes().chain(*b"\n").enumerate() {
            client.write_all(&[octet]).await.expect("there is room");
            let said = tokio::select! {
                biased;
                said = lines.next() => Some(said),
                () = tokio::task::yield_now() => None,
            };
            assert_eq!(said.is_some(), at == INFO.len(), "after {at} octets");
        }
    }
}
