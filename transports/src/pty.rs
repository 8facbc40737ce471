//! HCI over a new pseudo-terminal: what looks like a serial port to another program, which opens it by the name of a
//! symbolic link.
//!
//! A server owns the link that it makes: it removes the link when it is dropped, and takes the place of one that a
//! server left behind, which leads nowhere. It never replaces any other file.

use crate::uart::port::{ReadPort, WritePort, halves};
use crate::{AdapterSpec, Stream, StreamRx, StreamTx, Transport, TransportError};
use nix::{
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::openpty,
    sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
    unistd::ttyname,
};
use std::{
    fs::{self, File},
    io,
    os::{fd::AsFd, unix::fs::symlink},
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, ReadBuf};

/// The other side has opened the pseudo-terminal; when it closes it, the transport is closed.
#[derive(Debug)]
pub struct Pty(Stream<PtyReader, WritePort>);

impl Transport for Pty {
    type Rx = StreamRx<PtyReader>;
    type Tx = StreamTx<WritePort>;

    fn split(self) -> (Self::Rx, Self::Tx) {
        self.0.split()
    }

    fn description(&self) -> String {
        self.0.description()
    }
}

/// A pseudo-terminal that waits for another program to open it.
///
/// ```no_run
/// use baretooth_transports::{PtyServer, TransportError};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), TransportError> {
/// let server = PtyServer::create("/tmp/controller")?;
/// println!("open {} as a serial port", server.device().display());
/// let host = server.accept().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PtyServer {
    master: File,
    link: Link,
    spec: AdapterSpec,
}

