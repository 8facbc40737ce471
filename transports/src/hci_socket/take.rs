//! Takes an adapter from the kernel, and gives it back as it was.

use super::{problems, sys};
use crate::TransportError;
use std::sync::{Mutex, PoisonError};
use std::{io, os::fd::OwnedFd, time::Duration};
use tokio::sync::oneshot;

/// One attempt at a time: one that was given up goes on where the kernel was asked, and has to have given the adapter
/// back before the next looks whether it is up.
static ORDER: Mutex<()> = Mutex::new(());

/// How often the kernel is asked while it sets an adapter up, and how long it is given between.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// An adapter that was up and was brought down; dropping this brings it up.
#[derive(Debug)]
pub(super) struct Lowered {
    /// Bound to nothing: a user channel takes no requests.
    requests: OwnedFd,
    index: u16,
}

impl Drop for Lowered {
    fn drop(&mut self) {
        if let Err(error) = sys::up(&self.requests, self.index) {
            // It may be unplugged, blocked, or up already.
            tracing::debug!(index = self.index, %error, "not brought up again");
        }
    }
}

/// The socket of the user channel, and what is to be undone after it is closed.
pub(super) async fn take(index: u16, leave_up: bool) -> Result<(OwnedFd, Option<Lowered>), TransportError> {
    let mut lowered = None;
    for _ in 0..ATTEMPTS {
        let (reply, answer) = oneshot::channel();
        // The kernel may have to stop the controller, or to give it its firmware.
        tokio::task::spawn_blocking(move || {
            let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
            // When nobody waits any more, the socket and what was lowered are dropped here, in this order.
            let _ = reply.send((attempt(index, leave_up, &mut lowered), lowered));
        });
        let ended = |_| problems::opening(index, io::ErrorKind::Interrupted.into());
        let (taken, left) = answer.await.map_err(ended)?;
        if let Some(socket) = taken? {
            return Ok((socket, left));
        }
        lowered = left;
        tokio::time::sleep(PAUSE).await;
    }
    Err(problems::set_up_takes_long(index))
}

/// One attempt to open the user channel; `None` while the kernel is busy with the adapter itself.
fn attempt(
    index: u16,
    leave_up: bool,
    lowered: &mut Option<Lowered>,
) -> Result<Option<OwnedFd>, TransportError> {
    let failed = |error| problems::opening(index, error);
    if let Some(socket) = bind(index).map_err(failed)? {
        return Ok(Some(socket));
    }
    let requests = sys::socket().map_err(failed)?;
    if !sys::info(&requests, index).map_err(failed)?.is_up() {
        return Ok(None);
    }
    if leave_up {
        return Err(problems::is_up(index));
    }
    match sys::down(&requests, index) {
        Ok(()) => drop(lowered.get_or_insert(Lowered { requests, index })),
        // What the user channel is open to nobody else brings down.
        Err(error) if is_busy(&error) => return Err(problems::is_taken(index)),
        Err(error) => return Err(failed(error)),
    }
    bind(index).map_err(failed)
}

/// The socket of the user channel; `None` when the adapter is busy.
fn bind(index: u16) -> io::Result<Option<OwnedFd>> {
    let socket = sys::socket()?;
    match sys::bind(&socket, index, sys::Channel::User) {
        Ok(()) => Ok(Some(socket)),
        Err(error) if is_busy(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_busy(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EUSERS))
}
