//! Commands of the signalling channel ([Vol 3] Part A, 4).

use crate::assigned;
use crate::codec::show::{Show, Units, View};
use crate::codec::{HexInt, ParseError, Rest, Tail};
use crate::hci::{ParameterUnits, Role};
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

open_enum! {
    /// Answer to a request for one credit-based channel ([Vol 3] Part A, 4.23).
    pub struct CreditConnectionResult(u16) {
        ConnectionSuccessful = 0x0000 "Connection successful",
        SpsmNotSupported = 0x0002 "Connection refused - SPSM not supported",
        NoResourcesAvailable = 0x0004 "Connection refused - no resources available",
        InsufficientAuthentication = 0x0005 "Connection refused - insufficient authentication",
        InsufficientAuthorization = 0x0006 "Connection refused - insufficient authorization",
        EncryptionKeySizeTooShort = 0x0007 "Connection refused - encryption key size too short",
        InsufficientEncryption = 0x0008 "Connection refused - insufficient encryption",
        InvalidSourceCid = 0x0009 "Connection refused - invalid Source CID",
        SourceCidAlreadyAllocated = 0x000A "Connection refused - Source CID already allocated",
        UnacceptableParameters = 0x000B "Connection refused - unacceptable parameters",
    }
}

open_enum! {
    /// Answer to a request for several credit-based channels ([Vol 3] Part A, 4.26).
    pub struct CreditConnectionsResult(u16) {
        AllSuccessful = 0x0000 "All connections successful",
        AllRefusedSpsmNotSupported = 0x0002 "All connections refused - SPSM not supported",
        SomeRefusedInsufficientResourcesAvailable = 0x0004 "Some connections refused - insufficient resources available",
        AllRefusedInsufficientAuthentication = 0x0005 "All connections refused - insufficient authentication",
        AllRefusedInsufficientAuthorization = 0x0006 "All connections refused - insufficient authorization",
        AllRefusedEncryptionKeySizeTooShort = 0x0007 "All connections refused - encryption key size too short",
        AllRefusedInsufficientEncryption = 0x0008 "All connections refused - insufficient encryption",
        SomeRefusedInvalidSourceCid = 0x0009 "Some connections refused - invalid Source CID",
        SomeRefusedSourceCidAlreadyAllocated = 0x000A "Some connections refused - Source CID already allocated",
        AllRefusedUnacceptableParameters = 0x000B "All connections refused - unacceptable parameters",
        AllRefusedInvalidParameters = 0x000C "All connections refused - invalid parameters",
        AllPendingNoFurtherInformationAvailable = 0x000D "All connections pending - no further information available",
        AllPendingAuthenticationPending = 0x000E "All connections pending - authentication pending",
        AllPendingAuthorizationPending = 0x000F "All connections pending - authorization pending",
    }
}

open_enum! {
    /// Answer to a request for other sizes of channels ([Vol 3] Part A, 4.28).
    pub struct ReconfigureResult(u16) {
        ReconfigurationSuccessful = 0x0000 "Reconfiguration successful",
        ReductionInSizeOfMtuNotAllowed = 0x0001 "Reconfiguration failed - reduction in size of MTU not allowed",
        ReductionInSizeOfMpsNotAllowedForMoreThanOneChannelAtATime = 0x0002 "Reconfiguration failed - reduction in size of MPS not allowed for more than one channel at a time",
        OneOrMoreDestinationCidsInvalid = 0x0003 "Reconfiguration failed - one or more Destination CIDs invalid",
        OtherUnacceptableParameters = 0x0004 "Reconfiguration failed - other unacceptable parameters",
    }
}

open_enum! {
    /// Answer to a request for a BR/EDR channel ([Vol 3] Part A, 4.3).
    pub struct ConnectionResult(u16) {
        ConnectionSuccessful = 0x0000 "Connection successful",
        ConnectionPending = 0x0001 "Connection pending",
        PsmNotSupported = 0x0002 "Connection refused - PSM not supported",
        SecurityBlock = 0x0003 "Connection refused - security block",
        NoResourcesAvailable = 0x0004 "Connection refused - no resources available",
        InvalidSourceCid = 0x0006 "Connection refused - invalid Source CID",
        SourceCidAlreadyAllocated = 0x0007 "Connection refused - Source CID already allocated",
    }
}

open_enum! {
    /// Answer to a configuration request ([Vol 3] Part A, 4.5).
    pub struct ConfigurationResult(u16) {
        Success = 0x0000 "Success",
        UnacceptableParameters = 0x0001 "Failure - unacceptable parameters",
        Rejected = 0x0002 "Failure - rejected",
        UnknownOptions = 0x0003 "Failure - unknown options",
        Pending = 0x0004 "Pending",
        FlowSpecRejected = 0x0005 "Failure - flow spec rejected",
    }
}

