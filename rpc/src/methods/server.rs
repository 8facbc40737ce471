//! The GATT server: our own table, and what clients do with it.

use crate::session::Session;
use std::sync::Arc;

/// The table, and the requests that the client has to answer.
#[derive(Debug, Default)]
pub(crate) struct State {}

/// Tells what clients do.
pub(super) fn begin(_session: &Arc<Session>) {}
