//! What the security manager's PDUs say of a pairing, without a key.

use baretooth::capture::Direction;
use baretooth::smp::SmpPdu;
use baretooth::smp::pdu::PairingFailedReason;

/// One pairing, as far as it was seen.
#[derive(Clone, Debug)]
pub struct Pairing {
    /// When it began, in nanoseconds, and with which record.
    pub at: u64,
    pub number: u64,
    /// Who sent Pairing Request; `None` when its beginning is not in the capture.
    pub initiator: Option<Direction>,
    request: Option<Features>,
    response: Option<Features>,
    public_keys: bool,
    /// Why it failed, and who said so.
    pub failed: Option<(PairingFailedReason, Option<Direction>)>,
    /// What was handed out, by either side.
    pub distributed: Vec<&'static str>,
    /// Whether the link was encrypted afterwards.
    pub encrypted: bool,
}

// The values of IO_Capability.
const DISPLAY: u8 = 0;
const YES_NO: u8 = 1;
const KEYBOARD: u8 = 2;
const NOTHING: u8 = 3;
const BOTH: u8 = 4;

/// What a side can do and wants ([Vol 3] Part H, 3.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    pub io_capability: u8,
    pub oob: bool,
    pub auth_req: u8,
    pub max_key_size: u8,
}

impl Features {
    pub fn bonding(self) -> bool {
        self.auth_req & 0b11 == 1
    }
    pub fn mitm(self) -> bool {
        self.auth_req & 0x04 != 0
    }
    pub fn secure_connections(self) -> bool {
        self.auth_req & 0x08 != 0
    }

    /// The name of the capability.
    pub fn io(self) -> &'static str {
        match self.io_capability {
            DISPLAY => "DisplayOnly",
            YES_NO => "DisplayYesNo",
            KEYBOARD => "KeyboardOnly",
            NOTHING => "NoInputNoOutput",
            BOTH => "KeyboardDisplay",
            _ => "unknown input and output",
        }
    }
}

impl Pairing {
    pub fn new(at: u64, number: u64) -> Self {
        Self {
            at,
            number,
            initiator: None,
            request: None,
            response: None,
            public_keys: false,
            failed: None,
            distributed: Vec::new(),
            encrypted: false,
        }
    }

    /// Whether a PDU begins a pairing.
    pub fn begins(pdu: &SmpPdu<'_>) -> bool {
        matches!(pdu, SmpPdu::PairingRequest(_))
    }

    pub fn take(&mut self, pdu: &SmpPdu<'_>, direction: Option<Direction>) {
        macro_rules! features {
            ($pdu:expr) => {
                Some(Features {
                    io_capability: $pdu.io_capability,
                    oob: $pdu.oob_data_flag == 1,
                    auth_req: $pdu.auth_req.0,
                    max_key_size: $pdu.max_encryption_key_size,
                })
            };
        }
        match pdu {
            SmpPdu::PairingRequest(p) => {
                self.initiator = direction;
                self.request = features!(p);
            }
            SmpPdu::PairingResponse(p) => self.response = features!(p),
            SmpPdu::PairingPublicKey(_) => self.public_keys = true,
            SmpPdu::PairingFailed(p) => self.failed = Some((p.reason, direction)),
            SmpPdu::EncryptionInformation(_) => self.handed_out("long-term key"),
            SmpPdu::IdentityInformation(_) => self.handed_out("identity resolving key"),
            SmpPdu::IdentityAddressInformation(_) => self.handed_out("identity address"),
            SmpPdu::SigningInformation(_) => self.handed_out("signature key"),
            _ => {}
        }
    }

    fn handed_out(&mut self, what: &'static str) {
        if !self.distributed.contains(&what) {
            self.distributed.push(what);
        }
    }

    /// What the initiator and the responder said of themselves.
    pub fn features(&self) -> [Option<Features>; 2] {
        [self.request, self.response]
    }

