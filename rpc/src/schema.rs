//! The schema of every line (JSON Schema, draft 2020-12), made from the types; `schema.json` beside the sources is it.
//!
//! `$defs/client` is what a client may say, `$defs/server` what it hears. What an answer's result is depends on what was
//! asked: `methods` has the parameters and the result of each method, `notifications` the parameters of each of ours.

use crate::message::error::RpcError;
use crate::message::{self, Notification};
use crate::methods::METHODS;
use crate::wire::Id;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// A notification of ours.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Its method.
    pub name: &'static str,
    /// The schema of its parameters.
    pub params: fn(&mut SchemaGenerator) -> Schema,
}

macro_rules! told {
    ($($section:ident::$type:ident;)*) => {
        /// Every notification of ours.
        pub const NOTIFICATIONS: &[Told] = &[$(Told {
            name: message::$section::$type::METHOD,
            params: SchemaGenerator::subschema_for::<message::$section::$type>,
        },)*];
    };
}

told! {
    session::Ready;
    session::Closed;

    scan::ScanReport;

    link::Connected;
    link::Disconnected;
    link::Mtu;
    link::Parameters;
    link::PhyChange;

    gatt::Notified;
    gatt::Changed;

    security::PairingRequest;
    security::SecurityRequested;
    security::PairingDone;
    security::SecurityChange;
    security::PairingFailed;

    server::ServerRead;
    server::ServerWrite;
    server::ServerSubscribed;
}

/// The schema.
///
/// ```
/// let schema = baretooth_rpc::schema::schema();
/// assert!(schema["methods"]["gatt.read"]["result"]["$ref"].is_string());
/// ```
pub fn schema() -> Value {
    // What is read may leave out what has a default; what is written has it.
    let mut read = SchemaSettings::draft2020_12().into_generator();
    let mut written = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut methods = Map::new();
    let mut requests = Vec::new();
    for method in METHODS {
        let (params, result) = ((method.params)(&mut read), (method.result)(&mut written));
        requests.push(request(method.name, params.as_value()));
        methods.insert(method.name.to_owned(), json!({ "params": params, "result": result }));
    }
    let cancel = read.subschema_for::<message::session::CancelParams>();
    requests.push(request("cancel", cancel.as_value()));
    methods.insert("cancel".to_owned(), json!({ "params": cancel }));
    let (id, error) = (written.subschema_for::<Id>(), written.subschema_for::<RpcError>());
    let mut lines = vec![
        object(json!({ "jsonrpc": { "const": "2.0" }, "id": id, "result": { "type": "object" } }), &[]),
        object(json!({ "jsonrpc": { "const": "2.0" }, "id": id, "error": error }), &[]),
    ];
    let mut notifications = Map::new();
    for told in NOTIFICATIONS {
        let params = (told.params)(&mut written);
        let members =
            json!({ "jsonrpc": { "const": "2.0" }, "method": { "const": told.name }, "params": params });
        lines.push(object(members, &[]));
        notifications.insert(told.name.to_owned(), params.to_value());
    }
    let mut types = read.take_definitions(true);
    types.extend(written.take_definitions(true));
    types.insert("client".to_owned(), json!({ "oneOf": requests }));
    types.insert("server".to_owned(), json!({ "oneOf": lines }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "baretooth rpc",
        "anyOf": [{ "$ref": "#/$defs/client" }, { "$ref": "#/$defs/server" }],
        "methods": methods,
        "notifications": notifications,
        "$defs": types,
    })
}

/// What a client says to call a method.
fn request(name: &str, params: &Value) -> Value {
    let id = json!({ "type": ["string", "number", "null"] });
    let members =
        json!({ "jsonrpc": { "const": "2.0" }, "id": id, "method": { "const": name }, "params": params });
    // Parameters without which a method cannot do make `params` necessary; without an id nobody is answered.
    object(members, &["id", "params"])
}

/// An object of these members and no others, all of them there but the optional ones.
fn object(members: Value, optional: &[&str]) -> Value {
    let names = members.as_object().into_iter().flat_map(Map::keys);
    let required = names.filter(|name| !optional.contains(&name.as_str())).collect::<Vec<_>>();
    json!({ "type": "object", "required": required, "properties": members, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn the_schema_beside_the_sources_is_that_of_the_types() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.json");
        let schema = serde_json::to_string_pretty(&schema()).expect("it is JSON") + "\n";
        if std::env::var_os("BARETOOTH_RECORD").is_some() {
            std::fs::write(&path, &schema).expect("the sources can be written");
        }
        let recorded = std::fs::read_to_string(&path).expect("it is there");
        assert!(
            recorded == schema,
            "run `BARETOOTH_RECORD=1 cargo test -p baretooth-rpc schema` and judge what changed"
        );
    }

    #[test]
    fn every_method_and_every_notification_has_a_name_of_its_own() {
        let methods = METHODS.iter().map(|method| method.name).collect::<BTreeSet<_>>();
        assert_eq!(methods.len(), METHODS.len());
        let told = NOTIFICATIONS.iter().map(|told| told.name).collect::<BTreeSet<_>>();
        assert_eq!(told.len(), NOTIFICATIONS.len());
        assert!(methods.is_disjoint(&told));
    }

    #[test]
    fn a_type_is_the_same_whether_it_is_read_or_written() {
        let mut read = SchemaSettings::draft2020_12().into_generator();
        let mut written = SchemaSettings::draft2020_12().for_serialize().into_generator();
        for method in METHODS {
            (method.params)(&mut read);
            (method.result)(&mut written);
        }
        NOTIFICATIONS.iter().for_each(|told| _ = (told.params)(&mut written));
        let written = written.take_definitions(true);
        for (name, schema) in read.take_definitions(true) {
            assert!(written.get(&name).is_none_or(|other| *other == schema), "{name}");
        }
    }
}
