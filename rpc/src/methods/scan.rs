//! Scanning: reports, until the client has enough. There is one scan at a time.

use super::failed;
use crate::message::error::{Kind, RpcError};
use crate::message::scan::{ScanReport, ScanStartParams, ScanStarted, ScanStopParams};
use crate::message::{Nothing, PhyName};
use crate::session::{Context, Session, lock};
use baretooth::{Duplicates, Filter, Scan, ScanOptions, ScanPhys};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

/// From one window to the next, unless the client says so.
const INTERVAL: Duration = Duration::from_millis(60);

/// The scan, and how many there were.
#[derive(Debug, Default)]
pub(crate) struct State {
    scan: Mutex<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    last: u32,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    scan: u32,
    /// Ends it; who sends is told when it has ended. `None` while it begins or ends.
    stop: Option<oneshot::Sender<oneshot::Sender<()>>>,
}

pub(super) async fn start(context: &Context, params: ScanStartParams) -> Result<ScanStarted, RpcError> {
    let options = options(&params)?;
    let beginning = Beginning::take(&context.session)?;
    let adapter = context.adapter();
    let scan = context.unless_cancelled(adapter.scan_with(options)).await?.map_err(failed)?;
    let (stop, stopped) = oneshot::channel();
    let number = beginning.begun(stop);
    context.then(report(context.session.clone(), number, scan, stopped));
    Ok(ScanStarted { scan: number })
}

pub(super) async fn stop(context: &Context, params: ScanStopParams) -> Result<Nothing, RpcError> {
    let stop = {
        let mut slot = lock(&context.session.state.scan.scan);
        let current = slot.current.as_mut().filter(|current| current.scan == params.scan);
        current.and_then(|current| current.stop.take())
    };
    let missing = || RpcError::failed(Kind::NotFound, format!("there is no scan {}", params.scan));
    let (ended, end) = oneshot::channel();
    stop.ok_or_else(missing)?.send(ended).map_err(|_| missing())?;
    // Without an answer it ended by itself.
    let _ = end.await;
    Ok(Nothing {})
}

/// Ends the scan.
pub(super) fn end(session: &Session) {
    if let Some(current) = &mut lock(&session.state.scan.scan).current {
        current.stop = None;
    }
}

/// Tells what is heard, until the scan is stopped or fails.
async fn report(
    session: Arc<Session>,
    scan: u32,
    mut heard: Scan,
    mut stopped: oneshot::Receiver<oneshot::Sender<()>>,
) {
    let mut told = 0;
    let reporting = async {
        loop {
            let sighting = match heard.next().await {
                Ok(sighting) => sighting,
                Err(error) => return tracing::warn!(%error, scan, "the scan is over"),
            };
            let missed = heard.missed();
            let report = ScanReport { scan, report: (&sighting.report).into(), missed: missed - told };
            told = missed;
            session.tell(&report).await;
        }
    };
    let ended = tokio::select! {
        biased;
        stopped = &mut stopped => stopped.ok(),
        () = reporting => None,
    };
    drop(heard);
    lock(&session.state.scan.scan).current = None;
    if let Some(ended) = ended {
        // Who stopped it may have gone.
        let _ = ended.send(());
    }
}

fn options(params: &ScanStartParams) -> Result<ScanOptions, RpcError> {
    let mut filter = Filter::new();
    if params.legacy == Some(true) {
        filter = filter.legacy(true);
    }
    filter = params.services.iter().flatten().fold(filter, |filter, service| filter.service(service.0));
    let duplicates = if params.duplicates == Some(true) { Duplicates::All } else { Duplicates::Changed };
    // A window alone may be longer than the default interval, an interval alone shorter than the window.
    let interval = match (params.interval, params.window) {
        (Some(interval), _) => interval.0,
        (None, Some(window)) => window.0.max(INTERVAL),
        (None, None) => INTERVAL,
    };
    let options = ScanOptions::new()
        .active(params.active.unwrap_or(true))
        .duplicates(duplicates)
        .filter(filter)
        .phys(phys(params.phys.as_deref().unwrap_or(&[PhyName::Le1M]))?)
        .interval(interval)
        .window(params.window.map_or(interval, |window| window.0))
        .own_address(params.own_address_type.unwrap_or_default().into());
    options.check().map_err(|error| RpcError::invalid_params(error.to_string()))?;
    Ok(options)
}

fn phys(names: &[PhyName]) -> Result<ScanPhys, RpcError> {
    let bits = names.iter().map(|name| match name {
        PhyName::Le1M => Ok(ScanPhys::LE_1M),
        PhyName::LeCoded => Ok(ScanPhys::LE_CODED),
        PhyName::Le2M => Err(RpcError::invalid_params("nobody advertises on LE 2M first; it is 1M or Coded")),
    });
    let phys = bits.collect::<Result<Vec<_>, _>>()?.into_iter().reduce(|some, others| some | others);
    phys.ok_or_else(|| RpcError::invalid_params("there is no PHY to listen on"))
}

/// The one place for a scan while one begins in it; free again unless it has begun.
struct Beginning<'a> {
    session: &'a Session,
    scan: u32,
    begun: bool,
}

impl<'a> Beginning<'a> {
    fn take(session: &'a Session) -> Result<Self, RpcError> {
        let mut slot = lock(&session.state.scan.scan);
        if let Some(current) = &slot.current {
            return Err(RpcError::failed(
                Kind::Busy,
                format!("scan {} goes on; stop it first", current.scan),
            ));
        }
        slot.last += 1;
        let scan = slot.last;
        slot.current = Some(Current { scan, stop: None });
        Ok(Self { session, scan, begun: false })
    }

    fn begun(mut self, stop: oneshot::Sender<oneshot::Sender<()>>) -> u32 {
        self.begun = true;
        lock(&self.session.state.scan.scan).current = Some(Current { scan: self.scan, stop: Some(stop) });
        self.scan
    }
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        if !self.begun {
            lock(&self.session.state.scan.scan).current = None;
        }
    }
}
