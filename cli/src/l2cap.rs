//! `l2cap`: a credit-based channel joined to standard input and output, opened or waited for.

mod echo;
mod found;
mod join;

use crate::failure::Failure;
use crate::global::Global;
use crate::output::Output;
use crate::target::{PeerArgs, seconds};
use baretooth::{Adapter, Channel, ChannelOptions, ChannelServer, ErrorKind, Peer};
use serde::Serialize;
use std::io;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, clap::Subcommand)]
enum Role {
    /// Advertises, waits for a channel, and joins it to standard input and output until the peer closes it
    Listen(Listen),
    /// Connects, opens a channel, and joins it to standard input and output
    Connect(Connect),
}

#[derive(Debug, clap::Args)]
struct Listen {
    /// The protocol, 0x0001 to 0x00ff; from 0x0080 on they are free
    #[arg(value_parser = psm)]
    psm: u16,
    /// What to be found by
    #[arg(long, value_name = "NAME", default_value = "baretooth")]
    name: String,
    /// Sends everything back, on any number of channels, instead of joining one
    #[arg(long)]
    echo: bool,
    /// With --echo: ends after N channels
    #[arg(long, value_name = "N", requires = "echo")]
    count: Option<u64>,
    #[command(flatten)]
    sizes: Sizes,
}

#[derive(Debug, clap::Args)]
struct Connect {
    #[command(flatten)]
    peer: PeerArgs,
    /// The protocol, 0x0001 to 0x00ff
    #[arg(value_parser = psm)]
    psm: u16,
    /// Closes the channel when standard input has ended and nothing came for S seconds
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    linger: Duration,
    #[command(flatten)]
    sizes: Sizes,
}

/// What our end takes.
#[derive(Debug, clap::Args)]
struct Sizes {
    /// The longest SDU to take: 23 to 65535 octets
    #[arg(long, value_name = "N", default_value_t = ChannelOptions::default().mtu)]
    mtu: u16,
    /// The longest frame to take: 23 to 65533 octets
    #[arg(long, value_name = "N", default_value_t = ChannelOptions::default().mps)]
    mps: u16,
    /// Frames that the peer may send before they are read
    #[arg(long, value_name = "N", default_value_t = ChannelOptions::default().credits)]
    credits: u16,
}

impl Sizes {
    fn options(&self) -> ChannelOptions {
        ChannelOptions { mtu: self.mtu, mps: self.mps, credits: self.credits }
    }
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    match args.role {
        Role::Listen(args) => global.session(async |adapter| listen(global, adapter, &args).await).await,
        Role::Connect(args) => global.session(async |adapter| connect(global, adapter, &args).await).await,
    }
}

async fn connect(global: &Global, adapter: &Adapter, args: &Connect) -> Result<(), Failure> {
    let peer = args.peer.connect(global, adapter).await?;
    let channel = peer.open_channel(args.psm, args.sizes.options()).await?;
    let mut teller = Teller::new(global);
    teller.opened(&channel)?;
    join::run(global, channel, Some(args.linger), &mut teller).await
}

async fn listen(global: &Global, adapter: &Adapter, args: &Listen) -> Result<(), Failure> {
    let server = ChannelServer { options: args.sizes.options(), ..ChannelServer::default() };
    adapter.set_name(&args.name).await?;
    let mut listener = adapter.listen(args.psm, server).await?;
    let mut teller = Teller::new(global);
    let work = async {
        if args.echo {
            return echo::run(&mut listener, args.count, &mut teller).await;
        }
        match listener.next().await {
            Some(channel) => {
                teller.opened(&channel)?;
                join::run(global, channel, None, &mut teller).await
            }
            None => Err(adapter.closed().await.into()),
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        failure = found::run(adapter, args.psm, &args.name, global) => Err(failure),
    }
}

/// What is told beside the octets of the channel: with `--json` on standard output, where the octets are objects too,
/// else on standard error.
struct Teller {
    output: Output,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told<'a> {
    Channel { psm: u16, address: String, address_type: String, mtu: u16 },
    Sdu { value: &'a str },
    Closed { psm: u16, sent: u64, received: u64 },
}

impl Teller {
    fn new(global: &Global) -> Self {
        Self { output: global.output() }
    }

    fn opened(&mut self, channel: &Channel) -> io::Result<()> {
        let (psm, mtu) = (channel.spsm(), channel.mtu());
        if self.output.is_json() {
            let (address, address_type) = address(channel.peer());
            self.output.object(&Told::Channel { psm, address, address_type, mtu })?;
            return self.output.flush();
        }
        eprintln!("channel for 0x{psm:04x} with {}, SDUs of up to {mtu} octets", channel.peer().address());
        Ok(())
    }

    fn closed(&mut self, psm: u16, sent: u64, received: u64) -> io::Result<()> {
        if self.output.is_json() {
            self.output.object(&Told::Closed { psm, sent, received })?;
        } else {
            eprintln!("channel for 0x{psm:04x} closed: {sent} octets sent, {received} received");
        }
        self.output.flush()
    }
}

fn address(peer: &Peer) -> (String, String) {
    let address = peer.address();
    (address.bd_addr.to_string(), address.kind.to_string())
}

/// What went wrong on a stream: the channel's own error says more than that of the stream.
fn failure(error: io::Error) -> Failure {
    match error.get_ref().and_then(|source| source.downcast_ref::<baretooth::Error>()) {
        Some(source) => source.clone().into(),
        None => Failure::new(ErrorKind::Channel, error.to_string()),
    }
}

/// `0x0080` or `128`.
fn psm(text: &str) -> Result<u16, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let psm = number.filter(|psm| (0x0001..=0x00FF).contains(psm));
    psm.ok_or_else(|| format!("{text:?} is no PSM of LE: 0x0001 to 0x00ff, or 1 to 255"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_psm_is_hexadecimal_or_decimal_and_one_of_le() {
        assert_eq!(psm("0x0080"), Ok(0x80));
        assert_eq!(psm("0x25"), Ok(0x25));
        assert_eq!(psm("128"), Ok(128));
        for wrong in ["", "0", "0x", "0x100", "256", "-1", "eatt", "80h"] {
            assert!(psm(wrong).is_err(), "{wrong}");
        }
    }
}
