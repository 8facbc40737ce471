//! A controller and the peripherals on its air in one place, made to cost next to nothing.
//!
//! It answers every command and ATT request of a batch in one batch, gives credits back at once, and floods
//! notifications and advertising reports as fast as they are taken. Notifications carry a sequence number, reports
//! come from advertisers in turn, writes are counted, and so is what the host serves or sends over a channel: a host can
//! prove that nothing was lost.
//!
//! Sans-IO: [`Controller::receive`] takes a packet, [`Controller::flood`] adds what is due, [`Controller::output`]
//! holds what to write; [`serve`] does that for a socket. Not modelled: air time, encryption, link-layer procedures,
//! errors. Whatever a host sends must not panic.

mod advertising;
pub mod attributes;
mod client;
mod commands;
mod flood;
mod serve;

pub use flood::Next;
pub use serve::{Connection, serve};

use crate::h4::{length_octets, octet, word};
use std::time::Duration;

/// What the controller is to do. [`Options::default`] floods without limits.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of advertisers.
    pub advertisers: u32,
    /// Octets of advertising data of each.
    pub advertising_length: usize,
    /// Reports of one scan; `None` for as many as are taken.
    pub reports: Option<u64>,
    /// Reports per second; `None` for as many as are taken.
    pub report_rate: Option<f64>,
    /// Reports in one legacy event.
    pub reports_per_event: u8,
    /// Announce and use extended advertising.
    pub extended: bool,
    /// Notifications per second and link; `None` for as many as are taken.
    pub notification_rate: Option<f64>,
    /// Longest ACL payload, both ways.
    pub acl_length: u16,
    /// Number of ACL packets the controller takes before it gives a credit back.
    pub acl_number: u8,
    /// ATT_MTU of every peripheral.
    pub mtu: u16,
    /// Print every command, and the counters at the end of a session.
    pub verbose: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            advertisers: ADVERTISERS,
            advertising_length: 31,
            reports: None,
            report_rate: None,
            reports_per_event: 1,
            extended: false,
            notification_rate: None,
            acl_length: 251,
            acl_number: 64,
            mtu: 517,
            verbose: false,
        }
    }
}

/// What has happened since the controller was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commands taken.
    pub commands: u64,
    /// ATT requests answered.
    pub requests: u64,
    /// ATT write commands taken.
    pub write_commands: u64,
    /// Notifications sent.
    pub notifications: u64,
    /// Advertising reports sent.
    pub reports: u64,
}

/// One controller, as it is for one host.
pub struct Controller {
    options: Options,
    output: Vec<u8>,
    links: Vec<Link>,
    scan: flood::Scan,
    le_event_mask: u64,
    host_credits: HostCredits,
    counters: Counters,
}

/// Controller-to-host flow control, once the host has asked for it.
#[derive(Default)]
struct HostCredits {
    on: bool,
    buffers: u64,
    left: u64,
}

/// One connection, or a place for one.
#[derive(Default)]
struct Link {
    up: bool,
    mtu: usize,
    /// ACL packets taken and not yet given back.
    taken: u16,
    /// The frame that is arriving, and its whole length.
    partial: Vec<u8>,
    expected: usize,
    server: attributes::Server,
    client: client::Client,
    flood: flood::Notifications,
}

impl Controller {
    /// A controller after power-on.
    pub fn new(options: Options) -> Self {
        let scan = flood::Scan::new(advertising::events(&options));
        let links = (0..LINKS).map(|_| Link::default()).collect();
        let (host_credits, counters) = Default::default();
        Self { options, output: Vec::new(), links, scan, le_event_mask: DEFAULT_MASK, host_credits, counters }
    }

    /// Takes one whole H4 packet; what it is answered with is added to the output.
    pub fn receive(&mut self, now: Duration, packet: &[u8]) {
        match *packet {
            [1, low, high, _, ref parameters @ ..] => {
                self.counters.commands += 1;
                self.command(now, u16::from_le_bytes([low, high]), parameters);
            }
            [2, low, high, _, _, ref data @ ..] => self.acl(now, u16::from_le_bytes([low, high]), data),
            _ => {}
        }
    }

