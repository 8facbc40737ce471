//! One link: its frames, and what waits for it. What its client does is in `client`, what its server does in `serving`.

use super::bearers::{BearerId, Bearers};
use super::channels::LinkChannels;
use super::guard::Guard;
use super::indications::Indications;
use super::parameters::ParameterWish;
use super::phase::{Due, Phase, Wait};
use super::queue::Queued;
use super::serving::Serving;
use super::{ConnectionId, ConnectionInfo, Event, IndicationId, LinkTiming, OpError, OpId, Output};
use crate::att::bearer::TRANSACTION_TIMEOUT;
use crate::gatt::procedure::Running;
use crate::gatt::server::Table;
use crate::hci::acl::AclData;
use crate::hci::acl_flow::AclFlow;
use crate::hci::{ConnectionHandle, ErrorCode, ParameterUnits, Phy, Role};
use crate::l2cap::credit::{self, Servers};
use crate::l2cap::{ChannelId, Dropped, Frame, Reassembly, fragment, signaling};
use crate::transports::HciPacket;
use crate::{Address, Instant};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// Answers that may wait for the controller; a peer that asks for more without taking them gets none.
const ANSWER_WINDOW: usize = 256;

/// CIDs from here on are given to channels as they are opened ([Vol 3] Part A, 2.1).
const FIRST_DYNAMIC: u16 = 0x0040;

/// How long the controllers of a link have for a procedure between them ([Vol 6] Part B, 5.2).
pub(super) const PROCEDURE_LIMIT: Duration = Duration::from_secs(40);

/// The longest supervision time-out that there is, and what a controller may take to say that it is over.
const LONGEST_SUPERVISION: Duration = Duration::from_secs(32);
const ENDING_GRACE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) handle: ConnectionHandle,
    pub(super) role: Role,
    pub(super) peer: Address,
    /// Our address, and the peer's, as they are on the air.
    pub(super) local: Address,
    pub(super) on_air: Address,
    /// Who is behind the peer's address, where its key is known.
    identity: Option<Address>,
    pub(super) timing: LinkTiming,
    /// Of sending and of receiving, once they are known.
    pub(super) phys: Option<(Phy, Phy)>,
    pub(super) phase: Phase,
    pub(super) guard: Guard,
    pub(super) wish: ParameterWish,
    /// Requests that an event will answer, by then.
    waits: Vec<(OpId, Wait, Instant)>,
    /// It is being ended, and down by then.
    ends_by: Option<Instant>,
    reassembly: Reassembly,
    pub(super) bearers: Bearers,
    /// Procedures that have no bearer yet.
    pub(super) waiting: VecDeque<(OpId, Running)>,
    /// Write commands and values for the peer's client, in order.
    pub(super) queue: VecDeque<(OpId, Queued)>,
    pub(super) serving: Serving,
    pub(super) indications: Indications,
    pub(super) channels: LinkChannels,
}

/// The two ends of a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) role: Role,
    /// Our address on the air.
    pub(super) local: Address,
    /// The peer, as the controller names it.
    pub(super) peer: Address,
    /// Its address on the air.
    pub(super) on_air: Address,
    /// Who it is, if it shows a private address and its key is known.
    pub(super) identity: Option<Address>,
}

/// What a packet from the peer leads to at the host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Consequence {
    /// The procedure that makes the link usable is over.
    pub(super) settled: bool,
    /// Timing that was granted to the peer.
    pub(super) parameters: Option<ParameterUnits>,
    /// A PDU for the security manager.
    pub(super) security: Option<Bytes>,
}

impl Link {
    pub(super) fn new(
        id: ConnectionId,
        handle: ConnectionHandle,
        Ends { role, local, peer, on_air, identity }: Ends,
        timing: LinkTiming,
        phase: Phase,
        serving: Serving,
    ) -> Self {
        Self {
            id,
            handle,
            role,
            peer,
            local,
            on_air,
            identity,
            timing,
            phys: None,
            phase,
            guard: Guard::new(role, local, on_air),
            wish: ParameterWish::default(),
            waits: Vec::new(),
            ends_by: None,
            reassembly: Reassembly::default(),
            bearers: Bearers::new(serving.receive_mtu),
            waiting: VecDeque::new(),
            queue: VecDeque::new(),
            serving,
            indications: Indications::default(),
            channels: LinkChannels::default(),
        }
    }

    /// Who is behind the peer's address, where its key is known.
    pub(super) fn identity(&self) -> Option<Address> {
        self.identity
    }

    /// Our address turns out to be another.
    pub(super) fn shows(&mut self, local: Address) {
        self.local = local;
        self.guard.manager.set_addresses(local, self.on_air);
    }

