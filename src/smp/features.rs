//! The exchange of what both devices can do, and what follows from it ([Vol 3] Part H, 2.3 and 3.5.1).

use super::error::Refusal;
use super::method::{Ability, Association, Side};
use super::options::OobData;
use super::pdu::{AuthReq, IoCapability, KeyDistribution, PairingFailedReason};
use super::{Method, PairingOptions, PeerRequest, SecureConnections};
use bytes::Bytes;

const PAIRING_REQUEST: u8 = 0x01;
const PAIRING_RESPONSE: u8 = 0x02;

/// A Pairing Request or Response. Its octets are kept: both generations compute with them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Features {
    octets: [u8; 7],
}

impl Features {
    /// What we ask for.
    pub fn request(options: &PairingOptions) -> Self {
        let keys = |keys| options.distributable(keys);
        Self::ours(PAIRING_REQUEST, options, keys(options.initiator_keys), keys(options.responder_keys))
    }

    /// What we answer: no key that was not asked for.
    pub fn response(options: &PairingOptions, request: &Self) -> Self {
        let bonding = request.auth().contains(AuthReq::BONDING);
        let keys = |ours, theirs| (options.distributable(ours) & theirs).when(bonding);
        Self::ours(
            PAIRING_RESPONSE,
            options,
            keys(options.initiator_keys, request.initiator_keys()),
            keys(options.responder_keys, request.responder_keys()),
        )
    }

    fn ours(
        code: u8,
        options: &PairingOptions,
        initiator: KeyDistribution,
        responder: KeyDistribution,
    ) -> Self {
        let (io, oob, auth) = (options.io.0, options.has_peers_oob().into(), options.auth_req().0);
        Self { octets: [code, io, oob, auth, options.max_key_size, initiator.0, responder.0] }
    }

    /// What the peer said. Bits that are reserved are tolerated, numbers are not.
    pub fn of_peer(pdu: &[u8]) -> Result<Self, Refusal> {
        let invalid = |cause| Refusal::new(PairingFailedReason::InvalidParameters, cause);
        let octets = pdu.try_into().map_err(|_| invalid("the peer sent a PDU of a wrong length"))?;
        let features = Self { octets };
        if features.io().name().is_none() {
            return Err(invalid("the peer has an IO capability that does not exist"));
        }
        if features.octets[2] > 1 {
            return Err(invalid("the peer's out-of-band flag is neither 0 nor 1"));
        }
        Ok(features)
    }

    /// As it is sent.
    pub fn pdu(&self) -> Bytes {
        Bytes::copy_from_slice(&self.octets)
    }

    /// For c1.
    pub fn octets(&self) -> &[u8; 7] {
        &self.octets
    }

    /// For f6: IO capability, out-of-band flag, AuthReq.
    pub fn io_cap(&self) -> [u8; 3] {
        let [_, io, oob, auth, ..] = self.octets;
        [io, oob, auth]
    }

    pub fn io(&self) -> IoCapability {
        IoCapability(self.octets[1])
    }

    /// Whether the sender has the other's out-of-band data.
    pub fn oob(&self) -> bool {
        self.octets[2] != 0
    }

    pub fn auth(&self) -> AuthReq {
        AuthReq(self.octets[3])
    }

    pub fn max_key_size(&self) -> u8 {
        self.octets[4]
    }

    pub fn initiator_keys(&self) -> KeyDistribution {
        KeyDistribution(self.octets[5])
    }

    pub fn responder_keys(&self) -> KeyDistribution {
        KeyDistribution(self.octets[6])
    }

    /// For whoever decides whether to pair.
    pub fn as_request(&self) -> PeerRequest {
        let auth = self.auth();
        PeerRequest {
            io: self.io(),
            oob: self.oob(),
            bonding: auth.contains(AuthReq::BONDING),
            mitm: auth.contains(AuthReq::MITM),
            secure_connections: auth.contains(AuthReq::SECURE_CONNECTIONS),
            keypress: auth.contains(AuthReq::KEYPRESS),
            max_key_size: self.max_key_size(),
            initiator_keys: self.initiator_keys(),
            responder_keys: self.responder_keys(),
        }
    }

    fn ability(&self) -> Ability {
        Ability { io: self.io(), oob: self.oob(), mitm: self.auth().contains(AuthReq::MITM) }
    }
}

/// What both agreed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub association: Association,
    pub secure_connections: bool,
    pub key_size: u8,
    pub bonding: bool,
    pub keypress: bool,
    /// Link keys are derived by h7.
    pub ct2: bool,
    pub initiator_keys: KeyDistribution,
    pub responder_keys: KeyDistribution,
}

