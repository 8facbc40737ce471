//! `shell`: the same verbs on one adapter that stays open, a line each; typed at a terminal, or from a script.

mod complete;
mod known;
mod line;
mod links;
mod subscriptions;
mod terminal;
mod voice;
mod wait;

use crate::failure::Failure;
use crate::global::{Global, or_interrupted, terminated};
use crate::held::Held;
use crate::lines::{Asked, Typed};
use baretooth::{Adapter, ErrorKind};
pub use known::Known;
use line::{Line, ShellVerb, words};
use std::future::pending;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use subscriptions::Subscriptions;
pub use voice::{Told, Voice};

/// What stands before a line that a person types.
const PROMPT: &str = "baretooth> ";

#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub struct Args {
    /// Goes on with a script behind a line that fails; the exit status is that of the first
    #[arg(long)]
    keep_going: bool,
}

const NOTES: &str = "\
Lines are verbs with their options, and connect, disconnect, links, subscribe, unsubscribe, wait, help and exit. Links \
stay up until they are disconnected or the shell ends. Without a terminal standard input is a script: nothing is echoed, \
and the first line that fails ends it with its exit status.

Examples:
  baretooth shell
  baretooth --json shell < script";

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    if global.is_replay() {
        let cause = "the time of a capture waits for nobody who types";
        return Err(Failure::Usage(format!("a shell on a capture refused: {cause}")));
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        // An interrupt is for the verb in progress.
        let work = async |adapter: &Adapter| typed(global, adapter).await;
        return global.session_until(terminated(), Adapter::builder(), work).await;
    }
    let work = async |adapter: &Adapter| script(global, &args, adapter).await;
    global.session_until(or_interrupted(pending()), Adapter::builder(), work).await
}

/// Runs the lines that a person types, to the last one.
async fn typed(global: &Global, adapter: &Adapter) -> Result<(), Failure> {
    let known = Arc::default();
    let (_terminal, input, lines) = terminal::open(Arc::clone(&known))?;
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let voice = Voice::Screen { json: global.json, colours, lines };
    let mut shell = Shell::new(global, Held::new(adapter.clone(), input, voice, known));
    loop {
        if shell.held.input().lock().await.is_reading() {
            // The prompt of a verb that has ended by itself cannot be taken back.
            eprintln!("the verb has ended: this line is the shell's");
        }
        let Some(line) = shell.next(PROMPT).await? else { break };
        let outcome = or_interrupted(async { Ok(shell.line(&line).await) }).await.unwrap_or_else(|failure| {
            // The prompt is to stand at the beginning of a line, not behind ^C.
            eprintln!();
            Outcome::Failed { verb: "shell", failure }
        });
        if outcome.status(global.json)?.is_none() {
            break;
        }
    }
    Ok(())
}

/// Runs the lines of standard input, and says how the first that failed did.
async fn script(global: &Global, args: &Args, adapter: &Adapter) -> Result<(), Failure> {
    let input = Asked::new(|_| match io::stdin().lines().next() {
        Some(Ok(line)) => Typed::Line(line),
        Some(Err(error)) => Typed::Failed(error),
        None => Typed::End,
    });
    let voice = Voice::Results { json: global.json, on_standard_error: global.is_live() };
    let mut shell = Shell::new(global, Held::new(adapter.clone(), input, voice, Arc::default()));
    let mut failed = None;
    while let Some(line) = shell.next("").await? {
        let Some(status) = shell.line(&line).await.status(global.json)? else { break };
        if status != ExitCode::SUCCESS {
            failed.get_or_insert(status);
            if !args.keep_going {
                break;
            }
        }
    }
    failed.map_or(Ok(()), |status| Err(Failure::Told(status)))
}

/// What lines run in.
struct Shell {
    /// As the shell was started, with what is open.
    global: Global,
    held: Arc<Held>,
    subscriptions: Subscriptions,
}

/// What came of a line.
enum Outcome {
    Done,
    Exit,
    Failed {
        verb: &'static str,
        failure: Failure,
    },
    /// It is no line of ours, or asks for help.
    Refused(clap::Error),
}

impl Shell {
    fn new(global: &Global, held: Held) -> Self {
        let held = Arc::new(held);
        let mut global = Global { held: Some(held.clone()), ..global.clone() };
        // The file is the session's: a line has packets of its own no more.
        if !global.is_live() {
            global.capture = None;
        }
        Self { global, held, subscriptions: Subscriptions::default() }
    }

    /// The next line of standard input; `None` at its end.
    async fn next(&self, prompt: &'static str) -> Result<Option<String>, Failure> {
        let typed = tokio::select! {
            biased;
            error = self.held.adapter().closed() => return Err(error.into()),
            typed = async { self.held.input().lock().await.next(prompt).await } => typed,
        };
        match typed {
            Typed::Line(line) => Ok(Some(line)),
            Typed::End => Ok(None),
            Typed::Interrupted => Ok(Some(String::new())),
            Typed::Failed(error) => {
                Err(Failure::new(ErrorKind::Invalid, format!("reading standard input failed: {error}")))
            }
        }
    }

    /// Does what a line says.
    async fn line(&mut self, line: &str) -> Outcome {
        let words = match words(line) {
            Ok(words) if words.is_empty() => return Outcome::Done,
            Ok(words) => words,
            Err(failure) => return Outcome::Failed { verb: "shell", failure },
        };
        let line = match Line::parse(&words) {
            Ok(line) => line,
            Err(error) => return Outcome::Refused(error),
        };
        let (global, verb) = (line.options(&self.global), line.verb.name());
        if let ShellVerb::Exit = line.verb {
            return Outcome::Exit;
        }
        match self.run(&global, line.verb).await {
            Ok(()) => Outcome::Done,
            Err(failure) => Outcome::Failed { verb, failure },
        }
    }

    async fn run(&mut self, global: &Global, verb: ShellVerb) -> Result<(), Failure> {
        let Self { held, subscriptions, .. } = self;
        match verb {
            ShellVerb::Connect(args) => links::connect(global, held, args).await,
            ShellVerb::Disconnect(args) => links::disconnect(global, held, args).await,
            ShellVerb::Links(_) => links::list(global, held, subscriptions),
            ShellVerb::Subscribe(args) => subscriptions.subscribe(global, held, args).await,
            ShellVerb::Unsubscribe(args) => subscriptions.unsubscribe(global, held, args).await,
            ShellVerb::Wait(args) => wait::run(args).await,
            ShellVerb::Exit => Ok(()),
            // In a box, because one of the verbs is this one.
            ShellVerb::Program(verb) => Box::pin(verb.run(global)).await,
        }
    }
}

impl Drop for Shell {
    /// What ends with the shell is no news.
    fn drop(&mut self) {
        self.held.let_go_of_all();
    }
}

impl Outcome {
    /// Tells what went wrong, and gives the status that the program would have ended with; `None` when the shell is to
    /// end here.
    fn status(self, json: bool) -> Result<Option<ExitCode>, Failure> {
        Ok(Some(match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Exit => return Ok(None),
            // Results that nobody reads are the end of the shell too.
            Self::Failed { failure: Failure::BrokenPipe, .. } => return Err(Failure::BrokenPipe),
            Self::Failed { verb, failure } => failure.report(verb, json),
            Self::Refused(error) => {
                error.print()?;
                if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
            }
        }))
    }
}
