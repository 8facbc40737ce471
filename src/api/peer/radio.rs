//! What the controllers know of a link: its signal, PHYs and timing, and the peer's controller.

use super::Peer;
use crate::api::Error;
use crate::driver::Failure;
use crate::gap::connect::ConnectionParameters;
use crate::hci::{LeFeatures, Phy};
use crate::host::{LinkTiming, Output, Request};

/// What the peer's controller says of itself ([Vol 4] Part E, 7.7.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteVersion {
    /// Version of the link layer, as in the assigned numbers of the core versions.
    pub version: u8,
    /// Company that made it.
    pub company_identifier: u16,
    /// Their revision.
    pub subversion: u16,
}

impl Peer {
    /// Strength of the link's signal in dBm; `None` when the controller does not know.
    ///
    /// # Errors
    /// [`Error::Controller`] when it refuses.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn rssi(&self) -> Result<Option<i8>, Error> {
        let request = Request::ReadRssi { connection: self.link.state.connection };
        match self.ask("reading the RSSI", request).await? {
            Output::Rssi(rssi) => Ok(rssi),
            _ => Ok(None),
        }
    }

    /// The PHYs of sending and of receiving.
    ///
    /// # Errors
    /// [`Error::Controller`] when the controller refuses.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn phy(&self) -> Result<(Phy, Phy), Error> {
        let request = Request::ReadPhy { connection: self.link.state.connection };
        self.ask("reading the PHY", request).await.map(phys)
    }

    /// Asks for other PHYs, and returns those of sending and receiving that the controllers agreed on.
    ///
    /// # Errors
    /// [`Error::Controller`] when the controller or the peer refuses, [`Error::Invalid`] for a PHY that is none.
    ///
    /// # Cancel safety
    /// Dropping the future loses the result.
    pub async fn set_phy(&self, tx: Phy, rx: Phy) -> Result<(Phy, Phy), Error> {
        let mask = |phy| match phy {
            Phy::Le1M => Ok(1),
            Phy::Le2M => Ok(2),
            Phy::LeCoded => Ok(4),
            other => Err(Error::Invalid {
                operation: "setting the PHY".to_owned(),
                cause: format!("{other} is none"),
            }),
        };
        let request =
            Request::SetPhy { connection: self.link.state.connection, tx: mask(tx)?, rx: mask(rx)? };
        self.ask("setting the PHY", request).await.map(phys)
    }

    /// Asks for other timing, and returns what the controllers agreed on. As a peripheral we ask the central for it.
    ///
    /// # Errors
    /// [`Error::Controller`] when the controller or the peer refuses, [`Error::Invalid`] for parameters that the
    /// specification does not allow.
    ///
    /// # Cancel safety
    /// Dropping the future loses the result.
    pub async fn update_parameters(&self, parameters: ConnectionParameters) -> Result<LinkTiming, Error> {
        let request = Request::UpdateParameters { connection: self.link.state.connection, parameters };
        match self.ask("updating the connection parameters", request).await? {
            Output::Timing(timing) => Ok(timing),
            _ => Ok(self.timing()),
        }
    }

    /// What the peer's controller says of itself.
    ///
    /// # Errors
    /// [`Error::Controller`] when the controller refuses.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn remote_version(&self) -> Result<RemoteVersion, Error> {
        const OPERATION: &str = "reading the peer's version";
        let request = Request::ReadRemoteVersion { connection: self.link.state.connection };
        match self.ask(OPERATION, request).await? {
            Output::RemoteVersion { version, company_identifier, subversion } => {
                Ok(RemoteVersion { version, company_identifier, subversion })
            }
            _ => Err(Error::of(OPERATION, Failure::Closed)),
        }
    }

    /// Features of the peer's controller.
    ///
    /// # Errors
    /// [`Error::Controller`] when the controller refuses.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn remote_features(&self) -> Result<LeFeatures, Error> {
        let request = Request::ReadRemoteFeatures { connection: self.link.state.connection };
        match self.ask("reading the peer's features", request).await? {
            Output::RemoteFeatures(features) => Ok(features),
            _ => Ok(LeFeatures::default()),
        }
    }
}

fn phys(output: Output) -> (Phy, Phy) {
    match output {
        Output::Phy { tx, rx } => (tx, rx),
        _ => (Phy::None, Phy::None),
    }
}
