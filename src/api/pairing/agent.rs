//! Pairings that nobody here asked for: the peer has begun them, or an operation needed them.

use super::Pairing;
use crate::api::Adapter;
use crate::driver::{Message, PairingEnd, SecurityMessage, Shared, Ticket, agent_queue};
use crate::smp::PairingOptions;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The pairings that peers begin, and those that operations need ([`SecurityOptions::raise`]), as a stream. There is one
/// agent; dropping it refuses what waits for it and, unless [`SecurityOptions::pairable`] says otherwise, every pairing
/// that a peer begins from then on.
///
/// [`SecurityOptions::raise`]: crate::host::SecurityOptions::raise
/// [`SecurityOptions::pairable`]: crate::host::SecurityOptions::pairable
#[derive(Debug)]
pub struct Agent {
    shared: Arc<Shared>,
    ticket: Ticket,
    pairings: mpsc::Receiver<PairingEnd>,
}

impl Adapter {
    /// Lets peers pair with us from now on, in this way, and brings what such pairings ask here. Pairings that somebody
    /// has asked for ([`Peer::pair`](crate::Peer::pair)) have their own options and prompts.
    ///
    /// A second call ends the stream of the first. [`set_security`](Adapter::set_security) takes the place of these options,
    /// not of the stream.
    ///
    /// ```no_run
    /// # async fn program(adapter: baretooth::Adapter) -> Result<(), baretooth::Error> {
    /// use baretooth::Prompt;
    /// use baretooth::smp::{IoCapability, PairingOptions};
    /// let mut agent = adapter.agent(PairingOptions::new().io(IoCapability::DisplayOnly));
    /// while let Some(mut pairing) = agent.next().await {
    ///     println!("{} wants to pair", pairing.peer().address());
    ///     while let Some(prompt) = pairing.next().await {
    ///         println!("{prompt}");
    ///         if let Prompt::Consent(answer) = prompt {
    ///             answer.yes();
    ///         }
    ///     }
    ///     println!("{:?}", pairing.finish().await);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn agent(&self, options: PairingOptions) -> Agent {
        let shared = self.shared.clone();
        let (ticket, (queue, pairings)) = (shared.ticket(), agent_queue());
        let options = Box::new(options);
        shared.tell(Message::Security(SecurityMessage::Agent { ticket, options, pairings: queue }));
        Agent { shared, ticket, pairings }
    }
}

impl Agent {
    /// The next pairing; `None` when the adapter is lost or closed, and when another agent has taken this one's place.
    /// Pairings are answered side by side when each gets a task, else one after the other; the peer of one that waits
    /// gives up after 30 s.
    ///
    /// # Cancel safety
    /// Cancel safe: no pairing is lost.
    pub async fn next(&mut self) -> Option<Pairing> {
        let pairing = self.pairings.recv().await?;
        Some(Pairing::of_agent(&self.shared, pairing))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shared.tell(Message::Security(SecurityMessage::EndAgent(self.ticket)));
        self.pairings.close();
        while let Ok(pairing) = self.pairings.try_recv() {
            drop(Pairing::of_agent(&self.shared, pairing));
        }
    }
}
