//! Every field on a line of its own, indented by two spaces for each level.

use super::{ListHead, Show, ShowOctets, digits};
use crate::{BdAddr, Uuid};

/// Longest run of octets that stands behind its name; a longer one has rows of its own.
const INLINE: usize = 32;
/// Octets of a row.
const ROW: usize = 16;

/// Writes a tree, to stand below a line that says what it is of: every field begins a new line, and the last one
/// ends without a line break.
///
/// ```
/// use baretooth::codec::show::{Show, Tree};
/// let mut out = b"LE Connection Complete".to_vec();
/// let mut tree = Tree::new(&mut out, 1);
/// tree.begin();
/// tree.field("status");
/// tree.named(0x05, 1, Some("Authentication Failure"));
/// tree.field("connection_handle");
/// tree.hex(0x0040, 2);
/// tree.end();
/// assert_eq!(
///     String::from_utf8_lossy(&out),
///     "LE Connection Complete\n  status: 0x05 (Authentication Failure)\n  connection_handle: 0x0040"
/// );
/// ```
#[derive(Debug)]
pub struct Tree<'o> {
    out: &'o mut Vec<u8>,
    /// Columns of the fields that come next.
    indent: usize,
    /// What stands before the value that comes next.
    before: Before,
    /// By how many columns each structure that is open stands deeper, four bits for each, the innermost lowest. The
    /// types of the fields limit the depth; from the 16th level on only the indentation would be wrong.
    steps: u64,
    advertising: Option<ShowOctets>,
}

#[derive(Clone, Copy, Debug)]
enum Before {
    /// Nothing: the tree begins.
    Nothing,
    /// The name of a field.
    Name,
    /// This item of a list is expected.
    Item(usize),
    /// The number of an item that is a structure: its first field stays on the line.
    Number,
    /// What a table tells apart: its body stays on the line.
    Title,
}

/// Columns of a level.
const STEP: u8 = 2;
/// Columns of `#0  `, what stands before an item that is a structure.
const NUMBER: u8 = 4;

impl<'o> Tree<'o> {
    /// Appends to `out`; `level` is how deep the first fields stand.
    pub fn new(out: &'o mut Vec<u8>, level: usize) -> Self {
        Self { out, indent: usize::from(STEP) * level, before: Before::Nothing, steps: 0, advertising: None }
    }

    /// Shows advertising data by `read` rather than as octets.
    #[must_use]
    pub fn advertising(self, read: ShowOctets) -> Self {
        Self { advertising: Some(read), ..self }
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn new_line(&mut self, columns: usize) {
        self.out.push(b'\n');
        self.out.resize(self.out.len() + columns, b' ');
    }

    /// What separates a value on one line from what stands before it.
    fn separate(&mut self) {
        match std::mem::replace(&mut self.before, Before::Name) {
            Before::Nothing | Before::Number | Before::Title => {}
            Before::Name | Before::Item(0) => self.out.push(b' '),
            Before::Item(_) => self.push(", "),
        }
    }

    fn in_parentheses(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.push(" (");
            self.push(name);
            self.out.push(b')');
        }
    }

    /// The levels that fields of a structure stand deeper than what it belongs to.
    fn deepen(&mut self, before: Before) {
        let step: u8 = match before {
            Before::Nothing => 0,
            Before::Item(_) => NUMBER,
            Before::Name | Before::Number | Before::Title => STEP,
        };
        self.steps = self.steps << 4 | u64::from(step);
        self.indent += usize::from(step);
    }

    fn begin_item(&mut self, index: usize) {
        self.new_line(self.indent);
        let start = self.out.len();
        self.out.push(b'#');
        digits::unsigned(self.out, u64::try_from(index).unwrap_or(u64::MAX));
        self.out.push(b' ');
        self.out.resize(self.out.len().max(start + usize::from(NUMBER)), b' ');
    }
}