    /// Whether its user knows of it.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    pub(super) fn info(&self) -> ConnectionInfo {
        ConnectionInfo {
            connection: self.id,
            role: self.role,
            peer: self.peer,
            mtu: self.bearers.fixed.att.mtu(),
            timing: self.timing,
            phys: self.phys,
            security: self.guard.security(),
            identity: self.guard.bond.or(self.identity),
        }
    }

    /// Gives a request up that was not sent; one that was finishes.
    pub(super) fn cancel(&mut self, now: Instant, op: OpId) -> bool {
        let before = self.waiting.len() + self.queue.len();
        self.waiting.retain(|(waiting, _)| *waiting != op);
        self.queue.retain(|(waiting, _)| *waiting != op);
        let waited = self.waiting.len() + self.queue.len() < before;
        if let Some(unwanted) = self.bearers.cancel(op) {
            unwanted.into_iter().for_each(|channel| self.channels.credit().close(now, channel));
            return true;
        }
        waited || self.guard.cancel(op) || self.serving.cancel(op) || self.channels.cancel(now, op)
    }

    /// The controller has begun what a request asks for, and an event will say how it went.
    pub(super) fn wait(&mut self, now: Instant, op: OpId, wait: Wait) {
        if wait == Wait::Disconnection {
            self.end(now);
        }
        self.waits.push((op, wait, now + PROCEDURE_LIMIT));
    }

    /// Whether a request waits for this event.
    pub(super) fn is_waiting(&self, wait: Wait) -> bool {
        self.waits.iter().any(|(_, waiting, _)| *waiting == wait)
    }

    /// The request that waits for this event.
    pub(super) fn take_wait(&mut self, wait: Wait) -> Option<OpId> {
        let position = self.waits.iter().position(|(_, waiting, _)| *waiting == wait)?;
        Some(self.waits.remove(position).0)
    }

    /// The controller was told to end it. It has to be down when the peer was not heard for as long as supervision
    /// allows.
    pub(super) fn end(&mut self, now: Instant) {
        let limit = self.timing.supervision_timeout.min(LONGEST_SUPERVISION) + ENDING_GRACE;
        self.ends_by.get_or_insert(now + limit);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let waits = self.waits.iter().map(|(_, _, until)| *until).min();
        let (serving, channels) = (self.serving.deadline(), self.channels.deadline());
        let ours = [
            self.bearers.deadline(),
            self.indications.deadline(),
            waits,
            self.ends_by,
            self.guard.deadline(),
        ];
        ours.into_iter().chain([serving, channels]).flatten().min()
    }

    /// Acts on the deadlines that have passed.
    pub(super) fn on_timeout(&mut self, now: Instant, out: &mut Out<'_>) -> Due {
        if self.ends_by.is_some_and(|deadline| deadline <= now) {
            return Due::Gone;
        }
        for (op, wait, _) in self.waits.extract_if(.., |(_, _, until)| *until <= now) {
            let silent = OpError::ControllerSilent { command: wait.opcode(), after: PROCEDURE_LIMIT };
            out.done(op, Err(silent));
        }
        while self.indications.deadline().is_some_and(|deadline| deadline <= now) {
            tracing::warn!(connection = self.id.0, "indication confirmed unread: its reader is too slow");
            self.confirm(now, None, out);
        }
        self.channels.handle_timeout(now);
        self.refuse_late_answers(now, out);
        self.end_late_bearers(now, out);
        if let Some((op, request)) = self.bearers.fixed.att.on_timeout(now) {
            tracing::warn!(connection = self.id.0, %request, "not answered; giving the link up");
            self.give_up([op], out);
            Due::GiveUp
        } else if let Some(op) = self.serving.on_timeout(now) {
            tracing::warn!(connection = self.id.0, "an indication is not confirmed; giving the link up");
            let outstanding = self.bearers.fixed.close();
            self.give_up(op.into_iter().chain(outstanding), out);
            Due::GiveUp
        } else {
            Due::Nothing
        }
    }

    /// A transaction took too long: what waits for others fails with it.
    fn give_up(&mut self, ops: impl IntoIterator<Item = OpId>, out: &mut Out<'_>) {
        self.bearers.fixed.running = None;
        if let Phase::Settling(_) = self.phase {
            self.phase = Phase::Unwanted(None);
        }
        let cancelled = self.phase.attempt();
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(op, _)| op);
        for op in ops.into_iter().chain(waiting).filter(|op| Some(*op) != cancelled) {
            out.done(op, Err(OpError::AttTimeout { after: TRANSACTION_TIMEOUT }));
        }
    }

    /// The link has not what GATT must have, and will not have it: what waits for that fails.
    pub(super) fn fail_waiting(&mut self, error: &OpError, out: &mut Out<'_>) {
        let queue = std::mem::take(&mut self.queue).into_iter();
        let (commands, values) = queue.partition(|(_, queued)| matches!(queued, Queued::WriteCommand(_)));
        self.queue = values;
        let commands: VecDeque<_> = commands;
        let waiting = self.waiting.drain(..).map(|(op, _)| op);
        for op in waiting.chain(commands.into_iter().map(|(op, _)| op)) {
            out.done(op, Err(error.clone()));
        }
    }

    /// The link is down: everybody who waits for it is told.
    pub(super) fn close(mut self, reason: ErrorCode, out: &mut Out<'_>) -> Phase {
        let attempt = self.phase.attempt();
        let outstanding = self.bearers.close().into_iter();
        let waiting = self.waiting.drain(..).map(|(op, _)| op);
        let queued = self.queue.drain(..).map(|(op, _)| op);
        let indications = self.serving.close();
        let security = self.guard.close();
        let ops = outstanding.chain(waiting).chain(queued).chain(indications).chain(security);
        let ops = ops.filter(|op| Some(*op) != attempt);
        for op in ops {
            out.done(op, Err(OpError::Disconnected { reason }));
        }
        for (op, wait, _) in self.waits {
            match wait {
                Wait::Disconnection => out.done(op, Ok(Output::Done)),
                _ => out.done(op, Err(OpError::Disconnected { reason })),
            }
        }
        self.channels.close(reason, out);
        if matches!(self.phase, Phase::Ready) {
            while let Some(event) = self.channels.credit().poll_event() {
                // Of a bearer nobody was told.
                if !matches!(event, credit::Event::Closed { channel, .. } if self.bearers.has(channel)) {
                    self.channels.on_event(self.id, event, out);
                }
            }
        }
        self.phase
    }

    /// Takes a packet from the peer.
    pub(super) fn on_packet(
        &mut self,
        now: Instant,
        acl: &AclData<'_>,
        packet: &HciPacket,
        grant: impl Fn(&ParameterUnits) -> bool,
        out: &mut Out<'_>,
    ) -> Consequence {
        let frame = match self.reassembly.on_packet(acl, packet.bytes()) {
            Err(dropped @ Dropped::CutOff(_)) => {
                tracing::warn!(connection = self.id.0, %dropped, "dropped");
                self.reassembly.take()
            }
            other => other,
        };
        match frame {
            Ok(Some(frame)) => self.on_frame(now, &frame, grant, out),
            Ok(None) => Consequence::default(),
            Err(dropped) => {
                tracing::warn!(connection = self.id.0, %dropped, "dropped");
                Consequence::default()
            }
        }
    }

    fn on_frame(
        &mut self,
        now: Instant,
        frame: &Frame,
        grant: impl Fn(&ParameterUnits) -> bool,
        out: &mut Out<'_>,
    ) -> Consequence {
        match frame.channel {
            ChannelId::Attribute => {
                return Consequence {
                    settled: self.on_att(now, BearerId::Fixed, &frame.payload, out),
                    ..Consequence::default()
                };
            }
            ChannelId::Signaling if self.on_parameter_answer(&frame.payload, out) => {}
            ChannelId::Signaling
                if self.channels.handle_signal(
                    now,
                    &frame.payload,
                    out.servers,
                    self.guard.for_channels(),
                ) => {}
            ChannelId::Signaling => {
                let reaction = signaling::react(&frame.payload, self.role, grant);
                if let Some(reply) = reaction.reply {
                    self.answer(ChannelId::Signaling, &reply, out);
                }
                return Consequence { parameters: reaction.parameters, ..Consequence::default() };
            }
            ChannelId::SecurityManager => {
                return Consequence { security: Some(frame.payload.clone()), ..Consequence::default() };
            }
            channel if channel.0 >= FIRST_DYNAMIC => self.channels.handle_frame(now, frame),
            channel => tracing::debug!(connection = self.id.0, %channel, "a frame for no channel of ours"),
        }
        Consequence::default()
    }

    /// Sends what the peer asked for, unless it asks faster than it takes.
    pub(super) fn answer(&self, channel: ChannelId, payload: &[u8], out: &mut Out<'_>) {
        if out.acl.waiting(self.handle) < ANSWER_WINDOW {
            self.send(channel, payload, out);
        } else {
            tracing::warn!(connection = self.id.0, "answer dropped: the peer asks faster than it listens");
        }
    }

    pub(super) fn send(&self, channel: ChannelId, payload: &[u8], out: &mut Out<'_>) {
        let packets = fragment::fragments(self.handle, out.acl.packet_length(), channel, payload);
        out.acl.push(self.handle, packets);
    }
}

/// Where a link puts what it has to send and to say.
pub(super) struct Out<'a> {
    pub(super) acl: &'a mut AclFlow,
    pub(super) events: &'a mut VecDeque<Event>,
    pub(super) table: &'a mut Table,
    pub(super) servers: &'a Servers,
}

impl Out<'_> {
    pub(super) fn done(&mut self, op: OpId, result: Result<Output, OpError>) {
        self.events.push_back(Event::OpDone { op, result });
    }

    pub(super) fn value(
        &mut self,
        connection: ConnectionId,
        handle: u16,
        value: Bytes,
        indication: Option<IndicationId>,
    ) {
        self.events.push_back(Event::Value { connection, handle, value, indication });
    }
}
