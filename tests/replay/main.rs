//! Captures replayed to a host, without a runtime and without a clock.
//!
//! The cases are R of the catalogue in [`differences`]: what a capture lacks, has too much of, or has in another order is
//! told with its packet and field, and nothing ever hangs.

#[path = "../common/mod.rs"]
mod common;

mod captures;
mod differences;
mod pairings;
