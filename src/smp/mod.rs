//! The Security Manager ([Vol 3] Part H): how two devices come to share keys.
//!
//! [`SecurityManager`] is the protocol of one link, in both roles and both generations, as a value without clock,
//! randomness or I/O: it is given PDUs, times and what the user says, and gives [`Output`]s. It never sees the link, nor
//! what has been stored of a peer; [`Attempts`] outlives links.

mod attempts;
mod authentication;
mod bond;
mod distribution;
mod early;
mod error;
mod exchange;
mod features;
mod legacy;
mod manager;
mod method;
mod options;
mod outbox;
mod output;
mod paired;
mod passkey;
pub mod pdu;
mod prompt;
mod secure_connections;
#[cfg(test)]
mod tests;

pub use crate::crypto::{Key, ParseKeyError};
pub use attempts::Attempts;
pub use bond::{Bond, BondedClient, Identity, PairedInfo, SignCounters};
pub use error::{By, PairingError};
pub use manager::SecurityManager;
pub use method::Method;
pub use options::{LocalIdentity, LocalOob, OobData, PairingOptions, PeerOob, SecureConnections};
pub use output::{Encrypted, Output, PeerRequest};
pub use paired::{Keys, LongTermKey, Paired, SecurityLevel};
pub use passkey::{InvalidPasskey, Passkey};
pub use pdu::{AuthReq, IoCapability, KeyDistribution, KeypressType, PairingFailedReason, SmpPdu};
pub use prompt::{Answer, Prompt, PromptId};
