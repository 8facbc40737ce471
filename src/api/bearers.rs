//! Enhanced ATT bearers of a link. Which request runs on which bearer is the host's business.

use super::peer::gatt;
use super::{Error, Peer};
use crate::driver::Failure;
use crate::gatt::CLIENT_SUPPORTED_FEATURES;
use crate::gatt::procedure::{ReadByUuid, Write};
use crate::host::{EATT_IS_OFF, Eatt, OpError, Output, Request};

impl Peer {
    /// Opens enhanced ATT bearers ([Vol 3] Part G, 5.3), 1 to 5 at once and 10 on a link: how many there are more. From
    /// then on so many more requests to this peer run side by side, by themselves; both sides use every bearer, whoever
    /// opened it. Long writes, writes without response, notifications and indications stay on the bearer that every link
    /// has. A bearer that the peer ends, or on which it does not answer in time, fails what runs on it and nothing else.
    ///
    /// Both sides may ask at once. A peripheral that is refused for lack of resources while its central asks as well has to
    /// wait before it asks again: 100 ms, or 2 × (latency + 1) × interval if that is longer ([Vol 3] Part G, 5.4). Nothing
    /// is asked again by itself.
    ///
    /// The peer is told first that we support them, if it has Client Supported Features ([Vol 3] Part G, 7.2).
    ///
    /// # Errors
    /// [`Error::Channel`] when it wants none; [`Error::Invalid`] where [`AdapterBuilder::eatt`] does not allow them, or
    /// for more than there can be.
    ///
    /// # Cancel safety
    /// Dropping the future loses the count; bearers that were opened stay.
    ///
    /// [`AdapterBuilder::eatt`]: crate::AdapterBuilder::eatt
    pub async fn open_bearers(&self, count: usize) -> Result<usize, Error> {
        const OPERATION: &str = "opening of bearers";
        if self.shared().eatt == Eatt::Off {
            // The peer is not told what is not so.
            return Err(Error::of(OPERATION, Failure::Op(OpError::Invalid(EATT_IS_OFF))));
        }
        let features = self.run(OPERATION, ReadByUuid::new(CLIENT_SUPPORTED_FEATURES)).await?;
        if let Some(features) = features.first()
            && let Some(told) = with_enhanced_bearers(&features.value)
        {
            let write = Write::new(features.handle, told).map_err(|source| gatt(OPERATION, source))?;
            self.run(OPERATION, write).await?;
        }
        let request = Request::OpenBearers { connection: self.state().connection, count };
        match self.submit(request).await {
            Ok(Output::Bearers(opened)) => Ok(opened),
            Ok(_) => Err(Error::of(OPERATION, Failure::Closed)),
            Err(failure) => Err(self.error(OPERATION.to_owned(), failure)),
        }
    }
}

/// Client Supported Features with the bit of enhanced bearers; `None` where it is set already.
fn with_enhanced_bearers(features: &[u8]) -> Option<Vec<u8>> {
    const ENHANCED_BEARERS: u8 = 0x02;
    let mut told = features.to_vec();
    match told.first_mut() {
        Some(first) if *first & ENHANCED_BEARERS != 0 => return None,
        Some(first) => *first |= ENHANCED_BEARERS,
        None => told.push(ENHANCED_BEARERS),
    }
    Some(told)
}
