//! The addresses that we show: made, and replaced when their time is over.

use super::OwnAddress;
use crate::crypto::{Key, ResolvingKey};
use crate::{Address, BdAddr, Instant};
use rand_chacha::rand_core::Rng;
use std::time::Duration;

/// Our random addresses. A private one is made when it is first needed, and anew when it is needed and its time is over:
/// an adapter that does nothing has nothing to hide.
pub(crate) struct OwnAddresses {
    fixed: BdAddr,
    irk: ResolvingKey,
    rotation: Duration,
    resolvable: Option<Private>,
    non_resolvable: Option<Private>,
}

#[derive(Clone, Copy, Debug)]
struct Private {
    address: BdAddr,
    until: Instant,
}

/// What operations show now, by the sort of address that they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnOnAir {
    /// What is shown by those that ask for nothing.
    pub usual: OwnAddress,
    /// Our random static address.
    pub random_static: BdAddr,
    /// Our resolvable private address of these minutes.
    pub resolvable: BdAddr,
    /// Our non-resolvable private address of these minutes.
    pub non_resolvable: BdAddr,
}

impl OwnOnAir {
    /// The random static address alone.
    pub const fn fixed(random_static: BdAddr) -> Self {
        Self {
            usual: OwnAddress::RandomStatic,
            random_static,
            resolvable: BdAddr::ANY,
            non_resolvable: BdAddr::ANY,
        }
    }

    /// The sort that is shown by who asks for `wish`.
    pub fn sort(&self, wish: Option<OwnAddress>) -> OwnAddress {
        wish.unwrap_or(self.usual)
    }

    /// The random address that is shown by who asks for `wish`; `None` where it is the public one.
    pub fn random(&self, wish: Option<OwnAddress>) -> Option<BdAddr> {
        match self.sort(wish) {
            OwnAddress::Public => None,
            OwnAddress::RandomStatic => Some(self.random_static),
            OwnAddress::Resolvable => Some(self.resolvable),
            OwnAddress::NonResolvable => Some(self.non_resolvable),
        }
    }
}

impl OwnAddresses {
    /// `fixed` is the random static address, `irk` our identity resolving key; private addresses last for `rotation`.
    pub(crate) fn new(fixed: BdAddr, irk: &Key, rotation: Duration) -> Self {
        let irk = ResolvingKey::new(irk);
        Self { fixed, irk, rotation, resolvable: None, non_resolvable: None }
    }

    /// We are somebody else now.
    pub(crate) fn set_identity(&mut self, fixed: BdAddr, irk: &Key) {
        *self = Self::new(fixed, irk, self.rotation);
    }

    /// Makes those of `sorts` that are private and were not made yet, and with `replace` those whose time is over. Says
    /// whether there were any.
    pub(crate) fn renew(
        &mut self,
        now: Instant,
        sorts: impl IntoIterator<Item = OwnAddress>,
        replace: bool,
        rng: &mut impl Rng,
    ) -> bool {
        let mut renewed = false;
        for sort in sorts {
            let (place, make): (_, fn(&ResolvingKey, &mut _) -> _) = match sort {
                OwnAddress::Resolvable => (&mut self.resolvable, resolvable),
                OwnAddress::NonResolvable => (&mut self.non_resolvable, non_resolvable),
                OwnAddress::Public | OwnAddress::RandomStatic => continue,
            };
            if place.is_none_or(|private| replace && private.until <= now) {
                *place = Some(Private { address: make(&self.irk, rng), until: now + self.rotation });
                renewed = true;
            }
        }
        renewed
    }

    /// When the address of this sort has to be renewed, if it is in use then.
    pub(crate) fn deadline(&self, sort: OwnAddress) -> Option<Instant> {
        let private = match sort {
            OwnAddress::Resolvable => self.resolvable,
            OwnAddress::NonResolvable => self.non_resolvable,
            OwnAddress::Public | OwnAddress::RandomStatic => None,
        };
        private.map(|private| private.until)
    }

    /// The addresses of now; those that were never needed are none.
    pub(crate) fn on_air(&self, usual: OwnAddress) -> OwnOnAir {
        let of = |private: Option<Private>| private.map_or(BdAddr::ANY, |private| private.address);
        OwnOnAir {
            usual,
            random_static: self.fixed,
            resolvable: of(self.resolvable),
            non_resolvable: of(self.non_resolvable),
        }
    }
}

impl std::fmt::Debug for OwnAddresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { fixed, rotation, resolvable, non_resolvable, .. } = self;
        f.debug_struct("OwnAddresses")
            .field("fixed", &Address::random(*fixed))
            .field("rotation", rotation)
            .field("resolvable", resolvable)
            .field("non_resolvable", non_resolvable)
            .finish()
    }
}

/// A prand of 22 random bits under 01, and its hash ([Vol 6] Part B, 1.3.2.2).
fn resolvable(irk: &ResolvingKey, rng: &mut impl Rng) -> BdAddr {
    let mut prand = [0; 3];
    rng.fill_bytes(&mut prand);
    irk.address(marked(prand, 0b01))
}

