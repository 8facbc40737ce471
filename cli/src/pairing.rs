//! How to pair, as the user says it, and what pairings show and ask: told, and answered by a line of standard input each.

mod told;

use crate::failure::Failure;
use crate::lines::Lines;
use crate::output::Output;
use baretooth::smp::{
    IoCapability, Key, LocalOob, OobData, PairingOptions, Passkey, PeerOob, SecureConnections,
};
use baretooth::{
    Adapter, Address, Agent, Confirmation, Error, ErrorKind, Pairing, PairingSummary, PasskeyAnswer, Peer,
    Prompt,
};
use clap::ValueEnum;
use std::future::pending;
use std::str::FromStr;
pub use told::{Paired, Shown};

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Pairing")]
pub struct PairingArgs {
    /// What there is to show and to type with; prompts are answered on standard input, a line each
    #[arg(long, value_name = "CAPABILITY")]
    io: Option<Io>,
    /// Fails rather than pair by a method that a man in the middle survives
    #[arg(long)]
    mitm: bool,
    /// Never uses Secure Connections
    #[arg(long, conflicts_with = "secure_connections_only")]
    legacy: bool,
    /// Refuses peers without Secure Connections
    #[arg(long)]
    secure_connections_only: bool,
    /// The passkey: to be shown or to be typed, whichever the method wants
    #[arg(long, value_name = "N")]
    passkey: Option<Passkey>,
    /// Says yes to the number that is to be compared, and to a peer that asks to pair
    #[arg(long)]
    yes: bool,
    /// What came from the peer in another way: 16 octets for legacy pairing, or 32, its C and R
    #[arg(long, value_name = "HEX")]
    oob: Option<Oob>,
    /// Prints our C and R first, and goes on at a line of standard input, which may have the peer's
    #[arg(long, conflicts_with = "legacy")]
    oob_local: bool,
    /// Keeps no keys
    #[arg(long)]
    no_bond: bool,
}

/// What there is to show and to type with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Io {
    DisplayOnly,
    DisplayYesNo,
    KeyboardOnly,
    NoInputNoOutput,
    KeyboardDisplay,
}

/// What came from the peer in another way. `Debug` shows none of it.
#[derive(Clone, Debug)]
pub enum Oob {
    TemporaryKey(Key),
    Peers(PeerOob),
}

impl FromStr for Oob {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = |digits| Key::from_hex(digits).ok();
        let oob = match (text.len(), text.is_ascii()) {
            (32, true) => key(text).map(Self::TemporaryKey),
            (64, true) => {
                let (c, r) = text.split_at(32);
                let peers = |(c, r): (Key, Key)| PeerOob::new(*c.octets(), *r.octets());
                key(c).zip(key(r)).map(peers).map(Self::Peers)
            }
            _ => None,
        };
        oob.ok_or("it is 16 octets in hexadecimal, the temporary key, or 32, the peer's C and R")
    }
}

impl PairingArgs {
    /// Whether the user wants pairing at all, where it is not what the verb is for.
    pub fn is_wanted(&self) -> bool {
        self.io.is_some()
            || self.mitm
            || self.legacy
            || self.secure_connections_only
            || self.yes
            || self.passkey.is_some()
            || self.oob.is_some()
            || self.oob_local
            || self.no_bond
    }

    /// Without what came out of band in both directions, which [`Answers::exchange`] sees to.
    fn options(&self) -> PairingOptions {
        let io = match self.io.unwrap_or(Io::KeyboardDisplay) {
            Io::DisplayOnly => IoCapability::DisplayOnly,
            Io::DisplayYesNo => IoCapability::DisplayYesNo,
            Io::KeyboardOnly => IoCapability::KeyboardOnly,
            Io::NoInputNoOutput => IoCapability::NoInputNoOutput,
            Io::KeyboardDisplay => IoCapability::KeyboardDisplay,
        };
        let secure_connections = match (self.legacy, self.secure_connections_only) {
            (true, _) => SecureConnections::Off,
            (_, true) => SecureConnections::Only,
            _ => SecureConnections::Allowed,
        };
        let mut options = PairingOptions::new()
            .io(io)
            .mitm(self.mitm)
            .bonding(!self.no_bond)
            .secure_connections(secure_connections);
        if let Some(passkey) = &self.passkey {
            options = options.passkey(passkey.clone());
        }
        match &self.oob {
            Some(Oob::TemporaryKey(key)) => options.oob(OobData::Legacy(key.clone())),
            Some(Oob::Peers(peer)) => options.oob(both(None, Some(peer.clone()))),
            None => options,
        }
    }
}

fn both(local: Option<LocalOob>, peer: Option<PeerOob>) -> OobData {
    OobData::SecureConnections { local, peer }
}

/// Answers what pairings ask, one pairing after the other.
pub struct Answers<'a> {
    args: &'a PairingArgs,
    /// Where answers come from, if they do.
    lines: Option<Lines>,
    /// Where further pairings come from.
    agent: Option<Agent>,
    pairing: Option<Pairing>,
    open: Option<Question>,
}

/// What waits for a line.
enum Question {
    Passkey(PasskeyAnswer),
    YesOrNo(Confirmation),
}

/// What happens next.
pub enum News {
    /// To be told.
    Shown(Shown),
    /// A pairing is over.
    Over { with: Address, result: Result<PairingSummary, Error> },
}

