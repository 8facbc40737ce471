//! A controller whose packets to the host are lost, repeated, cut short, damaged and out of order: nothing panics,
//! every request ends in bounded time, and the host never runs away. And one that fails in the midst of it all.

#[path = "../common/mod.rs"]
mod common;

mod central;
mod peripheral;

use baretooth::sim::{ControllerOptions, FaultPlan};

/// A kind of fault, by the seed; 1 to 30 of 1000 packets meet it.
fn plan(seed: u64) -> FaultPlan {
    let rate = u16::try_from(1 + seed * 7 % 30).expect("a small number");
    let mut plan = FaultPlan { seed, ..FaultPlan::default() };
    match seed % 6 {
        0 => plan.drop = rate,
        1 => plan.duplicate = rate,
        2 => plan.truncate = rate,
        3 => plan.corrupt = rate,
        4 => plan.reorder = rate,
        _ => {
            plan =
                FaultPlan { seed, drop: rate, duplicate: rate, truncate: rate, corrupt: rate, reorder: rate }
        }
    }
    plan
}

fn kind(seed: u64) -> ControllerOptions {
    if seed.is_multiple_of(4) { ControllerOptions::legacy() } else { ControllerOptions::default() }
}
