//! What went wrong, who advertised, how pairing went, and how long answers took.

use super::{Clock, Grouped, Lasted, Many, Page};
use crate::report::chart;
use crate::report::devices::{MOST, sort_of};
use crate::report::html::{Html, put};
use crate::report::latency::Latency;
use crate::report::pairing::Features;
use crate::report::problems::Sort;
use baretooth::assigned;
use baretooth::capture::Direction;

impl Page {
    pub(super) fn problems(&self, html: &mut Html) {
        let problems = self.facts.problems.in_order();
        put!(html, "<section id=\"problems\">\n<h2>What went wrong</h2>\n");
        if problems.is_empty() {
            put!(
                html,
                "<p class=\"nothing\">Nothing was found: no failed command, no ATT error, no lost link, nothing malformed and nothing unanswered.</p>\n</section>\n"
            );
            return;
        }
        put!(html, "<ul class=\"problems\">\n");
        for (sort, what, problem) in problems {
            let class = if sort == Sort::Note { "note" } else { "error" };
            put!(
                html,
                "<li class=\"{}\"><span class=\"count\">{}×</span><div><p>{}</p>",
                class,
                Grouped(problem.count),
                what
            );
            if let Some(hint) = problem.hint {
                put!(html, "<p class=\"hint\">{}</p>", hint);
            }
            put!(
                html,
                "</div><span class=\"where\">packet {}, at {}",
                Grouped(problem.first),
                Clock(problem.at)
            );
            if problem.last != problem.first {
                put!(html, "<br>last packet {}", Grouped(problem.last));
            }
            put!(html, "</span></li>\n");
        }
        put!(html, "</ul>\n");
        if self.facts.problems.beyond > 0 {
            put!(
                html,
                "<p class=\"dim\">{} of further kinds.</p>\n",
                Many(self.facts.problems.beyond, "problem")
            );
        }
        put!(html, "</section>\n");
    }

    pub(super) fn devices(&self, html: &mut Html) {
        let devices = &self.facts.devices;
        if devices.reports == 0 {
            return;
        }
        put!(
            html,
            "<section id=\"devices\">\n<h2>Advertisers</h2>\n<p class=\"dim\">{}",
            Many(devices.reports, "report")
        );
        put!(html, " of {}", Many(devices.len() as u64, "device"));
        if devices.beyond > 0 {
            put!(html, " ({} of others: only the first {} are kept apart)", Grouped(devices.beyond), MOST);
        }
        if devices.anonymous > 0 {
            put!(html, ", {} without an address", Grouped(devices.anonymous));
        }
        put!(
            html,
            ".</p>\n<div class=\"scroll tall\"><table class=\"sortable\"><thead><tr><th>name</th><th>address</th>"
        );
        put!(
            html,
            "<th class=\"n\">reports</th><th class=\"n\">median dBm</th><th class=\"n\">weakest to strongest</th>"
        );
        put!(
            html,
            "<th data-sort=\"no\">strength over time</th><th class=\"n\">heard</th><th>says</th></tr></thead><tbody>\n"
        );
        let all = devices.by_reports();
        let levels = || all.iter().filter_map(|(_, device)| device.levels());
        // All of them on the same scales, of time and of strength.
        let first = all.iter().map(|(_, device)| device.first).min().unwrap_or(0);
        let last = all.iter().map(|(_, device)| device.last).max().unwrap_or(0);
        let part = |at: u64| (at.saturating_sub(first) as f64 / (last - first).max(1) as f64).min(1.0);
        let low = levels().map(|[low, ..]| low).min().unwrap_or(-100);
        let high = levels().map(|[.., high]| high).max().unwrap_or(0);
        for (address, device) in all {
            let name = device.name.as_deref().unwrap_or_default();
            put!(html, "<tr><td class=\"name\"><bdi>{}</bdi></td>", name);
            put!(
                html,
                "<td><span class=\"mono\">{}</span><span class=\"dim sort\">{}</span></td>",
                address.bd_addr,
                sort_of(address)
            );
            put!(html, "<td class=\"n\" data-v=\"{}\">{}</td>", device.reports, Grouped(device.reports));
            match device.levels() {
                Some([weakest, median, strongest]) => {
                    put!(html, "<td class=\"n\" data-v=\"{}\">{}</td>", median, Minus(median));
                    put!(
                        html,
                        "<td class=\"n\" data-v=\"{}\">{} to {}</td><td>",
                        strongest,
                        Minus(weakest),
                        Minus(strongest)
                    );
                    let points: Vec<_> = device
                        .strength
                        .iter()
                        .filter_map(|(from, cell)| Some((part(from.max(device.first)), cell.mean()?)))
                        .collect();
                    chart::sparkline(html, &points, f64::from(low), f64::from(high));
                    put!(html, "</td>");
                }
                None => put!(html, "<td class=\"n\"></td><td class=\"n\"></td><td></td>"),
            }
            put!(html, "<td class=\"n\" data-v=\"{}\">{}", device.first, Clock(device.first));
            if device.last > device.first {
                put!(html, " to {}", Clock(device.last));
            }
            put!(html, "</td><td class=\"says\">{}", if device.connectable { "connectable" } else { "" });
            let mut separator = if device.connectable { ", " } else { "" };
            if let Some(company) = device.company {
                put!(html, "{}", separator);
                match assigned::company_name(company) {
                    Some(name) => put!(html, "{}", name),
                    None => put!(html, "company 0x{}", format_args!("{company:04X}")),
                }
                separator = ", ";
            }
            for service in &device.services {
                put!(html, "{}{}", separator, service);
                separator = ", ";
            }
            put!(html, "</td></tr>\n");
        }
        put!(html, "</tbody></table></div>\n</section>\n");
    }

