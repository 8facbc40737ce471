//! What went on when: packets, radio, and each link with its procedures, on one scale.

use super::{Clock, Grouped, Lasted, Many, Page};
use crate::report::chart::{self, Scale};
use crate::report::facts::KINDS;
use crate::report::html::{Html, put};
use crate::report::links::{Link, Row};
use crate::report::problems::is_wanted;
use baretooth::hci::ErrorCode;
use std::fmt::Write;

/// Bars of one row of all links together.
const MOST_BARS: usize = 1_024;

/// Most links whose procedures are shown without being asked for.
const SHOWN_WHOLE: usize = 8;

impl Page {
    pub(super) fn timeline(&self, html: &mut Html) {
        let facts = &self.facts;
        if facts.records == 0 {
            return;
        }
        let scale = Scale::new(facts.end);
        put!(html, "<section id=\"timeline\">\n<h2>Timeline</h2>\n");
        put!(html, "<div class=\"tools\" hidden><button type=\"button\" data-zoom=\"in\">zoom in</button> ");
        put!(html, "<button type=\"button\" data-zoom=\"out\">zoom out</button> ");
        put!(html, "<button type=\"button\" data-zoom=\"all\">whole capture</button> ");
        put!(
            html,
            "<span class=\"dim\">drag across the lanes to look closer; point at anything for details</span></div>\n"
        );
        put!(html, "<div class=\"timeline\" data-span=\"{}\">\n", facts.end as f64 / 1e9);
        chart::axis(html, &scale);
        self.rate(html, &scale);
        for (adapter, radio) in facts.activity.iter() {
            let of = adapter.map(|adapter| format!(" hci{adapter}")).unwrap_or_default();
            let reports: u64 = radio.reports.iter().map(|(_, n)| u64::from(*n)).sum();
            for (name, class, spans) in [
                ("scanning", "scanning", &radio.scanning),
                ("advertising", "advertising", &radio.advertising),
                ("connecting", "connecting", &radio.connecting),
            ] {
                let heard = name == "scanning" && reports > 0;
                if spans.total().0 == 0 && !heard {
                    continue;
                }
                let detail = if heard {
                    Many(reports, "report").to_string()
                } else {
                    Times(spans.total().0).to_string()
                };
                lane(html, "radio", &format!("{name}{of}"), &detail);
                chart::open_track(html, chart::LANE, name);
                if heard {
                    chart::density(html, &scale, &radio.reports, 128, "reports");
                }
                chart::bars(html, &scale, spans, class, name);
                chart::close_track(html);
            }
        }
        for (n, link) in facts.links.links.iter().enumerate() {
            self.link(html, &scale, n, link);
        }
        put!(html, "</div>\n");
        if facts.links.beyond > 0 {
            put!(html, "<p class=\"dim\">{} not shown.</p>\n", Many(facts.links.beyond, "further link"));
        }
        put!(html, "</section>\n");
    }

    /// Packets of each kind over time, one upon the other.
    fn rate(&self, html: &mut Html, scale: &Scale) {
        let rate = &self.facts.rate;
        let (peak, width) = chart::peak(rate);
        put!(
            html,
            "<div class=\"lane first\"><div class=\"label\"><b>packets</b> <span class=\"dim\">at most {} per second, in steps of {}</span>",
            per_second(peak, width),
            Lasted(width)
        );
        put!(html, "<ul class=\"legend\">");
        for (n, kind) in KINDS.iter().enumerate() {
            let total: u64 = rate.iter().map(|(_, cell)| u64::from(cell.0[n])).sum();
            if total > 0 {
                put!(
                    html,
                    "<li><i class=\"k{}\"></i>{} <span class=\"dim\">{}</span></li>",
                    n,
                    kind,
                    Grouped(total)
                );
            }
        }
        put!(html, "</ul></div>");
        chart::open_track(html, chart::RATE, "packets over time");
        chart::stacked(html, scale, rate, peak);
        chart::close_track(html);
    }

