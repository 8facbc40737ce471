//! The attributes of each server, with the last value of each.

use super::{Clock, Grouped, Many, Page};
use crate::output;
use crate::report::html::{Html, put};
use crate::report::values::{How, Server, Table, Value};
use baretooth::capture::Direction;
use baretooth::capture::dissect::AttributeRole;
use baretooth::{Uuid, assigned};
use std::collections::BTreeSet;

/// Most rows of all tables.
const MOST_ROWS: usize = 2_000;
/// Octets of a value that are shown.
const SHOWN: usize = 24;

impl Page {
    pub(super) fn tables(&self, html: &mut Html) {
        let values = &self.facts.values;
        if values.servers().next().is_none() {
            return;
        }
        put!(html, "<section id=\"gatt\">\n<h2>Attributes and their last values</h2>\n");
        let mut room = MOST_ROWS;
        let ours = |server: &Server| server.side == Some(Direction::Sent);
        let (own, peers): (Vec<_>, Vec<_>) = values.servers().partition(|(server, _)| ours(server));
        for (server, table) in peers.into_iter().chain(own) {
            self.table(html, server, table, &mut room);
        }
        if room == 0 {
            put!(
                html,
                "<p class=\"dim\">Only the first {} attributes are shown.</p>\n",
                Grouped(MOST_ROWS as u64)
            );
        }
        if values.servers_beyond > 0 {
            put!(html, "<p class=\"dim\">{} with further servers.</p>\n", Many(values.servers_beyond, "PDU"));
        }
        put!(html, "</section>\n");
    }

    fn table(&self, html: &mut Html, server: Server, table: &Table, room: &mut usize) {
        let peer = match (server.peer, server.link) {
            (Some(peer), _) => peer.to_string(),
            (None, Some((_, handle))) => format!("unknown peer, link {handle}"),
            (None, None) => "unknown peer".to_owned(),
        };
        let name = server.peer.and_then(|peer| self.facts.devices.name(peer));
        // Ours is what the other side of the same link sees.
        let ours = server.side == Some(Direction::Sent);
        put!(html, "<h3>{}<bdi>{}</bdi>", if ours { "What we serve to " } else { "" }, name.unwrap_or(&peer));
        if name.is_some() {
            put!(html, " <span class=\"mono dim\">{}</span>", peer);
        }
        put!(
            html,
            "</h3>\n<div class=\"scroll\"><table class=\"gatt\"><thead><tr><th>handle</th><th>attribute</th>"
        );
        put!(
            html,
            "<th>last value</th><th>how</th><th class=\"n\">at</th><th>properties</th></tr></thead><tbody>\n"
        );
        let known = table.attributes.iter().map(|(handle, _)| handle);
        let handles: BTreeSet<u16> = known.chain(table.values.keys().copied()).collect();
        for handle in handles {
            if *room == 0 {
                break;
            }
            *room -= 1;
            attribute(html, table, handle);
        }
        put!(html, "</tbody></table></div>\n");
    }
}

fn attribute(html: &mut Html, table: &Table, handle: u16) {
    let value = table.values.get(&handle);
    let attribute = table.attributes.get(handle);
    match attribute.map(|attribute| (attribute.role, attribute.uuid)) {
        Some((AttributeRole::Service { primary, end }, uuid)) => {
            put!(html, "<tr class=\"service\"><td class=\"mono\">{}</td><td colspan=\"5\">", Handle(handle));
            named(html, assigned::service_name(uuid), uuid);
            put!(
                html,
                " <span class=\"dim\">{} service, to {}</span></td></tr>\n",
                if primary { "primary" } else { "secondary" },
                Handle(end)
            );
        }
        // Its value stands in a row of its own.
        Some((AttributeRole::Characteristic { value: at, .. }, _)) if table.attributes.get(at).is_some() => {}
        Some((
            AttributeRole::Value { properties } | AttributeRole::Characteristic { properties, .. },
            uuid,
        )) => {
            put!(html, "<tr class=\"characteristic\"><td class=\"mono\">{}</td><td>", Handle(handle));
            named(html, assigned::characteristic_name(uuid), uuid);
            put!(html, "</td>");
            cells(html, value);
            put!(html, "<td class=\"props\">{}</td></tr>\n", properties);
        }
        Some((_, uuid)) => {
            put!(html, "<tr class=\"descriptor\"><td class=\"mono\">{}</td><td>", Handle(handle));
            named(html, assigned::attribute_name(uuid), uuid);
            put!(html, "</td>");
            cells(html, value);
            put!(html, "<td></td></tr>\n");
        }
        None => {
            put!(
                html,
                "<tr class=\"characteristic\"><td class=\"mono\">{}</td><td class=\"dim\">discovered outside the capture</td>",
                Handle(handle)
            );
            cells(html, value);
            put!(html, "<td></td></tr>\n");
        }
    }
}

