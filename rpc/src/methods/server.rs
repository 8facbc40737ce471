//! The GATT server: our own table, and what clients do with it.

use super::failed;
use super::questions::Questions;
use crate::message::error::{Kind, RpcError};
use crate::message::server::{
    ServeParams, Served, ServerNotifyParams, ServerRead, ServerReplyParams, ServerSubscribed,
    ServerValueParams, ServerWrite,
};
use crate::message::{Hex, Nothing};
use crate::session::{Context, Session, lock};
use baretooth::att::AttError;
use baretooth::{GattServer, Peer, ReadRequest, Request, Requests, WriteRequest};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a client waits for what is asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The table, and what clients wait for.
#[derive(Debug, Default)]
pub(crate) struct State {
    server: Mutex<Option<GattServer>>,
    questions: Questions<Question>,
}

/// What waits for `server.reply`. Dropped it is refused.
#[derive(Debug)]
enum Question {
    Read(ReadRequest),
    Write(WriteRequest),
}

pub(super) async fn set(context: &Context, params: ServeParams) -> Result<Served, RpcError> {
    let by_itself =
        params.services.iter().find(|service| matches!(service.uuid.0.as_u16(), Some(0x1800 | 0x1801)));
    if let Some(service) = by_itself {
        let cause = format!("service {} comes by itself", service.uuid.0.short());
        return Err(RpcError::invalid_params(cause));
    }
    let adapter = context.adapter();
    let name = adapter.name().await.map_err(failed)?;
    let table = params.table(&name).map_err(|error| RpcError::invalid_params(error.to_string()))?;
    let server = adapter.serve(table).await.map_err(failed)?;
    let served = Served::of(server.services());
    let (session, requests) = (context.session.clone(), server.requests());
    *lock(&session.state.server.server) = Some(server);
    // Another table ends it.
    context.session.accompany(tell_requests(session, requests));
    Ok(served)
}

pub(super) async fn value(context: &Context, params: ServerValueParams) -> Result<Nothing, RpcError> {
    let ServerValueParams { handle, value } = params;
    let server = server(context)?;
    if server.value(handle).await.is_err() {
        return Err(unknown(handle));
    }
    server.set_value(handle, value.0).await.map_err(failed)?;
    Ok(Nothing {})
}

pub(super) async fn notify(context: &Context, params: ServerNotifyParams) -> Result<Nothing, RpcError> {
    let ServerNotifyParams { connection, handle, value, indication } = params;
    let peer = context.peer(connection)?;
    let server = server(context)?;
    if !server.subscribers(handle).iter().any(|subscriber| subscriber.connection() == peer.connection()) {
        let cause = format!("connection {connection} has not subscribed to 0x{handle:04X}");
        return Err(RpcError::failed(Kind::NotFound, cause).with_handle(Some(handle)));
    }
    let sent = async {
        match indication.unwrap_or(false) {
            true => server.indicate_to(&peer, handle, value.0).await,
            false => server.notify_to(&peer, handle, value.0).await,
        }
    };
    context.unless_cancelled(sent).await?.map_err(failed)?;
    Ok(Nothing {})
}

pub(super) async fn reply(context: &Context, params: ServerReplyParams) -> Result<Nothing, RpcError> {
    let ServerReplyParams { request, value, error } = params;
    if error == Some(0) || error.is_some() && value.is_some() {
        return Err(RpcError::invalid_params("either a value, or an error of ATT from 1"));
    }
    let questions = &context.session.state.server.questions;
    let answered = match (questions.answered(request)?, error, value) {
        (Question::Read(read), Some(code), _) => read.refuse(AttError(code)).await,
        (Question::Read(read), None, Some(Hex(value))) => read.answer(value).await,
        (question @ Question::Read(_), None, None) => {
            questions.open(request, question);
            return Err(RpcError::invalid_params("the value that is read is wanted"));
        }
        (question @ Question::Write(_), None, Some(_)) => {
            questions.open(request, question);
            return Err(RpcError::invalid_params("what is written is taken as it is, or refused"));
        }
        (Question::Write(write), Some(code), None) => write.refuse(AttError(code)).await,
        (Question::Write(write), ..) => write.accept().await,
    };
    answered.map_err(failed)?;
    Ok(Nothing {})
}

fn server(context: &Context) -> Result<GattServer, RpcError> {
    let server = lock(&context.session.state.server.server).clone();
    server.ok_or_else(|| RpcError::failed(Kind::NotFound, "nothing is served: server.set comes first"))
}

fn unknown(handle: u16) -> RpcError {
    let cause = format!("the table that is served keeps no value at 0x{handle:04X}");
    RpcError::failed(Kind::NotFound, cause).with_handle(Some(handle))
}

/// Tells what clients do, until another table is served.
async fn tell_requests(session: Arc<Session>, mut requests: Requests) {
    let mut told = 0;
    while let Some(request) = requests.next().await {
        let all = requests.missed();
        let missed = all - std::mem::replace(&mut told, all);
        match request {
            Request::Read(read) => {
                let (peer, handle) = (read.peer(), read.handle());
                let Some(link) = session.connections.held_of(&peer).await else { continue };
                let request = ask(&session, peer, Question::Read(read));
                session.tell(&ServerRead { connection: link.number(), handle, offset: 0, request }).await;
            }
            Request::Write(write) => {
                let (peer, values) = (write.peer(), write.values().to_vec());
                let Some(link) = session.connections.held_of(&peer).await else { continue };
                let request = Some(ask(&session, peer, Question::Write(write)));
                for (part, offer) in values.into_iter().enumerate() {
                    let missed = if part == 0 { missed } else { 0 };
                    let (connection, handle, offset) = (link.number(), offer.handle, offer.offset);
                    let value = Hex(offer.value);
                    session.tell(&ServerWrite { connection, handle, offset, value, request, missed }).await;
                }
            }
            Request::Written { peer, handle, value } => {
                let Some(link) = session.connections.held_of(&peer).await else { continue };
                let (connection, value) = (link.number(), Hex(value));
                let written = ServerWrite { connection, handle, offset: 0, value, request: None, missed };
                session.tell(&written).await;
            }
            Request::Subscribed { peer, handle, notifications, indications } => {
                let Some(link) = session.connections.held_of(&peer).await else { continue };
                let connection = link.number();
                let subscribed = ServerSubscribed { connection, handle, notifications, indications, missed };
                session.tell(&subscribed).await;
            }
            _ => {}
        }
    }
}

/// Lets the client answer, as long as somebody waits for it.
fn ask(session: &Arc<Session>, peer: Peer, question: Question) -> u32 {
    let request = session.state.numbers.next();
    session.state.server.questions.open(request, question);
    let task = session.clone();
    session.accompany(async move {
        tokio::select! {
            () = tokio::time::sleep(PATIENCE) => {}
            _ = peer.disconnected() => {}
        }
        task.state.server.questions.take(request);
    });
    request
}
