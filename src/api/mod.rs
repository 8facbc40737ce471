//! What a program works with: [`Adapter`], [`Peer`], streams and one error.

mod accepted;
mod adapter;
mod advertise;
mod attribute;
mod bearers;
mod bonds;
mod channel;
mod error;
mod info;
mod opening;
mod pairing;
mod peer;
mod recoveries;
mod resume;
mod scan;
mod security;
mod serve;
mod service_changes;
mod subscribe;

pub use crate::driver::{Cancel, RecoveryEvent, Source};
pub use accepted::Accepted;
pub use adapter::{Adapter, AdapterBuilder};
pub use advertise::Advertisement;
pub use attribute::Attribute;
pub use channel::{Channel, ChannelListener, ChannelReader, ChannelWriter};
pub use error::{Error, ErrorKind};
pub use info::InfoChanges;
pub use pairing::{Agent, Confirmation, OobAnswer, PairOptions, Pairing, PasskeyAnswer, Prompt};
pub use peer::{Peer, RemoteVersion};
pub use recoveries::Recoveries;
pub use scan::Scan;
pub use security::{SecurityChanges, SecurityRequested, SecurityRequests};
pub use serve::{GattServer, ReadRequest, Request, Requests, WriteRequest};
pub use service_changes::ServiceChanges;
pub use subscribe::{Notification, Notifications, SubscribeOptions};
