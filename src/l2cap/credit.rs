//! LE credit-based channels of one link, those of the enhanced variant too ([Vol 3] Part A, 4.22 to 4.28 and 10).
//!
//! [`CreditChannels`] owns the channels of a link: their CIDs, credits, SDUs in parts, and our requests that the peer
//! has not answered. Whoever drives it brings frames ([`handle_signal`](CreditChannels::handle_signal),
//! [`handle_frame`](CreditChannels::handle_frame)) and time ([`handle_timeout`](CreditChannels::handle_timeout)), then
//! takes frames to send and events. It sends nothing itself, has no clock, and never holds more than the
//! [`ChannelOptions`] of its channels allow: credits go back to the peer only for SDUs that were taken.
//!
//! ```
//! use baretooth::Instant;
//! use baretooth::l2cap::ChannelId;
//! use baretooth::l2cap::credit::*;
//!
//! let (mut client, mut server) = (CreditChannels::default(), CreditChannels::default());
//! let (mut servers, none) = (Servers::default(), Servers::default());
//! let options = ChannelOptions::default();
//! servers.listen(0x0080, Server { options, security: RequiredSecurity::None, most: 1 }).expect("a free SPSM");
//! let channel = client.open(Instant::START, 0x0080, options).expect("a free CID");
//!
//! # fn carry(from: &mut CreditChannels, to: &mut CreditChannels, servers: &Servers) {
//! while let Some(frame) = from.poll_frame() {
//!     if frame.channel == ChannelId::Signaling {
//!         to.handle_signal(Instant::START, &frame.payload, servers, LinkSecurity::default());
//!     } else {
//!         to.handle_frame(Instant::START, frame);
//!     }
//! }
//! # }
//! # carry(&mut client, &mut server, &servers);
//! # carry(&mut server, &mut client, &none);
//! # let _ = client.poll_event();
//! client.send(channel, "ping".into()).expect("open");
//! # carry(&mut client, &mut server, &servers);
//! let Some(Event::Opened { channel, .. }) = server.poll_event() else { panic!() };
//! assert_eq!(server.take(channel).as_deref(), Some(&b"ping"[..]));
//! ```

mod channel;
mod server;
mod signals;
#[cfg(test)]
mod tests;
mod types;

pub use server::{LinkEncryption, LinkSecurity, ListenError, RequiredSecurity, Server, Servers};
pub use types::{
    ChannelKey, ChannelOptions, CloseReason, Event, InvalidOptions, OpenError, OpenFailure, ReconfigureError,
    ReconfigureFailure, SendError, Violation,
};

use super::signaling::{self, SignalingCommand};
use super::{ChannelId, Frame};
use crate::Instant;
use crate::codec::{HexInt, Tail};
use bytes::Bytes;
use channel::{Channel, Receiver, Sender, State};
use signaling::{ReconfigureResult, RejectReason};
use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The least MTU and MPS of a channel, and of an enhanced one ([Vol 3] Part A, 4.22 and 4.25).
const MIN_SIZE: u16 = 23;
const MIN_ENHANCED: u16 = 64;

/// The largest MPS: a K-frame's length has 16 bits, as that of its SDU in it.
const MAX_MPS: u16 = 65533;

/// CIDs that are given to channels of LE ([Vol 3] Part A, 2.1).
const DYNAMIC: RangeInclusive<u16> = 0x0040..=0x007F;

/// Channels that one enhanced request is for.
const MOST_AT_ONCE: usize = 5;

/// RTX: how long the peer may take to answer ([Vol 3] Part A, 6.2.1 has 1 to 60 s).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// ERTX: how long it may take once it has said that it needs longer ([Vol 3] Part A, 6.2.2 has 60 to 300 s).
const PENDING_TIMEOUT: Duration = Duration::from_secs(60);

/// Signals that may wait to be sent before requests of the peer get no answers.
const MOST_SIGNALS: usize = 128;

