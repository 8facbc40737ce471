//! What a filter is typed as, and the errors that say where it went wrong and what would do.

use super::{Elapsed, Layer};
use crate::BdAddr;
use crate::capture::Direction;
use crate::gap::filter::Glob;
use crate::hci::ConnectionHandle;
use std::fmt::{self, Display};

/// Conditions and what joins them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Term(Term),
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

/// One condition; of its values one is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    Link(Vec<ConnectionHandle>),
    Address(Vec<BdAddr>),
    Layer(Vec<Layer>),
    Time(Vec<(Option<Elapsed>, Option<Elapsed>)>),
    Adapter(Vec<u16>),
    Direction(Vec<Direction>),
    Attribute(Vec<u16>),
    Name(Vec<Name>),
}

/// A pattern for names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    typed: String,
    glob: Glob,
}

/// A text that is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the filter makes no sense at character {at}, {found}: {expected}")]
pub struct FilterError {
    /// Which character of the text, counted from 1.
    pub at: usize,
    found: String,
    expected: String,
}

impl Expression {
    pub(super) fn holds(&self, term: &mut dyn FnMut(&Term) -> bool) -> bool {
        match self {
            Self::Term(of) => term(of),
            Self::Not(of) => !of.holds(term),
            Self::All(of) => of.iter().all(|of| of.holds(term)),
            Self::Any(of) => of.iter().any(|of| of.holds(term)),
        }
    }
}

/// Most parentheses and `not` that may stand inside each other.
const MOST_DEPTH: usize = 32;

const CONDITIONS: &str = "handle, address, layer, time, attribute, name, direction, adapter";

const LAYERS: [(&str, Layer); 11] = [
    ("att", Layer::Att),
    ("smp", Layer::Smp),
    ("l2cap", Layer::L2cap),
    ("adv", Layer::Advertising),
    ("command", Layer::Command),
    ("event", Layer::Event),
    ("hci", Layer::Hci),
    ("acl", Layer::Acl),
    ("sco", Layer::Sco),
    ("iso", Layer::Iso),
    ("note", Layer::Note),
];

const DIRECTIONS: [(&str, Direction); 2] = [("sent", Direction::Sent), ("received", Direction::Received)];

/// Reads a whole filter.
pub(super) fn parse(text: &str) -> Result<Expression, FilterError> {
    let mut parser = Parser { text, words: words(text), next: 0 };
    let expression = parser.any(0)?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(parser.error("\"and\" or \"or\" has to stand between conditions")),
    }
}

/// A name without what people do not remember: case, and what stands between its words.
pub(super) fn plain(name: &str) -> String {
    name.chars().map(|c| if matches!(c, '_' | '-') { ' ' } else { c.to_ascii_lowercase() }).collect()
}

impl Name {
    pub(super) fn matches(&self, name: &str) -> bool {
        self.glob.matches(name)
    }
}

/// Where each word begins, and the word: a parenthesis, or what stands between blanks and those.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| !c.is_whitespace()) {
        let (_, from) = rest.split_at(start);
        let is_end = |c: char| c.is_whitespace() || c == '(' || c == ')';
        let length = match from.find(is_end) {
            Some(0) => 1,
            Some(length) => length,
            None => from.len(),
        };
        let (word, behind) = from.split_at(length);
        words.push((text.len() - from.len(), word));
        rest = behind;
    }
    words
}

