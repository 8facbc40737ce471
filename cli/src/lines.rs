//! Standard input a line at a time, for verbs that take values or answers from it, and for the shell.

use crate::failure::Failure;
use std::io;
use std::sync::{Arc, mpsc};
use tokio::io::{AsyncBufReadExt, BufReader, Stdin, stdin};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The lines of standard input, from the next one on.
pub struct Lines(Source);

enum Source {
    Own(tokio::io::Lines<BufReader<Stdin>>),
    /// A shell reads its own lines there before and afterwards.
    Shared(Arc<Mutex<Asked>>),
}

impl Lines {
    pub fn standard_input() -> Self {
        Self(Source::Own(BufReader::new(stdin()).lines()))
    }

    pub fn of(asked: Arc<Mutex<Asked>>) -> Self {
        Self(Source::Shared(asked))
    }

    /// The next one, without its end; `None` when there are no more. Cancel safe.
    pub async fn next(&mut self) -> Result<Option<String>, Failure> {
        match &mut self.0 {
            Source::Own(lines) => Ok(lines.next_line().await?),
            Source::Shared(asked) => match asked.lock().await.next("").await {
                Typed::Line(line) => Ok(Some(line)),
                Typed::End => Ok(None),
                Typed::Interrupted => Err(Failure::Interrupted),
                Typed::Failed(error) => Err(error.into()),
            },
        }
    }
}

/// What came instead of a line, or one.
#[derive(Debug)]
pub enum Typed {
    Line(String),
    /// The user gave up the line.
    Interrupted,
    End,
    Failed(io::Error),
}

/// Lines that a thread of its own reads, each only when somebody wants it. So nothing is read ahead of a program that
/// reads the same input, and a terminal is left alone while nobody asks.
#[derive(Debug)]
pub struct Asked {
    prompts: mpsc::Sender<&'static str>,
    typed: UnboundedReceiver<Typed>,
    /// The thread reads.
    waits: bool,
}

impl Asked {
    /// Reads by `read`, which is given what is to stand before the line.
    pub fn new(mut read: impl FnMut(&str) -> Typed + Send + 'static) -> Self {
        let (prompts, asked) = mpsc::channel();
        let (sender, typed) = unbounded_channel();
        std::thread::spawn(move || {
            for prompt in asked {
                if sender.send(read(prompt)).is_err() {
                    break;
                }
            }
        });
        Self { prompts, typed, waits: false }
    }

    /// Whether a line is being read that nobody waits for any more: it is for who asks next.
    pub fn is_reading(&self) -> bool {
        self.waits
    }

    /// The next line; after [`Typed::End`] perhaps one more, as a terminal has it. Cancel safe: who asks next is given
    /// what this one has not waited for.
    pub async fn next(&mut self, prompt: &'static str) -> Typed {
        if !self.waits && self.prompts.send(prompt).is_err() {
            return Typed::End;
        }
        self.waits = true;
        let typed = self.typed.recv().await;
        self.waits = false;
        // A thread that ends without a word has panicked.
        typed.unwrap_or(Typed::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_line_is_read_when_it_is_wanted_and_not_lost_with_who_wanted_it() {
        let (typist, typed) = mpsc::channel();
        let (told, prompts) = mpsc::channel();
        let mut asked = Asked::new(move |prompt| {
            told.send(prompt.to_owned()).expect("the test listens");
            typed.recv().map_or(Typed::End, Typed::Line)
        });
        assert!(prompts.try_recv().is_err(), "nobody has asked");
        let given_up = timeout(Duration::from_millis(1), asked.next("first ")).await;
        assert!(given_up.is_err(), "{given_up:?}");
        typist.send("one".to_owned()).expect("it reads");
        assert!(matches!(asked.next("second ").await, Typed::Line(line) if line == "one"));
        drop(typist);
        assert!(matches!(asked.next("third ").await, Typed::End));
        assert_eq!(prompts.iter().take(2).collect::<Vec<_>>(), ["first ", "third "]);
    }
}
