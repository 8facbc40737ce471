//! What a line may go on with: verbs, options, addresses that were heard, characteristics that were discovered, files.

use super::Known;
use clap::{Arg, Command};

/// What may follow.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// One of these: what to type, and what to show for it.
    Words(Vec<(String, String)>),
    /// The path of a file.
    File,
}

/// What may stand in place of `word`, the beginning of one, behind `line`.
pub fn complete(command: &Command, known: &Known, line: &str, word: &str) -> Next {
    let place = Place::behind(command, line);
    if let Some(option) = place.option {
        return values(option, known, &place, word);
    }
    if word.starts_with('-') {
        let options = place.verb.get_arguments().filter(|option| !option.is_hide_set());
        let names = options.filter_map(|option| {
            let name = format!("--{}", option.get_long()?);
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            Some((name.clone(), format!("{name}  {help}")))
        });
        return beginning(names.collect(), word);
    }
    if place.verb.has_subcommands() {
        let verbs = place.verb.get_subcommands().filter(|verb| !verb.is_hide_set());
        return beginning(verbs.map(|verb| alike(verb.get_name())).collect(), word);
    }
    match place.positional() {
        Some(argument) => values(argument, known, &place, word),
        None => Next::Words(Vec::new()),
    }
}

/// Where in a line the next word stands.
struct Place<'a> {
    verb: &'a Command,
    /// Words behind the verb that belong to no option.
    words: Vec<&'a str>,
    /// The option whose value is next.
    option: Option<&'a Arg>,
}

impl<'a> Place<'a> {
    fn behind(command: &'a Command, line: &'a str) -> Self {
        let mut place = Self { verb: command, words: Vec::new(), option: None };
        for word in line.split_whitespace() {
            if place.option.take().is_some() {
                continue;
            }
            if word.starts_with('-') && word.len() > 1 {
                place.option = place.find(word).filter(|option| option.get_action().takes_values());
            } else if let Some(verb) = place.verb.find_subcommand(word).filter(|_| place.words.is_empty()) {
                place.verb = verb;
            } else {
                place.words.push(word);
            }
        }
        place
    }

    /// `--name` or `-n`; one with its value behind `=` waits for none.
    fn find(&self, word: &str) -> Option<&'a Arg> {
        self.verb.get_arguments().find(|option| match word.strip_prefix("--") {
            Some(name) => option.get_long() == Some(name),
            None => option.get_short().is_some_and(|short| word[1..].ends_with(short)),
        })
    }

    /// The argument whose turn it is; of several values of the last one each.
    fn positional(&self) -> Option<&'a Arg> {
        let mut all = self.verb.get_positionals();
        let last = self.verb.get_positionals().last();
        let many = |argument: &&Arg| {
            argument.get_num_args().unwrap_or_default().max_values() > 1
                || matches!(argument.get_action(), clap::ArgAction::Append)
        };
        all.nth(self.words.len()).or(last.filter(many))
    }
}

fn values(argument: &Arg, known: &Known, place: &Place<'_>, word: &str) -> Next {
    let possible = argument.get_possible_values();
    if !possible.is_empty() {
        return beginning(possible.iter().map(|value| alike(value.get_name())).collect(), word);
    }
    let name = argument.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
    match name {
        Some("ADDRESS" | "A") => beginning(known.addresses().map(|address| alike(&address)).collect(), word),
        Some("CHAR") => {
            let address = place.words.first().copied().unwrap_or_default();
            beginning(known.characteristics(address), word)
        }
        Some("FILE" | "DIR" | "IN" | "OUT") => Next::File,
        _ => Next::Words(Vec::new()),
    }
}

fn alike(text: &str) -> (String, String) {
    (text.to_owned(), text.to_owned())
}

/// Those that begin with `word`, whatever its case.
fn beginning(mut words: Vec<(String, String)>, word: &str) -> Next {
    let begins = |text: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    words.retain(|(text, _)| begins(text));
    Next::Words(words)
}

#[cfg(test)]
mod tests {
    use super::super::line::command;
    use super::*;
    use baretooth::Adapter;

    fn typed(known: &Known, line: &str) -> Vec<String> {
        let mut command = command();
        command.build();
        let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        match complete(&command, known, &line[..start], &line[start..]) {
            Next::Words(words) => words.into_iter().map(|(text, _)| text).collect(),
            Next::File => vec!["(a file)".to_owned()],
        }
    }

    /// A shell that has heard of two devices and discovered one.
    async fn known() -> Known {
        let adapter = Adapter::builder().seed(1).open("sim").await.expect("the virtual radio");
        let strap = adapter
            .connect("C0:BA:E7:70:00:01/random".parse().expect("an address"))
            .await
            .expect("it is there");
        let mut known = Known::default();
        known.discovered(strap.address(), &strap.discover().await.expect("it has a table"));
        known.saw("C0:BA:E7:70:00:02/random".parse().expect("an address"));
        known
    }

    #[test]
    fn verbs_and_options_are_those_that_can_be_typed() {
        let known = Known::default();
        assert_eq!(typed(&known, "su"), ["subscribe"]);
        assert_eq!(typed(&known, "dis"), ["disconnect"]);
        assert_eq!(typed(&known, "l2cap c"), ["connect"]);
        assert_eq!(typed(&known, "tou"), [""; 0], "it runs elsewhere");
        assert_eq!(typed(&known, "scan --ti"), ["--timeout"]);
        assert_eq!(typed(&known, "scan --see"), [""; 0], "a seed is for the session");
        assert_eq!(typed(&known, "read --js"), ["--json"]);
        assert_eq!(typed(&known, "pair --io keyboard-"), ["keyboard-only", "keyboard-display"]);
        assert_eq!(typed(&known, "decode "), ["(a file)"]);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn addresses_are_those_that_were_heard() {
        let known = known().await;
        let both = ["C0:BA:E7:70:00:01/random", "C0:BA:E7:70:00:02/random"];
        assert_eq!(typed(&known, "read "), both);
        assert_eq!(typed(&known, "scan --address c0:ba"), both);
        assert_eq!(typed(&known, "read c0:ba:e7:70:00:01"), both[..1]);
        assert_eq!(typed(&known, "read --connect-timeout 5 C0:BA:E7:70:00:02"), both[1..]);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn characteristics_are_those_of_the_peer() {
        let known = known().await;
        assert_eq!(typed(&known, "read C0:BA:E7:70:00:01 bat"), ["battery_level"]);
        assert_eq!(
            typed(&known, "read C0:BA:E7:70:00:01/random 0x001"),
            ["0x0012", "0x0017", "0x0019", "0x001b"]
        );
        assert_eq!(typed(&known, "notify C0:BA:E7:70:00:01 battery_level heart"), ["heart_rate_measurement"]);
        assert_eq!(
            typed(&known, "read C0:BA:E7:70:00:01 battery_level b"),
            [""; 0],
            "there is one value to read"
        );
    }
}
