//! What a user may ask of the host, and what comes of it.

use super::AdvertisingEnd;
use super::channels::{ChannelError, ChannelRequest, OpenedChannel};
use super::ladder::{Fault, Rung, outlook};
use super::security::{LinkSecurity, PairingSummary, SecurityRequest};
use super::serving::ServerRequest;
use crate::gap::advertise::{AdvertiseOptions, InvalidAdvertising};
use crate::gap::advertising_data::AdvertisingDataBuf;
use crate::gap::connect::{ConnectOptions, ConnectionParameters};
use crate::gap::scan::ScanOptions;
use crate::gatt::GattError;
use crate::gatt::procedure::{Outcome, Running};
use crate::gatt::server::SetValueError;
use crate::hci::{ErrorCode, InitError, LeFeatures, Opcode, Phy};
use crate::l2cap::credit::OpenFailure;
use crate::smp::{LocalOob, PairingError};
use crate::{Address, hci::Role};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// One request in progress. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// One link, from its beginning to its end. Unlike the controller's handle it is never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.0)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One indication of a peer. Of one link, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndicationId(pub u64);

/// A request to the host.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// Report advertisers until the request is cancelled.
    Scan(ScanOptions),
    /// Advertise until the request is cancelled, a central connects, or the time or the number of events of the options
    /// is over.
    Advertise(AdvertiseOptions),
    /// Give an advertisement other data. Done when they are taken: the controller is told as soon as it listens. One
    /// that cannot have them goes on with those it has.
    SetAdvertisingData {
        /// The advertisement.
        of: OpId,
        /// What everyone hears.
        data: AdvertisingDataBuf,
        /// What those hear who ask.
        scan_response: AdvertisingDataBuf,
    },
    /// Offer and take ATT PDUs of at most so many octets, 23 to 517, on links that come up from now on
    /// ([`HostConfig::mtu`](super::HostConfig::mtu)).
    SetMtu(u16),
    /// Make a link, MTU exchange included.
    Connect {
        /// The peer.
        address: Address,
        /// How.
        options: ConnectOptions,
    },
    /// End a link.
    Disconnect {
        /// Which.
        connection: ConnectionId,
        /// What the peer is told; 0x13 is the usual.
        reason: ErrorCode,
    },
    /// Run a GATT procedure; those of one link take turns on its bearers.
    Gatt {
        /// On which link.
        connection: ConnectionId,
        /// What.
        procedure: Running,
    },
    /// Write without response. Done when the link's queue has taken it.
    WriteCommand {
        /// On which link.
        connection: ConnectionId,
        /// The value's handle.
        handle: u16,
        /// At most ATT_MTU - 3 octets.
        value: Bytes,
    },
    /// Write without response and with a signature, by the key that the bond has for that. On a link that is encrypted, or
    /// can be, it is a write without response. Done when the link's queue has taken it.
    SignedWrite {
        /// On which link.
        connection: ConnectionId,
        /// The value's handle.
        handle: u16,
        /// At most ATT_MTU - 15 octets.
        value: Bytes,
    },
    /// An indication has reached its reader: confirm it. One that was confirmed, or came on a bearer that is over, needs
    /// nothing more.
    Confirm {
        /// On which link.
        connection: ConnectionId,
        /// Which; `None` for the oldest.
        indication: Option<IndicationId>,
    },
    /// Open 1 to 5 enhanced ATT bearers ([`Eatt`](super::Eatt)). Ends with [`Output::Bearers`].
    OpenBearers {
        /// On which link.
        connection: ConnectionId,
        /// How many.
        count: usize,
    },
    /// Something for the GATT server.
    Server(ServerRequest),
    /// Something about credit-based channels.
    Channel(ChannelRequest),
    /// Something about pairing, encryption and bonds.
    Security(SecurityRequest),
    /// Ask for the strength of the link's signal.
    ReadRssi {
        /// Of which link.
        connection: ConnectionId,
    },
    /// Ask which PHYs the link uses.
    ReadPhy {
        /// Of which link.
        connection: ConnectionId,
    },
    /// Ask for other PHYs; masks with bit 0 for 1M, 1 for 2M, 2 for Coded.
    SetPhy {
        /// On which link.
        connection: ConnectionId,
        /// For sending.
        tx: u8,
        /// For receiving.
        rx: u8,
    },
    /// Ask for other timing. A central sets it; a peripheral asks the central's controller, or its host where one of the
    /// controllers cannot.
    UpdateParameters {
        /// On which link.
        connection: ConnectionId,
        /// The timing wanted.
        parameters: ConnectionParameters,
    },
    /// Ask the peer's controller for its version.
    ReadRemoteVersion {
        /// On which link.
        connection: ConnectionId,
    },
    /// Ask the peer's controller for its features.
    ReadRemoteFeatures {
        /// On which link.
        connection: ConnectionId,
    },
    /// Any HCI command, a vendor's for example.
    Command {
        /// Its opcode.
        opcode: Opcode,
        /// Its parameters, at most 255 octets.
        parameters: Bytes,
    },
}

