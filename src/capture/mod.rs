//! Captures: what passed between host and controller, when and which way.
//!
//! [`Reader`] finds out by itself what kind of file it is given, [`Writer`] writes any [`Format`], [`Record`] is what
//! both have in common, and [`dissect`] says what a record means. Everything streams: no file is ever held whole.

mod btsnoop;
pub mod dissect;
mod filter;
mod format;
mod hold;
mod identify;
mod integers;
mod monitor;
mod packet_logger;
mod payload;
mod pcap;
mod pcapng;
mod reader;
mod record;
mod redact;
mod select;
mod source;
pub mod stats;
mod time;
mod writer;

pub use filter::{Elapsed, ElapsedError, Filter, FilterError};
pub use format::{Container, Format, ImpossibleFormat, Link, UnknownFormat};
pub use reader::{Ending, ReadError, Reader};
pub use record::{Direction, Kind, Record};
pub use redact::{Redacted, Redactor};
pub use select::Selection;
pub use stats::Statistics;
pub use time::Timestamp;
pub use writer::{LeftOut, Writer};
