//! What `advertise` prints: a line for people, or an object.

use crate::output::hex;
use crate::pairing::Paired;
use crate::target::{Found, Who, uuid_at};
use crate::value::Format;
use baretooth::ErrorCode;
use baretooth::gatt::Services;
use serde::Serialize;
use std::fmt;

/// What happens.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Told {
    Advertising {
        /// Our own.
        #[serde(flatten)]
        address: Who,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        tx_power: Option<i8>,
    },
    Connected(Who),
    Disconnected {
        #[serde(flatten)]
        central: Who,
        reason: u8,
    },
    Written {
        #[serde(flatten)]
        central: Who,
        #[serde(flatten)]
        at: At,
        #[serde(flatten)]
        value: Value,
    },
    Subscribed {
        #[serde(flatten)]
        central: Who,
        #[serde(flatten)]
        at: At,
        notifications: bool,
        indications: bool,
    },
    Paired(Paired),
    /// A pairing has failed.
    NotPaired {
        #[serde(flatten)]
        central: Who,
        message: String,
    },
    Sent {
        #[serde(flatten)]
        at: At,
        #[serde(flatten)]
        value: Value,
        subscribers: usize,
    },
    Stopped,
}

/// An attribute of ours.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct At {
    handle: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    /// For people.
    #[serde(skip)]
    name: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Value {
    #[serde(rename = "value")]
    hex: String,
    /// For people.
    #[serde(skip)]
    shown: String,
}

impl At {
    pub fn of(services: &Services, handle: u16) -> Self {
        let uuid = uuid_at(services, handle);
        Self { handle, uuid: uuid.map(|uuid| uuid.to_string()), name: Found { handle, uuid }.to_string() }
    }
}

impl Value {
    pub fn of(format: Format, value: &[u8]) -> Self {
        Self { hex: hex(value), shown: format.show(value) }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advertising { address, name, tx_power } => {
                write!(f, "advertising {name:?} as {address}")?;
                tx_power.map_or(Ok(()), |dbm| write!(f, ", {dbm} dBm"))
            }
            Self::Connected(central) => write!(f, "{central} connected"),
            Self::Disconnected { central, reason } => {
                write!(f, "{central} disconnected: {}", ErrorCode(*reason))
            }
            Self::Written { central, at, value } => write!(f, "{central} wrote {}: {}", at.name, value.shown),
            Self::Subscribed { central, at, notifications, indications } => {
                let what = match (notifications, indications) {
                    (true, true) => "subscribed to notifications and indications of",
                    (true, false) => "subscribed to notifications of",
                    (false, true) => "subscribed to indications of",
                    (false, false) => "unsubscribed from",
                };
                write!(f, "{central} {what} {}", at.name)
            }
            Self::Paired(paired) => write!(f, "paired with {paired}"),
            Self::NotPaired { message, .. } => f.write_str(message),
            Self::Sent { at, value, subscribers } => {
                write!(f, "{}: {}, to {subscribers}", at.name, value.shown)
            }
            Self::Stopped => write!(f, "advertising is over"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baretooth::peripheral::Peripheral;

    #[test]
    fn what_happens_is_a_line_or_an_object() {
        let central = Who::of("C0:01:02:03:04:05/random".parse().expect("an address"));
        let at = || {
            let table = Peripheral::new("n").table().expect("it fits");
            At::of(table.services(), 3)
        };
        let value = || Value::of(Format::default(), &[0x0A]);
        let who = r#""address":"C0:01:02:03:04:05","address_type":"random""#;
        let name = r#""handle":3,"uuid":"00002a00-0000-1000-8000-00805f9b34fb""#;
        for (told, line, object) in [
            (
                Told::Advertising { address: central.clone(), name: "n".to_owned(), tx_power: Some(-3) },
                "advertising \"n\" as C0:01:02:03:04:05/random, -3 dBm",
                format!(r#"{{"type":"advertising",{who},"name":"n","tx_power":-3}}"#),
            ),
            (
                Told::Connected(central.clone()),
                "C0:01:02:03:04:05/random connected",
                format!(r#"{{"type":"connected",{who}}}"#),
            ),
            (
                Told::Written { central: central.clone(), at: at(), value: value() },
                "C0:01:02:03:04:05/random wrote Device Name (0x0003): 0a",
                format!(r#"{{"type":"written",{who},{name},"value":"0a"}}"#),
            ),
            (
                Told::Subscribed {
                    central: central.clone(),
                    at: at(),
                    notifications: false,
                    indications: false,
                },
                "C0:01:02:03:04:05/random unsubscribed from Device Name (0x0003)",
                format!(r#"{{"type":"subscribed",{who},{name},"notifications":false,"indications":false}}"#),
            ),
            (
                Told::Sent { at: at(), value: value(), subscribers: 2 },
                "Device Name (0x0003): 0a, to 2",
                format!(r#"{{"type":"sent",{name},"value":"0a","subscribers":2}}"#),
            ),
            (
                Told::Disconnected { central, reason: 0x13 },
                "C0:01:02:03:04:05/random disconnected: ",
                format!(r#"{{"type":"disconnected",{who},"reason":19}}"#),
            ),
        ] {
            assert!(told.to_string().starts_with(line), "{told}");
            assert_eq!(serde_json::to_string(&told).expect("it is JSON"), object);
        }
    }
}
