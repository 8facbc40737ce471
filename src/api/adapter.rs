//! One controller in use.

use super::opening::{ByName, open};
use super::recoveries::Recoveries;
use super::{Error, Peer, SecurityRequests};
use crate::bonds::BondStore;
use crate::capture::{Format, UnknownFormat};
use crate::driver::{
    self, Cancel, Destination, Failure, Keeper, Message, NoSource, Session, Shared, Source, Tap, Tickets,
};
use crate::gap::connect::ConnectOptions;
use crate::gap::privacy::OwnAddress;
use crate::hci::{ControllerInfo, Opcode};
use crate::host::{Eatt, Host, HostConfig, Output, ParameterPolicy, Recovery, Request, SecurityOptions};
use crate::replay::ReplayTransport;
use crate::smp::{Key, SecurityLevel};
use crate::transports::{AdapterSpec, OpenOptions, Transport, TransportError};
use crate::{Address, BdAddr, Instant};
use bytes::Bytes;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// A controller that is initialised and ready. Cheap to clone; all clones are the same adapter.
///
/// When the last clone and everything made from it (peers, streams) is dropped, scans and links are ended and the
/// transport is closed, in the background; [`close`](Self::close) does the same and waits for it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), baretooth::Error> {
/// use baretooth::Adapter;
/// let adapter = Adapter::open("sim").await?;
/// println!("{}", adapter.controller().random_address);
/// adapter.close().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Adapter {
    pub(super) shared: Arc<Shared>,
    /// What gives operations of this handle up.
    cancel: Option<Cancel>,
}

/// How an adapter is opened.
#[derive(Debug, Default)]
#[must_use]
pub struct AdapterBuilder {
    capture: Option<Result<Destination, UnknownFormat>>,
    seed: Option<[u8; 32]>,
    random_address: Option<BdAddr>,
    mtu: Option<u16>,
    legacy_only: bool,
    parameter_policy: ParameterPolicy,
    open_options: OpenOptions,
    recovery: Option<Recovery>,
    name: Option<String>,
    eatt: Eatt,
    own_address: OwnAddress,
    rotation: Option<Duration>,
    irk: Option<Key>,
    peer_irks: Vec<(Address, Key)>,
    security: SecurityOptions,
    keeper: Option<Keeper>,
    service_changes: Option<bool>,
}

