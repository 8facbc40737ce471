//! What a shell tells that nobody asked for just now: values of subscriptions, and links that go down.

use crate::output::{Output, hex};
use crate::target::{Found, Who};
use crate::value::Format;
use baretooth::{ErrorCode, Notification};
use serde::Serialize;
use std::fmt;
use tokio::sync::mpsc::Sender;

/// Where it goes.
#[derive(Clone, Debug)]
pub enum Voice {
    /// With the results.
    Results { json: bool, on_standard_error: bool },
    /// To a person who is typing, between the prompts. Whoever tells waits for room.
    Screen { json: bool, colours: bool, lines: Sender<String> },
}

impl Voice {
    pub async fn tell(&self, told: &Told) {
        let is_json = match self {
            Self::Results { json, .. } | Self::Screen { json, .. } => *json,
        };
        let text = match is_json {
            true => serde_json::to_string(told).expect("strings and numbers are JSON"),
            false => told.to_string(),
        };
        match self {
            Self::Results { on_standard_error, .. } => {
                let mut output = if *on_standard_error {
                    Output::on_standard_error(is_json)
                } else {
                    Output::new(is_json)
                };
                // Nobody reads any more: the next result ends the shell.
                let _ = output.line(text).and_then(|()| output.flush());
            }
            Self::Screen { colours, lines, .. } => {
                let text = if *colours && !is_json { told.coloured(&text) } else { text };
                // Nobody draws any more: the shell is ending.
                let _ = lines.send(text).await;
            }
        }
    }
}

/// What is told.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Told {
    Notification {
        #[serde(flatten)]
        peer: Who,
        handle: u16,
        uuid: Option<String>,
        value: String,
        indication: bool,
        missed: u64,
        /// For people.
        #[serde(skip)]
        text: String,
    },
    Disconnected {
        #[serde(flatten)]
        peer: Who,
        reason: u8,
    },
}

impl Told {
    pub fn value(peer: Who, found: Found, format: Format, notification: &Notification) -> Self {
        let Notification { value, indication, missed } = notification;
        let told = if *missed == 0 { String::new() } else { format!("  ({missed} missed before)") };
        let text = format!("{found}: {}{told}", format.show(value));
        let uuid = found.uuid.map(|uuid| uuid.to_string());
        let (handle, value, indication, missed) = (found.handle, hex(value), *indication, *missed);
        Self::Notification { peer, handle, uuid, value, indication, missed, text }
    }

    pub fn disconnected(peer: Who, reason: ErrorCode) -> Self {
        Self::Disconnected { peer, reason: reason.0 }
    }

    fn coloured(&self, text: &str) -> String {
        let colour = match self {
            Self::Notification { .. } => 36,
            Self::Disconnected { .. } => 33,
        };
        format!("\x1b[{colour}m{text}\x1b[0m")
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notification { peer, text, .. } => write!(f, "{peer}  {text}"),
            Self::Disconnected { peer, reason } => {
                write!(f, "{peer} disconnected: {}", ErrorCode(*reason))
            }
        }
    }
}
