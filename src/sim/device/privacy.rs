//! A device that is known on the air by addresses that change ([Vol 3] Part C, 10.7.2).

use super::Device;
use crate::Address;
use crate::crypto::{Key, ResolvingKey};
use crate::sim::air::{Advertiser, Owner};
use crate::sim::{AdvertiserId, DeviceId, Radio};
use std::time::Duration;

pub(super) struct Private {
    pub(super) irk: Key,
    resolving: ResolvingKey,
    rotation: Duration,
}

impl Device {
    /// The device advertises with resolvable private addresses that its key resolves, each for so long; its
    /// [`address`](Self::address) is its identity, which goes over the air in a pairing alone.
    ///
    /// ```
    /// use baretooth::sim::{Device, Radio, RadioOptions};
    /// use std::time::Duration;
    /// let mut radio = Radio::new(RadioOptions::default());
    /// let identity = "C0:00:00:00:00:01/random".parse()?;
    /// let id = radio.add_device(Device::new(identity).private([7; 16], Duration::from_secs(900)));
    /// let on_air = radio.address_on_air(id).expect("it advertises");
    /// assert!(on_air.is_resolvable());
    /// # Ok::<(), baretooth::ParseAddressError>(())
    /// ```
    #[must_use]
    pub fn private(mut self, irk: [u8; 16], rotation: Duration) -> Self {
        let irk = Key::new(irk);
        self.private = Some(Private { resolving: ResolvingKey::new(&irk), irk, rotation });
        self
    }
}

impl Radio {
    /// The address that a device advertises with now; `None` when it does not advertise.
    pub fn address_on_air(&self, id: DeviceId) -> Option<Address> {
        let advertiser = self.devices.get(&id)?.advertiser?;
        self.advertisers.get(&advertiser).map(|advertiser| advertiser.address)
    }

    /// A new address for the advertiser of a device that has such; others are left as they are.
    pub(super) fn make_private(&mut self, advertiser: &mut Advertiser) {
        let Owner::Device(id) = advertiser.owner else { return };
        let Some(private) = self.devices.get(&id).and_then(|device| device.private.as_ref()) else { return };
        advertiser.address = Address::random(private.resolving.address(self.dice.octets()));
        advertiser.renewed = Some(self.now + private.rotation);
    }

    /// Gives an advertiser its next address when the time of this one is over.
    pub(in crate::sim) fn renew_address(&mut self, id: AdvertiserId) {
        let Some(advertiser) = self.advertisers.get(&id) else { return };
        if advertiser.renewed.is_some_and(|when| self.now >= when) {
            let mut renewed = advertiser.clone();
            self.make_private(&mut renewed);
            self.advertisers.insert(id, renewed);
        }
    }
}
