//! What the user is asked while two devices pair, and what they may say.

use super::Passkey;
use super::pdu::KeypressType;
use std::fmt;

/// One prompt of one link. Never used again there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromptId(pub u32);

/// What to tell the user or ask of them. `Display` is a sentence that names the method, so that a user who sees it knows
/// which answer the other device must be showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Passkey Entry: show it; the user types it at the peer. Needs no answer; [`Answer::No`] ends the pairing.
    DisplayPasskey(Passkey),
    /// Passkey Entry: the user types what the peer shows, or the same as at the peer. Answered by a passkey.
    EnterPasskey,
    /// Numeric Comparison: whether the peer shows the same six digits. Answered by yes or no.
    ConfirmNumber(u32),
    /// Just Works, begun by the peer, or by us with [`PairingOptions::consent`](super::PairingOptions::consent): whether to
    /// pair at all. Answered by yes or no.
    Consent,
    /// Passkey Entry: what the user does at the peer, of the prompt that shows the passkey. Needs no answer.
    Keypress(KeypressType),
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DisplayPasskey(passkey) => {
                write!(f, "Passkey Entry: type {passkey} on the other device")
            }
            Self::EnterPasskey => f.write_str("Passkey Entry: type the passkey of the other device"),
            Self::ConfirmNumber(number) => {
                write!(f, "Numeric Comparison: does the other device show {number:06}?")
            }
            Self::Consent => {
                f.write_str("Just Works: pair with a device that nothing proves to be the one you mean?")
            }
            Self::Keypress(what) => write!(f, "Passkey Entry: {what} on the other device"),
        }
    }
}

/// What the user says to a [`Prompt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What they typed.
    Passkey(Passkey),
    /// The number is the same, or pairing is wanted.
    Yes,
    /// It is not; the pairing ends.
    No,
    /// What they do while they type, for a peer that shows it. Leaves the prompt open.
    Keypress(KeypressType),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prompt_names_its_method() {
        let passkey = Passkey::new(42).expect("six digits");
        for (prompt, method, digits) in [
            (Prompt::DisplayPasskey(passkey), "Passkey Entry", "000042"),
            (Prompt::EnterPasskey, "Passkey Entry", ""),
            (Prompt::ConfirmNumber(7), "Numeric Comparison", "000007"),
            (Prompt::Consent, "Just Works", ""),
            (Prompt::Keypress(KeypressType::DigitEntered), "Passkey Entry", "digit entered"),
        ] {
            let text = prompt.to_string();
            assert!(text.starts_with(method) && text.contains(digits), "{text}");
        }
    }
}
