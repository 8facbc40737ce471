//! The link layer's procedures, seen from both hosts ([Vol 6] Part B, 5.1).

use crate::codec::HexInt;
use crate::hci::command::{
    LeConnectionUpdate, LeEnableEncryption, LeRemoteConnectionParameterRequestReply, LeSetDataLength,
    LeSetPhy,
};
use crate::hci::event::{
    EncryptionChange, EncryptionKeyRefreshComplete, LeConnectionUpdateComplete, LeDataLengthChange,
    LeLongTermKeyRequest, LePhyUpdateComplete, LeReadRemoteFeaturesPage0Complete,
    LeRemoteConnectionParameterRequest, ReadRemoteVersionInformationComplete,
};
use crate::hci::{ConnectionHandle, ErrorCode, Phy};
use crate::sim::link::{LEAST_PDU, LONGEST_PDU, Link, Node, Parameters, Procedure, Side};
use crate::sim::options::feature;
use crate::sim::{ControllerId, LinkId, Radio};

/// Our company, to the peers: none that was assigned ("for use in internal tests").
pub(super) const COMPANY: u16 = 0xFFFF;

impl Radio {
    pub(super) fn set_data_length(&mut self, id: ControllerId, c: LeSetDataLength) -> Result<(), ErrorCode> {
        let (link, side) = self.link_of(id, c.connection_handle)?;
        if !(LEAST_PDU..=LONGEST_PDU).contains(&c.tx_octets) {
            return Err(ErrorCode::InvalidHciCommandParameters);
        }
        if let Some(link) = self.links.get_mut(&link) {
            link.end_mut(side).wanted_octets = c.tx_octets;
        }
        self.begin(link, side, Procedure::DataLength);
        Ok(())
    }

    pub(super) fn set_phy(&mut self, id: ControllerId, c: LeSetPhy) -> Result<(), ErrorCode> {
        let (link, side) = self.link_of(id, c.connection_handle)?;
        // Bits of all_phys: no preference for what we send, and for what we receive.
        let of = |phys: u8, free: u8| if c.all_phys & free != 0 { 0 } else { phys };
        let (tx, rx) = (of(c.tx_phys, 1), of(c.rx_phys, 2));
        self.begin(link, side, Procedure::Phy { tx, rx });
        Ok(())
    }

    pub(super) fn connection_update(
        &mut self,
        id: ControllerId,
        c: LeConnectionUpdate,
    ) -> Result<(), ErrorCode> {
        let (link, side) = self.link_of(id, c.connection_handle)?;
        let parameters = Parameters::checked(
            c.connection_interval_min,
            c.connection_interval_max,
            c.max_latency,
            c.supervision_timeout,
        )?;
        let procedure = match side {
            Side::Central => Procedure::Update(parameters),
            Side::Peripheral => {
                let asked = Parameters { interval: c.connection_interval_max, ..parameters };
                Procedure::ParameterRequest { interval_min: c.connection_interval_min, parameters: asked }
            }
        };
        self.begin(link, side, procedure);
        Ok(())
    }

    pub(super) fn parameter_request_reply(
        &mut self,
        id: ControllerId,
        c: LeRemoteConnectionParameterRequestReply,
    ) -> Result<(), ErrorCode> {
        let parameters = Parameters::checked(c.interval_min, c.interval_max, c.max_latency, c.timeout)?;
        self.answer_parameters(id, c.connection_handle, Procedure::Update(parameters))
    }

    /// The answer of the central's host to what the peripheral asked for, once.
    pub(super) fn answer_parameters(
        &mut self,
        id: ControllerId,
        handle: ConnectionHandle,
        answer: Procedure,
    ) -> Result<(), ErrorCode> {
        let (link_id, side) = self.link_of(id, handle)?;
        let asked = self.links.get_mut(&link_id).map(|link| std::mem::take(&mut link.parameters_asked));
        if side != Side::Central || asked != Some(true) {
            return Err(ErrorCode::CommandDisallowed);
        }
        self.begin(link_id, side, answer);
        Ok(())
    }

    pub(super) fn enable_encryption(
        &mut self,
        id: ControllerId,
        c: LeEnableEncryption<'_>,
    ) -> Result<(), ErrorCode> {
        let (link, side) = self.link_of(id, c.connection_handle)?;
        let is_on_its_way = self.links.get(&link).is_some_and(Link::awaits_key);
        if side != Side::Central || is_on_its_way {
            return Err(ErrorCode::CommandDisallowed);
        }
        let procedure = Procedure::Encrypt {
            key: *c.long_term_key.0,
            random_number: c.random_number,
            encrypted_diversifier: c.encrypted_diversifier,
        };
        self.begin(link, side, procedure);
        Ok(())
    }

