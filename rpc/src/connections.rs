//! The links of a session, by the numbers that the client knows them by.
//!
//! Nothing names a link before `connected` or after `disconnected`: who wants to name one *holds* it, which can be done
//! from when it is told until it is down, and that it is down is told when nobody holds it any more.

use crate::message::error::{Kind, RpcError};
use crate::message::link::{Connected, Disconnected, Role, Transport};
use crate::message::{AddressText, Identity};
use crate::methods;
use crate::session::{Session, lock};
use baretooth::gatt::{Characteristic, Service, Services};
use baretooth::{ErrorCode, Peer};
use std::collections::BTreeMap;
use std::ops::{Deref, RangeInclusive};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};

/// The links that are up, and those that are down and still held.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    links: watch::Sender<BTreeMap<u32, Arc<Link>>>,
    /// The highest number that was told, and one more.
    next: Mutex<u32>,
}

/// A link that was told.
#[derive(Debug)]
pub(crate) struct Link {
    peer: Peer,
    /// Until it is down; whoever holds the link has a clone.
    holders: Mutex<Option<mpsc::Sender<()>>>,
    /// Why it is down.
    reason: Mutex<Option<ErrorCode>>,
    /// What was discovered of its peer, by the handles of services.
    services: Mutex<BTreeMap<u16, Service>>,
    /// What the sections keep of it.
    pub(crate) state: methods::LinkState,
}

/// A link that is not told to be down meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    link: Arc<Link>,
    _holder: mpsc::Sender<()>,
}

impl Deref for Held {
    type Target = Link;
    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Link {
    pub(crate) fn number(&self) -> u32 {
        self.peer.connection().0
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Remembers what was discovered: `all` there is, or some services.
    pub(crate) fn learn(&self, services: &Services, all: bool) {
        let mut known = lock(&self.services);
        if all {
            known.clear();
        }
        known.extend(services.iter().map(|service| (service.handle, service.clone())));
    }

    /// Forgets what was discovered between these handles: it has changed.
    pub(crate) fn forget(&self, handles: &RangeInclusive<u16>) {
        let changed =
            |service: &Service| service.handle <= *handles.end() && *handles.start() <= service.end_handle;
        lock(&self.services).retain(|_, service| !changed(service));
    }

    /// A characteristic that was discovered, by the handle of its value.
    pub(crate) fn characteristic(&self, value_handle: u16) -> Option<Characteristic> {
        let known = lock(&self.services);
        let mut characteristics = known.values().flat_map(|service| service.characteristics.iter());
        characteristics.find(|characteristic| characteristic.value_handle == value_handle).cloned()
    }

    fn hold(self: &Arc<Self>) -> Option<Held> {
        let holder = lock(&self.holders).clone()?;
        Some(Held { link: self.clone(), _holder: holder })
    }

    fn gone(&self) -> RpcError {
        let reason = lock(&self.reason).unwrap_or(ErrorCode::UnknownConnectionIdentifier);
        disconnected(self.number(), reason)
    }
}

impl Connections {
    /// Holds a link by its number.
    pub(crate) fn hold(&self, connection: u32) -> Result<Held, RpcError> {
        match self.links.borrow().get(&connection) {
            Some(link) => link.hold().ok_or_else(|| link.gone()),
            None if connection < *lock(&self.next) => {
                Err(disconnected(connection, ErrorCode::UnknownConnectionIdentifier))
            }
            None => Err(RpcError::failed(Kind::NotFound, format!("there is no connection {connection}"))),
        }
    }

    /// Holds the link of a peer, once it is told; `None` when it is down before.
    pub(crate) async fn held_of(&self, peer: &Peer) -> Option<Held> {
        let number = peer.connection().0;
        let mut links = self.links.subscribe();
        let told = async {
            let links = links.wait_for(|links| links.contains_key(&number)).await.ok()?;
            links.get(&number)?.hold()
        };
        tokio::select! {
            biased;
            held = told => held,
            _ = peer.disconnected() => None,
        }
    }

    /// The peers of all links.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        self.links.borrow().values().map(|link| link.peer.clone()).collect()
    }
}

impl Session {
    /// Tells of a link, which can be named from then on; its end is told too, not before
    /// the link is released.
    pub(crate) async fn connected(
        self: &Arc<Self>,
        peer: Peer,
        advertiser: Option<u32>,
    ) -> (Connected, Held) {
        let connected = Connected::of(&peer, advertiser);
        self.tell(&connected).await;
        let (holder, released) = mpsc::channel(1);
        let number = connected.connection;
        let link = Arc::new(Link {
            peer,
            holders: Mutex::new(Some(holder.clone())),
            reason: Mutex::default(),
            services: Mutex::default(),
            state: methods::LinkState::default(),
        });
        {
            let mut next = lock(&self.connections.next);
            *next = (*next).max(number.saturating_add(1));
        }
        let held = Held { link: link.clone(), _holder: holder };
        methods::watch(self, &held);
        self.connections.links.send_modify(|links| _ = links.insert(number, link.clone()));
        self.spawn(see_off(self.clone(), link, released));
        (connected, held)
    }
}

/// Waits for the end of a link and tells it when nobody names the link any more.
async fn see_off(session: Arc<Session>, link: Arc<Link>, mut released: mpsc::Receiver<()>) {
    let reason = link.peer.disconnected().await;
    *lock(&link.reason) = Some(reason);
    *lock(&link.holders) = None;
    let _ = released.recv().await;
    let connection = link.number();
    let ended = Disconnected { connection, reason: reason.0, reason_name: reason.to_string() };
    session.tell(&ended).await;
    session.connections.links.send_modify(|links| _ = links.remove(&connection));
}

impl Connected {
    /// Of this link.
    fn of(peer: &Peer, advertiser: Option<u32>) -> Self {
        let address = peer.address();
        Self {
            connection: peer.connection().0,
            role: match peer.role() {
                baretooth::Role::Peripheral => Role::Peripheral,
                _ => Role::Central,
            },
            transport: Transport::Le,
            address: AddressText(address.bd_addr),
            address_type: address.kind.into(),
            identity: peer.identity().map(Identity::from),
            mtu: peer.mtu(),
            advertiser,
        }
    }
}

fn disconnected(connection: u32, reason: ErrorCode) -> RpcError {
    let message = format!("connection {connection} is down: {reason} (0x{:02X})", reason.0);
    RpcError::failed(Kind::Disconnected, message).with_code(Some(reason.0))
}
