//! `notify`: prints what a peer sends by itself, from one characteristic or several.

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{Output, hex};
use crate::target::{CharName, Found, PeerArgs, seconds};
use crate::value::Format;
use baretooth::{Adapter, Error, Notification, Notifications, Peer, Uuid};
use serde::Serialize;
use std::future::{poll_fn, ready};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,
    /// Ends after N values
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Ends after S seconds, counted from the subscription
    #[arg(long, value_name = "S", value_parser = seconds)]
    timeout: Option<Duration>,
}

/// What to subscribe to, and how values are shown.
#[derive(Debug, clap::Args)]
pub struct Chosen {
    #[command(flatten)]
    pub peer: PeerArgs,
    /// UUIDs (2a37), standard names (heart_rate_measurement), or handles (0x0015)
    #[arg(value_name = "CHAR", required = true)]
    characteristics: Vec<CharName>,
    #[command(flatten)]
    pub format: Format,
}

/// One subscription and what it is of.
pub struct Subscription {
    uuid: Uuid,
    pub values: Notifications,
}

#[derive(Serialize)]
struct Value<'a> {
    r#type: &'static str,
    handle: u16,
    uuid: &'a str,
    value: &'a str,
    indication: bool,
    missed: u64,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    global
        .session(async |adapter| {
            let peer = args.chosen.peer.connect(global, adapter).await?;
            let mut subscriptions = args.chosen.subscribe(global, &peer).await?;
            let mut output = global.output();
            let printing = print(&args, adapter, &peer, &mut subscriptions, &mut output);
            let result = match args.timeout {
                Some(timeout) => tokio::time::timeout(timeout, printing).await.unwrap_or(Ok(())),
                None => printing.await,
            };
            output.flush()?;
            if result.is_ok() {
                for subscription in subscriptions {
                    subscription.unsubscribe().await;
                }
            }
            result
        })
        .await
}

impl Chosen {
    /// Subscribes to all, or to none if a name is wrong.
    pub async fn subscribe(&self, global: &Global, peer: &Peer) -> Result<Vec<Subscription>, Failure> {
        let services = global.discover(peer).await?;
        let mut chosen = Vec::new();
        for name in &self.characteristics {
            chosen.push(name.pick(&services)?);
        }
        let mut subscriptions = Vec::new();
        for characteristic in chosen {
            let values = peer.subscribe(&characteristic).await?;
            subscriptions.push(Subscription { uuid: characteristic.uuid, values });
        }
        Ok(subscriptions)
    }
}

impl Subscription {
    pub fn found(&self) -> Found {
        Found { handle: self.values.handle(), uuid: Some(self.uuid) }
    }

    /// Tells the peer that nobody listens any more; one that does not answer does not hold the user up.
    pub async fn unsubscribe(self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let _ = tokio::time::timeout(PATIENCE, self.values.unsubscribe()).await;
    }
}

/// Prints values until there are enough of them, or the link is down.
async fn print(
    args: &Args,
    adapter: &Adapter,
    peer: &Peer,
    subscriptions: &mut [Subscription],
    output: &mut Output,
) -> Result<(), Failure> {
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        // What waits is printed in one go; what was printed is shown before waiting for more.
        let (found, next) = tokio::select! {
            biased;
            next = any(subscriptions) => next,
            () = ready(()) => {
                output.flush()?;
                any(subscriptions).await
            }
        };
        let Some(notification) = next else { return Err(why_down(adapter, peer).await.into()) };
        print_one(args, found, &notification, output)?;
        left -= 1;
    }
    Ok(())
}

/// The next value of any of them, and of which; `None` for a value when the link is down. They take turns, so that a
/// flood of one does not keep the others waiting.
async fn any(subscriptions: &mut [Subscription]) -> (Found, Option<Notification>) {
    poll_fn(|context| {
        for at in 0..subscriptions.len() {
            let subscription = &mut subscriptions[at];
            let found = subscription.found();
            let polled = pin!(subscription.values.next()).poll(context);
            if let Poll::Ready(next) = polled {
                subscriptions.rotate_left(at + 1);
                return Poll::Ready((found, next));
            }
        }
        Poll::Pending
    })
    .await
}

fn print_one(args: &Args, found: Found, notification: &Notification, output: &mut Output) -> io::Result<()> {
    let Notification { value, indication, missed } = notification;
    if output.is_json() {
        let uuid = found.uuid.map(|uuid| uuid.to_string()).unwrap_or_default();
        let (handle, indication, missed) = (found.handle, *indication, *missed);
        let value = &hex(value);
        return output.object(&Value {
            r#type: "notification",
            handle,
            uuid: &uuid,
            value,
            indication,
            missed,
        });
    }
    let missed = if *missed == 0 { String::new() } else { format!("  ({missed} missed before)") };
    output.line(format_args!("{found}: {}{missed}", args.chosen.format.show(value)))
}

/// The adapter's end if that is why the link is down, else the link's.
async fn why_down(adapter: &Adapter, peer: &Peer) -> Error {
    tokio::select! {
        biased;
        error = adapter.closed() => error,
        reason = peer.disconnected() => Error::Disconnected {
            operation: format!("receiving values of {}", peer.address()),
            reason,
        },
    }
}
