//! The GATT server: our own table, and what clients do with it.
