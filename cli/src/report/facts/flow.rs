//! How full the controller's buffers are ([Vol 4] Part E, 4.1): packets that were sent and not reported as completed.

use super::super::links::Key;
use baretooth::hci::Opcode;
use baretooth::hci::command::{HciCommand, LeReadBufferSize, LeReadBufferSizeV2, ReadBufferSize, Reset};
use std::collections::BTreeMap;

/// The buffers of each adapter.
#[derive(Debug, Default)]
pub struct Flow {
    adapters: BTreeMap<Option<u16>, Buffers>,
}

/// The buffers of one adapter.
#[derive(Debug, Default)]
struct Buffers {
    /// How many there are; unknown without the host's question.
    total: Option<u64>,
    used: BTreeMap<u16, u64>,
    /// Since when there is no free one.
    full: Option<u64>,
}

/// Full for that long is worth a word.
pub const STALL: u64 = 1_000_000_000;

const MOST_ADAPTERS: usize = 16;
const MOST_LINKS: usize = 256;

impl Flow {
    /// A controller says how many packets it has room for.
    pub fn returned(&mut self, adapter: Option<u16>, opcode: Opcode, returned: &[u8]) {
        let total = match (opcode, returned) {
            (LeReadBufferSize::OPCODE | LeReadBufferSizeV2::OPCODE, [0, _, _, n, ..]) => u64::from(*n),
            (ReadBufferSize::OPCODE, [0, _, _, _, a, b, ..]) => u64::from(u16::from_le_bytes([*a, *b])),
            (Reset::OPCODE, [0, ..]) => {
                self.adapters.remove(&adapter);
                return;
            }
            _ => return,
        };
        // No buffers for LE are those of BR/EDR; these are asked for first, or last.
        if total > 0
            && (self.adapters.len() < MOST_ADAPTERS || self.adapters.contains_key(&adapter))
            && (opcode != ReadBufferSize::OPCODE
                || self.adapters.get(&adapter).is_none_or(|b| b.total.is_none()))
        {
            self.adapters.entry(adapter).or_default().total = Some(total);
        }
    }

    pub fn sent(&mut self, (adapter, handle): Key, at: u64) {
        let Some(buffers) = self.adapters.get_mut(&adapter) else { return };
        if buffers.used.len() < MOST_LINKS || buffers.used.contains_key(&handle.0) {
            *buffers.used.entry(handle.0).or_default() += 1;
        }
        if buffers.is_full() {
            buffers.full.get_or_insert(at);
        }
    }

    /// Packets have left. How long all buffers had been full, when they were and are no more.
    pub fn completed(&mut self, (adapter, handle): Key, count: u16, at: u64) -> Option<u64> {
        let buffers = self.adapters.get_mut(&adapter)?;
        let used = buffers.used.get_mut(&handle.0)?;
        *used = used.saturating_sub(u64::from(count));
        buffers.relieved(at)
    }

    /// What a link had in the buffers is gone with it.
    pub fn disconnected(&mut self, (adapter, handle): Key, at: u64) -> Option<u64> {
        let buffers = self.adapters.get_mut(&adapter)?;
        buffers.used.remove(&handle.0);
        buffers.relieved(at)
    }
}

impl Buffers {
    fn is_full(&self) -> bool {
        self.total.is_some_and(|total| self.used.values().sum::<u64>() >= total)
    }

    fn relieved(&mut self, at: u64) -> Option<u64> {
        if self.is_full() { None } else { self.full.take().map(|since| at.saturating_sub(since)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baretooth::hci::ConnectionHandle;

    #[test]
    fn the_time_without_a_free_buffer_is_measured() {
        let key = (None, ConnectionHandle(1));
        let mut flow = Flow::default();
        flow.sent(key, 0);
        assert_eq!(flow.completed(key, 1, 1), None, "how many there are is not known");
        flow.returned(None, LeReadBufferSize::OPCODE, &[0, 27, 0, 2]);
        flow.sent(key, 10);
        flow.sent(key, 20);
        flow.sent(key, 25);
        assert_eq!(flow.completed(key, 1, 30), None, "still full");
        assert_eq!(flow.completed(key, 1, 50), Some(30));
        flow.sent(key, 60);
        assert_eq!(flow.disconnected(key, 90), Some(30));
    }
}
