//! What the controller sends without being asked: notifications and advertising reports, free or at a rate.

use super::{CID_ATT, Controller, Options, attributes};
use std::time::Duration;

/// When [`Controller::flood`] wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// Once the output is written: there is more.
    Now,
    /// In about a millisecond: the next one is not due yet.
    Soon,
    /// After the next packet of the host.
    WhenAsked,
}

/// The reports of one scan.
#[derive(Default)]
pub(super) struct Scan {
    events: Vec<Vec<u8>>,
    next: usize,
    left: u64,
    sent: u64,
    since: Duration,
}

impl Scan {
    pub(super) fn new(events: Vec<Vec<u8>>) -> Self {
        Self { events, ..Self::default() }
    }

    pub(super) fn enable(&mut self, now: Duration, on: bool, reports: Option<u64>) {
        self.left = if on { reports.unwrap_or(u64::MAX) } else { 0 };
        (self.next, self.sent, self.since) = (0, 0, now);
    }
}

/// The notifications of one link.
#[derive(Default)]
pub(super) struct Notifications {
    left: u64,
    sent: u64,
    since: Duration,
}

impl Notifications {
    /// Starts again with sequence number 0; none for `count` 0.
    pub(super) fn start(&mut self, now: Duration, count: u64) {
        *self = Self { left: count, sent: 0, since: now };
    }
}

impl Controller {
    /// Adds what is due until the output is full; it is empty again when it has been written.
    pub fn flood(&mut self, now: Duration) -> Next {
        let mut next = Next::WhenAsked;
        for index in 0..self.links.len() {
            next = next.min(self.flood_notifications(now, index));
        }
        next.min(self.flood_reports(now))
    }

    fn flood_notifications(&mut self, now: Duration, index: usize) -> Next {
        let Some(link) = self.links.get_mut(index) else { return Next::WhenAsked };
        let length = link.server.notification_length.min(link.mtu.saturating_sub(3));
        let packets = packets(length, &self.options);
        let credit = if self.host_credits.on { self.host_credits.left / packets } else { u64::MAX };
        let flood = &mut link.flood;
        if flood.left == 0 || credit == 0 {
            return Next::WhenAsked;
        }
        let rate = self.options.notification_rate;
        let due = due(rate, now - flood.since, flood.sent);
        let (first, left) = (flood.sent, flood.left.min(due).min(credit));
        let mut sent = 0;
        while sent < left && self.output.len() < FULL {
            let sequence = (first + sent).to_le_bytes();
            self.send(index, CID_ATT, |out| {
                out.extend([0x1B, attributes::FLOOD, 0]);
                let start = out.len();
                out.extend_from_slice(&sequence[..length.min(4)]);
                out.resize(start + length, FILL);
            });
            sent += 1;
        }
        if self.host_credits.on {
            self.host_credits.left -= sent * packets;
        }
        self.counters.notifications += sent;
        let flood = &mut self.links[index].flood;
        flood.left -= sent;
        flood.sent += sent;
        more(flood.left, rate)
    }

    fn flood_reports(&mut self, now: Duration) -> Next {
        let scan = &mut self.scan;
        if scan.left == 0 {
            return Next::WhenAsked;
        }
        let rate = self.options.report_rate;
        let due = scan.left.min(due(rate, now - scan.since, scan.sent));
        let mut sent = 0;
        while sent < due && self.output.len() < FULL {
            let Some(event) = scan.events.get(scan.next) else { break };
            self.output.extend_from_slice(event);
            scan.next = (scan.next + 1) % scan.events.len();
            sent += u64::from(event[4]);
        }
        scan.left = scan.left.saturating_sub(sent);
        scan.sent += sent;
        self.counters.reports += sent;
        more(scan.left, rate)
    }
}

/// ACL packets of one notification.
fn packets(length: usize, options: &Options) -> u64 {
    let packets = (length + 7).div_ceil(usize::from(options.acl_length.max(1)));
    u64::try_from(packets).unwrap_or(u64::MAX)
}

/// How many may be sent by now.
fn due(rate: Option<f64>, passed: Duration, sent: u64) -> u64 {
    let Some(rate) = rate else { return u64::MAX };
    // Whole microseconds between two: a rate is at most a million a second.
    let period = Duration::from_secs_f64(1.0 / rate.clamp(0.001, 1e6)).as_micros().max(1);
    let all = u64::try_from(passed.as_micros() / period).unwrap_or(u64::MAX);
    all.saturating_sub(sent)
}

fn more(left: u64, rate: Option<f64>) -> Next {
    match (left, rate) {
        (0, _) => Next::WhenAsked,
        (_, None) => Next::Now,
        (_, Some(_)) => Next::Soon,
    }
}

/// Output beyond which nothing is added.
const FULL: usize = 64 * 1024;
/// Behind the sequence number.
const FILL: u8 = 0xA5;
