//! What several fuzz targets need.

pub mod capture;
pub mod controller;
pub mod procedure;
pub mod record;
pub mod request;
pub mod security;

/// One line for people: no character of it moves a terminal's cursor or changes its state.
pub fn assert_line(line: &str) {
    assert!(!line.chars().any(char::is_control), "{line:?}");
}
