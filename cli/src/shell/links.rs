//! `connect`, `disconnect` and `links`: links that stay up from line to line.

use super::Told;
use super::subscriptions::Subscriptions;
use crate::failure::Failure;
use crate::global::Global;
use crate::held::Held;
use crate::target::{PeerArgs, Target, Who};
use baretooth::{ErrorKind, Peer};
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Connect {
    #[command(flatten)]
    peer: PeerArgs,
}

#[derive(Debug, clap::Args)]
pub struct Disconnect {
    /// AA:BB:CC:DD:EE:FF, with its type or without
    #[arg(value_name = "ADDRESS")]
    target: Target,
}

/// `links` has no options of its own.
#[derive(Debug, clap::Args)]
pub struct Links {}

#[derive(Serialize)]
struct Link<'a> {
    r#type: &'a str,
    #[serde(flatten)]
    peer: Who,
    mtu: u16,
    /// Handles of the values.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriptions: Option<Vec<u16>>,
}

pub async fn connect(global: &Global, held: &Held, args: Connect) -> Result<(), Failure> {
    let peer = args.peer.connect(global, held.adapter()).await?;
    let (who, mtu) = (Who::of(peer.address()), peer.mtu());
    let text = format!("connected to {who}, an MTU of {mtu}");
    tell(global, "connected", who, mtu, None, &text)
}

pub async fn disconnect(global: &Global, held: &Held, args: Disconnect) -> Result<(), Failure> {
    let peer = linked(held, args.target)?;
    // What is asked for is told as a result, once.
    held.let_go(&peer);
    peer.disconnect().await?;
    let told = Told::disconnected(Who::of(peer.address()), peer.disconnected().await);
    let mut output = global.output();
    match output.is_json() {
        true => output.object(&told)?,
        false => output.line(told)?,
    }
    Ok(output.flush()?)
}

pub fn list(global: &Global, held: &Held, subscriptions: &Subscriptions) -> Result<(), Failure> {
    for peer in held.links() {
        let (who, mtu) = (Who::of(peer.address()), peer.mtu());
        let subscribed = subscriptions.of(&peer);
        let mut text = format!("{who}  MTU {mtu}");
        if !subscribed.is_empty() {
            let names: Vec<_> = subscribed.iter().map(ToString::to_string).collect();
            text += &format!("  subscribed to {}", names.join(", "));
        }
        let handles = subscribed.iter().map(|found| found.handle).collect();
        tell(global, "link", who, mtu, Some(handles), &text)?;
    }
    Ok(())
}

/// The link that a line is about.
pub fn linked(held: &Held, target: Target) -> Result<Peer, Failure> {
    held.link(target).ok_or_else(|| {
        Failure::new(
            ErrorKind::NotFound,
            format!("there is no link to {target}; `links` prints those that are up"),
        )
    })
}

fn tell(
    global: &Global,
    r#type: &str,
    peer: Who,
    mtu: u16,
    subscriptions: Option<Vec<u16>>,
    text: &str,
) -> Result<(), Failure> {
    let mut output = global.output();
    match output.is_json() {
        true => output.object(&Link { r#type, peer, mtu, subscriptions })?,
        false => output.line(text)?,
    }
    Ok(output.flush()?)
}
