//! Pairings and bonds between the host, those who answer prompts, and the store.

use super::Task;
use crate::bonds::Stored;
use crate::driver::Failure;
use crate::driver::routes::Waiter;
use crate::driver::security::{Reply, SecurityAsked, SecurityMessage};
use crate::hci::ControllerInfo;
use crate::host::{ConnectionId, OpError, OpId, Output, SecurityEvent, SecurityRequest};
use crate::smp::{Answer, Prompt, PromptId};
use crate::{Address, BdAddr};

impl Task {
    pub(super) fn take_security_message(&mut self, message: SecurityMessage) {
        match message {
            SecurityMessage::Pair { ticket, connection, options, prompts, reply } => {
                let op = self.ask(SecurityRequest::Pair { connection, options });
                self.pairings.begin(connection, op, prompts);
                self.requests.add(op, ticket, Waiter::Kept { reply, peer: None });
            }
            SecurityMessage::Agent { ticket, options, pairings } => {
                self.pairings.set_agent(ticket, pairings);
                self.ask(SecurityRequest::Configure(self.pairings.security.clone().pairing(*options)));
                self.ask(SecurityRequest::Agent(true));
            }
            SecurityMessage::EndAgent(ticket) => {
                if self.pairings.end_agent(ticket) {
                    self.ask(SecurityRequest::Configure(self.pairings.security.clone()));
                    self.ask(SecurityRequest::Agent(false));
                }
            }
            SecurityMessage::Configure(options) => {
                self.pairings.security = *options.clone();
                self.ask(SecurityRequest::Configure(*options));
            }
            SecurityMessage::Answer { connection, id, answer } => {
                if !matches!(answer, Answer::Keypress(_)) {
                    self.pairings.close(connection, id);
                }
                self.answer(connection, id, answer);
            }
            SecurityMessage::Abandon { connection, number } => {
                for id in self.pairings.abandon(connection, number) {
                    self.answer(connection, id, Answer::No);
                }
            }
            SecurityMessage::Unpair { ticket, peer, reply } => {
                let op = self.ask(SecurityRequest::Unpair { peer });
                self.requests.add(op, ticket, Waiter::Kept { reply, peer: Some(peer) });
            }
            SecurityMessage::Import { ticket, bond, reply } => {
                let peer = Some(bond.peer);
                let op = self.ask(SecurityRequest::Import(bond));
                self.requests.add(op, ticket, Waiter::Kept { reply, peer });
            }
            SecurityMessage::Bonds(reply) => {
                let _ = reply.send(self.host.bonds().cloned().collect());
            }
        }
    }

    pub(super) fn on_security_event(&mut self, event: SecurityEvent) {
        match event {
            SecurityEvent::Prompt { connection, id, prompt } => self.bring_prompt(connection, id, prompt),
            SecurityEvent::Withdrawn { connection, id } => self.pairings.close(connection, id),
            SecurityEvent::Changed { connection, security } => {
                if let Some(state) = self.states.get(&connection) {
                    let level = security.level();
                    if state.with_info(|info| info.security.level()) != level {
                        tracing::info!(peer = %state.peer, "the link is {level}");
                    }
                    state.update(|info| info.security = security);
                }
            }
            SecurityEvent::Paired { connection, op, summary } => {
                let Some(link) = self.states.get(&connection).cloned() else { return };
                link.update(|info| info.identity = Some(summary.peer));
                if let Some(result) = self.pairings.end_of_agents(&link, op.is_none()) {
                    self.when_kept(None, result, Output::Paired(summary));
                }
            }
            SecurityEvent::Failed { connection, op, error } => {
                let Some(link) = self.states.get(&connection) else { return };
                if let Some(result) = self.pairings.end_of_agents(link, op.is_none()) {
                    let _ = result.send(Err(Failure::Op(OpError::Pairing(error))));
                }
            }
            SecurityEvent::Save(bond) => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.save(bond);
                }
            }
            SecurityEvent::Forget(peer) => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.remove(peer);
                }
            }
            SecurityEvent::Requested { connection, bonding, mitm, secure_connections } => {
                let Some(link) = self.states.get(&connection).cloned() else { return };
                // Nobody may listen.
                let asked = SecurityAsked { link, bonding, mitm, secure_connections };
                let _ = self.security_requests.send(asked);
            }
        }
    }

    /// Lets the host know whom the store knows, and be who it was. The adapter is there when that is done.
    pub(super) async fn load_bonds(&mut self, controller: ControllerInfo) -> Result<(), Failure> {
        if let Some(keeper) = &mut self.keeper {
            let adapter = controller.public_address.unwrap_or(Address::public(BdAddr([0; 6])));
            match keeper.load(adapter).await.map_err(Failure::Store)? {
                Some(Stored { identity, bonds }) => {
                    self.loading = Some(self.ask(SecurityRequest::Load { identity, bonds }));
                    return Ok(());
                }
                None => keeper.set_identity(self.host.identity()),
            }
        }
        self.tell_started(Ok(controller));
        Ok(())
    }

    /// The host is who it was, or the controller has something against it.
    pub(super) fn on_loaded(&mut self, result: Result<Output, OpError>) {
        let loaded = match (result, self.host.controller().cloned()) {
            (Ok(_), Some(controller)) => Ok(controller),
            (Ok(_), None) => Err(Failure::Op(OpError::NotReady)),
            (Err(error), _) => Err(self.failure(error)),
        };
        self.tell_started(loaded);
    }

    /// Whoever opens the adapter lets everything go when it is not to be used.
    fn tell_started(&mut self, started: Result<ControllerInfo, Failure>) {
        if let Some(reply) = self.started.take() {
            let _ = reply.send(started);
        }
    }

    /// Brings a result to whoever waits for it as soon as the store has what it tells.
    pub(super) fn when_kept(&mut self, peer: Option<Address>, reply: Reply, output: Output) {
        let peer = match &output {
            Output::Paired(summary) => summary.bonded.then_some(summary.peer),
            _ => peer,
        };
        match (&mut self.keeper, peer) {
            (Some(keeper), Some(peer)) => keeper.when_kept(peer, (reply, output)),
            _ => drop(reply.send(Ok(output))),
        }
    }

    fn bring_prompt(&mut self, connection: ConnectionId, id: PromptId, prompt: Prompt) {
        let wants_answer = !matches!(prompt, Prompt::DisplayPasskey(_) | Prompt::Keypress(_));
        let link = self.states.get(&connection).cloned();
        let asked = link.is_some_and(|link| self.pairings.ask(&link, id, prompt));
        if !asked && wants_answer {
            tracing::debug!(connection = connection.0, "nobody answers what a pairing asks");
            self.answer(connection, id, Answer::No);
        }
    }

    fn answer(&mut self, connection: ConnectionId, prompt: PromptId, answer: Answer) {
        self.ask(SecurityRequest::Answer { connection, prompt, answer });
    }

    fn ask(&mut self, request: SecurityRequest) -> OpId {
        self.host.submit(self.now(), request)
    }
}
