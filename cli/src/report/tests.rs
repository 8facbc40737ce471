//! What a page says of captures that are known, and that nothing in a capture gets out of its place on the page.

use super::*;
use baretooth::capture::{Direction, Kind, Record, Timestamp};
use baretooth::hci::ErrorCode;
use bytes::Bytes;

use Direction::{Received, Sent};

const HEART_RATE: &[u8] = include_bytes!("../../../captures/heart_rate.btsnoop");
const LONG_VALUES: &[u8] = include_bytes!("../../../captures/long_values.btsnoop");

fn page_of_file(file: &[u8]) -> Page {
    let (page, ended) = gather("test.btsnoop", file).expect("a capture");
    assert!(ended.is_none(), "{ended:?}");
    page
}

/// Records at a millisecond each.
fn page_of(title: &str, packets: impl IntoIterator<Item = (u64, Direction, Vec<u8>)>) -> Page {
    let (mut dissector, mut facts) = (Dissector::default(), Facts::default());
    for (millis, direction, octets) in packets {
        let time = Timestamp::from_micros(i64::try_from(millis).expect("soon") * 1_000);
        let record = Record::new(time, Kind::Packet(Some(direction)), Bytes::from(octets));
        facts.take(&dissector.read(&record));
    }
    facts.finish(&dissector);
    Page { title: title.to_owned(), format: "test".to_owned(), stopped: None, lacking: Vec::new(), facts }
}

/// One ATT PDU in one ACL packet.
fn att(handle: u16, pdu: &[u8]) -> Vec<u8> {
    frame(handle, 4, pdu)
}

fn frame(handle: u16, channel: u8, pdu: &[u8]) -> Vec<u8> {
    let [low, high] = handle.to_le_bytes();
    let [a, b] = u16::try_from(pdu.len()).expect("short").to_le_bytes();
    let [c, d] = u16::try_from(pdu.len() + 4).expect("short").to_le_bytes();
    [&[2, low, high | 0x20, c, d, a, b, channel, 0][..], pdu].concat()
}

fn connected(handle: u16, address: [u8; 6]) -> Vec<u8> {
    let [low, high] = handle.to_le_bytes();
    let head = [4, 0x3E, 19, 1, 0, low, high, 0, 1];
    [&head[..], &address, &[24, 0, 0, 0, 0x2A, 0, 0]].concat()
}

fn disconnected(handle: u16, reason: u8) -> Vec<u8> {
    let [low, high] = handle.to_le_bytes();
    vec![4, 5, 4, 0, low, high, reason]
}

fn advertised(address: [u8; 6], name: &[u8], rssi: i8) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("short");
    let head = [4, 0x3E, 14 + length, 2, 1, 0, 1];
    [&head[..], &address, &[length + 2, length + 1, 9], name, &[rssi.cast_unsigned()]].concat()
}

