//! The host against the virtual radio, in virtual time: what a user does, and what may go wrong meanwhile.
//!
//! Every scenario that hangs on chance runs each seed twice and must give the same packets at the same times.

#[path = "../common/mod.rs"]
mod common;

mod advertising;
mod bearers;
mod channels;
mod connecting;
mod controllers;
mod endings;
mod gatt;
mod joining;
mod loading;
mod many;
mod misbehaviour;
mod privacy;
mod recovery;
mod resolving_list;
mod responder;
mod scanning;
mod security;
mod server;
mod serving;
