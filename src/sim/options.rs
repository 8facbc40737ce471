//! How the air and the controllers on it behave.

use super::faults::FaultPlan;
use crate::BdAddr;
use crate::hci::Opcode;
use std::time::Duration;

/// How the air behaves. The default is a quiet room: nothing is lost.
///
/// ```
/// use baretooth::sim::RadioOptions;
/// let noisy = RadioOptions { seed: 7, loss: 100, ..RadioOptions::default() };
/// ```
#[derive(Clone, Debug)]
pub struct RadioOptions {
    /// Everything that happens by chance follows from it.
    pub seed: u64,
    /// How many of 1000 advertising PDUs and connection events are lost. What was lost on a link is sent again
    /// at the next connection event.
    pub loss: u16,
    /// Longest delay of a connection event behind its anchor; each has its own, by the seed.
    pub latency: Duration,
    /// Data PDUs that each side of a link may send in one connection event; at least one.
    pub pdus_per_event: usize,
}

impl Default for RadioOptions {
    fn default() -> Self {
        Self { seed: 0, loss: 0, latency: Duration::ZERO, pdus_per_event: 10 }
    }
}

/// Bits of the LE features ([Vol 6] Part B, 4.6).
pub(super) mod feature {
    pub(crate) const ENCRYPTION: u64 = 1 << 0;
    pub(crate) const CONNECTION_PARAMETERS_REQUEST: u64 = 1 << 1;
    pub(crate) const EXTENDED_REJECT: u64 = 1 << 2;
    pub(crate) const PERIPHERAL_INITIATED_FEATURES_EXCHANGE: u64 = 1 << 3;
    pub(crate) const DATA_PACKET_LENGTH_EXTENSION: u64 = 1 << 5;
    pub(crate) const LL_PRIVACY: u64 = 1 << 6;
    pub(crate) const LE_2M_PHY: u64 = 1 << 8;
    pub(crate) const LE_CODED_PHY: u64 = 1 << 11;
    pub(crate) const EXTENDED_ADVERTISING: u64 = 1 << 12;

    pub(crate) const OF_4_2: u64 = ENCRYPTION
        | CONNECTION_PARAMETERS_REQUEST
        | EXTENDED_REJECT
        | PERIPHERAL_INITIATED_FEATURES_EXCHANGE
        | DATA_PACKET_LENGTH_EXTENSION;
    pub(crate) const OF_5_3: u64 = OF_4_2 | LE_2M_PHY | LE_CODED_PHY | EXTENDED_ADVERTISING;
}

/// What a controller can and what it says that it can.
///
/// ```
/// use baretooth::sim::ControllerOptions;
/// let small = ControllerOptions { acl_data_length: 27, acl_buffers: 2, ..ControllerOptions::legacy() };
/// ```
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// Its public address.
    pub address: BdAddr,
    /// HCI and link layer version as Read Local Version Information numbers them; 0x0C is 5.3.
    pub version: u8,
    /// The LE features it names; extended advertising, the 2M and the Coded PHY and longer data PDUs work only
    /// with their bits.
    pub le_features: u64,
    /// The longest ACL packet it takes from the host, in octets of data.
    pub acl_data_length: u16,
    /// How many ACL packets it holds; more make it lose data and say Data Buffer Overflow.
    pub acl_buffers: u8,
    /// Says that there are no buffers for LE alone, so that those of Read Buffer Size count.
    pub shared_buffers: bool,
    /// Commands it holds at once, and Num_HCI_Command_Packets of its answers while it holds none; 0 counts as 1.
    pub command_packets: u8,
    /// Time it takes for each command. Without it every command is carried out at once and none is ever too many.
    pub command_delay: Duration,
    /// Links it can hold at once.
    pub max_links: usize,
    /// Advertising sets it can hold at once.
    pub advertising_sets: u8,
    /// Entries of its filter accept list.
    pub accept_list_size: u8,
    /// Entries of its resolving list, when it has the feature of link layer privacy.
    pub resolving_list_size: u8,
    /// Commands it answers with Unknown HCI Command whether it claims them or not.
    pub refused: Vec<Opcode>,
    /// Commands it never answers and never carries out.
    pub mute: Vec<Opcode>,
    /// Claims every command there is in Read Local Supported Commands.
    pub claims_everything: bool,
    /// What goes wrong between it and its host.
    pub faults: FaultPlan,
}

impl Default for ControllerOptions {
    /// A controller of version 5.3 with extended advertising and 12 buffers of 251 octets.
    fn default() -> Self {
        Self {
            address: BdAddr([0x01, 0x00, 0x00, 0x5A, 0x00, 0x00]),
            version: 0x0C,
            le_features: feature::OF_5_3,
            acl_data_length: 251,
            acl_buffers: 12,
            shared_buffers: false,
            command_packets: 1,
            command_delay: Duration::ZERO,
            max_links: 64,
            advertising_sets: 4,
            accept_list_size: 16,
            resolving_list_size: 16,
            refused: Vec::new(),
            mute: Vec::new(),
            claims_everything: false,
            faults: FaultPlan::default(),
        }
    }
}

impl ControllerOptions {
    /// Version 4.2: no extended advertising, one PHY, and few small buffers.
    pub fn legacy() -> Self {
        Self {
            version: 0x08,
            le_features: feature::OF_4_2,
            acl_data_length: 27,
            acl_buffers: 4,
            max_links: 8,
            ..Self::default()
        }
    }

    /// LE Read Buffer Size says 0: LE shares the buffers of BR/EDR ([Vol 4] Part E, 7.8.2).
    pub fn zero_le_buffers() -> Self {
        Self { shared_buffers: true, ..Self::default() }
    }

    /// The default with link layer privacy and LE Encrypt, neither of which the others have: it resolves the addresses of
    /// peers, and has such addresses itself.
    pub fn private() -> Self {
        Self { le_features: feature::OF_5_3 | feature::LL_PRIVACY, ..Self::default() }
    }

    /// Claims every command and feature, and answers 0x01 to what a host can do without: extended advertising,
    /// scanning and connecting, PHYs, default data length, the second page of the event mask.
    pub fn lying() -> Self {
        let refused = (0x2035..=0x203D).chain(0x2041..=0x2043).chain(0x2030..=0x2032);
        Self {
            refused: refused.chain([0x0C63, 0x2023, 0x2024, 0x202F, 0x201C, 0x2060]).map(Opcode).collect(),
            claims_everything: true,
            ..Self::default()
        }
    }

    /// Never answers this command.
    pub fn mute(opcode: Opcode) -> Self {
        Self { mute: vec![opcode], ..Self::default() }
    }

    /// The same controller with another public address.
    #[must_use]
    pub fn address(self, address: BdAddr) -> Self {
        Self { address, ..self }
    }
}
