//! One open adapter as JSON-RPC 2.0, one object a line, over any stream: the whole of `baretooth rpc` but standard input
//! and output.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), baretooth::Error> {
//! use baretooth_rpc::{Ended, Options, serve};
//! let adapter = baretooth::Adapter::open("sim").await?;
//! let mut output = Vec::new();
//! let ended = serve(adapter, &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"info\"}\n"[..], &mut output, Options::new());
//! assert!(matches!(ended.await, Ended::Eof));
//! let lines = String::from_utf8(output).expect("JSON is UTF-8");
//! assert!(lines.lines().next().expect("a line").contains("\"method\":\"ready\""));
//! assert!(lines.lines().nth(1).expect("a second").contains("\"id\":1"));
//! # Ok(()) }
//! ```
//!
//! [`message`] has the parameters, results and notifications as types, from which the [`schema`] is made;
//! [`wire`] is what stands around them, [`line`](mod@line) how octets become calls. [`serve`] runs a session.
#![forbid(unsafe_code)]

mod connections;
pub mod line;
pub mod message;
mod methods;
mod out;
pub mod schema;
mod session;
pub mod wire;

pub use methods::{METHODS, Method};
pub use session::{Ended, Options, serve};
