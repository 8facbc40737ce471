//! The beginning of links, their end, and what changes on them: what events say.

use super::super::links::{Key, Row};
use super::super::problems::{Sort, is_wanted, link_hint};
use super::super::spans::Span;
use super::super::values::Moment;
use super::{Asking, Facts, coded, flow};
use baretooth::Address;
use baretooth::hci::{ErrorCode, LeEvent};

impl Facts {
    pub(super) fn le_event(&mut self, event: &LeEvent<'_>, adapter: Option<u16>, now: Moment) {
        if let Some(e) = event.connection_complete() {
            let key = (adapter, e.connection_handle);
            self.activity.connected(adapter, e.status, e.role, now);
            self.connected(key, e.peer_address_type.with(e.peer_address), e.status, now);
            if e.status == ErrorCode::Success
                && let Some(link) = self.links.known(key)
            {
                link.role = Some(e.role);
                link.timing = Some([e.connection_interval, e.peripheral_latency, e.supervision_timeout]);
            }
            return;
        }
        let (handle, status) = match event {
            LeEvent::LeConnectionUpdateComplete(e) => (e.connection_handle, e.status),
            LeEvent::LePhyUpdateComplete(e) => (e.connection_handle, e.status),
            LeEvent::LeDataLengthChange(e) => (e.connection_handle, ErrorCode::Success),
            LeEvent::LeReadRemoteFeaturesPage0Complete(e) => (e.connection_handle, e.status),
            LeEvent::LeSubrateChange(e) => (e.connection_handle, e.status),
            LeEvent::LeAdvertisingSetTerminated(e) => {
                return self.activity.set_ended(adapter, e.advertising_handle, now);
            }
            LeEvent::LeScanTimeout(_) => return self.activity.scan_ended(adapter, now),
            _ => return,
        };
        if status != ErrorCode::Success {
            self.problem(
                Sort::Command,
                format!("{}: {}", event_name(event), coded(status)),
                link_hint(status),
                now,
            );
        }
        let Some(link) = self.links.get((adapter, handle), now.at) else { return };
        link.push(Row::Setup, Span::at(now.at, now.number, status != ErrorCode::Success));
        match event {
            _ if status != ErrorCode::Success => {}
            LeEvent::LeConnectionUpdateComplete(e) => {
                link.timing = Some([e.connection_interval, e.peripheral_latency, e.supervision_timeout]);
            }
            LeEvent::LePhyUpdateComplete(e) => link.phy = Some([e.tx_phy, e.rx_phy]),
            LeEvent::LeDataLengthChange(e) => link.data_length = Some([e.max_tx_octets, e.max_rx_octets]),
            _ => {}
        }
    }

    pub(super) fn connected(&mut self, key: Key, peer: Option<Address>, status: ErrorCode, now: Moment) {
        if status == ErrorCode::Success {
            self.asked.retain(|(of, ..), _| *of != key);
            self.links.begin(key, peer, now.at);
            return;
        }
        // Connecting was cancelled, or nobody connected while it was advertised.
        if matches!(status, ErrorCode::UnknownConnectionIdentifier | ErrorCode::AdvertisingTimeout) {
            self.problem(Sort::Note, format!("no connection: {}", coded(status)), link_hint(status), now);
        } else {
            self.problem(
                Sort::NoLink,
                format!("connection failed: {}", coded(status)),
                link_hint(status),
                now,
            );
        }
    }

    pub(super) fn disconnected(&mut self, key: Key, status: ErrorCode, reason: ErrorCode, now: Moment) {
        if status != ErrorCode::Success {
            self.problem(
                Sort::Command,
                format!("disconnecting failed: {}", coded(status)),
                link_hint(status),
                now,
            );
            return;
        }
        let left: Vec<Asking> = self.asked.keys().filter(|(of, ..)| *of == key).copied().collect();
        for open in left.iter().filter_map(|asking| self.asked.remove(asking)).collect::<Vec<_>>() {
            self.left_open(open, now, "the link ended");
        }
        self.links.end(key, now.at, Some(reason));
        let stalled = self.flow.disconnected(key, now.at);
        self.stall(stalled, now);
        if !is_wanted(reason) {
            self.problem(Sort::LinkLost, format!("link lost: {}", coded(reason)), link_hint(reason), now);
        }
    }

    pub(super) fn encryption(&mut self, key: Key, status: ErrorCode, on: bool, now: Moment) {
        if status != ErrorCode::Success {
            self.problem(
                Sort::Pairing,
                format!("encryption failed: {}", coded(status)),
                link_hint(status),
                now,
            );
        }
        let Some(link) = self.links.get(key, now.at) else { return };
        let failed = status != ErrorCode::Success;
        link.push(Row::Security, Span::at(now.at, now.number, failed));
        if !failed {
            link.encrypted = on;
            if let Some(pairing) = link.pairings.last_mut().filter(|pairing| pairing.failed.is_none()) {
                pairing.encrypted |= on;
            }
        }
    }

    /// The controller had no room for that long.
    pub(super) fn stall(&mut self, nanos: Option<u64>, now: Moment) {
        if nanos.is_some_and(|nanos| nanos >= flow::STALL) {
            let hint =
                "the peer takes data more slowly than the host has them: a weak link, or a long interval";
            self.problem(
                Sort::Note,
                "no room for data in the controller for more than a second".to_owned(),
                Some(hint),
                now,
            );
        }
    }
}

fn event_name(event: &LeEvent<'_>) -> &'static str {
    LeEvent::name_of(event.code()).unwrap_or("LE event")
}
