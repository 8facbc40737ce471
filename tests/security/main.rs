//! The host against controllers and peers that do what they must not. Each case has a letter and a number, and tests
//! whose names begin with them; those that one part of the host can show alone are beside that part.

#[path = "../common/mod.rs"]
mod common;

mod att;
mod channels;
mod hci;
mod index;
mod l2cap;
mod smp;
