//! The `baretooth` command.
fn main() {}
