//! Octets of a file in large pieces; what is taken off the front shares its piece and is not copied.
//!
//! A length that a file announces never allocates: memory grows with what the file holds, a piece at a time.

use bytes::{Buf, BytesMut};
use std::io::{self, Read};

/// Octets read at a time.
const PIECE: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Source<R> {
    from: R,
    buffer: BytesMut,
    ended: bool,
    /// Octets passed over since the last that were taken.
    passed: usize,
}

impl<R: Read> Source<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, buffer: BytesMut::new(), ended: false, passed: 0 }
    }

    /// What has been read and not taken: at least `length` octets, unless the file has fewer.
    pub(super) fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        while self.buffer.len() < length && !self.ended {
            let filled = self.buffer.len();
            self.buffer.resize(filled + PIECE, 0);
            let read = self.from.read(&mut self.buffer[filled..]);
            self.buffer.truncate(filled + read.as_ref().map_or(0, |n| *n));
            match read {
                Ok(n) => self.ended = n == 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer)
    }

    /// Takes that many octets; `None`, and nothing taken, when the file ends before them.
    pub(super) fn take(&mut self, length: usize) -> io::Result<Option<BytesMut>> {
        if self.peek(length)?.len() < length {
            return Ok(None);
        }
        self.passed = 0;
        Ok(Some(self.buffer.split_to(length)))
    }

    /// Passes over that many octets of what is taken next, holding none; false when the file ends before them.
    pub(super) fn pass(&mut self, length: u64) -> io::Result<bool> {
        let mut left = length;
        while left > 0 {
            let available = self.peek(1)?.len();
            if available == 0 {
                return Ok(false);
            }
            let octets = usize::try_from(left).unwrap_or(usize::MAX).min(available);
            self.buffer.advance(octets);
            self.passed += octets;
            left -= octets as u64;
        }
        Ok(true)
    }

    /// Whether all that has been read was taken: the next octet has to be waited for.
    pub(super) fn is_drained(&self) -> bool {
        self.buffer.is_empty()
    }

    /// How many octets stand at the end of the file that nothing whole was made of.
    pub(super) fn left(&self) -> usize {
        self.buffer.len() + self.passed
    }
}
