//! How the device pairs: in the modes of `../pairing.py`, told by the same events and driven by the same commands, so that
//! either can be in the other's place.

use crate::commands::Answers;
use crate::table::hex;
use crate::tell::tell;
use baretooth::host::PairingSummary;
use baretooth::smp::{
    Bond, By, IoCapability, Key, KeyDistribution, LocalOob, LongTermKey, Method, OobData, PairingOptions,
    Passkey, PeerOob, SecureConnections,
};
use baretooth::{Adapter, Address, Pairing, Peer, Prompt};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::task::JoinHandle;

/// What the command line says of it.
#[derive(Clone, Debug)]
pub struct Ways {
    /// `none`: whoever wants to pair is refused.
    mode: String,
    passkey: Option<Passkey>,
    /// What is said to numbers, and to a peer that wants to pair.
    yes: bool,
    bond: bool,
    keys: KeyDistribution,
    key_sizes: (u8, u8),
    tk: Key,
    debug_key: bool,
    /// A resolvable private address on the air.
    pub private: bool,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            mode: "none".into(),
            passkey: None,
            yes: true,
            bond: true,
            keys: KeyDistribution::ENC_KEY | KeyDistribution::ID_KEY,
            key_sizes: (16, 16),
            tk: Key::new([0; 16]),
            debug_key: false,
            private: false,
        }
    }
}

