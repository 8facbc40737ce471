//! Channels that peers open.

use super::Channel;
use crate::api::{Adapter, Error, Peer};
use crate::driver::{AcceptedChannel, ChannelMessage, Message, Shared, Ticket};
use crate::gap::connect::ConnectOptions;
use crate::l2cap::credit::Server;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Channels that may wait to be taken; more are closed at once.
const BACKLOG: usize = 64;

/// The channels that peers open for one SPSM, on any link. Dropping it refuses further ones; those that were taken stay.
#[derive(Debug)]
pub struct ChannelListener {
    shared: Arc<Shared>,
    ticket: Ticket,
    spsm: u16,
    accepted: mpsc::Receiver<AcceptedChannel>,
}

impl Adapter {
    /// Accepts channels for an SPSM, 0x0001 to 0x00FF, on every link, whoever made it. At most 64 wait to be taken.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the SPSM is none or is listened on already, or the options are none.
    ///
    /// # Cancel safety
    /// Dropping the future ends the listening.
    pub async fn listen(&self, spsm: u16, server: Server) -> Result<ChannelListener, Error> {
        let shared = self.shared.clone();
        let ticket = shared.ticket();
        let (sender, accepted) = mpsc::channel(BACKLOG);
        let (reply, listening) = oneshot::channel();
        shared.tell(Message::Channel(ChannelMessage::Listen {
            ticket,
            spsm,
            server,
            accepted: sender,
            reply,
        }));
        let listener = ChannelListener { shared, ticket, spsm, accepted };
        let result = listening.await.unwrap_or_else(|_| Err(self.shared.failure()));
        result.map_err(|failure| Error::of(format!("listening on SPSM 0x{spsm:04x}"), failure))?;
        Ok(listener)
    }
}

impl ChannelListener {
    /// The next channel that a peer has opened; `None` when the adapter is lost or closed.
    ///
    /// # Cancel safety
    /// Cancel safe: no channel is lost.
    pub async fn next(&mut self) -> Option<Channel> {
        let accepted = self.accepted.recv().await?;
        Some(self.channel(accepted))
    }

    /// What is listened on.
    pub fn spsm(&self) -> u16 {
        self.spsm
    }

    fn channel(&self, AcceptedChannel { link, end }: AcceptedChannel) -> Channel {
        let peer = Peer::new(self.shared.clone(), link, ConnectOptions::new());
        Channel::new(peer, self.spsm, end)
    }
}

impl Drop for ChannelListener {
    fn drop(&mut self) {
        self.shared.tell(Message::Channel(ChannelMessage::StopListening { ticket: self.ticket }));
        // Nobody will take those that wait: each is closed.
        self.accepted.close();
        while let Ok(accepted) = self.accepted.try_recv() {
            drop(self.channel(accepted));
        }
    }
}
