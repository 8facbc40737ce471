//! The virtual radio against raw HCI scripts: a host that is a list of packets, so that nothing is shared.

mod advertiser;
mod advertising;
mod central;
mod connections;
mod controllers;
mod determinism;
mod devices;
mod encryption;
mod extended;
mod layering;
mod misbehaviour;
mod pairing;
mod privacy;
mod room;
mod survival;
