//! Quotes an issuer's text in messages: without our secret, and without characters that a terminal or a log would act
//! on.
//!
//! Two filters are applied one after the other. First, everything that repeats a secret, in a spelling in which it may
//! have been sent, is replaced by a label ([`echo`]). Of the rest, only words that cannot carry a secret are kept
//! ([`readable`]), which also hides spellings that are not listed.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::fault::Fault;
use crate::token::AccessToken;
use echo::RedactedText;
use known::KnownWords;
use readable::readable;

mod address;
mod echo;
mod known;
mod readable;
mod shapes;
mod spellings;
mod views;
mod vocabulary;

/// The longest quotation, in characters after escaping.
const MAX_QUOTE: usize = 200;

/// The members of an answer that may hold a token.
pub(super) const TOKEN_MEMBERS: [&str; 6] = [
    "access_token",
    "accessToken",
    "refresh_token",
    "refreshToken",
    "id_token",
    "idToken",
];

/// Quotes an issuer's text: escaped, shortened, and without anything that repeats the secret or one of these tokens,
/// since an issuer may echo what it received or issued. `at` is the issuer's address, which the text may contain.
pub(super) fn quote(
    text: &str,
    at: &str,
    credential: &Credential,
    tokens: &[Zeroizing<String>],
) -> String {
    let mut hidden = vec![of_credential(credential, true)];
    hidden.extend(tokens.iter().map(|token| of_token(token)));
    let known = KnownWords::new(&[at, &credential.client_id]);
    escape(&readable(&echo::without(text, &hidden), &known))
}

/// Reports whether a text repeats the secret or one of these tokens, in part or in another spelling. Such a text must
/// not be shown.
pub(super) fn repeats(text: &str, credential: &Credential, tokens: &[Zeroizing<String>]) -> bool {
    let mut hidden = vec![of_credential(credential, true)];
    hidden.extend(tokens.iter().map(|token| of_token(token)));
    *echo::without(text, &hidden) != *text
}

/// Quotes an address that an issuer names, shortened; `None` if it has characters that no `http` or `https` address
/// has. Braces are accepted, since they mark placeholders. Afterwards, remove the secret from the whole sentence
/// ([`without_secret`]).
pub(super) fn quote_address(text: &str) -> Option<String> {
    let is_of_one = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%{}".contains(&b);
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))?;
    (!rest.is_empty() && text.bytes().all(is_of_one)).then(|| escape(text))
}

/// Quotes the text of an API: escaped, shortened, and without anything that repeats the token of the call or one of
/// these secrets.
pub fn quote_of_api(text: &str, token: &AccessToken, secrets: &[Zeroizing<String>]) -> String {
    let of_secret = |text| RedactedText {
        text,
        client_id: None,
        label: "secret",
        even_short: true,
    };
    let mut hidden = vec![of_token(token.expose())];
    hidden.extend(secrets.iter().map(|secret| of_secret(secret.as_str())));
    escape(&readable(
        &echo::without(text, &hidden),
        &KnownWords::new(&[]),
    ))
}

/// Removes everything from a fault's sentence that repeats the credential's secret. It is for sentences with texts of
/// an issuer that were read before this credential was sent.
pub(super) fn without_secret(mut fault: Fault, credential: &Credential) -> Fault {
    // Short secrets are not searched for: the sentence has words of ours, too.
    let hidden = of_credential(credential, false);
    fault.detail = echo::without(&fault.detail, &[hidden]).to_string();
    fault
}

/// Removes everything from a fault's sentence that repeats a token which the issuer issued before.
pub fn without_token(fault: &mut Fault, token: &AccessToken) {
    let clean = echo::without(&fault.detail, &[of_token(token.expose())]);
    if *clean != fault.detail {
        clean.as_str().clone_into(&mut fault.detail);
    }
}

fn of_credential(credential: &Credential, even_short: bool) -> RedactedText<'_> {
    RedactedText {
        text: credential.client_secret.expose(),
        client_id: Some(&credential.client_id),
        label: "secret",
        even_short,
    }
}

const fn of_token(text: &str) -> RedactedText<'_> {
    RedactedText {
        text,
        client_id: None,
        label: "token",
        even_short: false,
    }
}

/// Quotes a text: printable ASCII unchanged, the rest as `\x1b` or `\u{202e}`, so that no escape sequence or reversed
/// text is printed.
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
        let credential = Credential::parse("id", secret).unwrap();
        quote(text, "https://a.example", &credential, &[])
    }

    #[test]
    fn only_printable_ascii_is_quoted() {
        for (text, quoted) in [
            ("", r#""""#),
            (
                "Client authentication failed",
                r#""Client authentication failed""#,
            ),
            ("failed\x1b[31m\r\n\0\x7f", r#""failed [[...]""#),
            ("failed\u{202e} b\u{e9}\u{2028}now", r#""[...]""#),
            (r#"say "no" now"#, r#""say \"no\" now""#),
        ] {
            assert_eq!(said(text, "canary-secret"), quoted);
        }
    }

    #[test]
    fn a_quotation_is_limited_in_length() {
        let long = said(&"no ".repeat(500), "canary-secret");
        assert!(long.len() <= MAX_QUOTE + 5 && long.ends_with("...\""));
        let quotes = said(&"no\" ".repeat(500), "canary-secret");
        assert!(quotes.len() <= MAX_QUOTE + 5 && quotes.ends_with("...\""));
    }

    #[test]
    fn the_secret_is_removed_in_every_form_in_which_it_was_sent() {
        let secret = "Can&ary+se%cret \"\\";
        for echo in [
            "Can&ary+se%cret \"\\",
            "x Can&ary+se%cret \"\\Can&ary+se%cret \"\\ y",
            "client_secret=Can%26ary%2Bse%25cret+%22%5C&x",
            r#"got {"clientSecret":"Can&ary+se%cret \"\\"}"#,
            "bad header: Basic aWQ6Q2FuJTI2YXJ5JTJCc2UlMjVjcmV0KyUyMiU1Qw==",
            // In the encoding of a header, unchanged, and in base64 with another client ID.
            "got id:Can&ary%2Bse%25cret%20\"\\",
            "bad header: Basic aWQ6Q2FuJmFyeSUyQnNlJTI1Y3JldCUyMCJc",
            "bad header: Basic eHk6Q2FuJmFyeSUyQnNlJTI1Y3JldCUyMCJc",
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
            r#""a token [...]""#
        );
    }
}
