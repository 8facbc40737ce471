//! The page: its frame and its first screen. Each section has a file of its own.

mod gatt;
mod sections;
mod summary;
mod timeline;

use super::facts::Facts;
use super::html::{Html, put};
use std::fmt::{self, Display};

/// Everything that the page is made from: the same page for the same capture, whenever it is made.
#[derive(Debug)]
pub struct Page {
    /// The capture's name.
    pub title: String,
    pub format: String,
    /// Why not all of it could be read.
    pub stopped: Option<String>,
    /// What its writer or its end left out, in sentences.
    pub lacking: Vec<String>,
    pub facts: Facts,
}

/// Nothing is loaded, from nowhere, whatever gets into the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

impl Page {
    pub fn to_html(&self) -> String {
        let mut html = Html::default();
        put!(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        put!(html, "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n", POLICY);
        put!(html, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        put!(html, "<meta name=\"color-scheme\" content=\"light dark\">\n");
        put!(html, "<title>{} – baretooth report</title>\n<style>\n", self.title);
        html.0.push_str(STYLE);
        put!(html, "</style>\n</head>\n<body>\n");
        self.summary(&mut html);
        put!(html, "<main>\n");
        self.timeline(&mut html);
        self.problems(&mut html);
        self.tables(&mut html);
        self.devices(&mut html);
        self.pairings(&mut html);
        self.latency(&mut html);
        put!(
            html,
            "</main>\n<footer><p>Made by <b>baretooth report</b>. Times count from the first record. "
        );
        put!(
            html,
            "Everything that was received is shown as text; keys are left out.</p></footer>\n<script>\n"
        );
        html.0.push_str(SCRIPT);
        put!(html, "</script>\n</body>\n</html>\n");
        html.0
    }
}

/// A moment, counted from the first record.
pub struct Clock(pub u64);

impl Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000_000;
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        match seconds {
            0..120 => write!(f, "{seconds}.{millis:03} s"),
            120..3_600 => write!(f, "{}:{:02}.{}", seconds / 60, seconds % 60, millis / 100),
            3_600..172_800 => write!(f, "{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60),
            _ => write!(f, "{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
        }
    }
}

/// How long something took.
pub struct Lasted(pub u64);

impl Display for Lasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1_000;
        match micros {
            0..1_000 => write!(f, "{micros} µs"),
            1_000..10_000 => write!(f, "{}.{} ms", micros / 1_000, micros / 100 % 10),
            10_000..10_000_000 => write!(f, "{} ms", micros / 1_000),
            10_000_000..120_000_000 => write!(f, "{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
            _ => Display::fmt(&Clock(self.0), f),
        }
    }
}

/// A number with its noun: `1 link`, `1,204 links`.
struct Many(u64, &'static str);

impl Display for Many {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", Grouped(self.0), self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// A number in groups of three digits.
pub struct Grouped(pub u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (n, digit) in digits.chars().enumerate() {
            if n > 0 && (digits.len() - n).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_written_for_people() {
        assert_eq!(Clock(1_234_567_890).to_string(), "1.234 s");
        assert_eq!(Clock(125_250_000_000).to_string(), "2:05.2");
        assert_eq!(Clock(7_325_000_000_000).to_string(), "2:02:05");
        assert_eq!(Clock(200_000_000_000_000).to_string(), "2 d 7 h");
        assert_eq!(Lasted(980_000).to_string(), "980 µs");
        assert_eq!(Lasted(15_200_000).to_string(), "15 ms");
        assert_eq!(Lasted(30_100_000_000).to_string(), "30.1 s");
        assert_eq!(Many(1, "link").to_string(), "1 link");
        assert_eq!(Many(1_234_567, "packet").to_string(), "1,234,567 packets");
    }
}
