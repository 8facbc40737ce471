//! Requests about security, as an input chooses them.

use crate::controller;
use crate::request::{Known, pick, recent};
use arbitrary::Arbitrary;
use baretooth::BdAddr;
use baretooth::host::{ConnectionId, Pairable, SecurityOptions, SecurityRequest};
use baretooth::smp::{
    Answer, Bond, BondedClient, Identity, IoCapability, Key, KeyDistribution, Keys, LongTermKey, PairedInfo,
    PairingOptions, Passkey, SecureConnections, SecurityLevel, SignCounters,
};

#[derive(Arbitrary, Debug)]
pub enum AnySecurityRequest {
    Configure {
        pairing: AnyPairing,
        level: u8,
        pairable: u8,
        raise: bool,
    },
    Agent(bool),
    Pair(AnyPairing),
    Encrypt,
    Raise(u8),
    /// One of the last prompts.
    Answer {
        index: u8,
        answer: u8,
    },
    Load {
        /// Peers, each with what its bond is like.
        bonds: [(u8, AnyBond); 2],
    },
    Import(u8, AnyBond),
    Unpair(u8),
    CreateOob,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct AnyPairing {
    io: u8,
    mitm: bool,
    bonding: bool,
    generation: u8,
    min_key_size: u8,
    keys: u8,
    keypress: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct AnyBond {
    /// With a key for either role.
    keys: u8,
    ediv: u16,
    key_size: u8,
    authenticated: bool,
    irk: u8,
    configured: bool,
}

impl AnySecurityRequest {
    pub fn make(self, known: &Known, connection: ConnectionId) -> Option<SecurityRequest> {
        Some(match self {
            Self::Configure { pairing, level, pairable, raise } => {
                let pairable = match pairable % 3 {
                    0 => Pairable::Never,
                    1 => Pairable::WhenAsked,
                    _ => Pairable::Always,
                };
                let options = SecurityOptions::new().pairing(pairing.make()).pairable(pairable);
                SecurityRequest::Configure(options.level(security_level(level)).raise(raise))
            }
            Self::Agent(agent) => SecurityRequest::Agent(agent),
            Self::Pair(pairing) => SecurityRequest::Pair { connection, options: Box::new(pairing.make()) },
            Self::Encrypt => SecurityRequest::Encrypt { connection },
            Self::Raise(level) => SecurityRequest::Raise { connection, level: security_level(level) },
            Self::Answer { index, answer } => {
                let (connection, prompt) = pick(recent(&known.prompts), index)?;
                let answer = match answer % 3 {
                    0 => Answer::Yes,
                    1 => Answer::No,
                    _ => Answer::Passkey(Passkey::new(u32::from(answer))?),
                };
                SecurityRequest::Answer { connection, prompt, answer }
            }
            Self::Load { bonds } => {
                let identity =
                    Identity { random_address: BdAddr([1, 2, 3, 4, 5, 0xC6]), irk: Key::new([3; 16]) };
                SecurityRequest::Load { identity, bonds: bonds.map(|(peer, bond)| bond.make(peer)).into() }
            }
            Self::Import(peer, bond) => SecurityRequest::Import(Box::new(bond.make(peer))),
            Self::Unpair(peer) => SecurityRequest::Unpair { peer: controller::peer(peer) },
            Self::CreateOob => SecurityRequest::CreateOob,
        })
    }
}

impl AnyPairing {
    fn make(self) -> PairingOptions {
        let generation = match self.generation % 3 {
            0 => SecureConnections::Off,
            1 => SecureConnections::Allowed,
            _ => SecureConnections::Only,
        };
        PairingOptions::new()
            .io(IoCapability(self.io % 6))
            .mitm(self.mitm)
            .bonding(self.bonding)
            .secure_connections(generation)
            .min_key_size(self.min_key_size % 20)
            .initiator_keys(KeyDistribution(self.keys))
            .responder_keys(KeyDistribution(self.keys))
            .keypress(self.keypress)
    }
}

impl AnyBond {
    fn make(self, peer: u8) -> Bond {
        let ltk = LongTermKey { key: Key::new([7; 16]), ediv: self.ediv, rand: [0; 8] };
        let key = |bit: u8| (self.keys & bit != 0).then(|| ltk.clone());
        Bond {
            peer: controller::peer(peer),
            on_air: None,
            paired: PairedInfo {
                method: None,
                secure_connections: self.ediv == 0,
                authenticated: self.authenticated,
                key_size: self.key_size % 18,
            },
            keys: Keys {
                peer_ltk: key(1),
                local_ltk: key(2),
                irk: Some(Key::new([self.irk; 16])),
                ..Keys::default()
            },
            local_irk: None,
            sign_counters: SignCounters::default(),
            client: BondedClient {
                configurations: self.configured.then_some((0x13, 1)).into_iter().collect(),
                ..BondedClient::default()
            },
        }
    }
}

fn security_level(number: u8) -> SecurityLevel {
    match number % 4 {
        0 => SecurityLevel::None,
        1 => SecurityLevel::Encrypted,
        2 => SecurityLevel::Authenticated,
        _ => SecurityLevel::SecureConnections,
    }
}
