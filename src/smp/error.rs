//! Why a pairing came to nothing, and who said so.

use super::pdu::PairingFailedReason;
use crate::hci::ErrorCode;
use std::fmt;

/// Who ended a pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// We did: the peer did wrong, or our user did not want it.
    Us,
    /// The peer did.
    Peer,
    /// Nothing was sent for 30 s. This link has no pairing any more ([Vol 3] Part H, 3.4).
    Timeout,
    /// The link could not be encrypted.
    Link(ErrorCode),
}

/// A pairing that came to nothing. No key of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PairingError {
    /// The reason by the specification, as it was sent or received.
    pub reason: PairingFailedReason,
    /// Who ended it.
    pub by: By,
    /// What was wrong, as far as we know.
    pub cause: &'static str,
}

impl PairingError {
    pub(super) const fn ours(refusal: Refusal) -> Self {
        Self { reason: refusal.reason, by: By::Us, cause: refusal.cause }
    }

    pub(super) const fn peers(reason: PairingFailedReason) -> Self {
        Self { reason, by: By::Peer, cause: "" }
    }

    /// Whether somebody may have guessed, so that the next attempt has to wait ([Vol 3] Part H, 2.3.6). What our user
    /// refused, what the link did and what ran out of time does not count.
    pub fn is_attempt(&self) -> bool {
        use PairingFailedReason as Reason;
        let tells = matches!(
            self.reason,
            Reason::PasskeyEntryFailed
                | Reason::ConfirmValueFailed
                | Reason::DhKeyCheckFailed
                | Reason::InvalidParameters
                | Reason::KeyRejected
                | Reason::EncryptionKeySize
        );
        match self.by {
            By::Us => tells && self.cause != CANCELLED,
            By::Peer => true,
            By::Timeout | By::Link(_) => false,
        }
    }

    /// What to try.
    fn hint(&self) -> Option<&'static str> {
        use PairingFailedReason as Reason;
        Some(match self.reason {
            _ if self.by == By::Timeout => "disconnect before the next attempt",
            Reason::PasskeyEntryFailed => "show and type the passkey of this attempt",
            Reason::ConfirmValueFailed | Reason::DhKeyCheckFailed => {
                "the passkey or the out-of-band data was wrong, or somebody is in the middle"
            }
            Reason::OobNotAvailable => "exchange out-of-band data first, or allow another method",
            Reason::AuthenticationRequirements => {
                "allow a weaker method, or give both sides a display and a keyboard"
            }
            Reason::PairingNotSupported => "make the peer pairable",
            Reason::EncryptionKeySize => "a shorter key has to be allowed explicitly",
            Reason::RepeatedAttempts => "wait before the next attempt",
            Reason::NumericComparisonFailed => "the numbers differed: somebody may be in the middle",
            _ => return None,
        })
    }
}

/// What happened, the cause, and what to try.
impl fmt::Display for PairingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            By::Us => write!(f, "pairing refused: {}", self.reason)?,
            By::Peer => write!(f, "the peer refused to pair: {}", self.reason)?,
            By::Timeout => write!(f, "pairing timed out after 30 s")?,
            By::Link(status) => {
                write!(f, "pairing failed: the link could not be encrypted: {status} (0x{:02X})", status.0)?;
            }
        }
        if !self.cause.is_empty() {
            write!(f, ", {}", self.cause)?;
        }
        match self.hint() {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// The cause of whatever our own user ended.
pub(super) const CANCELLED: &str = "by our user";

/// Why we end a pairing: what the peer is told, and what our user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub reason: PairingFailedReason,
    pub cause: &'static str,
}

impl Refusal {
    pub const fn new(reason: PairingFailedReason, cause: &'static str) -> Self {
        Self { reason, cause }
    }

    /// A PDU that may not come now.
    pub const fn out_of_order() -> Self {
        Self::new(PairingFailedReason::UnspecifiedReason, "the peer sent a PDU out of order")
    }

    /// Our user said no.
    pub const fn cancelled(reason: PairingFailedReason) -> Self {
        Self::new(reason, CANCELLED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_who_what_why_and_what_to_try() {
        let refusal = Refusal::new(PairingFailedReason::EncryptionKeySize, "the peer offers 7 octets");
        assert_eq!(
            PairingError::ours(refusal).to_string(),
            "pairing refused: Encryption Key Size, the peer offers 7 octets; a shorter key has to be allowed explicitly"
        );
        let error = PairingError::peers(PairingFailedReason(0x77));
        assert_eq!(error.to_string(), "the peer refused to pair: 0x77");
        let error = PairingError { by: By::Link(ErrorCode(0x06)), ..error };
        assert!(error.to_string().contains("0x06"), "{error}");
    }

    #[test]
    fn a_user_who_says_no_is_no_attempt_to_guess() {
        let reason = PairingFailedReason::PasskeyEntryFailed;
        assert!(!PairingError::ours(Refusal::cancelled(reason)).is_attempt());
        assert!(PairingError::peers(reason).is_attempt());
        assert!(
            PairingError::ours(Refusal::new(PairingFailedReason::ConfirmValueFailed, "wrong")).is_attempt()
        );
        assert!(!PairingError { reason, by: By::Timeout, cause: "" }.is_attempt());
    }
}
