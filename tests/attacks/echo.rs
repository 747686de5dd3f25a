//! Issuers that repeat the secret or a token in an answer, encoded or in part: no part of it is printed or logged.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// A fragment of this many characters must not appear.
const RUN: usize = 8;

/// Returns the encodings in which an issuer may repeat a text. They consist of characters of the text only.
fn echoes(text: &str) -> Vec<String> {
    let each = |separator: &str, write: fn(u8) -> String| {
        let bytes: Vec<_> = text.bytes().map(write).collect();
        bytes.join(separator)
    };
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let json = json!(text).to_string();
    let mut all = vec![
        text.to_owned(),
        text.to_uppercase(),
        form.clone(),
        json[1..json.len() - 1].to_owned(),
        each("", |b| format!("{b:02x}")),
        each("", |b| format!("{b:02X}")),
        each(":", |b| format!("{b:02x}")),
        each(" ", |b| format!("{b:02X}")),
        each("", |b| format!("%{b:02X}")),
        each("", |b| format!("\\u{b:04x}")),
        each("", |b| format!("\\x{b:02x}")),
    ];
    for spelled in [text, &form] {
        for before in ["", "a", "ab", "test-client:"] {
            let whole = format!("{before}{spelled}");
            let from = (8 * before.len()).div_ceil(6);
            let to = 8 * whole.len() / 6;
            all.push(STANDARD.encode(&whole)[from..to].to_owned());
            all.push(URL_SAFE_NO_PAD.encode(&whole)[from..to].to_owned());
        }
    }
    all
}

/// Returns encodings that the program has no list of. They must not appear either.
fn rare_echoes(text: &str) -> Vec<String> {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bit = |n: usize| {
        text.as_bytes()
            .get(n / 8)
            .map_or(0, |b| (b >> (7 - n % 8)) & 1)
    };
    let digit = |n: usize| (0..5).fold(0, |value, i| (value << 1) | bit(5 * n + i));
    let digits = (0..(8 * text.len()).div_ceil(5)).map(|n| BASE32[usize::from(digit(n))]);
    let base32: String = digits.map(char::from).collect();
    let each = |separator: &str| {
        let bytes: Vec<_> = text.bytes().map(|b| b.to_string()).collect();
        bytes.join(separator)
    };
    let ascii85 = |group: &[u8]| {
        let mut number =
            group.iter().fold(0, |n, b| n * 256 + u64::from(*b)) << (8 * (4 - group.len()));
        let mut out = [0; 5].map(|_: u8| {
            let digit = u8::try_from(number % 85).unwrap();
            number /= 85;
            char::from(b'!' + digit)
        });
        out.reverse();
        out[..=group.len()].iter().collect::<String>()
    };
    vec![
        base32.to_lowercase(),
        base32,
        text.as_bytes().chunks(4).map(ascii85).collect(),
        each(" "),
        each(","),
        STANDARD.encode(STANDARD.encode(text)),
        text.chars().rev().collect(),
    ]
}

/// Returns answers that repeat the text: each encoding in full, and then a fragment of each, in answers that are quoted
/// in full.
fn answers(text: &str) -> Vec<String> {
    let all = echoes(text);
    let part = |(i, echo): (usize, &String)| {
        let from = (7 * i) % (echo.len() - RUN);
        echo[from..(from + RUN + i % 5).min(echo.len())].to_owned()
    };
    let parts: Vec<_> = all.iter().enumerate().map(part).collect();
    let mut answers = vec![];
    for chunk in all.chunks(5).chain(parts.chunks(9)) {
        answers.push(chunk.join(" | "));
    }
    answers
}

/// Fails if a fragment of the text is in the output, in any encoding.
fn assert_no_fragment(text: &str, what: &str, out: &str) {
    let folded = out.to_lowercase();
    for echo in echoes(text) {
        let echo = echo.to_lowercase();
        for part in echo.as_bytes().windows(RUN) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(
                !folded.contains(part),
                "{part:?} of {echo:?} in {what}: {out}"
            );
        }
    }
}

/// Makes the issuer fail with this answer, and returns what the daemon reports.
fn reported(env: &TestEnv, daemon: &Daemon, answer: &str) -> String {
    let count = || {
        let status = env.get(daemon, "/v1/profiles/research").json();
        status["counts"]["failures"].as_u64().unwrap()
    };
    let before = count();
    env.fault(answer);
    let _ = env.jeton(&["refresh", "research"]);
    wait_until("another attempt to fail", || count() > before);
    let mut out = String::new();
    for args in [
        &["status"][..],
        &["status", "research"],
        &["status", "--json"],
        &["token", "research", "--min-valid", "590", "--max-wait", "0"],
    ] {
        let asked = env.jeton(args);
        out += &asked.stderr;
        if args[0] == "status" {
            out += &asked.stdout;
        }
    }
    out + &env.get(daemon, "/v1/profiles/research").text()
}

