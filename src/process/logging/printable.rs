//! Escapes control characters, so that a terminal or a log does not act on them.
//!
//! Messages quote paths, arguments and the values of variables unchanged. A line end in one of them could forge another
//! message, and an escape sequence could move the cursor.

use std::borrow::Cow;

/// Returns the text in one line, with `\x1b` or `\u{202e}` for dangerous characters: control characters, and characters
/// that reorder or hide the text around them.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, acts, |code| match code {
        0..0x100 => format!("\\x{code:02x}"),
        code => format!("\\u{{{code:x}}}"),
    })
}

/// Escapes dangerous characters in the strings of a JSON text. JSON itself requires that only for some control
/// characters. Line ends stay.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    // All these characters have four hexadecimal digits.
    escaped(
        text,
        |c| acts(c) && c != '\n',
        |code| format!("\\u{code:04x}"),
    )
}

/// Works like [`printable`], but keeps the escape sequences that colour a line.
pub(super) fn printable_in_colour(text: &str) -> Cow<'_, str> {
    match text.contains('\x1b') {
        false => printable(text),
        true => {
            let parts: Vec<_> = text.split('\x1b').map(printable).collect();
            parts.join("\x1b").into()
        }
    }
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escaped(
    text: &str,
    acts: impl Fn(char) -> bool,
    escape: impl Fn(u32) -> String,
) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            out.push_str(&escape(u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_other_text_is_unchanged() {
        for (text, shown) in [
            ("", ""),
            ("/a b/\u{e9}\\x\u{1f600}", "/a b/\u{e9}\\x\u{1f600}"),
            ("a\nREADY=1\r\t\0", "a\\x0aREADY=1\\x0d\\x09\\x00"),
            ("\x1b]0;x\x07\x1b[2J\x7f", "\\x1b]0;x\\x07\\x1b[2J\\x7f"),
            ("\u{9b}2J\u{85}", "\\x9b2J\\x85"),
            (
                "\u{202e}x\u{2066}\u{200b}\u{2028}\u{feff}",
                "\\u{202e}x\\u{2066}\\u{200b}\\u{2028}\\u{feff}",
            ),
        ] {
            assert_eq!(printable(text), shown);
        }
        let json = serde_json::json!(["\x1b\n\u{9b}\u{7f}\u{202e}"]);
        let shown = printable_json(&serde_json::to_string_pretty(&json).unwrap()).into_owned();
        assert_eq!(shown, "[\n  \"\\u001b\\n\\u009b\\u007f\\u202e\"\n]");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            json
        );
        assert_eq!(printable_in_colour("\x1b[31mred\n"), "\x1b[31mred\\x0a");
    }
}
