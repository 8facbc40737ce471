//! What the driver says on standard input: one JSON object a line, `{"cmd": name, ...}`, answered by `done` or `failed`,
//! as the peers of `..` have it.

use crate::device::Device;
use crate::table::hex;
use crate::tell::tell;
use baretooth::Address;
use baretooth::smp::Key;
use serde_json::{Value, json};
use std::error::Error;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::oneshot;

/// Obeys until the driver has gone.
pub async fn serve(device: Arc<Device>) {
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tokio::spawn(obey(device.clone(), line));
    }
}

async fn obey(device: Arc<Device>, line: String) {
    let command: Value = serde_json::from_str(&line).unwrap_or_default();
    let name = &command["cmd"];
    match run(&device, name.as_str().unwrap_or_default(), &command).await {
        Ok(result) => tell("done", json!({ "cmd": name, "result": result })),
        Err(error) => tell("failed", json!({ "cmd": name, "error": error.to_string() })),
    }
}

async fn run(device: &Arc<Device>, name: &str, command: &Value) -> Result<Value, Box<dyn Error>> {
    let security = device.security();
    let word = |member: &str| command[member].as_str().ok_or(format!("{name} needs {member}"));
    let handle =
        || command["handle"].as_u64().and_then(|handle| u16::try_from(handle).ok()).ok_or("which handle?");
    match name {
        "answer" => security.give(word("value")?.to_owned()),
        "bonds" => return security.bonds().await,
        "forget" => security.forget().await?,
        "oob" => {
            let theirs = match command["c"].is_string() {
                true => Some((Key::from_hex(word("c")?)?, Key::from_hex(word("r")?)?)),
                false => None,
            };
            return security.oob(theirs).await;
        }
        "security_request" => {
            let (security, peer) = (security.clone(), device.peer()?);
            tokio::spawn(async move {
                if let Err(error) = security.pair(&peer).await {
                    tell("failed", json!({ "error": error.to_string() }));
                }
            });
        }
        "connect" => {
            let address = address(word("address")?)?;
            device.connect(address).await?;
        }
        "disconnect" => device.peer()?.disconnect().await?,
        "pair" => return security.pair(&device.peer()?).await,
        "encrypt" => drop(device.peer()?.encrypt().await?),
        "read" => {
            let handle = handle()?;
            return outcome(device.peer()?.read(handle).await.map(|value| json!({ "value": hex(&value) })));
        }
        _ => Err(format!("what is {name}?"))?,
    }
    Ok(Value::Null)
}

/// As Bumble writes them: random, but for those that end in `/P`.
fn address(text: &str) -> Result<Address, Box<dyn Error>> {
    Ok(match text.strip_suffix("/P") {
        Some(octets) => format!("{octets}/public"),
        None => format!("{text}/random"),
    }
    .parse()?)
}

/// An ATT error is an answer too.
fn outcome(result: Result<Value, baretooth::Error>) -> Result<Value, Box<dyn Error>> {
    match result {
        Err(baretooth::Error::Att { code, .. }) => Ok(json!({ "error": code.0 })),
        result => Ok(result?),
    }
}

/// Answers to prompts, each on its way to whoever waits.
#[derive(Default)]
pub struct Answers(Mutex<Option<oneshot::Sender<String>>>);

impl Answers {
    /// The next; `None` when somebody else waits instead.
    pub async fn next(&self) -> Option<String> {
        let (give, answer) = oneshot::channel();
        *self.0.lock().expect("nothing panics with it") = Some(give);
        answer.await.ok()
    }

    /// Goes nowhere when nobody waits.
    pub fn give(&self, text: String) {
        if let Some(waiting) = self.0.lock().expect("nothing panics with it").take() {
            let _ = waiting.send(text);
        }
    }
}
