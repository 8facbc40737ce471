//! Links: how they come, what they are and how they go.

use super::{AddressText, AddressType, Identity, OwnAddressType, PhyName, Seconds};
use baretooth::{LinkTiming, Phy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whom to connect to, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectParams {
    /// The peer.
    pub address: AddressText,
    /// The type of its address.
    pub address_type: AddressType,
    /// Which address of ours it sees; `random` by default.
    pub own_address_type: Option<OwnAddressType>,
    /// How long to try; 30 s by default.
    pub timeout: Option<Seconds>,
    /// Where to listen for it; LE 1M by default.
    pub phys: Option<Vec<PhyName>>,
    /// ATT_MTU to offer, 23 to 517; what `configure` says by default.
    #[schemars(range(min = 23, max = 517))]
    pub mtu: Option<u16>,
}

/// Which link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionParams {
    /// The link.
    pub connection: u32,
}

/// Which link to end, and with what reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DisconnectParams {
    /// The link.
    pub connection: u32,
    /// The HCI reason for the peer; 0x13 by default.
    pub reason: Option<u8>,
}

/// A link is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connected {
    /// The link, by a number that no other ever has.
    pub connection: u32,
    /// Our role on it.
    pub role: Role,
    /// What carries it.
    pub transport: Transport,
    /// The address that the peer shows.
    pub address: AddressText,
    /// Its type.
    pub address_type: AddressType,
    /// Who the peer is, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// ATT_MTU.
    pub mtu: u16,
    /// What advertised, when a central connected to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertiser: Option<u32>,
}

/// A role on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Who made the link.
    Central,
    /// Who advertised.
    Peripheral,
}

/// What carries a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Bluetooth LE.
    Le,
}

/// A link is down. Nothing names it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disconnected {
    /// The link.
    pub connection: u32,
    /// The HCI reason.
    pub reason: u8,
    /// Its name.
    pub reason_name: String,
}

/// Another ATT_MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mtu {
    /// The link.
    pub connection: u32,
    /// ATT_MTU.
    pub mtu: u16,
}

/// Another timing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parameters {
    /// The link.
    pub connection: u32,
    /// Time between connection events.
    pub interval: Seconds,
    /// Connection events that the peripheral may skip.
    pub latency: u16,
    /// Silence after which the link is lost.
    pub supervision_timeout: Seconds,
}

/// Other PHYs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhyChange {
    /// The link.
    pub connection: u32,
    /// What we send on; null for one without a name.
    pub tx: Option<PhyName>,
    /// What we receive on.
    pub rx: Option<PhyName>,
}

notifications! {
    Connected => "connected";
    Disconnected => "disconnected";
    Mtu => "mtu";
    Parameters => "parameters";
    PhyChange => "phy";
}

impl Parameters {
    /// Of this link.
    pub(crate) fn of(connection: u32, timing: LinkTiming) -> Self {
        Self {
            connection,
            interval: Seconds(timing.interval),
            latency: timing.latency,
            supervision_timeout: Seconds(timing.supervision_timeout),
        }
    }
}

impl PhyChange {
    /// Of this link: what is sent on, and what is received on.
    pub(crate) fn of(connection: u32, (tx, rx): (Phy, Phy)) -> Self {
        Self { connection, tx: PhyName::of(tx), rx: PhyName::of(rx) }
    }
}