    fn link(&self, html: &mut Html, scale: &Scale, n: usize, link: &Link) {
        let end = self.facts.end;
        // The page stays small, however many links there are.
        let most = (MOST_BARS / self.facts.links.links.len().max(1)).clamp(8, 128);
        let (from, to) = link.extent(end);
        let name = link.peer.and_then(|peer| self.facts.devices.name(peer));
        let peer = link.peer.map_or_else(|| "unknown peer".to_owned(), |peer| peer.bd_addr.to_string());
        let (ending, class) = ending(link);
        put!(
            html,
            "<div class=\"lane link\"><div class=\"label\"><b><bdi>{}</bdi></b> ",
            name.unwrap_or(&peer)
        );
        if name.is_some() {
            put!(html, "<span class=\"mono\">{}</span> ", peer);
        }
        put!(
            html,
            "<span class=\"dim\">{}</span><span class=\"ending {}\">{}</span></div>",
            about(link),
            class,
            ending
        );
        chart::open_track(html, chart::LANE, "link");
        let title = format!("link {}: {} to {}, {}", n + 1, Clock(from), Clock(to), ending);
        chart::bar(html, scale, (from, to), if class == "bad" { "up lost" } else { "up" }, &title);
        chart::close_track(html);
        if link.rows.is_empty() && link.notified == 0 {
            return;
        }
        // Of few links everything is shown at once; of many a person opens those of interest.
        if self.facts.links.links.len() <= SHOWN_WHOLE {
            put!(html, "<details open>");
        } else {
            put!(html, "<details>");
        }
        put!(
            html,
            "<summary>{} sent, {} received</summary>\n",
            Many(link.sent, "packet"),
            Grouped(link.received)
        );
        for (row, spans) in &link.rows {
            let (count, failed) = spans.total();
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            lane(html, "row", row.name(), &format!("{}{failed}", Grouped(u64::from(count))));
            chart::open_track(html, chart::LANE, row.name());
            chart::bars(html, scale, &spans.at_most(most), class_of(*row), row.name());
            chart::close_track(html);
        }
        if link.notified > 0 {
            lane(html, "row", "notifications", &Grouped(link.notified).to_string());
            chart::open_track(html, chart::LANE, "notifications");
            chart::density(html, scale, &link.notifications, most, "notifications");
            chart::close_track(html);
        }
        put!(html, "</details>\n");
    }
}

/// Begins a lane; its track follows.
fn lane(html: &mut Html, class: &str, name: &str, detail: &str) {
    put!(
        html,
        "<div class=\"lane {}\"><div class=\"label\">{} <span class=\"dim\">{}</span></div>",
        class,
        name,
        detail
    );
}

fn class_of(row: Row) -> &'static str {
    match row {
        Row::Setup => "setup",
        Row::Security => "security",
        Row::Discovery => "discovery",
        Row::Reads => "reads",
        Row::Writes => "writes",
        Row::Other => "other",
    }
}

/// How a link ended, and whether that is bad.
fn ending(link: &Link) -> (String, &'static str) {
    match link.end {
        None => ("still up at the end".to_owned(), ""),
        Some((at, None)) => (format!("gone by {}: reset, or its end is not in the capture", Clock(at)), ""),
        Some((at, Some(ErrorCode::ConnectionTerminatedByLocalHost))) => {
            (format!("ended by us at {}", Clock(at)), "")
        }
        Some((at, Some(ErrorCode::RemoteUserTerminatedConnection))) => {
            (format!("ended by the peer at {}", Clock(at)), "")
        }
        Some((at, Some(reason))) => {
            let class = if is_wanted(reason) { "" } else { "bad" };
            (format!("{reason} (0x{:02X}) at {}", reason.0, Clock(at)), class)
        }
    }
}

/// A link's handle, role and parameters.
fn about(link: &Link) -> String {
    let mut text = link.handle.to_string();
    if let Some(adapter) = link.adapter {
        let _ = write!(text, " on hci{adapter}");
    }
    if link.classic {
        text.push_str(", BR/EDR");
    }
    if let Some(role) = link.role {
        let _ = write!(text, ", we are {}", role.name().unwrap_or("in an unknown role").to_lowercase());
    }
    if let Some([interval, latency, timeout]) = link.timing {
        let _ = write!(text, ", every {} ms", f64::from(interval) * 1.25);
        if latency > 0 {
            let _ = write!(text, ", latency {latency}");
        }
        let _ = write!(text, ", time-out {} ms", u32::from(timeout) * 10);
    }
    if let Some(mtu) = link.mtu {
        let _ = write!(text, ", MTU {mtu}");
    }
    if let Some([sent, received]) = link.phy {
        let _ = write!(text, ", PHY {sent}");
        if sent != received {
            let _ = write!(text, "/{received}");
        }
    }
    if let Some([sent, received]) = link.data_length {
        let _ = write!(text, ", packets of {sent}/{received}");
    }
    text.push_str(if link.encrypted { ", encrypted" } else { "" });
    text
}

fn per_second(count: u32, width: u64) -> String {
    let rate = f64::from(count) * 1e9 / width as f64;
    if rate < 10.0 { format!("{rate:.1}") } else { Grouped(rate.round() as u64).to_string() }
}

struct Times(u32);

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            1 => f.write_str("once"),
            n => write!(f, "{n} times"),
        }
    }
}
