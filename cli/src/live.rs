//! `--capture -`: the capture on standard output, for a program that shows it while it grows.
//!
//! A thread of its own writes, so that a reader that is slow holds up neither the session nor an interrupt. A reader
//! that does not read at all costs [`LIMIT`] octets of memory and then its capture.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Octets that wait for the reader at most.
const LIMIT: usize = 64 << 20;

/// The end that the session writes to.
pub struct Pipe {
    pieces: Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

/// Tells when the other end is done: all is written and the [`Pipe`] dropped, or nobody reads any more.
pub struct Done(oneshot::Receiver<io::Result<()>>);

/// Begins to write to `out`.
pub fn start(out: impl Write + Send + 'static) -> (Pipe, Done) {
    let (sender, pieces) = channel();
    let (done, told) = oneshot::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let left = waiting.clone();
    std::thread::spawn(move || {
        // When nobody listens the program is ending.
        let _ = done.send(pass_on(out, pieces, &left));
    });
    (Pipe { pieces: sender, waiting }, Done(told))
}

fn pass_on(mut out: impl Write, pieces: Receiver<Vec<u8>>, waiting: &AtomicUsize) -> io::Result<()> {
    for piece in pieces {
        out.write_all(&piece)?;
        out.flush()?;
        waiting.fetch_sub(piece.len(), Ordering::Relaxed);
    }
    Ok(())
}

impl Write for Pipe {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.waiting.fetch_add(octets.len(), Ordering::Relaxed) + octets.len() > LIMIT {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the reader of standard output does not keep up",
            ));
        }
        self.pieces.send(octets.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Done {
    /// Waits for it. Cancel safe.
    ///
    /// # Errors
    /// What came between; a broken pipe when the reader went away.
    pub async fn wait(&mut self) -> io::Result<()> {
        // A thread that ends without a word has panicked.
        (&mut self.0).await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that is there and does not read.
    struct Stuck(std::sync::mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(octets.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_costs_bounded_memory_and_no_wait() {
        let (go_on, stuck) = channel();
        let (mut pipe, mut done) = start(Stuck(stuck));
        let piece = vec![0; 1 << 20];
        let taken = (0..1000).take_while(|_| pipe.write_all(&piece).is_ok()).count();
        assert_eq!(taken, LIMIT / piece.len());
        drop((go_on, pipe));
        done.wait().await.expect("it reads again");
    }

    #[tokio::test]
    async fn the_end_of_the_reader_is_told_to_both_ends() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut pipe, mut done) = start(Gone);
        pipe.write_all(b"header").expect("it waits");
        assert_eq!(done.wait().await.expect_err("gone").kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(pipe.write_all(b"more").expect_err("gone").kind(), io::ErrorKind::BrokenPipe);
    }
}