impl PtyServer {
    /// Makes a pseudo-terminal, raw, and a symbolic link to it at `link`.
    ///
    /// # Errors
    /// [`TransportError::Busy`] when there is a file of that name already, be it a link to another terminal;
    /// [`TransportError::NotFound`] when its folder does not exist; [`TransportError::Permission`];
    /// [`TransportError::Io`] when the system has no more pseudo-terminals.
    pub fn create(link: impl AsRef<Path>) -> Result<Self, TransportError> {
        let spec = AdapterSpec::Pty(link.as_ref().into());
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let hint = "a file has that name, perhaps the link of another server; remove it or choose another name";
                TransportError::Busy { what: spec.to_string(), hint: hint.into() }
            }
            _ => TransportError::opening("making a pseudo-terminal for", &spec, error),
        };
        let (master, device) = new_terminal().map_err(failed)?;
        let link = Link::make(link.as_ref(), device).map_err(failed)?;
        Ok(Self { master, link, spec })
    }

    /// The terminal itself, to which the link leads.
    pub fn device(&self) -> &Path {
        &self.link.target
    }

    /// Waits until the other side opens the terminal. The link stays until the transport, or its receiving half, is
    /// dropped.
    ///
    /// # Errors
    /// [`TransportError::Io`] when the system cannot tell.
    ///
    /// # Cancel safety
    /// Dropping the future removes the terminal.
    pub async fn accept(self) -> Result<Pty, TransportError> {
        let name = self.spec.to_string();
        let (reader, writer) = self.accept_octets().await?;
        Ok(Pty(Stream::from_halves(reader, writer, name)))
    }

    /// As [`accept`](Self::accept), for what is not H4: a three-wire link, say. The reader keeps the link.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    ///
    /// # Cancel safety
    /// Dropping the future removes the terminal.
    pub async fn accept_octets(self) -> Result<(PtyReader, WritePort), TransportError> {
        let Self { master, link, spec } = self;
        let failed = |error| TransportError::opening("waiting for a program to open", &spec, error);
        // No event tells of it: the master of a terminal that nobody has open is hung up, and then it is not.
        while is_hung_up(&master).map_err(failed)? {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let (reader, writer) = halves(master).map_err(failed)?;
        Ok((PtyReader { reader, _link: link }, writer))
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The reading half; the link lives as long.
#[derive(Debug)]
pub struct PtyReader {
    reader: ReadPort,
    _link: Link,
}

impl AsyncRead for PtyReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

/// A terminal that nobody has open, and its name.
fn new_terminal() -> io::Result<(File, PathBuf)> {
    let terminal = openpty(None, None)?;
    // Settings stay for as long as the master is open. A reader who sets none must get packets as they are, too.
    let mut settings = tcgetattr(&terminal.slave)?;
    cfmakeraw(&mut settings);
    tcsetattr(&terminal.slave, SetArg::TCSANOW, &settings)?;
    fcntl(&terminal.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let flags = OFlag::from_bits_retain(fcntl(&terminal.master, FcntlArg::F_GETFL)?);
    fcntl(&terminal.master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    let device = ttyname(&terminal.slave)?;
    Ok((terminal.master.into(), device))
}

fn is_hung_up(master: &File) -> io::Result<bool> {
    let mut watched = [PollFd::new(master.as_fd(), PollFlags::empty())];
    poll(&mut watched, PollTimeout::ZERO)?;
    Ok(watched.iter().any(|file| file.revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))))
}

/// A symbolic link of ours, removed on drop unless another has taken its place.
#[derive(Debug)]
struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    fn make(path: &Path, target: PathBuf) -> io::Result<Self> {
        match symlink(&target, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_left_behind(path, &target) => {
                fs::remove_file(path)?;
                symlink(&target, path)?;
            }
            made => made?,
        }
        Ok(Self { path: path.into(), target })
    }
}

/// Whether `path` is a link to a terminal that is no more, or to the very one that is new now.
fn is_left_behind(path: &Path, target: &Path) -> bool {
    let Ok(old) = fs::read_link(path) else { return false };
    let is_terminal = old.parent() == target.parent();
    is_terminal && (old == target || fs::symlink_metadata(&old).is_err())
}

impl Drop for Link {
    fn drop(&mut self) {
        if fs::read_link(&self.path).is_ok_and(|target| target == self.target) {
            let _ = fs::remove_file(&self.path); // Nothing depends on it: the next server takes its place.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        sync::atomic::{AtomicU32, Ordering},
    };

    /// A path of its own for each test, removed in the end.
    struct Place(PathBuf);

    impl Place {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            Self(std::env::temp_dir().join(format!("baretooth-pty-{}-{number}", std::process::id())))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn open(path: &Path) -> File {
        fs::OpenOptions::new().read(true).write(true).open(path).expect("the terminal")
    }

    #[tokio::test]
    async fn octets_pass_as_they_are_to_a_program_that_sets_nothing() {
        let place = Place::new();
        let server = PtyServer::create(&place.0).unwrap();
        let mut program = open(&place.0);
        let (mut rx, mut tx) = server.accept().await.unwrap().split();
        use crate::{HciPacket, SendQueue, TransportRx, TransportTx};
        // All octets, those that a terminal gives a meaning among them: ^C, ^D, CR, LF, XON, XOFF.
        let every: Vec<u8> = (0..=254).collect();
        let packet = HciPacket::event(0xFF, &every).unwrap();
        tx.send(&mut SendQueue::from(packet.clone())).await.unwrap();
        let mut octets = vec![0; packet.len()];
        program.read_exact(&mut octets).unwrap();
        assert_eq!(octets, packet.as_slice());
        program.write_all(packet.as_slice()).unwrap();
        assert_eq!(rx.recv().await.unwrap(), packet, "and nothing is echoed");
        drop(program);
        assert!(matches!(rx.recv().await, Err(TransportError::Closed)));
    }

    #[tokio::test]
    async fn nobody_is_waited_for_who_has_not_opened_it() {
        let place = Place::new();
        let server = PtyServer::create(&place.0).unwrap();
        let accept = server.accept();
        tokio::pin!(accept);
        let early = tokio::time::timeout(Duration::from_millis(100), &mut accept).await;
        assert!(early.is_err(), "nobody has opened it");
        let program = open(&place.0);
        accept.await.unwrap();
        drop(program);
    }

    #[tokio::test]
    async fn the_link_lives_as_long_as_the_server_and_what_it_becomes() {
        let place = Place::new();
        drop(PtyServer::create(&place.0).unwrap());
        assert!(fs::symlink_metadata(&place.0).is_err(), "a server that nobody came to");
        let server = PtyServer::create(&place.0).unwrap();
        let _program = open(&place.0);
        let pty = server.accept().await.unwrap();
        assert!(place.0.exists());
        drop(pty);
        assert!(fs::symlink_metadata(&place.0).is_err(), "a transport that was dropped");
    }

    #[tokio::test]
    async fn a_link_that_leads_nowhere_is_replaced_and_no_other_file() {
        let place = Place::new();
        let device = PtyServer::create(&place.0).unwrap().device().to_owned();
        symlink(device.with_file_name("999999"), &place.0).unwrap();
        drop(PtyServer::create(&place.0).expect("left behind"));

        fs::write(&place.0, "precious").unwrap();
        let error = PtyServer::create(&place.0).unwrap_err();
        assert!(matches!(error, TransportError::Busy { .. }), "{error:?}");
        assert_eq!(fs::read_to_string(&place.0).unwrap(), "precious");
        fs::remove_file(&place.0).unwrap();

        symlink("/nowhere/else", &place.0).unwrap();
        assert!(matches!(PtyServer::create(&place.0), Err(TransportError::Busy { .. })));
        fs::remove_file(&place.0).unwrap();

        let _first = PtyServer::create(&place.0).unwrap();
        assert!(
            matches!(PtyServer::create(&place.0), Err(TransportError::Busy { .. })),
            "of a living server"
        );
    }
}
