//! The one writer: lines in the order in which they were given, of which a bounded number waits. Each producer waits
//! for room by itself, so one that can do without a line loses it where it is counted, and none waits for another.

use std::io;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

/// Lines that may wait.
const CAPACITY: usize = 1024;
/// Octets written at once, about.
const BATCH: usize = 1 << 16;

/// Where lines go. Cheap to clone; the writer ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    lines: mpsc::Sender<Line>,
}

#[derive(Debug)]
struct Line {
    text: String,
    written: Option<oneshot::Sender<()>>,
}

/// Nobody reads any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unread;

impl Out {
    /// And what writes, which is to be run.
    pub(crate) fn new(output: impl AsyncWrite + Unpin) -> (Self, impl Future<Output = io::Result<()>>) {
        let (lines, queue) = mpsc::channel(CAPACITY);
        (Self { lines }, write(output, queue))
    }

    /// Gives a line, once there is room for it.
    ///
    /// # Cancel safety
    /// Without room the line is not given.
    pub(crate) async fn line(&self, text: String) -> Result<(), Unread> {
        self.lines.send(Line { text, written: None }).await.map_err(|_| Unread)
    }

    /// Gives a line and waits until it was flushed.
    ///
    /// # Cancel safety
    /// As [`line`](Self::line); the line may be written all the same.
    pub(crate) async fn written(&self, text: String) -> Result<(), Unread> {
        let (written, flushed) = oneshot::channel();
        self.lines.send(Line { text, written: Some(written) }).await.map_err(|_| Unread)?;
        flushed.await.map_err(|_| Unread)
    }
}

async fn write(mut output: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Line>) -> io::Result<()> {
    let mut batch = String::new();
    let mut waiting = Vec::new();
    while let Some(first) = queue.recv().await {
        let mut next = Some(first);
        while let Some(line) = next {
            batch.push_str(&line.text);
            waiting.extend(line.written);
            next = if batch.len() < BATCH { queue.try_recv().ok() } else { None };
        }
        output.write_all(batch.as_bytes()).await?;
        output.flush().await?;
        batch.clear();
        waiting.drain(..).for_each(|written| {
            // Who waited may have gone.
            let _ = written.send(());
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn lines_come_in_order_and_none_is_lost() {
        let mut output = Vec::new();
        let (out, writer) = Out::new(&mut output);
        let lines = async move {
            for line in 0..5000 {
                out.line(format!("{line}\n")).await.expect("it is read");
            }
        };
        let (written, ()) = tokio::join!(writer, lines);
        written.expect("written");
        let expected = (0..5000).map(|line| format!("{line}\n")).collect::<String>();
        assert_eq!(output, expected.as_bytes());
    }

    #[tokio::test]
    async fn a_line_counts_as_written_when_the_reader_can_have_it() {
        let (mut reader, output) = tokio::io::duplex(4);
        let (out, writer) = Out::new(output);
        let reading = async move {
            let mut written = Box::pin(out.written("12345678\n".into()));
            let mut octets = [0; 9];
            tokio::select! {
                biased;
                _ = &mut written => panic!("not yet: there was room for four octets"),
                read = reader.read_exact(&mut octets[..4]) => assert_eq!(read.ok(), Some(4)),
            }
            let (written, read) = tokio::join!(written, reader.read_exact(&mut octets[4..]));
            assert!(written.is_ok() && read.is_ok());
        };
        let ((), written) = tokio::join!(reading, writer);
        written.expect("written");
    }

    #[tokio::test]
    async fn who_gives_lines_hears_that_nobody_reads_them() {
        let (reader, output) = tokio::io::duplex(4);
        let (out, writer) = Out::new(output);
        drop(reader);
        let (written, told) = tokio::join!(writer, out.written("x\n".into()));
        assert!(written.is_err() && told.is_err());
        assert!(out.line("y\n".into()).await.is_err());
    }
}
