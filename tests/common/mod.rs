//! What the tests of the host share: a host with a virtual radio, and a host with a controller that is a script.
//!
//! No runtime and no clock: time is a number that the tests move.
#![allow(dead_code, unused_imports)] // each test crate uses its own part of this

mod crowd;
mod pair;
mod script;
mod security;

pub use crowd::{Crowd, Station};
pub use pair::{Blame, Pair, Recorded, config, connect, each_seed, gatt};
pub use script::{PEER, Script};

use baretooth::hci::Opcode;
use baretooth::host::{Event, Fault, OpError, OpId, Output, Rung};
use baretooth::{Address, BdAddr};
use std::collections::BTreeMap;
use std::time::Duration;

pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A random static address.
pub const fn address(n: u16) -> Address {
    let [low, high] = n.to_le_bytes();
    Address::random(BdAddr([low, high, 0, 0, 0, 0xC0]))
}

/// The controller reported a fault.
pub fn hardware_error(code: u8, then: Option<Rung>) -> OpError {
    OpError::ControllerFailed { fault: Fault::Hardware(code), then }
}

/// The controller did not answer a command within the usual time.
pub fn silent(command: u16, then: Option<Rung>) -> OpError {
    let fault = Fault::Silent { command: Opcode(command), after: seconds(2) };
    OpError::ControllerFailed { fault, then }
}

/// Everything a host has told: each event once, and the result of each request.
#[derive(Debug, Default)]
pub struct Told {
    pub events: Vec<Event>,
    results: BTreeMap<OpId, Result<Output, OpError>>,
}

impl Told {
    /// Takes an event in.
    ///
    /// # Panics
    /// When a request ends a second time.
    pub fn push(&mut self, event: Event) {
        if let Event::OpDone { op, result } = &event {
            let before = self.results.insert(*op, result.clone());
            assert!(before.is_none(), "{op:?} ended twice: {before:?}, then {result:?}");
        }
        self.events.push(event);
    }

    pub fn result(&self, op: OpId) -> Option<&Result<Output, OpError>> {
        self.results.get(&op)
    }
}
