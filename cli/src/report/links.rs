//! Links from their beginning to their end, and what went on on each.

use super::pairing::Pairing;
use super::series::Series;
use super::spans::{Span, Spans};
use baretooth::att::{AttOpcode, pdu::PduKind};
use baretooth::capture::Direction;
use baretooth::capture::dissect::{Asked, What};
use baretooth::gatt::{CHARACTERISTIC, INCLUDE};
use baretooth::hci::{ConnectionHandle, ErrorCode, Role};
use baretooth::{Address, Phy};
use std::collections::{BTreeMap, BTreeSet};

/// A link of one adapter, while it lasts.
pub type Key = (Option<u16>, ConnectionHandle);

/// Every link of the capture, as many as are kept.
#[derive(Debug, Default)]
pub struct Links {
    pub links: Vec<Link>,
    up: BTreeMap<Key, Option<usize>>,
    /// Handles whose link has ended, until one begins again.
    ended: BTreeSet<Key>,
    /// Links that found no room.
    pub beyond: u64,
    /// How links ended.
    pub reasons: BTreeMap<ErrorCode, u64>,
}

/// Most links that are shown.
pub const MOST: usize = 64;
/// Most that are up at a time.
const MOST_UP: usize = 256;
/// Most pairings on one link.
const MOST_PAIRINGS: usize = 8;

/// One link.
#[derive(Debug)]
pub struct Link {
    pub adapter: Option<u16>,
    pub handle: ConnectionHandle,
    pub peer: Option<Address>,
    pub role: Option<Role>,
    pub classic: bool,
    /// When it began, in nanoseconds; `None` when that is not in the capture.
    pub start: Option<u64>,
    /// When it was last used.
    pub last: u64,
    /// When and why it ended.
    pub end: Option<(u64, Option<ErrorCode>)>,
    /// Interval in units of 1.25 ms, latency in events, time-out in units of 10 ms.
    pub timing: Option<[u16; 3]>,
    pub mtu: Option<u16>,
    pub phy: Option<[Phy; 2]>,
    pub data_length: Option<[u16; 2]>,
    pub encrypted: bool,
    pub sent: u64,
    pub received: u64,
    pub rows: BTreeMap<Row, Spans>,
    pub notifications: Series<u32>,
    pub notified: u64,
    pub pairings: Vec<Pairing>,
    /// The MTU that one side offered.
    offered: u16,
}

/// What goes on on a link, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// MTU, timing, PHY, data length.
    Setup,
    /// Pairing and encryption.
    Security,
    Discovery,
    Reads,
    Writes,
    /// Other channels, speech, streams.
    Other,
}

impl Row {
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "parameters",
            Self::Security => "security",
            Self::Discovery => "discovery",
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Other => "other data",
        }
    }

    /// Where it stands on the page.
    pub fn of(what: What) -> Self {
        match what {
            What::Type(opcode, uuid) if opcode.0 == 0x08 && uuid != CHARACTERISTIC && uuid != INCLUDE => {
                Self::Reads
            }
            What::Att(opcode) | What::Attribute(opcode, _) | What::Type(opcode, _) => match opcode.0 {
                0x02 => Self::Setup,
                0x04 | 0x06 | 0x08 | 0x10 => Self::Discovery,
                0x0A | 0x0C | 0x0E | 0x20 => Self::Reads,
                _ => Self::Writes,
            },
            _ => Self::Other,
        }
    }

    /// What is nearer to each other than that is shown as one.
    fn gap(self) -> u64 {
        match self {
            // People read and type numbers in between.
            Self::Security => 2_000_000_000,
            _ => 20_000_000,
        }
    }
}

impl Links {
    /// A link begins; what was on this handle before has ended unseen.
    pub fn begin(&mut self, key: Key, peer: Option<Address>, at: u64) -> Option<&mut Link> {
        self.end(key, at, None);
        self.ended.remove(&key);
        self.open(key, peer, Some(at), at)
    }

    /// The link of a handle. Without a beginning it began before the capture. `None` when there is no room, or the
    /// link has ended.
    pub fn get(&mut self, key: Key, at: u64) -> Option<&mut Link> {
        match self.up.get(&key) {
            Some(index) => index.and_then(|index| self.links.get_mut(index)),
            None if self.has_ended(key) => None,
            None => self.open(key, None, None, at),
        }
    }

