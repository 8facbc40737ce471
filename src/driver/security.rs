//! Pairings: whom each prompts, and who is told how it went.
//!
//! A pairing belongs to whoever asked for it. One that nobody asked for, because the peer has begun it or an operation
//! needed it, belongs to the agent, if there is one.

use super::{Failure, LinkState, Ticket};
use crate::Address;
use crate::host::{ConnectionId, OpId, Output, SecurityOptions};
use crate::smp::{Answer, Bond, PairingOptions, Prompt, PromptId};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Who waits for the result of a request.
pub(crate) type Reply = oneshot::Sender<Result<Output, Failure>>;

/// Prompts of one pairing that may wait to be read. The peer makes them, so there is an end.
const PROMPTS: usize = 16;

/// Pairings that may wait for the agent.
const PAIRINGS: usize = 16;

/// What handles tell the task about pairings.
#[derive(Debug)]
pub(crate) enum SecurityMessage {
    /// Pair, and bring the prompts here.
    Pair {
        ticket: Ticket,
        connection: ConnectionId,
        options: Box<PairingOptions>,
        prompts: mpsc::Sender<Asked>,
        reply: Reply,
    },
    /// Bring here the pairings that nobody asked for, and no longer to whoever they were brought to.
    Agent { ticket: Ticket, options: Box<PairingOptions>, pairings: mpsc::Sender<PairingEnd> },
    /// Nobody reads them any more.
    EndAgent(Ticket),
    /// What holds from now on, for the agent's pairings too.
    Configure(Box<SecurityOptions>),
    /// What the user says to a prompt.
    Answer { connection: ConnectionId, id: PromptId, answer: Answer },
    /// Nobody will answer what this pairing asks.
    Abandon { connection: ConnectionId, number: u64 },
    /// Forget a bond, in the store as well.
    Unpair { ticket: Ticket, peer: Address, reply: Reply },
    /// Take a bond from elsewhere, and keep it.
    Import { ticket: Ticket, bond: Box<Bond>, reply: Reply },
    /// The bonds that there are.
    Bonds(oneshot::Sender<Vec<Bond>>),
}

/// A prompt on its way to whoever answers.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: PromptId,
    pub(crate) prompt: Prompt,
    /// Ends when nobody waits for the answer any more.
    pub(crate) withdrawn: oneshot::Receiver<()>,
}

/// A pairing, for the agent.
#[derive(Debug)]
pub(crate) struct PairingEnd {
    /// Tells it from later ones on the same link.
    pub(crate) number: u64,
    pub(crate) link: Arc<LinkState>,
    pub(crate) prompts: mpsc::Receiver<Asked>,
    pub(crate) result: oneshot::Receiver<Result<Output, Failure>>,
}

/// A peripheral has asked for security.
#[derive(Clone, Debug)]
pub(crate) struct SecurityAsked {
    pub(crate) link: Arc<LinkState>,
    pub(crate) bonding: bool,
    pub(crate) mitm: bool,
    pub(crate) secure_connections: bool,
}

/// The pairings in progress that somebody follows, and the agent.
#[derive(Debug)]
pub(super) struct Pairings {
    /// What holds without an agent.
    pub(super) security: SecurityOptions,
    routes: BTreeMap<ConnectionId, Route>,
    /// Of the agent so far.
    number: u64,
    agent: Option<(Ticket, mpsc::Sender<PairingEnd>)>,
}

#[derive(Debug)]
struct Route {
    prompts: mpsc::Sender<Asked>,
    /// Prompts that wait for an answer; whoever answers sees them go.
    open: BTreeMap<PromptId, oneshot::Sender<()>>,
    owner: Owner,
}

#[derive(Debug)]
enum Owner {
    /// Who asked for it waits for the request's result.
    User(OpId),
    Agent {
        number: u64,
        result: Reply,
    },
}

impl Pairings {
    pub(super) fn new(security: SecurityOptions) -> Self {
        Self { security, routes: BTreeMap::new(), number: 0, agent: None }
    }

    /// Somebody has asked for a pairing. Beside one that is in progress it has nothing to be asked.
    pub(super) fn begin(&mut self, connection: ConnectionId, op: OpId, prompts: mpsc::Sender<Asked>) {
        let route = Route { prompts, open: BTreeMap::new(), owner: Owner::User(op) };
        self.routes.entry(connection).or_insert(route);
    }

