//! From an unknown controller to one whose abilities are known: reset, ask, set the masks.
//!
//! Owns the order of the commands and what each answer means. A controller that answers 0x01 or nothing to a
//! command it claims to have loses only what stands on that command; only Reset and the buffer sizes are needed.

use crate::codec::front;
use crate::hci::command::*;
use crate::hci::{ErrorCode, FirmwareHint, Opcode, firmware};
use crate::transports::HciPacket;
use crate::{Address, BdAddr};
use std::collections::VecDeque;

/// Link layer features of the controller ([Vol 6] Part B, 4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LeFeatures(pub u64);

impl LeFeatures {
    const NAMES: [(u8, &str); 17] = [
        (0, "LE Encryption"),
        (1, "Connection Parameters Request Procedure"),
        (2, "Extended Reject Indication"),
        (3, "Peripheral-initiated Features Exchange"),
        (4, "LE Ping"),
        (5, "LE Data Packet Length Extension"),
        (6, "LL Privacy"),
        (7, "Extended Scanner Filter Policies"),
        (8, "LE 2M PHY"),
        (11, "LE Coded PHY"),
        (12, "LE Extended Advertising"),
        (13, "LE Periodic Advertising"),
        (14, "Channel Selection Algorithm #2"),
        (24, "Periodic Advertising Sync Transfer - Sender"),
        (25, "Periodic Advertising Sync Transfer - Recipient"),
        (33, "LE Power Control Request"),
        (37, "Connection Subrating"),
    ];

    /// Whether the feature of this bit is there.
    pub const fn has(self, bit: u8) -> bool {
        bit < 64 && self.0 >> bit & 1 == 1
    }

    /// LE Encryption.
    pub const fn encryption(self) -> bool {
        self.has(0)
    }

    /// LE Data Packet Length Extension.
    pub const fn data_length(self) -> bool {
        self.has(5)
    }

    /// Connection Parameters Request Procedure.
    pub const fn parameters_request(self) -> bool {
        self.has(1)
    }

    /// LL Privacy: it resolves private addresses by a list.
    pub const fn ll_privacy(self) -> bool {
        self.has(6)
    }

    /// LE 2M PHY.
    pub const fn le_2m_phy(self) -> bool {
        self.has(8)
    }

    /// LE Coded PHY.
    pub const fn coded_phy(self) -> bool {
        self.has(11)
    }

    /// LE Extended Advertising.
    pub const fn extended_advertising(self) -> bool {
        self.has(12)
    }

    /// The names of the features that are there and have one here.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| *name)
    }
}

/// What is known of a controller after its initialisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerInfo {
    /// Public device address; `None` when the controller has none.
    pub public_address: Option<Address>,
    /// Our static random address of this session.
    pub random_address: Address,
    /// HCI version, as in the assigned numbers of the core versions.
    pub hci_version: u8,
    /// Vendor's revision of the HCI part.
    pub hci_subversion: u16,
    /// Company that made the controller.
    pub company_identifier: u16,
    /// Vendor's revision of the link layer part.
    pub lmp_subversion: u16,
    /// Link layer features.
    pub features: LeFeatures,
    /// Longest data of an ACL packet to the controller.
    pub acl_length: u16,
    /// ACL packets that the controller holds.
    pub acl_count: u16,
    /// Whether LE shares the buffers of BR/EDR.
    pub shared_buffers: bool,
    /// Extended scanning and connecting are there.
    pub extended: bool,
    /// The bits of Read Local Supported Commands; all zero when it was not answered.
    pub supported_commands: Box<[u8; 64]>,
}

impl ControllerInfo {
    fn new(random_address: Address) -> Self {
        Self {
            public_address: None,
            random_address,
            hci_version: 0,
            hci_subversion: 0,
            company_identifier: 0xFFFF,
            lmp_subversion: 0,
            features: LeFeatures::default(),
            acl_length: 0,
            acl_count: 0,
            shared_buffers: false,
            extended: false,
            supported_commands: Box::new([0; 64]),
        }
    }