#[test]
fn no_program_prints_a_secret_in_any_encoding() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let secret = env.secret().to_owned();
    for (i, said) in answers(&secret).iter().enumerate() {
        let body = match i % 3 {
            0 => json!({"error": "invalid_client", "error_description": said}),
            1 => json!({"code": 401, "message": said}),
            _ => json!({"error": said}),
        };
        let status = [400, 401, 503, 429, 418][i % 5];
        env.fault(&format!("answer:{status}:{body}"));
        let added = env.try_enrol_at("another", &env.sandbox().url());
        assert_ne!(added.code, 0, "{added:?}");
        let out = added.stdout + &added.stderr;
        assert!(out.contains("[secret]"), "{out}");
        assert_no_fragment(&secret, "the output of add", &out);
    }
    for echo in rare_echoes(&secret) {
        let said = format!("Client authentication failed: {echo}");
        let body = json!({"error": "invalid_client", "error_description": said});
        env.fault(&format!("answer:401:{body}"));
        let added = env.try_enrol_at("another", &env.sandbox().url());
        let out = added.stdout + &added.stderr;
        let told = "invalid_client: Client authentication failed: [...]";
        assert!(out.contains(told), "{out}");
        let parts = echo.as_bytes().windows(RUN);
        let mut parts = parts.map(|part| std::str::from_utf8(part).unwrap());
        assert!(!parts.any(|part| out.contains(part)), "{echo}: {out}");
    }
    env.fault("none");
    let mut daemon = env.start();
    let _ = env.token(&daemon, "research");
    for said in [
        &echoes(&secret)[4..7].join(" "),
        &echoes(&secret)[12][2..20],
    ] {
        let body = json!({"message": said});
        let out = reported(&env, &daemon, &format!("answer:503:{body}"));
        assert!(out.contains("[secret]"), "{out}");
        assert_no_fragment(&secret, "what the companion prints", &out);
    }
    // Also in the address of a redirect.
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    let host = &hex[..40];
    let out = reported(
        &env,
        &daemon,
        &format!("redirect:307:http://{host}.invalid/"),
    );
    assert!(out.contains("redirect (307) to"), "{out}");
    assert_no_fragment(&secret, "what the companion prints", &out);
    for args in [&["check"][..], &["doctor"]] {
        let asked = env.jetond(args);
        assert_no_fragment(
            &secret,
            "a command's output",
            &(asked.stdout + &asked.stderr),
        );
    }
    env.stop(&mut daemon);
    assert_no_fragment(&secret, "the log", &daemon.log());
}

#[test]
fn a_token_in_any_encoding_appears_only_where_requested() {
    let token = "opaque-T0ken+of/the_issuer~51";
    let mut env = TestEnv::with_sandbox(600);
    env.forbid_token(token);
    let raw = json!({"access_token": token, "token_type": "Bearer", "expires_in": 600});
    env.fault(&format!("raw:{raw}"));
    env.enrol("research");
    let mut daemon = env.start();
    assert_eq!(env.token(&daemon, "research"), token);
    let all = echoes(token);
    let body = json!({"message": all[4..8].join(" | ")});
    let out = reported(&env, &daemon, &format!("answer:503:{body}"));
    assert!(out.contains("[...]"), "{out}");
    assert_no_fragment(token, "what the companion prints", &out);
    let parts: Vec<_> = all.iter().map(|echo| &echo[3..14]).collect();
    let body = json!({"error": "x", "error_description": parts[..12].join(" ")});
    let out = reported(&env, &daemon, &format!("answer:400:{body}"));
    assert!(out.contains("[...]"), "{out}");
    assert_no_fragment(token, "what the companion prints", &out);
    // A token that is in the same answer, and that the daemon has never held.
    let new = "another-0paque-token-77";
    env.forbid_token(new);
    let body = json!({"access_token": new, "error": format!("no place for {new}")});
    let out = reported(&env, &daemon, &format!("answer:200:{body}"));
    assert!(out.contains("no place for [token]"), "{out}");
    assert_no_fragment(new, "what the companion prints", &out);
    env.stop(&mut daemon);
    assert_no_fragment(token, "the log", &daemon.log());
    assert_no_fragment(new, "the log", &daemon.log());
}
