//! The client of one link, whatever it sends its requests on: what it has configured, said of itself and prepared.

use super::access::Security;
use super::caching::Awareness;
use super::signed::Signatures;
use super::table::Table;
use super::write::Prepared;
use crate::att::AttError;
use std::collections::BTreeMap;

/// What the server keeps of the client of a link ([Vol 3] Part F, 3.4.6, and [Vol 3] Part G, 2.5.2.1 and 3.3.3.3). Each
/// bearer that it uses has a [`Server`](super::Server).
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// What its link has.
    pub security: Security,
    /// By handle of the CCCD; absent is 0.
    pub(super) configurations: BTreeMap<u16, u16>,
    /// First octet of Client Supported Features.
    pub(super) features: u8,
    pub(super) awareness: Awareness,
    pub(super) prepared: Vec<Prepared>,
    /// What is prepared was meant for another table.
    pub(super) prepared_before: bool,
    /// Number of the next question to the user.
    pub(super) next_ask: u64,
    /// What its signatures are verified with.
    pub(super) signatures: Option<Signatures>,
    /// Bearers beside the first.
    enhanced_bearers: usize,
}

impl Client {
    /// The client of a new link.
    pub fn new(security: Security) -> Self {
        Self { security, ..Self::default() }
    }

    /// How many enhanced bearers it has now. With one bearer alone it becomes aware of a new table sooner ([Vol 3] Part G,
    /// 2.5.2.1).
    pub fn set_enhanced_bearers(&mut self, count: usize) {
        self.enhanced_bearers = count;
    }

    pub(super) fn has_one_bearer(&self) -> bool {
        self.enhanced_bearers == 0
    }

    /// What it has configured, by handle of the CCCD ([Vol 3] Part G, 3.3.3.3).
    pub fn configurations(&self) -> &BTreeMap<u16, u16> {
        &self.configurations
    }

    /// Whether it has asked for notifications of this value, and may have them on its link.
    pub fn notifies(&self, table: &Table, handle: u16) -> bool {
        self.configuration(table, handle) & 1 != 0
    }

    /// Whether it has asked for indications of this value, and may have them on its link.
    pub fn indicates(&self, table: &Table, handle: u16) -> bool {
        self.configuration(table, handle) & 2 != 0
    }

    /// What it has configured for a value; nothing while it is unaware of the table, or the link lacks what a
    /// subscription takes, as one that a bond has kept before the link is encrypted.
    fn configuration(&self, table: &Table, handle: u16) -> u16 {
        table
            .configuration_of(handle)
            .filter(|_| self.may_send(table, handle))
            .filter(|cccd| cccd.permissions.write.check(self.security, AttError::WriteNotPermitted).is_ok())
            .and_then(|cccd| self.configurations.get(&cccd.handle).copied())
            .unwrap_or(0)
    }
}
