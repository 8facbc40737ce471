//! The GATT client: the table of a peer, its values, and what it sends by itself.
