//! The Generic Access Profile ([Vol 3] Part C): finding devices, telling them apart and connecting to them.
//!
//! This layer uses HCI only, never L2CAP or ATT.

pub mod advertise;
pub mod advertising_data;
pub mod connect;
pub mod device_table;
pub mod filter;
mod lru;
pub mod privacy;
pub mod report;
pub mod scan;
