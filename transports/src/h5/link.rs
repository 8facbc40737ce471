//! One end of a three-wire link: how it is established ([Vol 4] Part D, 8), what is sent next, what was received.

use super::frame::{ACKNOWLEDGEMENT, Frame, LINK_CONTROL, MAX_FRAME, MAX_PAYLOAD, SEQUENCE_MASK};
use super::slip::Slip;
use super::window::Window;
use crate::{HciPacket, PacketIndicator};
use std::{collections::VecDeque, time::Duration};

/// Which end of the line this is: the controller decides on what both can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that commands.
    Host,
    /// The end that answers.
    Controller,
}

/// What an end of a link can, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which end this is.
    pub role: Role,
    /// Packets that may be on their way without acknowledgement, 1 to 7; other numbers count as the nearest of these.
    pub window: u8,
    /// Protect frames by a CRC if the other end can.
    pub crc: bool,
    /// How long an acknowledgement may take before packets are sent again. It must be longer than the line needs for
    /// one long frame each way.
    pub patience: Duration,
    /// After so many attempts without any sign of the other end the link is lost.
    pub attempts: u32,
}

impl Options {
    /// A window of 7, a CRC, 250 ms, 20 attempts.
    pub fn new(role: Role) -> Self {
        Self { role, window: 7, crc: true, patience: Duration::from_millis(250), attempts: 20 }
    }
}

/// How far the link is established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// The other end has not been heard.
    Uninitialized,
    /// The other end is there; what both can is being settled.
    Initialized,
    /// Packets go both ways.
    Active,
}

/// Why a link has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The other end has started anew, and knows nothing of what was before.
    #[error("the other end has restarted")]
    Reset,
    /// The other end does not acknowledge any more.
    #[error("the other end does not answer any more")]
    Silent,
}

/// One end of a three-wire link. Time is what has passed since any fixed moment.
///
/// ```
/// use baretooth_transports::{HciPacket, h5::{H5, LinkState, Options, Role}};
/// use std::time::Duration;
/// let mut host = H5::new(Options::new(Role::Host));
/// let mut controller = H5::new(Options::new(Role::Controller));
/// let now = Duration::ZERO;
/// let mut exchange = |host: &mut H5, controller: &mut H5| loop {
///     match (host.poll_transmit(now), controller.poll_transmit(now)) {
///         (None, None) => break,
///         (to_controller, to_host) => {
///             controller.handle_octets(now, &to_controller.unwrap_or_default());
///             host.handle_octets(now, &to_host.unwrap_or_default());
///         }
///     }
/// };
/// exchange(&mut host, &mut controller);
/// assert_eq!(host.state(), LinkState::Active);
/// let reset = HciPacket::command(0x0C03, &[])?;
/// assert!(host.has_room() && host.submit(reset.clone()).is_ok());
/// exchange(&mut host, &mut controller);
/// assert_eq!(controller.poll_packet(), Some(reset));
/// # Ok::<(), baretooth_transports::PacketError>(())
/// ```
#[derive(Debug)]
pub struct H5 {
    options: Options,
    slip: Slip,
    state: LinkState,
    lost: Option<Lost>,
    /// When SYNC, CONFIG or WAKEUP is to be sent again.
    announce_at: Duration,
    owed: Owed,
    /// What both ends can, as far as that is settled.
    agreed: Agreed,
    reliable: Window,
    unreliable: VecDeque<HciPacket>,
    /// The sequence number that is to come next.
    expected: u8,
    received: VecDeque<HciPacket>,
    /// The other end sleeps and must be woken before anything is sent to it.
    asleep: bool,
    /// Frames other than link control have come.
    exchanged: bool,
    /// Retransmissions and wake-ups since the other end was last heard.
    attempts: u32,
}

/// Answers to be sent: one of each kind at most, however often they were asked for.
#[derive(Debug, Default)]
struct Owed {
    sync_response: bool,
    config_response: bool,
    woken: bool,
    acknowledgement: bool,
}

#[derive(Clone, Copy, Debug)]
struct Agreed {
    window: u8,
    crc: bool,
}

/// Link control messages ([Vol 4] Part D, 8).
mod message {
    pub(super) const SYNC: [u8; 2] = [0x01, 0x7E];
    pub(super) const SYNC_RESPONSE: [u8; 2] = [0x02, 0x7D];
    pub(super) const CONFIG: [u8; 2] = [0x03, 0xFC];
    pub(super) const CONFIG_RESPONSE: [u8; 2] = [0x04, 0x7B];
    pub(super) const WAKEUP: [u8; 2] = [0x05, 0xFA];
    pub(super) const WOKEN: [u8; 2] = [0x06, 0xF9];
    pub(super) const SLEEP: [u8; 2] = [0x07, 0x78];
}

/// Between two of SYNC, CONFIG or WAKEUP.
const ANNOUNCE_PERIOD: Duration = Duration::from_millis(250);
/// Packets that wait to be taken; beyond them reliable ones are not acknowledged, and come again.
const RECEIVED_LIMIT: usize = 64;
/// Packets of the unreliable kind that wait to be sent.
const UNRELIABLE_LIMIT: usize = 8;