struct Parser<'t> {
    text: &'t str,
    words: Vec<(usize, &'t str)>,
    next: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let first = self.all(depth)?;
        let mut all = vec![first];
        while self.took("or") {
            all.push(self.all(depth)?);
        }
        Ok(one_or(all, Expression::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let first = self.one(depth)?;
        let mut all = vec![first];
        while self.took("and") {
            all.push(self.one(depth)?);
        }
        Ok(one_or(all, Expression::All))
    }

    fn one(&mut self, depth: usize) -> Result<Expression, FilterError> {
        if depth > MOST_DEPTH {
            return Err(self.error("that is too deep; write it with fewer parentheses"));
        }
        if self.took("not") {
            return self.one(depth + 1).map(|of| Expression::Not(Box::new(of)));
        }
        if self.took("(") {
            let inner = self.any(depth + 1)?;
            return match self.took(")") {
                true => Ok(inner),
                false => Err(self.error("\")\" has to close what \"(\" opened")),
            };
        }
        let Some(word) = self.peek() else {
            return Err(self.error("a condition has to stand here, such as layer=att"));
        };
        let Some((key, values)) = word.split_once('=') else {
            return Err(self.error(&format!("a condition is written {CONDITIONS}, each with = and a value")));
        };
        let term = self.term(key, values)?;
        self.next += 1;
        Ok(Expression::Term(term))
    }

    fn term(&self, key: &str, values: &str) -> Result<Term, FilterError> {
        Ok(match key {
            "handle" => {
                let handle = |text: &str| number(text).filter(|n| *n < 0x1000).map(ConnectionHandle);
                Term::Link(self.values(values, handle, "a link's handle is 0x0040 or 64, up to 0x0FFF")?)
            }
            "address" => {
                let address = |text: &str| text.parse().ok();
                Term::Address(self.values(
                    values,
                    address,
                    "an address is C0:BA:E7:70:00:01, without its type",
                )?)
            }
            "layer" => {
                let names: Vec<_> = LAYERS.iter().map(|(name, _)| *name).collect();
                let expected = format!("a layer is one of {}", names.join(", "));
                Term::Layer(self.values(values, |text| named(&LAYERS, text), &expected)?)
            }
            "time" => Term::Time(self.values(
                values,
                range,
                "a time is 1.5..2.75, 1.5.. or ..2.75, in seconds since the first record",
            )?),
            "attribute" => {
                Term::Attribute(self.values(values, number, "an attribute's handle is 0x0012 or 18")?)
            }
            "name" => Term::Name(self.values(values, name, "a name is LE_Set* or ATT_READ_REQ")?),
            "direction" => {
                let direction = |text: &str| named(&DIRECTIONS, text);
                Term::Direction(self.values(values, direction, "a direction is sent or received")?)
            }
            "adapter" => Term::Adapter(self.values(values, number, "an adapter is a number, such as 0")?),
            _ => return Err(self.error(&format!("there is no such condition; there are {CONDITIONS}"))),
        })
    }

    fn values<T>(
        &self,
        values: &str,
        parse: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Vec<T>, FilterError> {
        values.split(',').map(parse).collect::<Option<_>>().ok_or_else(|| self.error(expected))
    }

    fn peek(&self) -> Option<&'t str> {
        self.words.get(self.next).map(|(_, word)| *word)
    }

    fn took(&mut self, wanted: &str) -> bool {
        let took = self.peek().is_some_and(|word| word.eq_ignore_ascii_case(wanted));
        self.next += usize::from(took);
        took
    }

    /// At the next word, or at the end.
    fn error(&self, expected: &str) -> FilterError {
        let (from, found) = match self.words.get(self.next) {
            Some((from, word)) => (*from, format!("{word:?}")),
            None => (self.text.len(), "its end".to_owned()),
        };
        let before = self.text.get(..from).unwrap_or(self.text);
        FilterError { at: before.chars().count() + 1, found, expected: expected.to_owned() }
    }
}

fn one_or(mut of: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match of.pop() {
        Some(only) if of.is_empty() => only,
        last => {
            of.extend(last);
            join(of)
        }
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = |text: &str| !text.starts_with('+');
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u16::from_str_radix(hex, 16).ok().filter(|_| digits(hex)),
        None => text.parse().ok().filter(|_| digits(text)),
    }
}

fn named<T: Copy>(table: &[(&str, T)], text: &str) -> Option<T> {
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
}

fn name(text: &str) -> Option<Name> {
    (!text.is_empty()).then(|| Name { typed: text.to_owned(), glob: Glob::new(&plain(text)) })
}

fn range(text: &str) -> Option<(Option<Elapsed>, Option<Elapsed>)> {
    let (from, to) = text.split_once("..")?;
    let end = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    let (from, to) = (end(from)?, end(to)?);
    (from.is_some() || to.is_some()).then_some((from, to))
}

/// A text that is no number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is a number of seconds such as 12 or 1.25, with at most nine digits behind the point")]
pub struct ElapsedError;

impl std::str::FromStr for Elapsed {
    type Err = ElapsedError;
    fn from_str(text: &str) -> Result<Self, ElapsedError> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        if !all_digits(seconds) || !all_digits(fraction) || fraction.len() > 9 {
            return Err(ElapsedError);
        }
        let nanos: i64 = format!("{fraction:0<9}").parse().map_err(|_| ElapsedError)?;
        let seconds: i64 = seconds.parse().map_err(|_| ElapsedError)?;
        let whole = seconds.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(nanos));
        whole.map(|nanos| Self(sign * nanos)).ok_or(ElapsedError)
    }
}

impl Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, nanos) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        write!(f, "{sign}{}", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, of: &[Self], word: &str| {
            f.write_str("(")?;
            for (n, expression) in of.iter().enumerate() {
                write!(f, "{}{expression}", if n == 0 { "" } else { word })?;
            }
            f.write_str(")")
        };
        match self {
            Self::Term(term) => term.fmt(f),
            Self::Not(of) => write!(f, "not {of}"),
            Self::All(of) => joined(f, of, " and "),
            Self::Any(of) => joined(f, of, " or "),
        }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end: &Option<Elapsed>| end.map_or(String::new(), |end| end.to_string());
        let hex = |n: &u16| format!("0x{n:04X}");
        match self {
            Self::Link(of) => list(f, "handle", of, |handle| hex(&handle.0)),
            Self::Address(of) => list(f, "address", of, BdAddr::to_string),
            Self::Layer(of) => list(f, "layer", of, |layer| name_of(&LAYERS, layer)),
            Self::Time(of) => list(f, "time", of, |(from, to)| format!("{}..{}", end(from), end(to))),
            Self::Adapter(of) => list(f, "adapter", of, u16::to_string),
            Self::Direction(of) => list(f, "direction", of, |direction| name_of(&DIRECTIONS, direction)),
            Self::Attribute(of) => list(f, "attribute", of, hex),
            Self::Name(of) => list(f, "name", of, |name| name.typed.clone()),
        }
    }
}

fn list<T>(f: &mut fmt::Formatter<'_>, key: &str, values: &[T], text: impl Fn(&T) -> String) -> fmt::Result {
    let values: Vec<_> = values.iter().map(text).collect();
    write!(f, "{key}={}", values.join(","))
}

fn name_of<T: PartialEq>(table: &[(&str, T)], wanted: &T) -> String {
    table.iter().find(|(_, value)| value == wanted).map_or("", |(name, _)| name).to_owned()
}