impl Show for Tree<'_> {
    fn number(&mut self, value: i64) {
        self.separate();
        digits::decimal(self.out, value);
    }

    fn hex(&mut self, value: u64, octets: usize) {
        self.separate();
        digits::hex(self.out, value, octets);
    }

    fn named(&mut self, value: u64, octets: usize, name: Option<&str>) {
        self.hex(value, octets);
        self.in_parentheses(name);
    }

    fn labelled(&mut self, value: u64, octets: Option<usize>, meaning: Option<&str>) {
        self.separate();
        match octets {
            Some(octets) => digits::hex(self.out, value, octets),
            None => digits::unsigned(self.out, value),
        }
        self.in_parentheses(meaning);
    }

    fn bits(&mut self, value: u64, octets: usize, names: &[&str]) {
        self.hex(value, octets);
        let mut separator = " (";
        for name in super::set_bits(value, names) {
            self.push(separator);
            match name {
                Ok(name) => self.push(name),
                Err(bit) => {
                    self.push("bit ");
                    digits::unsigned(self.out, bit.into());
                }
            }
            separator = ", ";
        }
        if value != 0 {
            self.out.push(b')');
        }
    }

    fn time(&mut self, value: u32, microseconds: u64) {
        self.number(value.into());
        self.push(" (");
        digits::time(self.out, microseconds);
        self.out.push(b')');
    }

    fn address(&mut self, address: BdAddr) {
        self.separate();
        digits::address(self.out, address);
    }

    fn uuid(&mut self, uuid: Uuid, name: Option<&str>) {
        self.separate();
        digits::uuid(self.out, uuid);
        self.in_parentheses(name);
    }

    fn text(&mut self, text: &str) {
        self.separate();
        digits::quoted(self.out, text);
    }

    fn octets(&mut self, octets: &[u8]) {
        self.separate();
        if octets.is_empty() {
            self.push("(empty)");
        } else if octets.len() <= INLINE {
            digits::octets(self.out, octets);
        } else {
            digits::unsigned(self.out, u64::try_from(octets.len()).unwrap_or(u64::MAX));
            self.push(" octets");
            for part in octets.chunks(ROW) {
                self.new_line(self.indent + usize::from(STEP));
                row(self.out, part);
            }
        }
    }

    fn advertising_data(&mut self, octets: &[u8]) {
        match self.advertising {
            Some(show) => show(octets, self),
            None => self.octets(octets),
        }
    }

    fn secret(&mut self) {
        self.separate();
        self.push("<secret>");
    }

    fn begin(&mut self) {
        let before = self.before;
        if let Before::Item(index) = before {
            self.begin_item(index);
            self.before = Before::Number;
        }
        self.deepen(before);
    }

    fn begin_named(&mut self, kind: &str, code: u64, octets: usize, name: Option<&str>) {
        let before = self.before;
        match before {
            Before::Item(index) => self.begin_item(index),
            Before::Name => self.out.push(b' '),
            Before::Nothing | Before::Number | Before::Title => {}
        }
        self.push(name.unwrap_or(kind));
        self.push(" (");
        digits::hex(self.out, code, octets);
        self.out.push(b')');
        self.before = Before::Title;
        self.deepen(before);
    }

    fn body(&mut self, name: &'static str) {
        if matches!(self.before, Before::Title) {
            self.out.push(b':');
            self.before = Before::Name;
        } else {
            self.field(name);
        }
    }

    fn field(&mut self, name: &'static str) {
        if !matches!(self.before, Before::Number) {
            self.new_line(self.indent);
        }
        self.push(name);
        self.out.push(b':');
        self.before = Before::Name;
    }

    fn end(&mut self) {
        self.indent = self.indent.saturating_sub(usize::try_from(self.steps & 0xF).unwrap_or_default());
        self.steps >>= 4;
        self.before = if self.steps == 0 { Before::Nothing } else { Before::Name };
    }

    fn begin_list(&mut self, list: ListHead) {
        if let Some(mask) = list.mask {
            self.separate();
            digits::hex(self.out, mask.into(), 1);
        }
        self.indent += usize::from(STEP);
    }

    fn item(&mut self, index: usize) {
        self.before = Before::Item(index);
    }

    fn end_list(&mut self, list: ListHead, there: usize) {
        if there == 0 {
            self.push(" none");
        }
        if let Some(announced) = list.broken(there) {
            self.new_line(self.indent);
            self.push("malformed: ");
            digits::unsigned(self.out, u64::try_from(announced).unwrap_or(u64::MAX));
            self.push(" announced, ");
            digits::unsigned(self.out, u64::try_from(there).unwrap_or(u64::MAX));
            self.push(" there");
        }
        self.indent = self.indent.saturating_sub(STEP.into());
        self.before = Before::Name;
    }
}

/// `48 52 20 73 74 72 61 70  00 …  HR strap.`
fn row(out: &mut Vec<u8>, octets: &[u8]) {
    let start = out.len();
    for (n, octet) in octets.iter().enumerate() {
        digits::octets(out, &[*octet]);
        out.extend_from_slice(if n == ROW / 2 - 1 { b"  " } else { b" " });
    }
    out.resize(start + 3 * ROW + 2, b' ');
    out.extend(octets.iter().map(|octet| if matches!(octet, b' '..=b'~') { *octet } else { b'.' }));
}