impl H5 {
    /// An end that begins to look for the other.
    pub fn new(options: Options) -> Self {
        Self {
            options: Options { window: options.window.clamp(1, 7), ..options },
            slip: Slip::new(MAX_FRAME),
            state: LinkState::Uninitialized,
            lost: None,
            announce_at: Duration::ZERO,
            owed: Owed::default(),
            agreed: Agreed { window: 1, crc: false },
            reliable: Window::default(),
            unreliable: VecDeque::new(),
            expected: 0,
            received: VecDeque::new(),
            asleep: false,
            exchanged: false,
            attempts: 0,
        }
    }

    /// How far the link is established.
    pub fn state(&self) -> LinkState {
        self.state
    }

    /// Why the link has ended, once it has. Nothing more is sent or received then.
    pub fn lost(&self) -> Option<Lost> {
        self.lost
    }

    /// Packets that may be on their way, and whether frames have a CRC, as both ends have settled.
    pub fn agreement(&self) -> (u8, bool) {
        (self.agreed.window, self.agreed.crc)
    }

    /// The most that one packet may have behind its indicator octet.
    pub const MAX_PACKET: usize = MAX_PAYLOAD;

    /// Whether [`submit`](Self::submit) takes a packet now.
    pub fn has_room(&self) -> bool {
        let has_room = self.reliable.len() < usize::from(self.agreed.window);
        self.is_active() && has_room && self.unreliable.len() < UNRELIABLE_LIMIT
    }

    /// Whether everything that was submitted has arrived.
    pub fn is_idle(&self) -> bool {
        self.reliable.len() == 0 && self.unreliable.is_empty()
    }

    /// Takes a packet to be sent.
    ///
    /// # Errors
    /// The packet, when it is longer than [`MAX_PACKET`](Self::MAX_PACKET), or when there is no room for it.
    pub fn submit(&mut self, packet: HciPacket) -> Result<(), HciPacket> {
        if !self.has_room() || packet.len() - 1 > Self::MAX_PACKET {
            return Err(packet);
        }
        match packet.indicator() {
            // Late, it would be of no use any more.
            PacketIndicator::SynchronousData => self.unreliable.push_back(packet),
            _ => self.reliable.push(packet),
        }
        Ok(())
    }

    /// Whether there is a packet to be taken.
    pub fn has_packet(&self) -> bool {
        !self.received.is_empty()
    }

    /// The next packet that was received.
    pub fn poll_packet(&mut self) -> Option<HciPacket> {
        self.received.pop_front()
    }

    /// Takes octets from the line, in any pieces.
    pub fn handle_octets(&mut self, now: Duration, octets: &[u8]) {
        for &octet in octets {
            if let Some(frame) = self.slip.push(octet)
                && self.lost.is_none()
                && let Ok(frame) = Frame::parse(frame)
            {
                self.on_frame(now, frame);
            }
        }
    }

