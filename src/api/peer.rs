//! One device to which there is a link.

mod radio;

pub use radio::RemoteVersion;

use super::{Adapter, Attribute, Error, Notifications, SubscribeOptions};
use crate::driver::{Cancel, Failure, LinkState, Message, Shared};
use crate::gap::connect::ConnectOptions;
use crate::gatt::procedure::{
    AttributeValue, Discover, Outcome, Procedure, Read, ReadBlob, ReadByUuid, ReadMultiple,
    ReadMultipleVariable, Running, VariableValue, Write,
};
use crate::gatt::{CLIENT_CHARACTERISTIC_CONFIGURATION, Characteristic, GattError, Services};
use crate::hci::{ErrorCode, Role};
use crate::host::{ConnectionId, LinkTiming, OpError, Output, Request};
use crate::smp::SecurityLevel;
use crate::{Address, Uuid};
use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// A device to which there is, or was, a link. Cheap to clone; all clones are the same link.
///
/// A link that we made is ended when the last clone, and the last stream made from one, is dropped. One that a central
/// made ([`Adapter::accepted`]) is the central's to end, or [`disconnect`](Self::disconnect)'s.
///
/// Requests on one link take turns, in the order in which they were made, unless there are more bearers
/// ([`open_bearers`](Self::open_bearers)); those of different links do not wait for each other. Every operation that
/// runs when the link goes down fails with [`Error::Disconnected`] and the reason.
///
/// A controller that fails takes its links with it: their reason is [`ErrorCode::HardwareFailure`]. It is brought back
/// ([`AdapterBuilder::recovery`](super::AdapterBuilder::recovery)), its links are not; connect again, or have a
/// subscription [resume](SubscribeOptions::resume). The peer hears nothing of it, and does not advertise before its
/// supervision time-out, 5 s unless [`ConnectOptions::parameters`] says otherwise: leave an attempt to connect so long.
#[derive(Clone, Debug)]
pub struct Peer {
    link: Arc<Link>,
    /// What operations by this handle need.
    pub(super) level: SecurityLevel,
    /// What gives them up.
    pub(super) cancel: Option<Cancel>,
}

#[derive(Debug)]
struct Link {
    shared: Arc<Shared>,
    state: Arc<LinkState>,
    /// How it was made.
    options: ConnectOptions,
    /// The newest of the links that followed each other after failures of the controller; whoever makes the next one
    /// holds the lock.
    newest: Arc<tokio::sync::Mutex<Weak<Link>>>,
    /// It is somebody else's to end.
    lent: bool,
}

impl Link {
    fn new(
        shared: Arc<Shared>,
        state: Arc<LinkState>,
        options: ConnectOptions,
        newest: Arc<tokio::sync::Mutex<Weak<Link>>>,
    ) -> Arc<Self> {
        state.holders.fetch_add(1, Ordering::SeqCst);
        Arc::new(Self { shared, state, options, newest, lent: false })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let last = !self.lent && self.state.holders.fetch_sub(1, Ordering::SeqCst) == 1;
        let ours = self.state.role == Role::Central;
        if last && ours && self.state.down.borrow().is_none() {
            self.shared.tell(Message::Release(self.state.connection));
        }
    }
}

impl Peer {
    pub(super) fn new(shared: Arc<Shared>, state: Arc<LinkState>, options: ConnectOptions) -> Self {
        Self::by(Link::new(shared, state, options, Arc::default()))
    }

    /// A peer of whose link somebody else has care: it ends whether this is there or not.
    pub(super) fn lent(shared: Arc<Shared>, state: Arc<LinkState>) -> Self {
        let (options, newest) = (ConnectOptions::new(), Arc::default());
        Self::by(Arc::new(Link { shared, state, options, newest, lent: true }))
    }

    fn by(link: Arc<Link>) -> Self {
        Self { link, level: SecurityLevel::None, cancel: None }
    }

    /// The same peer by the link that follows this one, which is down; it is made unless somebody has.
    pub(super) async fn again(&self) -> Result<Self, Error> {
        let Link { shared, state, options, newest, .. } = &*self.link;
        let mut newest = newest.lock().await;
        if let Some(link) = newest.upgrade().filter(|link| link.state.down.borrow().is_none()) {
            return Ok(Self { link, ..self.lasting() });
        }
        let state = self.adapter().link_to(state.peer, options).await?;
        let (shared, options) = (shared.clone(), options.clone());
        let link = Link::new(shared, state, options, self.link.newest.clone());
        *newest = Arc::downgrade(&link);
        Ok(Self { link, ..self.lasting() })
    }

