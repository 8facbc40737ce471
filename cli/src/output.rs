//! Results: lines for people, or one JSON object per line. They go to standard output, or to standard error when a
//! capture has the other.

use serde::Serialize;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};

/// The stream of results, buffered. What was written is seen after [`flush`](Self::flush), or when it is dropped.
pub struct Output {
    json: bool,
    terminal: bool,
    out: BufWriter<Box<dyn Write>>,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self::to(json, io::stdout().is_terminal(), Box::new(io::stdout()))
    }

    /// Beside a capture on standard output.
    pub fn on_standard_error(json: bool) -> Self {
        Self::to(json, io::stderr().is_terminal(), Box::new(io::stderr()))
    }

    fn to(json: bool, terminal: bool, stream: Box<dyn Write>) -> Self {
        Self { json, terminal, out: BufWriter::with_capacity(1 << 16, stream) }
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person looks on, at a screen that can be drawn on.
    pub fn is_terminal(&self) -> bool {
        self.terminal && !self.json
    }

    /// Writes an object as one line.
    pub fn object(&mut self, object: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, object)?;
        self.out.write_all(b"\n")
    }

    /// Writes a line for people.
    pub fn line(&mut self, line: impl fmt::Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Writes text in UTF-8 as it is.
    pub fn octets(&mut self, text: &[u8]) -> io::Result<()> {
        self.out.write_all(text)
    }

    /// Writes as it is.
    pub fn raw(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Octets as pairs of hexadecimal digits.
pub fn hex(octets: &[u8]) -> String {
    use fmt::Write;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// The text that octets are, if they are nothing else; a single octet is rather a number.
pub fn printable(octets: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(octets).ok()?.trim_end_matches('\0');
    (text.len() > 1 && !text.chars().any(char::is_control)).then_some(text)
}
