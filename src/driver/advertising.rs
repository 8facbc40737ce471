//! Advertisements: who is told how each goes.

use super::Failure;
use crate::Address;
use crate::host::{AdvertisingEnd, OpError, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot, watch};

/// How an advertisement ended; `None` as long as it goes on.
pub(crate) type Ended = Option<Result<AdvertisingEnd, Failure>>;

/// What the controller began with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) tx_power: Option<i8>,
    pub(crate) address: Address,
}

/// Where an advertisement tells how it goes.
#[derive(Debug)]
pub(crate) struct AdvertisingReader {
    /// Told once, when the controller advertises or cannot.
    pub(crate) started: Option<oneshot::Sender<Result<Begun, Failure>>>,
    pub(crate) ended: watch::Sender<Ended>,
    /// Who asks for the scan response; of those that have no room nothing is said.
    pub(crate) scanners: mpsc::Sender<Address>,
    pub(super) on_air: Option<OnAir>,
}

/// Counted among the advertisements that have begun, as long as it exists.
#[derive(Debug)]
pub(super) struct OnAir(Arc<AtomicUsize>);

impl OnAir {
    pub(super) fn counted_by(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count.clone())
    }
}

impl Drop for OnAir {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl AdvertisingReader {
    pub(crate) fn new(
        started: oneshot::Sender<Result<Begun, Failure>>,
        ended: watch::Sender<Ended>,
        scanners: mpsc::Sender<Address>,
    ) -> Self {
        Self { started: Some(started), ended, scanners, on_air: None }
    }

    pub(super) fn on_started(&mut self, begun: Begun, count: &Arc<AtomicUsize>) {
        self.on_air = Some(OnAir::counted_by(count));
        if let Some(started) = self.started.take() {
            let _ = started.send(Ok(begun));
        }
    }

    /// It is over.
    pub(super) fn end(mut self, result: Result<Output, Failure>) {
        let result = match result {
            Ok(Output::Advertised(end)) => Ok(end),
            Ok(_) => Err(Failure::Op(OpError::Cancelled)),
            Err(failure) => Err(failure),
        };
        // Whoever is told finds it counted no more.
        self.on_air = None;
        if let Some(started) = self.started.take() {
            // That it began is told first.
            let cancelled = Err(Failure::Op(OpError::Cancelled));
            let _ = started.send(result.clone().err().map_or(cancelled, Err));
        }
        self.ended.send_replace(Some(result));
    }
}
