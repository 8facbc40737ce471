//! Credit-based channels at the host: requests about them tied to what the [channels](crate::l2cap::credit) of a link
//! tell.
//!
//! Owns which request waits for which event, and SDUs that have no place in a channel yet. Frames leave only while the
//! link's queue of packets is short, so that the peer's credits and the controller's buffers hold the sender back, and
//! ATT is not kept waiting behind a whole channel.

use super::link::{Link, Out};
use super::queue::WRITE_WINDOW;
use super::{ConnectionId, Event, Host, OpError, OpId, Output};
use crate::Instant;
use crate::hci::ErrorCode;
use crate::l2cap::Frame;
use crate::l2cap::credit::{
    self, ChannelKey, ChannelOptions, CloseReason, CreditChannels, LinkSecurity, ListenError, OpenError,
    OpenFailure, ReconfigureError, ReconfigureFailure, SendError, Server, Servers,
};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// What a user may ask of the host about credit-based channels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelRequest {
    /// Accept channels for an SPSM on every link. Done at once; [`ChannelEvent::Opened`] tells of each.
    Listen {
        /// The SPSM, 0x0001 to 0x00FF.
        spsm: u16,
        /// What is accepted.
        server: Server,
    },
    /// Accept no more of them; those that are open stay.
    StopListening {
        /// The SPSM.
        spsm: u16,
    },
    /// Open a channel. Ends with [`Output::Channel`].
    Open {
        /// On which link.
        connection: ConnectionId,
        /// For what.
        spsm: u16,
        /// What our end takes.
        options: ChannelOptions,
    },
    /// Open 1 to 5 enhanced channels at once. Ends with [`Output::Channels`].
    OpenEnhanced {
        /// On which link.
        connection: ConnectionId,
        /// For what.
        spsm: u16,
        /// What our end of each takes.
        options: ChannelOptions,
        /// How many.
        count: usize,
    },
    /// Send an SDU. Done when all of it is on its way; those of one channel keep their order.
    Send {
        /// On which link.
        connection: ConnectionId,
        /// On which channel.
        channel: ChannelKey,
        /// At most as long as the peer takes.
        sdu: Bytes,
    },
    /// End a channel: what waits to be sent or taken is dropped. Done when the peer has confirmed; it has then had all
    /// that was on its way.
    Close {
        /// On which link.
        connection: ConnectionId,
        /// Which.
        channel: ChannelKey,
    },
    /// Let enhanced channels take longer SDUs, or other K-frames.
    Reconfigure {
        /// On which link.
        connection: ConnectionId,
        /// 1 to 5 of them.
        channels: Vec<ChannelKey>,
        /// The longest SDU, not less than before.
        mtu: u16,
        /// The longest K-frame.
        mps: u16,
    },
}

/// What the host tells of credit-based channels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// The peer has opened a channel that is listened for.
    Opened {
        /// On which link.
        connection: ConnectionId,
        /// For what.
        spsm: u16,
        /// The channel.
        channel: OpenedChannel,
    },
    /// An SDU can be taken by [`Host::take_sdu`]; said once for each.
    Received {
        /// On which link.
        connection: ConnectionId,
        /// On which channel.
        channel: ChannelKey,
    },
    /// The peer takes other SDUs from now on.
    PeerReconfigured {
        /// On which link.
        connection: ConnectionId,
        /// On which channel.
        channel: ChannelKey,
        /// The longest one.
        mtu: u16,
    },
    /// A channel is over. Comes once for each that was open, after the failures of its requests.
    Closed {
        /// On which link.
        connection: ConnectionId,
        /// Which.
        channel: ChannelKey,
        /// Why.
        reason: CloseReason,
        /// What had been received whole and was not taken; nothing when we closed it.
        unread: Vec<Bytes>,
    },
}

/// A channel that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedChannel {
    /// Its name on its link.
    pub key: ChannelKey,
    /// The longest SDU that the peer takes.
    pub mtu: u16,
}

