//! The GATT client: the table of a peer, its values, and what it sends by itself.

use super::failed;
use crate::connections::Held;
use crate::message::error::{Kind, RpcError};
use crate::message::gatt::{
    AttributeParams, Changed, DiscoverParams, Discovered, Notified, ReadValue, SubscribeParams, Subscribed,
    WriteParams,
};
use crate::message::{Hex, Nothing};
use crate::session::{Context, Session, lock};
use baretooth::{Characteristic, Error, Notifications, SubscribeOptions};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// The subscriptions of a link, by the handles of values.
#[derive(Debug, Default)]
pub(crate) struct LinkState {
    subscriptions: Mutex<BTreeMap<u16, Stop>>,
}

/// Ends a subscription; whoever does is told how it went. `None` while it begins or ends.
type Stop = Option<oneshot::Sender<oneshot::Sender<Result<(), Error>>>>;

pub(super) async fn discover(context: &Context, params: DiscoverParams) -> Result<Discovered, RpcError> {
    let link = context.link(params.connection)?;
    let peer = context.of(&link);
    let services = match &params.services {
        None => peer.discover().await,
        Some(wanted) => peer.discover_only(wanted.iter().map(|uuid| uuid.0)).await,
    };
    let services = services.map_err(failed)?;
    link.learn(&services, params.services.is_none());
    Ok(Discovered { mtu: peer.mtu(), services: services.iter().map(Into::into).collect() })
}

pub(super) async fn read(context: &Context, params: AttributeParams) -> Result<ReadValue, RpcError> {
    let peer = context.peer(params.connection)?;
    let value = peer.read(params.handle).await;
    Ok(ReadValue { value: Hex(value.map_err(|error| about(params.handle, error))?) })
}

pub(super) async fn write(context: &Context, params: WriteParams) -> Result<Nothing, RpcError> {
    let peer = context.peer(params.connection)?;
    let WriteParams { handle, value: Hex(value), .. } = params;
    let written = if params.response.unwrap_or(true) {
        peer.write(handle, value).await
    } else {
        peer.write_without_response(handle, value).await
    };
    written.map_err(|error| about(handle, error))?;
    Ok(Nothing {})
}

pub(super) async fn subscribe(context: &Context, params: SubscribeParams) -> Result<Subscribed, RpcError> {
    let SubscribeParams { connection, handle, indicate } = params;
    let link = context.link(connection)?;
    let beginning = Beginning::take(&link, handle)?;
    let characteristic = characteristic(context, &link, handle).await?;
    let mut options = SubscribeOptions::new().confirm_on_next(true);
    if let Some(indicate) = indicate {
        options = options.indicate(indicate);
    }
    let peer = context.of(&link);
    let subscribing = peer.subscribe_with(&characteristic, options);
    let values = subscribing.await.map_err(|error| about(handle, error))?;
    let indication = values.is_indication();
    let (stop, stopped) = oneshot::channel();
    beginning.begun(stop);
    context.then(pass_on(context.session.clone(), link.clone(), values, stopped));
    Ok(Subscribed { indication })
}

/// What was discovered, or is now.
async fn characteristic(context: &Context, link: &Held, handle: u16) -> Result<Characteristic, RpcError> {
    if let Some(characteristic) = link.characteristic(handle) {
        return Ok(characteristic);
    }
    let peer = context.of(link);
    let services = peer.discover().await.map_err(failed)?;
    link.learn(&services, true);
    link.characteristic(handle).ok_or_else(|| {
        let missing = format!("no characteristic of the peer has its value at 0x{handle:04X}");
        RpcError::failed(Kind::NotFound, missing).with_handle(Some(handle))
    })
}

pub(super) async fn unsubscribe(context: &Context, params: AttributeParams) -> Result<Nothing, RpcError> {
    let AttributeParams { connection, handle } = params;
    let link = context.link(connection)?;
    let stop = lock(&link.state.gatt.subscriptions).get_mut(&handle).and_then(Option::take);
    let missing = || {
        let missing = format!("there is no subscription to 0x{handle:04X}");
        RpcError::failed(Kind::NotFound, missing).with_handle(Some(handle))
    };
    let (ended, end) = oneshot::channel();
    stop.ok_or_else(missing)?.send(ended).map_err(|_| missing())?;
    match end.await {
        Ok(result) => result.map(|()| Nothing {}).map_err(|error| about(handle, error)),
        // It ended by itself meanwhile: the link is down.
        Err(_) => Ok(Nothing {}),
    }
}

/// Tells what a peer sends, until the client has enough or the link is down.
async fn pass_on(
    session: Arc<Session>,
    link: Held,
    mut values: Notifications,
    mut stopped: oneshot::Receiver<oneshot::Sender<Result<(), Error>>>,
) {
    let (connection, handle) = (link.number(), values.handle());
    let passing = async {
        while let Some(notification) = values.next().await {
            let baretooth::Notification { value, indication, missed } = notification;
            let notified = Notified { connection, handle, value: Hex(value), indication, missed };
            if indication {
                // The peer is told that we have it when the next one is asked for.
                session.tell_and_flush(&notified).await;
            } else {
                session.tell(&notified).await;
            }
        }
    };
    let ended = tokio::select! {
        biased;
        stopped = &mut stopped => stopped.ok(),
        () = passing => None,
    };
    let result = match &ended {
        Some(_) => values.unsubscribe().await,
        None => Ok(()),
    };
    lock(&link.state.gatt.subscriptions).remove(&handle);
    if let Some(ended) = ended {
        // Who ended it may have gone.
        let _ = ended.send(result);
    }
}

/// The failure of what was asked of an attribute.
fn about(handle: u16, error: Error) -> RpcError {
    failed(error).with_handle(Some(handle))
}

/// The place of a subscription while it begins; free again unless it has begun.
struct Beginning<'a> {
    link: &'a Held,
    handle: u16,
    begun: bool,
}

impl<'a> Beginning<'a> {
    fn take(link: &'a Held, handle: u16) -> Result<Self, RpcError> {
        let mut subscriptions = lock(&link.state.gatt.subscriptions);
        if subscriptions.contains_key(&handle) {
            let busy = format!("there is a subscription to 0x{handle:04X}; end it first");
            return Err(RpcError::failed(Kind::Busy, busy).with_handle(Some(handle)));
        }
        subscriptions.insert(handle, None);
        Ok(Self { link, handle, begun: false })
    }

    fn begun(mut self, stop: oneshot::Sender<oneshot::Sender<Result<(), Error>>>) {
        self.begun = true;
        lock(&self.link.state.gatt.subscriptions).insert(self.handle, Some(stop));
    }
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        if !self.begun {
            lock(&self.link.state.gatt.subscriptions).remove(&self.handle);
        }
    }
}

/// Tells when the table of a peer changes.
pub(super) fn watch(session: &Arc<Session>, held: &Held) {
    let (session, link) = (session.clone(), held.clone());
    let mut changes = link.peer().service_changes();
    session.clone().spawn(async move {
        while let Some(handles) = changes.next().await {
            link.forget(&handles);
            let (&handle, &end_handle) = (handles.start(), handles.end());
            session.tell(&Changed { connection: link.number(), handle, end_handle }).await;
        }
    });
}