    pub(super) fn long_term_key_reply(
        &mut self,
        id: ControllerId,
        handle: ConnectionHandle,
        key: Option<[u8; 16]>,
    ) -> Result<(), ErrorCode> {
        let (link_id, side) = self.link_of(id, handle)?;
        let asked = self.links.get(&link_id).is_some_and(|link| link.awaits_key());
        if side != Side::Peripheral || !asked {
            return Err(ErrorCode::CommandDisallowed);
        }
        self.begin(link_id, side, Procedure::LongTermKey(key));
        Ok(())
    }

    /// One procedure, begun by one side, as the other side answers it.
    pub(in crate::sim) fn carry_out(&mut self, id: LinkId, by: Side, procedure: Procedure) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match procedure {
            Procedure::Terminate(reason) => {
                let ours = ErrorCode::ConnectionTerminatedByLocalHost;
                let reasons = if by == Side::Central { [ours, reason] } else { [reason, ours] };
                self.end_link(id, reasons);
            }
            Procedure::RemoteFeatures => {
                let le_features = HexInt(link.end(by.other()).features);
                self.tell(id, by, |to, connection_handle| {
                    let status = ErrorCode::Success;
                    to.send_le(LeReadRemoteFeaturesPage0Complete { status, connection_handle, le_features });
                });
            }
            Procedure::RemoteVersion => {
                let version = link.end(by.other()).version;
                self.tell(id, by, |to, connection_handle| {
                    to.send(ReadRemoteVersionInformationComplete {
                        status: ErrorCode::Success,
                        connection_handle,
                        version,
                        company_identifier: HexInt(COMPANY),
                        subversion: 0,
                    });
                });
            }
            Procedure::DataLength => self.update_data_length(id),
            Procedure::Phy { tx, rx } => self.update_phy(id, by, tx, rx),
            Procedure::Update(parameters) => {
                link.update(parameters, self.now);
                self.tell_update(id, ErrorCode::Success, &Side::BOTH);
            }
            Procedure::ParameterReject(reason) => self.tell_update(id, reason, &[by.other()]),
            Procedure::ParameterRequest { interval_min, parameters } => {
                self.request_parameters(id, by, interval_min, parameters);
            }
            Procedure::Encrypt { key, random_number, encrypted_diversifier } => {
                self.request_key(id, key, random_number, encrypted_diversifier);
            }
            Procedure::LongTermKey(key) => self.compare_keys(id, key),
        }
    }

    /// Something for the host of one end, when a controller is there.
    fn tell(&mut self, id: LinkId, side: Side, say: impl FnOnce(&mut super::Controller, ConnectionHandle)) {
        if let Some(Node::Controller(to, handle)) = self.links.get(&id).map(|link| link.node(side)) {
            say(self.controller(to), handle);
        }
    }

    fn update_data_length(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut changed = false;
        for side in Side::BOTH {
            let octets = link.end(side).wanted_octets.min(link.end(side.other()).max_rx_octets);
            let end = link.end_mut(side);
            changed |= end.tx_octets != octets;
            end.tx_octets = octets;
        }
        if !changed {
            return;
        }
        for side in Side::BOTH {
            let Some(link) = self.links.get(&id) else { return };
            let (tx, rx) = (link.end(side).tx_octets, link.end(side.other()).tx_octets);
            self.tell(id, side, |to, connection_handle| {
                to.send_le(LeDataLengthChange {
                    connection_handle,
                    max_tx_octets: tx,
                    max_tx_time: air_time(tx),
                    max_rx_octets: rx,
                    max_rx_time: air_time(rx),
                });
            });
        }
    }

    fn update_phy(&mut self, id: LinkId, by: Side, tx: u8, rx: u8) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let (tx, rx) = (choose_phy(link, tx), choose_phy(link, rx));
        let old = (link.end(by).tx_phy, link.end(by.other()).tx_phy);
        link.end_mut(by).tx_phy = tx;
        link.end_mut(by.other()).tx_phy = rx;
        let told =
            if old == (tx, rx) { vec![(by, tx, rx)] } else { vec![(by, tx, rx), (by.other(), rx, tx)] };
        for (side, tx_phy, rx_phy) in told {
            self.tell(id, side, |to, connection_handle| {
                to.send_le(LePhyUpdateComplete {
                    status: ErrorCode::Success,
                    connection_handle,
                    tx_phy,
                    rx_phy,
                });
            });
        }
    }

    fn tell_update(&mut self, id: LinkId, status: ErrorCode, sides: &[Side]) {
        let Some(Parameters { interval, latency, supervision_timeout }) =
            self.links.get(&id).map(|link| link.parameters)
        else {
            return;
        };
        for side in sides {
            self.tell(id, *side, |to, connection_handle| {
                to.send_le(LeConnectionUpdateComplete {
                    status,
                    connection_handle,
                    connection_interval: interval,
                    peripheral_latency: latency,
                    supervision_timeout,
                });
            });
        }
    }

    /// The peripheral asks for other parameters: its central's host decides, if it wants to
    /// ([Vol 4] Part E, 7.7.65.6), else the controller agrees.
    fn request_parameters(&mut self, id: LinkId, by: Side, interval_min: u16, asked: Parameters) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Node::Controller(to, connection_handle) = link.node(by.other())
            && self.controllers[to.0].wants_le(0x06)
        {
            link.parameters_asked = true;
            self.controller(to).send_le(LeRemoteConnectionParameterRequest {
                connection_handle,
                interval_min,
                interval_max: asked.interval,
                max_latency: asked.latency,
                timeout: asked.supervision_timeout,
            });
        } else {
            self.begin(id, by.other(), Procedure::Update(asked));
        }
    }

    fn request_key(&mut self, id: LinkId, key: [u8; 16], random_number: [u8; 8], encrypted_diversifier: u16) {
        let Some(link) = self.links.get(&id) else { return };
        if link.end(Side::Peripheral).features & feature::ENCRYPTION == 0 {
            return self.tell(id, Side::Central, |to, connection_handle| {
                let status = ErrorCode::UnsupportedRemoteFeature;
                to.send(EncryptionChange { status, connection_handle, encryption_enabled: 0 });
            });
        }
        let peripheral = link.node(Side::Peripheral);
        self.offer_key(id, key);
        match peripheral {
            Node::Controller(to, connection_handle) if self.controller(to).wants_le(0x05) => {
                self.controller(to).send_le(LeLongTermKeyRequest {
                    connection_handle,
                    random_number,
                    encrypted_diversifier,
                });
            }
            Node::Controller(..) | Node::Gone => {
                self.begin(id, Side::Peripheral, Procedure::LongTermKey(None))
            }
            Node::Device(device) => {
                let known = self.device_key(device, encrypted_diversifier, random_number);
                self.begin(id, Side::Peripheral, Procedure::LongTermKey(known));
            }
        }
    }

    /// Encrypted data are understood with the same key only: otherwise the first of them ends the link.
    fn compare_keys(&mut self, id: LinkId, key: Option<[u8; 16]>) {
        let Some(offered) = self.take_offered_key(id) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        match key {
            // What was encrypted does not go on without ([Vol 6] Part B, 5.1.3.1).
            None if link.encrypted => {
                let ours = ErrorCode::ConnectionTerminatedByLocalHost;
                self.end_link(id, [ErrorCode::PinOrKeyMissing, ours]);
            }
            None => self.tell(id, Side::Central, |to, connection_handle| {
                let status = ErrorCode::PinOrKeyMissing;
                to.send(EncryptionChange { status, connection_handle, encryption_enabled: 0 });
            }),
            Some(key) if key != offered => {
                let reason = ErrorCode::ConnectionTerminatedDueToMicFailure;
                self.end_link(id, [reason, reason]);
            }
            Some(_) => {
                let refreshed = std::mem::replace(&mut link.encrypted, true);
                let status = ErrorCode::Success;
                for side in Side::BOTH {
                    self.tell(id, side, |to, connection_handle| {
                        if refreshed {
                            to.send(EncryptionKeyRefreshComplete { status, connection_handle });
                        } else {
                            to.send(EncryptionChange { status, connection_handle, encryption_enabled: 1 });
                        }
                    });
                }
                if let Some(Node::Device(device)) =
                    self.links.get(&id).map(|link| link.node(Side::Peripheral))
                {
                    self.device_encrypted(device);
                }
            }
        }
    }
}

/// Microseconds that a PDU with so many octets of data takes on the 1M PHY: preamble, access address, header,
/// MIC and CRC are 14 octets more.
pub(super) fn air_time(octets: u16) -> u16 {
    (octets + 14) * 8
}

/// The fastest PHY of a mask that both sides have; with no preference, 1M.
fn choose_phy(link: &Link, mask: u8) -> Phy {
    let both = link.ends[0].features & link.ends[1].features;
    if mask & 0b010 != 0 && both & feature::LE_2M_PHY != 0 {
        Phy::Le2M
    } else if mask & 0b001 == 0 && mask & 0b100 != 0 && both & feature::LE_CODED_PHY != 0 {
        Phy::LeCoded
    } else {
        Phy::Le1M
    }
}
