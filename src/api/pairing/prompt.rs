//! What a user is shown and asked, and how they answer: each answer can be given once, and one that comes too late does
//! nothing.

use crate::api::Peer;
use crate::driver::{Asked, Message, SecurityMessage};
use crate::smp::{self, Answer, KeypressType, LocalOob, OobData, Passkey, PromptId};
use std::fmt;
use tokio::sync::oneshot;

/// What a pairing shows or asks. `Display` is a sentence for the user that names the method, so that they see which
/// answer the other device must be showing. A prompt that asks and is dropped is refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum Prompt {
    /// Passkey Entry: show it; the user types it on the other device.
    DisplayPasskey(Passkey),
    /// Passkey Entry: the user types what the other device shows, or the same on both.
    EnterPasskey(PasskeyAnswer),
    /// Numeric Comparison: whether the other device shows the same six digits.
    ConfirmNumber(u32, Confirmation),
    /// Just Works, begun by the peer: whether to pair at all.
    Consent(Confirmation),
    /// Passkey Entry: what the user does on the other device.
    Keypress(KeypressType),
    /// Out of Band: what the peer is to be given, and what it has for us; see
    /// [`PairOptions::ask_for_oob`](super::PairOptions::ask_for_oob).
    OutOfBand(OobAnswer),
}

/// Answers with a passkey. Dropped without it, the pairing is refused.
#[derive(Debug)]
#[must_use]
pub struct PasskeyAnswer(Question);

/// Answers yes or no. Dropped, it is a no.
#[derive(Debug)]
#[must_use]
pub struct Confirmation(Question);

/// Answers with what the peer gave us out of band, and has what it is to be given. Dropped, nothing is begun.
#[derive(Debug)]
#[must_use]
pub struct OobAnswer {
    local: LocalOob,
    answer: oneshot::Sender<OobData>,
}

/// Something that has to be answered once.
#[derive(Debug)]
struct Question {
    peer: Peer,
    id: PromptId,
    /// Ends when nobody waits for the answer any more.
    withdrawn: oneshot::Receiver<()>,
    answered: bool,
}

impl Prompt {
    pub(super) fn new(peer: &Peer, Asked { id, prompt, withdrawn }: Asked) -> Self {
        let question = Question { peer: peer.clone(), id, withdrawn, answered: false };
        match prompt {
            smp::Prompt::DisplayPasskey(passkey) => {
                question.leave();
                Self::DisplayPasskey(passkey)
            }
            smp::Prompt::Keypress(what) => {
                question.leave();
                Self::Keypress(what)
            }
            smp::Prompt::EnterPasskey => Self::EnterPasskey(PasskeyAnswer(question)),
            smp::Prompt::ConfirmNumber(number) => Self::ConfirmNumber(number, Confirmation(question)),
            smp::Prompt::Consent => Self::Consent(Confirmation(question)),
        }
    }

    /// The same without its answer.
    fn shown(&self) -> Option<smp::Prompt> {
        Some(match self {
            Self::DisplayPasskey(passkey) => smp::Prompt::DisplayPasskey(passkey.clone()),
            Self::EnterPasskey(_) => smp::Prompt::EnterPasskey,
            Self::ConfirmNumber(number, _) => smp::Prompt::ConfirmNumber(*number),
            Self::Consent(_) => smp::Prompt::Consent,
            Self::Keypress(what) => smp::Prompt::Keypress(*what),
            Self::OutOfBand(_) => return None,
        })
    }
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shown() {
            Some(prompt) => prompt.fmt(f),
            None => f.write_str("Out of Band: give the other device our data, and take what it has for us"),
        }
    }
}

impl PasskeyAnswer {
    /// What the user typed.
    pub fn enter(mut self, passkey: Passkey) {
        self.0.give(Answer::Passkey(passkey));
    }

    /// What the user does while they type, for a peer that shows it. Goes out only where both sides have asked for it
    /// ([`PairingOptions::keypress`](smp::PairingOptions::keypress)).
    pub fn keypress(&self, what: KeypressType) {
        self.0.tell(Answer::Keypress(what));
    }

    /// Ends the pairing.
    pub fn refuse(self) {}

    /// Waits until nobody wants the answer any more: the pairing is over.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn withdrawn(&mut self) {
        self.0.withdrawn().await;
    }
}

impl Confirmation {
    /// The number is the same, or pairing is wanted.
    pub fn yes(mut self) {
        self.0.give(Answer::Yes);
    }

    /// It is not; the pairing ends.
    pub fn no(self) {}

    /// Waits until nobody wants the answer any more: the pairing is over.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn withdrawn(&mut self) {
        self.0.withdrawn().await;
    }
}

impl OobAnswer {
    pub(super) fn new(local: LocalOob) -> (Self, oneshot::Receiver<OobData>) {
        let (answer, answered) = oneshot::channel();
        (Self { local, answer }, answered)
    }

    /// What the peer is to be given: C and r.
    pub fn local(&self) -> &LocalOob {
        &self.local
    }

    /// The peer was given ours, and gave us its own, or the temporary key of legacy pairing.
    pub fn exchanged(self, data: OobData) {
        let _ = self.answer.send(data);
    }
}

impl Question {
    fn give(&mut self, answer: Answer) {
        self.answered = true;
        self.tell(answer);
    }

    /// Needs no answer.
    fn leave(mut self) {
        self.answered = true;
    }

    fn tell(&self, answer: Answer) {
        let (connection, id) = (self.peer.connection(), self.id);
        self.peer.shared().tell(Message::Security(SecurityMessage::Answer { connection, id, answer }));
    }

    async fn withdrawn(&mut self) {
        // Nothing is ever sent.
        let _ = (&mut self.withdrawn).await;
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if !self.answered {
            self.give(Answer::No);
        }
    }
}
