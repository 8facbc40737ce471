//! Advertising, and the links that centrals make.

use super::failed;
use crate::message::advertise::{AdvertiseParams, AdvertiserParams, Advertising};
use crate::message::error::{Kind, RpcError};
use crate::message::{AddressText, Nothing, OwnAddressType, PhyName};
use crate::session::{Context, Session, lock};
use baretooth::gap::advertise::InvalidAdvertising;
use baretooth::host::OpError;
use baretooth::{
    AdvertiseMode, AdvertiseOptions, Advertisement, AdvertisingDataBuf, AdvertisingEnd, ConnectionId, Error,
    ExtendedPdus, Peer, Phy,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Time from one advertising event to the next, where none is asked for.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long a link waits to be told until the controller has said of which of several advertisements it came.
const ATTRIBUTION: Duration = Duration::from_secs(1);

/// The advertisements.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The highest number so far.
    last: Mutex<u32>,
    on_air: watch::Sender<OnAir>,
}

#[derive(Debug, Default)]
struct OnAir {
    /// Those that are not over, with who is to be told when they are stopped.
    sets: BTreeMap<u32, Set>,
    /// Links by which some have ended, until they are told.
    taken: BTreeMap<ConnectionId, u32>,
}

#[derive(Debug)]
struct Set {
    connectable: bool,
    stop: Option<oneshot::Sender<Stopped>>,
}

/// Where it is told that an advertisement is stopped.
type Stopped = oneshot::Sender<Result<(), Error>>;

pub(super) async fn start(context: &Context, params: AdvertiseParams) -> Result<Advertising, RpcError> {
    let state = &context.session.state.advertise;
    let (options, connectable) = options(params)?;
    let advertiser = {
        let mut last = lock(&state.last);
        *last = last.saturating_add(1);
        *last
    };
    // Before it begins: a central may be faster than our answer.
    let (stop, stopping) = oneshot::channel();
    let begun = Begun { session: context.session.clone(), advertiser };
    state.on_air.send_modify(|on_air| {
        on_air.sets.insert(advertiser, Set { connectable, stop: Some(stop) });
    });
    let adapter = context.adapter();
    let advertisement = context.unless_cancelled(adapter.advertise(options)).await?.map_err(refused)?;
    let address = advertisement.address();
    context.session.spawn(go_on(begun, advertisement, stopping));
    Ok(Advertising { advertiser, address: AddressText(address.bd_addr), address_type: address.kind.into() })
}

pub(super) async fn stop(context: &Context, params: AdvertiserParams) -> Result<Nothing, RpcError> {
    let AdvertiserParams { advertiser } = params;
    let state = &context.session.state.advertise;
    if advertiser == 0 || advertiser > *lock(&state.last) {
        return Err(RpcError::failed(Kind::NotFound, format!("there is no advertiser {advertiser}")));
    }
    let (stopped, result) = oneshot::channel();
    let mut stop = None;
    state.on_air.send_if_modified(|on_air| {
        stop = on_air.sets.get_mut(&advertiser).and_then(|set| set.stop.take());
        false
    });
    // One that is over already, or being stopped, is no error.
    if let Some(stop) = stop
        && stop.send(stopped).is_ok()
        && let Ok(result) = result.await
    {
        result.map_err(failed)?;
    }
    Ok(Nothing {})
}

/// Tells of the links that centrals make.
pub(super) fn begin(session: &Arc<Session>) {
    let task = session.clone();
    session.accompany(async move {
        let mut accepted = task.adapter().accepted();
        while let Some(peer) = accepted.next().await {
            let advertiser = task.state.advertise.advertiser_of(&peer).await;
            task.connected(peer, advertiser).await;
        }
    });
}

/// Ends all advertisements.
pub(super) fn end(session: &Session) {
    session.state.advertise.on_air.send_modify(|on_air| {
        on_air.sets.values_mut().for_each(|set| set.stop = None);
    });
}

/// An advertisement that counts as on the air until this is dropped.
struct Begun {
    session: Arc<Session>,
    advertiser: u32,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.session.state.advertise.on_air.send_modify(|on_air| _ = on_air.sets.remove(&self.advertiser));
    }
}

/// Waits for the end of an advertisement, or brings it about.
async fn go_on(begun: Begun, advertisement: Advertisement, stopping: oneshot::Receiver<Stopped>) {
    let stopped = tokio::select! {
        biased;
        ended = advertisement.ended() => {
            if let Ok(AdvertisingEnd::Connected(connection)) = ended {
                let on_air = &begun.session.state.advertise.on_air;
                on_air.send_modify(|on_air| _ = on_air.taken.insert(connection, begun.advertiser));
            }
            return;
        }
        stopped = stopping => stopped,
    };
    let result = advertisement.stop().await;
    drop(begun);
    if let Ok(stopped) = stopped {
        // Who asked may have gone.
        let _ = stopped.send(result);
    }
}

impl State {
    /// What a central has connected to. The controller tells it after the link; where only one advertisement can be
    /// meant that is not waited for.
    async fn advertiser_of(&self, peer: &Peer) -> Option<u32> {
        let connection = peer.connection();
        let mut on_air = self.on_air.subscribe();
        let known = on_air.wait_for(|on_air| {
            on_air.taken.contains_key(&connection) || on_air.connectable().nth(1).is_none()
        });
        // In vain: the controller does not say it.
        let _ = tokio::time::timeout(ATTRIBUTION, known).await;
        let mut advertiser = None;
        self.on_air.send_if_modified(|on_air| {
            advertiser = on_air.taken.remove(&connection).or_else(|| on_air.connectable().next());
            // Those of links that were down before they were told.
            on_air.taken.retain(|taken, _| *taken > connection);
            false
        });
        advertiser
    }
}