    pub(super) fn pairings(&self, html: &mut Html) {
        let links = &self.facts.links.links;
        if links.iter().all(|link| link.pairings.is_empty()) {
            return;
        }
        put!(html, "<section id=\"pairing\">\n<h2>Pairing</h2>\n<div class=\"cards\">\n");
        for link in links {
            for pairing in &link.pairings {
                let peer = link.peer.map_or_else(|| "unknown peer".to_owned(), |peer| peer.to_string());
                let name = link.peer.and_then(|peer| self.facts.devices.name(peer)).unwrap_or(&peer);
                let class = if pairing.failed.is_some() { "card bad" } else { "card" };
                put!(
                    html,
                    "<article class=\"{}\"><h3><bdi>{}</bdi> <span class=\"dim\">link {}, packet {}, at {}</span></h3><dl>",
                    class,
                    name,
                    link.handle,
                    Grouped(pairing.number),
                    Clock(pairing.at)
                );
                row(html, "Result", &pairing.result());
                row(
                    html,
                    "Asked by",
                    match pairing.initiator {
                        Some(Direction::Sent) => "us",
                        Some(Direction::Received) => "the peer",
                        None => "unknown: the beginning is not in the capture",
                    },
                );
                row(
                    html,
                    "Kind",
                    match pairing.secure_connections() {
                        Some(true) => "LE Secure Connections",
                        Some(false) => "LE legacy pairing",
                        None => "unknown",
                    },
                );
                row(html, "Method", pairing.model().unwrap_or("cannot be told from what is here"));
                if let Some(size) = pairing.key_size() {
                    row(html, "Key size", &format!("{size} octets"));
                }
                for (side, features) in ["Initiator", "Responder"].iter().zip(pairing.features()) {
                    if let Some(features) = features {
                        row(html, side, &wishes(features));
                    }
                }
                if !pairing.distributed.is_empty() {
                    row(html, "Handed out", &pairing.distributed.join(", "));
                }
                put!(html, "</dl></article>\n");
            }
        }
        put!(html, "</div>\n</section>\n");
    }

    pub(super) fn latency(&self, html: &mut Html) {
        let facts = &self.facts;
        if facts.command_answers.count() + facts.att_answers.count() == 0 {
            return;
        }
        put!(html, "<section id=\"latency\">\n<h2>How long answers took</h2>\n<div class=\"cards\">\n");
        for (name, latency) in
            [("HCI commands", &facts.command_answers), ("ATT requests", &facts.att_answers)]
        {
            if latency.count() > 0 {
                answers(html, name, latency);
            }
        }
        put!(
            html,
            "</div>\n<h3>The slowest</h3>\n<div class=\"scroll\"><table><thead><tr><th class=\"n\">took</th><th>what was asked</th>"
        );
        put!(
            html,
            "<th class=\"n\">asked in packet</th><th class=\"n\">answered in packet</th></tr></thead><tbody>\n"
        );
        for slow in facts.slowest.iter() {
            put!(
                html,
                "<tr><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                Lasted(slow.nanos),
                slow.what,
                Grouped(slow.asked),
                Grouped(slow.answered)
            );
        }
        put!(html, "</tbody></table></div>\n</section>\n");
    }
}

fn answers(html: &mut Html, name: &str, latency: &Latency) {
    put!(
        html,
        "<article class=\"card\"><h3>{} <span class=\"dim\">{}</span></h3>",
        name,
        Many(latency.count(), "answer")
    );
    put!(html, "<dl class=\"percentiles\">");
    for (label, part) in [("half within", 500), ("90 % within", 900), ("99 % within", 990)] {
        put!(html, "<div><dt>{}</dt><dd>{}</dd></div>", label, Lasted(latency.per_mille(part)));
    }
    put!(html, "<div><dt>slowest</dt><dd>{}</dd></div></dl>", Lasted(latency.longest()));
    chart::histogram(html, latency);
    put!(html, "</article>\n");
}

fn row(html: &mut Html, name: &str, text: &str) {
    put!(html, "<dt>{}</dt><dd>{}</dd>", name, text);
}

fn wishes(features: Features) -> String {
    let mut text = features.io().to_owned();
    for (wish, name) in [
        (features.bonding(), "bonding"),
        (features.mitm(), "protection against man in the middle"),
        (features.secure_connections(), "secure connections"),
        (features.oob, "out-of-band data at hand"),
    ] {
        if wish {
            text.push_str(", ");
            text.push_str(name);
        }
    }
    text
}

/// With a sign as wide as a digit.
struct Minus(i16);

impl std::fmt::Display for Minus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.0 < 0 { "−" } else { "" }, self.0.unsigned_abs())
    }
}