    /// The link of a handle, when it is known.
    pub fn known(&mut self, key: Key) -> Option<&mut Link> {
        let index = (*self.up.get(&key)?)?;
        self.links.get_mut(index)
    }

    pub fn has_ended(&self, key: Key) -> bool {
        self.ended.contains(&key)
    }

    fn open(&mut self, key: Key, peer: Option<Address>, start: Option<u64>, at: u64) -> Option<&mut Link> {
        if self.up.len() >= MOST_UP {
            self.beyond += 1;
            return None;
        }
        if self.links.len() >= MOST {
            self.beyond += 1;
            self.up.insert(key, None);
            return None;
        }
        self.up.insert(key, Some(self.links.len()));
        self.links.push(Link::new(key, peer, start, at));
        self.links.last_mut()
    }

    pub fn end(&mut self, key: Key, at: u64, reason: Option<ErrorCode>) {
        if let Some(link) = self.known(key) {
            link.end = Some((at, reason));
            link.last = link.last.max(at);
        }
        self.up.remove(&key);
        if let Some(reason) = reason {
            *self.reasons.entry(reason).or_default() += 1;
            if self.ended.len() < MOST_UP {
                self.ended.insert(key);
            }
        }
    }

    /// After a reset the adapter has none.
    pub fn reset(&mut self, adapter: Option<u16>, at: u64) {
        let keys: Vec<Key> = self.up.keys().filter(|(of, _)| *of == adapter).copied().collect();
        keys.into_iter().for_each(|key| self.end(key, at, None));
        self.ended.retain(|(of, _)| *of != adapter);
    }

    /// All links there were.
    pub fn count(&self) -> u64 {
        self.links.len() as u64 + self.beyond
    }
}

impl Link {
    fn new((adapter, handle): Key, peer: Option<Address>, start: Option<u64>, at: u64) -> Self {
        Self {
            adapter,
            handle,
            peer,
            role: None,
            classic: false,
            start,
            last: at,
            end: None,
            timing: None,
            mtu: None,
            phy: None,
            data_length: None,
            encrypted: false,
            sent: 0,
            received: 0,
            rows: BTreeMap::new(),
            notifications: Series::new(128),
            notified: 0,
            pairings: Vec::new(),
            offered: 0,
        }
    }

    /// Something went on.
    pub fn push(&mut self, row: Row, span: Span) {
        self.rows.entry(row).or_insert_with(|| Spans::new(row.gap())).push(span);
    }

    /// A packet of it.
    pub fn count(&mut self, direction: Option<Direction>, at: u64) {
        self.last = self.last.max(at);
        match direction {
            Some(Direction::Sent) => self.sent += 1,
            _ => self.received += 1,
        }
    }

    /// A request was answered, for better or worse.
    pub fn answered(&mut self, asked: Asked, start: u64, end: u64, failed: bool) {
        let span =
            Span { start, end: end.max(start), count: 1, failed: u32::from(failed), number: asked.number };
        self.push(Row::of(asked.what), span);
    }

    /// A side says how much it takes: the smaller of both is used.
    pub fn offers_mtu(&mut self, opcode: AttOpcode, mtu: u16) {
        if opcode.kind() == PduKind::Request {
            self.offered = mtu;
        } else {
            // The link may have begun before the capture.
            let other = if self.offered == 0 { u16::MAX } else { self.offered };
            self.mtu = Some(mtu.min(other).max(baretooth::att::DEFAULT_MTU));
        }
    }

    /// The pairing that goes on, or a new one.
    pub fn pairing(&mut self, begins: bool, at: u64, number: u64) -> Option<&mut Pairing> {
        let none = self.pairings.last().is_none_or(|last| last.failed.is_some());
        if (begins || none) && self.pairings.len() < MOST_PAIRINGS {
            self.pairings.push(Pairing::new(at, number));
        }
        self.pairings.last_mut()
    }

    /// Where it stands on the timeline: what the capture does not have goes on to its edges.
    pub fn extent(&self, end_of_capture: u64) -> (u64, u64) {
        (self.start.unwrap_or(0), self.end.map_or(end_of_capture, |(at, _)| at))
    }
}
