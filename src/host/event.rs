//! What the host tells.

use super::{
    ChannelEvent, ConnectionId, ConnectionInfo, Fault, IndicationId, LinkTiming, OpError, OpId, Output, Rung,
    SecurityEvent, ServerEvent,
};
use crate::Address;
use crate::gap::device_table::Device;
use crate::gap::report::Report;
use crate::hci::{ControllerInfo, ErrorCode, Phy};
use crate::transports::HciPacket;
use bytes::Bytes;

/// One advertising PDU or scan response, and what is known of its sender with it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The PDU, as it came.
    pub report: Report,
    /// Its sender: everything that its PDUs said, merged.
    pub device: Device,
}

impl Sighting {
    /// The address by which its sender was bonded with, whatever private address it shows; `None` for a stranger, and for
    /// who shows a lasting address.
    pub fn identity(&self) -> Option<Address> {
        self.report.identity
    }
}

/// Something the user may want to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The controller is initialised; also after a reset.
    Ready(Box<ControllerInfo>),
    /// A request is over. Comes exactly once for each.
    OpDone {
        /// Which.
        op: OpId,
        /// How it went.
        result: Result<Output, OpError>,
    },
    /// The controller scans for a request.
    ScanStarted {
        /// The scan.
        op: OpId,
    },
    /// The controller advertises for a request. Comes once, however often the controller is reset.
    AdvertisingStarted {
        /// The advertisement.
        op: OpId,
        /// The power it is sent with, in dBm, where the controller says it.
        tx_power: Option<i8>,
        /// The address that it shows for now.
        address: Address,
    },
    /// A scanner asked for the scan response of an advertisement that wants to know.
    ScanRequested {
        /// The advertisement.
        op: OpId,
        /// Who asked.
        scanner: Address,
    },
    /// An advertiser was heard that a scan asked for.
    Heard {
        /// The scan.
        op: OpId,
        /// What was heard, and of whom.
        sighting: Box<Sighting>,
    },
    /// A link is up. Comes before the result of its request, or of the advertisement that a central connected to, and
    /// before anything else of the link.
    Connected(ConnectionInfo),
    /// A link is down. Comes once, after the failures of all requests on it.
    Disconnected {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: ErrorCode,
    },
    /// The peer sent a value.
    Value {
        /// On which link.
        connection: ConnectionId,
        /// The value's handle.
        handle: u16,
        /// The value.
        value: Bytes,
        /// An indication, which waits for a confirmation: submit [`Request::Confirm`](super::Request::Confirm) when it
        /// has reached its reader.
        indication: Option<IndicationId>,
    },
    /// A client of the GATT server wants or has done something.
    Server(ServerEvent),
    /// Something about credit-based channels.
    Channel(ChannelEvent),
    /// Something about pairing, encryption and bonds.
    Security(SecurityEvent),
    /// ATT_MTU changed.
    Mtu {
        /// On which link.
        connection: ConnectionId,
        /// The new one.
        mtu: u16,
    },
    /// The timing changed.
    Timing {
        /// Of which link.
        connection: ConnectionId,
        /// The new one.
        timing: LinkTiming,
    },
    /// The PHYs changed, or were not known before.
    Phy {
        /// Of which link.
        connection: ConnectionId,
        /// For sending.
        tx: Phy,
        /// For receiving.
        rx: Phy,
    },
    /// An event that is not in the tables, a vendor's for example.
    Unknown(HciPacket),
    /// The controller has failed, or the last rung has. Everything in progress but the scans and
    /// advertisements that had begun fails behind this event. [`Ready`](Self::Ready) follows, or this with the next rung, or [`Failed`](Self::Failed).
    ///
    /// [`Rung::Reset`] is the host's own business. Of the others the host knows nothing: close the transport, do what
    /// the rung says, and tell the result by [`Host::handle_reopened`](super::Host::handle_reopened). Until then it
    /// sends nothing and takes nothing.
    Fault {
        /// What is wrong.
        fault: Fault,
        /// What is done about it; `None` when nothing is left to try.
        then: Option<Rung>,
    },
    /// The controller cannot be used, and nothing more is done about it.
    Failed(OpError),
}