impl Terms {
    /// What follows from both PDUs, unless our options refuse it. `side` is ours.
    pub fn agree(
        options: &PairingOptions,
        side: Side,
        request: &Features,
        response: &Features,
    ) -> Result<Self, Refusal> {
        let both = |flag| (request.auth() & response.auth()).contains(flag);
        let peer = if side == Side::Initiator { response } else { request };
        let secure_connections = both(AuthReq::SECURE_CONNECTIONS);
        if options.secure_connections == SecureConnections::Only && !secure_connections {
            return Err(Refusal::new(
                PairingFailedReason::AuthenticationRequirements,
                "the peer has no Secure Connections",
            ));
        }
        let key_size = key_size(options, peer)?;
        let association = Association::choose(secure_connections, request.ability(), response.ability());
        out_of_band(options, secure_connections, association.method, peer)?;
        if options.mitm && !association.method.is_authenticated() {
            return Err(Refusal::new(
                PairingFailedReason::AuthenticationRequirements,
                "what both sides can show and ask for protects from nobody in the middle",
            ));
        }
        let keys = |keys| options.distributable(keys).when(both(AuthReq::BONDING));
        Ok(Self {
            association,
            secure_connections,
            key_size,
            bonding: both(AuthReq::BONDING),
            keypress: both(AuthReq::KEYPRESS),
            ct2: both(AuthReq::CT2),
            initiator_keys: keys(request.initiator_keys() & response.initiator_keys()),
            responder_keys: keys(request.responder_keys() & response.responder_keys()),
        })
    }
}

fn key_size(options: &PairingOptions, peer: &Features) -> Result<u8, Refusal> {
    let refuse = |cause| Err(Refusal::new(PairingFailedReason::EncryptionKeySize, cause));
    // Secure Connections alone is security mode 1 level 4, which is a key of 16 octets.
    let least = if options.secure_connections == SecureConnections::Only { 16 } else { options.min_key_size };
    match peer.max_key_size() {
        7..=16 => {}
        _ => return refuse("the peer's longest encryption key is none of 7 to 16 octets"),
    }
    let size = options.max_key_size.min(peer.max_key_size());
    if size < least { refuse("the peer's longest encryption key is too short") } else { Ok(size) }
}

