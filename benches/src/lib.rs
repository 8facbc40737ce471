//! The pieces the benches share: a capture made from nothing, a controller that is never the bottleneck, what a host
//! without a stack needs, and the clocks.
//!
//! Nothing in here uses the library under test, so that a bench compares it with something it has no part in.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a bench measures real time, and its pacing sleeps in it")]

pub mod controller;
pub mod generate;
pub mod h4;
pub mod live;
pub mod measure;
