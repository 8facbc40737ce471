//! The first screen: the verdict in a sentence, the capture in numbers, and what is not in it.

use super::{Grouped, Many, Page};
use crate::report::html::{Html, put};
use crate::report::problems::{Sort, is_wanted};
use baretooth::assigned;
use baretooth::capture::Timestamp;
use std::fmt::Write;

impl Page {
    /// What a person wants to know first.
    pub fn verdict(&self) -> String {
        let facts = &self.facts;
        let mut parts = vec![match facts.links.count() {
            0 if facts.devices.len() > 0 => {
                Many(facts.devices.len() as u64, "device").to_string() + " heard, no link"
            }
            0 => "no link".to_owned(),
            n => Many(n, "link").to_string(),
        }];
        for (sort, n) in facts.problems.counts() {
            if sort == Sort::LinkLost {
                let lost = facts.links.reasons.iter().filter(|(reason, _)| !is_wanted(**reason));
                parts.extend(lost.map(|(reason, n)| format!("{n} lost by {reason} (0x{:02X})", reason.0)));
            } else {
                let [one, several] = sort.nouns();
                parts.push(format!("{} {}", Grouped(n), if n == 1 { one } else { several }));
            }
        }
        if self.stopped.is_some() {
            parts.push("the rest of the file cannot be read".to_owned());
        } else if facts.problems.errors() == 0 {
            parts.push("nothing went wrong".to_owned());
        }
        parts.join(", ")
    }

    pub(super) fn summary(&self, html: &mut Html) {
        let facts = &self.facts;
        let mood = if facts.problems.errors() == 0 && self.stopped.is_none() { "good" } else { "bad" };
        put!(
            html,
            "<header>\n<p class=\"eyebrow\">Bluetooth capture</p>\n<h1><bdi>{}</bdi></h1>\n",
            self.title
        );
        put!(
            html,
            "<p class=\"verdict {}\">{}.</p>\n<dl class=\"numbers\">\n",
            mood,
            capitalised(&self.verdict())
        );
        count(html, facts.packets, "packet");
        number(html, &Span(facts.end), "from first to last");
        count(html, facts.links.count(), "link");
        count(html, facts.devices.len() as u64, "advertiser");
        count(html, facts.requests, "ATT request");
        count(html, facts.problems.errors(), "error");
        put!(html, "</dl>\n<dl class=\"about\">\n<dt>Format</dt><dd>{}</dd>\n", self.format);
        if let Some(start) = facts.start {
            put!(html, "<dt>Begins</dt><dd>{}</dd>\n", calendar(start));
        }
        for (index, adapter) in &facts.adapters {
            let mut line = index.map(|index| format!("hci{index}: ")).unwrap_or_default();
            match adapter.address {
                Some(address) => drop(write!(line, "{address}")),
                None => line.push_str("address not in the capture"),
            }
            if let Some(version) = adapter.version.and_then(assigned::core_version_name) {
                let _ = write!(line, ", {version}");
            }
            if let Some(company) = adapter.company.and_then(assigned::company_name) {
                let _ = write!(line, ", {company}");
            }
            put!(
                html,
                "<dt>Adapter</dt><dd>{} <span class=\"dim\">({})</span></dd>\n",
                line,
                Many(adapter.packets, "record")
            );
        }
        put!(html, "</dl>\n");
        self.missing(html);
        put!(
            html,
            "<noscript><p class=\"dim\">Scripts are off: the page is complete, but without zoom and sorting.</p></noscript>\n</header>\n"
        );
    }

    /// What the capture does not have, which everything else has to be read with.
    fn missing(&self, html: &mut Html) {
        let facts = &self.facts;
        let mut missing = Vec::new();
        let mut say = |count: u64, text: String| {
            if count > 0 {
                missing.push(text);
            }
        };
        if let Some(stopped) = &self.stopped {
            say(1, format!("The file could not be read to its end: {stopped}."));
        }
        for lacking in &self.lacking {
            say(1, lacking.clone());
        }
        say(u64::from(facts.records == 0), "There is no record in it.".to_owned());
        say(facts.cut, format!("{} cut short: their ends are not here.", Are(facts.cut, "record")));
        let middle = facts.links.links.iter().filter(|link| link.start.is_none()).count() as u64;
        say(
            middle,
            format!(
                "{} older than the capture: the peer's address and names may be unknown.",
                Are(middle, "link")
            ),
        );
        let up = facts.links.links.iter().filter(|link| link.end.is_none()).count() as u64;
        say(up, format!("{} still up when it ends.", Are(up, "link")));
        say(
            facts.open_at_end,
            format!("{} without an answer here.", Are(facts.open_at_end, "request or command")),
        );
        say(
            facts.backwards,
            format!(
                "{} older than the one before: the clock was set back, or records were mixed.",
                Are(facts.backwards, "record")
            ),
        );
        say(
            facts.links.beyond,
            format!("{} not shown, for there are too many.", Are(facts.links.beyond, "link")),
        );
        say(
            facts.devices.beyond,
            format!(
                "{} of further advertisers not shown, for there are too many.",
                Are(facts.devices.beyond, "report")
            ),
        );
        say(
            facts.values.beyond,
            format!("{} not kept, for there are too many.", Are(facts.values.beyond, "value")),
        );
        if !missing.is_empty() {
            put!(html, "<div class=\"missing\"><h2>To be read with</h2><ul>");
            for text in missing {
                put!(html, "<li>{}</li>", text);
            }
            put!(html, "</ul></div>\n");
        }
    }
}

/// How long the capture is, with units.
struct Span(u64);

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        match seconds {
            0..120 => write!(f, "{:.3} s", self.0 as f64 / 1e9),
            120..7_200 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            7_200..172_800 => write!(f, "{} h {} min", seconds / 3_600, seconds / 60 % 60),
            _ => write!(f, "{} d {} h", Grouped(seconds / 86_400), seconds / 3_600 % 24),
        }
    }
}

/// `1 link is`, `2 links are`.
struct Are(u64, &'static str);

impl std::fmt::Display for Are {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", Many(self.0, self.1), if self.0 == 1 { "is" } else { "are" })
    }
}

fn count(html: &mut Html, n: u64, noun: &str) {
    let label = if n == 1 { noun.to_owned() } else { format!("{noun}s") };
    number(html, &Grouped(n), &label);
}

fn number(html: &mut Html, number: &dyn std::fmt::Display, label: &str) {
    put!(html, "<div><dt>{}</dt><dd>{}</dd></div>\n", label, number);
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Date and time of day, in UTC; clocks that were never set count from 1970, and are said to.
fn calendar(time: Timestamp) -> String {
    let seconds = time.seconds();
    // Days from 0000-03-01, so that the leap day is the last of its year.
    let (days, second) = (seconds.div_euclid(86_400).saturating_add(719_468), seconds.rem_euclid(86_400));
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era.saturating_mul(400).saturating_add(year_of_era + i64::from(month <= 2));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    if year == 1970 {
        return format!("{hour:02}:{minute:02}:{second:02} on a clock that was not set");
    }
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let at = |seconds| calendar(Timestamp::new(seconds, 0));
        assert_eq!(at(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(at(1_599_590_057), "2020-09-08 18:34:17 UTC");
        assert_eq!(at(-1), "1969-12-31 23:59:59 UTC");
        assert_eq!(at(0), "00:00:00 on a clock that was not set");
        for end in [i64::MIN, i64::MAX] {
            assert!(at(end).ends_with("UTC"), "nothing overflows");
        }
    }
}
