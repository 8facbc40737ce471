//! Channels on which everything comes back, for tests of other sides.

use super::{Teller, failure};
use crate::failure::Failure;
use baretooth::{Channel, ChannelListener};
use std::io;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

/// Serves channels until so many are over, or the adapter is lost.
pub async fn run(
    listener: &mut ChannelListener,
    count: Option<u64>,
    teller: &mut Teller,
) -> Result<(), Failure> {
    let mut channels = JoinSet::new();
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        tokio::select! {
            biased;
            Some(done) = channels.join_next() => {
                let (psm, octets, result): (u16, u64, io::Result<()>) = done.map_err(io::Error::other)?;
                left -= 1;
                teller.closed(psm, octets, octets)?;
                if let Err(Failure::Failed(report)) = result.map_err(failure) {
                    eprintln!("{}", report.message);
                }
            }
            channel = listener.next() => {
                let Some(channel) = channel else { return Ok(()) };
                teller.opened(&channel)?;
                channels.spawn(echo(channel));
            }
        }
    }
    Ok(())
}

/// Every SDU as one, or in parts when the peer takes only shorter ones.
async fn echo(channel: Channel) -> (u16, u64, io::Result<()>) {
    let psm = channel.spsm();
    let (mut reader, mut writer) = channel.into_split();
    let mut octets = 0;
    while let Some(sdu) = reader.receive().await {
        octets += u64::try_from(sdu.len()).unwrap_or(u64::MAX);
        if let Err(error) = writer.write_all(&sdu).await {
            return (psm, octets, Err(error));
        }
    }
    (psm, octets, Ok(()))
}
