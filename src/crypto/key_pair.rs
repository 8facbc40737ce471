//! Diffie-Hellman on P-256 ([Vol 3] Part H, 2.3.5.6.1). Whether a point is on the curve is judged here; whether it may be
//! used (our own come back, the debug key) is the Security Manager's question.

use super::{DhKey, turned};
use p256::SecretKey;
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_chacha::rand_core::Rng;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A private key and the public key to it. The private one is never given out.
#[derive(Clone)]
pub(crate) struct KeyPair {
    private: SecretKey,
    public: PublicKey,
}

impl KeyPair {
    /// A key pair that nobody can guess, if the generator is one that nobody can.
    pub(crate) fn generate(rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut octets = Zeroizing::new([0; 32]);
        // Every number from 1 to the order of the group is a key, so all but one of 2^32 draws are the last.
        loop {
            rng.fill_bytes(&mut *octets);
            if let Ok(private) = SecretKey::from_slice(&*octets) {
                return Self::new(private);
            }
        }
    }

    /// The key pair that everybody knows ([Vol 3] Part H, 2.3.5.6.1): a sniffer can follow who uses it.
    pub(crate) fn debug() -> Self {
        const PRIVATE: [u8; 32] = [
            0x3F, 0x49, 0xF6, 0xD4, 0xA3, 0xC5, 0x5F, 0x38, 0x74, 0xC9, 0xB3, 0xE3, 0xD2, 0x10, 0x3F, 0x50,
            0x4A, 0xFF, 0x60, 0x7B, 0xEB, 0x40, 0xB7, 0x99, 0x58, 0x99, 0xB8, 0xA6, 0xCD, 0x3C, 0x1A, 0xBD,
        ];
        Self::new(SecretKey::from_slice(&PRIVATE).expect("the specification's key is below the order"))
    }

    fn new(private: SecretKey) -> Self {
        let point = private.public_key().to_sec1_point(false);
        let coordinate = |of: Option<&_>| of.map_or([0; 32], |octets| turned(<[u8; 32]>::from(*octets)));
        let public = PublicKey { x: coordinate(point.x()), y: coordinate(point.y()) };
        Self { private, public }
    }

    /// What the peer is given.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The secret that the owner of the other key comes to as well.
    ///
    /// # Errors
    /// When the other key is no point of the curve.
    pub(crate) fn agree(&self, peer: &PublicKey) -> Result<DhKey, InvalidPublicKey> {
        let peer = p256::PublicKey::from_sec1_bytes(&peer.sec1()).map_err(|_| InvalidPublicKey)?;
        let shared = diffie_hellman(self.private.to_nonzero_scalar(), peer.as_affine());
        let mut octets = turned(<[u8; 32]>::from(*shared.raw_secret_bytes()));
        let key = DhKey::new(octets);
        octets.zeroize();
        Ok(key)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

/// A point as it is sent: whether it is on the curve is seen when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// Least significant octet first.
    pub(crate) x: [u8; 32],
    /// Least significant octet first.
    pub(crate) y: [u8; 32],
}

impl PublicKey {
    /// The public half of [`KeyPair::debug`], or its mirror image: the private key of each is known.
    pub(crate) fn is_debug(&self) -> bool {
        self.x == DEBUG_X
    }

    /// Uncompressed, for the library beneath.
    fn sec1(&self) -> [u8; 65] {
        let mut point = [4; 65];
        point[1..33].copy_from_slice(&turned(self.x));
        point[33..].copy_from_slice(&turned(self.y));
        point
    }
}

/// Least significant octet first.
const DEBUG_X: [u8; 32] = [
    0xE6, 0x9D, 0x35, 0x0E, 0x48, 0x01, 0x03, 0xCC, 0xDB, 0xFD, 0xF4, 0xAC, 0x11, 0x91, 0xF4, 0xEF, 0xB9,
    0xA5, 0xF9, 0xE9, 0xA7, 0x83, 0x2C, 0x5E, 0x2C, 0xBE, 0x97, 0xF2, 0xD2, 0x03, 0xB0, 0x20,
];

/// A public key that is no point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the public key is no point of the curve P-256")]
pub(crate) struct InvalidPublicKey;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::{air, printed};
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn pair(private: &str) -> KeyPair {
        KeyPair::new(SecretKey::from_slice(&printed(private)).expect("a private key"))
    }

    fn point(x: &str, y: &str) -> PublicKey {
        PublicKey { x: air(x), y: air(y) }
    }

