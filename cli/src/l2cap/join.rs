//! A channel joined to standard input and output.

use super::{Teller, Told, failure};
use crate::failure::Failure;
use crate::global::Global;
use crate::lines::Lines;
use crate::output::hex;
use baretooth::{Channel, ChannelReader, ChannelWriter};
use std::future::{pending, ready};
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Stdin, stdin};

/// Octets read at once.
const PIECE: usize = 1 << 16;

/// Passes octets on until the peer closes the channel, or, when somebody says for how long to `linger`, standard input
/// has ended and nothing came for that time.
pub async fn run(
    global: &Global,
    channel: Channel,
    linger: Option<Duration>,
    teller: &mut Teller,
) -> Result<(), Failure> {
    let input = Input::of(global);
    let psm = channel.spsm();
    let (mut reader, mut writer) = channel.into_split();
    let (mut sent, mut received) = (0, 0);
    {
        let mut sending = pin!(send(input, &mut writer, &mut sent));
        let mut is_sending = true;
        loop {
            let end = async {
                match linger.filter(|_| !is_sending) {
                    Some(linger) => tokio::time::sleep(linger).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                done = &mut sending, if is_sending => {
                    done?;
                    is_sending = false;
                }
                sdu = next(&mut reader, teller) => match sdu? {
                    Some(length) => received += length,
                    None => break,
                },
                () = end => break,
            }
        }
    }
    writer.shutdown().await.map_err(failure)?;
    Ok(teller.closed(psm, sent, received)?)
}

/// Standard input, to its end.
async fn send(mut input: Input, writer: &mut ChannelWriter, sent: &mut u64) -> Result<(), Failure> {
    while let Some(piece) = input.next().await? {
        writer.write_all(piece).await.map_err(failure)?;
        *sent += u64::try_from(piece.len()).unwrap_or(u64::MAX);
    }
    writer.flush().await.map_err(failure)
}

/// Standard input as it is, or the lines of a shell.
enum Input {
    Octets { from: Stdin, piece: Vec<u8> },
    Lines { from: Lines, line: String },
}

impl Input {
    fn of(global: &Global) -> Self {
        match &global.held {
            Some(held) => Self::Lines { from: held.lines(), line: String::new() },
            None => Self::Octets { from: stdin(), piece: vec![0; PIECE] },
        }
    }

    /// The next octets; `None` at the end.
    async fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        Ok(match self {
            Self::Octets { from, piece } => {
                let length = from.read(piece).await?;
                (length > 0).then_some(&piece[..length])
            }
            Self::Lines { from, line } => match from.next().await? {
                Some(next) => {
                    *line = next + "\n";
                    Some(line.as_bytes())
                }
                None => None,
            },
        })
    }
}

/// Puts out the next SDU and says how long it was; what is out is shown before waiting for more. `None` at the end.
async fn next(reader: &mut ChannelReader, teller: &mut Teller) -> Result<Option<u64>, Failure> {
    let sdu = tokio::select! {
        biased;
        sdu = reader.receive() => sdu,
        () = ready(()) => {
            teller.output.flush()?;
            reader.receive().await
        }
    };
    let Some(sdu) = sdu else {
        // Why there is no more: an end that was not meant so is an error of the stream.
        let mut nothing = [0];
        reader.read(&mut nothing).await.map_err(failure)?;
        return Ok(None);
    };
    put(&sdu, teller)?;
    Ok(Some(u64::try_from(sdu.len()).unwrap_or(u64::MAX)))
}

fn put(sdu: &[u8], teller: &mut Teller) -> io::Result<()> {
    match teller.output.is_json() {
        true => teller.output.object(&Told::Sdu { value: &hex(sdu) }),
        false => teller.output.octets(sdu),
    }
}