fn named(html: &mut Html, name: Option<&str>, uuid: Uuid) {
    match name {
        Some(name) => put!(html, "{} <span class=\"mono dim\">{}</span>", name, uuid.short()),
        None => put!(html, "<span class=\"mono\">{}</span>", uuid.short()),
    }
}

/// The value, how it became known, and when.
fn cells(html: &mut Html, value: Option<&Value>) {
    let Some(value) = value else {
        put!(html, "<td></td><td></td><td></td>");
        return;
    };
    put!(html, "<td class=\"value\">");
    if value.how != How::Not {
        octets(html, value);
    }
    if let Some(error) = value.refused {
        put!(
            html,
            " <span class=\"refused\">refused: {} (0x{})</span>",
            error.label(),
            format_args!("{:02X}", error.0)
        );
    }
    put!(html, "</td><td class=\"how\">");
    let mut separator = "";
    for (count, what) in [(value.notifications, "notified"), (value.reads, "read"), (value.writes, "written")]
    {
        if count > 0 {
            put!(html, "{}{} {}×", separator, what, Grouped(u64::from(count)));
            separator = ", ";
        }
    }
    put!(html, "</td><td class=\"n\">");
    if value.how != How::Not {
        put!(html, "<span title=\"packet {}\">{}</span>", Grouped(value.number), Clock(value.at));
    }
    put!(html, "</td>");
}

fn octets(html: &mut Html, value: &Value) {
    if value.length == 0 {
        put!(html, "<span class=\"dim\">empty</span>");
        return;
    }
    let shown = &value.octets[..value.octets.len().min(SHOWN)];
    put!(html, "<code title=\"{}\">{}", output::hex(&value.octets), output::hex(shown));
    if value.length > shown.len() {
        put!(html, "…</code> <span class=\"dim\">{} octets</span>", value.length);
    } else {
        put!(html, "</code>");
    }
    if let Some(text) = text(&value.octets, value.length) {
        put!(html, " <q><bdi>{}</bdi></q>", text);
    } else if let Some(number) = number(shown, value.length) {
        put!(html, " <span class=\"dim\">= {}</span>", number);
    }
}

/// The text that the octets are, as much of it as is kept.
fn text(octets: &[u8], length: usize) -> Option<&str> {
    let whole = match std::str::from_utf8(octets) {
        Ok(text) => text,
        // Cut within a character.
        Err(error) if octets.len() < length && error.error_len().is_none() => {
            std::str::from_utf8(&octets[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    output::printable(whole.as_bytes()).filter(|text| text.len() > 2).map(shortened)
}

fn shortened(text: &str) -> &str {
    text.char_indices().nth(SHOWN).map_or(text, |(end, _)| &text[..end])
}

/// Few octets are mostly a number, least significant octet first.
fn number(octets: &[u8], length: usize) -> Option<u32> {
    let octets = (octets.len() == length && length <= 2).then_some(octets)?;
    Some(octets.iter().rev().fold(0, |number, octet| number << 8 | u32::from(*octet)))
}

struct Handle(u16);

impl std::fmt::Display for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{:04X}", self.0)
    }
}
