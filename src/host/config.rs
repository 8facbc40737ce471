//! What a host is told at its birth.

use super::{Recovery, SecurityOptions};
use crate::att::bearer::TRANSACTION_TIMEOUT;
use crate::gap::connect::ConnectionParameters;
use crate::gap::privacy::OwnAddress;
use crate::gatt::server::DEVICE_NAME_LENGTH;
use crate::hci::ParameterUnits;
use crate::smp::Key;
use crate::{Address, BdAddr};
use std::time::Duration;

/// What to answer when a peer asks for other connection parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ParameterPolicy {
    /// Whatever the specification allows.
    #[default]
    AcceptAll,
    /// Nothing.
    RejectAll,
    /// Requests whose intervals, latency and time-out all lie within these.
    Within(ConnectionParameters),
}

/// Whether there are enhanced ATT bearers beside the one that every link has ([Vol 3] Part F, 3.2.11): credit-based
/// channels on which transactions run side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Eatt {
    /// None is accepted, and none can be opened.
    #[default]
    Off,
    /// On links that are encrypted, as the specification demands ([Vol 3] Part G, 5.3.2).
    Encrypted,
    /// On every link, in the clear as well. The specification forbids that; it is for tests.
    Unencrypted,
}

/// How a [`Host`](super::Host) behaves. The same configuration, inputs and times give the same packets.
#[derive(Clone, Debug)]
#[must_use]
pub struct HostConfig {
    pub(super) seed: [u8; 32],
    pub(super) random_address: Option<BdAddr>,
    pub(super) mtu: u16,
    pub(super) legacy_only: bool,
    pub(super) command_timeout: Duration,
    pub(super) parameter_policy: ParameterPolicy,
    pub(super) recovery: Recovery,
    pub(super) name: String,
    pub(super) answer_within: Duration,
    pub(super) eatt: Eatt,
    pub(super) security: SecurityOptions,
    pub(super) own_address: OwnAddress,
    pub(super) rotation: Duration,
    pub(super) irk: Option<Key>,
    pub(super) peer_keys: Vec<(Address, Key)>,
}

impl HostConfig {
    /// `seed` is all the randomness there is: of our static random address and of every key. Take it from the operating
    /// system, and keep it secret; tests write it down.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            random_address: None,
            mtu: 517,
            legacy_only: false,
            command_timeout: Duration::from_secs(2),
            parameter_policy: ParameterPolicy::default(),
            recovery: Recovery::default(),
            name: "baretooth".to_owned(),
            answer_within: Duration::from_secs(10),
            eatt: Eatt::default(),
            security: SecurityOptions::default(),
            own_address: OwnAddress::default(),
            rotation: Duration::from_secs(15 * 60),
            irk: None,
            peer_keys: Vec::new(),
        }
    }

    /// The seed that a number stands for, as `--seed` and the adapter's builder take it.
    pub fn seeded(seed: u64) -> Self {
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&seed.to_le_bytes());
        Self::new(octets)
    }

    /// Our static random address, in place of the one that follows from the seed: its two upper bits have to be 11
    /// ([Vol 6] Part B, 1.3.2.1).
    pub fn random_address(mut self, address: BdAddr) -> Self {
        self.random_address = Some(address);
        self
    }

    /// Longest ATT PDU to offer and to take, 23 to 517 (the default): longer ones carry nothing more, since a value
    /// has at most 512 octets.
    pub fn mtu(mut self, mtu: u16) -> Self {
        self.set_mtu(mtu);
        self
    }

    /// Keeps away from the extended scanning and connecting commands even where the controller has them.
    pub fn legacy_only(mut self, legacy_only: bool) -> Self {
        self.legacy_only = legacy_only;
        self
    }

    /// How long the controller has to answer a command; 2 s by default.
    pub fn command_timeout(mut self, limit: Duration) -> Self {
        self.command_timeout = limit;
        self
    }

    /// What to answer when a peer asks for other connection parameters.
    pub fn parameter_policy(mut self, policy: ParameterPolicy) -> Self {
        self.parameter_policy = policy;
        self
    }

    /// How far to go to bring back a controller that fails; by default as far as the host can by itself, which is
    /// [`Recovery::Reset`]. Beyond that, whoever drives it is asked by [`Event::Fault`](super::Event::Fault).
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// Our Device Name in the GAP service, until a table is served that has its own; «baretooth» by default. It is cut
    /// to the 248 octets that there are for it.
    pub fn name(mut self, name: &str) -> Self {
        let ends = name.char_indices().map(|(at, character)| at + character.len_utf8());
        let end = ends.take_while(|end| *end <= DEVICE_NAME_LENGTH).last().unwrap_or(0);
        self.name = name.get(..end).unwrap_or_default().to_owned();
        self
    }

    /// Whether there are enhanced ATT bearers; by default there are none. Peers may open five of them on a link.
    pub fn eatt(mut self, eatt: Eatt) -> Self {
        self.eatt = eatt;
        self
    }

    /// What is done about security without being asked; [`SecurityRequest::Configure`](super::SecurityRequest) changes
    /// it later.
    pub fn security(mut self, options: SecurityOptions) -> Self {
        self.security = options;
        self
    }

    /// Which sort of address to show where an operation asks for none; [`OwnAddress::RandomStatic`] by default. Extended
    /// advertising sets show it each by itself, everything else that goes on at a time by the one random address that a
    /// controller has: see [`ScanOptions::own_address`](crate::gap::scan::ScanOptions::own_address).
    pub fn own_address(mut self, own_address: OwnAddress) -> Self {
        self.own_address = own_address;
        self
    }

    /// How long a private address is shown; 15 minutes by default, as the specification recommends ([Vol 3] Part C,
    /// Appendix A), and at least a second. It changes while it is in use, not on links that are up.
    pub fn rotation(mut self, rotation: Duration) -> Self {
        self.rotation = rotation.max(Duration::from_secs(1));
        self
    }

    /// Our identity resolving key, by which others know us behind resolvable private addresses, in place of the one that
    /// follows from the seed.
    pub fn irk(mut self, irk: Key) -> Self {
        self.irk = Some(irk);
        self
    }

    /// The identity resolving key of somebody with whom there is no bond: his private addresses are resolved, in reports,
    /// on links and in order to connect, as those of bonded peers are.
    pub fn peer_irk(mut self, identity: Address, irk: Key) -> Self {
        self.peer_keys.push((identity, irk));
        self
    }

    /// How long a user has to answer what a client asks of the GATT server; then the client is told Unlikely Error.
    /// 10 s by default, and at most 30 s, after which a client gives the link up.
    pub fn answer_within(mut self, limit: Duration) -> Self {
        self.answer_within = limit.min(TRANSACTION_TIMEOUT);
        self
    }
}

impl HostConfig {
    pub(super) fn set_mtu(&mut self, mtu: u16) {
        self.mtu = mtu.clamp(23, 517);
    }
}

impl ParameterPolicy {
    /// Whether timing that the specification allows may be set.
    pub(super) fn grants(&self, wanted: &ParameterUnits) -> bool {
        match self {
            Self::AcceptAll => true,
            Self::RejectAll => false,
            Self::Within(bounds) => bounds.units().is_some_and(|bounds| {
                wanted.interval_min >= bounds.interval_min
                    && wanted.interval_max <= bounds.interval_max
                    && wanted.latency <= bounds.latency
                    && wanted.timeout <= bounds.timeout
            }),
        }
    }
}
