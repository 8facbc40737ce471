//! Markup that what was received cannot break: text from the air gets into a page only through [`Escaped`].

use std::fmt::{self, Display, Write};

/// A page, or a part of one.
#[derive(Debug, Default)]
pub struct Html(pub String);

/// Appends markup: `put!(html, "<td>{}</td>", name)`. The literal is markup, every argument is text and is escaped.
///
/// The literal goes through `concat!`, so that the compiler refuses `{name}` in it: that would not be escaped.
macro_rules! put {
    ($html:expr, $markup:literal $(, $text:expr)* $(,)?) => {{
        use std::fmt::Write;
        let _ = write!($html.0, concat!($markup) $(, $crate::report::html::Escaped(&$text))*);
    }};
}
pub(super) use put;

/// Text as it may stand between tags and in a quoted attribute. What would turn the direction of writing, break lines
/// or hide is shown by its number.
pub struct Escaped<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

struct Escaper<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = text;
        while let Some(at) = plain.find(is_special) {
            let (before, rest) = plain.split_at(at);
            self.0.write_str(before)?;
            let mut chars = rest.chars();
            match chars.next() {
                Some('&') => self.0.write_str("&amp;")?,
                Some('<') => self.0.write_str("&lt;")?,
                Some('>') => self.0.write_str("&gt;")?,
                Some('"') => self.0.write_str("&quot;")?,
                Some('\'') => self.0.write_str("&#39;")?,
                Some('\t' | '\n' | '\r') => self.0.write_char(' ')?,
                Some(other) => write!(self.0, "\u{27E8}U+{:04X}\u{27E9}", u32::from(other))?,
                None => {}
            }
            plain = chars.as_str();
        }
        self.0.write_str(plain)
    }
}

fn is_special(c: char) -> bool {
    matches!(c,
        '&' | '<' | '>' | '"' | '\''
        // Controls; soft hyphen; marks, embeddings and isolates of direction; line and paragraph separators; what has
        // no width; variation and language tags; what is no character.
        | '\0'..='\x1F' | '\x7F'..='\u{9F}' | '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
        | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{FFFE}' | '\u{FFFF}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</td><script>alert('1')</script>\" onload=\"x &amp; \u{2028}\u{202E}\0\u{85}";

    #[test]
    fn what_was_received_stays_text() {
        let mut html = Html::default();
        put!(html, "<td title=\"{}\">{}</td>", HOSTILE, HOSTILE);
        let inside = html.0.strip_prefix("<td title=\"").and_then(|html| html.strip_suffix("</td>"));
        let (attribute, text) = inside.and_then(|html| html.split_once("\">")).expect("one element");
        for shown in [attribute, text] {
            assert!(
                !shown.contains(['<', '>', '"', '\'', '\u{2028}', '\u{202E}', '\0', '\u{85}']),
                "{shown}"
            );
            assert!(shown.contains("&lt;script&gt;") && shown.contains("&amp;amp;"), "{shown}");
            assert!(
                shown.ends_with(
                    "\u{27E8}U+2028\u{27E9}\u{27E8}U+202E\u{27E9}\u{27E8}U+0000\u{27E9}\u{27E8}U+0085\u{27E9}"
                ),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_people_write_is_left_alone() {
        for text in ["HR strap", "Größe 3", "温度计", "שלום", "🎧 ears"] {
            assert_eq!(Escaped(text).to_string(), text);
        }
    }
}
