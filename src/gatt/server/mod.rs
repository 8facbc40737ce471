//! The Generic Attribute Profile as a server ([Vol 3] Part G, and Part F for what goes over the bearer).
//!
//! Services are declared in code and become one [`Table`]; each link has a [`Server`] that answers its client from there.
//! It owns what the client has configured, prepared and not confirmed yet. It never sees time, connections or the
//! bearer, and never trusts a client: whatever a request holds, it gets one response or a question to the user.
//!
//! ```
//! use baretooth::gatt::server::{Access, Characteristic, Output, Security, Server, Service, Table};
//! use baretooth::uuid16;
//!
//! let level = Characteristic::new(uuid16(0x2A19)).value(&[90u8][..]).read(Access::OPEN).notify();
//! let mut table = Table::builder("thermometer")
//!     .service(Service::primary(uuid16(0x180F)).characteristic(level))
//!     .build()?;
//! let level = table.services().find(uuid16(0x2A19))?;
//! let (mut server, security) = (Server::new(517), Security::default());
//!
//! let [low, high] = level.cccd().expect("it notifies").to_le_bytes();
//! server.on_pdu(&mut table, security, &[0x12, low, high, 1, 0]);
//! let notification = server.notify(&table, security, level.value_handle, &[89]).expect("it is subscribed");
//! assert_eq!(notification[0], 0x1B);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod builder;
mod caching;
mod declaration;
mod find;
mod layout;
mod link;
mod notify;
mod read;
pub mod services;
mod table;
mod write;

pub(crate) use builder::DEVICE_NAME_LENGTH;

pub use access::{Access, Permissions, Security};
pub use builder::{BuildError, ServiceId, TableBuilder};
pub use caching::Remembered;
pub use declaration::{Characteristic, Descriptor, PresentationFormat, Service};
pub use link::{Ask, Offer, Output, Server, Want};
pub use notify::Indicated;
pub use table::{SetValueError, Table};

#[cfg(test)]
mod tests;