    /// Gives back the credits of all ACL packets taken, one event for each link: to be called after a batch.
    pub fn give_credits(&mut self) {
        for (handle, link) in (FIRST_HANDLE..).zip(&mut self.links) {
            let taken = std::mem::take(&mut link.taken);
            if taken > 0 {
                let ([h0, h1], [n0, n1]) = (handle.to_le_bytes(), taken.to_le_bytes());
                self.output.extend([4, 0x13, 5, 1, h0, h1, n0, n1]);
            }
        }
    }

    /// What to write; the writer empties it.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn acl(&mut self, now: Duration, word: u16, data: &[u8]) {
        let index = usize::from((word & 0x0FFF).wrapping_sub(FIRST_HANDLE));
        let Some(link) = self.links.get_mut(index).filter(|link| link.up) else { return };
        link.taken = link.taken.saturating_add(1);
        let continuing = word >> 12 & 3 == 1;
        if !continuing {
            link.partial.clear();
            link.expected = usize::from(self::word(data, 0)) + 4;
            if data.len() >= link.expected {
                return self.frame(now, index, data);
            }
        }
        link.partial.extend_from_slice(data);
        if link.partial.len() >= link.expected {
            let mut frame = std::mem::take(&mut link.partial);
            self.frame(now, index, &frame);
            frame.clear();
            self.links[index].partial = frame;
        }
    }

    fn frame(&mut self, now: Duration, index: usize, frame: &[u8]) {
        let payload = frame.get(4..).unwrap_or_default();
        match word(frame, 2) {
            CID_ATT => self.att(now, index, payload),
            // Pairing Failed, Pairing Not Supported.
            CID_SMP if octet(payload, 0) == 1 => self.send(index, CID_SMP, |out| out.extend([5, 5])),
            channel => self.channel(index, channel, payload),
        }
    }

    /// Adds one frame in as many ACL packets as it needs; `payload` writes what stands behind the L2CAP header.
    fn send(&mut self, index: usize, channel: u16, payload: impl FnOnce(&mut Vec<u8>)) {
        let handle = FIRST_HANDLE.wrapping_add(u16::try_from(index).unwrap_or_default());
        let [h0, h1] = handle.to_le_bytes();
        let [c0, c1] = channel.to_le_bytes();
        let start = self.output.len();
        self.output.extend([2, h0, h1 | 0x20, 0, 0, 0, 0, c0, c1]);
        payload(&mut self.output);
        let total = self.output.len() - start - 5;
        let most = usize::from(self.options.acl_length.max(1));
        let head = &mut self.output[start..];
        head[3..5].copy_from_slice(&length_octets(total.min(most)));
        head[5..7].copy_from_slice(&length_octets(total - 4));
        if total > most {
            let rest = self.output.split_off(start + 5 + most);
            for part in rest.chunks(most) {
                let [l0, l1] = length_octets(part.len());
                self.output.extend([2, h0, h1 | 0x10, l0, l1]);
                self.output.extend_from_slice(part);
            }
        }
    }

    fn event(&mut self, code: u8, parameters: &[u8]) {
        let [length, _] = length_octets(parameters.len());
        self.output.extend([4, code, length]);
        self.output.extend_from_slice(parameters);
    }
}

/// Number of advertisers unless told otherwise. The lower three octets of an advertiser's address are its number.
pub const ADVERTISERS: u32 = 500;

/// Address of an advertiser, as it stands in a packet.
pub fn advertiser_address(number: u32) -> [u8; 6] {
    let [a, b, c, _] = number.to_le_bytes();
    [a, b, c, 0xEC, 0x40, 0xC0]
}

const LINKS: usize = 64;
const FIRST_HANDLE: u16 = 0x40;
const CID_ATT: u16 = 4;
const CID_SIGNALING: u16 = 5;
const CID_SMP: u16 = 6;
/// LE events that are on after a reset.
const DEFAULT_MASK: u64 = 0x1F;

#[cfg(test)]
mod tests;
