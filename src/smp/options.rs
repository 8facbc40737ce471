//! How to pair, as the user says it: what we can show and ask for, what we insist on, and what we bring along.

use super::passkey::Passkey;
use super::pdu::{AuthReq, IoCapability, KeyDistribution};
use crate::Address;
use crate::crypto::{Key, KeyPair, equal, f4};
use rand_chacha::rand_core::Rng;
use std::fmt;
use zeroize::Zeroizing;

/// The shortest encryption key there is, in octets ([Vol 3] Part H, 2.3.4).
const SHORTEST_KEY: u8 = 7;
/// The longest.
const LONGEST_KEY: u8 = 16;

/// Whether LE Secure Connections is used ([Vol 3] Part H, 2.3.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SecureConnections {
    /// Never: LE legacy pairing, which whoever listens can break unless it is made with out-of-band data.
    Off,
    /// When the peer has it.
    #[default]
    Allowed,
    /// Always: a peer without it is refused ([Vol 3] Part C, 10.2.4).
    Only,
}

/// How to pair.
///
/// ```
/// use baretooth::smp::{IoCapability, PairingOptions, SecureConnections};
/// let options = PairingOptions::new()
///     .io(IoCapability::KeyboardDisplay)
///     .mitm(true)
///     .secure_connections(SecureConnections::Only);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct PairingOptions {
    pub(crate) io: IoCapability,
    pub(crate) mitm: bool,
    pub(crate) bonding: bool,
    pub(crate) secure_connections: SecureConnections,
    pub(crate) min_key_size: u8,
    pub(crate) max_key_size: u8,
    pub(crate) initiator_keys: KeyDistribution,
    pub(crate) responder_keys: KeyDistribution,
    pub(crate) keypress: bool,
    pub(crate) oob: Option<OobData>,
    pub(crate) debug_keys: bool,
    pub(crate) cross_transport: bool,
    pub(crate) passkey: Option<Passkey>,
    pub(crate) consent: bool,
}

impl Default for PairingOptions {
    fn default() -> Self {
        Self {
            io: IoCapability::NoInputNoOutput,
            mitm: false,
            bonding: true,
            secure_connections: SecureConnections::Allowed,
            min_key_size: LONGEST_KEY,
            max_key_size: LONGEST_KEY,
            initiator_keys: KeyDistribution::ENC_KEY | KeyDistribution::ID_KEY,
            responder_keys: KeyDistribution::ENC_KEY | KeyDistribution::ID_KEY,
            keypress: false,
            oob: None,
            debug_keys: false,
            cross_transport: false,
            passkey: None,
            consent: false,
        }
    }
}

impl PairingOptions {
    /// Just Works with whoever can, keys of 16 octets, and a bond.
    pub fn new() -> Self {
        Self::default()
    }

    /// What can be shown to the user and asked of them; [`IoCapability::NoInputNoOutput`] unless set.
    #[must_use]
    pub fn io(mut self, io: IoCapability) -> Self {
        self.io = io;
        self
    }

    /// Whether to insist on a method that nobody in the middle survives; not unless set.
    #[must_use]
    pub fn mitm(mut self, mitm: bool) -> Self {
        self.mitm = mitm;
        self
    }

    /// Whether the keys are kept for the next link; so unless set. Without it none is distributed.
    #[must_use]
    pub fn bonding(mut self, bonding: bool) -> Self {
        self.bonding = bonding;
        self
    }

    /// Which generation of pairing; [`SecureConnections::Allowed`] unless set.
    #[must_use]
    pub fn secure_connections(mut self, secure_connections: SecureConnections) -> Self {
        self.secure_connections = secure_connections;
        self
    }

    /// The shortest encryption key to accept, 7 to 16 octets; 16 unless set. Less is a weakening: the peer, or somebody
    /// who changes what it says, chooses how much.
    #[must_use]
    pub fn min_key_size(mut self, octets: u8) -> Self {
        self.min_key_size = octets;
        self
    }

    /// The longest encryption key to offer, 7 to 16 octets; 16 unless set.
    #[must_use]
    pub fn max_key_size(mut self, octets: u8) -> Self {
        self.max_key_size = octets;
        self
    }

    /// Which keys the central may distribute; those of encryption and identity unless set.
    #[must_use]
    pub fn initiator_keys(mut self, keys: KeyDistribution) -> Self {
        self.initiator_keys = keys;
        self
    }

