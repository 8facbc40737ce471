//! The methods: one row each, one file a section, one `async fn` a method.
//!
//! A method is given its [`Context`] and parameters and returns its result; who it is for, when it is answered and what
//! comes after is the session's. What it begins and leaves behind stands in the state of its section.

mod advertise;
mod failure;
mod gatt;
mod link;
mod questions;
mod scan;
mod security;
mod server;
mod session;

use crate::connections::Held;
use crate::message::error::RpcError;
use crate::session::{Context, Session};
use crate::wire::encode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;

pub(crate) use failure::failed;

/// A row of the table of methods.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// The schema of its parameters.
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of its result.
    pub result: fn(&mut SchemaGenerator) -> Schema,
}

macro_rules! methods {
    ($($name:literal => $section:ident::$function:ident($params:ident) -> $result:ident;)*) => {
        /// Every method but `cancel`, which has no answer.
        pub const METHODS: &[Method] = &[$(Method {
            name: $name,
            params: SchemaGenerator::subschema_for::<crate::message::all::$params>,
            result: SchemaGenerator::subschema_for::<crate::message::all::$result>,
        },)*];

        /// Runs a method.
        pub(crate) async fn run(context: &Context, method: &str, params: Value) -> Result<Box<RawValue>, RpcError> {
            match method {
                // In boxes of their own: a request takes the room of its method, not of the largest one.
                $($name => {
                    let params: crate::message::all::$params = parse(params)?;
                    let result: crate::message::all::$result =
                        Box::pin($section::$function(context, params)).await?;
                    Ok(encode(&result))
                })*
                _ => {
                    let cause = format!("there is no method {method:?}");
                    Err(RpcError::never_ran(RpcError::METHOD_NOT_FOUND, cause))
                }
            }
        }
    };
}

methods! {
    "info" => session::info(Nothing) -> Info;

    "scan.start" => scan::start(ScanStartParams) -> ScanStarted;
    "scan.stop" => scan::stop(ScanStopParams) -> Nothing;

    "advertise.start" => advertise::start(AdvertiseParams) -> Advertising;
    "advertise.stop" => advertise::stop(AdvertiserParams) -> Nothing;

    "connect" => link::connect(ConnectParams) -> Connected;
    "disconnect" => link::disconnect(DisconnectParams) -> Nothing;

    "gatt.discover" => gatt::discover(DiscoverParams) -> Discovered;
    "gatt.read" => gatt::read(AttributeParams) -> ReadValue;
    "gatt.write" => gatt::write(WriteParams) -> Nothing;
    "gatt.subscribe" => gatt::subscribe(SubscribeParams) -> Subscribed;
    "gatt.unsubscribe" => gatt::unsubscribe(AttributeParams) -> Nothing;

    "configure" => security::configure(ConfigureParams) -> Nothing;
    "pair" => security::pair(PairParams) -> Security;
    "encrypt" => security::encrypt(ConnectionParams) -> Security;
    "pairing.reply" => security::reply(PairingReplyParams) -> Nothing;
    "bonds.list" => security::list(Nothing) -> Bonds;
    "bonds.delete" => security::delete(DeleteBondsParams) -> Nothing;

    "server.set" => server::set(ServeParams) -> Served;
    "server.value" => server::value(ServerValueParams) -> Nothing;
    "server.notify" => server::notify(ServerNotifyParams) -> Nothing;
    "server.reply" => server::reply(ServerReplyParams) -> Nothing;
}

fn parse<P: DeserializeOwned + JsonSchema>(params: Value) -> Result<P, RpcError> {
    serde_json::from_value(params).map_err(|error| RpcError::invalid_params(error.to_string()))
}

/// What the sections keep of a session.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) advertise: advertise::State,
    pub(crate) scan: scan::State,
    pub(crate) security: security::State,
    pub(crate) server: server::State,
    /// Of what the client is asked.
    pub(crate) numbers: questions::Numbers,
}

/// What the sections keep of a link.
#[derive(Debug, Default)]
pub(crate) struct LinkState {
    pub(crate) gatt: gatt::LinkState,
}

/// Begins what goes on for the whole session.
pub(crate) fn begin(session: &Arc<Session>) {
    advertise::begin(session);
    security::begin(session);
}

/// Ends what would not end by itself; links go down after it.
pub(crate) fn end(session: &Session) {
    scan::end(session);
    advertise::end(session);
}

/// Begins to watch a link that was just told.
pub(crate) fn watch(session: &Arc<Session>, held: &Held) {
    link::watch(session, held);
    gatt::watch(session, held);
    security::watch(session, held);
}
