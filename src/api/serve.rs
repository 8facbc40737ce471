//! Our own services, for whoever is connected.

mod requests;

pub use requests::{ReadRequest, Request, Requests, WriteRequest};

use super::{Adapter, Attribute, Error, Peer};
use crate::driver::{Failure, Inbox, LinkState, Message, Pending, Shared, ValueAt};
use crate::gatt::Services;
use crate::gatt::server::Table;
use crate::host::{OpError, ServerRequest};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Bits of a Client Characteristic Configuration ([Vol 3] Part G, 3.3.3.3).
const NOTIFICATIONS: u16 = 1;
const INDICATIONS: u16 = 2;

/// What is served to every peer, whoever made the link. Cheap to clone; dropping it changes nothing.
///
/// Attributes are named as those of a peer: by what [`services`](Self::services) has, or by handle. Once
/// [`Adapter::serve`] has replaced the table, handles are those of the new one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use baretooth::gatt::server::{Access, Characteristic, Service, Table};
/// use baretooth::{Adapter, uuid16};
/// let adapter = Adapter::open("sim").await?;
/// let level = Characteristic::new(uuid16(0x2A19)).value(&[90][..]).read(Access::OPEN).notify();
/// let battery = Service::primary(uuid16(0x180F)).characteristic(level);
/// let server = adapter.serve(Table::builder("thermometer").service(battery).build()?).await?;
/// let level = server.services().find(uuid16(0x2A19))?.clone();
/// assert_eq!(server.update(&level, &[89][..]).await?, 0, "nobody is connected");
/// assert_eq!(server.value(&level).await?[..], [89]);
/// # adapter.close().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct GattServer {
    shared: Arc<Shared>,
    services: Services,
}

impl Adapter {
    /// Serves this table from now on, on every link; before, only the GAP and GATT services are served.
    ///
    /// Peers that are connected and have subscribed to Service Changed are told by it in which handles the two tables
    /// differ ([`Table::changed_since`]); their subscriptions there end, and the stream of [`GattServer::requests`]
    /// does in any case.
    ///
    /// # Errors
    /// When the adapter is lost or closed.
    ///
    /// # Cancel safety
    /// The table is served all the same.
    pub async fn serve(&self, table: Table) -> Result<GattServer, Error> {
        let services = table.services().clone();
        let request = ServerRequest::Serve(table).into();
        self.shared.submit(request).await.map_err(|failure| Error::of("serving a table", failure))?;
        Ok(GattServer { shared: self.shared.clone(), services })
    }

    /// Our name: the value of Device Name in the table that is served.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the table has none.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn name(&self) -> Result<String, Error> {
        let (_, name) = look(&self.shared, "reading our name", ValueAt::DeviceName).await?;
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    /// Changes our name in the table that is served. Names in advertising data are not changed by it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the table has none, [`Error::Invalid`] for more than 248 octets.
    ///
    /// # Cancel safety
    /// The name is changed or not.
    pub async fn set_name(&self, name: &str) -> Result<(), Error> {
        let operation = "changing our name";
        let (handle, _) = look(&self.shared, operation, ValueAt::DeviceName).await?;
        let request = ServerRequest::SetValue { handle, value: name.to_owned().into() }.into();
        self.shared.submit(request).await.map(drop).map_err(|failure| Error::of(operation, failure))
    }
}

