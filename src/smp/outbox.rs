//! What a Security Manager has to say until somebody takes it, and the one prompt that may be open.

use super::error::Refusal;
use super::pdu::{KeypressType, PairingFailedReason, SmpPdu};
use super::{Output, Passkey, Prompt, PromptId};
use bytes::Bytes;
use std::collections::VecDeque;

/// Keypress notifications of one prompt that are told: more than anybody types, so that a peer cannot keep us busy.
const KEYPRESSES: u8 = 100;

/// Outputs in their order.
#[derive(Default)]
pub(super) struct Outbox {
    outputs: VecDeque<Output>,
    /// A PDU was sent since this was last asked.
    sent: bool,
    prompts: u32,
    open: Option<Open>,
}

struct Open {
    id: PromptId,
    question: Question,
    keypresses: u8,
}

/// What an open prompt takes for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// A passkey is shown: only no.
    Shown,
    /// A passkey is typed.
    Passkey,
    /// Yes or no.
    Number,
    /// Yes or no.
    Consent,
}

impl Outbox {
    pub fn say(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub fn send<'a>(&mut self, pdu: impl Into<SmpPdu<'a>>) {
        self.send_octets(pdu.into().to_bytes());
    }

    pub fn send_octets(&mut self, pdu: Bytes) {
        self.sent = true;
        self.say(Output::Send(pdu));
    }

    /// Whether anything was sent since the last call.
    pub fn take_sent(&mut self) -> bool {
        std::mem::take(&mut self.sent)
    }

    pub fn next(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn show(&mut self, passkey: Passkey) {
        self.open(Question::Shown, Prompt::DisplayPasskey(passkey));
    }

    pub fn ask_passkey(&mut self) {
        self.open(Question::Passkey, Prompt::EnterPasskey);
    }

    pub fn ask_number(&mut self, number: u32) {
        self.open(Question::Number, Prompt::ConfirmNumber(number));
    }

    pub fn ask_consent(&mut self) {
        self.open(Question::Consent, Prompt::Consent);
    }

    fn open(&mut self, question: Question, prompt: Prompt) {
        let id = PromptId(self.prompts);
        self.prompts = self.prompts.wrapping_add(1);
        self.open = Some(Open { id, question, keypresses: 0 });
        self.say(Output::Prompt { id, prompt });
    }

    /// What the peer's user does while we show a passkey; else nothing.
    pub fn tell_keypress(&mut self, what: KeypressType) {
        let Some(open) = self.open.as_mut().filter(|open| open.question == Question::Shown) else { return };
        if what.name().is_some() && open.keypresses < KEYPRESSES {
            open.keypresses += 1;
            let id = open.id;
            self.say(Output::Prompt { id, prompt: Prompt::Keypress(what) });
        }
    }

    /// What the prompt asks, if it is the one that is open.
    pub fn question(&self, id: PromptId) -> Option<Question> {
        self.open.as_ref().filter(|open| open.id == id).map(|open| open.question)
    }

    /// Nobody is asked anything any more.
    pub fn close_prompt(&mut self) {
        self.open = None;
    }

    /// How the user's no is said to the peer, by what they are asked.
    pub fn cancellation(&self) -> Refusal {
        Refusal::cancelled(match self.open.as_ref().map(|open| open.question) {
            Some(Question::Shown | Question::Passkey) => PairingFailedReason::PasskeyEntryFailed,
            Some(Question::Number) => PairingFailedReason::NumericComparisonFailed,
            Some(Question::Consent) | None => PairingFailedReason::UnspecifiedReason,
        })
    }
}
