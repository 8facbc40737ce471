//! What the Security Manager of a link wants done.

use super::pdu::{IoCapability, KeyDistribution, SmpPdu};
use super::{Paired, PairingError, Prompt, PromptId};
use crate::crypto::Key;
use bytes::Bytes;
use std::fmt;

/// What the Security Manager of a link wants done, or has to tell.
pub enum Output {
    /// A PDU for the peer, on the channel of the Security Manager.
    Send(Bytes),
    /// The peer wants to pair, and we are the peripheral: to be accepted or refused.
    Asked(PeerRequest),
    /// The peer wants us, the central, to encrypt the link: with the bond, or by a pairing that is accepted; or refused, or
    /// [ignored](super::SecurityManager::ignore).
    SecurityRequested {
        /// It would keep the keys.
        bonding: bool,
        /// It insists that nobody be in the middle.
        mitm: bool,
        /// It has LE Secure Connections.
        secure_connections: bool,
        /// It understands keypress notifications.
        keypress: bool,
    },
    /// To be shown to the user.
    Prompt {
        /// What the answer is given with.
        id: PromptId,
        /// What to show.
        prompt: Prompt,
    },
    /// We are the central: the link is to be encrypted with this key, EDIV and Rand being 0.
    Encrypt {
        /// Short-term key, or the long-term key of Secure Connections.
        key: Key,
    },
    /// The pairing is complete.
    Paired(Box<Paired>),
    /// The pairing came to nothing.
    Failed(PairingError),
}

/// Of a PDU only what it is: some hold keys.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(pdu) => {
                let name = pdu.first().and_then(|&code| SmpPdu::name_of(code)).unwrap_or("?");
                write!(f, "Send({name})")
            }
            Self::Asked(request) => f.debug_tuple("Asked").field(request).finish(),
            Self::SecurityRequested { bonding, mitm, secure_connections, keypress } => f
                .debug_struct("SecurityRequested")
                .field("bonding", bonding)
                .field("mitm", mitm)
                .field("secure_connections", secure_connections)
                .field("keypress", keypress)
                .finish(),
            Self::Prompt { id, prompt } => {
                f.debug_struct("Prompt").field("id", id).field("prompt", prompt).finish()
            }
            Self::Encrypt { .. } => f.write_str("Encrypt"),
            Self::Paired(paired) => f.debug_tuple("Paired").field(paired).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

/// What a peer that wants to pair says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRequest {
    /// What it can show and ask for.
    pub io: IoCapability,
    /// It has out-of-band data of ours.
    pub oob: bool,
    /// It would keep the keys.
    pub bonding: bool,
    /// It insists that nobody be in the middle.
    pub mitm: bool,
    /// It has LE Secure Connections.
    pub secure_connections: bool,
    /// It understands keypress notifications.
    pub keypress: bool,
    /// Octets of the longest encryption key it can do.
    pub max_key_size: u8,
    /// What it would distribute.
    pub initiator_keys: KeyDistribution,
    /// What it would take.
    pub responder_keys: KeyDistribution,
}

/// With which key a link is encrypted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encrypted {
    /// With the one that [`Output::Encrypt`] or the Security Manager's answer to the controller gave.
    WithPairing,
    /// With the one of a bond.
    WithBond,
}
