//! What a verb works on: ADDRESS and CHAR, as a user types them and as a peer has them.

use crate::failure::Failure;
use crate::global::Global;
use baretooth::gap::connect::ConnectOptions;
use baretooth::gatt::{Characteristic, Services};
use baretooth::{Adapter, Address, Attribute, BdAddr, Error, ErrorKind, Peer, Uuid, assigned};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The peer of a verb and how long to look for it.
#[derive(Debug, clap::Args)]
pub struct PeerArgs {
    /// AA:BB:CC:DD:EE:FF, whose type a scan tells, or with /public or /random
    #[arg(value_name = "ADDRESS")]
    target: Target,
    /// Seconds to look for the peer, and to connect to it
    #[arg(long, value_name = "S", default_value = "20", value_parser = seconds)]
    connect_timeout: Duration,
}

impl PeerArgs {
    /// The peer, by the link that a shell has to it, else by one that is made: the type of the address is learnt first
    /// if need be.
    pub async fn connect(&self, global: &Global, adapter: &Adapter) -> Result<Peer, Failure> {
        match &global.held {
            None => self.establish(adapter).await,
            Some(held) => match held.link(self.target) {
                Some(peer) => Ok(peer),
                None => {
                    let peer = self.establish(adapter).await?;
                    held.saw(peer.address());
                    held.keep(&peer);
                    Ok(peer)
                }
            },
        }
    }

    async fn establish(&self, adapter: &Adapter) -> Result<Peer, Failure> {
        let address = match self.target {
            Target::Typed(address) => address,
            Target::Untyped(bd_addr) => self.find(adapter, bd_addr).await?,
        };
        let options = ConnectOptions::new().timeout(self.connect_timeout);
        Ok(adapter.connect_with(address, options).await?)
    }

    async fn find(&self, adapter: &Adapter, bd_addr: BdAddr) -> Result<Address, Failure> {
        let missing = |cause: String| {
            let hint = "is it switched on, in range and not connected to another device?";
            Failure::new(ErrorKind::NotFound, format!("{cause}; {hint}"))
        };
        match adapter.find_by_address(bd_addr, self.connect_timeout).await {
            Ok(device) => device.address.ok_or_else(|| missing(format!("looking for {bd_addr} failed"))),
            Err(error) if error.kind() == ErrorKind::Timeout => Err(missing(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}

/// An address, with its type if the user knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Typed(Address),
    Untyped(BdAddr),
}

impl Target {
    /// Whether it names this address.
    pub fn is(self, address: Address) -> bool {
        match self {
            Self::Typed(typed) => typed == address,
            Self::Untyped(bd_addr) => bd_addr == address.bd_addr,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed(address) => address.fmt(f),
            Self::Untyped(bd_addr) => bd_addr.fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = baretooth::ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') { text.parse().map(Self::Typed) } else { text.parse().map(Self::Untyped) }
    }
}

/// An address in results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Who {
    address: String,
    address_type: String,
}

impl Who {
    pub fn of(address: Address) -> Self {
        Self { address: address.bd_addr.to_string(), address_type: address.kind.to_string() }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.address_type)
    }
}

/// A characteristic as the user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharName {
    /// `0x0015`
    Handle(u16),
    /// `2a19`, all 128 bits, or a standard name
    Uuid(Uuid),
}

impl FromStr for CharName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(digits) = text.strip_prefix("0x").filter(|digits| digits.len() <= 4) {
            let handle = u16::from_str_radix(digits, 16).ok().filter(|&handle| handle != 0);
            return handle
                .map(Self::Handle)
                .ok_or_else(|| format!("{text:?} is no handle: 0x0001 to 0xffff"));
        }
        let uuid = assigned::characteristic(text).or_else(|| text.parse().ok()).map(Self::Uuid);
        uuid.ok_or_else(|| {
            let forms = "write a UUID (2a19), a name (battery_level) or a handle (0x0015)";
            format!("{text:?} names no characteristic; {forms}")
        })
    }
}

/// An attribute found, or taken as the user gave it.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub handle: u16,
    pub uuid: Option<Uuid>,
}