/// Why a request about a credit-based channel failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The SPSM cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The peer cannot be asked for such a channel.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The peer was asked, and there is no channel.
    #[error(transparent)]
    Refused(#[from] OpenFailure),
    /// The SDU cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The peer cannot be asked for other sizes.
    #[error(transparent)]
    Reconfigure(#[from] ReconfigureError),
    /// The peer was asked, and the sizes are as before.
    #[error(transparent)]
    NotReconfigured(#[from] ReconfigureFailure),
    /// The channel is over.
    #[error("the channel is {0}")]
    Closed(CloseReason),
}

impl Host {
    pub(super) fn begin_channel(
        &mut self,
        now: Instant,
        op: OpId,
        request: ChannelRequest,
    ) -> Result<(), OpError> {
        let connection = match request {
            ChannelRequest::Listen { spsm, server } => {
                self.servers.listen(spsm, server).map_err(ChannelError::from)?;
                self.done(op, Ok(Output::Done));
                return Ok(());
            }
            ChannelRequest::StopListening { spsm } => {
                self.servers.stop(spsm);
                self.done(op, Ok(Output::Done));
                return Ok(());
            }
            ChannelRequest::Open { connection, .. }
            | ChannelRequest::OpenEnhanced { connection, .. }
            | ChannelRequest::Send { connection, .. }
            | ChannelRequest::Close { connection, .. }
            | ChannelRequest::Reconfigure { connection, .. } => connection,
        };
        let handle = self.handle_of(connection)?;
        let opens = matches!(request, ChannelRequest::Open { .. } | ChannelRequest::OpenEnhanced { .. });
        let insecure = self.links.get(&handle).is_some_and(|link| !link.guard.is_sufficient());
        if opens && insecure {
            return Err(OpError::NotEncrypted);
        }
        let begun = self.on_link(handle, |link, out| link.channels.begin(now, op, request, out));
        Ok(begun.unwrap_or(Ok(()))?)
    }

    /// The next SDU of a channel; the peer may send as much again. After [`ChannelEvent::Closed`] there is none: what
    /// was left came with it.
    pub fn take_sdu(&mut self, now: Instant, connection: ConnectionId, channel: ChannelKey) -> Option<Bytes> {
        let link = self.links.values_mut().find(|link| link.id == connection)?;
        let sdu = link.channels.channels.take(channel)?;
        self.pump(now);
        Some(sdu)
    }
}

/// The channels of a link, and the requests about them.
#[derive(Debug, Default)]
pub(super) struct LinkChannels {
    channels: CreditChannels,
    opening: Vec<Opening>,
    sending: BTreeMap<ChannelKey, Sending>,
    closing: Vec<(OpId, ChannelKey)>,
    reconfiguring: Option<OpId>,
}

/// A request for channels, and what is known of each.
#[derive(Debug)]
struct Opening {
    op: OpId,
    enhanced: bool,
    channels: Vec<(ChannelKey, Option<Result<OpenedChannel, OpenFailure>>)>,
}

/// SDUs of one channel: those that it has taken, and those that wait for a place in it.
#[derive(Debug, Default)]
struct Sending {
    taken: VecDeque<OpId>,
    waiting: VecDeque<(OpId, Bytes)>,
}

impl LinkChannels {
    /// For a request on the signalling channel that is not about channels.
    pub(super) fn next_identifier(&mut self) -> u8 {
        self.channels.next_identifier()
    }

    fn begin(
        &mut self,
        now: Instant,
        op: OpId,
        request: ChannelRequest,
        out: &mut Out<'_>,
    ) -> Result<(), ChannelError> {
        match request {
            ChannelRequest::Open { spsm, options, .. } => {
                let key = self.channels.open(now, spsm, options)?;
                self.opening.push(Opening { op, enhanced: false, channels: vec![(key, None)] });
            }
            ChannelRequest::OpenEnhanced { spsm, options, count, .. } => {
                let keys = self.channels.open_enhanced(now, spsm, options, count)?;
                let channels = keys.into_iter().map(|key| (key, None)).collect();
                self.opening.push(Opening { op, enhanced: true, channels });
            }
            ChannelRequest::Send { channel, sdu, .. } => {
                let mtu = self.channels.mtu(channel).ok_or(SendError::NotOpen)?;
                if sdu.len() > usize::from(mtu) {
                    return Err(SendError::TooLong { length: sdu.len(), mtu }.into());
                }
                self.sending.entry(channel).or_default().waiting.push_back((op, sdu));
                self.fill(channel, out);
            }
            ChannelRequest::Close { channel, .. } => {
                let open = self.channels.mtu(channel).is_some();
                if open || self.closing.iter().any(|(_, closing)| *closing == channel) {
                    self.closing.push((op, channel));
                } else {
                    out.done(op, Ok(Output::Done));
                }
                self.channels.close(now, channel);
                if let Some(sending) = self.sending.remove(&channel) {
                    sending.fail(&ChannelError::Closed(CloseReason::Local).into(), out);
                }
            }
            ChannelRequest::Reconfigure { channels, mtu, mps, .. } => {
                self.channels.reconfigure(now, &channels, mtu, mps)?;
                self.reconfiguring = Some(op);
            }
            ChannelRequest::Listen { .. } | ChannelRequest::StopListening { .. } => {}
        }
        Ok(())
    }

    /// Gives a channel what waits, as far as it takes it.
    fn fill(&mut self, channel: ChannelKey, out: &mut Out<'_>) {
        let Some(sending) = self.sending.get_mut(&channel) else { return };
        while let Some((op, sdu)) = sending.waiting.pop_front() {
            match self.channels.send(channel, sdu) {
                Ok(()) => sending.taken.push_back(op),
                Err(SendError::Full(sdu)) => return sending.waiting.push_front((op, sdu)),
                Err(error) => out.done(op, Err(ChannelError::from(error).into())),
            }
        }
    }

    /// Gives a request up: a channel that is being opened is not wanted any more, and an SDU whose first K-frame did
    /// not go out never goes. Whether that was so.
    pub(super) fn cancel(&mut self, now: Instant, op: OpId) -> bool {
        if let Some(at) = self.opening.iter().position(|opening| opening.op == op) {
            for (channel, _) in self.opening.swap_remove(at).channels {
                self.channels.close(now, channel);
            }
            return true;
        }
        for (channel, sending) in &mut self.sending {
            if let Some(at) = sending.waiting.iter().position(|(waiting, _)| *waiting == op) {
                sending.waiting.remove(at);
                return true;
            }
            if let Some(at) = sending.taken.iter().position(|taken| *taken == op)
                && self.channels.withdraw(*channel, at)
            {
                sending.taken.remove(at);
                return true;
            }
        }
        false
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.channels.deadline()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.channels.handle_timeout(now);
    }

    /// Takes a signal; `false` when it is about something else.
    pub(super) fn handle_signal(
        &mut self,
        now: Instant,
        payload: &[u8],
        servers: &Servers,
        security: LinkSecurity,
    ) -> bool {
        self.channels.handle_signal(now, payload, servers, security)
    }

    pub(super) fn handle_frame(&mut self, now: Instant, frame: &Frame) {
        self.channels.handle_frame(now, frame.clone());
    }

    /// The channels themselves, some of which are bearers of ATT.
    pub(super) fn credit(&mut self) -> &mut CreditChannels {
        &mut self.channels
    }

    /// The link is down: whoever waits is told.
    pub(super) fn close(&mut self, reason: ErrorCode, out: &mut Out<'_>) {
        let down = OpError::Disconnected { reason };
        let opening = std::mem::take(&mut self.opening).into_iter().map(|opening| opening.op);
        for op in opening.chain(self.reconfiguring.take()) {
            out.done(op, Err(down.clone()));
        }
        for sending in std::mem::take(&mut self.sending).into_values() {
            sending.fail(&down, out);
        }
        for (op, _) in std::mem::take(&mut self.closing) {
            out.done(op, Ok(Output::Done));
        }
        self.channels.handle_link_lost();
    }

    /// Brings what the channels tell to whoever waits for it.
    pub(super) fn on_event(&mut self, id: ConnectionId, event: credit::Event, out: &mut Out<'_>) {
        match event {
            credit::Event::Opened { channel, spsm, by_peer: true, mtu } => {
                let channel = OpenedChannel { key: channel, mtu };
                out.channel(ChannelEvent::Opened { connection: id, spsm, channel });
            }
            credit::Event::Opened { channel, mtu, .. } => {
                self.on_answer(channel, Ok(OpenedChannel { key: channel, mtu }), out);
            }
            credit::Event::Refused { channel, reason } => self.on_answer(channel, Err(reason), out),
            credit::Event::Received { channel } => {
                out.channel(ChannelEvent::Received { connection: id, channel });
            }
            credit::Event::Sent { channel } => {
                let sending = self.sending.get_mut(&channel);
                if let Some(op) = sending.and_then(|sending| sending.taken.pop_front()) {
                    out.done(op, Ok(Output::Done));
                }
                self.fill(channel, out);
            }
            credit::Event::PeerReconfigured { channel, mtu } => {
                out.channel(ChannelEvent::PeerReconfigured { connection: id, channel, mtu });
            }
            credit::Event::Reconfigured { result, .. } => {
                if let Some(op) = self.reconfiguring.take() {
                    let result = result.map(|()| Output::Done);
                    out.done(op, result.map_err(|failure| ChannelError::from(failure).into()));
                }
            }
            credit::Event::Closed { channel, reason } => self.on_closed(id, channel, reason, out),
        }
    }

    /// The peer's answer for one channel of ours; the request is over with the last one.
    fn on_answer(
        &mut self,
        channel: ChannelKey,
        answer: Result<OpenedChannel, OpenFailure>,
        out: &mut Out<'_>,
    ) {
        let Some(at) = self.opening.iter().position(|opening| opening.has(channel)) else { return };
        let opening = &mut self.opening[at];
        for (_, result) in opening.channels.iter_mut().filter(|(key, _)| *key == channel) {
            *result = Some(answer);
        }
        if opening.channels.iter().all(|(_, result)| result.is_some()) {
            let Opening { op, enhanced, channels } = self.opening.swap_remove(at);
            let mut results = channels.into_iter().filter_map(|(_, result)| result);
            let result = match enhanced {
                true => Ok(Output::Channels(results.collect())),
                false => match results.next().unwrap_or(Err(OpenFailure::InvalidResponse)) {
                    Ok(opened) => Ok(Output::Channel(opened)),
                    Err(failure) => Err(ChannelError::from(failure).into()),
                },
            };
            out.done(op, result);
        }
    }

    fn on_closed(&mut self, id: ConnectionId, channel: ChannelKey, reason: CloseReason, out: &mut Out<'_>) {
        if self.opening.iter().any(|opening| opening.has(channel)) {
            // By the answer that has opened it: its user never knows of it.
            return self.on_answer(channel, Err(OpenFailure::InvalidResponse), out);
        }
        if let Some(sending) = self.sending.remove(&channel) {
            sending.fail(&ChannelError::Closed(reason).into(), out);
        }
        for (op, _) in self.closing.extract_if(.., |(_, closing)| *closing == channel) {
            out.done(op, Ok(Output::Done));
        }
        let unread = std::iter::from_fn(|| self.channels.take(channel)).collect();
        out.channel(ChannelEvent::Closed { connection: id, channel, reason, unread });
    }
}

impl Opening {
    fn has(&self, channel: ChannelKey) -> bool {
        self.channels.iter().any(|(key, _)| *key == channel)
    }
}

impl Sending {
    fn fail(self, error: &OpError, out: &mut Out<'_>) {
        for op in self.taken.into_iter().chain(self.waiting.into_iter().map(|(op, _)| op)) {
            out.done(op, Err(error.clone()));
        }
    }
}

impl Link {
    /// Hands on what the channels have to say and to send, while the controller keeps up. A link whose user does not
    /// know of it yet has them wait.
    pub(super) fn pump_channels(&mut self, now: Instant, out: &mut Out<'_>) {
        if !self.is_ready() {
            return;
        }
        self.bring_channel_events(now, out);
        while out.acl.waiting(self.handle) < WRITE_WINDOW {
            let Some(frame) = self.channels.channels.poll_frame() else { return };
            self.send(frame.channel, &frame.payload, out);
            self.bring_channel_events(now, out);
        }
    }

    fn bring_channel_events(&mut self, now: Instant, out: &mut Out<'_>) {
        while let Some(event) = self.channels.credit().poll_event() {
            if let Some(event) = self.on_channel_event(now, event, out) {
                self.channels.on_event(self.id, event, out);
            }
        }
    }
}

impl Out<'_> {
    fn channel(&mut self, event: ChannelEvent) {
        self.events.push_back(Event::Channel(event));
    }
}
