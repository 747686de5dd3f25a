//! The vendor's Python client of each server line beside `jetond app`: what one creates, the other lists, uses and
//! deletes.

use std::fs;

use serde_json::{Value, json};

use jetond::sandbox::Line;

use crate::support::TestEnv;
use crate::tools::{MissingProgram, Test, older_package, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("jeton_and_1_220_share_keys_on_2_20", on_2_20),
    ("jeton_and_1_223_share_keys_on_2_23", on_2_23),
    ("jeton_and_1_224_share_keys_on_2_24", on_2_24),
    (
        "runapy_gets_no_token_from_3_0_which_lacks_app_token",
        on_3_0,
    ),
];

/// A version of the client, and its name for the keys of users.
#[derive(Clone, Copy)]
struct Client {
    /// The package of an older version, or `None` for the newest.
    older: Option<&'static str>,
    keys: &'static str,
}

impl Client {
    /// Runs the client with a credential, and returns what it prints.
    fn run(
        self,
        env: &TestEnv,
        id: &str,
        secret: &str,
        args: &[&str],
    ) -> Result<Value, MissingProgram> {
        let mut command = env.command(python()?);
        command
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/interop/runapy_keys.py"
            ))
            .args(args)
            .env("RUNAI_URL", env.sandbox().url())
            .env("RUNAI_KEYS", self.keys);
        if let Some(package) = self.older {
            command.env("PYTHONPATH", older_package(package)?);
        }
        let input = format!("{id}\n{secret}\n");
        let output = env.finish("runapy", command, input.as_bytes(), false);
        Ok(serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}")))
    }
}

/// Returns the names of the keys that Jeton lists.
fn listed(env: &TestEnv) -> Value {
    let listed = env.jetond(&["app", "list", "research", "--json"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let mut names: Vec<_> = listed["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    json!({"names": names})
}

fn done(env: &TestEnv, args: &[&str]) {
    let done = env.jetond(args);
    assert_eq!(done.code, 0, "{done:?}");
}

fn share_keys(line: Line, client: Client) -> Result<(), MissingProgram> {
    let env = TestEnv::with_line(line, 600);
    env.enrol("research");
    let mut daemon = env.start();
    let with = |args: &[&str]| client.run(&env, "test-client", env.secret(), args);

    done(
        &env,
        &[
            "app",
            "create",
            "made-by-jeton",
            "research",
            "--enrol",
            "new",
        ],
    );
    let both = json!({"names": ["first-key", "made-by-jeton"]});
    // The client uses the same key that it lists.
    let record: Value = serde_json::from_slice(&fs::read(env.record("new")).unwrap()).unwrap();
    let (id, secret) = (&record["client_id"], &record["client_secret"]);
    let (id, secret) = (id.as_str().unwrap(), secret.as_str().unwrap());
    assert_eq!(client.run(&env, id, secret, &["list"])?, both, "{line}");

    let three = json!({"names": ["first-key", "made-by-jeton", "made-by-runapy"]});
    assert_eq!(with(&["create", "made-by-runapy"])?, three, "{line}");
    assert_eq!(listed(&env), three, "{line}");

    done(
        &env,
        &["app", "delete", "made-by-runapy", "research", "--yes"],
    );
    assert_eq!(with(&["list"])?, both, "{line}");
    let first = json!({"names": ["first-key"]});
    assert_eq!(with(&["delete", "made-by-jeton"])?, first, "{line}");
    assert_eq!(listed(&env), first, "{line}");
    env.stop(&mut daemon);
    Ok(())
}

fn on_2_20() -> Result<(), MissingProgram> {
    let client = Client {
        older: Some("runapy==1.220.0"),
        keys: "user-applications",
    };
    share_keys(Line::V2_20, client)
}

fn on_2_23() -> Result<(), MissingProgram> {
    let client = Client {
        older: Some("runapy==1.223.0"),
        keys: "user-applications",
    };
    share_keys(Line::V2_23, client)
}

fn on_2_24() -> Result<(), MissingProgram> {
    let client = Client {
        older: None,
        keys: "access-keys",
    };
    share_keys(Line::V2_24, client)
}

/// The vendor's reference for 3.0 no longer has `app_token`, and the client supports no other grant.
fn on_3_0() -> Result<(), MissingProgram> {
    let env = TestEnv::with_line(Line::V3_0, 600);
    let client = Client {
        older: None,
        keys: "access-keys",
    };
    let saw = client.run(&env, "test-client", env.secret(), &["list"])?;
    assert!(saw["token"].is_string(), "{saw}");
    assert_eq!(env.sandbox().issued(), Vec::<String>::new());
    Ok(())
}
