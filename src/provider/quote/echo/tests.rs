use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;
use url::form_urlencoded::byte_serialize;

use super::*;

fn said(text: &str, secret: &str) -> String {
    let hidden = RedactedText {
        text: secret,
        client_id: Some("my-client"),
        label: "secret",
        even_short: true,
    };
    without(text, &[hidden]).to_string()
}

fn joined(secret: &str, separator: &str, write: fn(u8) -> String) -> String {
    let bytes: Vec<_> = secret.bytes().map(write).collect();
    bytes.join(separator)
}

/// Returns the spellings of an echo, written independently of the program.
fn echoes(secret: &str, before: &str, behind: &str) -> Vec<String> {
    let as_form: String = byte_serialize(secret.as_bytes()).collect();
    let as_json = serde_json::to_string(secret).unwrap();
    let as_json = as_json[1..as_json.len() - 1].to_owned();
    let json_in_json = serde_json::to_string(&as_json).unwrap();
    let as_header = secret.replace('%', "%25").replace('+', "%2B");
    let as_header = as_header.replace(' ', "%20");
    let lower = |b: u8| format!("{b:02x}");
    let upper = |b: u8| format!("{b:02X}");
    let mut all = vec![
        secret.to_owned(),
        secret.to_uppercase(),
        as_form.clone(),
        as_form.replace('+', "%20"),
        as_header.clone(),
        joined(secret, "", |b| format!("%{b:02X}")),
        joined(secret, "", |b| format!("%{b:02x}")),
        as_json.clone(),
        as_json.replace('/', "\\/"),
        json_in_json[1..json_in_json.len() - 1].to_owned(),
        joined(secret, "", |b| format!("\\u{b:04x}")),
        joined(secret, "", |b| format!("\\u{b:04X}")),
        joined(secret, "", |b| format!("\\x{b:02x}")),
        joined(secret, ", ", |b| format!("0x{b:02x}")),
    ];
    for separator in ["", ":", "-", " ", ",", ", "] {
        all.push(joined(secret, separator, lower));
        all.push(joined(secret, separator, upper));
    }
    for text in [secret, &as_form, &as_header, &as_json] {
        for before in [before, "my-client:"] {
            // The characters that depend on the text alone.
            let from = (8 * before.len()).div_ceil(6);
            let to = 8 * (before.len() + text.len()) / 6;
            let whole = format!("{before}{text}{behind}");
            all.push(STANDARD.encode(&whole)[from..to].to_owned());
            all.push(URL_SAFE.encode(&whole)[from..to].to_owned());
        }
    }
    all
}

fn no_part_is_left(said: &str, echo: &str) {
    let said = said.to_lowercase();
    let echo = echo.to_lowercase();
    let parts: Vec<_> = echo.as_bytes().windows(RUN).collect();
    for part in said.as_bytes().windows(RUN) {
        assert!(!parts.contains(&part), "{said} of {echo}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_part_of_an_echoed_secret_remains(
        secret in "[ -~]{8,60}",
        before in "[a-z:]{0,4}",
        behind in "[a-z&]{0,4}",
        which in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        len in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!secret.contains("secret"));
        let all = echoes(&secret, &before, &behind);
        let echo = which.get(&all);
        prop_assume!(echo.len() >= RUN);
        let from = from.index(echo.len() - RUN + 1);
        let cut = &echo[from..from + RUN + len.index(echo.len() - from - RUN + 1)];
        let text = format!("the request failed ({cut}) at 12:00");
        let said = said(&text, &secret);
        no_part_is_left(said.trim_start_matches("the request failed (").trim_end_matches(") at 12:00"), cut);
        prop_assert!(said.contains("[secret]"), "{}", said);
    }

    #[test]
    fn a_secret_in_mixed_escapes_is_removed(
        // A backslash or a percent sign in the secret would combine with the characters after it.
        secret in r"[!-$&-\[\]-~]{12,40}",
        choice in prop::collection::vec(0..5_u8, 40),
    ) {
        let mixed: String = secret.bytes().zip(choice).map(|(b, choice)| match choice {
            0 => format!("%{b:02x}"),
            1 => format!("\\u{b:04x}"),
            2 => format!("%25{b:02X}"),
            3 if b"\"/'".contains(&b) => format!("\\{}", char::from(b)),
            _ => char::from(b).to_string(),
        }).collect();
        let said = said(&format!("got {mixed} back"), &secret);
        prop_assert_eq!(said, "got [secret] back");
    }

    #[test]
    fn text_without_the_secret_is_unchanged(text in "[ -~\u{e9}\u{202e}]{0,80}", secret in "[a-f0-9]{32}") {
        prop_assert_eq!(said(&text, &secret), text);
    }
}

#[test]
fn an_echoed_basic_header_is_removed_completely() {
    for (secret, echo) in [
        ("a-long-secret", "bXktY2xpZW50OmEtbG9uZy1zZWNyZXQ="),
        // Shorter than a run.
        ("abc", "bXktY2xpZW50OmFiYw=="),
        ("a+c", "bXktY2xpZW50OmErYw=="),
        ("a+c", "bXktY2xpZW50OmElMkJj"),
    ] {
        assert_eq!(
            said(&format!("bad: Basic {echo}!"), secret),
            "bad: Basic [secret]!"
        );
        let wrapped = format!("{}\n{}", &echo[..10], &echo[10..]);
        assert!(!said(&wrapped, secret).contains(&echo[10..18]));
    }
}

#[test]
fn a_short_secret_is_removed_only_as_a_whole() {
    for (text, left) in [
        ("no abc12 here", "no [secret] here"),
        ("no 6162633132 here", "no [secret] here"),
        ("no %61bc12 here", "no [secret] here"),
        ("no abc1 here", "no abc1 here"),
    ] {
        assert_eq!(said(text, "abc12"), left);
    }
}

#[test]
fn two_redacted_texts_have_their_own_labels_and_long_text_is_truncated() {
    let hidden = |text, label| RedactedText {
        text,
        client_id: None,
        label,
        even_short: false,
    };
    let both = [
        hidden("secret-of-the-client", "secret"),
        hidden("t0ken-t0ken", "token"),
    ];
    let text = "(secret-of-the-client t0ken-t0ken) short: t0ken";
    assert_eq!(*without(text, &both), "([secret] [token]) short: t0ken");
    let long = "\u{e9}".repeat(MAX_TEXT);
    assert_eq!(without(&long, &both).len(), MAX_TEXT);
}
