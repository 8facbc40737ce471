//! Pairing: begun by us, or brought to the agent; prompts, their answers, and the result.

mod agent;
mod prompt;

pub use agent::Agent;
pub use prompt::{Confirmation, OobAnswer, PasskeyAnswer, Prompt};

use super::{Error, Peer};
use crate::driver::{
    Asked, Cancel, Failure, Message, PairingEnd, SecurityMessage, Shared, Ticket, prompt_queue,
};
use crate::host::{OpError, Output, PairingSummary};
use crate::smp::{OobData, PairingOptions};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// How to pair: [`PairingOptions`], and whether data are still to be exchanged out of band.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PairOptions {
    pairing: PairingOptions,
    ask_for_oob: bool,
}

impl PairOptions {
    /// Those of [`PairingOptions::new`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with [`Prompt::OutOfBand`], before the peer hears anything: it brings data of ours for the peer, and takes
    /// what the peer has for us. Without an answer nothing is sent, and no time runs.
    pub fn ask_for_oob(mut self) -> Self {
        self.ask_for_oob = true;
        self
    }
}

impl From<PairingOptions> for PairOptions {
    fn from(pairing: PairingOptions) -> Self {
        Self { pairing, ask_for_oob: false }
    }
}

/// A pairing in progress: a stream of [`Prompt`]s, and a result. Dropping it gives the pairing up, which the peer is
/// told; one that is done stays.
///
/// ```no_run
/// # async fn program(peer: baretooth::Peer) -> Result<(), baretooth::Error> {
/// use baretooth::Prompt;
/// use baretooth::smp::{IoCapability, PairingOptions};
/// let mut pairing = peer.pair_with(PairingOptions::new().io(IoCapability::DisplayYesNo).mitm(true));
/// while let Some(prompt) = pairing.next().await {
///     println!("{prompt}");
///     match prompt {
///         Prompt::ConfirmNumber(number, answer) if number == 123_456 => answer.yes(),
///         // A prompt that is dropped is refused.
///         _ => {}
///     }
/// }
/// let summary = pairing.finish().await?;
/// println!("paired with {} by {}", summary.peer, summary.method);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Pairing {
    peer: Peer,
    /// What gives it up from outside; `None` once it has.
    cancel: Option<Cancel>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The peer is not to hear of it before the user has exchanged data.
    Exchanging {
        options: Box<PairingOptions>,
        answer: Option<oneshot::Receiver<OobData>>,
    },
    Running {
        by: By,
        prompts: mpsc::Receiver<Asked>,
        result: Receiver,
    },
    Over(Result<PairingSummary, Error>),
}

/// Who has begun it.
#[derive(Debug)]
enum By {
    /// Our request.
    Us(Ticket),
    /// The peer, or an operation that needs it.
    Other { number: u64 },
}

impl State {
    /// Given up before anything was sent.
    fn cancelled(peer: &Peer) -> Self {
        Self::Over(Err(error(peer, Failure::Op(OpError::Cancelled))))
    }
}

fn error(peer: &Peer, failure: Failure) -> Error {
    peer.error(format!("pairing with {}", peer.address()), failure)
}

type Receiver = oneshot::Receiver<Result<Output, Failure>>;

impl Peer {
    /// Pairs, without anything to show or to type on (Just Works) and with a bond. A central begins at once, a peripheral
    /// asks the central to. Where there is a bond it is replaced, when the new one is done and not weaker.
    ///
    /// `peer.pair().finish().await?` is the whole of it when nothing is asked. No agent is needed.
    pub fn pair(&self) -> Pairing {
        self.pair_with(PairOptions::new())
    }

    /// Pairs with [`PairingOptions`] or [`PairOptions`].
    pub fn pair_with(&self, options: impl Into<PairOptions>) -> Pairing {
        let PairOptions { pairing, ask_for_oob } = options.into();
        let options = Box::new(pairing);
        let state = match ask_for_oob {
            _ if self.cancel.as_ref().is_some_and(Cancel::is_cancelled) => State::cancelled(self),
            true => State::Exchanging { options, answer: None },
            false => begin(self, options),
        };
        Pairing { peer: self.lasting(), cancel: self.cancel.clone(), state }
    }
}

