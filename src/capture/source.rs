//! Octets of a file in large pieces; what is taken off the front shares its piece and is not copied.

use bytes::{Bytes, BytesMut};
use std::io::{self, Read};

/// Octets read at a time.
const PIECE: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Source<R> {
    from: R,
    buffer: BytesMut,
    ended: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, buffer: BytesMut::new(), ended: false }
    }

    /// What has been read and not taken: at least `length` octets, unless the file has fewer. Memory grows with what
    /// the file holds, whatever length was asked for.
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

    /// Takes that many octets; `None` when the file ends before them.
    pub(super) fn take(&mut self, length: usize) -> io::Result<Option<Bytes>> {
        let available = self.peek(length)?.len();
        Ok((available >= length).then(|| self.buffer.split_to(length).freeze()))
    }
}
