//! Advertising: what is advertised, and how.