open_enum! {
    /// What an information request asks for ([Vol 3] Part A, 4.10).
    pub struct InfoType(u16) {
        ConnectionlessMtu = 0x0001 "Connectionless MTU",
        ExtendedFeatures = 0x0002 "Extended features supported",
        FixedChannels = 0x0003 "Fixed channels supported",
    }
}

open_enum! {
    /// Answer to an information request ([Vol 3] Part A, 4.11).
    pub struct InformationResult(u16) {
        Success = 0x0000 "Success",
        NotSupported = 0x0001 "Not supported",
    }
}

/// A PSM or SPSM: the protocol that a channel is for.
#[derive(Debug)]
pub enum Psm {}

impl View<HexInt<u16>> for Psm {
    fn show(value: HexInt<u16>, to: &mut dyn Show) {
        to.named(value.0.into(), 2, assigned::psm_name(value.0));
    }
}

crate::coded_table! {
    /// A command of the signalling channels, by its code. Those of BR/EDR are here for captures: on LE they are
    /// not understood.
    pub enum SignalingCommand, whole, assigned::signal_name;
    /// [Vol 3] Part A, 4.1.
    0x01 "L2CAP_COMMAND_REJECT_RSP" CommandRejectRsp<'a> { reason: RejectReason, reason_data: Rest<'a> };
    /// [Vol 3] Part A, 4.2.
    0x02 "L2CAP_CONNECTION_REQ" ConnectionReq { psm: HexInt<u16> as Psm, source_cid: HexInt<u16> };
    /// [Vol 3] Part A, 4.3.
    0x03 "L2CAP_CONNECTION_RSP" ConnectionRsp {
        destination_cid: HexInt<u16>, source_cid: HexInt<u16>, result: ConnectionResult, status: u16
    };
    /// [Vol 3] Part A, 4.4.
    0x04 "L2CAP_CONFIGURATION_REQ" ConfigurationReq<'a> {
        destination_cid: HexInt<u16>, flags: HexInt<u16>, options: Rest<'a>
    };
    /// [Vol 3] Part A, 4.5.
    0x05 "L2CAP_CONFIGURATION_RSP" ConfigurationRsp<'a> {
        source_cid: HexInt<u16>, flags: HexInt<u16>, result: ConfigurationResult, options: Rest<'a>
    };
    /// [Vol 3] Part A, 4.6.
    0x06 "L2CAP_DISCONNECTION_REQ" DisconnectionReq { destination_cid: HexInt<u16>, source_cid: HexInt<u16> };
    /// [Vol 3] Part A, 4.7.
    0x07 "L2CAP_DISCONNECTION_RSP" DisconnectionRsp { destination_cid: HexInt<u16>, source_cid: HexInt<u16> };
    /// [Vol 3] Part A, 4.8.
    0x08 "L2CAP_ECHO_REQ" EchoReq<'a> { echo_data: Rest<'a> };
    /// [Vol 3] Part A, 4.9.
    0x09 "L2CAP_ECHO_RSP" EchoRsp<'a> { echo_data: Rest<'a> };
    /// [Vol 3] Part A, 4.10.
    0x0A "L2CAP_INFORMATION_REQ" InformationReq { info_type: InfoType };
    /// [Vol 3] Part A, 4.11.
    0x0B "L2CAP_INFORMATION_RSP" InformationRsp<'a> {
        info_type: InfoType, result: InformationResult, info: Rest<'a>
    };
    /// [Vol 3] Part A, 4.20. Intervals in units of 1.25 ms, the time-out of 10 ms.
    0x12 "L2CAP_CONNECTION_PARAMETER_UPDATE_REQ" ConnectionParameterUpdateReq {
        interval_min: u16 as Units<1250>, interval_max: u16 as Units<1250>, latency: u16,
        timeout: u16 as Units<10_000>
    };
    /// [Vol 3] Part A, 4.21.
    0x13 "L2CAP_CONNECTION_PARAMETER_UPDATE_RSP" ConnectionParameterUpdateRsp { result: ParameterUpdateResult };
    /// [Vol 3] Part A, 4.22.
    0x14 "L2CAP_LE_CREDIT_BASED_CONNECTION_REQ" LeCreditBasedConnectionReq {
        spsm: HexInt<u16> as Psm, source_cid: HexInt<u16>, mtu: u16, mps: u16, initial_credits: u16
    };
    /// [Vol 3] Part A, 4.23.
    0x15 "L2CAP_LE_CREDIT_BASED_CONNECTION_RSP" LeCreditBasedConnectionRsp {
        destination_cid: HexInt<u16>, mtu: u16, mps: u16, initial_credits: u16,
        result: CreditConnectionResult
    };
    /// [Vol 3] Part A, 4.24.
    0x16 "L2CAP_FLOW_CONTROL_CREDIT_IND" FlowControlCreditInd { cid: HexInt<u16>, credits: u16 };
    /// [Vol 3] Part A, 4.25.
    0x17 "L2CAP_CREDIT_BASED_CONNECTION_REQ" CreditBasedConnectionReq<'a> {
        spsm: HexInt<u16> as Psm, mtu: u16, mps: u16, initial_credits: u16, source_cids: Tail<'a, HexInt<u16>>
    };
    /// [Vol 3] Part A, 4.26.
    0x18 "L2CAP_CREDIT_BASED_CONNECTION_RSP" CreditBasedConnectionRsp<'a> {
        mtu: u16, mps: u16, initial_credits: u16, result: CreditConnectionsResult,
        destination_cids: Tail<'a, HexInt<u16>>
    };
    /// [Vol 3] Part A, 4.27.
    0x19 "L2CAP_CREDIT_BASED_RECONFIGURE_REQ" CreditBasedReconfigureReq<'a> {
        mtu: u16, mps: u16, destination_cids: Tail<'a, HexInt<u16>>
    };
    /// [Vol 3] Part A, 4.28.
    0x1A "L2CAP_CREDIT_BASED_RECONFIGURE_RSP" CreditBasedReconfigureRsp { result: ReconfigureResult };
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

