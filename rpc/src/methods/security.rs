//! Security: pairing, encryption and bonds.

use super::failed;
use super::questions::Questions;
use crate::connections::Held;
use crate::message::Nothing;
use crate::message::error::RpcError;
use crate::message::link::ConnectionParams;
use crate::message::security::{
    Bonded, Bonds, ConfigureParams, DeleteBondsParams, PairParams, PairingDone, PairingFailed, PairingMethod,
    PairingParams, PairingReplyParams, PairingRequest, Security, SecurityChange, SecurityRequested,
};
use crate::message::{AddressType, Identity};
use crate::session::{Context, Session, lock};
use baretooth::smp::PairingOptions;
use baretooth::{
    AddressKind, Agent, Confirmation, Error, OnSecurityRequest, Pairing, PasskeyAnswer, Prompt,
    SecurityOptions, SecurityRequests,
};
use std::sync::{Arc, Mutex};

/// How to pair, and what pairings ask.
#[derive(Debug, Default)]
pub(crate) struct State {
    configured: Mutex<Configured>,
    questions: Questions<Question>,
}

/// What `configure` has said so far.
#[derive(Clone, Debug, Default)]
struct Configured {
    pairing: PairingParams,
    identity: Option<AddressType>,
}

/// What waits for `pairing.reply`. Dropped it is a no.
#[derive(Debug)]
enum Question {
    YesOrNo(Confirmation),
    Passkey(PasskeyAnswer),
}

pub(super) async fn configure(context: &Context, params: ConfigureParams) -> Result<Nothing, RpcError> {
    let ConfigureParams { name, identity, mtu, pairing } = params;
    let state = &context.session.state.security;
    pairing.options().map_err(RpcError::invalid_params)?;
    if let Some(mtu) = mtu.filter(|mtu| !(23..=517).contains(mtu)) {
        return Err(RpcError::invalid_params(format!("an mtu of {mtu} is not between 23 and 517")));
    }
    let adapter = context.adapter();
    if let Some(name) = name {
        adapter.set_name(&name).await.map_err(failed)?;
    }
    if let Some(mtu) = mtu {
        adapter.set_mtu(mtu);
    }
    let mut configured = lock(&state.configured);
    configured.pairing = pairing.or(&configured.pairing);
    configured.identity = identity.or(configured.identity);
    // In the lock, so that the newest is what holds.
    adapter.set_security(configured.options()?);
    Ok(Nothing {})
}

pub(super) async fn pair(context: &Context, params: PairParams) -> Result<Security, RpcError> {
    let PairParams { connection, pairing } = params;
    let pairing = pairing.or(&lock(&context.session.state.security.configured).pairing);
    let options = pairing.options().map_err(RpcError::invalid_params)?;
    let link = context.link(connection)?;
    let running = context.of(&link).pair_with(options);
    let followed = follow(&context.session, &link, running, pairing.ask.unwrap_or(false));
    followed.await.map_err(failed)
}

pub(super) async fn encrypt(context: &Context, params: ConnectionParams) -> Result<Security, RpcError> {
    let peer = context.peer(params.connection)?;
    let security = peer.encrypt().await;
    security.map(Security::from).map_err(failed)
}

pub(super) async fn reply(context: &Context, params: PairingReplyParams) -> Result<Nothing, RpcError> {
    let PairingReplyParams { request, accept, passkey } = params;
    let questions = &context.session.state.security.questions;
    match (questions.answered(request)?, accept) {
        (_, false) => {}
        (Question::YesOrNo(answer), true) => answer.yes(),
        (Question::Passkey(answer), true) => match passkey.and_then(|passkey| passkey.passkey()) {
            Some(passkey) => answer.enter(passkey),
            None => {
                questions.open(request, Question::Passkey(answer));
                return Err(RpcError::invalid_params("the six digits of the passkey are wanted"));
            }
        },
    }
    Ok(Nothing {})
}

pub(super) async fn list(context: &Context, _: Nothing) -> Result<Bonds, RpcError> {
    let bonds = context.adapter().bonds().await.map_err(failed)?;
    Ok(Bonds { bonds: bonds.iter().map(Bonded::of).collect() })
}