/// The channels of one link. See the [module](self).
#[derive(Debug, Default)]
pub struct CreditChannels {
    /// By our CIDs.
    channels: BTreeMap<u16, Channel>,
    /// Our requests by their identifiers. Each channel is in one at most, reconfigurations apart, of which there is
    /// one: far fewer than identifiers.
    pending: BTreeMap<u8, Pending>,
    signals: VecDeque<Bytes>,
    events: VecDeque<Event>,
    last_serial: u64,
    last_cid: u16,
    last_identifier: u8,
    /// Our CID of the last K-frame: channels take turns.
    last_served: u16,
}

#[derive(Debug)]
struct Pending {
    what: Request,
    deadline: Instant,
    /// The peer has asked for more time.
    extended: bool,
}

#[derive(Debug)]
enum Request {
    Open(u16),
    OpenEnhanced(Vec<u16>),
    Disconnect(u16),
    Reconfigure { channels: Vec<ChannelKey>, mps: u16 },
}

impl CreditChannels {
    /// Asks the peer for a channel; [`Event::Opened`] or [`Event::Refused`] follows.
    ///
    /// # Errors
    /// When no such channel can be asked for; nothing has changed then.
    pub fn open(
        &mut self,
        now: Instant,
        spsm: u16,
        options: ChannelOptions,
    ) -> Result<ChannelKey, OpenError> {
        options.check(MIN_SIZE)?;
        let cids = self.allocate_for_us(spsm, options, 1, false)?;
        let &[cid] = cids.as_slice() else { return Err(OpenError::NoChannels) };
        let request = signaling::LeCreditBasedConnectionReq {
            spsm: HexInt(spsm),
            source_cid: HexInt(cid),
            mtu: options.mtu,
            mps: options.mps,
            initial_credits: options.credits,
        };
        self.request(now, request.into(), Request::Open(cid));
        self.key(cid).ok_or(OpenError::NoChannels)
    }

    /// Asks the peer for 1 to 5 enhanced channels at once; an event follows for each.
    ///
    /// # Errors
    /// When no such channels can be asked for; nothing has changed then.
    pub fn open_enhanced(
        &mut self,
        now: Instant,
        spsm: u16,
        options: ChannelOptions,
        count: usize,
    ) -> Result<Vec<ChannelKey>, OpenError> {
        options.check(MIN_ENHANCED)?;
        if !(1..=MOST_AT_ONCE).contains(&count) {
            return Err(OpenError::Count(count));
        }
        let cids = self.allocate_for_us(spsm, options, count, true)?;
        let source_cids: Vec<_> = cids.iter().copied().map(HexInt).collect();
        let request = signaling::CreditBasedConnectionReq {
            spsm: HexInt(spsm),
            mtu: options.mtu,
            mps: options.mps,
            initial_credits: options.credits,
            source_cids: Tail::new(&source_cids),
        };
        let keys = self.keys(&cids);
        self.request(now, request.into(), Request::OpenEnhanced(cids));
        Ok(keys)
    }

    /// Gives an SDU to send; [`Event::Sent`] follows when the peer's credits have let all of it out.
    ///
    /// # Errors
    /// When it is too long, enough wait already, or the channel is not open.
    pub fn send(&mut self, channel: ChannelKey, sdu: Bytes) -> Result<(), SendError> {
        match self.get_mut(channel) {
            Some(channel) if channel.state == State::Open => channel.sender.push(sdu),
            _ => Err(SendError::NotOpen),
        }
    }

    /// Takes back an SDU that was given to send, the `nth` from 0 of those that [`Event::Sent`] was not said of, unless
    /// it has begun to go. Whether it was there.
    pub fn withdraw(&mut self, channel: ChannelKey, nth: usize) -> bool {
        self.get_mut(channel).is_some_and(|it| it.sender.withdraw(nth))
    }

    /// The next SDU that was received. The peer may send as much again, as soon as [`poll_frame`](Self::poll_frame)
    /// has told it: so it sends as fast as SDUs are taken.
    pub fn take(&mut self, channel: ChannelKey) -> Option<Bytes> {
        let it = self.get_mut(channel)?;
        let sdu = it.receiver.take()?;
        if it.state == State::Ended && it.receiver.is_empty() {
            self.channels.remove(&channel.cid);
        }
        Some(sdu)
    }

