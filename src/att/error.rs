//! Why a server refused a request.

use crate::open_enum;

open_enum! {
    /// ATT error codes ([Vol 3] Part F, 3.4.1.1, and Core Specification Supplement Part B).
    pub struct AttError(u8) {
        InvalidHandle = 0x01 "Invalid Handle",
        ReadNotPermitted = 0x02 "Read Not Permitted",
        WriteNotPermitted = 0x03 "Write Not Permitted",
        InvalidPdu = 0x04 "Invalid PDU",
        InsufficientAuthentication = 0x05 "Insufficient Authentication",
        RequestNotSupported = 0x06 "Request Not Supported",
        InvalidOffset = 0x07 "Invalid Offset",
        InsufficientAuthorization = 0x08 "Insufficient Authorization",
        PrepareQueueFull = 0x09 "Prepare Queue Full",
        AttributeNotFound = 0x0A "Attribute Not Found",
        AttributeNotLong = 0x0B "Attribute Not Long",
        EncryptionKeySizeTooShort = 0x0C "Encryption Key Size Too Short",
        InvalidAttributeValueLength = 0x0D "Invalid Attribute Value Length",
        UnlikelyError = 0x0E "Unlikely Error",
        InsufficientEncryption = 0x0F "Insufficient Encryption",
        UnsupportedGroupType = 0x10 "Unsupported Group Type",
        InsufficientResources = 0x11 "Insufficient Resources",
        DatabaseOutOfSync = 0x12 "Database Out Of Sync",
        ValueNotAllowed = 0x13 "Value Not Allowed",
        WriteRequestRejected = 0xFC "Write Request Rejected",
        CccdImproperlyConfigured = 0xFD "Client Characteristic Configuration Descriptor Improperly Configured",
        ProcedureAlreadyInProgress = 0xFE "Procedure Already in Progress",
        OutOfRange = 0xFF "Out of Range",
    }
}

impl AttError {
    /// Whether the application on the server defines the meaning (0x80 to 0x9F).
    pub const fn is_application(self) -> bool {
        matches!(self.0, 0x80..=0x9F)
    }

    /// The name, or what is known of a code that has none.
    pub const fn label(self) -> &'static str {
        match self.name() {
            Some(name) => name,
            None if self.is_application() => "application error",
            None => "reserved error code",
        }
    }

    /// What the user can do about it, where there is something.
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::InsufficientAuthentication | Self::InsufficientEncryption => {
                Some("the peer wants an encrypted link; pair with it first")
            }
            Self::EncryptionKeySizeTooShort => Some("the peer wants a longer encryption key"),
            Self::InsufficientAuthorization => Some("the peer's user must allow it"),
            Self::DatabaseOutOfSync => Some("the peer's services changed; discover again"),
            Self::InvalidHandle => Some("the handle is not in the peer's table; discover again"),
            Self::ReadNotPermitted => Some("the characteristic cannot be read"),
            Self::WriteNotPermitted => Some("the characteristic cannot be written"),
            Self::InvalidAttributeValueLength => Some("the peer expects a value of another length"),
            _ => None,
        }
    }
}
