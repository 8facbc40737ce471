//! How the tour is told: one line or JSON object for each step.

use super::Told;
use crate::failure::Failure;
use crate::output::Output;
use serde::Serialize;
use std::fmt::{self, Display};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

pub struct Narrator {
    output: Output,
    colour: bool,
    steps: u32,
    begun: Instant,
}

#[derive(Serialize)]
struct Step<'a> {
    r#type: &'static str,
    number: u32,
    step: &'a str,
    ok: bool,
    seconds: f64,
    text: &'a str,
}

#[derive(Serialize)]
struct Done {
    r#type: &'static str,
    steps: u32,
    seconds: f64,
    /// Both are of the file; a capture on standard output is for its reader to judge.
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<String>,
}

impl Narrator {
    pub fn new(output: Output) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = output.is_terminal() && !plain;
        Self { output, colour, steps: 0, begun: Instant::now() }
    }

    pub fn begin(&mut self) -> io::Result<()> {
        if !self.output.is_json() {
            self.output.line("A virtual radio, six devices, and every value checked:")?;
        }
        self.output.flush()
    }

    /// Does a step, and tells what came of it and how long it took.
    pub async fn step<T>(&mut self, step: &str, work: impl Future<Output = Told<T>>) -> Result<T, Failure> {
        self.steps += 1;
        let begun = Instant::now();
        let result = work.await;
        let took = begun.elapsed();
        match result {
            Ok((value, text)) => {
                self.tell(step, true, took, &text)?;
                Ok(value)
            }
            Err(failure) => {
                let text = match &failure {
                    Failure::Failed(report) => &report.message,
                    _ => "ended early",
                };
                self.tell(step, false, took, text)?;
                Err(failure)
            }
        }
    }

    /// The last words, when every value was right.
    pub fn end(mut self, capture: Option<(&Path, u64)>) -> Result<(), Failure> {
        let took = self.begun.elapsed();
        let (capture, packets) = capture.map(|(path, packets)| (path.display().to_string(), packets)).unzip();
        if self.output.is_json() {
            let (r#type, steps, seconds) = ("done", self.steps, rounded(took));
            self.output.object(&Done { r#type, steps, seconds, packets, capture })?;
        } else {
            let right = format!("Every value was right, in {:.1} s.", took.as_secs_f32());
            match capture {
                Some(capture) => {
                    self.output.line(format_args!("{right} To look at the packets:"))?;
                    self.output.line(format_args!("  baretooth decode {capture}"))?;
                    self.output.line(format_args!("  wireshark {capture}"))?;
                }
                None => self.output.line(right)?,
            }
        }
        Ok(self.output.flush()?)
    }

    fn tell(&mut self, step: &str, ok: bool, took: Duration, text: &str) -> io::Result<()> {
        if self.output.is_json() {
            let (r#type, number, seconds) = ("step", self.steps, rounded(took));
            self.output.object(&Step { r#type, number, step, ok, seconds, text })?;
        } else {
            let line = Line { colour: self.colour, step, ok, took, text };
            self.output.line(line)?;
        }
        self.output.flush()
    }
}

/// A step for people.
struct Line<'a> {
    colour: bool,
    step: &'a str,
    ok: bool,
    took: Duration,
    text: &'a str,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (good, bad, dim, plain) =
            if self.colour { ("\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m") } else { ("", "", "", "") };
        let (colour, mark) = if self.ok { (good, '✓') } else { (bad, '✗') };
        let (step, took, text) = (self.step, self.took.as_secs_f32(), self.text);
        write!(f, "{colour}{mark}{plain} {step:<14}{dim}{took:>6.2} s{plain}  {text}")
    }
}

/// Seconds with milliseconds.
fn rounded(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_one_tidy_line_and_colours_are_for_terminals() {
        let line = |colour, ok| {
            Line { colour, step: "scan", ok, took: Duration::from_millis(1234), text: "four devices" }
                .to_string()
        };
        assert_eq!(line(false, true), "✓ scan            1.23 s  four devices");
        assert_eq!(line(false, false), "✗ scan            1.23 s  four devices");
        assert!(line(true, false).starts_with("\x1b[31m✗\x1b[0m scan"));
    }
}
