//! The ATT bearers of a link: the fixed one, which every link has, and enhanced ones on credit-based channels
//! ([Vol 3] Part F, 3.2.11, and [Vol 3] Part G, 5.3).
//!
//! Owns what belongs to one bearer: its transaction, the procedure that has it, and the server on it. Both sides may
//! use every bearer for requests of their own, whoever opened it. What has an order among itself stays on the fixed
//! bearer: write commands, notifications and indications. Procedures that prepare writes stay there too, since a client has one
//! queue for all its bearers ([Vol 3] Part F, 3.4.6), and with the fixed bearer that queue is lost as well.

use super::channels::ChannelError;
use super::link::{Link, Out};
use super::{ConnectionId, Eatt, Host, OpError, OpId, Output};
use crate::Instant;
use crate::att::bearer::{Bearer, TRANSACTION_TIMEOUT};
use crate::gatt::procedure::Running;
use crate::gatt::server::{Server, Table};
use crate::l2cap::ChannelId;
use crate::l2cap::credit::{
    self, ChannelKey, ChannelOptions, CloseReason, OpenFailure, RequiredSecurity, Servers,
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Why there can be no enhanced bearers of ours.
pub(crate) const EATT_IS_OFF: &str = "enhanced ATT bearers are off";

/// The SPSM of EATT.
const SPSM: u16 = 0x0027;

/// The least ATT_MTU of an enhanced bearer ([Vol 3] Part G, 5.3.1).
const MIN_MTU: u16 = 64;

/// Enhanced bearers that a peer may open on a link, and that a link has altogether.
const MOST_OF_PEER: usize = 5;
const MOST: usize = 10;

/// One bearer of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BearerId {
    Fixed,
    Enhanced(ChannelKey),
}

/// What belongs to one bearer, for the client and the server on our side.
#[derive(Debug)]
pub(super) struct LinkBearer {
    pub(super) att: Bearer<OpId>,
    pub(super) running: Option<Running>,
    /// The request that was sent last.
    pub(super) request: Bytes,
    /// It was refused for want of security, and waits for more.
    pub(super) refused: Option<Refused>,
    /// Whose request was asked a second time: what it is answered then holds.
    pub(super) asked_again: Option<OpId>,
    pub(super) server: Server,
    /// The question that the peer's request waits for is answered for the user then.
    pub(super) answer_by: Option<Instant>,
}

/// The answer to a request that may be asked again.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) op: OpId,
    pub(super) answer: Bytes,
}

#[derive(Debug)]
pub(super) struct Bearers {
    pub(super) fixed: LinkBearer,
    enhanced: BTreeMap<ChannelKey, LinkBearer>,
    opening: Vec<Opening>,
}

/// A request for enhanced bearers that the peer has not answered whole.
#[derive(Debug)]
struct Opening {
    op: OpId,
    waiting: Vec<ChannelKey>,
    opened: usize,
    refused: Option<OpenFailure>,
}

impl LinkBearer {
    fn fixed(receive_mtu: u16) -> Self {
        Self {
            att: Bearer::new(),
            running: None,
            request: Bytes::new(),
            refused: None,
            asked_again: None,
            server: Server::new(receive_mtu),
            answer_by: None,
        }
    }

    fn enhanced(mtu: u16) -> Self {
        let mut bearer = Self { server: Server::enhanced(mtu), ..Self::fixed(mtu) };
        bearer.att.set_mtu(mtu);
        bearer
    }

    fn deadline(&self) -> Option<Instant> {
        [self.att.deadline(), self.answer_by].into_iter().flatten().min()
    }

    /// Whether a procedure can start.
    fn is_idle(&self) -> bool {
        self.att.is_idle() && self.refused.is_none()
    }

    /// Whose procedure it has; it is over.
    pub(super) fn close(&mut self) -> Option<OpId> {
        let refused = self.refused.take().map(|refused| refused.op);
        self.att.close().or(refused)
    }
}

impl Bearers {
    /// `receive_mtu` is the longest PDU we take.
    pub(super) fn new(receive_mtu: u16) -> Self {
        Self { fixed: LinkBearer::fixed(receive_mtu), enhanced: BTreeMap::new(), opening: Vec::new() }
    }

    pub(super) fn get(&self, at: BearerId) -> Option<&LinkBearer> {
        match at {
            BearerId::Fixed => Some(&self.fixed),
            BearerId::Enhanced(key) => self.enhanced.get(&key),
        }
    }