impl Adapter {
    /// The adapter of what was made from it.
    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self { shared, cancel: None }
    }

    /// Opens an adapter by its name, such as `tcp:localhost:9001`, `unix:/run/hci.sock` or `sim`; see
    /// [`AdapterSpec`].
    ///
    /// # Errors
    /// When the name is wrong, the adapter cannot be reached, or its controller cannot be used.
    ///
    /// # Cancel safety
    /// Dropping the future closes what was opened.
    pub async fn open(name: &str) -> Result<Self, Error> {
        Self::builder().open(name).await
    }

    /// Opens with options.
    pub fn builder() -> AdapterBuilder {
        AdapterBuilder::default()
    }

    /// What the controller said of itself.
    pub fn controller(&self) -> &ControllerInfo {
        &self.shared.controller
    }

    /// The transport, as its name in [`AdapterSpec`]'s notation where it has one.
    pub fn description(&self) -> &str {
        &self.shared.description
    }

    /// Connects with default options.
    ///
    /// # Errors
    /// As [`connect_with`](Self::connect_with).
    ///
    /// # Cancel safety
    /// As [`connect_with`](Self::connect_with).
    pub async fn connect(&self, address: Address) -> Result<Peer, Error> {
        self.connect_with(address, ConnectOptions::new()).await
    }

    /// Connects to a peer that advertises or will, MTU exchange included. No scan is needed before. Several attempts
    /// at once take turns, each with its own time; scanning goes on meanwhile or pauses, as the controller wants it.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the peer is not heard in time, [`Error::Controller`] when the controller refuses,
    /// [`Error::Disconnected`] when the link breaks before it is ready, [`Error::Invalid`] for a peer to which there
    /// is a link already, or parameters that the specification does not allow. An establishment that fails with 0x3E
    /// is tried once more first.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the attempt at the controller, and ends a link that comes up all the same.
    pub async fn connect_with(&self, address: Address, options: ConnectOptions) -> Result<Peer, Error> {
        let state = self.link_to(address, &options).await?;
        Ok(Peer::new(self.shared.clone(), state, options))
    }

    /// Connects, and pairs before the link is there to be used, as [`set_security`](Self::set_security) says; what the
    /// pairing asks, the [agent](Self::agent) has. A peer that is bonded is not paired with again.
    ///
    /// # Errors
    /// Those of [`connect_with`](Self::connect_with) and of [`Peer::raise`]; the link is ended then.
    ///
    /// # Cancel safety
    /// As [`connect_with`](Self::connect_with); a pairing that is dropped is given up.
    pub async fn connect_paired(&self, address: Address, options: ConnectOptions) -> Result<Peer, Error> {
        let peer = self.connect_with(address, options).await?;
        let raising = match &self.cancel {
            Some(cancel) => peer.until(cancel),
            None => peer.clone(),
        };
        if let Err(error) = raising.raise(SecurityLevel::Encrypted).await {
            // What was wrong with the pairing counts, whatever the end of the link says.
            let _ = peer.disconnect().await;
            return Err(error);
        }
        Ok(peer)
    }

    /// The same adapter, by a handle whose attempts to connect are given up when `cancel` is called: they leave the
    /// controller idle then, as those do whose time is over. Peers that it connects to are not affected; they have
    /// [`Peer::until`].
    #[must_use]
    pub fn until(&self, cancel: &Cancel) -> Self {
        Self { shared: self.shared.clone(), cancel: Some(cancel.clone()) }
    }

    /// Makes a link; whoever asks for it ends it too.
    pub(super) async fn link_to(
        &self,
        address: Address,
        options: &ConnectOptions,
    ) -> Result<Arc<driver::LinkState>, Error> {
        let operation = || format!("connecting to {address}");
        let request = Request::Connect { address, options: options.clone() };
        let connected = self.shared.submit_until(request, self.cancel.as_ref()).await;
        match connected.map_err(|failure| Error::of(operation(), failure))? {
            Output::Connected(info) => {
                let links = self.shared.links.borrow();
                let state = links.iter().find(|state| state.connection == info.connection);
                // Without one it went down before we looked.
                Ok(state.cloned().unwrap_or_else(|| Arc::new(driver::LinkState::gone(info))))
            }
            _ => Err(Error::of(operation(), Failure::Closed)),
        }
    }

    /// The longest ATT PDU to offer and to take on links that come up from now on, 23 to 517, in place of
    /// [`AdapterBuilder::mtu`]. Enhanced bearers that peers open stay as they were offered first.
    pub fn set_mtu(&self, mtu: u16) {
        let (reply, _) = oneshot::channel();
        let request = Request::SetMtu(mtu);
        self.shared.tell(Message::Submit { ticket: self.shared.ticket(), request, reply });
    }

    /// Addresses of the peers to which there are links, whoever made them.
    pub fn connections(&self) -> Vec<Address> {
        self.shared.links.borrow().iter().map(|state| state.peer).collect()
    }

    /// Sends any HCI command, a vendor's for example, and returns what Command Complete returned, the status first;
    /// for a command that is answered by Command Status, the status alone. At most 255 octets of parameters.
    ///
    /// # Errors
    /// [`Error::Controller`] when it is not answered. A refusal is an answer.
    ///
    /// # Cancel safety
    /// Dropping the future loses the answer; the command may be sent all the same.
    pub async fn command(&self, opcode: Opcode, parameters: impl Into<Bytes>) -> Result<Bytes, Error> {
        let operation = || format!("{opcode}");
        let request = Request::Command { opcode, parameters: parameters.into() };
        match self.shared.submit(request).await.map_err(|failure| Error::of(operation(), failure))? {
            Output::Return(octets) => Ok(octets),
            _ => Ok(Bytes::new()),
        }
    }

    /// Ends scans and links, flushes the capture and closes the transport. Everything that still waits fails with
    /// [`Error::Closed`]. Takes at most about two seconds.
    ///
    /// # Cancel safety
    /// The adapter is closed all the same.
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        self.shared.tell(Message::Close(reply));
        let _ = closed.await;
    }

    /// Why the capture ended before the session, if it did: a full disk, a reader that went away. The session goes on
    /// without it. To be asked after [`close`](Self::close), which writes what was left.
    pub fn capture_error(&self) -> Option<Error> {
        self.shared.capture_failure.get().cloned().map(Error::capture)
    }

    /// Waits until the adapter is lost or closed, and says why.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> Error {
        let mut ended = self.shared.ended.clone();
        let _ = ended.wait_for(Option::is_some).await;
        Error::of("the session", self.shared.failure())
    }
}

