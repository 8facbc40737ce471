//! What stands around parameters and results: JSON-RPC 2.0, without batches.

use crate::message::Notification;
use crate::message::error::RpcError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// The version that every object names.
const VERSION: &str = "2.0";

/// Whom an answer is for: a text, a number or null, as the client chose it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Id {
    /// A text.
    Text(String),
    /// A number.
    #[schemars(with = "f64")]
    Number(Number),
    /// None; also of the answer to what has none that could be read.
    Null,
}

/// What the client wants: a request if it has an id, else a notification, which is not answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Of a request.
    pub id: Option<Id>,
    /// The method.
    pub method: String,
    /// Its parameters, by name.
    pub params: Map<String, Value>,
}

/// What is no call, and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its id, or null where none can be told.
    pub id: Id,
    /// What is wrong.
    pub error: RpcError,
}

impl Id {
    /// Its JSON, which is the same for the same ids alone.
    pub(crate) fn key(&self) -> String {
        encode(self).get().to_owned()
    }
}

impl Call {
    /// A call in JSON.
    ///
    /// # Errors
    /// The answer to whatever else it is.
    pub fn from_json(json: &[u8]) -> Result<Self, Refusal> {
        let value = serde_json::from_slice(json).map_err(|error| Refusal {
            id: Id::Null,
            error: RpcError::never_ran(RpcError::PARSE_ERROR, format!("this line is no JSON: {error}")),
        })?;
        Self::from_value(value)
    }

    fn from_value(value: Value) -> Result<Self, Refusal> {
        let refuse = |id: Option<&Id>, cause: &str| Refusal {
            id: id.cloned().unwrap_or(Id::Null),
            error: RpcError::never_ran(RpcError::INVALID_REQUEST, cause),
        };
        let Value::Object(mut object) = value else {
            let cause = match value {
                Value::Array(_) => "there are no batches: one object a line",
                _ => "a request is an object",
            };
            return Err(refuse(None, cause));
        };
        let id = match object.remove("id") {
            None => None,
            Some(Value::Null) => Some(Id::Null),
            Some(Value::Number(number)) => Some(Id::Number(number)),
            Some(Value::String(text)) => Some(Id::Text(text)),
            Some(_) => return Err(refuse(None, "an id is a text, a number or null")),
        };
        let refuse = |cause: &str| refuse(id.as_ref(), cause);
        if object.remove("jsonrpc").as_ref().and_then(Value::as_str) != Some(VERSION) {
            return Err(refuse("\"jsonrpc\" is not \"2.0\""));
        }
        let Some(Value::String(method)) = object.remove("method") else {
            return Err(refuse("there is no method, which is a text"));
        };
        let params = match object.remove("params") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(params)) => params,
            Some(Value::Array(_)) => {
                let error = RpcError::invalid_params("parameters go by their names, in an object");
                return Err(Refusal { id: id.unwrap_or(Id::Null), error });
            }
            Some(_) => return Err(refuse("params are an object")),
        };
        match object.keys().next() {
            Some(member) => Err(refuse(&format!("a request has no member {member:?}"))),
            None => Ok(Self { id, method, params }),
        }
    }
}

/// An answer.
#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'static str,
    id: &'a Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

/// A notification.
#[derive(Serialize)]
struct Told<'a, N> {
    jsonrpc: &'static str,
    method: &'static str,
    params: &'a N,
}

/// The line of an answer.
pub(crate) fn answer(id: &Id, result: &Result<Box<RawValue>, RpcError>) -> String {
    let (result, error) = (result.as_deref().ok(), result.as_ref().err());
    line(&Answer { jsonrpc: VERSION, id, result, error })
}

/// The line of a notification.
pub(crate) fn notification<N: Notification>(params: &N) -> String {
    line(&Told { jsonrpc: VERSION, method: N::METHOD, params })
}

/// A value as JSON.
pub(crate) fn encode(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("numbers, texts and structures of them are JSON")
}

fn line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("numbers, texts and structures of them are JSON");
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(json: &str) -> (Id, i32) {
        let refusal = Call::from_json(json.as_bytes()).expect_err(json);
        (refusal.id, refusal.error.code)
    }

    #[test]
    fn a_call_has_a_method_and_may_have_an_id_and_parameters() {
        let call = Call::from_json(br#"{"jsonrpc":"2.0","id":"x","method":"info","params":{"a":1}}"#);
        let call = call.expect("a call");
        assert_eq!((call.id, call.method.as_str()), (Some(Id::Text("x".into())), "info"));
        assert_eq!(call.params.get("a"), Some(&Value::from(1)));
        let call =
            Call::from_json(br#"{"jsonrpc":"2.0","method":"info","params":null}"#).expect("a notification");
        assert_eq!((call.id, call.params.len()), (None, 0));
        let call = Call::from_json(br#"{"jsonrpc":"2.0","id":null,"method":"info"}"#).expect("a request");
        assert_eq!(call.id, Some(Id::Null), "null is an id");
    }

    #[test]
    fn what_is_no_call_is_refused_by_its_id_where_it_has_one() {
        let one = Id::Number(1.into());
        for json in ["", "{", "{\"a\":}", "nul", "{}{}", "\u{feff}{}"] {
            assert_eq!(code(json), (Id::Null, RpcError::PARSE_ERROR), "{json}");
        }
        assert_eq!(
            Call::from_json(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xFF\"}").expect_err("no UTF-8").error.code,
            RpcError::PARSE_ERROR
        );
        for json in ["[]", "1", "null", "{}", r#"{"jsonrpc":"2.0","id":{},"method":"info"}"#] {
            assert_eq!(code(json), (Id::Null, RpcError::INVALID_REQUEST), "{json}");
        }
        for rest in [
            r#""jsonrpc":"1.0","method":"info""#,
            r#""method":"info""#,
            r#""jsonrpc":"2.0""#,
            r#""jsonrpc":"2.0","method":1"#,
            r#""jsonrpc":"2.0","method":"info","params":1"#,
            r#""jsonrpc":"2.0","method":"info","more":1"#,
            r#""jsonrpc":"2.0","result":{}"#,
        ] {
            assert_eq!(
                code(&format!("{{\"id\":1,{rest}}}")),
                (one.clone(), RpcError::INVALID_REQUEST),
                "{rest}"
            );
        }
        let by_place = r#"{"jsonrpc":"2.0","id":1,"method":"info","params":[]}"#;
        assert_eq!(code(by_place), (one, RpcError::INVALID_PARAMS));
    }

    #[test]
    fn an_answer_has_the_id_as_it_came() {
        for id in ["1", "-1", "18446744073709551615", "1.5", "\"1\"", "null", "\"é\\n\""] {
            let call = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"info\"}}");
            let call = Call::from_json(call.as_bytes()).expect(id);
            let line = answer(&call.id.expect("a request"), &Ok(encode(&1)));
            assert_eq!(line, format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":1}}\n"));
        }
    }
}
