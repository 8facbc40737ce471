//! The third phase: keys go over the encrypted link, those of the responder first ([Vol 3] Part H, 2.4.3 and 3.6.1).

use super::misbehaviour::Misbehaviour;
use super::paired::LongTermKey;
use super::pairing::Around;
use crate::Address;
use crate::crypto::Key;
use crate::smp::SmpPdu;
use crate::smp::pdu::*;
use std::collections::VecDeque;

/// Bits of a key distribution ([Vol 3] Part H, 3.6.1).
const ENCRYPTION: u8 = 1;
const IDENTITY: u8 = 2;
const SIGNATURE: u8 = 4;
/// All that can go over LE.
pub(super) const ALL: u8 = ENCRYPTION | IDENTITY | SIGNATURE;

/// Keys that were given and taken.
#[derive(Default)]
pub(super) struct Exchange {
    /// Codes of the PDUs that the central still owes, in their order.
    owed: VecDeque<u8>,
    pub(super) own_long_term_key: Option<LongTermKey>,
    pub(super) own_irk: Option<Key>,
    pub(super) own_csrk: Option<Key>,
    pub(super) peer_long_term_key: Option<LongTermKey>,
    pub(super) peer_irk: Option<Key>,
    pub(super) peer_identity: Option<Address>,
    pub(super) peer_csrk: Option<Key>,
    /// Came without its numbers so far.
    half: Option<Key>,
}

impl Exchange {
    /// Sends what this side was to send, by the bits that were agreed on.
    pub(super) fn begin(
        initiator: u8,
        responder: u8,
        secure: bool,
        key_size: u8,
        around: &mut Around<'_>,
    ) -> Self {
        // Secure Connections has made the long-term key already.
        let without = if secure { ENCRYPTION } else { 0 };
        let mut codes = VecDeque::new();
        for (bit, of_bit) in
            [(ENCRYPTION, &[0x06, 0x07][..]), (IDENTITY, &[0x08, 0x09]), (SIGNATURE, &[0x0A])]
        {
            if initiator & !without & bit != 0 {
                codes.extend(of_bit);
            }
        }
        let mut exchange = Self { owed: codes, ..Self::default() };
        let asked =
            if around.voice.does(&Misbehaviour::UnrequestedKeys) { ALL } else { responder & !without };
        if !around.voice.does(&Misbehaviour::WithholdsKeys) {
            exchange.hand_out(asked, key_size, around);
        }
        exchange
    }

    fn hand_out(&mut self, bits: u8, key_size: u8, around: &mut Around<'_>) {
        let settings = around.settings;
        if bits & ENCRYPTION != 0 {
            let key = Key::new(around.dice.octets()).truncated(key_size);
            let (ediv, rand) = (u16::from_le_bytes(around.dice.octets()), around.dice.octets());
            around.voice.say(EncryptionInformation { long_term_key: crate::codec::Secret(key.octets()) });
            around.voice.say(CentralIdentification { ediv: ediv.into(), rand });
            self.own_long_term_key = Some(LongTermKey { key, ediv, rand });
        }
        if bits & IDENTITY != 0 {
            let irk = settings.irk.clone().unwrap_or_else(|| Key::new(around.dice.octets()));
            let identity_resolving_key = crate::codec::Secret(irk.octets());
            around.voice.say(IdentityInformation { identity_resolving_key });
            let identity = settings.identity;
            let (addr_type, bd_addr) = (identity.kind.into(), identity.bd_addr);
            around.voice.say(IdentityAddressInformation { addr_type, bd_addr });
            self.own_irk = Some(irk);
        }
        if bits & SIGNATURE != 0 {
            let csrk = Key::new(around.dice.octets());
            around.voice.say(SigningInformation { signature_key: crate::codec::Secret(csrk.octets()) });
            self.own_csrk = Some(csrk);
        }
    }

    /// A key of the central, when it is the next that was agreed on.
    pub(super) fn on_pdu(&mut self, pdu: &SmpPdu<'_>) -> Result<(), PairingFailedReason> {
        if self.owed.pop_front() != Some(pdu.code()) {
            return Err(PairingFailedReason::UnspecifiedReason);
        }
        match pdu {
            SmpPdu::EncryptionInformation(pdu) => self.half = Some(Key::new(*pdu.long_term_key.0)),
            SmpPdu::CentralIdentification(pdu) => {
                let (ediv, rand) = (pdu.ediv.0, pdu.rand);
                self.peer_long_term_key = self.half.take().map(|key| LongTermKey { key, ediv, rand });
            }
            SmpPdu::IdentityInformation(pdu) => {
                self.peer_irk = Some(Key::new(*pdu.identity_resolving_key.0));
            }
            SmpPdu::IdentityAddressInformation(pdu) => {
                let identity = pdu.addr_type.with(pdu.bd_addr);
                self.peer_identity = Some(identity.ok_or(PairingFailedReason::InvalidParameters)?);
            }
            SmpPdu::SigningInformation(pdu) => self.peer_csrk = Some(Key::new(*pdu.signature_key.0)),
            _ => return Err(PairingFailedReason::UnspecifiedReason),
        }
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.owed.is_empty()
    }
}