    /// Whether the link went down because the controller failed, that is being mended, and the link is ours to make.
    pub(super) fn fell_with_controller(&self) -> bool {
        let Link { state, .. } = &*self.link;
        let mended =
            matches!(state.cause.get(), Some(Failure::Op(OpError::ControllerFailed { then: Some(_), .. })));
        mended && state.role == Role::Central
    }

    /// Why the link is down.
    pub(super) fn end(&self, operation: String) -> Error {
        match (self.link.state.cause.get(), *self.link.state.down.borrow()) {
            (Some(failure), _) => Error::of(operation, failure.clone()),
            (None, Some(reason)) => Error::Disconnected { operation, reason },
            (None, None) => Error::of(operation, self.link.shared.failure()),
        }
    }

    /// The link, from its beginning to its end; no other ever has this number.
    pub fn connection(&self) -> ConnectionId {
        self.link.state.connection
    }

    /// Our role on the link: [`Role::Peripheral`] when the peer made it.
    pub fn role(&self) -> Role {
        self.link.state.role
    }

    /// The address it was connected by, or connects from.
    pub fn address(&self) -> Address {
        self.link.state.peer
    }

    /// ATT_MTU: an ATT PDU has at most so many octets.
    pub fn mtu(&self) -> u16 {
        self.link.state.with_info(|info| info.mtu)
    }

    /// Octets that fit into one write without response now.
    pub fn max_write_without_response(&self) -> usize {
        crate::gatt::max_write_without_response(self.mtu())
    }

    /// The timing of the link now.
    pub fn timing(&self) -> LinkTiming {
        self.link.state.with_info(|info| info.timing)
    }

    /// Whether the link is up.
    pub fn is_connected(&self) -> bool {
        self.link.state.down.borrow().is_none()
    }

