//! Security: pairing, encryption and bonds.

use crate::connections::Held;
use crate::session::Session;
use std::sync::Arc;

/// The pairings that go on.
#[derive(Debug, Default)]
pub(crate) struct State {}

/// Answers pairings that nobody asked for.
pub(super) fn begin(_session: &Arc<Session>) {}

/// Tells what a link has of security.
pub(super) fn watch(_session: &Arc<Session>, _held: &Held) {}
