//! Who is known from earlier links.

use super::{Adapter, Error};
use crate::Address;
use crate::driver::{Failure, Message, Pending, Reply, SecurityMessage, Ticket};
use crate::host::{Output, SecurityRequest};
use crate::smp::{Bond, LocalOob};
use tokio::sync::oneshot;

impl Adapter {
    /// The bonds that there are: those of the [store](crate::AdapterBuilder::store) and those made since.
    ///
    /// # Errors
    /// When the adapter is lost or closed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn bonds(&self) -> Result<Vec<Bond>, Error> {
        let (reply, bonds) = oneshot::channel();
        self.shared.tell(Message::Security(SecurityMessage::Bonds(reply)));
        bonds.await.map_err(|_| Error::of("listing the bonds", self.shared.failure()))
    }

    /// Forgets a peer, by its identity: in the store too, and a link with it is ended. The peer is not told; it is refused
    /// when it uses its key.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not known, [`Error::Store`] when the store cannot be written: the peer is then
    /// known again in the next session.
    ///
    /// # Cancel safety
    /// It is forgotten all the same.
    pub async fn unpair(&self, peer: Address) -> Result<(), Error> {
        let operation = format!("forgetting {peer}");
        self.keep(operation, |ticket, reply| SecurityMessage::Unpair { ticket, peer, reply }).await
    }

    /// Takes a bond that was made elsewhere, in place of one with the same peer, and keeps it.
    ///
    /// # Errors
    /// [`Error::Store`] when the store cannot be written.
    ///
    /// # Cancel safety
    /// It is taken all the same.
    pub async fn import_bond(&self, bond: Bond) -> Result<(), Error> {
        let operation = format!("taking the bond with {}", bond.peer);
        let bond = Box::new(bond);
        self.keep(operation, |ticket, reply| SecurityMessage::Import { ticket, bond, reply }).await
    }

    /// Draws what a peer needs of us to pair out of band, for one pairing: bring [`LocalOob::confirm`] and
    /// [`LocalOob::random`] to it in another way, and pair with it in
    /// [`OobData::SecureConnections`](crate::smp::OobData::SecureConnections).
    ///
    /// # Errors
    /// When the adapter is lost or closed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn create_oob(&self) -> Result<LocalOob, Error> {
        let operation = "making out-of-band data";
        match self.shared.submit(SecurityRequest::CreateOob.into()).await {
            Ok(Output::Oob(local)) => Ok(local),
            Ok(_) => Err(Error::of(operation, Failure::Closed)),
            Err(failure) => Err(Error::of(operation, failure)),
        }
    }

    /// Does something whose end is that the store has it.
    async fn keep(
        &self,
        operation: String,
        message: impl FnOnce(Ticket, Reply) -> SecurityMessage,
    ) -> Result<(), Error> {
        let ticket = self.shared.ticket();
        let (reply, kept) = oneshot::channel();
        self.shared.tell(Message::Security(message(ticket, reply)));
        let kept = Pending::new(&self.shared, ticket, kept).result().await;
        kept.map(drop).map_err(|failure| Error::of(operation, failure))
    }
}
