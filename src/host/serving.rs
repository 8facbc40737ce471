//! The GATT server of the host: one table for all links, what each link's client asks of it, and what it is told.
//!
//! The table and the answers are [`gatt::server`](crate::gatt::server)'s; here are the times, and who waits for what.

use super::bearers::{BearerId, LinkBearer};
use super::link::{Link, Out};
use super::phase::Phase;
use super::queue::Queued;
use super::{ConnectionId, Eatt, Event, Host, HostConfig, OpError, OpId, Output, Request};
use crate::Instant;
use crate::att::AttError;
use crate::att::bearer::TRANSACTION_TIMEOUT;
use crate::gatt::server::{self, Ask, Client, Indicated, Offer, Remembered, Security, Table};
use crate::l2cap::ChannelId;
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What is told of a link's client before its user knows of the link.
const MOST_EARLY: usize = 64;

/// A request to the GATT server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServerRequest {
    /// Serve this table from now on. In the range of handles in which it differs from the one before
    /// ([`Table::changed_since`]) subscriptions end and what waits is refused; clients are told by Service Changed, if
    /// they have subscribed to it.
    Serve(Table),
    /// Change a value that the table keeps. No client is told.
    SetValue {
        /// The attribute.
        handle: u16,
        /// The whole value.
        value: Bytes,
    },
    /// Notify a value. Done when the link's queue has taken it, which it shares with the write commands.
    Notify {
        /// Whom.
        connection: ConnectionId,
        /// The characteristic's value.
        handle: u16,
        /// At most ATT_MTU - 3 octets of it are sent.
        value: Bytes,
    },
    /// Notify several values, those that the client has subscribed to.
    NotifyMultiple {
        /// Whom.
        connection: ConnectionId,
        /// Value handles and values.
        values: Vec<(u16, Bytes)>,
    },
    /// Indicate a value, behind what the queue has. Done when the client has confirmed it.
    Indicate {
        /// Whom.
        connection: ConnectionId,
        /// The characteristic's value.
        handle: u16,
        /// At most ATT_MTU - 3 octets of it are sent.
        value: Bytes,
    },
    /// Answer a [`ServerEvent::Asked`].
    Answer {
        /// Whose question it is.
        connection: ConnectionId,
        /// The number of the question.
        id: u64,
        /// The value asked for, nothing for a write that is taken, or what the client is told instead.
        answer: Result<Bytes, AttError>,
    },
}

impl From<ServerRequest> for Request {
    fn from(request: ServerRequest) -> Self {
        Self::Server(request)
    }
}

/// What a client of the GATT server wants or has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// It waits for an answer: [`ServerRequest::Answer`]. Without one in time it is told Unlikely Error.
    Asked {
        /// The client's link.
        connection: ConnectionId,
        /// The question, and its number.
        ask: Ask,
    },
    /// It has written a value that the table keeps, or by a command one that the user has.
    Written {
        /// The client's link.
        connection: ConnectionId,
        /// What and where.
        offer: Offer,
    },
    /// It has configured a characteristic, or a new table has.
    Configured {
        /// The client's link.
        connection: ConnectionId,
        /// The characteristic's value.
        value_handle: u16,
        /// Bit 0: notifications, bit 1: indications.
        configuration: u16,
    },
}

/// The server's side of a link.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) client: Client,
    /// The longest PDU we take.
    pub(super) receive_mtu: u16,
    /// Whether channels for EATT are bearers.
    pub(super) eatt: bool,
    answer_within: Duration,
    /// Indications, each behind the confirmation of the one before.
    indications: VecDeque<(OpId, u16, Bytes)>,
    /// Whose indication is not confirmed yet, unless it is Service Changed, and until when that may be.
    indicated: Option<OpId>,
    confirmed_by: Option<Instant>,
    /// What is told when the link is.
    early: Vec<ServerEvent>,
}

