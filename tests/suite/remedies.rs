//! Remedies in messages: each proposed command works as printed. It names the configuration in use and every leftover
//! file.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use crate::enrol::{add, write_config};
use crate::support::TestEnv;

/// Writes a state file that only its owner can access.
fn write_state(path: &Path, text: &str) {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true).mode(0o700);
    folder.create(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn proposed_commands_name_the_configuration_and_state_in_use() {
    let env = TestEnv::with_sandbox(60);
    // Inside a folder in which the search for leaks allows secrets.
    let state = env.path("state/jeton/credentials/it's one");
    let config = env.path("home/my other.toml");
    let options = format!(
        "--config '{}' --state '{}'",
        config.display(),
        state.display().to_string().replace('\'', "'\\''")
    );
    let (config, state) = (config.to_str().unwrap(), state.to_str().unwrap());
    let target = ["--config", config, "--state", state];
    let added = add(&env, "a", &target);
    assert_eq!(added.code, 0, "{added:?}");
    let start = format!("start one with: jetond run {options}\n");
    assert!(added.stdout.ends_with(&start), "{added:?}");
    let conflict = add(&env, "a", &target);
    for line in ["add a --rebind", "remove a"] {
        let line = format!("jetond {line} {options}");
        assert!(conflict.stderr.contains(&line), "{line}: {conflict:?}");
    }

    fs::remove_file(Path::new(state).join("credentials/a.json")).unwrap();
    let checked = env.jetond(&[&["check"], &target[..]].concat());
    let rebind = format!("jetond add a --rebind {options}");
    assert!(checked.stderr.contains(&rebind), "{checked:?}");
    let examined = env.jetond(&[&["doctor"], &target[..]].concat());
    let run = format!("jetond run {options}");
    for line in [&rebind, &run] {
        assert!(examined.stdout.contains(line), "{line}: {examined:?}");
    }

    fs::write(config, "# none\n").unwrap();
    let options = format!("--config '{config}'");
    let empty = env.jetond(&["check", "--config", config]);
    let add = "jetond add NAME --provider runai --url https://…";
    assert!(
        empty.stdout.contains(&format!("{add} {options}\n")),
        "{empty:?}"
    );
    let unknown = env.jetond(&["add", "b", "--rebind", "--config", config]);
    let add = format!("jetond add b --provider runai --url https://… {options}");
    assert!(unknown.stderr.contains(&add), "{unknown:?}");
}

#[test]
fn the_remedy_names_a_configuration_given_in_jeton_config() {
    let env = TestEnv::with_sandbox(60);
    let config = env.path("home/other.toml");
    let add = || {
        let (url, secret) = (env.sandbox().url(), env.secret_file());
        let mut command = env.jetond_command(&["add", "a", "--provider", "runai", "--url", &url]);
        command.args(["--client-id", "test-client", "--client-secret-file"]);
        command.arg(secret).env("JETON_CONFIG", &config);
        env.finish("jetond add", command, b"", false)
    };
    assert_eq!(add().code, 0);
    let conflict = add();
    let line = format!("jetond remove a --config {}", config.display());
    assert!(conflict.stderr.contains(&line), "{conflict:?}");
}

#[test]
fn a_proposed_rebind_names_the_profile() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let text = fs::read_to_string(env.config()).unwrap();
    let moved = text.replace(&env.sandbox().url(), "http://127.0.0.1:9");
    fs::write(env.config(), moved).unwrap();
    let mut daemon = env.start();
    let asked = env.jeton(&["token", "a"]);
    assert_eq!(asked.code, 78, "{asked:?}");
    assert!(asked.stderr.contains("jetond add a --rebind"), "{asked:?}");
    let document = env.get(&daemon, "/v1/profiles/a/token");
    let detail = document.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("jetond add a --rebind"), "{detail}");
    env.stop(&mut daemon);
}