impl GattServer {
    /// What is served, as a client discovers it.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The value that the table keeps.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it keeps none there.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn value(&self, attribute: impl Attribute) -> Result<Bytes, Error> {
        let operation = format!("reading our {}", attribute.describe());
        look(&self.shared, &operation, ValueAt::Handle(attribute.handle())).await.map(|(_, value)| value)
    }

    /// Changes a value that the table keeps. Nobody is told; see [`update`](Self::update).
    ///
    /// # Errors
    /// [`Error::Invalid`] when it keeps none there, or the value is longer than declared.
    ///
    /// # Cancel safety
    /// The value is changed all the same.
    pub async fn set_value(&self, attribute: impl Attribute, value: impl Into<Bytes>) -> Result<(), Error> {
        let request = ServerRequest::SetValue { handle: attribute.handle(), value: value.into() }.into();
        let result = self.shared.submit(request).await;
        result
            .map(drop)
            .map_err(|failure| Error::of(format!("changing our {}", attribute.describe()), failure))
    }

    /// Changes a value that the table keeps, and sends it to every subscriber in the form that each has asked for,
    /// notifications before indications. Returns how many have it.
    ///
    /// # Errors
    /// As [`set_value`](Self::set_value).
    ///
    /// # Cancel safety
    /// Some subscribers may have it and others not.
    pub async fn update(&self, attribute: impl Attribute, value: impl Into<Bytes>) -> Result<usize, Error> {
        let value = value.into();
        self.set_value(&attribute, value.clone()).await?;
        self.tell("update", &attribute, value, NOTIFICATIONS | INDICATIONS).await
    }

    /// Notifies every subscriber of a value, and returns how many there were. Waits until the queues of all their links
    /// have taken it: one that takes no more holds up the others, until its link is lost. At most ATT_MTU - 3 octets of
    /// the value are sent.
    ///
    /// # Errors
    /// When the adapter is lost or closed. A link that is lost meanwhile is not counted.
    ///
    /// # Cancel safety
    /// Some subscribers may have it and others not.
    pub async fn notify(&self, attribute: impl Attribute, value: impl Into<Bytes>) -> Result<usize, Error> {
        self.tell("notification", &attribute, value.into(), NOTIFICATIONS).await
    }

    /// Notifies one subscriber of a value, and waits until the queue of its link has taken it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it has not subscribed, [`Error::Disconnected`] when the link is down.
    ///
    /// # Cancel safety
    /// It is sent or not.
    pub async fn notify_to(
        &self,
        peer: &Peer,
        attribute: impl Attribute,
        value: impl Into<Bytes>,
    ) -> Result<(), Error> {
        self.tell_one("notification", peer, &attribute, value.into(), NOTIFICATIONS).await
    }

    /// Indicates a value to every subscriber, waits until each has confirmed it or its link is lost, and returns how
    /// many have. At most ATT_MTU - 3 octets of the value are sent. A peer that does not confirm within 30 s is
    /// disconnected.
    ///
    /// # Errors
    /// As [`notify`](Self::notify).
    ///
    /// # Cancel safety
    /// What was not sent is not sent.
    pub async fn indicate(&self, attribute: impl Attribute, value: impl Into<Bytes>) -> Result<usize, Error> {
        self.tell("indication", &attribute, value.into(), INDICATIONS).await
    }

    /// Indicates a value to one subscriber, and waits until it has confirmed it.
    ///
    /// # Errors
    /// As [`notify_to`](Self::notify_to), and [`Error::Timeout`] when it does not confirm within 30 s; the link is
    /// ended then.
    ///
    /// # Cancel safety
    /// If it was not sent, it is not sent.
    pub async fn indicate_to(
        &self,
        peer: &Peer,
        attribute: impl Attribute,
        value: impl Into<Bytes>,
    ) -> Result<(), Error> {
        self.tell_one("indication", peer, &attribute, value.into(), INDICATIONS).await
    }

    /// Peers that have subscribed to a value, by notifications or indications. Dropping one of these does not end its
    /// link.
    pub fn subscribers(&self, attribute: impl Attribute) -> Vec<Peer> {
        let subscribed = self.subscribed(attribute.handle(), NOTIFICATIONS | INDICATIONS).into_iter();
        subscribed.map(|state| Peer::lent(self.shared.clone(), state)).collect()
    }

    /// What clients want and do: everything about values that were declared as asked, writes of those that the table
    /// keeps, and subscriptions. Without such a stream, or when nobody reads it for 10 s, questions are answered with
    /// Unlikely Error; so call it before you advertise.
    ///
    /// There is one: a second call ends the first, and so does another table.
    pub fn requests(&self) -> Requests {
        let (queue, requests) = mpsc::channel(Requests::CAPACITY);
        let missed = Arc::default();
        self.shared.tell(Message::Inbox(Inbox::new(queue, Arc::clone(&missed))));
        Requests::new(self.shared.clone(), requests, missed)
    }

    fn subscribed(&self, handle: u16, form: u16) -> Vec<Arc<LinkState>> {
        let links = self.shared.links.borrow();
        links.iter().filter(|link| link.configuration(handle) & form != 0).cloned().collect()
    }

    /// Sends a value to everybody who has asked for one of these forms, all at once.
    async fn tell(
        &self,
        operation: &str,
        attribute: &impl Attribute,
        value: Bytes,
        form: u16,
    ) -> Result<usize, Error> {
        let links = self.subscribed(attribute.handle(), form);
        let begin = |link: &Arc<LinkState>| self.begin(link, attribute.handle(), value.clone(), form);
        let pending: Vec<_> = links.iter().map(begin).collect();
        let mut told = 0;
        for pending in pending {
            match pending.result().await {
                Ok(_) => told += 1,
                Err(Failure::Op(
                    OpError::NotSubscribed
                    | OpError::NotConnected
                    | OpError::Disconnected { .. }
                    | OpError::AttTimeout { .. },
                )) => {}
                Err(failure) => {
                    return Err(Error::of(format!("{operation} of {}", attribute.describe()), failure));
                }
            }
        }
        Ok(told)
    }

    async fn tell_one(
        &self,
        operation: &str,
        peer: &Peer,
        attribute: &impl Attribute,
        value: Bytes,
        form: u16,
    ) -> Result<(), Error> {
        let result = self.begin(peer.state(), attribute.handle(), value, form).result().await;
        let operation = || format!("{operation} of {} to {}", attribute.describe(), peer.address());
        result.map(drop).map_err(|failure| peer.error(operation(), failure))
    }

    fn begin(&self, link: &LinkState, handle: u16, value: Bytes, form: u16) -> Pending<'_> {
        let connection = link.connection;
        // A subscriber that has asked for both gets the one that costs less.
        let form = if form == NOTIFICATIONS | INDICATIONS { link.configuration(handle) } else { form };
        let request = if form & NOTIFICATIONS != 0 {
            ServerRequest::Notify { connection, handle, value }
        } else {
            ServerRequest::Indicate { connection, handle, value }
        };
        self.shared.begin(request.into())
    }
}

/// A value that the table keeps, with its handle.
async fn look(shared: &Shared, operation: &str, at: ValueAt) -> Result<(u16, Bytes), Error> {
    let (reply, found) = oneshot::channel();
    shared.tell(Message::Value { at, reply });
    match found.await {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(Error::NotFound {
            what: format!("{operation} failed: the table that is served keeps no such value"),
            handles: Vec::new(),
        }),
        Err(_) => Err(Error::of(operation, shared.failure())),
    }
}
