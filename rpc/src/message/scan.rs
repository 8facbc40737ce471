//! Scanning: what is asked for, and what is heard.
