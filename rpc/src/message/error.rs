//! Why a request failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The error of an answer. Its `data` decides, its message is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RpcError {
    /// -32000 for what ran and failed, with `data`; else a code of JSON-RPC for what never ran.
    pub code: i32,
    /// One line: what was being done, to what, why it failed.
    pub message: String,
    /// What failed, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<ErrorData>,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// Who has to act.
    pub kind: Kind,
    /// The method.
    pub operation: String,
    /// The attribute, where it was about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<u16>,
    /// The code of the protocol that refused, or the reason of a link that is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
}

/// The sort of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The peer's attribute server refused; `code` is ATT's.
    Att,
    /// The controller refused; `code` is a status of HCI.
    Hci,
    /// A pairing came to nothing, or the link's security is too weak; `code` is a reason of SMP.
    Smp,
    /// A channel was refused; `code` is a result of L2CAP.
    L2cap,
    /// It took too long.
    Timeout,
    /// The client cancelled it.
    Cancelled,
    /// The link is down; `code` is the reason.
    Disconnected,
    /// What it names is not there.
    NotFound,
    /// What it needs is in use.
    Busy,
    /// This adapter cannot.
    Unsupported,
    /// The adapter is lost, or does not answer.
    Adapter,
    /// None of the others: answers that contradict themselves, for example.
    Internal,
}

impl RpcError {
    /// A line that is no JSON.
    pub const PARSE_ERROR: i32 = -32700;
    /// JSON that is no request.
    pub const INVALID_REQUEST: i32 = -32600;
    /// There is no such method.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// Parameters that the method has not got, or of wrong types or values.
    pub const INVALID_PARAMS: i32 = -32602;
    /// It ran and failed.
    pub const FAILED: i32 = -32000;

    /// What never ran.
    pub fn never_ran(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Parameters that cannot be.
    pub fn invalid_params(cause: impl Into<String>) -> Self {
        Self::never_ran(Self::INVALID_PARAMS, cause)
    }

    /// What ran and failed; the operation is filled in by whoever answers.
    pub fn failed(kind: Kind, message: impl Into<String>) -> Self {
        let data = ErrorData { kind, operation: String::new(), handle: None, code: None };
        Self { code: Self::FAILED, message: message.into(), data: Some(data) }
    }

    /// The same with the code of a protocol.
    #[must_use]
    pub fn with_code(mut self, code: Option<u8>) -> Self {
        if let Some(data) = &mut self.data {
            data.code = code;
        }
        self
    }

    /// The same about an attribute.
    #[must_use]
    pub fn with_handle(mut self, handle: Option<u16>) -> Self {
        if let Some(data) = &mut self.data {
            data.handle = handle;
        }
        self
    }
}
