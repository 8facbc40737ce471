//! How a verb ends when it does not end well: exit status and the one line on standard error.

use baretooth::{Error, ErrorKind};
use serde::Serialize;
use std::io;
use std::process::ExitCode;

/// Why a verb ended early.
#[derive(Debug)]
pub enum Failure {
    /// The operation failed.
    Failed(Report),
    /// The command line cannot be right, in a way that only the verb can tell.
    Usage(String),
    /// The user interrupted it.
    Interrupted,
    /// Nobody reads the results any more: a quiet end.
    BrokenPipe,
    /// The user knows already; the exit status is this.
    Told(ExitCode),
}

/// What a failed operation tells; the members of the JSON object.
#[derive(Debug, Default)]
pub struct Report {
    /// Sort of error, as in [`ErrorKind::as_str`].
    pub kind: &'static str,
    /// The attribute that was refused.
    pub handle: Option<u16>,
    /// Code of the protocol that refused.
    pub code: Option<u8>,
    /// Why the link went down, an HCI code.
    pub reason: Option<u8>,
    /// Operation, object, cause, hint: one line.
    pub message: String,
}

#[derive(Serialize)]
struct JsonError<'a> {
    r#type: &'static str,
    kind: &'static str,
    operation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<u8>,
    message: &'a str,
}

impl Failure {
    /// A failed operation of this sort.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::Failed(Report { kind: kind.as_str(), message: message.into(), ..Report::default() })
    }

    /// Tells standard error, and gives the exit status.
    pub fn report(self, verb: &str, json: bool) -> ExitCode {
        match self {
            Self::Failed(report) => {
                tell(&report, verb, json);
                ExitCode::from(1)
            }
            Self::Usage(message) => {
                tell(&Report { kind: "usage", message, ..Report::default() }, verb, json);
                ExitCode::from(2)
            }
            Self::Interrupted => ExitCode::from(130),
            Self::BrokenPipe => ExitCode::SUCCESS,
            Self::Told(status) => status,
        }
    }
}

/// A capture that ended before its session: told beside whatever became of the verb, which then has not done all.
pub fn report_capture(error: &Error, verb: &str, json: bool, status: ExitCode) -> ExitCode {
    let message = format!("{error}; it ends there, the session went on");
    tell(&Report { kind: error.kind().as_str(), message, ..Report::default() }, verb, json);
    if status == ExitCode::SUCCESS { ExitCode::from(1) } else { status }
}

fn tell(report: &Report, verb: &str, json: bool) {
    if !json {
        eprintln!("baretooth {verb}: {}", report.message);
        return;
    }
    let Report { kind, handle, code, reason, message } = report;
    let (r#type, operation) = ("error", verb);
    let (handle, code, reason) = (*handle, *code, *reason);
    let error = JsonError { r#type, kind, operation, handle, code, reason, message };
    eprintln!("{}", serde_json::to_string(&error).expect("strings and numbers are JSON"));
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (code, reason) = match error.kind() {
            ErrorKind::Disconnected => (None, error.code()),
            _ => (error.code(), None),
        };
        let (kind, handle) = (error.kind().as_str(), error.handle());
        Self::Failed(Report { kind, handle, code, reason, message: error.to_string() })
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Failed(Report { kind: "io", message: error.to_string(), ..Report::default() }),
        }
    }
}