/// 46 random bits under 00 ([Vol 6] Part B, 1.3.2.2).
fn non_resolvable(_: &ResolvingKey, rng: &mut impl Rng) -> BdAddr {
    let mut octets = [0; 6];
    rng.fill_bytes(&mut octets);
    BdAddr(marked(octets, 0b00))
}

/// Random octets with `sort` in the two most significant bits. Of the others one at least has to be 0, and one 1.
fn marked<const N: usize>(mut octets: [u8; N], sort: u8) -> [u8; N] {
    let (head, last) = octets.split_at_mut(N - 1);
    for uniform in [0x00, 0xFF] {
        if head.iter().all(|octet| *octet == uniform)
            && last.iter().all(|octet| octet & 0x3F == uniform & 0x3F)
        {
            head.iter_mut().take(1).for_each(|octet| *octet ^= 1);
        }
    }
    last.iter_mut().for_each(|octet| *octet = *octet & 0x3F | sort << 6);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gap::privacy::Resolver;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    const QUARTER: Duration = Duration::from_secs(900);
    const FIXED: BdAddr = BdAddr([1, 2, 3, 4, 5, 0xC6]);

    fn own() -> (OwnAddresses, ChaCha20Rng) {
        (OwnAddresses::new(FIXED, &Key::new([7; 16]), QUARTER), ChaCha20Rng::from_seed([3; 32]))
    }

    fn at(seconds: u64) -> Instant {
        Instant::START + Duration::from_secs(seconds)
    }

    #[test]
    fn a_resolvable_address_is_ours_to_whoever_has_our_key_and_nobodys_else() {
        let (mut own, mut rng) = own();
        let us = Address::public(BdAddr([9; 6]));
        let (mut friend, mut stranger) = (Resolver::new(), Resolver::new());
        friend.set([(us, &Key::new([7; 16]))]);
        stranger.set([(us, &Key::new([8; 16]))]);
        for quarter in 0..20 {
            own.renew(at(quarter * 900), [OwnAddress::Resolvable], true, &mut rng);
            let shown = own.on_air(OwnAddress::Resolvable).random(None).map(Address::random).expect("random");
            assert!(shown.is_resolvable(), "{shown}");
            assert_eq!((friend.resolve(shown), stranger.resolve(shown)), (Some(us), None));
        }
    }

    #[test]
    fn private_addresses_change_when_their_time_is_over_and_not_before() {
        for sort in [OwnAddress::Resolvable, OwnAddress::NonResolvable] {
            let (mut own, mut rng) = own();
            assert_eq!(own.deadline(sort), None, "it is made when it is needed");
            assert!(own.renew(at(0), [sort], true, &mut rng));
            let first = own.on_air(sort).random(None);
            assert!(!own.renew(at(899), [sort], true, &mut rng));
            assert_eq!((own.on_air(sort).random(None), own.deadline(sort)), (first, Some(at(900))));
            assert!(!own.renew(at(900), [sort], false, &mut rng), "it is in use where it cannot be replaced");
            assert!(own.renew(at(900), [sort], true, &mut rng));
            assert_ne!(own.on_air(sort).random(None), first);
            assert_eq!(own.deadline(sort), Some(at(1800)));
        }
    }

    #[test]
    fn what_is_public_or_static_stays() {
        let (mut own, mut rng) = own();
        for sort in [OwnAddress::Public, OwnAddress::RandomStatic] {
            assert!(!own.renew(at(0), [sort], true, &mut rng));
            assert_eq!(own.deadline(sort), None);
        }
        let on_air = own.on_air(OwnAddress::Public);
        assert_eq!(on_air.random(None), None);
        assert_eq!(on_air.random(Some(OwnAddress::RandomStatic)), Some(FIXED));
    }

    #[test]
    fn whoever_asks_for_another_sort_has_it() {
        let (mut own, mut rng) = own();
        own.renew(at(0), [OwnAddress::NonResolvable], true, &mut rng);
        let shown =
            own.on_air(OwnAddress::RandomStatic).random(Some(OwnAddress::NonResolvable)).expect("random");
        assert_eq!(shown.0[5] >> 6, 0, "{shown}");
    }

    #[test]
    fn of_the_random_bits_one_is_0_and_one_is_1() {
        for (octets, sort) in [([0; 3], 1), ([0xFF; 3], 1), ([0, 0, 0xC0], 1), ([0xFF, 0xFF, 0x3F], 0)] {
            let [a, b, c] = marked(octets, sort);
            assert_eq!(c >> 6, sort);
            let random = u32::from_le_bytes([a, b, c & 0x3F, 0]);
            assert!(random != 0 && random != 0x3F_FFFF, "{octets:02X?}");
        }
        assert_eq!(marked([1, 2, 0xC3], 1), [1, 2, 0x43], "others stay as they are");
    }

    #[test]
    fn a_new_identity_shows_new_addresses() {
        let (mut own, mut rng) = own();
        own.renew(at(0), [OwnAddress::Resolvable], true, &mut rng);
        own.set_identity(BdAddr([6, 5, 4, 3, 2, 0xC1]), &Key::new([9; 16]));
        assert!(
            own.renew(at(1), [OwnAddress::Resolvable], true, &mut rng),
            "the old one named somebody else"
        );
    }
}
