//! What pairings show and what comes of them: a line for people, or an object.

use crate::failure::Failure;
use crate::output::{Output, hex};
use crate::target::Who;
use baretooth::smp::{Bond, LocalOob, Method, PairedInfo};
use baretooth::{Address, PairingSummary, Prompt};
use serde::Serialize;
use std::fmt;

/// A prompt.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "prompt")]
pub struct Shown {
    #[serde(flatten)]
    what: What,
    /// With whom, where there is somebody yet.
    #[serde(flatten)]
    with: Option<Who>,
    /// For people.
    #[serde(skip)]
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What {
    DisplayPasskey { passkey: String },
    EnterPasskey,
    ConfirmNumber { number: String },
    Consent,
    Keypress { what: String },
    OobLocal { c: String, r: String },
}

/// What a pairing came to, or a bond is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Paired {
    #[serde(flatten)]
    pub with: Who,
    /// Not known of a bond that another stack has made.
    method: Option<&'static str>,
    secure_connections: bool,
    authenticated: bool,
    key_size: u8,
    bonded: bool,
    /// For people.
    #[serde(skip)]
    method_name: String,
}

impl Shown {
    pub fn of(with: Address, prompt: &Prompt) -> Self {
        let hint = match prompt {
            Prompt::ConfirmNumber(..) | Prompt::Consent(_) => " (yes or no)",
            _ => "",
        };
        let what = match prompt {
            Prompt::DisplayPasskey(passkey) => What::DisplayPasskey { passkey: passkey.to_string() },
            Prompt::EnterPasskey(_) => What::EnterPasskey,
            Prompt::ConfirmNumber(number, _) => What::ConfirmNumber { number: format!("{number:06}") },
            Prompt::Keypress(what) => What::Keypress { what: what.to_string() },
            _ => What::Consent,
        };
        Self { what, with: Some(Who::of(with)), text: format!("{prompt}{hint}") }
    }

    /// What a peer is to have of us in another way.
    pub fn oob_local(local: &LocalOob) -> Self {
        let (c, r) = (hex(&local.confirm()), hex(&local.random()));
        let text = format!(
            "Out of Band: give the other device C {c} and R {r}, and type what it has for us, if anything"
        );
        Self { what: What::OobLocal { c, r }, with: None, text }
    }

    /// Whoever looks on sees it at once.
    pub fn tell(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            output.object(self)?;
        } else {
            output.line(&self.text)?;
        }
        Ok(output.flush()?)
    }
}

impl Paired {
    pub fn of(summary: &PairingSummary) -> Self {
        Self {
            with: Who::of(summary.peer),
            method: Some(name(summary.method)),
            secure_connections: summary.secure_connections,
            authenticated: summary.authenticated,
            key_size: summary.key_size,
            bonded: summary.bonded,
            method_name: summary.method.to_string(),
        }
    }

    pub fn of_bond(bond: &Bond) -> Self {
        let PairedInfo { method, secure_connections, authenticated, key_size } = bond.paired;
        Self {
            with: Who::of(bond.peer),
            method: method.map(name),
            secure_connections,
            authenticated,
            key_size,
            bonded: true,
            method_name: method.map_or_else(|| "by another program".to_owned(), |method| method.to_string()),
        }
    }
}

/// The command line's word for a method.
fn name(method: Method) -> &'static str {
    match method {
        Method::JustWorks => "just_works",
        Method::PasskeyEntry => "passkey_entry",
        Method::NumericComparison => "numeric_comparison",
        Method::OutOfBand => "oob",
    }
}

impl fmt::Display for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.with, self.method_name)?;
        f.write_str(if self.secure_connections { ", Secure Connections" } else { ", legacy" })?;
        f.write_str(if self.authenticated { ", authenticated" } else { ", not authenticated" })?;
        write!(f, ", a key of {} octets", self.key_size)?;
        f.write_str(if self.bonded { "" } else { ", for this link alone" })
    }
}