fn begin(peer: &Peer, options: Box<PairingOptions>) -> State {
    let (shared, connection) = (peer.shared(), peer.connection());
    let (ticket, (prompts, asked)) = (shared.ticket(), prompt_queue());
    let (reply, result) = oneshot::channel();
    let message = SecurityMessage::Pair { ticket, connection, options, prompts, reply };
    shared.tell(Message::Security(message));
    State::Running { by: By::Us(ticket), prompts: asked, result }
}

impl Pairing {
    /// One that nobody here asked for.
    fn of_agent(shared: &Arc<Shared>, PairingEnd { number, link, prompts, result }: PairingEnd) -> Self {
        let peer = Peer::lent(shared.clone(), link);
        let state = State::Running { by: By::Other { number }, prompts, result };
        Self { peer, cancel: None, state }
    }

    /// Who is paired with.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What is to be shown or answered next; `None` when nothing more will be, and [`finish`](Self::finish) has the result.
    ///
    /// # Cancel safety
    /// Cancel safe: no prompt is lost.
    pub async fn next(&mut self) -> Option<Prompt> {
        loop {
            match &mut self.state {
                State::Exchanging { answer: answer @ None, .. } => {
                    match self.peer.adapter().create_oob().await {
                        Ok(local) => {
                            let (question, answered) = OobAnswer::new(local);
                            *answer = Some(answered);
                            return Some(Prompt::OutOfBand(question));
                        }
                        Err(error) => self.state = State::Over(Err(error)),
                    }
                }
                State::Exchanging { answer: Some(answer), options } => {
                    let answer = tokio::select! {
                        biased;
                        answer = answer => answer.ok(),
                        () = Cancel::of(self.cancel.as_ref()) => None,
                    };
                    let options = std::mem::take(options);
                    self.state = match answer {
                        Some(data) => begin(&self.peer, Box::new(options.oob(data))),
                        None => State::cancelled(&self.peer),
                    };
                }
                State::Running { prompts, .. } => tokio::select! {
                    biased;
                    asked = prompts.recv() => return asked.map(|asked| Prompt::new(&self.peer, asked)),
                    () = Cancel::of(self.cancel.as_ref()) => self.stop(),
                },
                State::Over(_) => return None,
            }
        }
    }

    /// Waits for the end of the pairing. Prompts that were not read until then are refused, but for passkeys to be shown:
    /// where nothing is asked, this alone is enough. A pairing that makes a bond is done when the store has it.
    ///
    /// # Errors
    /// [`Error::Pairing`] with the reason and who gave it, [`Error::Disconnected`] when the link goes down,
    /// [`Error::Store`] when the link is encrypted and the bond could not be written.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again, also when it is over.
    pub async fn finish(&mut self) -> Result<PairingSummary, Error> {
        while let Some(prompt) = self.next().await {
            drop(prompt);
        }
        while let State::Running { result, .. } = &mut self.state {
            let result = tokio::select! {
                biased;
                result = result => result.unwrap_or_else(|_| Err(self.peer.shared().failure())),
                () = Cancel::of(self.cancel.as_ref()) => {
                    self.stop();
                    continue;
                }
            };
            self.state = State::Over(match result {
                Ok(Output::Paired(summary)) => Ok(summary),
                Ok(_) => Err(self.error(Failure::Closed)),
                Err(failure) => Err(self.error(failure)),
            });
        }
        match &self.state {
            State::Over(result) => result.clone(),
            _ => Err(self.error(Failure::Closed)),
        }
    }

    /// Gives it up; its end is still to come.
    fn stop(&mut self) {
        self.cancel = None;
        if let State::Running { by: By::Us(ticket), .. } = self.state {
            self.peer.shared().tell(Message::Stop(ticket));
        }
    }

    fn error(&self, failure: Failure) -> Error {
        error(&self.peer, failure)
    }
}

impl Drop for Pairing {
    fn drop(&mut self) {
        let State::Running { by, .. } = &self.state else { return };
        let (shared, connection) = (self.peer.shared(), self.peer.connection());
        shared.tell(match *by {
            By::Us(ticket) => Message::Cancel(ticket),
            By::Other { number } => Message::Security(SecurityMessage::Abandon { connection, number }),
        });
    }
}
