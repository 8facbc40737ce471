//! Why a controller refused or a link ended.

use crate::open_enum;

open_enum! {
    /// Status and reason codes of HCI ([Vol 1] Part F, 1.3). Zero is success.
    pub struct ErrorCode(u8) {
        Success = 0x00 "Success",
        UnknownHciCommand = 0x01 "Unknown HCI Command",
        UnknownConnectionIdentifier = 0x02 "Unknown Connection Identifier",
        HardwareFailure = 0x03 "Hardware Failure",
        PageTimeout = 0x04 "Page Timeout",
        AuthenticationFailure = 0x05 "Authentication Failure",
        PinOrKeyMissing = 0x06 "PIN or Key Missing",
        MemoryCapacityExceeded = 0x07 "Memory Capacity Exceeded",
        ConnectionTimeout = 0x08 "Connection Timeout",
        ConnectionLimitExceeded = 0x09 "Connection Limit Exceeded",
        SynchronousConnectionLimitToADeviceExceeded = 0x0A "Synchronous Connection Limit To A Device Exceeded",
        ConnectionAlreadyExists = 0x0B "Connection Already Exists",
        CommandDisallowed = 0x0C "Command Disallowed",
        ConnectionRejectedDueToLimitedResources = 0x0D "Connection Rejected due to Limited Resources",
        ConnectionRejectedDueToSecurityReasons = 0x0E "Connection Rejected Due To Security Reasons",
        ConnectionRejectedDueToUnacceptableBdAddr = 0x0F "Connection Rejected due to Unacceptable BD_ADDR",
        ConnectionAcceptTimeoutExceeded = 0x10 "Connection Accept Timeout Exceeded",
        UnsupportedFeatureOrParameterValue = 0x11 "Unsupported Feature or Parameter Value",
        InvalidHciCommandParameters = 0x12 "Invalid HCI Command Parameters",
        RemoteUserTerminatedConnection = 0x13 "Remote User Terminated Connection",
        RemoteDeviceTerminatedConnectionDueToLowResources = 0x14 "Remote Device Terminated Connection due to Low Resources",
        RemoteDeviceTerminatedConnectionDueToPowerOff = 0x15 "Remote Device Terminated Connection due to Power Off",
        ConnectionTerminatedByLocalHost = 0x16 "Connection Terminated By Local Host",
        RepeatedAttempts = 0x17 "Repeated Attempts",
        PairingNotAllowed = 0x18 "Pairing Not Allowed",
        UnknownLmpPdu = 0x19 "Unknown LMP PDU",
        UnsupportedRemoteFeature = 0x1A "Unsupported Remote Feature",
        ScoOffsetRejected = 0x1B "SCO Offset Rejected",
        ScoIntervalRejected = 0x1C "SCO Interval Rejected",
        ScoAirModeRejected = 0x1D "SCO Air Mode Rejected",
        InvalidLmpParameters = 0x1E "Invalid LMP Parameters / Invalid LL Parameters",
        UnspecifiedError = 0x1F "Unspecified Error",
        UnsupportedLmpParameterValue = 0x20 "Unsupported LMP Parameter Value / Unsupported LL Parameter Value",
        RoleChangeNotAllowed = 0x21 "Role Change Not Allowed",
        LmpResponseTimeout = 0x22 "LMP Response Timeout / LL Response Timeout",
        LmpErrorTransactionCollision = 0x23 "LMP Error Transaction Collision / LL Procedure Collision",
        LmpPduNotAllowed = 0x24 "LMP PDU Not Allowed",
        EncryptionModeNotAcceptable = 0x25 "Encryption Mode Not Acceptable",
        LinkKeyCannotBeChanged = 0x26 "Link Key cannot be Changed",
        RequestedQosNotSupported = 0x27 "Requested QoS Not Supported",
        InstantPassed = 0x28 "Instant Passed",
        PairingWithUnitKeyNotSupported = 0x29 "Pairing With Unit Key Not Supported",
        DifferentTransactionCollision = 0x2A "Different Transaction Collision",
        QosUnacceptableParameter = 0x2C "QoS Unacceptable Parameter",
        QosRejected = 0x2D "QoS Rejected",
        ChannelClassificationNotSupported = 0x2E "Channel Classification Not Supported",
        InsufficientSecurity = 0x2F "Insufficient Security",
        ParameterOutOfMandatoryRange = 0x30 "Parameter Out Of Mandatory Range",
        RoleSwitchPending = 0x32 "Role Switch Pending",
        ReservedSlotViolation = 0x34 "Reserved Slot Violation",
        RoleSwitchFailed = 0x35 "Role Switch Failed",
        ExtendedInquiryResponseTooLarge = 0x36 "Extended Inquiry Response Too Large",
        SecureSimplePairingNotSupportedByHost = 0x37 "Secure Simple Pairing Not Supported By Host",
        HostBusyPairing = 0x38 "Host Busy - Pairing",
        ConnectionRejectedDueToNoSuitableChannelFound = 0x39 "Connection Rejected due to No Suitable Channel Found",
        ControllerBusy = 0x3A "Controller Busy",
        UnacceptableConnectionParameters = 0x3B "Unacceptable Connection Parameters",
        AdvertisingTimeout = 0x3C "Advertising Timeout",
        ConnectionTerminatedDueToMicFailure = 0x3D "Connection Terminated due to MIC Failure",
        ConnectionFailedToBeEstablished = 0x3E "Connection Failed to be Established / Synchronization Timeout",
        MacConnectionFailed = 0x3F "MAC Connection Failed (previously used)",
        CoarseClockAdjustmentRejectedButWillTryToAdjustUsingClockDragging = 0x40 "Coarse Clock Adjustment Rejected but Will Try to Adjust Using Clock Dragging",
        Type0SubmapNotDefined = 0x41 "Type0 Submap Not Defined",
        UnknownAdvertisingIdentifier = 0x42 "Unknown Advertising Identifier",
        LimitReached = 0x43 "Limit Reached",
        OperationCancelledByHost = 0x44 "Operation Cancelled by Host",
        PacketTooLong = 0x45 "Packet Too Long",
        PacketTooLate = 0x46 "Packet Too Late",
        PacketTooEarly = 0x47 "Packet Too Early",
        InsufficientChannels = 0x48 "Insufficient Channels",    }
}

impl ErrorCode {
    /// Whether the code says that nothing went wrong.
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }

    /// The code as the result of an operation.
    ///
    /// # Errors
    /// With itself when it is not success.
    pub const fn ok(self) -> Result<(), Self> {
        if self.is_success() { Ok(()) } else { Err(self) }
    }
}

impl Default for ErrorCode {
    fn default() -> Self {
        Self::Success
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_a_name_is_kept_and_printed_as_its_number() {
        assert_eq!(
            ErrorCode(0x3E).to_string(),
            "Connection Failed to be Established / Synchronization Timeout"
        );
        assert_eq!(ErrorCode(0xEE).to_string(), "0xEE");
        assert_eq!(ErrorCode(0xEE).ok(), Err(ErrorCode(0xEE)));
    }
}
