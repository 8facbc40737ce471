//! A channel joined to standard input and output.

use super::{Teller, Told, failure};
use crate::failure::Failure;
use crate::output::hex;
use baretooth::{Channel, ChannelReader, ChannelWriter};
use std::future::{pending, ready};
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, stdin};

/// Octets read at once.
const PIECE: usize = 1 << 16;

/// Passes octets on until the peer closes the channel, or, when somebody says for how long to `linger`, standard input
/// has ended and nothing came for that time.
pub async fn run(channel: Channel, linger: Option<Duration>, teller: &mut Teller) -> Result<(), Failure> {
    let psm = channel.spsm();
    let (mut reader, mut writer) = channel.into_split();
    let (mut sent, mut received) = (0, 0);
    {
        let mut sending = pin!(send(&mut writer, &mut sent));
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
async fn send(writer: &mut ChannelWriter, sent: &mut u64) -> Result<(), Failure> {
    let mut input = stdin();
    let mut piece = vec![0; PIECE];
    loop {
        let length = input.read(&mut piece).await?;
        if length == 0 {
            return writer.flush().await.map_err(failure);
        }
        writer.write_all(&piece[..length]).await.map_err(failure)?;
        *sent += u64::try_from(length).unwrap_or(u64::MAX);
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
