//! A client of a session: writes requests, and remembers every line in the order in which they came.

use baretooth::Adapter;
use baretooth_rpc::{Ended, Options, serve};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

/// How long, in virtual time, a line may be waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    input: WriteHalf<DuplexStream>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    session: JoinHandle<Ended>,
    last: u64,
    /// Every line so far.
    pub lines: Vec<Value>,
    /// How many of them [`Client::told`] has gone through.
    read: usize,
}

/// An answer: its result, or its error.
pub type Answer = Result<Value, Value>;

impl Client {
    /// A session with this adapter, and its first line read.
    pub async fn new(adapter: Adapter) -> Self {
        Self::with(adapter, 1 << 16, Options::new()).await
    }

    /// The same over a pipe that holds so many octets.
    pub async fn with(adapter: Adapter, octets: usize, options: Options) -> Self {
        let (ours, theirs) = tokio::io::duplex(octets);
        let (reader, writer) = tokio::io::split(theirs);
        let session = tokio::spawn(serve(adapter, reader, writer, options));
        let (reader, input) = tokio::io::split(ours);
        let output = BufReader::new(reader).lines();
        let mut client = Self { input, output, session, last: 0, lines: Vec::new(), read: 0 };
        client.told("ready").await;
        client
    }

    /// Writes a request; its id.
    pub async fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last += 1;
        let request = json!({ "jsonrpc": "2.0", "id": self.last, "method": method, "params": params });
        self.write(&request).await;
        self.last
    }

    /// Writes many requests at once and reads meanwhile; their ids.
    pub async fn send_all(
        &mut self,
        method: &str,
        params: &Value,
        count: u64,
    ) -> std::ops::RangeInclusive<u64> {
        let ids = self.last + 1..=self.last + count;
        self.last += count;
        let request =
            |id| format!("{}\n", json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let requests: String = ids.clone().map(request).collect();
        let mut writing = std::pin::pin!(self.input.write_all(requests.as_bytes()));
        loop {
            tokio::select! {
                written = &mut writing => {
                    written.expect("the session reads");
                    return ids;
                }
                line = self.output.next_line() => {
                    let line = line.expect("UTF-8").expect("the session goes on");
                    self.lines.push(serde_json::from_str(&line).expect("every line is JSON"));
                }
            }
        }
    }

    /// Requests so far.
    pub fn sent(&self) -> u64 {
        self.last
    }

    pub async fn cancel(&mut self, id: u64) {
        self.write(&json!({ "jsonrpc": "2.0", "method": "cancel", "params": { "id": id } })).await;
    }

    async fn write(&mut self, line: &Value) {
        self.raw(line.to_string().as_bytes()).await;
    }

    /// Writes any line.
    pub async fn raw(&mut self, line: &[u8]) {
        self.input.write_all(&[line, b"\n"].concat()).await.expect("the session reads");
    }

    /// The answer to a request, however many lines come before it.
    pub async fn answer(&mut self, id: u64) -> Answer {
        let at = self.position(|line| line["id"] == id).await;
        let line = &self.lines[at];
        match line.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(line["result"].clone()),
        }
    }

    /// A request and its answer.
    pub async fn try_call(&mut self, method: &str, params: Value) -> Answer {
        let id = self.send(method, params).await;
        self.answer(id).await
    }

    /// A request that succeeds.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.try_call(method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// A request that runs and fails: the `data` of its error.
    pub async fn refused(&mut self, method: &str, params: Value) -> Value {
        let answer = self.try_call(method, params).await;
        answer.expect_err(method)["data"].clone()
    }

    /// The next notification of this method behind the one that was last asked for.
    pub async fn told(&mut self, method: &str) -> Value {
        let mut at = self.read;
        loop {
            while self.lines.len() <= at {
                self.read_line().await;
            }
            if self.lines[at]["method"] == method {
                self.read = at + 1;
                return self.lines[at]["params"].clone();
            }
            at += 1;
        }
    }

    /// Where the first such line is, which may be yet to come.
    pub async fn position(&mut self, wanted: impl Fn(&Value) -> bool) -> usize {
        let mut at = 0;
        loop {
            while self.lines.len() <= at {
                self.read_line().await;
            }
            if wanted(&self.lines[at]) {
                return at;
            }
            at += 1;
        }
    }

    /// Reads what there is, until nothing comes for a second.
    pub async fn settle(&mut self) {
        while let Ok(line) = tokio::time::timeout(Duration::from_secs(1), self.output.next_line()).await {
            self.take(line.expect("UTF-8").expect("the session goes on"));
        }
    }

    async fn read_line(&mut self) {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("nothing more came; so far: {:#?}", self.lines));
        self.take(line.expect("UTF-8").expect("the session goes on"));
    }

    fn take(&mut self, line: String) {
        let line: Value = serde_json::from_str(&line).expect("every line is JSON");
        assert_eq!(line["jsonrpc"], "2.0");
        self.lines.push(line);
    }

    /// The names of the notifications so far, in order.
    pub fn methods(&self) -> Vec<&str> {
        self.lines.iter().filter_map(|line| line["method"].as_str()).collect()
    }

    /// Closes the client's end, reads to the end of the session and says how that was.
    pub async fn close(mut self) -> (Ended, Vec<Value>) {
        self.input.shutdown().await.expect("open");
        while let Some(line) = self.output.next_line().await.expect("UTF-8") {
            self.take(line);
        }
        (self.session.await.expect("no panic"), self.lines)
    }
}

/// A link between two clients, as each of them numbers it.
pub async fn link(central: &mut Client, peripheral: &mut Client) -> (u64, u64) {
    let advertising = peripheral.call("advertise.start", json!({})).await;
    let params = json!({ "address": advertising["address"], "address_type": advertising["address_type"] });
    let connected = central.call("connect", params).await;
    let accepted = peripheral.told("connected").await;
    assert_eq!((&connected["role"], &accepted["role"]), (&json!("central"), &json!("peripheral")));
    let number = |connected: &Value| connected["connection"].as_u64().expect("a number");
    (number(&connected), number(&accepted))
}
