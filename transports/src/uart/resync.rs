//! Bringing a controller into step whose line was open before: HCI_Reset until a clean answer.
//!
//! The stream may start in the middle of a packet, and the controller may be in the middle of one of ours; then it
//! takes the reset for data. So the reset is sent again, after a time in which an answer would have come.

use crate::{AdapterSpec, TransportError};
use std::{io, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// HCI_Reset ([Vol 4] Part E, 7.3.2).
const RESET: [u8; 4] = [0x01, 0x03, 0x0C, 0x00];
/// How often it is sent, and how long each answer is waited for: 3 s in all. The second to last try is preceded by
/// what completes a packet in whose middle the controller may be.
const TRIES: u32 = 6;
const ANSWER_TIME: Duration = Duration::from_millis(500);
/// Controllers answer within milliseconds, so what comes after a pause of this length was not late.
const QUIET: Duration = Duration::from_millis(20);
/// The longest command, as zeros: no octet of it starts a packet.
const LONGEST_COMMAND: [u8; 258] = [0; 258];

/// Why a controller is not in step.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing at all was received.
    Silent,
    /// This many octets were received, but no answer.
    Garbage(usize),
    /// The line hung up, or worse.
    Io(io::Error),
}

/// Sends HCI_Reset until it is answered, then waits until the line is quiet.
pub(super) async fn resync(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Failure> {
    let mut search = Search::default();
    for attempt in 1..=TRIES {
        let until = Instant::now() + ANSWER_TIME;
        let exchange = async {
            if attempt == TRIES - 1 {
                writer.write_all(&LONGEST_COMMAND).await?;
            }
            writer.write_all(&RESET).await?;
            while !search.read(reader).await? {}
            Ok(())
        };
        match timeout_at(until, exchange).await {
            Ok(Ok(())) => return settle(reader).await,
            Ok(Err(error)) => return Err(Failure::Io(error)),
            Err(_elapsed) => tracing::debug!(attempt, "no answer to HCI_Reset yet"),
        }
    }
    Err(if search.received == 0 { Failure::Silent } else { Failure::Garbage(search.received) })
}

/// Drops the answers to resets that came late. A controller that was just reset says nothing else.
async fn settle(reader: &mut (impl AsyncRead + Unpin)) -> Result<(), Failure> {
    let mut rest = [0; 256];
    let until = Instant::now() + ANSWER_TIME;
    while Instant::now() < until {
        match timeout(QUIET, reader.read(&mut rest)).await {
            Ok(Ok(0)) => return Err(Failure::Io(io::ErrorKind::BrokenPipe.into())),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(Failure::Io(error)),
            Err(_quiet) => break,
        }
    }
    Ok(())
}

/// Looks for Command Complete of HCI_Reset with status 0 in a stream.
#[derive(Debug, Default)]
struct Search {
    last: [u8; 7],
    received: usize,
}

impl Search {
    /// Reads once; whether the answer was there. Cancel safe.
    async fn read(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        let mut buffer = [0; 256];
        let length = reader.read(&mut buffer).await?;
        if length == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.received = self.received.saturating_add(length);
        let mut found = false;
        for octet in buffer.iter().take(length) {
            self.last.rotate_left(1);
            if let Some(last) = self.last.last_mut() {
                *last = *octet;
            }
            // What was there before the answer is no matter, nor what is behind it: the caller waits it out.
            found |= matches!(self.last, [0x04, 0x0E, 0x04, _, 0x03, 0x0C, 0x00]);
        }
        Ok(found)
    }
}

/// What a user can do about it.
pub(super) fn failure(spec: &AdapterSpec, baud: u32, failure: Failure) -> TransportError {
    let (cause, hint) = match failure {
        Failure::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            return TransportError::Disconnected { what: spec.to_string() };
        }
        Failure::Io(error) => {
            return TransportError::using("resetting the controller at", &spec.to_string(), error);
        }
        Failure::Silent => (
            format!("no octet came back at {baud} baud"),
            "check that a controller is there and powered, TX and RX are crossed, and RTS/CTS is wired when asked for; \
             it may use the three-wire protocol (h5:) rather than H4",
        ),
        Failure::Garbage(octets) => (
            format!("{octets} octets came at {baud} baud, none of them the answer"),
            "check the baud rate first; it may use the three-wire protocol (h5:) rather than H4, or be something else",
        ),
    };
    let source = Arc::new(io::Error::new(io::ErrorKind::TimedOut, cause));
    TransportError::Io { operation: "resetting the controller at", object: spec.to_string(), hint, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex, split};

    const DONE: [u8; 7] = [0x04, 0x0E, 0x04, 0x01, 0x03, 0x0C, 0x00];

    /// Resets while `controller` plays the other end, which stays open.
    async fn reset_against(controller: impl AsyncFnOnce(&mut DuplexStream)) -> Result<(), Failure> {
        let (near, mut far) = duplex(4096);
        let (mut reader, mut writer) = split(near);
        let controller = async {
            controller(&mut far).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            result = resync(&mut reader, &mut writer) => result,
            () = controller => unreachable!(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_controller_that_answers_is_asked_once() {
        let reset = reset_against(async |line| {
            let mut command = [0; 4];
            line.read_exact(&mut command).await.unwrap();
            assert_eq!(command, RESET);
            line.write_all(&DONE).await.unwrap();
            let more = line.read(&mut command).await;
            unreachable!("more is sent after the answer: {more:?}");
        });
        assert!(reset.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_starts_inside_a_packet_comes_into_step() {
        // The answer comes in two pieces, behind a report cut at every place.
        let report = [0x04, 0x3E, 0x0C, 0x02, 0x01, 0x00, 0x00, 1, 2, 3, 4, 5, 6, 0, 0xD0];
        for at in 0..report.len() {
            let reset = reset_against(async |line| {
                line.write_all(&report[at..]).await.unwrap();
                line.write_all(&report).await.unwrap();
                line.write_all(&DONE[..3]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
                line.write_all(&DONE[3..]).await.unwrap();
            });
            assert!(reset.await.is_ok(), "cut at {at}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_controller_in_the_middle_of_a_command_is_asked_again_until_it_listens() {
        // It takes the next 255 octets for the parameters of a command that was cut off.
        let reset = reset_against(async |line| {
            let mut lost = vec![0; 255];
            line.read_exact(&mut lost).await.unwrap();
            let mut last = [0; 4];
            loop {
                last.rotate_left(1);
                last[3] = line.read_u8().await.unwrap();
                if last == RESET {
                    return line.write_all(&DONE).await.unwrap();
                }
            }
        });
        assert!(reset.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn late_answers_are_not_left_for_the_host() {
        let (near, mut far) = duplex(4096);
        let (mut reader, mut writer) = split(near);
        let controller = async {
            let mut command = [0; 4];
            far.read_exact(&mut command).await.unwrap();
            far.read_exact(&mut command).await.unwrap();
            far.write_all(&DONE).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            far.write_all(&DONE).await.unwrap();
        };
        let (reset, ()) = tokio::join!(resync(&mut reader, &mut writer), controller);
        reset.unwrap();
        drop(far);
        assert_eq!(reader.read(&mut [0; 16]).await.unwrap(), 0, "no octet is left");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_garbage_end_in_3_s_with_what_to_check() {
        let spec = "uart:/dev/ttyX,921600,rtscts".parse().unwrap();
        let started = Instant::now();
        let silent = reset_against(async |_| {}).await.unwrap_err();
        assert_eq!(started.elapsed(), Duration::from_secs(3));
        let message = failure(&spec, 115_200, silent).to_string();
        let begin = "resetting the controller at uart:/dev/ttyX,921600,rtscts failed: no octet came back at 115200 baud; \
                     check that a controller is there and powered";
        assert!(message.starts_with(begin), "{message}");
        assert!(message.contains("h5:") && message.contains("RTS/CTS"), "{message}");

        let garbage = reset_against(async |line| {
            for _ in 0..30 {
                line.write_all(&[0xFE, 0x80, 0x04]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let message = failure(&spec, 115_200, garbage.await.unwrap_err()).to_string();
        let cause = "90 octets came at 115200 baud, none of them the answer; check the baud rate first";
        assert!(message.contains(cause), "{message}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_does_not_take_octets_ends_too() {
        let (near, far) = duplex(2);
        let (mut reader, mut writer) = split(near);
        assert!(matches!(resync(&mut reader, &mut writer).await, Err(Failure::Silent)));
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_hangs_up_is_disconnected() {
        let spec = "uart:/dev/ttyX,115200".parse().unwrap();
        let (near, far) = duplex(16);
        let (mut reader, mut writer) = split(near);
        drop(far);
        let hung_up = resync(&mut reader, &mut writer).await.unwrap_err();
        let error = failure(&spec, 115_200, hung_up);
        assert!(
            matches!(&error, TransportError::Disconnected { what } if *what == spec.to_string()),
            "{error:?}"
        );
    }
}
