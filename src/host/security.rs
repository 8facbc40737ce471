//! Security as a user of the host asks for it and is told of it: requests, events, policy, and what a link has.
//!
//! What is done about it stands in `encryption` (the keys that links use), `pairing` (how they come about), `raising`
//! (who wants a link to have more) and `bonds` (what is kept).

use super::raising::Goal;
use super::{ConnectionId, Event, Host, OpError, OpId, Output, Request};
use crate::smp::{
    Answer, Bond, Identity, LocalOob, Method, PairedInfo, PairingError, PairingOptions, Prompt, PromptId,
    SecurityLevel,
};
use crate::{Address, AddressKind, Instant};

/// What a link has of security.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkSecurity {
    /// It is encrypted.
    pub encrypted: bool,
    /// By a key that was exchanged with protection against a man in the middle.
    pub authenticated: bool,
    /// By a key of LE Secure Connections.
    pub secure_connections: bool,
    /// Octets of the key, 7 to 16; 0 in the clear.
    pub key_size: u8,
    /// There is a bond with the peer, whether the link is encrypted or not.
    pub bonded: bool,
}

impl LinkSecurity {
    /// What a link has whose key is worth this.
    pub(super) fn of(key: &PairedInfo, bonded: bool) -> Self {
        Self {
            encrypted: true,
            authenticated: key.authenticated,
            secure_connections: key.secure_connections,
            key_size: key.key_size,
            bonded,
        }
    }

    /// The level of LE security mode 1 that the link has ([Vol 3] Part C, 10.2.1).
    pub fn level(self) -> SecurityLevel {
        match self.encrypted {
            true => SecurityLevel::of(self.authenticated, self.secure_connections, self.key_size),
            false => SecurityLevel::None,
        }
    }
}

/// How a pairing went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairingSummary {
    /// The peer: its identity where it gave one, else its address on this link.
    pub peer: Address,
    /// How the two were brought to trust each other.
    pub method: Method,
    /// By LE Secure Connections, not legacy pairing.
    pub secure_connections: bool,
    /// With protection against a man in the middle.
    pub authenticated: bool,
    /// Octets of the key, 7 to 16.
    pub key_size: u8,
    /// The keys are kept, and encrypt later links.
    pub bonded: bool,
}

/// Whether a peer may begin a pairing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pairable {
    /// It is refused.
    Never,
    /// While somebody answers prompts ([`SecurityRequest::Agent`]).
    #[default]
    WhenAsked,
    /// Always. Without anybody who answers prompts it is let in unseen, as a thing without buttons has to. A bond that
    /// is there already is not replaced so.
    Always,
}

/// What a central does when its peripheral asks for security ([Vol 3] Part H, 2.4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnSecurityRequest {
    /// Encrypts with the bond if that is enough, else pairs where a peer may begin a pairing ([`Pairable`]).
    #[default]
    Act,
    /// Nothing, and the peripheral hears nothing: whoever is told of the request pairs or encrypts, or lets it be.
    Tell,
}

/// What a host does about security by itself.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SecurityOptions {
    pub(super) pairing: PairingOptions,
    pub(super) forbid_raising: bool,
    pub(super) level: SecurityLevel,
    pub(super) pairable: Pairable,
    pub(super) on_request: OnSecurityRequest,
    pub(super) identity: Option<AddressKind>,
}

impl SecurityOptions {
    /// Just Works both ways, raising where a peer demands it, no pairing that a peer begins unless there is an agent.
    pub fn new() -> Self {
        Self::default()
    }

    /// How to pair when the peer begins it, and when an operation needs it.
    pub fn pairing(mut self, options: PairingOptions) -> Self {
        self.pairing = options;
        self
    }

    /// Whether an operation that a peer refuses for want of security encrypts or pairs, once, and is asked again; it does
    /// by default.
    pub fn raise(mut self, raise: bool) -> Self {
        self.forbid_raising = !raise;
        self
    }

    /// What every link has before any GATT operation of ours goes out on it; by default nothing, and with a bonded peer
    /// never less than encryption.
    pub fn level(mut self, level: SecurityLevel) -> Self {
        self.level = level;
        self
    }

    /// Whether a peer may begin a pairing.
    pub fn pairable(mut self, pairable: Pairable) -> Self {
        self.pairable = pairable;
        self
    }

    /// What is done when a peripheral asks for security; it is acted on by default, and told
    /// ([`SecurityEvent::Requested`]) either way.
    pub fn on_request(mut self, on_request: OnSecurityRequest) -> Self {
        self.on_request = on_request;
        self
    }

    /// Which of our lasting addresses a peer is told, in pairings from now on, to know us by; by default the public one where
    /// that is what we show, else the random static one. A peer that is told another than we connect from knows us again
    /// only behind [`OwnAddress::Resolvable`](crate::OwnAddress::Resolvable). Without a public address it is the random one.
    pub fn identity(mut self, kind: AddressKind) -> Self {
        self.identity = Some(kind);
        self
    }
}

