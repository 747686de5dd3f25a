//! The vendor's unmodified Python client against the sandbox, which it accepts as a control plane.

use serde_json::{Value, json};

use jetond::sandbox::Line;

use crate::support::TestEnv;
use crate::tools::{MissingProgram, Test, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("manages_access_keys", manages_access_keys),
    ("manages_user_applications", manages_user_applications),
    ("gets_a_token_from_2_18", gets_a_token_from_2_18),
    ("a_wrong_secret_is_refused", a_wrong_secret_is_refused),
];

/// Runs the client with keys of this kind, and returns its report.
fn run_and_report(env: &TestEnv, keys: &str, secret: &str) -> Result<Value, MissingProgram> {
    let mut command = env.command(python()?);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/runapy.py"
        ))
        .env("RUNAI_URL", env.sandbox().url())
        .env("RUNAI_KEYS", keys);
    let input = format!("test-client\n{secret}\n");
    let output = env.finish("runapy", command, input.as_bytes(), false);
    Ok(serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}")))
}

/// Gets a token, then lists, creates, renews and deletes a key. Checks the members of the answers.
fn manages(
    line: Line,
    keys: &str,
    created: &[&str],
    renewed: &[&str],
) -> Result<(), MissingProgram> {
    let env = TestEnv::with_line(line, 600);
    let saw = run_and_report(&env, keys, env.secret())?;
    let token = env.sandbox().issued().pop().unwrap();
    let wanted = json!({
        "client": "runapy",
        "token": {"length": token.len()},
        "list": {"status": 200, "names": ["first-key"]},
        "create": {"status": 201, "members": created},
        "list_after_create": {"status": 200, "names": ["first-key", "made-by-runapy"]},
        "regenerate": {"status": 200, "members": renewed},
        "delete": {"status": 204},
        "list_after_delete": {"status": 200, "names": ["first-key"]},
    });
    assert_eq!(saw, wanted, "{line}");
    Ok(())
}

fn manages_access_keys() -> Result<(), MissingProgram> {
    let created = ["clientId", "clientSecret", "createdAt", "id", "name"];
    manages(Line::V2_24, "access-keys", &created, &["clientSecret"])
}

fn manages_user_applications() -> Result<(), MissingProgram> {
    let old = ["clientId", "id", "name", "secret"];
    let newer = ["clientId", "createdAt", "id", "name", "secret"];
    manages(Line::V2_20, "user-applications", &old, &["secret"])?;
    manages(Line::V2_23, "user-applications", &newer, &["secret"])
}

/// Server line 2.18 has no keys of users yet. The client cannot parse the page that it returns for unknown paths.
fn gets_a_token_from_2_18() -> Result<(), MissingProgram> {
    let env = TestEnv::with_line(Line::V2_18, 600);
    let saw = run_and_report(&env, "user-applications", env.secret())?;
    let token = env.sandbox().issued().pop().unwrap();
    assert_eq!(saw["token"], json!({"length": token.len()}));
    assert_eq!(saw["list"]["failed"], "JSONDecodeError", "{saw}");
    Ok(())
}

fn a_wrong_secret_is_refused() -> Result<(), MissingProgram> {
    let env = TestEnv::with_line(Line::V2_24, 600);
    let saw = run_and_report(&env, "access-keys", "another")?;
    assert_eq!(
        saw,
        json!({"client": "runapy", "token": {"failed": "MaxRetryError"}})
    );
    // The client repeats a refused request three times. Jeton must not do that.
    assert_eq!(env.sandbox().requests().len(), 4);
    Ok(())
}
