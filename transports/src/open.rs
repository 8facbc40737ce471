//! From the name of an adapter to an open transport: one enum over all of them, no boxes.

#[cfg(all(feature = "hci-socket", any(target_os = "linux", target_os = "android")))]
use crate::HciSocket;
#[cfg(feature = "usb")]
use crate::Usb;
use crate::{
    AdapterSpec, HciPacket, SendQueue, Tcp, TcpServer, Transport, TransportError, TransportRx, TransportTx,
};
#[cfg(all(feature = "uart", unix))]
use crate::{Pty, PtyServer};
#[cfg(feature = "uart")]
use crate::{ThreeWire, Uart};
#[cfg(unix)]
use crate::{Unix, UnixServer};

/// How an adapter is opened; what a kind of adapter has no use for it ignores.
///
/// ```no_run
/// use baretooth_transports::{OpenOptions, TransportError};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), TransportError> {
/// let spec = "hci0".parse().expect("a name");
/// let adapter = OpenOptions::new().leave_up(true).open(&spec).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct OpenOptions {
    pub(crate) leave_up: bool,
    pub(crate) reset_port: bool,
    serve: bool,
}

impl OpenOptions {
    /// The usual: take the adapter from whoever lets it go, reset nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does not bring an adapter of the kernel down first: one that is up is then busy.
    pub fn leave_up(mut self, leave_up: bool) -> Self {
        self.leave_up = leave_up;
        self
    }

    /// Resets the USB port before anything else, as if the adapter was plugged in anew. Chips that hold their firmware
    /// in memory may lose it.
    pub fn reset_port(mut self, reset_port: bool) -> Self {
        self.reset_port = reset_port;
        self
    }

    /// Plays the controller: the other side is a host, which speaks first. A serial port is then not searched for a
    /// controller.
    pub fn serve(mut self, serve: bool) -> Self {
        self.serve = serve;
        self
    }

    /// Opens the adapter that `spec` names. A server kind waits for the first connection, then stops listening.
    ///
    /// # Errors
    /// As the transport's own constructor; [`TransportError::Unsupported`] for kinds that this build or system cannot
    /// open, and for `sim`, `replay:` and `monitor:`, which are no connections to anything.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up and leaves nothing behind.
    pub async fn open(&self, spec: &AdapterSpec) -> Result<AnyTransport, TransportError> {
        let unsupported = |reason| Err(TransportError::Unsupported { what: spec.to_string(), reason });
        match spec {
            AdapterSpec::Tcp { host, port } => Ok(Tcp::connect(host, *port).await?.into()),
            AdapterSpec::TcpServer { host, port } => {
                Ok(TcpServer::bind(host, *port).await?.accept().await?.into())
            }
            #[cfg(unix)]
            AdapterSpec::Unix(path) => Ok(Unix::connect(path).await?.into()),
            #[cfg(unix)]
            AdapterSpec::UnixServer(path) => Ok(UnixServer::bind(path)?.accept().await?.into()),
            #[cfg(not(unix))]
            AdapterSpec::Unix(_) | AdapterSpec::UnixServer(_) => {
                unsupported("this system has no unix sockets")
            }
            #[cfg(feature = "usb")]
            AdapterSpec::Usb(usb) => Ok(Usb::open(usb, self).await?.into()),
            #[cfg(not(feature = "usb"))]
            AdapterSpec::Usb(_) => unsupported(NOT_BUILT_IN),
            #[cfg(all(feature = "hci-socket", any(target_os = "linux", target_os = "android")))]
            AdapterSpec::HciSocket(index) => Ok(HciSocket::open(*index, self).await?.into()),
            #[cfg(not(all(feature = "hci-socket", any(target_os = "linux", target_os = "android"))))]
            AdapterSpec::HciSocket(_) => unsupported(NOT_BUILT_IN),
            #[cfg(feature = "uart")]
            AdapterSpec::Uart(port) if self.serve => Ok(Uart::serve(port)?.into()),
            #[cfg(feature = "uart")]
            AdapterSpec::Uart(port) => Ok(Uart::open(port).await?.into()),
            #[cfg(not(feature = "uart"))]
            AdapterSpec::Uart(_) => unsupported(NOT_BUILT_IN),
            #[cfg(feature = "uart")]
            AdapterSpec::H5(port) if self.serve => Ok(ThreeWire::serve(port).await?.into()),
            #[cfg(feature = "uart")]
            AdapterSpec::H5(port) => Ok(ThreeWire::open(port).await?.into()),
            #[cfg(not(feature = "uart"))]
            AdapterSpec::H5(_) => unsupported(NOT_BUILT_IN),
            #[cfg(all(feature = "uart", unix))]
            AdapterSpec::Pty(link) => Ok(PtyServer::create(link)?.accept().await?.into()),
            #[cfg(all(feature = "uart", not(unix)))]
            AdapterSpec::Pty(_) => unsupported("this system has no pseudo-terminals"),
            #[cfg(not(feature = "uart"))]
            AdapterSpec::Pty(_) => unsupported(NOT_BUILT_IN),
            AdapterSpec::Sim | AdapterSpec::Replay(_) => {
                unsupported("it is part of the library, not a transport")
            }
            AdapterSpec::Monitor => {
                unsupported("it only listens; `baretooth decode --live` shows what it hears")
            }
        }
    }
}