/// A request about security.
#[derive(Debug)]
#[non_exhaustive]
pub enum SecurityRequest {
    /// Do this by yourself from now on. Done at once.
    Configure(SecurityOptions),
    /// Whether somebody answers prompts of pairings that no request of ours began. Done at once.
    Agent(bool),
    /// Pair, anew where there is a bond. Ends with [`Output::Paired`], after the [`SecurityEvent::Save`] of the bond.
    /// Cancelled, it tells the peer that the pairing is over. Where one is in progress that the peer began, or an
    /// operation of ours, it waits for that one, and pairs anew only if that leaves less than is asked for.
    Pair {
        /// On which link.
        connection: ConnectionId,
        /// How.
        options: Box<PairingOptions>,
    },
    /// Encrypt with the bond that there is; as a peripheral, ask the central to. Ends with [`Output::Security`]; where
    /// the peer has lost its key the link is ended.
    Encrypt {
        /// Which link.
        connection: ConnectionId,
    },
    /// Let the link have this level: by its bond, else by a pairing as configured. Ends with [`Output::Security`].
    Raise {
        /// Which link.
        connection: ConnectionId,
        /// At least this.
        level: SecurityLevel,
    },
    /// Answer a [`SecurityEvent::Prompt`]. One that nobody waits for any more ends with [`OpError::NotAsked`] and does
    /// nothing.
    Answer {
        /// The link that it was asked for.
        connection: ConnectionId,
        /// The question.
        prompt: PromptId,
        /// What the user said.
        answer: Answer,
    },
    /// Be who we were, and know whom we knew. For before there are links, scans and advertisements. Where the random static
    /// address is what we show, it is done when the controller has it; [`OpError::Controller`] when it does not take it.
    Load {
        /// Our static random address and Identity Resolving Key.
        identity: Identity,
        /// The bonds, in place of those that there are.
        bonds: Vec<Bond>,
    },
    /// Know a peer from now on, by a bond that was made elsewhere, in place of one with it that there is. Done at once,
    /// after its [`SecurityEvent::Save`]. Links that are up stay as they are.
    Import(Box<Bond>),
    /// Forget a peer, and end the link with it if there is one. [`OpError::NotBonded`] where it is not known.
    Unpair {
        /// Its identity.
        peer: Address,
    },
    /// Draw what a peer needs of us to pair out of band. Ends with [`Output::Oob`].
    CreateOob,
}

impl From<SecurityRequest> for Request {
    fn from(request: SecurityRequest) -> Self {
        Self::Security(request)
    }
}

/// What a host tells of security.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SecurityEvent {
    /// A pairing has something to show or to ask. [`SecurityRequest::Answer`] takes the answer; not to answer lets the
    /// pairing end by its time-out.
    Prompt {
        /// The link.
        connection: ConnectionId,
        /// Which question it is.
        id: PromptId,
        /// What.
        prompt: Prompt,
    },
    /// A question needs no answer any more.
    Withdrawn {
        /// The link.
        connection: ConnectionId,
        /// The question.
        id: PromptId,
    },
    /// A link has other security.
    Changed {
        /// The link.
        connection: ConnectionId,
        /// What it has now.
        security: LinkSecurity,
    },
    /// A peripheral asks for security. What is done about it follows from the bond and from [`SecurityOptions`].
    Requested {
        /// The link.
        connection: ConnectionId,
        /// It wants to bond.
        bonding: bool,
        /// It wants protection against a man in the middle.
        mitm: bool,
        /// It knows LE Secure Connections.
        secure_connections: bool,
    },
    /// A pairing is done. Comes behind its `Save`, before its `OpDone`.
    Paired {
        /// The link.
        connection: ConnectionId,
        /// The request that began it.
        op: Option<OpId>,
        /// How it went.
        summary: PairingSummary,
    },
    /// A pairing has failed.
    Failed {
        /// The link.
        connection: ConnectionId,
        /// The request that began it.
        op: Option<OpId>,
        /// Why.
        error: PairingError,
    },
    /// Keep this bond, in place of one with the same peer.
    Save(Box<Bond>),
    /// Forget the bond with this peer.
    Forget(Address),
}

impl From<SecurityEvent> for Event {
    fn from(event: SecurityEvent) -> Self {
        Self::Security(event)
    }
}

impl Host {
    pub(super) fn begin_security(
        &mut self,
        now: Instant,
        op: OpId,
        request: SecurityRequest,
    ) -> Result<(), OpError> {
        match request {
            SecurityRequest::Configure(options) => {
                for link in self.links.values_mut() {
                    link.guard.least = options.level;
                }
                self.security = options;
            }
            SecurityRequest::Agent(agent) => self.agent = agent,
            SecurityRequest::Pair { connection, options } => {
                let handle = self.handle_of(connection)?;
                return self.pair(now, handle, op, options);
            }
            SecurityRequest::Encrypt { connection } => {
                let handle = self.handle_of(connection)?;
                return self.encrypt_for(now, handle, op);
            }
            SecurityRequest::Raise { connection, level } => {
                let handle = self.handle_of(connection)?;
                self.raise_for(now, handle, op, Goal::level(level));
                return Ok(());
            }
            SecurityRequest::Answer { connection, prompt, answer } => {
                let handle = self.handle_of(connection)?;
                if !self.answer_prompt(now, handle, prompt, answer) {
                    return Err(OpError::NotAsked);
                }
            }
            SecurityRequest::Load { identity, bonds } => return self.load(op, identity, bonds),
            SecurityRequest::Import(bond) => self.import(bond),
            SecurityRequest::Unpair { peer } => self.unpair(now, peer)?,
            SecurityRequest::CreateOob => {
                let oob = LocalOob::generate(&mut self.rng);
                self.done(op, Ok(Output::Oob(oob)));
                return Ok(());
            }
        }
        self.done(op, Ok(Output::Done));
        Ok(())
    }
}