    /// Whether the controller claims a command. What it then answers is another matter.
    pub fn supports(&self, opcode: Opcode) -> bool {
        let bit = opcode.supported_bit();
        bit.is_some_and(|(octet, bit)| {
            self.supported_commands.get(octet).is_some_and(|set| set >> bit & 1 == 1)
        })
    }

    /// A sign that the controller runs without the firmware that it should have; `None` when there is none.
    pub fn firmware(&self) -> Option<FirmwareHint> {
        firmware::of_controller(self)
    }
}

/// Why a controller cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// It does not answer.
    #[error("the controller does not answer {0}; is it powered, and is this the right port and speed?")]
    Silent(Opcode),
    /// It refuses what no host can do without.
    #[error("the controller refused {command}: {status}")]
    Refused {
        /// What was asked.
        command: Opcode,
        /// What it said.
        status: ErrorCode,
    },
    /// It answered with fewer octets than the answer has.
    #[error("the controller's answer to {0} is too short")]
    Short(Opcode),
    /// It has no room for a single ACL packet.
    #[error("the controller has no ACL buffers (length 0 or number 0)")]
    NoBuffers,
}

impl InitError {
    /// A sign that the controller has no firmware yet; `None` when there is none. On USB the vendor of the device says
    /// more than the error.
    pub fn firmware(&self, usb_vendor: Option<u16>) -> Option<FirmwareHint> {
        firmware::of_failure(self, usb_vendor)
    }
}

/// An answer: return parameters with the status first, or nothing in time.
pub(crate) type Answer<'a> = Option<&'a [u8]>;

/// The initialisation of one controller, a command at a time.
#[derive(Debug)]
pub(crate) struct Initialization {
    info: ControllerInfo,
    legacy_only: bool,
    resets: u8,
    plan: VecDeque<Opcode>,
    /// The controller can also do BR/EDR.
    dual_mode: bool,
}

/// What to do after an answer.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send this and come back with the answer.
    Send(HciPacket),
    /// The controller is ready.
    Done(ControllerInfo),
}

/// Resets that may stay unanswered: the first may meet a controller in the middle of something.
const RESETS: u8 = 2;

impl Initialization {
    /// `legacy_only` keeps away from the extended commands.
    pub(crate) fn new(random_address: BdAddr, legacy_only: bool) -> Self {
        let plan = [
            Reset::OPCODE,
            ReadLocalVersionInformation::OPCODE,
            ReadLocalSupportedCommands::OPCODE,
            ReadLocalSupportedFeatures::OPCODE,
            LeReadLocalSupportedFeaturesPage0::OPCODE,
            ReadBdAddr::OPCODE,
            SetEventMask::OPCODE,
            LeSetEventMask::OPCODE,
            LeReadBufferSize::OPCODE,
            LeSetRandomAddress::OPCODE,
        ];
        let info = ControllerInfo::new(Address::random(random_address));
        Self { info, legacy_only, resets: 0, plan: plan.into(), dual_mode: false }
    }

    /// The first command, and again the one that is due.
    pub(crate) fn start(&mut self) -> HciPacket {
        self.resets += 1;
        Self::packet(Reset {})
    }

    /// Takes the answer to the command sent last.
    ///
    /// # Errors
    /// When the controller cannot be used.
    pub(crate) fn on_answer(&mut self, answer: Answer<'_>) -> Result<Next, InitError> {
        let Some(opcode) = self.plan.pop_front() else { return Ok(self.done()) };
        let status = answer.and_then(|octets| octets.first()).map(|&status| ErrorCode(status));
        match (status, answer) {
            (Some(ErrorCode::Success), Some(octets)) => self.on_success(opcode, octets)?,
            _ => self.on_failure(opcode, status)?,
        }
        while let Some(&next) = self.plan.front() {
            match self.command(next) {
                Some(packet) => return Ok(Next::Send(packet)),
                None => self.plan.pop_front(),
            };
        }
        Ok(self.done())
    }

