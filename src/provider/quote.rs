//! An issuer's words in our messages: without our secret, without anything that a terminal or a log would act on.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::body::{self, Sent};
use crate::credential::Credential;

/// The longest quotation, in characters after escaping.
const MAX_QUOTE: usize = 200;

/// A run of this many characters without a space is a token, a hash or a path, and tells a person nothing. Request
/// numbers (a UUID has 36) are shorter and do tell something.
const MAX_WORD: usize = 48;

/// What is said about an issuer's words: quoted, escaped, shortened, and with every copy of the secret taken out,
/// since an issuer may answer with what it was sent.
pub(super) fn quote(text: &str, credential: &Credential) -> String {
    let secret = credential.client_secret.expose();
    let mut clean = without(text, secret);
    for spelling in body::spellings(
        &credential.client_id,
        Sent::Secret(&credential.client_secret),
    ) {
        clean = without(&clean, std::str::from_utf8(&spelling).unwrap_or(secret));
    }
    escape(&without_long_words(&clean))
}

/// Without the needle in upper or lower case: host names, for one, change the case.
fn without(text: &str, needle: &str) -> Zeroizing<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let head = rest.get(..needle.len()).filter(|head| !head.is_empty());
        if head.is_some_and(|head| head.eq_ignore_ascii_case(needle)) {
            out.push_str("[secret]");
            rest = rest.get(needle.len()..).unwrap_or_default();
        } else {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    Zeroizing::new(out)
}

fn without_long_words(text: &str) -> String {
    text.split(' ')
        .map(|word| {
            if word.len() > MAX_WORD {
                "[long word]"
            } else {
                word
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Printable ASCII as it is, the rest as `\x1b` or `\u{202e}`: escape sequences and reversed text reach nobody.
fn escape(text: &str) -> String {
    let mut out = String::from("\"");
    let mut len = 0;
    for c in text.chars() {
        let start = out.len();
        // Writing to a string cannot fail.
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            ' '..='~' => write!(out, "{c}"),
            '\0'..='\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
            _ => write!(out, "\\u{{{:x}}}", u32::from(c)),
        };
        len += out.len() - start;
        if len > MAX_QUOTE {
            out.truncate(start);
            out.push_str("...");
            break;
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, secret: &str) -> String {
        quote(text, &Credential::parse("id", secret).unwrap())
    }

    #[test]
    fn only_printable_ascii_is_quoted() {
        for (text, quoted) in [
            ("", r#""""#),
            (
                "Client authentication failed",
                r#""Client authentication failed""#,
            ),
            ("a\x1b[31m\r\n\0\x7f", r#""a\x1b[31m\x0d\x0a\x00\x7f""#),
            ("\u{202e}b\u{e9}\u{2028}", r#""\u{202e}b\u{e9}\u{2028}""#),
            (r#"say "x" \n"#, r#""say \"x\" \\n""#),
        ] {
            assert_eq!(said(text, "canary-secret"), quoted);
        }
    }

    #[test]
    fn a_quotation_has_an_end() {
        let long = said(&"a ".repeat(500), "canary-secret");
        assert!(long.len() <= MAX_QUOTE + 5 && long.ends_with("...\""));
        let wide = said(&"\u{202e} ".repeat(500), "canary-secret");
        assert!(wide.len() <= MAX_QUOTE + 5 && wide.ends_with("...\""));
    }

    #[test]
    fn the_secret_is_taken_out_in_each_form_in_which_it_was_sent() {
        let secret = "Can&ary+se%cret \"\\";
        for echo in [
            "Can&ary+se%cret \"\\",
            "x Can&ary+se%cret \"\\Can&ary+se%cret \"\\ y",
            "client_secret=Can%26ary%2Bse%25cret+%22%5C&x",
            r#"got {"clientSecret":"Can&ary+se%cret \"\\"}"#,
            "bad header: Basic aWQ6Q2FuJTI2YXJ5JTJCc2UlMjVjcmV0KyUyMiU1Qw==",
            "CAN&ARY+SE%CRET \"\\",
            "\u{e9}can%26ary%2bse%25cret+%22%5c",
        ] {
            let said = said(echo, secret);
            assert!(
                said.contains("[secret]")
                    && !said.to_lowercase().contains("ary")
                    && !said.contains("YXJ5"),
                "{said}"
            );
        }
        assert_eq!(
            said(
                "a token eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3MDAwMDM2MDB9.c2lnbmF0dXJl",
                "x-secret"
            ),
            r#""a token [long word]""#
        );
    }
}
