//! Scanning: reports, until the client has enough.

use crate::session::Session;

/// The scan, of which there is one.
#[derive(Debug, Default)]
pub(crate) struct State {}

/// Ends the scan.
pub(super) fn end(_session: &Session) {}