    /// The longest SDU that the peer takes, while the channel is open.
    pub fn mtu(&self, channel: ChannelKey) -> Option<u16> {
        let it = self.channels.get(&channel.cid)?;
        (it.serial == channel.serial && it.state == State::Open).then_some(it.sender.mtu)
    }

    /// Ends a channel: what waits to be sent or taken is dropped. [`Event::Closed`] follows when the peer has
    /// confirmed, for a channel that was open.
    pub fn close(&mut self, now: Instant, channel: ChannelKey) {
        let Some(it) = self.get_mut(channel) else { return };
        it.receiver.clear();
        match it.state {
            State::Opening => it.state = State::Abandoned,
            State::Open => self.disconnect(now, channel.cid, Some(CloseReason::Local)),
            State::Ended => {
                self.channels.remove(&channel.cid);
            }
            State::Abandoned | State::Disconnecting(_) => {}
        }
    }

    /// Asks the peer to let enhanced channels take longer SDUs or other K-frames; [`Event::Reconfigured`] follows.
    ///
    /// # Errors
    /// When the specification does not allow it; nothing has changed then.
    pub fn reconfigure(
        &mut self,
        now: Instant,
        channels: &[ChannelKey],
        mtu: u16,
        mps: u16,
    ) -> Result<(), ReconfigureError> {
        ChannelOptions { mtu, mps, credits: 1 }.check(MIN_ENHANCED)?;
        if !(1..=MOST_AT_ONCE).contains(&channels.len()) {
            return Err(ReconfigureError::Count(channels.len()));
        }
        if self.pending.values().any(|pending| matches!(pending.what, Request::Reconfigure { .. })) {
            return Err(ReconfigureError::Busy);
        }
        let mut sizes = Vec::new();
        for &key in channels {
            match self.get_mut(key) {
                Some(it) if it.state == State::Open && it.enhanced => {
                    sizes.push((it.receiver.mtu, it.receiver.mps));
                }
                _ => return Err(ReconfigureError::NotEnhanced(key)),
            }
        }
        if let Some(refused) = refuses_sizes(&sizes, mtu, mps) {
            return Err(ReconfigureError::Reduction(refused));
        }
        for &key in channels {
            if let Some(it) = self.get_mut(key) {
                // The peer may use the new sizes as soon as it has answered, before we have the answer.
                it.receiver.mtu = mtu;
                it.receiver.mps = it.receiver.mps.max(mps);
            }
        }
        let destination_cids: Vec<_> = channels.iter().map(|key| HexInt(key.cid)).collect();
        let destination_cids = Tail::new(&destination_cids);
        let request = signaling::CreditBasedReconfigureReq { mtu, mps, destination_cids };
        let channels = channels.to_vec();
        self.request(now, request.into(), Request::Reconfigure { channels, mps });
        Ok(())
    }

    /// Takes a frame of a channel; one of no open channel is dropped ([Vol 3] Part A, 2.1).
    pub fn handle_frame(&mut self, now: Instant, frame: Frame) {
        let cid = frame.channel.0;
        let Some(it) = self.channels.get_mut(&cid).filter(|it| it.state == State::Open) else { return };
        match it.receiver.on_frame(frame.payload) {
            Ok(false) => {}
            Ok(true) => self.tell(cid, |channel| Event::Received { channel }),
            Err(violation) => self.fail(now, cid, violation),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.values().map(|pending| pending.deadline).min()
    }

    /// Gives up on what the peer has not answered by now.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late: Vec<u8> = self
            .pending
            .iter()
            .filter(|(_, p)| p.deadline <= now)
            .map(|(&identifier, _)| identifier)
            .collect();
        for identifier in late {
            if let Some(pending) = self.pending.remove(&identifier) {
                self.unanswered(pending.what, OpenFailure::TimedOut, ReconfigureFailure::TimedOut);
            }
        }
    }