    pub(super) fn set_agent(&mut self, ticket: Ticket, pairings: mpsc::Sender<PairingEnd>) {
        self.agent = Some((ticket, pairings));
    }

    /// Whether there is no agent any more: another may have taken the place of this one.
    pub(super) fn end_agent(&mut self, ticket: Ticket) -> bool {
        let ended = self.agent.as_ref().is_some_and(|(of, _)| *of == ticket);
        if ended {
            self.agent = None;
        }
        ended
    }

    /// Brings a prompt to whoever answers; `false` when there is nobody.
    pub(super) fn ask(&mut self, link: &Arc<LinkState>, id: PromptId, prompt: Prompt) -> bool {
        if !self.routes.contains_key(&link.connection)
            && let Some((prompts, owner)) = self.tell_agent(link)
        {
            let route = Route { prompts, open: BTreeMap::new(), owner };
            self.routes.insert(link.connection, route);
        }
        let Some(route) = self.routes.get_mut(&link.connection) else { return false };
        let (open, withdrawn) = oneshot::channel();
        let taken = route.prompts.try_send(Asked { id, prompt, withdrawn }).is_ok();
        if taken {
            route.open.insert(id, open);
        }
        taken
    }

    /// A prompt is answered, or void.
    pub(super) fn close(&mut self, connection: ConnectionId, id: PromptId) {
        if let Some(route) = self.routes.get_mut(&connection) {
            route.open.remove(&id);
        }
    }

    /// Prompts of one of the agent's pairings that nobody will answer.
    pub(super) fn abandon(&mut self, connection: ConnectionId, number: u64) -> Vec<PromptId> {
        match self.routes.get_mut(&connection) {
            Some(Route { open, owner: Owner::Agent { number: of, .. }, .. }) if *of == number => {
                std::mem::take(open).into_keys().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The pairing that a request asked for is over.
    pub(super) fn end_of(&mut self, op: OpId) {
        self.routes.retain(|_, route| !matches!(route.owner, Owner::User(of) if of == op));
    }

    /// A pairing is over: who is to be told beside whoever asked for it. The agent is, of one that it was to answer for,
    /// and of one that nobody asked for and that has asked nothing.
    pub(super) fn end_of_agents(&mut self, link: &Arc<LinkState>, unasked: bool) -> Option<Reply> {
        match self.routes.get(&link.connection) {
            Some(_) => self.take_agents(link.connection),
            None if unasked => self.tell_agent(link).and_then(|(_, owner)| owner.agents()),
            None => None,
        }
    }

    /// The agent's part in a pairing that has come to nothing.
    pub(super) fn take_agents(&mut self, connection: ConnectionId) -> Option<Reply> {
        if let Owner::User(_) = self.routes.get(&connection)?.owner {
            // Whoever asked for it waits for the result of that.
            return None;
        }
        self.routes.remove(&connection)?.owner.agents()
    }

    /// The session is over.
    pub(super) fn end(&mut self) {
        self.agent = None;
        self.routes.clear();
    }

    /// A pairing that the agent has not heard of.
    fn tell_agent(&mut self, link: &Arc<LinkState>) -> Option<(mpsc::Sender<Asked>, Owner)> {
        let (_, agent) = self.agent.as_ref()?;
        let (prompts, asked) = mpsc::channel(PROMPTS);
        let (result, told) = oneshot::channel();
        self.number += 1;
        let number = self.number;
        let pairing = PairingEnd { number, link: link.clone(), prompts: asked, result: told };
        if agent.try_send(pairing).is_err() {
            tracing::warn!(peer = %link.peer, "nobody takes a pairing: too many wait");
            return None;
        }
        Some((prompts, Owner::Agent { number, result }))
    }
}

impl Owner {
    fn agents(self) -> Option<Reply> {
        match self {
            Self::User(_) => None,
            Self::Agent { result, .. } => Some(result),
        }
    }
}

/// The queue of the pairings of an agent.
pub(crate) fn agent_queue() -> (mpsc::Sender<PairingEnd>, mpsc::Receiver<PairingEnd>) {
    mpsc::channel(PAIRINGS)
}

/// The queue of the prompts of a pairing.
pub(crate) fn prompt_queue() -> (mpsc::Sender<Asked>, mpsc::Receiver<Asked>) {
    mpsc::channel(PROMPTS)
}