    /// Legacy or secure connections, as far as it can be told.
    pub fn secure_connections(&self) -> Option<bool> {
        match (self.request, self.response) {
            (Some(a), Some(b)) => Some(a.secure_connections() && b.secure_connections()),
            _ => self.public_keys.then_some(true),
        }
    }

    /// The length of the key that comes of it, in octets.
    pub fn key_size(&self) -> Option<u8> {
        Some(self.request?.max_key_size.min(self.response?.max_key_size))
    }

    /// The association model that both sides' features lead to ([Vol 3] Part H, 2.3.5.1).
    pub fn model(&self) -> Option<&'static str> {
        let (a, b) = (self.request?, self.response?);
        let secure = a.secure_connections() && b.secure_connections();
        if if secure { a.oob || b.oob } else { a.oob && b.oob } {
            return Some("Out of Band");
        }
        if !a.mitm() && !b.mitm() {
            return Some("Just Works");
        }
        Some(match (a.io_capability, b.io_capability) {
            (5.., _) | (_, 5..) => return None,
            (NOTHING, _) | (_, NOTHING) => "Just Works",
            (YES_NO | BOTH, YES_NO | BOTH) if secure => "Numeric Comparison",
            (KEYBOARD | BOTH, _) | (_, KEYBOARD | BOTH) => "Passkey Entry",
            (DISPLAY | YES_NO, _) => "Just Works",
        })
    }

    /// How it ended.
    pub fn result(&self) -> String {
        match (self.failed, self.encrypted) {
            (Some((reason, by)), _) => {
                let by = match by {
                    Some(Direction::Sent) => ", said by us",
                    Some(Direction::Received) => ", said by the peer",
                    None => "",
                };
                format!("failed: {reason} (0x{:02X}){by}", reason.0)
            }
            (None, true) => "done, the link is encrypted".to_owned(),
            (None, false) => "no end in the capture".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(initiator: u8, responder: u8, auth_req: u8) -> Option<&'static str> {
        let mut pairing = Pairing::new(0, 1);
        let pdu = |code, io| [code, io, 0, auth_req, 16, 0, 0];
        for octets in [pdu(1, initiator), pdu(2, responder)] {
            pairing.take(&SmpPdu::from_octets(&octets).expect("whole"), None);
        }
        pairing.model()
    }

    /// The table of [Vol 3] Part H, 2.3.5.1: rows are responders, columns initiators; where a cell has two models the
    /// second is that of secure connections.
    #[test]
    fn the_model_follows_from_what_both_sides_can_do() {
        const TABLE: [[&str; 5]; 5] = [
            ["J", "J", "P", "J", "P"],
            ["J", "JN", "P", "J", "PN"],
            ["P", "P", "P", "J", "P"],
            ["J", "J", "J", "J", "J"],
            ["P", "PN", "P", "J", "PN"],
        ];
        let name = |letter: Option<char>| match letter {
            Some('J') => Some("Just Works"),
            Some('P') => Some("Passkey Entry"),
            Some('N') => Some("Numeric Comparison"),
            _ => None,
        };
        for (responder, row) in (0..).zip(TABLE) {
            for (initiator, cell) in (0..).zip(row) {
                assert_eq!(
                    model(initiator, responder, 0x05),
                    name(cell.chars().next()),
                    "{initiator} {responder}"
                );
                assert_eq!(
                    model(initiator, responder, 0x0D),
                    name(cell.chars().last()),
                    "{initiator} {responder}"
                );
                assert_eq!(
                    model(initiator, responder, 0x09),
                    Some("Just Works"),
                    "nobody asks for protection"
                );
            }
        }
        assert_eq!(model(7, 1, 0x05), None);
    }

    #[test]
    fn what_is_seen_of_a_pairing_has_no_key_in_it() {
        let mut pairing = Pairing::new(0, 1);
        let secret = [&[6_u8][..], &[0xAB; 16]].concat();
        pairing.take(&SmpPdu::from_octets(&secret).expect("whole"), Some(Direction::Received));
        assert_eq!(pairing.distributed, ["long-term key"]);
        assert!(!format!("{pairing:?}").contains("171"), "{pairing:?}");
    }
}