    /// Which keys the peripheral may distribute; those of encryption and identity unless set.
    #[must_use]
    pub fn responder_keys(mut self, keys: KeyDistribution) -> Self {
        self.responder_keys = keys;
        self
    }

    /// Whether each side tells the other what is typed while a passkey is entered; not unless set, and only if the peer
    /// understands it too.
    #[must_use]
    pub fn keypress(mut self, keypress: bool) -> Self {
        self.keypress = keypress;
        self
    }

    /// What was exchanged with the peer in another way. With data from the peer, pairing without it is refused; data of
    /// ours that the peer does not have leaves it to the other methods, as [`mitm`](Self::mitm) allows.
    #[must_use]
    pub fn oob(mut self, data: OobData) -> Self {
        self.oob = Some(data);
        self
    }

    /// Whether to use the key pair that everybody knows, and accept it from the peer, so that a sniffer can follow; not
    /// unless set. Nothing is secret then.
    #[must_use]
    pub fn debug_keys(mut self, debug_keys: bool) -> Self {
        self.debug_keys = debug_keys;
        self
    }

    /// Whether a link key for BR/EDR is derived from the long-term key; not unless set. The peer's wish for one is
    /// ignored then.
    #[must_use]
    pub fn cross_transport(mut self, cross_transport: bool) -> Self {
        self.cross_transport = cross_transport;
        self
    }

    /// A passkey to show instead of one that is made for this pairing. That is a weakening, for tests: whoever saw it
    /// once can be in the middle the next time.
    #[must_use]
    pub fn passkey(mut self, passkey: Passkey) -> Self {
        self.passkey = Some(passkey);
        self
    }

    /// Whether a pairing by Just Works that we begin asks its user as well ([`Prompt::Consent`](super::Prompt::Consent)),
    /// once the peer has answered and it is known that nothing else will be asked; not unless set. One that the peer
    /// begins always does.
    #[must_use]
    pub fn consent(mut self, consent: bool) -> Self {
        self.consent = consent;
        self
    }

    /// What cannot be meant.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let sizes = SHORTEST_KEY..=LONGEST_KEY;
        if !sizes.contains(&self.min_key_size) || !sizes.contains(&self.max_key_size) {
            return Err("an encryption key has 7 to 16 octets");
        }
        if self.min_key_size > self.max_key_size {
            return Err("the shortest key to accept is longer than the longest to offer");
        }
        if self.io.name().is_none() {
            return Err("there is no such IO capability");
        }
        match (&self.oob, self.secure_connections) {
            (Some(OobData::Legacy(_)), SecureConnections::Only) => {
                Err("a temporary key is for legacy pairing, and only Secure Connections is allowed")
            }
            (Some(OobData::SecureConnections { .. }), SecureConnections::Off) => {
                Err("the out-of-band data is for Secure Connections, which is off")
            }
            _ => Ok(()),
        }
    }

    /// The flags that we send.
    pub(super) fn auth_req(&self) -> AuthReq {
        // A temporary key is of use in legacy pairing alone.
        let legacy = matches!(self.oob, Some(OobData::Legacy(_)));
        let secure_connections = self.secure_connections != SecureConnections::Off && !legacy;
        AuthReq::BONDING.when(self.bonding)
            | AuthReq::MITM.when(self.mitm)
            | AuthReq::SECURE_CONNECTIONS.when(secure_connections)
            | AuthReq::KEYPRESS.when(self.keypress)
            | AuthReq::CT2.when(self.cross_transport)
    }

    /// Whether we have data that the peer gave us: what the flag in our PDU says.
    pub(super) fn has_peers_oob(&self) -> bool {
        matches!(self.oob, Some(OobData::Legacy(_) | OobData::SecureConnections { peer: Some(_), .. }))
    }

    /// What may be distributed of `keys`.
    pub(super) fn distributable(&self, keys: KeyDistribution) -> KeyDistribution {
        let known = KeyDistribution::ENC_KEY | KeyDistribution::ID_KEY | KeyDistribution::SIGN_KEY;
        let known = known | KeyDistribution::LINK_KEY.when(self.cross_transport);
        (keys & known).when(self.bonding)
    }
}

/// What was exchanged with the peer in another way than over this radio ([Vol 3] Part H, 2.3.5.4 and 2.3.5.6.4).
#[derive(Clone, Debug)]
pub enum OobData {
    /// The temporary key of legacy pairing, which both sides have.
    Legacy(Key),
    /// What either side gave the other; one way is enough.
    SecureConnections {
        /// Ours, when the peer may have been given it.
        local: Option<LocalOob>,
        /// The peer's, when we were given it.
        peer: Option<PeerOob>,
    },
}

