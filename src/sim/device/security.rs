//! What a device does about security: its security manager on the link, and what the server learns of it.

use super::Device;
use crate::Address;
use crate::l2cap::ChannelId;
use crate::sim::agenda::Wake;
use crate::sim::{DeviceId, Paired, Radio, Responder, Security};
use crate::smp::SmpPdu;
use crate::smp::pdu::{PairingFailed, PairingFailedReason};

impl Device {
    /// Sets how it pairs; without, it does not.
    #[must_use]
    pub fn pairing(mut self, responder: Responder) -> Self {
        self.responder = Some(responder);
        self
    }

    /// How it pairs, with the bonds it has and what is on its display.
    pub fn responder(&self) -> Option<&Responder> {
        self.responder.as_ref()
    }

    /// The same, to change.
    pub fn responder_mut(&mut self) -> Option<&mut Responder> {
        self.responder.as_mut()
    }

    /// What came of its last pairing.
    pub fn paired(&self) -> Option<&Paired> {
        self.responder.as_ref()?.paired()
    }

    /// The bond with the central that it bonded with last.
    pub fn bond(&self) -> Option<&Paired> {
        self.responder.as_ref()?.bonds().last()
    }

    /// A central is there, under these addresses.
    pub(super) fn meet(&mut self, central: Address, own: Address) {
        if let Some(responder) = &mut self.responder {
            let irk = self.private.as_ref().map(|private| &private.irk);
            responder.connected(self.address, irk, central, own);
        }
        let bond = self.responder.as_ref().and_then(Responder::bond);
        let bonded = self.long_term_key.is_some() || bond.is_some();
        self.server.set_security(Security { bonded, ..Security::default() });
    }

    /// The link is gone. What the client has configured stays with its bond ([Vol 3] Part G, 3.3.3.3).
    pub(in crate::sim) fn forget_client(&mut self) {
        if let Some(responder) = &mut self.responder {
            if self.server.security().encrypted
                && let Some(bond) = responder.bond_mut()
            {
                bond.configurations = self.server.configurations();
            }
            responder.disconnected();
        }
        self.server.disconnected();
    }
}

impl Radio {
    /// The user of a device types six digits. Nothing happens when it does not ask for any.
    pub fn enter_passkey(&mut self, id: DeviceId, passkey: u32) {
        let now = self.now;
        if let Some(responder) = self.devices.get_mut(&id).and_then(|device| device.responder.as_mut()) {
            responder.on_passkey(now, passkey, &mut self.dice);
        }
        self.flush_responder(id);
    }

    /// The user of a device says whether the number on its display is that on the other's. Nothing happens when there is
    /// none.
    pub fn compare(&mut self, id: DeviceId, same: bool) {
        let now = self.now;
        if let Some(responder) = self.devices.get_mut(&id).and_then(|device| device.responder.as_mut()) {
            responder.on_answer(now, same, &mut self.dice);
        }
        self.flush_responder(id);
    }

    /// The key that a device has for its link under these numbers.
    pub(in crate::sim) fn device_key(&mut self, id: DeviceId, ediv: u16, rand: [u8; 8]) -> Option<[u8; 16]> {
        let device = self.devices.get_mut(&id)?;
        let known = device.responder.as_mut().and_then(|responder| responder.long_term_key(ediv, rand));
        known.or(device.long_term_key)
    }

    /// The link of a device is encrypted with the key that it gave.
    pub(in crate::sim) fn device_encrypted(&mut self, id: DeviceId) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(&id) else { return };
        let responder = device.responder.as_mut();
        let security = responder.and_then(|responder| responder.on_encrypted(now, &mut self.dice));
        let fixed = Security { encrypted: true, authenticated: true, key_size: 16, bonded: true };
        device.server.set_security(security.unwrap_or(fixed));
        if let Some(bond) = device.responder.as_ref().and_then(Responder::bond) {
            device.server.configure(&bond.configurations);
        }
        self.flush_responder(id);
    }

    pub(super) fn device_smp(&mut self, id: DeviceId, pdu: &[u8]) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(&id) else { return };
        match &mut device.responder {
            Some(responder) => {
                responder.on_pdu(now, pdu, &mut self.dice);
                self.flush_responder(id);
            }
            // A request to pair is refused; all else belongs to a pairing that there is not.
            None => {
                if let (Some(link), Ok(SmpPdu::PairingRequest(_))) = (device.link, SmpPdu::from_octets(pdu)) {
                    let reason = PairingFailedReason::PairingNotSupported;
                    let pdu = SmpPdu::from(PairingFailed { reason }).to_bytes();
                    self.send_frame(link, ChannelId::SecurityManager, &pdu);
                }
            }
        }
    }

    pub(in crate::sim) fn responder_timeout(&mut self, id: DeviceId) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.responder_timer = None;
        if let Some(responder) = &mut device.responder {
            responder.on_timeout(now, &mut self.dice);
        }
        self.flush_responder(id);
    }

    /// Sends what the security manager has to say, and remembers when it wants to be called.
    pub(super) fn flush_responder(&mut self, id: DeviceId) {
        while let Some(device) = self.devices.get_mut(&id)
            && let (Some(link), Some(responder)) = (device.link, device.responder.as_mut())
            && let Some(pdu) = responder.poll_pdu()
        {
            self.send_frame(link, ChannelId::SecurityManager, &pdu);
        }
        let Some(device) = self.devices.get_mut(&id) else { return };
        if let Some(ticket) = device.responder_timer.take() {
            self.agenda.cancel(ticket);
        }
        let deadline = device.responder.as_ref().and_then(Responder::deadline);
        device.responder_timer = deadline.map(|when| self.agenda.at(when, Wake::Responder(id)));
    }
}
