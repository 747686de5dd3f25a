//! Credentials that Jeton only reads: the configuration names where they come from.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which stop at the first surprise as tests do"
)]

use std::fs;
use std::path::Path;

use crate::enrol::write_config;
use crate::support::TestEnv;

/// A profile `research` of the sandbox, whose client secret comes from this source.
pub(crate) fn profile(env: &TestEnv, id: &str, secret: &str) -> String {
    let url = env.sandbox().url();
    format!(
        "[profiles.research]\nprovider = \"runai\"\nurl = \"{url}\"\nclient-id = {id}\nclient-secret = {secret}\n"
    )
}

fn file(path: &Path) -> String {
    format!("{{ file = \"{}\" }}", path.display())
}

#[test]
fn a_daemon_reads_its_credential_from_files_and_check_says_so() {
    let env = TestEnv::with_sandbox(60);
    let id = env.path("id");
    fs::write(&id, "test-client\r\n").unwrap();
    let secret = env.secret_file();
    write_config(&env, profile(&env, &file(&id), &file(&secret)));
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let says = format!(
        "client test-client, credential from the file {}",
        secret.display()
    );
    assert!(checked.stdout.contains(&says), "{checked:?}");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    assert!(env.sandbox().issued().contains(&token));
    assert!(!env.record("research").exists());
    env.stop(&mut daemon);
}

#[test]
fn a_profile_with_a_source_is_removed_and_its_source_stays() {
    let env = TestEnv::with_sandbox(60);
    let secret = env.secret_file();
    write_config(&env, profile(&env, "\"test-client\"", &file(&secret)));
    let removed = env.jetond(&["remove", "research", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    let says = format!("stays where it comes from: the file {}", secret.display());
    assert!(
        removed.stderr.contains(&says) || removed.stdout.contains(&says),
        "{removed:?}"
    );
    assert!(
        !fs::read_to_string(env.config())
            .unwrap()
            .contains("research")
    );
    assert!(secret.exists());
}