/// Whoever exchanged out-of-band data relies on it: nothing else takes its place unseen.
fn out_of_band(
    options: &PairingOptions,
    secure_connections: bool,
    method: Method,
    peer: &Features,
) -> Result<(), Refusal> {
    let refuse = |cause| Err(Refusal::new(PairingFailedReason::OobNotAvailable, cause));
    if method != Method::OutOfBand {
        let relied_on = options.has_peers_oob();
        return if relied_on { refuse("the peer does not use the out-of-band data") } else { Ok(()) };
    }
    match (&options.oob, secure_connections) {
        (Some(OobData::Legacy(_)), false) => Ok(()),
        (Some(OobData::SecureConnections { local, .. }), true) if local.is_some() || !peer.oob() => Ok(()),
        _ => refuse("the peer claims to have out-of-band data that was not given to it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::{LocalOob, PeerOob};
    use super::*;
    use crate::crypto::Key;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn peer(octets: [u8; 6]) -> Features {
        Features::of_peer(&[&[PAIRING_REQUEST][..], &octets].concat()).expect("what a peer may send")
    }

    fn agree(options: &PairingOptions, peer: &Features) -> Result<Terms, PairingFailedReason> {
        let response = Features::response(options, peer);
        Terms::agree(options, Side::Responder, peer, &response).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn s2_only_a_key_that_is_long_enough_is_agreed_on() {
        for size in 0..=255 {
            let peer = peer([3, 0, 1, size, 3, 3]);
            let agreed = |options| agree(&options, &peer).map(|terms| terms.key_size);
            let refused = Err(PairingFailedReason::EncryptionKeySize);
            let expected = if size == 16 { Ok(16) } else { refused };
            assert_eq!(agreed(PairingOptions::new()), expected, "{size} octets");
            let expected = if (7..=16).contains(&size) { Ok(size) } else { refused };
            assert_eq!(agreed(PairingOptions::new().min_key_size(7)), expected, "{size} octets");
            let expected = if (10..=16).contains(&size) { Ok(size.min(12)) } else { refused };
            assert_eq!(agreed(PairingOptions::new().min_key_size(10).max_key_size(12)), expected);
        }
    }

    #[test]
    fn s8_secure_connections_only_refuses_a_peer_without_it_and_shorter_keys() {
        let only = PairingOptions::new().secure_connections(SecureConnections::Only).min_key_size(7);
        let refused = Some(PairingFailedReason::AuthenticationRequirements);
        assert_eq!(agree(&only, &peer([3, 0, 0x01, 16, 3, 3])).err(), refused);
        assert!(agree(&only, &peer([3, 0, 0x09, 16, 3, 3])).is_ok_and(|terms| terms.secure_connections));
        let refused = Some(PairingFailedReason::EncryptionKeySize);
        assert_eq!(agree(&only, &peer([3, 0, 0x09, 15, 3, 3])).err(), refused);
    }

    #[test]
    fn s8_protection_that_we_insist_on_is_not_negotiable() {
        let options = PairingOptions::new().mitm(true).io(IoCapability::DisplayYesNo);
        let refused = Some(PairingFailedReason::AuthenticationRequirements);
        assert_eq!(agree(&options, &peer([3, 0, 0x0D, 16, 3, 3])).err(), refused);
        let method = agree(&options, &peer([1, 0, 0x09, 16, 3, 3])).map(|terms| terms.association.method);
        assert_eq!(method, Ok(Method::NumericComparison));
    }

    #[test]
    fn s15_out_of_band_data_is_never_given_up_for_another_method() {
        let refused = Some(PairingFailedReason::OobNotAvailable);
        let (without, with) = (peer([3, 0, 0x09, 16, 3, 3]), peer([3, 1, 0x09, 16, 3, 3]));
        // The peer says it has data of ours, and there is none.
        assert_eq!(agree(&PairingOptions::new(), &with).err(), refused);
        // We have data of the peer's, and it has no such generation, or no key.
        let theirs = || Some(PeerOob::new([1; 16], [2; 16]));
        let modern = |local, peer| PairingOptions::new().oob(OobData::SecureConnections { local, peer });
        assert_eq!(agree(&modern(None, theirs()), &peer([3, 0, 0x01, 16, 3, 3])).err(), refused);
        assert_eq!(agree(&modern(None, theirs()), &peer([3, 1, 0x01, 16, 3, 3])).err(), refused);
        let legacy = PairingOptions::new().oob(OobData::Legacy(Key::new([7; 16])));
        assert_eq!(agree(&legacy, &without).err(), refused);
        assert_eq!(agree(&legacy, &with).map(|terms| terms.association.method), Ok(Method::OutOfBand));
        // We have the peer's data, and it claims to have ours, which was never made.
        assert_eq!(agree(&modern(None, theirs()), &with).err(), refused);
        assert!(agree(&modern(None, theirs()), &without).is_ok());
        // Data of ours that was shown to nobody leaves the other methods.
        let ours = || Some(LocalOob::generate(&mut ChaCha20Rng::seed_from_u64(1)));
        let method = |peer| agree(&modern(ours(), None), peer).map(|terms| terms.association.method);
        assert_eq!(method(&without), Ok(Method::JustWorks));
        assert_eq!(method(&with), Ok(Method::OutOfBand));
    }

    #[test]
    fn s16_cross_transport_bits_of_the_peer_are_ignored_unless_asked_for() {
        let peer = peer([3, 0, 0x29, 16, 0x0F, 0x0F]);
        let plain = Features::response(&PairingOptions::new(), &peer);
        assert_eq!((plain.octets[3] & 0x20, plain.octets[5] & 8, plain.octets[6] & 8), (0, 0, 0));
        let terms = agree(&PairingOptions::new(), &peer).expect("agreed");
        assert!(!terms.ct2 && !terms.initiator_keys.contains(KeyDistribution::LINK_KEY));
        let all = KeyDistribution(0x0F);
        let options = PairingOptions::new().cross_transport(true).initiator_keys(all).responder_keys(all);
        let terms = agree(&options, &peer).expect("agreed");
        assert!(terms.ct2 && terms.initiator_keys == all && terms.responder_keys == all);
    }

    #[test]
    fn keys_are_distributed_only_if_both_sides_say_so() {
        let options =
            PairingOptions::new().initiator_keys(KeyDistribution(3)).responder_keys(KeyDistribution(7));
        let terms = agree(&options, &peer([3, 0, 1, 16, 0xF6, 0xF4])).expect("agreed");
        assert_eq!((terms.initiator_keys.0, terms.responder_keys.0), (2, 4));
        let terms = agree(&options, &peer([3, 0, 0, 16, 7, 7])).expect("agreed");
        assert_eq!((terms.initiator_keys.0, terms.responder_keys.0, terms.bonding), (0, 0, false));
    }

    #[test]
    fn s3_reserved_bits_are_tolerated_and_reserved_numbers_refused() {
        assert!(Features::of_peer(&[1, 3, 0, 0xC1, 16, 0xF3, 0xF3]).is_ok());
        for octets in [[1, 5, 0, 1, 16, 3, 3], [1, 3, 2, 1, 16, 3, 3]] {
            let refusal = Features::of_peer(&octets).expect_err("reserved");
            assert_eq!(refusal.reason, PairingFailedReason::InvalidParameters);
        }
        assert!(Features::of_peer(&[1, 3, 0]).is_err());
    }
}