    /// When [`handle_time`](Self::handle_time) is to be called and something may be to be sent, if nothing comes
    /// before.
    pub fn poll_deadline(&self) -> Option<Duration> {
        if self.lost.is_some() {
            return None;
        }
        let announce_at = self.announcement().map(|_| self.announce_at);
        [announce_at, self.reliable.deadline()].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn handle_time(&mut self, now: Duration) {
        if self.is_active() && self.reliable.on_time(now) {
            self.count_attempt();
        }
    }

    /// The next frame for the line, delimiters included; `None` until something happens. Take it when the line has
    /// room: acknowledgements are waited for from here.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.lost.is_some() {
            return None;
        }
        if let Some(payload) = self.next_link_control(now) {
            let packet_type = LINK_CONTROL;
            let frame = Frame { sequence: None, acknowledgement: 0, packet_type, payload, crc: false };
            return Some(frame.encode());
        }
        if !self.is_active() {
            return None;
        }
        let (acknowledgement, crc) = (self.expected, self.agreed.crc);
        let frame = |sequence, packet: Option<&HciPacket>| {
            let (packet_type, payload) = match packet.and_then(|packet| packet.as_slice().split_first()) {
                Some((indicator, payload)) => (*indicator, payload.to_vec()),
                None => (ACKNOWLEDGEMENT, Vec::new()),
            };
            Frame { sequence, acknowledgement, packet_type, payload, crc }.encode()
        };
        let line = if self.asleep {
            self.owed.acknowledgement.then(|| frame(None, None))
        } else if let Some(packet) = self.unreliable.pop_front() {
            Some(frame(None, Some(&packet)))
        } else if let Some((sequence, packet)) = self.reliable.send(now, self.options.patience) {
            Some(frame(Some(sequence), Some(packet)))
        } else {
            self.owed.acknowledgement.then(|| frame(None, None))
        };
        if line.is_some() {
            self.owed.acknowledgement = false;
        }
        line
    }

    fn is_active(&self) -> bool {
        self.state == LinkState::Active && self.lost.is_none()
    }

    /// What is to be said again and again until it is answered.
    fn announcement(&self) -> Option<[u8; 2]> {
        match self.state {
            LinkState::Uninitialized => Some(message::SYNC),
            LinkState::Initialized => Some(message::CONFIG),
            LinkState::Active => {
                let is_needed = self.asleep && (self.reliable.has_unsent() || !self.unreliable.is_empty());
                is_needed.then_some(message::WAKEUP)
            }
        }
    }

    fn next_link_control(&mut self, now: Duration) -> Option<Vec<u8>> {
        if std::mem::take(&mut self.owed.sync_response) {
            return Some(message::SYNC_RESPONSE.into());
        }
        if std::mem::take(&mut self.owed.config_response) {
            let field = (self.options.role == Role::Controller).then(|| self.agreed.field());
            return Some(message::CONFIG_RESPONSE.into_iter().chain(field).collect());
        }
        if std::mem::take(&mut self.owed.woken) {
            return Some(message::WOKEN.into());
        }
        let announcement = self.announcement().filter(|_| self.announce_at <= now)?;
        self.announce_at = now + ANNOUNCE_PERIOD;
        if announcement == message::WAKEUP {
            self.count_attempt();
        }
        let wish = Agreed { window: self.options.window, crc: self.options.crc };
        let field =
            (announcement == message::CONFIG && self.options.role == Role::Host).then(|| wish.field());
        Some(announcement.into_iter().chain(field).collect())
    }

    fn count_attempt(&mut self) {
        self.attempts += 1;
        if self.attempts > self.options.attempts {
            self.lost = Some(Lost::Silent);
        }
    }

    fn on_frame(&mut self, now: Duration, frame: Frame) {
        self.attempts = 0;
        if frame.packet_type == LINK_CONTROL {
            if frame.sequence.is_none() {
                self.on_link_control(now, &frame.payload);
            }
            return;
        }
        if !self.is_active() {
            return;
        }
        (self.exchanged, self.asleep) = (true, false);
        self.reliable.on_acknowledgement(frame.acknowledgement, now, self.options.patience);
        match frame.sequence {
            Some(sequence) => {
                // Whatever it was, the other end must learn what is expected now.
                self.owed.acknowledgement = true;
                if sequence == self.expected && self.take(frame) {
                    self.expected = (self.expected + 1) & SEQUENCE_MASK;
                }
            }
            None if frame.packet_type != ACKNOWLEDGEMENT => drop(self.take(frame)),
            None => {}
        }
    }

    /// Takes the packet of a frame; `false` when it must come again.
    fn take(&mut self, frame: Frame) -> bool {
        if self.received.len() >= RECEIVED_LIMIT {
            return false;
        }
        let mut octets = frame.payload;
        octets.insert(0, frame.packet_type);
        match HciPacket::new(octets) {
            Ok(packet) => {
                self.received.push_back(packet);
                true
            }
            // With a CRC it was sent like this, and would be again; without, a line error may have made it.
            Err(_) => frame.crc,
        }
    }

    fn on_link_control(&mut self, now: Duration, payload: &[u8]) {
        let Some((message, field)) = payload.split_first_chunk::<2>() else { return };
        let field = field.first().map(|field| Agreed::from_field(*field));
        match (*message, self.state) {
            // An end that has not got anything from us may not know yet that we are there.
            (message::SYNC, LinkState::Active) if self.exchanged => self.lost = Some(Lost::Reset),
            (message::SYNC, _) => self.owed.sync_response = true,
            (message::SYNC_RESPONSE, LinkState::Uninitialized) => self.enter(now, LinkState::Initialized),
            (message::CONFIG, LinkState::Initialized | LinkState::Active) => {
                if let Some(wish) = field
                    && self.options.role == Role::Controller
                {
                    self.agree(wish);
                }
                self.owed.config_response = true;
            }
            (message::CONFIG_RESPONSE, LinkState::Initialized) => {
                if let Some(answer) = field
                    && self.options.role == Role::Host
                {
                    self.agree(answer);
                }
                self.enter(now, LinkState::Active);
            }
            (message::WAKEUP, LinkState::Active) => (self.asleep, self.owed.woken) = (false, true),
            (message::WOKEN, LinkState::Active) => self.asleep = false,
            (message::SLEEP, LinkState::Active) => self.asleep = true,
            _ => {}
        }
    }

    fn enter(&mut self, now: Duration, state: LinkState) {
        (self.state, self.announce_at) = (state, now);
    }

    fn agree(&mut self, other: Agreed) {
        let window = self.options.window.min(other.window).max(1);
        self.agreed = Agreed { window, crc: self.options.crc && other.crc };
    }
}

/// The configuration field ([Vol 4] Part D, 8): window size in bits 0 to 2, CRC in bit 4. The version, in bits 5 to 7,
/// is 0, and software flow control, in bit 3, is not for us.
impl Agreed {
    fn field(self) -> u8 {
        self.window & 0x07 | if self.crc { 0x10 } else { 0 }
    }

    fn from_field(field: u8) -> Self {
        Self { window: field & 0x07, crc: field & 0x10 != 0 }
    }
}

#[cfg(test)]
mod tests;
