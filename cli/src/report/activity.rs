//! What each adapter's radio was told to do: scan, advertise, connect.

use super::series::Series;
use super::spans::{Span, Spans};
use super::values::Moment;
use baretooth::hci::{Command, ErrorCode, Opcode, Role};
use std::collections::{BTreeMap, BTreeSet};

/// What every adapter did.
#[derive(Debug, Default)]
pub struct Activity {
    adapters: BTreeMap<Option<u16>, Radio>,
}

/// What one adapter did.
#[derive(Debug)]
pub struct Radio {
    pub scanning: Spans,
    pub advertising: Spans,
    pub connecting: Spans,
    /// Advertising reports over time.
    pub reports: Series<u32>,
    /// Since when, and by which record.
    scans: Option<Moment>,
    connects: Option<Moment>,
    advertises: Option<Moment>,
    /// The advertising sets that are on; legacy advertising is none of them.
    sets: BTreeSet<u8>,
    legacy: bool,
    /// What was asked for and is not answered yet.
    asked: BTreeMap<Opcode, Wish>,
}

/// What a command asks of the radio.
#[derive(Clone, Debug)]
enum Wish {
    Scan(bool),
    Advertise(bool),
    Sets(bool, Vec<u8>),
    Connect,
}

const MOST_ADAPTERS: usize = 16;

impl Default for Radio {
    fn default() -> Self {
        Self {
            scanning: Spans::new(0),
            advertising: Spans::new(0),
            connecting: Spans::new(0),
            reports: Series::new(128),
            scans: None,
            connects: None,
            advertises: None,
            sets: BTreeSet::new(),
            legacy: false,
            asked: BTreeMap::new(),
        }
    }
}

impl Activity {
    /// Adapters that did something, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Option<u16>, &Radio)> {
        self.adapters.iter().map(|(adapter, radio)| (*adapter, radio))
    }

    fn radio(&mut self, adapter: Option<u16>) -> Option<&mut Radio> {
        if self.adapters.len() >= MOST_ADAPTERS && !self.adapters.contains_key(&adapter) {
            return None;
        }
        Some(self.adapters.entry(adapter).or_default())
    }

    pub fn command(&mut self, adapter: Option<u16>, command: &Command<'_>, now: Moment) {
        let wish = match command {
            Command::LeSetScanEnable(c) => Wish::Scan(c.le_scan_enable == 1),
            Command::LeSetExtendedScanEnable(c) => Wish::Scan(c.enable == 1),
            Command::LeSetAdvertisingEnable(c) => Wish::Advertise(c.advertising_enable == 1),
            Command::LeSetExtendedAdvertisingEnable(c) => {
                Wish::Sets(c.enable == 1, c.sets.iter().map(|set| set.advertising_handle).collect())
            }
            Command::LeCreateConnection(_)
            | Command::LeExtendedCreateConnection(_)
            | Command::LeExtendedCreateConnectionV2(_) => Wish::Connect,
            _ => return,
        };
        let Some(radio) = self.radio(adapter) else { return };
        if let Wish::Connect = wish {
            radio.connects = Some(now);
        }
        // There are only these few opcodes.
        radio.asked.insert(command.opcode(), wish);
    }

    pub fn answered(&mut self, adapter: Option<u16>, opcode: Opcode, status: ErrorCode, now: Moment) {
        let Some(radio) = self.adapters.get_mut(&adapter) else { return };
        let Some(wish) = radio.asked.remove(&opcode) else { return };
        match wish {
            Wish::Connect if status != ErrorCode::Success => radio.connects = None,
            _ if status != ErrorCode::Success => {}
            Wish::Scan(on) => switch(&mut radio.scans, &mut radio.scanning, on, now),
            Wish::Advertise(on) => {
                radio.legacy = on;
                radio.advertise(now);
            }
            Wish::Sets(true, sets) => {
                radio.sets.extend(sets);
                radio.advertise(now);
            }
            Wish::Sets(false, sets) => {
                // None named are all.
                if sets.is_empty() {
                    radio.sets.clear();
                }
                radio.sets.retain(|set| !sets.contains(set));
                radio.advertise(now);
            }
            Wish::Connect => {}
        }
    }

    pub fn reports(&mut self, adapter: Option<u16>, count: u32, at: u64) {
        if let Some(radio) = self.radio(adapter) {
            let cell = radio.reports.at(at);
            *cell = cell.saturating_add(count);
        }
    }

    /// Connecting ended, well or not.
    pub fn connected(&mut self, adapter: Option<u16>, status: ErrorCode, role: Role, now: Moment) {
        let Some(radio) = self.adapters.get_mut(&adapter) else { return };
        if role == Role::Peripheral {
            // Legacy advertising ends with it; sets have an event of their own.
            radio.legacy = false;
            radio.advertise(now);
        } else if let Some(from) = radio.connects.take() {
            // Giving up is no failure.
            let given_up = status == ErrorCode::UnknownConnectionIdentifier;
            let failed = u32::from(status != ErrorCode::Success && !given_up);
            radio.connecting.push(Span {
                start: from.at,
                end: now.at.max(from.at),
                count: 1,
                failed,
                number: from.number,
            });
        }
    }

    pub fn set_ended(&mut self, adapter: Option<u16>, set: u8, now: Moment) {
        if let Some(radio) = self.adapters.get_mut(&adapter) {
            radio.sets.remove(&set);
            radio.advertise(now);
        }
    }

    pub fn scan_ended(&mut self, adapter: Option<u16>, now: Moment) {
        if let Some(radio) = self.adapters.get_mut(&adapter) {
            switch(&mut radio.scans, &mut radio.scanning, false, now);
        }
    }

    pub fn reset(&mut self, adapter: Option<u16>, at: u64) {
        if let Some(radio) = self.adapters.get_mut(&adapter) {
            radio.stop(Moment { at, number: 0 });
        }
    }

    pub fn finish(&mut self, end: u64) {
        for radio in self.adapters.values_mut() {
            radio.stop(Moment { at: end, number: 0 });
        }
    }
}

impl Radio {
    fn advertise(&mut self, now: Moment) {
        let on = self.legacy || !self.sets.is_empty();
        switch(&mut self.advertises, &mut self.advertising, on, now);
    }

    fn stop(&mut self, now: Moment) {
        self.legacy = false;
        self.sets.clear();
        self.asked.clear();
        switch(&mut self.scans, &mut self.scanning, false, now);
        switch(&mut self.connects, &mut self.connecting, false, now);
        self.advertise(now);
    }
}

fn switch(since: &mut Option<Moment>, spans: &mut Spans, on: bool, now: Moment) {
    match (*since, on) {
        (None, true) => *since = Some(now),
        (Some(from), false) => {
            *since = None;
            spans.push(Span {
                start: from.at,
                end: now.at.max(from.at),
                count: 1,
                failed: 0,
                number: from.number,
            });
        }
        _ => {}
    }
}
