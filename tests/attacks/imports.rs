//! Secrets that break line protocols and the stores of other tools (CVE-2019-1020014, docker-credential-helpers #107):
//! each one is stored byte for byte, or refused with the reason.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use jetond::credential::ClientSecret;
use serde_json::Value;

use crate::support::TestEnv;

/// Returns whether this text is anywhere in a value.
fn has(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Array(all) => all.iter().any(|value| has(value, text)),
        Value::Object(all) => all.values().any(|value| has(value, text)),
        _ => false,
    }
}

#[test]
fn a_secret_is_kept_byte_for_byte_or_refused_with_the_reason() {
    const SECRET: &str = "import-canary-7c1d09be";
    let mut env = TestEnv::with_sandbox(3_600);
    env.forbid_secret("an imported secret", SECRET);
    let url = env.sandbox().url();
    let file = env.path("secret");
    let mut kept = 0;
    for (number, (before, after)) in [
        ("", ""),
        ("", "\n"),
        ("", "\r\n"),
        (" ", "\n"),
        ("", " \n"),
        ("\"\\", "'$`%&+=:@/\n"),
        ("", "\n\n"),
        ("\n", ""),
        ("", "\r"),
        ("", "\nmore\n"),
        ("", "\0"),
        ("\0", "\n"),
        ("", "\t\n"),
        ("", "\u{1b}[2J\n"),
        ("", "\u{7f}\n"),
        ("\u{feff}", "\n"),
        ("", "\u{e9}\n"),
        ("", "\u{2028}\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("{before}{SECRET}{after}");
        kept += u32::from(import(&env, &file, &url, text.as_bytes(), number));
    }
    // Spaces around a secret are refused with the reason, because they are rarely intended.
    assert_eq!(kept, 4, "printable characters are kept");
    let long = SECRET.repeat(4_096 / SECRET.len() + 1);
    let not_text = [SECRET.as_bytes(), b"\xff\xfe"].concat();
    for bytes in [long.as_bytes(), &not_text, b"", b"\n"] {
        assert!(!import(&env, &file, &url, bytes, 99));
    }
}

/// Enrols this secret. Returns whether it was stored, and asserts that it was then stored unchanged, except for one
/// line end.
fn import(env: &TestEnv, file: &std::path::Path, url: &str, bytes: &[u8], number: usize) -> bool {
    fs::write(file, bytes).unwrap();
    fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    let text = String::from_utf8_lossy(bytes);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = match line.len() < text.len() {
        true => line.strip_suffix('\r').unwrap_or(line),
        false => line,
    };
    if let Ok(secret) = ClientSecret::parse(line) {
        env.sandbox().set_secret(secret);
    }
    let profile = format!("p{number}");
    let path = file.to_str().unwrap();
    let add = env.jetond(&[
        "add",
        &profile,
        "--provider",
        "runai",
        "--url",
        url,
        "--client-id",
        "test-client",
        "--client-secret-file",
        path,
        "--store",
        "file",
    ]);
    if add.code == 0 {
        let record = fs::read_to_string(env.record(&profile)).unwrap();
        let record: Value = serde_json::from_str(&record).unwrap();
        assert!(has(&record, line), "{bytes:?}: another secret was kept");
        return true;
    }
    assert!([64, 78].contains(&add.code), "{bytes:?}: {add:?}");
    assert!(!env.record(&profile).exists(), "{bytes:?}");
    assert!(add.stderr.contains("secret"), "{bytes:?}: {add:?}");
    let acts = |c: char| c.is_control() && c != '\n';
    assert!(!add.stderr.contains(acts), "{bytes:?}: {add:?}");
    false
}
