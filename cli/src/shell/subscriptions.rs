//! `subscribe` and `unsubscribe`: values that are told between the lines.

use super::links::linked;
use super::{Told, Voice};
use crate::failure::Failure;
use crate::global::Global;
use crate::held::Held;
use crate::notify::{Chosen, Subscription};
use crate::target::{CharName, Found, Target, Who};
use crate::value::Format;
use baretooth::{ConnectionId, ErrorKind, Peer};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[derive(Debug, clap::Args)]
pub struct Subscribe {
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Debug, clap::Args)]
pub struct Unsubscribe {
    /// AA:BB:CC:DD:EE:FF, with its type or without
    #[arg(value_name = "ADDRESS")]
    target: Target,
    /// UUIDs (2a37), standard names (heart_rate_measurement), or handles (0x0015); all subscriptions to the peer if none
    /// is given
    #[arg(value_name = "CHAR")]
    characteristics: Vec<CharName>,
}

/// All that go on.
#[derive(Default)]
pub struct Subscriptions(Vec<Running>);

/// One whose values are told by a task of its own.
struct Running {
    connection: ConnectionId,
    found: Found,
    stop: oneshot::Sender<()>,
    telling: JoinHandle<()>,
}

#[derive(Serialize)]
struct Reported<'a> {
    r#type: &'a str,
    #[serde(flatten)]
    peer: Who,
    handle: u16,
    uuid: Option<String>,
}

impl Subscriptions {
    pub async fn subscribe(&mut self, global: &Global, held: &Held, args: Subscribe) -> Result<(), Failure> {
        let peer = args.chosen.peer.connect(global, held.adapter()).await?;
        for subscription in args.chosen.subscribe(global, &peer).await? {
            let found = subscription.found();
            // A second one to the same value would tell everything twice.
            self.end(&peer, |running| running.found.handle == found.handle).await;
            let (stop, stopped) = oneshot::channel();
            let who = Who::of(peer.address());
            let work = tell(subscription, who.clone(), args.chosen.format, held.voice().clone(), stopped);
            #[allow(clippy::disallowed_methods)]
            // Its values come while other lines run; it ends with the link.
            let telling = tokio::spawn(work);
            self.0.push(Running { connection: peer.connection(), found, stop, telling });
            report(global, "subscribed", who, found)?;
        }
        Ok(())
    }

    pub async fn unsubscribe(
        &mut self,
        global: &Global,
        held: &Held,
        args: Unsubscribe,
    ) -> Result<(), Failure> {
        let peer = linked(held, args.target)?;
        let chosen = |found: Found| {
            args.characteristics.is_empty()
                || args.characteristics.iter().any(|name| match *name {
                    CharName::Handle(handle) => handle == found.handle,
                    CharName::Uuid(uuid) => Some(uuid) == found.uuid,
                })
        };
        let ended = self.end(&peer, |running| chosen(running.found)).await;
        if ended.is_empty() {
            let message = format!("there is no such subscription to {}; `links` prints them", args.target);
            return Err(Failure::new(ErrorKind::NotFound, message));
        }
        ended.into_iter().try_for_each(|found| report(global, "unsubscribed", Who::of(peer.address()), found))
    }

    /// What of a peer is subscribed to.
    pub fn of(&self, peer: &Peer) -> Vec<Found> {
        let of_peer = self.0.iter().filter(|running| running.goes_on_for(peer));
        of_peer.map(|running| running.found).collect()
    }

    /// Ends some, and waits until the peer knows.
    async fn end(&mut self, peer: &Peer, chosen: impl Fn(&Running) -> bool) -> Vec<Found> {
        self.0.retain(|running| !running.telling.is_finished());
        let ends = |running: &mut Running| running.goes_on_for(peer) && chosen(running);
        let mut ended = Vec::new();
        for running in self.0.extract_if(.., ends) {
            let Running { found, stop, telling, .. } = running;
            // It may have ended by itself meanwhile.
            let _ = stop.send(());
            let _ = telling.await;
            ended.push(found);
        }
        ended
    }
}

impl Running {
    fn goes_on_for(&self, peer: &Peer) -> bool {
        self.connection == peer.connection() && !self.telling.is_finished()
    }
}

/// Tells values until the link is down or somebody says stop.
async fn tell(
    mut subscription: Subscription,
    peer: Who,
    format: Format,
    voice: Voice,
    mut stopped: oneshot::Receiver<()>,
) {
    let found = subscription.found();
    loop {
        let next = tokio::select! {
            biased;
            _ = &mut stopped => return subscription.unsubscribe().await,
            next = subscription.values.next() => next,
        };
        let Some(notification) = next else { return };
        voice.tell(&Told::value(peer.clone(), found, format, &notification)).await;
    }
}

fn report(global: &Global, r#type: &str, peer: Who, found: Found) -> Result<(), Failure> {
    let mut output = global.output();
    if output.is_json() {
        let (handle, uuid) = (found.handle, found.uuid.map(|uuid| uuid.to_string()));
        output.object(&Reported { r#type, peer, handle, uuid })?;
    } else {
        let way = if r#type == "subscribed" { "to" } else { "from" };
        output.line(format_args!("{peer}  {type} {way} {found}", r#type = r#type))?;
    }
    Ok(output.flush()?)
}
