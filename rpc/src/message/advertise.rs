//! Advertising: what is advertised, and how.

use super::{AddressText, AddressType, Hex, Identity, OwnAddressType, PhyName, Seconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to advertise, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvertiseParams {
    /// In legacy PDUs, which everybody hears; true by default.
    pub legacy: Option<bool>,
    /// Whether a central may connect; true by default.
    pub connectable: Option<bool>,
    /// Whether a scanner may ask for the scan response. What is connectable in legacy PDUs always is, unless it has a
    /// target; what is so in extended PDUs never is. By default it is where it has to be, or has a scan response.
    pub scannable: Option<bool>,
    /// The one central that may connect.
    pub target: Option<Identity>,
    /// Which address to show; `random` by default.
    pub own_address_type: Option<OwnAddressType>,
    /// AD structures that everybody hears.
    pub data: Option<Hex>,
    /// AD structures for those who ask.
    pub scan_response: Option<Hex>,
    /// PHY of the primary channels; only in extended PDUs. LE 1M by default.
    pub primary_phy: Option<PhyName>,
    /// PHY of the data and of the connection; only in extended PDUs. LE 1M by default.
    pub secondary_phy: Option<PhyName>,
    /// Time from one advertising event to the next; 0.1 s by default.
    pub interval: Option<Seconds>,
}

/// An advertisement that is on the air. It is over when a central connects to it, or when it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Advertising {
    /// The advertisement, by a number that no other ever has.
    pub advertiser: u32,
    /// The address that it shows; a private one changes with time.
    pub address: AddressText,
    /// Its type.
    pub address_type: AddressType,
}

/// Which advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvertiserParams {
    /// The advertisement.
    pub advertiser: u32,
}
