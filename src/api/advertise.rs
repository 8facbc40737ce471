//! Being found.

use super::{Adapter, Error};
use crate::Address;
use crate::driver::{AdvertisingEnded, AdvertisingReader, Begun, Failure, Message, Shared, Ticket};
use crate::gap::advertise::AdvertiseOptions;
use crate::gap::advertising_data::AdvertisingDataBuf;
use crate::host::AdvertisingEnd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot, watch};

/// Scanners that may wait to be read about.
const SCANNERS: usize = 64;

/// An advertisement on the air. Dropping it ends it; several at once are several sets, as far as the controller has them.
///
/// It ends by itself when a central connects: that link is the next of [`Adapter::accepted`]. When the controller fails
/// and is brought back, it begins anew.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use baretooth::gap::advertising_data::{AdvertisingDataBuilder, Flags};
/// use baretooth::{Adapter, AdvertiseOptions, AdvertisingEnd};
/// use std::time::Duration;
/// let adapter = Adapter::open("sim").await?;
/// let data = AdvertisingDataBuilder::new()
///     .flags(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED)
///     .name("thermometer")
///     .build()?;
/// let options = AdvertiseOptions::new().data(data).timeout(Duration::from_secs(30));
/// let advertisement = adapter.advertise(options).await?;
/// assert!(adapter.is_advertising());
/// // Nobody connects on this radio.
/// assert_eq!(advertisement.ended().await?, AdvertisingEnd::TimedOut);
/// adapter.close().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Advertisement {
    shared: Arc<Shared>,
    ticket: Ticket,
    begun: Begun,
    ended: watch::Receiver<AdvertisingEnded>,
    scanners: mpsc::Receiver<Address>,
}

impl Advertisement {
    /// The power it is sent with, in dBm; `None` where the controller does not say it, which with the legacy commands is
    /// always.
    pub fn tx_power(&self) -> Option<i8> {
        self.begun.tx_power
    }

    /// The address that it showed when it began; a private one is another after some time.
    pub fn address(&self) -> Address {
        self.begun.address
    }

    /// Gives it other data, on the air without a gap where one command holds them. Returns when they are taken, which is
    /// before the next advertising event that the controller can still change.
    ///
    /// # Errors
    /// [`Error::Advertising`] when they do not fit, and it goes on with those it has; [`Error::Invalid`] when it is over.
    ///
    /// # Cancel safety
    /// The data are set or not.
    pub async fn set_data(
        &self,
        data: AdvertisingDataBuf,
        scan_response: AdvertisingDataBuf,
    ) -> Result<(), Error> {
        let (reply, result) = oneshot::channel();
        let (ticket, of) = (self.shared.ticket(), self.ticket);
        self.shared.tell(Message::SetAdvertisingData { ticket, of, data, scan_response, reply });
        let result = result.await.unwrap_or_else(|_| Err(self.shared.failure()));
        result.map(drop).map_err(|failure| Error::of("setting advertising data", failure))
    }

    /// Whether it goes on. One that waits for its controller to be brought back does.
    pub fn is_advertising(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Waits until it is over, and says how.
    ///
    /// # Errors
    /// [`Error::Controller`] when the controller refuses data that were set, or has failed; [`Error::Closed`] and
    /// [`Error::Transport`] when the adapter is closed or lost.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ended(&self) -> Result<AdvertisingEnd, Error> {
        self.wait().await.map_err(|failure| Error::of("advertising", failure))
    }

    /// Stops it, and waits until the controller has. One that is over already is no error.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Transport`] and [`Error::Controller`] when the adapter is closed, lost or has failed:
    /// it does not advertise then either.
    ///
    /// # Cancel safety
    /// It is stopped all the same.
    pub async fn stop(self) -> Result<(), Error> {
        self.shared.tell(Message::Cancel(self.ticket));
        match self.wait().await {
            Ok(_) | Err(Failure::Op(crate::host::OpError::Cancelled)) => Ok(()),
            Err(failure) => Err(Error::of("stopping an advertisement", failure)),
        }
    }

    /// The next scanner that asks for the scan response, once for each time the controller tells; only with
    /// [`AdvertiseOptions::notify_scan_requests`]. `None` when the advertisement is over. Of more than 64 that nobody has
    /// read about the later ones are forgotten.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn next_scanner(&mut self) -> Option<Address> {
        self.scanners.recv().await
    }

    async fn wait(&self) -> Result<AdvertisingEnd, Failure> {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(result)) => result.clone(),
            _ => Err(self.shared.failure()),
        }
    }
}

impl Drop for Advertisement {
    fn drop(&mut self) {
        self.shared.tell(Message::Cancel(self.ticket));
    }
}

impl Adapter {
    /// Advertises: returns when the controller does. Any number of advertisements at once, with any scans and links
    /// beside them, as far as the controller goes.
    ///
    /// # Errors
    /// [`Error::Advertising`] for what this controller cannot advertise, with what is wrong: of data that are too long, by
    /// how much. [`Error::Controller`] when it refuses, or has no set left.
    ///
    /// # Cancel safety
    /// Dropping the future ends the advertisement. A link that came of it is [accepted](Self::accepted) all the same.
    pub async fn advertise(&self, options: AdvertiseOptions) -> Result<Advertisement, Error> {
        let (started, ready) = oneshot::channel();
        let (ending, ended) = watch::channel(None);
        let (asking, scanners) = mpsc::channel(SCANNERS);
        let ticket = self.shared.ticket();
        let reader = AdvertisingReader::new(started, ending, asking);
        self.shared.tell(Message::Advertise { ticket, options: Box::new(options), reader });
        let begun = Begun { tx_power: None, address: self.controller().random_address };
        // Dropped before it has begun it ends all the same.
        let mut advertisement = Advertisement { shared: self.shared.clone(), ticket, begun, ended, scanners };
        let result = ready.await.unwrap_or_else(|_| Err(self.shared.failure()));
        advertisement.begun = result.map_err(|failure| Error::of("advertising", failure))?;
        Ok(advertisement)
    }

    /// Whether an advertisement has begun and is not over.
    pub fn is_advertising(&self) -> bool {
        self.shared.advertising.load(Ordering::Acquire) > 0
    }
}