#[test]
fn leftover_credentials_without_a_profile_are_reported_with_a_remedy() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("kept");
    let clean = env.jetond(&["check"]);
    assert_eq!((clean.code, clean.stderr.as_str()), (0, ""));
    // Leftovers of an `add` that was killed before it wrote the configuration.
    fs::copy(env.record("kept"), env.record("lost")).unwrap();
    let record = env.record("lost");
    let temporary = record.with_file_name(".jeton-new-abc");
    fs::copy(&record, &temporary).unwrap();
    // A user's own file is not reported.
    fs::write(record.with_file_name("notes"), "").unwrap();
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let examined = env.jetond(&["doctor", "--json"]);
    for path in [&record, &temporary] {
        let path = path.to_str().unwrap();
        assert!(
            checked.stderr.contains(&format!("warning: {path}: ")),
            "{checked:?}"
        );
        assert!(examined.stdout.contains(path), "{examined:?}");
    }
    assert_eq!(checked.stderr.lines().count(), 2, "{checked:?}");
    for part in ["jetond add lost", "remove the file"] {
        assert!(checked.stderr.contains(part), "{checked:?}");
        assert!(examined.stdout.contains(part), "{examined:?}");
    }
    let findings: serde_json::Value = serde_json::from_str(&examined.stdout).unwrap();
    let about = |finding: &&serde_json::Value| finding["check"] == "leftover";
    let verdicts: Vec<_> = findings.as_array().unwrap().iter().filter(about).collect();
    assert!(
        verdicts.len() == 2 && verdicts.iter().all(|finding| finding["verdict"] == "warn"),
        "{examined:?}"
    );
    // Also if the configuration has no profile at all.
    write_config(&env, "# none\n");
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert_eq!(
        checked.stderr.matches("warning: ").count(),
        3,
        "{checked:?}"
    );
    // Does what the warnings say.
    fs::remove_file(temporary).unwrap();
    assert_eq!(add(&env, "lost", &[]).code, 0);
    assert_eq!(add(&env, "kept", &[]).code, 0);
    assert_eq!(env.jetond(&["check"]).stderr, "");
}

#[test]
fn another_configurations_credential_is_not_a_leftover() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("usual");
    let other = env.path("home/other.toml");
    let other = other.to_str().unwrap();
    assert_eq!(add(&env, "other", &["--config", other]).code, 0);
    let checked = env.jetond(&["check", "--config", other]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));
}

#[test]
fn an_interrupted_removal_is_reported_with_its_command() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let config = env.config().canonicalize().unwrap();
    let marker = env.path("state/jeton/removals/a.json");
    let begin = |config: &Path| {
        let text =
            format!("{{\"version\":1,\"profile\":\"a\",\"store\":\"file\",\"config\":{config:?}}}");
        write_state(&marker, &text);
    };
    begin(&config);
    write_config(&env, "# none\n");
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let line = "jetond remove a --yes\n";
    assert!(
        checked.stderr.ends_with(line) && checked.stderr.lines().count() == 1,
        "{checked:?}"
    );
    let examined = env.jetond(&["doctor"]);
    assert!(examined.stdout.contains(line), "{examined:?}");
    // A removal for another configuration is completed with that configuration.
    begin(&env.path("home/other.toml"));
    let checked = env.jetond(&["check"]);
    let other = env.path("home/other.toml");
    let line = format!("jetond remove a --yes --config {}\n", other.display());
    assert!(checked.stderr.ends_with(&line), "{checked:?}");
    write_state(&marker, "{}");
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked.stderr.contains(marker.to_str().unwrap()),
        "{checked:?}"
    );
    begin(&config);
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(env.jetond(&["check"]).stderr, "");
}

#[test]
fn a_removal_reports_a_missing_file() {
    let env = TestEnv::new();
    let none = env.path("home/none.toml");
    let path = none.to_str().unwrap();
    let refused = env.jetond(&["remove", "a", "--yes", "--config", path]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert_eq!(
        refused.stderr,
        format!("jetond: nothing is removed: {path}: there is no such file\n")
    );
    if Path::new("/etc/jeton/config.toml").exists() {
        return crate::support::ignored("this machine has a configuration of the system");
    }
    let refused = env.jetond(&["remove", "a", "--yes", "--system"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    let says = "/etc/jeton/config.toml: there is no such file";
    assert!(refused.stderr.contains(says), "{refused:?}");
}
