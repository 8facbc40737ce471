//! `write`: one value, or with `-` one for each line of standard input, over one connection.

use crate::failure::Failure;
use crate::global::Global;
use crate::target::{CharName, Found, PeerArgs};
use crate::value::Format;
use baretooth::{Error, ErrorKind, Peer, uuid16};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    peer: PeerArgs,
    /// A UUID (2a19), a standard name (battery_level), or a handle (0x0015)
    #[arg(value_name = "CHAR")]
    characteristic: CharName,
    /// Hexadecimal (0a0b) or as the format says; - takes one value from each line of standard input
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// Sends without waiting for the peer's answer: it cannot refuse
    #[arg(long)]
    without_response: bool,
    #[command(flatten)]
    format: Format,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    // A wrong value is told before anything is sent.
    let value = match args.value.as_str() {
        "-" => None,
        text => Some(args.format.parse(text).map_err(Failure::Usage)?),
    };
    let (found, count) = global
        .session(async |adapter| {
            let peer = args.peer.connect(global, adapter).await?;
            let found = args.characteristic.locate(global, &peer).await?;
            let count = match value {
                Some(value) => write(&args, &peer, found, value).await.map(|()| 1)?,
                None => write_lines(global, &args, &peer, found).await?,
            };
            if args.without_response {
                wait_until_sent(&peer).await?;
            }
            Ok((found, count))
        })
        .await?;
    if !global.json {
        let mut output = global.output();
        let what = if count == 1 { "written".to_owned() } else { format!("{count} values written") };
        output.line(format_args!("{found}: {what}"))?;
        output.flush()?;
    }
    Ok(())
}

async fn write(args: &Args, peer: &Peer, found: Found, value: Vec<u8>) -> Result<(), Error> {
    if args.without_response {
        peer.write_without_response(found, value).await
    } else {
        peer.write(found, value).await
    }
}

async fn write_lines(global: &Global, args: &Args, peer: &Peer, found: Found) -> Result<u64, Failure> {
    let mut lines = global.lines();
    let mut count = 0;
    while let Some(line) = lines.next().await? {
        let value = args.format.parse(line.trim_end_matches('\r')).map_err(|cause| {
            Failure::new(ErrorKind::Invalid, format!("line {} of standard input refused: {cause}", count + 1))
        })?;
        write(args, peer, found, value).await?;
        count += 1;
    }
    Ok(count)
}

/// Returns when the peer has all that was sent: a request is answered after the commands before it, because one
/// bearer keeps the order.
async fn wait_until_sent(peer: &Peer) -> Result<(), Error> {
    const DEVICE_NAME: baretooth::Uuid = uuid16(0x2A00);
    match peer.read_by_uuid(DEVICE_NAME).await {
        // A refusal is an answer.
        Err(error) if error.kind() != ErrorKind::Att => Err(error),
        _ => Ok(()),
    }
}
