//! Commands of the signalling channel ([Vol 3] Part A, 4).

use crate::codec::{HexInt, ParseError, Rest, Tail};
use crate::open_enum;
use bytes::{BufMut, Bytes, BytesMut};

/// The longest command every LE device accepts ([Vol 3] Part A, 4).
pub const SIGNALING_MTU: usize = 23;

open_enum! {
    /// Why a command was not understood ([Vol 3] Part A, 4.1).
    pub struct RejectReason(u16) {
        CommandNotUnderstood = 0 "Command not understood",
        SignalingMtuExceeded = 1 "Signaling MTU exceeded",
        InvalidCid = 2 "Invalid CID in request",
    }
}

open_enum! {
    /// Answer to a connection parameter update request ([Vol 3] Part A, 4.21).
    pub struct ParameterUpdateResult(u16) {
        Accepted = 0 "Connection Parameters accepted",
        Rejected = 1 "Connection Parameters rejected",
    }
}

crate::coded_table! {
    /// A command of the LE signalling channel, by its code. The BR/EDR ones are not here: on LE they are
    /// not understood.
    pub enum SignalingCommand, whole;
    /// [Vol 3] Part A, 4.1.
    0x01 "L2CAP_COMMAND_REJECT_RSP" CommandRejectRsp<'a> { reason: RejectReason, reason_data: Rest<'a> };
    /// [Vol 3] Part A, 4.6.
    0x06 "L2CAP_DISCONNECTION_REQ" DisconnectionReq { destination_cid: HexInt<u16>, source_cid: HexInt<u16> };
    /// [Vol 3] Part A, 4.7.
    0x07 "L2CAP_DISCONNECTION_RSP" DisconnectionRsp { destination_cid: HexInt<u16>, source_cid: HexInt<u16> };
    /// [Vol 3] Part A, 4.20. Intervals in units of 1.25 ms, the time-out of 10 ms.
    0x12 "L2CAP_CONNECTION_PARAMETER_UPDATE_REQ" ConnectionParameterUpdateReq {
        interval_min: u16, interval_max: u16, latency: u16, timeout: u16
    };
    /// [Vol 3] Part A, 4.21.
    0x13 "L2CAP_CONNECTION_PARAMETER_UPDATE_RSP" ConnectionParameterUpdateRsp { result: ParameterUpdateResult };
    /// [Vol 3] Part A, 4.22.
    0x14 "L2CAP_LE_CREDIT_BASED_CONNECTION_REQ" LeCreditBasedConnectionReq {
        spsm: HexInt<u16>, source_cid: HexInt<u16>, mtu: u16, mps: u16, initial_credits: u16
    };
    /// [Vol 3] Part A, 4.23.
    0x15 "L2CAP_LE_CREDIT_BASED_CONNECTION_RSP" LeCreditBasedConnectionRsp {
        destination_cid: HexInt<u16>, mtu: u16, mps: u16, initial_credits: u16, result: HexInt<u16>
    };
    /// [Vol 3] Part A, 4.24.
    0x16 "L2CAP_FLOW_CONTROL_CREDIT_IND" FlowControlCreditInd { cid: HexInt<u16>, credits: u16 };
    /// [Vol 3] Part A, 4.25.
    0x17 "L2CAP_CREDIT_BASED_CONNECTION_REQ" CreditBasedConnectionReq<'a> {
        spsm: HexInt<u16>, mtu: u16, mps: u16, initial_credits: u16, source_cids: Tail<'a, HexInt<u16>>
    };
    /// [Vol 3] Part A, 4.26.
    0x18 "L2CAP_CREDIT_BASED_CONNECTION_RSP" CreditBasedConnectionRsp<'a> {
        mtu: u16, mps: u16, initial_credits: u16, result: HexInt<u16>, destination_cids: Tail<'a, HexInt<u16>>
    };
    /// [Vol 3] Part A, 4.27.
    0x19 "L2CAP_CREDIT_BASED_RECONFIGURE_REQ" CreditBasedReconfigureReq<'a> {
        mtu: u16, mps: u16, destination_cids: Tail<'a, HexInt<u16>>
    };
    /// [Vol 3] Part A, 4.28.
    0x1A "L2CAP_CREDIT_BASED_RECONFIGURE_RSP" CreditBasedReconfigureRsp { result: HexInt<u16> };
}

/// A command with its header, as it stands in a frame of the signalling channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal<'a> {
    /// What it is.
    pub code: u8,
    /// Ties a response to its request; never zero.
    pub identifier: u8,
    /// What the code defines.
    pub data: &'a [u8],
}

impl<'a> Signal<'a> {
    /// Reads the one command of a frame's payload.
    ///
    /// # Errors
    /// When it is shorter than the header or its length is not that of the data.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ParseError> {
        let [code, identifier, a, b, data @ ..] = payload else {
            return Err(ParseError { what: "L2CAP command", offset: payload.len() });
        };
        if usize::from(u16::from_le_bytes([*a, *b])) != data.len() {
            return Err(ParseError { what: "L2CAP command", offset: 2 });
        }
        Ok(Self { code: *code, identifier: *identifier, data })
    }

    /// What it says.
    ///
    /// # Errors
    /// When the data do not follow the layout of the code.
    pub fn command(&self) -> Result<SignalingCommand<'a>, ParseError> {
        SignalingCommand::parse(self.code, self.data)
    }
}

impl SignalingCommand<'_> {
    /// The payload of a frame on the signalling channel.
    pub fn to_bytes(&self, identifier: u8) -> Bytes {
        let mut data = BytesMut::new();
        self.emit_parameters(&mut data);
        let mut out = BytesMut::with_capacity(4 + data.len());
        out.put_u8(self.code());
        out.put_u8(identifier);
        // Every layout of the table is far shorter than 65,536 octets unless given a list that is not.
        out.put_u16_le(u16::try_from(data.len()).unwrap_or(u16::MAX));
        out.put_slice(&data);
        out.freeze()
    }
}