impl Serving {
    /// `receive_mtu` is the longest PDU we take.
    pub(super) fn new(receive_mtu: u16, config: &HostConfig) -> Self {
        Self {
            client: Client::new(Security::default()),
            receive_mtu,
            eatt: config.eatt != Eatt::Off,
            answer_within: config.answer_within,
            indications: VecDeque::new(),
            indicated: None,
            confirmed_by: None,
            early: Vec::new(),
        }
    }

    /// What happened before the user knew of the link.
    pub(super) fn take_early(&mut self) -> impl Iterator<Item = Event> {
        std::mem::take(&mut self.early).into_iter().map(Event::Server)
    }

    /// Gives an indication up that was not sent.
    pub(super) fn cancel(&mut self, op: OpId) -> bool {
        let before = self.indications.len();
        self.indications.retain(|(waiting, ..)| *waiting != op);
        self.indications.len() < before
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.confirmed_by
    }

    /// Whose indication is not confirmed in time.
    pub(super) fn on_timeout(&mut self, now: Instant) -> Option<Option<OpId>> {
        self.confirmed_by.take_if(|deadline| *deadline <= now).map(|_| self.indicated.take())
    }

    /// Everybody who waits for a confirmation, for the end of the link.
    pub(super) fn close(&mut self) -> impl Iterator<Item = OpId> {
        self.indicated.take().into_iter().chain(self.indications.drain(..).map(|(op, ..)| op))
    }
}

impl Host {
    /// What is served.
    pub fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn begin_serving(
        &mut self,
        now: Instant,
        op: OpId,
        request: ServerRequest,
    ) -> Result<(), OpError> {
        match request {
            ServerRequest::Serve(table) => self.replace_table(now, table),
            ServerRequest::SetValue { handle, value } => self.table.set_value(handle, value)?,
            ServerRequest::Notify { connection, handle, value } => {
                return self.queue_on(now, op, connection, Queued::Notify(vec![(handle, value)]));
            }
            ServerRequest::NotifyMultiple { connection, values } => {
                return self.queue_on(now, op, connection, Queued::Notify(values));
            }
            ServerRequest::Indicate { connection, handle, value } => {
                return self.queue_on(now, op, connection, Queued::Indicate(handle, value));
            }
            ServerRequest::Answer { connection, id, answer } => {
                let handle = self.handle_of(connection)?;
                let taken = self.on_link(handle, |link, out| link.on_answer(now, id, answer, out));
                if taken != Some(true) {
                    return Err(OpError::NotAsked);
                }
            }
        }
        self.done(op, Ok(Output::Done));
        Ok(())
    }

    fn queue_on(
        &mut self,
        now: Instant,
        op: OpId,
        connection: ConnectionId,
        queued: Queued,
    ) -> Result<(), OpError> {
        let handle = self.handle_of(connection)?;
        self.on_link(handle, |link, out| link.queue(now, op, queued, out));
        Ok(())
    }

    fn replace_table(&mut self, now: Instant, mut table: Table) {
        table.set_enhanced_bearers(self.config.eatt != Eatt::Off);
        let before = std::mem::replace(&mut self.table, table);
        let Some(range) = self.table.changed_since(&before) else { return };
        for handle in self.links.keys().copied().collect::<Vec<_>>() {
            self.on_link(handle, |link, out| link.on_table_changed(now, &before, range.clone(), out));
        }
    }
}

/// A client of the server.
impl Link {
    /// Takes a PDU of the peer's client.
    pub(super) fn serve(&mut self, now: Instant, at: BearerId, pdu: &[u8], out: &mut Out<'_>) {
        let Some(bearer) = self.bearers.get_mut(at) else { return };
        let signed = self.serving.client.next_signature();
        let outputs = bearer.server.on_pdu(out.table, &mut self.serving.client, pdu);
        if self.serving.client.next_signature() != signed {
            self.guard.save_soon(now);
        }
        self.follow(now, at, outputs, out);
    }

