//! The Generic Access Profile ([Vol 3] Part C): finding devices and connecting to them.

pub mod connect;