impl OnAir {
    fn connectable(&self) -> impl Iterator<Item = u32> {
        self.sets.iter().filter(|(_, set)| set.connectable).map(|(advertiser, _)| *advertiser)
    }
}

/// How to advertise, and whether a central may connect.
fn options(params: AdvertiseParams) -> Result<(AdvertiseOptions, bool), RpcError> {
    let legacy = params.legacy.unwrap_or(true);
    let connectable = params.connectable.unwrap_or(true);
    let octets = |hex: Option<crate::message::Hex>| AdvertisingDataBuf::from(hex.unwrap_or_default().0);
    let (data, scan_response) = (octets(params.data), octets(params.scan_response));
    // What is connectable in legacy PDUs is scannable too.
    let has_to_be = legacy && connectable && params.target.is_none();
    let scannable =
        params.scannable.unwrap_or(has_to_be || !connectable && !scan_response.as_ref().is_empty());
    let mode = match (connectable, scannable, params.target) {
        (true, false, Some(peer)) => AdvertiseMode::Directed(peer.address()),
        (true, scannable, None) if scannable == legacy => AdvertiseMode::Connectable,
        (false, true, None) => AdvertiseMode::Scannable,
        (false, false, None) => AdvertiseMode::NonConnectable,
        (_, _, Some(_)) => return Err(impossible("what has a target is connectable and not scannable")),
        (_, true, _) => return Err(impossible("what is connectable in extended PDUs is not scannable")),
        (_, false, _) => return Err(impossible("what is connectable in legacy PDUs is scannable too")),
    };
    let own_address = params.own_address_type.unwrap_or(OwnAddressType::Random).into();
    let interval = params.interval.map_or(INTERVAL, |interval| interval.0);
    let options = AdvertiseOptions::new()
        .mode(mode)
        .data(data)
        .scan_response(scan_response)
        .own_address(own_address)
        .interval(interval, interval);
    match (legacy, params.primary_phy, params.secondary_phy) {
        (true, None | Some(PhyName::Le1M), None | Some(PhyName::Le1M)) => Ok((options, connectable)),
        (true, ..) => Err(impossible("legacy PDUs are on LE 1M")),
        (false, primary, secondary) => {
            let phy = |name| match name {
                None | Some(PhyName::Le1M) => Phy::Le1M,
                Some(PhyName::Le2M) => Phy::Le2M,
                Some(PhyName::LeCoded) => Phy::LeCoded,
            };
            let (primary_phy, secondary_phy) = (phy(primary), phy(secondary));
            let extended = ExtendedPdus { primary_phy, secondary_phy, ..ExtendedPdus::default() };
            Ok((options.extended(extended), connectable))
        }
    }
}

fn impossible(cause: &str) -> RpcError {
    RpcError::invalid_params(cause)
}

fn refused(error: Error) -> RpcError {
    let kind = match &error {
        Error::Advertising { source: InvalidAdvertising::NeedsExtended(_), .. } => Kind::Unsupported,
        Error::Advertising { source: InvalidAdvertising::Phy { primary, phy }, .. }
            if !primary || *phy != Phy::Le2M =>
        {
            Kind::Unsupported
        }
        Error::Controller { source: OpError::NoAdvertisingSetLeft { .. }, .. } => Kind::Busy,
        _ => return failed(error),
    };
    RpcError::failed(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(json: &str) -> Result<AdvertiseOptions, RpcError> {
        options(serde_json::from_str(json).expect(json)).map(|(options, _)| options)
    }

    #[test]
    fn what_may_be_done_with_an_advertisement_follows_from_its_pdus() {
        let target = r#""target":{"address":"C0:01:02:03:04:05","address_type":"random"}"#;
        let new = || {
            AdvertiseOptions::new()
                .interval(INTERVAL, INTERVAL)
                .own_address(baretooth::OwnAddress::RandomStatic)
        };
        let extended = || new().extended(ExtendedPdus::default());
        let peer = "C0:01:02:03:04:05/random".parse().expect("an address");
        for (json, expected) in [
            ("{}".to_owned(), new()),
            (r#"{"connectable":false}"#.to_owned(), new().mode(AdvertiseMode::NonConnectable)),
            (r#"{"connectable":false,"scannable":true}"#.to_owned(), new().mode(AdvertiseMode::Scannable)),
            (r#"{"legacy":false}"#.to_owned(), extended()),
            (format!("{{{target}}}"), new().mode(AdvertiseMode::Directed(peer))),
            (format!(r#"{{"legacy":false,{target}}}"#), extended().mode(AdvertiseMode::Directed(peer))),
        ] {
            assert_eq!(mode(&json).expect(&json), expected, "{json}");
        }
        for json in [
            r#"{"scannable":false}"#.to_owned(),
            r#"{"legacy":false,"scannable":true}"#.to_owned(),
            format!(r#"{{"connectable":false,{target}}}"#),
            format!(r#"{{"scannable":true,{target}}}"#),
            r#"{"primary_phy":"Coded"}"#.to_owned(),
        ] {
            assert_eq!(mode(&json).expect_err(&json).code, RpcError::INVALID_PARAMS, "{json}");
        }
    }
}