    /// The user's answer; `false` when nobody waits for it.
    fn on_answer(
        &mut self,
        now: Instant,
        id: u64,
        answer: Result<Bytes, AttError>,
        out: &mut Out<'_>,
    ) -> bool {
        let Some(at) = self.bearers.asking(id) else { return false };
        let Some(bearer) = self.bearers.get_mut(at) else { return false };
        let outputs = bearer.server.on_answer(out.table, &mut self.serving.client, id, answer);
        self.follow(now, at, outputs, out);
        true
    }

    /// Answers for a user whose time is up.
    pub(super) fn refuse_late_answers(&mut self, now: Instant, out: &mut Out<'_>) {
        let due = |bearer: &LinkBearer| bearer.answer_by.is_some_and(|deadline| deadline <= now);
        let due: Vec<_> = self.bearers.all().filter(|(_, bearer)| due(bearer)).map(|(at, _)| at).collect();
        for at in due {
            tracing::warn!(connection = self.id.0, "a client's request was not answered in time");
            self.refuse(now, at, out);
        }
    }

    /// Answers the request that waits for the user, if there is one.
    fn refuse(&mut self, now: Instant, at: BearerId, out: &mut Out<'_>) {
        let asking = |link: &Self| Some(link.bearers.get(at)?.server.asking()?.id);
        // Other values may be asked for behind the refusal of one, each once.
        while let Some(id) = asking(self) {
            self.on_answer(now, id, Err(AttError::UnlikelyError), out);
        }
    }

    /// Sends and tells what follows from a PDU or an answer.
    fn follow(&mut self, now: Instant, at: BearerId, outputs: Vec<server::Output>, out: &mut Out<'_>) {
        let connection = self.id;
        for output in outputs {
            match output {
                server::Output::Send(pdu) => self.answer_on(now, at, &pdu, out),
                server::Output::Ask(ask) => self.tell(ServerEvent::Asked { connection, ask }, out),
                server::Output::Mtu(mtu) => self.set_mtu(mtu, out),
                server::Output::Written(offer) => self.tell(ServerEvent::Written { connection, offer }, out),
                server::Output::Configured { value_handle, configuration } => {
                    self.guard.save_soon(now);
                    self.tell(ServerEvent::Configured { connection, value_handle, configuration }, out);
                }
                server::Output::Confirmed { .. } => {
                    self.serving.confirmed_by = None;
                    if let Some(op) = self.serving.indicated.take() {
                        out.done(op, Ok(Output::Done));
                    }
                    self.indicate_next(now, out);
                }
                server::Output::Ignored(why) => {
                    tracing::debug!(connection = connection.0, why, "ATT PDU ignored");
                }
            }
        }
        // One request has its time once, however many values it asks for.
        if let Some(bearer) = self.bearers.get_mut(at) {
            let asking = bearer.server.asking().is_some();
            let deadline = bearer.answer_by.unwrap_or(now + self.serving.answer_within);
            bearer.answer_by = asking.then_some(deadline);
        }
        self.note_unconfirmed(now);
    }

    fn tell(&mut self, event: ServerEvent, out: &mut Out<'_>) {
        match self.phase {
            Phase::Ready => out.events.push_back(Event::Server(event)),
            Phase::Settling(_) if self.serving.early.len() < MOST_EARLY => self.serving.early.push(event),
            Phase::Settling(_) => {
                tracing::warn!(connection = self.id.0, "not told: too much happens before the link is ready");
            }
            Phase::Unwanted(_) => {}
        }
    }

    /// Sends values that the client wants.
    pub(super) fn notify(&mut self, op: OpId, values: &[(u16, Bytes)], out: &mut Out<'_>) {
        let values: Vec<_> = values.iter().map(|(handle, value)| (*handle, &value[..])).collect();
        let server = &self.bearers.fixed.server;
        let pdus = server.notify_multiple(out.table, &self.serving.client, &values);
        for pdu in &pdus {
            self.send(ChannelId::Attribute, pdu, out);
        }
        out.done(op, if pdus.is_empty() { Err(OpError::NotSubscribed) } else { Ok(Output::Done) });
    }