    /// Waits until the link is down, and says why.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn disconnected(&self) -> ErrorCode {
        let mut down = self.link.state.down.subscribe();
        let reason = down.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
        reason.unwrap_or(ErrorCode::ConnectionTerminatedByLocalHost)
    }

    /// Ends the link, as a user does (0x13), and waits until it is down.
    ///
    /// # Errors
    /// As [`disconnect_with`](Self::disconnect_with).
    ///
    /// # Cancel safety
    /// The link is ended all the same.
    pub async fn disconnect(&self) -> Result<(), Error> {
        self.disconnect_with(ErrorCode::RemoteUserTerminatedConnection).await
    }

    /// Ends the link with a reason for the peer, and waits until it is down. A link that is down already is no error.
    ///
    /// # Errors
    /// [`Error::Controller`] when the controller refuses the reason: it knows 0x05, 0x13 to 0x15, 0x1A, 0x29 and
    /// 0x3B ([Vol 4] Part E, 7.1.6).
    ///
    /// # Cancel safety
    /// The link is ended all the same.
    pub async fn disconnect_with(&self, reason: ErrorCode) -> Result<(), Error> {
        let request = Request::Disconnect { connection: self.link.state.connection, reason };
        match self.link.shared.submit(request).await {
            Ok(_) | Err(Failure::Op(OpError::NotConnected | OpError::Disconnected { .. })) => Ok(()),
            Err(failure) => Err(Error::of(format!("disconnecting from {}", self.address()), failure)),
        }
    }

    /// Discovers the whole table: services with what they include, characteristics and descriptors
    /// ([Vol 3] Part G, 4.4 to 4.7). Asks the peer every time: nothing is cached.
    ///
    /// The first discovery on a link that finds Service Changed subscribes to it, one request more, for
    /// [`service_changes`](Self::service_changes). A peer that refuses that is left alone.
    ///
    /// # Errors
    /// [`Error::Gatt`] when the table contradicts itself.
    ///
    /// # Cancel safety
    /// Dropping the future loses the result; what was begun at the peer finishes first.
    pub async fn discover(&self) -> Result<Services, Error> {
        self.discover_by(Discover::all()).await
    }

    /// As [`discover`](Self::discover), and reads the Characteristic User Descriptions ([Vol 3] Part G, 3.3.3.2), one
    /// request more for each. One that cannot be read is left out.
    ///
    /// # Errors
    /// As [`discover`](Self::discover).
    ///
    /// # Cancel safety
    /// As [`discover`](Self::discover).
    pub async fn discover_with_user_descriptions(&self) -> Result<Services, Error> {
        self.discover_by(Discover::all().with_user_descriptions()).await
    }

    /// Discovers only the services of these UUIDs.
    ///
    /// # Errors
    /// As [`discover`](Self::discover). A service that is not there is not in the result.
    ///
    /// # Cancel safety
    /// As [`discover`](Self::discover).
    pub async fn discover_only(&self, services: impl IntoIterator<Item = Uuid>) -> Result<Services, Error> {
        self.discover_by(Discover::only(services)).await
    }

    /// Reads a value, however long ([Vol 3] Part G, 4.8.1 and 4.8.3).
    ///
    /// # Errors
    /// [`Error::Att`] when the peer refuses.
    ///
    /// # Cancel safety
    /// As [`discover`](Self::discover).
    pub async fn read(&self, attribute: impl Attribute) -> Result<Bytes, Error> {
        let read = Read::new(attribute.handle());
        self.run_on("read", &attribute, read.into()).await
    }

    /// Reads the part of a value that begins at `offset`, in one request: at most ATT_MTU - 1 octets.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    /// As [`discover`](Self::discover).
    pub async fn read_part(&self, attribute: impl Attribute, offset: u16) -> Result<Bytes, Error> {
        let read = ReadBlob::new(attribute.handle(), offset);
        self.run_on("read", &attribute, read.into()).await
    }

    /// Reads all values of one type without discovering them first ([Vol 3] Part G, 4.8.2). Each is cut to what fits
    /// into one response.
    ///
    /// # Errors
    /// [`Error::Att`] when the peer refuses; none of the type is an empty list.
    ///
    /// # Cancel safety
    /// As [`discover`](Self::discover).
    pub async fn read_by_uuid(&self, uuid: Uuid) -> Result<Vec<AttributeValue>, Error> {
        self.run("read by UUID", ReadByUuid::new(uuid)).await
    }

    /// Reads several values in one request, joined without marks between them ([Vol 3] Part G, 4.8.4): of use when
    /// their lengths are known.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`Error::Gatt`] for fewer than two handles.
    ///
    /// # Cancel safety
    /// As [`discover`](Self::discover).
    pub async fn read_multiple(&self, handles: &[u16]) -> Result<Bytes, Error> {
        let read = ReadMultiple::new(handles).map_err(|source| gatt("read of several", source))?;
        self.run("read of several", read).await
    }

    /// Reads several values of any lengths in one request ([Vol 3] Part G, 4.8.5).
    ///
    /// # Errors
    /// As [`read_multiple`](Self::read_multiple); older peers do not know the request.
    ///
    /// # Cancel safety
    /// As [`discover`](Self::discover).
    pub async fn read_multiple_variable(&self, handles: &[u16]) -> Result<Vec<VariableValue>, Error> {
        let read = ReadMultipleVariable::new(handles).map_err(|source| gatt("read of several", source))?;
        self.run("read of several", read).await
    }

    /// Writes a value, with prepared writes when it is longer than one request carries
    /// ([Vol 3] Part G, 4.9.3 and 4.9.4). At most 512 octets.
    ///
    /// # Errors
    /// [`Error::Att`] when the peer refuses; [`Error::Gatt`] when a prepared part comes back changed, in which case
    /// nothing was written; [`Error::Invalid`] for the descriptor that [`subscribe`](Self::subscribe) writes, unless
    /// it is named by its bare handle.
    ///
    /// # Cancel safety
    /// Dropping the future loses the result; a write that was begun finishes.
    pub async fn write(&self, attribute: impl Attribute, value: impl Into<Bytes>) -> Result<(), Error> {
        if attribute.uuid() == Some(CLIENT_CHARACTERISTIC_CONFIGURATION) {
            let cause =
                "subscribe writes this descriptor; name it by its handle to write it all the same".to_owned();
            return Err(Error::Invalid { operation: format!("write of {}", attribute.describe()), cause });
        }
        let write = Write::new(attribute.handle(), value.into());
        let write = write.map_err(|source| gatt(&format!("write of {}", attribute.describe()), source))?;
        self.run_on("write", &attribute, write.into()).await
    }

    /// Writes without response ([Vol 3] Part G, 4.9.1): resolves when the link's queue has taken the value, which
    /// waits for the controller when that has no room. At most
    /// [`max_write_without_response`](Self::max_write_without_response) octets.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more octets. The peer cannot refuse.
    ///
    /// # Cancel safety
    /// The value is written or not.
    pub async fn write_without_response(
        &self,
        attribute: impl Attribute,
        value: impl Into<Bytes>,
    ) -> Result<(), Error> {
        let request = Request::WriteCommand {
            connection: self.link.state.connection,
            handle: attribute.handle(),
            value: value.into(),
        };
        let written = async {
            self.reach_level().await?;
            self.submit(request).await
        };
        let operation = || format!("write without response of {}", attribute.describe());
        written.await.map(drop).map_err(|failure| self.error(operation(), failure))
    }

    /// Subscribes to a characteristic, by notifications if it offers them, else by indications.
    ///
    /// # Errors
    /// [`Error::Gatt`] when it offers neither or has no descriptor to subscribe with, [`Error::Att`] when the peer
    /// refuses.
    ///
    /// # Cancel safety
    /// Dropping the future ends a subscription that was made all the same.
    pub async fn subscribe(&self, characteristic: &Characteristic) -> Result<Notifications, Error> {
        self.subscribe_with(characteristic, SubscribeOptions::new()).await
    }

    /// Subscribes with options.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    /// As [`subscribe`](Self::subscribe).
    pub async fn subscribe_with(
        &self,
        characteristic: &Characteristic,
        options: SubscribeOptions,
    ) -> Result<Notifications, Error> {
        Notifications::subscribe(self.clone(), characteristic, options).await
    }

    /// The same peer, by a handle whose operations are given up when `cancel` is called: reading and writing, subscribing,
    /// pairing, encrypting, opening channels. [`disconnect`](Self::disconnect) is not, and no stream, pairing of the agent
    /// or channel that was there by then.
    ///
    /// ```no_run
    /// # async fn program(peer: baretooth::Peer) -> Result<(), baretooth::Error> {
    /// use baretooth::{Cancel, Error};
    /// let cancel = Cancel::new();
    /// let (interrupted, handle) = (cancel.clone(), peer.until(&cancel));
    /// let interrupt = async move {
    ///     tokio::time::sleep(std::time::Duration::from_secs(1)).await; // or Ctrl-C
    ///     interrupted.cancel();
    /// };
    /// match tokio::join!(handle.discover(), interrupt).0 {
    ///     Ok(services) => println!("{} services, in time or too late to stop", services.len()),
    ///     Err(Error::Cancelled { .. }) => println!("given up; the link stays"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn until(&self, cancel: &Cancel) -> Self {
        Self { cancel: Some(cancel.clone()), ..self.clone() }
    }

    /// The same peer, by a handle that nothing gives up: for what outlives an operation.
    pub(super) fn lasting(&self) -> Self {
        Self { cancel: None, ..self.clone() }
    }

    /// Makes a request of this handle.
    pub(super) async fn submit(&self, request: impl Into<Request>) -> Result<Output, Failure> {
        self.link.shared.submit_until(request.into(), self.cancel.as_ref()).await
    }

    async fn ask(&self, operation: &str, request: Request) -> Result<Output, Error> {
        self.submit(request).await.map_err(|failure| self.error(operation.to_owned(), failure))
    }

    /// Runs a procedure; the operation is named without an object.
    pub(super) async fn run<P: Procedure>(&self, operation: &str, procedure: P) -> Result<P::Output, Error> {
        let outcome =
            self.gatt(procedure.into()).await.map_err(|failure| self.error(operation.to_owned(), failure))?;
        P::Output::try_from(outcome).map_err(|_| Error::of(operation, Failure::Closed))
    }

    /// Runs a procedure on an attribute.
    async fn run_on<T: TryFrom<Outcome>>(
        &self,
        operation: &str,
        attribute: &impl Attribute,
        procedure: Running,
    ) -> Result<T, Error> {
        let operation = || format!("{operation} of {}", attribute.describe());
        let outcome = self.gatt(procedure).await.map_err(|failure| self.error(operation(), failure))?;
        T::try_from(outcome).map_err(|_| Error::of(operation(), Failure::Closed))
    }

    async fn gatt(&self, procedure: Running) -> Result<Outcome, Failure> {
        self.reach_level().await?;
        let request = Request::Gatt { connection: self.link.state.connection, procedure };
        match self.submit(request).await? {
            Output::Gatt(outcome) => Ok(outcome),
            _ => Err(Failure::Closed),
        }
    }

    /// A request that came too late fails with the reason for which the link went down.
    pub(super) fn error(&self, operation: String, failure: Failure) -> Error {
        let reason = *self.link.state.down.borrow();
        match (failure, reason) {
            (Failure::Op(OpError::NotConnected), Some(reason)) => Error::Disconnected { operation, reason },
            (failure, _) => Error::of(operation, failure),
        }
    }

    /// The adapter that has the link.
    pub fn adapter(&self) -> Adapter {
        Adapter::of(self.link.shared.clone())
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.link.shared
    }

    pub(super) fn state(&self) -> &LinkState {
        &self.link.state
    }
}

pub(super) fn gatt(operation: &str, source: GattError) -> Error {
    Error::Gatt { operation: operation.to_owned(), source }
}
