//! HCI over a unix socket: H4 in a stream socket that a path names.
//!
//! A server owns the socket file that it creates: it removes the file when it is dropped, and takes the place of one
//! that a server left behind. It never removes any other file, nor a socket that somebody listens at.

use crate::{AdapterSpec, Stream, StreamRx, StreamTx, Transport, TransportError};
use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt},
        net::UnixDatagram,
    },
    path::{Path, PathBuf},
};
use tokio::net::{
    UnixListener, UnixStream,
    unix::{OwnedReadHalf, OwnedWriteHalf},
};

/// One unix socket connection that carries H4.
#[derive(Debug)]
pub struct Unix(Stream<OwnedReadHalf, OwnedWriteHalf>);

impl Unix {
    /// Connects to a controller that listens at `path`.
    ///
    /// # Errors
    /// [`TransportError::NotFound`], [`TransportError::Permission`], or [`TransportError::Io`] with the cause, for
    /// example that nobody listens.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up.
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self, TransportError> {
        let spec = AdapterSpec::Unix(path.as_ref().into());
        match UnixStream::connect(path).await {
            Ok(io) => Ok(Self::from_io(io, &spec)),
            Err(error) => Err(TransportError::opening("connecting to", spec, error)),
        }
    }

    fn from_io(io: UnixStream, spec: &AdapterSpec) -> Self {
        let (reader, writer) = io.into_split();
        Self(Stream::from_halves(reader, writer, spec.to_string()))
    }
}

impl Transport for Unix {
    type Rx = StreamRx<OwnedReadHalf>;
    type Tx = StreamTx<OwnedWriteHalf>;

    fn split(self) -> (Self::Rx, Self::Tx) {
        self.0.split()
    }

    fn description(&self) -> String {
        self.0.description()
    }
}

/// Listens for the other side to connect.
#[derive(Debug)]
pub struct UnixServer {
    listener: UnixListener,
    spec: AdapterSpec,
    _file: SocketFile,
}

impl UnixServer {
    /// Creates a socket at `path` and listens there.
    ///
    /// # Errors
    /// [`TransportError::Busy`] when someone listens there or when another kind of file has that name;
    /// [`TransportError::NotFound`] when the folder does not exist; [`TransportError::Permission`];
    /// [`TransportError::Io`], for example when the path is too long for a socket.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self, TransportError> {
        let path = path.as_ref();
        let spec = AdapterSpec::UnixServer(path.into());
        match Self::listen(path) {
            Ok((listener, _file)) => Ok(Self { listener, spec, _file }),
            Err(error) => Err(TransportError::opening("listening at", spec, error)),
        }
    }

    fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_behind(path) => {
                fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            listener => listener?,
        };
        Ok((listener, SocketFile::of(path)?))
    }

    /// Waits for the next connection. Drop the server to refuse further ones.
    ///
    /// # Errors
    /// [`TransportError::Io`] when the system cannot hand over a connection; the next call may succeed.
    ///
    /// # Cancel safety
    /// Cancel safe: a connection that was not returned is returned by the next call.
    pub async fn accept(&self) -> Result<Unix, TransportError> {
        match self.listener.accept().await {
            Ok((io, _)) => Ok(Unix::from_io(io, &self.spec)),
            Err(error) => Err(TransportError::opening("accepting a connection at", &self.spec, error)),
        }
    }
}

/// Whether `path` is a socket whose server has gone.
fn is_left_behind(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    // A datagram socket asks without knocking: a live stream server refuses its type and accepts no connection.
    let answer = UnixDatagram::unbound().and_then(|probe| probe.connect(path));
    is_socket && answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// A socket file of ours, removed on drop unless another file has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let identity = Self::identity(path)?;
        Ok(Self { path: path.into(), identity })
    }

    fn identity(path: &Path) -> io::Result<(u64, u64)> {
        let file = fs::symlink_metadata(path)?;
        Ok((file.dev(), file.ino()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if Self::identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = fs::remove_file(&self.path); // Nothing depends on it: the next server takes its place.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::Future, os::unix::net::UnixListener as Plain, pin::pin, task::Poll};

    /// A path for one test, free when it starts and when it ends.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let place =
                Self(std::env::temp_dir().join(format!("baretooth-unix-{name}-{}", std::process::id())));
            let _ = fs::remove_file(&place.0);
            place
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[tokio::test]
    async fn a_server_removes_its_socket_file_when_it_is_dropped() {
        let place = Place::new("drop");
        let server = UnixServer::bind(&place.0).unwrap();
        assert!(place.0.exists());
        drop(server);
        assert!(!place.0.exists());
    }

    #[tokio::test]
    async fn a_server_leaves_a_file_that_took_the_place_of_its_own() {
        let place = Place::new("replaced");
        let server = UnixServer::bind(&place.0).unwrap();
        fs::rename(&place.0, place.0.with_extension("moved")).unwrap();
        let _moved = Place(place.0.with_extension("moved"));
        let _other = Plain::bind(&place.0).unwrap();
        drop(server);
        assert!(place.0.exists());
    }

    #[tokio::test]
    async fn a_socket_file_whose_server_has_gone_is_replaced() {
        let place = Place::new("stale");
        drop(Plain::bind(&place.0).unwrap());
        assert!(place.0.exists(), "a plain listener leaves its file behind");
        let refused = Unix::connect(&place.0).await.unwrap_err().to_string();
        assert!(refused.ends_with("; nothing listens there; start the controller first"), "{refused}");
        let server = UnixServer::bind(&place.0).unwrap();
        let (near, far) = tokio::join!(Unix::connect(&place.0), server.accept());
        assert_eq!(near.unwrap().description(), format!("unix:{}", place.0.display()));
        assert_eq!(far.unwrap().description(), format!("unix-server:{}", place.0.display()));
    }

    #[tokio::test]
    async fn a_path_where_someone_listens_is_busy_and_the_listener_notices_nothing() {
        let place = Place::new("busy");
        let first = UnixServer::bind(&place.0).unwrap();
        let error = UnixServer::bind(&place.0).unwrap_err();
        assert!(matches!(error, TransportError::Busy { .. }), "{error:?}");
        assert!(place.0.exists());
        tokio::task::yield_now().await;
        let mut accept = pin!(first.accept());
        let pending = std::future::poll_fn(|context| Poll::Ready(accept.as_mut().poll(context).is_pending()));
        assert!(pending.await, "the attempt must not look like a host");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_never_removed() {
        let place = Place::new("file");
        fs::write(&place.0, "precious").unwrap();
        assert!(matches!(UnixServer::bind(&place.0), Err(TransportError::Busy { .. })));
        assert_eq!(fs::read_to_string(&place.0).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_path_that_does_not_exist_is_not_found() {
        let place = Place::new("absent");
        let error = Unix::connect(&place.0).await.unwrap_err();
        assert!(matches!(error, TransportError::NotFound { .. }), "{error:?}");
    }
}
