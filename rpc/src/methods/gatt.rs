//! The GATT client: the table of a peer, its values, and what it sends by itself.

use crate::connections::Held;
use crate::session::Session;
use std::sync::Arc;

/// The subscriptions of a link.
#[derive(Debug, Default)]
pub(crate) struct LinkState {}

/// Tells when the table of a peer changes.
pub(super) fn watch(_session: &Arc<Session>, _held: &Held) {}
