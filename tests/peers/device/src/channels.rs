//! Credit-based channels: two that echo, and one that is opened to be echoed.

use crate::tell::tell;
use baretooth::l2cap::credit::{ChannelOptions, RequiredSecurity, Server};
use baretooth::{Adapter, Channel, Peer};
use bytes::Bytes;
use serde_json::json;
use std::error::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Large SDUs and many credits, and the least of everything.
const OFFERED: [(u16, ChannelOptions); 2] = [
    (0x80, ChannelOptions { mtu: 2048, mps: 1004, credits: 10 }),
    (0x81, ChannelOptions { mtu: 64, mps: 23, credits: 1 }),
];
/// Channels of one link.
const MOST: usize = 5;

/// Echoes every SDU of every channel that a peer opens.
pub async fn listen(adapter: &Adapter) -> Result<(), Box<dyn Error>> {
    for (spsm, options) in OFFERED {
        let offer = Server { options, security: RequiredSecurity::None, most: MOST };
        let mut listener = adapter.listen(spsm, offer).await?;
        tokio::spawn(async move {
            while let Some(channel) = listener.next().await {
                tokio::spawn(echo(spsm, channel));
            }
        });
    }
    Ok(())
}

async fn echo(spsm: u16, mut channel: Channel) {
    tell("channel", json!({ "spsm": spsm, "mtu": channel.mtu() }));
    let (mut sdus, mut octets) = (0, 0);
    while let Some(sdu) = channel.receive().await {
        (sdus, octets) = (sdus + 1, octets + sdu.len());
        for part in sdu.chunks(channel.mtu().into()) {
            if channel.send(Bytes::copy_from_slice(part)).await.is_err() {
                break;
            }
        }
    }
    tell("channel_closed", json!({ "spsm": spsm, "sdus": sdus, "octets": octets }));
}

/// A channel to be opened: SPSM, MTU, MPS and credits as `u16`, and how many octets are for it as `u32`.
struct Wanted {
    spsm: u16,
    options: ChannelOptions,
    octets: u32,
}

impl Wanted {
    fn parse(how: &[u8]) -> Result<Self, Box<dyn Error>> {
        let &[p, q, m, n, s, t, c, d, ref octets @ ..] = how else { return Err("which channel?".into()) };
        let [spsm, mtu, mps, credits] = [[p, q], [m, n], [s, t], [c, d]].map(u16::from_le_bytes);
        let octets = u32::from_le_bytes(octets.try_into()?);
        Ok(Self { spsm, options: ChannelOptions { mtu, mps, credits }, octets })
    }
}

/// Opens a channel to a peer that echoes, as a stream, and tells whether all octets came back.
pub async fn be_echoed(peer: &Peer, how: &[u8]) -> Result<(), Box<dyn Error>> {
    let Wanted { spsm, options, octets } = Wanted::parse(how)?;
    let channel = peer.open_channel(spsm, options).await?;
    let mtu = channel.mtu();
    let sent: Vec<u8> = (0..octets).map(|at| (at * 31 + (at >> 8)).to_le_bytes()[0]).collect();
    let mut back = vec![0; sent.len()];
    let (mut reader, mut writer) = tokio::io::split(channel);
    tokio::try_join!(writer.write_all(&sent), reader.read_exact(&mut back))?;
    reader.unsplit(writer).close().await;
    tell("echoed", json!({ "spsm": spsm, "mtu": mtu, "equal": back == sent }));
    Ok(())
}

/// Opens a channel and sends SDUs as long as the peer takes them, in the form that BlueZ's l2test sends and checks: a
/// `u32` number, a `u16` length, and 7F up to that length.
pub async fn send(peer: &Peer, how: &[u8]) -> Result<(), Box<dyn Error>> {
    let Wanted { spsm, options, octets } = Wanted::parse(how)?;
    let channel = peer.open_channel(spsm, options).await?;
    let length = channel.mtu();
    for number in 0..octets / u32::from(length) {
        let mut sdu = [&number.to_le_bytes()[..], &length.to_le_bytes()].concat();
        sdu.resize(length.into(), 0x7F);
        channel.send(sdu).await?;
    }
    channel.close().await;
    tell("sent", json!({ "spsm": spsm, "mtu": length, "octets": octets }));
    Ok(())
}