    /// Indicates a value behind those that are not confirmed yet.
    pub(super) fn indicate(&mut self, now: Instant, op: OpId, handle: u16, value: Bytes, out: &mut Out<'_>) {
        self.serving.indications.push_back((op, handle, value));
        self.indicate_next(now, out);
    }

    fn indicate_next(&mut self, now: Instant, out: &mut Out<'_>) {
        while self.bearers.fixed.server.unconfirmed().is_none() && !self.bearers.fixed.att.has_ended() {
            let Some((op, handle, value)) = self.serving.indications.pop_front() else { break };
            match self.bearers.fixed.server.indicate(out.table, &self.serving.client, handle, value) {
                Indicated::Send(pdu) => {
                    self.serving.indicated = Some(op);
                    self.send(ChannelId::Attribute, &pdu, out);
                }
                _ => out.done(op, Err(OpError::NotSubscribed)),
            }
        }
        self.note_unconfirmed(now);
    }

    /// Whatever was indicated is to be confirmed in time: a value of the user's, or Service Changed.
    fn note_unconfirmed(&mut self, now: Instant) {
        let unconfirmed = self.bearers.fixed.server.unconfirmed().is_some();
        let deadline = self.serving.confirmed_by.unwrap_or(now + TRANSACTION_TIMEOUT);
        self.serving.confirmed_by = unconfirmed.then_some(deadline);
    }

    /// The client of a bond is back: it has what it had configured, and learns what has changed since. What it has
    /// configured on this link already stays.
    pub(super) fn restore_client(&mut self, now: Instant, mut remembered: Remembered, out: &mut Out<'_>) {
        let here = self.serving.client.configurations().clone();
        let features = self.serving.client.features();
        let known = remembered.database_hash == Some(out.table.hash());
        remembered.configurations.extend(here.clone());
        remembered.features |= features;
        let client = &mut self.serving.client;
        client.restore(out.table, remembered);
        if !known {
            client.on_table_changed(out.table, 1..=u16::MAX);
            let outputs = self.bearers.fixed.server.indicate_change(out.table, client, 1..=u16::MAX);
            self.follow(now, BearerId::Fixed, outputs, out);
        }
        let (connection, client) = (self.id, &self.serving.client);
        let configured = out.table.services().characteristics().filter_map(|c| {
            let configuration = *client.configurations().get(&c.cccd()?)?;
            let news = configuration != 0 && here.get(&c.cccd()?) != Some(&configuration);
            news.then_some((c.value_handle, configuration))
        });
        for (value_handle, configuration) in configured.collect::<Vec<_>>() {
            self.tell(ServerEvent::Configured { connection, value_handle, configuration }, out);
        }
    }

    /// Another table is there, which differs from the one before in these handles.
    fn on_table_changed(
        &mut self,
        now: Instant,
        before: &Table,
        range: RangeInclusive<u16>,
        out: &mut Out<'_>,
    ) {
        let configured = self.serving.client.configurations().clone();
        self.serving.client.on_table_changed(out.table, range.clone());
        for at in self.bearers.all().map(|(at, _)| at).collect::<Vec<_>>() {
            let Some(bearer) = self.bearers.get_mut(at) else { continue };
            let outputs = bearer.server.on_table_changed(out.table, range.clone());
            self.follow(now, at, outputs, out);
        }
        let server = &mut self.bearers.fixed.server;
        let outputs = server.indicate_change(out.table, &self.serving.client, range);
        self.follow(now, BearerId::Fixed, outputs, out);
        let kept = self.serving.client.configurations();
        let ended: Vec<_> = before
            .services()
            .characteristics()
            .filter(|c| c.cccd().is_some_and(|at| configured.contains_key(&at) && !kept.contains_key(&at)))
            .map(|c| c.value_handle)
            .collect();
        let connection = self.id;
        for value_handle in ended {
            self.tell(ServerEvent::Configured { connection, value_handle, configuration: 0 }, out);
        }
    }
}

/// What is served until the user has a table: the GAP and GATT services.
pub(super) fn default_table(name: &str) -> Table {
    Table::builder(name).build().expect("two services and a name that the configuration has cut to fit")
}