/// Out-of-band data of ours: what the peer is given, and the key pair that it stands for. For one pairing.
#[derive(Clone)]
pub struct LocalOob {
    keys: KeyPair,
    random: Zeroizing<[u8; 16]>,
}

impl LocalOob {
    /// New data, with a new key pair.
    pub fn generate(rng: &mut impl Rng) -> Self {
        let mut random = Zeroizing::new([0; 16]);
        rng.fill_bytes(&mut *random);
        Self { keys: KeyPair::generate(rng), random }
    }

    /// The confirm value C, least significant octet first.
    pub fn confirm(&self) -> [u8; 16] {
        let x = &self.keys.public().x;
        f4(x, x, &self.random, 0)
    }

    /// The random value r, least significant octet first: as secret as a passkey.
    pub fn random(&self) -> [u8; 16] {
        *self.random
    }

    pub(super) fn keys(&self) -> &KeyPair {
        &self.keys
    }
}

impl PartialEq for LocalOob {
    fn eq(&self, other: &Self) -> bool {
        self.keys.public() == other.keys.public() && equal(&*self.random, &*other.random)
    }
}

impl Eq for LocalOob {}

impl fmt::Debug for LocalOob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalOob(..)")
    }
}

/// Out-of-band data of the peer, each value least significant octet first.
#[derive(Clone)]
pub struct PeerOob {
    /// The confirm value C.
    pub confirm: [u8; 16],
    /// The random value r.
    pub random: Zeroizing<[u8; 16]>,
}

impl PeerOob {
    /// Data that the peer showed in another way.
    pub fn new(confirm: [u8; 16], random: [u8; 16]) -> Self {
        Self { confirm, random: Zeroizing::new(random) }
    }
}

impl fmt::Debug for PeerOob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerOob(..)")
    }
}

/// Who we are, for a peer that is to know us again.
#[derive(Clone, Debug)]
pub struct LocalIdentity {
    /// Resolves our resolvable private addresses; all zero when we have none.
    pub irk: Key,
    /// Our public or random static address.
    pub address: Address,
    /// Proves who signed data ([Vol 3] Part H, 2.4.5).
    pub csrk: Key,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let new = PairingOptions::new;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let legacy = || OobData::Legacy(Key::new([1; 16]));
        let modern = OobData::SecureConnections { local: Some(LocalOob::generate(&mut rng)), peer: None };
        for (options, meant) in [
            (new(), true),
            (new().min_key_size(7).max_key_size(7), true),
            (new().min_key_size(6), false),
            (new().max_key_size(17), false),
            (new().max_key_size(15), false),
            (new().io(IoCapability(5)), false),
            (new().oob(legacy()), true),
            (new().oob(legacy()).secure_connections(SecureConnections::Only), false),
            (new().oob(modern.clone()).secure_connections(SecureConnections::Only), true),
            (new().oob(modern).secure_connections(SecureConnections::Off), false),
        ] {
            assert_eq!(options.check().is_ok(), meant, "{options:?}");
        }
    }

    #[test]
    fn a_temporary_key_is_offered_with_legacy_pairing_alone() {
        let options = PairingOptions::new().oob(OobData::Legacy(Key::new([1; 16])));
        assert!(options.has_peers_oob());
        assert!(!options.auth_req().contains(AuthReq::SECURE_CONNECTIONS));
    }

    #[test]
    fn nothing_is_distributed_without_a_bond_and_no_link_key_unless_asked_for() {
        let all = KeyDistribution(0x0F);
        assert_eq!(PairingOptions::new().distributable(all), KeyDistribution(0x07));
        assert_eq!(PairingOptions::new().cross_transport(true).distributable(all), all);
        assert_eq!(PairingOptions::new().bonding(false).distributable(all), KeyDistribution::NONE);
    }

    #[test]
    fn debug_of_options_shows_no_secret() {
        let oob = OobData::SecureConnections {
            local: Some(LocalOob::generate(&mut ChaCha20Rng::seed_from_u64(1))),
            peer: Some(PeerOob::new([171; 16], [205; 16])),
        };
        let options = PairingOptions::new().passkey(Passkey::new(123_456).expect("six digits")).oob(oob);
        let text = format!("{options:?} {options:#?}");
        assert!(!text.contains("123456") && !text.contains("205") && !text.contains("171"), "{text}");
    }
}
