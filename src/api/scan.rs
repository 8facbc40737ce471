//! Finding devices.

use super::{Adapter, Error};
use crate::driver::{Failure, Message, ScanReader, Shared, Ticket};
use crate::gap::device_table::{Device, DeviceTable};
use crate::gap::filter::Filter;
use crate::gap::scan::ScanOptions;
use crate::host::{OpError, Sighting};
use crate::{BdAddr, Instant};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Sightings that may wait for the reader.
const CAPACITY: usize = 1024;

/// A scan in progress, as a stream of what is heard. Dropping it ends the scan; several scans at once share the
/// controller, each with its own filter.
#[derive(Debug)]
pub struct Scan {
    shared: Arc<Shared>,
    ticket: Ticket,
    sightings: mpsc::Receiver<Result<Box<Sighting>, Failure>>,
    missed: Arc<AtomicU64>,
    failure: Option<Failure>,
}

impl Scan {
    /// The next advertising PDU or scan response that passes the filter, with what is known of its sender.
    ///
    /// # Errors
    /// When the scan is over: the controller refused, or the adapter is lost or closed. Every later call fails the
    /// same way.
    ///
    /// # Cancel safety
    /// Cancel safe: no sighting is lost.
    pub async fn next(&mut self) -> Result<Sighting, Error> {
        if self.failure.is_none() {
            match self.sightings.recv().await {
                Some(Ok(sighting)) => return Ok(*sighting),
                Some(Err(failure)) => self.failure = Some(failure),
                None => self.failure = Some(self.shared.failure()),
            }
        }
        Err(Error::of("scanning", self.failure.clone().unwrap_or(Failure::Closed)))
    }

    /// Sightings dropped so far because nobody read them.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.shared.tell(Message::Cancel(self.ticket));
    }
}

impl Adapter {
    /// Scans actively for everything.
    ///
    /// # Errors
    /// As [`scan_with`](Self::scan_with).
    ///
    /// # Cancel safety
    /// As [`scan_with`](Self::scan_with).
    pub async fn scan(&self) -> Result<Scan, Error> {
        self.scan_with(ScanOptions::new()).await
    }

    /// Scans with options. Returns when the controller scans.
    ///
    /// # Errors
    /// [`Error::Controller`] when the controller refuses, [`Error::Invalid`] for times that no controller takes.
    ///
    /// # Cancel safety
    /// Dropping the future ends the scan.
    pub async fn scan_with(&self, options: ScanOptions) -> Result<Scan, Error> {
        let (started, ready) = oneshot::channel();
        let (sender, sightings) = mpsc::channel(CAPACITY);
        let missed = Arc::new(AtomicU64::new(0));
        let ticket = self.shared.ticket();
        let reader = ScanReader { started: Some(started), sightings: sender, missed: missed.clone() };
        self.shared.tell(Message::Scan { ticket, options, reader });
        let scan = Scan { shared: self.shared.clone(), ticket, sightings, missed, failure: None };
        let result = ready.await.unwrap_or_else(|_| Err(self.shared.failure()));
        result.map_err(|failure| Error::of("scanning", failure))?;
        Ok(scan)
    }

    /// Scans for a while and returns the devices heard, each once, in the order of their addresses. At most 4096: of
    /// more, those heard last.
    ///
    /// # Errors
    /// As [`scan_with`](Self::scan_with).
    ///
    /// # Cancel safety
    /// Dropping the future ends the scan.
    pub async fn discover(&self, timeout: Duration) -> Result<Vec<Device>, Error> {
        self.discover_with(timeout, ScanOptions::new()).await
    }

    /// As [`discover`](Self::discover), with options.
    ///
    /// # Errors
    /// As [`scan_with`](Self::scan_with).
    ///
    /// # Cancel safety
    /// Dropping the future ends the scan.
    pub async fn discover_with(&self, timeout: Duration, options: ScanOptions) -> Result<Vec<Device>, Error> {
        let mut scan = self.scan_with(options).await?;
        let mut devices = DeviceTable::with_capacity(DeviceTable::DEFAULT_CAPACITY);
        let begun = tokio::time::Instant::now();
        loop {
            match tokio::time::timeout_at(begun + timeout, scan.next()).await {
                Ok(Ok(sighting)) => {
                    devices.update(Instant::from_start(begun.elapsed()), &sighting.report);
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(devices.iter().cloned().collect()),
            }
        }
    }

    /// The first device that a filter lets through.
    ///
    /// # Errors
    /// [`Error::Timeout`] when there is none in time, and as [`scan_with`](Self::scan_with). A device may advertise as
    /// rarely as every 10.24 s.
    ///
    /// # Cancel safety
    /// Dropping the future ends the scan.
    pub async fn find(&self, filter: Filter, timeout: Duration) -> Result<Device, Error> {
        self.find_called("a device", filter, timeout).await
    }

    /// The first device of this name, complete or shortened.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    ///
    /// # Cancel safety
    /// Dropping the future ends the scan.
    pub async fn find_by_name(&self, name: &str, timeout: Duration) -> Result<Device, Error> {
        self.find_called(&format!("{name:?}"), Filter::new().name(name), timeout).await
    }

    /// The device of this address, public or random: its kind is what a connection needs.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    ///
    /// # Cancel safety
    /// Dropping the future ends the scan.
    pub async fn find_by_address(&self, bd_addr: BdAddr, timeout: Duration) -> Result<Device, Error> {
        self.find_called(&bd_addr.to_string(), Filter::new().bd_addr(bd_addr), timeout).await
    }

    async fn find_called(&self, what: &str, filter: Filter, timeout: Duration) -> Result<Device, Error> {
        let mut scan = self.scan_with(ScanOptions::new().filter(filter)).await?;
        match tokio::time::timeout(timeout, scan.next()).await {
            Ok(sighting) => Ok(sighting?.device),
            Err(_) => Err(Error::of(
                format!("looking for {what}"),
                Failure::Op(OpError::ConnectTimeout { after: timeout }),
            )),
        }
    }
}
