//! A connection on the air: connection events, the procedures of the link layer, and how links end.

use super::agenda::{Ticket, Wake};
use super::{ControllerId, DeviceId, LinkId, Radio};
use crate::Instant;
use crate::hci::{ConnectionHandle, ErrorCode, Phy, Role};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// Octets of data in a PDU before a data length update ([Vol 6] Part B, 4.5.10).
pub(super) const LEAST_PDU: u16 = 27;
/// And the most.
pub(super) const LONGEST_PDU: u16 = 251;

/// How long a procedure of the link layer waits for the other side ([Vol 6] Part B, 5.2).
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(40);

/// How strong controllers hear each other, in dBm.
pub(super) const RSSI: i8 = -50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Central,
    Peripheral,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Central, Self::Peripheral];

    pub(super) fn other(self) -> Self {
        if self == Self::Central { Self::Peripheral } else { Self::Central }
    }

    pub(super) fn role(self) -> Role {
        if self == Self::Central { Role::Central } else { Role::Peripheral }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Controller(ControllerId, ConnectionHandle),
    Device(DeviceId),
    /// Was reset or removed.
    Gone,
}

/// One side of a link.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: Node,
    pub(super) features: u64,
    pub(super) version: u8,
    /// How strong the other side hears it, in dBm.
    pub(super) rssi: i8,
    /// Octets of data this side would like to send in one PDU.
    pub(super) wanted_octets: u16,
    /// Octets of data it can receive in one.
    pub(super) max_rx_octets: u16,
    /// Octets of data it sends in one.
    pub(super) tx_octets: u16,
    pub(super) tx_phy: Phy,
    queue: VecDeque<Outgoing>,
}

/// An ACL packet of a host or a frame of a device, on its way in PDUs.
#[derive(Debug)]
struct Outgoing {
    start: bool,
    data: Bytes,
}

struct Pdu {
    start: bool,
    data: Bytes,
    /// The packet it came from is through.
    completes: bool,
}

impl End {
    pub(super) fn new(node: Node, features: u64, version: u8) -> Self {
        Self {
            node,
            features,
            version,
            rssi: RSSI,
            wanted_octets: LEAST_PDU,
            max_rx_octets: LEAST_PDU,
            tx_octets: LEAST_PDU,
            tx_phy: Phy::Le1M,
            queue: VecDeque::new(),
        }
    }

    fn next_pdu(&mut self) -> Option<Pdu> {
        let front = self.queue.front_mut()?;
        let data = front.data.split_to(front.data.len().min(usize::from(self.tx_octets)));
        let pdu = Pdu { start: front.start, data, completes: front.data.is_empty() };
        front.start = false;
        if pdu.completes {
            self.queue.pop_front();
        }
        Some(pdu)
    }
}

/// Interval in units of 1.25 ms, latency in events, time-out in units of 10 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) interval: u16,
    pub(super) latency: u16,
    pub(super) supervision_timeout: u16,
}

impl Parameters {
    pub(super) fn interval(self) -> Duration {
        Duration::from_micros(1250) * u32::from(self.interval.max(1))
    }

    fn supervision_timeout(self) -> Duration {
        Duration::from_millis(10) * u32::from(self.supervision_timeout)
    }
}

/// What one side asks of the other's link layer.
#[derive(Clone, Copy)]
pub(super) enum Procedure {
    Terminate(ErrorCode),
    RemoteFeatures,
    RemoteVersion,
    DataLength,
    Phy { tx: u8, rx: u8 },
    Update(Parameters),
    ParameterRequest { interval_min: u16, parameters: Parameters },
    ParameterReject(ErrorCode),
    Encrypt { key: [u8; 16], random_number: [u8; 8], encrypted_diversifier: u16 },
    LongTermKey(Option<[u8; 16]>),
}

/// A link; the ends stand in the order of [`Side::BOTH`].
pub(super) struct Link {
    pub(super) ends: [End; 2],
    pub(super) parameters: Parameters,
    anchor: Instant,
    event: Option<Ticket>,
    supervision: Option<Ticket>,
    lost_reason: Option<ErrorCode>,
    /// Connection events lost one after the other.
    lost_events: u32,
    procedures: VecDeque<(Side, Procedure)>,
    /// The central's host has been asked for other parameters.
    pub(super) parameters_asked: bool,
    pub(super) encrypted: bool,
    /// The central's key, while the peripheral is asked for its own. As long as it is here no data go over the air
    /// ([Vol 6] Part B, 5.1.3).
    offered_key: Option<([u8; 16], Ticket)>,
}

/// Without keys.
impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("ends", &self.ends).field("parameters", &self.parameters).finish()
    }
}

impl Link {
    pub(super) fn new(ends: [End; 2], parameters: Parameters, anchor: Instant) -> Self {
        Self {
            ends,
            parameters,
            anchor,
            event: None,
            supervision: None,
            lost_reason: None,
            lost_events: 0,
            procedures: VecDeque::new(),
            parameters_asked: false,
            encrypted: false,
            offered_key: None,
        }
    }

    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[usize::from(side == Side::Peripheral)]
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[usize::from(side == Side::Peripheral)]
    }

    pub(super) fn node(&self, side: Side) -> Node {
        self.end(side).node
    }

    pub(super) fn side_of(&self, node: Node) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| self.node(*side) == node)
    }

    /// New parameters count from this connection event on.
    pub(super) fn update(&mut self, parameters: Parameters, anchor: Instant) {
        self.parameters = parameters;
        self.anchor = anchor;
    }

    fn next_anchor(&self, now: Instant) -> Instant {
        let interval = self.parameters.interval().as_micros();
        let events = now.since(self.anchor).as_micros() / interval + 1;
        let micros = u64::try_from(events * interval).unwrap_or(u64::MAX);
        self.anchor + Duration::from_micros(micros)
    }

    /// The peripheral's key is asked for.
    pub(super) fn awaits_key(&self) -> bool {
        self.offered_key.is_some()
    }

    fn has_work(&self) -> bool {
        !self.procedures.is_empty() || !self.awaits_key() && self.ends.iter().any(|end| !end.queue.is_empty())
    }
}

