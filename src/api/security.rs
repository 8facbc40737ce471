//! What a link has of security, and how it gets more.

use super::{Adapter, Error, InfoChanges, Peer};
use crate::Address;
use crate::driver::{Failure, Message, SecurityAsked, SecurityMessage, Shared};
use crate::host::{LinkSecurity, Output, SecurityOptions, SecurityRequest};
use crate::smp::SecurityLevel;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What a link has of security, as a stream of its changes. One that is not read sees the newest alone.
#[derive(Debug)]
pub struct SecurityChanges {
    changes: InfoChanges,
    last: LinkSecurity,
}

/// A peripheral has asked us, its central, for security ([Vol 3] Part H, 2.4.6).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SecurityRequested {
    /// Who asks. This handle does not keep the link.
    pub peer: Peer,
    /// It wants to bond.
    pub bonding: bool,
    /// It wants protection against a man in the middle.
    pub mitm: bool,
    /// It knows LE Secure Connections.
    pub secure_connections: bool,
}

/// What the peripherals of all links ask for, as a stream.
#[derive(Debug)]
pub struct SecurityRequests {
    shared: Arc<Shared>,
    asked: broadcast::Receiver<SecurityAsked>,
}

impl SecurityRequests {
    /// Requests that may wait for the reader; of more, the last. A peer is heard once a second.
    pub(super) const CAPACITY: usize = 64;

    /// The next request; `None` when the adapter is lost or closed. One that came with the link itself is told as well: ask
    /// for the stream before connecting.
    ///
    /// # Cancel safety
    /// Cancel safe: no request is lost.
    pub async fn next(&mut self) -> Option<SecurityRequested> {
        loop {
            match self.asked.recv().await {
                Ok(SecurityAsked { link, bonding, mitm, secure_connections }) => {
                    let peer = Peer::lent(self.shared.clone(), link);
                    return Some(SecurityRequested { peer, bonding, mitm, secure_connections });
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl Adapter {
    /// What is done about security by itself from now on, in place of
    /// [`AdapterBuilder::security`](crate::AdapterBuilder::security): pairings in progress go on as they were begun. While
    /// there is an [agent](Self::agent), how to pair is said by these options too, and the agent still answers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), baretooth::Error> {
    /// use baretooth::{Adapter, Pairable, SecurityOptions};
    /// let adapter = Adapter::open("sim").await?;
    /// adapter.set_security(SecurityOptions::new().pairable(Pairable::Never));
    /// # adapter.close().await;
    /// # Ok(()) }
    /// ```
    pub fn set_security(&self, options: SecurityOptions) {
        self.shared.tell(Message::Security(SecurityMessage::Configure(Box::new(options))));
    }

    /// What peripherals ask for from now on. With [`OnSecurityRequest::Tell`] nothing else is done about it.
    ///
    /// ```no_run
    /// # async fn program() -> Result<(), baretooth::Error> {
    /// use baretooth::{Adapter, OnSecurityRequest, SecurityOptions};
    /// let security = SecurityOptions::new().on_request(OnSecurityRequest::Tell);
    /// let adapter = Adapter::builder().security(security).open("hci0").await?;
    /// let mut requests = adapter.security_requests();
    /// while let Some(request) = requests.next().await {
    ///     println!("{} wants security", request.peer.address());
    ///     request.peer.pair().finish().await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// [`OnSecurityRequest::Tell`]: crate::OnSecurityRequest::Tell
    pub fn security_requests(&self) -> SecurityRequests {
        let shared = self.shared.clone();
        SecurityRequests { asked: shared.security_requests.resubscribe(), shared }
    }
}

impl Peer {
    /// What the link has of security now. Of a link that is down, what it had.
    pub fn security(&self) -> LinkSecurity {
        self.state().with_info(|info| info.security)
    }

    /// The changes of [`security`](Self::security) from now on.
    pub fn security_changes(&self) -> SecurityChanges {
        SecurityChanges { changes: self.info_changes(), last: self.security() }
    }

    /// Who the peer is, whatever address it connects by: known from its bond, and after a pairing in which it said so.
    pub fn identity(&self) -> Option<Address> {
        self.state().with_info(|info| info.identity)
    }

    /// Whether there is a bond with the peer.
    pub fn is_bonded(&self) -> bool {
        self.security().bonded
    }

    /// Encrypts the link with the bond that there is; as a peripheral, asks the central to. A link that we make to a
    /// bonded peer is encrypted before [`Adapter::connect`](crate::Adapter::connect) returns it.
    ///
    /// # Errors
    /// [`Error::Security`] when the peer has lost its key, or has another: the link is ended then, and nothing was sent
    /// in the clear. [`Error::NotFound`] without a bond.
    ///
    /// # Cancel safety
    /// The link may be encrypted all the same.
    pub async fn encrypt(&self) -> Result<LinkSecurity, Error> {
        let request = SecurityRequest::Encrypt { connection: self.connection() };
        self.secure("encryption", request).await
    }

    /// Lets the link have this level of security at least: by the bond if that is enough, else by a pairing as
    /// [`AdapterBuilder::security`](crate::AdapterBuilder::security) says, whose prompts the [agent](crate::Agent) has.
    /// A link that has it already is left alone.
    ///
    /// # Errors
    /// As [`encrypt`](Self::encrypt) and [`Pairing::finish`](crate::Pairing::finish).
    ///
    /// # Cancel safety
    /// The link may have it all the same.
    pub async fn raise(&self, level: SecurityLevel) -> Result<LinkSecurity, Error> {
        let request = SecurityRequest::Raise { connection: self.connection(), level };
        self.secure("raising the security", request).await
    }

    /// The same peer, by a handle whose operations on attributes and channels [raise](Self::raise) the security of the
    /// link first, where it has less: for values that nobody else is to see, whatever the peer asks for.
    ///
    /// ```no_run
    /// # async fn program(peer: baretooth::Peer, pin: baretooth::Characteristic) -> Result<(), baretooth::Error> {
    /// use baretooth::smp::SecurityLevel;
    /// peer.at_least(SecurityLevel::Authenticated).write(&pin, "1234").await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn at_least(&self, level: SecurityLevel) -> Self {
        let mut peer = self.clone();
        peer.level = level.max(self.level);
        peer
    }

    /// What every operation of this handle begins with.
    pub(super) async fn reach_level(&self) -> Result<(), Failure> {
        if self.security().level() >= self.level {
            return Ok(());
        }
        let request = SecurityRequest::Raise { connection: self.connection(), level: self.level };
        self.submit(request).await.map(drop)
    }

    async fn secure(&self, what: &str, request: SecurityRequest) -> Result<LinkSecurity, Error> {
        let operation = || format!("{what} of the link to {}", self.address());
        match self.submit(request).await {
            Ok(Output::Security(security)) => Ok(security),
            Ok(_) => Err(Error::of(operation(), Failure::Closed)),
            Err(failure) => Err(self.error(operation(), failure)),
        }
    }
}

impl SecurityChanges {
    /// What the link has, when it is something else than before; `None` when it is down.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<LinkSecurity> {
        loop {
            let security = self.changes.next().await?.security;
            if security != self.last {
                self.last = security;
                return Some(security);
            }
        }
    }
}
