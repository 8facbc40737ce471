//! Advertising, and the links that come of it.
//!
//! Owns which requests advertise, and which link ended which set. How a set is brought to the controller is the
//! [advertiser](crate::gap::advertise)'s business; what happens on a link is the link's.

use super::phase::Phase;
use super::{ConnectionId, Event, Host, OpError, OpId, Output};
use crate::gap::advertise::{
    AdvertiseFailure, AdvertiseOptions, AdvertiseSupport, Advertiser, Ended, InvalidAdvertising, Outcome,
};
use crate::gap::advertising_data::AdvertisingDataBuf;
use crate::hci::event::{LeAdvertisingSetTerminated, LeConnectionComplete, LeScanRequestReceived};
use crate::hci::{ConnectionHandle, ErrorCode, Role};
use crate::{Address, BdAddr};
use std::collections::{BTreeMap, BTreeSet};

/// How an advertisement came to its end without having been stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdvertisingEnd {
    /// The time that it was to last is over.
    TimedOut,
    /// So many advertising events were sent as it was to have; the controller's count.
    Sent(u8),
    /// A central connected. The link was told of before.
    Connected(ConnectionId),
    /// The controller ended it for a reason of its own.
    Controller(ErrorCode),
}

#[derive(Debug, Default)]
pub(super) struct Advertising {
    pub(super) advertiser: Advertiser,
    /// Requests in progress.
    ops: BTreeSet<OpId>,
    /// Links by which sets have ended, until that is told.
    ended_by: Vec<(ConnectionHandle, ConnectionId)>,
    /// Links of which the controller has told the end of their set, and not yet that they are there; with the random
    /// address of the set.
    promised: BTreeMap<ConnectionHandle, (ConnectionId, Option<BdAddr>)>,
}

impl Host {
    pub(super) fn advertise(&mut self, op: OpId, options: AdvertiseOptions) -> Result<(), OpError> {
        let support = self.advertise_support();
        self.advertising.advertiser.start(op.0, options, &support)?;
        self.advertising.ops.insert(op);
        Ok(())
    }

    pub(super) fn set_advertising_data(
        &mut self,
        of: OpId,
        data: AdvertisingDataBuf,
        scan_response: AdvertisingDataBuf,
    ) -> Result<(), OpError> {
        if !self.advertising.ops.contains(&of) {
            return Err(OpError::NotAdvertising);
        }
        let support = self.advertise_support();
        Ok(self.advertising.advertiser.set_data(of.0, data, scan_response, &support)?)
    }

    /// What the controller can; before that is known, everything: what it cannot is refused then.
    pub(super) fn advertise_support(&self) -> AdvertiseSupport {
        let unknown = AdvertiseSupport { own: self.privacy.on_air(), ..AdvertiseSupport::EXTENDED };
        self.info.as_ref().map_or(unknown, |info| AdvertiseSupport {
            extended: info.extended,
            le_2m: info.features.le_2m_phy(),
            coded: info.features.coded_phy(),
            ..unknown
        })
    }

    /// Tells what came of sets.
    pub(super) fn poll_advertising(&mut self) {
        while let Some(outcome) = self.advertising.advertiser.poll_outcome() {
            match outcome {
                Outcome::Started { key, tx_power, random_address } => {
                    let (op, address) = (OpId(key), self.shown(random_address));
                    self.events.push_back(Event::AdvertisingStarted { op, tx_power, address });
                }
                Outcome::Failed { key, reason } => {
                    let error = match reason {
                        AdvertiseFailure::Refused { opcode, status } => {
                            OpError::Controller { command: opcode, status }
                        }
                        AdvertiseFailure::Silent { opcode } => self.silent(opcode),
                        AdvertiseFailure::Invalid(invalid) => invalid.into(),
                        AdvertiseFailure::NoSetLeft { sets } => OpError::NoAdvertisingSetLeft { sets },
                    };
                    self.end_advertisement(OpId(key), Err(error));
                }
                Outcome::Ended { key, how } => {
                    let result = self.advertising_end(how);
                    self.end_advertisement(OpId(key), result.map(Output::Advertised));
                }
                Outcome::ExtendedLost => self.lose_extended(),
            }
        }
        if self.advertising.advertiser.is_idle() {
            self.advertising.ended_by.clear();
        }
    }

