//! Where another program connects to us: the adapters that wait for the other side.

use baretooth::Error;
#[cfg(all(unix, feature = "uart"))]
use baretooth::transports::PtyServer;
#[cfg(unix)]
use baretooth::transports::UnixServer;
use baretooth::transports::{AdapterSpec, AnyTransport, OpenOptions, TcpServer, TransportError};
#[cfg(unix)]
use std::path::PathBuf;

/// It listens, and nobody has come yet.
pub struct Listener {
    pub spec: AdapterSpec,
    socket: Socket,
}

enum Socket {
    Tcp(TcpServer),
    #[cfg(unix)]
    Unix(UnixServer, PathBuf),
}

impl Listener {
    /// Listens as `spec` says; `None` when it does not name a socket that listens.
    pub async fn bind(spec: &AdapterSpec) -> Result<Option<Self>, Error> {
        let failed = |source| Error::Transport { operation: format!("listening at {spec}"), source };
        let socket = match spec {
            AdapterSpec::TcpServer { host, port } => {
                Socket::Tcp(TcpServer::bind(host, *port).await.map_err(failed)?)
            }
            #[cfg(unix)]
            AdapterSpec::UnixServer(path) => {
                Socket::Unix(UnixServer::bind(path).map_err(failed)?, path.clone())
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { spec: spec.clone(), socket }))
    }

    /// How a program on this machine names it; with the port that the system chose, where it did.
    pub fn adapter(&self) -> Result<AdapterSpec, Error> {
        match &self.socket {
            Socket::Tcp(server) => {
                let operation = || format!("listening at {}", self.spec);
                let address = server.local_address();
                let address =
                    address.map_err(|source| Error::Transport { operation: operation(), source })?;
                Ok(AdapterSpec::Tcp { host: address.ip().to_string(), port: address.port() })
            }
            #[cfg(unix)]
            Socket::Unix(_, path) => Ok(AdapterSpec::Unix(path.clone())),
        }
    }

    pub async fn accept(&self) -> Result<AnyTransport, TransportError> {
        match &self.socket {
            Socket::Tcp(server) => server.accept().await.map(AnyTransport::from),
            #[cfg(unix)]
            Socket::Unix(server, _) => server.accept().await.map(AnyTransport::from),
        }
    }
}

/// What can be opened, or waited for, as a whole: sockets, pseudo-terminals, and everything that is there already.
pub enum Opening {
    Listener(Listener),
    #[cfg(all(unix, feature = "uart"))]
    Pty(PtyServer, PathBuf),
    Adapter(AdapterSpec),
}

impl Opening {
    /// Makes what others come to; opens nothing else yet.
    pub async fn begin(spec: &AdapterSpec) -> Result<Self, Error> {
        #[cfg(all(unix, feature = "uart"))]
        if let AdapterSpec::Pty(link) = spec {
            let made = PtyServer::create(link);
            let made = made
                .map_err(|source| Error::Transport { operation: format!("listening at {spec}"), source })?;
            return Ok(Self::Pty(made, link.clone()));
        }
        Ok(match Listener::bind(spec).await? {
            Some(listener) => Self::Listener(listener),
            None => Self::Adapter(spec.clone()),
        })
    }

    /// Where it listens, as it was asked for and as another program names it.
    pub fn listening(&self) -> Result<Option<(String, String)>, Error> {
        Ok(match self {
            Self::Listener(listener) => Some((listener.spec.to_string(), listener.adapter()?.to_string())),
            #[cfg(all(unix, feature = "uart"))]
            Self::Pty(_, link) => {
                Some((format!("pty:{}", link.display()), format!("uart:{}", link.display())))
            }
            Self::Adapter(_) => None,
        })
    }

    /// Opens the adapter, or waits for whoever comes.
    pub async fn finish(self, options: OpenOptions) -> Result<AnyTransport, Error> {
        let (operation, opened) = match self {
            Self::Listener(listener) => (format!("waiting at {}", listener.spec), listener.accept().await),
            #[cfg(all(unix, feature = "uart"))]
            Self::Pty(server, link) => {
                (format!("waiting at pty:{}", link.display()), server.accept().await.map(AnyTransport::from))
            }
            Self::Adapter(spec) => (format!("opening {spec}"), options.open(&spec).await),
        };
        opened.map_err(|source| Error::Transport { operation, source })
    }
}