/// What a command of the peer leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reaction {
    /// The payload to answer with.
    pub(crate) reply: Option<Bytes>,
    /// The timing that was granted and is now to be set.
    pub(crate) parameters: Option<ParameterUnits>,
}

/// Answers a frame of the signalling channel. There are no credit-based channels here, so requests for them are
/// refused; responses answer nothing that was asked and are dropped.
pub(crate) fn react(payload: &[u8], role: Role, grant: impl Fn(&ParameterUnits) -> bool) -> Reaction {
    let reply = |command: SignalingCommand<'_>, identifier| Reaction {
        reply: Some(command.to_bytes(identifier)),
        parameters: None,
    };
    let reject = |identifier, reason, data: &[u8]| {
        reply(CommandRejectRsp { reason, reason_data: Rest(data) }.into(), identifier)
    };
    let identifier = payload.get(1).copied().unwrap_or(0);
    if identifier == 0 {
        return Reaction::default(); // not even a reject can name it ([Vol 3] Part A, 4)
    }
    if payload.len() > SIGNALING_MTU {
        return reject(identifier, RejectReason::SignalingMtuExceeded, &[23, 0]);
    }
    let not_understood = || reject(identifier, RejectReason::CommandNotUnderstood, &[]);
    let Ok(command) = Signal::parse(payload).and_then(|signal| signal.command()) else {
        return not_understood();
    };
    match command {
        SignalingCommand::ConnectionParameterUpdateReq(request) if role == Role::Central => {
            let units = ParameterUnits {
                interval_min: request.interval_min,
                interval_max: request.interval_max,
                latency: request.latency,
                timeout: request.timeout,
            };
            let granted = units.are_valid() && grant(&units);
            let result =
                if granted { ParameterUpdateResult::Accepted } else { ParameterUpdateResult::Rejected };
            let parameters = granted.then_some(units);
            Reaction { parameters, ..reply(ConnectionParameterUpdateRsp { result }.into(), identifier) }
        }
        SignalingCommand::DisconnectionReq(request) => {
            let [a, b] = request.destination_cid.0.to_le_bytes();
            let [c, d] = request.source_cid.0.to_le_bytes();
            reject(identifier, RejectReason::InvalidCid, &[a, b, c, d])
        }
        SignalingCommand::LeCreditBasedConnectionReq(_) => {
            let refused = LeCreditBasedConnectionRsp {
                destination_cid: HexInt(0),
                mtu: 0,
                mps: 0,
                initial_credits: 0,
                result: CreditConnectionResult::SpsmNotSupported,
            };
            reply(refused.into(), identifier)
        }
        SignalingCommand::CreditBasedConnectionReq(request) => {
            let none: Vec<_> = request.source_cids.iter().map(|_| HexInt(0)).take(5).collect();
            let refused = CreditBasedConnectionRsp {
                mtu: 0,
                mps: 0,
                initial_credits: 0,
                result: CreditConnectionsResult::AllRefusedSpsmNotSupported,
                destination_cids: Tail::new(&none),
            };
            reply(refused.into(), identifier)
        }
        SignalingCommand::CreditBasedReconfigureReq(_) => reply(
            CreditBasedReconfigureRsp { result: ReconfigureResult::OneOrMoreDestinationCidsInvalid }.into(),
            identifier,
        ),
        SignalingCommand::Unknown { .. }
        | SignalingCommand::ConnectionParameterUpdateReq(_)
        | SignalingCommand::ConnectionReq(_)
        | SignalingCommand::ConnectionRsp(_)
        | SignalingCommand::ConfigurationReq(_)
        | SignalingCommand::ConfigurationRsp(_)
        | SignalingCommand::EchoReq(_)
        | SignalingCommand::EchoRsp(_)
        | SignalingCommand::InformationReq(_)
        | SignalingCommand::InformationRsp(_) => not_understood(),
        _ => Reaction::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(payload: &[u8]) -> Option<Vec<u8>> {
        react(payload, Role::Central, |_| true).reply.map(|bytes| bytes.to_vec())
    }

    #[test]
    fn l2_unknown_codes_and_wrong_lengths_are_not_understood() {
        let not_understood = |identifier| Some(vec![0x01, identifier, 2, 0, 0, 0]);
        assert_eq!(reply(&[0x7F, 5, 0, 0]), not_understood(5));
        for of_classic in [
            &[0x02, 6, 4, 0, 1, 0, 0x40, 0][..],
            &[0x03, 6, 8, 0, 0x40, 0, 0x40, 0, 0, 0, 0, 0],
            &[0x04, 6, 4, 0, 0x40, 0, 0, 0],
            &[0x05, 6, 6, 0, 0x40, 0, 0, 0, 0, 0],
            &[0x08, 6, 0, 0],
            &[0x09, 6, 0, 0],
            &[0x0A, 6, 2, 0, 2, 0],
            &[0x0B, 6, 4, 0, 2, 0, 1, 0],
        ] {
            assert_eq!(reply(of_classic), not_understood(6), "{of_classic:?}");
        }
        assert_eq!(reply(&[0x12, 7, 9, 0, 1]), not_understood(7), "length field");
        assert_eq!(reply(&[0x12, 7, 1, 0, 1]), not_understood(7), "short of its layout");
        assert_eq!(reply(&[0x12, 8]), not_understood(8), "short of its header");
    }

    #[test]
    fn l2_a_command_over_the_signalling_mtu_is_rejected_with_the_mtu() {
        let long = [&[0x12, 5, 20, 0][..], &[0; 20]].concat();
        assert_eq!(reply(&long), Some(vec![0x01, 5, 4, 0, 1, 0, 23, 0]));
    }

    #[test]
    fn l2_identifier_zero_gets_no_answer() {
        assert_eq!(reply(&[0x7F, 0, 0, 0]), None);
        assert_eq!(reply(&[]), None);
    }

    #[test]
    fn l3_only_timing_that_the_specification_allows_is_granted_and_only_by_a_central() {
        let request = |min: u16, max: u16, latency: u16, timeout: u16| {
            let values = [min, max, latency, timeout].map(u16::to_le_bytes).concat();
            [&[0x12, 9, 8, 0][..], &values].concat()
        };
        let good = react(&request(24, 40, 0, 500), Role::Central, |_| true);
        assert_eq!(good.reply.as_deref(), Some(&[0x13, 9, 2, 0, 0, 0][..]));
        assert_eq!(
            good.parameters,
            Some(ParameterUnits { interval_min: 24, interval_max: 40, latency: 0, timeout: 500 })
        );
        for bad in [
            request(40, 24, 0, 500),
            request(5, 24, 0, 500),
            request(24, 3201, 0, 500),
            request(24, 40, 500, 3200),
            request(24, 40, 0, 9),
            request(24, 400, 4, 100),
        ] {
            let refused = react(&bad, Role::Central, |_| true);
            assert_eq!(
                (refused.reply.as_deref(), refused.parameters),
                (Some(&[0x13, 9, 2, 0, 1, 0][..]), None)
            );
        }
        assert_eq!(react(&request(24, 40, 0, 500), Role::Central, |_| false).parameters, None, "by policy");
        let peripheral = react(&request(24, 40, 0, 500), Role::Peripheral, |_| true);
        assert_eq!(peripheral.reply.as_deref(), Some(&[0x01, 9, 2, 0, 0, 0][..]));
    }

    #[test]
    fn l8_responses_to_nothing_are_dropped() {
        for payload in [
            &[0x01, 9, 2, 0, 0, 0][..],
            &[0x13, 9, 2, 0, 0, 0],
            &[0x07, 9, 4, 0, 1, 0, 2, 0],
            &[0x1A, 9, 2, 0, 0, 0],
        ] {
            assert_eq!(react(payload, Role::Central, |_| true), Reaction::default());
        }
    }

    #[test]
    fn requests_for_channels_are_refused_with_their_own_answers() {
        assert_eq!(
            reply(&[0x14, 3, 10, 0, 0x80, 0, 0x40, 0, 23, 0, 23, 0, 1, 0]),
            Some(vec![0x15, 3, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0])
        );
        assert_eq!(
            reply(&[0x06, 3, 4, 0, 0x41, 0, 0x40, 0]),
            Some(vec![0x01, 3, 6, 0, 2, 0, 0x41, 0, 0x40, 0])
        );
    }
}
