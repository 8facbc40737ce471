//! Where transports come from: what the task needs to open one again when the controller behind it has failed.

use crate::host::Recovery;
use crate::transports::{Transport, TransportError};
use std::future::Future;
use std::marker::PhantomData;

/// Something that opens the same adapter again and again.
///
/// ```
/// use baretooth::transports::{Tcp, TransportError};
/// struct Controller { port: u16 }
///
/// impl baretooth::Source for Controller {
///     type Transport = Tcp;
///
///     async fn open(&mut self, _reset_port: bool) -> Result<Tcp, TransportError> {
///         Tcp::connect("localhost", self.port).await
///     }
/// }
/// ```
pub trait Source: Send + 'static {
    /// What it opens.
    type Transport: Transport;

    /// Opens the adapter; after the first time, the transport opened before was dropped. With `reset_port` its USB port
    /// is to be reset before anything else, which is only asked of sources whose [`limit`](Self::limit) has it.
    ///
    /// # Errors
    /// When it cannot be opened now; it is asked again for some seconds, unless the reason is a missing permission or
    /// that it cannot be done at all.
    ///
    /// # Cancel safety
    /// Dropping the future has to leave nothing behind.
    fn open(
        &mut self,
        reset_port: bool,
    ) -> impl Future<Output = Result<Self::Transport, TransportError>> + Send;

    /// How far recovery can go with it; it never goes further than the user lets it.
    fn limit(&self) -> Recovery {
        Recovery::Reopen
    }
}

/// In place of a source for a transport that came from elsewhere.
pub(crate) struct NoSource<T>(PhantomData<fn() -> T>);

impl<T> NoSource<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Transport> Source for NoSource<T> {
    type Transport = T;

    async fn open(&mut self, _reset_port: bool) -> Result<T, TransportError> {
        let reason = "it was opened by the program";
        Err(TransportError::Unsupported { what: "the adapter".to_owned(), reason })
    }

    fn limit(&self) -> Recovery {
        Recovery::Reset
    }
}
