//! SMP PDUs ([Vol 3] Part H, 3.5 and 3.6), each declared once. Values are least significant octet first.

use crate::BdAddr;
use crate::codec::show::{Show, View};
use crate::codec::{HexInt, ParseError, Secret};
use crate::hci::AddressType;
use crate::open_enum;
use bytes::{BufMut, Bytes, BytesMut};

/// An octet of flags. Bits without a name are kept: a newer specification may name them.
macro_rules! flags {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* $flag:ident = $bit:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
        pub struct $name(pub u8);

        impl $name {
            /// No flag.
            pub const NONE: Self = Self(0);
            $($(#[$fmeta])* pub const $flag: Self = Self($bit);)*

            /// Whether all flags of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Without the flags of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// The flags if `condition`, else none.
            #[must_use]
            pub const fn when(self, condition: bool) -> Self {
                if condition { self } else { Self::NONE }
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl std::ops::BitAnd for $name {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }
    };
}

open_enum! {
    /// Why pairing failed ([Vol 3] Part H, 3.5.5).
    pub struct PairingFailedReason(u8) {
        PasskeyEntryFailed = 0x01 "Passkey Entry Failed",
        OobNotAvailable = 0x02 "OOB Not Available",
        AuthenticationRequirements = 0x03 "Authentication Requirements",
        ConfirmValueFailed = 0x04 "Confirm Value Failed",
        PairingNotSupported = 0x05 "Pairing Not Supported",
        EncryptionKeySize = 0x06 "Encryption Key Size",
        CommandNotSupported = 0x07 "Command Not Supported",
        UnspecifiedReason = 0x08 "Unspecified Reason",
        RepeatedAttempts = 0x09 "Repeated Attempts",
        InvalidParameters = 0x0A "Invalid Parameters",
        DhKeyCheckFailed = 0x0B "DHKey Check Failed",
        NumericComparisonFailed = 0x0C "Numeric Comparison Failed",
        BrEdrPairingInProgress = 0x0D "BR/EDR pairing in progress",
        CrossTransportNotAllowed = 0x0E "Cross-transport Key Derivation/Generation Not Allowed",
        KeyRejected = 0x0F "Key Rejected",
        // Named by one source only.
        Busy = 0x10 "Busy",
    }
}

open_enum! {
    /// What a device can show and ask for ([Vol 3] Part H, 3.5.1).
    pub struct IoCapability(u8) {
        DisplayOnly = 0 "DisplayOnly",
        DisplayYesNo = 1 "DisplayYesNo",
        KeyboardOnly = 2 "KeyboardOnly",
        NoInputNoOutput = 3 "NoInputNoOutput",
        KeyboardDisplay = 4 "KeyboardDisplay",
    }
}

open_enum! {
    /// What the user did while entering a passkey ([Vol 3] Part H, 3.5.8).
    pub struct KeypressType(u8) {
        EntryStarted = 0 "entry started",
        DigitEntered = 1 "digit entered",
        DigitErased = 2 "digit erased",
        Cleared = 3 "cleared",
        EntryCompleted = 4 "entry completed",
    }
}

flags! {
    /// Bits of an `auth_req`. The lowest two are one number, of which only 1 is defined ([Vol 3] Part H, 3.5.1).
    pub struct AuthReq {
        /// The keys are to be kept.
        BONDING = 0x01,
        /// Nobody may be able to stand in the middle unseen.
        MITM = 0x04,
        /// LE Secure Connections.
        SECURE_CONNECTIONS = 0x08,
        /// Keypress notifications are understood.
        KEYPRESS = 0x10,
        /// Link keys may be derived by the function h7.
        CT2 = 0x20,
    }
}

impl View<HexInt<u8>> for AuthReq {
    fn show(value: HexInt<u8>, to: &mut dyn Show) {
        to.bits(value.0.into(), 1, &["bonding", "", "MITM", "SC", "keypress", "CT2"]);
    }
}

flags! {
    /// Which keys one side distributes ([Vol 3] Part H, 3.6.1).
    pub struct KeyDistribution {
        /// The long-term key; Secure Connections derives it and never sends it.
        ENC_KEY = 0x01,
        /// The identity resolving key and the identity address.
        ID_KEY = 0x02,
        /// The signature resolving key.
        SIGN_KEY = 0x04,
        /// The BR/EDR link key, derived from the long-term key.
        LINK_KEY = 0x08,
    }
}

impl View<HexInt<u8>> for KeyDistribution {
    fn show(value: HexInt<u8>, to: &mut dyn Show) {
        to.bits(value.0.into(), 1, &["EncKey", "IdKey", "SignKey", "LinkKey"]);
    }
}

crate::coded_table! {
    /// Any PDU of the security manager's channel, by its code.
    pub enum SmpPdu, whole;
    /// [Vol 3] Part H, 3.5.1.
    0x01 "Pairing Request" PairingRequest {
        io_capability: u8 as IoCapability, oob_data_flag: u8, auth_req: HexInt<u8> as AuthReq,
        max_encryption_key_size: u8, initiator_key_distribution: HexInt<u8> as KeyDistribution,
        responder_key_distribution: HexInt<u8> as KeyDistribution
    };
    /// [Vol 3] Part H, 3.5.2.
    0x02 "Pairing Response" PairingResponse {
        io_capability: u8 as IoCapability, oob_data_flag: u8, auth_req: HexInt<u8> as AuthReq,
        max_encryption_key_size: u8, initiator_key_distribution: HexInt<u8> as KeyDistribution,
        responder_key_distribution: HexInt<u8> as KeyDistribution
    };
    /// [Vol 3] Part H, 3.5.3.
    0x03 "Pairing Confirm" PairingConfirm<'a> { confirm_value: &'a [u8; 16] };
    /// [Vol 3] Part H, 3.5.4.
    0x04 "Pairing Random" PairingRandom<'a> { random_value: &'a [u8; 16] };
    /// [Vol 3] Part H, 3.5.5.
    0x05 "Pairing Failed" PairingFailed { reason: PairingFailedReason };
    /// [Vol 3] Part H, 3.6.2.
    0x06 "Encryption Information" EncryptionInformation<'a> { long_term_key: Secret<'a, 16> };
    /// [Vol 3] Part H, 3.6.3.
    0x07 "Central Identification" CentralIdentification { ediv: HexInt<u16>, rand: [u8; 8] };
    /// [Vol 3] Part H, 3.6.4.
    0x08 "Identity Information" IdentityInformation<'a> { identity_resolving_key: Secret<'a, 16> };
    /// [Vol 3] Part H, 3.6.5.
    0x09 "Identity Address Information" IdentityAddressInformation { addr_type: AddressType, bd_addr: BdAddr };
    /// [Vol 3] Part H, 3.6.6.
    0x0A "Signing Information" SigningInformation<'a> { signature_key: Secret<'a, 16> };
    /// [Vol 3] Part H, 3.6.7.
    0x0B "Security Request" SecurityRequest { auth_req: HexInt<u8> as AuthReq };
    /// [Vol 3] Part H, 3.5.6.
    0x0C "Pairing Public Key" PairingPublicKey<'a> { public_key_x: &'a [u8; 32], public_key_y: &'a [u8; 32] };
    /// [Vol 3] Part H, 3.5.7.
    0x0D "Pairing DHKey Check" PairingDhKeyCheck<'a> { dhkey_check: &'a [u8; 16] };
    /// [Vol 3] Part H, 3.5.8.
    0x0E "Pairing Keypress Notification" PairingKeypressNotification { notification_type: u8 as KeypressType };
}

impl<'a> SmpPdu<'a> {
    /// Reads a whole PDU, code first.
    ///
    /// # Errors
    /// When there is no code or the parameters do not follow the layout; an unknown code is data.
    pub fn from_octets(pdu: &'a [u8]) -> Result<Self, ParseError> {
        let (&code, parameters) = pdu.split_first().ok_or(ParseError { what: "SMP PDU", offset: 0 })?;
        Self::parse(code, parameters)
    }

    /// The whole PDU, code first.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(self.code());
        self.emit_parameters(&mut out);
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pdu_one_octet_short_or_long_is_refused() {
        for (pdu, length) in [(0x01, 6), (0x03, 16), (0x05, 1), (0x07, 10), (0x09, 7), (0x0C, 64), (0x0E, 1)]
        {
            let octets = [&[pdu][..], &vec![0; length + 1]].concat();
            assert!(SmpPdu::from_octets(&octets).is_err(), "{pdu:#04x} long");
            assert!(SmpPdu::from_octets(&octets[..=length]).is_ok(), "{pdu:#04x}");
            assert!(SmpPdu::from_octets(&octets[..length]).is_err(), "{pdu:#04x} short");
        }
        assert_eq!(SmpPdu::CODES.len(), 14);
    }
}
