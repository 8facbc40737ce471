//! Lines that a person types: edited, completed and remembered, with what is told in between drawn above them.
//!
//! Two threads have the terminal: one reads a line whenever somebody asks for it, the other prints. Nothing of the session
//! waits for either.

use super::complete::{Next, complete};
use super::line::command;
use super::{Known, PROMPT};
use crate::lines::{Asked, Typed};
use baretooth::bonds::JsonStore;
use clap::Command;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{FileHistory, History};
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter, Helper};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{Sender, channel};

/// Lines of a person that are remembered.
const REMEMBERED: usize = 1000;
/// Lines that wait to be drawn.
const ROOM: usize = 256;

/// A terminal for as long as the shell is there; dropped it is as it was before, even in the middle of a line.
pub struct Terminal {
    #[cfg(unix)]
    before: Option<nix::sys::termios::Termios>,
}

/// Takes the terminal: where lines come from, and where those go that are to be drawn above them.
pub fn open(known: Arc<Mutex<Known>>) -> io::Result<(Terminal, Asked, Sender<String>)> {
    let terminal = Terminal::new();
    let config = Config::builder()
        .max_history_size(REMEMBERED)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(io::Error::other)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor = Editor::<Words, FileHistory>::with_config(config).map_err(io::Error::other)?;
    editor.set_helper(Some(Words::new(known)));
    let history = history();
    if let Some(path) = &history {
        // There may be none yet; one that cannot be read is no reason not to have a shell.
        let _ = editor.load_history(path);
    }
    let printer = editor.create_external_printer().map_err(io::Error::other)?;
    let asked = Asked::new(move |prompt| read(&mut editor, prompt, history.as_deref()));
    Ok((terminal, asked, print(printer)))
}

fn read(editor: &mut Editor<Words, FileHistory>, prompt: &str, history: Option<&Path>) -> Typed {
    match editor.readline(prompt) {
        Ok(line) => {
            // Answers to a verb may be secret.
            if prompt == PROMPT && editor.add_history_entry(&line).unwrap_or(false) {
                // Not to be remembered is no reason not to be done.
                let _ = history.map(|path| editor.history_mut().append(path));
            }
            Typed::Line(line)
        }
        Err(ReadlineError::Interrupted) => Typed::Interrupted,
        Err(ReadlineError::Eof) => Typed::End,
        Err(error) => Typed::Failed(io::Error::other(error)),
    }
}

/// Draws what comes, many lines at once if they wait.
fn print(mut printer: impl ExternalPrinter + Send + 'static) -> Sender<String> {
    let (sender, mut lines) = channel::<String>(ROOM);
    std::thread::spawn(move || {
        while let Some(mut text) = lines.blocking_recv() {
            while let Ok(line) = lines.try_recv() {
                text = text + "\n" + &line;
            }
            if printer.print(text + "\n").is_err() {
                break;
            }
        }
    });
    sender
}

/// Where lines are remembered: a file for us alone, beside the bonds.
fn history() -> Option<PathBuf> {
    let directory = JsonStore::default_directory()?;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&directory).ok()?;
    Some(directory.join("shell_history"))
}

impl Terminal {
    #[cfg(unix)]
    fn new() -> Self {
        Self { before: nix::sys::termios::tcgetattr(io::stdin()).ok() }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for Terminal {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        // A terminal that is gone needs nothing.
        let _ = self.before.as_ref().map(|before| tcsetattr(io::stdin(), SetArg::TCSADRAIN, before));
    }
}

/// What completes lines.
struct Words {
    command: Command,
    known: Arc<Mutex<Known>>,
    files: FilenameCompleter,
}

impl Words {
    fn new(known: Arc<Mutex<Known>>) -> Self {
        let mut command = command();
        // Options of every verb come to the verbs, and `help` to them.
        command.build();
        Self { command, known, files: FilenameCompleter::new() }
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..at).unwrap_or(line);
        let start = typed
            .rfind(char::is_whitespace)
            .map_or(0, |blank| blank + typed[blank..].chars().next().map_or(0, char::len_utf8));
        let (before, word) = typed.split_at(start);
        let next =
            complete(&self.command, &self.known.lock().unwrap_or_else(PoisonError::into_inner), before, word);
        match next {
            Next::File => self.files.complete(line, at, context),
            Next::Words(words) => {
                let only = words.len() == 1;
                let pair = |(text, display): (String, String)| {
                    // Nothing else could be meant: the next word may follow.
                    Pair { replacement: if only { text + " " } else { text }, display }
                };
                Ok((start, words.into_iter().map(pair).collect()))
            }
        }
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}
