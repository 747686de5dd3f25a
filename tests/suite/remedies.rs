//! What a message proposes works as it stands: it names the target in force.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which stop at the first surprise as tests do"
)]

use std::fs;
use std::path::Path;

use crate::enrol::add;
use crate::support::TestEnv;

#[test]
fn a_proposed_command_line_names_the_target_in_force() {
    let env = TestEnv::with_sandbox(60);
    // Its folder is one in which the search for leaks allows secrets.
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
fn a_configuration_named_by_the_environment_is_named_by_the_remedy() {
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
fn a_rebind_that_is_proposed_names_the_profile() {
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
fn a_file_that_is_missing_is_what_a_removal_says() {
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