    /// Ends everything: the link is gone. What was received whole can still be taken.
    pub fn handle_link_lost(&mut self) {
        for pending in std::mem::take(&mut self.pending).into_values() {
            self.unanswered(pending.what, OpenFailure::LinkLost, ReconfigureFailure::LinkLost);
        }
        self.signals.clear();
        let all: Vec<u16> = self.channels.keys().copied().collect();
        for cid in all {
            self.end(cid, CloseReason::LinkLost);
        }
    }

    /// The next frame to send: signals first, then credits, then the channels in turn. Whoever polls only while the
    /// controller takes packets needs no other limit.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        if self.signals.is_empty() {
            self.grant();
        }
        if let Some(payload) = self.signals.pop_front() {
            return Some(Frame { channel: ChannelId::Signaling, payload });
        }
        let ready = |(cid, it): (&u16, &Channel)| it.sender.is_ready().then_some(*cid);
        let after = self.last_served.saturating_add(1);
        let cid = self.channels.range(after..).find_map(ready);
        let cid = cid.or_else(|| self.channels.range(..after).find_map(ready))?;
        self.last_served = cid;
        let it = self.channels.get_mut(&cid)?;
        let (payload, last) = it.sender.next()?;
        let remote = it.remote?;
        if last {
            self.tell(cid, |channel| Event::Sent { channel });
        }
        Some(Frame { channel: ChannelId(remote), payload })
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// One channel's credits as a signal, if one is to get some.
    fn grant(&mut self) {
        let granted = self.channels.iter_mut().filter(|(_, it)| it.state == State::Open);
        let granted =
            granted.map(|(cid, it)| (*cid, it.receiver.grant())).find(|(_, credits)| credits.is_some());
        if let Some((cid, Some(credits))) = granted {
            let identifier = self.identifier();
            let indication = signaling::FlowControlCreditInd { cid: HexInt(cid), credits };
            self.signals.push_back(SignalingCommand::from(indication).to_bytes(identifier));
        }
    }

    /// Ends an open channel because of the peer.
    fn fail(&mut self, now: Instant, cid: u16, violation: Violation) {
        tracing::warn!(cid, %violation, "channel closed");
        self.tell(cid, |channel| Event::Closed { channel, reason: CloseReason::Violation(violation) });
        self.disconnect(now, cid, None);
    }

    /// Asks the peer to end a channel that has a CID there, and says so when that is done.
    fn disconnect(&mut self, now: Instant, cid: u16, announce: Option<CloseReason>) {
        let Some(it) = self.channels.get_mut(&cid) else { return };
        let Some(remote) = it.remote else { return };
        it.stop();
        it.state = State::Disconnecting(announce);
        let request =
            signaling::DisconnectionReq { destination_cid: HexInt(remote), source_cid: HexInt(cid) };
        self.request(now, request.into(), Request::Disconnect(cid));
    }

    /// A channel is over at both ends: stays for what is to be taken, else its CID is free.
    fn end(&mut self, cid: u16, reason: CloseReason) {
        let Some(it) = self.channels.get_mut(&cid) else { return };
        it.stop();
        let empty = it.receiver.is_empty();
        let announce = match std::mem::replace(&mut it.state, State::Ended) {
            State::Open => Some(reason),
            State::Disconnecting(announce) => announce,
            State::Opening | State::Abandoned | State::Ended => None,
        };
        if let Some(reason) = announce {
            self.tell(cid, |channel| Event::Closed { channel, reason });
        }
        if empty {
            self.channels.remove(&cid);
        }
    }

    /// A channel of ours does not come to be.
    fn refuse(&mut self, cid: u16, reason: OpenFailure) {
        if self.channels.get(&cid).is_some_and(|it| it.state == State::Opening) {
            self.tell(cid, |channel| Event::Refused { channel, reason });
        }
        self.channels.remove(&cid);
    }

    /// A request of ours has no answer of its own kind.
    fn unanswered(&mut self, request: Request, open: OpenFailure, reconfigure: ReconfigureFailure) {
        match request {
            Request::Open(cid) => self.refuse(cid, open),
            Request::OpenEnhanced(cids) => cids.into_iter().for_each(|cid| self.refuse(cid, open)),
            Request::Disconnect(cid) => self.end(cid, CloseReason::Local),
            Request::Reconfigure { channels, .. } => {
                self.events.push_back(Event::Reconfigured { channels, result: Err(reconfigure) });
            }
        }
    }

    fn request(&mut self, now: Instant, command: SignalingCommand<'_>, what: Request) {
        let identifier = self.identifier();
        self.signals.push_back(command.to_bytes(identifier));
        self.pending.insert(identifier, Pending { what, deadline: now + REQUEST_TIMEOUT, extended: false });
    }

    /// For a request of somebody else's on the signalling channel, so that no two have the same.
    pub(crate) fn next_identifier(&mut self) -> u8 {
        self.identifier()
    }

    /// One that no request of ours has.
    fn identifier(&mut self) -> u8 {
        let mut next = self.last_identifier.checked_add(1).unwrap_or(1);
        while self.pending.contains_key(&next) && next != self.last_identifier {
            next = next.checked_add(1).unwrap_or(1);
        }
        self.last_identifier = next;
        next
    }

    /// CIDs for channels that the peer is asked for: all or none.
    fn allocate_for_us(
        &mut self,
        spsm: u16,
        options: ChannelOptions,
        count: usize,
        enhanced: bool,
    ) -> Result<Vec<u16>, OpenError> {
        if !server::is_spsm(spsm) {
            return Err(OpenError::InvalidSpsm(spsm));
        }
        if DYNAMIC.count() - self.channels.len() < count {
            return Err(OpenError::NoChannels);
        }
        let channel = || Channel {
            serial: 0,
            spsm,
            remote: None,
            enhanced,
            by_peer: false,
            state: State::Opening,
            sender: Sender::default(),
            receiver: Receiver::new(&options),
        };
        Ok((0..count).filter_map(|_| self.insert(channel())).collect())
    }

    /// Gives a channel a CID, the one not used for longest or nearly so: late frames of the channel before it are
    /// not taken for its own.
    fn insert(&mut self, mut channel: Channel) -> Option<u16> {
        let free = |cid: &u16| !self.channels.contains_key(cid);
        let after = self.last_cid.saturating_add(1).max(*DYNAMIC.start());
        let cid = (after..=*DYNAMIC.end()).chain(DYNAMIC).find(free)?;
        self.last_cid = cid;
        self.last_serial += 1;
        channel.serial = self.last_serial;
        self.channels.insert(cid, channel);
        Some(cid)
    }

    fn get_mut(&mut self, key: ChannelKey) -> Option<&mut Channel> {
        self.channels.get_mut(&key.cid).filter(|channel| channel.serial == key.serial)
    }

    fn key(&self, cid: u16) -> Option<ChannelKey> {
        self.channels.get(&cid).map(|channel| ChannelKey { cid, serial: channel.serial })
    }

    fn keys(&self, cids: &[u16]) -> Vec<ChannelKey> {
        cids.iter().filter_map(|&cid| self.key(cid)).collect()
    }

    fn tell(&mut self, cid: u16, event: impl FnOnce(ChannelKey) -> Event) {
        self.events.extend(self.key(cid).map(event));
    }
}

/// What is wrong with new sizes of channels that have these, as MTU and MPS ([Vol 3] Part A, 4.28).
fn refuses_sizes(sizes: &[(u16, u16)], mtu: u16, mps: u16) -> Option<ReconfigureResult> {
    if sizes.iter().any(|&(old, _)| mtu < old) {
        return Some(ReconfigureResult::ReductionInSizeOfMtuNotAllowed);
    }
    let reduced = sizes.iter().filter(|&&(_, old)| mps < old).count();
    (reduced > 1).then_some(ReconfigureResult::ReductionInSizeOfMpsNotAllowedForMoreThanOneChannelAtATime)
}
