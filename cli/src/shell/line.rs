//! A line of a shell: words, and the verb that they name with its options.

use super::{links, subscriptions, wait};
use crate::Verb;
use crate::failure::Failure;
use crate::global::Global;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

/// What can be typed.
#[derive(Parser)]
#[command(name = "baretooth shell", no_binary_name = true)]
#[command(
    help_template = "{subcommands}\n\nhelp VERB says more. Ctrl-C ends a verb, Ctrl-D the shell; a line that begins with a blank is not remembered"
)]
pub struct Line {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    pub verb: ShellVerb,
}

#[derive(Subcommand)]
pub enum ShellVerb {
    /// Connects, and leaves the link up
    Connect(links::Connect),
    /// Ends the link to a peer
    Disconnect(links::Disconnect),
    /// Prints the links that are up, and what is subscribed to
    Links(links::Links),
    /// Prints what a peer sends by itself, from now on and between the lines
    Subscribe(subscriptions::Subscribe),
    /// Ends subscriptions to a peer, those that are named or all
    Unsubscribe(subscriptions::Unsubscribe),
    /// Lets some time pass, in which values and links that go down are told
    Wait(wait::Wait),
    /// Ends the links and the shell
    Exit,
    #[command(flatten)]
    Program(Verb),
}

/// Verbs that hold a session or a shell of their own.
const ELSEWHERE: [&str; 4] = ["bridge", "rpc", "shell", "tour"];
/// Options that hold for each line; all others of every verb are those that the shell was started with.
const OF_A_LINE: [&str; 2] = ["json", "verbose"];

/// What is typed at the prompt: the same verbs, and those of a shell.
pub fn command() -> clap::Command {
    let mut command = Line::command();
    for name in ELSEWHERE {
        if command.find_subcommand(name).is_some() {
            command = command.mut_subcommand(name, |verb| verb.hide(true));
        }
    }
    for option in session_options() {
        command = command.mut_arg(option, |argument| argument.hide(true));
    }
    command
}

/// The ids of the options that a session is opened with.
fn session_options() -> Vec<String> {
    let all = Global::augment_args(clap::Command::new("options"));
    let ids = all.get_arguments().map(|argument| argument.get_id().to_string());
    ids.filter(|id| !OF_A_LINE.contains(&id.as_str())).collect()
}

impl Line {
    /// What words say; clap's refusals and help are errors too.
    pub fn parse(words: &[String]) -> Result<Self, clap::Error> {
        let mut matches = command().try_get_matches_from(words)?;
        let refuse = |message: String| command().error(clap::error::ErrorKind::ArgumentConflict, message);
        let (name, of_verb) = matches.subcommand().unwrap_or(("", &matches));
        if ELSEWHERE.contains(&name) {
            return Err(refuse(format!("{name} has a session of its own: run it outside of the shell")));
        }
        let is_typed = |id: &String| of_verb.value_source(id) == Some(ValueSource::CommandLine);
        if let Some(id) = session_options().into_iter().find(is_typed) {
            let option = id.replace('_', "-");
            return Err(refuse(format!("--{option} is for the whole session: give it to `baretooth shell`")));
        }
        Self::from_arg_matches_mut(&mut matches)
    }

    /// The options of the line: those of the shell, and what it adds.
    pub fn options(&self, of_shell: &Global) -> Global {
        let mut global = of_shell.clone();
        global.json |= self.global.json;
        global.verbose = global.verbose.max(self.global.verbose);
        global
    }
}

impl ShellVerb {
    /// As the user types it, and as errors name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Disconnect(_) => "disconnect",
            Self::Links(_) => "links",
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe(_) => "unsubscribe",
            Self::Wait(_) => "wait",
            Self::Exit => "exit",
            Self::Program(verb) => verb.name(),
        }
    }
}

/// The words of a line, as a shell splits them: at blanks, but not in quotes or behind a backslash. What follows a `#` at
/// the beginning of a word is a remark.
pub fn words(line: &str) -> Result<Vec<String>, Failure> {
    let (mut words, mut word): (Vec<String>, Option<String>) = (Vec::new(), None);
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            '#' if word.is_none() => break,
            '\'' | '"' => {
                let text = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some(end) if end == character => break,
                        Some('\\') if character == '"' => text.extend(rest.next()),
                        Some(other) => text.push(other),
                        None => return Err(Failure::Usage(format!("the line ends within {character}"))),
                    }
                }
            }
            '\\' => match rest.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err(Failure::Usage("the line ends with a backslash".into())),
            },
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let split = |line| words(line).expect(line);
        assert_eq!(split("  read  C0:BA:E7:70:00:01\t2a19 "), ["read", "C0:BA:E7:70:00:01", "2a19"]);
        assert_eq!(
            split("write A B 'a  b' \"c \\\" d\" e\\ f \"\""),
            ["write", "A", "B", "a  b", "c \" d", "e f", ""]
        );
        assert_eq!(split("scan # all of them"), ["scan"]);
        assert_eq!(split("scan --name a#b"), ["scan", "--name", "a#b"]);
        assert!(split("").is_empty() && split("# nothing").is_empty());
        for wrong in ["'", "a \"b", "a\\"] {
            assert!(matches!(words(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn a_line_takes_its_own_options_and_none_of_the_session() {
        let parse = |line: &str| Line::parse(&words(line).expect(line));
        assert!(parse("read --json C0:BA:E7:70:00:01 2a19").is_ok_and(|line| line.global.json));
        for line in
            ["info --adapter sim", "--seed 1 info", "tour", "shell", "bridge sim sim", "nothing", "read"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_can_be_typed_is_consistent() {
        command().debug_assert();
    }
}