impl<'a> Answers<'a> {
    /// Pairs with a peer.
    pub async fn pair(
        args: &'a PairingArgs,
        peer: &Peer,
        lines: Lines,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let mut answers = Self::new(args, Some(lines));
        let options = answers.exchange(&peer.adapter(), output).await?;
        answers.pairing = Some(peer.pair_with(options));
        Ok(answers)
    }

    /// Lets peers pair. Without `lines` standard input is for something else than answers.
    pub async fn agent(
        args: &'a PairingArgs,
        adapter: &Adapter,
        lines: Option<Lines>,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let mut answers = Self::new(args, lines);
        let options = answers.exchange(adapter, output).await?;
        answers.agent = Some(adapter.agent(options));
        Ok(answers)
    }

    fn new(args: &'a PairingArgs, lines: Option<Lines>) -> Self {
        Self { args, lines, agent: None, pairing: None, open: None }
    }

    /// Tells what the peer is to have of us in another way, and takes what it has for us, before anybody pairs.
    async fn exchange(&mut self, adapter: &Adapter, output: &mut Output) -> Result<PairingOptions, Failure> {
        let options = self.args.options();
        if !self.args.oob_local {
            return Ok(options);
        }
        let local = adapter.create_oob().await?;
        Shown::oob_local(&local).tell(output)?;
        let line = line(&mut self.lines).await?.unwrap_or_default();
        let peers = match line.trim() {
            "" => self.args.oob.clone(),
            text => Some(text.parse().map_err(refused)?),
        };
        match peers {
            Some(Oob::TemporaryKey(_)) => {
                Err(refused("a temporary key is for --legacy, which has no --oob-local"))
            }
            Some(Oob::Peers(peer)) => Ok(options.oob(both(Some(local), Some(peer)))),
            None => Ok(options.oob(both(Some(local), None))),
        }
    }

    /// What happens next; for ever, when there is no pairing and no more will come. Cancel safe.
    pub async fn next(&mut self) -> Result<News, Failure> {
        loop {
            let Self { args, lines, agent, pairing, open } = self;
            let Some(current) = pairing else {
                let next = match agent {
                    Some(agent) => agent.next().await,
                    None => None,
                };
                // Without one the adapter is closed, which whoever waits for this notices.
                *pairing = Some(match next {
                    Some(next) => next,
                    None => pending().await,
                });
                continue;
            };
            tokio::select! {
                biased;
                prompt = current.next() => match prompt {
                    Some(prompt) => {
                        let shown = Shown::of(current.peer().address(), &prompt);
                        match ask(args, prompt) {
                            Asked::Answered => {}
                            Asked::Shown => return Ok(News::Shown(shown)),
                            Asked::Waits(question) => {
                                *open = Some(question);
                                return Ok(News::Shown(shown));
                            }
                        }
                    }
                    None => {
                        let (with, result) = (current.peer().address(), current.finish().await);
                        (*pairing, *open) = (None, None);
                        return Ok(News::Over { with, result });
                    }
                },
                () = withdrawn(open) => *open = None,
                line = line(lines), if open.is_some() => match (line?, open.take()) {
                    (Some(line), Some(question)) => *open = answer(question, line.trim()),
                    // Nobody will answer: it is refused.
                    (None, _) | (_, None) => eprintln!("standard input has ended: the answer is no"),
                },
            }
        }
    }
}

/// What becomes of a prompt.
enum Asked {
    /// The command line has the answer.
    Answered,
    /// It is to be seen.
    Shown,
    /// It is to be seen, and waits for a line.
    Waits(Question),
}

fn ask(args: &PairingArgs, prompt: Prompt) -> Asked {
    match (prompt, &args.passkey, args.yes) {
        (Prompt::EnterPasskey(answer), Some(passkey), _) => {
            answer.enter(passkey.clone());
            Asked::Answered
        }
        (Prompt::EnterPasskey(answer), None, _) => Asked::Waits(Question::Passkey(answer)),
        (Prompt::ConfirmNumber(_, answer) | Prompt::Consent(answer), _, true) => {
            answer.yes();
            Asked::Shown
        }
        (Prompt::ConfirmNumber(_, answer) | Prompt::Consent(answer), _, false) => {
            Asked::Waits(Question::YesOrNo(answer))
        }
        _ => Asked::Shown,
    }
}

/// Answers with a line; one that is no answer is asked for again.
fn answer(question: Question, line: &str) -> Option<Question> {
    match question {
        Question::Passkey(answer) => match line.parse() {
            Ok(passkey) => answer.enter(passkey),
            Err(_) => {
                eprintln!("type the six digits of the passkey");
                return Some(Question::Passkey(answer));
            }
        },
        Question::YesOrNo(answer) => match line {
            "yes" | "y" => answer.yes(),
            "no" | "n" => answer.no(),
            _ => {
                eprintln!("type yes or no");
                return Some(Question::YesOrNo(answer));
            }
        },
    }
    None
}

async fn withdrawn(open: &mut Option<Question>) {
    match open {
        Some(Question::Passkey(answer)) => answer.withdrawn().await,
        Some(Question::YesOrNo(answer)) => answer.withdrawn().await,
        None => pending().await,
    }
}

/// The next line; `None` when there are no more, or standard input is not for answers.
async fn line(lines: &mut Option<Lines>) -> Result<Option<String>, Failure> {
    match lines {
        Some(lines) => lines.next().await,
        None => Ok(None),
    }
}

fn refused(cause: &str) -> Failure {
    Failure::new(ErrorKind::Invalid, format!("the line of standard input is refused: {cause}"))
}
