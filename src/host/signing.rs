//! Signed writes in both directions: whose keys they take, and counters that are never used twice.

use super::link::Link;
use super::queue::Queued;
use super::security::SecurityEvent;
use super::{ConnectionId, Host, OpError, OpId};
use crate::Instant;
use crate::att::AttPdu;
use crate::att::pdu::SignedWriteCmd;
use crate::codec::{HexInt, Rest};
use crate::crypto::att_signature;
use crate::smp::Bond;
use bytes::Bytes;

/// Opcode, handle, counter and signature around the value ([Vol 3] Part F, 3.4.5.4).
const OVERHEAD: u16 = 15;

impl Host {
    /// Writes with a signature. A link that is encrypted, or can be, needs none ([Vol 3] Part G, 4.9.2).
    pub(super) fn signed_write(
        &mut self,
        now: Instant,
        op: OpId,
        connection: ConnectionId,
        attribute: u16,
        value: &Bytes,
    ) -> Result<(), OpError> {
        let handle = self.handle_of(connection)?;
        let link = self.links.get(&handle).ok_or(OpError::NotConnected)?;
        if link.guard.security().encrypted || !link.guard.is_sufficient() {
            self.on_link(handle, |link, out| link.write_command(now, op, attribute, value, out));
            return Ok(());
        }
        let limit = usize::from(link.bearers.fixed.att.mtu().saturating_sub(OVERHEAD));
        if value.len() > limit {
            return Err(OpError::TooLong { length: value.len(), limit });
        }
        let peer = link.peer;
        let bond = link.guard.bond.and_then(|peer| self.bonds.get_mut(peer));
        let pdu = sign(bond.ok_or(OpError::NotBonded { peer })?, attribute, value, &mut self.events)?;
        self.on_link(handle, |link, out| link.queue(now, op, Queued::SignedWrite(pdu), out));
        Ok(())
    }
}

/// The whole PDU. Its counter is used from here on, whatever becomes of it.
fn sign(
    bond: &mut Bond,
    attribute: u16,
    value: &[u8],
    events: &mut std::collections::VecDeque<super::Event>,
) -> Result<Bytes, OpError> {
    let csrk = bond.keys.local_csrk.clone();
    let csrk = csrk.ok_or(OpError::Invalid("the bond has no key to sign with; pair with one"))?;
    let counter = bond.sign_counters.local;
    let next = counter.checked_add(1);
    bond.sign_counters.local = next.ok_or(OpError::Invalid("every signature counter was used; pair anew"))?;
    events.push_back(SecurityEvent::Save(Box::new(bond.clone())).into());
    let write = |value_and_signature: &[u8]| {
        let attribute_handle = HexInt(attribute);
        let value_and_signature = Rest(value_and_signature);
        AttPdu::from(SignedWriteCmd { attribute_handle, value_and_signature }).to_bytes()
    };
    let signature = att_signature(&csrk, &write(value), counter);
    Ok(write(&[value, &signature].concat()))
}

impl Link {
    /// The peer's client may sign what it writes, if the bond has its key.
    pub(super) fn verify_signatures(&mut self, bond: &Bond) {
        if let Some(csrk) = bond.keys.csrk.clone() {
            let (authenticated, next) = (bond.paired.authenticated, bond.sign_counters.remote);
            self.serving.client.verify_signatures(csrk, authenticated, next);
        }
    }
}
