//! The Generic Attribute Profile as a server ([Vol 3] Part G, and Part F for what goes over the bearer).
//!
//! Services are declared in code and become one [`Table`]; each link has a [`Client`], and each bearer of it a [`Server`]
//! that answers from there. They own what the client has configured, prepared and not confirmed yet. They never see time
//! or connections, and never trust a client: whatever a request holds, it gets one response or a question to the user.
//!
//! ```
//! use baretooth::gatt::server::{Access, Characteristic, Client, Output, Security, Server, Service, Table};
//! use baretooth::uuid16;
//!
//! let level = Characteristic::new(uuid16(0x2A19)).value(&[90u8][..]).read(Access::OPEN).notify();
//! let mut table = Table::builder("thermometer")
//!     .service(Service::primary(uuid16(0x180F)).characteristic(level))
//!     .build()?;
//! let level = table.services().find(uuid16(0x2A19))?;
//! let (mut server, mut client) = (Server::new(517), Client::new(Security::default()));
//!
//! let [low, high] = level.cccd().expect("it notifies").to_le_bytes();
//! server.on_pdu(&mut table, &mut client, &[0x12, low, high, 1, 0]);
//! let notification = server.notify(&table, &client, level.value_handle, &[89]).expect("it is subscribed");
//! assert_eq!(notification[0], 0x1B);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod builder;
mod caching;
mod client;
mod declaration;
mod find;
mod layout;
mod link;
mod notify;
mod read;
pub mod services;
mod signed;
mod table;
mod write;

pub(crate) use builder::DEVICE_NAME_LENGTH;

pub use access::{Access, Permissions, Security};
pub use builder::{BuildError, ServiceId, TableBuilder};
pub use caching::Remembered;
pub use client::Client;
pub use declaration::{Characteristic, Descriptor, PresentationFormat, Service};
pub use link::{Ask, Offer, Output, Server, Want};
pub use notify::Indicated;
pub use table::{SetValueError, Table};

#[cfg(test)]
mod tests;