impl Ways {
    /// Takes this word and its value, if it is for pairing.
    pub fn take(
        &mut self,
        word: &str,
        mut value: impl FnMut() -> Result<String, String>,
    ) -> Result<bool, Box<dyn Error>> {
        match word {
            "--pairing" => self.mode = value()?,
            "--passkey" => self.passkey = Some(value()?.parse()?),
            "--answer" => self.yes = value()? == "yes",
            "--no-bond" => self.bond = false,
            "--keys" => {
                let names = value()?;
                self.keys = names
                    .split(',')
                    .filter_map(key_named)
                    .fold(KeyDistribution::default(), |all, key| all | key);
            }
            "--key-size" => self.key_sizes.1 = value()?.parse()?,
            "--min-key-size" => self.key_sizes.0 = value()?.parse()?,
            "--oob-tk" => self.tk = Key::from_hex(&value()?)?,
            "--debug-key" => self.debug_key = true,
            "--rpa" => self.private = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn options(
        &self,
        local: Option<LocalOob>,
        peer: Option<PeerOob>,
    ) -> Result<PairingOptions, Box<dyn Error>> {
        let (generation, kind) = self.mode.split_once('-').ok_or("this mode does not pair")?;
        let io = match kind {
            "justworks" | "oob" => IoCapability::NoInputNoOutput,
            "numeric" => IoCapability::DisplayYesNo,
            "passkey-display" => IoCapability::DisplayOnly,
            "passkey-entry" => IoCapability::KeyboardOnly,
            _ => IoCapability::KeyboardDisplay,
        };
        let legacy = generation == "legacy";
        let (min, max) = self.key_sizes;
        let mut options = PairingOptions::new()
            .io(io)
            .mitm(kind != "justworks")
            .bonding(self.bond)
            .secure_connections(if legacy { SecureConnections::Off } else { SecureConnections::Allowed })
            .min_key_size(min)
            .max_key_size(max)
            .initiator_keys(self.keys)
            .responder_keys(self.keys)
            .debug_keys(self.debug_key);
        if let Some(passkey) = &self.passkey {
            options = options.passkey(passkey.clone());
        }
        Ok(match kind {
            "oob" if legacy => options.oob(OobData::Legacy(self.tk.clone())),
            "oob" => options.oob(OobData::SecureConnections { local, peer }),
            _ => options,
        })
    }
}

fn key_named(name: &str) -> Option<KeyDistribution> {
    Some(match name {
        "enc" => KeyDistribution::ENC_KEY,
        "id" => KeyDistribution::ID_KEY,
        "sign" => KeyDistribution::SIGN_KEY,
        // There is no BR/EDR that a link key would be for.
        _ => return None,
    })
}

/// The pairings of an adapter.
pub struct Security {
    ways: Ways,
    adapter: Adapter,
    answers: Answers,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    local: Option<LocalOob>,
    theirs: Option<PeerOob>,
    /// Answers peers that want to pair.
    agent: Option<JoinHandle<()>>,
}

impl Security {
    pub fn new(ways: Ways, adapter: Adapter) -> Result<Arc<Self>, Box<dyn Error>> {
        let made = Arc::new(Self { ways, adapter, answers: Answers::default(), state: Mutex::default() });
        made.listen()?;
        Ok(made)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics with it")
    }

    fn options(&self) -> Result<PairingOptions, Box<dyn Error>> {
        let state = self.state();
        self.ways.options(state.local.clone(), state.theirs.clone())
    }

    /// Lets peers pair, as it is known now how.
    fn listen(self: &Arc<Self>) -> Result<(), Box<dyn Error>> {
        if self.ways.mode == "none" {
            return Ok(());
        }
        let (mut agent, security) = (self.adapter.agent(self.options()?), self.clone());
        let task = tokio::spawn(async move {
            while let Some(pairing) = agent.next().await {
                tokio::spawn(security.clone().follow(pairing));
            }
        });
        if let Some(before) = self.state().agent.replace(task) {
            before.abort();
        }
        Ok(())
    }

    /// Tells what becomes of the security of a link.
    pub fn watch(&self, peer: &Peer) {
        let (mut changes, now) = (peer.security_changes(), peer.security());
        tokio::spawn(async move {
            let mut security = Some(now);
            while let Some(now) = security {
                if now.encrypted {
                    tell("encrypted", json!({ "level": now.level().to_string(), "bonded": now.bonded }));
                }
                security = changes.next().await;
            }
        });
    }

    /// Begins a pairing: what it failed with, if it did.
    pub async fn pair(self: &Arc<Self>, peer: &Peer) -> Result<Value, Box<dyn Error>> {
        let pairing = peer.pair_with(self.options()?);
        Ok(self.clone().follow(pairing).await)
    }

    async fn follow(self: Arc<Self>, mut pairing: Pairing) -> Value {
        while let Some(prompt) = pairing.next().await {
            self.answer(prompt).await;
        }
        match pairing.finish().await {
            Ok(summary) => {
                tell("paired", self.told(&summary).await);
                json!({})
            }
            Err(baretooth::Error::Pairing { source, .. }) => {
                let by = if source.by == By::Us { "this" } else { "other" };
                let reason = source.reason.0;
                tell("pairing_failed", json!({ "reason": reason, "by": by, "message": source.to_string() }));
                json!({ "failed": reason })
            }
            Err(error) => {
                tell("pairing_ended", json!({ "message": error.to_string() }));
                json!({ "ended": error.to_string() })
            }
        }
    }

    async fn answer(&self, prompt: Prompt) {
        let mut members = match &prompt {
            Prompt::DisplayPasskey(passkey) => {
                json!({ "kind": "display_passkey", "passkey": passkey.to_string() })
            }
            Prompt::EnterPasskey(_) => json!({ "kind": "enter_passkey" }),
            Prompt::ConfirmNumber(number, _) => {
                json!({ "kind": "confirm_number", "number": format!("{number:06}") })
            }
            Prompt::Consent(_) => json!({ "kind": "consent" }),
            _ => json!({ "kind": "other" }),
        };
        members["text"] = json!(prompt.to_string());
        tell("prompt", members);
        match prompt {
            Prompt::EnterPasskey(answer) => match &self.ways.passkey {
                Some(passkey) => answer.enter(passkey.clone()),
                None => {
                    if let Some(passkey) = self.answers.next().await.and_then(|text| text.parse().ok()) {
                        answer.enter(passkey);
                    }
                }
            },
            Prompt::ConfirmNumber(_, answer) | Prompt::Consent(answer) if self.ways.yes => answer.yes(),
            _ => {}
        }
    }

    async fn told(&self, summary: &PairingSummary) -> Value {
        let bonds = self.adapter.bonds().await.unwrap_or_default();
        let bond = bonds.iter().find(|bond| summary.bonded && bond.peer == summary.peer);
        let mut told = whom(summary.peer);
        told["method"] = json!(method(summary.method));
        told["secure_connections"] = json!(summary.secure_connections);
        told["authenticated"] = json!(summary.authenticated);
        told["key_size"] = json!(summary.key_size);
        told["bonded"] = json!(summary.bonded);
        told["keys"] = bond.map(keys).unwrap_or_default();
        told
    }

    // --- commands

    /// The answer that a prompt waits for.
    pub fn give(&self, text: String) {
        self.answers.give(text);
    }

    /// Takes the other side's data, if they are given, and tells this side's, which are the same until the next run.
    pub async fn oob(self: &Arc<Self>, theirs: Option<(Key, Key)>) -> Result<Value, Box<dyn Error>> {
        let known = self.state().local.clone();
        let local = match known {
            Some(local) => local,
            None => self.adapter.create_oob().await?,
        };
        let told = json!({ "c": hex(&local.confirm()), "r": hex(&local.random()) });
        {
            let mut state = self.state();
            state.local = Some(local);
            if let Some((c, r)) = theirs {
                state.theirs = Some(PeerOob::new(*c.octets(), *r.octets()));
            }
        }
        self.listen()?;
        Ok(told)
    }

    pub async fn bonds(&self) -> Result<Value, Box<dyn Error>> {
        Ok(self.adapter.bonds().await?.iter().map(bonded).collect())
    }

    pub async fn forget(&self) -> Result<(), Box<dyn Error>> {
        for bond in self.adapter.bonds().await? {
            self.adapter.unpair(bond.peer).await?;
        }
        Ok(())
    }
}

fn whom(address: Address) -> Value {
    let text = address.to_string();
    let (octets, kind) = text.split_once('/').unwrap_or((&text, ""));
    json!({ "address": octets, "address_type": kind })
}

fn method(method: Method) -> &'static str {
    match method {
        Method::JustWorks => "just_works",
        Method::PasskeyEntry => "passkey_entry",
        Method::NumericComparison => "numeric_comparison",
        Method::OutOfBand => "oob",
    }
}

fn bonded(bond: &Bond) -> Value {
    let mut told = whom(bond.peer);
    told["keys"] = keys(bond);
    told
}

/// As `../pairing.py` tells its own.
fn keys(bond: &Bond) -> Value {
    let mut told = json!({});
    let mut long_term = |prefix: &str, key: &Option<LongTermKey>| {
        if let Some(LongTermKey { key, ediv, rand }) = key {
            told[format!("{prefix}ltk")] = json!(hex(key.octets()));
            told[format!("{prefix}ediv")] = json!(ediv);
            told[format!("{prefix}rand")] = json!(hex(rand));
        }
    };
    long_term("", &bond.keys.peer_ltk);
    if !bond.paired.secure_connections {
        long_term("local_", &bond.keys.local_ltk);
    }
    let others = [
        ("irk", &bond.keys.irk),
        ("csrk", &bond.keys.csrk),
        ("local_irk", &bond.local_irk),
        ("local_csrk", &bond.keys.local_csrk),
    ];
    for (name, key) in others {
        if let Some(key) = key {
            told[name] = json!(hex(key.octets()));
        }
    }
    told
}
