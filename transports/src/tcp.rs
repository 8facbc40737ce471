//! HCI over TCP: H4 in a TCP connection, as virtual controllers and bridges serve it.

use crate::{AdapterSpec, Stream, StreamRx, StreamTx, Transport, TransportError};
use std::net::SocketAddr;
use tokio::net::{
    TcpListener, TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

/// One TCP connection that carries H4.
#[derive(Debug)]
pub struct Tcp(Stream<OwnedReadHalf, OwnedWriteHalf>);

impl Tcp {
    /// Connects to a controller that listens at `host` (a name or an address) and `port`.
    ///
    /// # Errors
    /// [`TransportError::Io`] with the cause when no address of `host` accepts the connection.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up. There is no time-out but the system's.
    pub async fn connect(host: &str, port: u16) -> Result<Self, TransportError> {
        let spec = AdapterSpec::Tcp { host: host.into(), port };
        let opened = TcpStream::connect((host, port)).await.and_then(|io| Self::from_io(io, &spec));
        opened.map_err(|error| TransportError::opening("connecting to", spec, error))
    }

    fn from_io(io: TcpStream, spec: &AdapterSpec) -> std::io::Result<Self> {
        // Packets are small and each is waited for: none may stay behind for an earlier one's acknowledgement.
        io.set_nodelay(true)?;
        let (reader, writer) = io.into_split();
        Ok(Self(Stream::from_halves(reader, writer, spec.to_string())))
    }
}

impl Transport for Tcp {
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
pub struct TcpServer {
    listener: TcpListener,
    spec: AdapterSpec,
}

impl TcpServer {
    /// Listens at `host` (a name or an address of this machine) and `port`; with port 0 the system chooses one.
    ///
    /// # Errors
    /// [`TransportError::Busy`] when someone listens there already; [`TransportError::Permission`];
    /// [`TransportError::Io`] when the address is not one of this machine.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn bind(host: &str, port: u16) -> Result<Self, TransportError> {
        let spec = AdapterSpec::TcpServer { host: host.into(), port };
        match TcpListener::bind((host, port)).await {
            Ok(listener) => Ok(Self { listener, spec }),
            Err(error) => Err(TransportError::opening("listening at", spec, error)),
        }
    }

    /// Where it listens: the way to learn a port that the system chose.
    ///
    /// # Errors
    /// [`TransportError::Io`] when the system does not tell.
    pub fn local_address(&self) -> Result<SocketAddr, TransportError> {
        self.listener.local_addr().map_err(|error| self.failed("asking for the address of", error))
    }

    /// Waits for the next connection. Drop the server to refuse further ones.
    ///
    /// # Errors
    /// [`TransportError::Io`] when the system cannot hand over a connection; the next call may succeed.
    ///
    /// # Cancel safety
    /// Cancel safe: a connection that was not returned is returned by the next call.
    pub async fn accept(&self) -> Result<Tcp, TransportError> {
        let accepted = self.listener.accept().await.and_then(|(io, _)| Tcp::from_io(io, &self.spec));
        accepted.map_err(|error| self.failed("accepting a connection at", error))
    }

    fn failed(&self, operation: &'static str, error: std::io::Error) -> TransportError {
        TransportError::opening(operation, &self.spec, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_connection_says_what_to_do() {
        // The port is bound and does not listen: nobody else can take it meanwhile.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        let message = Tcp::connect("127.0.0.1", port).await.unwrap_err().to_string();
        assert!(message.starts_with(&format!("connecting to tcp:127.0.0.1:{port} failed: ")), "{message}");
        assert!(message.ends_with("; nothing listens there; start the controller first"), "{message}");
    }

    #[tokio::test]
    async fn a_port_in_use_is_busy() {
        let first = TcpServer::bind("127.0.0.1", 0).await.unwrap();
        let port = first.local_address().unwrap().port();
        let error = TcpServer::bind("127.0.0.1", port).await.unwrap_err();
        assert!(
            matches!(&error, TransportError::Busy { what, .. } if *what == format!("tcp-server:127.0.0.1:{port}")),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn both_ends_send_without_delay() {
        let server = TcpServer::bind("127.0.0.1", 0).await.unwrap();
        let port = server.local_address().unwrap().port();
        let (near, far) = tokio::join!(Tcp::connect("127.0.0.1", port), server.accept());
        for end in [near.unwrap(), far.unwrap()] {
            assert!(end.0.reader.as_ref().nodelay().unwrap());
        }
    }
}