    fn advertising_end(&mut self, how: Ended) -> Result<AdvertisingEnd, OpError> {
        Ok(match how {
            Ended::Stopped => return Err(OpError::Cancelled),
            Ended::TimedOut => AdvertisingEnd::TimedOut,
            Ended::Sent(events) => AdvertisingEnd::Sent(events),
            Ended::Controller(status) => AdvertisingEnd::Controller(status),
            Ended::Connected(handle) => {
                let ended_by = &mut self.advertising.ended_by;
                match ended_by.iter().position(|(of, _)| *of == handle) {
                    Some(position) => AdvertisingEnd::Connected(ended_by.remove(position).1),
                    None => AdvertisingEnd::Controller(ErrorCode::UnknownConnectionIdentifier),
                }
            }
        })
    }

    fn end_advertisement(&mut self, op: OpId, result: Result<Output, OpError>) {
        if self.advertising.ops.remove(&op) {
            self.done(op, result);
        }
    }

    /// The controller fell silent over a set: those that it was just about to advertise fail.
    pub(super) fn fail_unserved_advertisements(&mut self, error: &OpError) {
        for key in self.advertising.advertiser.end_unserved() {
            self.end_advertisement(OpId(key), Err(error.clone()));
        }
    }

    /// The controller is reset: the sets begin anew when it is ready.
    pub(super) fn reset_advertising(&mut self) {
        self.advertising.advertiser.on_reset();
        self.advertising.promised.clear();
    }

    /// The end of the session.
    pub(super) fn fail_advertisements(&mut self, error: &OpError) {
        let advertising = std::mem::take(&mut self.advertising);
        for op in advertising.ops {
            self.done(op, Err(error.clone()));
        }
    }

    pub(super) fn on_set_terminated(&mut self, e: &LeAdvertisingSetTerminated) {
        let handle = e.connection_handle;
        let events = e.num_completed_extended_advertising_events;
        let shown = self.advertising.advertiser.shown(Some(e.advertising_handle));
        let of_a_set =
            self.advertising.advertiser.on_set_terminated(e.advertising_handle, e.status, handle, events);
        // Some controllers tell this first, and the link then.
        if !of_a_set || !e.status.is_success() {
            return;
        }
        let local = self.shown(shown);
        match self.links.get_mut(&handle) {
            Some(link) => link.shows(local),
            None => {
                let id = self.new_connection();
                self.advertising.promised.insert(handle, (id, shown));
                self.advertising.ended_by.push((handle, id));
            }
        }
    }

    pub(super) fn on_scan_request(&mut self, e: &LeScanRequestReceived) {
        let Some(key) = self.advertising.advertiser.on_scan_request(e.advertising_handle) else { return };
        if let Some(scanner) = e.scanner_address_type.with(e.scanner_address) {
            self.events.push_back(Event::ScanRequested { op: OpId(key), scanner });
        }
    }

    /// Takes a link that a central has made, or the end of a set that the controller tells in the same way; `false` for
    /// what no set has brought about.
    pub(super) fn accept(&mut self, complete: &LeConnectionComplete) -> bool {
        let (status, role, handle) = (complete.status, complete.role, complete.connection_handle);
        let advertising = &mut self.advertising;
        let promised = match (status, role) {
            (ErrorCode::Success, Role::Peripheral) => advertising.promised.remove(&handle),
            _ => None,
        };
        if promised.is_none() && !advertising.advertiser.on_connection_complete(status, role, handle) {
            return false;
        }
        if status.is_success() {
            let shown = promised.map_or(self.advertising.advertiser.shown(None), |(_, shown)| shown);
            let id = promised.map_or_else(|| self.new_connection(), |(id, _)| id);
            if promised.is_none() {
                self.advertising.ended_by.push((handle, id));
            }
            // A central without a name is taken all the same.
            let unnamed = Address::random(complete.peer_address);
            let peer = complete.peer_address_type.with(complete.peer_address).unwrap_or(unnamed);
            self.open_link(id, complete, peer, shown, self.config.mtu, Phase::Ready);
            if let Some(link) = self.links.get(&handle) {
                self.events.push_back(Event::Connected(link.info()));
            }
        }
        true
    }
}

impl From<InvalidAdvertising> for OpError {
    fn from(invalid: InvalidAdvertising) -> Self {
        Self::Advertising(invalid)
    }
}