impl Radio {
    /// Queues data of one side; they go out at the coming connection events.
    pub(super) fn transmit(&mut self, id: LinkId, from: Side, start: bool, data: Bytes) {
        if let Some(link) = self.links.get_mut(&id) {
            link.end_mut(from).queue.push_back(Outgoing { start, data });
            self.wake_link(id);
        }
    }

    /// Begins a procedure of the link layer at the next connection event.
    pub(super) fn begin(&mut self, id: LinkId, by: Side, procedure: Procedure) {
        if let Some(link) = self.links.get_mut(&id) {
            link.procedures.push_back((by, procedure));
            self.wake_link(id);
        }
    }

    /// Ends the link at the next connection event, before anything else that is queued.
    pub(super) fn terminate(&mut self, id: LinkId, by: Side, reason: ErrorCode) {
        if let Some(link) = self.links.get_mut(&id) {
            link.procedures.push_front((by, Procedure::Terminate(reason)));
            self.wake_link(id);
        }
    }

    /// Nobody is heard any more. The link ends with `reason` when nobody has been for `after`, or for the
    /// supervision time-out ([Vol 6] Part B, 4.5.2).
    pub(super) fn silence(&mut self, id: LinkId, reason: ErrorCode, after: Option<Duration>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.lost_reason.replace(reason).is_some() {
            return;
        }
        if let Some(ticket) = link.event.take() {
            self.agenda.cancel(ticket);
        }
        let last_heard = link.next_anchor(self.now) - link.parameters.interval();
        let end = last_heard + after.unwrap_or(link.parameters.supervision_timeout());
        link.supervision = Some(self.agenda.at(end.max(self.now), Wake::Supervision(id)));
    }

    pub(super) fn supervision_timeout(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let reason = link.lost_reason.unwrap_or(ErrorCode::ConnectionTimeout);
        self.end_link(id, [reason, reason]);
    }

    /// One connection event: procedures first, then some data of each side.
    pub(super) fn connection_event(&mut self, id: LinkId) {
        let lost = self.dice.chance(self.options.loss);
        let Some(link) = self.links.get_mut(&id) else { return };
        link.event = None;
        if link.lost_reason.is_some() {
            return;
        }
        link.lost_events = if lost { link.lost_events + 1 } else { 0 };
        if link.parameters.interval() * link.lost_events >= link.parameters.supervision_timeout() {
            return self.supervision_timeout(id);
        }
        if !lost {
            for (by, procedure) in std::mem::take(&mut link.procedures) {
                self.carry_out(id, by, procedure);
            }
            for side in Side::BOTH {
                self.exchange(id, side);
            }
        }
        self.wake_link(id);
    }

    fn exchange(&mut self, id: LinkId, from: Side) {
        let mut completed: u16 = 0;
        for _ in 0..self.options.pdus_per_event.max(1) {
            let Some(link) = self.links.get_mut(&id) else { return };
            if link.awaits_key() {
                break;
            }
            let Some(pdu) = link.end_mut(from).next_pdu() else { break };
            completed += u16::from(pdu.completes);
            match link.node(from.other()) {
                Node::Controller(to, handle) => self.controller(to).receive(handle, pdu.start, &pdu.data),
                Node::Device(to) => self.device_receives(to, pdu.start, &pdu.data),
                Node::Gone => {}
            }
        }
        if let Some(Node::Controller(to, handle)) = self.links.get(&id).map(|link| link.node(from)) {
            self.controller(to).completed(handle, completed);
        }
    }

    fn wake_link(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.event.is_some() || link.lost_reason.is_some() || !link.has_work() {
            return;
        }
        let when = link.next_anchor(self.now) + self.dice.delay(self.options.latency);
        link.event = Some(self.agenda.at(when, Wake::ConnectionEvent(id)));
    }

    /// The central's key for a link; the peripheral's host has its time to say which it has.
    pub(super) fn offer_key(&mut self, id: LinkId, key: [u8; 16]) {
        let ticket = self.after(RESPONSE_TIMEOUT, Wake::KeyTimeout(id));
        if let Some(link) = self.links.get_mut(&id)
            && let Some((_, ticket)) = link.offered_key.replace((key, ticket))
        {
            self.agenda.cancel(ticket);
        }
    }

    /// The central's key, once: the peripheral has answered, and data may go again.
    pub(super) fn take_offered_key(&mut self, id: LinkId) -> Option<[u8; 16]> {
        let (key, ticket) = self.links.get_mut(&id)?.offered_key.take()?;
        self.agenda.cancel(ticket);
        Some(key)
    }

    pub(super) fn key_timeout(&mut self, id: LinkId) {
        self.end_link(id, [ErrorCode::LmpResponseTimeout; 2]);
    }

    /// Takes a link off the air and tells each end its reason.
    pub(super) fn end_link(&mut self, id: LinkId, reasons: [ErrorCode; 2]) {
        let Some(link) = self.links.remove(&id) else { return };
        let key_timeout = link.offered_key.map(|(_, ticket)| ticket);
        for ticket in [link.event, link.supervision, key_timeout].into_iter().flatten() {
            self.agenda.cancel(ticket);
        }
        for (end, reason) in link.ends.iter().zip(reasons) {
            match end.node {
                Node::Controller(to, handle) => self.controller(to).disconnected(handle, reason),
                Node::Device(to) => self.device_disconnected(to),
                Node::Gone => {}
            }
        }
    }
}
