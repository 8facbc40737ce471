//! Privacy ([Vol 3] Part C, 10.7 and 10.8; [Vol 6] Part B, 1.3.2 and 6): the addresses that we show, and who is behind
//! those that peers show.
//!
//! Owns when our private addresses change, whose keys peers' addresses are tried with, and which of those keys the
//! controller has. It draws no random numbers of its own, sends nothing and keeps no bond.

mod own;
mod resolver;
mod resolving_list;

pub(crate) use own::OwnAddresses;
pub use own::OwnOnAir;
pub use resolver::Resolver;
pub(crate) use resolving_list::{Known, ListSupport, ResolvingList};

use crate::hci::OwnAddressType;
use std::fmt;

/// Which sort of address to show.
///
/// A peer with whom keys were exchanged knows us by each of them but the non-resolvable one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OwnAddress {
    /// The controller's public address, the same for ever.
    Public,
    /// Our random static address, the same as long as the configuration is.
    #[default]
    RandomStatic,
    /// A resolvable private address: another one every 15 minutes, behind which only those see us who have our identity
    /// resolving key ([Vol 6] Part B, 1.3.2.2).
    Resolvable,
    /// A non-resolvable private address: another one every 15 minutes, behind which nobody sees us ([Vol 6] Part B,
    /// 1.3.2.2). For scanning, and for what cannot be connected to.
    NonResolvable,
}

impl OwnAddress {
    /// Whether it changes with time.
    pub const fn is_private(self) -> bool {
        matches!(self, Self::Resolvable | Self::NonResolvable)
    }

    /// As commands say it: every random address is one that the host has made.
    pub(crate) const fn to_wire(self) -> OwnAddressType {
        match self {
            Self::Public => OwnAddressType::Public,
            _ => OwnAddressType::Random,
        }
    }
}

impl From<OwnAddressType> for OwnAddress {
    /// What comes closest to an address that a command asks for.
    fn from(kind: OwnAddressType) -> Self {
        match kind {
            OwnAddressType::Public | OwnAddressType::ResolvableOrPublic => Self::Public,
            _ => Self::RandomStatic,
        }
    }
}

impl fmt::Display for OwnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::RandomStatic => "random static",
            Self::Resolvable => "resolvable",
            Self::NonResolvable => "non-resolvable",
        })
    }
}