    fn done(&mut self) -> Next {
        // The feature counts, not the list of commands: there are controllers that have the commands and do not list
        // them. One that has neither answers 0x01 or nothing, and is then used without.
        self.info.extended = !self.legacy_only && self.info.features.extended_advertising();
        Next::Done(self.info.clone())
    }

    fn on_success(&mut self, opcode: Opcode, octets: &[u8]) -> Result<(), InitError> {
        let short = |_| InitError::Short(opcode);
        match opcode {
            ReadLocalVersionInformation::OPCODE => {
                if let Ok(version) = front::<ReadLocalVersionInformationReturn>("version", octets) {
                    self.info.hci_version = version.hci_version;
                    self.info.hci_subversion = version.hci_subversion;
                    self.info.company_identifier = version.company_identifier.0;
                    self.info.lmp_subversion = version.lmp_subversion;
                    if let Some(hint) = self.info.firmware() {
                        tracing::warn!("{hint}");
                    }
                }
            }
            ReadLocalSupportedCommands::OPCODE => {
                if let Ok(commands) = front::<ReadLocalSupportedCommandsReturn<'_>>("commands", octets) {
                    *self.info.supported_commands = *commands.supported_commands;
                    self.plan_optional();
                }
            }
            ReadLocalSupportedFeatures::OPCODE => {
                if let Ok(features) = front::<ReadLocalSupportedFeaturesReturn>("features", octets) {
                    // Bit 37: BR/EDR not supported ([Vol 2] Part C, 3.3).
                    self.dual_mode = features.lmp_features.0 >> 37 & 1 == 0;
                }
            }
            LeReadLocalSupportedFeaturesPage0::OPCODE => {
                if let Ok(features) = front::<LeReadLocalSupportedFeaturesPage0Return>("features", octets) {
                    self.info.features = LeFeatures(features.le_features.0);
                }
            }
            ReadBdAddr::OPCODE => {
                if let Ok(address) = front::<ReadBdAddrReturn>("address", octets) {
                    let bits = address.bd_addr;
                    self.info.public_address = (bits != BdAddr::ANY).then_some(Address::public(bits));
                }
            }
            LeReadBufferSize::OPCODE => {
                let sizes = front::<LeReadBufferSizeReturn>("sizes", octets).map_err(short)?;
                self.info.acl_length = sizes.le_acl_data_packet_length;
                self.info.acl_count = u16::from(sizes.total_num_le_acl_data_packets);
                if self.info.acl_length == 0 || self.info.acl_count == 0 {
                    // LE shares the pool of BR/EDR ([Vol 4] Part E, 7.8.2).
                    self.info.shared_buffers = true;
                    self.plan.push_front(ReadBufferSize::OPCODE);
                }
            }
            ReadBufferSize::OPCODE => {
                let sizes = front::<ReadBufferSizeReturn>("sizes", octets).map_err(short)?;
                self.info.acl_length = sizes.acl_data_packet_length;
                self.info.acl_count = sizes.total_num_acl_data_packets;
                if self.info.acl_length == 0 || self.info.acl_count == 0 {
                    return Err(InitError::NoBuffers);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_failure(&mut self, opcode: Opcode, status: Option<ErrorCode>) -> Result<(), InitError> {
        match (opcode, status) {
            (Reset::OPCODE, _) if self.resets < RESETS => self.plan.push_front(Reset::OPCODE),
            (Reset::OPCODE | LeReadBufferSize::OPCODE | ReadBufferSize::OPCODE, None) => {
                return Err(InitError::Silent(opcode));
            }
            (Reset::OPCODE | LeReadBufferSize::OPCODE | ReadBufferSize::OPCODE, Some(status)) => {
                return Err(InitError::Refused { command: opcode, status });
            }
            (_, Some(status)) => tracing::debug!(%opcode, %status, "not available"),
            (_, None) => tracing::warn!(%opcode, "not answered; going on without it"),
        }
        Ok(())
    }

    /// Commands worth sending only to a controller that claims them.
    fn plan_optional(&mut self) {
        let wanted = [WriteLeHostSupport::OPCODE, LeWriteSuggestedDefaultDataLength::OPCODE];
        let supported = wanted.into_iter().filter(|&opcode| self.info.supports(opcode));
        self.plan.extend(supported.collect::<Vec<_>>());
    }

    /// The packet of a step, or `None` when what was learned makes it needless.
    fn command(&mut self, opcode: Opcode) -> Option<HciPacket> {
        Some(match opcode {
            Reset::OPCODE => self.start(),
            ReadLocalVersionInformation::OPCODE => Self::packet(ReadLocalVersionInformation {}),
            ReadLocalSupportedCommands::OPCODE => Self::packet(ReadLocalSupportedCommands {}),
            ReadLocalSupportedFeatures::OPCODE => Self::packet(ReadLocalSupportedFeatures {}),
            LeReadLocalSupportedFeaturesPage0::OPCODE => Self::packet(LeReadLocalSupportedFeaturesPage0 {}),
            ReadBdAddr::OPCODE => Self::packet(ReadBdAddr {}),
            SetEventMask::OPCODE => Self::packet(SetEventMask { event_mask: EVENT_MASK.into() }),
            LeSetEventMask::OPCODE => {
                Self::packet(LeSetEventMask { le_event_mask: le_event_mask(self.info.features).into() })
            }
            LeReadBufferSize::OPCODE => Self::packet(LeReadBufferSize {}),
            ReadBufferSize::OPCODE => Self::packet(ReadBufferSize {}),
            LeSetRandomAddress::OPCODE => {
                Self::packet(LeSetRandomAddress { random_address: self.info.random_address.bd_addr })
            }
            WriteLeHostSupport::OPCODE if self.dual_mode => {
                Self::packet(WriteLeHostSupport { le_supported_host: 1, unused: 0 })
            }
            // 251 octets take 2120 us on 1M ([Vol 6] Part B, 4.5.10).
            LeWriteSuggestedDefaultDataLength::OPCODE if self.info.features.data_length() => {
                let command = LeWriteSuggestedDefaultDataLength {
                    suggested_max_tx_octets: 251,
                    suggested_max_tx_time: 2120,
                };
                Self::packet(command)
            }
            _ => return None,
        })
    }

    fn packet<'a>(command: impl HciCommand<'a>) -> HciPacket {
        command.to_packet().expect("the commands of the initialisation have fixed short layouts")
    }
}

/// Events outside LE Meta that the host acts on: disconnection, encryption, remote version, hardware error,
/// buffer overflow, key refresh, LE Meta ([Vol 4] Part E, 7.3.1: bit = event code - 1, LE Meta is bit 61).
const EVENT_MASK: u64 = 1 << 4 | 1 << 7 | 1 << 11 | 1 << 15 | 1 << 25 | 1 << 47 | 1 << 61;

/// LE events by what the controller has; a bit that it does not know may make it refuse the whole mask
/// ([Vol 4] Part E, 7.8.1: bit = subevent code - 1).
fn le_event_mask(features: LeFeatures) -> u64 {
    // Connection Complete, Advertising Report, Update Complete, Remote Features, Long Term Key Request.
    let mut mask = 0x1F;
    let mut add = |present: bool, subevents: &[u8]| {
        if present {
            mask |= subevents.iter().fold(0, |bits, subevent| bits | 1u64 << (subevent - 1));
        }
    };
    add(features.has(1), &[0x06]);
    add(features.data_length(), &[0x07]);
    // Enhanced Connection Complete comes with privacy or extended advertising.
    add(features.ll_privacy() || features.extended_advertising(), &[0x0A]);
    add(features.has(8) || features.coded_phy(), &[0x0C]);
    add(features.extended_advertising(), &[0x0D, 0x11, 0x12, 0x13]);
    add(features.has(14), &[0x14]);
    mask
}

#[cfg(test)]
pub(super) mod tests;