/// What is known of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The link.
    pub connection: ConnectionId,
    /// Our role.
    pub role: Role,
    /// The peer.
    pub peer: Address,
    /// ATT_MTU agreed on.
    pub mtu: u16,
    /// The timing in use.
    pub timing: LinkTiming,
    /// The PHYs of sending and of receiving, once the controller has told them: when they were changed, or asked for.
    pub phys: Option<(Phy, Phy)>,
    /// The security it has.
    pub security: LinkSecurity,
    /// Who the peer is, if there is a bond with it or its identity resolving key is known. It proves that only when the
    /// link is encrypted.
    pub identity: Option<Address>,
}

/// The timing of a link as the controllers agreed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkTiming {
    /// Time between connection events.
    pub interval: Duration,
    /// Connection events the peripheral may skip.
    pub latency: u16,
    /// Silence after which the link is lost.
    pub supervision_timeout: Duration,
}

impl LinkTiming {
    /// From the units of HCI events: 1.25 ms and 10 ms.
    pub(super) fn from_units(interval: u16, latency: u16, timeout: u16) -> Self {
        Self {
            interval: Duration::from_micros(u64::from(interval) * 1250),
            latency,
            supervision_timeout: Duration::from_millis(u64::from(timeout) * 10),
        }
    }
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Done, and nothing to say.
    Done,
    /// A link is up.
    Connected(ConnectionInfo),
    /// An advertisement is over without having been cancelled.
    Advertised(AdvertisingEnd),
    /// The result of a GATT procedure.
    Gatt(Outcome),
    /// A channel is open.
    Channel(OpenedChannel),
    /// Enhanced channels were asked for: what became of each.
    Channels(Vec<Result<OpenedChannel, OpenFailure>>),
    /// So many enhanced ATT bearers were opened, at least one.
    Bearers(usize),
    /// A pairing is done.
    Paired(PairingSummary),
    /// A link has this security.
    Security(LinkSecurity),
    /// What a peer needs of us to pair out of band, and what we have to keep for it.
    Oob(LocalOob),
    /// dBm; `None` when the controller does not know.
    Rssi(Option<i8>),
    /// The PHYs of sending and receiving.
    Phy {
        /// Of sending.
        tx: Phy,
        /// Of receiving.
        rx: Phy,
    },
    /// The timing agreed on.
    Timing(LinkTiming),
    /// Version of the peer's controller.
    RemoteVersion {
        /// Version of the core specification, as in the assigned numbers.
        version: u8,
        /// Who made it.
        company_identifier: u16,
        /// Their revision.
        subversion: u16,
    },
    /// Features of the peer's controller.
    RemoteFeatures(LeFeatures),
    /// Return parameters of a command, the status first.
    Return(Bytes),
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// The controller refused.
    #[error("the controller refused {command}: {status} (0x{code:02X})", code = status.0)]
    Controller {
        /// What it was told.
        command: Opcode,
        /// What it said.
        status: ErrorCode,
    },
    /// The controller did not answer, and goes on.
    #[error("the controller did not answer {command} within {after:?}")]
    ControllerSilent {
        /// What it was told.
        command: Opcode,
        /// How long it had.
        after: Duration,
    },
    /// The controller cannot be used.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The link is down.
    #[error("disconnected: {reason} (0x{code:02X})", code = reason.0)]
    Disconnected {
        /// Why.
        reason: ErrorCode,
    },
    /// The peer was not heard.
    #[error("not heard within {after:?}")]
    ConnectTimeout {
        /// How long we listened.
        after: Duration,
    },
    /// This cannot be advertised, by this controller or by any.
    #[error(transparent)]
    Advertising(InvalidAdvertising),
    /// The controller's advertising sets are all in use.
    #[error("the controller advertises {sets} sets at once, and no more; stop one of them")]
    NoAdvertisingSetLeft {
        /// How many it has.
        sets: usize,
    },
    /// No such advertisement, or it is over.
    #[error("not advertising")]
    NotAdvertising,
    /// There is a link to this peer, or one is being made.
    #[error("already connected or connecting; wait for `disconnect` before connecting again")]
    AlreadyConnected,
    /// A GATT procedure failed.
    #[error(transparent)]
    Gatt(#[from] GattError),
    /// What was asked of a credit-based channel cannot be, or is not to be.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The peer answered no ATT request in time; the link is being ended.
    #[error("the peer did not answer within {after:?}; the link is given up")]
    AttTimeout {
        /// How long it had.
        after: Duration,
    },
    /// The central did not grant the timing that we, as its peripheral, asked for.
    #[error("the central rejected the connection parameters")]
    ParametersRejected,
    /// The peer answered no ATT request in time on an enhanced bearer; the bearer is given up, and the link stays.
    #[error("the peer did not answer within {after:?}; the bearer is given up")]
    BearerTimeout {
        /// How long it had.
        after: Duration,
    },
    /// What was asked for takes an encrypted link.
    #[error("the link is not encrypted")]
    NotEncrypted,
    /// The link could not be encrypted with the bond, and is being ended: the peer has lost its key, or is another.
    #[error(
        "the link could not be encrypted with the bond: {status} (0x{code:02X}); if the peer has forgotten us, unpair \
         it and pair again",
        code = status.0
    )]
    Encryption {
        /// What the controller said.
        status: ErrorCode,
    },
    /// The bond is weaker than what the configuration allows.
    #[error(
        "the bond is too weak for the configuration: {key_size} octets of key; unpair the peer and pair again"
    )]
    WeakBond {
        /// Octets of its key.
        key_size: u8,
    },
    /// A pairing failed.
    #[error(transparent)]
    Pairing(PairingError),
    /// The peer has failed to pair, and has to wait before it tries again.
    #[error("the last pairing with this peer failed; the next one may begin in {left:?}")]
    PairingTooSoon {
        /// How long it still has to.
        left: Duration,
    },
    /// The peer says that it is one with whom there is a bond already, and cannot prove it. The bond stays, the pairing
    /// does not.
    #[error(
        "the peer claims to be {peer}, which is bonded already and was not recognised; unpair that one first"
    )]
    IdentityTaken {
        /// Who it would be.
        peer: Address,
    },
    /// The pairing is weaker than the bond that it would take the place of. The bond stays, the pairing does not.
    #[error("the pairing is weaker than the bond with {peer}; unpair it first if that is meant")]
    WeakerThanBond {
        /// With whom.
        peer: Address,
    },
    /// There is no bond with this peer.
    #[error("there is no bond with {peer}")]
    NotBonded {
        /// With whom.
        peer: Address,
    },
    /// The link cannot have the security that it is to have: neither the bond nor what may be done without a user gives
    /// it.
    #[error("the link cannot be made that secure; pair with the peer")]
    InsufficientSecurity,
    /// As the peripheral, we have asked the central for security, and it has done nothing.
    #[error("the central did not act on the request for security within {after:?}")]
    CentralSilent {
        /// How long it had.
        after: Duration,
    },
    /// No such link.
    #[error("not connected")]
    NotConnected,
    /// Cancelled by whoever asked.
    #[error("cancelled")]
    Cancelled,
    /// The value is longer than one PDU carries.
    #[error("{length} octets are more than the {limit} that fit; use a write with response")]
    TooLong {
        /// Octets of the value.
        length: usize,
        /// Octets that fit.
        limit: usize,
    },
    /// An argument that the specification does not allow.
    #[error("{0}")]
    Invalid(&'static str),
    /// The controller failed, and everything in progress with it.
    #[error("{fault}; {}", outlook(*then))]
    ControllerFailed {
        /// What is wrong with it.
        fault: Fault,
        /// What is being done about it; `None` when nothing is left to try, and the session is over.
        then: Option<Rung>,
    },
    /// The client has not asked for values of this characteristic, or may not have them on this link.
    #[error("the client has not subscribed")]
    NotSubscribed,
    /// An answer to a question that nobody asks any more: it was answered before, or not in time.
    #[error("nobody waits for this answer any more")]
    NotAsked,
    /// A value that the table of the GATT server cannot keep.
    #[error(transparent)]
    SetValue(#[from] SetValueError),
    /// The controller is not initialised yet.
    #[error("the controller is not ready")]
    NotReady,
}