#[test]
fn a_session_with_a_heart_rate_strap_is_told_as_it_was() {
    let page = page_of_file(HEART_RATE);
    let facts = &page.facts;
    assert_eq!(page.verdict(), "1 link, nothing went wrong");
    assert_eq!((facts.packets, facts.links.count(), facts.devices.len(), facts.requests), (120, 1, 1, 24));
    let link = &facts.links.links[0];
    assert_eq!(link.end.and_then(|(_, reason)| reason), Some(ErrorCode::ConnectionTerminatedByLocalHost));
    assert_eq!((link.mtu, link.timing, link.notified), (Some(517), Some([12, 0, 500]), 3));
    let (_, device) = facts.devices.by_reports()[0];
    assert_eq!((device.name.as_deref(), device.levels()), (Some("HR strap"), Some([-42; 3])));
    let (_, table) = facts.values.servers().next().expect("discovered");
    let battery = &table.values[&0x0012];
    assert_eq!((&battery.octets[..], battery.reads), (&[0x57][..], 1));
    assert_eq!(table.attributes.name(0x0012).as_deref(), Some("Battery Level"));
    let rate = &table.values[&0x000C];
    assert_eq!((rate.octets.len(), rate.notifications), (4, 3));
    assert_eq!((facts.command_answers.count(), facts.att_answers.count()), (17, 24));
    let html = page.to_html();
    for text in [
        "HR strap",
        "Battery Level",
        "<code title=\"57\">57</code>",
        "ended by us at 3.926 s",
        "Nothing was found",
    ] {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn long_values_are_put_together_from_their_parts() {
    let page = page_of_file(LONG_VALUES);
    let (_, table) = page.facts.values.servers().next().expect("discovered");
    let value = table.values.values().max_by_key(|value| value.length).expect("values");
    assert_eq!((value.length, value.writes), (100, 1));
    assert_eq!(&value.octets[..4], [0, 1, 2, 3]);
    assert_eq!(page.facts.links.links[0].mtu, None, "nobody asked for more than 23 octets");
}

#[test]
fn the_same_capture_gives_the_same_page() {
    assert_eq!(page_of_file(HEART_RATE).to_html(), page_of_file(HEART_RATE).to_html());
}

#[test]
fn what_went_wrong_is_in_the_verdict_and_has_its_place_and_hint() {
    let page = page_of(
        "x",
        [
            (0, Sent, vec![1, 0x42, 0x20, 6, 1, 0, 0, 0, 0, 0]),
            (1, Received, vec![4, 0x0E, 4, 1, 0x42, 0x20, 0x0C]),
            (2, Received, connected(1, [1; 6])),
            (3, Sent, att(1, b"\x0A\x07\x00")),
            (4, Received, att(1, b"\x01\x0A\x07\x00\x05")),
            (5, Sent, att(1, b"\x08\x01\x00\xFF\xFF\x03\x28")),
            (6, Received, att(1, b"\x01\x08\x01\x00\x0A")),
            (7, Sent, att(1, b"\x0A\x09\x00")),
            (40_000, Received, disconnected(1, 0x08)),
            (40_001, Received, vec![4, 0x3E, 1, 2, 0]),
            (40_002, Sent, vec![1, 3, 0x0C, 0]),
        ],
    );
    assert_eq!(
        page.verdict(),
        "1 link, 1 lost by Connection Timeout (0x08), 1 ATT error, 1 unanswered request, 1 failed command, \
         1 malformed packet"
    );
    let html = page.to_html();
    for text in [
        "command LE Set Extended Scan Enable: Command Disallowed (0x0C)",
        "ATT_READ_REQ of 0x0007: Insufficient Authentication (0x05)",
        "pair with it first",
        "ATT_READ_REQ of 0x0009: not answered within 30 s",
        "out of range, switched off",
        "command Reset: not answered when the capture ended",
        "1 request or command is without an answer here.",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("Attribute Not Found"), "the end of a search is no error");
}

#[test]
fn a_capture_that_begins_in_mid_link_says_so() {
    let page = page_of("x", [(0, Sent, att(1, b"\x0A\x07\x00")), (9, Received, att(1, b"\x0B\x2A"))]);
    let html = page.to_html();
    assert!(html.contains("1 link is older than the capture"));
    assert!(html.contains("discovered outside the capture") && html.contains("<code title=\"2a\">2a</code>"));
    assert!(html.contains("1 link is still up when it ends."));
}

#[test]
fn a_file_that_ends_too_early_says_so() {
    let html = page_of_file(&HEART_RATE[..HEART_RATE.len() - 3]).to_html();
    assert!(html.contains("The file ends in the middle of a record"));
    // A record of a length that none can have.
    let mut broken = HEART_RATE[..16].to_vec();
    broken.extend([0xFF; 24]);
    let (page, ended) = gather("broken", &broken[..]).expect("a capture");
    assert!(ended.is_some() && page.verdict().ends_with("the rest of the file cannot be read"));
    assert!(page.to_html().contains("The file could not be read to its end"));
}

#[test]
fn a_capture_without_packets_is_a_page_too() {
    let page = page_of("empty", []);
    assert_eq!(page.verdict(), "no link, nothing went wrong");
    assert!(page.to_html().contains("There is no record in it."));
}

#[test]
fn pairing_is_told_without_its_keys() {
    let pdu = |code, io, auth| vec![code, io, 0, auth, 16, 7, 7];
    let key = [&[6_u8][..], &[0xC7; 16]].concat();
    let page = page_of(
        "x",
        [
            (0, Received, connected(1, [1; 6])),
            (1, Sent, frame(1, 6, &pdu(1, 4, 0x0D))),
            (2, Received, frame(1, 6, &pdu(2, 1, 0x0D))),
            (3, Received, vec![4, 8, 4, 0, 1, 0, 1]),
            (4, Received, frame(1, 6, &key)),
            (5, Sent, frame(1, 6, &pdu(1, 3, 0x00))),
            (6, Received, frame(1, 6, &[5, 0x05])),
        ],
    );
    let html = page.to_html();
    for text in [
        "LE Secure Connections",
        "Numeric Comparison",
        "done, the link is encrypted",
        "long-term key",
        "failed: Pairing Not Supported (0x05), said by the peer",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.to_lowercase().contains("c7c7"), "a key is on the page");
}

/// The page's markup alone: what stands in tags, without the values of attributes.
fn skeleton(html: &str) -> String {
    let (mut markup, mut in_tag, mut quoted) = (String::new(), false, false);
    for c in html.chars() {
        match c {
            '<' if !in_tag => in_tag = true,
            '"' if in_tag => quoted = !quoted,
            '>' if in_tag && !quoted => {
                in_tag = false;
                markup.push('\n');
            }
            c if in_tag && !quoted => markup.push(c),
            _ => {}
        }
    }
    markup
}

/// A session in which everything that a stranger can choose is `text`.
fn session_of(text: &str) -> Page {
    let octets = &text.as_bytes()[..text.len().min(26)];
    let service = [&b"\x09\x15\x02\x00\x12\x03\x00"[..], &[b'<'; 16]].concat();
    page_of(
        text,
        [
            (0, Received, advertised([1; 6], octets, -40)),
            (1, Received, connected(1, [1; 6])),
            (2, Sent, att(1, b"\x08\x01\x00\xFF\xFF\x03\x28")),
            (3, Received, att(1, &service)),
            (4, Sent, att(1, b"\x0A\x03\x00")),
            (5, Received, att(1, &[b"\x0B", text.as_bytes()].concat())),
            (6, Received, att(1, &[b"\x1B\x03\x00", text.as_bytes()].concat())),
            (7, Sent, att(1, b"\x0A\x03\x00")),
            (8, Received, att(1, b"\x01\x0A\x03\x00\x80")),
            (9, Received, disconnected(1, 0x08)),
        ],
    )
}

#[test]
fn nothing_received_becomes_markup() {
    let benign = session_of(&"a".repeat(26)).to_html();
    for hostile in [
        "</bdi><script>alert(1)</script>",
        "\" onmouseover=\"alert(1)\" x=\"",
        "' onload='alert(1)' y='    ",
        "<img src=//x/y onerror=z()> ",
        "--></style></title><svg/onl",
        "&lt;b&gt;&#60;script&#62;aaaa",
    ] {
        let html = session_of(hostile).to_html();
        assert_eq!(skeleton(&html), skeleton(&benign), "{hostile}");
        // Were it not escaped, that would be seen.
        let shown = html::Escaped(&hostile[..26]).to_string();
        assert!(html.contains(&shown), "{shown}");
        let raw = html.replace(&shown, &hostile[..26]);
        assert_eq!(skeleton(&raw) != skeleton(&html), hostile.contains('<'), "{hostile}");
    }
    let html = session_of("\u{202E}\u{2028}\u{2029}\u{200F}\u{7}\u{1B}[2Jaaaaaaaaaaaa").to_html();
    assert!(!html.contains(['\u{202E}', '\u{2028}', '\u{2029}', '\u{200F}', '\u{7}', '\u{1B}']));
    assert!(html.contains("\u{27E8}U+202E\u{27E9}"));
}

#[test]
fn the_page_loads_nothing() {
    let html = page_of_file(HEART_RATE).to_html();
    assert!(html.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;;"));
    let policy = html.find("Content-Security-Policy").expect("there");
    assert!(policy < html.find("<style>").expect("there"), "it holds for what stands behind it");
    for forbidden in
        ["http://", "https://", "src=", "href=", "url(", "@import", "fetch(", "XMLHttp", "import("]
    {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert_eq!(html.matches("<script").count(), 1);
    assert_eq!(html.matches("<style").count(), 1);
}

/// Captures with octets changed at random, times and lengths among them, from a fixed seed.
#[test]
fn a_damaged_capture_gives_a_page_or_an_error() {
    let three_links: &[u8] = include_bytes!("../../../captures/three_links.btsnoop");
    let (mut state, mut pages) = (1_u64, 0);
    for round in 0..150 {
        let mut file = [HEART_RATE, LONG_VALUES, three_links][round % 3].to_vec();
        for _ in 0..1 + round % 12 {
            // Knuth's MMIX: its upper bits are good enough to choose a place and an octet.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = usize::try_from(state >> 33).expect("31 bits") % file.len();
            file[place] = state.to_be_bytes()[4];
        }
        if let Ok((page, _)) = gather("damaged", &file[..]) {
            let html = page.to_html();
            assert!(html.ends_with("</html>\n") && html.len() < 2_000_000, "round {round}");
            pages += 1;
        }
    }
    assert!(pages > 100, "most are captures still: {pages}");
}

/// Everything that a capture can have many of, at once.
#[test]
fn pages_are_small_whatever_the_capture() {
    let values = (0..5_000_u64).map(|n| {
        let [a, b, ..] = n.to_le_bytes();
        (0, Received, att(0x0EFF, &[&[0x1B, a, b][..], &[b'"'; 60]].concat()))
    });
    let packets = (0..60_000_u64).flat_map(|n| {
        let [a, b, c, ..] = n.to_le_bytes();
        let handle = u16::try_from(n % 3_000).expect("small");
        let name = [b'"'; 26];
        [
            (n * 700, Received, advertised([a, b, c, 0, 0, 0], &name, -40)),
            (n * 700 + 1, Received, connected(handle, [a, b, c, 0, 0, 1])),
            (n * 700 + 2, Sent, att(handle, &[0x0A, a, b])),
            (n * 700 + 3, Received, att(handle, &[&[0x0B][..], &[b'"'; 60]].concat())),
            (n * 700 + 4, Received, att(handle, &[0x1B, a, b, 1])),
            (n * 700 + 5, Sent, att(handle, &[0x12, a, b, 1])),
            (n * 700 + 6, Received, att(handle, &[1, 0x12, a, b, 0x80 | (a & 0x1F)])),
            (n * 700 + 7, Sent, vec![1, a, b, 0]),
            (n * 700 + 8, Received, vec![4, 0x0E, 4, 1, a, b, 1]),
        ]
    });
    let page = page_of("many", values.chain(packets));
    assert!(page.facts.links.links.len() <= links::MOST && page.facts.devices.len() <= devices::MOST);
    let html = page.to_html();
    assert!(html.len() < 2_000_000, "{} octets", html.len());
    for text in [
        "are not shown, for there are too many",
        "PDUs with further servers",
        "values are not kept",
        "Only the first 2,000 attributes",
    ] {
        assert!(html.contains(text), "{text}");
    }
}