impl Attribute for Found {
    fn handle(&self) -> u16 {
        self.handle
    }
    fn uuid(&self) -> Option<Uuid> {
        self.uuid
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.uuid.map(|uuid| (uuid, assigned::attribute_name(uuid))) {
            Some((_, Some(name))) => write!(f, "{name} (0x{:04x})", self.handle),
            Some((uuid, None)) => write!(f, "{} (0x{:04x})", uuid.short(), self.handle),
            None => write!(f, "0x{:04x}", self.handle),
        }
    }
}

impl CharName {
    /// The value to read or write. A handle is taken as it is, without asking the peer.
    pub async fn locate(self, global: &Global, peer: &Peer) -> Result<Found, Failure> {
        match self {
            Self::Handle(handle) => Ok(Found { handle, uuid: None }),
            Self::Uuid(uuid) => {
                let characteristic = global.discover(peer).await?.find(uuid).map_err(Error::from)?;
                Ok(Found { handle: characteristic.value_handle, uuid: Some(uuid) })
            }
        }
    }

    /// The characteristic to subscribe to: of a handle the one that it belongs to.
    pub fn pick(self, services: &Services) -> Result<Characteristic, Failure> {
        match self {
            Self::Uuid(uuid) => Ok(services.find(uuid).map_err(Error::from)?),
            Self::Handle(handle) => services.characteristic_at(handle).cloned().ok_or_else(|| {
                let message =
                    format!("no characteristic of the peer has the handle 0x{handle:04x}; see `gatt`");
                Failure::new(ErrorKind::NotFound, message)
            }),
        }
    }
}

/// The type of the attribute at `handle`.
pub fn uuid_at(services: &Services, handle: u16) -> Option<Uuid> {
    let of_characteristics = services.characteristics().flat_map(|characteristic| {
        let descriptors = characteristic.descriptors.iter().map(|d| (d.handle, d.uuid));
        let declaration = (characteristic.handle, baretooth::gatt::CHARACTERISTIC);
        [(characteristic.value_handle, characteristic.uuid), declaration].into_iter().chain(descriptors)
    });
    let of_services = services.iter().flat_map(|service| {
        use baretooth::gatt::{INCLUDE, PRIMARY_SERVICE, SECONDARY_SERVICE};
        let declaration = if service.primary { PRIMARY_SERVICE } else { SECONDARY_SERVICE };
        let includes = service.includes.iter().map(|include| (include.handle, INCLUDE));
        includes.chain([(service.handle, declaration)])
    });
    of_characteristics.chain(of_services).find(|(at, _)| *at == handle).map(|(_, uuid)| uuid)
}

/// Seconds, with a fraction if wanted; up to a year.
pub fn seconds(text: &str) -> Result<Duration, String> {
    const YEAR: f64 = 365.0 * 86_400.0;
    let seconds = text.parse().ok().filter(|seconds| (0.0..=YEAR).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("{text:?} is no number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use baretooth::uuid16;

    #[test]
    fn an_address_may_have_its_type() {
        let bd_addr: BdAddr = "C0:11:22:33:44:55".parse().unwrap();
        assert_eq!("C0:11:22:33:44:55".parse(), Ok(Target::Untyped(bd_addr)));
        assert_eq!("c0:11:22:33:44:55/random".parse(), Ok(Target::Typed(Address::random(bd_addr))));
        assert_eq!("C0:11:22:33:44:55/public".parse(), Ok(Target::Typed(Address::public(bd_addr))));
        for wrong in ["", "C0:11:22:33:44", "C0:11:22:33:44:55/", "C0:11:22:33:44:55/static"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_characteristic_is_a_uuid_a_name_or_a_handle() {
        let battery = CharName::Uuid(uuid16(0x2A19));
        for text in ["2a19", "2A19", "00002a19", "battery_level", "00002a19-0000-1000-8000-00805f9b34fb"] {
            assert_eq!(text.parse(), Ok(battery), "{text}");
        }
        assert_eq!("0x2a19".parse(), Ok(CharName::Handle(0x2A19)));
        assert_eq!("0x15".parse(), Ok(CharName::Handle(0x15)));
        for wrong in ["", "0x", "0x0000", "0xg", "2a1", "no_such_name"] {
            assert!(wrong.parse::<CharName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_have_fractions_and_an_end() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for wrong in ["", "-1", "NaN", "inf", "1e99", "2s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
