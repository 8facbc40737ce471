//! The schema of every message.