    const PRIVATE_B: &str = "55188b3d32f6bb9a900afcfbeed4e72a59cb9ac2f19d7cfb6b4fdd49f47fc5fd";
    const X_A: &str = "20b003d2f297be2c5e2c83a7e9f9a5b9eff49111acf4fddbcc0301480e359de6";
    const Y_A: &str = "dc809c49652aeb6d63329abf5a52155c766345c28fed3024741c8ed01589d28b";
    const X_B: &str = "1ea1f0f01faf1d9609592284f19e4c0047b58afd8615a69f559077b22faaa190";
    const Y_B: &str = "4c55f33e429dad377356703a9ab85160472d1130e28e36765f89aff915b1214a";
    const DH_KEY: &str = "ec0234a357c8ad05341010a60a397d9b99796b13b4f866f1868d34f373bfa698";

    #[test]
    fn the_first_sample_of_the_specification_is_the_debug_key() {
        let (a, b) = (KeyPair::debug(), pair(PRIVATE_B));
        assert_eq!((*a.public(), *b.public()), (point(X_A, Y_A), point(X_B, Y_B)));
        assert_eq!(a.agree(b.public()).expect("a point").octets(), &air(DH_KEY));
        assert_eq!(b.agree(a.public()).expect("a point").octets(), &air(DH_KEY));
        assert!(a.public().is_debug() && !b.public().is_debug());
    }

    #[test]
    fn the_second_sample_of_the_specification() {
        let a = pair("06a516693c9aa31a6084545d0c5db641b48572b97203ddffb7ac73f7d0457663");
        let b = pair("529aa0670d72cd6497502ed473502b037e8803b5c60829a5a3caa219505530ba");
        let public_a = point(
            "2c31a47b5779809ef44cb5eaaf5c3e43d5f8faad4a8794cb987e9b03745c78dd",
            "919512183898dfbecd52e2408e43871fd021109117bd3ed4eaf8437743715d4f",
        );
        let public_b = point(
            "f465e43ff23d3f1b9dc7dfc04da8758184dbc966204796eccf0d6cf5e16500cc",
            "0201d048bcbbd899eeefc424164e33c201c2b010ca6b4d43a8a155cad8ecb279",
        );
        assert_eq!((*a.public(), *b.public()), (public_a, public_b));
        let shared = air("ab85843a2f6d883f62e5684b38e307335fe6e1945ecd19604105c6f23221eb69");
        assert_eq!(a.agree(&public_b).expect("a point").octets(), &shared);
        assert_eq!(b.agree(&public_a).expect("a point").octets(), &shared);
    }

    /// S1.
    #[test]
    fn a_point_that_is_not_on_the_curve_is_refused() {
        let (zero, ones) = ("00".repeat(32), "ff".repeat(32));
        let prime = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
        let off_by_one = "4c55f33e429dad377356703a9ab85160472d1130e28e36765f89aff915b1214b";
        let ours = KeyPair::debug();
        for (x, y) in
            [(X_B, &*zero), (X_B, off_by_one), (&zero, &zero), (prime, Y_B), (&ones, &ones), (X_B, prime)]
        {
            assert_eq!(ours.agree(&point(x, y)).map(|_| ()), Err(InvalidPublicKey), "{x} {y}");
        }
        assert!(ours.agree(&point(X_B, Y_B)).is_ok());
    }

    /// The mirror image of a point is on the curve too, and gives the same secret.
    #[test]
    fn the_mirror_image_of_the_debug_key_is_a_debug_key() {
        let mirror = point(X_A, "237f63b59ad514939ccd6540a5adeaa3899cba3e7012cfdb8be3712fea762d74");
        assert!(mirror.is_debug());
        assert_eq!(pair(PRIVATE_B).agree(&mirror).expect("on the curve").octets(), &air(DH_KEY));
    }

    #[test]
    fn generated_key_pairs_follow_the_generator_and_agree() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (a, b) = (KeyPair::generate(&mut rng), KeyPair::generate(&mut rng));
        assert_ne!(a.public(), b.public());
        assert_eq!(KeyPair::generate(&mut ChaCha20Rng::seed_from_u64(1)).public(), a.public());
        assert_eq!(
            a.agree(b.public()).expect("a point").octets(),
            b.agree(a.public()).expect("a point").octets()
        );
    }

    #[test]
    fn the_private_key_is_not_printed() {
        assert_eq!(format!("{:?}", KeyPair::debug()), "KeyPair(..)");
    }
}