    pub(super) fn get_mut(&mut self, at: BearerId) -> Option<&mut LinkBearer> {
        match at {
            BearerId::Fixed => Some(&mut self.fixed),
            BearerId::Enhanced(key) => self.enhanced.get_mut(&key),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (BearerId, &LinkBearer)> {
        let enhanced = self.enhanced.iter().map(|(key, bearer)| (BearerId::Enhanced(*key), bearer));
        std::iter::once((BearerId::Fixed, &self.fixed)).chain(enhanced)
    }

    /// Where a procedure can start now. Enhanced bearers come first: the fixed one is left to what needs it.
    pub(super) fn idle_for(&self, procedure: &Running) -> Option<BearerId> {
        let exchange = matches!(procedure, Running::ExchangeMtu(_));
        let takes =
            |bearer: &LinkBearer| bearer.is_idle() && !exchange && !procedure.prepares(bearer.att.mtu());
        let enhanced = self.enhanced.iter().find(|(_, bearer)| takes(bearer));
        let enhanced = enhanced.map(|(key, _)| BearerId::Enhanced(*key));
        enhanced.or_else(|| self.fixed.is_idle().then_some(BearerId::Fixed))
    }

    /// Who asks the user by this number.
    pub(super) fn asking(&self, id: u64) -> Option<BearerId> {
        self.all()
            .find(|(_, bearer)| bearer.server.asking().is_some_and(|ask| ask.id == id))
            .map(|(at, _)| at)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.all().filter_map(|(_, bearer)| bearer.deadline()).min()
    }

    /// Whether this channel is a bearer.
    pub(super) fn has(&self, channel: ChannelKey) -> bool {
        self.enhanced.contains_key(&channel)
    }

    fn is_opening(&self, channel: ChannelKey) -> bool {
        self.opening.iter().any(|opening| opening.waiting.contains(&channel))
    }

    /// Everybody who waits for a bearer or for what runs on one, for the end of the link.
    pub(super) fn close(&mut self) -> Vec<OpId> {
        let opening = std::mem::take(&mut self.opening).into_iter().map(|opening| opening.op);
        let bearers = std::iter::once(&mut self.fixed).chain(self.enhanced.values_mut());
        bearers.filter_map(LinkBearer::close).chain(opening).collect()
    }

    /// Gives a request for bearers up: the channels that are nobody's now.
    pub(super) fn cancel(&mut self, op: OpId) -> Option<Vec<ChannelKey>> {
        let at = self.opening.iter().position(|opening| opening.op == op)?;
        Some(self.opening.swap_remove(at).waiting)
    }
}

impl Eatt {
    /// Accepts bearers where they are wanted, and says so to clients.
    pub(super) fn offer(self, receive_mtu: u16, servers: &mut Servers, table: &mut Table) {
        let security = match self {
            Self::Off => return,
            Self::Encrypted => RequiredSecurity::Encrypted { key_size: 7 },
            Self::Unencrypted => RequiredSecurity::None,
        };
        let server = credit::Server { options: options(receive_mtu), security, most: MOST_OF_PEER };
        match servers.listen_enhanced(SPSM, server) {
            Ok(()) | Err(credit::ListenError::Taken(_)) => table.set_enhanced_bearers(true),
            Err(error) => tracing::error!(%error, "no enhanced bearers"),
        }
    }
}

/// What our end of a bearer's channel takes.
fn options(receive_mtu: u16) -> ChannelOptions {
    ChannelOptions { mtu: receive_mtu.max(MIN_MTU), ..ChannelOptions::default() }
}

impl Host {
    pub(super) fn open_bearers(
        &mut self,
        now: Instant,
        op: OpId,
        connection: ConnectionId,
        count: usize,
    ) -> Result<(), OpError> {
        let handle = self.handle_of(connection)?;
        let eatt = self.config.eatt;
        self.on_link(handle, |link, _| link.open_bearers(now, op, count, eatt)).unwrap_or(Ok(()))
    }
}

impl Link {
    fn open_bearers(&mut self, now: Instant, op: OpId, count: usize, eatt: Eatt) -> Result<(), OpError> {
        match eatt {
            Eatt::Off => return Err(OpError::Invalid(EATT_IS_OFF)),
            Eatt::Encrypted if !self.serving.client.security.encrypted => return Err(OpError::NotEncrypted),
            Eatt::Encrypted | Eatt::Unencrypted => {}
        }
        let opening: usize = self.bearers.opening.iter().map(|opening| opening.waiting.len()).sum();
        if (self.bearers.enhanced.len() + opening).saturating_add(count) > MOST {
            return Err(OpError::Invalid("a link has at most 10 enhanced ATT bearers"));
        }
        let options = options(self.serving.receive_mtu);
        let opened = self.channels.credit().open_enhanced(now, SPSM, options, count);
        let waiting = opened.map_err(ChannelError::from)?;
        self.bearers.opening.push(Opening { op, waiting, opened: 0, refused: None });
        Ok(())
    }

    /// Takes what channels tell of bearers; what is of anything else is given back.
    pub(super) fn on_channel_event(
        &mut self,
        now: Instant,
        event: credit::Event,
        out: &mut Out<'_>,
    ) -> Option<credit::Event> {
        match event {
            credit::Event::Opened { channel, spsm: SPSM, by_peer, mtu }
                if by_peer && self.serving.eatt || self.bearers.is_opening(channel) =>
            {
                let mtu = mtu.min(options(self.serving.receive_mtu).mtu);
                self.bearers.enhanced.insert(channel, LinkBearer::enhanced(mtu));
                self.serving.client.set_enhanced_bearers(self.bearers.enhanced.len());
                self.on_bearer_answer(channel, None, out);
                self.start_next(now, out);
            }
            credit::Event::Refused { channel, reason } if self.bearers.is_opening(channel) => {
                self.on_bearer_answer(channel, Some(reason), out);
            }
            credit::Event::Received { channel } if self.bearers.has(channel) => {
                if let Some(pdu) = self.channels.credit().take(channel) {
                    self.on_att(now, BearerId::Enhanced(channel), &pdu, out);
                }
            }
            credit::Event::Sent { channel } if self.bearers.has(channel) => {}
            credit::Event::PeerReconfigured { channel, mtu } if self.bearers.has(channel) => {
                let mtu = mtu.min(options(self.serving.receive_mtu).mtu);
                if let Some(bearer) = self.bearers.enhanced.get_mut(&channel) {
                    bearer.att.set_mtu(mtu);
                    bearer.server.set_mtu(mtu);
                }
            }
            credit::Event::Closed { channel, reason } if self.bearers.has(channel) => {
                self.on_bearer_closed(now, channel, reason, out);
            }
            other => return Some(other),
        }
        None
    }

    /// The peer's answer for one of the bearers that were asked for; the request is over with the last one.
    fn on_bearer_answer(&mut self, channel: ChannelKey, refused: Option<OpenFailure>, out: &mut Out<'_>) {
        let of = |opening: &Opening| opening.waiting.contains(&channel);
        let Some(at) = self.bearers.opening.iter().position(of) else { return };
        let Some(opening) = self.bearers.opening.get_mut(at) else { return };
        opening.waiting.retain(|waiting| *waiting != channel);
        opening.opened += usize::from(refused.is_none());
        opening.refused = opening.refused.or(refused);
        if opening.waiting.is_empty() {
            let Opening { op, opened, refused, .. } = self.bearers.opening.swap_remove(at);
            let result = match refused {
                Some(reason) if opened == 0 => Err(ChannelError::from(reason).into()),
                _ => Ok(Output::Bearers(opened)),
            };
            out.done(op, result);
        }
    }

    fn on_bearer_closed(
        &mut self,
        now: Instant,
        channel: ChannelKey,
        reason: CloseReason,
        out: &mut Out<'_>,
    ) {
        let Some(mut bearer) = self.bearers.enhanced.remove(&channel) else { return };
        self.serving.client.set_enhanced_bearers(self.bearers.enhanced.len());
        self.indications.forget(BearerId::Enhanced(channel));
        if let Some(op) = bearer.close() {
            out.done(op, Err(ChannelError::Closed(reason).into()));
        }
        self.start_next(now, out);
    }

    /// Ends an enhanced bearer. What runs on it fails now, and nothing begins there any more.
    fn end_bearer(&mut self, now: Instant, channel: ChannelKey, error: OpError, out: &mut Out<'_>) {
        let Some(bearer) = self.bearers.enhanced.get_mut(&channel) else { return };
        let outstanding = bearer.close();
        *bearer = LinkBearer { att: Bearer::ended(), ..LinkBearer::enhanced(bearer.att.mtu()) };
        self.indications.forget(BearerId::Enhanced(channel));
        self.channels.credit().close(now, channel);
        if let Some(op) = outstanding {
            out.done(op, Err(error));
        }
    }

    /// Ends the enhanced bearers on which a transaction has taken too long: nothing more may be sent there
    /// ([Vol 3] Part F, 3.3.3). The link, and what runs on the others, stay.
    pub(super) fn end_late_bearers(&mut self, now: Instant, out: &mut Out<'_>) {
        let late = |(key, bearer): (&ChannelKey, &mut LinkBearer)| Some((*key, bearer.att.on_timeout(now)?));
        let late: Vec<_> = self.bearers.enhanced.iter_mut().filter_map(late).collect();
        for (channel, (op, request)) in late {
            tracing::warn!(connection = self.id.0, %channel, %request, "not answered; giving the bearer up");
            out.done(op, Err(OpError::BearerTimeout { after: TRANSACTION_TIMEOUT }));
            self.end_bearer(now, channel, OpError::BearerTimeout { after: TRANSACTION_TIMEOUT }, out);
        }
    }

    /// Sends a PDU on a bearer. Of an orderly peer no more wait on an enhanced one than its channel holds: a request, a
    /// response and a confirmation.
    pub(super) fn send_on(&mut self, now: Instant, at: BearerId, pdu: &Bytes, out: &mut Out<'_>) {
        match at {
            BearerId::Fixed => self.send(ChannelId::Attribute, pdu, out),
            BearerId::Enhanced(channel) => {
                if let Err(error) = self.channels.credit().send(channel, pdu.clone()) {
                    tracing::warn!(connection = self.id.0, %channel, %error, "bearer ended");
                    self.end_bearer(now, channel, ChannelError::from(error).into(), out);
                }
            }
        }
    }

    /// Sends what the peer asked for.
    pub(super) fn answer_on(&mut self, now: Instant, at: BearerId, pdu: &Bytes, out: &mut Out<'_>) {
        match at {
            BearerId::Fixed => self.answer(ChannelId::Attribute, pdu, out),
            BearerId::Enhanced(_) => self.send_on(now, at, pdu, out),
        }
    }
}
