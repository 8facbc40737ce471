//! Advertising, and the links that centrals make.

use crate::session::Session;
use std::sync::Arc;

/// The advertisements.
#[derive(Debug, Default)]
pub(crate) struct State {}

/// Tells of the links that centrals make.
pub(super) fn begin(session: &Arc<Session>) {
    let task = session.clone();
    session.spawn(async move {
        let mut accepted = task.adapter().accepted();
        while let Some(peer) = accepted.next().await {
            task.connected(peer, None).await;
        }
    });
}

/// Ends all advertisements.
pub(super) fn end(_session: &Session) {}