pub(super) async fn delete(context: &Context, params: DeleteBondsParams) -> Result<Nothing, RpcError> {
    let adapter = context.adapter();
    match (params.address, params.address_type, params.all.unwrap_or(false)) {
        (Some(address), Some(address_type), false) => {
            let peer = Identity { address, address_type }.address();
            adapter.unpair(peer).await.map_err(failed)?;
        }
        (None, None, true) => {
            for bond in adapter.bonds().await.map_err(failed)? {
                match adapter.unpair(bond.peer).await {
                    // Somebody else was faster.
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        _ => return Err(RpcError::invalid_params("either address and address_type, or \"all\":true")),
    }
    Ok(Nothing {})
}

/// Answers pairings that nobody asked for, and tells what peripherals ask for.
pub(super) fn begin(session: &Arc<Session>) {
    let adapter = session.adapter();
    let agent = adapter.agent(PairingOptions::new());
    adapter.set_security(policy());
    session.accompany(answer_pairings(session.clone(), agent));
    session.accompany(tell_requests(session.clone(), adapter.security_requests()));
}

/// Nothing is done about security but what the client asks for: it is told what peers want, and what they refuse.
fn policy() -> SecurityOptions {
    SecurityOptions::new().raise(false).on_request(OnSecurityRequest::Tell)
}

impl Configured {
    fn options(&self) -> Result<SecurityOptions, RpcError> {
        let options = policy().pairing(self.pairing.options().map_err(RpcError::invalid_params)?);
        Ok(match self.identity {
            None => options,
            Some(AddressType::Public) => options.identity(AddressKind::Public),
            Some(AddressType::Random) => options.identity(AddressKind::Random),
        })
    }
}

/// Tells what a link has of security: at first, if that is anything, and whenever it changes.
pub(super) fn watch(session: &Arc<Session>, held: &Held) {
    let (task, held) = (session.clone(), held.clone());
    let mut changes = held.peer().security_changes();
    session.spawn(async move {
        let now = held.peer().security();
        let mut next = if now.encrypted { Some(now) } else { changes.next().await };
        while let Some(security) = next {
            let (connection, security) = (held.number(), security.into());
            task.tell(&SecurityChange { connection, security }).await;
            next = changes.next().await;
        }
    });
}

/// Answers what peers begin, each pairing by itself.
async fn answer_pairings(session: Arc<Session>, mut agent: Agent) {
    while let Some(pairing) = agent.next().await {
        let ask = lock(&session.state.security.configured).pairing.ask.unwrap_or(false);
        let task = session.clone();
        session.spawn(async move {
            let Some(link) = task.connections.held_of(pairing.peer()).await else { return };
            // Its result is told.
            let _ = follow(&task, &link, pairing, ask).await;
        });
    }
}

/// Tells what peripherals ask for.
async fn tell_requests(session: Arc<Session>, mut requests: SecurityRequests) {
    while let Some(asked) = requests.next().await {
        let Some(link) = session.connections.held_of(&asked.peer).await else { continue };
        let requested = SecurityRequested {
            connection: link.number(),
            bond: asked.bonding,
            mitm: asked.mitm,
            secure_connections: asked.secure_connections,
        };
        session.tell(&requested).await;
    }
}

/// Brings what a pairing shows and asks to the client, and tells how it went.
async fn follow(session: &Session, link: &Held, mut pairing: Pairing, ask: bool) -> Result<Security, Error> {
    let connection = link.number();
    let mut open = Open { session, requests: Vec::new() };
    while let Some(prompt) = pairing.next().await {
        let (method, passkey, question) = match prompt {
            Prompt::Consent(answer) if !ask => {
                answer.yes();
                continue;
            }
            Prompt::Consent(answer) => (PairingMethod::JustWorks, None, Some(Question::YesOrNo(answer))),
            Prompt::ConfirmNumber(number, answer) => {
                let shown = Some(format!("{number:06}"));
                (PairingMethod::NumericComparison, shown, Some(Question::YesOrNo(answer)))
            }
            Prompt::DisplayPasskey(passkey) => {
                (PairingMethod::PasskeyDisplay, Some(passkey.to_string()), None)
            }
            Prompt::EnterPasskey(answer) => {
                (PairingMethod::PasskeyEntry, None, Some(Question::Passkey(answer)))
            }
            // What the user does on the other device; and nothing is exchanged out of band.
            _ => continue,
        };
        let request = question.map(|question| open.ask(question));
        session.tell(&PairingRequest { connection, request, method, passkey }).await;
    }
    match pairing.finish().await {
        Ok(_) => {
            let security = link.peer().security().into();
            session.tell(&PairingDone { connection, security }).await;
            Ok(security)
        }
        Err(error) => {
            if let Error::Pairing { source, .. } = &error {
                session.tell(&PairingFailed::of(connection, source)).await;
            }
            Err(error)
        }
    }
}

/// The questions of a pairing, of which nobody wants an answer when it is over.
struct Open<'a> {
    session: &'a Session,
    requests: Vec<u32>,
}

impl Open<'_> {
    fn ask(&mut self, question: Question) -> u32 {
        let request = self.session.state.numbers.next();
        self.session.state.security.questions.open(request, question);
        self.requests.push(request);
        request
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        for request in &self.requests {
            self.session.state.security.questions.take(*request);
        }
    }
}