/// With all features there is a system on which nothing is left out.
#[allow(dead_code)]
const NOT_BUILT_IN: &str = "this build leaves this kind of adapter out";

/// Opens the adapter that `spec` names, with the usual [`OpenOptions`].
///
/// # Errors
/// As [`OpenOptions::open`].
///
/// # Cancel safety
/// Dropping the future gives the attempt up and leaves nothing behind.
pub async fn open(spec: &AdapterSpec) -> Result<AnyTransport, TransportError> {
    OpenOptions::new().open(spec).await
}

/// One arm for each transport in each of the three enums.
macro_rules! any_transport {
    ($($(#[$attribute:meta])* $kind:ident),* $(,)?) => {
        /// An open transport of any kind that [`open`] knows.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum AnyTransport { $($(#[$attribute])* #[doc = concat!("[`", stringify!($kind), "`].")] $kind($kind)),* }

        /// The receiving half of an [`AnyTransport`].
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum AnyRx {
            $($(#[$attribute])* #[doc = concat!("Of [`", stringify!($kind), "`].")] $kind(<$kind as Transport>::Rx)),*
        }

        /// The sending half of an [`AnyTransport`].
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum AnyTx {
            $($(#[$attribute])* #[doc = concat!("Of [`", stringify!($kind), "`].")] $kind(<$kind as Transport>::Tx)),*
        }

        impl Transport for AnyTransport {
            type Rx = AnyRx;
            type Tx = AnyTx;

            fn split(self) -> (Self::Rx, Self::Tx) {
                match self { $($(#[$attribute])* Self::$kind(transport) => {
                    let (rx, tx) = transport.split();
                    (AnyRx::$kind(rx), AnyTx::$kind(tx))
                })* }
            }

            fn description(&self) -> String {
                match self { $($(#[$attribute])* Self::$kind(transport) => transport.description()),* }
            }
        }

        impl TransportRx for AnyRx {
            async fn recv(&mut self) -> Result<HciPacket, TransportError> {
                match self { $($(#[$attribute])* Self::$kind(rx) => rx.recv().await),* }
            }

            fn recv_ready(&mut self) -> Option<HciPacket> {
                match self { $($(#[$attribute])* Self::$kind(rx) => rx.recv_ready()),* }
            }
        }

        impl TransportTx for AnyTx {
            async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
                match self { $($(#[$attribute])* Self::$kind(tx) => tx.send(queue).await),* }
            }
        }

        $($(#[$attribute])* impl From<$kind> for AnyTransport {
            fn from(transport: $kind) -> Self {
                Self::$kind(transport)
            }
        })*
    };
}

any_transport!(
    Tcp,
    #[cfg(feature = "usb")]
    Usb,
    #[cfg(unix)]
    Unix,
    #[cfg(all(feature = "hci-socket", any(target_os = "linux", target_os = "android")))]
    HciSocket,
    #[cfg(feature = "uart")]
    Uart,
    #[cfg(feature = "uart")]
    ThreeWire,
    #[cfg(all(feature = "uart", unix))]
    Pty,
);

#[cfg(test)]
mod tests {
    use super::*;

    async fn open_text(spec: &str) -> Result<AnyTransport, TransportError> {
        open(&spec.parse().expect("a spec")).await
    }

    #[tokio::test]
    async fn kinds_that_are_not_built_in_say_so() {
        let left_out: &[&str] = &[
            #[cfg(not(feature = "usb"))]
            "usb:0",
            #[cfg(not(all(feature = "hci-socket", any(target_os = "linux", target_os = "android"))))]
            "hci0",
            #[cfg(not(feature = "uart"))]
            "h5:COM3,115200",
        ];
        for spec in left_out {
            let message = open_text(spec).await.unwrap_err().to_string();
            let expected = "cannot be opened: this build leaves this kind of adapter out";
            assert_eq!(message, format!("{spec} {expected}"));
        }
        let message = open_text("sim").await.unwrap_err().to_string();
        assert_eq!(message, "sim cannot be opened: it is part of the library, not a transport");
    }

    #[tokio::test]
    async fn a_tcp_adapter_opens_by_name_and_keeps_it() {
        let server = TcpServer::bind("127.0.0.1", 0).await.unwrap();
        let name = format!("tcp:{}", server.local_address().unwrap());
        let (far, near) = tokio::join!(server.accept(), open_text(&name));
        assert_eq!(near.unwrap().description(), name);
        assert_eq!(far.unwrap().description(), "tcp-server:127.0.0.1:0");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_unix_server_waits_for_its_host_and_then_gives_the_path_back() {
        let path = std::env::temp_dir().join(format!("baretooth-open-{}", std::process::id()));
        let (server, client) =
            (format!("unix-server:{}", path.display()), format!("unix:{}", path.display()));
        let (controller, host) = tokio::join!(open_text(&server), open_text(&client));
        assert!(!path.exists());
        let (mut rx, _tx) = controller.unwrap().split();
        let (_rx, mut tx) = host.unwrap().split();
        let reset = HciPacket::command(0x0C03, &[]).unwrap();
        tx.send(&mut SendQueue::from(reset.clone())).await.unwrap();
        assert_eq!(rx.recv().await.unwrap(), reset);
    }
}