impl AdapterBuilder {
    /// Writes every packet to a file, in the format that its name says ([`Format::of_name`]). A packet is in the file
    /// at most a second after it passed, and the file can be read at any moment, even when the process is killed.
    pub fn capture(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.capture = Some(Format::of_name(&path).map(|format| Destination::File(path, format)));
        self
    }

    /// Writes every packet to any writer, flushed as it comes; packets that come together go in one write. Of this
    /// and [`capture`](Self::capture) the last counts. A writer that blocks holds up the session: give a slow one a
    /// thread.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use baretooth::{Adapter, capture::Format};
    /// let shown_live = std::io::sink(); // a pipe, say, that `wireshark -k -i -` reads
    /// let adapter = Adapter::builder().capture_to(shown_live, Format::PCAP).open("sim").await?;
    /// adapter.close().await;
    /// assert!(adapter.capture_error().is_none());
    /// # Ok(()) }
    /// ```
    pub fn capture_to(mut self, writer: impl Write + Send + 'static, format: Format) -> Self {
        self.capture = Some(Ok(Destination::Writer(Box::new(writer), format)));
        self
    }

    /// Makes the session repeatable: everything random follows from the seed, and the capture's clock starts in 1970.
    /// For tests; whoever knows the seed knows the keys.
    pub fn seed(mut self, seed: u64) -> Self {
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&seed.to_le_bytes());
        self.seed = Some(octets);
        self
    }

    /// Our static random address, in place of the one that follows from the seed; its two upper bits have to be 11.
    pub fn random_address(mut self, address: BdAddr) -> Self {
        self.random_address = Some(address);
        self
    }

    /// Which sort of address to show to scan, connect and advertise, where the options of these ask for none;
    /// [`OwnAddress::RandomStatic`] by default. Private addresses are others every 15 minutes.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), baretooth::Error> {
    /// use baretooth::{Adapter, OwnAddress};
    /// let adapter = Adapter::builder().own_address(OwnAddress::Resolvable).open("sim").await?;
    /// # adapter.close().await;
    /// # Ok(()) }
    /// ```
    pub fn own_address(mut self, own_address: OwnAddress) -> Self {
        self.own_address = own_address;
        self
    }

    /// How long a private address of ours is shown; 15 minutes by default.
    pub fn rotation(mut self, rotation: Duration) -> Self {
        self.rotation = Some(rotation);
        self
    }

    /// Our identity resolving key, in place of the one that follows from the seed: who has it knows us behind
    /// [`OwnAddress::Resolvable`].
    pub fn irk(mut self, irk: Key) -> Self {
        self.irk = Some(irk);
        self
    }

    /// The identity resolving key of somebody with whom there is no bond: whatever private address it shows, it is found
    /// and connected to by this identity.
    pub fn peer_irk(mut self, identity: Address, irk: Key) -> Self {
        self.peer_irks.push((identity, irk));
        self
    }

    /// Longest ATT PDU to offer, 23 to 517 (the default).
    pub fn mtu(mut self, mtu: u16) -> Self {
        self.mtu = Some(mtu);
        self
    }

    /// Our Device Name, until a table is served that has its own; «baretooth» by default. It is cut to 248 octets.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether there are enhanced ATT bearers ([`Peer::open_bearers`](crate::Peer::open_bearers)); by default there are
    /// none. With [`Eatt::Encrypted`] or [`Eatt::Unencrypted`] peers may open five of them on a link, and the Server
    /// Supported Features of what is served say so.
    pub fn eatt(mut self, eatt: Eatt) -> Self {
        self.eatt = eatt;
        self
    }

    /// Where bonds are kept: they are loaded before the adapter is there to be used, and written as they come, go and
    /// change. Without a store they are forgotten with the adapter.
    ///
    /// With the first bond our address and our Identity Resolving Key are kept as well, so that peers know us again; from
    /// then on the adapter has them in every session, whatever its [`seed`](Self::seed) is. They belong to the
    /// controller, by its public address.
    ///
    /// ```no_run
    /// # async fn program() -> Result<(), baretooth::Error> {
    /// use baretooth::{Adapter, bonds::JsonStore};
    /// let adapter = Adapter::builder().store(JsonStore::new("bonds")).open("hci0").await?;
    /// # Ok(()) }
    /// ```
    pub fn store(mut self, store: impl BondStore + 'static) -> Self {
        self.keeper = Some(Keeper::new(Box::new(store)));
        self
    }

    /// What is done about security by itself: when a peer wants to pair, when an operation is refused for want of
    /// encryption, and what every link has to have.
    pub fn security(mut self, options: SecurityOptions) -> Self {
        self.security = options;
        self
    }

    /// Whether discoveries subscribe to Service Changed, for [`Peer::service_changes`]; they do by default. On a capture
    /// ([`open_replay`](Self::open_replay)) they do if the capture's did.
    pub fn service_changes(mut self, service_changes: bool) -> Self {
        self.service_changes = Some(service_changes);
        self
    }

    /// Keeps away from the extended commands even where the controller has them.
    pub fn legacy_only(mut self, legacy_only: bool) -> Self {
        self.legacy_only = legacy_only;
        self
    }

    /// What to answer when a peer asks for other connection parameters; by default it gets what the specification
    /// allows.
    pub fn parameter_policy(mut self, policy: ParameterPolicy) -> Self {
        self.parameter_policy = policy;
        self
    }

    /// How the transport is opened: whether an adapter of the kernel is left up, a USB port reset.
    pub fn open_options(mut self, options: OpenOptions) -> Self {
        self.open_options = options;
        self
    }

    /// How far to go to bring back a controller that fell silent or reported a fault, see [`Recovery`]; by default
    /// [`Recovery::Reopen`]. A transport that the program opened itself can only be reset, see
    /// [`open_source`](Self::open_source); a controller that fails while it is being opened is not brought back, and
    /// neither is one that is lost, unplugged for example.
    ///
    /// Everything that waits when a controller fails ends with an error that says what is wrong and what is being done
    /// about it, and all links go down with [`ErrorCode::HardwareFailure`](crate::ErrorCode::HardwareFailure). Scans go
    /// on afterwards, and so do subscriptions that asked for it
    /// ([`SubscribeOptions::resume`](crate::SubscribeOptions::resume)). Scans and connections asked for meanwhile wait.
    /// When nothing helps, or the controller fails more often than three times a minute, the session ends, and
    /// [`Adapter::closed`] says why.
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = Some(recovery);
        self
    }

    /// Opens an adapter by its name; see [`Adapter::open`].
    ///
    /// # Errors
    /// As [`Adapter::open`].
    ///
    /// # Cancel safety
    /// Dropping the future closes what was opened.
    pub async fn open(self, name: &str) -> Result<Adapter, Error> {
        let spec: AdapterSpec = name.parse()?;
        match &spec {
            AdapterSpec::Sim => {
                let seed = self.seed.and_then(|seed| seed.first_chunk().copied());
                self.open_with(crate::sim::demo(seed.map_or(0, u64::from_le_bytes))).await
            }
            AdapterSpec::Replay(path) => {
                let failed = |error| Error::Transport {
                    operation: format!("opening {spec}"),
                    source: TransportError::Custom(Arc::new(error)),
                };
                self.open_replay(ReplayTransport::open(path).map_err(failed)?).await
            }
            _ => {
                let options = self.open_options;
                let transport = open(&spec, options).await?;
                self.start(transport, ByName { spec, options }).await
            }
        }
    }

    /// Opens a capture; without a seed our random address is the one that the session of the capture had.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    ///
    /// # Cancel safety
    /// Dropping the future closes the transport.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open_replay(mut self, transport: ReplayTransport) -> Result<Adapter, Error> {
        if self.seed.is_none() && self.random_address.is_none() {
            self.random_address = transport.script().random_address();
        }
        self.service_changes.get_or_insert_with(|| transport.script().follows_service_changes());
        self.open_with(transport).await
    }

    /// Opens whatever carries HCI packets.
    ///
    /// # Errors
    /// [`Error::Controller`] when the controller cannot be used, [`Error::Transport`] when the way to it breaks,
    /// [`Error::Capture`] when the capture cannot be begun, [`Error::Invalid`] when its name says no format.
    ///
    /// # Cancel safety
    /// Dropping the future closes the transport.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open_with(self, transport: impl Transport) -> Result<Adapter, Error> {
        self.start(transport, NoSource::new()).await
    }

    /// Opens whatever a source opens, and opens it again when the controller fails.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with), and those of the source as [`Error::Transport`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the transport.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open_source(self, mut source: impl Source) -> Result<Adapter, Error> {
        let operation = || "opening the adapter".to_owned();
        let opened = source.open(false).await;
        let transport = opened.map_err(|source| Error::Transport { operation: operation(), source })?;
        self.start(transport, source).await
    }

    async fn start<S: Source>(mut self, transport: S::Transport, source: S) -> Result<Adapter, Error> {
        let capture_failure = Arc::new(OnceLock::new());
        let tap = match self.capture.take() {
            Some(to) => {
                let to = to.map_err(|unknown| Error::capture_name(&unknown))?;
                let tap = Tap::create(to, self.capture_start(), capture_failure.clone());
                Some(tap.map_err(Error::capture)?)
            }
            None => None,
        };
        let description = transport.description();
        let operation = format!("opening {description}");
        let mut config = HostConfig::new(self.seed_octets(&operation)?)
            .legacy_only(self.legacy_only)
            .parameter_policy(self.parameter_policy)
            .eatt(self.eatt)
            .own_address(self.own_address)
            .security(self.security.clone())
            .recovery(self.recovery.unwrap_or(Recovery::Reopen).min(source.limit()));
        if let Some(mtu) = self.mtu {
            config = config.mtu(mtu);
        }
        if let Some(rotation) = self.rotation {
            config = config.rotation(rotation);
        }
        if let Some(irk) = self.irk.take() {
            config = config.irk(irk);
        }
        for (identity, irk) in std::mem::take(&mut self.peer_irks) {
            config = config.peer_irk(identity, irk);
        }
        if let Some(name) = &self.name {
            config = config.name(name);
        }
        if let Some(address) = self.random_address {
            config = config.random_address(address);
        }
        let host = Host::new(config, Instant::START);
        let (messages, inbox) = mpsc::unbounded_channel();
        let (started, ready) = oneshot::channel();
        let (ended, end) = watch::channel(None);
        let (links, up) = watch::channel(Vec::new());
        let advertising = Arc::<AtomicUsize>::default();
        let (recoveries, steps) = broadcast::channel(Recoveries::CAPACITY);
        let (security_requests, asked) = broadcast::channel(SecurityRequests::CAPACITY);
        let advertised = advertising.clone();
        let session = Session {
            started,
            security: self.security,
            ended,
            links,
            advertising: advertised,
            recoveries,
            security_requests,
        };
        // The one place where the library starts a task.
        #[allow(clippy::disallowed_methods)]
        tokio::spawn(driver::run(transport, source, host, tap, self.keeper.take(), inbox, session));
        let controller = ready.await.unwrap_or(Err(Failure::Closed));
        let controller = controller.map_err(|failure| Error::of_opening(&description, failure))?;
        let shared = Shared {
            messages,
            tickets: Tickets::default(),
            controller,
            description,
            eatt: self.eatt,
            service_changes: self.service_changes.unwrap_or(true),
            ended: end,
            links: up,
            advertising,
            recoveries: steps,
            security_requests: asked,
            capture_failure,
        };
        Ok(Adapter::of(Arc::new(shared)))
    }

    fn seed_octets(&self, operation: &str) -> Result<[u8; 32], Error> {
        if let Some(seed) = self.seed {
            return Ok(seed);
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Error::Invalid {
            operation: operation.to_owned(),
            cause: format!("the operating system gives no random numbers: {error}"),
        })?;
        Ok(seed)
    }

    /// Wall-clock time of the session's beginning, which only the capture shows.
    fn capture_start(&self) -> Duration {
        if self.seed.is_some() {
            return Duration::ZERO;
        }
        #[allow(clippy::disallowed_methods)] // the capture is for people, and never read back by the host
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    }
}
