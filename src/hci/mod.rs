//! The Host Controller Interface ([Vol 4] Part E): what host and controller say to each other.
//!
//! Owns the packets and the rules of sending them. It knows nothing of the channels above.

pub mod acl;
pub(crate) mod acl_flow;
pub mod command;
pub(crate) mod command_flow;

pub mod event;
mod firmware;
mod init;
pub mod meanings;
mod status;
mod types;

pub use acl::AclData;
pub use command::{Command, CompletedPackets, HciCommand, Opcode};
pub use event::{Event, LeEvent};
pub use firmware::FirmwareHint;
pub use init::{ControllerInfo, InitError, LeFeatures};
pub(crate) use init::{Initialization, Next};
pub use status::ErrorCode;
pub(crate) use types::ParameterUnits;
pub use types::{AddressType, ConnectionHandle, OwnAddressType, Phy, Role};
