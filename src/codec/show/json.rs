//! JSON, in one line without spaces.

use super::{ListHead, Show, ShowOctets, digits};
use crate::{BdAddr, Uuid};

/// Largest number that every reader of JSON keeps exactly.
const EXACT: u64 = 1 << 53;

/// Writes one JSON value: a structure is an object with its fields' names, a list an array.
///
/// - A number with names is `{"value":5,"name":"Authentication Failure"}`; the name is `null` when it has none. One
///   whose bits have names is `{"value":6,"bits":["general discoverable","BR/EDR not supported"]}`.
/// - Handles and masks are numbers too, but those of 8 octets are text, `"0x2000800002008890"`: many readers keep
///   only 53 bits.
/// - Times are in the units of their field.
/// - Octets are hexadecimal text, addresses are text, a UUID is `{"uuid":"<128 bits>","name":"Battery Level"}`, key
///   material is `"<secret>"`.
/// - What a table tells apart has its `code` and `name` before its fields.
/// - An array is as long as was announced: items that are not there are `null`. With a mask that announced them it is
///   `{"mask":5,"items":[…]}`.
///
/// ```
/// use baretooth::codec::show::{Json, Show};
/// let mut out = Vec::new();
/// let mut json = Json::new(&mut out);
/// json.begin();
/// json.field("status");
/// json.named(0x05, 1, Some("Authentication Failure"));
/// json.field("connection_handle");
/// json.hex(0x0040, 2);
/// json.end();
/// assert_eq!(out, br#"{"status":{"value":5,"name":"Authentication Failure"},"connection_handle":64}"#);
/// ```
#[derive(Debug)]
pub struct Json<'o> {
    out: &'o mut Vec<u8>,
    /// Nothing stands yet in the object or array that is open.
    first: bool,
    advertising: Option<ShowOctets>,
}

impl<'o> Json<'o> {
    /// Appends to `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, first: true, advertising: None }
    }

    /// Shows advertising data by `read` rather than as octets.
    #[must_use]
    pub fn advertising(self, read: ShowOctets) -> Self {
        Self { advertising: Some(read), ..self }
    }

    /// A time in seconds, with six digits: what is less than a microsecond is dropped.
    pub fn seconds(&mut self, nanos: i64) {
        digits::seconds(self.out, nanos);
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn name_or_null(&mut self, name: Option<&str>) {
        match name {
            Some(name) => self.text(name),
            None => self.push("null"),
        }
    }
}

impl Show for Json<'_> {
    fn number(&mut self, value: i64) {
        digits::decimal(self.out, value);
    }

    fn hex(&mut self, value: u64, octets: usize) {
        if octets < 8 && value < EXACT {
            digits::unsigned(self.out, value);
        } else {
            self.out.push(b'"');
            digits::hex(self.out, value, octets);
            self.out.push(b'"');
        }
    }

    fn named(&mut self, value: u64, octets: usize, name: Option<&str>) {
        self.push(r#"{"value":"#);
        self.hex(value, octets);
        self.push(r#","name":"#);
        self.name_or_null(name);
        self.out.push(b'}');
    }

    fn labelled(&mut self, value: u64, octets: Option<usize>, meaning: Option<&str>) {
        self.named(value, octets.unwrap_or_default(), meaning);
    }

    fn bits(&mut self, value: u64, octets: usize, names: &[&str]) {
        self.push(r#"{"value":"#);
        self.hex(value, octets);
        self.push(r#","bits":["#);
        self.first = true;
        for name in super::set_bits(value, names) {
            self.separate();
            match name {
                Ok(name) => self.text(name),
                Err(bit) => digits::unsigned(self.out, bit.into()),
            }
        }
        self.push("]}");
        self.first = false;
    }

    fn time(&mut self, value: u32, _microseconds: u64) {
        digits::unsigned(self.out, value.into());
    }

    fn address(&mut self, address: BdAddr) {
        self.out.push(b'"');
        digits::address(self.out, address);
        self.out.push(b'"');
    }

    fn uuid(&mut self, uuid: Uuid, name: Option<&str>) {
        self.push(r#"{"uuid":""#);
        digits::long_uuid(self.out, uuid);
        self.push(r#"","name":"#);
        self.name_or_null(name);
        self.out.push(b'}');
    }

    fn text(&mut self, text: &str) {
        escaped(self.out, text);
    }

    fn octets(&mut self, octets: &[u8]) {
        self.out.push(b'"');
        digits::octets(self.out, octets);
        self.out.push(b'"');
    }

    fn advertising_data(&mut self, octets: &[u8]) {
        match self.advertising {
            Some(show) => show(octets, self),
            None => self.octets(octets),
        }
    }

    fn secret(&mut self) {
        self.push(r#""<secret>""#);
    }

    fn begin(&mut self) {
        self.out.push(b'{');
        self.first = true;
    }

    fn begin_named(&mut self, _kind: &str, code: u64, octets: usize, name: Option<&str>) {
        self.push(r#"{"code":"#);
        self.hex(code, octets);
        self.push(r#","name":"#);
        self.name_or_null(name);
        self.first = false;
    }

    fn field(&mut self, name: &'static str) {
        self.separate();
        self.out.push(b'"');
        self.push(name); // an identifier of the specification: nothing to escape
        self.push("\":");
    }

    fn end(&mut self) {
        self.out.push(b'}');
        self.first = false;
    }

    fn begin_list(&mut self, list: ListHead) {
        if let Some(mask) = list.mask {
            self.push(r#"{"mask":"#);
            digits::unsigned(self.out, mask.into());
            self.push(r#","items":"#);
        }
        self.out.push(b'[');
        self.first = true;
    }

    fn item(&mut self, _index: usize) {
        self.separate();
    }

    fn end_list(&mut self, list: ListHead, there: usize) {
        for _ in there..list.announced.unwrap_or(there) {
            self.separate();
            self.push("null");
        }
        self.out.push(b']');
        if list.mask.is_some() {
            self.out.push(b'}');
        }
        self.first = false;
    }
}

/// The text as a JSON string. Beside what JSON asks for, what could act on a terminal is escaped.
fn escaped(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\') {
        out.extend_from_slice(text.as_bytes());
    } else {
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend_from_slice(&[b'\\', if c == '"' { b'"' } else { b'\\' }]),
                '\n' => out.extend_from_slice(b"\\n"),
                '\t' => out.extend_from_slice(b"\\t"),
                c if acts(c) => digits::formatted(out, format_args!("\\u{:04x}", u32::from(c))),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    out.push(b'"');
}

/// Whether it is a control character, breaks a line, or turns the direction of text; all are below U+10000.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
